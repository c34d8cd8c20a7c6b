"""Ph/Ph/c: the quasi-birth-death solution against a chain built state by state, and simulation."""

import numpy as np
import pytest

from flownet import queues
from flownet.queues.dense import factorize, multiply, solve_left, solve_right
from flownet.queues.phases import configuration_count, configurations, fitted_phases
from flownet.queues.quasi import phphc_measures
from flownet.queues.refined import gigc_refined_measures
from oracles import station_chains as oracle

CHAINS = [
    (0.6, 1, 0.25, 0.5),
    (0.7, 1, 4.0, 0.3),
    (0.5, 2, 2.0, 2.0),
    (0.7, 2, 0.5, 0.4),
    (0.6, 3, 0.7, 4.0),
    (0.5, 3, 3.0, 0.5),
    (0.5, 4, 1.0, 0.3),
]


@pytest.mark.parametrize(("ratio", "servers", "arrival_scv", "service_scv"), CHAINS)
def test_against_the_chain(ratio, servers, arrival_scv, service_scv):
    most = servers + int(40 * (1 + arrival_scv + service_scv))
    chance, wait = oracle.phase_station(ratio, servers, arrival_scv, service_scv, most)
    got = phphc_measures(ratio * servers, 1.0, float(servers), arrival_scv, service_scv)
    assert got == pytest.approx((chance, wait), rel=1e-7)  # what the chain cuts off


@pytest.mark.parametrize("scv", [0.05, 0.2, 0.25, 0.3, 0.5, 0.8, 1.0, 1.5, 9.0])
def test_fitted_moments(scv):
    alpha, matrix, leave = fitted_phases(scv)
    ones = np.ones(len(alpha))
    inverse = np.linalg.inv(-matrix)
    assert alpha.sum() == pytest.approx(1.0, rel=1e-13)
    assert leave == pytest.approx(-matrix @ ones, abs=1e-12)
    assert alpha @ inverse @ ones == pytest.approx(1.0, rel=1e-12)
    assert 2 * alpha @ inverse @ inverse @ ones == pytest.approx(1 + scv, rel=1e-12)


@pytest.mark.parametrize("ratio", [0.3, 0.9, 0.99, 0.9999])
def test_poisson_one_server_is_pollaczek_khinchine(ratio):
    for scv in (0.25, 0.6, 3.0):
        exact = 0.5 * (1 + scv) * ratio / (1 - ratio)
        assert phphc_measures(ratio, 1.0, 1.0, 1.0, scv) == pytest.approx((ratio, exact), rel=1e-6)


@pytest.mark.parametrize("scv", [0.2, 0.5, 3.0])
def test_renewal_arrivals_exponential_service_one_server(scv):
    """GI/M/1: W = sigma/(mu (1 - sigma)), sigma the root of sigma = A*(mu (1 - sigma))."""
    alpha, matrix = (np.array(x) for x in oracle.phases(scv))
    rate, leave = 0.8, -matrix.sum(axis=1)
    sigma = 0.5
    for _ in range(2000):
        s = (1 - sigma) / rate  # in units of the mean time between arrivals
        sigma = alpha @ np.linalg.solve(s * np.eye(len(alpha)) - matrix, leave)
    chance, wait = phphc_measures(rate, 1.0, 1.0, scv, 1.0)
    assert chance == pytest.approx(sigma, rel=1e-10)
    assert wait == pytest.approx(sigma / (1 - sigma), rel=1e-9)


def test_markov_for_every_number_of_servers():
    for servers in (1, 2, 9, 40):
        exact = queues.mmc(0.85 * servers, 1.0, servers)
        got = queues.phphc(0.85 * servers, 1.0, servers)
        assert got.waiting_time == pytest.approx(exact.waiting_time, rel=1e-12)
        assert got.wait_probability == pytest.approx(exact.wait_probability, rel=1e-12)


def test_configurations_are_all_and_in_order():
    for jobs in range(5):
        for phases in range(1, 5):
            rows = configurations(jobs, phases)
            assert len(rows) == configuration_count(jobs, phases) == len({tuple(r) for r in rows})
            assert (rows.sum(axis=1) == jobs).all()
            assert sorted(map(tuple, rows)) == [tuple(r) for r in rows]


def test_dense_algebra():
    generator = np.random.default_rng(5)
    a = -generator.random((7, 7))
    np.fill_diagonal(a, 8.0)
    b = generator.random((7, 3))
    factors = a.copy()
    factorize(factors)
    left, right = b.copy(), b.T.copy()
    solve_left(factors, left)
    solve_right(factors, right)
    assert left == pytest.approx(np.linalg.solve(a, b), rel=1e-12)
    assert right == pytest.approx(np.linalg.solve(a.T, b).T, rel=1e-12)
    assert multiply(a, b) == pytest.approx(a @ b, rel=1e-13)


@pytest.mark.parametrize("ratio", [0.7, 0.9, 0.98])
@pytest.mark.parametrize(("arrival_scv", "service_scv"), [(0.5, 2.0), (4.0, 0.5), (2.0, 4.0)])
def test_many_servers_from_few(ratio, arrival_scv, service_scv):
    """Carried over from at most 15 servers to 20, at equal (1 - rho) sqrt(c)."""
    exact = phphc_measures(ratio * 20, 1.0, 20.0, arrival_scv, service_scv)
    chance, wait = gigc_refined_measures(ratio * 20, 1.0, 20.0, arrival_scv, service_scv, 64)
    assert chance == pytest.approx(exact[0], rel=0.01)
    assert wait == pytest.approx(exact[1], rel=0.01)


@pytest.mark.parametrize("ratio", [0.8, 0.95])
@pytest.mark.parametrize("arrival_scv", [0.5, 1.0, 4.0])
def test_smooth_service_by_a_line(ratio, arrival_scv):
    """Service scv 1/4 on 4 servers, four phases, from scv 1/2 and 1."""
    exact = phphc_measures(ratio * 4, 1.0, 4.0, arrival_scv, 0.25)
    wait = gigc_refined_measures(ratio * 4, 1.0, 4.0, arrival_scv, 0.25, 30)[1]
    assert wait == pytest.approx(exact[1], rel=0.01)


def test_fractional_servers_lie_between():
    waits = queues.gigc([8.0] * 3, 1.0, [10, 10.5, 11], 2.0, 2.0).waiting_time
    assert waits[0] > waits[1] > waits[2]
    exact = queues.mmc([8.0] * 3, 1.0, [10, 10.5, 11]).waiting_time
    ratio = waits / exact
    assert min(ratio[0], ratio[2]) <= ratio[1] <= max(ratio[0], ratio[2])


def test_extremes_are_finite_and_ordered():
    for ca, cs in ((0.0, 1.0), (0.01, 0.01), (20.0, 30.0), (1.0, 0.0), (0.3, 7.0)):
        for servers in (1, 3, 100, 5000):
            for ratio in (1e-6, 0.2, 0.7, 0.99, 1 - 1e-8):
                got = queues.gigc(ratio * servers, 1.0, servers, ca, cs)
                assert 0.0 <= got.waiting_time < np.inf
                assert 0.0 <= got.wait_probability <= 1.0
    assert queues.gigc(0.8, 1.0, 1, 0.0, 0.0).waiting_time == 0.0


def test_heavy_traffic_limit():
    for servers in (1, 4):
        got = queues.gigc(servers * (1 - 1e-9), 1.0, servers, 3.0, 0.5)
        markov = queues.mmc(servers * (1 - 1e-9), 1.0, servers)
        assert got.waiting_time / markov.waiting_time == pytest.approx(1.75, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("servers", "ratio", "arrival_scv", "service_scv"),
    [(10, 0.8, 4.0, 2.0), (10, 0.9, 0.25, 0.25), (50, 0.9, 2.0, 0.5), (50, 0.8, 0.5, 4.0)],
)
def test_against_simulation(servers, ratio, arrival_scv, service_scv):
    """First come first served, job by job, with the same laws: 20 runs, 3 % and 4 errors."""
    means = []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        waits = oracle.simulated_waits(
            oracle.sampled(generator, arrival_scv, 600_000) / (ratio * servers),
            oracle.sampled(generator, service_scv, 600_000),
            servers,
        )
        means.append(waits[60_000:].mean())
    error = np.std(means, ddof=1) / np.sqrt(len(means))
    got = queues.gigc(ratio * servers, 1.0, servers, arrival_scv, service_scv).waiting_time
    assert abs(got - np.mean(means)) < 4 * error + 0.01 * got
    assert error < 0.1 * got
