"""The simulator's features: classes, ranks, routes, transfers; alone against closed forms.

Tolerance: 4.5 standard errors from 30 batch means (one comparison in ten thousand would fail by
chance), seeds fixed.
"""

from __future__ import annotations

import numpy as np
import pytest

from flownet.kernels.compiled import DETERMINISTIC, PREEMPTIVE, PRIORITY
from flownet.kernels.exact import solve_exact
from flownet.kernels.simulation import simulate_once
from oracles.compiled_networks import build
from oracles.simulated_cases import any_network, interval, of_class
from oracles.stations import number_waiting

ERRORS = 4.5


def run(network, visits=300_000, seed=1, **options):
    length = visits / network.external_arrival_rate.sum()
    return simulate_once(
        network, horizon=1.05 * length, warmup=0.05 * length, seed=seed, batches=30, **options
    )


def agrees(numerator, denominator, truth, what=""):
    value, error = interval(np.asarray(numerator, float), np.asarray(denominator, float))
    assert abs(value - truth) <= ERRORS * error, (what, value, truth, error)


def test_ranks_at_one_server_without_interruption():
    # Cobham 1954: W_k = W_0 / ((1 - s_{k-1}) (1 - s_k)); class 1 constant, class 0 exponential
    network = build(
        [[1.0, 0.5]],
        external=[[0.4, 0.8]],
        discipline=PRIORITY,
        priority=[[2, 1]],
        service_scv=[[1.0, 0.0]],
        family=np.array([[0, DETERMINISTIC]]),
    )
    t = run(network).tallies
    residual = (0.4 * 2.0 + 0.8 * 0.25) / 2.0
    first = residual / (1.0 - 0.4)
    second = residual / ((1.0 - 0.4) * (1.0 - 0.8))
    agrees(t.waiting_time[:, 0, 1], t.starts[:, 0, 1], first)
    agrees(t.waiting_time[:, 0, 0], t.starts[:, 0, 0], second)
    assert t.preemptions.sum() == 0


def test_ranks_at_several_servers_without_interruption():
    # Kella and Yechiali 1985, the same service time in all classes
    network = build(
        [[1.0, 1.0, 1.0]],
        external=[[0.8, 0.9, 0.7]],
        servers=3,
        discipline=PRIORITY,
        priority=[[5, 1, 3]],
    )
    t = run(network).tallies
    head = number_waiting(3, 2.4) / 2.4 * (1.0 - 2.4 / 3.0)
    agrees(t.waiting_time[:, 0, 1], t.starts[:, 0, 1], head / (1.0 - 0.3))
    agrees(t.waiting_time[:, 0, 2], t.starts[:, 0, 2], head / (0.7 * (0.7 - 0.7 / 3.0)))
    agrees(t.waiting_time[:, 0, 0], t.starts[:, 0, 0], head / ((0.7 - 0.7 / 3.0) * 0.2))


def test_ranks_that_interrupt():
    # the classes up to rank k alone are an M/M/2; exponential, the same service time
    network = build(
        [[1.0, 1.0]], external=[[0.9, 0.7]], servers=2, discipline=PREEMPTIVE, priority=[[2, 1]]
    )
    t = run(network).tallies
    upper = number_waiting(2, 0.7)
    agrees(t.waiting[:, 0, 1], t.length, upper)
    agrees(t.waiting[:, 0, 0], t.length, number_waiting(2, 1.6) - upper)
    agrees(t.waiting_time[:, 0, 0], t.length, number_waiting(2, 1.6) - upper)
    assert t.preemptions[:, 0, 0].sum() > 0
    assert t.preemptions[:, 0, 1].sum() == 0


def test_interrupted_work_is_resumed_not_repeated():
    # M/G/1 preemptive-resume, class 0 of constant length 1 below class 1 (exponential, 0.5):
    # W + interruptions = [E[S]/(1 - s_1)] + R_2 / ((1 - s_1)(1 - s_2)) - E[S]  (Takagi 1991, 3.2)
    network = build(
        [[1.0, 0.5]],
        external=[[0.3, 0.8]],
        discipline=PREEMPTIVE,
        priority=[[2, 1]],
        service_scv=[[0.0, 1.0]],
        family=np.array([[DETERMINISTIC, 0]]),
    )
    t = run(network).tallies
    residual = (0.3 * 1.0 + 0.8 * 0.5) / 2.0
    total = 1.0 / 0.6 + residual / (0.6 * (1.0 - 0.7)) - 1.0
    agrees(t.waiting[:, 0, 0], t.length, 0.3 * total)
    agrees(t.in_service[:, 0, 0], t.length, 0.3)
    agrees(t.waiting[:, 0, 1], t.length, 0.8 * (0.8 * 0.5 / 2.0 / 0.6))


def test_feedback_with_two_classes_is_a_product_form():
    # Jackson: a job of class 0 returns once as class 1 (to_class), then leaves; same service time
    routing = np.zeros((4, 4))
    routing[0, 2] = 0.5  # (service 0, class 0) -> (service 1, class 0)
    routing[2, 1] = 1.0  # (service 1, class 0) -> (service 0, class 1)
    network = build(
        [[0.8, 0.8], [1.0, 1.0]],
        external=[[0.6, 0.1], [0.0, 0.0]],
        routing=routing,
    )
    made = run(network)
    t = made.tallies
    first = (0.7 + 0.3) * 0.8
    agrees(of_class(t, "waiting", 0), t.length, first**2 / (1.0 - first))
    agrees(of_class(t, "waiting", 1), t.length, 0.3**2 / 0.7)
    agrees(t.left[:, 0, 1], t.length, 0.3)  # entered as class 0, left as class 1
    agrees(t.left[:, 0, 0], t.length, 0.3)
    agrees(t.left[:, 1, 1], t.length, 0.1)
    assert t.left[:, 1, 0].sum() == 0
    # Little over the whole network, all classes
    agrees(t.system_time.sum(axis=1), t.length, first / (1.0 - first) + 0.3 / 0.7)


def test_a_transfer_that_holds_the_server_is_a_longer_service():
    # M/G/1 with service 0.5 and transfer 0.3, both exponential: E[S^2] = 2(.25 + .09 + .15)
    network = build(
        [0.5, 1.0],
        external=[0.8, 0.0],
        servers=[1, np.inf],
        routing=[[0, 1], [0, 0]],
        transfer_delay=[[0, 0.3], [0, 0]],
        holds_server=[[0, 1], [0, 0]],
    )
    t = run(network).tallies
    agrees(of_class(t, "waiting", 0), t.length, 0.64 * 0.98 / (2.0 * (1.0 - 0.64)))
    agrees(of_class(t, "held_in_transfer", 0), t.length, 0.24)
    agrees(of_class(t, "held_transfer_time", 0), of_class(t, "completions", 0), 0.3)
    agrees(of_class(t, "in_service", 0), t.length, 0.4)
    assert t.in_transit.sum() == 0.0


def test_a_transfer_that_does_not_hold_the_server():
    network = build(
        [0.5, 0.9],
        external=[0.8, 0.0],
        routing=[[0, 1], [0, 0]],
        transfer_delay=[[0, 3.0], [0, 0]],
    )
    t = run(network).tallies
    agrees(of_class(t, "waiting", 0), t.length, number_waiting(1, 0.4))
    agrees(of_class(t, "waiting", 1), t.length, number_waiting(1, 0.72))
    agrees(t.in_transit[:, 0], t.length, 2.4)


def test_who_arrives_from_a_transfer_at_a_full_service_waits_outside_it():
    # the second service has as many places as servers: its M/M/2 queue stands outside
    network = build(
        [0.5, 2.0],
        external=[0.8, 0.0],
        servers=[1, 2],
        capacity=[np.inf, 2],
        routing=[[0, 1], [0, 0]],
        transfer_delay=[[0, 3.0], [0, 0]],
    )
    t = run(network).tallies
    agrees(t.in_transit[:, 0], t.length, 2.4)
    agrees(of_class(t, "outside", 1), t.length, number_waiting(2, 1.6))
    agrees(of_class(t, "waiting", 0), t.length, number_waiting(1, 0.4))
    assert t.blocked.sum() == 0.0


LARGE = {7, 10}
FIELDS = {
    "arrivals": "arrival_rate",
    "completions": "throughput",
    "losses": "loss_rate",
    "overflows": "overflow_rate",
    "abandonments": "abandonment_rate",
    "waiting": "number_waiting",
    "in_service": "number_in_service",
    "blocked": "number_blocked",
    "held_in_transfer": "number_held_in_transfer",
    "outside": "number_outside",
}


# of the first 40 random networks, those whose chain is small enough for a fast test
@pytest.mark.parametrize("seed", sorted(set(range(40)) - LARGE))
def test_any_features_together_agree_with_the_exact_chain(seed):
    """Two programs written apart, on random networks with blocking, loss, overflow, ranks,
    sharing, patience, changes of class and transfers. 5 standard errors; rare events, of which
    fewer than 100 are expected in the run, are not compared.
    """
    network = any_network(seed, outside=False)
    exact = solve_exact(network, max_states=5000, truncation_mass=1e-7)
    length = 30_000.0
    t = simulate_once(network, horizon=31_000.0, warmup=1000.0, seed=seed, batches=30).tallies
    compared = 0
    for name, field in FIELDS.items():
        for place in np.ndindex(network.service_time.shape):
            truth = float(getattr(exact.measures, field)[place])
            value, error = interval(getattr(t, name)[:, *place].astype(float), t.length)
            if truth * length < 100.0:
                assert value * length < 300.0, (name, place)
                continue
            assert abs(value - truth) <= 5.0 * error, (name, place, value, truth, error)
            compared += 1
    for i, truth in enumerate(exact.measures.probability_full):
        value, error = interval(t.full[:, i], t.length)
        assert abs(value - truth) <= 5.0 * error + 1e-3, ("full", i, value, truth, error)
    agrees(t.in_transit.sum(axis=1), t.length, exact.in_transit.sum(), "in transit")
    assert compared > 0
