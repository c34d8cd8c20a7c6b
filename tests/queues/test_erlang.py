"""Erlang B and C: 50 digits, published values, derivatives, limits."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet import queues
from flownet.queues.erlang import erlang_b_scalar, erlang_c_scalar
from oracles import station_chains as oracle

SERVERS = [0.05, 0.5, 0.999, 1, 1.5, 2, 7.25, 40, 137.3, 400]
RATIOS = [0.01, 0.3, 0.9, 0.999, 1 - 1e-9, 1.0, 1 + 1e-9, 1.3, 8.0, 1e4]


@pytest.mark.parametrize("servers", SERVERS)
def test_fifty_digits(servers):
    for ratio in RATIOS:
        load = servers * ratio
        loss = oracle.erlang_b(servers, load)
        if loss < 1e-290:
            continue
        assert abs(erlang_b_scalar(float(servers), load) / loss - 1) < 1e-13
        if load < servers:
            delay = oracle.erlang_c(servers, load, loss)
            assert abs(erlang_c_scalar(float(servers), load) / delay - 1) < 1e-13


@pytest.mark.parametrize("servers", [1e4, 1e4 + 0.5, 1e5])
@pytest.mark.parametrize("ratio", [0.97, 1 - 1e-3, 1 - 1e-6, 1 - 1e-9, 1.01])
def test_fifty_digits_many_servers(servers, ratio):
    load = servers * ratio
    loss = oracle.erlang_b_recursive(servers, load)
    assert abs(erlang_b_scalar(servers, load) / loss - 1) < 1e-13
    if ratio < 1:
        delay = oracle.erlang_c(servers, load, loss)
        assert abs(erlang_c_scalar(servers, load) / delay - 1) < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.97, 1 - 1e-6, 1 - 1e-9])
def test_fifty_digits_a_million_servers(ratio):
    load = 1e6 * ratio
    loss = oracle.erlang_b_recursive(1e6, load)
    assert abs(erlang_b_scalar(1e6, load) / loss - 1) < 1e-12
    assert abs(erlang_c_scalar(1e6, load) / oracle.erlang_c(1e6, load, loss) - 1) < 1e-12


def test_tables():
    # Cooper (1981), introduction to queueing theory, figures of B(5, 3) and of C(3, 2)
    assert queues.erlang_b(5, 3.0) == pytest.approx(243 / 120 / 18.4, rel=1e-14)  # 0.1101
    assert queues.erlang_c(3, 2.0) == pytest.approx(4 / 9, rel=1e-14)  # Gross and Harris, ex. 2.2


def test_broadcasts_and_keeps_scalars():
    assert queues.erlang_b([1, 2], [[1.0], [2.0]]).shape == (2, 2)
    assert np.ndim(queues.erlang_b(1, 1.0)) == 0
    assert queues.erlang_b([], 1.0).shape == (0,)


@pytest.mark.parametrize("servers", [0.3, 1, 2.5, 12, 60.7])
@pytest.mark.parametrize("ratio", [0.2, 0.95, 1.4])
def test_derivatives_against_fifty_digits(servers, ratio):
    load = servers * ratio
    loss = queues.erlang_b_gradient(servers, load)
    with mp.workdps(oracle.DIGITS):
        by_servers = mp.diff(lambda c: oracle.erlang_b(c, load), servers)
        by_load = mp.diff(lambda a: oracle.erlang_b(servers, a), load)
        assert abs(loss["servers"] / by_servers - 1) < 1e-12
        assert abs(loss["load"] / by_load - 1) < 1e-12
        if ratio >= 1:
            return

        def delay(c, a):
            return oracle.erlang_c(c, a, oracle.erlang_b(c, a))

        slopes = queues.erlang_c_gradient(servers, load)
        by_servers = mp.diff(lambda c: delay(c, load), servers)
        by_load = mp.diff(lambda a: delay(servers, a), load)
        assert abs(slopes["servers"] / by_servers - 1) < 1e-12
        assert abs(slopes["load"] / by_load - 1) < 1e-12


def test_limits():
    assert queues.erlang_b(3, 0.0) == 0.0
    assert queues.erlang_b(np.inf, 5.0) == 0.0
    assert queues.erlang_b(1e6, 1.0) == 0.0  # below 1e-300
    assert queues.erlang_b(3, 1e12) == pytest.approx(1 - 3e-12, rel=1e-15)
    assert queues.erlang_c(3, [0.0, 3.0, 4.0]).tolist() == [0.0, 1.0, 1.0]
    assert queues.erlang_c(np.inf, 5.0) == 0.0
    # c -> 0: B -> 1
    assert queues.erlang_b(1e-9, 1.0) == pytest.approx(1.0, abs=1e-8)


@given(st.floats(0.05, 500.0), st.floats(0.01, 3.0))
def test_recursion_holds_for_fractional_servers(servers, ratio):
    load = servers * ratio
    below, here = erlang_b_scalar(servers, load), erlang_b_scalar(servers + 1.0, load)
    assert here == pytest.approx(load * below / (servers + 1.0 + load * below), rel=1e-12)
    assert here < below or here == 0.0
