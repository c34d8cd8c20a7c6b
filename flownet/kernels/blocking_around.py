"""Networks with blocking and one line without limit: the line, and all the rest as one part."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from flownet.kernels.blocking_compressed_flows import Accepted, Flows, Layout, solve_class_flows
from flownet.kernels.blocking_compressed_inputs import gather
from flownet.kernels.blocking_compressed_measures import Settled
from flownet.kernels.blocking_full_measures import (
    OVERLOADED,
    Problem,
    Standing,
    accepted_by,
)
from flownet.kernels.blocking_line import Around, Line, settle_line
from flownet.kernels.blocking_parts import Streams, Tables, inlets_of, rates_of, streams_of
from flownet.kernels.blocking_parts_chain import blocking, coming, figures
from flownet.kernels.blocking_parts_moves import NONE, Part
from flownet.kernels.blocking_parts_plan import Bond, Graph, graph_of, part_of
from flownet.kernels.blocking_parts_space import Space, explore
from flownet.kernels.compiled import OVERFLOW, Booleans, CompiledNetwork, Floats, Integers

MOST_AROUND = 12_000
"""States of all the rest, solved as one part: its factors grow faster than they do."""
MOST_PHASES = 300
"""Of the line of two services, which is exact; with more they are solved as one part."""
NOBODY = np.zeros(0, dtype=np.int64)


class Rest(NamedTuple):
    """All services but the one with the line, as a part, and how that one sends jobs to it."""

    door: int
    part: Part
    space: Space
    routes: Integers
    """By inlet of the part: the route from the door."""
    inlets: list[Integers]
    """The events of each."""
    digits: Integers
    """By inlet: what counts the door's servers that are blocked on it; NONE for none."""
    blocked: Integers
    """(N,) servers of the door."""


def door_of(
    compiled: CompiledNetwork, layout: Layout, graph: Graph, streams: Streams, flows: Flows
) -> int:
    """Return the only service with a line without limit, if the rest may be its surroundings.

    NONE where there are several or none, where jobs that are blocked for it share its line or give
    up, and where jobs come to chained services otherwise than from outside and along its routes.
    """
    lines = np.flatnonzero(graph.endless | graph.waits)
    mine = np.flatnonzero(graph.chained)
    if lines.size != 1 or mine.size < 2:
        return NONE
    door = int(lines[0])
    links = csr_array(
        (np.ones(graph.start.size), (graph.start, graph.end)), shape=(graph.room.size,) * 2
    )
    together = connected_components(links, directed=False)[1]
    elsewhere = (graph.member == NONE) & (flows.route > 0) & (layout.start != layout.end)
    kinds = (compiled.when_full[mine] == OVERFLOW) | (compiled.external_when_full[mine] == OVERFLOW)
    unfit = (
        layout.giving_up[door] > 0
        or streams.lost[door] > 0
        or (layout.finite[door] and (graph.end == door).any())
        or (together[mine] != together[door]).any()
        or (elsewhere & graph.chained[layout.end]).any()
        or kinds.any()
    )
    return NONE if unfit else door


def rest_of(
    compiled: CompiledNetwork, layout: Layout, graph: Graph, door: int, most: int
) -> Rest | None:
    """Return all services but one, None where they have more than so many states."""
    services = [s for s in np.flatnonzero(graph.chained).tolist() if s != door]
    mine = set(np.flatnonzero(graph.start == door).tolist())
    servers = int(compiled.servers[door])
    part, bond = part_of(compiled, layout, graph, services, mine, strangers=servers)
    fits, space = explore(part, most)
    if not fits:
        return None
    routes, inlets, digits = _inlets(part, bond, space)
    counted = digits[digits != NONE]
    return Rest(door, part, space, routes, inlets, digits, space.digits[:, counted].sum(axis=1))


def _inlets(part: Part, bond: Bond, space: Space) -> tuple[Integers, list[Integers], Integers]:
    """Return, by inlet, its route, its events, and the digit of those blocked on it."""
    doors = 2 * part.services.size + part.routes.size
    passing = sum(1 for keys in bond.passes if keys)
    routes, events, digits = [], [], []
    for number, (keys, first, _, shape) in enumerate(inlets_of(part, bond)):
        cells = math.prod(shape)
        routes.append(keys[0][0])
        events.append(np.flatnonzero((space.entry >= first) & (space.entry < first + cells)))
        digits.append(doors + number - passing if number >= passing else NONE)
    return np.array(routes, dtype=np.int64), events, np.array(digits, dtype=np.int64)


def around(rest: Rest, compiled: CompiledNetwork, graph: Graph, streams: Streams,
           rate: Floats) -> Around:  # fmt: skip
    """Return the rest as the environment of the line."""
    space, part, door = rest.space, rest.part, rest.door
    takes = np.zeros(space.source.size)
    base = space.coefficient * rate[space.rate]
    for route, events in zip(rest.routes, rest.inlets, strict=True):
        takes[events] = space.coefficient[events] * streams.along[route]
        base[events] = 0.0
    back = np.zeros(rate.size)
    for a in np.flatnonzero(graph.end == door):
        k = int(np.searchsorted(part.services, graph.start[a]))
        back[1 + k] = streams.along[a] / max(rate[1 + k], 1e-300)
    return Around(
        space.source, space.target, base, takes, base * back[space.rate], rest.blocked,
        int(compiled.servers[door]), float(streams.leaves[door]), float(streams.free[door]),
    )  # fmt: skip


def solve_around(
    compiled: CompiledNetwork,
    layout: Layout,
    start: Settled,
    tolerance: float,
    max_sweeps: int,
    states: int = MOST_AROUND,
) -> tuple[bool, tuple[Problem, Standing] | None]:
    """Return whether a network is a line and a rest, and where they come to rest.

    The rest is the exact chain of its services; the line is a chain whose phases are states of the
    rest lumped (`settle_line`). Two services are exact. None where the rest has more states than
    so many.
    """
    accepted = start.accepted._replace(served=np.ones(compiled.servers.size))
    applies, problem, rest = _taken_apart(compiled, layout, start, accepted, states)
    if problem is None or rest is None:
        return applies, None
    return True, _iterate(problem, rest, accepted, tolerance, max_sweeps)


def _taken_apart(
    compiled: CompiledNetwork, layout: Layout, start: Settled, accepted: Accepted, states: int
) -> tuple[bool, Problem | None, Rest | None]:
    """Return whether a network is a line and a rest, and these where there are few states."""
    none: Booleans = np.zeros(compiled.servers.size, dtype=np.bool_)
    flows = solve_class_flows(compiled, layout, accepted)
    given = gather(compiled, layout, flows)
    graph = graph_of(compiled, layout, flows, given.free, given.lost, start.chains, none)
    streams = streams_of(graph, layout, flows, given)
    door = door_of(compiled, layout, graph, streams, flows)
    if door == NONE:
        return False, None, None
    rest = rest_of(compiled, layout, graph, door, min(states, MOST_AROUND))
    if rest is None:
        return True, None, None
    if rest.part.services.size == 1 and rest.blocked.size > MOST_PHASES:
        return False, None, None
    return True, Problem(compiled, layout, graph, [], [], [], none), rest


def _iterate(
    problem: Problem, rest: Rest, accepted: Accepted, tolerance: float, max_sweeps: int
) -> tuple[Problem, Standing]:
    """Solve line and rest with the flows that they leave, until nothing changes."""
    compiled, layout, graph = problem.compiled, problem.layout, problem.graph
    none, two = problem.saturated, rest.part.services.size == 1
    tables = Tables({}, {}, {}, {}, *np.zeros((2, graph.start.size)))
    seen, sweep, residual = np.zeros((none.size, 9)), 0, np.inf
    line: Line | None = None
    last: Around | None = None
    while residual > tolerance and sweep < max_sweeps:
        flows = solve_class_flows(compiled, layout, accepted)
        given = gather(compiled, layout, flows)
        streams = streams_of(graph, layout, flows, given)
        rate = rates_of(rest.part, streams, layout)
        here = around(rest, compiled, graph, streams, rate)
        before = None if line is None else line.p
        if line is None or not _same(here, last):
            line = settle_line(here, 0.1 * tolerance, exact=two, begin=line)
            grows = none.copy()
            grows[rest.door] = not np.isfinite(line.number)
            problem = problem._replace(saturated=grows)
            seen = _look(problem, rest, line)
        last = here
        _tell(problem, rest, line, rate, streams, tables)
        new = accepted_by(problem, accepted, seen, tables, streams, flows, given)
        steps = [np.abs(x - y).max(initial=0.0) for x, y in zip(new, accepted, strict=True)]
        moved = 1.0 if before is None else float(np.abs(line.p - before).sum())
        residual = max(line.change, moved, *map(float, steps))
        accepted, sweep = new, sweep + 1
    return problem, Standing(accepted, tables, seen, sweep, residual)


def _same(one: Around, other: Around | None) -> bool:
    """Tell whether the rates are the same."""
    if other is None or (one.speed, one.arrivals) != (other.speed, other.arrivals):
        return False
    pairs = ((one.base, other.base), (one.takes, other.takes), (one.brings, other.brings))
    return all(np.array_equal(a, b) for a, b in pairs)


def _look(problem: Problem, rest: Rest, line: Line) -> Floats:
    """Return the figures of every service."""
    seen = np.zeros((problem.graph.chained.size, 9))
    seen[:, 3] = 1.0
    close = np.ones(rest.part.services.size)
    for k, s in enumerate(rest.part.services.tolist()):
        seen[s] = figures(rest.part, rest.space, line.p, close, k)
    seen[rest.door] = _at_door(problem, rest, line)
    return seen


def _at_door(problem: Problem, rest: Rest, line: Line) -> Floats:
    """Return the figures of the service with the line, as `figures` has them."""
    servers = int(problem.compiled.servers[rest.door])
    endless = bool(problem.graph.endless[rest.door])
    places = servers if endless else int(problem.graph.room[rest.door])
    working, stuck = float(line.p @ line.working), float(line.p @ rest.blocked)
    all_stuck = float(line.p[rest.blocked >= servers].sum())
    if line.levels is None:
        held, room = float(servers), float(places - servers)
        return np.array([held, room, 0.0, float(endless), 1.0, 1.0, all_stuck, stuck, 1.0])
    vacant, idle, inside, crowded = 0.0, 0.0, float(places - servers), working
    for jobs, by_node in line.levels.up_to(places):
        present = jobs + line.nodes
        free, at_work = by_node * (present < places), np.minimum(jobs, servers - line.nodes)
        vacant += float(free.sum())
        idle += float((by_node * (present < servers)).sum())
        inside -= float(free @ np.minimum(places - present, places - servers))
        crowded -= float(free @ at_work)
    beyond = max(line.number - working - (0.0 if endless else inside), 0.0)
    ratio = min(float(np.abs(np.linalg.eigvals(line.levels.ratio)).max()), OVERLOADED)
    share = max(crowded, 0.0) / max(working, 1e-300)
    if endless:
        inside, beyond, vacant, share = beyond, 0.0, 1.0, 0.0
    return np.array(
        [working + stuck, inside, beyond, vacant, 1.0 - idle, ratio, all_stuck, stuck, share]
    )


def _tell(problem: Problem, rest: Rest, line: Line, rate: Floats, streams: Streams,
          tables: Tables) -> None:  # fmt: skip
    """Write down how many find the ends of routes full, and how long they are blocked."""
    part, space, p = rest.part, rest.space, line.p
    for k, a in enumerate(part.routes.tolist()):
        if not part.blocks[k]:
            tables.share[a] = coming(part, space, rate, p, k, NOBODY)[1]
            continue
        most, speed = int(part.servers[part.start[k]]), float(streams.leaves[problem.graph.end[a]])
        heard = blocking(part, space, line.rates, rate, p, k, NOBODY, most, speed)
        tables.share[a], tables.wait[a] = heard[3:]
    for a, events, digit in zip(rest.routes, rest.inlets, rest.digits, strict=True):
        every = max(float(p @ line.working) * streams.along[a], 1e-300)
        flow = line.rates[events] * p[space.source[events]]
        if digit == NONE:
            tables.share[a] = 1.0 - float(flow.sum()) / every
            continue
        number = space.digits[:, digit]
        more = number[space.target[events]] > number[space.source[events]]
        tables.share[a], tables.wait[a] = float(flow @ more) / every, float(p @ number) / every
