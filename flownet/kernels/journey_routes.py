"""The chain of visits that a job makes until it leaves, with what it meets between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, diags_array, eye_array
from scipy.sparse.csgraph import breadth_first_order

from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    OVERFLOW,
    WAIT_OUTSIDE,
    Booleans,
    CompiledNetwork,
    Floats,
    Integers,
    Measures,
)
from flownet.kernels.journey_waits import ratio, sums
from flownet.kernels.traffic_solvers import route_sources

GROWING = 1e-9


class Journey(NamedTuple):
    """Where a job goes on to after each visit, in compressed rows over S states."""

    start: Integers
    """(S + 1,)"""
    to: Integers
    """(m,) the state in which the next visit is made."""
    weight: Floats
    """(m,) chance to complete the visit, take this route and be admitted there."""
    transfer: Floats
    """(m,) mean transfer delay, exponential; server held or not."""
    chance: Floats
    """(m,) chance to wait for a place, blocked or in transit."""
    wait: Floats
    """(m,) mean of such a wait, in T, exponential."""
    leave: Floats
    """(S,) chance to complete the visit and leave."""
    entry: csr_array
    """(S, S) from the state where a job from outside asks to those where it is admitted."""
    outside_chance: Floats
    """(S,) chance to wait outside for admission."""
    outside_wait: Floats
    """(S,) mean of such a wait."""
    outside_queue: Floats
    """(S,) mean number outside that such a job finds."""
    endless: Booleans
    """(S,) visits from which a job can come to where it waits without end."""
    endless_outside: Booleans
    """(S,) doors before which it does."""


def make_journey(compiled: CompiledNetwork, measures: Measures) -> Journey:
    """Read the chain of visits off a solved network.

    Parameters
    ----------
    compiled : CompiledNetwork
    measures : Measures
        Of a converged method.

    Returns
    -------
    Journey

    Notes
    -----
    The wait for a place is exponential beyond its mass at zero. The chance to be blocked for a
    service is the share of the time for which it is full, scaled for each service of origin to
    the chance that its completions find their destination full; the mean comes from the number
    blocked of each pair.
    """
    admit_inside, entry = _admissions(compiled, measures)
    admitted = measures.arrival_rate - measures.loss_rate - measures.overflow_rate
    growing = measures.growth_rate > GROWING * np.maximum(measures.arrival_rate, 1e-300)
    complete = np.where(admitted > 0.0, ratio(measures.throughput, admitted), 1.0)
    complete = np.where(growing, 1.0, np.clip(complete, 0.0, 1.0)).reshape(-1)

    origin, target = route_sources(compiled.route_start), compiled.route_to.astype(np.int64)
    chance, wait = _place_waits(compiled, measures, origin, target)
    probability = compiled.route_probability * complete[origin]
    leaving = 1.0 - sums(origin, compiled.route_probability, complete.size)
    leaving[leaving < 1e-12] = 0.0
    place, goal, passing = _spread(admit_inside, target)
    loops = _keeps_place(compiled, origin, target)
    if loops.any():
        passing = np.where(loops[place] & (goal == target[place]), 1.0, passing)
        passing = np.where(loops[place] & (goal != target[place]), 0.0, passing)
    order = np.argsort(origin[place], kind="stable")
    place, goal, passing = place[order], goal[order], passing[order]
    counts = np.bincount(origin[place], minlength=complete.size)
    outside_chance, outside_wait, outside_queue = _outside(compiled, measures)
    endless = ~np.isfinite(measures.waiting_time) | ~np.isfinite(measures.number_waiting)
    stuck = sums(origin, (~np.isfinite(wait)).astype(float), complete.size) > 0.0
    journey = Journey(
        np.concatenate(([0], np.cumsum(counts))),
        goal,
        probability[place] * passing,
        compiled.transfer_delay[place],
        chance[place],
        np.where(np.isfinite(wait), wait, 0.0)[place],
        leaving * complete,
        entry,
        outside_chance,
        np.where(np.isfinite(outside_wait), outside_wait, 0.0),
        np.where(np.isfinite(outside_wait), outside_queue, 0.0),
        (endless & (measures.throughput > 0.0)).reshape(-1) | stuck,
        ~np.isfinite(outside_wait).reshape(-1),
    )
    return journey._replace(endless=_reaching(journey))


def _keeps_place(compiled: CompiledNetwork, origin: Integers, target: Integers) -> Booleans:
    """Tell which routes return to their own service, where a job keeps its place."""
    classes = compiled.service_time.shape[1]
    free = (compiled.transfer_delay > 0.0) & ~compiled.holds_server
    here = target // classes
    rule = compiled.when_full[here] == BLOCKED_AFTER_SERVICE
    return np.asarray((origin // classes == here) & ~free & rule)


def _admissions(compiled: CompiledNetwork, measures: Measures) -> tuple[csr_array, csr_array]:
    """Return, for jobs from another service and from outside, who is admitted where.

    What is turned away is shared out among the streams that can be: those from outside where
    ``external_when_full`` says so, those from other services where ``when_full`` does.
    """
    external = compiled.external_arrival_rate + _overflow_from_outside(compiled, measures)
    away = measures.loss_rate + measures.overflow_rate
    inside = np.maximum(measures.arrival_rate - external, 0.0)
    refuses_in = (compiled.when_full != BLOCKED_AFTER_SERVICE)[:, None]
    refuses_out = (compiled.external_when_full != WAIT_OUTSIDE)[:, None]
    asking = external * refuses_out + inside * refuses_in
    asking = np.where((away > 0.0) & (asking <= 0.0), measures.arrival_rate, asking)
    refused = np.clip(ratio(away, asking), 0.0, 1.0)
    spilled = ratio(measures.overflow_rate, away)
    return (
        _admission(compiled, refused * refuses_in, spilled),
        _admission(compiled, refused * refuses_out, spilled),
    )


def _overflow_from_outside(compiled: CompiledNetwork, measures: Measures) -> Floats:
    """Return the jobs from outside that overflow to each service, where the rule for outside holds.

    Of a service that sends on both what comes from outside and from other services, the part is
    that of its arrivals.
    """
    over = measures.overflow_rate
    part = np.clip(ratio(compiled.external_arrival_rate, measures.arrival_rate), 0.0, 1.0)
    outer, inner = compiled.external_when_full == OVERFLOW, compiled.when_full == OVERFLOW
    part = np.where(inner[:, None], part, 1.0) * outer[:, None]
    arriving = np.zeros_like(over)
    goes = np.flatnonzero(compiled.overflow_to >= 0)
    np.add.at(arriving, compiled.overflow_to[goes], (over * part)[goes])
    return arriving


def _admission(compiled: CompiledNetwork, refused: Floats, spilled: Floats) -> csr_array:
    """Return (I - O)^-1 A: O the overflow from state to state, A the admission."""
    shape = refused.shape
    size = refused.size
    states = np.arange(size).reshape(shape)
    over = (refused * spilled).reshape(-1)
    goes = np.flatnonzero((over > 0.0) & np.repeat(compiled.overflow_to >= 0, shape[1]))
    accept = diags_array(1.0 - refused.reshape(-1), format="csc")
    if goes.size == 0:
        return csr_array(accept)
    goal = states[compiled.overflow_to[goes // shape[1]], goes % shape[1]]
    overflow = csr_array((over[goes], (goes, goal)), shape=(size, size))
    total, step = eye_array(size, format="csr"), overflow
    for _ in range(shape[0]):
        if step.nnz == 0:
            break
        total = total + step
        step = csr_array(step @ overflow)
    return csr_array(total @ accept)


def _spread(admission: csr_array, target: Integers) -> tuple[Integers, Integers, Floats]:
    """Return for every route its places of admission: route, state, probability."""
    first, last = admission.indptr[target], admission.indptr[target + 1]
    counts = (last - first).astype(np.int64)
    place = np.repeat(np.arange(target.size), counts)
    before = np.repeat(np.cumsum(counts) - counts, counts)
    index = np.arange(place.size) - before + np.repeat(first, counts)
    return place, admission.indices[index].astype(np.int64), admission.data[index]


def _place_waits(
    compiled: CompiledNetwork, measures: Measures, origin: Integers, target: Integers
) -> tuple[Floats, Floats]:
    """Return for every route the chance to wait for a place, and the mean of such a wait."""
    n, classes = compiled.service_time.shape
    start, end = origin // classes, target // classes
    free = (compiled.transfer_delay > 0.0) & ~compiled.holds_server
    waits = np.isfinite(compiled.capacity)[end]
    waits &= compiled.when_full[end] == BLOCKED_AFTER_SERVICE
    waits &= ~_keeps_place(compiled, origin, target)
    flow = measures.throughput.reshape(-1)[origin] * compiled.route_probability
    full = np.nan_to_num(measures.probability_full)
    blocks = waits & ~free
    met = sums(start, flow * blocks * full[end], n)
    known = np.nan_to_num(measures.blocking_probability) * measures.throughput.sum(axis=1)
    scale = np.where((met > 0.0) & (known > 0.0), ratio(known, met), 1.0)
    chance = np.where(blocks, np.minimum(full[end] * scale[start], 1.0), 0.0)
    keys = start * n + end
    pair_key = measures.blocked_by_from * n + measures.blocked_by_to
    distinct, place = np.unique(np.concatenate([keys, pair_key]), return_inverse=True)
    mine, theirs = place[: keys.size], place[keys.size :]
    number = sums(theirs, measures.blocked_by_number, distinct.size)
    rate = sums(mine, flow * blocks, distinct.size)
    mean = np.where(blocks, ratio(number, rate)[mine], 0.0)
    door_chance, door_wait = _door(compiled, measures, end, flow * (waits & free))
    chance = np.where(waits & free, door_chance[end], chance)
    mean = np.where(waits & free, (door_chance * door_wait)[end], mean)
    chance = np.where((mean > 0.0) & (chance <= 0.0), 1.0, np.where(mean > 0.0, chance, 0.0))
    return chance, ratio(mean, chance)


def _door(
    compiled: CompiledNetwork, measures: Measures, end: Integers, transit: Floats
) -> tuple[Floats, Floats]:
    """Return by service the chance to wait in transit or outside, and the mean of such a wait."""
    n = compiled.servers.size
    waiting = measures.number_outside.sum(axis=1)
    outside = compiled.external_arrival_rate.sum(axis=1)
    outside = outside * (compiled.external_when_full == WAIT_OUTSIDE)
    asking = outside + sums(end, transit, n)
    full = np.nan_to_num(measures.probability_full)
    chance = np.where((waiting > 0.0) & (full <= 0.0), 1.0, full)
    return chance, ratio(waiting, asking * chance)


def _outside(compiled: CompiledNetwork, measures: Measures) -> tuple[Floats, Floats, Floats]:
    """Return by state the chance to wait outside, the mean of it, and of the number found there."""
    origin, target = route_sources(compiled.route_start), compiled.route_to.astype(np.int64)
    shape = compiled.service_time.shape
    end = target // shape[1]
    free = (compiled.transfer_delay > 0.0) & ~compiled.holds_server
    free &= np.isfinite(compiled.capacity)[end]
    free &= compiled.when_full[end] == BLOCKED_AFTER_SERVICE
    flow = measures.throughput.reshape(-1)[origin] * compiled.route_probability
    chance, wait = _door(compiled, measures, end, flow * free)
    waits = (compiled.external_when_full == WAIT_OUTSIDE) & np.isfinite(compiled.capacity)
    found = (chance, wait, ratio(measures.number_outside.sum(axis=1), chance))
    by_state = [np.repeat(np.where(waits, each, 0.0), shape[1]) for each in found]
    return by_state[0], by_state[1], by_state[2]


def _reaching(journey: Journey) -> Booleans:
    """Return the states from which a job can come to an endless one."""
    size = journey.leave.size
    if not journey.endless.any():
        return journey.endless
    going = journey.weight > 0.0
    rows = np.repeat(np.arange(size), np.diff(journey.start))[going]
    ends = np.flatnonzero(journey.endless)
    heads = np.concatenate([journey.to[going], np.full(ends.size, size)])
    tails = np.concatenate([rows, ends])
    back = csr_array((np.ones(heads.size), (heads, tails)), shape=(size + 1, size + 1))
    found = breadth_first_order(back, size, directed=True, return_predecessors=False)
    reached = np.zeros(size + 1, dtype=np.bool_)
    reached[found] = True
    return np.asarray(reached[:size])
