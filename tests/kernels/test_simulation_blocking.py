"""The simulator against the published exact blocking cases, and against blocking by hand.

Tolerance: 5 standard errors from 30 batch means. There are some 900 comparisons; with 29 degrees of
freedom, one in 40,000 would fail by chance, and the seed is fixed.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from flownet.kernels.compiled import LOST, OVERFLOW, WAIT_OUTSIDE
from flownet.kernels.simulation import simulate_once
from oracles.compiled_networks import build
from oracles.simulated_cases import interval, network, of_class, read_cases

ERRORS = 5.0
SHARED = Path(__file__).resolve().parents[3] / "shared"
CASES = read_cases(SHARED) if (SHARED / "cases" / "blocking_exact.json").is_file() else {}


def agrees(numerator, denominator, truth, what=""):
    value, error = interval(np.asarray(numerator, float), np.asarray(denominator, float))
    assert abs(value - truth) <= ERRORS * error + 1e-9, (what, value, truth, error)


@pytest.mark.skipif(not CASES, reason="the published cases are not there")
@pytest.mark.parametrize("name", CASES)
def test_published_case(name):
    case = CASES[name]
    truth = case["results"]
    length = 3e5 / (truth["throughput"] * len(case["stations"]))
    run = simulate_once(
        network(case), horizon=1.05 * length, warmup=0.05 * length, seed=7, batches=30
    )
    t = run.tallies
    for i, exact in enumerate(truth["stations"]):
        completions = of_class(t, "completions", i)
        agrees(completions, t.length, exact["completion_rate"], "completions")
        agrees(of_class(t, "in_service", i), t.length, exact["mean_in_service"], "working")
        agrees(of_class(t, "blocked", i), t.length, exact["mean_blocked_servers"], "blocked")
        agrees(of_class(t, "waiting", i), t.length, exact["mean_waiting"], "waiting")
        agrees(t.found_full[:, i], completions, exact["p_block_at_completion"], "found full")
        wait, blocked = exact["mean_wait_in_queue"], exact["mean_block_time_per_visit"]
        agrees(of_class(t, "waiting_time", i), completions, wait, "wait")
        agrees(of_class(t, "blocked_time", i), completions, blocked, "blocked time")
        if not case["stations"][i]["saturated_source"]:
            agrees(t.full[:, i], t.length, exact["p_full"], "full")
            agrees(of_class(t, "losses", i), t.length, truth["loss_rate"][i], "lost")
    agrees(t.left.sum((1, 2)), t.length, truth["throughput"], "throughput")
    agrees(t.exchanges, t.length, truth["swap_rate"], "exchanges")
    blocked_by = np.array(truth["blocked_by"])
    for p, pair in enumerate(zip(run.blocked_by_from, run.blocked_by_to, strict=True)):
        agrees(t.blocked_by[:, p], t.length, blocked_by[pair], f"blocked by {pair}")


@pytest.mark.skipif(not CASES, reason="the published cases are not there")
def test_every_published_case_is_used():
    text = (SHARED / "cases" / "blocking_exact.json").read_text(encoding="utf-8")
    assert len(CASES) == json.loads(text)["n_cases"] == 38


def test_jobs_outside_and_jobs_blocked_share_one_list():
    """Two deterministic streams for one place: first come, first served, wherever they wait.

    Service 0 (1 per 2 T, takes 1) sends to service 1 (one place, takes 1.5), which has arrivals of
    its own, 1 per 2.2 T, that wait outside. Overload is fed in turns, so that neither starves.
    """
    run = simulate_once(
        build(
            [1.0, 1.5],
            external=[0.5, 1 / 2.2],
            arrival_scv=0.0,
            service_scv=0.0,
            routing=[[0, 1], [0, 0]],
            capacity=[np.inf, 1],
            external_when_full=[LOST, WAIT_OUTSIDE],
        ),
        horizon=3000.0,
        seed=1,
        trace_rows=5000,
    )
    trace = run.trace
    second = trace.service == 1
    asked = {
        **dict(zip(trace.case[~second], trace.finished[~second], strict=True)),
    }
    # a job that comes from outside has no visit at service 0; it asked when it arrived there, and
    # the n-th of them does so at 2.2 n
    outside = [case for case in trace.case[second] if case not in asked]
    asked |= {case: 2.2 * (n + 1) for n, case in enumerate(outside)}
    times = [asked[case] for case in trace.case[second]]
    # jobs blocked and outside are served in the order of asking, but a blocked server at 0 lets
    # the next job there finish later: the order of asking itself is what must be kept
    assert np.all(np.diff(times) > -1e-9)
    assert len(outside) > 500
    assert second.sum() - len(outside) > 500


def test_a_job_that_returns_to_its_full_service_keeps_its_place():
    # one place, returns with probability 1/2: M/M/1/1 with a service of two visits on average,
    # so that the loss probability is a / (1 + a), a = 0.8 * 2
    run = simulate_once(
        build([1.0], external=0.8, routing=[[0.5]], capacity=1), horizon=2e5, seed=2, batches=30
    )
    t = run.tallies
    agrees(of_class(t, "losses", 0), of_class(t, "external_arrivals", 0), 1.6 / 2.6)
    agrees(t.found_full[:, 0], of_class(t, "completions", 0), 0.5)
    returns = of_class(t, "completions", 0).sum() - t.left.sum()
    assert t.exchanges.sum() == returns


def test_overflow_from_outside_pools_two_services():
    # who finds 3 servers busy goes to 2 more: in all they lose as M/M/5/5 (same service time)
    from oracles.stations import erlang_b

    run = simulate_once(
        build(
            [1.0, 1.0],
            external=[3.0, 0.0],
            servers=[3, 2],
            capacity=[3, 2],
            external_when_full=[OVERFLOW, LOST],
            overflow_to=[1, -1],
        ),
        horizon=2e5,
        seed=3,
        batches=30,
    )
    t = run.tallies
    agrees(of_class(t, "overflows", 0), of_class(t, "arrivals", 0), erlang_b(3, 3.0))
    agrees(of_class(t, "losses", 1), of_class(t, "arrivals", 0), erlang_b(5, 3.0))
    assert np.array_equal(t.arrivals[:, 1], t.overflows[:, 0])


def test_a_ring_of_full_services_loses_the_job_at_the_last():
    run = simulate_once(
        build(
            [1.0, 1.0],
            external=[4.0, 0.0],
            capacity=[1, 1],
            external_when_full=OVERFLOW,
            overflow_to=[1, 0],
        ),
        horizon=1e5,
        seed=4,
        batches=30,
    )
    t = run.tallies
    # M/M/2/2 at load 4: it asks at 0, 1, and 0 again
    lost = 8.0 / (1.0 + 4.0 + 8.0)
    agrees(of_class(t, "losses", 0) + of_class(t, "losses", 1), t.length, 4.0 * lost)
    assert t.left.sum() == pytest.approx(t.external_arrivals.sum() - t.losses.sum(), abs=2)


def test_waiting_outside_is_waiting():
    # servers = places: M/M/3, whose queue stands outside
    from oracles.stations import erlang_c, number_waiting

    run = simulate_once(
        build([1.0], external=2.4, servers=3, capacity=3, external_when_full=WAIT_OUTSIDE),
        horizon=3e5,
        seed=5,
        batches=30,
    )
    t = run.tallies
    agrees(of_class(t, "outside", 0), t.length, number_waiting(3, 2.4))
    agrees(
        of_class(t, "outside_time", 0),
        of_class(t, "entries_from_outside", 0),
        1.0 / (3.0 - 2.4),
    )
    agrees(of_class(t, "entries_from_outside", 0), of_class(t, "admissions", 0), erlang_c(3, 2.4))
    assert t.waiting.sum() == 0.0
