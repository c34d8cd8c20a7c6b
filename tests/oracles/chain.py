"""A slow and obvious Markov chain of a small network with one class: jobs as Python values.

Written apart from the package's chain: a state is a picture of who is where, the consequences of
an event are found by applying the rules until nothing changes, and the balance equations are
solved densely. Exponential services, Poisson arrivals.

The rules: a job that waits inside takes a free server; of those who wait for a place (at the door,
blocked elsewhere or outside) and may have one of those that are free, the best rank, and among
equals the one who asked first, takes it; a job that goes
round to its own service keeps its place; as soon as services block each other in a cycle, the
earliest job of each arc moves, all at once, along the shortest such cycle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

OUTSIDE = -1


@dataclass
class Service:
    """One service; `rank` and `left_free` are those of the jobs that it sends on.

    `capacity` None is unlimited, cut off at `level` jobs present; no more than `door` jobs wait for
    a place. What leads beyond is left out.
    """

    servers: int
    rate: float
    capacity: int | None = None
    external: float = 0.0
    when_full: str = "blocked"
    external_when_full: str = "lost"
    overflow_to: int = -1
    give_up_rate: float = 0.0
    level: int = 40
    door: int = 40
    rank: int = 1
    left_free: int = 0
    outside_rank: int = 1
    outside_left_free: int = 0


@dataclass
class Picture:
    """Who is where; `door[j]` holds, in order, whom each waiting job has its server at."""

    waiting: list[int]
    working: list[int]
    door: list[list[int]]
    seen: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @property
    def key(self) -> tuple:
        return (tuple(self.waiting), tuple(self.working), tuple(map(tuple, self.door)))

    @classmethod
    def of(cls, key: tuple) -> Picture:
        waiting, working, door = key
        return cls(list(waiting), list(working), [list(line) for line in door])

    def blocked(self, i: int) -> int:
        return sum(line.count(i) for line in self.door)

    def held(self, i: int) -> int:
        return self.working[i] + self.blocked(i)

    def present(self, i: int) -> int:
        return self.held(i) + self.waiting[i]

    def mark(self, what: str, i: int, j: int = OUTSIDE) -> None:
        self.seen.setdefault(what, []).append((i, j))


class Chain:
    """The chain of a network: `services` and a matrix of routing probabilities."""

    def __init__(self, services: list[Service], routing: np.ndarray) -> None:
        self.services = services
        self.routing = routing
        self.n = len(services)
        empty = Picture([0] * self.n, [0] * self.n, [[] for _ in services])
        self.index = {empty.key: 0}
        self.moves: list[tuple[int, int, float, Picture]] = []
        frontier = deque([empty.key])
        while frontier:
            key = frontier.popleft()
            for after, rate in self._events(key):
                if self._beyond(after):
                    continue
                if after.key not in self.index:
                    self.index[after.key] = len(self.index)
                    frontier.append(after.key)
                self._mark_delays(after)
                self.moves.append((self.index[key], self.index[after.key], rate, after))
        self._solve()

    def _beyond(self, p: Picture) -> bool:
        for i, service in enumerate(self.services):
            if service.capacity is None and p.present(i) > service.level:
                return True
        return "crowded" in p.seen

    def _full(self, p: Picture, i: int, origin: int) -> bool:
        capacity = self.services[i].capacity
        return capacity is not None and p.present(i) + self._left_free(origin, i) >= capacity

    def _left_free(self, origin: int, i: int) -> int:
        if origin == OUTSIDE:
            return self.services[i].outside_left_free
        return self.services[origin].left_free

    def _next(self, p: Picture, i: int) -> int | None:
        """Return the place in the door of who may enter now."""
        ranks = [
            (self.services[i].outside_rank if o == OUTSIDE else self.services[o].rank, place)
            for place, o in enumerate(p.door[i])
            if not self._full(p, i, o)
        ]
        return min(ranks)[1] if ranks else None

    def _settle(self, p: Picture) -> None:
        """Apply the rules until nothing changes."""
        changed = True
        while changed:
            changed = False
            for i, service in enumerate(self.services):
                if p.waiting[i] and p.held(i) < service.servers:
                    p.waiting[i] -= 1
                    p.working[i] += 1
                    changed = True
            for i in range(self.n):
                first = self._next(p, i)
                if first is not None:
                    p.door[i].pop(first)
                    self._admit(p, i)
                    changed = True
                    break

    def _admit(self, p: Picture, i: int) -> None:
        p.mark("entered", i)
        if p.held(i) < self.services[i].servers and not p.waiting[i]:
            p.working[i] += 1
        else:
            self._queue(p, i)

    def _queue(self, p: Picture, i: int) -> None:
        """Put a job at the end of the line; what the same event frees may still take it."""
        p.waiting[i] += 1
        p.mark("queued", i)

    def _mark_delays(self, p: Picture) -> None:
        """Of those who came in an event, mark those who still wait when all has settled."""
        for i in range(self.n):
            came = sum(at == i for at, _ in p.seen.get("queued", []))
            for _ in range(min(came, p.waiting[i])):
                p.mark("delayed", i)

    def _cycle(self, p: Picture, start: int, end: int) -> list[int] | None:
        """Return the shortest path from `start` to `end` along 'is blocked by'."""
        paths = deque([[start]])
        reached = {start}
        while paths:
            path = paths.popleft()
            for j in range(self.n):
                if path[-1] in p.door[j] and j not in reached:
                    if j == end:
                        return [*path, j]
                    reached.add(j)
                    paths.append([*path, j])
        return None

    def _ask(self, p: Picture, origin: int, j: int, hops: int = 0) -> None:
        """A job (its server at `origin` already taken off `working`, not yet given up) asks."""
        service = self.services[j]
        # the asker's server is still held: it is counted as one more job at its origin
        own = origin == j
        places = p.present(j) + (1 if own else 0)
        places += self._left_free(origin, j)
        full = service.capacity is not None and places >= service.capacity
        p.mark("asked", j)
        if full and origin != OUTSIDE and hops == 0:
            p.mark("found full", origin, j)
        if own or not full:
            if full and service.when_full == "blocked":
                p.mark("exchange", origin)
            if own and p.waiting[j]:
                p.mark("entered", j)
                self._queue(p, j)  # behind those who wait, the first of whom starts
            else:
                self._admit(p, j)
            self._settle(p)
            return
        rule = service.when_full if origin != OUTSIDE else service.external_when_full
        if rule == "overflow" and service.overflow_to >= 0 and hops < self.n:
            p.mark("overflow", j)
            self._ask(p, origin, service.overflow_to, hops + 1)
        elif rule in ("lost", "overflow"):
            p.mark("lost", j)
            self._settle(p)
        else:
            p.door[j].append(origin)
            if len(p.door[j]) > service.door:
                p.mark("crowded", j)
            if origin != OUTSIDE:
                path = self._cycle(p, j, origin)
                if path is not None:
                    p.mark("exchange", origin)
                    self._exchange(p, [*path, j])
            self._settle(p)

    def _exchange(self, p: Picture, ring: list[int]) -> None:
        arcs = list(pairwise(ring))
        for source, target in arcs:
            p.door[target].remove(source)
        for _, target in arcs:
            p.mark("entered", target)
            self._queue(p, target)  # `_settle` gives the server away

    def _events(self, key: tuple) -> list[tuple[Picture, float]]:
        found = []
        for i, service in enumerate(self.services):
            if service.external > 0.0:
                p = Picture.of(key)
                self._ask(p, OUTSIDE, i)
                found.append((p, service.external))
            if key[0][i] and service.give_up_rate > 0.0:
                p = Picture.of(key)
                p.waiting[i] -= 1
                p.mark("gave up", i)
                self._settle(p)
                found.append((p, key[0][i] * service.give_up_rate))
            if not key[1][i]:
                continue
            rate = key[1][i] * service.rate
            for j in range(self.n):
                if self.routing[i, j] > 0.0:
                    p = Picture.of(key)
                    p.working[i] -= 1
                    p.mark("completed", i)
                    self._ask(p, i, j)
                    found.append((p, rate * self.routing[i, j]))
            leave = 1.0 - self.routing[i].sum()
            if leave > 1e-12:
                p = Picture.of(key)
                p.working[i] -= 1
                p.mark("completed", i)
                self._settle(p)
                found.append((p, rate * leave))
        return found

    def _solve(self) -> None:
        size = len(self.index)
        generator = np.zeros((size, size))
        for source, target, rate, _ in self.moves:
            generator[source, target] += rate
            generator[source, source] -= rate
        system = generator.T.copy()
        system[-1] = 1.0
        self.probability = np.linalg.solve(system, np.eye(size)[-1])

    def mean(self, of: Callable[[Picture], float]) -> float:
        """Return the mean of a function of the picture."""
        weighted = zip(self.probability, self.index, strict=True)
        return float(sum(p * of(Picture.of(key)) for p, key in weighted))

    def rate(self, what: str, i: int) -> float:
        """Return how often something happens at a service."""
        return float(
            sum(
                self.probability[source] * rate * sum(at == i for at, _ in after.seen.get(what, []))
                for source, _, rate, after in self.moves
            )
        )
