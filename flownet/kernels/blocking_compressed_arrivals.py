"""How many jobs per T come to one service in a network with blocking, by what is there already."""

from __future__ import annotations

import numpy as np

from flownet.jit import njit
from flownet.kernels.blocking_compressed_flows import MOST_ROOM
from flownet.kernels.blocking_compressed_place import Place
from flownet.kernels.compiled import Floats

LONGEST_TAIL = 4000
"""The common list is never followed further than about this."""
LEAST = 0.02
"""A stream never falls below this part of what it is when nobody is here."""
MOST_SERVERS = 3000.0
"""Of more servers upstream, all that are left work when there is work."""


@njit
def inside_share(place: Place) -> float:
    """Return the share of the common list that stands in servers upstream.

    It is never so small that the list would be longer than LONGEST_TAIL before all those servers
    are blocked.
    """
    if place.blocking <= 0.0:
        return 0.0
    return max(place.blocking / (place.blocking + place.free), exhausted(place) / LONGEST_TAIL)


@njit
def exhausted(place: Place) -> float:
    """Return how many must be blocked, in proportion to the streams, before nobody can come."""
    room, longest = 0.0, 0.0
    for a in range(place.sources.size):
        room += place.sources[a]
        if place.share[a] > 0.0:
            longest = max(longest, place.sources[a] / place.share[a])
    return min(longest, 10.0 * room)


@njit
def carried(offered: float, lost: float, servers: int, room: float) -> float:
    """Return the mean number of servers at work in M/M/c/c+room, given Erlang's loss at no room."""
    if servers <= 0:
        return 0.0
    rho = offered / servers
    if room > MOST_ROOM or (rho > 1.0 and room * np.log(rho) > 100.0):
        return min(offered, 1.0 * servers)
    last = rho**room
    more = room if abs(rho - 1.0) < 1e-9 else rho * (1.0 - last) / (1.0 - rho)
    return float(offered * (1.0 - lost * last / (1.0 + lost * more)))


@njit
def working(place: Place, drive: float) -> Floats:
    """Return the mean number of servers at work by source and number left; [a, m] for m servers."""
    most = 0
    for a in range(place.sources.size):
        if place.sources[a] <= MOST_SERVERS:
            most = max(most, int(np.ceil(place.sources[a])))
    table = np.zeros((place.sources.size, most + 1))
    for a in range(place.sources.size):
        offered, lost = place.offered[a] * drive, 1.0
        if place.sources[a] > MOST_SERVERS:
            continue
        for m in range(1, most + 1):
            lost = offered * lost / (m + offered * lost)
            table[a, m] = carried(offered, lost, m, place.room[a])
    return table


@njit
def _pressure(place: Place, table: Floats, drive: float, x: float, k: float) -> float:
    """Return the arrival rate from the blocking services with k of their servers blocked for here.

    Each works with `drive` times its mean number of servers, less what the x that are here or wait
    for here have taken from it, or with what those that are left can do.
    """
    total = 0.0
    for a in range(place.sources.size):
        factor = drive * max(1.0 - place.fall[a] * x, LEAST)
        left = max(place.sources[a] - k * place.share[a], 0.0)
        if k > 0.0 and place.sources[a] <= MOST_SERVERS:
            m = int(left)
            part = left - m
            left = table[a, m]
            if part > 0.0:
                left += part * (table[a, m + 1] - table[a, m])
        if place.load[a] * factor > left:
            factor = left / place.load[a]
        total += place.blocking * place.share[a] * factor
    return total


@njit
def birth(place: Place, table: Floats, drive: float, inside: float, x: int) -> float:
    """Return the arrival rate with x jobs here or waiting for a place here."""
    if place.places < 0:
        return place.blocking + place.free + place.lost
    if x < place.places:
        return _pressure(place, table, drive, x, 0.0) + place.free + place.lost
    k = (x - place.places) * inside
    return _pressure(place, table, drive, place.places + k, k) + place.free


@njit
def top_state(place: Place, inside: float) -> int:
    """Return the state from which on arrivals no longer depend on the state."""
    base = place.servers if place.places < 0 else place.places
    if place.patience_rate > 0.0 and place.places < 0:
        most = (place.blocking + place.free + place.lost) / place.patience_rate
        return base + int(min(most + 12.0 * np.sqrt(most) + 40.0, LONGEST_TAIL))
    if inside > 0.0 and place.places >= 0:
        return base + int(np.ceil(exhausted(place) / inside)) + 1
    return base + 1
