"""The law of the time in the system against closed forms, quadrature and the exact chain."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import lognorm, weibull_min

from flownet.kernels.blocking_compressed import solve_compressed
from flownet.kernels.blocking_full import solve_blocking
from flownet.kernels.compiled import (
    DELAY,
    LOGNORMAL,
    LOST,
    OVERFLOW,
    PRIORITY,
    PROCESSOR_SHARING,
    WAIT_OUTSIDE,
    WEIBULL,
)
from flownet.kernels.decomposition import solve_decomposition
from flownet.kernels.exact import solve_exact
from flownet.kernels.exact_followed import time_in_system
from flownet.kernels.journey import (
    make_chain,
    moments,
    served_within,
    starting_weights,
    time_transforms,
)
from flownet.kernels.journey_laws import service_transforms, third_moments
from flownet.kernels.product_form import solve_product_form
from flownet.network.distributions import two_moment_law
from flownet.queues import erlang_c, wait_tail
from oracles.compiled_networks import build


def within(network, times, solve=solve_product_form, *, outside=False, **options):
    measures = solve(network, **options)
    chain = make_chain(network, measures)
    weights = starting_weights(chain, network, measures)
    return served_within(chain, weights, np.array(times, dtype=float), outside=outside)


def moments_of(network, solve=solve_product_form, *, outside=False, **options):
    measures = solve(network, **options)
    chain = make_chain(network, measures)
    return moments(chain, starting_weights(chain, network, measures), outside=outside)


def test_two_single_servers_in_a_row():
    """Independent exponential times at rates mu - lambda (Reich 1957): a hypoexponential sum."""
    network = build([0.5, 0.8], external=[1.0, 0.0], routing=[[0, 1], [0, 0]])
    a, b = 1.0, 0.25
    times = np.array([0.5, 2.0, 10.0, 40.0])
    exact = 1 - (b * np.exp(-a * times) - a * np.exp(-b * times)) / (b - a)
    assert within(network, times)[0] == pytest.approx(exact, abs=3e-8)
    found = moments_of(network)
    assert found.mean[0] == pytest.approx(1 / a + 1 / b, rel=1e-12)
    assert found.variance[0] == pytest.approx(1 / a**2 + 1 / b**2, rel=1e-12)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.9), (3, 2.4), (20, 15.0)])
def test_several_servers(servers, load):
    """M/M/c: (1 - C) service alone, C service after an exponential wait at c mu - lambda."""
    network = build([load], external=[1.0], servers=[servers])
    chance, fast, slow = float(erlang_c(servers, load)), 1 / load, servers / load - 1.0
    times = load * np.array([0.2, 1.0, 4.0])
    if servers == 1:
        exact = 1 - np.exp(-slow * times)
    else:
        late = (slow * np.exp(-fast * times) - fast * np.exp(-slow * times)) / (slow - fast)
        exact = 1 - (1 - chance) * np.exp(-fast * times) - chance * late
    assert within(network, times)[0] == pytest.approx(exact, abs=3e-8)


def test_a_geometric_number_of_exponential_visits_is_exponential():
    """Endless servers, return with 0.75: the sum of visits is exponential with mean s / (1 - q)."""
    network = build([2.0], external=[1.0], routing=[[0.75]], servers=[np.inf])
    times = np.array([1.0, 8.0, 30.0])
    assert within(network, times)[0] == pytest.approx(1 - np.exp(-times / 8.0), abs=3e-8)


def test_visits_that_hardly_ever_end_are_solved_by_elimination():
    """As above, with 10,000 visits on average, in a ring of two services."""
    network = build(
        [1.0, 1.0], external=[1.0, 0], routing=[[0, 1.0], [0.9999, 0]], servers=[np.inf, np.inf]
    )
    found = within(network, [2e4 * math.log(2)])[0, 0]
    assert found == pytest.approx(0.5, abs=1e-4)
    assert moments_of(network).mean[0] == pytest.approx(2e4, rel=1e-9)


def test_a_transfer_lies_between_two_visits():
    """Three exponential times in a row at rates 1, 1/2, 1/3."""
    network = build(
        [1.0, 3.0], external=[1.0, 0.0], routing=[[0, 1], [0, 0]], servers=[np.inf] * 2,
        transfer_delay=[[0, 2.0], [0, 0]],
    )  # fmt: skip
    rates, times = np.array([1.0, 1 / 2, 1 / 3]), np.array([1.0, 6.0, 15.0])
    exact = 1.0
    for k in range(3):
        rest = np.delete(rates, k)
        exact = exact - np.prod(rest / (rest - rates[k])) * np.exp(-rates[k] * times)
    assert within(network, times)[0] == pytest.approx(exact, abs=3e-8)


@pytest.mark.parametrize("scv", [0.25, 3.0])
def test_general_service_at_one_server(scv):
    """Pollaczek and Khinchine: P(W <= t - s) by `queues.wait_tail`, integrated over service."""
    law = two_moment_law(0.8, scv)
    parameters = np.array([[[*law.parameters, 0.0][:3]]])
    network = build([0.8], external=[1.0], service_scv=[scv], family=[[law.family]])
    network = network._replace(service_parameters=parameters)
    found = within(network, [1.0, 4.0], solve_decomposition)[0]
    for time, share in zip([1.0, 4.0], found, strict=True):

        def waited(s, time=time):
            return 1.0 - float(wait_tail(1.0, 0.8, 1, time - s, service_scv=scv))

        exact = quad(lambda s: waited(s) * _density(s, 0.8, scv), 0, time, limit=60)[0]
        assert share == pytest.approx(exact, abs=1e-5)


def _density(s, mean, scv):
    """Balanced hyperexponential for scv 3; Erlang with four phases for scv 1/4."""
    if scv < 1:
        rate = 4.0 / mean
        return rate * (rate * s) ** 3 / 6.0 * math.exp(-rate * s)
    p = 0.5 * (1.0 + math.sqrt((scv - 1.0) / (scv + 1.0)))
    first, second = 2 * p / mean, 2 * (1 - p) / mean
    return p * first * math.exp(-first * s) + (1 - p) * second * math.exp(-second * s)


def test_processor_sharing():
    """M/M/1-PS: E[T] = s/(1-rho); Var = E[T]^2 (2+rho)/(2-rho) (Ott 1984, J. Appl. Probab. 21)."""
    network = build([0.8], external=[1.0], discipline=[PROCESSOR_SHARING])
    found = moments_of(network)
    assert found.mean[0] == pytest.approx(4.0, rel=1e-12)
    assert found.variance[0] == pytest.approx(16.0 * 2.8 / 1.2, rel=1e-12)
    density = np.diff(within(network, np.linspace(0.05, 300.0, 6000))[0])
    middle = np.linspace(0.05, 300.0, 6000)[:-1] + 0.025
    assert (density * middle).sum() == pytest.approx(4.0, rel=0.01)


def test_constant_service_and_endless_servers():
    """A constant stay of 3, then an exponential one of mean 1: shifted exponential."""
    network = build(
        [3.0, 1.0], external=[1.0, 0.0], routing=[[0, 1], [0, 0]], servers=[np.inf] * 2,
        service_scv=[0.0, 1.0], discipline=[DELAY, DELAY],
    )  # fmt: skip
    assert within(network, [2.5, 4.0, 6.0])[0] == pytest.approx(
        [0.0, 1 - math.exp(-1), 1 - math.exp(-3)], abs=2e-4
    )


def test_histograms_stand_for_lognormal_and_weibull_laws():
    """The transform against quadrature of the density; third moments against scipy."""
    sigma = math.sqrt(math.log(2.5))
    mu = math.log(2.0) - sigma**2 / 2
    laws = [lognorm(sigma, scale=math.exp(mu)), weibull_min(1.5, scale=2.0)]
    network = build([2.0, laws[1].mean()], family=[[LOGNORMAL], [WEIBULL]])
    parameters = np.array([[[mu, sigma, 0.0]], [[1.5, 2.0, 0.0]]])
    network = network._replace(service_parameters=parameters)
    found = service_transforms(network, np.array([0.3 + 0.5j, 2.0 + 3.0j]))
    for k, law in enumerate(laws):
        for j, z in enumerate((0.3 + 0.5j, 2.0 + 3.0j)):

            def part(x, law=law, z=z):
                return math.exp(-z.real * x) * math.cos(z.imag * x) * law.pdf(x)

            assert found[k, j].real == pytest.approx(quad(part, 0, 60, limit=300)[0], abs=3e-4)
        assert third_moments(network)[k] == pytest.approx(law.moment(3), rel=1e-9)


def followed(network, times, service=0, job_class=0, **options):
    return time_in_system(network, service, job_class, at=times, **options)


def test_a_bounded_room_agrees_with_the_followed_job():
    network = build([1.8], external=[1.0], servers=[2], capacity=[6])
    times = [1.0, 4.0, 9.0]
    exact = followed(network, times)
    assert within(network, times, solve_decomposition)[0] == pytest.approx(
        exact.left / exact.served, abs=1e-7
    )
    assert moments_of(network, solve_decomposition).variance[0] == pytest.approx(
        exact.variance, rel=1e-6
    )


def test_patience_agrees_with_the_followed_job():
    network = build([1.8], external=[1.0], servers=[2], patience=[3.0])
    times = [1.0, 4.0, 9.0]
    exact = followed(network, times, truncation_mass=1e-10)
    assert within(network, times, solve_decomposition)[0] == pytest.approx(
        exact.left / exact.served, abs=1e-6
    )


def test_ranks_agree_with_the_followed_job():
    """Non-preemptive, two classes, two servers (exact: Kella and Yechiali 1985)."""
    network = build(
        [[1.0, 1.0]], external=[[0.4, 0.5]], servers=[2], discipline=[PRIORITY],
        priority=[[1, 2]],
    )  # fmt: skip
    times = [0.5, 2.0, 5.0]
    found = within(network, times, solve_decomposition)
    for k in range(2):
        exact = followed(network, times, 0, k, truncation_mass=1e-6, max_states=200_000)
        assert found[k] == pytest.approx(exact.left / exact.served, abs=2e-5)


def test_what_overflows_is_followed_to_where_it_is_served():
    """Primary group M/M/1/1, overflow to one of two servers without waiting room."""
    network = build(
        [1.0, 3.0], external=[1.0, 0.0], servers=[1, 2], capacity=[1, 2],
        external_when_full=[OVERFLOW, LOST], overflow_to=[1, -1], when_full=[0, 1],
    )  # fmt: skip
    times = [1.0, 3.0]
    exact = followed(network, times)
    found = within(network, times, solve_exact_measures)[0]
    assert found == pytest.approx(exact.left / exact.served, abs=1e-6)


def solve_exact_measures(network):
    return solve_exact(network).measures


def line(entry, servers=(2, 1)):
    """Two services in a row with little room between them."""
    return build(
        [1.0, 0.7], external=[0.8, 0.0], routing=[[0, 1], [0, 0]], servers=servers,
        capacity=[servers[0] + 1, servers[1]], external_when_full=[entry, LOST],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "solve", "bar"),
    [
        (LOST, solve_blocking, 0.01),
        (WAIT_OUTSIDE, solve_blocking, 0.01),
        (LOST, solve_compressed, 0.03),
        (WAIT_OUTSIDE, solve_compressed, 0.03),
    ],
)
def test_blocking_agrees_with_the_followed_job(entry, solve, bar):
    """P(T <= t), with the time outside where jobs wait there."""
    network = line(entry)
    times = [1.0, 2.0, 4.0, 8.0]
    exact = followed(network, times, truncation_mass=1e-7)
    found = within(network, times, solve, outside=True)[0]
    assert found == pytest.approx(exact.left / exact.served, abs=bar)


def test_the_exact_measures_of_blocking_give_the_exact_mean():
    """By Little's law the mean is that of the numbers, whatever the shapes of the waits."""
    network = line(LOST)
    exact = followed(network, [1.0])
    assert moments_of(network, solve_exact_measures).mean[0] == pytest.approx(exact.mean, rel=1e-8)


def test_waits_for_a_place_in_transit_count():
    """A ward of one place that is reached by a transfer: waits in transit, in both senses exact."""
    network = build(
        [0.5, 0.9], external=[0.6, 0.0], routing=[[0, 1], [0, 0]], servers=[np.inf, 1],
        capacity=[np.inf, 1], transfer_delay=[[0, 0.3], [0, 0]],
    )  # fmt: skip
    times = [1.0, 3.0, 6.0]
    exact = followed(network, times, truncation_mass=1e-6, max_states=100_000)
    found = within(network, times, solve_compressed)[0]
    assert found == pytest.approx(exact.left / exact.served, abs=0.03)


@pytest.mark.parametrize("room", [1, 2, 4])
def test_a_line_stands_still_while_its_server_is_blocked(room):
    """Most wait for service alone, few for long: steps of one law are off by 0.015 at most."""
    network = build(
        [0.6, 3.0], external=[1.0, 0.0], routing=[[0, 0.4], [0, 0]], servers=[1, 2],
        capacity=[1 + room, 3],
    )  # fmt: skip
    times = [0.3, 0.6, 1.2, 3.0, 8.0]
    exact = followed(network, times)
    found = within(network, times, solve_exact_measures)[0]
    assert found == pytest.approx(exact.left / exact.served, abs=0.005)


def before_blocking():
    """One server that is often blocked, jobs waiting outside."""
    return build(
        [0.5, 3.2], external=[1.0, 0.0], routing=[[0, 0.4], [0, 0]], servers=[1, 2],
        capacity=[3, 3], external_when_full=[WAIT_OUTSIDE, LOST],
    )  # fmt: skip


def test_who_has_waited_outside_is_blocked_more_often():
    """Within 0.02: without that, the median is off by 0.03."""
    network = before_blocking()
    times = [0.3, 0.8, 2.5, 6.0, 15.0]
    exact = followed(network, times, truncation_mass=1e-6)
    found = within(network, times, solve_exact_measures, outside=True)[0]
    assert found == pytest.approx(exact.left / exact.served, abs=0.02)


def test_the_variance_is_that_of_the_law():
    """By the second difference of the transform at zero, extrapolated."""
    network = before_blocking()
    measures = solve_exact_measures(network)
    chain = make_chain(network, measures)
    weights = starting_weights(chain, network, measures)
    found = moments(chain, weights, outside=True)
    h = 1e-3 / found.mean[0]
    z = np.array([0.0, 1j * h, 2j * h])
    law = time_transforms(chain, weights, z, outside=True)[0]
    one, two = 2.0 * (1.0 - (law[1:] / law[0]).real) / np.array([h, 2.0 * h]) ** 2
    square = (4.0 * one - two) / 3.0
    assert found.variance[0] == pytest.approx(square - found.mean[0] ** 2, rel=1e-4)
