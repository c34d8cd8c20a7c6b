"""What a Simulation says, against closed forms, the exact chain, and a published system.

Tolerance: all intervals are at 99.9 % (`SURE`), and the seeds are fixed, so that each comparison
had one chance in a thousand to fail when its seed was chosen. Horizons are hundreds of times the
relaxation time of the model, so that the bias from the empty start stays far below the interval.
"""

import json
import math
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import flownet as fn
from flownet.errors import InputError, ParameterError, UnknownNameError
from flownet.solvers.intervals import halfwidth, student
from flownet.solvers.simulation import Simulation
from flownet.solvers.warmup import mser
from oracles.stations import erlang_b, erlang_c, number_waiting

SURE = 0.999


def network(*services, routes=(), classes=None, **whole):
    document = {
        "network": {"time_unit": "hour", **whole},
        "services": list(services),
        "routes": list(routes),
    }
    return fn.Network.from_dict(document | ({"classes": classes} if classes else {}))


def desk(load=0.5, **attributes):
    given = {"name": "desk", "service_time": 1.0, "external_arrival_rate": load}
    return network(given | attributes)


def tandem(**second):
    """Two services of two servers, the second with two places, so that it blocks the first."""
    first = {"name": "a", "servers": 2, "service_time": 1.0, "external_arrival_rate": 1.0,
             "capacity": 4}  # fmt: skip
    then = {"name": "b", "servers": 2, "capacity": 2, "service_time": 1.0} | second
    return network(first, then, routes=[{"from": "a", "to": "b"}])


def run(model, horizon=20_000.0, **options):
    given = {"warmup": 200.0, "replications": 10, "seed": 1, "confidence": SURE}
    return fn.simulate(model, horizon=horizon, **given | options)


def agrees(row, column, truth, relative=0.1):
    """Compare a column with its true value; the interval must be narrow enough to say something."""
    value, width = row[column], row[f"{column}_halfwidth"]
    assert abs(value - truth) <= width, (column, value, truth, width)
    assert width <= relative * abs(truth)


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


# ---------------------------------------------------------------------- seeds, pairs, executors


def test_the_same_seed_gives_the_same_on_one_worker_and_on_two():
    model = tandem()
    one = run(model, 500.0, executor=ThreadPoolExecutor(1))
    assert run(model, 500.0).to_dict() == one.to_dict()
    with ThreadPoolExecutor(2) as pool:
        assert run(model, 500.0, executor=pool).to_dict() == one.to_dict()
    other = run(model, 500.0, seed=2)
    assert not other.services.equals(one.services)


@pytest.mark.slow
def test_processes_give_the_same_too():
    import multiprocessing

    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        made = run(tandem(), 500.0, replications=3, executor=pool)
    assert made.to_dict() == run(tandem(), 500.0, replications=3).to_dict()


def test_a_service_that_is_added_leaves_the_others_their_random_numbers():
    alone = network({"name": "a", "service_time": 1.0, "external_arrival_rate": 0.5})
    joined = network(
        {"name": "new", "service_time": 1.0, "external_arrival_rate": 0.5},
        {"name": "a", "service_time": 1.0, "external_arrival_rate": 0.5},
    )
    one, other = run(alone, 500.0).services, run(joined, 500.0).services
    pd.testing.assert_series_equal(one.loc["a"], other.loc["a"], check_exact=True)
    assert one.loc["a", "waiting_time"] != other.loc["new", "waiting_time"]


def test_a_paired_interval_is_narrower_than_an_unpaired_one():
    before = tandem()
    after = before.replace(services={"b": {"service_time": 0.9}})
    options = {"horizon": 5000.0, "warmup": 100.0, "seed": 3, "confidence": SURE}
    comparison = fn.paired(before, after, **options)
    change = comparison.services.loc["a", "number_blocked"]
    truth = [fn.solve(model, "exact").services.loc["a", "number_blocked"]
             for model in (before, after)]  # fmt: skip
    assert abs(change["change"] - (truth[1] - truth[0])) <= change["change_halfwidth"]
    apart = [
        fn.simulate(model, **options | {"seed": seed}).services.loc["a", "number_blocked_halfwidth"]
        for model, seed in ((before, 10), (after, 11))
    ]
    assert change["change_halfwidth"] < 0.6 * math.hypot(*apart)
    by_compare = fn.compare(comparison.before, comparison.after)
    assert by_compare.to_dict() == comparison.to_dict()
    assert "paired intervals" in repr(comparison)
    json.dumps(comparison.to_dict(), allow_nan=False)


def test_what_cannot_be_paired_is_refused():
    one = run(desk(), 500.0)
    with pytest.raises(ParameterError, match="seed = 1, 2: must be the same"):
        fn.paired(one, run(desk(), 500.0, seed=2))
    with pytest.raises(ParameterError, match="two Networks or two Simulations"):
        fn.paired(one, desk())
    with pytest.raises(ParameterError, match="simulated already"):
        fn.paired(one, one, horizon=3.0)
    with pytest.raises(ParameterError, match="compare two simulations"):
        fn.compare(one, fn.solve(desk()))


def test_a_pair_takes_the_longer_warmup():
    comparison = fn.paired(desk(0.5), desk(0.9), horizon=2000.0, replications=3)
    assert comparison.before.design.warmup == comparison.after.design.warmup


def test_until_runs_on_to_the_precision_or_says_that_it_was_not_met():
    first = run(desk(), 500.0, confidence=0.95)
    more = first.until(0.1)
    assert more.design.replications > first.design.replications
    assert more.system["delay_halfwidth"] <= 0.1 * more.system["delay"]
    whole = run(desk(), 500.0, confidence=0.95, replications=more.design.replications)
    assert whole.services.equals(more.services)
    short = first.until(0.001, max_replications=20)
    assert "precision asked for was not met" in short.warnings[0]
    assert len(short.replications) == 20
    with pytest.raises(ParameterError, match="relative_half_width"):
        first.until(0.0)
    with pytest.raises(UnknownNameError, match="did you mean 'delay'"):
        first.until(0.1, "delai")
    assert len(run(desk(), 500.0, replications=1).until(0.5).replications) >= 2


# ------------------------------------------------------------------ interruption, text, bad input


def test_an_interruption_keeps_what_is_finished():
    def stop(done, total):
        assert total == 10
        if done == 3:
            raise KeyboardInterrupt

    made = run(desk(), 200.0, warmup=20.0, executor=ThreadPoolExecutor(1), progress=stop)
    assert made.interrupted
    assert 3 <= len(made.replications) < 10
    assert "interrupted" in made.warnings[0]
    assert f"{len(made.replications)} of 10 replications" in repr(made)
    assert made.services.loc["desk", "throughput"] > 0


def test_progress_is_told():
    seen = []
    run(desk(), 200.0, warmup=0.0, replications=4, progress=lambda *now: seen.append(now))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_simulation_goes_to_json_and_back_without_loss():
    made = run(tandem(), 300.0, targets=(2.0, 5.0), warmup=30.0, replications=3)
    text = json.dumps(made.to_dict(), allow_nan=False)
    back = Simulation.from_dict(json.loads(text))
    assert back.to_dict() == made.to_dict()
    for table in ("services", "service_classes", "classes", "percentiles", "targets"):
        assert getattr(back, table).equals(getattr(made, table))
    assert repr(back) == repr(made)
    assert len(repr(made).splitlines()) == 3
    assert "MSER" in made.explain()
    assert "<pre>" in made._repr_html_()
    json.dumps(made.figures(), allow_nan=False)
    with pytest.raises(InputError, match="design, interrupted, replications missing"):
        Simulation.from_dict({"network": {}})


def test_the_trace_holds_one_row_a_visit():
    made = run(tandem(), 300.0, warmup=0.0, replications=2, trace_rows=10_000)
    table = made.trace
    completed = made.services["throughput"].sum() * 300.0 * 2
    # blocked at the end: served, but not yet gone
    assert completed - 2 * 2 <= len(table) <= completed + 1e-6
    assert set(table["service"]) == {"a", "b"}
    assert (table["arrived"] <= table["started"]).all()
    assert (table["finished"] <= table["left"]).all()
    assert run(desk(), 300.0, warmup=0.0).trace.empty


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"horizon": 100.0, "warmup": 100.0}, "must be longer than the warm-up of 100"),
        ({"horizon": "long"}, "horizon = 'long': must be a finite time"),
        ({"horizon": True}, "horizon = True: must be a finite time"),
        ({"seed": "lucky"}, "seed = 'lucky': must be a whole number"),
        ({"targets": 4.0}, "targets = 4.0: must be a list"),
        ({"executor": "cluster"}, "must be a concurrent.futures.Executor"),
        ({"cycle": "week"}, "cycle = 'week': must be a time"),
        ({"horizon": 0.0}, "horizon = 0.0: must be a finite time above 0"),
        ({"horizon": math.inf}, "must be a finite time above 0"),
        ({"horizon": math.nan}, "must be a finite time above 0"),
        ({"warmup": -1.0}, "warmup = -1.0: must be a finite time, at least 0"),
        ({"replications": 0}, "replications = 0: must be a whole number from 1 on"),
        ({"replications": 2.5}, "must be a whole number from 1 on"),
        ({"seed": -1}, "seed = -1: must be a whole number from 0 on"),
        ({"confidence": 0.0}, "confidence = 0.0: must lie above 0 and below 1"),
        ({"confidence": 95}, "confidence = 95: must lie above 0 and below 1"),
        ({"targets": [0.0]}, "targets"),
        ({"max_jobs": 0}, "max_jobs = 0"),
        ({"trace_rows": -1}, "trace_rows = -1"),
        ({"replications": 0, "confidence": 2.0}, "2 faults"),
    ],
)
def test_impossible_options_are_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        fn.simulate(desk(), **{"horizon": 100.0} | options)


def test_what_is_no_network_is_refused():
    with pytest.raises(ParameterError, match="must be a flownet Network, not dict"):
        fn.simulate({}, horizon=1.0)


def test_where_no_job_comes_its_times_are_unknown():
    rates = {"common": 0.5, "rare": 1e-9}
    model = network(
        {"name": "a", "service_time": 1.0, "external_arrival_rate": rates},
        classes={"common": {}, "rare": {}},
    )
    made = run(model, 300.0)
    assert made.service_classes.loc[("a", "rare"), "throughput"] == 0.0
    assert math.isnan(made.service_classes.loc[("a", "rare"), "waiting_time"])
    assert math.isnan(made.percentiles.loc["rare", "p50"])
    assert made.service_classes.loc[("a", "common"), "waiting_time"] > 0.0
    json.dumps(made.figures(), allow_nan=False)


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


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_a_trace_goes_to_the_reader_of_event_logs(tmp_path, ending):
    """What was simulated is estimated again, within five standard errors."""
    model = network(
        {"name": "a", "servers": 2, "service_time": 1.0, "external_arrival_rate": 1.2,
         "external_when_full": "wait_outside", "capacity": 4},
        {"name": "b", "servers": 1, "service_time": 0.6, "capacity": 2},
        routes=[{"from": "a", "to": "b", "routing_probability": 0.7}],
    )  # fmt: skip
    made = fn.simulate(model, horizon=2000.0, warmup=0.0, replications=2, trace_rows=10_000)
    made.write_trace(tmp_path / f"log{ending}", replication=1)
    found = fn.from_event_log(tmp_path / f"log{ending}", time_unit="hour", families=()).network
    a, b = found.graph.nodes["a"], found.graph.nodes["b"]
    assert (a["servers"], b["servers"]) == (2, 1)
    for row, truth in ((a, 1.0), (b, 0.6)):
        assert abs(row["service_time"] - truth) < 5 * row["standard_error"]["service_time"]
    route = found.graph.edges["a", "b"]
    error = route["standard_error"]["routing_probability"]
    assert abs(route["routing_probability"] - 0.7) < 5 * error
    visits = made.trace[made.trace["replication"] == 1]
    assert len(made.event_log(1)) == len(visits)
    times = visits[["arrived", "started", "finished", "left"]].to_numpy()
    assert (np.diff(times, axis=1) >= 0.0).all()


@pytest.mark.parametrize(
    ("rows", "replication", "says"),
    [(0, 0, "there is no trace"), (5, 0, "too small"), (10_000, 2, "from 0 to 1")],
)
def test_what_is_no_whole_trace_is_refused(rows, replication, says):
    made = fn.simulate(desk(), horizon=500.0, warmup=0.0, replications=2, trace_rows=rows)
    with pytest.raises(ParameterError, match=says):
        made.event_log(replication)


def test_a_trace_is_written_in_known_formats_only(tmp_path):
    made = fn.simulate(desk(), horizon=50.0, warmup=0.0, replications=1, trace_rows=1000)
    with pytest.raises(ParameterError, match="must end in"):
        made.write_trace(tmp_path / "log.docx")


def ring():
    """Two services that send to each other and can block each other."""
    rows = [
        {"name": name, "service_time": 1.0, "capacity": 1, "external_arrival_rate": 0.5}
        for name in ("a", "b")
    ]
    ways = [{"from": u, "to": v, "routing_probability": 0.5} for u, v in (("a", "b"), ("b", "a"))]
    return network(*rows, routes=ways)


def test_a_deadlock_is_resolved_and_counted_or_ends_the_run_and_is_reported():
    resolved = fn.simulate(ring(), horizon=200.0, warmup=0.0, replications=3)
    assert resolved.deadlocks > 10
    assert resolved.deadlocked == 0
    ended = fn.simulate(ring(), horizon=200.0, warmup=0.0, replications=3, on_deadlock="stop")
    assert ended.deadlocked == ended.deadlocks == 3
    assert "3 of 3 replications ended in a deadlock" in ended.warnings[0]
    assert len({each.run.stopped_at for each in ended.replications}) == 3
    assert all(0.0 < each.run.stopped_at < 200.0 for each in ended.replications)
    assert Simulation.from_dict(json.loads(json.dumps(ended.to_dict()))).deadlocked == 3
    with pytest.raises(ParameterError, match="ended in a deadlock, the first at"):
        fn.simulate(ring(), horizon=2e4, warmup=1e4, replications=2, on_deadlock="stop")
    with pytest.raises(ParameterError, match="must be 'exchange' or 'stop'"):
        fn.simulate(ring(), horizon=10.0, on_deadlock="ignore")


def test_a_bar_is_shown_where_asked_for(capsys):
    fn.simulate(desk(), horizon=50.0, warmup=0.0, replications=2, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    fn.simulate(desk(), horizon=50.0, warmup=0.0, replications=2)
    assert capsys.readouterr().err == ""
    with pytest.raises(ParameterError, match="must be a function of the number done"):
        fn.simulate(desk(), horizon=50.0, progress="yes")
