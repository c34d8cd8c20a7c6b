"""The simulator beside Ciw, on a model that both express but no formula solves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from flownet.kernels.compiled import GAMMA, LOGNORMAL, PRIORITY
from flownet.kernels.simulation import simulate_once
from flownet.kernels.simulation_tallies import total
from oracles.compiled_networks import build

ciw = pytest.importorskip("ciw")

LENGTH, WARMUP, REPLICATIONS = 6000.0, 300.0, 8
EXTERNAL = np.array([[0.5, 0.6], [0.0, 0.3]])
SIGMA = 0.8
MU = math.log(0.7) - SIGMA**2 / 2.0


def theirs(seed):
    """Two services with ranks: lognormal, unlimited; then gamma, two servers, one place more.

    A job of the first that finds the second full blocks its server there.
    """
    dists = ciw.dists
    arrivals = {
        f"Class {k}": [dists.Exponential(x) if x > 0 else None for x in EXTERNAL[:, k]]
        for k in (0, 1)
    }
    times = [dists.Lognormal(MU, SIGMA), dists.Gamma(2.0, 0.45)]
    network = ciw.create_network(
        arrival_distributions=arrivals,
        service_distributions={"Class 0": times, "Class 1": times},
        routing={k: [[0.0, 1.0], [0.0, 0.0]] for k in ("Class 0", "Class 1")},
        number_of_servers=[1, 2],
        queue_capacities=[float("inf"), 1],
        priority_classes={"Class 0": 1, "Class 1": 0},
    )
    ciw.seed(seed)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(LENGTH)
    records = [
        r
        for r in simulation.get_all_records()
        if r.record_type == "service" and r.service_start_date > WARMUP
    ]
    waits = [
        np.mean(
            [r.waiting_time for r in records if (r.node, r.customer_class) == (i, f"Class {k}")]
        )
        for i in (1, 2)
        for k in (0, 1)
    ]
    return [*waits, np.mean([r.time_blocked for r in records if r.node == 1])]


def ours(seed):
    network = build(
        [[0.7, 0.7], [0.9, 0.9]],
        external=EXTERNAL,
        servers=[1, 2],
        capacity=[np.inf, 3],
        routing=[[0, 1], [0, 0]],
        discipline=PRIORITY,
        priority=[[2, 1], [2, 1]],
        family=np.array([[LOGNORMAL] * 2, [GAMMA] * 2]),
    )
    laws = np.array([[[MU, SIGMA, 0.0]] * 2, [[2.0, 0.45, 0.0]] * 2])
    made = simulate_once(
        network._replace(service_parameters=laws), horizon=LENGTH, warmup=WARMUP, seed=seed
    )
    t = total(made.tallies)
    blocked = t.blocked_time[0].sum() / t.completions[0].sum()
    return [*(t.waiting_time / t.starts).ravel(), blocked]


@pytest.mark.slow
def test_ciw_has_the_same_waits_and_blocked_times():
    """4.5 standard errors of the difference; eight replications of Ciw, eighty of ours."""
    other = np.array([theirs(seed) for seed in range(REPLICATIONS)])
    own = np.array([ours(seed) for seed in range(10 * REPLICATIONS)])
    error = np.hypot(
        other.std(axis=0, ddof=1) / math.sqrt(len(other)),
        own.std(axis=0, ddof=1) / math.sqrt(len(own)),
    )
    difference = own.mean(axis=0) - other.mean(axis=0)
    assert (abs(difference) < 4.5 * error).all(), (own.mean(0), other.mean(0), error)
    assert (error < 0.1 * other.mean(axis=0)).all()
