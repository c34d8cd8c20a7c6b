"""Deadlocks in the simulator: services that block each other in a cycle exchange jobs.

The convention: as soon as there is a directed cycle of services each of which has a job blocked
for the next, the earliest blocked job of each arc moves, all at once, even past jobs that have
waited longer. Where a job closes several cycles, the shortest is taken.
"""

from __future__ import annotations

from flownet.jit import njit
from flownet.kernels import simulation_memory as at
from flownet.kernels.simulation_blocking import unblock
from flownet.kernels.simulation_service import admit, serve_waiting, vacate
from flownet.kernels.simulation_words import Address, integers


@njit
def _find_cycle(m: Address, first: int, last: int) -> bool:
    """Search the shortest chain of blocked pairs from service `first` to `last`.

    The chain is left in VIA: the pair by which each service was reached.
    """
    q = integers(m)
    mark = q[at.MARK] + 1
    q[at.MARK] = mark
    q[first + at.MARKED] = mark
    q[first + at.FOLLOWING] = at.NONE
    service = end = first
    while service != at.NONE:
        for pair in range(q[service + at.FIRST_PAIR], q[service + at.END_PAIR], at.PAIR_WORDS):
            reached = q[pair + at.PAIR_TARGET]
            if q[pair + at.PAIR_NUMBER] == 0 or q[reached + at.MARKED] == mark:
                continue
            q[reached + at.MARKED] = mark
            q[reached + at.VIA] = pair
            q[reached + at.FOLLOWING] = at.NONE
            if reached == last:
                return True
            q[end + at.FOLLOWING] = reached
            end = reached
        service = q[service + at.FOLLOWING]
    return False


@njit
def resolve(m: Address, closing: int) -> None:
    """Exchange jobs round the cycle that the pair `closing` closes, if it closes one, or stop."""
    q = integers(m)
    first = q[closing + at.PAIR_TARGET]
    last = q[closing + at.PAIR_SOURCE]
    if not _find_cycle(m, first, last):
        return
    q[at.EXCHANGES] += 1
    q[last + at.DEADLOCKS] += 1
    if q[at.ON_DEADLOCK] != at.EXCHANGE:
        q[at.ON_DEADLOCK] = at.STOPPED
        return
    q[first + at.VIA] = closing
    service = last
    while True:
        pair = q[service + at.VIA]
        job = q[pair + at.PAIR_HEAD]
        unblock(m, job)
        vacate(m, job)
        q[service + at.FOLLOWING] = job
        service = q[pair + at.PAIR_SOURCE]
        if service == last:
            break
    while True:
        serve_waiting(m, service)
        job = q[service + at.FOLLOWING]
        admit(m, job, q[job + at.TARGET])
        service = q[q[service + at.VIA] + at.PAIR_SOURCE]
        if service == last:
            break
