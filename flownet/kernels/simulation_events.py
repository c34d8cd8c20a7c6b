"""The event heap of the simulator: binary, indexed, first by time and then by order of planning.

The first place may be left open while its event is handled: what is planned next mostly takes
that place, which saves half of the work.
"""

from __future__ import annotations

from flownet.jit import njit
from flownet.kernels import simulation_memory as at
from flownet.kernels.simulation_words import Address, integers, words


@njit
def _put(m: Address, place: int, time: float, sequence: int, event: int) -> None:
    """Write an event into a place of the heap."""
    q, f = words(m)
    f[place + at.EVENT_TIME] = time
    q[place + at.EVENT_SEQUENCE] = sequence
    q[place + at.EVENT] = event
    q[event + at.POSITION] = place


@njit
def _rise(m: Address, index: int, time: float, sequence: int, event: int) -> None:
    """Put an event at a place of the heap, counted from 0, or above it."""
    q, f = words(m)
    heap = q[at.HEAP]
    while index > 0:
        above = (index - 1) >> 1
        parent = heap + above * at.EVENT_WORDS
        key = f[parent + at.EVENT_TIME]
        number = q[parent + at.EVENT_SEQUENCE]
        if key < time or (key == time and number < sequence):
            break
        _put(m, heap + index * at.EVENT_WORDS, key, number, q[parent + at.EVENT])
        index = above
    _put(m, heap + index * at.EVENT_WORDS, time, sequence, event)


@njit
def _sink(m: Address, index: int, time: float, sequence: int, event: int) -> None:
    """Put an event at a place of the heap, counted from 0, or below it."""
    q, f = words(m)
    heap = q[at.HEAP]
    size = q[at.HEAP_SIZE]
    below = 2 * index + 1
    while below < size:
        child = heap + below * at.EVENT_WORDS
        key = f[child + at.EVENT_TIME]
        if below + 1 < size:
            right = child + at.EVENT_WORDS
            other = f[right + at.EVENT_TIME]
            before = other < key
            if other == key:
                before = q[right + at.EVENT_SEQUENCE] < q[child + at.EVENT_SEQUENCE]
            below += int(before)  # arithmetic, since no branch predictor can guess it
            child += int(before) * at.EVENT_WORDS
            key = min(key, other)
        number = q[child + at.EVENT_SEQUENCE]
        if time < key or (time == key and sequence < number):
            break
        _put(m, heap + index * at.EVENT_WORDS, key, number, q[child + at.EVENT])
        index = below
        below = 2 * index + 1
    _put(m, heap + index * at.EVENT_WORDS, time, sequence, event)


@njit
def plan(m: Address, event: int, time: float) -> None:
    """Plan an event that is not planned yet."""
    q = integers(m)
    sequence = q[at.SEQUENCE] + 1
    q[at.SEQUENCE] = sequence
    if q[at.HEAP_HOLE] != 0:
        q[at.HEAP_HOLE] = 0
        _sink(m, 0, time, sequence, event)
    else:
        index = q[at.HEAP_SIZE]
        q[at.HEAP_SIZE] = index + 1
        _rise(m, index, time, sequence, event)


@njit
def open_hole(m: Address) -> int:
    """Take the first event, leaving its place open, and return it."""
    q = integers(m)
    event = q[q[at.HEAP] + at.EVENT]
    q[event + at.POSITION] = at.NONE
    q[at.HEAP_HOLE] = 1
    return int(event)


@njit
def close_hole(m: Address) -> None:
    """Fill the open first place with the last event, if it is still open."""
    q, f = words(m)
    if q[at.HEAP_HOLE] == 0:
        return
    q[at.HEAP_HOLE] = 0
    index = q[at.HEAP_SIZE] - 1
    q[at.HEAP_SIZE] = index
    if index > 0:
        last = q[at.HEAP] + index * at.EVENT_WORDS
        _sink(m, 0, f[last + at.EVENT_TIME], q[last + at.EVENT_SEQUENCE], q[last + at.EVENT])


@njit
def cancel(m: Address, event: int) -> None:
    """Take a planned event out of the heap; nothing happens where it is not planned."""
    q, f = words(m)
    place = q[event + at.POSITION]
    if place == at.NONE:
        return
    q[event + at.POSITION] = at.NONE
    size = q[at.HEAP_SIZE] - 1
    q[at.HEAP_SIZE] = size
    heap = q[at.HEAP]
    last = heap + size * at.EVENT_WORDS
    if place == last:
        return
    time = f[last + at.EVENT_TIME]
    index = (place - heap) // at.EVENT_WORDS
    parent = heap + ((index - 1) >> 1) * at.EVENT_WORDS
    if index > 0 and f[parent + at.EVENT_TIME] > time:
        _rise(m, index, time, q[last + at.EVENT_SEQUENCE], q[last + at.EVENT])
    else:
        _sink(m, index, time, q[last + at.EVENT_SEQUENCE], q[last + at.EVENT])
