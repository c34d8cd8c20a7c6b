"""A finite number of sources: Engset's loss station and its kin with a waiting room."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import (
    Numbers,
    columns,
    refusal,
    refuse_small_capacity,
    rows,
    shaped,
    whole,
)
from flownet.queues.measures import Limited, limited

Floats = NDArray[np.float64]

TINY = 1e-40  # step of the complex-step derivative of plain arithmetic: exact to rounding
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
    load: float,
    servers: float,
    sources: float,
    places: float,
    start: float,
    up: bool,
    moment: bool,
) -> tuple[float, float, float, float, float, float]:
    """Return sums over the states from `start` up or down, weights relative to the mode's.

    In order: weight, busy servers, waiting; idle sources where there is a place, those among them
    where all servers are busy, idle sources where there is no place. With `moment` each is
    multiplied by the number present: that is its derivative by the logarithm of the load.
    """
    total = busy = waiting = admitted = meeting = refused = 0.0
    n = start
    weight = _ratio_up(start - 1.0, load, servers, sources) if up else 1.0
    limit = NOTHING if up else NEGLIGIBLE
    while 0.0 <= n <= places and weight * sources > limit * min(total, admitted + weight):
        share = n * weight if moment else weight
        idle = (sources - n) * share
        total += share
        busy += min(n, servers) * share
        waiting += max(0.0, n - servers) * share
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
def all_sums(
    load: float, servers: float, sources: float, places: float, moment: bool
) -> tuple[float, float, float, float, float, float]:
    """Return the sums of `_sums` over all states, outwards from the most likely one."""
    mode = _mode(load, servers, sources, places)
    below = _sums(load, servers, sources, places, mode, False, moment)
    above = _sums(load, servers, sources, places, mode + 1.0, True, moment)
    return (
        below[0] + above[0],
        below[1] + above[1],
        below[2] + above[2],
        below[3] + above[3],
        below[4] + above[4],
        below[5] + above[5],
    )


@njit
def finite_source_measures(
    request_rate: float, service_time: float, servers: float, sources: float, capacity: float
) -> tuple[float, float, float, float, float]:
    """Return P(full), loss of requests, throughput, P(wait | admitted), mean wait of M/M/c/K//N."""
    load = request_rate * service_time
    places = min(capacity, sources)
    if load <= 0.0 or sources <= 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    total, busy, waiting, admitted, meeting, refused = all_sums(
        load, servers, sources, places, False
    )
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


@njit
def _sum_rows(stations: Floats, out: Floats) -> None:
    """Write the six sums, and their derivatives by the logarithm of the load."""
    for i in range(stations.shape[0]):
        load, servers, sources = stations[i, 0], stations[i, 1], stations[i, 2]
        places = min(stations[i, 3], sources)
        values = all_sums(load, servers, sources, places, False)
        slopes = all_sums(load, servers, sources, places, True)
        for k in range(6):
            out[i, k] = values[k]
            out[i, 6 + k] = slopes[k]


def _checked_stations(
    request_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    sources: Numbers,
    capacity: Numbers,
) -> tuple[Floats, tuple[int, ...]]:
    """Return the checked stations, one a row, and their common shape."""
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
    return stations, shape


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
    stations, shape = _checked_stations(request_rate, service_time, servers, sources, capacity)
    results = columns(_finite_source_rows, stations, 5)
    stations[:, 0] *= stations[:, 3]  # all sources idle: the most that can be asked
    return limited(stations, results, shape)


def finite_source_gradient(
    request_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    sources: Numbers,
    capacity: Numbers = math.inf,
) -> dict[str, Limited]:
    r"""Return the derivatives of `finite_source` by its rates and times.

    .. math:: a \frac{dE[f]}{da} = \operatorname{Cov}(f, N), \quad a = \nu E[S]

    Parameters
    ----------
    request_rate, service_time, servers, sources, capacity : array_like
        As in `finite_source`; rates and times above 0, at least one source.

    Returns
    -------
    dict
        ``request_rate`` and ``service_time`` mapped to `Limited` of derivatives.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Exact.

    References
    ----------
    By differentiation of the stationary probabilities.

    Examples
    --------
    >>> slopes = finite_source_gradient(1.0, 1.0, 1, 1)
    >>> round(float(slopes["request_rate"].throughput), 12)
    0.25
    """
    stations, shape = _checked_stations(request_rate, service_time, servers, sources, capacity)
    for name, column in (("request_rate", 0), ("service_time", 1), ("sources", 3)):
        if (stations[:, column] <= 0.0).any():
            raise refusal(name, "0", "must be greater than 0 for derivatives")
    rate, time, count, total, capacity = stations.T
    scaled = np.column_stack([rate * time, stations[:, 2:]])
    results = columns(_sum_rows, scaled, 12)
    with np.errstate(divide="ignore"):
        idle = np.where(total > capacity, 1.0 / (total - capacity), 0.0)
    out = {}
    for name, by_rate, by_time in (("request_rate", 1.0, 0.0), ("service_time", 0.0, 1.0)):
        r, s = rate + 1j * TINY * by_rate, time + 1j * TINY * by_time
        by_log = 1j * TINY * (by_rate / rate + by_time / time)
        weight, busy, waiting, admitted, meeting, refused = (
            results[k] + by_log * results[6 + k] for k in range(6)
        )
        throughput = busy / (weight * s)
        wait = waiting / (weight * throughput)
        meets = np.where(admitted == 0.0, 0.0, meeting / np.where(admitted == 0.0, 1.0, admitted))
        parts = (
            r * s * total / count,
            throughput * s / count,
            throughput,
            refused * idle / weight,
            refused / (admitted + refused),
            meets,
            wait,
            waiting / weight,
            wait + s,
            throughput * (wait + s),
        )
        out[name] = Limited(*(shaped(np.imag(part) / TINY, shape) for part in parts))
    return out
