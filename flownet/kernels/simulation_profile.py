"""Numbers by time of a cycle in the simulator: areas and arrivals of each service, step by step.

At the end of each step an event adds to the cells of the step what every service has gathered
since the last.
"""

from __future__ import annotations

from flownet.jit import njit
from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import PROCESSOR_SHARING
from flownet.kernels.simulation_events import plan
from flownet.kernels.simulation_words import Address, words


@njit
def _measured(m: Address, state: int, measure: int) -> float:
    """Return one of the sums of a state from time 0 to now."""
    q, f = words(m)
    now = f[at.NOW]
    service = q[state + at.STATE_SERVICE]
    passed = now - f[service + at.VIRTUAL_AT]
    virtual = f[service + at.VIRTUAL] + f[service + at.SPEED] * passed
    shared = q[service + at.DISCIPLINE] == PROCESSOR_SHARING
    clock = virtual if shared else now
    working = q[state + at.NUMBER_IN_SERVICE] * clock + f[state + at.IN_SERVICE_AREA]
    if measure == at.CELL_IN_SERVICE:
        return float(working)
    if measure == at.CELL_WAITING:
        waiting = q[state + at.NUMBER_WAITING] * now + f[state + at.WAITING_AREA]
        return float(waiting - working if shared else waiting)
    if measure == at.CELL_BLOCKED:
        return float(q[state + at.NUMBER_BLOCKED] * now + f[state + at.BLOCKED_AREA])
    if measure == at.CELL_HELD:
        return float(q[state + at.NUMBER_HELD] * now + f[state + at.HELD_AREA])
    if measure == at.CELL_OUTSIDE:
        return float(q[state + at.NUMBER_OUTSIDE] * now + f[state + at.OUTSIDE_AREA])
    return float(q[state + at.ARRIVALS])


@njit
def gather(m: Address, profile: int) -> None:
    """Add to the cells of the present step what has come since they were last added to."""
    q, f = words(m)
    step = q[profile + at.PROFILE_STEP]
    f[q[profile + at.PROFILE_TIMES] + step] += f[at.NOW] - f[profile + at.GATHERED]
    f[profile + at.GATHERED] = f[at.NOW]
    services, classes = q[profile + at.PROFILE_SERVICES], q[profile + at.PROFILE_CLASSES]
    cell = q[profile + at.PROFILE_CELLS] + step * services * at.CELLS
    last = q[profile + at.PROFILE_LAST]
    state = q[profile + at.PROFILE_STATES]
    for _ in range(services):
        for measure in range(at.CELLS):
            total = 0.0
            for job_class in range(classes):
                total += _measured(m, state + job_class * at.STATE_WORDS, measure)
            f[cell] += total - f[last]
            f[last] = total
            cell += 1
            last += 1
        state += classes * at.STATE_WORDS


@njit
def plan_tick(m: Address, profile: int) -> None:
    """Plan the end of the present step."""
    q, f = words(m)
    done = q[profile + at.PROFILE_ROUNDS] * q[profile + at.PROFILE_STEPS]
    done += q[profile + at.PROFILE_STEP] + 1
    plan(m, profile, done * f[profile + at.PROFILE_WIDTH])


@njit
def tick(m: Address, profile: int) -> None:
    """End a step and go on to the next."""
    q, _ = words(m)
    gather(m, profile)
    q[profile + at.PROFILE_STEP] += 1
    if q[profile + at.PROFILE_STEP] == q[profile + at.PROFILE_STEPS]:
        q[profile + at.PROFILE_STEP] = 0
        q[profile + at.PROFILE_ROUNDS] += 1
    plan_tick(m, profile)
