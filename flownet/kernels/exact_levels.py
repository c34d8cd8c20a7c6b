"""The levels of a chain: which neighbouring states are joined to one on the next, smaller level.

States are neighbours where the numbers that describe them (jobs working, waiting, blocked at each
service) are alike when halved. Only the services between whose states the chain moves fast are
halved at first: sweeps balance states that exchange mass quickly, so these may be joined, while
states that hardly exchange any have to be told apart until the fast ones are joined.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import Floats, Indices, Integers
from flownet.kernels.exact_store import mixed

SMALLEST = 60
"""A level of so many states is eliminated."""
STEEPEST = 40
"""So many states at most are joined to one, on average, from one level to the next."""
SLOWEST = 0.125
"""Services that move the chain at less than this share of the fastest are not yet halved."""


class Level(NamedTuple):
    """A chain by the rates into each state, and how its states are joined on the next level."""

    start: Integers
    source: Indices
    rate: Floats
    exit_rate: Floats
    joined: Indices
    """(N,) the next level's state; empty on the last level."""
    place: Integers
    """(M,) where each rate is added on the next level, -1 where it stays within a joined state."""


@njit
def _codes(keys: Integers) -> Integers:
    """Return one code a row, equal (but for a chance of 2**-63) where the rows are."""
    codes = np.zeros(keys.shape[0], dtype=np.int64)
    for row in range(keys.shape[0]):
        code = 0
        for column in range(keys.shape[1]):
            code = mixed(code, int(keys[row, column]))
        codes[row] = code
    return codes


@njit
def _number(codes: Integers) -> tuple[Indices, int]:
    """Give the different codes numbers, in the order in which they come."""
    size = codes.shape[0]
    places = 16
    while places < 2 * size:
        places *= 2
    table = np.full(places, -1, dtype=np.int64)
    seen = np.zeros(size, dtype=np.int64)
    number = np.zeros(size, dtype=np.uint32)
    count = 0
    for row in range(size):
        place = codes[row] & (places - 1)
        while table[place] >= 0 and seen[table[place]] != codes[row]:
            place = (place + 1) & (places - 1)
        if table[place] < 0:
            table[place] = count
            seen[count] = codes[row]
            count += 1
        number[row] = table[place]
    return number, count


@njit
def _join(
    start: Integers, source: Indices, joined: Indices, count: int
) -> tuple[Integers, Indices, Integers]:
    """Return the rates' places on the next level: starts, sources, and the place of each rate."""
    size = joined.shape[0]
    first = np.zeros(count + 1, dtype=np.int64)
    for state in range(size):
        first[joined[state] + 1] += 1
    for state in range(count):
        first[state + 1] += first[state]
    member = np.zeros(size, dtype=np.int64)
    filled = first[:-1].copy()
    for state in range(size):
        member[filled[joined[state]]] = state
        filled[joined[state]] += 1
    place = np.full(source.shape[0], -1, dtype=np.int64)
    mark = np.full(count, -1, dtype=np.int64)
    starts = np.zeros(count + 1, dtype=np.int64)
    sources = np.zeros(source.shape[0], dtype=np.uint32)
    used = 0
    for state in range(count):
        for position in range(first[state], first[state + 1]):
            fine = member[position]
            for entry in range(start[fine], start[fine + 1]):
                other = joined[source[entry]]
                if other == state:
                    continue
                if mark[other] < starts[state]:
                    mark[other] = used
                    sources[used] = other
                    used += 1
                place[entry] = mark[other]
        starts[state + 1] = used
    return starts, sources[:used].copy(), place


@njit
def strengths(first: Level, keys: Integers, owner: Integers, probability: Floats) -> Floats:
    """Return how often per T the numbers of each service change."""
    strength = np.zeros(owner.max() + 1)
    for state in range(keys.shape[0]):
        for entry in range(first.start[state], first.start[state + 1]):
            other = first.source[entry]
            flow = probability[other] * first.rate[entry]
            seen = -1
            for column in range(keys.shape[1]):
                if keys[state, column] != keys[other, column] and owner[column] != seen:
                    seen = owner[column]
                    strength[seen] += flow
    return strength


def _coarser(
    keys: Integers, owner: Integers, strength: Floats
) -> tuple[Integers, Indices, int, Integers]:
    """Halve the numbers of the fastest services, fewer where that would join too many states."""
    alive = np.unique(owner[keys.max(axis=0) > 0])
    chosen = alive[strength[alive] >= SLOWEST * strength[alive].max()]
    while True:
        halved = keys.copy()
        halved[:, np.isin(owner, chosen)] //= 2
        joined, count = _number(_codes(halved))
        if len(chosen) == 1 or count * STEEPEST >= len(keys):
            return halved, joined, count, chosen
        chosen = chosen[: (len(chosen) + 1) // 2]


def build_levels(first: Level, keys: Integers, owner: Integers, probability: Floats) -> list[Level]:
    """Return the levels of a chain, finest first.

    Parameters
    ----------
    first : Level
        The chain, not joined yet.
    keys : (N, q) array of int
        Numbers by which states are neighbours.
    owner : (q,) array of int
        The service to which each number belongs, in rising order.
    probability : (N,) array
        A rough distribution, by which it is judged which services move fast.
    """
    strength = strengths(first, keys, owner, probability)
    levels = [first]
    while True:
        last = levels[-1]
        size = last.exit_rate.shape[0]
        count = size
        while count == size:
            if size <= SMALLEST or keys.max() == 0:
                return levels
            keys, joined, count, chosen = _coarser(keys, owner, strength)
            strength[chosen] /= 2.0
        if count == 1:
            return levels
        starts, sources, place = _join(last.start, last.source, joined, count)
        levels[-1] = last._replace(joined=joined, place=place)
        member = np.zeros(count, dtype=np.int64)
        member[joined[::-1]] = np.arange(size - 1, -1, -1)
        keys = keys[member]
        none = np.zeros(0, dtype=np.int64)
        rates, exit_rates = np.zeros(len(sources)), np.zeros(count)
        levels.append(Level(starts, sources, rates, exit_rates, none.astype(np.uint32), none))
