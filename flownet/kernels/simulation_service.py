"""Servers, places and queues in the simulator: admission, the wait, service, preemption, leaving.

Every function acts at the present time ``f[at.NOW]``.
"""

from __future__ import annotations

from math import inf, nan

from flownet.jit import njit
from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import PROCESSOR_SHARING
from flownet.kernels.simulation_events import cancel, plan
from flownet.kernels.simulation_lists import append, prepend, remove
from flownet.kernels.simulation_sharing import reshare, share_in
from flownet.kernels.simulation_variates import exponential, variate
from flownet.kernels.simulation_words import Address, integers, words


@njit
def _begin(m: Address, job: int) -> None:
    """Begin, or take up again, the service of a job for which a server is free."""
    q, f = words(m)
    now = f[at.NOW]
    state = q[job + at.JOB_STATE]
    service = q[job + at.JOB_SERVICE]
    q[service + at.IDLE] -= 1
    q[state + at.NUMBER_IN_SERVICE] += 1
    f[state + at.IN_SERVICE_AREA] -= now
    q[job + at.KIND] = at.SERVING
    f[job + at.SINCE] = now
    if q[job + at.STARTED] == 0:
        q[job + at.STARTED] = 1
        f[job + at.SERVED_FROM] = now
        f[job + at.WORK] = variate(m, state + at.SERVICE_LAW, state + at.SERVICE_STREAM)
        q[state + at.STARTS] += 1
    if q[service + at.PREEMPTIVE] != 0:
        append(m, q[state + at.STATE_QUEUE] + at.RANK_SERVING, job)
    plan(m, job, now + f[job + at.WORK])


@njit
def end_service(m: Address, job: int) -> None:
    """Count a job no more as in service; it still holds its server."""
    q, f = words(m)
    state = q[job + at.JOB_STATE]
    q[state + at.NUMBER_IN_SERVICE] -= 1
    f[state + at.IN_SERVICE_AREA] += f[at.NOW]
    if q[q[job + at.JOB_SERVICE] + at.PREEMPTIVE] != 0:
        remove(m, q[state + at.STATE_QUEUE] + at.RANK_SERVING, job)


@njit
def _begin_wait(m: Address, job: int) -> None:
    """Count a job as waiting inside."""
    q, f = words(m)
    state = q[job + at.JOB_STATE]
    q[q[job + at.JOB_SERVICE] + at.QUEUE_LENGTH] += 1
    q[state + at.NUMBER_WAITING] += 1
    f[state + at.WAITING_AREA] -= f[at.NOW]
    q[job + at.KIND] = at.WAITING
    f[job + at.SINCE] = f[at.NOW]


@njit
def end_wait(m: Address, job: int) -> None:
    """Take a waiting job out of its queue."""
    q, f = words(m)
    state = q[job + at.JOB_STATE]
    q[q[job + at.JOB_SERVICE] + at.QUEUE_LENGTH] -= 1
    q[state + at.NUMBER_WAITING] -= 1
    f[state + at.WAITING_AREA] += f[at.NOW]
    remove(m, q[state + at.STATE_QUEUE] + at.QUEUE, job)


@njit
def _preempt(m: Address, service: int, queue: int) -> bool:
    """Free a server from the job of the worst rank behind `queue`; tell whether there was one."""
    q, f = words(m)
    worst = q[service + at.END_QUEUE] - at.QUEUE_WORDS
    while worst > queue and q[worst + at.RANK_SERVING + at.TAIL] == at.NONE:
        worst -= at.QUEUE_WORDS
    if worst <= queue:
        return False
    job = q[worst + at.RANK_SERVING + at.TAIL]
    cancel(m, job)
    end_service(m, job)
    q[service + at.IDLE] += 1
    q[q[job + at.JOB_STATE] + at.PREEMPTIONS] += 1
    f[job + at.WORK] -= f[at.NOW] - f[job + at.SINCE]
    _begin_wait(m, job)
    prepend(m, worst + at.QUEUE, job)
    return True


@njit
def admit(m: Address, job: int, state: int) -> None:
    """Give a job the free place of the service of a state."""
    q, f = words(m)
    now = f[at.NOW]
    service = q[state + at.STATE_SERVICE]
    q[service + at.ROOM] -= 1
    if q[service + at.ROOM] == 0:
        f[service + at.FULL_AREA] -= now
    q[state + at.ADMISSIONS] += 1
    q[job + at.JOB_STATE] = state
    q[job + at.JOB_SERVICE] = service
    f[job + at.ARRIVED] = now
    q[job + at.STARTED] = 0
    if q[service + at.DISCIPLINE] == PROCESSOR_SHARING:
        q[job + at.KIND] = at.SERVING
        q[job + at.STARTED] = 1
        f[job + at.SERVED_FROM] = now
        f[job + at.WORK] = variate(m, state + at.SERVICE_LAW, state + at.SERVICE_STREAM)
        q[state + at.STARTS] += 1
        share_in(m, job)
        return
    if q[service + at.IDLE] > 0 or (
        q[service + at.PREEMPTIVE] != 0 and _preempt(m, service, q[state + at.STATE_QUEUE])
    ):
        _begin(m, job)
        return
    q[state + at.DELAYED_ADMISSIONS] += 1
    _begin_wait(m, job)
    append(m, q[state + at.STATE_QUEUE] + at.QUEUE, job)
    if f[state + at.MEAN_PATIENCE] < inf:
        wait = exponential(m, f[state + at.MEAN_PATIENCE], state + at.PATIENCE_STREAM)
        plan(m, job, now + wait)


@njit
def _begin_next(m: Address, service: int) -> None:
    """Let the first job of the best rank that waits at a service begin."""
    q, f = words(m)
    queue = q[service + at.FIRST_QUEUE]
    while q[queue + at.QUEUE + at.HEAD] == at.NONE:
        queue += at.QUEUE_WORDS
    job = q[queue + at.QUEUE + at.HEAD]
    state = q[job + at.JOB_STATE]
    end_wait(m, job)
    waited = f[at.NOW] - f[job + at.SINCE]
    f[state + at.WAITING_SUM] += waited
    if q[job + at.STARTED] == 0:
        if waited == 0.0:
            q[state + at.DELAYED_ADMISSIONS] -= 1
        cancel(m, job)
    _begin(m, job)


@njit
def serve_waiting(m: Address, service: int) -> None:
    """Give the free servers of a service to the jobs that wait inside."""
    q = integers(m)
    while q[service + at.IDLE] > 0 and q[service + at.QUEUE_LENGTH] > 0:
        _begin_next(m, service)


@njit
def _write_row(m: Address, job: int) -> None:
    """Write a row of the trace about a job that leaves its service."""
    q, f = words(m)
    row = q[at.TRACE]
    q[at.TRACE] = row + at.ROW_WORDS
    gave_up = q[job + at.KIND] == at.WAITING
    q[row + at.ROW_CASE] = q[job + at.CASE]
    q[row + at.ROW_STATE] = q[job + at.JOB_STATE]
    f[row + at.ROW_ARRIVED] = f[job + at.ARRIVED]
    f[row + at.ROW_STARTED] = nan if gave_up else f[job + at.SERVED_FROM]
    f[row + at.ROW_FINISHED] = nan if gave_up else f[job + at.SERVED_TO]
    f[row + at.ROW_LEFT] = f[at.NOW]


@njit
def give_up_place(m: Address, job: int) -> None:
    """Free the place of a job that leaves its service."""
    q, f = words(m)
    service = q[job + at.JOB_SERVICE]
    if q[service + at.ROOM] == 0:
        f[service + at.FULL_AREA] += f[at.NOW]
    q[service + at.ROOM] += 1
    if q[at.END_OF_TRACE] != at.NONE:
        _write_row(m, job)


@njit
def vacate(m: Address, job: int) -> int:
    """Free the server and the place of a job that has been served, and return its service."""
    q = integers(m)
    service = q[job + at.JOB_SERVICE]
    give_up_place(m, job)
    if q[service + at.DISCIPLINE] == PROCESSOR_SHARING:
        q[service + at.HELD_SERVERS] -= 1
        reshare(m, service)
    else:
        q[service + at.IDLE] += 1
    return int(service)
