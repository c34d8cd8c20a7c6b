"""The chain of one service in a network with blocking: jobs there, and jobs that wait to get in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import Floats

SATURATED = 1.0 - 1e-10
"""The geometric tail's ratio is held at this where it is larger; the tail then holds all weight."""
LONGEST_TAIL = 4000
CROWD = 3000.0
"""A line of impatient jobs of at least so many hardly varies: its mean is that of the flows."""
SEARCH = 60
"""Evaluations at most in the search for the drive."""
MATCHED = 1e-12


class Place(NamedTuple):
    """What one service's chain is made of; rates in jobs per T."""

    places: int
    """-1 where unlimited."""
    servers: int
    held: float
    """Mean time that a server is held by a job."""
    patience_rate: float
    blocking: float
    """Wanted from services that keep their server until there is a place."""
    free: float
    """Arrives whatever the state and waits."""
    lost: float
    """Arrives and is turned away where there is no place."""
    sources: Floats
    """(a,) servers of each blocking service that do not wait for some other place."""
    share: Floats
    """(a,) its share of `blocking`."""
    load: Floats
    """(a,) its mean number of servers at work."""
    response: Floats
    """(a,) relative fall of its stream per T that the wait for a place here grows."""
    wait: float
    """The wait for a place here at which the streams are what they are."""
    longest: float
    """Bound of that wait."""
    factor: float
    """What the spread of service times makes of an exponential wait."""


class Chain(NamedTuple):
    """Stationary figures of one service's chain."""

    busy: float
    """Mean servers held."""
    waiting: float
    """Mean number waiting inside."""
    blocked: float
    """Mean number blocked elsewhere for a place here."""
    outside: float
    """Mean number waiting outside or in transit."""
    vacant: float
    """Probability of a free place."""
    inflow: float
    """Rate at which jobs come from services that they block."""
    found_full: float
    """Share of those that find no place."""
    waits: float
    """Probability that an arrival finds every server held."""
    gives_up: float
    """Rate of giving up."""
    ratio: float
    """Ratio of the geometric tail (0 where there is none); saturated from 1 on."""
    wait: float
    """Mean time that a job of a blocking service waits for a place here."""


@njit
def _inside(place: Place) -> float:
    """Return the share of the common list that stands in servers upstream."""
    return place.blocking / (place.blocking + place.free) if place.blocking > 0.0 else 0.0


@njit
def _pressure(place: Place, drive: float, k: float) -> float:
    """Return the arrival rate from the blocking services with k of their servers blocked for here.

    Each works with `drive` times its mean number of servers, or with those that are left.
    """
    total = 0.0
    for a in range(place.sources.size):
        factor = drive
        left = max(place.sources[a] - k * place.share[a], 0.0)
        if place.load[a] * drive > left:
            factor = left / place.load[a]
        total += place.blocking * place.share[a] * factor
    return total


@njit
def _birth(place: Place, drive: float, inside: float, x: int) -> float:
    """Return the arrival rate with x jobs here or waiting for a place here."""
    if place.places < 0:
        return place.blocking + place.free + place.lost
    if x < place.places:
        return _pressure(place, drive, 0.0) + place.free + place.lost
    return _pressure(place, drive, (x - place.places) * inside) + place.free


@njit
def _top(place: Place, inside: float) -> int:
    """Return the state from which on arrivals no longer depend on the state."""
    room = 0.0
    for a in range(place.sources.size):
        room += place.sources[a]
    base = place.servers if place.places < 0 else place.places
    if place.patience_rate > 0.0 and place.places < 0:
        most = (place.blocking + place.free + place.lost) / place.patience_rate
        return base + int(min(most + 12.0 * np.sqrt(most) + 40.0, LONGEST_TAIL))
    if room > 0.0 and place.places >= 0:
        return base + int(min(np.ceil(room / max(inside, 1e-9)), LONGEST_TAIL)) + 1
    return base + 1


@njit
def _crowd(place: Place, more: float) -> Chain:
    """Return the limit of a long line: all servers held, and those give up who are too many."""
    waiting = more / place.patience_rate
    return Chain(1.0 * place.servers, waiting, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, more, 0.0, 0.0)


@njit
def evaluate(place: Place, drive: float) -> Chain:
    """Return the stationary figures of the chain at a given drive of the blocking services.

    Probabilities are built up from state 0 and scaled as they grow.
    """
    places, servers = place.places, place.servers
    if places < 0 and place.patience_rate > 0.0:
        more = place.blocking + place.free + place.lost - servers / place.held
        if more > CROWD * place.patience_rate:
            return _crowd(place, more)
    inside = _inside(place)
    top = _top(place, inside)
    endless = place.free > 0.0 or places < 0
    p = np.empty(top + 1)
    rate = np.empty(top + 1)
    p[0] = 1.0
    for x in range(top + 1):
        rate[x] = _birth(place, drive, inside, x)
        if x == 0:
            continue
        present = x if places < 0 else min(x, places)
        leaving = min(present, servers) / place.held
        leaving += max(present - servers, 0) * place.patience_rate
        p[x] = p[x - 1] * rate[x - 1] / leaving
        if p[x] > 1e200:
            for y in range(x + 1):
                p[y] *= 1e-200
    ratio = 0.0
    if not endless:
        rate[top] = 0.0
    elif place.patience_rate == 0.0 or places >= 0:
        present = max(places, servers)
        ratio = rate[top] / (servers / place.held + (present - servers) * place.patience_rate)
    return _figures(place, inside, p, rate, ratio)


@njit
def _figures(place: Place, inside: float, p: Floats, rate: Floats, ratio: float) -> Chain:
    """Sum up the chain, its last state standing for the geometric tail too."""
    places, servers, top = place.places, place.servers, p.size - 1
    q = min(ratio, SATURATED)
    tail = p[top] * q / (1.0 - q)
    beyond = p[top] * q / (1.0 - q) ** 2
    room = 0.0
    for a in range(place.sources.size):
        room += place.sources[a]
    total, busy, waiting, blocked, outside, vacant = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    inflow, met, arrivals, waited = 0.0, 0.0, 0.0, 0.0
    for x in range(top + 1):
        weight, number = p[x], p[x] * x
        if x == top:
            weight += tail
            number += tail * top + beyond
        total += weight
        present = number if places < 0 or x < places else weight * places
        busy += weight * min(x, servers)
        waiting += max(present - weight * min(x, servers), 0.0)
        coming = max(rate[x] - place.free, 0.0)
        if places >= 0 and x >= places:
            excess = number - weight * places
            held_up = min(excess * inside, weight * room)
            blocked += held_up
            outside += excess - held_up
            met += weight * coming
        else:
            vacant += weight
            coming -= place.lost
        inflow += weight * coming
        arrivals += weight * rate[x]
        if x >= servers:
            waited += weight * rate[x]
    return Chain(
        busy / total,
        waiting / total,
        blocked / total,
        outside / total,
        vacant / total,
        inflow / total,
        met / inflow if inflow > 0.0 else 0.0,
        waited / arrivals if arrivals > 0.0 else 0.0,
        place.patience_rate * waiting / total,
        ratio,
        0.0,
    )


@njit
def _waiting(place: Place, chain: Chain, drive: float, most: float) -> float:
    """Return the wait for a place; the spread of service times counts less the nearer to `most`."""
    if chain.inflow <= 0.0:
        return place.longest if chain.blocked > 0.0 else 0.0
    strain = min(max((drive - 1.0) / (most - 1.0), 0.0), 1.0) if most > 1.0 else 1.0
    factor = 1.0 + (place.factor - 1.0) * (1.0 - strain)
    return min(factor * chain.blocked / chain.inflow, place.longest)


@njit
def _excess(place: Place, chain: Chain, wait: float) -> float:
    """Return the logarithm of the inflow over what the streams fall to at this wait."""
    wanted = 0.0
    for a in range(place.share.size):
        fall = 1.0 + place.response[a] * (wait - place.wait)
        wanted += place.blocking * place.share[a] / max(fall, 1e-3)
    excess: float = np.log(max(chain.inflow, 1e-300) / wanted)
    return excess


@njit
def _with_wait(chain: Chain, wait: float) -> Chain:
    return Chain(
        chain.busy,
        chain.waiting,
        chain.blocked,
        chain.outside,
        chain.vacant,
        chain.inflow,
        chain.found_full,
        chain.waits,
        chain.gives_up,
        chain.ratio,
        wait,
    )


@njit
def solve_chain(place: Place) -> Chain:
    """Return the chain at the drive at which what comes from the blocking services is wanted.

    Wanted is what their streams would be at the wait that the chain then gives. Where no drive
    reaches that, all their servers work or wait: the chain at the largest drive. The inflow grows
    with the drive; the root is sought by regula falsi (Illinois) in logarithms.
    """
    if place.blocking <= 0.0 or place.places < 0:
        return evaluate(place, 1.0)
    most = 1e-6
    for k in range(place.sources.size):
        if place.load[k] > 0.0:
            most = max(most, place.sources[k] / place.load[k])
    b = np.log(most)
    chain = evaluate(place, most)
    wait = _waiting(place, chain, most, most)
    fb = _excess(place, chain, wait)
    if fb <= MATCHED:
        return _with_wait(chain, wait)
    a, fa = b, fb
    while fa > 0.0 and a > -60.0:
        a = 0.0 if a > 0.0 else a - 1.0
        chain = evaluate(place, np.exp(a))
        wait = _waiting(place, chain, np.exp(a), most)
        fa = _excess(place, chain, wait)
        if fa > 0.0:
            b, fb = a, fa
    side = 0
    for _ in range(SEARCH):
        if fa >= -MATCHED:
            break
        c = (a * fb - b * fa) / (fb - fa)
        chain = evaluate(place, np.exp(c))
        wait = _waiting(place, chain, np.exp(c), most)
        fc = _excess(place, chain, wait)
        if abs(fc) < MATCHED or b - a < 1e-14:
            break
        if fc < 0.0:
            a, fa = c, fc
            if side < 0:
                fb *= 0.5
            side = -1
        else:
            b, fb = c, fc
            if side > 0:
                fa *= 0.5
            side = 1
    return _with_wait(chain, wait)
