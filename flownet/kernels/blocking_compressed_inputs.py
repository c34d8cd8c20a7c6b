"""What the chains of a sweep are made of, service by service, in a network with blocking."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.blocking_compressed_arrivals import MOST_SERVERS, carried
from flownet.kernels.blocking_compressed_flows import Flows, Layout, transit_by_class
from flownet.kernels.blocking_compressed_place import Place
from flownet.kernels.compiled import Booleans, CompiledNetwork, Floats, Integers

LONGEST_WAIT = 1e9
"""A wait of so many service times counts as endless: the servers that wait have come to rest."""
SMALLEST = 1e-13
"""Shares below this count as none."""
UNLIMITED = 1e6
"""Servers, where they are not limited."""
MATCHED = 1e-12
"""Inflows that differ by so much, relatively, agree."""
FLAT = 1e-3
"""Slope of what is carried by what is offered, in logarithms, from which the search halves."""
MOST_OFFERED = 7.0
"""Logarithm of how many times what is carried may be offered."""


class State(NamedTuple):
    """Where the fixed point stands."""

    wait: Floats
    """(n,) mean wait for a place, in a server elsewhere."""
    fall: Floats
    """(p,) of `Place`, by pair."""
    met: Floats
    """(n,) share of those from services that they block who find no place."""
    first: Floats
    """(n,) share of those who find it full and nobody waiting."""
    queue: Floats
    bunching: Floats
    """(n,) of `Chain`."""
    fast: Floats
    drive: Floats
    """(n,) where each chain's searches begin; without effect on what it finds."""


class Ahead(NamedTuple):
    """What jobs meet ahead of each service, (n,); see `Place`."""

    meets: Floats
    onward: Floats
    mine: Floats
    same: Floats
    others: Floats
    lean: Floats


@njit
def nothing_ahead(size: int) -> Ahead:
    """Return arrays for so many services, before `look_ahead` fills them."""
    none = np.zeros((5, size))
    return Ahead(none[0], none[1], none[2], np.ones(size), none[3], none[4])


class Lines(NamedTuple):
    """What waits for a place at each service, (n,); see `Chain`."""

    met: Floats
    first: Floats
    queue: Floats
    bunching: Floats


class Given(NamedTuple):
    """What the chains of a sweep are made of, by service (n,) and by pair of services (p,)."""

    order: Integers
    chained: Booleans
    """(n,) has a limited number of servers."""
    places: Integers
    """(n,) -1 where unlimited."""
    servers: Floats
    base: Floats
    """(n,) mean time that a pass holds a server without any blocking."""
    passes: Floats
    giving_up: Floats
    free: Floats
    """(n,) arrives whatever the state and waits."""
    lost: Floats
    """(n,) arrives and is turned away where there is no place."""
    admitted: Floats
    """(n,) admitted to a place, returns to the own service left out."""
    inflow: Floats
    """(n,) from services that keep their server until there is a place."""
    room: Floats
    """(n,) places to wait in, in front of the servers or outside."""
    done: Floats
    work: Floats
    scv: Floats
    stay: Floats
    upper: Integers
    lower: Integers
    flow: Floats
    chance: Floats
    cyclic: Booleans
    above: Integers
    """(p,) pairs in the order of their lower service."""
    first_above: Integers
    """(n + 1,) where each service's pairs begin in it."""
    first_below: Integers
    """(n + 1,) where each service's pairs begin among all, which stand by upper service."""


def gather(compiled: CompiledNetwork, layout: Layout, flows: Flows) -> Given:
    """Return what a sweep needs, from the flows."""
    n = compiled.servers.size
    transit = transit_by_class(layout, flows).sum(axis=1)
    blocking = _summed(layout.lower, flows.pair, n)
    mine, back = layout.mine, layout.back
    every = _summed(layout.end[mine], flows.route[mine], n)
    loops = _summed(layout.start[back], flows.route[back], n)
    others = np.maximum(every - blocking - transit, 0.0)
    outside = flows.external.sum(axis=1)
    free = transit + np.where(layout.waits, outside, 0.0) + np.where(layout.finite, 0.0, others)
    lost = np.where(layout.waits, 0.0, outside) + np.where(layout.finite, others, 0.0)
    behind = layout.behind * blocking / np.maximum(blocking + lost, 1e-300)
    limited = layout.finite & (free <= 0)
    return Given(
        order=layout.order,
        chained=layout.chained,
        places=layout.places,
        servers=compiled.servers.copy(),  # may be changed, as the rest: kernels compile once
        base=flows.work / flows.passes,
        passes=flows.passes,
        giving_up=layout.giving_up,
        free=free,
        lost=lost,
        admitted=flows.admitted.sum(axis=1) - loops,
        inflow=blocking,
        room=np.where(limited, layout.waiting_room + behind, np.inf),
        done=flows.done.sum(axis=1),
        work=flows.work,
        scv=flows.scv,
        stay=layout.stay,
        upper=layout.upper,
        lower=layout.lower,
        flow=flows.pair,
        chance=flows.chance,
        cyclic=layout.cyclic,
        above=layout.above,
        first_above=layout.first_above,
        first_below=layout.first_below,
    )


def _summed(place: Integers, weights: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(place, weights=weights, minlength=size), dtype=np.float64)


@njit
def spread(rho: float, servers: float, scv: float) -> float:
    r"""Return what the spread of service times makes of an exponential wait.

    .. math:: \frac{1 + c_s^2}{2 c_s^2 + 2 (1 - c_s^2) / (1 + g)},\quad
              g = \min\Big(0.24, \frac{(1-\rho)(c-1)(\sqrt{4+5c}-2)}{16 c \rho}\Big)

    References
    ----------
    Kimura (1986), Stochastic Models 2, 235-263: the two-moment interpolation for M/G/c.
    """
    if not np.isfinite(servers):
        return 1.0
    scv = min(max(scv, 0.0), 25.0)
    if scv > 1:  # the interpolation's denominator is kept at that of M/M/c
        return (1 + scv) / 2
    rho = min(max(rho, 1e-9), 1.0)
    g = (1 - rho) * (servers - 1) * (np.sqrt(4 + 5 * servers) - 2) / (16 * servers * rho)
    return float((1 + scv) / (2 * scv + 2 * (1 - scv) / (1 + min(g, 0.24))))


@njit
def spreads(rho: Floats, servers: Floats, scv: Floats) -> Floats:
    """Return `spread` of each service."""
    factors = np.empty(rho.size)
    for i in range(rho.size):
        factors[i] = spread(rho[i], servers[i], scv[i])
    return factors


@njit
def held_time(given: Given, wait: Floats, j: int) -> float:
    """Return the mean time that a job holds a server of j."""
    blocked = 0.0
    for p in range(given.first_below[j], given.first_below[j + 1]):
        blocked += given.chance[p] * wait[given.lower[p]]
    return float(given.base[j] + blocked / given.passes[j])


@njit
def alone(full: float, first: float, share: float) -> float:
    r"""Return the chance to find no place while none of the own service waits for one.

    .. math:: \frac{F f}{(1 - F)(F a + (1 - a) f) + F f}

    F find no place, f of them nobody waiting either, and of those who wait a share a is of the own
    service: their number is as if geometric.
    """
    first = min(first, full)
    every = (1.0 - full) * (full * share + (1.0 - share) * first) + full * first
    return full * first / every if every > 0.0 else 0.0


@njit
def beside(queue: float, bunching: float, share: float) -> tuple[float, float]:
    r"""Return how many jobs of other services wait with one's own, and how many more with each.

    .. math:: E(o | n) = \frac{(1 - a) N (1 + z n)}{1 + a z N}

    N wait while the service is full, with bunching z, each of the own service with chance a: the
    regression of the others on the own ones, n.
    """
    others = (1.0 - share) * queue / max(1.0 + share * bunching * queue, 1e-9)
    return others, bunching * others


@njit
def look_ahead(given: Given, wait: Floats, lines: Lines, ahead: Ahead, j: int) -> None:
    """Fill in what jobs meet ahead of j."""
    ahead.meets[j], ahead.onward[j], ahead.mine[j] = 0.0, 0.0, 0.0
    ahead.others[j], ahead.lean[j] = 0.0, 0.0
    every, squares = 0.0, 0.0
    for p in range(given.first_below[j], given.first_below[j + 1]):
        chance = given.chance[p] / given.passes[j]
        k = given.lower[p]
        share = given.flow[p] / given.inflow[k] if given.inflow[k] > 0.0 else 1.0
        ahead.meets[j] += chance * alone(lines.met[k], lines.first[k], share)
        others, lean = beside(lines.queue[k], lines.bunching[k], share)
        part = chance * wait[k]
        ahead.onward[j] += chance * part
        ahead.mine[j] += share * part
        ahead.others[j] += others * part
        ahead.lean[j] += lean * part
        every += part
        squares += part * part
    ahead.same[j] = squares / (every * every) if every > 0.0 else 1.0
    ahead.onward[j] *= every / squares if squares > 0.0 else 0.0
    if every > 0.0:
        ahead.mine[j] /= every
        ahead.others[j] /= every
        ahead.lean[j] /= every


@njit
def place_of(given: Given, state: State, wait: Floats, held: Floats, ahead: Ahead, j: int) -> Place:
    """Gather what j's chain is made of."""
    first, last = given.first_above[j], given.first_above[j + 1]
    sources, share, load = np.empty(last - first), np.ones(last - first), np.empty(last - first)
    offered, room = np.empty(last - first), np.empty(last - first)
    response, falls = np.empty(last - first), np.empty(last - first)
    blocking = 0.0
    for a in range(first, last):
        blocking += given.flow[given.above[a]]
    for a in range(first, last):
        pair, k = given.above[a], a - first
        i = given.upper[pair]
        sources[k] = left_of(given, wait, i, pair)
        if blocking > 0.0:
            share[k] = given.flow[pair] / blocking
        load[k] = given.done[i] * given.work[i]
        room[k] = given.room[i]
        offered[k] = _offered(load[k], sources[k], room[k])
        used = min(given.done[i] * held[i] / given.servers[i], 1.0)
        response[k] = used * given.chance[pair] / max(held[i] * given.passes[i], 1e-300)
        falls[k] = state.fall[pair]
    used = min(given.done[j] * held[j] / given.servers[j], 1.0)
    return Place(
        given.places[j],
        int(given.servers[j]),
        held[j],
        given.giving_up[j],
        blocking,
        given.free[j],
        given.lost[j],
        sources,
        share,
        load,
        response,
        wait[j],
        _longest(given, sources, j),
        spread(used, given.servers[j], given.scv[j]),
        offered,
        room,
        given.base[j],
        ahead.meets[j],
        ahead.onward[j],
        ahead.mine[j],
        ahead.others[j],
        ahead.lean[j],
        min(given.done[j] * given.passes[j], given.servers[j] / held[j]) * given.base[j],
        ahead.same[j],
        state.fast[j],
        state.drive[j],
        falls,
    )


@njit
def _offered(load: float, servers: float, room: float) -> float:
    """Return the load offered that keeps `load` of the servers at work on average.

    What they do, in logarithms, is concave in what is offered but for corners: the secant from
    below stays below. What it oversteps, or where hardly more is done, is found by halving.
    """
    if servers > MOST_SERVERS or load <= 0.0:
        return load
    a = np.log(load)
    wanted, most = a, a + MOST_OFFERED
    fa = np.log(_carried(load, servers, room)) - wanted
    step, rise = -fa, 1.0
    while -fa > MATCHED * rise and a < most and rise > FLAT:
        b = min(a + step, most)
        fb = np.log(_carried(np.exp(b), servers, room)) - wanted
        if fb > MATCHED * rise:
            most = b
            break
        rise = (fb - fa) / (b - a)
        a, fa = b, fb
        step = -fb / max(rise, FLAT)
    if -fa <= MATCHED * rise:
        return float(np.exp(a))
    while most - a > MATCHED:
        middle = 0.5 * (a + most)
        if _carried(np.exp(middle), servers, room) < load:
            a = middle
        else:
            most = middle
    return float(np.exp(0.5 * (a + most)))


@njit
def _carried(offered: float, servers: float, room: float) -> float:
    """Return the mean servers at work, linear in the servers between whole numbers."""
    whole = int(servers)
    part = servers - whole
    lost = 1.0
    for m in range(1, whole + 1):
        lost = offered * lost / (m + offered * lost)
    now = carried(offered, lost, whole, room)
    if part <= 0.0:
        return now
    lost = offered * lost / (whole + 1 + offered * lost)
    return now + part * (carried(offered, lost, whole + 1, room) - now)


@njit
def _longest(given: Given, sources: Floats, j: int) -> float:
    """Return the longest wait for a place at j: what exchanges on the cycles through j leave.

    All that leaves j for a service on a cycle through j can close that cycle.
    """
    leaving = leaving_on_cycles(given, j)
    longest = LONGEST_WAIT * given.stay[j]
    return float(min(sources.sum() / leaving, longest)) if leaving > 0.0 else float(longest)


@njit
def leaving_on_cycles(given: Given, j: int) -> float:
    """Return the rate at which jobs leave j for services on cycles through it."""
    leaving = 0.0
    for pair in range(given.first_below[j], given.first_below[j + 1]):
        if given.cyclic[pair]:
            leaving += given.flow[pair]
    return leaving


@njit
def left_of(given: Given, wait: Floats, i: int, pair: int) -> float:
    """Return the servers of service i that do not wait for a place other than that of `pair`."""
    every, elsewhere = 0.0, 0.0
    for p in range(given.first_below[i], given.first_below[i + 1]):
        blocked = given.chance[p] * wait[given.lower[p]]
        every += blocked
        if p != pair:
            elsewhere += blocked
    servers = min(given.servers[i], UNLIMITED)
    rate = min(given.done[i], servers / max(given.work[i] + every, 1e-300))
    return float(max(servers - rate * elsewhere, 1e-9 * servers))
