"""The steady state of a part, and what it tells the parts that overlap with it."""

from __future__ import annotations

import numpy as np

from flownet.jit import njit
from flownet.kernels.blocking_parts_moves import NONE, Part
from flownet.kernels.blocking_parts_space import Space
from flownet.kernels.compiled import Floats, Integers

FAINT = 1e-13
"""Cells of less probability take the value of their neighbour."""
LONGEST_TAIL = 1.0 - 1e-3
"""Largest ratio of the geometric tail beyond where a number is cut off."""
STEP = 0.3
"""Of a tail towards its new value, in logarithms: whole steps can swing for ever."""


@njit
def event_rates(space: Space, rate: Floats, table: Floats) -> Floats:
    """Return the rate of every event, tails apart."""
    rates = np.empty(space.source.size)
    for e in range(rates.size):
        rates[e] = space.coefficient[e] * rate[space.rate[e]] * table[space.entry[e]]
    return rates


@njit
def closed(space: Space, rates: Floats, close: Floats) -> Floats:
    """Return the rates with each number that is cut off standing for its geometric tail."""
    weight = rates.copy()
    for e in range(rates.size):
        s = space.tail[e]
        if s >= close.size:
            weight[e] *= 1.0 - close[s - close.size]
        elif s != NONE:
            weight[e] *= close[s]
    return weight


@njit
def _balance_levels(space: Space, s: int, weight: Floats, p: Floats) -> float:
    """Scale the probabilities of each number at service s so that its ups and downs balance.

    Returns the sum of what that changes.
    """
    most = 0
    for j in range(p.size):
        most = max(most, space.number[j, s])
    up, down = np.zeros(most + 2), np.zeros(most + 2)
    mass, scale = np.zeros(most + 2), np.ones(most + 2)
    for j in range(p.size):
        x = space.number[j, s]
        mass[x] += p[j]
        for e in range(space.first[j], space.first[j + 1]):
            i = space.source[e]
            before = space.number[i, s]
            if before != x:
                flow = weight[e] * p[i]
                if before < x:
                    up[before] += flow
                else:
                    down[before] += flow
    total = mass[0]
    for x in range(1, most + 1):
        scale[x] = scale[x - 1]
        if up[x - 1] > 0.0 and down[x] > 0.0:
            scale[x] *= up[x - 1] / down[x]
        total += scale[x] * mass[x]
        if scale[x] > 1e100:
            scale[: x + 1] *= 1e-100
            total *= 1e-100
    change = 0.0
    for x in range(most + 1):
        scale[x] /= total
        change += abs(scale[x] - 1.0) * mass[x]
    for j in range(p.size):
        p[j] *= scale[space.number[j, s]]
    return change


@njit
def _close(part: Part, space: Space, rates: Floats, close: Floats, p: Floats) -> None:
    """Let each number that is cut off stand for its geometric tail."""
    services = part.services.size
    up, down, mass = np.zeros(services), np.zeros(services), np.zeros(services)
    for s in range(services):
        if not (part.endless[s] or part.waits[s]):
            continue
        digit = s if part.endless[s] else services + s
        last = part.size[digit] - 1
        below = 0.0
        for j in range(p.size):
            if space.digits[j, digit] == last:
                mass[s] += p[j]
            elif space.digits[j, digit] == last - 1:
                below += p[j]
        for e in range(rates.size):
            i = space.source[e]
            if space.tail[e] == s:
                down[s] += rates[e] * p[i]
            elif (
                space.digits[space.target[e], digit] == last and space.digits[i, digit] == last - 1
            ):
                up[s] += rates[e] * p[i]
        if mass[s] > 0.0 and below > 0.0 and down[s] > 0.0:
            ratio = min((up[s] / below) / (down[s] / mass[s]), LONGEST_TAIL)
            close[s] *= ((1.0 - ratio) / close[s]) ** STEP


@njit
def relax(
    part: Part, space: Space, rates: Floats, close: Floats, p: Floats, sweeps: int, enough: float
) -> tuple[float, int]:
    """Improve the steady state `p` by Gauss-Seidel, and by balance of the numbers at each service.

    Returns the last change of probability and the number of sweeps. `close` holds, by service, one
    less the ratio of the tail beyond where its number is cut off, and is improved too.
    """
    states, events = p.size, rates.size
    out = np.zeros(states)
    change, weight, tails = np.inf, rates, False
    for s in range(part.services.size):
        tails = tails or part.endless[s] or part.waits[s]
    for sweep in range(sweeps):
        if tails or sweep == 0:
            out[:] = 0.0
            weight = closed(space, rates, close)
            for e in range(events):
                out[space.source[e]] += weight[e]
        change = 0.0
        for half in range(2):
            for place in range(states):
                j = place if half == 0 else states - 1 - place
                if out[j] <= 0.0:
                    continue
                flow = 0.0
                for e in range(space.first[j], space.first[j + 1]):
                    flow += weight[e] * p[space.source[e]]
                flow /= out[j]
                change += abs(flow - p[j])
                p[j] = flow
        total = p.sum()
        p /= total
        change /= total
        for s in range(part.services.size):
            change += _balance_levels(space, s, weight, p)
        if tails:
            _close(part, space, rates, close, p)
        if change <= enough:
            return change, sweep + 1
    return change, sweeps


@njit
def _sum(space: Space, j: int, digits: Integers) -> int:
    total = 0
    for digit in digits:
        total += space.digits[j, digit]
    return int(total)


@njit
def coming(
    part: Part, space: Space, rate: Floats, p: Floats, k: int, others: Integers
) -> tuple[Floats, float]:
    """Return how many come along route k, by number at its end, servers blocked there, `others`.

    The last are digits whose sum counts servers at the start that are blocked for other ends. Then
    how many of those who come find the end full, and how many they are, per T.
    """
    s, t = part.start[k], part.end[k]
    span = part.servers[s] + 1 if others.size else 1
    shape = (part.top[t] + 1, part.servers[t] + 1, span)
    flow, mass, full = np.zeros(shape), np.zeros(shape), 0.0
    for j in range(p.size):
        x, b, y = min(space.number[j, t], part.top[t]), space.blocked[j, t], _sum(space, j, others)
        working = min(space.digits[j, s], part.servers[s]) - space.blocked[j, s]
        here = p[j] * working * rate[1 + 4 * part.services.size + k]
        flow[x, b, y] += here
        mass[x, b, y] += p[j]
        if not part.endless[t] and space.digits[j, t] >= part.places[t]:
            full += here
    every = flow.sum()
    for y in range(span):
        for b in range(shape[1]):
            last = every if y == 0 else flow[0, b, y - 1]
            if b > 0:
                last = flow[0, b - 1, y]
            for x in range(shape[0]):
                flow[x, b, y] = (flow[x, b, y] + FAINT * last) / (mass[x, b, y] + FAINT)
                last = flow[x, b, y]
    return flow, full / max(every, 1e-300)


@njit
def blocking(
    part: Part,
    space: Space,
    weight: Floats,
    rate: Floats,
    p: Floats,
    k: int,
    kin: Integers,
    most: int,
    speed: float,
) -> tuple[Floats, Floats, Floats, float, float]:
    """Return what route k does to its start.

    `kin` are digits that count other servers blocked for its end; `most` is how many can be,
    together with those on route k. The chance that the end is full while none of these is blocked,
    by number at the start and servers there that are blocked for other ends; the rate at which all
    these are released, by their number and the same, where one on route k is blocked; the weight
    of each number blocked on it, by number at the start, where none is blocked for other ends;
    the share of those who go along it that find its end full; the mean time that they are blocked.
    `speed` is the rate at which the servers of the end finish, all at work.
    """
    services = part.services.size
    s, top, digit = part.start[k], part.top[part.start[k]], 2 * services + k
    width = part.width[k]
    met, asked = np.zeros((top + 1, width)), np.zeros((top + 1, width))
    free, mass = np.zeros((most + 1, top + 1, width)), np.zeros((most + 1, top + 1, width))
    held = np.zeros((part.servers[s] + 1, top + 1))
    full, every, number = 0.0, 0.0, 0.0
    for j in range(p.size):
        x, m = min(space.number[j, s], top), space.digits[j, digit]
        if space.blocked[j, s] == m:
            held[m, x] += p[j]
        o, z = space.blocked[j, s] - m if width > 1 else 0, _sum(space, j, kin)
        working = min(space.digits[j, s], part.servers[s]) - space.blocked[j, s]
        flow = p[j] * working * rate[1 + 4 * services + k]
        number += m * p[j]
        every += flow
        if m > 0:
            mass[m + z, x, o] += p[j]
        elif z == 0:
            asked[x, o] += flow
    for e in range(weight.size):
        i, after = space.source[e], space.target[e]
        flow = weight[e] * p[i]
        x, m = min(space.number[i, s], top), space.digits[i, digit]
        o, z = space.blocked[i, s] - m if width > 1 else 0, _sum(space, i, kin)
        if m > 0:
            less = max(m - space.digits[after, digit], 0) + max(z - _sum(space, after, kin), 0)
            free[m + z, x, o] += less * flow
        if space.route[e] == k:
            full += flow
            if m + z == 0 and space.digits[after, digit] > 0:
                met[x, o] += flow
    _fill(met, asked, free, mass, full / max(every, 1e-300), number, speed)
    held = (held + FAINT) / (held.sum(axis=0) + FAINT)
    return met, free, held, full / max(every, 1e-300), number / max(every, 1e-300)


@njit
def elasticity(space: Space, s: int, rates: Floats, p: Floats, events: Integers) -> float:
    """Return by what share the flow of some arrivals at service s grows with their rates.

    As in a birth-death chain of the numbers there, whose other rates stay: where arrivals make up
    the share a(m) of the ups at each number m, each probability grows by the sum of these below it.
    """
    most = space.number[:, s].max() + 1
    mass, up, mine = np.zeros(most), np.zeros(most), np.zeros(most)
    for j in range(p.size):
        mass[space.number[j, s]] += p[j]
    for e in range(rates.size):
        x = space.number[space.source[e], s]
        if space.number[space.target[e], s] > x:
            up[x] += rates[e] * p[space.source[e]]
    for e in events:
        mine[space.number[space.source[e], s]] += rates[e] * p[space.source[e]]
    grown, at_any, at_arrivals = 0.0, 0.0, 0.0
    for x in range(most):
        at_any += mass[x] * grown
        at_arrivals += mine[x] * grown
        if up[x] > 0.0:
            grown += mine[x] / up[x]
    return float(1.0 + at_arrivals / max(mine.sum(), 1e-300) - at_any)


@njit
def pooled(held: Floats, free: Floats, met: Floats, along: Floats) -> tuple[Floats, Floats]:
    """Return what several routes from one service do together, as `blocking` says of each.

    The first axis is that of the routes; `along` are jobs that go along them. How those blocked
    divide among them is taken as in a product form: by the weights of each number on each. The
    chance that one who goes along any of them finds its end full has an axis more: how many are
    blocked on them.
    """
    routes, rows, top, width = free.shape
    meets, released = np.zeros((rows, top, width)), np.zeros((rows, top, width))
    before, after = np.zeros((routes + 1, rows)), np.zeros((routes + 1, rows))
    for x in range(top):
        before[0, 0] = after[routes, 0] = 1.0
        for h in range(routes):
            before[h + 1] = _both(before[h], held[h, :, x])
            after[routes - 1 - h] = _both(after[routes - h], held[routes - 1 - h, :, x])
        for h in range(routes):
            others = _both(before[h], after[h + 1])
            for number in range(rows):
                for m in range(number + 1):
                    weight = held[h, m, x] * others[number - m] / before[routes, number]
                    for y in range(width):
                        o = min(y + number - m, width - 1)
                        if m > 0:
                            released[number, x, y] += weight * free[h, m, x, o]
                        chance = 1.0 if m > 0 else met[h, x, o]
                        meets[number, x, y] += weight * chance * along[h]
    return meets / max(along.sum(), 1e-300), released


@njit
def _both(one: Floats, other: Floats) -> Floats:
    """Return the weights of the sum of two numbers."""
    found = np.zeros(one.size)
    for a in range(one.size):
        for b in range(one.size - a):
            found[a + b] += one[a] * other[b]
    return found


@njit
def _fill(
    met: Floats, asked: Floats, free: Floats, mass: Floats, share: float, number: float,
    speed: float,
) -> None:  # fmt: skip
    """Turn flows into chances and rates; cells that are hardly ever seen take a neighbour's."""
    released = free.sum()
    for o in range(met.shape[1]):
        last = share if o == 0 else met[0, o - 1]
        for x in range(met.shape[0]):
            met[x, o] = min((met[x, o] + FAINT * last) / (asked[x, o] + FAINT), 1.0)
            last = met[x, o]
        for m in range(1, free.shape[0]):
            last = min((released + FAINT * speed) * m / (number + FAINT), speed)
            for x in range(met.shape[0]):
                free[m, x, o] = (free[m, x, o] + FAINT * last) / (mass[m, x, o] + FAINT)
                last = free[m, x, o]


@njit
def figures(part: Part, space: Space, p: Floats, close: Floats, s: int) -> Floats:
    """Return sums over the states for one service.

    Held servers, waiting inside, outside, free place, all servers held, ratio of the tail, all
    servers blocked, servers blocked, share of completions at which all places are taken.
    """
    services = part.services.size
    held, waiting, outside, vacant = 0.0, 0.0, 0.0, 0.0
    waits, all_stuck, stuck, crowded = 0.0, 0.0, 0.0, 0.0
    for j in range(p.size):
        n = space.digits[j, s]
        u = space.digits[j, services + s]
        held += p[j] * min(n, part.servers[s])
        more, beyond = 1.0 * max(n - part.servers[s], 0), 1.0 * u
        tail = (1.0 - close[s]) / close[s]
        if part.endless[s] and n == part.places[s]:
            more += tail
        elif part.waits[s] and u == part.size[services + s] - 1:
            beyond += tail
        waiting += p[j] * more
        outside += p[j] * beyond
        if part.endless[s] or n < part.places[s]:
            vacant += p[j]
        else:
            crowded += p[j] * (min(n, part.servers[s]) - space.blocked[j, s])
        if n >= part.servers[s]:
            waits += p[j]
        stuck += p[j] * space.blocked[j, s]
        if space.blocked[j, s] == part.servers[s]:
            all_stuck += p[j]
    crowded /= max(held - stuck, 1e-300)
    ratio = 1.0 - close[s] if part.endless[s] or part.waits[s] else 0.0
    return np.array([held, waiting, outside, vacant, waits, ratio, all_stuck, stuck, crowded])
