"""Count everything in the simulator's memory anew, job by job, and compare with its own counts."""

from __future__ import annotations

from collections import Counter

import numpy as np

from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import PROCESSOR_SHARING
from flownet.kernels.simulation_setup import Memory, pairs, services, states

WITH_SERVER = (at.SERVING, at.BLOCKED, at.HELD)


def walk(m: Memory, line: int) -> list[int]:
    """Return the jobs of a list; the links must agree in both directions."""
    found, before, job = [], at.NONE, int(m.q[line + at.HEAD])
    while job != at.NONE:
        assert m.q[job + at.PREVIOUS] == before
        found.append(job)
        before, job = job, int(m.q[job + at.NEXT])
    assert m.q[line + at.TAIL] == before
    return found


def living(m: Memory) -> list[int]:
    """Return the jobs that are not in the list of free ones."""
    free, job = set(), int(m.q[at.FREE_JOB])
    while job != at.NONE:
        free.add(job)
        job = int(m.q[job + at.NEXT])
    alive = [j for j in range(m.jobs, int(m.q[at.NEW_JOB]), at.JOB_WORDS) if j not in free]
    assert len(alive) == m.q[at.ALIVE]
    return alive


def audit(m: Memory, capacity: np.ndarray, servers: np.ndarray) -> None:
    """Raise an AssertionError where anything does not add up.

    `capacity` and `servers` are those of services without a calendar. Without calendars no place
    and no server may be overdrawn.
    """
    alive = living(m)
    servers, capacity = _by_calendar(m, servers, capacity)
    _check_heap(m, alive)
    inside = [j for j in alive if m.q[j + at.KIND] in (at.WAITING, *WITH_SERVER)]
    for i, row in enumerate(services(m, m.q)):
        address = m.services + i * at.SERVICE_WORDS
        here = [j for j in inside if m.q[j + at.JOB_SERVICE] == address]
        _check_service(m, address, row, here, capacity[i], servers[i])
    _check_states(m, alive, inside)
    blocked = [j for j in inside if m.q[j + at.KIND] == at.BLOCKED]
    number = Counter(int(m.q[j + at.PAIR]) for j in blocked)
    for p, row in enumerate(pairs(m, m.q)):
        pair = m.pairs + p * at.PAIR_WORDS
        assert row[at.PAIR_NUMBER] == number[pair]
        on_pair = _on_pair(m, pair)
        assert set(on_pair) == {j for j in blocked if m.q[j + at.PAIR] == pair}
        order = [(_turn(m, j), m.f[j + at.SINCE]) for j in on_pair]
        assert order == sorted(order)
    arcs = {(int(m.q[p + at.PAIR_SOURCE]), int(m.q[p + at.PAIR_TARGET])) for p in number}
    while arcs:  # take away whom nobody blocks: a cycle would remain
        kept = {arc for arc in arcs if arc[1] in {source for source, _ in arcs}}
        assert kept < arcs, "a deadlock"
        arcs = kept
    words = states(m, m.q)
    gone = (
        words[:, at.LOSSES].sum() + words[:, at.ABANDONMENTS].sum() + m.q[m.left : m.sketch].sum()
    )
    assert words[:, at.EXTERNAL_ARRIVALS].sum() == gone + len(alive)


def _on_pair(m: Memory, pair: int) -> list[int]:
    """Return the jobs in the list of a pair; the links must agree in both directions."""
    found, before, job = [], at.NONE, int(m.q[pair + at.PAIR_HEAD])
    while job != at.NONE:
        assert m.q[job + at.PREVIOUS_ON_PAIR] == before
        found.append(job)
        before, job = job, int(m.q[job + at.NEXT_ON_PAIR])
    assert m.q[pair + at.PAIR_TAIL] == before
    return found


def _by_calendar(
    m: Memory, servers: np.ndarray, capacity: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the servers and places of this moment."""
    servers, capacity = servers.copy(), capacity.copy()
    for calendar in range(m.calendars, m.steps, at.CALENDAR_WORDS):
        if m.q[calendar + at.KIND] == at.CHANGE:
            begun = m.q[calendar + at.ROUNDS] * m.f[calendar + at.CYCLE]
            assert m.f[at.NOW] >= begun * (1.0 - 1e-12)  # a rounding apart
            i = (m.q[calendar + at.OWNER] - m.services) // at.SERVICE_WORDS
            now = m.f[m.q[calendar + at.STEP] + at.STEP_VALUE]
            capacity[i] += (now - servers[i]) * m.q[calendar + at.PLACES_FOLLOW]
            servers[i] = now
    return servers, capacity


def entering_jobs(m: Memory) -> set[int]:
    """Return the jobs that wait for a place anywhere."""
    services = range(m.counts[0])
    doors = (m.services + i * at.SERVICE_WORDS + at.ENTRANCE for i in services)
    return {job for door in doors for job in walk(m, door)}


def _check_heap(m: Memory, alive: list[int]) -> None:
    heap, size = int(m.q[at.HEAP]), int(m.q[at.HEAP_SIZE])
    assert m.q[at.HEAP_HOLE] == 0
    planned = set()
    for index in range(size):
        place = heap + index * at.EVENT_WORDS
        above = heap + (index - 1) // 2 * at.EVENT_WORDS
        assert index == 0 or m.f[above] <= m.f[place]
        assert m.f[place] >= m.f[at.NOW]
        event = int(m.q[place + at.EVENT])
        assert m.q[event + at.POSITION] == place
        planned.add(event)
    assert len(planned) == size
    entering = entering_jobs(m)
    for job in alive:
        kind = m.q[job + at.KIND]
        if kind in (at.BLOCKED, at.OUTSIDE) or job in entering:
            assert job not in planned
            assert job in entering
        elif kind in (at.HELD, at.IN_TRANSIT):
            assert job in planned
        elif kind == at.SERVING:
            shared = m.q[m.q[job + at.JOB_SERVICE] + at.DISCIPLINE] == PROCESSOR_SHARING
            assert (job in planned) != shared


def _turn(m: Memory, job: int) -> int:
    """Return the turn of a job that waits for a place."""
    if m.q[job + at.KIND] == at.OUTSIDE:
        return int(m.q[m.q[job + at.TARGET] + at.EXTERNAL_TURN])
    return int(m.q[m.q[job + at.ROUTE] + at.TURN])


def _check_service(
    m: Memory, address: int, row: np.ndarray, here: list[int], capacity: float, servers: float
) -> None:
    kinds = Counter(int(m.q[j + at.KIND]) for j in here)
    if np.isfinite(capacity):
        assert row[at.ROOM] == capacity - len(here)
    assert row[at.QUEUE_LENGTH] == kinds[at.WAITING]
    assert row[at.BLOCKED_HERE] == kinds[at.BLOCKED]
    waiting = [
        j
        for queue in range(int(row[at.FIRST_QUEUE]), int(row[at.END_QUEUE]), at.QUEUE_WORDS)
        for j in walk(m, queue + at.QUEUE)
    ]
    assert sorted(waiting) == sorted(j for j in here if m.q[j + at.KIND] == at.WAITING)
    entering = walk(m, address + at.ENTRANCE)
    assert [_turn(m, j) for j in entering] == sorted(_turn(m, j) for j in entering)
    for job in entering:
        outside = m.q[job + at.KIND] == at.OUTSIDE
        free = m.q[m.q[job + at.TARGET] + at.EXTERNAL_LEFT_FREE]
        assert row[at.ROOM] <= (free if outside else m.q[m.q[job + at.ROUTE] + at.LEFT_FREE])
    if row[at.DISCIPLINE] == PROCESSOR_SHARING:
        assert row[at.SHARING] == kinds[at.SERVING] == len(_tree(m, int(row[at.ROOT])))
        assert row[at.HELD_SERVERS] == kinds[at.BLOCKED] + kinds[at.HELD]
    else:
        if np.isfinite(servers):
            assert row[at.IDLE] == servers - sum(kinds[kind] for kind in WITH_SERVER)
        assert row[at.IDLE] <= 0 or not waiting
    if row[at.PREEMPTIVE]:
        _check_ranks(m, row, [j for j in here if m.q[j + at.KIND] == at.SERVING])


def _check_ranks(m: Memory, row: np.ndarray, serving: list[int]) -> None:
    """No job in service has a worse rank than one that waits."""
    listed, best_waiting = [], None
    for queue in range(int(row[at.FIRST_QUEUE]), int(row[at.END_QUEUE]), at.QUEUE_WORDS):
        ranked = walk(m, queue + at.RANK_SERVING)
        assert not ranked or best_waiting is None
        listed += ranked
        if best_waiting is None and walk(m, queue + at.QUEUE):
            best_waiting = queue
    assert sorted(listed) == sorted(serving)


def _tree(m: Memory, root: int) -> list[int]:
    """Return the jobs of a heap by FINISH; no child may finish before its parent."""
    if root == at.NONE:
        return []
    found = [root]
    for child in (int(m.q[root + at.NEXT]), int(m.q[root + at.PREVIOUS])):
        assert child == at.NONE or m.f[child + at.FINISH] >= m.f[root + at.FINISH]
        found += _tree(m, child)
    return found


def _check_states(m: Memory, alive: list[int], inside: list[int]) -> None:
    count: Counter[tuple[int, int]] = Counter()
    for job in inside:
        state = int(m.q[job + at.JOB_STATE])
        kind = int(m.q[job + at.KIND])
        shared = m.q[m.q[job + at.JOB_SERVICE] + at.DISCIPLINE] == PROCESSOR_SHARING
        count[state, kind] += 1
        if shared and kind == at.SERVING:
            count[state, at.WAITING] += 1
    entering = entering_jobs(m)
    for job in alive:
        if m.q[job + at.KIND] in (at.OUTSIDE, at.IN_TRANSIT) and job in entering:
            count[int(m.q[job + at.TARGET]), at.OUTSIDE] += 1
    for s, row in enumerate(states(m, m.q)):
        address = m.states + s * at.STATE_WORDS
        assert row[at.NUMBER_WAITING] == count[address, at.WAITING]
        assert row[at.NUMBER_IN_SERVICE] == count[address, at.SERVING]
        assert row[at.NUMBER_BLOCKED] == count[address, at.BLOCKED]
        assert row[at.NUMBER_HELD] == count[address, at.HELD]
        assert row[at.NUMBER_OUTSIDE] == count[address, at.OUTSIDE]
    moving = sum(m.q[j + at.KIND] == at.IN_TRANSIT for j in alive if j not in entering)
    first = m.classes + at.NUMBER_IN_TRANSIT
    assert m.q[first : first + m.counts[1] * at.CLASS_WORDS : at.CLASS_WORDS].sum() == moving
