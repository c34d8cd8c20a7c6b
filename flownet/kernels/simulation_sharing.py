"""Processor sharing in the simulator: every job present is served at the same, changing speed.

With n jobs that share and c servers, h of them held by jobs that have been served and wait to
move on, each job is served at speed ``min(1, (c - h) / n)``. The *virtual time* of the service
grows at that speed, so that a job is finished when it has grown by the job's service time: one
event per service, and a heap of jobs by virtual time, suffice.
"""

from __future__ import annotations

from flownet.jit import njit
from flownet.kernels import simulation_memory as at
from flownet.kernels.simulation_events import cancel, plan
from flownet.kernels.simulation_lists import merge
from flownet.kernels.simulation_words import Address, floats, words


@njit
def _virtual_now(m: Address, service: int) -> float:
    """Return the virtual time of a service at the present time."""
    f = floats(m)
    passed = f[at.NOW] - f[service + at.VIRTUAL_AT]
    return float(f[service + at.VIRTUAL] + f[service + at.SPEED] * passed)


@njit
def reshare(m: Address, service: int) -> None:
    """Set the speed of a service anew and plan the event at which its next job is finished."""
    q, f = words(m)
    f[service + at.VIRTUAL] = _virtual_now(m, service)
    f[service + at.VIRTUAL_AT] = f[at.NOW]
    cancel(m, service)
    sharing = q[service + at.SHARING]
    if sharing == 0:
        f[service + at.VIRTUAL] = 0.0
        f[service + at.SPEED] = 0.0
        return
    free = max(f[service + at.SERVERS] - q[service + at.HELD_SERVERS], 0.0)
    speed = min(1.0, free / sharing)
    f[service + at.SPEED] = speed
    if speed > 0.0:
        left = max(f[q[service + at.ROOT] + at.FINISH] - f[service + at.VIRTUAL], 0.0)
        plan(m, service, f[at.NOW] + left / speed)


@njit
def share_in(m: Address, job: int) -> None:
    """Let a job, whose service time is drawn, share in its service."""
    q, f = words(m)
    service = q[job + at.JOB_SERVICE]
    state = q[job + at.JOB_STATE]
    start = _virtual_now(m, service)
    f[job + at.FINISH] = start + f[job + at.WORK]
    q[job + at.NEXT] = at.NONE
    q[job + at.PREVIOUS] = at.NONE
    q[service + at.ROOT] = merge(m, q[service + at.ROOT], job)
    q[service + at.SHARING] += 1
    # NUMBER_WAITING counts all who share, in real time; NUMBER_IN_SERVICE in virtual time
    q[state + at.NUMBER_WAITING] += 1
    f[state + at.WAITING_AREA] -= f[at.NOW]
    q[state + at.NUMBER_IN_SERVICE] += 1
    f[state + at.IN_SERVICE_AREA] -= start
    reshare(m, service)


@njit
def share_out(m: Address, service: int) -> int:
    """Take the job that is finished out of the sharing and return it; it still holds a server."""
    q, f = words(m)
    now = f[at.NOW]
    job = q[service + at.ROOT]
    state = q[job + at.JOB_STATE]
    q[service + at.ROOT] = merge(m, q[job + at.NEXT], q[job + at.PREVIOUS])
    q[service + at.SHARING] -= 1
    q[service + at.HELD_SERVERS] += 1
    q[state + at.NUMBER_WAITING] -= 1
    f[state + at.WAITING_AREA] += now
    q[state + at.NUMBER_IN_SERVICE] -= 1
    f[state + at.IN_SERVICE_AREA] += _virtual_now(m, service)
    f[state + at.WAITING_SUM] += (now - f[job + at.ARRIVED]) - f[job + at.WORK]
    reshare(m, service)
    return int(job)
