"""A line without limit, with all the rest of a network as its environment."""

import numpy as np
import pytest

import flownet as fn
from flownet.kernels.blocking_full import solve_full
from flownet.kernels.blocking_line import Around, settle_line
from flownet.kernels.exact import solve_exact
from flownet.network.compile import compile_network
from flownet.queues import erlang_c

NONE = np.zeros(0, dtype=np.int64)


def arrays(services, routes):
    document = {"network": {"time_unit": "hour"}, "services": services, "routes": routes}
    return compile_network(fn.Network.from_dict(document)).arrays


def triangle(rate):
    """One server that waits outside for two, one of which is blocked for the other."""
    return arrays(
        [
            {"name": "door", "servers": 2, "waiting_room": 0, "service_time": 1.0,
             "external_arrival_rate": rate, "external_when_full": "wait_outside"},
            {"name": "ward", "servers": 2, "waiting_room": 1, "service_time": 2.0},
            {"name": "home", "servers": 1, "waiting_room": 0, "service_time": 1.2},
        ],
        [
            {"from": "door", "to": "ward", "routing_probability": 0.6},
            {"from": "door", "to": "home", "routing_probability": 0.2},
            {"from": "ward", "to": "home", "routing_probability": 0.6},
        ],
    )  # fmt: skip


def loop(rate):
    """A line inside without limit, to which jobs come back from a service that it blocks on."""
    return arrays(
        [
            {"name": "triage", "servers": 2, "service_time": 0.5, "external_arrival_rate": rate},
            {"name": "scan", "servers": 2, "waiting_room": 1, "service_time": 1.0},
            {"name": "theatre", "servers": 1, "waiting_room": 1, "service_time": 0.8},
        ],
        [
            {"from": "triage", "to": "scan", "routing_probability": 0.8},
            {"from": "scan", "to": "theatre", "routing_probability": 0.6},
            {"from": "theatre", "to": "triage", "routing_probability": 0.3},
        ],
    )


@pytest.mark.parametrize("servers", [1, 4])
def test_a_line_with_nothing_around_is_erlangs(servers):
    """M/M/c: L = a + C(c, a) a / (c - a) (Erlang 1917)."""
    offered = 0.8 * servers
    nothing = Around(
        NONE, NONE, *np.zeros((3, 0)), np.zeros(1, dtype=np.int64), servers, 1.0, offered
    )
    line = settle_line(nothing, exact=True)
    waits = float(erlang_c(servers, offered))
    assert line.number == pytest.approx(offered + waits * offered / (servers - offered), rel=1e-9)
    assert line.capacity == pytest.approx(servers)


@pytest.mark.parametrize(("network", "rate"), [
    (triangle, 0.3), (triangle, 0.9), (triangle, 1.0), (loop, 0.5), (loop, 1.1),
])  # fmt: skip
def test_lines_are_those_of_the_exact_chain(network, rate):
    """Within 2 % of the exact chain of the whole network, at any load."""
    compiled = network(rate)
    found = solve_full(compiled, tolerance=1e-9, max_sweeps=100)
    truth = solve_exact(compiled, max_states=100_000, truncation_mass=1e-9).measures
    assert found.status == 0
    for field in ("number_outside", "number_waiting", "number_blocked"):
        ours, theirs = getattr(found, field).sum(axis=1), getattr(truth, field).sum(axis=1)
        assert ours == pytest.approx(theirs, rel=0.02, abs=0.005), field


def test_what_can_enter_is_that_of_the_exact_chain():
    """The growth of the line is what comes less what a saturated door lets in.

    0.2 %: of those blocked for the same place the parts take one at random, the chain the first.
    """
    endless = triangle(50.0)
    shut = endless._replace(external_when_full=np.zeros_like(endless.external_when_full))
    shut = shut._replace(external_arrival_rate=1e7 * endless.external_arrival_rate)
    enters = solve_exact(shut).measures.throughput[0, 0]
    found = solve_full(endless, tolerance=1e-9, max_sweeps=100)
    assert 50.0 - found.growth_rate[0, 0] == pytest.approx(enters, rel=2e-3)


def test_the_line_changes_smoothly():
    """Its slope by small and by large differences is the same: states change nodes gradually."""

    def outside(rate):
        found = solve_full(triangle(rate), tolerance=1e-11, max_sweeps=100)
        return float(found.number_outside.sum())

    steps = np.array([outside(0.9 + x) - outside(0.9 - x) for x in (1e-4, 1e-3)])
    assert steps[1] == pytest.approx(10 * steps[0], rel=1e-3)
