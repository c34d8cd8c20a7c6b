"""Laws of the exact chain: networks that are the same in other words have the same figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from flownet.errors import MethodError, ParameterError
from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    DELAY,
    DETERMINISTIC,
    ERLANG,
    HYPEREXPONENTIAL,
    LOGNORMAL,
    LOST,
    MIXED_ERLANG,
    OVERFLOW,
    PHASE_TYPE,
    PRIORITY,
    PROCESSOR_SHARING,
    WAIT_OUTSIDE,
)
from flownet.kernels.exact import applicability, blocking_by_pair, solve_exact
from flownet.kernels.exact_size import estimate_states
from oracles.compiled_networks import build

SUMMED = (
    "arrival_rate",
    "throughput",
    "loss_rate",
    "overflow_rate",
    "abandonment_rate",
    "number_waiting",
    "number_in_service",
    "number_blocked",
    "number_held_in_transfer",
    "number_outside",
)
BY_SERVICE = ("wait_probability", "probability_full", "blocking_probability")


def compare(one, other, tolerance=1e-9):
    """Two networks of the same services have the same figures, summed over classes."""
    a, b = solve_exact(one), solve_exact(other)
    for name in SUMMED:
        x, y = getattr(a.measures, name).sum(axis=1), getattr(b.measures, name).sum(axis=1)
        assert x == pytest.approx(y, abs=tolerance), name
    for name in BY_SERVICE:
        x, y = getattr(a.measures, name), getattr(b.measures, name)
        assert x == pytest.approx(y, abs=tolerance), name
    assert a.found_full_rate == pytest.approx(b.found_full_rate, abs=tolerance)
    assert a.exchange_rate.sum() == pytest.approx(b.exchange_rate.sum(), abs=tolerance)
    assert a.in_transit.sum() == pytest.approx(b.in_transit.sum(), abs=tolerance)
    return a, b


@st.composite
def settings_of_two_services(draw):
    """Two services in a loop, with every rule, transfers and patience."""
    servers = [draw(st.integers(1, 2)) for _ in range(2)]
    return {
        "servers": servers,
        "capacity": [c + draw(st.integers(0, 1)) for c in servers],
        "routing": np.array([[draw(st.sampled_from([0.0, 0.2])), 0.7], [0.4, 0.0]]),
        "when_full": [draw(st.sampled_from([BLOCKED_AFTER_SERVICE, LOST, OVERFLOW])), 0],
        "external_when_full": [draw(st.sampled_from([LOST, OVERFLOW])), LOST],
        "overflow_to": [1, -1],
        "patience": draw(st.sampled_from([math.inf, 2.0])),
        "transfer_delay": draw(st.sampled_from([0.0, 0.0, 0.5])),
        "holds_server": True,
        "discipline": draw(st.sampled_from([0, PRIORITY, PROCESSOR_SHARING])),
    }


def as_allowed(given_):
    """Patience has no meaning where all share."""
    shared = given_["discipline"] == PROCESSOR_SHARING
    return {**given_, "patience": math.inf} if shared else given_


@given(settings_of_two_services())
@settings(max_examples=15)
def test_two_classes_that_are_alike_add_up_to_one(drawn):
    kwargs = as_allowed(drawn)
    one = build([1.0, 0.8], external=[0.9, 0.3], **kwargs)
    two = build(
        [[1.0, 1.0], [0.8, 0.8]],
        external=[[0.3, 0.6], [0.3, 0.0]],
        priority=[[0, 0], [0, 0]],
        **kwargs,
    )
    a, b = compare(one, two)
    assert a.states <= b.states


@given(settings_of_two_services())
@settings(max_examples=15)
def test_a_hyperexponential_of_equal_means_is_exponential(drawn):
    kwargs = as_allowed(drawn)
    one = build([1.0, 0.8], external=[0.9, 0.3], **kwargs)
    parameters = np.array([[[0.3, 1.0, 1.0]], [[0.5, 0.8, 0.8]]])
    two = build([1.0, 0.8], external=[0.9, 0.3], family=HYPEREXPONENTIAL, **kwargs)
    compare(one, two._replace(service_parameters=parameters))


@given(settings_of_two_services(), st.floats(0.01, 100.0))
@settings(max_examples=15)
def test_another_unit_of_time_scales_rates_and_times(drawn, unit):
    kwargs = as_allowed(drawn)
    one = build([1.0, 0.8], external=[0.9, 0.3], **kwargs)
    scaled = {
        **kwargs,
        "patience": kwargs["patience"] * unit,
        "transfer_delay": kwargs["transfer_delay"] * unit,
    }
    two = build([unit, 0.8 * unit], external=[0.9 / unit, 0.3 / unit], **scaled)
    a, b = solve_exact(one).measures, solve_exact(two).measures
    assert b.throughput * unit == pytest.approx(a.throughput, rel=1e-9)
    assert b.number_blocked == pytest.approx(a.number_blocked, rel=1e-9, abs=1e-12)
    assert b.waiting_time / unit == pytest.approx(a.waiting_time, rel=1e-9, abs=1e-12)


@given(settings_of_two_services())
@settings(max_examples=15)
def test_flows_balance_and_little_holds(drawn):
    result = solve_exact(build([1.0, 0.8], external=[0.9, 0.3], **as_allowed(drawn)))
    m = result.measures
    entered = m.arrival_rate - m.loss_rate - m.overflow_rate
    assert entered == pytest.approx(m.throughput + m.abandonment_rate, abs=1e-10)
    gone = result.exit_rate.sum() + m.loss_rate.sum() + m.abandonment_rate.sum()
    assert gone == pytest.approx(1.2, abs=1e-10)
    numbers = m.number_waiting + m.number_in_service + m.number_blocked + m.number_held_in_transfer
    spread = result.present @ np.arange(result.present.shape[1])
    assert numbers[:, 0] == pytest.approx(spread, abs=1e-10)
    if drawn["discipline"] != PROCESSOR_SHARING:
        assert m.number_in_service[:, 0] == pytest.approx(
            m.throughput[:, 0] * [1.0, 0.8], abs=1e-10
        )


def test_a_transfer_that_holds_the_server_is_a_second_phase_of_service():
    routing, places = [[0, 1.0], [0, 0]], {"servers": [2, 1], "capacity": [3, 1]}
    held = build(
        [0.7, 1.0],
        external=[1.3, 0],
        routing=routing,
        transfer_delay=0.7,
        holds_server=True,
        **places,
    )
    phased = build([1.4, 1.0], external=[1.3, 0], routing=routing, family=[[ERLANG], [0]], **places)
    parameters = phased.service_parameters.copy()
    parameters[0, 0] = [2, 1.4, 0]
    a = solve_exact(held).measures
    b = solve_exact(phased._replace(service_parameters=parameters)).measures
    assert a.throughput == pytest.approx(b.throughput, rel=1e-11)
    assert a.number_blocked == pytest.approx(b.number_blocked, rel=1e-11)
    together = a.number_in_service + a.number_held_in_transfer
    assert together == pytest.approx(b.number_in_service, rel=1e-11)


def test_a_transfer_without_server_is_a_visit_to_an_infinite_service():
    lone = build(
        [1.0, 1.0], external=[0.5, 0], servers=[1, 2], capacity=[4, 2],
        routing=[[0, 0.9], [0.3, 0]], transfer_delay=[[0, 0.6], [0, 0]],
    )  # fmt: skip
    visit = build(
        [1.0, 1.0, 0.6], external=[0.5, 0, 0], servers=[1, 2, np.inf], capacity=[4, 2, np.inf],
        routing=[[0, 0, 0.9], [0.3, 0, 0], [0, 1.0, 0]],
    )  # fmt: skip
    a, b = solve_exact(lone), solve_exact(visit)
    for name in ("throughput", "number_waiting", "number_in_service", "number_blocked"):
        x, y = getattr(a.measures, name)[:, 0], getattr(b.measures, name)[:2, 0]
        assert x == pytest.approx(y, abs=1e-9), name
    way = b.measures
    assert a.in_transit[0] == pytest.approx(way.number_in_service[2, 0], abs=1e-9)
    waiting = a.measures.number_outside.sum()
    assert waiting == pytest.approx(way.number_blocked[2, 0], abs=1e-9)


def test_phase_types_wait_as_pollaczek_and_khinchine_say():
    def wait(rate, mean, second):
        return rate * second / 2 / (1 - rate * mean)

    def network(rate, family, parameters, samples=()):
        one = build([1.0], external=rate, family=family)
        return one._replace(
            service_parameters=np.array([[parameters]], dtype=float), samples=np.array(samples)
        )

    p, k, rate = 0.4, 3, 2.5  # Erlang with 2 phases at probability p, 3 else
    mixed = (p * 2 + (1 - p) * 3) / rate, (p * 6 + (1 - p) * 12) / rate**2
    start, matrix = np.array([0.4, 0.6]), np.array([[-2.0, 1.0], [0.5, -1.5]])
    inverse = np.linalg.inv(-matrix)
    moments = (start @ inverse).sum(), 2 * (start @ inverse @ inverse).sum()
    samples = np.concatenate([start, matrix.ravel()])
    cases = [
        (network(0.6, ERLANG, [3, 1.0, 0]), 1.0, 1 + 1 / 3),
        (network(0.5, HYPEREXPONENTIAL, [0.9, 0.6, 4.6]), 1.0, 2 * (0.9 * 0.36 + 0.1 * 4.6**2)),
        (network(0.5, MIXED_ERLANG, [p, k, rate]), *mixed),
        (network(0.5, PHASE_TYPE, [0, 2, 0], samples), *moments),
    ]
    for one, mean, second in cases:
        rate = float(one.external_arrival_rate[0, 0])
        found = solve_exact(one).measures.waiting_time[0, 0]
        assert found == pytest.approx(wait(rate, mean, second), rel=1e-9)


def test_arrivals_by_two_moments_are_those_of_e2_m_1():
    # GI/M/1: W = s / (1 - s) for service rate 1, where s = A*(1 - s); Erlang-2 with mean 2
    root = 0.5
    for _ in range(200):
        root = (1 / (1 + (1 - root))) ** 2
    network = build([1.0], external=0.5, arrival_scv=0.5)
    found = solve_exact(network, fit=True).measures.waiting_time[0, 0]
    assert found == pytest.approx(root / (1 - root), rel=1e-9)


def test_an_overloaded_queue_feeds_its_line_at_the_rate_of_an_endless_supply():
    routing = [[0, 1.0], [0, 0]]
    inside = build([1.0, 1.0], capacity=[np.inf, 1], external=[2.0, 0], routing=routing)
    outside = build(
        [1.0, 1.0], capacity=1, external=[2.0, 0], routing=routing, external_when_full=WAIT_OUTSIDE
    )
    for network in (inside, outside):
        m = solve_exact(network).measures
        assert m.throughput[1, 0] == pytest.approx(2 / 3, rel=1e-12)  # Hillier and Boling
        assert m.growth_rate[0, 0] == pytest.approx(2.0 - 2 / 3, rel=1e-12)
        assert m.growth_rate[1, 0] == 0.0
        assert math.isinf(m.number_waiting[0, 0] + m.number_outside[0, 0])
    assert math.isinf(solve_exact(inside).measures.waiting_time[0, 0])


def test_overload_by_blocking_alone_is_found():
    # the first service alone could carry the load; blocked by the second, it reaches 2/3
    network = build([1.0, 1.0], capacity=[np.inf, 1], external=[0.7, 0], routing=[[0, 1.0], [0, 0]])
    m = solve_exact(network).measures
    assert m.growth_rate[0, 0] == pytest.approx(0.7 - 2 / 3, rel=1e-10)


def test_what_is_lost_on_the_way_can_keep_a_service_stable():
    # the second service would be overloaded if the first lost nobody
    network = build([1.0, 1.0], capacity=[1, np.inf], external=[2.0, 0], routing=[[0, 1.0], [0, 0]])
    m = solve_exact(network).measures
    assert (m.growth_rate == 0.0).all()
    assert m.throughput[1, 0] == pytest.approx(2 / 3, rel=1e-9)  # Erlang's loss at load 2


def test_overload_of_the_worst_rank_leaves_the_better_ranks_finite():
    m = solve_exact(
        build([[1.0] * 3], external=[[0.3, 0.4, 0.6]], discipline=PRIORITY, priority=[[1, 2, 3]])
    ).measures
    # the server is always busy: residual 1 (Cobham)
    assert m.waiting_time[0, :2] == pytest.approx([1 / 0.7, 1 / 0.7 / 0.3], rel=1e-9)
    assert math.isinf(m.waiting_time[0, 2])
    assert m.growth_rate[0] == pytest.approx([0.0, 0.0, 0.3], abs=1e-10)


def test_overload_of_several_classes_grows_by_their_shares():
    m = solve_exact(build([[1.0, 2.0]], external=[[0.6, 0.8]])).measures
    served = 1 / (0.6 / 1.4 * 1.0 + 0.8 / 1.4 * 2.0)
    assert m.throughput[0] == pytest.approx(np.array([0.6, 0.8]) / 1.4 * served, rel=1e-12)
    assert m.growth_rate[0] == pytest.approx([0.6, 0.8] - m.throughput[0], rel=1e-12)


def test_distribution_at_given_times_is_the_matrix_exponential():
    rates = np.diag([0.8] * 5, 1) + np.diag([1.0] * 5, -1)
    generator = rates - np.diag(rates.sum(axis=1))
    network = build([1.0], capacity=5, external=0.8)
    result = solve_exact(network, at=[5.0, 0.0, 1.0, 50.0], initial=np.array([[3]]))
    assert [one.time for one in result.transient] == [5.0, 0.0, 1.0, 50.0]
    for one in result.transient:
        expected = expm(generator * one.time)[3]
        assert one.present[0] == pytest.approx(expected, abs=1e-13)
        assert one.measures.throughput[0, 0] == pytest.approx(1 - expected[0], abs=1e-13)
    long = solve_exact(network, at=[1e4]).measures
    assert long.number_waiting == pytest.approx(solve_exact(network).measures.number_waiting)


def test_a_growing_queue_has_a_distribution_at_a_finite_time():
    result = solve_exact(build([1.0], servers=np.inf, discipline=DELAY, external=2.0), at=[0.5])
    mean = 2.0 * (1 - math.exp(-0.5))  # M/M/infinity from empty
    assert result.measures.number_in_service[0, 0] == pytest.approx(mean, rel=1e-11)
    queue = solve_exact(build([1.0], external=3.0), at=[10.0])
    assert queue.truncated_mass <= 1e-12
    assert queue.measures.number_waiting[0, 0] > 18.0  # at least the drift (3 - 1) 10, less one


def test_states_are_counted_or_estimated_from_above():
    assert estimate_states(build([1.0], capacity=4, external=0.5)) == 5.0
    line = build([1.0] * 9, capacity=1, external=[0.5] + [0] * 8, routing=np.eye(9, k=1))
    exact = estimate_states(line)
    assert exact == solve_exact(line).states
    assert estimate_states(line, count_up_to=100) > exact


def test_refusals_say_what_is_wrong():
    with pytest.raises(ParameterError, match=r"max_states = 10.*estimate"):
        solve_exact(build([1.0], capacity=50, external=0.5), max_states=10)
    constant = build([1.0], external=0.5, family=DETERMINISTIC, service_scv=0.0)
    with pytest.raises(MethodError, match="service 'ED', class 'all': a constant service time"):
        solve_exact(constant, services=["ED"], classes=["all"])
    lognormal = build([1.0], external=0.5, family=LOGNORMAL, service_scv=2.0)
    with pytest.raises(MethodError, match="lognormal"):
        solve_exact(lognormal)
    wait = 0.5 * 3.0 / 2 / 0.5  # Pollaczek-Khinchine: E[S^2] = 1 + scv
    fitted = solve_exact(lognormal, fit=True).measures.waiting_time[0, 0]
    assert fitted == pytest.approx(wait, rel=1e-9)
    with pytest.raises(MethodError, match="arrival_scv"):
        solve_exact(build([1.0], external=0.5, arrival_scv=2.0))
    with pytest.raises(MethodError, match="whole servers"):
        solve_exact(build([1.0], external=0.5, servers=1.5))
    with pytest.raises(MethodError, match="shared among all"):
        solve_exact(build([1.0], external=1.5, discipline=PROCESSOR_SHARING))
    with pytest.raises(ParameterError, match="never leaves"):
        solve_exact(build([1.0, 1.0], external=[0.1, 0], routing=[[0, 1.0], [1.0, 0]]))
    for wrong in ({"truncation_mass": 0.0}, {"at": [-1.0]}, {"initial": np.array([[7]])}):
        with pytest.raises(ParameterError):
            solve_exact(build([1.0], capacity=5, external=0.5), **wrong)


def test_blocking_by_pair_is_the_full_share_of_an_open_split():
    # from a source that never blocks (infinite servers), arrivals at both are Poisson-like only
    # without blocking; with loss they see the two services as M/M/1/1: Erlang's loss at load 1/2
    network = build(
        [1.0, 1.0, 1.0],
        servers=[np.inf, 1, 1],
        capacity=[np.inf, 1, 1],
        discipline=[DELAY, 0, 0],
        external=[1.0, 0, 0],
        routing=[[0, 0.5, 0.25], [0, 0, 0], [0, 0, 0]],
        when_full=LOST,
    )
    shares = blocking_by_pair(network, solve_exact(network))
    assert shares[0, 1:] == pytest.approx([0.5 / 1.5, 0.25 / 1.25], rel=1e-10)
    assert np.isnan(shares[1]).all()


def test_a_class_that_only_loss_ends_has_a_steady_state():
    # round for ever between two services, turned away where the second is full: the number at
    # the second is at most 1, and all that come are lost in the end
    network = build(
        [1.0, 1.0],
        capacity=[4, 1],
        external=[0.3, 0],
        routing=[[0, 1.0], [1.0, 0]],
        when_full=[BLOCKED_AFTER_SERVICE, LOST],
    )
    m = solve_exact(network).measures
    assert m.loss_rate.sum() == pytest.approx(0.3, rel=1e-10)


def test_too_many_places_are_refused():
    with pytest.raises(MethodError, match="capacity = 40000"):
        solve_exact(build([1.0], capacity=40_000, external=0.5))
    assert "capacity" in applicability(build([1.0], capacity=40_000, external=0.5))[0]
    assert applicability(build([1.0], capacity=4, external=0.5)) == ()


def test_so_many_services_that_no_machine_holds_the_states_are_refused_at_once():
    """61 desks of one place each have 2**61 states; none are counted, nor are tables made."""
    with pytest.raises(ParameterError, match="chain of 61 services has more states"):
        solve_exact(build(np.ones(61), capacity=np.ones(61), external=np.full(61, 0.5)))
