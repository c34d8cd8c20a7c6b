"""From settled chains to measures by service and class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed_flows import (
    Accepted,
    Flows,
    Layout,
    by_state,
    overflowing,
    transit_by_class,
)
from flownet.kernels.blocking_compressed_inputs import spreads
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_deadlock import all_blocked, deadlock_rate
from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    NOTHING,
    WAIT_OUTSIDE,
    Booleans,
    CompiledNetwork,
    Floats,
    Measures,
)

GROWING = 1e-9
"""A backlog that grows by less than this share of what is admitted counts as rounding."""


class Settled(NamedTuple):
    """Where the fixed point has come to rest."""

    wait: Floats
    """(p,) mean time that a job of the upper service waits for a place at the lower one."""
    found_full: Floats
    """(p,) share of those who find none."""
    crowded: Floats
    """(n,) share of completions at which all places of the own service are taken."""
    accepted: Accepted
    """The shares that the flows were solved with."""
    flows: Flows
    held: Floats
    """(n,) mean time that a server is held."""
    chains: Chain[Floats]
    """Of (n,) arrays."""
    rest: Floats = NOTHING
    """As in `Measures`."""


def to_measures(
    compiled: CompiledNetwork,
    layout: Layout,
    settled: Settled,
    standing: tuple[int, int, float],
) -> Measures:
    """Return the measures; classes share what waits by their flows."""
    flows, wait = settled.flows, settled.wait
    n, shape = compiled.servers.size, flows.done.shape
    waiting, outside, gives_up, growth = _backlogs(compiled, layout, settled)
    chains = settled.chains
    refused = flows.arrivals - flows.admitted
    internal = flows.arrivals - flows.external
    over = overflowing(compiled, layout, settled.accepted, flows.external, internal, flows.done)
    wait = wait * _possible(compiled, layout, flows, wait)
    lasting = _along(layout, wait) * compiled.route_probability
    with np.errstate(invalid="ignore", divide="ignore"):
        waiting_time = np.where(flows.done > 0, waiting / np.maximum(flows.done, 1e-300), 0.0)
    waiting_time = waiting_time * _served_part(layout, flows, chains)[:, None]
    status, sweeps, residual = standing
    return Measures(
        status=status,
        iterations=sweeps,
        residual=residual,
        arrival_rate=flows.arrivals,
        throughput=flows.done,
        loss_rate=np.maximum(refused - over, 0.0),
        overflow_rate=over,
        abandonment_rate=gives_up,
        number_waiting=waiting,
        number_in_service=flows.done * compiled.service_time,
        number_blocked=flows.done * by_state(layout, lasting, shape),
        number_held_in_transfer=flows.done * flows.transfer,
        number_outside=outside,
        waiting_time=waiting_time,
        wait_probability=np.where(layout.finite & (layout.waiting_room <= 0), 0.0, chains.waits),
        probability_full=np.where(layout.finite, 1.0 - chains.vacant, 0.0),
        blocking_probability=_found_full(layout, settled),
        arrival_scv=np.full(n, np.nan),
        departure_scv=np.full(n, np.nan),
        growth_rate=growth,
        blocked_by_from=layout.upper,
        blocked_by_to=layout.lower,
        blocked_by_number=flows.pair * wait,
        probability_all_blocked=_all_blocked(compiled, layout, settled, flows.pair * wait),
        deadlock_rate=_deadlocks(compiled, layout, settled, flows.pair * wait),
        rest=settled.rest,
    )


def _all_blocked(
    compiled: CompiledNetwork, layout: Layout, settled: Settled, number: Floats
) -> Floats:
    """Return the probability that all servers are blocked, from `number` by pair."""
    mean = np.bincount(layout.upper, number, compiled.servers.size).astype(np.float64)
    return all_blocked(mean, settled.chains.stuck_variance, compiled.servers)


def _deadlocks(
    compiled: CompiledNetwork, layout: Layout, settled: Settled, number: Floats
) -> Floats:
    """Return an estimate of the deadlocks per T, those of jobs that come back at once included."""
    meeting = settled.flows.pair * settled.found_full
    rate = deadlock_rate(
        layout.upper, layout.lower, layout.cyclic, meeting, number, compiled.servers,
        1.0 - settled.chains.vacant,
    )  # fmt: skip
    own = layout.back[compiled.when_full[layout.end[layout.back]] == BLOCKED_AFTER_SERVICE]
    place = layout.end[own]
    alone = settled.flows.route[own] * settled.crowded[place]
    return np.asarray(rate + np.bincount(place, weights=alone, minlength=rate.size))


def _served_part(layout: Layout, flows: Flows, chains: Chain[Floats]) -> Floats:
    r"""Return (n,) the wait of a job that is served over the wait of all for each that is served.

    Of those who wait, a share P by arrivals, the part s is served; were the wait that would be
    exponential, as the patience is, those served wait s/(1 - P (1 - s)) of the mean wait of all.
    """
    admitted, done = flows.admitted.sum(axis=1), flows.done.sum(axis=1)
    lose = (layout.giving_up > 0.0) & (admitted > 0.0) & (done > 0.0) & (chains.waits > 0.0)
    waits = np.where(lose, chains.waits * admitted, 1.0)
    served = np.clip(1.0 - np.where(lose, chains.gives_up, 0.0) / waits, 0.0, 1.0)
    chance = np.where(lose, chains.waits, 0.0)
    part = served / np.maximum(1.0 - chance * (1.0 - served), 1e-300)
    return np.asarray(np.where(lose, part * done / np.where(lose, admitted, 1.0), 1.0))


def room_of(compiled: CompiledNetwork, layout: Layout) -> Floats:
    """Return (n,) the places to wait in; inf where there is no limit."""
    servers = np.where(layout.finite, compiled.servers, 0.0)
    return np.asarray(np.where(layout.finite, compiled.capacity - servers, np.inf))


def steady_servers(compiled: CompiledNetwork, layout: Layout) -> Floats:
    """Return (n,) servers, inf where jobs give up: who leaves says how many wait, at any spread."""
    return np.asarray(np.where(layout.giving_up > 0.0, np.inf, compiled.servers))


def standing_lines(
    waiting: Floats,
    outside: Floats,
    longer: Floats,
    room: Floats,
    lined: Booleans,
) -> tuple[Floats, Floats]:
    r"""Return who waits inside and outside where lines are `longer` times those of the chain.

    Inside without limit, all do. Where R places are followed by a line outside (`lined`), the jobs
    in line are taken as geometric, w = L (1 - r^R): with the chance that anybody is in line as it
    is, (1 - r) L, a longer line L stands outside, and no more than R wait inside. Where there is no
    line outside, those inside are as many times as many and R at most.
    """
    split = lined & np.isfinite(room) & (outside > 0.0)
    roomy = split & (waiting > 0.0) & (room > 0.0)
    every, places = np.where(split, waiting + outside, 1.0), np.where(roomy, room, 1.0)
    beyond = np.where(roomy, outside, 1.0) / every
    with np.errstate(divide="ignore"):
        anybody = -np.expm1(np.log(beyond) / places)  # 1 - r of the chain
        through = np.exp(places * np.log1p(-np.minimum(anybody / longer, 1.0)))  # r^R when longer
    through = np.where(roomy, through, 1.0)
    alone = np.minimum(waiting * longer, room)
    inside = np.where(split, every * longer * (1.0 - through), alone)
    return inside, np.where(split, every * longer * through, 0.0)


def _backlogs(
    compiled: CompiledNetwork, layout: Layout, settled: Settled
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return who wait inside and outside, give up, and pile up, by service and class."""
    flows, chains, finite = settled.flows, settled.chains, layout.finite[:, None]
    lines = flows.external * (compiled.external_when_full == WAIT_OUTSIDE)[:, None]
    lines = lines + transit_by_class(layout, flows)
    part = [by / np.maximum(by.sum(axis=1, keepdims=True), 1e-300)
            for by in (flows.admitted, lines)]  # fmt: skip
    steady = steady_servers(compiled, layout)
    longer = spreads(chains.busy / compiled.servers, steady, flows.scv)
    line, beyond = standing_lines(
        chains.waiting, chains.outside, longer, room_of(compiled, layout), lines.sum(axis=1) > 0.0
    )
    waiting, outside = line[:, None] * part[0], beyond[:, None] * part[1]
    piling, leaves = flows.admitted - flows.done, chains.gives_up[:, None]
    grows = chains.ratio[:, None] >= 1.0
    every = np.maximum(piling.sum(axis=1, keepdims=True), np.maximum(leaves, 1e-300))
    gives_up = np.where(leaves > 0, piling * np.where(grows, leaves / every, 1.0), 0.0)
    piling = piling - gives_up
    noise = GROWING * flows.admitted.sum(axis=1, keepdims=True)
    growth = np.where(grows & (piling.sum(axis=1, keepdims=True) > noise), piling, 0.0)
    endless = growth > 0
    none = (growth != 0) & ~endless
    waiting = np.where(none & ~finite, 0.0, np.where(endless & ~finite, np.inf, waiting))
    outside = np.where(none & finite, 0.0, np.where(endless & finite, np.inf, outside))
    return waiting, outside, gives_up, growth


def _possible(compiled: CompiledNetwork, layout: Layout, flows: Flows, wait: Floats) -> Floats:
    """Return, by pair, by how much blocked times fall short so that no more than all are held.

    Where a queue grows, waits are those of streams that come to rest, and their bound is rough.
    """
    n = layout.finite.size
    blocked = np.bincount(layout.upper, weights=flows.pair * wait, minlength=n)
    working = (flows.done * (compiled.service_time + flows.transfer)).sum(axis=1)
    left = np.maximum(compiled.servers - working, 0.0)
    share: Floats = np.divide(left, blocked, out=np.ones(n), where=blocked > left)
    return share[layout.upper]


def _along(layout: Layout, values: Floats) -> Floats:
    """Return the value of its pair for every route that can block, 0 for the others."""
    return np.asarray(np.append(values, 0.0)[layout.pair])


def _found_full(layout: Layout, settled: Settled) -> Floats:
    """Return the share of each service's completions that find their destination full."""
    flows = settled.flows
    lost = layout.finite[layout.end] & ~layout.blocks & ~layout.transit & ~layout.loops
    refused = np.where(lost, 1.0 - settled.accepted.accept[layout.end], 0.0)
    back = np.where(layout.loops, settled.crowded[layout.end], 0.0)
    met = flows.route * (_along(layout, settled.found_full) + refused + back)
    by_service = np.bincount(layout.start, weights=met, minlength=flows.done.shape[0])
    done = flows.done.sum(axis=1)
    shares: Floats = np.divide(by_service, done, out=np.zeros(done.size), where=done > 0)
    return shares
