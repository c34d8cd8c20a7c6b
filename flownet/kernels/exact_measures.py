"""From the probabilities of a chain's states to what the planner reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels import exact_tables as col
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers, Measures
from flownet.kernels.exact_access import of_kind, of_list, of_pair, of_route, of_service
from flownet.kernels.exact_events import working_share
from flownet.kernels.exact_layout import Layout
from flownet.kernels.exact_space import Chain
from flownet.kernels.exact_tables import (
    CLASSES,
    DOOR,
    FROM,
    HELD,
    HOLDS,
    ITEM,
    LISTS,
    OWNER,
    PHASE,
    PHASES,
    ROUTES,
    SERVICES,
    SLOT,
    SOURCE,
    TARGET,
    TO,
    TRANSFER,
    WAITING,
    Slots,
)
from flownet.kernels.exact_walk import walk

# rows of the table of mean numbers by pair
IN_LINE, WORKING, BLOCKED, IN_TRANSFER, OUTSIDE, IN_TRANSIT = 0, 1, 2, 3, 4, 5
NUMBERS = 6


class Numbers(NamedTuple):
    """Mean numbers, with their places in the network."""

    by_pair: Floats
    """(NUMBERS, n R)"""
    blocked_by: Floats
    """(n, n) servers of the row held by jobs that wait for the column."""
    present: Floats
    """(n, any) probability of each number present."""
    outside: Floats
    """(n, any) probability of each number that waits outside."""
    stuck: Floats
    """(n, any) probability of each number of servers blocked."""
    now: Integers
    """(n,) servers blocked in the state at hand."""


@njit
def _add_lists(t: Integers, state: Slots, weight: float, numbers: Numbers) -> None:
    """Add the jobs in lines and at doors."""
    for line in range(t[LISTS]):
        slot, item, owner = of_list(t, line, SLOT), of_list(t, line, ITEM), of_list(t, line, OWNER)
        at_door = of_service(t, owner, DOOR) == line
        outside = 0
        for position in range(state[slot]):
            who = item if item >= 0 else state[slot + 1 + position]
            if not at_door:
                numbers.by_pair[IN_LINE, who] += weight
            elif of_kind(t, who, SOURCE) >= 0:
                source = of_kind(t, who, SOURCE)
                numbers.by_pair[BLOCKED, source] += weight
                numbers.blocked_by[source // t[CLASSES], owner] += weight
                numbers.now[source // t[CLASSES]] += 1
            else:
                numbers.by_pair[OUTSIDE, of_kind(t, who, TARGET)] += weight
                outside += 1
        if at_door:
            numbers.outside[owner, outside] += weight


@njit
def add_numbers(
    t: Integers, f: Floats, states: Slots, probability: Floats, numbers: Numbers
) -> None:
    """Add up the mean numbers over all states."""
    for row in range(probability.shape[0]):
        state, weight = states[row], probability[row]
        numbers.now[:] = 0
        _add_lists(t, state, weight, numbers)
        for service in range(t[SERVICES]):
            numbers.stuck[service, numbers.now[service]] += weight
            held, waiting = of_service(t, service, HELD), of_service(t, service, WAITING)
            numbers.present[service, state[held] + state[waiting]] += weight
            share = working_share(t, f, state, service)
            for pair in range(service * t[CLASSES], (service + 1) * t[CLASSES]):
                jobs = 0
                for phase in range(of_pair(t, pair, PHASES)):
                    jobs += state[of_pair(t, pair, PHASE) + phase]
                numbers.by_pair[WORKING, pair] += weight * jobs * share
                numbers.by_pair[IN_LINE, pair] += weight * jobs * (1.0 - share)
        for route in range(t[ROUTES]):
            slot = of_route(t, route, TRANSFER)
            if slot >= 0:
                if of_route(t, route, HOLDS) == 1:
                    numbers.by_pair[IN_TRANSFER, of_route(t, route, FROM)] += weight * state[slot]
                else:
                    target = of_route(t, route, TO)
                    numbers.by_pair[IN_TRANSIT, target] += weight * state[slot]


def mean_numbers(chain: Chain, probability: Floats) -> Numbers:
    """Return the mean numbers of jobs, by where they are, and how the number present spreads."""
    t = chain.layout.tables
    services = t.service.shape[0]
    states = chain.store.states[: chain.size]
    held, waiting = t.service[:, col.HELD], t.service[:, col.WAITING]
    most = int((states[:, held].astype(np.int64) + states[:, waiting]).max())
    doors = [door for door in t.service[:, col.DOOR] if door >= 0]
    longest = max((int(states[:, t.lists[door, SLOT]].max()) for door in doors), default=0)
    numbers = Numbers(
        by_pair=np.zeros((NUMBERS, t.pair.shape[0])),
        blocked_by=np.zeros((services, services)),
        present=np.zeros((services, most + 1)),
        outside=np.zeros((services, longest + 1)),
        stuck=np.zeros((services, most + 1)),
        now=np.zeros(services, dtype=np.int64),
    )
    add_numbers(chain.packed.whole, chain.packed.figures, states, probability, numbers)
    return numbers


def event_rates(chain: Chain, probability: Floats) -> Floats:
    """Return how often everything happens per T, by counter (see `exact_tables`) and pair."""
    chain.store.happened[:] = 0.0
    t, f, w = chain.packed.whole, chain.packed.figures, chain.scratch.whole
    walk(t, f, w, chain.scratch.rates, chain.store, probability)
    return chain.store.happened.copy()


def _share(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0.0)


def probability_full(compiled: CompiledNetwork, numbers: Numbers) -> Floats:
    """Return the share of time with `capacity` jobs present, 0 where unlimited."""
    full = np.zeros(compiled.servers.shape[0])
    for i in np.flatnonzero(np.isfinite(compiled.capacity)):
        places = int(compiled.capacity[i])
        full[i] = numbers.present[i, places] if places < numbers.present.shape[1] else 0.0
    return full


def probability_all_blocked(compiled: CompiledNetwork, numbers: Numbers) -> Floats:
    """Return the share of time with every server blocked, 0 where their number is unlimited."""
    stuck = np.zeros(compiled.servers.shape[0])
    for i in np.flatnonzero(np.isfinite(compiled.servers)):
        servers = int(compiled.servers[i])
        stuck[i] = numbers.stuck[i, servers] if servers < numbers.stuck.shape[1] else 0.0
    return stuck


def growth_of(layout: Layout, rates: Floats) -> tuple[Floats, Floats]:
    """Return by how much per T each pair grows inside, and outside, of overloaded services."""
    t = layout.tables
    inside, outside = np.zeros(t.pair.shape[0]), np.zeros(t.pair.shape[0])
    for number in np.flatnonzero(t.lists[:, col.DRAW] >= 0):
        first, count = t.lists[number, col.DRAW], t.lists[number, col.DRAWS]
        items = t.option[first : first + count]
        if t.service[t.lists[number, col.OWNER], col.DOOR] == number:
            pairs = t.kind[items, col.TARGET]
            turned_away = rates[col.LOSSES, pairs] + rates[col.OVERFLOWS, pairs]
            outside[pairs] = rates[col.ARRIVED, pairs] - turned_away - rates[col.ENTERED, pairs]
        else:
            inside[items] = rates[col.ENTERED, items] - rates[col.COMPLETED, items]
    return inside, outside


class Standing(NamedTuple):
    """How a distribution was found."""

    residual: float
    iterations: int
    converged: bool


def measures_of(
    compiled: CompiledNetwork,
    layout: Layout,
    numbers: Numbers,
    rates: Floats,
    waiting_time: Floats,
    standing: Standing,
) -> Measures:
    """Return the measures of mean numbers and rates of events.

    Parameters
    ----------
    compiled : CompiledNetwork
    layout : Layout
    numbers : Numbers
    rates : array
        From `event_rates`.
    waiting_time : (n R,) array
        Mean time from admission to start of service.
    standing : Standing
    """
    shape = compiled.service_time.shape

    def pairs(values: Floats) -> Floats:
        return values.reshape(shape).copy()

    inside, outside = growth_of(layout, rates)
    completed = rates[col.COMPLETED].reshape(shape).sum(axis=1)
    entered = rates[col.ENTERED].reshape(shape).sum(axis=1)
    found_full = rates[col.FOUND_FULL :].sum(axis=0).reshape(shape).sum(axis=1)
    source, target = np.nonzero(numbers.blocked_by)
    unknown = np.full(shape[0], np.nan)
    by_pair = numbers.by_pair
    return Measures(
        status=0 if standing.converged else 1,
        iterations=standing.iterations,
        residual=standing.residual,
        arrival_rate=pairs(rates[col.ARRIVED]),
        throughput=pairs(rates[col.COMPLETED]),
        loss_rate=pairs(rates[col.LOSSES]),
        overflow_rate=pairs(rates[col.OVERFLOWS]),
        abandonment_rate=pairs(rates[col.ABANDONED]),
        number_waiting=pairs(np.where(inside > 0.0, np.inf, by_pair[IN_LINE])),
        number_in_service=pairs(by_pair[WORKING]),
        number_blocked=pairs(by_pair[BLOCKED]),
        number_held_in_transfer=pairs(by_pair[IN_TRANSFER]),
        number_outside=pairs(np.where(outside > 0.0, np.inf, by_pair[OUTSIDE])),
        waiting_time=pairs(np.where(inside > 0.0, np.inf, waiting_time)),
        wait_probability=_share(rates[col.DELAYED].reshape(shape).sum(axis=1), entered),
        probability_full=probability_full(compiled, numbers),
        blocking_probability=_share(found_full, completed),
        arrival_scv=unknown,
        departure_scv=unknown.copy(),
        growth_rate=pairs(inside + outside),
        blocked_by_from=source.astype(np.int64),
        blocked_by_to=target.astype(np.int64),
        blocked_by_number=numbers.blocked_by[source, target],
        probability_all_blocked=probability_all_blocked(compiled, numbers),
        deadlock_rate=pairs(rates[col.EXCHANGED]).sum(axis=1),
    )
