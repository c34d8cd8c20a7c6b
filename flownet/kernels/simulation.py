"""Event-driven simulation of a network: one run, all statistics, one kernel for all features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from flownet.errors import ParameterError
from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import Calendars, CompiledNetwork, Floats, Integers, Measures
from flownet.kernels.simulation_loop import run as run_events
from flownet.kernels.simulation_profile_setup import Profile
from flownet.kernels.simulation_setup import (
    Memory,
    build_memory,
    pairs,
    resize,
    service_number,
    states,
    trace_words,
)
from flownet.kernels.simulation_tallies import Tallies, between, snapshot, total
from flownet.kernels.simulation_words import handle

COMPLETED, STOPPED_AT_JOBS, STOPPED_AT_DEADLOCK = 0, 1, 2
_BUDGET = 2_000_000
_TRACE_CHUNK = 65_536
_FIRST_JOBS = 256


class Trace(NamedTuple):
    """One row for each visit that ended, in the order of leaving."""

    case: Integers
    """Number of the job; jobs are numbered as they arrive from outside."""
    service: Integers
    job_class: Integers
    arrived: Floats
    """T at which the job was admitted to the service."""
    started: Floats
    """T at which its service began; nan where it gave up before."""
    finished: Floats
    """T at which its service was completed; nan where it gave up."""
    left: Floats
    """T at which it gave its place free."""


class SimulationRun(NamedTuple):
    """What one run has counted between warm-up and horizon."""

    status: int
    """0 completed; 1 stopped when `max_jobs` jobs were in the network or outside; 2 stopped at a
    deadlock."""
    stopped_at: float
    """T: the horizon, or when the run was stopped."""
    events: int
    """Events from time 0 on."""
    visits: int
    """Services completed from time 0 on."""
    tallies: Tallies
    """By batch; the last batch is shorter where the run was stopped."""
    backlog: Integers
    """(B + 1, n, R) jobs that wait, inside (shared service: are present) or outside, at the
    beginning and after each batch."""
    blocked_by_from: Integers
    """(p,) services i ..."""
    blocked_by_to: Integers
    """(p,) ... whose jobs can be blocked for service j: the last axis of `tallies.blocked_by`."""
    time_limits: Floats
    """(m,) the last axis of `tallies.within`."""
    sketch: Integers
    """(R, BUCKETS) histogram of the times from admission to exit, by class at entry; see
    `flownet.kernels.simulation_tallies.quantile`."""
    trace: Trace | None
    trace_complete: bool
    """Whether there is a trace that holds every visit up to the end."""


class _Recorder:
    """Takes the rows of the trace out of the memory, up to a number of rows."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.complete = rows > 0
        self.chunks: list[Integers] = []

    def take(self, m: Memory) -> None:
        """Take the rows, as many as are still wanted."""
        rows = trace_words(m).reshape(-1, at.ROW_WORDS)
        wanted = rows[: self.rows].copy()
        self.chunks.append(wanted)
        self.complete = self.complete and len(wanted) == len(rows)
        self.rows -= len(wanted)
        m.q[at.TRACE] -= rows.size

    def renew(self, m: Memory, jobs: int) -> Memory:
        """Take the rows, and return the memory with room for more and for so many jobs."""
        self.take(m)
        self.complete = self.complete and self.rows > 0
        rows = max(_TRACE_CHUNK, 2 * int(m.q[at.ALIVE]) + 2) if self.rows > 0 else 0
        return resize(m, jobs, rows)

    def finish(self, m: Memory) -> Trace:
        """Return all rows."""
        self.take(m)
        rows = np.concatenate(self.chunks)
        state = (rows[:, at.ROW_STATE] - m.states) // at.STATE_WORDS
        service, job_class = np.divmod(state, m.counts[1])
        times = rows[:, at.ROW_ARRIVED : at.ROW_LEFT + 1].copy().view(np.float64)
        return Trace(rows[:, at.ROW_CASE].copy(), service, job_class, *times.T.copy())


def _room(m: Memory) -> int:
    return (int(m.q[at.END_OF_JOBS]) - m.jobs) // at.JOB_WORDS


def _advance(m: Memory, until: float, max_jobs: int, recorder: _Recorder) -> tuple[Memory, int]:
    """Run to `until`; the second answer says whether it came there, or why not."""
    while True:
        status = run_events(handle(m.q), until, _BUDGET)
        if status == at.DONE:
            return m, COMPLETED
        if status == at.DEADLOCKED:
            return m, STOPPED_AT_DEADLOCK
        if status == at.TRACE_FULL:
            m = recorder.renew(m, _room(m))
        elif status == at.POOL_EXHAUSTED:
            if _room(m) >= max_jobs:
                return m, STOPPED_AT_JOBS
            m = recorder.renew(m, min(2 * _room(m), max_jobs))


def _backlog(m: Memory) -> Integers:
    words = states(m, m.q)
    return np.asarray(words[:, at.NUMBER_WAITING] + words[:, at.NUMBER_OUTSIDE]).reshape(
        m.counts[:2]
    )


def _checked(horizon: float, warmup: float, batches: int, max_jobs: int) -> None:
    if not 0.0 <= warmup < horizon < np.inf:
        raise ParameterError(
            f"0 <= warmup < horizon < inf is needed: warmup = {warmup:g}, horizon = {horizon:g}"
        )
    if batches < 1 or max_jobs < 1:
        raise ParameterError(
            f"at least one batch and one job are needed: batches = {batches}, max_jobs = {max_jobs}"
        )


def batch_ends(warmup: float, horizon: float, batches: int, unit: float = 0.0) -> Floats:
    """Return the ends of the batches; see `simulate_once`.

    Examples
    --------
    >>> batch_ends(24.0, 200.0, 4, 24.0).tolist()
    [48.0, 96.0, 144.0, 200.0]
    """
    whole = int((horizon - warmup) / unit * (1.0 + 1e-12)) if unit > 0.0 else 0
    if whole == 0:
        return np.linspace(warmup, horizon, batches + 1)[1:]
    number = min(batches, whole)
    ends = warmup + unit * np.floor(whole * np.arange(1, number + 1) / number)
    ends[-1] = horizon
    return np.asarray(ends)


def simulate_once(
    compiled: CompiledNetwork,
    calendars: Calendars | None = None,
    *,
    horizon: float,
    seed: int | np.random.SeedSequence,
    warmup: float = 0.0,
    batches: int = 20,
    batch_unit: float = 0.0,
    time_limits: ArrayLike = (),
    max_jobs: int = 1 << 20,
    trace_rows: int = 0,
    profile: Profile | None = None,
    stop_at_deadlock: bool = False,
) -> SimulationRun:
    """Simulate a network once from empty, and count what happens between warm-up and horizon.

    Parameters
    ----------
    compiled : CompiledNetwork
    calendars : Calendars, optional
        Arrivals and servers that vary with time, in place of those of `compiled`.
    horizon : float
        T at which the run ends, above `warmup`.
    seed : int or numpy.random.SeedSequence
        The same seed gives the same run. Every service, class and purpose has a stream of its
        own, so that two networks which differ in one number run on common random numbers.
    warmup : float
        T up to which nothing is counted, >= 0.
    batches : int
        Number of batches of equal length between warm-up and horizon, >= 1.
    batch_unit : float
        T, above 0 where batches shall be whole multiples of it: they are then as equal as that
        allows, and fewer where they would be shorter; the rest belongs to the last.
    time_limits : array_like (m,)
        Times from admission to exit, in T; the jobs that leave within each are counted.
    max_jobs : int
        The run stops when more jobs than this are in the network or wait outside, >= 1.
    trace_rows : int
        The most rows of the trace; 0 for none.
    profile : Profile, optional
        The cycle by whose steps numbers are kept in the tallies.
    stop_at_deadlock : bool
        Whether the run stops when jobs of a cycle of services wait for each other; else they
        exchange places at once.

    Returns
    -------
    SimulationRun

    Raises
    ------
    ParameterError
        Where the times, `batches` or `max_jobs` are out of range, or servers (but of a shared
        service) or places are not whole numbers.

    Notes
    -----
    Arrivals from outside are a renewal process: Poisson at `arrival_scv` 1, else with the mixed
    Erlang or hyperexponential law of these two moments (constant below 0.001); the first interval
    is drawn like the others. With a calendar they are such a process on a clock that runs with the
    rate, found by inversion: exact at every change of the rate, Poisson at `arrival_scv` 1. Where a
    calendar takes servers away, those that are free go at once, the others each after the job that
    they hold has moved on; shared servers are fewer at once. Places that follow the servers fall
    likewise: nobody is sent away. Transfer delays and patience are exponential. Patience counts
    while a job waits inside, before its service has first begun. A free server goes first to a job
    that waits inside, then a free place goes to the first of those that wait for one, in one first-
    come list of jobs blocked in other services, in transit and outside. Jobs blocked in a cycle of
    services exchange places at once. A job that goes round to its own service keeps its own place.
    The time in the system runs from admission to exit. At a shared service, servers held by jobs
    that wait to move on do not serve, and `waiting` is the number present less the servers working.

    At a service of discipline ``preemptive`` without a free server, a job interrupts the one of the
    worst rank that began last; that one resumes later where it stopped.

    The memory does not grow with the horizon, except for the trace and with the number of jobs
    that are present at once.

    References
    ----------
    A. M. Law (2015), Simulation Modeling and Analysis, ch. 1 and 9.

    Examples
    --------
    See `tests/kernels/test_simulation.py`.
    """
    _checked(horizon, warmup, batches, max_jobs)
    source = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    limits = np.atleast_1d(np.asarray(time_limits, np.float64))
    recorder = _Recorder(trace_rows)
    with np.errstate(over="ignore"):  # uncompiled, words of random bits overflow on purpose
        m = build_memory(
            compiled,
            calendars,
            source,
            limits=limits,
            jobs=min(_FIRST_JOBS, max_jobs),
            rows=_TRACE_CHUNK if trace_rows > 0 else 0,
            profile=profile,
        )
        m.q[at.ON_DEADLOCK] = at.STOP if stop_at_deadlock else at.EXCHANGE
        m, status = _advance(m, warmup, max_jobs, recorder)
        m.q[m.sketch : m.samples] = 0
        snapshots, backlog = [snapshot(m)], [_backlog(m)]
        for mark in batch_ends(warmup, horizon, batches, batch_unit):
            if status != COMPLETED:
                break
            m, status = _advance(m, float(mark), max_jobs, recorder)
            snapshots.append(snapshot(m))
            backlog.append(_backlog(m))
    return SimulationRun(
        status=status,
        stopped_at=float(m.f[at.NOW]),
        events=int(m.q[at.EVENTS]),
        visits=int(states(m, m.q)[:, at.COMPLETIONS].sum()),
        tallies=between(snapshots),
        backlog=np.stack(backlog),
        blocked_by_from=service_number(m, pairs(m, m.q)[:, at.PAIR_SOURCE]),
        blocked_by_to=service_number(m, pairs(m, m.q)[:, at.PAIR_TARGET]),
        time_limits=limits,
        sketch=m.q[m.sketch : m.samples].reshape(-1, at.BUCKETS).copy(),
        trace=recorder.finish(m) if trace_rows > 0 else None,
        trace_complete=recorder.complete,
    )


def _ratio(numerator: Floats | Integers, denominator: Floats | Integers) -> Floats:
    answer = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=answer, where=np.asarray(denominator) > 0)


def measures(run: SimulationRun) -> Measures:
    """Return the averages of a run over all its batches, in the form that all kernels return.

    Parameters
    ----------
    run : SimulationRun

    Returns
    -------
    Measures
        `status` 1 where the run was stopped; `residual` nan; times and probabilities nan where
        nothing was observed. `growth_rate` is the observed growth of the backlog per T, which is
        noise around 0 where the network is stable.
    """
    t = total(run.tallies)
    length = float(t.length)
    growth = (run.backlog[-1] - run.backlog[0]) / length if length > 0.0 else run.backlog[0] * 0.0
    unknown = np.full(t.full.shape, np.nan)
    began = np.where(t.starts > 0, t.starts, t.completions)
    admitted = t.admissions.sum(axis=1)
    return Measures(
        status=run.status,
        iterations=run.events,
        residual=float("nan"),
        arrival_rate=t.arrivals / length,
        throughput=t.completions / length,
        loss_rate=t.losses / length,
        overflow_rate=t.overflows / length,
        abandonment_rate=t.abandonments / length,
        number_waiting=t.waiting / length,
        number_in_service=t.in_service / length,
        number_blocked=t.blocked / length,
        number_held_in_transfer=t.held_in_transfer / length,
        number_outside=t.outside / length,
        waiting_time=_ratio(t.waiting_time, began),
        wait_probability=_ratio(t.delayed_admissions.sum(axis=1), admitted),
        probability_full=t.full / length,
        blocking_probability=_ratio(t.found_full, t.completions.sum(axis=1)),
        arrival_scv=unknown,
        departure_scv=unknown,
        growth_rate=growth,
        blocked_by_from=run.blocked_by_from,
        blocked_by_to=run.blocked_by_to,
        blocked_by_number=t.blocked_by / length,
        probability_all_blocked=t.all_blocked / length,
        deadlock_rate=t.deadlocks / length,
    )
