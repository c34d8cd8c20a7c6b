"""M/G/1, M/D/c, M/G/c, GI/G/1, GI/G/c by formulas: exact cases, published tables, properties."""

import json
import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet import queues
from flownet.queues.deterministic import _by_roots, _by_series
from flownet.queues.general import klb_factor, whitt_factor
from oracles import station_chains as oracle

scvs = st.floats(0.02, 6.0)
loads = st.floats(0.05, 0.99)


def test_pollaczek_khinchine_with_third_moment():
    # service uniform on (0, 2): E[S^2] = 4/3, E[S^3] = 2
    wait = queues.mg1(0.6, 1.0, 1 / 3)
    assert wait.waiting_time == pytest.approx(0.6 * (4 / 3) / 2 / 0.4, rel=1e-14)
    moments = queues.mg1_wait_moments(0.6, 1.0, 1 / 3, 2.0)
    assert moments.mean == pytest.approx(1.0, rel=1e-14)
    assert moments.second_moment == pytest.approx(2.0 + 0.6 * 2.0 / (3 * 0.4), rel=1e-14)
    # exponential service: P(W > t) = rho e^{-(1 - rho) t}
    moments = queues.mg1_wait_moments(0.75, 1.0)
    assert moments.second_moment == pytest.approx(0.75 * 2 / 0.25**2, rel=1e-14)


def test_pollaczek_khinchine_published(shared):
    cases = json.loads((shared / "cases" / "solvers.json").read_text())["cases"]
    found = {c["id"]: c["recomputed"]["R"]["C1"] for c in cases if c["kind"] == "ggc-qna"}
    tandem, coxian = found["line-m-m-e2-tandem"], found["line-m-cox-1-scv4"]
    assert queues.mg1(1.0, 0.9, 0.5).response_time == pytest.approx(tandem["Queue2"], abs=1e-6)
    assert queues.mg1(1.0, 0.5, 4.0).response_time == pytest.approx(coxian["S1"], abs=1e-6)


@mp.workdps(40)
def constant_service_waiting(servers, load):
    """E[waiting] of M/D/c: sum over k of E[(N_ka - kc)^+]/k, N Poisson (Spitzer)."""
    load, total, k = mp.mpf(load), mp.mpf(0), 0
    while True:
        k += 1
        term = mp.exp(-k * load) * (k * load) ** (k * servers) / mp.factorial(k * servers)
        part, i = mp.mpf(0), 0
        while i * term >= part * mp.mpf(10) ** -35:
            i += 1
            term *= k * load / (k * servers + i)
            part += i * term
        total += part / k
        if part < total * mp.mpf(10) ** -32:
            return total


@pytest.mark.parametrize(("servers", "ratio"), [(1, 0.4), (2, 0.5), (5, 0.7), (20, 0.6), (3, 0.7)])
def test_constant_service_against_forty_digits(servers, ratio):
    exact = constant_service_waiting(servers, ratio * servers)
    got = queues.mdc(ratio * servers * 2.0, 0.5, servers)
    assert abs(got.number_waiting / exact - 1) < 1e-12


@pytest.mark.parametrize("ratio", [0.1, 0.9, 0.99, 0.999, 1 - 1e-7])
def test_constant_service_one_server(ratio):
    got = queues.mdc(ratio, 1.0, 1)
    assert got.waiting_time == pytest.approx(ratio / (2 * (1 - ratio)), rel=1e-8)
    assert got.wait_probability == pytest.approx(ratio, rel=1e-10)


@pytest.mark.parametrize("servers", [1, 2, 3, 10, 51])
@pytest.mark.parametrize("ratio", [0.7, 0.85, 0.95])
def test_constant_service_series_and_roots_agree(servers, ratio):
    """Two derivations: Spitzer's identity, and the zeros of Crommelin's generating function."""
    load, c = ratio * servers, float(servers)
    assert _by_roots(load, c, c - load) == pytest.approx(_by_series(load, c), rel=1e-10)


@pytest.mark.parametrize(
    ("servers", "scv", "row"),
    [(5, 4.0, "4.0"), (5, 1.5, "1.5"), (5, 0.5, "0.5")],
)
def test_kimura_table(shared, servers, scv, row):
    """Kimura (1994), QUESTA 17, table 1: to the table's rounding and 2.5 %."""
    cases = json.loads((shared / "cases" / "health.json").read_text())["cases"]
    table = next(c for c in cases if c["id"] == "kimura_mgc")["expected"]["Lq_kimura"][row]
    for ratio, published in zip((0.9, 0.7, 0.5, 0.3), table, strict=True):
        got = queues.mgc(ratio * servers, 1.0, servers, scv, method="kimura").number_waiting
        assert abs(got - published) <= 0.005 + 0.025 * published


def test_whitt_factor_by_hand():
    """Whitt (1993), eq. 2.24, worked out on paper for c = 4, rho = 0.8."""
    g = min(0.24, 0.2 * 3 * (math.sqrt(24) - 2) / (16 * 4 * 0.8))
    high, low = 1 + g, (1 - 4 * g) * math.exp(-2 * 0.2 / (3 * 0.8))
    assert whitt_factor(0.8, 4.0, 1.0, 1.0) == pytest.approx(1.0, rel=1e-14)
    assert whitt_factor(0.8, 4.0, 1.0, 0.0) == pytest.approx(high, rel=1e-14)
    assert whitt_factor(0.8, 4.0, 0.0, 1.0) == pytest.approx(
        0.5 * (low + ((high + low) / 2)), rel=1e-14
    )
    assert whitt_factor(0.8, 4.0, 2.0, 1.0) == pytest.approx((4 * high + 1) / 5, rel=1e-14)


def test_klb_by_hand():
    assert klb_factor(0.5, 0.0, 1.0) == pytest.approx(math.exp(-2 / 3), rel=1e-14)
    assert klb_factor(0.5, 3.0, 0.5) == pytest.approx(math.exp(-0.5 * 2 / 5), rel=1e-14)


@pytest.mark.parametrize("method", ["auto", "kimura", "cosmetatos", "boxma"])
def test_every_method_is_exact_where_it_must(method):
    for servers in (1, 2, 7):
        markov = queues.mmc(0.8 * servers, 1.0, servers).waiting_time
        got = queues.mgc(0.8 * servers, 1.0, servers, 1.0, method=method).waiting_time
        assert got == pytest.approx(markov, rel=1e-12)
        constant = queues.mdc(0.8 * servers, 1.0, servers).waiting_time
        got = queues.mgc(0.8 * servers, 1.0, servers, 0.0, method=method).waiting_time
        assert got == pytest.approx(constant, rel=2e-2 if method == "kimura" else 1e-12)
    one = queues.mgc(0.8, 1.0, 1, 3.0, method=method).waiting_time
    assert one == pytest.approx(queues.mg1(0.8, 1.0, 3.0).waiting_time, rel=1e-11)


@pytest.mark.parametrize("method", ["kimura", "cosmetatos", "boxma"])
@pytest.mark.parametrize("scv", [0.3, 0.5, 2.0, 4.0])
def test_formulas_against_the_chain(method, scv):
    """M/Ph/2: the errors that Kimura (1986) and Tijms (1994) report are a few percent."""
    _, wait = oracle.phase_station(0.7, 2, 1.0, scv, 130)
    got = queues.mgc(1.4, 1.0, 2, scv, method=method).waiting_time
    limit = {"kimura": 0.02, "boxma": 0.03, "cosmetatos": 0.02 if scv <= 1 else 0.12}[method]
    assert got == pytest.approx(wait, rel=limit)


@given(loads, st.floats(0.2, 80.0), scvs, scvs)
def test_formula_laws(ratio, servers, arrival_scv, service_scv):
    """Positive, finite below saturation, and free of the time unit."""
    got = queues.gigc(ratio * servers, 1.0, servers, arrival_scv, service_scv, method="formula")
    assert 0.0 <= got.waiting_time < np.inf
    assert 0.0 <= got.wait_probability <= 1.0
    days = queues.gigc(
        24 * ratio * servers, 1 / 24, servers, arrival_scv, service_scv, method="formula"
    )
    assert days.waiting_time * 24 == pytest.approx(got.waiting_time, rel=1e-9)
    assert got.number_waiting == pytest.approx(ratio * servers * got.waiting_time, rel=1e-12)


@given(loads, st.floats(0.5, 60.0))
def test_poisson_and_exponential_is_erlang(ratio, servers):
    formula = queues.gigc(ratio * servers, 1.0, servers, method="formula")
    exact = queues.mmc(ratio * servers, 1.0, servers)
    assert formula.waiting_time == pytest.approx(exact.waiting_time, rel=1e-12)
    assert formula.wait_probability == pytest.approx(exact.wait_probability, rel=1e-12)


def test_heavy_traffic_and_idle_limits():
    for ca, cs in ((0.3, 2.0), (3.0, 0.5), (0.0, 1.0)):
        for servers in (1, 3, 30):
            busy = queues.gigc((1 - 1e-7) * servers, 1.0, servers, ca, cs, method="formula")
            markov = queues.mmc((1 - 1e-7) * servers, 1.0, servers)
            assert busy.waiting_time / markov.waiting_time == pytest.approx((ca + cs) / 2, rel=1e-5)
    assert queues.gigc(0.0, 1.0, 2, 2.0, 2.0).waiting_time == 0.0
    assert queues.gigc(3.0, 1.0, np.inf, 2.0, 2.0).number_present == 3.0
    over = queues.gigc(2.0, 1.0, 2, 2.0, 2.0)
    assert np.isinf(over.waiting_time)
    assert over.overloaded == 1.0
    assert np.isinf(queues.mg1_wait_moments(1.0, 1.0).second_moment)
