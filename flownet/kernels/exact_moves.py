"""How jobs move within one event of the chain: start, enter, block, follow on, exchange places.

The convention: a free server goes to a job that waits inside (by rank, first come first served
within a rank), then a free place goes to the first of those that wait for one, blocked in other
services, in transit or outside, by turn and then in one first-come list. Where that job comes
from another service, the vacancy moves there, and so on, all in zero time. When jobs block each
other in a cycle of services, the first of each arc moves, all at once.

`t` are the packed tables, `w` is the scratch memory with the state at hand.
"""

from __future__ import annotations

from flownet.jit import njit
from flownet.kernels.compiled import BLOCKED_AFTER_SERVICE, LOST, WAIT_OUTSIDE, Integers
from flownet.kernels.exact_access import (
    add,
    draw,
    kind_of,
    note,
    of_kind,
    of_list,
    of_pair,
    of_route,
    of_service,
    value,
)
from flownet.kernels.exact_lines import (
    first_at,
    is_empty,
    pull,
    push,
    push_by_turn,
    stands_at_door,
)
from flownet.kernels.exact_tables import (
    ARRIVED,
    CLASSES,
    CUT,
    CYCLIC,
    DELAYED,
    DOOR,
    DRAW,
    END_LINE,
    ENTERED,
    EXCHANGED,
    EXTERNAL_LEFT_FREE,
    EXTERNAL_WHEN_FULL,
    FIRST_LINE,
    FOUND_FULL,
    HELD,
    INTERRUPTS,
    KIND_LEFT_FREE,
    LEFT_FREE,
    LIMIT,
    LINE,
    LOSSES,
    MOVER_AT,
    NO_ROUTE,
    NOT_DELAYED,
    NOTE_AT,
    NOTES,
    OUTSIDE,
    OVERFLOW_TO,
    OVERFLOWS,
    PHASE,
    PLACES,
    PREVIOUS_AT,
    SATURATED,
    SERVERS,
    SERVICES,
    SHARING,
    SLOT,
    SOURCE,
    START,
    STARTED,
    STARTS,
    TARGET,
    WAITING,
    WATCHED,
    WHEN_FULL,
)


@njit
def present(t: Integers, w: Integers, service: int) -> int:
    """Count the jobs that take a place at a service."""
    return value(w, of_service(t, service, HELD)) + value(w, of_service(t, service, WAITING))


@njit
def begin(t: Integers, w: Integers, pair: int) -> None:
    """Start the service of a job for which there is a server."""
    add(w, of_service(t, pair // t[CLASSES], HELD), 1)
    phase = draw(t, w, of_pair(t, pair, START), of_pair(t, pair, STARTS))
    add(w, of_pair(t, pair, PHASE) + phase, 1)


@njit
def _forget_delay(t: Integers, w: Integers, line: int) -> None:
    """Take back the note that the first of a line is delayed, if it came in this very event."""
    first, came = -1, 0
    for place in range(w[NOTE_AT], w[NOTE_AT] + 2 * w[NOTES], 2):
        if w[place] == DELAYED and of_pair(t, w[place + 1], LINE) == line:
            first = place if came == 0 else first
            came += 1
    if came > 0 and came == value(w, of_list(t, line, SLOT)):
        w[first] = NOT_DELAYED


@njit
def serve_waiting(t: Integers, w: Integers, service: int) -> None:
    """Give free servers to the jobs that wait inside."""
    held, waiting = of_service(t, service, HELD), of_service(t, service, WAITING)
    endless = of_service(t, service, SATURATED) == 1
    while endless or value(w, waiting) > 0:
        if value(w, held) >= of_service(t, service, SERVERS):
            return
        line = of_service(t, service, FIRST_LINE)
        last = of_service(t, service, END_LINE) - 1
        while line < last and is_empty(t, w, line):
            line += 1
        if of_list(t, line, DRAW) < 0:
            add(w, waiting, -1)
        if line == w[WATCHED]:
            w[STARTED] += 1
        if of_list(t, line, DRAW) < 0:
            _forget_delay(t, w, line)
        begin(t, w, pull(t, w, line, 0))


@njit
def interrupt(t: Integers, w: Integers, pair: int) -> bool:
    """Take the server from a job of the worst rank behind that of `pair`; tell whether one had it.

    At such a service each rank has one class, with exponential times: what is left of an
    interrupted time is as if new.
    """
    service = pair // t[CLASSES]
    line = of_service(t, service, END_LINE) - 1
    while line > of_pair(t, pair, LINE):
        other = _class_of(t, service, line)
        if other >= 0 and value(w, of_pair(t, other, PHASE)) > 0:
            add(w, of_pair(t, other, PHASE), -1)
            add(w, of_service(t, service, HELD), -1)
            if of_list(t, line, DRAW) < 0:
                add(w, of_service(t, service, WAITING), 1)
            if line == w[WATCHED]:
                w[STARTED] -= 1
            push(t, w, line, other)
            return True
        line -= 1
    return False


@njit
def _class_of(t: Integers, service: int, line: int) -> int:
    """Return the pair that stands in a line of a service, or -1."""
    for pair in range(service * t[CLASSES], (service + 1) * t[CLASSES]):
        if of_pair(t, pair, LINE) == line:
            return int(pair)
    return -1


@njit
def enter(t: Integers, w: Integers, pair: int) -> None:
    """Let a job take a place that is free."""
    service = pair // t[CLASSES]
    note(w, ENTERED, pair)
    free = value(w, of_service(t, service, HELD)) < of_service(t, service, SERVERS)
    if not free and of_service(t, service, INTERRUPTS) == 1:
        free = interrupt(t, w, pair)
    if free or of_service(t, service, SHARING) == 1:
        begin(t, w, pair)
    else:
        note(w, DELAYED, pair)
        line = of_pair(t, pair, LINE)
        if of_list(t, line, DRAW) < 0:
            add(w, of_service(t, service, WAITING), 1)
        push(t, w, line, pair)
    if present(t, w, service) > of_service(t, service, LIMIT):
        w[CUT] = 1


@njit
def is_full(t: Integers, w: Integers, service: int, left_free: int) -> bool:
    """Tell whether no more places than `left_free` are free."""
    return present(t, w, service) + left_free >= of_service(t, service, PLACES)


@njit
def admit(t: Integers, w: Integers, service: int) -> int:
    """Let the first of those at the door in; return the service where that frees a server."""
    door = of_service(t, service, DOOR)
    if door < 0 or is_empty(t, w, door):
        return -1
    if is_full(t, w, service, of_kind(t, first_at(t, w, door), KIND_LEFT_FREE)):
        return -1
    kind = pull(t, w, door, 0)
    enter(t, w, of_kind(t, kind, TARGET))
    source = of_kind(t, kind, SOURCE)
    if source < 0:
        return -1
    origin = source // t[CLASSES]
    add(w, of_service(t, origin, HELD), -1)
    return int(origin)


@njit
def settle(t: Integers, w: Integers, service: int) -> None:
    """Do all that follows at once from a server or place that became free."""
    vacant = service
    while vacant >= 0:
        serve_waiting(t, w, vacant)
        vacant = admit(t, w, vacant)


@njit
def vacate(t: Integers, w: Integers, pair: int) -> None:
    """Let a job leave its service for good; nothing happens where it holds no server (below 0)."""
    if pair >= 0:
        service = pair // t[CLASSES]
        add(w, of_service(t, service, HELD), -1)
        settle(t, w, service)


@njit
def move(t: Integers, w: Integers, origin: int, target: int) -> None:
    """Move a job from the server that it holds, if any, to a place that is free or its own."""
    service = origin // t[CLASSES]
    if origin >= 0 and service == target // t[CLASSES]:
        add(w, of_service(t, service, HELD), -1)
        serve_waiting(t, w, service)
        enter(t, w, target)
    else:
        enter(t, w, target)
        vacate(t, w, origin)


@njit
def find_cycle(t: Integers, w: Integers, first: int, last: int) -> bool:
    """Search the shortest chain of services from `first` to `last`, each blocked by the next."""
    services, previous, queue = t[SERVICES], w[PREVIOUS_AT], w[MOVER_AT]
    for service in range(services):
        w[previous + service] = -1
    w[previous + first] = first
    w[queue] = first
    head, tail = 0, 1
    while head < tail:
        service = w[queue + head]
        head += 1
        for target in range(services):
            door = of_service(t, target, DOOR)
            if w[previous + target] >= 0 or door < 0:
                continue
            if stands_at_door(t, w, door, service) >= 0:
                w[previous + target] = service
                if target == last:
                    return True
                w[queue + tail] = target
                tail += 1
    return False


@njit
def exchange(t: Integers, w: Integers, first: int, last: int) -> None:
    """Move one job along each arc of the cycle that `find_cycle` found and ``last -> first``."""
    movers = w[MOVER_AT]
    for service in range(t[SERVICES]):
        w[movers + service] = -1
    target, source = first, last
    while True:
        door = of_service(t, target, DOOR)
        kind = pull(t, w, door, stands_at_door(t, w, door, source))
        w[movers + target] = of_kind(t, kind, TARGET)
        add(w, of_service(t, source, HELD), -1)
        if source == first:
            break
        target = source
        source = w[w[PREVIOUS_AT] + source]
    for service in range(t[SERVICES]):
        if w[movers + service] >= 0:
            serve_waiting(t, w, service)
            enter(t, w, w[movers + service])


@njit
def stay_at_door(t: Integers, w: Integers, origin: int, target: int, route: int) -> None:
    """Let a job wait for a place, with the server that it holds; resolve a cycle if one closes."""
    service = target // t[CLASSES]
    push_by_turn(t, w, of_service(t, service, DOOR), kind_of(t, route, target))
    if w[CYCLIC] == 1 and origin >= 0 and w[CUT] == 0:
        source = origin // t[CLASSES]
        if find_cycle(t, w, service, source):
            note(w, EXCHANGED, origin)
            exchange(t, w, service, source)


@njit
def ask(t: Integers, w: Integers, origin: int, target: int, route: int) -> None:
    """Let a job ask for a place; `origin` is the pair whose server it holds, or below 0.

    `route` is that by which it comes, or NO_ROUTE from outside.

    A job that goes round to its own service keeps its own place; a job that overflows round a
    ring of full services is lost at the last.
    """
    services, classes = t[SERVICES], t[CLASSES]
    for hop in range(services + 1):
        service = target // classes
        own = origin >= 0 and origin // classes == service
        note(w, ARRIVED, target)
        if route == NO_ROUTE:
            full = is_full(t, w, service, of_pair(t, target, EXTERNAL_LEFT_FREE))
        else:
            full = is_full(t, w, service, of_route(t, route, LEFT_FREE))
        if full and origin >= 0 and hop == 0:
            note(w, FOUND_FULL + service, origin)
        if own or not full:
            if full and of_service(t, service, WHEN_FULL) == BLOCKED_AFTER_SERVICE:
                note(w, EXCHANGED, origin)
            move(t, w, origin, target)
            return
        rule = of_service(t, service, EXTERNAL_WHEN_FULL if origin == OUTSIDE else WHEN_FULL)
        if rule in (BLOCKED_AFTER_SERVICE, WAIT_OUTSIDE):
            stay_at_door(t, w, origin, target, route)
            return
        if rule == LOST or of_service(t, service, OVERFLOW_TO) < 0 or hop == services:
            note(w, LOSSES, target)
            vacate(t, w, origin)
            return
        note(w, OVERFLOWS, target)
        target = of_service(t, service, OVERFLOW_TO) * classes + target % classes
