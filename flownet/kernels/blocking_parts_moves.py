"""What can happen next in a part: a few neighbouring services of a network with blocking.

A state of a part counts, at each of its services, the jobs there, those that wait for a place there
in servers outside the part, and those that wait outside the network; and on each route of blocking,
the servers of the part that are blocked for its end. Jobs that wait for the same place are taken
by turn, and of one turn in random order, which leaves their numbers nearly as they are under first
come, first served.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import Booleans, Floats, Integers

NONE = -1
MOST_BRANCHES = 512
"""Outcomes of one event at most; a place that falls free can be taken by many, and so on."""


class Part(NamedTuple):
    """A few services S, their routes k, the doors g by which blocked jobs come from elsewhere.

    Rates: 0 is one; then, S of each, what leaves the part for good, arrivals that wait without
    limit, arrivals that are lost where there is no place, patience; then the routes. Digits of a
    state: jobs present S, jobs outside S, servers blocked k, servers elsewhere blocked g.
    """

    services: Integers
    """(S,) numbers in the network."""
    servers: Integers
    places: Integers
    """(S,) where unlimited: where the number is cut off."""
    endless: Booleans
    """(S,) places are unlimited."""
    waits: Booleans
    """(S,) some arrive whatever the state and wait without limit."""
    loses: Booleans
    gives_up: Booleans
    size: Integers
    """(2 S + k + g,) one more than the largest value of each digit."""
    turn: Integers
    """(2 S + k + g,) of those whom each digit counts, that wait for a place: smaller ones enter
    first."""
    top: Integers
    """(S,) largest number in the tables, jobs that wait for a place included."""
    passes: Integers
    """(S,) in the tables: rate at which jobs come that do not keep their server, by number here and
    own servers blocked; NONE where none do."""
    routes: Integers
    """(k,) numbers in the network; of those that are pooled the first."""
    members: Integers
    """Numbers in the network of all, those that are pooled too."""
    member_of: Integers
    """By these, k."""
    pooled: Booleans
    """(k,) several routes to services outside that are counted together."""
    start: Integers
    end: Integers
    """(k,) within the part; NONE where outside."""
    blocks: Booleans
    """(k,) whether the job keeps its server until there is a place."""
    kin: Booleans
    """(k, k) both go to the same service outside: where one is blocked, the other is too."""
    width: Integers
    """(k,) numbers that can be blocked at the start for other ends, 0 included."""
    meets: Integers
    """(k,) in the tables: chance that the end outside is full, by number at the start and servers
    there that are blocked for other ends, where none of the kin is blocked; where pooled, by the
    number blocked on them first."""
    misses: Integers
    """(k,) one less that."""
    released: Integers
    """(k,) rate of release of all kin together, by their number blocked, and as above."""
    target: Integers
    """(g,) service to which a door leads."""
    same: Booleans
    """(g, g) doors from the same service, whose servers are blocked for one or the other."""
    span: Integers
    """(g,) numbers that can be blocked at the other doors from there, 0 included."""
    comes: Integers
    """(g,) in the tables: rate at which jobs come, by number at the target, its own servers
    blocked, and the number blocked at those other doors."""


@njit
def _waits_for(part: Part, source: int, s: int) -> bool:
    """Tell whether a digit counts those who wait for a place at a service."""
    services = part.services.size
    k = source - 2 * services
    if k < 0:
        return source == services + s
    g = k - part.routes.size
    return bool(part.target[g] == s if g >= 0 else part.blocks[k] and part.end[k] == s)


@njit
def _first_of(part: Part, d: Integers, s: int) -> tuple[int, int]:
    """Return the first turn of those who wait for a place at a service, and how many have it."""
    turn, total = 0, 0
    for source in range(part.services.size, part.size.size):
        if d[source] == 0 or not _waits_for(part, source, s):
            continue
        if total == 0 or part.turn[source] < turn:
            turn, total = part.turn[source], 0
        if part.turn[source] == turn:
            total += d[source]
    return int(turn), int(total)


@njit
def _vacate(part: Part, branches: Integers, weight: Floats, vacant: Integers, count: int) -> int:
    """Let those in who wait for places that fall free, and so on; return the number of outcomes."""
    services, done = part.services.size, 0
    doors = 2 * services + part.routes.size
    while done < count:
        s = vacant[done]
        if s == NONE:
            done += 1
            continue
        d = branches[done]
        turn, total = _first_of(part, d, s)
        vacant[done] = NONE
        if total == 0:
            done += 1
            continue
        whole, before = weight[done], d.copy()
        taken = False
        for source in range(services, part.size.size):
            waits = before[source] > 0 and _waits_for(part, source, s)
            if not waits or part.turn[source] != turn or count >= MOST_BRANCHES:
                continue
            place = count if taken else done
            count += 1 if taken else 0
            taken = True
            branches[place] = before
            branches[place, source] -= 1
            branches[place, s] += 1
            weight[place] = whole * before[source] / total
            vacant[place] = NONE
            if 2 * services <= source < doors:
                start = part.start[source - 2 * services]
                branches[place, start] -= 1
                vacant[place] = start
    return count


@njit
def _exchange(part: Part, d: Integers, first: int, last: int) -> bool:
    """Take one job off each route of a chain of blocked services from `first` to `last`."""
    services = part.services.size
    by = np.full(services, NONE)
    line = np.empty(services, dtype=np.int64)
    line[0], begin, end = first, 0, 1
    while begin < end:
        s = line[begin]
        begin += 1
        for k in range(part.routes.size):
            t = part.end[k]
            if not part.blocks[k] or part.start[k] != s or t == NONE or d[2 * services + k] == 0:
                continue
            if t == first or by[t] != NONE:
                continue
            by[t] = k
            if t == last:
                while t != first:
                    d[2 * services + by[t]] -= 1
                    t = part.start[by[t]]
                return True
            line[end] = t
            end += 1
    return False


@njit
def number_at(part: Part, d: Integers, s: int) -> int:
    """Return how many are at a service or wait for a place there."""
    services = part.services.size
    x = d[s] + d[services + s]
    for k in range(part.routes.size):
        if part.blocks[k] and part.end[k] == s:
            x += d[2 * services + k]
    for g in range(part.target.size):
        if part.target[g] == s:
            x += d[2 * services + part.routes.size + g]
    return int(x)


@njit
def stuck_at(part: Part, d: Integers, s: int) -> int:
    """Return how many servers of a service are blocked."""
    total = 0
    for k in range(part.routes.size):
        if part.start[k] == s and part.blocks[k]:
            total += d[2 * part.services.size + k]
    return int(total)


class Outcomes(NamedTuple):
    """Room for what may follow from one state: `filled[0]` outcomes, with what makes their rate."""

    branches: Integers
    weight: Floats
    vacant: Integers
    rate: Integers
    entry: Integers
    route: Integers
    tail: Integers
    filled: Integers


@njit
def _add(part: Part, o: Outcomes, d: Integers, vacant: int, weight: float, rate: int, entry: int,
         route: int) -> None:  # fmt: skip
    """Add an event and all that it leads to at once."""
    first = o.filled[0]
    o.branches[first] = d
    o.weight[first], o.vacant[first] = weight, vacant
    last = first + 1
    if vacant != NONE:
        o.branches[first, vacant] -= 1
        last = first + _vacate(part, o.branches[first:], o.weight[first:], o.vacant[first:], 1)
    for p in range(first, last):
        o.rate[p], o.entry[p], o.route[p] = rate, entry, route
    o.filled[0] = last


@njit
def _arrivals(part: Part, o: Outcomes, d: Integers, s: int) -> None:
    """Add the arrivals at one service."""
    n, held = part.services.size, d[s] >= part.places[s]
    after = d.copy()
    cell = min(number_at(part, d, s), part.top[s]) * (part.servers[s] + 1) + stuck_at(part, d, s)
    if not held or (part.waits[s] and not part.endless[s]):
        place = n + s if held else s
        if d[place] + 1 < part.size[place] and (part.waits[s] or part.endless[s]):
            after[place] += 1
            _add(part, o, after, NONE, 1.0, 1 + n + s, 0, NONE)
            after[place] -= 1
    if not held and d[s] + 1 < part.size[s]:
        after[s] += 1
        if part.loses[s]:
            _add(part, o, after, NONE, 1.0, 1 + 2 * n + s, 0, NONE)
        if part.passes[s] != NONE:
            _add(part, o, after, NONE, 1.0, 0, part.passes[s] + cell, NONE)
        after[s] -= 1
    doors = 2 * n + part.routes.size
    for g in range(part.target.size):
        place = doors + g if held else s
        if part.target[g] != s or d[place] + 1 >= part.size[place]:
            continue
        other = 0
        for h in range(part.target.size):
            if part.same[g, h]:
                other += d[doors + h]
        entry = part.comes[g] + cell * part.span[g] + min(other, part.span[g] - 1)
        after[place] += 1
        _add(part, o, after, NONE, 1.0, 0, entry, NONE)
        after[place] -= 1


@njit
def _leave(part: Part, o: Outcomes, d: Integers, k: int, working: float) -> None:
    """Add the completions that go along a blocking route out of the part, and the releases."""
    services, s = part.services.size, part.start[k]
    digit, rate = 2 * services + k, 1 + 4 * services + k
    after, every, ahead, equal = d.copy(), d[digit], 0, d[digit]
    length, cell = (part.top[s] + 1) * part.width[k], min(number_at(part, d, s), part.top[s])
    cell *= part.width[k]
    if part.width[k] > 1:
        cell += stuck_at(part, d, s) - d[digit]
    for h in range(part.routes.size):
        if part.kin[k, h]:
            number, turn = d[2 * services + h], part.turn[2 * services + h]
            every += number
            ahead += number if turn < part.turn[digit] else 0
            equal += number if turn == part.turn[digit] else 0
    if d[digit] > 0 and ahead == 0:
        after[digit] -= 1
        entry = part.released[k] + every * length + cell
        _add(part, o, after, s, d[digit] / equal, 0, entry, NONE)
        after[digit] += 1
    if working <= 0:
        return
    after[digit] += 1
    if every > 0 and not part.pooled[k]:
        _add(part, o, after, NONE, working, rate, 0, k)
        return
    cell += every * length
    _add(part, o, after, NONE, working, rate, part.meets[k] + cell, k)
    _add(part, o, d, s, working, rate, part.misses[k] + cell, NONE)


@njit
def _along(part: Part, o: Outcomes, d: Integers, k: int, working: float) -> None:
    """Add the completions that go along a route within the part."""
    services = part.services.size
    s, t, digit = part.start[k], part.end[k], 2 * services + k
    rate = 1 + 4 * services + k
    after = d.copy()
    if d[t] < part.places[t]:
        after[t] += 1
        _add(part, o, after, s, working, rate, 0, NONE)
    elif not part.blocks[k]:  # lost, or one more beyond where the number is cut off
        _add(part, o, d, s, working, rate, 0, NONE)
    else:
        if not _exchange(part, after, t, s):
            after[digit] += 1
        _add(part, o, after, NONE, working, rate, 0, k)


@njit
def follow(part: Part, o: Outcomes, d: Integers) -> None:
    """Add all events of a state."""
    o.filled[0] = 0
    services = part.services.size
    for s in range(services):
        _arrivals(part, o, d, s)
        working = 1.0 * (min(d[s], part.servers[s]) - stuck_at(part, d, s))
        if working > 0:
            _add(part, o, d, s, working, 1 + s, 0, NONE)
        if part.gives_up[s] and d[s] > part.servers[s]:
            _add(part, o, d, s, 1.0 * (d[s] - part.servers[s]), 1 + 3 * services + s, 0, NONE)
        for k in range(part.routes.size):
            if part.start[k] == s and part.end[k] == NONE:
                _leave(part, o, d, k, working)
            elif part.start[k] == s and working > 0:
                _along(part, o, d, k, working)


@njit
def _level(part: Part, s: int) -> int:
    """Return the digit of a service that is cut off, NONE where it has none."""
    if part.endless[s]:
        return s
    return part.services.size + s if part.waits[s] else NONE


@njit
def tails(part: Part, o: Outcomes, d: Integers) -> None:
    """Say which outcomes leave the last value of a number that is cut off.

    The last value stands for all beyond: such an event may as well leave the number where it is,
    which is added as one more outcome. The first is marked by the service s, the second by S + s.
    """
    services, count = part.services.size, o.filled[0]
    for p in range(count):
        o.tail[p] = NONE
        for s in range(services):
            digit = _level(part, s)
            if digit == NONE or d[digit] < part.size[digit] - 1 or o.branches[p, digit] >= d[digit]:
                continue
            last = o.filled[0]
            o.branches[last] = o.branches[p]
            o.branches[last, digit] = d[digit]
            o.weight[last], o.rate[last] = o.weight[p], o.rate[p]
            o.entry[last], o.route[last] = o.entry[p], o.route[p]
            o.tail[p], o.tail[last] = s, services + s
            o.filled[0] += 1
            break


@njit
def room_for(part: Part) -> Outcomes:
    """Return room for the outcomes of any state."""
    size = 4 * MOST_BRANCHES
    none = np.zeros(size, dtype=np.int64)
    return Outcomes(
        np.zeros((size, part.size.size), dtype=np.int64),
        np.zeros(size),
        none.copy(),
        none.copy(),
        none.copy(),
        none.copy(),
        none.copy(),
        np.zeros(1, dtype=np.int64),
    )
