"""The simulator as a program: its books, its seeds, its memory, its trace, its refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flownet.errors import ParameterError
from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import DELAY, PRIORITY, WAIT_OUTSIDE
from flownet.kernels.simulation import STOPPED_AT_JOBS, measures, simulate_once
from flownet.kernels.simulation_loop import bucket, run
from flownet.kernels.simulation_memory import BUCKETS, DONE
from flownet.kernels.simulation_setup import build_memory, resize, services
from flownet.kernels.simulation_tallies import SKETCH_RELATIVE_ERROR, quantile, total
from flownet.kernels.simulation_words import handle
from oracles.compiled_networks import build
from oracles.simulated_cases import any_calendars, any_network, interrupting, with_ranks
from oracles.simulation_audit import audit


@given(
    seed=st.integers(0, 10**6),
    preemptive=st.booleans(),
    varying=st.booleans(),
    ranked=st.booleans(),
)
@settings(max_examples=80)
def test_the_books_balance_after_every_few_events(seed, preemptive, varying, ranked):
    network = with_ranks(any_network(seed), seed) if ranked else any_network(seed)
    if preemptive:
        network = interrupting(network)
    servers = np.where(network.discipline == DELAY, np.inf, network.servers)
    with np.errstate(over="ignore"):
        m = build_memory(
            network,
            any_calendars(network, seed) if varying else None,
            np.random.SeedSequence(seed),
            limits=np.zeros(0),
            jobs=4000,
            rows=0,
        )
        for _ in range(40):
            run(handle(m.q), np.inf, 7)
            audit(m, network.capacity, servers)
            if not varying:
                assert (services(m, m.q)[:, [at.IDLE, at.ROOM]] >= 0).all()
    m = resize(m, 5000, 0)
    audit(m, network.capacity, servers)


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.tallies, other.tallies, strict=True))


def test_the_same_seed_gives_the_same_run():
    network = any_network(11)
    one = simulate_once(network, horizon=500.0, seed=3)
    assert same(one, simulate_once(network, horizon=500.0, seed=np.random.SeedSequence(3)))
    assert not same(one, simulate_once(network, horizon=500.0, seed=4))


def test_neither_batches_nor_trace_nor_first_memory_change_the_run():
    network = build([1.0], external=0.97, service_scv=1.0)
    one = simulate_once(network, horizon=20_000.0, warmup=100.0, seed=3)
    other = simulate_once(
        network, horizon=20_000.0, warmup=100.0, seed=3, batches=7, trace_rows=10**6, max_jobs=5000
    )
    assert one.events == other.events
    for a, b in zip(total(one.tallies), total(other.tallies), strict=True):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-6)
    assert np.array_equal(one.sketch, other.sketch)


def test_a_changed_number_leaves_all_other_randomness_as_it_was():
    # a faster second service: the first sees exactly the same jobs
    before = build([1.0, 0.9], external=[0.7, 0.0], routing=[[0, 0.5], [0, 0]])
    after = build([1.0, 0.5], external=[0.7, 0.0], routing=[[0, 0.5], [0, 0]])
    one = simulate_once(before, horizon=2000.0, seed=8, trace_rows=10**5)
    other = simulate_once(after, horizon=2000.0, seed=8, trace_rows=10**5)
    assert np.array_equal(one.tallies.waiting[:, 0], other.tallies.waiting[:, 0])
    # and the second serves the same jobs, each by the same factor faster
    first = {c: f - s for c, i, s, f in visits(one) if i == 1}
    second = {c: f - s for c, i, s, f in visits(other) if i == 1}
    shared = sorted(first.keys() & second.keys())
    assert len(shared) > 500
    ratio = np.array([second[c] / first[c] for c in shared])
    assert np.allclose(ratio, 0.5 / 0.9)


def visits(made):
    t = made.trace
    return zip(t.case, t.service, t.started, t.finished, strict=True)


def test_paired_runs_have_a_smaller_variance_than_independent_ones():
    slow, fast = build([1.0], external=0.7), build([0.95], external=0.7)
    paired, apart = [], []
    for k in range(12):
        value = {}
        for name, network, seed in (("a", slow, k), ("b", fast, k), ("c", fast, 100 + k)):
            value[name] = measures(simulate_once(network, horizon=3000.0, seed=seed)).number_waiting
        paired.append((value["a"] - value["b"]).item())
        apart.append((value["a"] - value["c"]).item())
    assert np.var(paired) < 0.25 * np.var(apart)


def test_streams_do_not_resemble_each_other():
    # 20 independent copies of M/M/1: their counts of arrivals are uncorrelated and Poisson
    network = build(np.ones(20), external=0.5)
    counts = simulate_once(network, horizon=4000.0, seed=1, batches=400).tallies.arrivals[:, :, 0]
    matrix = np.corrcoef(counts.T)
    off = matrix[np.triu_indices(20, 1)]
    assert abs(off).max() < 4.5 / np.sqrt(400)  # standard error of a correlation of 0
    # variance over mean of Poisson counts: 1, with standard error sqrt(2 / 400) each
    assert abs(counts.var(axis=0, ddof=1) / 5.0 - 1.0).max() < 4.5 * np.sqrt(2.0 / 400)


def test_memory_does_not_grow_with_the_run():
    m = build_memory(
        build([1.0], external=0.5),
        None,
        np.random.SeedSequence(1),
        limits=np.zeros(0),
        jobs=64,
        rows=0,
    )
    with np.errstate(over="ignore"):  # 10,000 jobs pass through memory for 64
        assert run(handle(m.q), 2e4, 10**9) == DONE


def test_an_overloaded_network_stops_at_the_cap():
    made = simulate_once(build([1.0], external=2.0), horizon=1e9, seed=1, max_jobs=5000)
    assert made.status == STOPPED_AT_JOBS
    # the number present grows by 1 per T
    assert made.stopped_at == pytest.approx(5000.0, rel=0.1)
    assert made.tallies.length.sum() == pytest.approx(made.stopped_at)
    assert measures(made).growth_rate[0, 0] == pytest.approx(1.0, rel=0.1)
    stopped = simulate_once(
        build([1.0], external=2.0), horizon=1e9, warmup=1e8, seed=1, max_jobs=50
    )
    assert stopped.status == STOPPED_AT_JOBS
    assert stopped.tallies.length.size == 0


def test_the_trace_holds_every_visit_and_stops_at_its_limit():
    network = build([1.0], external=3.0, servers=2, patience=1.0)
    made = simulate_once(network, horizon=100_000.0, seed=2, trace_rows=10**6)
    t, trace = total(made.tallies), made.trace
    assert made.trace_complete
    gave_up = np.isnan(trace.started)
    assert gave_up.sum() == t.abandonments.sum()
    assert (~gave_up).sum() == t.completions.sum()
    assert np.all(np.diff(trace.left) >= 0.0)
    served = ~gave_up
    assert (trace.arrived <= trace.left).all()
    assert (trace.arrived[served] <= trace.started[served]).all()
    assert (trace.started[served] <= trace.finished[served]).all()
    assert np.array_equal(trace.finished[served], trace.left[served])
    assert np.unique(trace.case).size == trace.case.size
    short = simulate_once(network, horizon=100_000.0, seed=2, trace_rows=70_000)
    assert not short.trace_complete
    assert np.array_equal(short.trace.case, trace.case[:70_000])
    assert np.array_equal(short.trace.left, trace.left[:70_000])


def test_first_come_first_served_and_priorities_in_the_trace():
    network = build(
        [[1.0, 1.0]],
        external=[[0.4, 0.5]],
        discipline=PRIORITY,
        priority=[[2, 1]],
    )
    trace = simulate_once(network, horizon=20_000.0, seed=5, trace_rows=10**6).trace
    for k in (0, 1):  # in each class in the order of arrival
        assert np.all(np.diff(trace.arrived[trace.job_class == k]) > 0.0)
    # no job of the worse rank began while one of the better rank waited
    for j in np.flatnonzero(trace.job_class == 0)[:2000]:
        began = trace.started[j]
        better = (trace.job_class == 1) & (trace.arrived < began) & (trace.started > began)
        assert not better.any()


def test_the_sketch_is_as_accurate_as_it_says():
    g = np.random.default_rng(1)
    times = np.concatenate([10.0 ** g.uniform(-11, 13, 3000), [1.0, 2.0, 0.5, 1.0 - 2**-53]])
    sketch = np.zeros(BUCKETS, np.int64)
    for time in times:
        sketch[bucket(time)] += 1
    ordered = np.sort(times)
    for probability in (0.001, 0.2, 0.5, 0.77, 0.999, 1.0):
        truth = ordered[int(np.ceil(probability * times.size)) - 1]
        assert quantile(sketch, probability) == pytest.approx(
            truth, rel=SKETCH_RELATIVE_ERROR * (1.0 + 1e-12)
        )
    assert bucket(0.0) == 0
    assert bucket(1e-300) == 0
    assert bucket(1e300) == BUCKETS - 1
    assert np.isnan(quantile(np.zeros(BUCKETS, np.int64), 0.5))
    zeros = np.zeros(BUCKETS, np.int64)
    zeros[0] = 5
    assert quantile(zeros, 0.5) == 0.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"horizon": 10.0, "warmup": 10.0}, "warmup < horizon"),
        ({"horizon": 10.0, "warmup": -1.0}, "warmup < horizon"),
        ({"horizon": np.inf}, "horizon < inf"),
        ({"horizon": np.nan}, "warmup < horizon"),
        ({"horizon": 1.0, "batches": 0}, "one batch"),
        ({"horizon": 1.0, "max_jobs": 0}, "one batch and one job"),
    ],
)
def test_impossible_options_are_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        simulate_once(build([1.0], external=0.5), seed=1, **options)


def test_broken_servers_and_places_are_refused_by_name():
    with pytest.raises(ParameterError, match=r"service 1, servers = 1.5: .* whole number"):
        simulate_once(build([1.0, 1.0], external=0.5, servers=[1, 1.5]), horizon=1.0, seed=1)
    with pytest.raises(ParameterError, match=r"service 0, capacity = 2.5"):
        simulate_once(build([1.0], external=0.5, capacity=2.5), horizon=1.0, seed=1)


def test_a_network_without_arrivals_stays_empty():
    made = simulate_once(build([1.0], external=0.0), horizon=10.0, seed=1)
    assert made.events == 0
    assert made.stopped_at == 10.0
    m = measures(made)
    assert m.throughput[0, 0] == 0.0
    assert np.isnan(m.waiting_time[0, 0])


PROGRAM = """
import numpy as np
from oracles.simulated_cases import any_calendars, any_network, interrupting, with_ranks
from flownet.kernels.simulation import simulate_once
from flownet.kernels.simulation_profile_setup import Profile
for seed in (0, 5, 8, 20, 44):
    network = interrupting(any_network(seed)) if seed > 8 else any_network(seed)
    network = with_ranks(network, seed) if seed in (5, 20) else network
    calendars = any_calendars(network, seed) if seed > 0 else None
    run = simulate_once(
        network, calendars, horizon=60.0, warmup=5.0, seed=seed, profile=Profile(6, 0.5)
    )
    print(run.events, [float(np.sum(column)).hex() for column in run.tallies])
"""


def test_compiled_and_interpreted_runs_are_the_same():
    """The compiled program looks at raw memory; the interpreted one at arrays, with all checks."""
    tests = Path(__file__).resolve().parents[1]
    answers = []
    for uncompiled in ("0", "1"):
        environment = os.environ | {
            "NUMBA_DISABLE_JIT": uncompiled,
            "PYTHONPATH": f"{tests}{os.pathsep}{tests.parent}",
        }
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(done.stdout)
    assert answers[0] == answers[1]
    assert answers[0].count("\n") == 5


def test_jobs_outside_need_memory_too():
    network = build([1.0], external=2.0, capacity=1, external_when_full=WAIT_OUTSIDE)
    made = simulate_once(network, horizon=1e9, seed=1, max_jobs=3000)
    assert made.status == STOPPED_AT_JOBS
    assert made.backlog[-1].sum() == 2999
