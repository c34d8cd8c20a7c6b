"""Lists of the chain: lines of waiting jobs, and doors of those who wait for a place.

`t` are the packed tables, `w` is the scratch memory with the state at hand.
"""

from __future__ import annotations

from flownet.jit import njit
from flownet.kernels.compiled import Integers
from flownet.kernels.exact_access import add, draw, of_kind, of_list, value
from flownet.kernels.exact_tables import (
    CLASSES,
    CUT,
    DRAW,
    DRAWS,
    ITEM,
    OPTION_AT,
    ROOM,
    SLOT,
    SOURCE,
    STATE,
    TURN,
)


@njit
def push(t: Integers, w: Integers, line: int, item: int) -> None:
    """Put an item at the end of a list; a list that never runs empty does not grow."""
    if of_list(t, line, DRAW) >= 0:
        return
    slot = of_list(t, line, SLOT)
    length = value(w, slot)
    if length >= of_list(t, line, ROOM):
        w[CUT] = 1
        return
    if of_list(t, line, ITEM) < 0:
        w[STATE + slot + 1 + length] = item
    add(w, slot, 1)


@njit
def push_by_turn(t: Integers, w: Integers, door: int, kind: int) -> None:
    """Put a job behind all at a door whose turn is not after its own."""
    slot = of_list(t, door, SLOT)
    place = STATE + slot + 1 + value(w, slot)
    push(t, w, door, kind)
    if of_list(t, door, DRAW) >= 0 or of_list(t, door, ITEM) >= 0 or w[CUT] == 1:
        return
    turn = of_kind(t, kind, TURN)
    while place > STATE + slot + 1 and of_kind(t, w[place - 1], TURN) > turn:
        w[place] = w[place - 1]
        place -= 1
    w[place] = kind


@njit
def pull(t: Integers, w: Integers, line: int, position: int) -> int:
    """Take the item at `position` out of a list that has one or never runs empty."""
    if of_list(t, line, DRAW) >= 0:
        return draw(t, w, of_list(t, line, DRAW), of_list(t, line, DRAWS))
    slot = of_list(t, line, SLOT)
    length = value(w, slot)
    add(w, slot, -1)
    if of_list(t, line, ITEM) >= 0:
        return of_list(t, line, ITEM)
    first = STATE + slot + 1
    item = int(w[first + position])
    for place in range(first + position, first + length - 1):
        w[place] = w[place + 1]
    w[first + length - 1] = 0
    return item


@njit
def is_empty(t: Integers, w: Integers, line: int) -> bool:
    """Tell whether nobody stands in a list."""
    return of_list(t, line, DRAW) < 0 and value(w, of_list(t, line, SLOT)) == 0


@njit
def first_at(t: Integers, w: Integers, door: int) -> int:
    """Return the kind of the first job at a door; where it never runs empty all are alike."""
    if of_list(t, door, DRAW) >= 0:
        return int(t[t[OPTION_AT] + of_list(t, door, DRAW)])
    kind = of_list(t, door, ITEM)
    return kind if kind >= 0 else int(w[STATE + of_list(t, door, SLOT) + 1])


@njit
def stands_at_door(t: Integers, w: Integers, door: int, service: int) -> int:
    """Return the position of the first job at a door that holds a server of `service`, or -1."""
    slot, kind = of_list(t, door, SLOT), of_list(t, door, ITEM)
    single = kind >= 0
    for position in range(value(w, slot)):
        if not single:
            kind = value(w, slot + 1 + position)
        source = of_kind(t, kind, SOURCE)
        if source >= 0 and source // t[CLASSES] == service:
            return int(position)
    return -1
