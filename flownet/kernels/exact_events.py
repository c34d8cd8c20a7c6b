"""The events that can happen in a state of the chain, and their rates.

`t` and `f` are the packed tables, `w` is the scratch memory that takes the events, `rates` takes
their rates.
"""

from __future__ import annotations

from flownet.jit import njit
from flownet.kernels.compiled import Floats, Integers
from flownet.kernels.exact_access import (
    of_list,
    of_pair,
    of_route,
    of_service,
    pair_rate,
    route_rate,
)
from flownet.kernels.exact_tables import (
    ACTIVE,
    ARRIVAL,
    ARRIVAL_LAW,
    ARRIVAL_PHASE,
    ARRIVAL_PHASES,
    CHANGE,
    CLASSES,
    DEPARTURE,
    END_LINE,
    END_ROUTE,
    EVENT_AT,
    EVENTS,
    EXTERNAL,
    FIRST_LINE,
    FIRST_ROUTE,
    GAVE_UP,
    GIVING_UP,
    HELD,
    ITEM,
    LAW,
    LAW_AT,
    LEAVING,
    PAIRS,
    PHASE,
    PHASES,
    PREPARATION,
    PROBABILITY,
    ROUTED,
    ROUTES,
    SERVICES,
    SHARE_AT,
    SHARING,
    SLOT,
    SPEED,
    TRANSFER,
    TRANSFERRED,
    WAITING,
    Slots,
)


@njit
def _event(w: Integers, rates: Floats, rate: float, what: int, a: int, b: int) -> None:
    """Add an event to the list."""
    if rate > 0.0:
        number = w[EVENTS]
        place = w[EVENT_AT] + 3 * number
        w[place] = what
        w[place + 1] = a
        w[place + 2] = b
        rates[number] = rate
        w[EVENTS] = number + 1


@njit
def _arrivals(t: Integers, f: Floats, w: Integers, rates: Floats, state: Slots) -> None:
    """List the arrivals from outside."""
    for pair in range(t[PAIRS]):
        slot = of_pair(t, pair, ARRIVAL_PHASE)
        if slot < 0:
            _event(w, rates, pair_rate(t, f, pair, EXTERNAL), ARRIVAL, pair, 0)
            continue
        phases, law = of_pair(t, pair, ARRIVAL_PHASES), t[LAW_AT] + of_pair(t, pair, ARRIVAL_LAW)
        phase = state[slot]
        _event(w, rates, f[law + phase], ARRIVAL, pair, 0)
        for after in range(phases):
            _event(w, rates, f[law + phases + phase * phases + after], PREPARATION, slot, after)


@njit
def working_share(t: Integers, f: Floats, state: Slots, service: int) -> float:
    """Return how much of a server each job in service has: 1 unless the service is shared."""
    if of_service(t, service, SHARING) == 0:
        return 1.0
    jobs = 0
    for pair in range(service * t[CLASSES], (service + 1) * t[CLASSES]):
        first = of_pair(t, pair, PHASE)
        for phase in range(of_pair(t, pair, PHASES)):
            jobs += state[first + phase]
    free = f[t[SHARE_AT] + service] - (state[of_service(t, service, HELD)] - jobs)
    return 1.0 if free >= jobs else max(free, 0.0) / jobs


@njit
def _services(t: Integers, f: Floats, w: Integers, rates: Floats, state: Slots) -> None:
    """List the ends of services and their changes of phase."""
    for service in range(t[SERVICES]):
        if state[of_service(t, service, HELD)] == 0:
            continue
        share = working_share(t, f, state, service)
        for pair in range(service * t[CLASSES], (service + 1) * t[CLASSES]):
            if of_pair(t, pair, ACTIVE) == 1:
                first = of_pair(t, pair, PHASE)
                for phase in range(of_pair(t, pair, PHASES)):
                    jobs = state[first + phase]
                    if jobs > 0:
                        _phase(t, f, w, rates, jobs * share, pair, phase)


@njit
def _phase(
    t: Integers, f: Floats, w: Integers, rates: Floats, working: float, pair: int, phase: int
) -> None:
    """List all that can end the present phase of one of the jobs in it."""
    first, phases = of_pair(t, pair, PHASE), of_pair(t, pair, PHASES)
    law = t[LAW_AT] + of_pair(t, pair, LAW)
    for after in range(phases):
        rate = working * f[law + phases + phase * phases + after]
        _event(w, rates, rate, CHANGE, first + phase, first + after)
    ending = working * f[law + phase]
    _event(w, rates, ending * pair_rate(t, f, pair, LEAVING), DEPARTURE, pair, phase)
    for route in range(of_pair(t, pair, FIRST_ROUTE), of_pair(t, pair, END_ROUTE)):
        _event(w, rates, ending * route_rate(t, f, route, PROBABILITY), ROUTED, route, phase)


@njit
def _transfers(t: Integers, f: Floats, w: Integers, rates: Floats, state: Slots) -> None:
    """List the ends of transfers."""
    for route in range(t[ROUTES]):
        slot = of_route(t, route, TRANSFER)
        if slot >= 0:
            _event(w, rates, state[slot] * route_rate(t, f, route, SPEED), TRANSFERRED, route, 0)


@njit
def _abandonments(t: Integers, f: Floats, w: Integers, rates: Floats, state: Slots) -> None:
    """List the losses of patience of jobs that wait inside."""
    for service in range(t[SERVICES]):
        if state[of_service(t, service, WAITING)] == 0:
            continue
        for line in range(of_service(t, service, FIRST_LINE), of_service(t, service, END_LINE)):
            slot, item = of_list(t, line, SLOT), of_list(t, line, ITEM)
            length = state[slot]
            if item >= 0:
                _event(w, rates, length * pair_rate(t, f, item, GIVING_UP), GAVE_UP, line, 0)
                continue
            for position in range(length):
                rate = pair_rate(t, f, state[slot + 1 + position], GIVING_UP)
                _event(w, rates, rate, GAVE_UP, line, position)


@njit
def list_events(t: Integers, f: Floats, w: Integers, rates: Floats, state: Slots) -> None:
    """List every event that can happen in `state`."""
    w[EVENTS] = 0
    _arrivals(t, f, w, rates, state)
    _services(t, f, w, rates, state)
    _transfers(t, f, w, rates, state)
    _abandonments(t, f, w, rates, state)
