"""Who causes what is seen: axioms, arithmetic on small networks, and quadrature of the path."""

import itertools
import json

import numpy as np
import pytest

import flownet as fn
from flownet.constraint.blame import shapley
from flownet.constraint.causes import path_causes, scaled_causes
from flownet.constraint.differences import in_compressed
from flownet.solvers.objective import objective_of


def system(services, routes=(), **network):
    return fn.Network.from_dict(
        {
            "network": {"time_unit": "day", **network},
            "services": [{"name": name, **data} for name, data in services.items()],
            "routes": [
                dict(zip(("from", "to", "routing_probability"), r, strict=True)) for r in routes
            ],
        }
    )


def beds(servers, load, rate=1.0, **more):
    return {"servers": servers, "service_time": servers * load / rate, "waiting_room": 0, **more}


def entry(servers, load, rate=1.0, **more):
    return beds(servers, load, rate, external_arrival_rate=1.0,
                external_when_full="wait_outside") | more  # fmt: skip


def found(network, goal="delay", method="blocking"):
    """Return the finding; blocking in the quicker mode, which the path solves many times."""
    options = {"mode": "compressed"} if method == "blocking" else {}
    return fn.find_constraint(network, goal, method, **options)


def short_last(*extra_routes):
    return system(
        {"first": entry(8, 0.5), "middle": beds(8, 0.5), "last": beds(8, 0.9)},
        [("first", "middle", 1.0), ("middle", "last", 1.0), *extra_routes],
    )


def two_causes():
    """Return an entry whose jobs go to two services alike, both short."""
    return system(
        {"entry": entry(6, 0.5), "left": beds(3, 0.8, 0.5), "right": beds(3, 0.8, 0.5)},
        [("entry", "left", 0.5), ("entry", "right", 0.5)],
    )


def loop():
    return system(
        {"desk": entry(4, 0.5, 1.25), "ward": beds(3, 0.75, 1.25, waiting_room=1)},
        [("desk", "ward", 1.0), ("ward", "desk", 0.2)],
    )


def with_loss():
    return system(
        {
            "ed": {"servers": 3, "capacity": 4, "service_time": 1.0, "external_arrival_rate": 2.5},
            "ward": beds(3, 0.8, 2.0),
        },
        [("ed", "ward", 0.8)],
        cost_of_loss=2.0,
    )


@pytest.mark.parametrize(
    ("network", "method", "goal"),
    [
        (short_last(), "blocking", "delay"),
        (two_causes(), "blocking", "delay"),
        (loop(), "blocking", "delay"),
        (with_loss(), "blocking", "delay"),
        (with_loss(), "blocking", "throughput"),
        (with_loss(), "exact", "throughput"),
    ],
)
def test_the_parts_add_up_to_what_is_seen(network, method, goal):
    finding = found(network, goal, method)
    seen = finding.solution.services[
        ["number_waiting", "number_blocked", "number_outside", "number_held_in_transfer"]
    ].sum(axis=1)
    lost = finding.solution.services["loss_rate"]
    expected = lost if goal == "throughput" else seen + 2.0 * lost  # the price of a loss
    # 1e-6 is asked for; the parts are scaled to the whole, so that only rounding is left
    assert finding.attribution.sum(axis=1).to_numpy() == pytest.approx(
        expected.to_numpy(), rel=1e-9, abs=1e-12
    )
    by_class = finding.attribute("class")
    assert by_class.to_numpy().sum() == pytest.approx(expected.sum(), rel=1e-9)


def test_the_last_of_a_line_is_the_cause_of_the_queue_before_the_first():
    finding = found(short_last())
    causes = finding.causes
    assert causes.index[0] == "last"
    assert causes.loc["last", "caused"] > 0.9 * causes["seen"].sum()
    assert causes.loc["last", "seen"] == 0.0
    assert "'last'" in finding.chain
    # by the exact chain 4.9 jobs are held up before and at the first, and 2.2 at the second
    assert "Who waits for whom: 'first' for 'middle', 'middle' for 'last'" in finding.chain
    assert (finding.attribution.to_numpy() < 0).any()  # more beds upstream let more in to be held


def test_two_causes_in_parallel_get_equal_blame():
    matrix = found(two_causes()).attribution
    # equal up to the residual of the fixed point, 1e-9
    assert matrix["left"].to_numpy()[[0]] == pytest.approx(
        matrix["right"].to_numpy()[[0]], rel=1e-6
    )
    both = matrix.loc["entry", "left"] + matrix.loc["entry", "right"]
    assert both > matrix.loc["entry", "entry"]


def test_in_a_loop_the_short_service_is_blamed():
    causes = found(loop()).causes
    assert causes.index[0] == "ward"
    assert causes.loc["ward", "caused"] > causes.loc["ward", "seen"]


def test_who_changes_nothing_gets_nothing():
    """Beside the line stands a service of its own."""
    network = short_last().to_dict()
    network["services"] += [
        {"name": "apart", "servers": 4, "service_time": 2.0, "external_arrival_rate": 1.0},
    ]
    matrix = found(fn.Network.from_dict(network)).attribution
    line = ["first", "middle", "last"]
    assert matrix.loc[line, "apart"].to_numpy() == pytest.approx(0.0, abs=1e-9)
    assert matrix.loc["apart", line].to_numpy() == pytest.approx(0.0, abs=1e-9)
    assert matrix.loc["apart", "apart"] == pytest.approx(
        fn.solve(fn.Network.from_dict(network)).services.loc["apart", "number_waiting"], rel=1e-9
    )


def test_no_unit_matters():
    """In hours all times are 24 times as long; numbers of jobs stay."""
    document = short_last().to_dict()
    days = found(fn.Network.from_dict(document)).attribution
    document["network"]["time_unit"] = "hour"
    for service in document["services"]:
        service["service_time"] *= 24.0
        if "external_arrival_rate" in service:
            service["external_arrival_rate"] /= 24.0
    hours = found(fn.Network.from_dict(document)).attribution
    # the fixed point is solved to 1e-9
    assert hours.to_numpy() == pytest.approx(days.to_numpy(), rel=1e-6, abs=1e-8)


def test_organisations_are_charged_with_their_services():
    document = two_causes().to_dict()
    for service, owner in zip(document["services"], ("trust", "council", "council"), strict=True):
        service["organisation"] = owner
    finding = found(fn.Network.from_dict(document))
    grouped = finding.attribute("organisation", "organisation")
    assert list(grouped.columns) == ["trust", "council"]
    assert grouped.to_numpy().sum() == pytest.approx(finding.attribution.to_numpy().sum(), rel=1e-9)
    single = finding.attribution[["left", "right"]].to_numpy().sum()
    # the organisation moves both of its services at once, in the same pieces
    assert grouped["council"].sum() == pytest.approx(single, rel=0.02)


def test_where_a_backlog_grows_its_growth_is_attributed():
    network = system(
        {
            "operators": {"servers": 13, "service_time": 7.33, "external_arrival_rate": 1.6667},
            "nurses": {"servers": 9, "service_time": 15.0},
        },
        [("operators", "nurses", 0.4)],
    )
    matrix = fn.find_constraint(network).attribution
    assert matrix.attrs["units"] == "job/day"
    assert matrix.loc["nurses", "nurses"] == pytest.approx(0.4 * 1.6667 - 9 / 15, rel=1e-9)
    assert matrix.to_numpy().sum() == pytest.approx(matrix.loc["nurses", "nurses"], rel=1e-9)


def test_product_form_blames_each_service_for_its_own():
    """By Jackson's theorem the number at a service depends on its own servers only."""
    network = system(
        {
            "a": {"servers": 2, "service_time": 1.5, "external_arrival_rate": 1.0},
            "b": {"servers": 3, "service_time": 2.0},
        },
        [("a", "b", 1.0)],
    )
    finding = fn.find_constraint(network)
    expected = np.diag(finding.solution.services["number_waiting"])
    assert finding.attribution.to_numpy() == pytest.approx(expected, rel=1e-12)
    along = fn.find_constraint(network, method="decomposition").attribution
    assert along.to_numpy() == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_the_path_agrees_with_fine_quadrature():
    """Bursty arrivals at two queues in a row: what the first smooths, the second does not see."""
    network = system(
        {
            "a": {"servers": 1, "service_time": 0.7, "external_arrival_rate": 1.0,
                  "arrival_scv": 4.0},
            "b": {"servers": 1, "service_time": 0.8},
        },
        [("a", "b", 1.0)],
    )  # fmt: skip
    finding = fn.find_constraint(network)
    solution = finding.solution
    arrays = solution.compilation.arrays

    def seen(servers):
        return solution.again(
            arrays._replace(servers=np.array(servers, dtype=np.float64))
        ).measures.number_waiting.sum(axis=1)

    # the integral in ln u by the midpoint rule, slopes by central differences: good to 0.3 %
    total = np.zeros((2, 2))
    nodes = np.linspace(0.0, np.log(30.0), 401)
    for low, high in itertools.pairwise(nodes):
        u = np.exp((low + high) / 2)
        for j in range(2):
            step = 1e-3 * u  # beyond the jumps of the method's grid of times
            up, down = np.full(2, u), np.full(2, u)
            up[j] += step
            down[j] -= step
            total[:, j] -= (seen(up) - seen(down)) / (2 * step) * u * (high - low)
    # pieces of a 24th of the whole, each by the mean of first and last: within 1 %
    assert finding.attribution.to_numpy() == pytest.approx(
        total, rel=0.01, abs=0.01 * finding.value.value
    )


def test_shapley_agrees_where_nothing_interacts_and_adds_up_where_it_does():
    apart = system(
        {
            name: {"servers": 1, "service_time": load, "external_arrival_rate": 1.0}
            for name, load in (("a", 0.5), ("b", 0.8))
        }
    )
    finding = fn.find_constraint(apart)
    assert shapley(finding.solution).to_numpy() == pytest.approx(
        finding.attribution.to_numpy(), rel=1e-9
    )
    blocked = found(two_causes())
    whole = shapley(blocked.solution)
    assert whole.to_numpy().sum() == pytest.approx(blocked.value.value, rel=1e-9)
    assert whole.loc["entry", "left"] == pytest.approx(whole.loc["entry", "right"], rel=1e-6)


def test_transfers_are_nobodys_lack_of_capacity():
    document = two_causes().to_dict()
    document["routes"][0] |= {"transfer_delay": 0.3, "holds_server": True}
    finding = found(fn.Network.from_dict(document))
    # half the jobs hold a server for 0.3 days on their way
    assert finding.attribution.attrs["rest"]["entry"] == pytest.approx(0.15, rel=1e-9)


def test_wrong_sides_are_told_and_json_holds_what_was_asked_for():
    finding = found(two_causes())
    assert "attribution" not in finding.to_dict()
    with pytest.raises(fn.FlownetError, match="one of service, class, organisation"):
        finding.attribute("ward")
    with pytest.raises(fn.FlownetError, match="one of service, organisation"):
        finding.attribute("service", "class")
    assert len(finding.attribution) == 3
    assert "attribution" in json.loads(json.dumps(finding.to_dict(), allow_nan=False))
    assert len(repr(finding).splitlines()) == 5


def test_a_service_of_one_server_is_blamed_though_the_others_would_get_theirs_first():
    """Three in a row, the last a single server that holds everything up; one more cures it."""
    line = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "oven", "servers": 3, "service_time": 0.7, "external_arrival_rate": 3.5,
             "external_when_full": "wait_outside", "waiting_room": 2},
            {"name": "cool", "servers": 4, "service_time": 0.9, "waiting_room": 0},
            {"name": "pack", "servers": 1, "service_time": 0.26, "waiting_room": 1},
        ],
        "routes": [{"from": "oven", "to": "cool"}, {"from": "cool", "to": "pack"}],
    })  # fmt: skip
    finding = fn.find_constraint(line)
    assert finding.constraint == "pack"
    growth = float(finding.value.growth)
    # one more server there takes nearly all of the growth away: it is no null service
    assert finding.ranking.loc["pack", "relief"] > 0.9 * growth
    caused = finding.attribution.loc["oven"]
    assert caused.idxmax() == "pack"
    assert caused.sum() == pytest.approx(growth, rel=1e-6)


def test_what_binds_together_is_said_to_bind_together():
    twins = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [{"name": "door", "servers": 2, "service_time": 0.1,
                      "external_arrival_rate": 6.0},
                     {"name": "left", "service_time": 0.28},
                     {"name": "right", "service_time": 0.28}],
        "routes": [{"from": "door", "to": name, "routing_probability": 0.5}
                   for name in ("left", "right")],
    })  # fmt: skip
    finding = fn.find_constraint(twins, "throughput")
    # the limit is that of the slower of two alike: 1 % at both is 1 %, at one nothing
    assert set(finding.constraint_set) == {"left", "right"}
    assert "together: 1 % more capacity at all of them raises throughput by 1 %" in repr(finding)


def test_shares_of_the_quick_mode_add_up_to_what_the_full_one_sees():
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "a", "servers": 2, "waiting_room": 0, "service_time": 0.5,
             "external_arrival_rate": 1.6, "external_when_full": "wait_outside"},
            {"name": "b", "servers": 2, "waiting_room": 0, "service_time": 0.8},
        ],
        "routes": [{"from": "a", "to": "b"}],
    })  # fmt: skip
    solution = fn.solve(network, "blocking", mode="full")
    objective = objective_of(solution, "delay")
    rows = np.array([[0], [1]])
    quick = path_causes(in_compressed(solution), objective, rows, [np.array([0]), np.array([1])])
    scaled = scaled_causes(quick, solution, objective, rows)
    table = solution.services
    seen = table["number_waiting"] + table["number_blocked"] + table["number_outside"]
    assert scaled.matrix.sum(axis=1) + scaled.rest == pytest.approx(seen.to_numpy(), rel=1e-9)
