"""Which neighbouring services are solved together, and what each part tells the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed_flows import Flows, Layout
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_parts_moves import NONE, Part
from flownet.kernels.compiled import (
    DELAY,
    WAIT_OUTSIDE,
    Booleans,
    CompiledNetwork,
    Floats,
    Integers,
)
from flownet.kernels.turns import turns_of

MOST_STRANGERS = 8
"""Jobs at most that are blocked for a service of a part in servers outside it."""
SHORTEST_LINE, LONGEST_LINE = 8, 40
TAIL = 1e-5
"""A line without limit is cut off where no more than this share of time is beyond, or at
LONGEST_LINE; the last number stands for a geometric tail."""


Pools = Sequence[Sequence[int]]
"""Routes out of a part from one service each, that are counted together."""


class Graph(NamedTuple):
    """Services that have chains, and the routes between them on which jobs ask for a place."""

    chained: Booleans
    start: Integers
    end: Integers
    """(a,) services."""
    blocks: Booleans
    member: Integers
    """(m,) number of that route for each of the network's routes; NONE where it is none."""
    room: Integers
    """(n,) places; of an unlimited or saturated service, where its number is cut off."""
    endless: Booleans
    waits: Booleans
    loses: Booleans
    line: Integers
    """(n,) jobs outside at which that line is cut off; 0 where none waits."""
    top: Integers
    """(n,) largest number at a service or waiting for a place there."""
    rank: Integers
    """(n,) place in an order by what the services are, not by where they stand in the arrays."""
    turn: Integers
    """(a,) of those who wait for a place at the end of a route: smaller ones enter first."""
    outside: Integers
    """(n,) of those who wait outside."""


def graph_of(
    compiled: CompiledNetwork,
    layout: Layout,
    flows: Flows,
    free: Floats,
    lost: Floats,
    chains: Chain[Floats],
    saturated: Booleans,
) -> Graph:
    """Return the routes, and where numbers are cut off.

    Parameters
    ----------
    free, lost : (n,) arrays
        Arrivals that do not come along such a route.
    chains : Chain of (n,) arrays
        Of the compressed method, for the lengths of lines.
    saturated : (n,) array of bool
        A queue that grows is never empty: such a service always has all its places taken.
    """
    n = compiled.servers.size
    chained = np.isfinite(compiled.servers) & (compiled.discipline != DELAY)
    chained &= flows.done.sum(axis=1) > 0
    delayed = (compiled.transfer_delay > 0) & ~compiled.holds_server
    between = ~layout.loops & ~layout.transit & (layout.start != layout.end) & (flows.route > 0)
    between &= chained[layout.start] & chained[layout.end] & (layout.blocks | ~delayed)
    keys, place = np.unique(layout.start[between] * n + layout.end[between], return_inverse=True)
    member = np.full(layout.start.size, NONE)
    member[between] = place.ravel()
    start, end = keys // n, keys % n
    blocks = layout.finite[end] & (compiled.when_full[end] == 0)
    endless = chained & ~layout.finite & ~saturated
    waits = chained & layout.finite & (free > 0) & ~saturated
    loses = chained & ((lost > 0) | saturated)
    ratio = np.clip(np.where(chained, chains.ratio, 0.0), 0.0, 0.999999)
    with np.errstate(divide="ignore"):
        length = np.ceil(math.log(TAIL) / np.log(np.maximum(ratio, 1e-12)))
    impatient = np.where(layout.giving_up > 0, LONGEST_LINE, SHORTEST_LINE)
    length = np.clip(length, impatient, LONGEST_LINE).astype(np.int64)
    servers = np.where(chained, compiled.servers, 1.0).astype(np.int64)
    room = np.where(layout.finite, np.minimum(compiled.capacity, 1e9), 0.0).astype(np.int64)
    room = np.where(endless, servers + length, np.where(layout.finite, room, servers))
    line = np.where(waits, length, 0)
    behind = np.bincount(end[blocks], weights=servers[start[blocks]], minlength=n)
    top = room + line + behind.astype(np.int64)
    size = np.where(layout.finite, compiled.capacity, 0.0)
    work = [flows.arrivals, flows.external, flows.done * compiled.service_time]
    kinds = [compiled.servers, size, *(np.round(part.sum(axis=1), 9) for part in work)]
    rank = np.argsort(np.lexsort(kinds), kind="stable")
    turns = turns_of(compiled)
    turn = np.zeros(start.size, dtype=np.int64)
    turn[member[between]] = turns.route[between]
    outside = np.where(outside_lines(compiled), turns.external, 0).max(axis=1)
    np.maximum.at(outside, layout.end[layout.transit], turns.route[layout.transit])
    return Graph(
        chained, start, end, blocks, member, room, endless, waits, loses, line, top, rank, turn,
        outside,
    )  # fmt: skip


def outside_lines(compiled: CompiledNetwork) -> Booleans:
    """Tell which classes can wait outside before which services, or overflow to them: (n, R)."""
    coming: Booleans = compiled.external_arrival_rate > 0
    coming[compiled.overflow_to[compiled.overflow_to >= 0]] = True
    coming &= (compiled.external_when_full == WAIT_OUTSIDE)[:, np.newaxis]
    return coming


def states_of(
    compiled: CompiledNetwork, graph: Graph, services: list[int], pools: Pools = ()
) -> float:
    """Return about how many states a part has, from above."""
    inside = np.zeros(graph.chained.size, dtype=np.bool_)
    inside[services] = True
    product = 1.0
    for s in services:
        into = graph.blocks & (graph.end == s)
        mine = into & inside[graph.start]
        others = int(compiled.servers[graph.start[into & ~mine]].sum())
        waiting = float(min(others, MOST_STRANGERS) + 1) * (graph.line[s] + 1)
        for i in graph.start[mine]:
            waiting *= compiled.servers[i] + 1
        product *= graph.room[s] + waiting
        out = int((graph.blocks & (graph.start == s) & ~inside[graph.end]).sum())
        out -= sum(len(pool) - 1 for pool in pools if graph.start[pool[0]] == s)
        product *= math.comb(int(compiled.servers[s]) + out, out)
    return product


def choose_parts(compiled: CompiledNetwork, graph: Graph, budget: float) -> list[list[int]]:
    """Return sets of neighbouring services, at least one for both ends of every route.

    Each pair grows by neighbours as long as it has no more than `budget` states and is not all of
    what hangs together; three services or more are never solved as one. Where two choices are
    alike, the services' own ranks decide, so that their order in the arrays does not.
    """
    n, rank = graph.chained.size, graph.rank.tolist()
    near: list[set[int]] = [set() for _ in range(n)]
    for i, j in zip(graph.start.tolist(), graph.end.tolist(), strict=True):
        near[i].add(j)
        near[j].add(i)
    size = _sizes(near)
    found: list[list[int]] = [[int(s)] for s in np.flatnonzero(graph.chained) if not near[s]]
    for i, j in zip(graph.start.tolist(), graph.end.tolist(), strict=True):
        found.append(_grown(compiled, graph, near, [i, j], size[i], budget))
    sets = sorted(
        {tuple(sorted(part)) for part in found},
        key=lambda part: (-len(part), sorted(rank[s] for s in part)),
    )
    kept: list[tuple[int, ...]] = []
    holding: list[list[int]] = [[] for _ in range(n)]
    for part in sets:
        if not any(set(part) < set(kept[other]) for other in holding[part[0]]):
            for s in part:
                holding[s].append(len(kept))
            kept.append(part)
    return [list(part) for part in kept]


def _sizes(near: list[set[int]]) -> list[int]:
    """Return how many services hang together with each."""
    size = [0] * len(near)
    for root in range(len(near)):
        if size[root]:
            continue
        seen, stack = {root}, [root]
        while stack:
            for j in near[stack.pop()] - seen:
                seen.add(j)
                stack.append(j)
        for s in seen:
            size[s] = len(seen)
    return size


def _grown(
    compiled: CompiledNetwork,
    graph: Graph,
    near: list[set[int]],
    part: list[int],
    size: int,
    budget: float,
) -> list[int]:
    while len(part) < size - 1:
        around = set().union(*(near[s] for s in part)) - set(part)
        larger = [
            (states_of(compiled, graph, [*part, j]), int(graph.rank[j]), j) for j in sorted(around)
        ]
        states, _, best = min(larger, default=(math.inf, NONE, NONE))
        if states > budget:
            break
        part = [*part, best]
    return part


class Bond(NamedTuple):
    """How a part hangs on the others: which tables of theirs it reads."""

    outlets: list[list[tuple[int, tuple[int, ...]]]]
    """By route of the part: route, and other routes of the part to the same end outside; more than
    one where they are pooled."""
    doors: list[list[tuple[int, tuple[int, ...]]]]
    """By door: routes, and other routes from the same service into the part."""
    passes: list[list[tuple[int, tuple[int, ...]]]]
    """By service: routes that do not block."""


def part_of(
    compiled: CompiledNetwork, layout: Layout, graph: Graph, services: list[int],
    apart: set[int], strangers: int = MOST_STRANGERS, pools: Pools | None = None,
) -> tuple[Part, Bond]:  # fmt: skip
    """Return the part of some services, and how it hangs on the others.

    `apart` are routes into the part that have a door of their own; those from a service that has
    several such routes have one anyway. No more than so many `strangers` are blocked at a door.
    Where there are `pools`, all those outside who are blocked for one service of the part are
    counted together as well.
    """
    where = {s: k for k, s in enumerate(services)}
    ends = list(zip(graph.start.tolist(), graph.end.tolist(), strict=True))
    pooled = pools is not None
    ways_out = _ways_out(graph, ends, where, pools or ())
    chosen = [pool[0] for pool in ways_out]
    into = [a for a, (i, j) in enumerate(ends) if j in where and i not in where]
    start = np.array([where[ends[a][0]] for a in chosen], dtype=np.int64)
    end = np.array([where.get(ends[a][1], NONE) for a in chosen], dtype=np.int64)
    blocks = graph.blocks[np.array(chosen, dtype=np.int64)]
    mine = np.array(services, dtype=np.int64)
    servers, top = compiled.servers[mine].astype(np.int64), graph.top[mine]
    lower = np.array([ends[a][1] for a in chosen], dtype=np.int64)
    several = np.array([len(pool) > 1 for pool in ways_out], dtype=np.bool_)
    kin = (lower[:, None] == lower) & (end == NONE)[:, None] & ~np.eye(len(chosen), dtype=np.bool_)
    kin &= not pooled
    doors = _doors(graph, ends, into, apart, pooled=pooled)
    passes: list[list[tuple[int, tuple[int, ...]]]] = [
        [(a, ()) for a in into if not graph.blocks[a] and ends[a][1] == s] for s in services
    ]
    bond = Bond(
        [
            [(a, tuple(chosen[h] for h in np.flatnonzero(kin[k]))) for a in pool]
            for k, pool in enumerate(ways_out)
        ],
        doors,
        passes,
    )
    alone = [len(door) == 1 and not pooled for door in doors]
    source = np.array([ends[d[0][0]][0] if a else NONE for d, a in zip(doors, alone, strict=True)])
    same = (source[:, None] == source) & (source != NONE) & ~np.eye(len(doors), dtype=np.bool_)
    behind = [
        min(int(compiled.servers[[ends[a][0] for a, _ in door]].sum()), strangers) for door in doors
    ]
    ways = np.bincount(graph.start[graph.blocks], minlength=graph.chained.size)[mine]
    size = [graph.room[mine] + 1, graph.line[mine] + 1, np.where(blocks, servers[start] + 1, 1)]
    first = np.array([door[0][0] for door in doors], dtype=np.int64)
    into_turn = graph.turn[np.array(chosen, dtype=np.int64)], graph.turn[first]
    part = Part(
        services=mine,
        servers=servers,
        places=graph.room[mine],
        endless=graph.endless[mine],
        waits=graph.waits[mine],
        loses=graph.loses[mine],
        gives_up=layout.giving_up[mine] > 0,
        size=np.concatenate([*size, np.array(behind, dtype=np.int64) + 1]).astype(np.int64),
        turn=np.concatenate([np.zeros_like(mine), graph.outside[mine], *into_turn]),
        top=top,
        passes=np.full(mine.size, NONE),
        routes=np.array(chosen, dtype=np.int64),
        members=np.array([a for pool in ways_out for a in pool], dtype=np.int64),
        member_of=np.repeat(np.arange(len(ways_out)), [len(pool) for pool in ways_out]),
        pooled=several,
        start=start,
        end=end,
        blocks=blocks,
        kin=kin,
        width=np.where(blocks & (ways[start] > 1), servers[start] + 1, 1),
        meets=np.full(len(chosen), NONE),
        misses=np.full(len(chosen), NONE),
        released=np.full(len(chosen), NONE),
        target=np.array([where[ends[door[0][0]][1]] for door in doors], dtype=np.int64),
        same=same,
        span=np.array(
            [
                int(compiled.servers[source[g]]) + 1 if same[g].any() else 1
                for g in range(len(doors))
            ],
            dtype=np.int64,
        ),
        comes=np.full(len(doors), NONE),
    )
    return _with_cells(part, bond), bond


def _ways_out(
    graph: Graph, ends: list[tuple[int, int]], where: dict[int, int], pools: Pools
) -> list[list[int]]:
    """Return the routes that start in a part, and in one list those that are counted together."""
    first = {a: pool[0] for pool in pools for a in pool}
    found: dict[int, list[int]] = {}
    for a, (i, j) in enumerate(ends):
        if i in where and (j in where or graph.blocks[a]):
            found.setdefault(first.get(a, a), []).append(a)
    return list(found.values())


def _doors(
    graph: Graph, ends: list[tuple[int, int]], into: list[int], apart: set[int], *, pooled: bool
) -> list[list[tuple[int, tuple[int, ...]]]]:
    """Return the doors of a part: routes that share one, each with the others from its start.

    Those who have another turn have another door.
    """
    blocking = [a for a in into if graph.blocks[a]]
    common: dict[tuple[int, int], list[tuple[int, tuple[int, ...]]]] = {}
    doors: list[list[tuple[int, tuple[int, ...]]]] = []
    for a in blocking:
        others = tuple(b for b in blocking if b != a and ends[b][0] == ends[a][0])
        if (others or a in apart) and not pooled:
            doors.append([(a, others)])
        else:
            common.setdefault((ends[a][1], int(graph.turn[a])), []).append((a, ()))
    return doors + list(common.values())


def _with_cells(part: Part, bond: Bond) -> Part:
    """Return the part with the places of its tables."""
    cells = 1
    for s in range(part.services.size):
        if bond.passes[s]:
            part.passes[s] = cells
            cells += int((part.top[s] + 1) * (part.servers[s] + 1))
    for g, s in enumerate(part.target):
        part.comes[g] = cells
        cells += int((part.top[s] + 1) * (part.servers[s] + 1) * part.span[g])
    for k in np.flatnonzero(part.end == NONE):
        length = int((part.top[part.start[k]] + 1) * part.width[k])
        rows = int(part.servers[part.start[k]]) + 1 if part.pooled[k] else 1
        part.meets[k], part.misses[k] = cells, cells + rows * length
        part.released[k] = cells + 2 * rows * length
        cells += length * (2 * rows + 1 + most_blocked(part, int(k)))
    return part


def most_blocked(part: Part, k: int) -> int:
    """Return how many can be blocked on an outward route and its kin."""
    return int(part.servers[part.start[k]] + part.servers[part.start[part.kin[k]]].sum())


def homes(graph: Graph, parts: list[list[int]]) -> tuple[list[int], list[int]]:
    """Return which part speaks for each service, and for each route: the one with most around."""
    n = graph.chained.size
    near: list[set[int]] = [set() for _ in range(n)]
    for i, j in zip(graph.start.tolist(), graph.end.tolist(), strict=True):
        near[i].add(j)
        near[j].add(i)
    holding: list[list[int]] = [[] for _ in range(n)]
    for p, part in enumerate(parts):
        for s in part:
            holding[s].append(p)

    def most_around(parts_of: Iterable[int], services: tuple[int, ...]) -> int:
        def around(p: int) -> tuple[int, int, int]:
            inside = set(parts[p])
            return (sum(len(near[s] & inside) for s in services), len(inside), -p)

        return max(parts_of, key=around)

    of_service = [most_around(holding[s], (s,)) if holding[s] else NONE for s in range(n)]
    of_route = [
        most_around(set(holding[i]) & set(holding[j]), (i, j))
        for i, j in zip(graph.start.tolist(), graph.end.tolist(), strict=True)
    ]
    return of_service, of_route
