"""M/D/c: Poisson arrivals, one and the same service time for all, solved exactly."""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import Numbers, columns, rows, whole
from flownet.queues.erlang import delay_probability
from flownet.queues.markov import mmc_waiting_time
from flownet.queues.measures import Delay, delay, delay_slopes
from flownet.queues.numerics import poisson_pmf, spare_servers

Floats = NDArray[np.float64]

MOST_TERMS = 100.0  # Spitzer's series where it needs fewer terms, the roots otherwise


@njit
def _poisson_excess(limit: float, mean: float) -> tuple[float, float]:
    """Return P(N >= m) and E[(N - m)^+] for a Poisson N with mean <= m, all terms positive."""
    term = poisson_pmf(limit, mean)
    tail = term
    excess = 0.0
    i = 1.0
    while True:
        term *= mean / (limit + i)
        tail += term
        excess += i * term
        if i * term <= 1e-17 * excess:
            return tail, excess
        i += 1.0


@njit
def _by_series(load: float, servers: float) -> tuple[float, float]:
    """Return P(wait) and E[waiting] by Spitzer's identity for the random walk N_a - c."""
    exponent = 0.0
    waiting = 0.0
    k = 1.0
    while True:
        tail, excess = _poisson_excess(k * servers, k * load)
        exponent += tail / k
        waiting += excess / k
        if excess <= 1e-17 * waiting:
            return -math.expm1(-exponent), waiting
        k += 1.0


@njit
def _root(load_ratio: float, k: float, servers: float) -> complex:
    """Return the root of z = unit e^{rho (z - 1)}, unit the k-th root of one, by Newton."""
    unit = cmath.exp(2.0j * math.pi * k / servers)
    z = 0.5 * unit
    for _ in range(100):
        power = unit * cmath.exp(load_ratio * (z - 1.0))
        step = (z - power) / (1.0 - load_ratio * power)
        z -= step
        if abs(step) <= 1e-16:
            break
    return z


@njit
def _by_roots(load: float, servers: float, spare: float) -> tuple[float, float]:
    """Return the same by the roots of z^c = e^{a (z - 1)} inside the unit circle (Crommelin)."""
    ratio = load / servers
    log_idle = math.log(spare)  # P(no wait) = (c - a) / product of (1 - z_k)
    total = 0.0
    k = 1.0
    while k <= servers // 2.0:
        z = _root(ratio, k, servers)
        twice = 1.0 if 2.0 * k == servers else 2.0  # the conjugate root with it
        total += twice * (1.0 / (1.0 - z)).real
        log_idle -= twice * math.log(abs(1.0 - z))
        k += 1.0
    waiting = total + (servers - spare * spare) / (2.0 * spare) - load
    return -math.expm1(log_idle), waiting


@njit
def _whole_mdc(load: float, servers: float, spare: float) -> tuple[float, float]:
    """Return P(wait) and E[waiting] of M/D/c for whole c and 0 < a < c."""
    free = spare / servers
    decay = servers * (-free - math.log1p(-free))  # c (rho - 1 - ln rho)
    if decay * MOST_TERMS > 40.0:
        return _by_series(load, servers)
    return _by_roots(load, servers, spare)


@njit
def mdc_measures(arrival_rate: float, service_time: float, servers: float) -> tuple[float, float]:
    """Return (P(wait), mean wait) of M/D/c, for fractional c between its neighbors' ratios."""
    markov = mmc_waiting_time(arrival_rate, service_time, servers)
    spare = spare_servers(arrival_rate, service_time, servers)
    chance = delay_probability(servers, arrival_rate * service_time, spare)
    if markov == 0.0 or math.isinf(markov):
        return chance, markov
    lower = max(1.0, np.floor(servers))
    part = max(1.0, servers) - lower
    chances = 0.0
    waits = 0.0
    for k in range(1 if part == 0.0 else 2):
        c = lower + k
        free = spare * c / servers
        load = c * (arrival_rate * service_time / servers)
        one, waiting = _whole_mdc(load, c, free)
        base = delay_probability(c, load, free)
        share = part if k == 1 else 1.0 - part
        chances += share * math.log(one / base)
        waits += share * math.log(waiting * free / (load * base))
    return min(1.0, chance * math.exp(chances)), markov * math.exp(waits)


@njit
def mdc_rows(stations: Floats, out: Floats) -> None:
    """Write P(wait) and the mean wait of each station: arrival rate, service time, servers."""
    for i in range(stations.shape[0]):
        chance, wait = mdc_measures(stations[i, 0], stations[i, 1], stations[i, 2])
        out[i, 0] = chance
        out[i, 1] = wait


def mdc(arrival_rate: Numbers, service_time: Numbers, servers: Numbers) -> Delay:
    r"""Return the measures of M/D/c: Poisson arrivals, constant service time, c servers.

    .. math:: L_q = \sum_{k \ge 1} \frac{1}{k} E[(N_{ka} - kc)^+]
              = \sum_{k=1}^{c-1} \frac{1}{1 - z_k} + \frac{c - (c-a)^2}{2 (c-a)} - a

    with N Poisson, and z_k the roots of :math:`z^c = e^{a(z-1)}` inside the unit circle.

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda >= 0.
    service_time : array_like
        The service time of every job, in T, >= 0.
    servers : array_like
        Number of servers c > 0; for fractional c the ratio to M/M/c is interpolated.

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
    First come first served. Exact for whole c. The series serves where it needs few terms, the
    roots close to saturation, where they lose nothing.

    References
    ----------
    Crommelin (1932); Spitzer (1956); Franx (2001), a simple solution for the M/D/c wait.

    Examples
    --------
    >>> round(float(mdc(0.5, 1.0, 1).waiting_time), 12)
    0.5
    """
    stations, shape = rows(arrival_rate=arrival_rate, service_time=service_time, servers=servers)
    return delay(stations, columns(mdc_rows, stations, 2), shape)


@njit
def mdc_slopes(load: float, servers: float, spare: float) -> tuple[float, float]:
    """Return the derivatives of P(wait) and E[waiting] of M/D/c by the load, for whole c.

    By the roots z of z = unit e^{rho (z - 1)}: dz/d rho = z (z - 1)/(1 - rho z). Where the wait is
    all but nothing, by the series: d E[(N_x - m)^+]/dx = P(N_x >= m).
    """
    free = spare / servers
    if servers * (-free - math.log1p(-free)) * MOST_TERMS > 40.0:
        exponent = by_chance = by_waiting = 0.0
        k = 1.0
        while True:
            tail, _ = _poisson_excess(k * servers, k * load)
            exponent += tail / k
            by_waiting += tail
            by_chance += poisson_pmf(k * servers - 1.0, k * load)
            if tail <= 1e-17 * by_waiting:
                return math.exp(-exponent) * by_chance, by_waiting
            k += 1.0
    log_idle = math.log(spare)
    by_log_idle = -1.0 / spare
    by_waiting = servers / (2.0 * spare * spare) - 0.5
    k = 1.0
    while k <= servers // 2.0:
        z = _root(load / servers, k, servers)
        slope = z * (z - 1.0) / (servers - load * z)
        twice = 1.0 if 2.0 * k == servers else 2.0
        by_waiting += twice * (slope / ((1.0 - z) * (1.0 - z))).real
        by_log_idle += twice * (slope / (1.0 - z)).real
        log_idle -= twice * math.log(abs(1.0 - z))
        k += 1.0
    return -math.exp(log_idle) * by_log_idle, by_waiting


@njit
def _mdc_slope_rows(stations: Floats, out: Floats) -> None:
    """Write dP(wait) by rate and by time, then dW by rate and by time."""
    for i in range(stations.shape[0]):
        rate, time, servers = stations[i, 0], stations[i, 1], stations[i, 2]
        spare = spare_servers(rate, time, servers)
        load = rate * time
        out[i] = math.nan if spare <= 0.0 else 0.0
        if spare <= 0.0 or load <= 0.0 or math.isinf(servers):
            continue
        by_chance, by_waiting = mdc_slopes(load, servers, spare)
        wait = mdc_measures(rate, time, servers)[1]
        out[i, 0] = by_chance * time
        out[i, 1] = by_chance * rate
        out[i, 2] = (by_waiting * time - wait) / rate
        out[i, 3] = by_waiting


def mdc_gradient(
    arrival_rate: Numbers, service_time: Numbers, servers: Numbers
) -> dict[str, Delay]:
    r"""Return the derivatives of `mdc` by the arrival rate and the service time.

    .. math:: \frac{dL_q}{da} = \sum_{k \ge 1} P(N_{ka} \ge kc)

    Parameters
    ----------
    arrival_rate, service_time, servers : array_like
        As in `mdc`; whole numbers of servers.

    Returns
    -------
    dict
        ``arrival_rate``, ``service_time`` mapped to `Delay` of derivatives; nan where overloaded.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Exact.

    References
    ----------
    By differentiation of the formulas under `mdc`.

    Examples
    --------
    >>> round(float(mdc_gradient(0.5, 1.0, 1)["arrival_rate"].waiting_time), 12)
    2.0
    """
    stations, shape = rows(arrival_rate=arrival_rate, service_time=service_time, servers=servers)
    whole("servers", stations[:, 2])
    wait = columns(mdc_rows, stations, 2)[1]
    slopes = columns(_mdc_slope_rows, stations, 4)
    pairs = {
        "arrival_rate": (slopes[0], slopes[2]),
        "service_time": (slopes[1], slopes[3]),
    }
    return delay_slopes(stations, wait, pairs, shape)
