"""The simulator at single stations, against closed forms.

Tolerance everywhere: 4.5 standard errors from 30 batch means, each far longer than the relaxation
time; with 29 degrees of freedom one comparison in ten thousand would fail by chance, and the seeds
are fixed.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from flownet.kernels import compiled as code
from flownet.kernels.simulation import measures, simulate_once
from flownet.kernels.simulation_tallies import SKETCH_RELATIVE_ERROR, quantile
from oracles.compiled_networks import build
from oracles.simulated_cases import interval, of_class
from oracles.stations import erlang_b, erlang_c, number_waiting

ERRORS = 4.5


def run(network, visits=300_000, seed=1, **options):
    """Simulate for about so many arrivals, after a warm-up of a twentieth."""
    length = visits / network.external_arrival_rate.sum()
    return simulate_once(
        network, horizon=1.05 * length, warmup=0.05 * length, seed=seed, batches=30, **options
    )


def agrees(numerator, denominator, truth):
    value, error = interval(np.asarray(numerator, float), np.asarray(denominator, float))
    assert abs(value - truth) <= ERRORS * error, (value, truth, error)
    assert error <= 0.1 * abs(truth)  # the comparison says something


def with_law(network, family, parameters, mean, samples=()):
    """Give every state the same law of the service time."""
    shape = network.service_time.shape
    table = np.zeros((*shape, 3))
    table[..., : len(parameters)] = parameters
    return network._replace(
        service_time=np.full(shape, mean),
        service_family=np.full(shape, family, np.int64),
        service_parameters=table,
        samples=np.array(samples, np.float64),
    )


# (family, parameters, E[S], E[S^2], samples); moments from the laws' textbook formulas
LAWS = {
    "exponential": (code.EXPONENTIAL, (1.0,), 1.0, 2.0, ()),
    "deterministic": (code.DETERMINISTIC, (1.0,), 1.0, 1.0, ()),
    "erlang 3": (code.ERLANG, (3.0, 1.0), 1.0, 4.0 / 3.0, ()),
    "erlang 9": (code.ERLANG, (9.0, 1.0), 1.0, 10.0 / 9.0, ()),
    "hyperexponential": (code.HYPEREXPONENTIAL, (0.25, 2.0, 2.0 / 3.0), 1.0, 8.0 / 3.0, ()),
    "mixed erlang": (code.MIXED_ERLANG, (0.4, 2.0, 1.6), 1.0, (0.4 * 2 + 0.6 * 6) / 1.6**2, ()),
    "gamma below 1": (code.GAMMA, (0.5, 2.0), 1.0, 3.0, ()),
    "gamma above 1": (code.GAMMA, (2.5, 0.4), 1.0, 1.4, ()),
    "lognormal": (code.LOGNORMAL, (-0.125, 0.5), 1.0, math.exp(0.25), ()),
    "weibull": (code.WEIBULL, (2.0, 2.0 / math.sqrt(math.pi)), 1.0, 4.0 / math.pi, ()),
    "uniform": (code.UNIFORM, (0.5, 1.5), 1.0, 1.0 + 1.0 / 12.0, ()),
    "triangular": (code.TRIANGULAR, (0.0, 1.0, 2.0), 1.0, 1.0 + 1.0 / 6.0, ()),
    "empirical": (code.EMPIRICAL, (1.0, 3.0), 1.0, 4.5 / 3.0, (9.0, 0.5, 0.5, 2.0, 9.0)),
    # Coxian: rate 2, on with probability 1/2 to rate 1; E[S] = 1/2 + 1/2, E[S^2] = 1/2+1/2+1
    "phase type": (code.PHASE_TYPE, (0.0, 2.0), 1.0, 2.0, (1.0, 0.0, -2.0, 1.0, 0.0, -1.0)),
}


@pytest.mark.parametrize("name", LAWS)
def test_one_server_has_the_wait_of_pollaczek_and_khinchine(name):
    family, parameters, mean, square, samples = LAWS[name]
    rate = 0.6
    t = run(with_law(build([1.0], external=rate), family, parameters, mean, samples)).tallies
    wait = rate * square / (2.0 * (1.0 - rate * mean))
    agrees(of_class(t, "waiting_time", 0), of_class(t, "starts", 0), wait)
    agrees(of_class(t, "waiting", 0), t.length, rate * wait)
    value, error = interval(of_class(t, "in_service", 0), t.length)
    assert abs(value - rate * mean) <= ERRORS * error


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (3, 2.4), (20, 17.0)])
def test_several_servers_have_the_wait_of_erlang(servers, load):
    t = run(build([1.0], external=load, servers=servers)).tallies
    agrees(of_class(t, "waiting", 0), t.length, number_waiting(servers, load))
    agrees(t.delayed_admissions.sum((1, 2)), t.admissions.sum((1, 2)), erlang_c(servers, load))


@pytest.mark.parametrize("name", ["exponential", "lognormal", "deterministic", "hyperexponential"])
def test_the_loss_of_full_servers_depends_on_the_mean_alone(name):
    family, parameters, mean, _, samples = LAWS[name]
    network = build([1.0], external=6.0, servers=8, capacity=8)
    t = run(with_law(network, family, parameters, mean, samples)).tallies
    agrees(of_class(t, "losses", 0), of_class(t, "arrivals", 0), erlang_b(8, 6.0))
    agrees(t.full[:, 0], t.length, erlang_b(8, 6.0))


def birth_death(arrival, death, states):
    """Return the probabilities of 0, 1, … states-1 from the balance of each two neighbors."""
    weight = np.ones(states)
    for n in range(1, states):
        weight[n] = weight[n - 1] * arrival / death(n)
    return weight / weight.sum()


def test_a_limited_waiting_room():
    p = birth_death(2.2, lambda n: min(n, 2), 6)
    t = run(build([1.0], external=2.2, servers=2, capacity=5)).tallies
    agrees(of_class(t, "losses", 0), of_class(t, "arrivals", 0), p[5])
    agrees(of_class(t, "waiting", 0), t.length, p[3] + 2 * p[4] + 3 * p[5])


def test_impatient_jobs_as_in_erlang_a():
    patience = 2.0
    p = birth_death(3.5, lambda n: min(n, 3) + max(n - 3, 0) / patience, 80)
    queue = sum(max(n - 3, 0) * p[n] for n in range(80))
    t = run(build([1.0], external=3.5, servers=3, patience=patience)).tallies
    agrees(of_class(t, "waiting", 0), t.length, queue)
    agrees(of_class(t, "abandonments", 0), t.length, queue / patience)
    agrees(of_class(t, "completions", 0), t.length, 3.5 - queue / patience)


@pytest.mark.parametrize("scv", [0.0, 0.3, 0.5, 3.0])
def test_renewal_arrivals_have_their_two_moments(scv):
    # a source in front of infinitely many servers that take no time: the trace shows the arrivals
    network = with_law(build([1.0], external=0.5, servers=np.inf, arrival_scv=scv), 1, (0.0,), 0.0)
    made = run(network, visits=40_000, trace_rows=50_000)
    gaps = np.diff(made.trace.arrived)
    assert abs(gaps.mean() - 2.0) <= ERRORS * 2.0 * math.sqrt(scv / gaps.size) + 1e-9
    squares = (gaps - 2.0) ** 2
    error = squares.std() / math.sqrt(gaps.size)
    assert abs(squares.mean() - 4.0 * scv) <= ERRORS * error + 1e-9


def test_hyperexponential_arrivals_at_one_server():
    # H2/M/1: W_q = s / (1 - s) with s the root of s = A*(1 - s), A* the transform of the gaps
    p = 0.5 * (1.0 + math.sqrt(2.0 / 4.0))
    rates = (2.0 * p * 0.6, 2.0 * (1.0 - p) * 0.6)
    s = 0.5
    for _ in range(500):
        s = p * rates[0] / (rates[0] + 1.0 - s) + (1.0 - p) * rates[1] / (rates[1] + 1.0 - s)
    t = run(build([1.0], external=0.6, arrival_scv=3.0), visits=300_000).tallies
    agrees(of_class(t, "waiting_time", 0), of_class(t, "starts", 0), s / (1.0 - s))
    agrees(of_class(t, "delayed_admissions", 0), of_class(t, "admissions", 0), s)


@pytest.mark.parametrize("name", ["exponential", "hyperexponential", "deterministic"])
def test_a_shared_server_depends_on_the_mean_alone(name):
    family, parameters, mean, _, samples = LAWS[name]
    network = build([1.0], external=0.7, discipline=code.PROCESSOR_SHARING)
    t = run(with_law(network, family, parameters, mean, samples)).tallies
    agrees(of_class(t, "waiting", 0) + of_class(t, "in_service", 0), t.length, 0.7 / 0.3)
    agrees(of_class(t, "in_service", 0), t.length, 0.7)
    agrees(of_class(t, "waiting_time", 0), of_class(t, "completions", 0), 1.0 / 0.3 - 1.0)


def test_two_and_a_half_shared_servers():
    # birth and death with rate min(n, 2.5)
    p = birth_death(1.9, lambda n: min(n, 2.5), 200)
    t = run(build([1.0], external=1.9, servers=2.5, discipline=code.PROCESSOR_SHARING)).tallies
    agrees(
        of_class(t, "waiting", 0) + of_class(t, "in_service", 0),
        t.length,
        (np.arange(200) * p).sum(),
    )


def test_everybody_is_served_at_once_where_the_discipline_is_delay():
    network = build([3.0], external=2.0, servers=1, discipline=code.DELAY)
    t = run(with_law(network, code.WEIBULL, (2.0, 6.0 / math.sqrt(math.pi)), 3.0)).tallies
    agrees(of_class(t, "in_service", 0), t.length, 6.0)
    assert t.waiting.sum() == 0.0


def test_the_times_of_one_server_are_exponential():
    # FCFS M/M/1: the time in the system is exponential with rate mu - lambda
    limits = np.array([0.5, 2.0, 8.0])
    made = run(build([1.0], external=0.6), visits=400_000, time_limits=limits)
    t = made.tallies
    left = t.left.sum((1, 2))
    for m, limit in enumerate(limits):
        agrees(t.within[:, 0, m], left, 1.0 - math.exp(-0.4 * limit))
    agrees(t.system_time[:, 0], left, 2.5)
    agrees(t.system_time_square[:, 0], left, 12.5)
    for probability in (0.1, 0.5, 0.9, 0.99):
        truth = -math.log(1.0 - probability) / 0.4
        # the times are correlated: their effective number is that of the mean's standard error
        _, error = interval(t.system_time[:, 0], left.astype(float))
        effective = (2.5 / error) ** 2
        spread = math.sqrt(probability * (1 - probability) / effective) / (0.4 * (1 - probability))
        error = ERRORS * spread + SKETCH_RELATIVE_ERROR * truth
        assert abs(quantile(made.sketch[0], probability) - truth) <= error


def test_measures_satisfy_little_and_flow_balance():
    made = run(build([1.0], external=1.7, servers=2, capacity=6))
    m = measures(made)
    admitted = m.arrival_rate[0, 0] - m.loss_rate[0, 0]
    # differences by the jobs that stand there at the ends of the run
    edge = 6.0 / made.tallies.length.sum()
    assert m.throughput[0, 0] == pytest.approx(admitted, abs=edge)
    assert m.number_waiting[0, 0] == pytest.approx(m.waiting_time[0, 0] * admitted, abs=60 * edge)
    assert m.status == 0
