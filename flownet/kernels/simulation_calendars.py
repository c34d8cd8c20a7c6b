"""Calendars in the simulator: arrivals by inversion, servers that come and go.

The beginning of a cycle is its length times the whole cycles passed, so that no rounding adds up.
"""

from __future__ import annotations

from math import floor

from flownet.jit import njit
from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import PROCESSOR_SHARING
from flownet.kernels.simulation_blocking import may_enter, settle
from flownet.kernels.simulation_events import plan
from flownet.kernels.simulation_service import serve_waiting
from flownet.kernels.simulation_sharing import reshare
from flownet.kernels.simulation_words import Address, integers, words


@njit
def _step_end(m: Address, calendar: int) -> float:
    """Return the time at which the present step of a calendar ends."""
    q, f = words(m)
    start = q[calendar + at.ROUNDS] * f[calendar + at.CYCLE]
    return float(start + f[q[calendar + at.STEP] + at.STEP_END])


@njit
def _next_step(m: Address, calendar: int) -> None:
    """Go on to the next step of a calendar, after the last to the first of the next cycle."""
    q = integers(m)
    q[calendar + at.STEP] += at.STEP_WORDS
    if q[calendar + at.STEP] == q[calendar + at.END_STEP]:
        q[calendar + at.STEP] = q[calendar + at.FIRST_STEP]
        q[calendar + at.ROUNDS] += 1


@njit
def time_of(m: Address, calendar: int, need: float) -> float:
    """Return the time at which the rate of a calendar has added up to `need` from now on."""
    q, f = words(m)
    time = f[at.NOW]
    while True:
        end = _step_end(m, calendar)
        rate = f[q[calendar + at.STEP] + at.STEP_VALUE]
        if need < (end - time) * rate:
            return float(time + need / rate)
        need = max(need - (end - time) * rate, 0.0)
        time = end
        _next_step(m, calendar)
        if q[calendar + at.STEP] == q[calendar + at.FIRST_STEP]:
            cycles = floor(need / f[calendar + at.PER_CYCLE])
            need -= cycles * f[calendar + at.PER_CYCLE]
            q[calendar + at.ROUNDS] += int(cycles)
            time = q[calendar + at.ROUNDS] * f[calendar + at.CYCLE]


@njit
def plan_change(m: Address, calendar: int) -> None:
    """Plan the next change of a calendar of servers."""
    plan(m, calendar, _step_end(m, calendar))


@njit
def _change_places(m: Address, service: int, more: int) -> None:
    """Give a service more places, or fewer."""
    q, f = words(m)
    before = q[service + at.ROOM]
    q[service + at.ROOM] = before + more
    if before <= 0 < before + more:
        f[service + at.FULL_AREA] += f[at.NOW]
    elif before + more <= 0 < before:
        f[service + at.FULL_AREA] -= f[at.NOW]


@njit
def change_servers(m: Address, calendar: int) -> None:
    """Let a calendar change the servers of its service, and those who wait take what is free."""
    q, f = words(m)
    service = q[calendar + at.OWNER]
    before = f[q[calendar + at.STEP] + at.STEP_VALUE]
    _next_step(m, calendar)
    plan_change(m, calendar)
    after = f[q[calendar + at.STEP] + at.STEP_VALUE]
    if q[calendar + at.PLACES_FOLLOW] != 0:
        _change_places(m, service, int(after - before))
    if q[service + at.DISCIPLINE] == PROCESSOR_SHARING:
        f[service + at.SERVERS] = after
        reshare(m, service)
    else:
        q[service + at.IDLE] += int(after - before)
        serve_waiting(m, service)
    while may_enter(m, service):
        settle(m, service)
