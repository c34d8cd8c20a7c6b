"""The blocking decomposition in full against exact chains, and the laws that it must keep."""

import numpy as np
import pytest

import flownet as fn
from flownet.errors import ParameterError
from flownet.kernels.blocking_compressed import settle
from flownet.kernels.blocking_compressed_flows import lay_out
from flownet.kernels.blocking_full import FULL, MODES, iterate, solve_blocking, take_apart
from flownet.kernels.compiled import LOST, WAIT_OUTSIDE
from flownet.kernels.exact import solve_exact
from flownet.solvers.journeys import leaving
from oracles.blocking_cases import SATURATED, published_cases, random_network
from oracles.compiled_networks import build

BAR = {"throughput": 0.05, "number": 0.12, "blocked": 0.06, "meets_full": 0.08}
"""The worst that the method may do anywhere."""


def total_number(found):
    inside = found.number_waiting + found.number_in_service + found.number_blocked
    return float((inside + found.number_outside).sum())


def test_every_published_case_is_within_the_bars(shared):
    """Exact figures by a Markov chain; two services are exact, lines within a hundredth."""
    for case in published_cases(shared):
        found = solve_blocking(case.network)
        assert found.status == 0, case.name
        assert MODES[found.variant] == FULL
        throughput = leaving(case.network, found).leaving_rate.sum()
        n = case.network.servers.size
        # a torrent of arrivals stands for an endless supply: it leaves 1e-6 of the time free
        line = set(case.tags) <= {"tandem", "saturated", "single-server", "multi-server", "loss"}
        bar = 2.0 / SATURATED if n == 2 else 0.01 if line else BAR["throughput"]
        assert throughput == pytest.approx(case.expected.throughput, rel=bar), case.name
        number = float(case.expected.number.sum())
        bar = 1e-5 if n == 2 else BAR["number"]
        assert total_number(found) == pytest.approx(number, rel=bar), case.name
        blocked = np.abs(found.number_blocked.sum(axis=1) - case.expected.blocked)
        assert (blocked <= BAR["blocked"] * case.network.servers).all(), case.name
        full = np.abs(found.blocking_probability - case.expected.meets_full)
        assert full.max() <= BAR["meets_full"], case.name


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("entry", [LOST, WAIT_OUTSIDE])
def test_a_wait_is_counted_of_those_admitted(entry, mode):
    """Who is turned away does not wait, and behind a door without a waiting room nobody does."""
    network = build(
        [1.5, 2.6, 0.7], external=[1.0, 0.0, 0.0], servers=[2, 3, 1], capacity=[4, 4, 1],
        routing=[[0, 0.8, 0], [0, 0, 0.5], [0, 0, 0]], external_when_full=[entry, LOST, LOST],
    )  # fmt: skip
    truth = solve_exact(network, max_states=100_000, truncation_mass=1e-7).measures
    found = solve_blocking(network, mode=mode)
    assert MODES[found.variant] == mode
    # a free place is seen as at any time, which jobs from another service do not quite do
    bar = 0.02 if mode == FULL else 0.06
    assert found.wait_probability == pytest.approx(truth.wait_probability, abs=bar)
    assert found.wait_probability[2] == 0.0
    if entry == LOST and mode == FULL:  # Poisson arrivals see the average
        assert found.wait_probability[0] == pytest.approx(truth.wait_probability[0], abs=2e-3)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("features", ["", "outside", "unlimited", "feedback", "patience"])
def test_two_services_are_exact(features, seed):
    """The chain of two services is the network's own, whatever meets a job at the door."""
    rng = np.random.default_rng(1000 + seed)
    network = random_network(rng, frozenset(features.split()))
    while network.servers.size != 2:
        network = random_network(rng, frozenset(features.split()))
    truth = solve_exact(network).measures
    found = solve_blocking(network, mode=FULL)
    if truth.growth_rate.any():
        assert found.growth_rate.sum() == pytest.approx(truth.growth_rate.sum(), rel=1e-5)
        return
    # lines without limit are cut off where less than 1e-5 of the time is beyond, with a tail
    tolerance = 1e-4 if {"outside", "unlimited"} & {features} else 1e-7
    for name in ("throughput", "number_waiting", "number_blocked", "number_outside"):
        wanted = getattr(truth, name)
        assert getattr(found, name) == pytest.approx(wanted, rel=tolerance, abs=1e-6), name


@pytest.mark.parametrize(
    "features", ["feedback", "outside feedback", "patience", "classes", "loss"]
)
def test_nothing_is_lost_on_the_way(features):
    """Flow in is flow out at every service and class; servers work, are blocked, held or idle."""
    rng = np.random.default_rng(5)
    for _ in range(4):
        network = random_network(rng, frozenset(features.split()))
        found = solve_blocking(network)
        assert found.status == 0
        n, classes = network.service_time.shape
        first = network.route_start.astype(np.int64)
        source = np.repeat(np.arange(n * classes), np.diff(first))
        carried = found.throughput.ravel()[source] * network.route_probability
        inside = np.bincount(network.route_to, weights=carried, minlength=n * classes)
        asked = network.external_arrival_rate + inside.reshape(n, classes)
        assert found.arrival_rate == pytest.approx(asked, rel=1e-9, abs=1e-12)
        turned = found.loss_rate + found.overflow_rate + found.abandonment_rate
        kept = found.arrival_rate - turned - found.growth_rate
        assert found.throughput == pytest.approx(kept, rel=1e-9, abs=1e-12)
        work = found.throughput * network.service_time
        assert found.number_in_service == pytest.approx(work, rel=1e-12)
        held = (found.number_in_service + found.number_blocked).sum(axis=1)
        assert (held <= network.servers * (1 + 1e-6)).all()


def test_the_full_mode_hands_over_where_it_has_too_many_states():
    line = build([1.0] * 3, external=[50.0, 0, 0], routing=np.eye(3, k=1),
                 servers=60, capacity=60.0)  # fmt: skip
    assert solve_blocking(line).variant == MODES.index("compressed")
    assert solve_blocking(line, mode=FULL).variant == MODES.index("compressed")
    with pytest.raises(ParameterError, match="full"):
        solve_blocking(line, mode="fast")


@pytest.mark.parametrize("features", ["feedback", "outside feedback"])
def test_twenty_random_starts_agree(features):
    """The fixed point does not depend on where the search for it begins."""
    network = random_network(np.random.default_rng(12), frozenset(features.split()))
    layout = lay_out(network)
    start, _ = settle(network, layout, 1e-6, 500)
    rng = np.random.default_rng(3)
    found = []
    for _ in range(20):
        problem, tables = take_apart(network, layout, start, np.zeros(layout.stay.size, dtype=bool))
        for part in (tables.flow, tables.released):
            for key, values in part.items():
                part[key] = values * rng.uniform(0.3, 3.0, values.shape)
        for key, values in tables.meets.items():
            tables.meets[key] = rng.uniform(0.0, 1.0, values.shape)
        for piece in problem.pieces:
            piece.p = rng.dirichlet(np.ones(piece.p.size))
        standing = iterate(problem, start.accepted, tables, 1e-11, 2000)
        assert standing.residual <= 1e-11
        found.append(np.concatenate([standing.figures[:, :5].ravel(), standing.tables.wait]))
    assert np.abs(np.array(found) - found[0]).max() < 1e-8 * max(1.0, np.abs(found[0]).max())


def test_little_and_the_limits_of_light_load_and_of_large_rooms():
    """Nobody is blocked where nobody comes; with large rooms the product form holds."""
    routing = np.array([[0, 0.6, 0.3], [0, 0, 0.8], [0.1, 0, 0]])
    light = build([1.0, 2.0, 1.5], external=[1e-6, 0, 0], routing=routing, servers=[2.0, 2, 2],
                  capacity=[2.0, 2, 2])  # fmt: skip
    found = solve_blocking(light, mode=FULL)
    assert found.number_blocked.sum() < 1e-9 * found.number_in_service.sum()
    roomy = build([0.5, 0.9], external=[1.0, 0], routing=[[0, 0.8], [0, 0]], servers=[1.0, 1],
                  capacity=[40.0, 60.0])  # fmt: skip
    found = solve_blocking(roomy, mode=FULL)
    present = (found.number_waiting + found.number_in_service).sum(axis=1)
    # M/M/1 at loads 0.5 and 0.72 holds rho / (1 - rho); rooms cut off less than 1e-8 of the time
    assert present == pytest.approx([1.0, 0.72 / 0.28], rel=1e-6)


def test_one_service_is_the_queue_with_limited_places():
    """M/M/c/K by its birth-death balance: p(n) grows by a / min(n, c)."""
    single = build([1.0], external=[2.5], servers=3, capacity=5.0)
    p = np.cumprod([1.0, *(2.5 / min(n, 3) for n in range(1, 6))])
    p /= p.sum()
    found = solve_blocking(single, mode=FULL)
    assert found.loss_rate[0, 0] == pytest.approx(2.5 * p[-1], rel=1e-9)
    assert found.number_waiting[0, 0] == pytest.approx(p[4] + 2 * p[5], rel=1e-9)


def test_what_enters_saturates_at_what_a_saturated_source_sends():
    """A queue that grows is never empty, so that what is let in is what a torrent would get in.

    Hillier and Boling (1967): two single servers without places between them let 2/3 through.
    """
    line = build([1.0, 1.0], external=[0.8, 0.0], routing=[[0, 1], [0, 0]], capacity=[1.0, 1.0],
                 external_when_full=3)  # fmt: skip
    found = solve_blocking(line)
    assert found.throughput[1, 0] == pytest.approx(2 / 3, rel=1e-5)
    assert found.growth_rate[0, 0] == pytest.approx(0.8 - 2 / 3, rel=1e-4)
    below = solve_blocking(line._replace(external_arrival_rate=np.array([[0.66], [0.0]])))
    assert not below.growth_rate.any()
    assert below.number_outside[0, 0] > 10.0


def test_a_busy_line_behind_a_door_is_not_taken_to_grow():
    """The door's beds and its line outside are an M/M/2; what leaves them is Poisson (Burke 1956).

    The clinic of eleven places for half an erlang loses nobody, so that the scan is the M/M/1 of a
    Jackson network, at 0.95. Parts that each told the other of its line took it to grow without
    end, and showed nobody waiting.
    """
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "door", "servers": 2, "waiting_room": 0, "service_time": 1.3,
             "external_arrival_rate": 0.67, "external_when_full": "wait_outside"},
            {"name": "clinic", "servers": 10, "capacity": 11, "service_time": 1.5,
             "when_full": "lost"},
            {"name": "scan", "servers": 1, "service_time": 1.885},
        ],
        "routes": [
            {"from": "door", "to": "scan", "routing_probability": 0.406},
            {"from": "door", "to": "clinic", "routing_probability": 0.494},
            {"from": "clinic", "to": "scan", "routing_probability": 0.7},
        ],
    })  # fmt: skip
    found = fn.solve(network, "blocking").services.loc["scan"]
    load = found["load_ratio"]
    assert found["number_waiting"] == pytest.approx(load**2 / (1 - load), rel=0.02)


def test_two_lines_without_limit_in_a_loop_have_their_product_form():
    """Roomy doors block nobody: Jackson's network, with lines of c (rho/(1 - rho)) at one server.

    A tail that swung between two lengths looked at rest after every other sweep: 38 were shown.
    """
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "a", "servers": 10, "waiting_room": 8, "service_time": 0.432,
             "external_arrival_rate": 0.1036, "external_when_full": "wait_outside"},
            {"name": "b", "servers": 1, "service_time": 1.639, "external_arrival_rate": 0.0518},
        ],
        "routes": [
            {"from": "a", "to": "b"},
            {"from": "b", "to": "a", "routing_probability": 0.7},
        ],
    })  # fmt: skip
    found = fn.solve(network, "blocking", mode="full").services.loc["b"]
    load = (0.1036 + 0.0518) / 0.3 * 1.639
    assert found["load_ratio"] == pytest.approx(load, rel=1e-9)
    assert found["number_present"] == pytest.approx(load / (1.0 - load), rel=1e-3)
