"""Ph/Ph/c/K+M: level by level against a chain built state by state, and the formulas it holds."""

import math

import numpy as np
import pytest

from flownet import queues
from flownet.errors import ParameterError
from flownet.queues.quasi_limited import phphck_measures
from oracles import station_chains as oracle

STATIONS = [
    (0.6, 1, 0.25, 0.5, 3, math.inf),
    (1.3, 1, 4.0, 0.3, 6, 2.0),
    (0.9, 2, 2.0, 2.0, 3, math.inf),
    (0.7, 2, 0.5, 0.4, 7, 0.5),
    (1.1, 3, 0.7, 4.0, 8, 3.0),
    (0.02, 3, 3.0, 0.5, 5, math.inf),
    (0.9, 2, 0.5, 3.0, 2, math.inf),
]


@pytest.mark.parametrize(
    ("ratio", "servers", "arrival_scv", "service_scv", "places", "patience"), STATIONS
)
def test_against_the_chain(ratio, servers, arrival_scv, service_scv, places, patience):
    exact = oracle.limited_phase_station(ratio, servers, arrival_scv, service_scv, places, patience)
    got = phphck_measures(
        ratio * servers, 1.0, float(servers), arrival_scv, service_scv, float(places), patience
    )
    assert got == pytest.approx(exact, rel=1e-9, abs=1e-15)  # the sparse solver's own rounding


def test_two_places_and_one_server_are_the_embedded_chain():
    """M/G/1/2: after a departure nobody is left with the chance a that nobody came meanwhile.

    The share lost is 1 - 1 / (a + rho), where a is the transform of the service time at the rate of
    arrivals (Takagi 1993, Queueing Analysis 2, chapter 5, for K = 2).
    """
    scv, rho = 4.0, 0.95
    first = 0.5 * (1.0 + math.sqrt((scv - 1.0) / (scv + 1.0)))
    a = sum(p / (1.0 + rho / (2.0 * p)) for p in (first, 1.0 - first))
    found = queues.phphck(rho, 1.0, 1, 2, service_scv=scv)
    assert found.loss_probability == pytest.approx(1.0 - 1.0 / (a + rho), rel=1e-13)


@pytest.mark.parametrize("load", [1e-3, 0.5, 4.0, 11.0, 40.0])
def test_exponential_laws_are_erlang_a(load):
    """At every load, however rare a wait is: nothing is subtracted on the way."""
    plain = queues.erlang_a(load, 1.0, 10, 2.0, 18)
    found = queues.phphck(load, 1.0, 10, 18, patience=2.0)
    for name in ("loss_probability", "abandonment_probability", "wait_probability"):
        assert getattr(found, name) == pytest.approx(float(getattr(plain, name)), rel=1e-12)
    near = queues.phphck(load, 1.0, 10, 18, service_scv=1.0 + 1e-9, patience=2.0)
    assert near.number_waiting == pytest.approx(float(plain.number_waiting), rel=1e-7)


def test_a_line_that_only_patience_limits_is_cut_off_where_nothing_is_left():
    """Without places in the way, as many wait as with ten times the places that are ever used."""
    free = queues.phphck(3.3, 1.0, 3, service_scv=3.0, patience=1.5)
    roomy = queues.phphck(3.3, 1.0, 3, 200, service_scv=3.0, patience=1.5)
    assert free.number_waiting == pytest.approx(float(roomy.number_waiting), rel=1e-12)
    assert float(free.loss_probability) == 0.0
    served = 3.3 * (1.0 - float(free.abandonment_probability))
    assert free.throughput == pytest.approx(served, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"servers": 1.5}, "servers"),
        ({"capacity": 4.5}, "capacity"),
        ({"capacity": 1.0}, "capacity"),
        ({"capacity": math.inf}, "phphc"),
        ({"service_scv": 0.0}, "service_scv"),
        ({"servers": 40, "capacity": 50, "service_scv": 0.2}, "servers"),
        ({"capacity": 9000.0, "arrival_rate": 2.5}, "capacity"),
    ],
)
def test_what_cannot_be_solved_is_refused(changes, word):
    given = {"arrival_rate": 1.0, "service_time": 1.0, "servers": 2, "capacity": 5} | changes
    with pytest.raises(ParameterError, match=word):
        queues.phphck(**given)


def test_arrays_broadcast():
    found = queues.phphck([0.5, 0.9], 1.0, 1, [[2.0], [4.0]], service_scv=2.0)
    assert found.loss_probability.shape == (2, 2)
    assert (np.diff(found.loss_probability, axis=1) > 0).all()
