"""Services with finite places or patience in the decomposition, where times are not exponential."""

import math

import numpy as np
import pytest

import flownet as fn
from flownet import queues
from flownet.kernels.decomposition import decompose
from flownet.kernels.decomposition_rooms import room_factors
from flownet.kernels.decomposition_stations import make_stations
from flownet.network.compile import compile_network


def station(**attributes):
    first = {"name": "a", "service_time": 1.0} | attributes
    document = {"network": {"time_unit": "hour", "cost_of_loss": 1.0}, "services": [first]}
    return fn.Network.from_dict(document)


@pytest.mark.parametrize(
    "attributes",
    [
        {"servers": 1, "waiting_room": 3, "service_scv": 4.0, "external_arrival_rate": 0.9},
        {"servers": 3, "waiting_room": 2, "service_scv": 0.5, "external_arrival_rate": 3.6},
        {"servers": 2, "patience": 1.5, "service_scv": 3.0, "external_arrival_rate": 2.2},
        {"servers": 2, "waiting_room": 4, "patience": 0.7, "service_scv": 0.4,
         "external_arrival_rate": 2.0},
    ],
)  # fmt: skip
def test_one_service_with_poisson_arrivals_is_exact(attributes):
    """The exact chain has the same laws for two moments; it is solved in another way."""
    network = station(**attributes)
    found = fn.solve(network, "decomposition").services.loc["a"]
    exact = fn.solve(network, "exact").services.loc["a"]
    for name in ("loss_rate", "number_waiting", "throughput", "wait_probability"):
        assert found[name] == pytest.approx(exact[name], rel=1e-7, abs=1e-12), name


@pytest.mark.parametrize(
    ("servers", "load", "room", "service_scv", "patience"),
    [(80, 0.95, 20, 3.0, math.inf), (80, 1.05, 10, 0.5, math.inf), (100, 1.02, 900, 2.0, 1.5)],
)
def test_large_services_have_the_factors_of_smaller_ones(
    servers, load, room, service_scv, patience
):
    """81 rows and more are beyond a network's matrices; solved exactly they are 1 % away.

    The scaling is exact in the limit of many servers at a load near 1.
    """
    given = {"servers": servers, "service_scv": service_scv, "waiting_room": room}
    given |= {"external_arrival_rate": load * servers}
    given |= {"patience": patience} if math.isfinite(patience) else {}
    found = fn.solve(station(**given), "decomposition").services.loc["a"]
    exact = queues.phphck(load * servers, 1.0, servers, servers + room, 1.0, service_scv, patience)
    assert found["number_waiting"] == pytest.approx(float(exact.number_waiting), rel=0.01)
    lost = found["loss_rate"] / load / servers
    assert lost == pytest.approx(float(exact.loss_probability), rel=0.01, abs=1e-12)


def test_arrivals_smoother_than_poisson_lose_less():
    """GI/M/1/1: who comes is lost if the time since the last one was shorter than its service.

    For a job that enters, the next comes after a time with transform A(1/s) at the rate of service;
    so the share lost is that transform (renewals at every arrival, exponential service).
    """
    network = station(
        servers=1, waiting_room=0, arrival_scv=0.5, external_arrival_rate=0.8, service_time=1.25
    )
    found = fn.solve(network, "decomposition").services.loc["a"]
    transform = (1.6 / (1.6 + 0.8)) ** 2  # Erlang of two phases of rate 2 x 0.8
    assert found["loss_rate"] / 0.8 == pytest.approx(transform, rel=1e-9)


def test_the_factors_settle_along_with_the_flows():
    """In a loop with loss each round's factors are those of its own flows."""
    document = {
        "network": {"time_unit": "hour", "cost_of_loss": 1.0},
        "services": [
            {"name": "a", "servers": 2, "waiting_room": 2, "service_time": 0.8,
             "service_scv": 3.0, "external_arrival_rate": 1.5, "when_full": "lost"},
            {"name": "b", "servers": 1, "service_time": 0.6, "patience": 2.0,
             "service_scv": 0.5},
        ],
        "routes": [
            {"from": "a", "to": "b", "routing_probability": 0.7},
            {"from": "b", "to": "a", "routing_probability": 0.5},
        ],
    }  # fmt: skip
    compiled = compile_network(fn.Network.from_dict(document)).arrays
    found = decompose(compiled)
    assert found.measures.status == 0
    flow_in = compiled.external_arrival_rate.sum()
    out = found.measures.loss_rate.sum() + found.measures.abandonment_rate.sum()
    leaving = found.measures.throughput[:, 0] * [0.3, 0.5]
    assert out + leaving.sum() == pytest.approx(flow_in, rel=1e-9)


def test_exponential_services_have_no_factors():
    compiled = compile_network(station(servers=2, waiting_room=3, external_arrival_rate=1.8)).arrays
    stations = make_stations(compiled)
    found = decompose(compiled)
    flows = type("F", (), {"arrival": found.measures.arrival_rate,
                           "passed": found.measures.throughput})  # fmt: skip
    factors = room_factors(stations, flows, np.ones(1), np.zeros(1), 64)
    assert (factors == 1.0).all()
