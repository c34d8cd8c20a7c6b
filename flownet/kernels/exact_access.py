"""Reading the packed tables and the state at hand in compiled code.

`t` are the whole numbers of `Packed`, `f` its figures, `w` the scratch memory of an event.
"""

from __future__ import annotations

from flownet.jit import njit
from flownet.kernels.compiled import Floats, Integers
from flownet.kernels.exact_tables import (
    CHOICE_AT,
    CURSOR,
    DEPTH,
    KIND_AT,
    KIND_COLUMNS,
    KIND_OF_AT,
    LIST_AT,
    LIST_COLUMNS,
    NOTE_AT,
    NOTES,
    OPTION_AT,
    PAIR_AT,
    PAIR_COLUMNS,
    PAIR_RATE_AT,
    PAIR_RATES,
    PAIRS,
    ROUTE_AT,
    ROUTE_COLUMNS,
    ROUTE_RATE_AT,
    ROUTE_RATES,
    ROUTES,
    SERVICE_AT,
    SERVICE_COLUMNS,
    STATE,
    WEIGHT_AT,
)


@njit
def of_service(t: Integers, service: int, column: int) -> int:
    """Return an entry of the table of services."""
    return int(t[t[SERVICE_AT] + service * SERVICE_COLUMNS + column])


@njit
def of_pair(t: Integers, pair: int, column: int) -> int:
    """Return an entry of the table of pairs (service, class)."""
    return int(t[t[PAIR_AT] + pair * PAIR_COLUMNS + column])


@njit
def of_route(t: Integers, route: int, column: int) -> int:
    """Return an entry of the table of routes."""
    return int(t[t[ROUTE_AT] + route * ROUTE_COLUMNS + column])


@njit
def of_list(t: Integers, line: int, column: int) -> int:
    """Return an entry of the table of lists."""
    return int(t[t[LIST_AT] + line * LIST_COLUMNS + column])


@njit
def of_kind(t: Integers, kind: int, column: int) -> int:
    """Return an entry of the table of those who wait for a place."""
    return int(t[t[KIND_AT] + kind * KIND_COLUMNS + column])


@njit
def kind_of(t: Integers, route: int, target: int) -> int:
    """Return the kind of a job that waits to become `target`."""
    row = route if route >= 0 else t[ROUTES]
    return int(t[t[KIND_OF_AT] + row * t[PAIRS] + target])


@njit
def pair_rate(t: Integers, f: Floats, pair: int, column: int) -> float:
    """Return a rate of a pair."""
    return float(f[t[PAIR_RATE_AT] + pair * PAIR_RATES + column])


@njit
def route_rate(t: Integers, f: Floats, route: int, column: int) -> float:
    """Return a rate of a route."""
    return float(f[t[ROUTE_RATE_AT] + route * ROUTE_RATES + column])


@njit
def value(w: Integers, slot: int) -> int:
    """Return a slot of the state at hand."""
    return int(w[STATE + slot])


@njit
def add(w: Integers, slot: int, amount: int) -> None:
    """Add to a slot of the state at hand."""
    w[STATE + slot] += amount


@njit
def note(w: Integers, counter: int, pair: int) -> None:
    """Write down that something happened to a job."""
    place = w[NOTE_AT] + 2 * w[NOTES]
    w[place] = counter
    w[place + 1] = pair
    w[NOTES] += 1


@njit
def draw(t: Integers, w: Integers, first: int, count: int) -> int:
    """Return one of `count` options; where there are several, the event is run for each."""
    if count == 1:
        return int(t[t[OPTION_AT] + first])
    depth = w[CURSOR]
    place = w[CHOICE_AT] + 2 * depth
    if depth >= w[DEPTH]:
        w[place] = first
        w[place + 1] = first + count
        w[DEPTH] = depth + 1
    w[CURSOR] = depth + 1
    return int(t[t[OPTION_AT] + w[place]])


@njit
def chance(t: Integers, f: Floats, w: Integers) -> float:
    """Return the probability of the choices made in this run of an event."""
    probability = 1.0
    for depth in range(w[CURSOR]):
        probability *= f[t[WEIGHT_AT] + w[w[CHOICE_AT] + 2 * depth]]
    return probability


@njit
def next_choices(w: Integers) -> bool:
    """Turn to the next combination of choices; False where all have been made."""
    depth = w[CURSOR]
    while depth > 0:
        place = w[CHOICE_AT] + 2 * (depth - 1)
        if w[place] + 1 < w[place + 1]:
            w[place] += 1
            w[DEPTH] = depth
            return True
        depth -= 1
    return False
