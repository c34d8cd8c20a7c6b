"""Where the states and transitions of a chain are kept: rows, a hash table over them, arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.kernels.compiled import Floats, Integers
from flownet.kernels.exact_tables import SLOTS, STATE, Slots

Rows = NDArray[np.int32]

# entries of `Store.size`
STATES = 0
TRANSITIONS = 1
EXPLORED = 2  # states whose events have all been run
FULL = 3  # whether an array had no room, and which
NO_ROOM_TO_MOVE, NO_ROOM_FOR_STATES = 1, 2
SIZES = 4

MASK = (1 << 63) - 1


class Store(NamedTuple):
    """The chain as far as it is known; the arrays have room to spare."""

    states: Slots
    """(room, slots), one state a row, in the order in which they were reached."""
    table: Rows
    """(power of two,) open addressing: row numbers, -1 where free."""
    start: Integers
    """(room + 1,) where the transitions out of each state begin."""
    target: Rows
    rate: Floats
    mark: Integers
    """(transitions, 2): jobs that left the watched line for service, 1 + the position of the one
    that gave up; empty where no line is watched. With marks, transitions to the state itself are
    kept."""
    size: Integers
    happened: Floats
    """(counters, n R): what happens per T, where events are counted."""


def new_store(
    slots: int, counts: tuple[int, int], states: int, transitions: int, *, marked: bool = False
) -> Store:
    """Return an empty store with room for so many states and transitions."""
    places = 1 << max(4, int(2 * states - 1).bit_length())
    return Store(
        states=np.zeros((states, slots), dtype=np.int16),
        table=np.full(places, -1, dtype=np.int32),
        start=np.zeros(states + 1, dtype=np.int64),
        target=np.zeros(transitions, dtype=np.int32),
        rate=np.zeros(transitions),
        mark=np.zeros((transitions if marked else 0, 2), dtype=np.int64),
        size=np.zeros(SIZES, dtype=np.int64),
        happened=np.zeros(counts),
    )


def grown(store: Store, states: int, transitions: int) -> Store:
    """Return a store with more room that holds the same, less what was half done."""
    explored = int(store.size[EXPLORED])
    known, moves = int(store.size[STATES]), int(store.size[TRANSITIONS])
    counts = (store.happened.shape[0], store.happened.shape[1])
    marked = store.mark.shape[0] > 0
    larger = new_store(store.states.shape[1], counts, states, transitions, marked=marked)
    larger.states[:known] = store.states[:known]
    larger.start[: explored + 1] = store.start[: explored + 1]
    larger.target[:moves] = store.target[:moves]
    larger.rate[:moves] = store.rate[:moves]
    larger.mark[:moves] = store.mark[:moves]
    larger.size[:] = store.size
    larger.size[FULL] = 0
    fill_table(larger.states, larger.table, known)
    return larger


@njit
def mixed(code: int, number: int) -> int:
    """Stir a number into a hash code."""
    code = ((code ^ number) * 0x2545F4914F6CDD1D) & MASK
    return code ^ (code >> 29)


@njit
def fill_table(states: Slots, table: Rows, known: int) -> None:
    """Enter the first `known` states, all different, into an empty table."""
    mask = table.shape[0] - 1
    for row in range(known):
        code = 0
        for slot in range(states.shape[1]):
            code = mixed(code, int(states[row, slot]))
        place = code & mask
        while table[place] >= 0:
            place = (place + 1) & mask
        table[place] = row


@njit
def find_or_add(states: Slots, table: Rows, size: Integers, w: Integers) -> int:
    """Return the number of the state at hand, a new one if it was not known; -1 without room."""
    slots, mask = w[SLOTS], table.shape[0] - 1
    code = 0
    for slot in range(slots):
        code = mixed(code, int(w[STATE + slot]))
    place = code & mask
    while table[place] >= 0:
        row = table[place]
        slot = 0
        while slot < slots and states[row, slot] == w[STATE + slot]:
            slot += 1
        if slot == slots:
            return int(row)
        place = (place + 1) & mask
    known = size[STATES]
    if known >= states.shape[0]:
        size[FULL] = NO_ROOM_FOR_STATES
        return -1
    for slot in range(slots):
        states[known, slot] = w[STATE + slot]
    table[place] = known
    size[STATES] = known + 1
    return int(known)
