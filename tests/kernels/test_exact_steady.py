"""The solver of large chains against elimination, hard cases, and a product form."""

from __future__ import annotations

import numpy as np
import pytest

from flownet.kernels.exact import solve_exact
from flownet.kernels.exact_layout import Limits, lay_out
from flownet.kernels.exact_levels import build_levels
from flownet.kernels.exact_multilevel import eliminate, imbalance, solve_levels, sweep
from flownet.kernels.exact_space import build_chain
from flownet.kernels.exact_steady import first_level, stationary
from flownet.kernels.exact_transient import poisson_weights
from oracles.compiled_networks import build


def chain_of(network, limit=60, max_states=400_000):
    n, routes = len(network.servers), len(network.route_to)
    limits = Limits(np.full(n, limit), np.full(n, limit), np.full(routes, limit))
    return build_chain(lay_out(network, limits), max_states=max_states)


def networks():
    rng = np.random.default_rng(7)
    for _ in range(4):
        shares = rng.uniform(size=(4, 4)) * (rng.uniform(size=(4, 4)) < 0.6)
        servers = rng.integers(1, 3, 4)
        yield build(
            10.0 ** rng.uniform(-3, 3, 4),
            servers=servers,
            capacity=servers + rng.integers(0, 3, 4),
            external=10.0 ** rng.uniform(-2, 2, 4),
            routing=shares / np.maximum(shares.sum(axis=1, keepdims=True), 1.0) * 0.9,
            when_full=rng.integers(0, 2, 4),
        )
    # two services that move at rates 1 and 1e-4: almost two chains
    yield build(
        [1.0, 1e4],
        servers=[2, 3],
        capacity=[40, 40],
        external=[1.0, 1e-4],
        routing=[[0, 1e-5], [1e-3, 0]],
    )


def test_levels_agree_with_elimination_also_when_rates_are_very_unequal():
    for network in networks():
        chain = chain_of(network)
        level = first_level(chain.rates, chain.exit_rate)
        expected = eliminate(chain.rates.toarray())
        assert imbalance(level, expected) < 1e-15
        start = np.full(chain.size, 1.0 / chain.size)
        sweep(level, start, 10)
        start /= start.sum()
        keys, owner = chain.keys(np.arange(chain.size))
        levels = build_levels(level, keys, owner, start)
        found, residual, _ = solve_levels(levels, start, 1e-14, 1000)
        assert residual <= 1e-14
        assert np.abs(found - expected).sum() < 1e-11


def test_near_the_critical_load_the_levels_converge():
    # M/M/1 at load 0.999, cut off at 12,000: geometric
    chain = chain_of(build([1.0], external=0.999), limit=12_000)
    solved = stationary(chain)
    expected = 0.999 ** np.arange(chain.size)
    assert solved.residual < 1e-13
    assert solved.cycles < 200
    assert solved.probability == pytest.approx(expected / expected.sum(), rel=1e-7)


def test_a_long_line_without_buffers():
    chain = chain_of(build([1.0] * 9, capacity=1, external=[1e9] + [0] * 8, routing=np.eye(9, k=1)))
    solved = stationary(chain)
    assert chain.size > 4000
    assert solved.residual < 1e-13


def test_poisson_weights_have_the_moments_of_poissons_law():
    for mean in (0.3, 7.0, 5e4):
        first, weights = poisson_weights(mean, 1e-14)
        numbers = first + np.arange(len(weights))
        assert weights @ numbers == pytest.approx(mean, rel=1e-12)
        assert weights @ (numbers - mean) ** 2 == pytest.approx(mean, rel=1e-9)


@pytest.mark.slow
def test_a_million_states_at_load_0_8():
    network = build(
        [1.0, 2.0, 1.0],
        servers=[1, 2, 1],
        external=[0.8, 0, 0],
        routing=[[0, 1, 0], [0, 0, 1], [0, 0, 0.0]],
    )
    result = solve_exact(network, truncation_mass=1e-9, max_states=1_500_000)
    m = result.measures
    number = (m.number_waiting + m.number_in_service)[:, 0]
    assert result.states > 800_000
    assert number == pytest.approx([4.0, 2 * 0.8 / (1 - 0.64), 4.0], rel=1e-6)
    assert result.residual < 1e-10
