"""The chain of one service in a network with blocking: jobs there, and jobs that wait to get in."""

from __future__ import annotations

import numpy as np

from flownet.jit import njit
from flownet.kernels.blocking_compressed_arrivals import (
    birth,
    inside_share,
    top_state,
    working,
)
from flownet.kernels.blocking_compressed_place import Chain, Place
from flownet.kernels.compiled import Floats

SATURATED = 1.0 - 1e-10
"""The geometric tail's ratio is held at this where it is larger; the tail then holds all weight."""
NEGLIGIBLE = 1e-20
"""Beyond a state of less than this, in proportion to the likeliest, a falling chain is cut off."""
CROWD = 3000.0
"""A line of impatient jobs of at least so many hardly varies: its mean is that of the flows."""
LEAST_WORK = 1e-9
"""Servers at work, at least, where all are blocked."""
STIRS = 0.02
"""The same where they are blocked for good, so that what hardly ever happens does not matter."""
EVEN = 1e-12
"""Servers held agree with what those who leave have held, in logarithms."""
MOST_EVEN, WIDEST = 30, 1.0
"""Steps at most in the search for the factor that makes them agree, and its largest logarithm."""
POINTS = 6
"""Numbers of blocked servers that stand for all that are not none."""


@njit
def _held_up(place: Place, k: float) -> float:
    """Return how many servers are blocked for here where k of the list would be, were there any."""
    total = 0.0
    for a in range(place.sources.size):
        total += min(k * place.share[a], place.sources[a])
    return total


@njit
def _crowd(place: Place, more: float) -> Chain[float]:
    """Return the limit of a long line: all servers held, and those give up who are too many."""
    waiting, servers = more / place.patience_rate, 1.0 * place.servers
    coming = more + servers / place.held
    number = servers + waiting
    return Chain(
        servers, waiting, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, more, 0.0, 0.0, number, number, 0.0, coming,
        0.0, 0.0, 0.0, 0.0,
    )  # fmt: skip


@njit
def impatience(place: Place, x: int) -> float:
    """Return the rate of giving up with x here or waiting for a place here."""
    present = x if place.places < 0 else min(x, place.places)
    return max(present - place.servers, 0) * place.patience_rate


@njit
def _leaving(place: Place, rate: Floats, endless: bool) -> Floats:
    """Return the rate at which jobs leave by state.

    Were blocked servers to change fast, each job would hold its server for the mean time, `held`.
    Were they to change slowly, the chain would be in balance with each number of them for itself,
    and many would be blocked where many are here. In between, both count by `slowness`.
    """
    leaving = np.empty(rate.size)
    for x in range(rate.size):
        leaving[x] = min(x, place.servers) / place.held + impatience(place, x)
    if endless or place.slowness <= 0.0 or place.stuck <= 0.0:
        return leaving
    points, weights = spell_points(place.stuck, place.spread_stuck, 1.0 * place.servers)
    total, busy, p = np.zeros(rate.size), np.zeros(rate.size), np.empty(rate.size)
    for g in range(points.size):
        if weights[g] <= 0.0:
            continue
        first, last, every = _given(place, rate, points[g], p)
        part = weights[g] / every
        for x in range(first, last + 1):
            weight = part * p[x]
            total[x] += weight
            busy[x] += weight * max(min(x, place.servers) - points[g], 0.0)
    slow = np.empty(rate.size)
    for x in range(rate.size):
        slow[x] = min(x, place.servers) / place.held
        if total[x] > 1e-280:
            slow[x] = max(busy[x] / total[x], LEAST_WORK * min(x, place.servers)) / place.base
    return _evened(place, rate, leaving, slow)


@njit
def _evened(place: Place, rate: Floats, fast: Floats, slow: Floats) -> Floats:
    """Return the rates of leaving with as many servers held as the jobs that leave have held.

    Little's law of the servers holds for fast changes and for slow ones; between the two it holds
    with the slow rates scaled by one factor.
    """
    leaving = np.empty(rate.size)
    log, error = 0.0, _uneven(place, rate, fast, slow, 0.0, leaving)
    step = 0.5 * error
    for _ in range(MOST_EVEN):
        if abs(step) < EVEN:
            break
        before, log = log, min(max(log + step, -WIDEST), WIDEST)
        if log == before:
            break
        last, error = error, _uneven(place, rate, fast, slow, log, leaving)
        slope = (error - last) / (log - before)
        step = -error / slope if slope < -0.5 else 0.5 * error
    return leaving


@njit
def _uneven(
    place: Place, rate: Floats, fast: Floats, slow: Floats, log: float, leaving: Floats
) -> float:
    """Return how far the servers held are from what the jobs that leave hold, in logarithms."""
    factor = np.exp(log)
    p, held, worked = 1.0, 0.0, 0.0
    for x in range(rate.size):
        steady = min(x, place.servers) / place.held
        leaving[x] = fast[x] + place.slowness * (factor * slow[x] - steady)
        if x > 0:
            p *= rate[x - 1] / leaving[x]
        held += p * steady
        worked += p * slow[x]
        if p > 1e200:
            held *= 1e-200
            worked *= 1e-200
            p *= 1e-200
    return float(np.log(max(held, 1e-300) / max(worked, 1e-300))) - log


@njit
def _given(place: Place, rate: Floats, stuck: float, p: Floats) -> tuple[int, int, float]:
    """Find the chain's probabilities where so many servers are blocked for good.

    Returns the first and the last state that it is in, to within `NEGLIGIBLE`, and what those in
    `p` add up to.
    """
    first = min(int(stuck), rate.size - 1)
    p[first] = 1.0
    total, most = 1.0, 1.0
    for x in range(first + 1, rate.size):
        working = max(min(x, place.servers) - stuck, STIRS)
        coming = rate[x - 1] * place.base
        going = working + impatience(place, x) * place.base
        p[x] = p[x - 1] * coming / going
        total += p[x]
        most = max(most, p[x])
        if p[x] < NEGLIGIBLE * most and coming < 0.9 * going and x > place.places:
            return first, x, total
        if total > 1e200:
            total *= 1e-200
            most *= 1e-200
            for y in range(first, x + 1):
                p[y] *= 1e-200
    return first, rate.size - 1, total


@njit
def spell_points(mean: float, deviation: float, most: float) -> tuple[Floats, Floats]:
    """Return numbers blocked, up to `most`, and their weights.

    None or an exponential number; a constant and an exponential part where they vary less.
    """
    size = POINTS + 1
    points, weights = np.zeros(size), np.zeros(size)
    square = mean * mean + deviation * deviation
    least = max(mean - deviation, 0.0)
    chance, scale = 1.0, mean - least
    if least <= 0.0:
        chance = min(2.0 * mean * mean / square, 1.0)
        scale = mean / chance
    weights[0] = 1.0 - chance
    for g in range(POINTS):
        weights[g + 1] = chance / POINTS
        low, high = 1.0 - g / POINTS, 1.0 - (g + 1) / POINTS
        upper = high * (1.0 - np.log(high)) if high > 0.0 else 0.0
        points[g + 1] = least + scale * (low * (1.0 - np.log(low)) - upper) * POINTS
    for _ in range(4):
        found = 0.0
        for g in range(size):
            points[g] = min(points[g], most)
            found += weights[g] * points[g]
        if found >= mean * (1.0 - 1e-12):
            break
        for g in range(size):
            points[g] *= mean / found
    for g in range(size):
        points[g] = min(points[g], most)
    return points, weights


@njit
def evaluate(place: Place, drive: float, pace: Floats) -> Chain[float]:
    """Return the stationary figures of the chain at a given drive of the blocking services.

    Jobs leave by `pace`, or where that is empty by what the means say. Probabilities are built up
    from state 0 and scaled as they grow.
    """
    places, servers = place.places, place.servers
    if places < 0 and place.patience_rate > 0.0:
        more = place.blocking + place.free + place.lost - servers / place.held
        if more > CROWD * place.patience_rate:
            return _crowd(place, more)
    inside = inside_share(place)
    table = working(place, drive)
    top = top_state(place, inside)
    endless = place.free > 0.0 or places < 0
    rate = np.empty(top + 1)
    for x in range(top + 1):
        rate[x] = birth(place, table, drive, inside, x)
    leaving = pace if pace.size > 0 else _leaving(place, rate, endless)
    p = np.empty(top + 1)
    p[0] = 1.0
    most, last = 1.0, top
    for x in range(1, top + 1):
        p[x] = p[x - 1] * rate[x - 1] / leaving[x]
        most = max(most, p[x])
        if p[x] < NEGLIGIBLE * most and rate[x - 1] < 0.9 * leaving[x] and x > places:
            last = x
            break
        if p[x] > 1e200:
            most *= 1e-200
            for y in range(x + 1):
                p[y] *= 1e-200
    ratio = 0.0
    if not endless:
        rate[last] = 0.0
    elif place.patience_rate == 0.0 or places >= 0:
        ratio = birth(place, table, drive, inside, top) / leaving[top]
    return _figures(place, inside, p[: last + 1], rate[: last + 1], ratio)


@njit
def _figures(place: Place, inside: float, p: Floats, rate: Floats, ratio: float) -> Chain[float]:
    """Sum up the chain, its last state standing for the geometric tail too."""
    places, servers, top = place.places, place.servers, p.size - 1
    q = min(ratio, SATURATED)
    tail, beyond = p[top] * q / (1.0 - q), p[top] * q / (1.0 - q) ** 2
    total, busy, waiting, blocked, outside, vacant = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    inflow, met, arrivals, waited = 0.0, 0.0, 0.0, 0.0
    mean, square, product, stuck = 0.0, 0.0, 0.0, 0.0
    for x in range(top + 1):
        weight, number = p[x], p[x] * x
        if x == top:
            weight += tail
            number += tail * top + beyond
            square += tail * top * top + 2.0 * top * beyond + beyond * (1.0 + q) / (1.0 - q)
        total += weight
        mean += number
        square += p[x] * x * x
        product += number * rate[x]
        present = number if places < 0 or x < places else weight * places
        busy += weight * min(x, servers)
        waiting += max(present - weight * min(x, servers), 0.0)
        coming = max(rate[x] - place.free, 0.0)
        if places >= 0 and x >= places:
            excess = number - weight * places
            held_up = weight * _held_up(place, (x - places) * inside)
            blocked += held_up
            if weight > 0.0:
                stuck += held_up * held_up / weight
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
        mean / total,
        square / total - (mean / total) ** 2,
        product / total - mean * arrivals / total**2,
        arrivals / total,
        stuck / total - (blocked / total) ** 2,
        0.0,
        0.0,
        0.0,
    )
