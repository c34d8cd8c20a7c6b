"""All states of a part of a network with blocking, and the events between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.blocking_parts_moves import (
    NONE,
    Part,
    follow,
    number_at,
    room_for,
    stuck_at,
    tails,
)
from flownet.kernels.compiled import Floats, Integers


class Space(NamedTuple):
    """States and events; every event has the rate coefficient x rate x table entry."""

    digits: Integers
    """(N, D)."""
    number: Integers
    """(N, S) jobs at each service or waiting for a place there."""
    blocked: Integers
    """(N, S) own servers blocked."""
    source: Integers
    target: Integers
    coefficient: Floats
    rate: Integers
    entry: Integers
    route: Integers
    """Route whose end, full, a job has just asked for, whether it is blocked then or closes a cycle
    and is exchanged; NONE for other events."""
    tail: Integers
    """s where the number of service s, cut off, falls from its last value; S + s where what stands
    for all beyond falls by one; NONE for other events."""
    first: Integers
    """(N + 1,) where the events that lead to each state begin."""


@njit
def _key(digits: Integers, size: Integers) -> int:
    key = 0
    for p in range(size.size):
        key = key * size[p] + digits[p]
    return key


@njit
def _find(keys: Integers, key: int) -> int:
    """Return where a key stands or would stand."""
    mask = keys.size - 1
    place = (key * 2654435761 ^ (key >> 15)) & mask
    while keys[place] != NONE and keys[place] != key:
        place = (place + 1) & mask
    return int(place)


@njit
def _rehashed(keys: Integers, values: Integers) -> tuple[Integers, Integers]:
    """Return the same keys and values in a table four times as large."""
    size = 4 * keys.size
    more, held = np.full(size, NONE), np.zeros(size, dtype=np.int64)
    for old in range(keys.size):
        if keys[old] != NONE:
            place = _find(more, keys[old])
            more[place], held[place] = keys[old], values[old]
    return more, held


@njit
def _grown(array: Integers, size: int) -> Integers:
    new = np.empty((size, array.shape[1]), dtype=array.dtype)
    new[: array.shape[0]] = array
    return new


@njit
def explore(part: Part, most: int) -> tuple[bool, Space]:
    """Return whether there are at most so many states, and the space of all from the empty one."""
    digits = np.zeros((1024, part.size.size), dtype=np.int64)
    keys, values = np.full(4096, NONE), np.zeros(4096, dtype=np.int64)
    whole, weight = np.zeros((4096, 6), dtype=np.int64), np.zeros(4096)
    o = room_for(part)
    keys[_find(keys, 0)] = 0
    states, events, at, fits = 1, 0, 0, True
    while at < states and fits:
        follow(part, o, digits[at])
        tails(part, o, digits[at])
        for p in range(o.filled[0]):
            key = _key(o.branches[p], part.size)
            place = _find(keys, key)
            if keys[place] == NONE:
                if states >= most:
                    fits = False
                    break
                if states == digits.shape[0]:
                    digits = _grown(digits, 2 * states)
                keys[place], values[place] = key, states
                digits[states] = o.branches[p]
                states += 1
                if 3 * states > keys.size:
                    keys, values = _rehashed(keys, values)
                    place = _find(keys, key)
            if values[place] == at:
                continue
            if events == whole.shape[0]:
                whole = _grown(whole, 2 * events)
                weight = np.concatenate((weight, np.zeros(events)))
            row = whole[events]
            row[0], row[1], row[2] = at, values[place], o.rate[p]
            row[3], row[4], row[5] = o.entry[p], o.route[p], o.tail[p]
            weight[events] = o.weight[p]
            events += 1
        at += 1
    return fits, _packed(part, digits[:states].copy(), whole[:events], weight[:events])


@njit
def _packed(part: Part, digits: Integers, whole: Integers, weight: Floats) -> Space:
    """Return the space with its events in the order of the states that they lead to."""
    states, services = digits.shape[0], part.services.size
    first = np.zeros(states + 1, dtype=np.int64)
    for e in range(whole.shape[0]):
        first[whole[e, 1] + 1] += 1
    for j in range(states):
        first[j + 1] += first[j]
    at, sorting = first.copy(), np.empty(whole.shape[0], dtype=np.int64)
    for e in range(whole.shape[0]):
        sorting[at[whole[e, 1]]] = e
        at[whole[e, 1]] += 1
    number = np.empty((states, services), dtype=np.int64)
    blocked = np.empty((states, services), dtype=np.int64)
    for j in range(states):
        for s in range(services):
            number[j, s] = number_at(part, digits[j], s)
            blocked[j, s] = stuck_at(part, digits[j], s)
    ordered = whole[sorting]
    return Space(
        digits,
        number,
        blocked,
        ordered[:, 0].copy(),
        ordered[:, 1].copy(),
        weight[sorting],
        ordered[:, 2].copy(),
        ordered[:, 3].copy(),
        ordered[:, 4].copy(),
        ordered[:, 5].copy(),
        first,
    )
