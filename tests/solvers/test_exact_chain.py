"""The door to the exact chain: transient laws, numbers present, who finds whom full, times."""

import math

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import ive

import flownet as fn
from flownet.errors import MethodError, ParameterError, UnknownNameError
from flownet.kernels.exact_laws import fit_two_moments
from flownet.network.distributions import two_moment_law


def network(*services, routes=(), **whole):
    return fn.Network.from_dict(
        {"network": {"time_unit": "hour", **whole}, "services": list(services),
         "routes": list(routes)}
    )  # fmt: skip


def desk(load, **attributes):
    given = {"name": "desk", "service_time": 1.0, "external_arrival_rate": load}
    return network(given | attributes)


def empty_probability(load, time):
    """P(0 at t | 0 at 0) of M/M/1, by Bessel functions (Kleinrock 1975, eq. 2.163)."""
    rho, a = load, 2.0 * time * math.sqrt(load)
    scale = math.exp(a - (1.0 + load) * time)
    tail = sum(rho ** (-j / 2) * ive(j, a) for j in range(2, 400))
    return scale * (ive(0, a) + ive(1, a) / math.sqrt(rho) + (1.0 - rho) * tail)


@pytest.mark.parametrize("time", [0.3, 2.0, 10.0])
def test_a_queue_that_starts_empty_follows_bessel_functions(time):
    chain = fn.exact_chain(desk(0.7), at=[time])
    assert chain.number_present.loc[0, "desk"] == pytest.approx(
        empty_probability(0.7, time), abs=1e-9
    )
    assert chain.times == (time,)


def test_beds_that_start_full_empty_as_the_matrix_exponential_says():
    """M/M/2/3: a birth-death chain of four states."""
    chain = fn.exact_chain(desk(1.3, servers=2, capacity=3), at=[0.4, 5.0], initial={"desk": 3})
    q = np.diag([1.3, 1.3, 1.3], 1) + np.diag([1.0, 2.0, 2.0], -1)
    q -= np.diag(q.sum(axis=1))
    for time in (0.4, 5.0):
        law = expm(q * time)[3]
        row = chain.over_time.loc[(time, "desk")]
        assert row["number_present"] == pytest.approx(law @ np.arange(4), abs=1e-10)
        assert row["probability_full"] == pytest.approx(law[3], abs=1e-10)
    np.testing.assert_allclose(chain.number_present["desk"], expm(q * 5.0)[3], atol=1e-10)


def test_numbers_present_are_geometric_and_times_exponential():
    """M/M/1: P(n) = (1 - rho) rho^n, T exponential with mean 1 / (mu - lambda)."""
    chain = fn.exact_chain(desk(0.6))
    law = chain.number_present["desk"]
    np.testing.assert_allclose(law[:20], 0.4 * 0.6 ** np.arange(20), atol=1e-10)
    times = chain.time_in_system([1.0, 5.0]).loc[("desk", "all")]
    assert times["mean"] == pytest.approx(2.5, rel=1e-7)
    assert times["standard_deviation"] == pytest.approx(2.5, rel=1e-6)
    assert times["within 5"] == pytest.approx(1 - math.exp(-0.4 * 5.0), abs=1e-8)
    assert times["probability_served"] == pytest.approx(1.0)
    assert "states" in repr(chain)


def test_who_finds_whom_full():
    """Two services in a row without rooms, the first never idle: states (works, works), (blocked,
    works), (works, idle) with balance 1, 1, 1 -- the second is found full by half of the jobs.
    """
    line = network(
        {"name": "a", "capacity": 1, "service_time": 1.0, "external_arrival_rate": 1e7},
        {"name": "b", "capacity": 1, "service_time": 1.0},
        routes=[{"from": "a", "to": "b"}],
    )
    chain = fn.exact_chain(line)
    assert chain.found_full.loc["a", "b"] == pytest.approx(0.5, abs=1e-6)
    assert math.isnan(chain.found_full.loc["b", "a"])


def test_the_limit_of_states_is_the_callers():
    with pytest.raises(ParameterError, match="max_states = 10, but the chain has more states"):
        fn.exact_chain(desk(0.9), max_states=10)
    assert fn.exact_chain(desk(0.9), max_states=10_000).states > 100


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"at": [1.0], "initial": {"dsek": 1}}, UnknownNameError, "did you mean 'desk'"),
        ({"at": [1.0], "initial": {"desk": {"none": 1}}}, UnknownNameError, "not a class"),
        ({"at": [1.0], "initial": {"desk": 0.5}}, ParameterError, "whole"),
        ({"at": [1.0], "initial": {"desk": -1}}, ParameterError, "at least 0"),
        ({"initial": {"desk": 1}}, ParameterError, "needs times"),
        ({"at": []}, ParameterError, "one or more"),
        ({"at": [-1.0]}, ParameterError, "at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, told):
    with pytest.raises(error, match=told):
        fn.exact_chain(desk(0.5), **options)


def test_the_steady_state_has_no_course_and_other_things_no_chain():
    with pytest.raises(MethodError, match="ask for times"):
        _ = fn.exact_chain(desk(0.5)).over_time
    with pytest.raises(ParameterError, match="flownet Network"):
        fn.exact_chain("desk")


@pytest.mark.parametrize("scv", [0.3, 0.5, 1.0, 2.5])
def test_simulation_and_chain_fit_the_same_law(scv):
    """The moments of the phase type are those of the law that the simulator draws from."""
    law, phases = two_moment_law(2.0, scv), fit_two_moments(2.0, scv)
    generator = phases.change - np.diag(phases.change.sum(axis=1) + phases.end)
    inverse = np.linalg.inv(-generator)
    first = phases.start @ inverse.sum(axis=1)
    second = 2.0 * phases.start @ inverse @ inverse.sum(axis=1)
    assert first == pytest.approx(law.mean)
    assert second / first**2 - 1.0 == pytest.approx(law.scv)


def test_a_limit_of_exactly_the_states_there_are_is_enough():
    """Six classes share two services of four places: C(10, 4) numbers present at each."""
    classes, states = [f"class {k}" for k in range(6)], math.comb(10, 4) ** 2
    shared = {"servers": 2, "capacity": 4, "discipline": "ps"}
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "classes": {name: {} for name in classes},
        "services": [
            {"name": "first", "service_time": 0.3, **shared,
             "external_arrival_rate": dict.fromkeys(classes, 0.3)},
            {"name": "second", "service_time": 0.4, "when_full": "lost", **shared},
        ],
        "routes": [{"from": "first", "to": "second", "routing_probability": 0.5}],
    })  # fmt: skip
    assert f"{states:,} states" in repr(fn.exact_chain(network, max_states=states))
    with pytest.raises(fn.errors.ParameterError, match="max_states"):
        fn.exact_chain(network, max_states=states - 1)
