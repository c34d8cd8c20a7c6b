"""How variable arrivals are, by one number each: the linear equations of QNA."""

from __future__ import annotations

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.kernels.decomposition_flows import Flows
from flownet.kernels.decomposition_peaks import overflow_peak, overflow_transform
from flownet.kernels.decomposition_stations import (
    INFINITE,
    LIMITED,
    SHARED,
    Stations,
)
from flownet.kernels.decomposition_streams import Streams
from flownet.kernels.traffic import solve_flows
from flownet.kernels.traffic_solvers import route_sources

LEAST_SERVICE_SCV = 0.2
LEAST_PEAK = 0.1


def arrival_excess(
    compiled: CompiledNetwork, stations: Stations, streams: Streams, overflow: Floats
) -> tuple[Floats, Floats]:
    r"""Solve QNA's equations for the scv of arrivals and of departures, both minus one.

    .. math:: y_j = w_j [ \sum_k p_{0jk}(c^2_{0jk}-1) + \sum_i p_{ij} q_{ij} d_i ], \quad
              d_i = (1-\rho_i^2) y_i + \rho_i^2 (\max(c^2_{si}, 0.2)-1)/\sqrt{c_i}

    Written in excesses over one, which vanish where everything is exponential.

    Parameters
    ----------
    compiled, stations, streams
        The network and its streams.
    overflow : array (o,)
        Excess of each overflow stream.

    References
    ----------
    Whitt 1983, equations (24) to (45).
    """
    passing, own = _through(stations, streams)
    weight = _superposition(streams)
    row = route_sources(streams.start)
    link = weight[streams.to] * streams.part * streams.share
    right = weight * (streams.outside_part * (compiled.arrival_scv - 1.0)).sum(axis=1)
    right += np.bincount(streams.to, link * own[row], right.size)
    right += weight * np.bincount(streams.overflow_to, streams.overflow_part * overflow, right.size)
    excess = np.zeros_like(right)
    if right.any():
        _, _, _, excess = solve_flows(streams.start, streams.to, link * passing[row], right)
        excess = np.maximum(excess, -1.0)
    return excess, passing * excess + own


def _through(stations: Stations, streams: Streams) -> tuple[Floats, Floats]:
    """Return what a service keeps of its arrivals' excess, and what its own service adds."""
    square = streams.load_ratio**2
    passing = streams.admitted * (1.0 - square)
    own = square * (np.maximum(streams.scv, LEAST_SERVICE_SCV) - 1.0) / np.sqrt(streams.servers)
    quiet = (stations.kind == INFINITE) | (stations.kind == SHARED)
    return passing, np.where(quiet, 0.0, own)


def _superposition(streams: Streams) -> Floats:
    """Return Whitt's weight w of the superposed streams against Poisson."""
    squares = (streams.outside_part**2).sum(axis=1)
    squares += np.bincount(streams.to, streams.part**2, squares.size)
    squares += np.bincount(streams.overflow_to, streams.overflow_part**2, squares.size)
    effective = np.divide(1.0, squares, out=np.ones_like(squares), where=squares > 0.0)
    idle = 1.0 - streams.load_ratio
    weight: Floats = 1.0 / (1.0 + 4.0 * idle**2 * np.maximum(effective - 1.0, 0.0))
    return weight


def overflow_excess(stations: Stations, streams: Streams, flows: Flows, peak: Floats) -> Floats:
    """Return the excess over one of the scv of every overflow stream.

    Without a waiting room, from the peakedness of the overflow, z = 1 - m + a/(c + 1 + m - a) for
    the mean m of the overflow in erlang (Wilkinson's equivalent random method; Fredericks' scaling
    for smooth arrivals), as 2 (z - 1). With one, from the times between overflows of M/M/c/K.
    """
    services = route_sources(streams.overflow_start)
    result = np.zeros(services.size)
    for position, i in enumerate(services):
        rate = float(flows.arrival[i].sum())
        time = float((flows.arrival[i] * stations.hold[i]).sum()) / rate
        servers, capacity = float(stations.servers[i]), float(stations.capacity[i])
        if capacity > servers:
            result[position] = _overflow_scv(rate, time, servers, capacity) - 1.0
            continue
        mean = time * float(flows.refused[i].sum())
        result[position] = 2.0 * (overflow_peak(rate * time, servers, mean, float(peak[i])) - 1.0)
    return result


def arriving_peaks(
    stations: Stations, streams: Streams, flows: Flows, peak: Floats, excess: Floats, over: Floats
) -> Floats:
    """Return the peakedness of the arrivals at services that lose; 1 elsewhere.

    Variances of overflow streams add up, each at the time scale of the service that it comes to.
    Of all other streams the peakedness is 1 + (scv - 1)/2.

    Parameters
    ----------
    stations, streams, flows
        The network.
    peak : array (n,)
        The peakedness with which the flows were found.
    excess, over : array (n,), array (o,)
        Excess over one of the scv of all arrivals, and of each overflow stream.

    References
    ----------
    Wilkinson 1956; Eckberg 1983 (peakedness of a renewal stream), z = 1/(1 - f(mu)) - rate/mu.
    """
    losing = (stations.kind == LIMITED) & (stations.capacity <= stations.servers)
    part, to = streams.overflow_part, streams.overflow_to
    others = excess - _superposition(streams) * np.bincount(to, part * over, excess.size)
    own = np.zeros(part.size)
    for position, i in enumerate(route_sources(streams.overflow_start)):
        if losing[to[position]]:
            scale = float(streams.time[to[position]])
            own[position] = _peak_there(stations, flows, int(i), float(peak[i]), scale) - 1.0
    spilled = np.bincount(to, part * own, excess.size)
    wanted: Floats = np.where(losing, np.maximum(1.0 + 0.5 * others + spilled, LEAST_PEAK), 1.0)
    return wanted


def _peak_there(stations: Stations, flows: Flows, i: int, peak: float, scale: float) -> float:
    """Return the peakedness of what overflows at service i, seen with a mean stay of `scale`."""
    rate = float(flows.arrival[i].sum())
    time = float((flows.arrival[i] * stations.hold[i]).sum()) / rate
    servers, capacity = float(stations.servers[i]), float(stations.capacity[i])
    refused = float(flows.refused[i].sum())
    if abs(peak - 1.0) > 1e-9 and capacity <= servers:
        return overflow_peak(rate * time, servers, refused * time, peak)
    transform = overflow_transform(rate, time, servers, capacity, 1.0 / scale)
    return 1.0 / (1.0 - transform) - refused * scale


@njit
def _overflow_scv(rate: float, time: float, servers: float, capacity: float) -> float:
    """Return the scv of the times between overflows of M/M/c/K.

    From the first two moments of the times T_n in which the number present rises from n to n + 1,
    an overflow being the rise from K; they are independent from one rise to the next.
    """
    first, second = 1.0 / rate, 2.0 / (rate * rate)
    for n in range(1, int(capacity) + 1):
        leave = min(float(n), servers) / time
        total = rate + leave
        below = leave / total
        mean = (1.0 + leave * first) / rate
        square = 2.0 / (total * total) + 2.0 * below / total * (first + mean)
        second = (square + below * (second + 2.0 * first * mean)) / (1.0 - below)
        first = mean
        if first * rate > 1e100:
            return 2.0
    return second / (first * first) - 1.0
