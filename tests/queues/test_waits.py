"""P(W > t), percentiles: closed forms, sums of gamma laws, matrix exponentials, simulation."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, linalg, stats

from flownet import queues
from flownet.queues.inversion import mg1_wait_tail_scalar
from oracles import station_chains as oracle


@given(st.floats(0.5, 40.0), st.floats(0.1, 0.99), st.floats(0.0, 50.0))
def test_markov_closed_form(servers, ratio, time):
    load = ratio * servers
    exact = float(queues.erlang_c(servers, load)) * math.exp(-(servers - load) * time)
    assert queues.wait_tail(load, 1.0, servers, time) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("rate", "servers", "places"), [(5.0, 4, 10), (3.0, 4, 9), (90.0, 90, 300)]
)
def test_limited_room_by_gamma_laws(rate, servers, places):
    """Who finds c + j present waits for j + 1 departures: a gamma law."""
    p = [float(x) for x in oracle.birth_death(rate, 1.0, servers, places).probabilities]
    for time in (0.0, 0.1, 1.0, 3.0):
        exact = sum(
            p[n] * stats.gamma.sf(time, n - servers + 1, scale=1 / servers)
            for n in range(servers, places)
        ) / (1 - p[places])
        got = queues.wait_tail(rate, 1.0, servers, time, capacity=places)
        assert got == pytest.approx(exact, rel=1e-10, abs=1e-15)


@mp.workdps(30)
def impatient_tail(rate, servers, patience, places, time):
    """P(W > t) of all admitted and of the served: stages one by one, by matrix exponentials."""
    chain = oracle.birth_death(rate, 1.0, servers, places, patience)
    leave = 1 / mp.mpf(patience)
    everyone = served = mp.mpf(0)
    share = mp.fsum(chain.probabilities[:servers])
    for j in range(places - servers):
        # the stages ahead take rates c mu + j theta, ..., c mu; the job itself gives up at theta
        rates = [servers + i * leave for i in range(j, -1, -1)]
        steps = mp.zeros(j + 2)
        for i, r in enumerate(rates):
            steps[i, i] = -(r + leave)
            steps[i, i + 1] = r
        law = mp.expm(steps * time)
        p = chain.probabilities[servers + j]
        everyone += p * mp.fsum(law[0, i] for i in range(j + 1))
        total = mp.mpf(1)
        for r in rates:
            total *= r / (r + leave)
        share += p * total
        served += p * (total - law[0, j + 1])
    return everyone / (1 - chain.full), served / share


@pytest.mark.parametrize("time", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("patience", [0.3, 4.0])
def test_patience_by_matrix_exponentials(time, patience):
    everyone, served = impatient_tail(3.5, 3, patience, 9, time)
    got = queues.wait_tail(3.5, 1.0, 3, time, patience=patience, capacity=9)
    assert got == pytest.approx(float(everyone), rel=1e-11)
    got = queues.wait_tail(3.5, 1.0, 3, time, patience=patience, capacity=9, of="served")
    assert got == pytest.approx(float(served), rel=1e-11)


@pytest.mark.parametrize("ratio", [0.7, 1.0, 1.5])
@pytest.mark.parametrize("of", ["admitted", "served"])
def test_patience_by_sums_and_by_integrals(ratio, of):
    times = np.array([0.0, 0.05, 0.3, 1.0, 2.5])
    sums = queues.wait_tail(ratio * 20, 1.0, 20, times, patience=1.5, of=of)
    integrals = queues.wait_tail(
        ratio * 20, 1.0, 20, times, patience=1.5, patience_scv=1 + 1e-13, of=of
    )
    assert integrals == pytest.approx(sums, rel=1e-8, abs=1e-14)
    means = queues.erlang_a(ratio * 20, 1.0, 20, 1.5)
    mean = means.waiting_time if of == "served" else means.waiting_time_all
    fine = np.linspace(0.0, 20.0, 4001)
    tail = queues.wait_tail(ratio * 20, 1.0, 20, fine, patience=1.5, of=of)
    assert integrate.trapezoid(tail, fine) == pytest.approx(mean, rel=1e-3)


@pytest.mark.parametrize("scv", [0.3, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("ratio", [0.3, 0.9])
def test_one_server_by_matrix_exponentials(scv, ratio):
    """M/Ph/1: W is phase-type with (rho alpha_e, T + rho t alpha_e) (Neuts 1981)."""
    alpha, T = (np.array(x) for x in oracle.phases(scv))
    rest = np.linalg.solve(-T.T, alpha)
    law = T + ratio * np.outer(-T.sum(axis=1), rest)
    for time in (0.01, 0.7, 5.0, 30.0):
        exact = ratio * (rest @ linalg.expm(law * time)).sum()
        assert mg1_wait_tail_scalar(ratio, 1.0, scv, 0.0, time) == pytest.approx(exact, abs=1e-10)


@mp.workdps(60)
def constant_tail(ratio, time):
    """M/D/1 (Erlang 1909), an alternating sum."""
    ratio, time = mp.mpf(ratio), mp.mpf(time)
    terms = [
        (ratio * (k - time)) ** k / mp.factorial(k) * mp.exp(-ratio * (k - time))
        for k in range(int(time) + 1)
    ]
    return 1 - (1 - ratio) * mp.fsum(terms)


@pytest.mark.parametrize("time", [0.3, 0.9, 1.3, 4.0, 12.5])
def test_constant_service(time):
    for ratio in (0.3, 0.9):
        got = queues.wait_tail(ratio, 1.0, 1, time, service_scv=0.0)
        assert got == pytest.approx(float(constant_tail(ratio, time)), abs=1e-6)


@pytest.mark.parametrize("law", ["gamma", "inverse_gaussian", "phases"])
def test_one_server_tail_adds_up_to_the_mean(law):
    times = np.linspace(1e-6, 120.0, 6001)
    tail = queues.wait_tail(0.7, 1.0, 1, times, service_scv=1.8, law=law)
    mean = queues.mg1(0.7, 1.0, 1.8).waiting_time
    assert integrate.trapezoid(tail, times) == pytest.approx(mean, rel=2e-3)


def test_fitted_tail_keeps_the_mean():
    times = np.linspace(0.0, 60.0, 30_001)
    tail = queues.wait_tail(8.0, 1.0, 10, times, arrival_scv=2.0, service_scv=0.5)
    measures = queues.gigc(8.0, 1.0, 10, 2.0, 0.5)
    assert tail[0] == pytest.approx(measures.wait_probability, rel=1e-12)
    assert integrate.trapezoid(tail, times) == pytest.approx(measures.waiting_time, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("arrival_scv", "service_scv"), [(1.0, 2.0), (2.0, 0.5), (0.5, 0.5)])
def test_fitted_percentile_against_simulation(arrival_scv, service_scv):
    """Five servers at load 0.9: the 95th percentile within 6 % (the bar) and 4 errors."""
    found = []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        waits = oracle.simulated_waits(
            oracle.sampled(generator, arrival_scv, 60_000) / 4.5,
            oracle.sampled(generator, service_scv, 60_000),
            5,
        )
        found.append(np.quantile(waits[6_000:], 0.95))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    got = queues.wait_percentile(
        4.5, 1.0, 5, 0.95, arrival_scv=arrival_scv, service_scv=service_scv
    )
    assert abs(got - np.mean(found)) < 0.06 * got + 4 * error


@given(
    st.floats(0.3, 0.97), st.floats(0.05, 0.999), st.sampled_from(["mmc", "mmck", "mmcm", "mg1"])
)
def test_percentiles_invert_the_tail(ratio, share, station):
    options = {
        "mmc": {},
        "mmck": {"capacity": 12},
        "mmcm": {"patience": 1.3},
        "mg1": {"service_scv": 2.0},
    }[station]
    servers = 1 if station == "mg1" else 5
    time = queues.wait_percentile(ratio * servers, 1.0, servers, share, **options)
    tail = queues.wait_tail(ratio * servers, 1.0, servers, time, **options)
    if time == 0.0:
        assert tail <= 1 - share
    else:
        assert tail == pytest.approx(1 - share, abs=1e-9)


def test_percentile_of_markov():
    exact = math.log(float(queues.erlang_c(3, 2.4)) / 0.05) / 0.6
    assert queues.wait_percentile(2.4, 1.0, 3, 0.95) == pytest.approx(exact, rel=1e-12)
    assert queues.wait_percentile([2.4, 3.1], 1.0, 3, [0.2, 0.5]).tolist() == [0.0, np.inf]


def test_constant_patience_cuts_the_wait():
    tail = queues.wait_tail(30.0, 1.0, 10, [0.99, 1.01], patience=1.0, patience_scv=0.0)
    assert tail[0] > 0.5
    assert tail[1] == 0.0
    assert queues.wait_percentile(
        30.0, 1.0, 10, 0.9, patience=1.0, patience_scv=0.0
    ) == pytest.approx(1.0, rel=1e-9)
