"""Flows in a network with blocking: who asks, who is admitted, who is served, for how long."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    DELAY,
    OVERFLOW,
    WAIT_OUTSIDE,
    Booleans,
    CompiledNetwork,
    Floats,
    Integers,
)
from flownet.kernels.traffic import solve_traffic

MOST_ROOM = 3000.0
"""More servers or places to wait are as good as any number."""


class Layout(NamedTuple):
    """What stays the same from sweep to sweep: routes told apart, pairs of services, an order."""

    finite: Booleans
    """(n,) places are limited."""
    refusing: Booleans
    """(n,) and some arrivals are turned away where there is none."""
    origin: Integers
    """(m,) state that each route leaves."""
    start: Integers
    end: Integers
    """(m,) services."""
    blocks: Booleans
    """(m,) the job keeps its server until there is a place."""
    transit: Booleans
    """(m,) the job waits in transit, without limit."""
    loops: Booleans
    """(m,) the route returns to its own service, where the job's own place is free for it."""
    pair: Integers
    """(m,) number of the pair of services that a blocking route belongs to; -1 for others."""
    upper: Integers
    lower: Integers
    """(p,) services of the pairs: `upper` is blocked for `lower`."""
    cyclic: Booleans
    """(p,) the pair is part of a cycle of services that can block each other."""
    order: Integers
    """(n,) services, those downstream first."""
    stay: Floats
    """(n,) a time to measure waits by: the longest mean service among the classes."""
    giving_up: Floats
    """(n,) rate at which a waiting job gives up."""
    chained: Booleans
    """(n,) has a limited number of servers, and so a chain."""
    waits: Booleans
    """(n,) whoever comes from outside waits where there is no place."""
    places: Integers
    """(n,) -1 where unlimited."""
    waiting_room: Floats
    """(n,) places beyond the servers; 0 where places are unlimited."""
    behind: Floats
    """(n,) servers of all services that it can block."""
    mine: Integers
    """Routes that lead to another service or, where places are unlimited, back."""
    back: Integers
    """Routes that are loops."""
    above: Integers
    """(p,) pairs in the order of their lower service."""
    first_above: Integers
    """(n + 1,) where each service's pairs begin in it."""
    first_below: Integers
    """(n + 1,) where each service's pairs begin among all, which stand by upper service."""


class Accepted(NamedTuple):
    """What the chains leave of the flows; (n,) shares."""

    accept: Floats
    """Probability of a free place; 1 where places are unlimited."""
    served: Floats
    """Share of the admitted that complete."""


class Flows(NamedTuple):
    """Flows by class and means that the mixture of classes gives."""

    arrivals: Floats
    """(n, R) that ask for a place."""
    external: Floats
    """(n, R) of those, from outside and by overflow."""
    admitted: Floats
    done: Floats
    """(n, R) completions."""
    route: Floats
    """(m,) jobs per T along each route."""
    scv: Floats
    """(n,) squared coefficient of variation of the service time, classes mixed by flow."""
    work: Floats
    """(n,) mean time that a pass holds a server in service and held transfers."""
    transfer: Floats
    """(n, R) mean time held by transfers after a completion."""
    pair: Floats
    """(p,) jobs per T from `upper` to `lower`."""
    chance: Floats
    """(p,) probability that a pass at `upper` ends in `lower`."""
    passes: Floats
    """(n,) probability that a pass is the last before the job leaves for elsewhere."""


def lay_out(compiled: CompiledNetwork) -> Layout:
    """Tell the routes apart by what a job does that finds no place."""
    n, classes = compiled.service_time.shape
    finite = np.isfinite(compiled.capacity) & np.isfinite(compiled.servers)
    finite &= compiled.discipline != DELAY
    first = compiled.route_start.astype(np.int64)
    origin = np.repeat(np.arange(first.size - 1), first[1:] - first[:-1])
    start, end = origin // classes, compiled.route_to.astype(np.int64) // classes
    loops = (start == end) & finite[end]
    free = (compiled.transfer_delay > 0) & ~compiled.holds_server
    waits = finite[end] & (compiled.when_full[end] == BLOCKED_AFTER_SERVICE)
    loops &= ~free
    blocks, transit = waits & ~free & ~loops, waits & free
    keys, place = np.unique(start[blocks] * n + end[blocks], return_inverse=True)
    pair = np.full(origin.size, -1)
    pair[blocks] = place.ravel()
    upper, lower = keys // n, keys % n
    arriving: Booleans = np.asarray((compiled.external_arrival_rate > 0).any(axis=1))
    arriving[compiled.overflow_to[compiled.overflow_to >= 0]] = True
    refusing = compiled.when_full != BLOCKED_AFTER_SERVICE
    refusing |= (compiled.external_when_full != WAIT_OUTSIDE) & arriving
    servers = np.where(np.isfinite(compiled.servers), compiled.servers, MOST_ROOM)
    above = np.argsort(lower, kind="stable")
    return Layout(
        finite,
        finite & refusing,
        origin,
        start,
        end,
        blocks,
        transit,
        loops,
        pair,
        upper,
        lower,
        _on_cycles(n, upper, lower),
        _downstream_first(n, upper, lower),
        np.maximum(compiled.service_time.max(axis=1), 1e-300),
        np.divide(1.0, compiled.patience).min(axis=1),
        np.isfinite(compiled.servers) & (compiled.discipline != DELAY),
        ~finite | (compiled.external_when_full == WAIT_OUTSIDE),
        np.where(finite, compiled.capacity, -1.0).astype(np.int64),
        np.subtract(compiled.capacity, compiled.servers, out=np.zeros(n), where=finite),
        np.bincount(lower, weights=servers[upper], minlength=n).astype(np.float64),
        np.flatnonzero(~loops),
        np.flatnonzero(loops),
        above,
        np.searchsorted(lower[above], np.arange(n + 1)),
        np.searchsorted(upper, np.arange(n + 1)),
    )


def _on_cycles(n: int, upper: Integers, lower: Integers) -> Booleans:
    """Tell which pairs lie on cycles."""
    if upper.size == 0:
        return np.zeros(0, dtype=np.bool_)
    graph = csr_array((np.ones(upper.size), (upper, lower)), shape=(n, n))
    component = connected_components(graph, connection="strong")[1]
    return np.asarray(component[upper] == component[lower])


def _downstream_first(n: int, upper: Integers, lower: Integers) -> Integers:
    """Return the services so that, cycles apart, each comes after those that it is blocked for."""
    after: list[list[int]] = [[] for _ in range(n)]
    for i, j in zip(upper.tolist(), lower.tolist(), strict=True):
        after[i].append(j)
    order: list[int] = []
    seen = [False] * n
    for root in range(n):
        stack = [(root, iter(after[root]))] if not seen[root] else []
        seen[root] = True
        while stack:
            service, rest = stack[-1]
            following = next((j for j in rest if not seen[j]), None)
            if following is None:
                order.append(service)
                stack.pop()
            else:
                seen[following] = True
                stack.append((following, iter(after[following])))
    return np.array(order, dtype=np.int64)


def by_state(layout: Layout, weights: Floats, shape: tuple[int, ...]) -> Floats:
    """Return sums over the routes that leave each state."""
    size = shape[0] * shape[1]
    return _sums(layout.origin, weights, size).reshape(shape)


def solve_class_flows(compiled: CompiledNetwork, layout: Layout, accepted: Accepted) -> Flows:
    """Solve the traffic equations with what refusals, impatience and saturation leave."""
    refuses = layout.finite & (compiled.when_full != BLOCKED_AFTER_SERVICE)
    back = by_state(layout, compiled.route_probability * layout.loops, compiled.service_time.shape)
    accept = np.where(refuses, accepted.accept, 1.0)
    turned = layout.finite & (compiled.external_when_full != WAIT_OUTSIDE)
    accept_outside = np.where(turned, accepted.accept, 1.0)
    external, internal = _arrivals(compiled, layout, accepted, back, accept, accept_outside)
    served = accepted.served[:, None]
    asked = internal * accept[:, None] + external * accept_outside[:, None]
    done = served * asked / (1.0 - served * (1.0 - accept[:, None]) * back)
    admitted = done / served
    route = done.ravel()[layout.origin] * compiled.route_probability
    return with_times(compiled, layout, internal + external, external, admitted, done, route)


def _arrivals(
    compiled: CompiledNetwork,
    layout: Layout,
    accepted: Accepted,
    back: Floats,
    accept: Floats,
    accept_outside: Floats,
) -> tuple[Floats, Floats]:
    """Return arrivals from outside (overflow included) and from inside.

    Who comes `back` at once, (n, R) shares, keeps his place. Overflow is linear in the arrivals:
    routes that carry it are added to the traffic equations by solving them again until nothing
    changes.
    """
    served, room = accepted.served[:, None], accept[:, None]
    keep = served * room / (1.0 - served * back * (1.0 - room))
    inside = np.maximum(accept, 1e-14)
    external = compiled.external_arrival_rate
    rounds = 200 if (compiled.overflow_to >= 0).any() else 1
    for _ in range(rounds):
        asked = external * (accept_outside / inside)[:, None]
        internal = np.maximum(
            solve_traffic(compiled, keep=keep, external=asked).arrival_rate - asked, 0.0
        )
        if rounds == 1:
            break
        done = keep * (asked + internal)
        over = overflowing(compiled, layout, accepted, external, internal, done)
        new = compiled.external_arrival_rate.copy()
        np.add.at(new, np.maximum(compiled.overflow_to, 0), over)
        change = float(np.abs(new - external).max())
        external = new
        if change <= 1e-14 * float(external.max()):
            break
    return external, internal


def overflowing(
    compiled: CompiledNetwork,
    layout: Layout,
    accepted: Accepted,
    external: Floats,
    internal: Floats,
    done: Floats,
) -> Floats:
    """Return the arrivals that each full service sends to another, by class.

    Of the `internal` ones those who come straight back keep their place.
    """
    along = done.ravel()[layout.origin] * compiled.route_probability * layout.loops
    back = np.bincount(compiled.route_to.astype(np.int64), weights=along, minlength=done.size)
    internal = np.maximum(internal - back.reshape(done.shape), 0.0)
    sent = np.where((compiled.external_when_full == OVERFLOW)[:, None], external, 0.0)
    sent = sent + np.where((compiled.when_full == OVERFLOW)[:, None], internal, 0.0)
    spills = layout.finite & (compiled.overflow_to >= 0)
    return np.asarray(sent * np.where(spills, 1.0 - accepted.accept, 0.0)[:, None])


def with_times(
    compiled: CompiledNetwork,
    layout: Layout,
    arrivals: Floats,
    external: Floats,
    admitted: Floats,
    done: Floats,
    route: Floats,
) -> Flows:
    """Return the flows with the mean times and chances of a pass."""
    shape = done.shape
    total = done.sum(axis=1, keepdims=True)
    asked = np.where(total > 0, done, np.where(compiled.service_time > 0, 1.0, 1e-300))
    mix = asked / asked.sum(axis=1, keepdims=True)
    stay = (mix * compiled.service_time).sum(axis=1)
    second = (mix * compiled.service_time**2 * (1 + compiled.service_scv)).sum(axis=1)
    scv = np.divide(second, stay**2, out=np.ones_like(stay), where=stay > 0) - 1
    hold = compiled.route_probability * compiled.holds_server * compiled.transfer_delay
    transfer = by_state(layout, hold, shape)
    loops = by_state(layout, compiled.route_probability * layout.loops, shape)
    chosen, pairs = layout.pair[layout.blocks], layout.upper.size
    weight = (mix.ravel()[layout.origin] * compiled.route_probability)[layout.blocks]
    return Flows(
        arrivals,
        external,
        admitted,
        done,
        route,
        scv,
        stay + (mix * transfer).sum(axis=1),
        transfer,
        _sums(chosen, route[layout.blocks], pairs),
        _sums(chosen, weight, pairs),
        np.maximum(1.0 - (mix * loops).sum(axis=1), 1e-12),
    )


def _sums(place: Integers, weights: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(place, weights=weights, minlength=size), dtype=np.float64)


def transit_by_class(layout: Layout, flows: Flows) -> Floats:
    """Return the flows that wait in transit for a place, by service and class of arrival."""
    lines: Floats = np.zeros_like(flows.done)
    classes = layout.origin % flows.done.shape[1]
    chosen = layout.transit
    np.add.at(lines, (layout.end[chosen], classes[chosen]), flows.route[chosen])
    return lines
