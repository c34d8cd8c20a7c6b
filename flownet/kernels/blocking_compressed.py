"""Networks with blocking, compressed: one birth-death chain a service, linear in its servers.

The chain of a service counts the jobs there and those that wait for a place there, wherever they
stand. Each of its servers is held for the mean time that a job needs, its held transfers, and its
wait for the next place; that wait comes from the chains downstream. A fixed point couples them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    DELAY,
    OVERFLOW,
    WAIT_OUTSIDE,
    Booleans,
    CompiledNetwork,
    Floats,
    Integers,
    Measures,
)
from flownet.kernels.traffic import solve_traffic

CONVERGED, UNCONVERGED, BROKEN = 0, 1, 2
DAMPING = 0.5
NEARLY_SATURATED = 1.0 - 1e-6
"""The ratio of the outside queue's geometric tail is held below this while the fixed point is
sought; whether a service is saturated is decided where it has settled."""
LONGEST_TAIL = 4000
BOOSTS = (1e-3, 1e3)
MEMORY = 6
ACCELERATED = 250
"""Sweeps after which plain damped steps take over where acceleration does not settle."""
SMALLEST = 1e-14


class _Mixing:
    """Anderson's acceleration of a fixed point, kept in check by plain damped steps.

    References
    ----------
    Anderson (1965), J. ACM 12, 547-560; Walker and Ni (2011), SIAM J. Numer. Anal. 49, 1715.
    """

    def __init__(self, size: int) -> None:
        self.points = np.zeros((0, size))
        self.errors = np.zeros((0, size))
        self.best = np.inf
        self.damping = DAMPING
        self.stalled = 0
        self.steps = 0

    def step(self, point: Floats, image: Floats, residual: float) -> Floats:
        """Return the next point, from the last one and its image."""
        error = image - point
        if residual < self.best:
            self.best, self.stalled = residual, 0
        else:
            self.stalled += 1
        if self.steps == ACCELERATED:
            self.damping, self.stalled = DAMPING, 0
        if residual > 10 * self.best or self.stalled > 40:
            self.points, self.errors = self.points[:0], self.errors[:0]
            self.damping, self.stalled = max(self.damping / 1.5, 0.02), 0
            self.best = residual
        self.points = np.vstack([self.points, point])[-MEMORY:]
        self.errors = np.vstack([self.errors, error])[-MEMORY:]
        self.steps += 1
        if len(self.points) < 2 or self.steps > ACCELERATED:
            return np.asarray(point + self.damping * error)
        moved, changed = np.diff(self.points, axis=0), np.diff(self.errors, axis=0)
        gram = changed @ changed.T
        gram += 1e-12 * np.trace(gram) * np.eye(len(gram)) + 1e-300 * np.eye(len(gram))
        weights = np.linalg.solve(gram, changed @ error)
        plain = point + self.damping * error
        return np.asarray(plain - weights @ (moved + self.damping * changed))


class Streams(NamedTuple):
    """Routes of the compiled network, told apart by what a job does that finds no place."""

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


class Chain(NamedTuple):
    """Stationary figures of one service's chain."""

    busy: float
    """Mean servers held."""
    waiting: float
    """Mean number waiting inside."""
    blocked: float
    """Mean number blocked elsewhere for a place here."""
    outside: float
    """Mean number waiting outside or in transit."""
    vacant: float
    """Probability of a free place."""
    inflow: float
    """Rate at which jobs come from services that they block, by the chain."""
    found_full: float
    """Share of those that find no place."""
    waits: float
    """Probability that an arrival finds every server held."""
    gives_up: float
    """Rate of giving up."""
    ratio: float
    """Ratio of the geometric tail (0 where there is none)."""


@njit
def _birth(
    x: int,
    places: int,
    blocking: float,
    free: float,
    lost: float,
    sources: Floats,
    share: Floats,
    load: Floats,
) -> float:
    """Return the arrival rate with x jobs here or waiting for a place here."""
    if x < places or places < 0:
        return blocking + free + lost
    total = 0.0
    inside = blocking / (blocking + free) if blocking > 0.0 else 0.0
    k = (x - places) * inside
    for a in range(sources.size):
        left = sources[a] - k * share[a]
        if load[a] > left:
            total += blocking * share[a] * max(left, 0.0) / load[a]
        else:
            total += blocking * share[a]
    return total + free


@njit
def _solve_chain(
    places: int,
    servers: int,
    held: float,
    patience_rate: float,
    blocking: float,
    free: float,
    lost: float,
    sources: Floats,
    share: Floats,
    load: Floats,
) -> Chain:
    """Return the stationary figures of one service's birth-death chain.

    `places` is -1 where unlimited; `sources` are the servers (less those blocked elsewhere) of the
    services that it can block, `share` their shares of the stream `blocking`, `load` their
    servers in use. Probabilities are built up from state 0 and scaled as they grow.
    """
    room = 0.0
    for a in range(sources.size):
        room += sources[a]
    endless = free > 0.0 or places < 0
    base = servers if places < 0 else places
    top = base + int(np.ceil(room)) + 1
    inside = blocking / (blocking + free) if blocking > 0.0 else 0.0
    if endless:
        top = base + int(min(np.ceil(room / max(inside, 1e-3)), LONGEST_TAIL)) + 1
        if patience_rate > 0.0:
            top = max(top, base + LONGEST_TAIL)
    p = np.empty(top + 1)
    p[0] = 1.0
    total = 1.0
    for x in range(1, top + 1):
        arriving = _birth(x - 1, places, blocking, free, lost, sources, share, load)
        present = x if places < 0 else min(x, places)
        leaving = min(present, servers) / held + max(present - servers, 0) * patience_rate
        p[x] = p[x - 1] * arriving / leaving
        total += p[x]
        if p[x] > 1e200:
            for y in range(x + 1):
                p[y] *= 1e-200
            total *= 1e-200
    ratio = 0.0
    if endless and patience_rate == 0.0:
        arriving = _birth(top, places, blocking, free, lost, sources, share, load)
        ratio = arriving * held / servers
    q = min(ratio, NEARLY_SATURATED)
    tail = p[top] * q / (1.0 - q)
    beyond = p[top] * q / (1.0 - q) ** 2
    total += tail

    busy, waiting, blocked, outside, vacant = 0.0, 0.0, 0.0, 0.0, 0.0
    inflow, met, arrivals, waited = 0.0, 0.0, 0.0, 0.0
    for x in range(top + 1):
        weight = p[x]
        number = weight * x
        if x == top:
            weight += tail
            number += tail * top + beyond
        present = number if places < 0 else (number if x < places else weight * places)
        busy += weight * min(x, servers)
        waiting += max(present - weight * min(x, servers), 0.0)
        rate = _birth(x, places, blocking, free, lost, sources, share, load)
        from_inside = blocking
        if places >= 0 and x >= places:
            excess = number - weight * places
            held_up = min(excess * inside, weight * room)
            blocked += held_up
            outside += excess - held_up
            from_inside = rate - free
            met += weight * from_inside
        else:
            vacant += weight
        inflow += weight * from_inside
        arrivals += weight * rate
        if x >= servers:
            waited += weight * rate
    return Chain(
        busy / total,
        waiting / total,
        blocked / total,
        outside / total,
        vacant / total,
        inflow / total,
        met / inflow if inflow > 0.0 else 0.0,
        waited / arrivals if arrivals > 0.0 else 0.0,
        patience_rate * waiting / total,
        ratio,
    )


def spread(load: Floats, servers: Floats, scv: Floats) -> Floats:
    r"""Return what the spread of service times makes of an exponential wait.

    .. math:: \frac{1 + c_s^2}{2 c_s^2 + 2 (1 - c_s^2) / (1 + g)},\quad
              g = \min\Big(0.24, \frac{(1-\rho)(c-1)(\sqrt{4+5c}-2)}{16 c \rho}\Big)

    References
    ----------
    Kimura (1986), Stochastic Models 2, 235-263: the two-moment interpolation for M/G/c.
    """
    rho = np.clip(load / servers, 1e-9, 1.0)
    with np.errstate(invalid="ignore", over="ignore"):
        g = (1 - rho) * (servers - 1) * (np.sqrt(4 + 5 * servers) - 2) / (16 * servers * rho)
    g = np.minimum(np.where(np.isfinite(g), g, 0.24), 0.24)
    scv = np.clip(scv, 0.0, 25.0)
    factor = (1 + scv) / (2 * scv + np.where(scv < 1, 2 * (1 - scv) / (1 + g), 2 * (1 - scv)))
    # for scv above 1 the interpolation's denominator is kept at that of M/M/c
    factor = np.where(scv > 1, (1 + scv) / 2, factor)
    return np.where(np.isfinite(servers), factor, 1.0)


class _State(NamedTuple):
    """What the fixed point seeks, by service."""

    wait: Floats
    """(n,) mean time that a blocked stream waits for a place here, finding one included."""
    boost: Floats
    """(n,) factor on the blocking stream that makes its inflow that of the flows."""
    accept: Floats
    """(n,) probability of a free place; 1 where places are unlimited."""
    served: Floats
    """(n,) share of the admitted that complete."""


def _streams(compiled: CompiledNetwork, finite: Booleans) -> Streams:
    classes = compiled.service_time.shape[1]
    counts = np.diff(compiled.route_start.astype(np.int64))
    origin = np.repeat(np.arange(counts.size), counts)
    start, end = origin // classes, compiled.route_to.astype(np.int64) // classes
    loops = start == end
    free = (compiled.transfer_delay > 0) & ~compiled.holds_server
    waits = finite[end] & (compiled.when_full[end] == BLOCKED_AFTER_SERVICE) & ~loops
    return Streams(origin, start, end, waits & ~free, waits & free, loops)


def solve_compressed(
    compiled: CompiledNetwork, *, tolerance: float = 1e-9, max_sweeps: int = 3000
) -> Measures:
    r"""Solve a network with blocking by one birth-death chain a service.

    .. math:: S_i = s_i + t_i + \sum_j p_{ij} W_j,\qquad W_j = \frac{E[\text{blocked for } j]}{F_j}

    Parameters
    ----------
    compiled : CompiledNetwork
        Whole servers and places; first come, first served.
    tolerance : float
        Largest relative change of waits, acceptance and flows in a sweep at which it stops.
    max_sweeps : int
        Sweeps at most.

    Returns
    -------
    Measures

    Notes
    -----
    Every server of i is held for a mean time S: service s, held transfers t, and the waits W for
    places downstream, as if exponential and independent of the state. Arrivals to j go on while
    it is full, as far as the services upstream still have servers that are not blocked. Jobs
    blocked for a place and jobs waiting outside for it share one list. The spread of service
    times scales all that waits as in M/G/c (Kimura). Cost of a sweep: linear in servers and
    places. Where a service without limit of waiting saturates, its backlog grows, and services
    that block for it come to rest.

    References
    ----------
    Koizumi, Kuno, Smith (2005), Health Care Manag. Sci. 8:49 (service lengthened by blocking);
    Bretthauer, Heese, Pun, Coe (2011), Prod. Oper. Manag. 20:439.
    """
    finite = np.isfinite(compiled.capacity) & np.isfinite(compiled.servers)
    finite &= compiled.discipline != DELAY
    streams = _streams(compiled, finite)
    n = compiled.servers.size
    state = _State(np.zeros(n), np.ones(n), np.ones(n), np.ones(n))
    mixing = _Mixing(4 * n)
    residual, sweeps = np.inf, 0
    while residual > tolerance and sweeps < max_sweeps:
        flows = _flows(compiled, streams, finite, state)
        chains = _chains(compiled, streams, finite, state, flows)
        new = _next_state(compiled, streams, finite, state, flows, chains)
        residual = _change(state, new)
        state = _unpacked(
            mixing.step(_packed(state, flows.held), _packed(new, flows.held), residual), flows.held
        )
        sweeps += 1
    if not np.isfinite(residual):
        status = BROKEN
    else:
        status = CONVERGED if residual <= tolerance else UNCONVERGED
    flows = _flows(compiled, streams, finite, state)
    chains = _chains(compiled, streams, finite, state, flows)
    return _measures(compiled, streams, finite, state, flows, chains, (status, sweeps, residual))


def _packed(state: _State, held: Floats) -> Floats:
    """Return the state as one vector in which steps of like size mean alike: waits, logarithms."""
    rest = [np.log(np.maximum(part, SMALLEST)) for part in state[1:]]
    return np.concatenate([state.wait / np.maximum(held, SMALLEST), *rest])


def _unpacked(vector: Floats, held: Floats) -> _State:
    wait, boost, accept, served = np.split(vector, 4)
    return _State(
        np.maximum(wait, 0.0) * np.maximum(held, SMALLEST),
        np.clip(np.exp(np.clip(boost, -10, 10)), *BOOSTS),
        np.exp(np.clip(accept, np.log(SMALLEST), 0.0)),
        np.exp(np.clip(served, np.log(SMALLEST), 0.0)),
    )


def _change(old: _State, new: _State) -> float:
    worst = 0.0
    size = float(old.wait.max() + new.wait.max())
    for a, b in zip(old, new, strict=True):
        scale = np.maximum(np.maximum(a, b), 1e-6 * size if a is old.wait else SMALLEST)
        scale = np.maximum(scale, SMALLEST)
        worst = max(worst, float((np.abs(a - b) / scale).max()))
    return worst


class _Flows(NamedTuple):
    """Flows by class and their sums by service."""

    arrivals: Floats
    """(n, R) that ask for a place."""
    admitted: Floats
    done: Floats
    """(n, R) completions."""
    route: Floats
    """(m,) jobs per T along each route."""
    stay: Floats
    """(n,) mean service time, classes mixed by flow."""
    scv: Floats
    """(n,) its squared coefficient of variation."""
    held: Floats
    """(n,) mean time for which a pass holds a server, up to leaving for elsewhere."""
    transfer: Floats
    """(n, R) mean time held by transfers after a completion."""
    blocked: Floats
    """(n, R) mean time blocked after a completion."""
    external: Floats
    """(n, R) arrivals from outside, overflow from elsewhere included."""


def _by_state(streams: Streams, weights: Floats, shape: tuple[int, ...]) -> Floats:
    size = shape[0] * shape[1]
    return np.bincount(streams.origin, weights=weights, minlength=size).reshape(shape)


def _flows(
    compiled: CompiledNetwork, streams: Streams, finite: Booleans, state: _State
) -> _Flows:
    """Solve the traffic equations with what refusals, impatience and saturation leave."""
    shape = compiled.service_time.shape
    refuses = finite & (compiled.when_full != BLOCKED_AFTER_SERVICE)
    accept = np.where(refuses, state.accept, 1.0)
    turned = finite & (compiled.external_when_full != WAIT_OUTSIDE)
    accept_outside = np.where(turned, state.accept, 1.0)
    external = compiled.external_arrival_rate.copy()
    inside = np.maximum(accept, 1e-12)[:, None]
    keep = np.broadcast_to((accept * state.served)[:, None], shape)
    for _ in range(2 if (compiled.overflow_to >= 0).any() else 1):
        asked = external * (accept_outside / inside[:, 0])[:, None]
        scaled = solve_traffic(compiled, keep=keep, external=asked).arrival_rate
        internal = np.maximum(scaled - asked, 0.0)
        external = compiled.external_arrival_rate + _overflow(
            compiled, finite, state, external, internal
        )
    admitted = internal * accept[:, None] + external * accept_outside[:, None]
    done = admitted * state.served[:, None]
    route = done.ravel()[streams.origin] * compiled.route_probability
    weight = np.where(done > 0, done, 1e-300)
    mix = weight / weight.sum(axis=1, keepdims=True)
    stay = (mix * compiled.service_time).sum(axis=1)
    second = (mix * compiled.service_time**2 * (1 + compiled.service_scv)).sum(axis=1)
    scv = np.divide(second, stay**2, out=np.ones_like(stay), where=stay > 0) - 1
    hold = compiled.route_probability * compiled.holds_server * compiled.transfer_delay
    transfer = _by_state(streams, hold, shape)
    wait = np.where(streams.blocks, state.wait[streams.end], 0.0) * compiled.route_probability
    blocked = _by_state(streams, wait, shape)
    loops = _by_state(streams, compiled.route_probability * streams.loops, shape)
    passes = 1.0 - (mix * loops).sum(axis=1)
    held = (stay + (mix * (transfer + blocked)).sum(axis=1)) / np.maximum(passes, 1e-12)
    return _Flows(
        internal + external, admitted, done, route, stay, scv, held, transfer, blocked, external
    )


def _overflow(
    compiled: CompiledNetwork, finite: Booleans, state: _State, external: Floats, internal: Floats
) -> Floats:
    """Return the arrivals that overflow brings to each service, by class."""
    more = np.zeros_like(external)
    sent = np.where((compiled.external_when_full == OVERFLOW)[:, None], external, 0.0)
    sent = sent + np.where((compiled.when_full == OVERFLOW)[:, None], internal, 0.0)
    sent *= np.where(finite & (compiled.overflow_to >= 0), 1.0 - state.accept, 0.0)[:, None]
    np.add.at(more, np.maximum(compiled.overflow_to, 0), sent)
    return more


def _chains(
    compiled: CompiledNetwork,
    streams: Streams,
    finite: Booleans,
    state: _State,
    flows: _Flows,
) -> list[Chain | None]:
    """Solve the chain of every service with finitely many servers that anybody comes to."""
    n = compiled.servers.size
    order = np.argsort(streams.end, kind="stable")
    first = np.searchsorted(streams.end[order], np.arange(n + 1))
    busy = flows.done.sum(axis=1) * flows.stay + (flows.done * flows.transfer).sum(axis=1)
    blocked_all = (flows.done * flows.blocked).sum(axis=1)
    giving_up = np.divide(1.0, compiled.patience).min(axis=1)
    chains: list[Chain | None] = []
    for j in range(n):
        if np.isinf(compiled.servers[j]) or compiled.discipline[j] == DELAY:
            chains.append(None)
            continue
        mine = order[first[j] : first[j + 1]]
        mine = mine[~streams.loops[mine]]
        block = mine[streams.blocks[mine]]
        blocking = float(flows.route[block].sum())
        open_routes = float(flows.route[mine].sum()) - blocking
        outside = float(flows.external[j].sum())
        transit = float(flows.route[mine[streams.transit[mine]]].sum())
        waits = compiled.external_when_full[j] == WAIT_OUTSIDE or not finite[j]
        free = transit + (outside if waits else 0.0) + (0.0 if finite[j] else open_routes)
        refused = (0.0 if waits else outside) + (open_routes - transit if finite[j] else 0.0)
        sources, share, load = _sources(compiled, streams, flows, block, state.wait[j], busy, blocked_all)
        chains.append(
            _solve_chain(
                int(compiled.capacity[j]) if finite[j] else -1,
                int(compiled.servers[j]),
                float(flows.held[j]),
                float(giving_up[j]),
                blocking * float(state.boost[j]),
                free,
                refused,
                sources,
                share,
                load,
            )
        )
    return chains


def _sources(
    compiled: CompiledNetwork,
    streams: Streams,
    flows: _Flows,
    block: Integers,
    wait: float,
    busy: Floats,
    blocked_all: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Return servers, shares and load of the services that a service can block."""
    if block.size == 0:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    start, place = np.unique(streams.start[block], return_inverse=True)
    flow = np.bincount(place, weights=flows.route[block])
    total = flow.sum()
    share = flow / total if total > 0 else np.full(flow.size, 1.0 / flow.size)
    servers = np.where(np.isfinite(compiled.servers[start]), compiled.servers[start], 1e6)
    servers = np.minimum(servers, 1e6)
    elsewhere = np.maximum(blocked_all[start] - flow * wait, 0.0)
    return np.maximum(servers - elsewhere, 0.0), share, busy[start]


def _next_state(
    compiled: CompiledNetwork,
    streams: Streams,
    finite: Booleans,
    state: _State,
    flows: _Flows,
    chains: list[Chain | None],
) -> _State:
    """Return what the chains say of waits, acceptance and completion."""
    n = compiled.servers.size
    wait, boost = np.zeros(n), np.ones(n)
    accept, served = np.ones(n), np.ones(n)
    load = flows.done.sum(axis=1) * flows.held
    factor = spread(load, compiled.servers, flows.scv)
    inflow = np.bincount(
        streams.end, weights=np.where(streams.blocks, flows.route, 0.0), minlength=n
    )
    for j, chain in enumerate(chains):
        if chain is None:
            continue
        accept[j] = chain.vacant if finite[j] else 1.0
        if inflow[j] > 0:
            wait[j] = factor[j] * chain.blocked / inflow[j]
            by_chain = chain.inflow / state.boost[j] if state.boost[j] > 0 else inflow[j]
            boost[j] = np.clip(inflow[j] / max(by_chain, 1e-12 * inflow[j]), *BOOSTS)
        admitted = float(flows.admitted[j].sum())
        loops = flows.route[streams.loops & (streams.start == j)].sum()
        through = float(compiled.servers[j]) / flows.held[j] if flows.held[j] > 0 else np.inf
        if chain.gives_up > 0:
            served[j] = np.clip(1.0 - chain.gives_up / max(admitted - loops, 1e-300), 0.0, 1.0)
        elif chain.ratio >= 1.0 and admitted > loops:
            served[j] = min(1.0, through / (admitted - loops))
    return _State(wait, boost, accept, served)


def _measures(
    compiled: CompiledNetwork,
    streams: Streams,
    finite: Booleans,
    state: _State,
    flows: _Flows,
    chains: list[Chain | None],
    standing: tuple[int, int, float],
) -> Measures:
    """Return the measures by service and class; classes share what waits by their flows."""
    n, classes = compiled.service_time.shape
    load = flows.done.sum(axis=1) * flows.held
    factor = spread(load, compiled.servers, flows.scv)
    zero = np.zeros((n, classes))
    waiting, outside, gives_up = zero.copy(), zero.copy(), zero.copy()
    growth, waits, full = zero.copy(), np.zeros(n), np.zeros(n)
    found = np.zeros(n)
    entering = flows.admitted / np.maximum(flows.admitted.sum(axis=1, keepdims=True), 1e-300)
    lines = flows.external * (compiled.external_when_full == WAIT_OUTSIDE)[:, None]
    lines = lines + _transit_by_class(streams, flows, (n, classes))
    asking = np.maximum(lines.sum(axis=1, keepdims=True), 1e-300)
    for j, chain in enumerate(chains):
        if chain is None:
            continue
        full[j], waits[j], found[j] = (1.0 - chain.vacant if finite[j] else 0.0), chain.waits, chain.found_full
        gives_up[j] = chain.gives_up * entering[j]
        waiting[j] = factor[j] * chain.waiting * entering[j]
        outside[j] = factor[j] * chain.outside * lines[j] / asking[j]
        grows = flows.admitted[j].sum() - flows.done[j].sum() - chain.gives_up
        if chain.ratio >= 1.0 and grows > 1e-9 * flows.admitted[j].sum():
            growth[j] = flows.admitted[j] - flows.done[j]
            (outside if finite[j] else waiting)[j] = np.where(flows.admitted[j] > 0, np.inf, 0.0)
    refused = flows.arrivals - flows.admitted
    over = _share_of_overflow(compiled, finite, state, flows)
    in_service = flows.done * compiled.service_time
    number_blocked = flows.done * flows.blocked
    with np.errstate(invalid="ignore", divide="ignore"):
        waiting_time = np.where(flows.done > 0, waiting / np.maximum(flows.done, 1e-300), 0.0)
    pair, where = np.unique(
        streams.start[streams.blocks] * n + streams.end[streams.blocks], return_inverse=True
    )
    number = (flows.route * state.wait[streams.end])[streams.blocks]
    by_pair = np.bincount(where.ravel(), weights=number, minlength=pair.size)
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
        number_in_service=in_service,
        number_blocked=number_blocked,
        number_held_in_transfer=flows.done * flows.transfer,
        number_outside=outside,
        waiting_time=waiting_time,
        wait_probability=waits,
        probability_full=full,
        blocking_probability=_found_full(streams, flows, found, n),
        arrival_scv=np.full(n, np.nan),
        departure_scv=np.full(n, np.nan),
        growth_rate=growth,
        blocked_by_from=pair // n,
        blocked_by_to=pair % n,
        blocked_by_number=by_pair,
    )


def _transit_by_class(streams: Streams, flows: _Flows, shape: tuple[int, int]) -> Floats:
    """Return the flows that wait in transit for a place, by service and class of arrival."""
    lines = np.zeros(shape)
    classes = streams.origin % shape[1]
    chosen = streams.transit
    np.add.at(lines, (streams.end[chosen], classes[chosen]), flows.route[chosen])
    return lines


def _share_of_overflow(
    compiled: CompiledNetwork, finite: Booleans, state: _State, flows: _Flows
) -> Floats:
    internal = flows.arrivals - flows.external
    over = np.where((compiled.external_when_full == OVERFLOW)[:, None], flows.external, 0.0)
    over = over + np.where((compiled.when_full == OVERFLOW)[:, None], internal, 0.0)
    return np.asarray(over * np.where(finite, 1.0 - state.accept, 0.0)[:, None])


def _found_full(streams: Streams, flows: _Flows, found: Floats, n: int) -> Floats:
    """Return the share of each service's completions that find their destination full."""
    met = np.where(streams.blocks, flows.route * found[streams.end], 0.0)
    by_service = np.bincount(streams.start, weights=met, minlength=n)
    done = flows.done.sum(axis=1)
    return np.divide(by_service, done, out=np.zeros(n), where=done > 0)
