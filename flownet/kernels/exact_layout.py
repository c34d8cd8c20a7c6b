"""From a compiled network to the tables of its chain: which slots, lists and kinds it needs.

The encoding is the least that the network needs: a line in which only one class can stand is a
number, a line of several classes a sequence; jobs that wait for a place at a service are a number
where they are all alike, else a sequence that keeps who came first.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from flownet.kernels import exact_tables as col
from flownet.kernels.compiled import (
    DELAY,
    PREEMPTIVE,
    PROCESSOR_SHARING,
    CompiledNetwork,
    Floats,
    Integers,
)
from flownet.kernels.exact_laws import PhaseType, fit_two_moments, service_law
from flownet.kernels.exact_reach import active_pairs, doors, lines_of
from flownet.kernels.exact_tables import Tables


class Limits(NamedTuple):
    """Where unlimited numbers are cut off."""

    present: Integers
    """(n,) jobs at each service without a capacity."""
    outside: Integers
    """(n,) jobs that wait outside for each service."""
    transit: Integers
    """(m,) jobs on each route with a transfer delay."""


class Endless(NamedTuple):
    """Lines and doors that never run empty, since their services are overloaded."""

    lines: dict[int, int]
    """Of each such service, how many lines, from the worst rank."""
    doors: frozenset[int]


class Layout(NamedTuple):
    """The tables of a network's chain."""

    tables: Tables
    slots: int
    owner: Integers
    """(slots,) the service that each slot belongs to; -1 for the items of lists."""
    cyclic: bool
    """Whether jobs can block each other in a cycle."""
    unlimited: tuple[int, ...]
    """Services whose number present is cut off."""
    outside: tuple[int, ...]
    """Services whose number outside is cut off."""
    transit: tuple[int, ...]
    """Routes whose number on the way is cut off."""


class _Builder:
    """Hands out slots and offsets while the tables are filled."""

    def __init__(
        self,
        compiled: CompiledNetwork,
        limits: Limits,
        initial: Integers | None,
        endless: Endless,
    ) -> None:
        active = active_pairs(compiled, initial)
        self.compiled = compiled
        self.endless = endless
        self.limits = limits
        self.active = active
        self.n, self.classes = compiled.service_time.shape
        pairs = self.n * self.classes
        self.owner: list[int] = []
        self.service = np.full((self.n, col.SERVICE_COLUMNS), -1, dtype=np.int64)
        self.pair = np.full((pairs, col.PAIR_COLUMNS), -1, dtype=np.int64)
        self.pair_rate = np.zeros((pairs, col.PAIR_RATES))
        self.route = np.full((compiled.route_to.shape[0], col.ROUTE_COLUMNS), -1, dtype=np.int64)
        self.route_rate = np.zeros((compiled.route_to.shape[0], col.ROUTE_RATES))
        self.lists: list[tuple[int, ...]] = []
        self.law: list[float] = []
        self.option: list[int] = []
        self.weight: list[float] = []
        self.doors = doors(compiled, active, initial)
        self.kinds = sorted(set(self.doors.values()))
        self.cut = [
            i
            for i in sorted({pair // self.classes for pair in active})
            if not math.isfinite(compiled.capacity[i])
            and endless.lines.get(i, 0) < max(len(lines_of(compiled, i, self.present(i))), 1)
        ]

    @property
    def slots(self) -> int:
        """Number of slots so far."""
        return len(self.owner)

    def take(self, count: int, owner: int) -> int:
        """Return the first of `count` new slots of a service."""
        first = self.slots
        self.owner += [owner] * count
        return first

    def add_list(self, room: int, items: list[int], owner: int, draws: Floats | None) -> int:
        """Return the number of a new list in which these items can stand.

        With `draws` the list never runs empty, and who comes next has these probabilities.
        """
        alone = len(items) == 1
        slot = self.take(1, owner)
        self.take(0 if alone or draws is not None else room, -1)
        first = len(self.option) if draws is not None else -1
        self.lists.append((slot, room, items[0] if alone else -1, owner, first, len(items)))
        if draws is not None:
            self.option += items
            self.weight += draws.tolist()
        return len(self.lists) - 1

    def present(self, i: int) -> list[int]:
        """Return the pairs of a service that jobs can reach."""
        return [pair for pair in self.active if pair // self.classes == i]

    def add_law(self, law: PhaseType) -> tuple[int, int, int]:
        """Keep a law; return its offset, the offset of its first phases, and their number."""
        offset, start = len(self.law), len(self.option)
        self.law += law.end.tolist() + law.change.ravel().tolist()
        support = np.flatnonzero(law.start > 0.0)
        self.option += support.tolist()
        self.weight += law.start[support].tolist()
        return offset, start, len(support)

    def limit(self, i: int) -> int:
        """Return the most jobs that the chain holds at a service."""
        places = self.compiled.capacity[i]
        return int(places) if math.isfinite(places) else int(self.limits.present[i])

    def servers(self, i: int) -> int:
        """Return the number of servers as a whole number."""
        c = self.compiled
        if c.discipline[i] == DELAY or not math.isfinite(c.servers[i]):
            return col.UNLIMITED
        return math.ceil(
            float(c.servers[i])
        )  # of a shared service any number of servers is allowed


def _fill_service(b: _Builder, i: int) -> None:
    """Fill the row of one service and make its lines."""
    c = b.compiled
    row = b.service[i]
    finite = math.isfinite(c.capacity[i])
    row[col.SERVERS] = b.servers(i)
    row[col.PLACES] = int(c.capacity[i]) if finite else col.UNLIMITED
    row[col.LIMIT] = b.limit(i) if i in b.cut else col.UNLIMITED
    row[col.SHARING] = int(c.discipline[i] == PROCESSOR_SHARING)
    row[col.INTERRUPTS] = int(c.discipline[i] == PREEMPTIVE)
    row[col.WHEN_FULL] = c.when_full[i]
    row[col.EXTERNAL_WHEN_FULL] = c.external_when_full[i]
    row[col.OVERFLOW_TO] = c.overflow_to[i]
    row[col.HELD] = b.take(1, i)
    row[col.WAITING] = b.take(1, i)
    present = b.present(i)
    for pair in present:
        _fill_pair(b, pair)
    row[col.FIRST_LINE] = len(b.lists)
    room = b.limit(i) - b.servers(i)
    lines = lines_of(c, i, present) if room > 0 else []
    for number, items in enumerate(lines):
        endless = number >= len(lines) - b.endless.lines.get(i, 0)
        draws = _shares(c, items) if endless else None
        b.pair[items, col.LINE] = b.add_list(room, items, i, draws)
    row[col.END_LINE] = len(b.lists)
    row[col.SATURATED] = int(i in b.endless.lines)


def _fill_pair(b: _Builder, pair: int) -> None:
    """Fill the row of one service and class, with its laws."""
    c = b.compiled
    i, k = divmod(pair, b.classes)
    row = b.pair[pair]
    law = service_law(c, i, k)
    row[col.ACTIVE] = 1
    row[col.PHASES] = len(law.end)
    row[col.PHASE] = b.take(len(law.end), i)
    row[[col.LAW, col.START, col.STARTS]] = b.add_law(law)
    row[col.FIRST_ROUTE], row[col.END_ROUTE] = c.route_start[pair], c.route_start[pair + 1]
    row[col.EXTERNAL_LEFT_FREE] = c.external_places_left_free[i, k]
    rate = float(c.external_arrival_rate[i, k])
    b.pair_rate[pair, col.EXTERNAL] = rate
    b.pair_rate[pair, col.GIVING_UP] = 1.0 / c.patience[i, k]
    leaving = 1.0 - float(c.route_probability[row[col.FIRST_ROUTE] : row[col.END_ROUTE]].sum())
    b.pair_rate[pair, col.LEAVING] = leaving if leaving > 1e-12 else 0.0
    if rate > 0.0 and c.arrival_scv[i, k] != 1.0:
        law = fit_two_moments(1.0 / rate, float(c.arrival_scv[i, k]))
        row[col.ARRIVAL_PHASE] = b.take(1, i)
        row[col.ARRIVAL_PHASES] = len(law.end)
        row[[col.ARRIVAL_LAW, col.ARRIVAL_START, col.ARRIVAL_STARTS]] = b.add_law(law)


def _shares(compiled: CompiledNetwork, pairs: list[int]) -> Floats:
    """Return the shares of pairs in a line that never runs empty, by their arrivals."""
    if len(pairs) == 1:
        return np.ones(1)
    rates = compiled.external_arrival_rate.ravel()[pairs]
    return np.asarray(rates / rates.sum())


def _fill_routes(b: _Builder) -> list[int]:
    """Fill the rows of the routes; return those whose number on the way is cut off."""
    c = b.compiled
    cut = []
    for pair in b.active:
        for route in range(int(c.route_start[pair]), int(c.route_start[pair + 1])):
            row = b.route[route]
            row[col.TO], row[col.FROM] = c.route_to[route], pair
            row[col.HOLDS] = int(c.holds_server[route])
            row[col.LEFT_FREE] = c.places_left_free[route]
            b.route_rate[route, col.PROBABILITY] = c.route_probability[route]
            row[col.ROUTE_LIMIT] = col.UNLIMITED
            if c.transfer_delay[route] > 0.0:
                row[col.TRANSFER] = b.take(1, pair // b.classes)
                b.route_rate[route, col.SPEED] = 1.0 / c.transfer_delay[route]
                if not c.holds_server[route]:
                    row[col.ROUTE_LIMIT] = b.limits.transit[route]
                    cut.append(route)
    return cut


def _fill_doors(b: _Builder) -> tuple[Integers, Integers, list[int]]:
    """Make the lists of those who wait for a place; return kinds, their numbers, those cut off."""
    kind_of = np.full((b.route.shape[0] + 1, b.pair.shape[0]), -1, dtype=np.int64)
    number_of = {kind: number for number, kind in enumerate(b.kinds)}
    for (route, target), kind in b.doors.items():
        kind_of[route, target] = number_of[kind]  # `NO_ROUTE` is the last row
    cut = []
    for i in range(b.n):
        items = [q for q, (_, target, *_) in enumerate(b.kinds) if target // b.classes == i]
        if not items:
            continue
        sources = {b.kinds[q][0] // b.classes for q in items if b.kinds[q][0] >= 0}
        room = sum(min(b.limit(j), b.servers(j)) for j in sources)
        draws = None
        if i in b.endless.doors:
            draws = _shares(b.compiled, [b.kinds[q][1] for q in items])
        elif any(b.kinds[q][0] < 0 for q in items):
            room += int(b.limits.outside[i])
            cut.append(i)
        b.service[i, col.DOOR] = b.add_list(room, items, i, draws)
    return np.array(b.kinds, dtype=np.int64).reshape(-1, col.KIND_COLUMNS), kind_of, cut


def _can_deadlock(b: _Builder) -> bool:
    """Tell whether the arcs on which jobs can be blocked close a cycle."""
    arcs = {(kind[0] // b.classes, kind[1] // b.classes) for kind in b.kinds if kind[0] >= 0}
    if not arcs:
        return False
    start, end = np.array(sorted(arcs)).T
    links = csr_array((np.ones(start.size), (start, end)), shape=(b.n, b.n))
    component = connected_components(links, connection="strong")[1]
    return bool((component[start] == component[end]).any())


def lay_out(
    compiled: CompiledNetwork,
    limits: Limits,
    initial: Integers | None = None,
    endless: Endless | None = None,
) -> Layout:
    """Return the tables of a network's chain.

    Parameters
    ----------
    compiled : CompiledNetwork
    limits : Limits
        Where unlimited numbers are cut off.
    initial : (n, R) array of int, optional
        Jobs present at the start; default none.
    endless : Endless, optional
        Lines and doors at which, the service being overloaded, there is always somebody.
    """
    always = endless if endless is not None else Endless({}, frozenset())
    b = _Builder(compiled, limits, initial, always)
    for i in range(b.n):
        _fill_service(b, i)
    transit = _fill_routes(b)
    kind, kind_of, outside = _fill_doors(b)
    tables = Tables(
        service=b.service,
        pair=b.pair,
        pair_rate=b.pair_rate,
        route=b.route,
        route_rate=b.route_rate,
        lists=np.array(b.lists, dtype=np.int64).reshape(-1, col.LIST_COLUMNS),
        kind=kind,
        kind_of=kind_of,
        law=_floats(b.law),
        option=np.array(b.option, dtype=np.int64),
        weight=_floats(b.weight),
        share=np.array(compiled.servers, dtype=np.float64),
    )
    return Layout(
        tables,
        b.slots,
        np.array(b.owner),
        _can_deadlock(b),
        tuple(b.cut),
        tuple(outside),
        tuple(transit),
    )


def _floats(values: list[float]) -> Floats:
    return np.array(values, dtype=np.float64)
