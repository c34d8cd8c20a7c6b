"""M/M/c/K+M and M/M/c+G: 50-digit chains, published cases, integrals, laws."""

import json

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from flownet import queues
from flownet.queues.abandonment import erlang_a_measures
from flownet.queues.impatience import mmcg_measures
from flownet.queues.laws import least_residual, survival
from oracles import station_chains as oracle


@pytest.mark.parametrize("servers", [1, 4, 25])
@pytest.mark.parametrize("room", [0, 1, 6, 400])
@pytest.mark.parametrize("ratio", [1e-9, 0.05, 0.9, 1.0, 2.5, 1e8])
@pytest.mark.parametrize("patience", [0.01, 0.6, 40.0])
def test_against_fifty_digits(servers, room, ratio, patience):
    rate, places = ratio * servers / 0.8, servers + room
    exact = oracle.birth_death(rate, 0.8, servers, places, patience)
    got = queues.erlang_a(rate, 0.8, servers, patience, places)
    pairs = (
        (got.loss_probability, exact.full),
        (got.wait_probability, exact.busy / (1 - exact.full)),
        (got.number_waiting, exact.waiting),
        (got.number_present, exact.present),
        (got.abandonment_probability, exact.abandoned),
        (got.waiting_time_all, exact.waiting_time),
        (got.waiting_time, exact.served_wait),
    )
    for a, b in pairs:
        if b > 1e-250:
            assert abs(a / b - 1) < 1e-12


def test_published(shared):
    cases = json.loads((shared / "cases" / "solvers.json").read_text())["cases"]
    station = next(c for c in cases if c["id"] == "line-erlang-a-50")["recomputed"]["station"]["S1"]
    got = queues.erlang_a(48.0, 1.0, 50, 2.0)
    assert got.number_waiting == pytest.approx(station["Lq"], rel=1e-9)
    assert got.abandonment_probability == pytest.approx(station["P_abandon"], rel=1e-9)
    assert got.wait_probability == pytest.approx(station["P_wait"], rel=1e-9)
    assert got.waiting_time_all == pytest.approx(station["Wq_all"], rel=1e-9)


@pytest.mark.parametrize("servers", [1, 10, 200])
@pytest.mark.parametrize("ratio", [0.4, 0.98, 1.0, 1.02, 3.0])
@pytest.mark.parametrize("patience", [0.1, 2.0, 300.0])
def test_exponential_patience_by_sums_and_by_integrals(servers, ratio, patience):
    sums = erlang_a_measures(ratio * servers, 1.0, float(servers), patience)
    integrals = mmcg_measures(ratio * servers, 1.0, float(servers), patience, 1.0)
    assert integrals == pytest.approx(sums[:6], rel=1e-10, abs=1e-250)


def test_vast_patience_is_cheap_and_exact():
    """The switch from sums over states to integrals leaves no step."""
    below = queues.erlang_a(50.0, 1.0, 50, 1.999e4)
    above = queues.erlang_a(50.0, 1.0, 50, 2.001e4)
    assert above.number_waiting == pytest.approx(below.number_waiting, rel=1e-3)
    far = queues.erlang_a([49.0, 60.0], 1.0, 50, 1e12)
    assert far.number_waiting[0] == pytest.approx(
        queues.mmc(49.0, 1.0, 50).number_waiting, rel=1e-6
    )
    assert far.abandonment_probability[1] == pytest.approx(1 / 6, rel=1e-9)


@mp.workdps(30)
def impatient(rate, servers, stay, inner):
    """M/M/c+G with service time 1: P(wait), P(abandon), mean wait of all, by plain quadrature.

    `inner` is the integral of `stay` from 0.
    """
    ends = [mp.mpf(x) for x in (0, "0.25", "0.5", "0.75", 1, "1.5", 2, 3, 5, 9, 20)]

    def density(x):
        return mp.exp(rate * inner(x) - servers * x)

    idle = rate / servers * (1 / oracle.erlang_b(servers, rate) - 1)
    every = rate * mp.quad(density, ends)
    gone = rate * mp.quad(lambda x: (1 - stay(x)) * density(x), ends)
    wait = rate * mp.quad(lambda x: inner(x) * density(x), ends)
    return every / (idle + every), gone / (idle + every), wait / (idle + every)


@pytest.mark.parametrize("rate", [3.0, 6.0])
def test_constant_patience_by_plain_quadrature(rate):
    exact = impatient(mp.mpf(rate), 4, lambda x: mp.mpf(x <= 1), lambda x: min(x, 1))
    got = mmcg_measures(rate, 1.0, 4.0, 1.0, 0.0)
    for a, b in zip((got[0], got[2], got[3]), exact, strict=True):
        assert abs(a / b - 1) < 1e-9


def test_erlang_patience_by_plain_quadrature():
    exact = impatient(
        mp.mpf(5),
        4,
        lambda x: mp.exp(-2 * x) * (1 + 2 * x),
        lambda x: 1 - mp.exp(-2 * x) * (1 + x),
    )
    got = mmcg_measures(5.0, 1.0, 4.0, 1.0, 0.5)
    for a, b in zip((got[0], got[2], got[3]), exact, strict=True):
        assert abs(a / b - 1) < 1e-9


@pytest.mark.parametrize("scv", [0.0, 0.01, 0.3, 0.5, 0.9, 1.0, 2.0, 8.0])
def test_fitted_laws(scv):
    x = np.linspace(0.0, 120.0, 60_001)
    stay, gone, inner = np.array([survival(scv, float(v)) for v in x]).T
    assert stay + gone == pytest.approx(np.ones_like(x), abs=1e-14)
    assert (np.diff(stay) <= 1e-15).all()
    assert inner[-1] == pytest.approx(1.0, abs=1e-5)
    assert integrate.trapezoid(x * stay, x) * 2 == pytest.approx(1 + scv, abs=3e-3)
    assert inner == pytest.approx(
        np.append(0.0, np.cumsum((stay[1:] + stay[:-1]) * 1e-3)), abs=2e-3
    )


def test_least_residual_life():
    assert least_residual(7.0, 1.0) == pytest.approx(1 / 7, rel=1e-12)
    assert least_residual(7.0, 0.0) == pytest.approx(1 / 8, rel=1e-12)
    assert least_residual(1.0, 4.0) == pytest.approx(2.5, rel=1e-8)  # E[S^2]/(2 E[S])


@given(
    st.floats(0.05, 4.0), st.floats(1.0, 60.0), st.floats(0.05, 50.0), st.sampled_from([0, 5, 1e9])
)
def test_laws(ratio, servers, patience, room):
    """What comes in is served, gives up or finds no place; Little; patience helps the queue."""
    rate = ratio * servers
    got = queues.erlang_a(rate, 1.0, servers, patience, servers + room)
    total = got.throughput / rate + got.abandonment_probability + got.loss_probability
    assert total == pytest.approx(1.0, rel=1e-9)
    admitted = rate * (1 - got.loss_probability)
    assert got.number_waiting == pytest.approx(admitted * got.waiting_time_all, rel=1e-9, abs=1e-12)
    assert 0.0 <= got.utilization <= 1.0 + 1e-12
    endless = queues.mmck(rate, 1.0, servers, servers + room)
    assert got.number_waiting <= endless.number_waiting * (1 + 1e-9)


def test_limits():
    endless = queues.erlang_a(8.0, 1.0, 10, np.inf)
    assert endless.waiting_time == pytest.approx(queues.mmc(8.0, 1.0, 10).waiting_time, rel=1e-13)
    assert endless.abandonment_probability == 0.0
    hasty = queues.erlang_a(8.0, 1.0, 10, 1e-9)
    assert hasty.abandonment_probability == pytest.approx(float(queues.erlang_b(10, 8.0)), rel=1e-6)
    assert np.isinf(queues.erlang_a(12.0, 1.0, 10, np.inf).waiting_time)
    assert queues.mmcg(8.0, 1.0, 10, np.inf, 0.0).number_waiting == pytest.approx(
        queues.mmc(8.0, 1.0, 10).number_waiting, rel=1e-13
    )
    assert queues.erlang_a(0.0, 1.0, 10, 1.0).number_present == 0.0
    assert queues.erlang_a(5.0, 1.0, np.inf, 1.0).number_present == 5.0
