"""Stations with Poisson arrivals and exponential service: M/M/c, M/M/c/K and their kin."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import Numbers, columns, refuse_small_capacity, rows
from flownet.queues.erlang import (
    delay_probability,
    delay_probability_slopes,
    inverse_excess,
)
from flownet.queues.measures import Delay, Limited, delay, delay_slopes, limited
from flownet.queues.numerics import (
    geometric_first_moment,
    geometric_sum,
    log_ratio,
    spare_servers,
)

Floats = NDArray[np.float64]


@njit
def mmc_waiting_time(arrival_rate: float, service_time: float, servers: float) -> float:
    """Return the mean wait before service of M/M/c (inf where overloaded)."""
    if math.isinf(servers) or arrival_rate <= 0.0 or service_time <= 0.0:
        return 0.0
    spare = spare_servers(arrival_rate, service_time, servers)
    if spare <= 0.0:
        return math.inf
    chance = delay_probability(servers, arrival_rate * service_time, spare)
    return chance * service_time / spare


@njit
def _room_below(
    load: float, servers: float, spare: float, room: float
) -> tuple[float, float, float, float]:
    """Return P(full), P(all busy, not full), P(some server idle) and E[waiting] for a <= c.

    The states c + j weigh B rho^j, the states up to c together 1; all terms are positive.
    """
    excess = inverse_excess(servers, load)
    loss = 1.0 / (1.0 + excess)
    idle = 1.0 if math.isinf(excess) else excess * loss
    ratio, free = load / servers, spare / servers
    power = math.exp(room * log_ratio(ratio, free)) if room > 0.0 else 1.0
    sums = geometric_sum(ratio, free, room)
    total = idle + loss * (sums + power)
    waiting = loss * (geometric_first_moment(ratio, free, room) + room * power)
    return loss * power / total, loss * sums / total, idle / total, waiting / total


@njit
def _room_above(
    load: float, servers: float, spare: float, room: float
) -> tuple[float, float, float, float]:
    """Return the same for a > c, counted from the top: K - i weighs sigma^i, sigma = c/a."""
    excess = inverse_excess(servers, load)
    ratio, over = servers / load, -spare / load
    lowest = math.exp(room * log_ratio(ratio, over)) if room > 0.0 else 1.0  # weight of state c
    sums = geometric_sum(ratio, over, room)  # of the states above c
    idle = lowest * excess
    busy = ratio * sums  # of the states c to K - 1
    total = 1.0 + busy + idle
    waiting = room * sums - geometric_first_moment(ratio, over, room)
    return 1.0 / total, busy / total, idle / total, waiting / total


@njit
def room_measures(
    arrival_rate: float, service_time: float, servers: float, capacity: float
) -> tuple[float, float, float, float]:
    """Return P(full), P(all busy, not full), P(some server idle) and E[waiting] of M/M/c/K."""
    if arrival_rate <= 0.0 or service_time <= 0.0 or math.isinf(servers):
        return 0.0, 0.0, 1.0, 0.0
    load = arrival_rate * service_time
    spare = spare_servers(arrival_rate, service_time, servers)
    if math.isinf(capacity):
        chance = delay_probability(servers, load, spare)
        waiting = math.inf if spare <= 0.0 else chance * load / spare
        return 0.0, chance, 1.0 - chance, waiting
    if spare >= 0.0:
        return _room_below(load, servers, spare, capacity - servers)
    return _room_above(load, servers, spare, capacity - servers)


@njit
def mmck_measures(
    arrival_rate: float, service_time: float, servers: float, capacity: float
) -> tuple[float, float, float, float]:
    """Return probability_full, the share admitted, number_waiting and P(wait | admitted)."""
    full, busy, idle, waiting = room_measures(arrival_rate, service_time, servers, capacity)
    admitted = busy + idle
    return full, admitted, waiting, busy / admitted


@njit
def mmc_slopes(
    arrival_rate: float, service_time: float, servers: float
) -> tuple[float, float, float, float, float, float]:
    """Return dP(wait) and then dW by arrival rate, service time and servers of M/M/c."""
    if math.isinf(servers):
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    spare = spare_servers(arrival_rate, service_time, servers)
    if spare <= 0.0:
        return math.nan, math.nan, math.nan, math.nan, math.nan, math.nan
    load = arrival_rate * service_time
    chance, by_servers, by_load = delay_probability_slopes(servers, load, spare)
    wait_by_load = service_time / spare * (by_load + chance / spare)
    return (
        by_load * service_time,
        by_load * arrival_rate,
        by_servers,
        wait_by_load * service_time,
        wait_by_load * arrival_rate + chance / spare,
        service_time / spare * (by_servers - chance / spare),
    )


@njit
def _mmc_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        rate, time, servers = stations[i, 0], stations[i, 1], stations[i, 2]
        out[i, 0] = delay_probability(servers, rate * time, spare_servers(rate, time, servers))
        out[i, 1] = mmc_waiting_time(rate, time, servers)


@njit
def _mmc_slope_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        slopes = mmc_slopes(stations[i, 0], stations[i, 1], stations[i, 2])
        for k in range(6):
            out[i, k] = slopes[k]


@njit
def _mmck_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        rate, time = stations[i, 0], stations[i, 1]
        full, busy, idle, waiting = room_measures(rate, time, stations[i, 2], stations[i, 3])
        admitted = busy + idle
        out[i, 0] = full
        out[i, 1] = full
        out[i, 2] = rate * admitted if waiting < np.inf else stations[i, 2] / time
        out[i, 3] = busy / admitted
        out[i, 4] = waiting / (rate * admitted) if waiting > 0.0 else 0.0


def mmc(arrival_rate: Numbers, service_time: Numbers, servers: Numbers) -> Delay:
    r"""Return the measures of M/M/c: Poisson arrivals, exponential service, c servers.

    .. math:: W_q = \frac{C(c, a)\, E[S]}{c - a}, \quad a = \lambda E[S]

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda >= 0.
    service_time : array_like
        Mean service time of one server E[S] >= 0, in T.
    servers : array_like
        Number of servers c > 0, also fractional; inf serves every job at once (M/M/inf).

    Returns
    -------
    Delay
        Arrays in the arguments' common shape; infinite delay where a >= c.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    First come first served, unlimited waiting room. The means hold for any order of service that
    does not look at service times. Relative error below 1e-12 up to c = 1e6 and a/c = 1 - 1e-9.

    References
    ----------
    Gross, Shortle, Thompson and Harris (2008), eq. 3.36.

    Examples
    --------
    >>> round(float(mmc(2.0, 1.0, 3).waiting_time), 12)
    0.444444444444
    """
    stations, shape = rows(arrival_rate=arrival_rate, service_time=service_time, servers=servers)
    return delay(stations, columns(_mmc_rows, stations, 2), shape)


def mmc_gradient(
    arrival_rate: Numbers, service_time: Numbers, servers: Numbers
) -> dict[str, Delay]:
    r"""Return the derivatives of `mmc` by its parameters.

    .. math:: dW_q = \frac{E[S]}{c-a}\left(dC + \frac{C\,(da - dc)}{c - a}\right)
              + \frac{C}{c-a} dE[S]

    Parameters
    ----------
    arrival_rate, service_time, servers : array_like
        As in `mmc`.

    Returns
    -------
    dict
        Each parameter's name mapped to a `Delay` of derivatives; nan where overloaded.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    The derivative by servers is that of the continuous extension.

    References
    ----------
    Jagerman (1974), theorem 12.

    Examples
    --------
    >>> round(float(mmc_gradient(0.5, 1.0, 1)["arrival_rate"].waiting_time), 12)
    4.0
    """
    stations, shape = rows(arrival_rate=arrival_rate, service_time=service_time, servers=servers)
    values = columns(_mmc_rows, stations, 2)
    slopes = columns(_mmc_slope_rows, stations, 6)
    names = ("arrival_rate", "service_time", "servers")
    pairs = {name: (slopes[k], slopes[k + 3]) for k, name in enumerate(names)}
    return delay_slopes(stations, values[1], pairs, shape)


def mmck(
    arrival_rate: Numbers, service_time: Numbers, servers: Numbers, capacity: Numbers
) -> Limited:
    r"""Return the measures of M/M/c/K: jobs that find K present are lost.

    .. math:: p_{c+j} \propto B \rho^j \ (0 \le j \le K - c), \quad
              \sum_{n \le c} p_n \propto 1, \quad \rho = a/c

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T offered, lambda >= 0.
    service_time : array_like
        Mean service time of one server E[S] >= 0, in T.
    servers : array_like
        Number of servers c > 0, also fractional.
    capacity : array_like
        Places K >= c, waiting and in service; inf is M/M/c.

    Returns
    -------
    Limited
        Arrays in the arguments' common shape. Times are of admitted jobs.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range, or the capacity is below the number of servers.

    Notes
    -----
    Never overloaded while K is finite. The cost does not grow with K.

    References
    ----------
    Gross, Shortle, Thompson and Harris (2008), section 3.5.

    Examples
    --------
    >>> round(float(mmck(1.0, 1.0, 1, 2).loss_probability), 12)
    0.333333333333
    """
    stations, shape = rows(
        arrival_rate=arrival_rate, service_time=service_time, servers=servers, capacity=capacity
    )
    refuse_small_capacity(stations[:, 2], stations[:, 3])
    results = columns(_mmck_rows, stations, 5)
    return limited(stations, results, shape)
