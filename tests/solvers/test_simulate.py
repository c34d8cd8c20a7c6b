"""What a Simulation says, against closed forms, the exact chain, and a published system.

Tolerance: all intervals are at 99.9 % (`SURE`), and the seeds are fixed, so that each comparison
had one chance in a thousand to fail when its seed was chosen. Horizons are hundreds of times the
relaxation time of the model, so that the bias from the empty start stays far below the interval.
"""

import json
import math

import numpy as np
import pytest
from solvers.simulated_cases import SURE, agrees, desk, network, run, tandem

import flownet as fn
from flownet.errors import ParameterError
from flownet.solvers.intervals import halfwidth, student
from flownet.solvers.warmup import mser
from oracles.stations import erlang_b, erlang_c, number_waiting

# ---------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (3, 2.1)])
def test_several_servers_wait_as_erlang_says(servers, load):
    row = run(desk(load, servers=servers)).services.loc["desk"]
    queue = number_waiting(servers, load)
    agrees(row, "number_waiting", queue)
    agrees(row, "waiting_time", queue / load)
    agrees(row, "wait_probability", erlang_c(servers, load))
    agrees(row, "utilization", load / servers)
    agrees(row, "throughput", load)
    agrees(row, "delay", queue)


def test_a_limited_waiting_room_loses_as_the_birth_death_chain_says():
    """M/M/2/5 at load 2.2: p_n = p_0 a^n / (n! for n <= 2, 2 2^(n-2) beyond)."""
    weights = [1.0, 2.2] + [2.2**n / (2.0 * 2.0 ** (n - 2)) for n in range(2, 6)]
    p = [w / sum(weights) for w in weights]
    made = run(desk(2.2, servers=2, capacity=5))
    row = made.services.loc["desk"]
    agrees(row, "loss_probability", p[5])
    agrees(row, "probability_full", p[5])
    agrees(row, "number_waiting", p[3] + 2 * p[4] + 3 * p[5])
    agrees(made.system, "loss_rate", 2.2 * p[5])
    agrees(made.classes.loc["all"], "served_probability", 1 - p[5])
    assert any("lost at a full service" in text for text in made.warnings)


@pytest.mark.parametrize(
    ("distribution", "square"),
    [
        ({"family": "gamma", "mean": 1.0, "scv": 0.5}, 1.5),
        ({"family": "lognormal", "mean": 1.0, "scv": 2.0}, 3.0),
        ({"family": "uniform", "low": 0.5, "high": 1.5}, 1.0 + 1.0 / 12.0),
    ],
)
def test_one_server_waits_as_pollaczek_and_khinchine_say(distribution, square):
    model = network(
        {"name": "desk", "service_distribution": distribution, "external_arrival_rate": 0.5}
    )
    made = run(model)
    wait = 0.5 * square / (2 * (1 - 0.5))
    agrees(made.services.loc["desk"], "waiting_time", wait, 0.15)
    agrees(made.classes.loc["all"], "system_response_time", 1.0 + wait, 0.15)
    agrees(made.classes.loc["all"], "delay_time", wait, 0.15)


def test_percentiles_and_targets_of_one_server():
    """FCFS M/M/1: the time in the system is exponential with rate mu - lambda = 0.5."""
    made = run(desk(0.5), targets=(1.0, 4.0))
    row = made.percentiles.loc["all"]
    agrees(row, "mean", 2.0)
    for percent in (5, 25, 50, 75, 90, 95, 99):
        agrees(row, f"p{percent}", -2.0 * math.log(1 - percent / 100), 0.2)
    for target in (1.0, 4.0):
        agrees(made.targets.loc["all", target], "probability", 1 - math.exp(-0.5 * target))
    assert "p99.9" in made.quantiles([0.999]).columns
    with pytest.raises(ParameterError, match="below 1"):
        made.quantiles([1.0])


def test_two_classes_by_priority_wait_as_cobham_says():
    """Cobham (1954): W_k = W_0 / ((1 - s_{k-1}) (1 - s_k)), W_0 = sum(lambda E[S^2]) / 2 = 0.7."""
    model = network(
        {"name": "desk", "service_time": 1.0, "discipline": "priority",
         "external_arrival_rate": {"urgent": 0.3, "routine": 0.4}},
        classes={"urgent": {"priority": 1}, "routine": {"priority": 2}},
    )  # fmt: skip
    table = run(model, 30_000.0).service_classes
    agrees(table.loc["desk", "urgent"], "waiting_time", 0.7 / 0.7)
    agrees(table.loc["desk", "routine"], "waiting_time", 0.7 / (0.7 * 0.3), 0.15)
    # preemptive resume: the urgent see an M/M/1 of their own
    model = model.replace(services={"desk": {"discipline": "preemptive"}})
    first = run(model, 30_000.0).service_classes
    agrees(first.loc["desk", "urgent"], "waiting_time", 0.3 / 0.7)


def test_blocking_and_loss_agree_with_the_exact_chain():
    model = tandem()
    exact, made = fn.solve(model, "exact"), run(model)
    for service in ("a", "b"):
        for column in ("throughput", "occupancy", "number_present"):
            agrees(made.services.loc[service], column, exact.services.loc[service, column])
    for column in ("number_blocked", "blocking_probability", "loss_rate", "waiting_time"):
        agrees(made.services.loc["a"], column, exact.services.loc["a", column])
    for column in ("system_response_time", "delay_time", "served_probability"):
        agrees(made.classes.loc["all"], column, exact.classes.loc["all", column])
    for key in ("delay", "throughput", "number_present", "loss_rate"):
        agrees(made.system, key, exact.system[key])
    waits = made.blocked_by.loc["a", "b"]
    assert waits == pytest.approx(made.services.loc["a", "number_blocked"])


def test_a_simulation_has_the_columns_of_a_solution():
    made, solved = run(tandem(), 1000.0), fn.solve(tandem(), "exact")
    for table in ("services", "service_classes", "classes"):
        columns = [c for c in getattr(made, table).columns if not c.endswith("_halfwidth")]
        assert columns == list(getattr(solved, table).columns)
    assert [k for k in made.system.index if not k.endswith("_halfwidth")] == list(
        solved.system.index
    )
    assert made.services.attrs["units"]["waiting_time_halfwidth"] == "hour"
    assert "servers_halfwidth" not in made.services


# ------------------------------------------------------------------------------------- intervals


def test_the_half_width_is_that_of_the_textbook():
    """Law (2015), ch. 4.5, example: 10 observations, variance 0.17: 90 % is 1.34 +- 0.24."""
    sample = np.array([1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09])
    assert round(float(halfwidth(sample, 0.90)), 2) == 0.24
    assert student(0.90, 9) == pytest.approx(1.833, abs=5e-4)
    assert math.isnan(student(0.9, 0))


def test_one_replication_takes_its_batches():
    row = run(desk(0.5), 60_000.0, replications=1).services.loc["desk"]
    agrees(row, "waiting_time", 1.0, 0.2)
    made = run(desk(0.5), replications=1)
    assert len(made.pieces) == 20
    assert np.isnan(made.percentiles.loc["all", "p50_halfwidth"])


@pytest.mark.slow
def test_intervals_cover_as_often_as_they_say():
    """95 % intervals of a blocking tandem, 400 trials: 99.9 % binomial band 0.909 to 0.981."""
    model = tandem()
    truth = fn.solve(model, "exact").services.loc["a"]
    columns = ("waiting_time", "number_blocked", "blocking_probability", "loss_probability")
    hits = dict.fromkeys(columns, 0)
    for seed in range(400):
        made = run(model, 400.0, warmup=40.0, seed=seed, confidence=0.95).services.loc["a"]
        for column in columns:
            hits[column] += abs(made[column] - truth[column]) <= made[f"{column}_halfwidth"]
    for column, number in hits.items():
        assert 0.909 <= number / 400 <= 0.981, (column, number)


# --------------------------------------------------------------------------------------- warm-up


def test_mser_leaves_the_transient_out():
    g = np.random.default_rng(3)
    steady = g.normal(10.0, 1.0, 450)
    cut, settled = mser(np.concatenate([np.linspace(0.0, 10.0, 50), steady]))
    assert settled
    assert 35 <= cut <= 60
    assert not mser(np.linspace(0.0, 1.0, 500) ** 4 * 100)[1]


def test_a_warmup_is_found_where_none_is_given():
    """M/G/inf with stays of 50 hours starts empty: exp(-t/50) of its mean is missing at t."""
    made = fn.simulate(
        network({"name": "w", "servers": "inf", "service_time": 50.0,
                 "external_arrival_rate": 2.0}),
        horizon=3000.0, replications=20, confidence=SURE,
    )  # fmt: skip
    assert made.design.warmup_rule == "MSER-5"
    assert 50.0 <= made.design.warmup <= 1500.0
    agrees(made.services.loc["w"], "number_present", 100.0)


def test_a_run_too_short_for_its_load_is_warned_of():
    made = run(desk(0.98), 2000.0, warmup=100.0, replications=5)
    assert any("cannot be trusted" in text for text in made.warnings)
    assert not run(desk(0.5)).warnings


def test_overload_is_seen_and_named():
    made = run(desk(1.5), 2000.0, warmup=None)
    assert made.overloaded == ("desk",)
    agrees(made.services.loc["desk"], "growth_rate", 0.5, 0.3)
    assert "overloaded" in repr(made).splitlines()[0]
    assert "backlog grows" in made.explain()
    stopped = run(desk(1.5), 1e6, warmup=10.0, max_jobs=500)
    assert stopped.stopped == 10
    assert "stopped because more than 500 jobs" in stopped.warnings[0]
    assert stopped.overloaded == ("desk",)
    with pytest.raises(ParameterError, match="before the warm-up"):
        run(desk(1.5), 1e6, warmup=1e5, max_jobs=500)


def test_overload_by_blocking_is_seen_where_the_jobs_stand():
    """A tandem of one server each without buffer carries 2/3 (Hunt 1956); 0.8 are offered."""
    model = network(
        {"name": "a", "capacity": 1, "service_time": 1.0, "external_arrival_rate": 0.8,
         "external_when_full": "wait_outside"},
        {"name": "b", "capacity": 1, "service_time": 1.0},
        routes=[{"from": "a", "to": "b"}],
    )  # fmt: skip
    made = run(model, 5000.0)
    assert made.overloaded == ("a",)
    agrees(made.system, "throughput", 2 / 3)


def test_deadlocks_are_counted_and_told():
    model = network(
        {"name": "a", "capacity": 1, "service_time": 1.0, "external_arrival_rate": 0.5},
        {"name": "b", "capacity": 1, "service_time": 1.0, "external_arrival_rate": 0.5},
        routes=[{"from": "a", "to": "b", "routing_probability": 0.5},
                {"from": "b", "to": "a", "routing_probability": 0.5}],
    )  # fmt: skip
    made = run(model, 2000.0)
    assert made.deadlocks > 100
    assert any("deadlocks" in text for text in made.warnings)


# ------------------------------------------------------------------------------------ obstetrics


def test_loss_without_waiting_room_depends_on_the_mean_alone():
    """M/G/c/c, Erlang B (Sevastyanov 1957)."""
    made = run(
        network({"name": "w", "servers": 8, "capacity": 8, "external_arrival_rate": 6.0,
                 "service_distribution": {"family": "lognormal", "mean": 1.0, "scv": 1.5}}), 3000.0
    )  # fmt: skip
    agrees(made.services.loc["w"], "loss_probability", erlang_b(8, 6.0))


@pytest.fixture(scope="module")
def published(shared):
    text = (shared / "cases" / "health.json").read_text(encoding="utf-8")
    cases = {case["id"]: case for case in json.loads(text)["cases"]}
    return cases["pathsimr_obstetrics"]["expected"]["our_sim_2000h_x400"]


@pytest.mark.slow
def test_obstetrics_works_as_in_an_independent_simulation(published):
    """400 runs of 2,000 hours by another program, whose rule for who enters a full service differs.

    There, patients blocked inside go before those outside; here all wait in one line. So the beds
    at work agree, while here fewer wait outside the antepartum service and more are blocked in
    labor and delivery for it. (Its `wait` is per arrival from anywhere; `outside_time` is per
    arrival from outside.)
    """
    table = fn.simulate(
        fn.example("obstetrics"), horizon=4000.0, warmup=2000.0, replications=400
    ).services
    for service, (occupied, width) in published["occ"].items():
        row, (blocked, blocked_width) = table.loc[service], published["blocked"][service]
        own = row["utilization_halfwidth"] * row["servers"]
        joint = math.hypot(own, width, blocked_width) / 1.96  # the intervals are of 95 %
        assert abs(row["number_in_service"] - (occupied - blocked)) <= 3 * joint, service
    outside = published["queue"]["APM"]
    row = table.loc["APM"]
    assert row["number_outside"] + row["number_outside_halfwidth"] < outside[0] - outside[1]
    assert table.loc["LD", "number_blocked"] > published["blocked"]["LD"][0]
