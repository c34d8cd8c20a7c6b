"""The blocking decomposition against exact chains, and in the limits where it must be exact."""

import numpy as np
import pytest

import flownet as fn
from flownet.kernels import blocking_compressed, blocking_compressed_sweep
from flownet.kernels.blocking_compressed import solve_compressed, with_slopes
from flownet.kernels.blocking_compressed_place import Place
from flownet.kernels.blocking_compressed_search import no_slopes, solve_chain
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


@pytest.mark.parametrize(
    ("servers", "room", "load", "scv"),
    [(1, 1, 0.7, 4.0), (1, 1, 0.95, 4.0), (3, 2, 0.8, 3.0), (1, 4, 0.8, 0.25), (2, 3, 0.6, 0.5)],
)
def test_a_line_that_variable_service_lengthens_stands_outside(servers, room, load, scv):
    """No more than the places there are wait inside; the exact chain says how many do.

    One service with a line outside is an M/G/c: for one server the two lines add up to Pollaczek
    and Khinchine's; for several the two-moment formula is 6 % off. Inside, 11 % is what the
    geometric line costs in these cases.
    """
    name = {"name": "a", "servers": servers, "waiting_room": room, "service_time": 1.0}
    more = {"service_scv": scv, "external_arrival_rate": load * servers}
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [name | more | {"external_when_full": "wait_outside"}],
    })  # fmt: skip
    found = solve_compressed(compile_network(network).arrays)
    inside, outside = found.number_waiting.sum(), found.number_outside.sum()
    exact = fn.solve(network, "exact").services.loc["a"]
    assert inside <= room
    assert inside == pytest.approx(exact["number_waiting"], rel=0.11)
    both = exact["number_waiting"] + exact["number_outside"]
    assert inside + outside == pytest.approx(both, rel=1e-6 if servers == 1 else 0.06)


def longer_stays(compiled, factor):
    return compiled._replace(service_time=np.ascontiguousarray(compiled.service_time * factor))


def test_slopes_lead_to_the_same_fixed_point_in_fewer_sweeps():
    """Newton's method from the slopes of a neighbour, and Anderson's from nothing."""
    urgent = compile_network(fn.example("urgent_care")).arrays
    ready = with_slopes(urgent, solve_compressed(urgent))
    for factor in (1.001, 1.01, 0.99):
        near = longer_stays(urgent, factor)
        anew, soon = solve_compressed(near), solve_compressed(near, start=ready.rest)
        assert soon.status == 0
        assert 3 * soon.iterations <= 2 * anew.iterations
        assert soon.number_blocked == pytest.approx(anew.number_blocked, rel=1e-6, abs=1e-8)


def test_slopes_of_another_network_do_no_harm():
    urgent = compile_network(fn.example("urgent_care")).arrays
    ready = with_slopes(urgent, solve_compressed(urgent))
    far = longer_stays(urgent, 0.5)
    anew, found = solve_compressed(far), solve_compressed(far, start=ready.rest)
    assert found.status == 0
    assert found.number_blocked == pytest.approx(anew.number_blocked, rel=1e-6, abs=1e-8)


def test_a_start_that_is_no_number_counts_as_none():
    """A row of a sweep that has no answer hands none on to the next."""
    urgent = compile_network(fn.example("urgent_care")).arrays
    anew = solve_compressed(urgent)
    found = solve_compressed(urgent, start=np.full(anew.rest.size, np.nan))
    assert found.status == 0
    assert (found.number_blocked == anew.number_blocked).all()


def test_slopes_that_mislead_are_forgotten():
    """Those of another chain, one of the wrong sign: the search went off to numbers without end."""
    none = np.empty(0)
    place = Place(
        places=3, servers=3, held=4.4637, patience_rate=0.0, blocking=0.0, free=0.0, lost=0.037,
        sources=none, share=none, load=none, response=none, wait=0.0, longest=1e9, factor=1.0,
        offered=none, room=none, base=4.446, meets=0.0242, onward=0.4417, mine=0.168, others=0.053,
        lean=0.052, work=0.1647, same=0.737, fast=-0.3, start=0.0, fall=none,
    )  # fmt: skip
    right = solve_chain(place, 1e-10, no_slopes())
    for slopes in ([0.05, 0.18, -0.54, 2.66, -2.18], [1.0, 30.0, 0.0, 0.0, -1.0]):
        found = solve_chain(place, 1e-10, np.array(slopes))
        assert np.array(found) == pytest.approx(np.array(right), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("places", [20, 26, 32, 38])
def test_a_network_held_up_at_its_end_has_a_steady_state(places):
    """Half of all that comes to urgent care is lost where home care has half its places."""
    network = fn.example("urgent_care")
    scenario = fn.Scenario("fewer").set("Home care", servers=places)
    found = solve_compressed(compile_network(scenario.apply(network)).arrays)
    assert found.status == 0
    leaving_rate = found.throughput.sum()
    assert 0 < leaving_rate < np.inf
    work = found.number_in_service.sum(axis=1)
    servers = compile_network(scenario.apply(network)).arrays.servers
    assert (work <= servers * (1 + 1e-9)).all()


def test_twenty_random_starts_agree():
    """The fixed point does not depend on where the search for it begins."""
    urgent = compile_network(fn.example("urgent_care")).arrays
    found, rng = solve_compressed(urgent, tolerance=1e-11), np.random.default_rng(4)
    n, size = urgent.servers.size, found.rest.size
    for _ in range(20):
        start = rng.uniform(0.0, 1.0, size)
        start[:n] *= 3.0  # logarithms of waits
        start[n : 3 * n] *= -3.0  # of shares admitted and served
        other = solve_compressed(urgent, start=start, tolerance=1e-11)
        assert other.status == 0
        for name in ("throughput", "number_blocked", "number_waiting", "probability_full"):
            value = getattr(found, name)
            scale = max(1.0, float(np.abs(value).max()))
            assert np.abs(getattr(other, name) - value).max() < 1e-8 * scale, name


def test_as_many_wait_as_give_up_by_littles_law():
    """The rate of giving up is the number who wait over their patience, at any spread of times.

    The exact chain has one job in four more waiting: the chain of the service is exponential.
    """
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour", "cost_of_loss": 1.0},
        "services": [
            {"name": "a", "servers": 2, "waiting_room": 0, "service_time": 0.7,
             "external_arrival_rate": 1.0},
            {"name": "b", "servers": 1, "waiting_room": 3, "service_time": 0.9,
             "service_scv": 3.0, "patience": 2.0},
        ],
        "routes": [{"from": "a", "to": "b"}],
    })  # fmt: skip
    found = solve_compressed(compile_network(network).arrays)
    assert found.abandonment_rate.sum() == pytest.approx(found.number_waiting.sum() / 2.0, rel=1e-8)
    exact = fn.solve(network, "exact").services.loc["b"]
    assert found.number_waiting.sum() == pytest.approx(exact["number_waiting"], rel=0.25)
    # the wait of those who are served is shorter than what all wait for each of them
    simulated = fn.simulate(network, horizon=20_000, replications=4).services.loc["b"]
    every = found.number_waiting.sum() / found.throughput[1].sum()
    assert found.waiting_time[1, 0] < every
    assert found.waiting_time[1, 0] == pytest.approx(simulated["waiting_time"], rel=0.3)


def doors_and_wards(size):
    """Every fifth service a door, on to the next and the third after it."""
    rows = [
        {"name": f"s{i}", "servers": 1 + i % 4, "waiting_room": 0,
         "service_time": (1 + i % 4) * (0.35 + 0.05 * (i % 7)) / 0.8}
        | ({"external_arrival_rate": 0.3} if i % 5 == 0 else {})
        for i in range(size)
    ]  # fmt: skip
    routes = [
        {"from": f"s{i}", "to": f"s{i + step}", "routing_probability": 0.4}
        for i in range(size)
        for step in (1, 3)
        if i + step < size
    ]
    return arrays(rows, routes)


def test_many_services_that_can_block_each_other_settle():
    compiled = doors_and_wards(1000)
    found = solve_compressed(compiled)
    assert found.status == 0
    working = found.number_in_service.sum(axis=1)
    blocked = found.number_blocked.sum(axis=1)
    assert (working + blocked <= compiled.servers * (1 + 1e-9)).all()


def test_chains_that_stand_still_are_not_solved_again_and_nothing_else_changes(monkeypatch):
    """One service of many works longer: from the old fixed point on, few chains are solved."""
    before, solved = doors_and_wards(600), []
    start = solve_compressed(before).rest
    longer = before.service_time.copy()
    longer[300] *= 1.05
    near = before._replace(service_time=longer)

    def count(*args):
        swept = blocking_compressed_sweep.sweep(*args)
        solved.append(int(swept.solved.sum()))
        return swept

    monkeypatch.setattr(blocking_compressed, "sweep", count)
    soon, sweeps = solve_compressed(near, start=start), len(solved)
    anew = solve_compressed(near)
    assert soon.status == anew.status == 0
    assert solved[0] == solved[sweeps - 1] == 600  # at first, and to be sure at the end
    assert sum(solved[:sweeps]) < sum(solved[sweeps:]) / 2
    for name in ("throughput", "number_blocked", "probability_full"):
        assert getattr(soon, name) == pytest.approx(getattr(anew, name), rel=1e-7, abs=1e-8)


def test_parts_that_are_swept_at_the_same_time_come_to_the_same_fixed_point(monkeypatch):
    compiled = doors_and_wards(300)
    together = solve_compressed(compiled)
    monkeypatch.setattr(blocking_compressed_sweep, "APART", 50)
    apart, again = solve_compressed(compiled), solve_compressed(compiled)
    assert together.status == apart.status == 0
    for name in ("throughput", "number_blocked", "probability_full"):
        assert getattr(apart, name) == pytest.approx(getattr(together, name), rel=1e-7, abs=1e-8)
        assert (getattr(apart, name) == getattr(again, name)).all()


@pytest.mark.parametrize(
    ("servers", "places", "stay", "onward", "off"),
    [((2, 1), (4, 2), 10.0, 0.1, 0.01), ((3, 2), (5, 2), 20.0, 0.1, 0.01),
     ((3, 4), (3, 4), 40.0, 0.1, 0.01), ((1, 1), (3, 3), 3.36, 0.3, 0.02)],
)  # fmt: skip
def test_servers_that_are_blocked_for_long_come_together(servers, places, stay, onward, off):
    """A tenth goes on to where stays are many times as long: one full spell blocks several servers.

    The exact chain says how many get in. What is off is how much busier the first service is just
    after such a spell; by the mean wait alone it was up to 4 %.
    """
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "a", "servers": servers[0], "waiting_room": places[0] - servers[0],
             "service_time": 0.64 * servers[0], "external_arrival_rate": 1.0},
            {"name": "b", "servers": servers[1], "waiting_room": places[1] - servers[1],
             "service_time": stay},
        ],
        "routes": [{"from": "a", "to": "b", "routing_probability": onward}],
    })  # fmt: skip
    found = solve_compressed(compile_network(network).arrays)
    exact = fn.solve(network, "exact").services["throughput"]
    assert found.throughput.sum(axis=1) == pytest.approx(exact.to_numpy(), rel=off)


def test_derivatives_where_servers_are_few_are_those_of_the_solution():
    """Two classes, splits, a merge and feedback: central differences of whole solutions."""
    document = {
        "network": {"time_unit": "hour"},
        "classes": {"x": {}, "y": {}},
        "services": [
            {"name": "a", "servers": 2, "waiting_room": 1, "service_time": {"x": 0.5, "y": 0.8},
             "external_arrival_rate": {"x": 0.7, "y": 0.5}},
            {"name": "b", "waiting_room": 1, "service_time": {"x": 1.0, "y": 1.2}},
            {"name": "c", "servers": 3, "waiting_room": 0, "service_time": 3.0},
            {"name": "d", "waiting_room": 0, "service_time": {"x": 1.2, "y": 0.7}},
        ],
        "routes": [
            {"from": i, "to": j, "routing_probability": p}
            for i, j, p in [("a", "b", 0.45), ("a", "c", 0.4), ("b", "c", 0.3), ("b", "d", 0.3),
                            ("c", "d", 0.4), ("d", "b", 0.1)]
        ],
    }  # fmt: skip
    network = fn.Network.from_dict(document)
    found = fn.sensitivities(network, "throughput", "blocking", mode="compressed")

    def left(name, factor):
        times = document["services"]["abcd".index(name)]["service_time"]
        longer = times * factor if name == "c" else {k: t * factor for k, t in times.items()}
        near = network.replace(services={name: {"service_time": longer}})
        arrays = compile_network(near).arrays
        return leaving(arrays, solve_compressed(arrays, tolerance=1e-12)).leaving_rate.sum()

    for name in "abcd":
        slope = (left(name, 1.001) - left(name, 0.999)) / 0.002
        mine = found.table.xs(name).xs("service_time", level="parameter")
        # 1e-4: what is left of a central difference with steps of 0.001, and its searches
        assert (mine["derivative"] * mine["value"]).sum() == pytest.approx(slope, rel=1e-4)
