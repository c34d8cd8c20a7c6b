"""All servers blocked, and deadlocks: theory, the exact chain, the simulator, and estimates."""

import numpy as np
import pytest

import flownet as fn
from flownet.kernels.blocking_deadlock import MOST_SERVICES, all_blocked, deadlock_rate
from flownet.kernels.blocking_full import COMPRESSED, FULL, solve_blocking
from flownet.kernels.exact import solve_exact
from flownet.kernels.simulation import measures, simulate_once
from flownet.network.compile import compile_network


def ring(servers=(1, 1), rate=1.0, onward=0.6, back=0.4):
    """Two services without waiting rooms that send jobs to each other."""
    services = [
        {"name": name, "servers": count, "waiting_room": 0, "service_time": 1.0 * count,
         "external_arrival_rate": rate}
        for name, count in zip("ab", servers, strict=True)
    ]  # fmt: skip
    routes = [
        {"from": "a", "to": "b", "routing_probability": onward},
        {"from": "b", "to": "a", "routing_probability": back},
    ]
    document = {"network": {"time_unit": "hour"}, "services": services, "routes": routes}
    return compile_network(fn.Network.from_dict(document)).arrays


def test_a_saturated_pair_is_blocked_a_third_of_the_time():
    """Idle, working and blocking the first: three states, balanced at equal rates by symmetry."""
    services = [
        {"name": "a", "service_time": 1.0, "waiting_room": 0, "external_arrival_rate": 1e6},
        {"name": "b", "service_time": 1.0, "waiting_room": 0},
    ]
    document = {"network": {"time_unit": "hour"}, "services": services,
                "routes": [{"from": "a", "to": "b"}]}  # fmt: skip
    network = fn.Network.from_dict(document)
    for mode in (FULL, COMPRESSED):
        table = fn.solve(network, method="blocking", mode=mode).services
        assert table.loc["a", "probability_all_blocked"] == pytest.approx(1 / 3, rel=1e-4)
        assert table.loc["b", "probability_all_blocked"] == 0.0
        assert (table["deadlock_rate"] == 0.0).all()
    exact = fn.solve(network, method="exact").services
    assert exact.loc["a", "probability_all_blocked"] == pytest.approx(1 / 3, rel=1e-5)


def test_deadlocks_of_two_single_servers():
    """By hand: the one is blocked for the other, which then completes for the one.

    With P the time in which the first is blocked, the second works then and closes the circle at
    the rate mu x back.
    """
    network = ring()
    exact = solve_exact(network).measures
    stuck = exact.probability_all_blocked
    assert exact.deadlock_rate == pytest.approx([stuck[1] * 0.6, stuck[0] * 0.4], rel=1e-9)
    assert stuck == pytest.approx(exact.number_blocked.sum(axis=1), rel=1e-12)


def test_the_simulator_sees_the_same():
    """Standard errors of 3e5 hours: below 1 % of all that is compared; five of them."""
    network = ring(servers=(2, 1), rate=0.8)
    exact = solve_exact(network).measures
    run = measures(simulate_once(network, horizon=3e5, warmup=100.0, seed=5))
    assert run.probability_all_blocked == pytest.approx(exact.probability_all_blocked, rel=0.05)
    assert run.deadlock_rate == pytest.approx(exact.deadlock_rate, rel=0.05)


@pytest.mark.parametrize("servers", [(1, 1), (2, 1), (3, 2)])
def test_two_services_in_full_and_compressed(servers):
    """In full the probability is exact; rates of deadlocks are estimates, of the right size.

    A ring of single servers is where the compressed mode errs most: it bounds exchanges only.
    """
    network = ring(servers=servers)
    exact = solve_exact(network).measures
    full, compressed = (solve_blocking(network, mode=mode) for mode in (FULL, COMPRESSED))
    assert full.probability_all_blocked == pytest.approx(exact.probability_all_blocked, rel=1e-6)
    assert compressed.probability_all_blocked == pytest.approx(
        exact.probability_all_blocked, abs=0.12
    )
    for found in (full, compressed):
        ratio = found.deadlock_rate.sum() / exact.deadlock_rate.sum()
        assert 1 / 4 < ratio < 4


def test_all_blocked_is_the_binomial_law_where_servers_are_independent():
    p, c = 0.3, 4.0
    found = all_blocked(np.array([c * p]), np.array([c * p * (1 - p)]), np.array([c]))
    assert found[0] == pytest.approx(p**4, rel=1e-6)
    together = all_blocked(np.array([c * p]), np.array([c * c * p * (1 - p)]), np.array([c]))
    assert together[0] == pytest.approx(p, rel=1e-6)  # all or none
    none = all_blocked(np.array([0.0, 5.0]), np.zeros(2), np.array([3.0, np.inf]))
    assert (none == 0.0).all()


def test_circles_too_large_have_no_estimate():
    size = MOST_SERVICES + 1
    upper = np.arange(size)
    rate = deadlock_rate(
        upper, np.roll(upper, -1), np.ones(size, dtype=np.bool_), np.full(size, 0.1),
        np.full(size, 0.1), np.ones(size), np.full(size, 0.5),
    )  # fmt: skip
    assert np.isnan(rate).all()
