"""The event loop of the simulator."""

from __future__ import annotations

from math import frexp

from flownet.jit import njit
from flownet.kernels import simulation_memory as at
from flownet.kernels.simulation_blocking import ask, begin_transit, end_transit, settle
from flownet.kernels.simulation_calendars import change_servers, time_of
from flownet.kernels.simulation_deadlock import resolve
from flownet.kernels.simulation_events import close_hole, open_hole, plan
from flownet.kernels.simulation_lists import free_job, new_job
from flownet.kernels.simulation_profile import tick
from flownet.kernels.simulation_service import end_service, end_wait, give_up_place, vacate
from flownet.kernels.simulation_sharing import share_out
from flownet.kernels.simulation_variates import exponential, next_word, uniform, variate
from flownet.kernels.simulation_words import Address, integers, words


@njit
def plan_arrival(m: Address, state: int) -> None:
    """Plan the next arrival from outside in a state."""
    q, f = words(m)
    gap = variate(m, state + at.ARRIVAL_LAW, state + at.ARRIVAL_STREAM)
    calendar = q[state + at.ARRIVAL_CALENDAR]
    if calendar == at.NONE:
        plan(m, state, f[at.NOW] + gap)
    else:
        plan(m, state, time_of(m, calendar, gap))


@njit
def bucket(time: float) -> int:
    """Return the bucket of a time in the histogram; the last holds what is too large."""
    mantissa, exponent = frexp(time)
    octave = exponent - at.LOWEST_EXPONENT
    if time <= 0.0 or octave < 0:
        return 0
    if octave >= at.OCTAVES:
        return at.BUCKETS - 1
    return 1 + octave * at.STEPS + int((2.0 * mantissa - 1.0) * at.STEPS)


@njit
def _arrive(m: Address, state: int) -> int:
    """Let a job arrive from outside in a state; return what `ask` returns."""
    q = integers(m)
    plan_arrival(m, state)
    q[state + at.EXTERNAL_ARRIVALS] += 1
    job = new_job(m)
    q[job + at.KIND] = at.OUTSIDE
    q[job + at.ENTRY_CLASS] = q[state + at.STATE_CLASS]
    q[job + at.CASE] = q[at.CASES]
    q[at.CASES] += 1
    return ask(m, job, state)


@njit
def _leave(m: Address, job: int) -> int:
    """Let a job that has been served leave the network; return the service that it leaves."""
    q, f = words(m)
    left = vacate(m, job)
    time = f[at.NOW] - f[job + at.ENTERED]
    entry = q[job + at.ENTRY_CLASS]
    f[entry + at.TIME_SUM] += time
    f[entry + at.TIME_SQUARE_SUM] += time * time
    exit_class = q[q[job + at.JOB_STATE] + at.STATE_CLASS]
    q[q[entry + at.LEFT] + q[exit_class + at.CLASS_NUMBER]] += 1
    q[q[entry + at.SKETCH] + bucket(time)] += 1
    count = q[entry + at.WITHIN]
    for limit in range(q[at.LIMITS], q[at.END_OF_LIMITS]):
        if time <= f[limit]:
            q[count] += 1
        count += 1
    free_job(m, job)
    return left


@njit
def _choose_route(m: Address, state: int) -> int:
    """Draw the route that a job takes after a state, or NONE out of the network."""
    q, f = words(m)
    route = q[state + at.FIRST_ROUTE]
    end = q[state + at.END_ROUTE]
    if route == end:
        return at.NONE
    u = uniform(next_word(m, state + at.ROUTING_STREAM))
    while u >= f[route + at.CUMULATIVE]:
        route += at.ROUTE_WORDS
        if route == end:
            return at.NONE
    return int(route)


@njit
def _travel(m: Address, job: int, route: int) -> int:
    """Begin the transfer of a job along a route; return the service that it leaves, or NONE."""
    q, f = words(m)
    now = f[at.NOW]
    state = q[job + at.JOB_STATE]
    plan(m, job, now + exponential(m, f[route + at.DELAY], state + at.TRANSFER_STREAM))
    f[job + at.SINCE] = now
    if q[route + at.HOLDS_SERVER] != 0:
        q[job + at.KIND] = at.HELD
        q[state + at.NUMBER_HELD] += 1
        f[state + at.HELD_AREA] -= now
        return at.NONE
    left = vacate(m, job)
    q[job + at.KIND] = at.IN_TRANSIT
    begin_transit(m, q[route + at.ROUTE_TO])
    return left


@njit
def _go_on(m: Address, job: int) -> int:
    """Send on a job whose service is completed; return what `ask` returns."""
    q, f = words(m)
    state = q[job + at.JOB_STATE]
    q[state + at.COMPLETIONS] += 1
    f[job + at.SERVED_TO] = f[at.NOW]
    route = _choose_route(m, state)
    if route == at.NONE:
        return _leave(m, job)
    q[job + at.ROUTE] = route
    if f[route + at.DELAY] > 0.0:
        return _travel(m, job, route)
    return ask(m, job, q[route + at.ROUTE_TO])


@njit
def _end_transfer(m: Address, job: int) -> int:
    """Let a job come to the end of its transfer; return what `ask` returns."""
    q, f = words(m)
    target = q[q[job + at.ROUTE] + at.ROUTE_TO]
    if q[job + at.KIND] == at.HELD:
        state = q[job + at.JOB_STATE]
        q[state + at.NUMBER_HELD] -= 1
        f[state + at.HELD_AREA] += f[at.NOW]
        f[state + at.HELD_SUM] += f[at.NOW] - f[job + at.SINCE]
    else:
        end_transit(m, target)
    return ask(m, job, target)


@njit
def _give_up(m: Address, job: int) -> int:
    """Let a waiting job run out of patience; return the service that it leaves."""
    q = integers(m)
    q[q[job + at.JOB_STATE] + at.ABANDONMENTS] += 1
    end_wait(m, job)
    give_up_place(m, job)
    free_job(m, job)
    return int(q[job + at.JOB_SERVICE])


@njit
def _happen(m: Address, event: int) -> None:
    """Let an event happen, and all that follows from it at once."""
    q = integers(m)
    kind = q[event + at.KIND]
    if kind == at.SOURCE:
        freed = _arrive(m, event)
    elif kind == at.WAITING:
        freed = _give_up(m, event)
    elif kind in (at.HELD, at.IN_TRANSIT):
        freed = _end_transfer(m, event)
    elif kind == at.CHANGE:
        change_servers(m, event)
        freed = at.NONE
    elif kind == at.TICK:
        tick(m, event)
        freed = at.NONE
    else:
        if kind == at.SHARED:
            job = share_out(m, event)
        else:
            job = event
            end_service(m, job)
        freed = _go_on(m, job)
    if freed > at.NONE:
        settle(m, freed)
    elif freed < at.NONE:
        resolve(m, -freed)


@njit
def run(m: Address, until: float, budget: int) -> int:
    """Run to time `until`, or until `budget` events, a deadlock, or the end of the memory."""
    q, f = words(m)
    last = q[at.EVENTS] + budget
    while True:
        if q[at.HEAP_SIZE] == 0 or f[q[at.HEAP] + at.EVENT_TIME] > until:
            f[at.NOW] = until
            return at.DONE
        if q[at.FREE_JOB] == at.NONE and q[at.NEW_JOB] == q[at.END_OF_JOBS]:
            return at.POOL_EXHAUSTED
        if q[at.END_OF_TRACE] != at.NONE and (
            q[at.END_OF_TRACE] - q[at.TRACE] < (q[at.ALIVE] + 1) * at.ROW_WORDS
        ):
            return at.TRACE_FULL
        if q[at.EVENTS] == last:
            return at.PAUSED
        q[at.EVENTS] += 1
        f[at.NOW] = f[q[at.HEAP] + at.EVENT_TIME]
        _happen(m, open_hole(m))
        close_hole(m)
        if q[at.ON_DEADLOCK] == at.STOPPED:
            return at.DEADLOCKED
