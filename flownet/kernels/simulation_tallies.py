"""What a simulation has counted: integrals, counts and sums, by batch; the sketch of times."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import PROCESSOR_SHARING, Floats, Integers
from flownet.kernels.simulation_profile_setup import cells
from flownet.kernels.simulation_setup import (
    Memory,
    classes,
    pairs,
    service_number,
    services,
    states,
)

SKETCH_RELATIVE_ERROR = 0.5 / at.STEPS
"""Largest relative error of a quantile read off the sketch, beside that of the sample."""


class Tallies(NamedTuple):
    """What happened in each batch b, at service i, to class k; sums over batches are meaningful.

    Areas are integrals over time, in job T; counts in jobs; times in T.
    """

    length: Floats
    """(B,) T, how long the batch lasted."""
    waiting: Floats
    """(B, n, R) job T: area of the number waiting inside."""
    in_service: Floats
    """(B, n, R) of the servers working."""
    blocked: Floats
    """(B, n, R) of the servers held by jobs that wait to move on."""
    held_in_transfer: Floats
    """(B, n, R) of the servers held during a transfer."""
    outside: Floats
    """(B, n, R) of the jobs outside that wait for a place here."""
    full: Floats
    """(B, n) T during which `capacity` jobs were present."""
    all_blocked: Floats
    """(B, n) T during which every server was held by a job that waits to move on."""
    in_transit: Floats
    """(B, R) job T between services, by the class that they go on as."""
    blocked_by: Floats
    """(B, p) job T blocked, by pair of services."""
    arrivals: Integers
    """(B, n, R) jobs that asked for a place."""
    external_arrivals: Integers
    """(B, n, R) jobs that came from outside, before any overflow."""
    admissions: Integers
    """(B, n, R) jobs that were given a place."""
    delayed_admissions: Integers
    """(B, n, R) admitted jobs that did not start service at once."""
    starts: Integers
    """(B, n, R) services begun."""
    completions: Integers
    """(B, n, R) services completed."""
    losses: Integers
    """(B, n, R) jobs turned away and lost."""
    overflows: Integers
    """(B, n, R) jobs turned away and sent to the overflow service."""
    abandonments: Integers
    """(B, n, R) jobs that gave up waiting."""
    blockings: Integers
    """(B, n, R) completed jobs that were blocked."""
    entries_from_outside: Integers
    """(B, n, R) jobs admitted after having waited outside."""
    preemptions: Integers
    """(B, n, R) services interrupted."""
    found_full: Integers
    """(B, n) jobs of this service that found their destination full."""
    waiting_time: Floats
    """(B, n, R) T waited by the jobs that began (shared service: completed) service."""
    blocked_time: Floats
    """(B, n, R) T for which jobs that moved on had been blocked."""
    held_transfer_time: Floats
    """(B, n, R) T of completed transfers that held a server."""
    outside_time: Floats
    """(B, n, R) T waited outside by the jobs that were then admitted."""
    left: Integers
    """(B, R, R) jobs that left served, by class at entry and class at exit."""
    system_time: Floats
    """(B, R) T from admission to exit of the jobs that left served, by class at entry."""
    system_time_square: Floats
    """(B, R) T^2, their squares."""
    within: Integers
    """(B, R, m) jobs that left served within each of the given times, by class at entry."""
    exchanges: Integers
    """(B,) deadlocks resolved by an exchange."""
    deadlocks: Integers
    """(B, n) of those, by the service whose job closed them."""
    profile_time: Floats
    """(B, s) T spent in each step of the profile's cycle; no step without a profile."""
    profile: Floats
    """(B, s, n, 6) by step and service: areas waiting, in service, blocked, held in transfer and
    outside, in job T, and arrivals, in jobs."""


_COUNTS = {
    "arrivals": at.ARRIVALS,
    "external_arrivals": at.EXTERNAL_ARRIVALS,
    "admissions": at.ADMISSIONS,
    "delayed_admissions": at.DELAYED_ADMISSIONS,
    "starts": at.STARTS,
    "completions": at.COMPLETIONS,
    "losses": at.LOSSES,
    "overflows": at.OVERFLOWS,
    "abandonments": at.ABANDONMENTS,
    "blockings": at.BLOCKINGS,
    "entries_from_outside": at.ENTRIES_FROM_OUTSIDE,
    "preemptions": at.PREEMPTIONS,
}
_SUMS = {
    "waiting_time": at.WAITING_SUM,
    "blocked_time": at.BLOCKED_SUM,
    "held_transfer_time": at.HELD_SUM,
    "outside_time": at.OUTSIDE_SUM,
}
_AREAS = {
    "waiting": (at.NUMBER_WAITING, at.WAITING_AREA),
    "in_service": (at.NUMBER_IN_SERVICE, at.IN_SERVICE_AREA),
    "blocked": (at.NUMBER_BLOCKED, at.BLOCKED_AREA),
    "held_in_transfer": (at.NUMBER_HELD, at.HELD_AREA),
    "outside": (at.NUMBER_OUTSIDE, at.OUTSIDE_AREA),
}


def _state_areas(m: Memory, now: float) -> dict[str, Floats]:
    """Return the areas of the states; those of shared services by their virtual time."""
    whole, real = states(m, m.q), states(m, m.f)
    areas = {
        name: whole[:, number] * now + real[:, area] for name, (number, area) in _AREAS.items()
    }
    speeds = services(m, m.f)
    virtual = speeds[:, at.VIRTUAL] + speeds[:, at.SPEED] * (now - speeds[:, at.VIRTUAL_AT])
    service = service_number(m, whole[:, at.STATE_SERVICE])
    shared = services(m, m.q)[service, at.DISCIPLINE] == PROCESSOR_SHARING
    working = whole[:, at.NUMBER_IN_SERVICE] * virtual[service] + real[:, at.IN_SERVICE_AREA]
    areas["in_service"] = np.where(shared, working, areas["in_service"])
    areas["waiting"] = np.where(shared, areas["waiting"] - working, areas["waiting"])
    return areas


def snapshot(m: Memory) -> Tallies:
    """Return everything counted from time 0 to now, as arrays without the axis of batches.

    Parameters
    ----------
    m : Memory

    Returns
    -------
    Tallies
    """
    now = float(m.f[at.NOW])
    shape = m.counts[:2]
    whole, real = states(m, m.q), states(m, m.f)
    by_state: dict[str, Floats | Integers] = dict(_state_areas(m, now))
    by_state |= {name: whole[:, word] for name, word in _COUNTS.items()}
    by_state |= {name: real[:, word] for name, word in _SUMS.items()}
    room = services(m, m.q)[:, at.ROOM]
    profile_time, profile = cells(m)
    journeys, moves = classes(m, m.f), classes(m, m.q)
    blocking = pairs(m, m.q)[:, at.PAIR_NUMBER] * now + pairs(m, m.f)[:, at.PAIR_AREA]
    return Tallies(
        length=np.array(now),
        full=services(m, m.f)[:, at.FULL_AREA] + np.where(room <= 0, now, 0.0),
        all_blocked=services(m, m.f)[:, at.ALL_BLOCKED_AREA]
        + services(m, m.q)[:, at.ALL_BLOCKED] * now,
        in_transit=moves[:, at.NUMBER_IN_TRANSIT] * now + journeys[:, at.IN_TRANSIT_AREA],
        blocked_by=blocking,
        found_full=services(m, m.q)[:, at.FOUND_FULL].copy(),
        left=m.q[m.left : m.sketch].reshape(shape[1], shape[1]).copy(),
        system_time=journeys[:, at.TIME_SUM].copy(),
        system_time_square=journeys[:, at.TIME_SQUARE_SUM].copy(),
        within=m.q[m.within : m.left].reshape(shape[1], -1).copy(),
        deadlocks=services(m, m.q)[:, at.DEADLOCKS].copy(),
        exchanges=np.array(m.q[at.EXCHANGES]),
        profile_time=profile_time,
        profile=profile,
        **{name: np.array(column).reshape(shape) for name, column in by_state.items()},
    )


def between(snapshots: list[Tallies]) -> Tallies:
    """Return what happened between each two consecutive snapshots, one batch each.

    Parameters
    ----------
    snapshots : list of Tallies
        From `snapshot`, in order, at least one.

    Returns
    -------
    Tallies
    """
    return Tallies(*(np.diff(np.stack(column), axis=0) for column in zip(*snapshots, strict=True)))


def total(tallies: Tallies) -> Tallies:
    """Return the sums over all batches, without the axis of batches.

    Parameters
    ----------
    tallies : Tallies

    Returns
    -------
    Tallies
    """
    return Tallies(*(column.sum(axis=0) for column in tallies))


def quantile(sketch: Integers, probability: float) -> float:
    """Return a quantile of the times in a sketch, to a relative error of `SKETCH_RELATIVE_ERROR`.

    Parameters
    ----------
    sketch : ndarray (BUCKETS,)
        Row of `SimulationRun.sketch`, or a sum of rows of the same class over runs.
    probability : float
        Above 0 and at most 1.

    Returns
    -------
    float
        T; nan where the sketch is empty.

    Notes
    -----
    The sketch is a histogram with 128 buckets of equal width for every power of two from 2^-41 to
    2^47: the middle of a bucket is within 1/256 of everything in it. The error that a sample has
    in itself comes on top.

    Examples
    --------
    >>> from flownet.kernels.simulation_loop import bucket
    >>> sketch = np.zeros(at.BUCKETS, np.int64)
    >>> sketch[bucket(3.0)] += 1
    >>> abs(quantile(sketch, 0.5) - 3.0) <= SKETCH_RELATIVE_ERROR * 3.0
    True
    """
    number = int(sketch.sum())
    if number == 0:
        return float("nan")
    rank = max(int(np.ceil(probability * number)), 1)
    found = int(np.searchsorted(np.cumsum(sketch), rank))
    if found == 0:
        return 0.0
    octave, step = divmod(found - 1, at.STEPS)
    mantissa = 0.5 * (1.0 + (step + 0.5) / at.STEPS)
    return float(np.ldexp(mantissa, octave + at.LOWEST_EXPONENT))
