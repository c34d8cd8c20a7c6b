"""The calendars in the simulator's memory at time 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flownet.errors import Fault, ParameterError
from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import (
    PROCESSOR_SHARING,
    Calendars,
    CompiledNetwork,
    Floats,
    Integers,
)
from flownet.kernels.simulation_calendars import plan_change
from flownet.kernels.simulation_words import handle

if TYPE_CHECKING:
    from flownet.kernels.simulation_setup import Memory


def number_of_calendars(calendars: Calendars | None) -> int:
    """Return how many services and states have one."""
    if calendars is None:
        return 0
    starts = (calendars.server_start, calendars.arrival_start)
    return sum(int((np.diff(start) > 0).sum()) for start in starts)


def number_of_steps(calendars: Calendars | None) -> int:
    """Return the steps of all calendars."""
    return 0 if calendars is None else calendars.server_ends.size + calendars.arrival_ends.size


def at_the_start(compiled: CompiledNetwork, calendars: Calendars | None) -> CompiledNetwork:
    """Return the network with the servers and places of time 0, and arrivals on a unit clock."""
    if calendars is None:
        return compiled
    _check_whole(compiled, calendars)
    servers, capacity = compiled.servers.copy(), compiled.capacity.copy()
    for i in np.flatnonzero(np.diff(calendars.server_start)):
        servers[i] = calendars.server_values[calendars.server_start[i]]
        if calendars.places_follow[i]:
            capacity[i] = round(capacity[i] + servers[i] - compiled.servers[i])
    varies = (np.diff(calendars.arrival_start) > 0).reshape(compiled.external_arrival_rate.shape)
    rates = np.where(varies & (compiled.external_arrival_rate > 0.0), 1.0,
                     compiled.external_arrival_rate)  # fmt: skip
    return compiled._replace(servers=servers, capacity=capacity, external_arrival_rate=rates)


def _check_whole(compiled: CompiledNetwork, calendars: Calendars) -> None:
    """Refuse broken numbers of servers that are not shared, or that decide the places."""
    n = compiled.servers.size
    service = np.repeat(np.arange(n), np.diff(calendars.server_start))
    shared = (compiled.discipline == PROCESSOR_SHARING) & ~calendars.places_follow
    broken = (calendars.server_values % 1.0 != 0.0) & ~shared[service]
    message = "the simulation needs a whole number"
    faults = [
        Fault(
            f"service {service[k]}", "server_calendar", f"{calendars.server_values[k]:g}", message
        )
        for k in np.flatnonzero(broken)
    ]
    if faults:
        raise ParameterError(faults)


def fill_calendars(m: Memory, calendars: Calendars) -> None:
    """Write the calendars, of arrivals first, and their steps."""
    calendar, step = m.calendars, m.steps
    width = m.counts[1]
    for s in np.flatnonzero(np.diff(calendars.arrival_start)).tolist():
        span = slice(*calendars.arrival_start[s : s + 2].tolist())
        ends, values = calendars.arrival_ends[span], calendars.arrival_values[span]
        step = _fill_one(m, calendar, step, ends, values)
        m.q[calendar + at.OWNER] = m.services + s // width * at.SERVICE_WORDS
        m.q[m.states + s * at.STATE_WORDS + at.ARRIVAL_CALENDAR] = calendar
        calendar += at.CALENDAR_WORDS
    for i in np.flatnonzero(np.diff(calendars.server_start)).tolist():
        span = slice(*calendars.server_start[i : i + 2].tolist())
        ends, values = calendars.server_ends[span], calendars.server_values[span]
        step = _fill_one(m, calendar, step, ends, values)
        m.q[calendar + at.OWNER] = m.services + i * at.SERVICE_WORDS
        m.q[calendar + at.KIND] = at.CHANGE
        m.q[calendar + at.PLACES_FOLLOW] = calendars.places_follow[i]
        calendar += at.CALENDAR_WORDS


def _fill_one(m: Memory, calendar: int, step: int, ends: Floats, values: Floats) -> int:
    """Write one calendar and its steps, and return where the next steps go."""
    end = step + ends.size * at.STEP_WORDS
    m.f[step + at.STEP_END : end : at.STEP_WORDS] = ends
    m.f[step + at.STEP_VALUE : end : at.STEP_WORDS] = values
    m.q[calendar + at.FIRST_STEP], m.q[calendar + at.STEP], m.q[calendar + at.END_STEP] = (
        step, step, end,
    )  # fmt: skip
    m.f[calendar + at.CYCLE] = ends[-1]
    m.f[calendar + at.PER_CYCLE] = np.diff(ends, prepend=0.0) @ values
    return end


def plan_changes(m: Memory) -> None:
    """Plan the first change of each calendar of servers."""
    addresses: Integers = np.arange(m.calendars, m.steps, at.CALENDAR_WORDS)
    for calendar in addresses.tolist():
        if m.q[calendar + at.KIND] == at.CHANGE:
            plan_change(handle(m.q), calendar)
