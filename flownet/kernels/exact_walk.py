"""Walking over the chain's states: every event of each is run, and stored or counted.

`t` and `f` are the packed tables, `w` and `rates` the scratch memory of a state's events.
"""

from __future__ import annotations

from flownet.jit import njit
from flownet.kernels.compiled import Floats, Integers
from flownet.kernels.exact_access import (
    add,
    chance,
    draw,
    next_choices,
    note,
    of_list,
    of_pair,
    of_route,
    of_service,
    value,
)
from flownet.kernels.exact_events import list_events
from flownet.kernels.exact_lines import pull
from flownet.kernels.exact_moves import ask, settle, vacate
from flownet.kernels.exact_store import (
    EXPLORED,
    FULL,
    NO_ROOM_TO_MOVE,
    STATES,
    TRANSITIONS,
    Store,
    find_or_add,
)
from flownet.kernels.exact_tables import (
    ABANDONED,
    ARRIVAL,
    ARRIVAL_PHASE,
    ARRIVAL_START,
    ARRIVAL_STARTS,
    CHANGE,
    CLASSES,
    COMPLETED,
    CURSOR,
    CUT,
    DEPARTURE,
    DEPTH,
    EVENT_AT,
    EVENTS,
    FATE,
    FROM,
    GONE,
    HAD_GIVEN_UP,
    HOLDS,
    IN_TRANSIT,
    LEFT,
    LEFT_SERVED,
    LOSSES,
    NO_ROUTE,
    NOTE_AT,
    NOTES,
    OUTSIDE,
    OWNER,
    PHASE,
    PREPARATION,
    ROUTE_LIMIT,
    ROUTED,
    SLOTS,
    STARTED,
    STATE,
    TO,
    TRANSFER,
    TRANSFERRED,
    WAITING,
    WAS_LOST,
    WATCHED,
    Slots,
)


@njit
def happen(t: Integers, w: Integers, what: int, a: int, b: int) -> None:
    """Let one event happen to the state at hand."""
    if what == ARRIVAL:
        slot = of_pair(t, a, ARRIVAL_PHASE)
        if slot >= 0:
            first, count = of_pair(t, a, ARRIVAL_START), of_pair(t, a, ARRIVAL_STARTS)
            w[STATE + slot] = draw(t, w, first, count)
        ask(t, w, OUTSIDE, a, NO_ROUTE)
    elif what == CHANGE:
        add(w, a, -1)
        add(w, b, 1)
    elif what == PREPARATION:
        w[STATE + a] = b
    elif what == DEPARTURE:
        add(w, of_pair(t, a, PHASE) + b, -1)
        note(w, COMPLETED, a)
        note(w, LEFT, a)
        vacate(t, w, a)
    elif what == ROUTED:
        pair, transfer = of_route(t, a, FROM), of_route(t, a, TRANSFER)
        add(w, of_pair(t, pair, PHASE) + b, -1)
        note(w, COMPLETED, pair)
        if transfer < 0:
            ask(t, w, pair, of_route(t, a, TO), a)
        else:
            _set_out(t, w, pair, a, transfer)
    elif what == TRANSFERRED:
        add(w, of_route(t, a, TRANSFER), -1)
        origin = of_route(t, a, FROM) if of_route(t, a, HOLDS) == 1 else IN_TRANSIT
        ask(t, w, origin, of_route(t, a, TO), a)
    else:
        note(w, ABANDONED, pull(t, w, a, b))
        w[GONE] = b + 1 if a == w[WATCHED] else 0
        service = of_list(t, a, OWNER)
        add(w, of_service(t, service, WAITING), -1)
        settle(t, w, service)


@njit
def _set_out(t: Integers, w: Integers, pair: int, route: int, transfer: int) -> None:
    """Let a job set out on a route that takes time."""
    add(w, transfer, 1)
    if value(w, transfer) > of_route(t, route, ROUTE_LIMIT):
        w[CUT] = 1
    if of_route(t, route, HOLDS) == 0:
        vacate(t, w, pair)


@njit
def _count(happened: Floats, w: Integers, rate: float) -> None:
    """Count what happened in an event, at the rate at which it happens."""
    for place in range(w[NOTE_AT], w[NOTE_AT] + 2 * w[NOTES], 2):
        happened[w[place], w[place + 1]] += rate


@njit
def _store(store: Store, w: Integers, rate: float) -> None:
    """Store the transition that an event made, out of the state that is being explored."""
    size = store.size
    target = find_or_add(store.states, store.table, size, w)
    place = size[TRANSITIONS]
    if place >= store.target.shape[0]:
        size[FULL] = max(size[FULL], NO_ROOM_TO_MOVE)
    marked = store.mark.shape[0] > 0
    if size[FULL] == 0 and (marked or target != size[EXPLORED]):
        if marked:
            store.mark[place, 0] = w[STARTED]
            store.mark[place, 1] = w[GONE]
        store.target[place] = target
        store.rate[place] = rate
        size[TRANSITIONS] = place + 1


@njit
def end_of_followed(t: Integers, w: Integers) -> None:
    """Where the followed job has ended, let the state at hand tell only how.

    The followed job is of one of the classes in the second half.
    """
    fate = -1
    for place in range(w[NOTE_AT], w[NOTE_AT] + 2 * w[NOTES], 2):
        if 2 * (w[place + 1] % t[CLASSES]) >= t[CLASSES]:
            if w[place] == LEFT:
                fate = LEFT_SERVED
            elif w[place] == LOSSES:
                fate = WAS_LOST
            elif w[place] == ABANDONED:
                fate = HAD_GIVEN_UP
    if fate >= 0:
        for slot in range(w[SLOTS]):
            w[STATE + slot] = 0
        w[STATE + w[FATE] + fate] = 1


@njit
def _has_ended(w: Integers, state: Slots) -> bool:
    """Tell whether a state tells how a followed job ended."""
    first = w[FATE]
    return bool(first >= 0 and state[first] + state[first + 1] + state[first + 2] > 0)


@njit
def walk(
    t: Integers, f: Floats, w: Integers, rates: Floats, store: Store, probability: Floats
) -> None:
    """Run every event of every state; store the transitions, or count what happens per T.

    With an empty `probability` new states are explored until there are none or an array is full;
    then the state that was being explored is left as if never begun, except for the hash table,
    which has to be filled anew. Otherwise `probability` has one entry a state, and what happens
    per T is added to `store.happened`.
    """
    counting = probability.shape[0] > 0
    size = store.size
    row = 0 if counting else size[EXPLORED]
    while row < size[STATES]:
        known, moves = size[STATES], size[TRANSITIONS]
        state = store.states[row]
        if _has_ended(w, state):
            w[EVENTS] = 0
        else:
            list_events(t, f, w, rates, state)
        weight = probability[row] if counting else 1.0
        for event in range(w[EVENTS]):
            place = w[EVENT_AT] + 3 * event
            w[DEPTH] = 0
            while True:
                for slot in range(w[SLOTS]):
                    w[STATE + slot] = state[slot]
                w[CURSOR] = 0
                w[CUT] = 0
                w[NOTES] = 0
                w[STARTED] = 0
                w[GONE] = 0
                happen(t, w, w[place], w[place + 1], w[place + 2])
                if w[FATE] >= 0:
                    end_of_followed(t, w)
                rate = weight * rates[event] * chance(t, f, w)
                if w[CUT] == 0:  # else it leads beyond a limit and is left out
                    if counting:
                        _count(store.happened, w, rate)
                    else:
                        _store(store, w, rate)
                if not next_choices(w):
                    break
        row += 1
        if counting:
            continue
        if size[FULL] > 0:
            size[STATES] = known
            size[TRANSITIONS] = moves
            return
        size[EXPLORED] = row
        store.start[row] = size[TRANSITIONS]
