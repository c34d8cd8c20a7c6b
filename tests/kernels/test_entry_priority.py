"""Who enters first: ranks among those who wait for a place, and places left free for others.

The random networks of `test_exact_oracle.py` hold the chain against a slow one. Here are theory,
published figures, and the simulator against the chain. Tolerance of simulations: 5 standard errors
from 30 batch means; the seed is fixed.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import flownet as fn
from flownet.errors import MethodError
from flownet.kernels.compiled import LOST, OVERFLOW, WAIT_OUTSIDE
from flownet.kernels.exact import solve_exact
from flownet.kernels.simulation import simulate_once
from oracles.compiled_networks import build
from oracles.simulated_cases import interval

SHARED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "health.json"
BOTH = pytest.mark.parametrize("solver", ["chain", "simulation"])
AT_ONCE = 1e-7
"""A service time that stands for none: it moves the figures by about as much."""


def tallies(network, horizon, seed=3):
    warm = 0.05 * horizon
    return simulate_once(network, horizon=horizon, warmup=warm, seed=seed, batches=30).tallies


def agrees(numerator, denominator, truth, what=""):
    value, error = interval(np.asarray(numerator, float), np.asarray(denominator, float))
    assert abs(value - truth) <= 5.0 * error + 1e-9, (what, value, truth, error)


def erlang_c(servers, load):
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) / (1.0 - load / servers)
    return last / (sum(terms) + last)


@BOTH
def test_ranks_outside_are_nonpreemptive_priority(solver):
    """Kella and Yechiali (1985): W_k = C / (c mu) / ((1 - s_{k-1}) (1 - s_k)) in M/M/c.

    A service without waiting room, whose jobs all wait outside, is M/M/c.
    """
    servers, rates = 2, np.array([0.5, 0.3, 0.6])
    network = build(
        np.ones((1, 3)),
        servers=servers,
        capacity=servers,
        external=rates[None],
        external_when_full=WAIT_OUTSIDE,
        external_entry_priority=[[2, -5, 7]],
    )
    order = [1, 0, 2]
    share = np.concatenate([[0.0], np.cumsum(rates[order]) / servers])
    wait = erlang_c(servers, rates.sum()) / servers / ((1.0 - share[:-1]) * (1.0 - share[1:]))
    if solver == "chain":
        outside = solve_exact(network, truncation_mass=1e-5).measures.number_outside[0]
        assert outside[order] == pytest.approx(rates[order] * wait, rel=1e-3)  # cut off at 1e-5
    else:
        run = tallies(network, 1e5)
        for k, expected in zip(order, wait, strict=True):
            agrees(run.outside[:, 0, k], run.length, rates[k] * expected, k)


def every_feature():
    """Three services and two classes: blocked, in transit, outside and overflow for one place."""
    routing = np.zeros((2, 3, 3))
    routing[0] = [[0.0, 0.3, 0.5], [0.2, 0.0, 0.6], [0.0, 0.3, 0.0]]
    routing[1] = [[0.0, 0.5, 0.4], [0.1, 0.0, 0.4], [0.2, 0.0, 0.0]]
    rank = np.ones((2, 3, 3))
    rank[0, 0, 2], rank[1, 1, 2], rank[1, 0, 1], rank[0, 2, 1] = 3, 2, 4, 5
    free = np.zeros((2, 3, 3))
    free[1, 0, 2] = 1
    delay = np.zeros((2, 3, 3))
    delay[0, 1, 2] = 0.4
    return build(
        [[1.0, 0.7], [0.8, 0.8], [1.2, 0.9]],
        servers=[1, 1, 2],
        capacity=[1, 2, 2],
        external=[[0.3, 0.2], [0.15, 0.1], [0.1, 0.2]],
        routing=routing,
        external_when_full=[LOST, OVERFLOW, LOST],
        overflow_to=[-1, 2, -1],
        transfer_delay=delay,
        entry_priority=rank,
        places_left_free=free,
        external_entry_priority=[[1, 1], [1, 1], [6, 1]],
        external_places_left_free=[[0, 0], [0, 1], [1, 0]],
    )


@pytest.mark.slow
def test_the_simulator_agrees_with_the_chain():
    network = every_feature()
    exact = solve_exact(network, truncation_mass=1e-5).measures
    run = tallies(network, 1e5)
    for i, k in np.ndindex(3, 2):
        agrees(run.blocked[:, i, k], run.length, exact.number_blocked[i, k], ("blocked", i, k))
        agrees(run.waiting[:, i, k], run.length, exact.number_waiting[i, k], ("waiting", i, k))
        agrees(run.losses[:, i, k], run.length, exact.loss_rate[i, k], ("lost", i, k))
        agrees(run.completions[:, i, k], run.length, exact.throughput[i, k], ("done", i, k))


def test_equal_ranks_change_nothing():
    network = every_feature()
    plain = network._replace(
        entry_priority=np.ones_like(network.entry_priority),
        external_entry_priority=np.ones_like(network.external_entry_priority),
    )
    other = network._replace(
        entry_priority=np.full_like(network.entry_priority, 7),
        external_entry_priority=np.full_like(network.external_entry_priority, 7),
    )
    ends = [tallies(each, 5000.0) for each in (plain, network, other)]
    assert ends[0].blocked.tolist() == ends[2].blocked.tolist()
    assert ends[0].blocked.tolist() != ends[1].blocked.tolist()


def ambulances(model):
    """The emergency department of the case: those who walk in take all places, ambulances some."""
    return build(
        [AT_ONCE, 1.0 / model["mu"]],
        servers=[model["ambulance_parking"], model["servers"]],
        capacity=[model["ambulance_parking"], model["ED_capacity"]],
        external=[model["lambda_ambulance"], model["lambda_walkin"]],
        routing=[[0, 1], [0, 0]],
        places_left_free=[[0, model["ED_capacity"] - model["threshold"]], [0, 0]],
    )


def ambulances_by_rank(model):
    """The same by ranks, where the threshold is no less than the servers.

    The department has as many places as the threshold says; those who walk in when it is full wait
    in a room before it, from which they enter before any ambulance.
    """
    room = model["ED_capacity"] - model["threshold"]
    return build(
        [AT_ONCE, 1.0 / model["mu"], AT_ONCE],
        servers=[model["ambulance_parking"], model["servers"], room],
        capacity=[model["ambulance_parking"], model["threshold"], room],
        external=[model["lambda_ambulance"], 0.0, model["lambda_walkin"]],
        routing=[[0, 1, 0], [0, 0, 0], [0, 1, 0]],
        entry_priority=[[1, 2, 1], [1, 1, 1], [1, 1, 1]],
    )


@pytest.mark.skipif(not SHARED.is_file(), reason="the published cases are not there")
@pytest.mark.parametrize(
    ("name", "form"),
    [("amb_ex1", ambulances), ("amb_ex2", ambulances), ("amb_ex1", ambulances_by_rank)],
)
def test_published_blocking_time_of_ambulances(name, form):
    """MichalisPanayides/AmbulanceDecisionGame, tests/test_markov_blocking.py: exact to 1e-7."""
    cases = json.loads(SHARED.read_text(encoding="utf-8"))["cases"]
    case = next(each for each in cases if each["id"] == name)
    network, truth = form(case["model"]), case["expected"]["published"]
    published = truth["mean_blocking_time_ambulance"]
    m = solve_exact(network).measures
    assert m.number_blocked[0, 0] / m.throughput[0, 0] == pytest.approx(published, rel=1e-6)
    run = tallies(network, 2e4)
    agrees(run.blocked[:, 0, 0], run.completions[:, 0, 0], published)


def test_an_overloaded_entrance_with_ranks_is_refused_by_the_chain():
    network = build(
        np.ones((1, 2)),
        capacity=1,
        external=[[0.5, 0.8]],
        external_when_full=WAIT_OUTSIDE,
        external_entry_priority=[[1, 2]],
    )
    with pytest.raises(MethodError, match="overloaded"):
        solve_exact(network)


@BOTH
def test_places_left_free_are_trunk_reservation(solver):
    """Lost jobs: a birth-death chain, in which one class alone comes where few places are free."""
    servers, left, rates = 5, 2, np.array([1.5, 2.0])
    weight = [1.0]
    for busy in range(servers):
        coming = rates.sum() if busy < servers - left else rates[0]
        weight.append(weight[-1] * coming / (busy + 1))
    chance = np.array(weight) / sum(weight)
    lost = rates * [chance[servers], chance[servers - left :].sum()]
    network = build(
        np.ones((1, 2)),
        servers=servers,
        capacity=servers,
        external=rates[None],
        external_places_left_free=[[0, left]],
    )
    if solver == "chain":
        assert solve_exact(network).measures.loss_rate[0] == pytest.approx(lost, rel=1e-10)
    else:
        run = tallies(network, 2e4)
        for k in (0, 1):
            agrees(run.losses[:, 0, k], run.length, lost[k], k)


def test_formulas_without_places_left_free_are_refused():
    bed = {
        "name": "beds", "servers": 5, "capacity": 5, "service_time": 1.0,
        "external_arrival_rate": 3.5, "external_places_left_free": {"planned": 2},
    }  # fmt: skip
    network = fn.Network.from_dict(
        {
            "network": {"time_unit": "day"},
            "classes": {"urgent": {}, "planned": {}},
            "services": [bed],
        }
    )
    with pytest.raises(MethodError, match=r"'beds': some leave places free.*flownet\.simulate"):
        fn.solve(network)
