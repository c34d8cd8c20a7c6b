"""Parts of a network with blocking at work: what one says, and what it hears from the others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed_flows import Flows, Layout
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_compressed_sweep import Given
from flownet.kernels.blocking_parts_chain import blocking, closed, coming, event_rates, relax
from flownet.kernels.blocking_parts_moves import NONE, Part
from flownet.kernels.blocking_parts_plan import Bond, Graph, homes, part_of
from flownet.kernels.blocking_parts_space import Space, explore
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers

INNER = 30
"""Gauss-Seidel sweeps at most each time that a part is visited."""
SMALLEST_SCALE, LARGEST_SCALE = 0.05, 20.0
"""Of the streams that other parts say that they send."""


class Streams(NamedTuple):
    """Rates of the current flows, by service and by route."""

    leaves: Floats
    """(n,) rate at which a server at work finishes a job that leaves the service."""
    along: Floats
    """(a,) the same of those that go along each route."""
    flow: Floats
    """(a,) jobs per T."""
    free: Floats
    lost: Floats
    """(n,) arrivals on none of the routes: that wait, and that are lost where there is no place."""


Key = tuple[int, tuple[int, ...]]
"""A route, and others that belong together with it."""


class Tables(NamedTuple):
    """What the parts tell each other."""

    flow: dict[Key, Floats]
    """Rate at which jobs come along a route, by number at the end, servers blocked there, and
    servers blocked on the other routes."""
    meets: dict[Key, Floats]
    """Chance that the end of a route is full while nobody is blocked on these routes, by number at
    the start and servers there that are blocked for other ends."""
    released: dict[Key, Floats]
    """Rate of release on these routes, by servers blocked on them, and the same."""
    share: Floats
    """(a,) of those who go along a route, who find its end full."""
    wait: Floats
    """(a,) mean time that they are blocked."""


class Task(NamedTuple):
    """A table that a part owes to others."""

    route: int
    key: Key
    digits: Integers
    """Of the part: those that count the other routes."""
    most: int
    """Servers that can be blocked on all these routes; -1 for a table of arrivals."""


class Piece:
    """A part with its chain, and where that stands."""

    def __init__(self, part: Part, bond: Bond, space: Space, tasks: list[Task]) -> None:
        services = part.services.size
        self.part, self.bond, self.space, self.tasks = part, bond, space, tasks
        waiting = space.digits[:, services:].sum(axis=1)
        self.p: Floats = 0.5 ** waiting.astype(np.float64)
        self.p /= self.p.sum()
        self.close = np.where(part.endless | part.waits, 0.5, 1.0)
        self.inlets: list[tuple[list[Key], Integers]] = []
        for keys, first, cells in inlets_of(part, bond):
            mine = (space.entry >= first) & (space.entry < first + cells)
            self.inlets.append((keys, np.flatnonzero(mine)))
        self.scale = np.ones(len(self.inlets))


def inlets_of(part: Part, bond: Bond) -> list[tuple[list[Key], int, int]]:
    """Return the tables of arrivals that a part reads: keys, first cell, number of cells."""
    cells = (part.top + 1) * (part.servers + 1)
    found: list[tuple[list[Key], int, int]] = [
        (keys, int(part.passes[s]), int(cells[s])) for s, keys in enumerate(bond.passes) if keys
    ]
    for g, keys in enumerate(bond.doors):
        found.append((keys, int(part.comes[g]), int(cells[part.target[g]] * part.span[g])))
    return found


def build_pieces(
    compiled: CompiledNetwork, layout: Layout, graph: Graph, sets: list[list[int]], most: int
) -> list[Piece] | None:
    """Return the parts with their states; None where one has more than `most`."""
    _, of_route = homes(graph, sets)
    bonds = [part_of(compiled, layout, graph, services, set())[1] for services in sets]
    flows: dict[Key, None] = {(a, ()): None for a in range(graph.start.size)}
    blocked: dict[Key, int] = {}
    for bond in bonds:
        flows |= dict.fromkeys(key for door in bond.doors for key in door)
        for key in bond.outlets:
            if graph.blocks[key[0]]:
                routes = [key[0], *key[1]]
                blocked[key] = int(compiled.servers[graph.start[routes]].sum())
    for a in np.flatnonzero(graph.blocks):
        blocked.setdefault((int(a), ()), int(compiled.servers[graph.start[a]]))
    pieces = []
    for p, services in enumerate(sets):
        owed = [key for key in flows if of_route[key[0]] == p]
        debts = {key: size for key, size in blocked.items() if of_route[key[0]] == p}
        apart = {a for key in debts for a in key[1]}
        part, bond = part_of(compiled, layout, graph, services, apart)
        fits, space = explore(part, most)
        if not fits:
            return None
        digits = _digits(part, bond)
        tasks = [_task(part, digits, key, -1) for key in owed]
        tasks += [_task(part, digits, key, size) for key, size in debts.items()]
        pieces.append(Piece(part, bond, space, tasks))
    return pieces


def _digits(part: Part, bond: Bond) -> dict[int, int]:
    """Return the digit that counts the servers blocked on each route."""
    services = part.services.size
    found = {int(a): 2 * services + k for k, a in enumerate(part.routes)}
    for g, door in enumerate(bond.doors):
        if len(door) == 1:
            found[door[0][0]] = 2 * services + part.routes.size + g
    return found


def _task(part: Part, digits: dict[int, int], key: Key, most: int) -> Task:
    local = int(np.searchsorted(part.routes, key[0]))
    others = [digits[a] for a in key[1] if a in digits]
    return Task(local, key, np.array(others, dtype=np.int64), most)


def streams_of(graph: Graph, layout: Layout, flows: Flows, given: Given) -> Streams:
    """Return the rates, from the flows."""
    n, chosen, routes = graph.chained.size, graph.member >= 0, graph.start.size
    flow: Floats = np.bincount(
        graph.member[chosen], weights=flows.route[chosen], minlength=routes
    ).astype(np.float64)
    done = np.maximum(flows.done.sum(axis=1), 1e-300)
    passing = np.bincount(graph.end, weights=np.where(graph.blocks, 0.0, flow), minlength=n)
    own = (layout.start == layout.end) & ~layout.loops & ~layout.transit
    stays = np.bincount(layout.start[own], weights=flows.route[own], minlength=n)
    passing += stays
    work = np.maximum(flows.work, 1e-300)
    return Streams(
        (flows.passes - stays / done) / work,
        flow / done[graph.start] / work[graph.start],
        flow,
        np.maximum(given.free - np.where(layout.finite, 0.0, passing), 0.0),
        np.maximum(given.lost - np.where(layout.finite, passing, 0.0), 0.0),
    )


def first_tables(
    compiled: CompiledNetwork,
    graph: Graph,
    pieces: list[Piece],
    streams: Streams,
    chains: Chain[Floats],
) -> Tables:
    """Return tables that know means only."""
    flow: dict[Key, Floats] = {}
    meets: dict[Key, Floats] = {}
    released: dict[Key, Floats] = {}
    ways = np.bincount(graph.start[graph.blocks], minlength=graph.chained.size)
    for task in (task for piece in pieces for task in piece.tasks):
        a = task.key[0]
        i, j = int(graph.start[a]), int(graph.end[a])
        here, there = compiled.servers[[i, j]].astype(np.int64)
        if task.most < 0:
            cells = (graph.top[j] + 1, there + 1, here + 1 if task.digits.size else 1)
            flow[task.key] = np.full(cells, streams.flow[a])
        else:
            shape = (graph.top[i] + 1, here + 1 if ways[i] > 1 else 1)
            meets[task.key] = np.full(shape, chains.found_full[j])
            speed = 1.0 / max(chains.wait[j], 1e-3 / streams.leaves[j])
            number = np.arange(task.most + 1, dtype=np.float64)
            released[task.key] = np.multiply.outer(number * speed, np.ones(shape))
    return Tables(flow, meets, released, *np.zeros((2, graph.start.size)))


def rates_of(part: Part, streams: Streams, layout: Layout) -> Floats:
    """Return the rates of a part, as `Part` numbers them."""
    mine, along = part.services, streams.along[part.routes]
    leaves = streams.leaves[mine].copy()
    np.subtract.at(leaves, part.start, along)
    parts = [[1.0], np.maximum(leaves, 0.0), streams.free[mine], streams.lost[mine]]
    return np.concatenate([*parts, layout.giving_up[mine], along])


def _table(piece: Piece, tables: Tables) -> Floats:
    """Return the tables of a part, as `Part` numbers them."""
    part, cells = piece.part, [np.ones(1)]
    for scale, (keys, _) in zip(piece.scale, piece.inlets, strict=True):
        cells.append(scale * np.sum([tables.flow[key] for key in keys], axis=0).ravel())
    for k in np.flatnonzero(part.end == NONE):
        key = piece.bond.outlets[k]
        meets = tables.meets[key].ravel()
        cells += [meets, 1.0 - meets, tables.released[key].ravel()]
    return np.concatenate(cells)


def visit(
    piece: Piece, graph: Graph, tables: Tables, streams: Streams, layout: Layout, enough: float
) -> float:
    """Solve one part with what the others say, and say what it says; return what has changed.

    The streams that come are scaled to the flows of the traffic equations.
    """
    part, space, before = piece.part, piece.space, piece.p.copy()
    rate = rates_of(part, streams, layout)
    rates = event_rates(space, rate, _table(piece, tables))
    last, _ = relax(part, space, rates, piece.close, piece.p, INNER, enough)
    change = float(np.abs(piece.p - before).sum())
    if last > enough:  # not at rest: it may swing and look the same after each visit
        change = max(change, last)
    for number, (keys, events) in enumerate(piece.inlets):
        wanted = sum(streams.flow[a] for a, _ in keys)
        actual = float(rates[events] @ piece.p[space.source[events]])
        step = np.clip(wanted / max(actual, 1e-300), 0.5, 2.0)
        scale = np.clip(piece.scale[number] * step, SMALLEST_SCALE, LARGEST_SCALE)
        piece.scale[number] = scale
    weight = closed(space, rates, piece.close)
    for task in piece.tasks:
        a, k, key = task.key[0], task.route, task.key
        if task.most < 0:
            tables.flow[key], tables.share[a] = coming(part, space, rate, piece.p, k, task.digits)
            continue
        speed = float(streams.leaves[graph.end[a]] * part.servers[part.end[k]])
        heard = blocking(part, space, weight, rate, piece.p, k, task.digits, task.most, speed)
        tables.meets[key], tables.released[key], tables.share[a], tables.wait[a] = heard
    return change
