"""Parts of a network with blocking at work: what one says, and what it hears from the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed_flows import Flows, Layout
from flownet.kernels.blocking_compressed_inputs import Given
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_line import Steady
from flownet.kernels.blocking_parts_chain import pooled
from flownet.kernels.blocking_parts_moves import NONE, Part
from flownet.kernels.blocking_parts_plan import Bond, Graph, Pools, homes, part_of
from flownet.kernels.blocking_parts_space import Space, explore
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers


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
    held: dict[int, Floats]
    """Share of time, by servers blocked on a route and number at its start, while none there is
    blocked for other ends."""
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
        self.inlets: list[tuple[list[Key], Integers, int, tuple[int, int, int]]] = []
        """Tables that are read, their events, where these lead, and what the tables are by."""
        for keys, first, target, shape in inlets_of(part, bond):
            mine = (space.entry >= first) & (space.entry < first + math.prod(shape))
            self.inlets.append((keys, np.flatnonzero(mine), target, shape))
        self.scale = np.ones(len(self.inlets))
        self.steady = Steady()


def inlets_of(part: Part, bond: Bond) -> list[tuple[list[Key], int, int, tuple[int, int, int]]]:
    """Return the tables of arrivals that a part reads: keys, first cell, service, shape."""
    size = list(zip((part.top + 1).tolist(), (part.servers + 1).tolist(), strict=True))
    found: list[tuple[list[Key], int, int, tuple[int, int, int]]] = [
        (keys, int(part.passes[s]), s, (*size[s], 1)) for s, keys in enumerate(bond.passes) if keys
    ]
    for g, keys in enumerate(bond.doors):
        target = int(part.target[g])
        found.append((keys, int(part.comes[g]), target, (*size[target], int(part.span[g]))))
    return found


def build_pieces(
    compiled: CompiledNetwork, layout: Layout, graph: Graph, sets: list[list[int]],
    pools: Sequence[Pools | None], many: float, most: int,
) -> list[Piece] | None:  # fmt: skip
    """Return the parts with their states; None where one has more than `most`.

    `pools` are by part the routes out of it on which those blocked are counted together; None
    where none are and none are at the doors, unless the part has more than `many` states then.
    """
    _, of_route = homes(graph, sets)
    bonds = [
        part_of(compiled, layout, graph, services, set(), pools=pool)[1]
        for services, pool in zip(sets, pools, strict=True)
    ]
    flows: dict[Key, None] = {(a, ()): None for a in range(graph.start.size)}
    blocked: dict[Key, int] = {}
    for bond in bonds:
        flows |= dict.fromkeys(key for door in bond.doors for key in door)
        for key in (key for outlet in bond.outlets for key in outlet):
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
        part, bond = part_of(compiled, layout, graph, services, apart, pools=pools[p])
        fits, space = explore(part, most if pools[p] is not None else int(min(many, most)))
        if not fits and pools[p] is None and many < most:
            part, bond = part_of(compiled, layout, graph, services, apart, pools=())
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
    found = {int(a): 2 * services + k for k, a in enumerate(part.routes) if not part.pooled[k]}
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
    held: dict[int, Floats] = {}
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
            held[a] = np.multiply.outer(0.1 ** np.arange(here + 1.0), np.ones(shape[0]))
    return Tables(flow, meets, released, held, *np.zeros((2, graph.start.size)))


def rates_of(part: Part, streams: Streams, layout: Layout) -> Floats:
    """Return the rates of a part, as `Part` numbers them."""
    mine = part.services
    along = np.bincount(part.member_of, streams.along[part.members], part.routes.size)
    leaves = streams.leaves[mine].copy()
    np.subtract.at(leaves, part.start, along)
    parts = [[1.0], np.maximum(leaves, 0.0), streams.free[mine], streams.lost[mine]]
    return np.concatenate([*parts, layout.giving_up[mine], along])


def read_tables(piece: Piece, tables: Tables, streams: Streams) -> Floats:
    """Return the tables of a part, as `Part` numbers them."""
    part, cells = piece.part, [np.ones(1)]
    for scale, (keys, _, _, shape) in zip(piece.scale, piece.inlets, strict=True):
        flow = np.sum([tables.flow[key] for key in keys], axis=0)
        cells.append(scale * np.broadcast_to(flow, shape).ravel())
    for k in np.flatnonzero(part.end == NONE):
        keys = piece.bond.outlets[k]
        if len(keys) == 1:
            meets, released = tables.meets[keys[0]], tables.released[keys[0]]
        else:
            held = np.array([tables.held[a] for a, _ in keys])
            free = np.array([tables.released[key] for key in keys])
            met = np.array([tables.meets[key] for key in keys])
            meets, released = pooled(held, free, met, streams.flow[[a for a, _ in keys]])
        cells += [meets.ravel(), 1.0 - meets.ravel(), released.ravel()]
    return np.concatenate(cells)
