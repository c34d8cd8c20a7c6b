"""How variable arrivals are over every time scale: indices of dispersion and robust queueing."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from flownet.jit import njit
from flownet.kernels.compiled import Booleans, CompiledNetwork, Floats, Indices, Integers
from flownet.kernels.decomposition_feedback import Variability, covariances, meets_again
from flownet.kernels.decomposition_flows import Flows
from flownet.kernels.decomposition_passing import (
    LEAST_LOAD,
    departure_weights,
    renewal_share,
)
from flownet.kernels.decomposition_stations import INFINITE, QUEUE, RANKED, SHARED, Stations
from flownet.kernels.decomposition_streams import Streams
from flownet.kernels.traffic import solve_flows
from flownet.kernels.traffic_solvers import route_sources, strong_components

PER_DECADE = 7
LARGEST_GRID = 90
MANY_VALUES = 400_000  # services times points: beyond, the grid gets coarser, to 16 points
FEWEST_POINTS = 16
MANY_SERVICES = 5_000  # with more, the carrying stops at a change that no digit shown depends on
SWEEPS = 300
TOLERANCE, LOOSE_TOLERANCE = 1e-9, 2e-5
ROUNDING = 1e-12  # a smaller excess is that of Poisson arrivals
GOLDEN = 0.6180339887498949
SHRINKINGS = 28  # of the interval, to 1e-6 of it: the workload is flat there to 1e-12


class Robust(NamedTuple):
    """What robust queueing says of the arrivals at each service."""

    excess: Floats
    """(n,) constant index of dispersion, minus one, that gives the same mean workload."""
    settled: Floats
    """(n,) in [0, 1]: how far the services before have no say at the time scale of this one."""
    returning: Booleans
    """(n,) whether jobs come back, and that is known in full."""


def robust_arrivals(
    compiled: CompiledNetwork,
    stations: Stations,
    streams: Streams,
    flows: Flows,
    overflow: Floats,
) -> Robust:
    r"""Find what robust queueing says of the arrivals at each service.

    The index of dispersion of the arrivals, I(t) = Var N(t) / E N(t), is carried through the
    network; the mean workload is

    .. math:: Z = \tau \sup_x \{ -(1-\rho)x/\rho + \sqrt{2x(I(x/\lambda)+c_s^2)} \}

    Parameters
    ----------
    compiled, stations, streams, flows
        The network, its streams and its flows.
    overflow : array (o,)
        Excess over one of each overflow stream in the long run.

    Returns
    -------
    Robust
        The constant I that would give the same Z, and how far to trust it.

    Notes
    -----
    Departures: I_d(t) = w(t) I_a(t) + (1 - w(t)) I_s(t), where w = w*((1-rho)^2 lambda t / (rho x))
    and x is the geometric mean of I_a(t) + c_s^2 and of its limit (ours: the limit alone makes w
    too slow where arrivals are bursty on long scales only). Several servers enter as one fast
    server in w and in the supremum. The law of every renewal process is taken by two moments:
    balanced hyperexponential above scv 1, gamma below. All is found at seven times a decade, with
    cubics between (waits within 1e-4 of those at many more; 1e-2 where covariances count, which are
    found at every second), in large networks at 16 times in all (within 1e-3 on average, 1e-2 at
    worst). The streams that come together are taken
    as independent, and corrected where ways part and meet again, or lead back, in networks of up
    to 300 pairs of service and class (see `decomposition_feedback`).

    References
    ----------
    Whitt and You 2018a, 2018b, 2022.
    """
    n = streams.rate.size
    external = (streams.outside_part * (compiled.arrival_scv - 1.0)).sum(axis=1)
    spilled = np.zeros(n)
    np.add.at(spilled, streams.overflow_to, streams.overflow_part * overflow)
    quiet = (stations.kind == INFINITE) | (stations.kind == SHARED)
    own = np.where(quiet, 0.0, streams.scv - 1.0)
    if not (external.any() or spilled.any() or own[streams.load_ratio > 0.0].any()):
        return Robust(np.zeros(n), np.ones(n), np.zeros(n, dtype=bool))
    link = streams.part * streams.share
    row = route_sources(streams.start)
    kept = np.where(streams.load_ratio < 1.0, streams.admitted, 0.0)
    right = external + spilled
    right += np.bincount(streams.to, link * np.where(kept > 0.0, 0.0, own)[row], n)
    _, _, _, limit = solve_flows(streams.start, streams.to, link * kept[row], right)
    queues = (stations.kind == QUEUE) | (stations.kind == SHARED) | (stations.kind == RANKED)
    times = _time_grid(streams, queues, float(np.max(compiled.arrival_scv, initial=1.0)))
    excess = _start_dispersion(
        compiled.external_arrival_rate, compiled.arrival_scv, streams.outside_part, spilled, times
    )
    entering = _Entering(*_transpose(streams, n), kept, own, limit)
    every = np.ones(n, dtype=np.int64)
    component = strong_components(streams.start, streams.to, every)
    order = np.argsort(-component, kind="stable")
    settled = np.ones_like(excess)
    _carry(streams.rate, streams.load_ratio, streams.time, entering, times, order, excess, settled)
    returning = np.zeros(n, dtype=bool)
    if meets_again(compiled, streams, component):
        returning = np.bincount(component)[component] > 1
        variable = Variability(own, limit, spilled)
        excess += covariances(compiled, stations, streams, flows, variable, times, excess)
    worst = _supremum(streams.rate, streams.load_ratio, streams.scv, times, excess, settled)
    return Robust(*worst, returning)


class _Entering(NamedTuple):
    """The streams by the service that they enter, and what the carrying needs of each service."""

    start: Indices
    origin: Indices
    share: Floats
    part: Floats
    kept: Floats
    own: Floats
    limit: Floats


def _transpose(streams: Streams, n: int) -> tuple[Indices, Indices, Floats, Floats]:
    """Return the streams in compressed columns."""
    place = csr_array(
        (np.arange(streams.to.size), streams.to.astype(np.int64), streams.start.astype(np.int64)),
        shape=(n, n),
    ).tocsc()
    at = place.data
    start, origin = place.indptr.astype(np.uint32), place.indices.astype(np.uint32)
    return start, origin, streams.share[at], streams.part[at]


def _time_grid(streams: Streams, queues: Booleans, largest: float) -> Floats:
    """Return times, evenly spaced in their logarithm, over all scales that matter to a queue."""
    active = queues & (streams.load_ratio > LEAST_LOAD) & (streams.load_ratio < 1.0)
    if not active.any():
        return np.ones(1)
    slope = (1.0 - streams.load_ratio[active]) / streams.load_ratio[active]
    scale = 0.5 / slope**2 / streams.rate[active]
    low = 0.1 * float((scale * (0.2 + streams.scv[active])).min())
    high = 3.0 * float((scale * (max(largest, 1.0) + streams.scv[active])).max())
    decades = np.log10(high / low)
    most = min(LARGEST_GRID, max(FEWEST_POINTS, MANY_VALUES // streams.rate.size))
    points = min(most, int(np.ceil(PER_DECADE * decades - 1e-9)) + 1)
    return np.geomspace(low, high, points)


@njit
def _start_dispersion(
    external: Floats, scv: Floats, part: Floats, spilled: Floats, times: Floats
) -> Floats:
    """Return, per service and time, what arrivals from outside and overflow contribute."""
    excess = np.zeros((spilled.size, times.size))
    for i in range(spilled.size):
        for m in range(times.size):
            excess[i, m] = spilled[i]
            for k in range(external.shape[1]):
                if scv[i, k] != 1.0 and external[i, k] > 0.0:
                    rise = renewal_share(scv[i, k], external[i, k], times[m])
                    excess[i, m] += part[i, k] * (scv[i, k] - 1.0) * rise
    return excess


@njit
def _carry(
    rate: Floats,
    load_ratio: Floats,
    time: Floats,
    entering: _Entering,
    times: Floats,
    order: Integers,
    excess: Floats,
    settled: Floats,
) -> None:
    """Carry dispersion along the streams, service after service, until nothing changes.

    `excess` holds what comes from outside on entry, the whole afterwards. One sweep suffices
    where no stream leads back; elsewhere the first takes those that do as settled and Poisson.
    A service whose arrivals do not change any more is left alone, and so is one that hears from no
    service that has changed since.
    """
    tolerance = TOLERANCE if rate.size <= MANY_SERVICES else LOOSE_TOLERANCE
    count = times.size
    outside = excess.copy()
    leaving = np.zeros((rate.size, 2 * count))  # the excess, and one less what has settled
    position = np.empty(order.size, dtype=np.int64)
    for place in range(order.size):
        position[order[place]] = place
    changed = np.zeros(rate.size, dtype=np.int64)  # the sweep in which a service last did
    served = _service_dispersion(time, entering, times)
    new = np.empty(2 * count)
    before = 0.0
    for sweep in range(SWEEPS):
        change = 0.0
        back = False
        for i in order:
            heard = sweep == 0
            for e in range(entering.start[i], entering.start[i + 1]):
                j = entering.origin[e]
                back = back or position[j] >= position[i]
                heard = heard or changed[j] >= sweep - 1
            if not heard:
                continue
            new[:count] = outside[i]
            new[count:] = 0.0
            for e in range(entering.start[i], entering.start[i + 1]):
                link = entering.part[e] * entering.share[e]
                brought = leaving[entering.origin[e]]
                for m in range(new.size):
                    new[m] += link * brought[m]
            moved = 0.0
            for m in range(count):
                turned = abs(new[count + m] - 1.0 + settled[i, m])
                moved = max(moved, abs(new[m] - excess[i, m]), turned)
            change = max(change, moved)
            if sweep > 0 and moved <= 0.1 * tolerance:
                continue
            changed[i] = sweep
            for m in range(count):
                excess[i, m] = new[m]
                settled[i, m] = 1.0 - new[count + m]
            _depart(rate, load_ratio, served, entering, i, times, new, leaving[i])
        left = change  # to go, as changes fall geometrically once the first sweeps are past
        if sweep > 1 and change < before:
            left = change * change / (before - change)
        before = change
        if not back or (sweep > 0 and left <= tolerance):
            break


@njit
def _service_dispersion(time: Floats, entering: _Entering, times: Floats) -> Floats:
    """Return, per service and time, the excess dispersion of a server that is never idle."""
    served = np.zeros((time.size, times.size))
    for i in range(time.size):
        own = entering.own[i]
        if own != 0.0 and time[i] > 0.0:
            for m in range(times.size):
                served[i, m] = own * renewal_share(own + 1.0, 1.0 / time[i], times[m])
    return served


@njit
def _depart(
    rate: Floats,
    load_ratio: Floats,
    served: Floats,
    entering: _Entering,
    i: int,
    times: Floats,
    arriving: Floats,
    leaving: Floats,
) -> None:
    """Fill what leaves service i, of what arrives there: excess, and one less what has settled."""
    busy, own, kept, count = load_ratio[i], entering.own[i], entering.kept[i], times.size
    if busy <= 0.0:
        leaving[:count] = kept * arriving[:count]
        leaving[count:] = arriving[count:]
        return
    weight = leaving[count:]
    departure_weights(rate[i], busy, times, arriving[:count], own, entering.limit[i], weight)
    for m in range(count):
        w = weight[m]
        leaving[m] = w * kept * arriving[m] + (1.0 - w) * served[i, m]
        weight[m] = 1.0 - w * (1.0 - arriving[count + m])


@njit
def _supremum(
    rate: Floats,
    load_ratio: Floats,
    service_scv: Floats,
    times: Floats,
    excess: Floats,
    settled: Floats,
) -> tuple[Floats, Floats]:
    """Return, per service, the constant excess that gives the robust workload, and `settled`."""
    result = np.zeros(rate.size)
    calm = np.ones(rate.size)
    logs = np.log(times)
    for i in range(rate.size):
        if not LEAST_LOAD < load_ratio[i] < 1.0:
            continue
        slope = (1.0 - load_ratio[i]) / load_ratio[i]
        base = 1.0 + service_scv[i]
        shift = math.log(rate[i])
        best, at = -np.inf, 0
        for m in range(times.size):
            value = _workload(logs[m] + shift, excess[i, m], slope, base)
            if value > best:
                best, at = value, m
        low, high = logs[max(at - 1, 0)], logs[min(at + 1, times.size - 1)]
        inner = high - GOLDEN * (high - low)
        outer = low + GOLDEN * (high - low)
        first = _workload(inner + shift, _read(logs, excess[i], inner), slope, base)
        second = _workload(outer + shift, _read(logs, excess[i], outer), slope, base)
        for _ in range(SHRINKINGS):
            if first > second:
                high, outer, second = outer, inner, first
                inner = high - GOLDEN * (high - low)
                first = _workload(inner + shift, _read(logs, excess[i], inner), slope, base)
            else:
                low, inner, first = inner, outer, second
                outer = low + GOLDEN * (high - low)
                second = _workload(outer + shift, _read(logs, excess[i], outer), slope, base)
        best = max(best, first, second)
        result[i] = max(2.0 * slope * best, 0.0) - base
        if abs(result[i]) < ROUNDING * base:
            result[i] = 0.0
        calm[i] = _read(logs, settled[i], 0.5 * (low + high))
    return result, calm


@njit
def _workload(log_arrivals: float, excess: float, slope: float, base: float) -> float:
    """Return the robust workload, in service times, at one number of arrivals."""
    x = math.exp(log_arrivals)
    return -slope * x + math.sqrt(2.0 * x * max(base + excess, 0.0))


@njit
def _read(logs: Floats, values: Floats, at: float) -> float:
    """Interpolate on the grid of times, evenly spaced in the logarithm: a cubic through four."""
    last = logs.size - 1
    if last < 3:
        first: float = values[0]
        return first
    place = (at - logs[0]) / (logs[1] - logs[0])
    place = min(max(place, 0.0), float(last))
    left = min(max(int(place) - 1, 0), last - 3)
    x = place - left
    outer = (x - 1.0) * (x - 2.0)
    inner = x * (x - 3.0)
    between: float = (
        -outer * (x - 3.0) / 6.0 * values[left]
        + inner * (x - 2.0) / 2.0 * values[left + 1]
        - inner * (x - 1.0) / 2.0 * values[left + 2]
        + outer * x / 6.0 * values[left + 3]
    )
    return between
