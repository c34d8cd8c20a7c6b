"""What a plan tells: tables, steps, limits' worth, verification, robustness, and its file."""

import itertools
import json
import math

import numpy as np
import pytest

import flownet as fn
from oracles.stations import number_waiting


@pytest.fixture
def plan(clinic):
    return fn.reallocate(clinic, budget=200.0)


def test_before_and_after_by_service_class_and_organisation(plan):
    assert plan.services.loc["doctor", ("servers", "change")] == 1
    for table in (plan.services, plan.organisations):
        gained = -table[("delay", "change")].sum()
        assert gained == pytest.approx(plan.gain_verified)
    # Little: delay per job times jobs per T
    rise = plan.classes.loc["all", ("delay_time", "change")] * 8.0
    assert -rise == pytest.approx(plan.gain_verified, rel=1e-9)
    assert plan.organisations.loc["Trust", ("cost_capacity", "change")] == pytest.approx(170.0)


def test_steps_add_up_and_the_best_comes_first(plan):
    steps = plan.steps
    assert steps["gain"].sum() == pytest.approx(plan.gain_verified, rel=1e-9)
    assert steps["cost"].sum() == pytest.approx(plan.spent)
    singles = {
        name: fn.solve(plan.before.network).system["delay"]
        - fn.solve(plan.before.network.replace(services={name: {"servers": count + 1}})).system[
            "delay"
        ]
        for name, count in (("triage", 2), ("doctor", 4))
    }
    first = steps.iloc[0]
    assert first["to"] == max(singles, key=singles.get)
    assert first["gain"] == pytest.approx(singles[first["to"]], rel=1e-9)


def test_what_limits_are_worth_stands_within_its_range(clinic):
    """The sentence against solving again: divisible servers, a budget a little larger."""
    options = {"integer": False, "gap": 1e-9}
    plan = fn.reallocate(clinic, budget=200.0, **options)
    row = plan.shadow_prices.loc["budget"]
    assert row["from"] <= 200.0 <= row["to"]
    more = fn.reallocate(clinic, budget=200.2, **options)
    gained = plan.value_after.value - more.value_after.value
    assert gained == pytest.approx(0.2 * row["shadow_price"], rel=1e-2)  # the curve bends
    assert "one more GBP in the budget is worth" in row["sentence"]
    bed = plan.shadow_prices.loc["balance[triage]"]
    given = clinic.replace(services={"triage": {"servers": 2.01}})
    helped = fn.reallocate(given, budget=200.0, method="decomposition", **options)
    gained = plan.value_after.value - helped.value_after.value
    assert gained == pytest.approx(0.01 * bed["shadow_price"], rel=2e-2)
    assert "one more nurse given to 'triage'" in bed["sentence"]


def test_what_is_counted_is_worth_what_one_more_brings(clinic):
    """Whole servers: the sentence against the best of all plans with one more, by Erlang C."""
    plan = fn.reallocate(clinic, budget=200.0)
    nodes = clinic.graph.nodes
    price = {name: nodes[name]["cost_per_server"] for name in clinic.services}
    rate = fn.solve(clinic).services["arrival_rate"]
    load = {name: rate[name] * nodes[name]["service_time"] for name in clinic.services}

    def best(budget, **more):
        now = {name: nodes[name]["servers"] + more.get(name, 0) for name in clinic.services}
        ways = [range(int(budget // price[name]) + 1) for name in now]
        return min(
            sum(
                number_waiting(now[name] + count, load[name])
                for name, count in zip(now, bought, strict=True)
            )
            for bought in itertools.product(*ways)
            if sum(price[n] * c for n, c in zip(now, bought, strict=True)) <= budget
        )

    least = best(200.0)
    assert plan.value_after.value == pytest.approx(least, rel=1e-9)
    for name in clinic.services:
        row = plan.shadow_prices.loc[f"balance[{name}]"]
        assert row["shadow_price"] == pytest.approx(least - best(200.0, **{name: 1}), rel=1e-6)
        assert row["sentence"].startswith("one more ")
        assert row["sentence"].endswith(" jobs delayed")
    money = plan.shadow_prices.loc["budget"]
    by_money = {p: (least - best(200.0 + p)) / p for p in price.values()}
    assert money["shadow_price"] == pytest.approx(max(by_money.values()), rel=1e-6)
    paid = max(by_money, key=by_money.get)
    assert money["sentence"].startswith(f"{paid:g} more GBP in the budget are worth")


def test_regret_and_tails_are_called_by_their_names(clinic):
    more = clinic.replace(services={"triage": {"external_arrival_rate": 8.4}})
    demands = {"now": clinic, "more": more}
    said = {
        "regret": "(largest regret in delay ",
        "minimax": "(delay in the worst demand ",
        ("cvar", 0.75): "(delay in the worst 0.25 of demands ",
    }
    for risk, words in said.items():
        plan = fn.reallocate(clinic, budget=200.0, scenarios=demands, risk=risk)
        assert words in plan.headline
        assert fn.Plan.from_dict(plan.to_dict()).headline == plan.headline


def test_how_says_by_what_the_plan_was_judged(clinic):
    plan = fn.reallocate(clinic, budget=200.0)
    assert "by the solver 'highs'" in plan.how
    assert plan.how.endswith("the full model is 'product_form' (exact)")


def test_a_method_that_nobody_named_is_not_said_to_be_asked_for(clinic):
    chosen = fn.reallocate(clinic, budget=100.0)
    assert "asked for by name" not in chosen.explain()
    assert "as for the network that it is compared with" in chosen.explain()
    assert "asked for by name" not in chosen.constraint_after.explain()
    named = fn.reallocate(clinic, budget=100.0, method="decomposition")
    assert "decomposition, approximate; asked for by name" in named.explain()


def test_worth_of_servers_under_blocking_by_solving_again():
    services = [
        {"name": "ward", "service_time": 4.0, "servers": 12, "external_arrival_rate": 2.0,
         "cost_per_server": 300.0},
        {"name": "home", "service_time": 10.0, "servers": 21, "capacity": 21,
         "cost_per_server": 100.0},
    ]  # fmt: skip
    routes = [{"from": "ward", "to": "home"}]
    network = fn.Network.from_dict(
        {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    )
    plan = fn.reallocate(network, budget=40000.0, bounds={"home": (21, 24), "ward": (12, 500)})
    assert plan.status == "local optimum"
    counts = {name: plan.servers.get(name, network.graph.nodes[name]["servers"])
              for name in network.services}  # fmt: skip
    counts["ward"] += 1
    after = {n: {"servers": c, **({"capacity": c} if n == "home" else {})}
             for n, c in counts.items()}  # fmt: skip
    changed = network.replace(services=after)
    delay = fn.solve(changed, "blocking", **plan.before.options).system["delay"]
    gained = plan.value_after.value - delay
    if "balance[ward]" in plan.shadow_prices.index:
        price = plan.shadow_prices.loc["balance[ward]", "shadow_price"]
        assert price == pytest.approx(gained, abs=1e-6)
    else:
        assert gained <= 1e-8
    assert "bound" in plan.how


def test_the_bound_without_blocking_holds_for_the_exact_chain(monkeypatch):
    """Both sides exact: product form without blocking, the chain with it."""
    monkeypatch.setattr("flownet.allocate.propose_model.all_plans", lambda *_: None)
    services = [
        {"name": "ward", "service_time": 1.0, "servers": 2, "external_arrival_rate": 1.0,
         "cost_per_server": 1.0},
        {"name": "home", "service_time": 1.5, "servers": 3, "capacity": 3, "cost_per_server": 1.0},
    ]  # fmt: skip
    routes = [{"from": "ward", "to": "home", "routing_probability": 0.8}]
    network = fn.Network.from_dict(
        {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    )
    plan = fn.reallocate(network, budget=2.0, method="exact")
    assert 0 < plan.gap < 1
    assert plan.gain_verified <= plan.bound
    assert "without blocking" in plan.how
    assert plan.status == "local optimum"


def test_verified_by_simulation_with_a_paired_interval(plan):
    options = {"horizon": 2000.0, "replications": 6, "seed": 5}
    told = plan.verify(simulate=True, **options)
    assert told.verdict == "borne out"
    assert abs(told.gain_simulated - plan.gain_verified) < 3 * told.halfwidth
    assert "±" in repr(told)
    assert plan.verify().verdict == "borne out"


def test_robustness_without_spread_is_the_plans_own_gain(plan):
    sure = plan.robustness(3, spread=0.0)
    assert sure.probability_of_gain == 1.0
    assert sure.samples["gain"].to_numpy() == pytest.approx(plan.gain_verified, rel=1e-9)
    spread = plan.robustness(30, seed=2)
    again = plan.robustness(30, seed=2)
    assert spread.samples.equals(again.samples)
    assert spread.quantiles[0.05] < plan.gain_verified < spread.quantiles[0.95]
    for options in ({"samples": 0}, {"spread": -1.0}, {"spread": math.nan}):
        with pytest.raises(fn.FlownetError):
            plan.robustness(**options)


@pytest.mark.parametrize("ending", ["json", "toml"])
def test_a_plan_goes_to_a_file_and_back(plan, tmp_path, ending):
    path = tmp_path / f"plan.{ending}"
    getattr(plan, f"to_{ending}")(path)
    back = fn.Plan.read(path)
    assert back.headline == plan.headline
    assert back.to_dict() == plan.to_dict()
    assert back.apply(plan.before.network) == plan.apply(plan.before.network)
    assert back.steps.equals(plan.steps)
    assert back.changes == plan.changes


def test_what_is_no_plan_is_refused(tmp_path):
    path = tmp_path / "plan.json"
    for text in ("{", "[1]", "{}"):
        path.write_text(text)
        with pytest.raises(fn.FlownetError):
            fn.Plan.read(path)
    with pytest.raises(fn.FlownetError):
        fn.Plan.read(tmp_path / "none.json")


def test_the_constraint_after_the_plan_is_found_on_the_changed_network(plan):
    alone = fn.find_constraint(plan.apply(plan.before.network))
    assert plan.constraint_after.constraint == alone.constraint


def test_who_is_made_worse_is_told_and_can_be_protected(clinic):
    exchange = [("xray", "doctor")]
    plan = fn.reallocate(clinic.replace(services={"xray": {"servers": 3}}), exchanges=exchange)
    assert list(plan.made_worse.index) == ["xray"]
    assert list(plan.made_worse_organisations.index) == ["Lab"]
    assert "Made worse: 'xray'" in plan.headline
    kept = fn.reallocate(
        clinic.replace(services={"xray": {"servers": 3}}), exchanges=exchange, protect=0.0
    )
    assert kept.moves.empty


def test_a_plan_that_is_not_borne_out_is_no_headline(plan):
    import dataclasses

    boast = dataclasses.replace(plan, gain_promised=10 * plan.gain_promised)
    assert not boast.borne_out
    assert boast.headline.startswith("Not borne out")


def test_what_is_given_up_pays_for_what_is_bought(clinic):
    plan = fn.reallocate(
        clinic.replace(services={"xray": {"servers": 5}}), release={"xray": 120.0}, budget=0.0
    )
    assert plan.spent <= 0.0
    assert plan.servers["xray"] < 5
    assert {"release", "buy"} == set(plan.moves["action"])
    assert plan.gain_verified > 0
    assert "give up" in plan.headline


def test_every_goal_in_the_order_of_importance(clinic):
    both = fn.reallocate(clinic, ["worst_breach", "delay"], 300.0)
    first = fn.reallocate(clinic, "worst_breach", 300.0)
    assert both.value_after.value == pytest.approx(first.value_after.value, rel=1e-5)
    second = fn.solve(first.apply(clinic)).system["delay"]
    assert both.goals.loc["delay", "after"] <= second + 1e-6


def test_rates_and_rooms_are_carried_out_where_they_are_described():
    services = [
        {"name": "a", "service_time": {"x": 1.0, "y": 2.0}, "servers": 2, "waiting_room": 2,
         "external_arrival_rate": {"x": 0.6, "y": 0.3}},
    ]  # fmt: skip
    network = fn.Network.from_dict(
        {"network": {"time_unit": "day", "cost_of_loss": 1.0}, "classes": {"x": {}, "y": {}},
         "services": services}
    )  # fmt: skip
    mean = (0.6 * 1.0 + 0.3 * 2.0) / 0.9
    plan = fn.reallocate(
        network, budget=0.25 / mean, decide="service_rate", prices=1.0, method="exact"
    )
    times = plan.apply(network).graph.nodes["a"]["service_time"]
    assert times == pytest.approx({"x": 0.8, "y": 1.6}, rel=1e-6)
    rooms = fn.reallocate(
        network, "throughput", 3.0, decide="waiting_room", prices=1.0, method="exact"
    )
    assert rooms.apply(network).graph.nodes["a"]["waiting_room"] == 5
    assert np.isfinite(rooms.gain_verified)
    json.dumps(rooms.to_dict(), allow_nan=False)
