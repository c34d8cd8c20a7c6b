"""The simulator's memory at time 0, filled from a compiled network and a seed."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from flownet.errors import Fault, ParameterError
from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    DELAY,
    EMPIRICAL,
    OVERFLOW,
    PHASE_TYPE,
    PREEMPTIVE,
    PRIORITY,
    PROCESSOR_SHARING,
    Calendars,
    CompiledNetwork,
    Floats,
    Integers,
)
from flownet.kernels.simulation_calendar_setup import (
    at_the_start,
    fill_calendars,
    number_of_calendars,
    number_of_steps,
    plan_changes,
)
from flownet.kernels.simulation_loop import plan_arrival
from flownet.kernels.simulation_profile_setup import Profile, begin_profile, profile_words
from flownet.kernels.simulation_words import handle
from flownet.kernels.turns import turns_of
from flownet.kernels.two_moments import two_moments

RANKED = (PRIORITY, PREEMPTIVE)
Word = TypeVar("Word", np.int64, np.float64)


class Memory(NamedTuple):
    """The words of one run, and where each kind of record begins."""

    q: Integers
    """All words as integers ..."""
    f: Floats
    """... and as floats: another view of the same words."""
    counts: tuple[int, int, int]
    """Services n, classes R, pairs that can block each other."""
    classes: int
    services: int
    queues: int
    states: int
    routes: int
    pairs: int
    calendars: int
    steps: int
    profile: int
    limits: int
    within: int
    left: int
    sketch: int
    samples: int
    jobs: int
    """Addresses of the first class, service …; the jobs, the heap and the trace come last."""

    @property
    def events(self) -> int:
        """The most events that are planned at one time, beside those of jobs."""
        n, width, _ = self.counts
        return n * (width + 1) + (self.steps - self.calendars) // at.CALENDAR_WORDS + 1


def _table(words: NDArray[Word], first: int, count: int, width: int) -> NDArray[Word]:
    """Return the records of one kind as rows, a view."""
    return words[first : first + count * width].reshape(count, width)


def services(m: Memory, words: NDArray[Word]) -> NDArray[Word]:
    """Return the words (`m.q` or `m.f`) of the services, one a row."""
    return _table(words, m.services, m.counts[0], at.SERVICE_WORDS)


def states(m: Memory, words: NDArray[Word]) -> NDArray[Word]:
    """Return the words of the states, one a row."""
    return _table(words, m.states, m.counts[0] * m.counts[1], at.STATE_WORDS)


def classes(m: Memory, words: NDArray[Word]) -> NDArray[Word]:
    """Return the words of the classes, one a row."""
    return _table(words, m.classes, m.counts[1], at.CLASS_WORDS)


def pairs(m: Memory, words: NDArray[Word]) -> NDArray[Word]:
    """Return the words of the blocking pairs, one a row."""
    return _table(words, m.pairs, m.counts[2], at.PAIR_WORDS)


def service_number(m: Memory, address: Integers) -> Integers:
    """Return the number of each service from its address."""
    return (address - m.services) // at.SERVICE_WORDS


def _whole(numbers: Floats, what: str) -> Integers:
    """Return numbers as integers, `UNLIMITED` for infinity; refuse broken ones."""
    finite = np.isfinite(numbers)
    known = np.where(finite, numbers, float(at.UNLIMITED))
    broken = np.flatnonzero(known % 1.0 != 0.0)
    if broken.size > 0:
        raise ParameterError(
            [
                Fault(f"service {i}", what, f"{known[i]:g}", "the simulation needs a whole number")
                for i in broken
            ]
        )
    return known.astype(np.int64)


def _fill_services(m: Memory, c: CompiledNetwork) -> None:
    n, width = c.service_time.shape
    q, f = services(m, m.q), services(m, m.f)
    shared = c.discipline == PROCESSOR_SHARING
    servers = np.where(c.discipline == DELAY, np.inf, c.servers)
    q[:, at.KIND] = at.SHARED
    f[:, at.SERVERS] = servers
    q[:, at.IDLE] = _whole(np.where(shared, 0.0, servers), "servers")
    q[:, at.ROOM] = _whole(c.capacity, "capacity")
    q[:, at.DISCIPLINE] = c.discipline
    q[:, at.PREEMPTIVE] = c.discipline == PREEMPTIVE
    q[:, at.WHEN_FULL] = c.when_full
    q[:, at.EXTERNAL_WHEN_FULL] = c.external_when_full
    q[:, at.FIRST_QUEUE] = m.queues + np.arange(n) * width * at.QUEUE_WORDS
    q[:, at.END_QUEUE] = q[:, at.FIRST_QUEUE] + at.QUEUE_WORDS
    for i in np.flatnonzero(np.isin(c.discipline, RANKED)):
        ranks = np.unique(c.priority[i]).size
        q[i, at.END_QUEUE] = q[i, at.FIRST_QUEUE] + ranks * at.QUEUE_WORDS


def _fill_states(m: Memory, c: CompiledNetwork, seed: np.random.SeedSequence) -> None:
    n, width = c.service_time.shape
    q, f = states(m, m.q), states(m, m.f)
    service = np.repeat(np.arange(n), width)
    job_class = np.tile(np.arange(width), n)
    rank = np.zeros((n, width), np.int64)
    for i in np.flatnonzero(np.isin(c.discipline, RANKED)):
        rank[i] = np.unique(c.priority[i], return_inverse=True)[1].reshape(-1)
    q[:, at.KIND] = at.SOURCE
    q[:, at.STATE_SERVICE] = m.services + service * at.SERVICE_WORDS
    q[:, at.STATE_CLASS] = m.classes + job_class * at.CLASS_WORDS
    q[:, at.STATE_QUEUE] = m.queues + (service * width + rank.ravel()) * at.QUEUE_WORDS
    target = c.overflow_to[service]
    overflow = m.states + (target * width + job_class) * at.STATE_WORDS
    q[:, at.OVERFLOW_STATE] = np.where(target >= 0, overflow, at.NONE)
    start = m.routes + c.route_start.astype(np.int64) * at.ROUTE_WORDS
    q[:, at.FIRST_ROUTE], q[:, at.END_ROUTE] = start[:-1], start[1:]
    family = c.service_family.ravel()
    q[:, at.SERVICE_LAW] = family
    f[:, at.SERVICE_LAW + 1 : at.SERVICE_LAW + 4] = c.service_parameters.reshape(-1, 3)
    f[np.isin(family, (EMPIRICAL, PHASE_TYPE)), at.SERVICE_LAW + 1] += m.samples
    f[:, at.MEAN_PATIENCE] = c.patience.ravel()
    q[:, at.EXTERNAL_TURN] = turns_of(c).external.ravel()
    q[:, at.EXTERNAL_LEFT_FREE] = c.external_places_left_free.ravel()
    for s in np.flatnonzero(c.external_arrival_rate.ravel() > 0.0):
        mean = 1.0 / float(c.external_arrival_rate.flat[s])  # one, where there is a calendar
        law, parameters = two_moments(mean, float(c.arrival_scv.flat[s]))
        q[s, at.ARRIVAL_LAW] = law
        f[s, at.ARRIVAL_LAW + 1 : at.ARRIVAL_LAW + 1 + len(parameters)] = parameters
    words = seed.generate_state(2 * at.STREAMS * n * width, np.uint64)
    words[1::2] |= np.uint64(1)
    q[:, at.ARRIVAL_STREAM : at.ARRIVAL_STREAM + 2 * at.STREAMS] = words.view(np.int64).reshape(
        n * width, -1
    )


def _blocked_for(c: CompiledNetwork) -> Integers:
    """Return the service for which a job that finds service j full is blocked, -1 for none."""
    n = c.servers.size
    overflows = (c.when_full == OVERFLOW) & np.isfinite(c.capacity) & (c.overflow_to >= 0)
    last = np.arange(n)
    for _ in range(n):
        follows = np.where(overflows[last], c.overflow_to[last], last)
        if (follows == last).all():
            break
        last = follows
    blocks = (c.when_full == BLOCKED_AFTER_SERVICE) & np.isfinite(c.capacity)
    return np.where(blocks[last], last, -1)


def _pair_keys(c: CompiledNetwork) -> Integers:
    """Return for each route ``i n + j``, where a job of service i can be blocked for j, else -1."""
    n, width = c.service_time.shape
    start = c.route_start.astype(np.int64)[::width]
    source = np.repeat(np.arange(n), np.diff(start))
    target = _blocked_for(c)[c.route_to.astype(np.int64) // width]
    return np.where((target >= 0) & (target != source), source * n + target, -1)


def _fill_routes(m: Memory, c: CompiledNetwork, keys: Integers) -> None:
    number = c.route_to.size
    q = _table(m.q, m.routes, number, at.ROUTE_WORDS)
    f = _table(m.f, m.routes, number, at.ROUTE_WORDS)
    start = c.route_start.astype(np.int64)
    for s in np.flatnonzero(np.diff(start)):
        rising = np.cumsum(c.route_probability[start[s] : start[s + 1]])
        if rising[-1] > 1.0 - 1e-9:
            rising[-1] = 2.0
        f[start[s] : start[s + 1], at.CUMULATIVE] = rising
    q[:, at.ROUTE_TO] = m.states + c.route_to.astype(np.int64) * at.STATE_WORDS
    f[:, at.DELAY] = c.transfer_delay
    q[:, at.HOLDS_SERVER] = c.holds_server
    q[:, at.TURN], q[:, at.LEFT_FREE] = turns_of(c).route, c.places_left_free
    pair = np.searchsorted(np.unique(keys[keys >= 0]), keys)
    q[:, at.ROUTE_PAIR] = np.where(keys >= 0, m.pairs + pair * at.PAIR_WORDS, at.NONE)


def _fill_pairs(m: Memory, keys: Integers) -> None:
    n, _, number = m.counts
    source, target = np.divmod(np.unique(keys[keys >= 0]), n)
    q = pairs(m, m.q)
    q[:, at.PAIR_SOURCE] = m.services + source * at.SERVICE_WORDS
    q[:, at.PAIR_TARGET] = m.services + target * at.SERVICE_WORDS
    arcs = coo_matrix((np.ones(number), (source, target)), shape=(n, n))
    component = connected_components(arcs, directed=True, connection="strong")[1]
    q[:, at.CYCLIC] = component[source] == component[target]
    bounds = m.pairs + np.searchsorted(source, np.arange(n + 1)) * at.PAIR_WORDS
    services(m, m.q)[:, at.FIRST_PAIR] = bounds[:-1]
    services(m, m.q)[:, at.END_PAIR] = bounds[1:]


def _fill_classes(m: Memory, limits: int) -> None:
    width = m.counts[1]
    q = classes(m, m.q)
    number = np.arange(width)
    q[:, at.CLASS_NUMBER] = number
    q[:, at.WITHIN] = m.within + number * limits
    q[:, at.LEFT] = m.left + number * width
    q[:, at.SKETCH] = m.sketch + number * at.BUCKETS


def _lay_out(
    c: CompiledNetwork,
    calendars: Calendars | None,
    profile: Profile | None,
    limits: int,
    blocking: int,
) -> Memory:
    """Return memory without jobs, all words 0."""
    n, width = c.service_time.shape
    lengths = {
        "classes": width * at.CLASS_WORDS,
        "services": n * at.SERVICE_WORDS,
        "queues": n * width * at.QUEUE_WORDS,
        "states": n * width * at.STATE_WORDS,
        "routes": c.route_to.size * at.ROUTE_WORDS,
        "pairs": blocking * at.PAIR_WORDS,
        "calendars": number_of_calendars(calendars) * at.CALENDAR_WORDS,
        "steps": number_of_steps(calendars) * at.STEP_WORDS,
        "profile": profile_words(profile, n),
        "limits": limits,
        "within": width * limits,
        "left": width * width,
        "sketch": width * at.BUCKETS,
        "samples": c.samples.size,
    }
    addresses = np.cumsum([at.RUN_WORDS, *lengths.values()]).tolist()
    q = np.zeros(addresses[-1], np.int64)
    return Memory(
        q,
        q.view(np.float64),
        (n, width, blocking),
        **dict(zip([*lengths, "jobs"], addresses, strict=True)),
    )


def resize(m: Memory, jobs: int, rows: int) -> Memory:
    """Return the memory with room for so many jobs and rows of the trace.

    Parameters
    ----------
    m : Memory
    jobs : int
        At least as many as there is room for now.
    rows : int
        At least as many as have been written and not been taken out.

    Returns
    -------
    Memory
    """
    heap = m.jobs + jobs * at.JOB_WORDS
    events = m.events + jobs
    trace = heap + events * at.EVENT_WORDS
    q = np.zeros(trace + rows * at.ROW_WORDS, np.int64)
    end = max(int(m.q[at.END_OF_JOBS]), m.jobs)
    q[:end] = m.q[:end]
    planned = int(m.q[at.HEAP_SIZE]) * at.EVENT_WORDS
    before = int(m.q[at.HEAP])
    q[heap : heap + planned] = m.q[before : before + planned]
    moved = q[heap + at.EVENT : heap + planned : at.EVENT_WORDS]
    q[moved + at.POSITION] += heap - before
    written = trace_words(m)
    q[trace : trace + written.size] = written
    q[at.LENGTH] = q.size
    q[at.HEAP], q[at.END_OF_JOBS] = heap, heap
    q[at.TRACE] = trace + written.size
    q[at.END_OF_TRACE] = q.size if rows > 0 else at.NONE
    return m._replace(q=q, f=q.view(np.float64))


def trace_words(m: Memory) -> Integers:
    """Return the words of the rows of the trace written so far."""
    if m.q[at.END_OF_TRACE] == at.NONE:
        return m.q[:0]
    events = m.events + (int(m.q[at.END_OF_JOBS]) - m.jobs) // at.JOB_WORDS
    return m.q[m.q[at.HEAP] + events * at.EVENT_WORDS : m.q[at.TRACE]]


def build_memory(
    compiled: CompiledNetwork,
    calendars: Calendars | None,
    seed: np.random.SeedSequence,
    *,
    limits: Floats,
    jobs: int,
    rows: int,
    profile: Profile | None = None,
) -> Memory:
    """Return an empty network at time 0 with the first arrivals planned.

    Parameters
    ----------
    compiled : CompiledNetwork
    calendars : Calendars, optional
    seed : numpy.random.SeedSequence
    limits : ndarray (m,)
        Times in the system whose share of jobs is counted, in T.
    jobs, rows : int
        For how many jobs and rows of the trace there is room at first.
    profile : Profile, optional
        The cycle by whose steps numbers are kept.

    Returns
    -------
    Memory

    Raises
    ------
    ParameterError
        Where servers or places are not whole numbers.
    """
    compiled = at_the_start(compiled, calendars)
    keys = _pair_keys(compiled)
    m = _lay_out(compiled, calendars, profile, limits.size, np.unique(keys[keys >= 0]).size)
    _fill_services(m, compiled)
    _fill_states(m, compiled, seed)
    _fill_routes(m, compiled, keys)
    _fill_pairs(m, keys)
    if calendars is not None:
        fill_calendars(m, calendars)
    _fill_classes(m, limits.size)
    m.f[m.limits : m.within] = limits
    m.f[m.samples : m.jobs] = compiled.samples
    m.q[at.RING] = compiled.servers.size
    m.q[at.RANKED] = max(turn.max(initial=0) for turn in turns_of(compiled))
    left_free = (compiled.places_left_free, compiled.external_places_left_free)
    m.q[at.MOST_LEFT_FREE] = max(free.max(initial=0) for free in left_free)
    m.q[at.LIMITS], m.q[at.END_OF_LIMITS] = m.limits, m.within
    m.q[at.HEAP], m.q[at.NEW_JOB], m.q[at.END_OF_JOBS] = m.jobs, m.jobs, m.jobs
    m = resize(m, jobs, rows)
    for s in np.flatnonzero(compiled.external_arrival_rate.ravel() > 0.0):
        plan_arrival(handle(m.q), m.states + int(s) * at.STATE_WORDS)
    plan_changes(m)
    if profile is not None:
        begin_profile(m, profile)
    return m
