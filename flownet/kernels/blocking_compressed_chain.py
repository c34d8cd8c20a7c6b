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
SCARCE = 1e-12
"""Less is blocked, or full, for no part of the time that counts."""
CROWD = 3000.0
"""A line of impatient jobs of at least so many hardly varies: its mean is that of the flows."""


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
        0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    )  # fmt: skip


@njit
def impatience(place: Place, x: int) -> float:
    """Return the rate of giving up with x here or waiting for a place here."""
    present = x if place.places < 0 else min(x, place.places)
    return max(present - place.servers, 0) * place.patience_rate


@njit
def is_endless(place: Place) -> bool:
    """Tell whether a line without limit stands here, of which nobody gives up."""
    return bool(
        (place.free > 0.0 or place.places < 0) and (place.patience_rate == 0.0 or place.places >= 0)
    )


@njit
def evaluate(place: Place, drive: float, pace: Floats) -> Chain[float]:
    """Return the stationary figures of the chain at a given drive of the blocking services.

    Jobs leave by `pace`, or where that is empty as if each held its server for the mean time.
    Probabilities are built up from state 0 and scaled as they grow.
    """
    places, servers = place.places, place.servers
    if places < 0 and place.patience_rate > 0.0:
        more = place.blocking + place.free + place.lost - servers / place.held
        if more > CROWD * place.patience_rate:
            return _crowd(place, more)
    inside = inside_share(place)
    table = working(place, drive)
    top = top_state(place, inside) if pace.size == 0 else pace.size - 1
    endless = is_endless(place)
    rate = np.empty(top + 1)
    for x in range(top + 1):
        rate[x] = birth(place, table, drive, inside, x)
    leaving = pace
    if pace.size == 0:
        leaving = np.empty(top + 1)
        for x in range(top + 1):
            leaving[x] = min(x, servers) / place.held + impatience(place, x)
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
    if not place.free > 0.0 and places >= 0:
        rate[last] = 0.0
    elif endless:
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
    mean, square, product, first, apart = 0.0, 0.0, 0.0, 0.0, 0.0
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
                apart += held_up * (held_up / weight - 1.0)
            outside += excess - held_up
            met += weight * coming
            if x == places:
                first = weight * coming
        else:
            vacant += weight
            coming -= place.lost
        inflow += weight * coming
        arrivals += weight * rate[x]
        if x >= servers:
            waited += weight * rate[x]
    full = max(total - vacant, SCARCE * total)
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
        0.0,
        first / inflow if inflow > 0.0 else 0.0,
        blocked / full if blocked > 0.0 else 0.0,
        max(apart / full / (blocked / full) ** 2 - 1.0, -1.0) if blocked > SCARCE * total else 0.0,
        0.0,
        0.0,
    )
