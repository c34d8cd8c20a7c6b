"""Seeds, pairs, executors, interruption, traces and bad input of a simulation."""

import json
import math
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from solvers.simulated_cases import SURE, desk, network, run, tandem

import flownet as fn
from flownet.errors import InputError, ParameterError, UnknownNameError
from flownet.solvers.simulation import Simulation


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
