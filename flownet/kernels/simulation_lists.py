"""Lists of jobs in the simulator: the pool, first-come lists, and the heap of a shared service."""

from __future__ import annotations

from flownet.jit import njit
from flownet.kernels import simulation_memory as at
from flownet.kernels.simulation_words import Address, integers, words


@njit
def new_job(m: Address) -> int:
    """Take a free job from the pool, which must have one."""
    q = integers(m)
    q[at.ALIVE] += 1
    job = q[at.FREE_JOB]
    if job != at.NONE:
        q[at.FREE_JOB] = q[job + at.NEXT]
        return int(job)
    job = q[at.NEW_JOB]
    q[at.NEW_JOB] = job + at.JOB_WORDS
    return int(job)


@njit
def free_job(m: Address, job: int) -> None:
    """Give a job back to the pool."""
    q = integers(m)
    q[at.ALIVE] -= 1
    q[job + at.NEXT] = q[at.FREE_JOB]
    q[at.FREE_JOB] = job


@njit
def append(m: Address, line: int, job: int) -> None:
    """Put a job at the end of a list."""
    q = integers(m)
    last = q[line + at.TAIL]
    q[job + at.NEXT] = at.NONE
    q[job + at.PREVIOUS] = last
    if last != at.NONE:
        q[last + at.NEXT] = job
    else:
        q[line + at.HEAD] = job
    q[line + at.TAIL] = job


@njit
def prepend(m: Address, line: int, job: int) -> None:
    """Put a job before all others of a list."""
    q = integers(m)
    first = q[line + at.HEAD]
    q[job + at.NEXT] = first
    q[job + at.PREVIOUS] = at.NONE
    if first != at.NONE:
        q[first + at.PREVIOUS] = job
    else:
        q[line + at.TAIL] = job
    q[line + at.HEAD] = job


@njit
def insert(m: Address, line: int, job: int, later: int) -> None:
    """Put a job before another of a list."""
    q = integers(m)
    before = q[later + at.PREVIOUS]
    q[job + at.NEXT] = later
    q[job + at.PREVIOUS] = before
    q[later + at.PREVIOUS] = job
    if before != at.NONE:
        q[before + at.NEXT] = job
    else:
        q[line + at.HEAD] = job


@njit
def remove(m: Address, line: int, job: int) -> None:
    """Take a job out of a list."""
    q = integers(m)
    before = q[job + at.PREVIOUS]
    after = q[job + at.NEXT]
    if before != at.NONE:
        q[before + at.NEXT] = after
    else:
        q[line + at.HEAD] = after
    if after != at.NONE:
        q[after + at.PREVIOUS] = before
    else:
        q[line + at.TAIL] = before


@njit
def append_to_pair(m: Address, pair: int, job: int) -> None:
    """Put a job behind all others that are blocked on a pair."""
    q = integers(m)
    last = q[pair + at.PAIR_TAIL]
    q[job + at.NEXT_ON_PAIR] = at.NONE
    q[job + at.PREVIOUS_ON_PAIR] = last
    if last != at.NONE:
        q[last + at.NEXT_ON_PAIR] = job
    else:
        q[pair + at.PAIR_HEAD] = job
    q[pair + at.PAIR_TAIL] = job


@njit
def insert_on_pair(m: Address, pair: int, job: int, later: int) -> None:
    """Put a job before another that is blocked on a pair."""
    q = integers(m)
    before = q[later + at.PREVIOUS_ON_PAIR]
    q[job + at.NEXT_ON_PAIR] = later
    q[job + at.PREVIOUS_ON_PAIR] = before
    q[later + at.PREVIOUS_ON_PAIR] = job
    if before != at.NONE:
        q[before + at.NEXT_ON_PAIR] = job
    else:
        q[pair + at.PAIR_HEAD] = job


@njit
def remove_from_pair(m: Address, pair: int, job: int) -> None:
    """Take a job out of those that are blocked on a pair."""
    q = integers(m)
    before = q[job + at.PREVIOUS_ON_PAIR]
    after = q[job + at.NEXT_ON_PAIR]
    if before != at.NONE:
        q[before + at.NEXT_ON_PAIR] = after
    else:
        q[pair + at.PAIR_HEAD] = after
    if after != at.NONE:
        q[after + at.PREVIOUS_ON_PAIR] = before
    else:
        q[pair + at.PAIR_TAIL] = before


@njit
def merge(m: Address, one: int, other: int) -> int:
    """Merge two skew heaps of jobs by FINISH and return the root (Sleator and Tarjan 1986).

    The children of a job stand in NEXT and PREVIOUS.
    """
    q, f = words(m)
    if one == at.NONE:
        return other
    if other == at.NONE:
        return one
    if f[other + at.FINISH] < f[one + at.FINISH]:
        one, other = other, one
    root = one
    while True:
        # `one` finishes first; its children change sides, and `other` is merged into the second
        second = q[one + at.PREVIOUS]
        q[one + at.PREVIOUS] = q[one + at.NEXT]
        if second == at.NONE:
            q[one + at.NEXT] = other
            return int(root)
        if f[other + at.FINISH] < f[second + at.FINISH]:
            second, other = other, second
        q[one + at.NEXT] = second
        one = second
