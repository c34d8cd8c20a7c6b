"""A finite number of sources: Engset's loss station and its kin with a waiting room."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import (
    Numbers,
    columns,
    refuse_small_capacity,
    rows,
    whole,
)
from flownet.queues.measures import Limited, limited

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-18
NOTHING = 1e-290  # upwards, so that a small P(full) is told


@njit
def _ratio_up(n: float, load: float, servers: float, sources: float) -> float:
    """Return p_{n+1} / p_n."""
    return (sources - n) * load / min(n + 1.0, servers)


@njit
def _mode(load: float, servers: float, sources: float, places: float) -> float:
    """Return the most likely number present: the ratios p_{n+1}/p_n fall with n."""
    low = 0.0
    high = places
    while high - low > 0.5:
        middle = np.floor(0.5 * (low + high))
        if _ratio_up(middle, load, servers, sources) > 1.0:
            low = middle + 1.0
        else:
            high = middle
    return low


@njit
def _sums(
    load: float, servers: float, sources: float, places: float, start: float, up: bool
) -> tuple[float, float, float, float, float, float]:
    """Return sums over the states from `start` up or down, weights relative to the mode's.

    In order: weight, busy servers, waiting; idle sources where there is a place, those among them
    where all servers are busy, idle sources where there is no place.
    """
    total = busy = waiting = admitted = meeting = refused = 0.0
    n = start
    weight = _ratio_up(start - 1.0, load, servers, sources) if up else 1.0
    limit = NOTHING if up else NEGLIGIBLE
    while 0.0 <= n <= places and weight * sources > limit * min(total, admitted + weight):
        idle = (sources - n) * weight
        total += weight
        busy += min(n, servers) * weight
        waiting += max(0.0, n - servers) * weight
        if n == places:
            refused += idle
        else:
            admitted += idle
            if n >= servers:
                meeting += idle
        weight *= (
            _ratio_up(n, load, servers, sources)
            if up
            else 1.0 / _ratio_up(n - 1.0, load, servers, sources)
        )
        n += 1.0 if up else -1.0
    return total, busy, waiting, admitted, meeting, refused


@njit
def finite_source_measures(
    request_rate: float, service_time: float, servers: float, sources: float, capacity: float
) -> tuple[float, float, float, float, float]:
    """Return P(full), loss of requests, throughput, P(wait | admitted), mean wait of M/M/c/K//N.

    Sums outwards from the most likely state, all terms positive.
    """
    load = request_rate * service_time
    places = min(capacity, sources)
    if load <= 0.0 or sources <= 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    mode = _mode(load, servers, sources, places)
    below = _sums(load, servers, sources, places, mode, False)
    above = _sums(load, servers, sources, places, mode + 1.0, True)
    total, busy, waiting = below[0] + above[0], below[1] + above[1], below[2] + above[2]
    admitted, meeting, refused = below[3] + above[3], below[4] + above[4], below[5] + above[5]
    full = refused / (sources - places) / total if places < sources else 0.0
    throughput = busy / (total * service_time)
    return (
        full,
        refused / (admitted + refused) if refused > 0.0 else 0.0,
        throughput,
        meeting / admitted if admitted > 0.0 else 0.0,
        waiting / (total * throughput),
    )


@njit
def _finite_source_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        results = finite_source_measures(
            stations[i, 0], stations[i, 1], stations[i, 2], stations[i, 3], stations[i, 4]
        )
        for k in range(5):
            out[i, k] = results[k]


def finite_source(
    request_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    sources: Numbers,
    capacity: Numbers = math.inf,
) -> Limited:
    r"""Return the measures of M/M/c/K//N: N sources, each idle, waiting or in service.

    .. math:: p_{n+1} = p_n \frac{(N - n)\, \nu E[S]}{\min(n + 1, c)}, \quad 0 \le n < K

    Parameters
    ----------
    request_rate : array_like
        Requests per T of one idle source, nu >= 0.
    service_time : array_like
        Mean service time of one server E[S] >= 0, in T.
    servers : array_like
        Number of servers c > 0.
    sources : array_like
        Number of sources N, whole.
    capacity : array_like
        Places K >= c, whole; K = c is Engset's loss station, inf the repair station.

    Returns
    -------
    Limited
        `probability_full` is the time congestion, `loss_probability` the call congestion: lost
        requests over requests. The source of a lost request is idle again.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range, or the capacity is below the number of servers.

    Notes
    -----
    Exact. The loss station (K = c) is insensitive to the laws of idle and service times.
    `probability_full` is 0 where the sources are not more than the capacity.

    References
    ----------
    Engset (1918); Gross, Shortle, Thompson and Harris (2008), section 3.8.

    Examples
    --------
    >>> round(float(finite_source(0.2, 1.0, 5, 10, 5).loss_probability), 10)
    0.0078231715
    """
    stations, shape = rows(
        request_rate=request_rate,
        service_time=service_time,
        servers=servers,
        sources=sources,
        capacity=capacity,
    )
    whole("sources", stations[:, 3])
    whole("capacity", stations[:, 4])
    refuse_small_capacity(stations[:, 2], stations[:, 4])
    results = columns(_finite_source_rows, stations, 5)
    stations[:, 0] *= stations[:, 3]  # all sources idle: the most that can be asked
    return limited(stations, results, shape)
