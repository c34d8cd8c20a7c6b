"""Asking for a place in the simulator: what meets a job, who waits, and who follows.

The convention: a service gives a free server first to a job that waits inside, then its free
place to the first of the jobs that wait for one, blocked in other services, in transit or
outside, by turn and then in one first-come list; where that job comes from another service, the
vacancy moves there, and so on, all in zero time. Every function acts at the present time
``f[at.NOW]``.
"""

from __future__ import annotations

from flownet.jit import njit
from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import BLOCKED_AFTER_SERVICE, LOST, WAIT_OUTSIDE
from flownet.kernels.simulation_lists import (
    append,
    append_to_pair,
    free_job,
    insert,
    insert_on_pair,
    remove,
    remove_from_pair,
)
from flownet.kernels.simulation_service import admit, serve_waiting, vacate
from flownet.kernels.simulation_words import Address, integers, words


@njit
def begin_transit(m: Address, state: int) -> None:
    """Count one more job on its way to a state."""
    q, f = words(m)
    job_class = q[state + at.STATE_CLASS]
    q[job_class + at.NUMBER_IN_TRANSIT] += 1
    f[job_class + at.IN_TRANSIT_AREA] -= f[at.NOW]


@njit
def end_transit(m: Address, state: int) -> None:
    """Count one job less on its way to a state."""
    q, f = words(m)
    job_class = q[state + at.STATE_CLASS]
    q[job_class + at.NUMBER_IN_TRANSIT] -= 1
    f[job_class + at.IN_TRANSIT_AREA] += f[at.NOW]


@njit
def _turn_of(m: Address, job: int) -> int:
    """Return the turn of a job that waits for a place."""
    q = integers(m)
    if q[job + at.KIND] == at.OUTSIDE:
        return int(q[q[job + at.TARGET] + at.EXTERNAL_TURN])
    return int(q[q[job + at.ROUTE] + at.TURN])


@njit
def _is_free(m: Address, service: int, job: int, state: int) -> bool:
    """Tell whether a service has a place for a job that wants to come in a state of it."""
    q = integers(m)
    room = q[service + at.ROOM]
    if room > q[at.MOST_LEFT_FREE] or room <= 0:
        return bool(room > 0)
    if q[job + at.KIND] == at.OUTSIDE:
        return bool(room > q[state + at.EXTERNAL_LEFT_FREE])
    return bool(room > q[q[job + at.ROUTE] + at.LEFT_FREE])


@njit
def _line_up(m: Address, service: int, job: int) -> None:
    """Put a job behind all before a service whose turn is not after its own."""
    q = integers(m)
    line = service + at.ENTRANCE
    last = q[line + at.TAIL]
    if q[at.RANKED] == 0 or last == at.NONE or _turn_of(m, last) <= _turn_of(m, job):
        append(m, line, job)
        return
    turn = _turn_of(m, job)
    later = q[line + at.HEAD]
    while _turn_of(m, later) <= turn:
        later = q[later + at.NEXT]
    insert(m, line, job, later)


@njit
def _line_up_on_pair(m: Address, pair: int, job: int) -> None:
    """Put a job behind all that are blocked on a pair whose turn is not after its own."""
    q = integers(m)
    last = q[pair + at.PAIR_TAIL]
    if q[at.RANKED] == 0 or last == at.NONE or _turn_of(m, last) <= _turn_of(m, job):
        append_to_pair(m, pair, job)
        return
    turn = _turn_of(m, job)
    later = q[pair + at.PAIR_HEAD]
    while _turn_of(m, later) <= turn:
        later = q[later + at.NEXT_ON_PAIR]
    insert_on_pair(m, pair, job, later)


@njit
def may_enter(m: Address, service: int) -> bool:
    """Tell whether the first of those who wait for a place at a service can have one."""
    q = integers(m)
    job = q[service + at.ENTRANCE + at.HEAD]
    return job != at.NONE and _is_free(m, service, job, q[job + at.TARGET])


@njit
def _block(m: Address, job: int) -> None:
    """Count a job that has been served as blocked on the pair of its route."""
    q, f = words(m)
    state = q[job + at.JOB_STATE]
    pair = q[q[job + at.ROUTE] + at.ROUTE_PAIR]
    q[job + at.PAIR] = pair
    q[job + at.KIND] = at.BLOCKED
    _line_up_on_pair(m, pair, job)
    f[job + at.SINCE] = f[at.NOW]
    q[state + at.NUMBER_BLOCKED] += 1
    f[state + at.BLOCKED_AREA] -= f[at.NOW]
    q[state + at.BLOCKINGS] += 1
    service = q[job + at.JOB_SERVICE]
    q[service + at.BLOCKED_HERE] += 1
    if q[service + at.BLOCKED_HERE] == f[service + at.SERVERS]:
        q[service + at.ALL_BLOCKED] = 1
        f[service + at.ALL_BLOCKED_AREA] -= f[at.NOW]
    q[pair + at.PAIR_NUMBER] += 1
    f[pair + at.PAIR_AREA] -= f[at.NOW]


@njit
def unblock(m: Address, job: int) -> None:
    """Take a blocked job out of the list of those that wait for a place."""
    q, f = words(m)
    now = f[at.NOW]
    state = q[job + at.JOB_STATE]
    pair = q[job + at.PAIR]
    remove(m, q[pair + at.PAIR_TARGET] + at.ENTRANCE, job)
    remove_from_pair(m, pair, job)
    q[state + at.NUMBER_BLOCKED] -= 1
    f[state + at.BLOCKED_AREA] += now
    f[state + at.BLOCKED_SUM] += now - f[job + at.SINCE]
    service = q[job + at.JOB_SERVICE]
    q[service + at.BLOCKED_HERE] -= 1
    if q[service + at.ALL_BLOCKED] != 0:
        q[service + at.ALL_BLOCKED] = 0
        f[service + at.ALL_BLOCKED_AREA] += now
    q[pair + at.PAIR_NUMBER] -= 1
    f[pair + at.PAIR_AREA] += now


@njit
def _holds_server(m: Address, job: int) -> bool:
    """Tell whether a job, that asks for a place, holds a server."""
    q = integers(m)
    kind = q[job + at.KIND]
    return kind in (at.SERVING, at.HELD)


@njit
def _wait_for_place(m: Address, job: int, state: int) -> int:
    """Let a job wait for a place where it stands; return what `ask` returns."""
    q, f = words(m)
    q[job + at.TARGET] = state
    service = q[state + at.STATE_SERVICE]
    answer = at.NONE
    if not _holds_server(m, job):
        f[job + at.SINCE] = f[at.NOW]
        q[state + at.NUMBER_OUTSIDE] += 1
        f[state + at.OUTSIDE_AREA] -= f[at.NOW]
    else:
        _block(m, job)
        pair = q[job + at.PAIR]
        if q[pair + at.CYCLIC] != 0 and q[service + at.BLOCKED_HERE] > 0:
            answer = -pair
    _line_up(m, service, job)
    return int(answer)


@njit
def _let_in(m: Address, service: int) -> int:
    """Admit the first job that waits for a place; return the service that it leaves, or NONE."""
    q, f = words(m)
    now = f[at.NOW]
    job = q[service + at.ENTRANCE + at.HEAD]
    state = q[job + at.TARGET]
    left = at.NONE
    if q[job + at.KIND] == at.BLOCKED:
        unblock(m, job)
        left = vacate(m, job)
    else:
        remove(m, service + at.ENTRANCE, job)
        q[state + at.NUMBER_OUTSIDE] -= 1
        f[state + at.OUTSIDE_AREA] += now
        f[state + at.OUTSIDE_SUM] += now - f[job + at.SINCE]
        q[state + at.ENTRIES_FROM_OUTSIDE] += 1
        if q[job + at.KIND] == at.OUTSIDE:
            f[job + at.ENTERED] = now
    admit(m, job, state)
    return int(left)


@njit
def settle(m: Address, freed: int) -> None:
    """Give away what has become free at a service, and what becomes free by that."""
    service = freed
    while service != at.NONE:
        serve_waiting(m, service)
        service = _let_in(m, service) if may_enter(m, service) else at.NONE


@njit
def _move(m: Address, job: int, state: int) -> int:
    """Move a job to a place that is free or its own; return the service that it leaves, or NONE."""
    q, f = words(m)
    left = at.NONE
    if _holds_server(m, job):
        left = vacate(m, job)
        if left == q[state + at.STATE_SERVICE]:
            serve_waiting(m, left)
    elif q[job + at.KIND] == at.OUTSIDE:
        f[job + at.ENTERED] = f[at.NOW]
    admit(m, job, state)
    return int(left)


@njit
def _lose(m: Address, job: int, state: int) -> int:
    """Lose a job that is turned away; return the service that it leaves, or NONE."""
    q = integers(m)
    q[state + at.LOSSES] += 1
    left = vacate(m, job) if _holds_server(m, job) else at.NONE
    free_job(m, job)
    return int(left)


@njit
def ask(m: Address, job: int, state: int) -> int:
    """Ask for a place in a state for a job from outside, in transit, or that has been served.

    A job that goes round to its own service keeps its own place; a job that overflows round a
    ring of full services is lost at the last. Returns the service where the job has left a
    vacancy; NONE where there is none; minus a pair where the job is blocked on that pair, which
    may close a cycle.
    """
    q = integers(m)
    external = q[job + at.KIND] == at.OUTSIDE
    origin = q[job + at.JOB_SERVICE] if _holds_server(m, job) else at.NONE
    hops = 0
    while True:
        service = q[state + at.STATE_SERVICE]
        q[state + at.ARRIVALS] += 1
        if _is_free(m, service, job, state):
            return _move(m, job, state)
        if hops == 0 and origin != at.NONE:
            q[origin + at.FOUND_FULL] += 1
        rule = q[service + at.EXTERNAL_WHEN_FULL] if external else q[service + at.WHEN_FULL]
        if service == origin:
            if rule == BLOCKED_AFTER_SERVICE:
                q[at.EXCHANGES] += 1
                q[service + at.DEADLOCKS] += 1
            return _move(m, job, state)
        if rule in (BLOCKED_AFTER_SERVICE, WAIT_OUTSIDE):
            return _wait_for_place(m, job, state)
        if rule == LOST or hops == q[at.RING]:
            return _lose(m, job, state)
        q[state + at.OVERFLOWS] += 1
        state = q[state + at.OVERFLOW_STATE]
        hops += 1
