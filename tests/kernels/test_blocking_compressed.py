"""The blocking decomposition against exact chains, and in the limits where it must be exact."""

import numpy as np
import pytest

import flownet as fn
from flownet.kernels.blocking_compressed import solve_compressed
from flownet.network.compile import compile_network
from flownet.solvers.journeys import leaving
from oracles.blocking_cases import published_cases


def arrays(services, routes=()):
    document = {"network": {"time_unit": "hour"}, "services": services, "routes": list(routes)}
    return compile_network(fn.Network.from_dict(document)).arrays


def test_every_published_case_is_within_its_stated_error(shared):
    """Exact figures by a Markov chain; lines without buffers and unlimited entries are hardest.

    A tenth in throughput is what a mean-value view of blocking costs on a saturated line of six
    single servers without any buffer; docs/accuracy.md shows the distribution on random networks.
    """
    for case in published_cases(shared):
        found = solve_compressed(case.network)
        assert found.status == 0, case.name
        throughput = leaving(case.network, found).leaving_rate.sum()
        assert throughput == pytest.approx(case.expected.throughput, rel=0.10), case.name
        servers = np.where(np.isfinite(case.network.servers), case.network.servers, 1.0)
        blocked = found.number_blocked.sum(axis=1)
        assert np.abs(blocked - case.expected.blocked).max() <= (0.08 * servers).max(), case.name


@pytest.mark.parametrize("room", [0, 2, 5])
def test_a_saturated_pair_of_single_servers_is_exact(room):
    """Hillier and Boling (1967): throughput (b + 2) / (b + 3) with b places between."""
    services = [
        {"name": "a", "service_time": 1.0, "capacity": 1, "external_arrival_rate": 1e6},
        {"name": "b", "service_time": 1.0, "capacity": 1 + room},
    ]
    found = solve_compressed(arrays(services, [{"from": "a", "to": "b"}]))
    assert found.throughput[1, 0] == pytest.approx((room + 2) / (room + 3), rel=1e-4)


def test_roomy_services_have_the_product_form():
    services = [
        {"name": "a", "service_time": 0.5, "external_arrival_rate": 1.0, "capacity": 200,
         "external_when_full": "wait_outside"},
        {"name": "b", "service_time": 1.2, "servers": 2, "capacity": 200},
    ]  # fmt: skip
    found = solve_compressed(arrays(services, [{"from": "a", "to": "b"}]))
    # M/M/1 at load 0.5 holds 1; M/M/2 at offered load 1.2 holds 1.2 / (1 - 0.36)
    present = (found.number_waiting + found.number_in_service).sum(axis=1)
    assert present == pytest.approx([1.0, 1.2 / 0.64], rel=1e-6)
    assert found.number_blocked.sum() == pytest.approx(0.0, abs=1e-9)


def test_overload_downstream_grows_the_backlog_at_the_entry():
    """Six beds at a stay of 7.2 take in 5 in 6 of one arrival a day at most."""
    services = [
        {"name": "first", "servers": 8, "waiting_room": 0, "service_time": 4.0,
         "external_arrival_rate": 1.0, "external_when_full": "wait_outside"},
        {"name": "last", "servers": 6, "waiting_room": 0, "service_time": 7.2},
    ]  # fmt: skip
    found = solve_compressed(arrays(services, [{"from": "first", "to": "last"}]))
    assert found.status == 0
    assert found.throughput[1, 0] <= 6 / 7.2 * (1 + 1e-9)
    assert found.growth_rate[0, 0] == pytest.approx(1.0 - found.throughput[0, 0], rel=1e-9)
    assert np.isinf(found.number_outside[0, 0])
    assert not np.isnan(np.concatenate([np.ravel(part) for part in found[3:14]])).any()
