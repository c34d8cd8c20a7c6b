"""Erlang's two formulas for any load and any (also fractional) number of servers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import Numbers, columns, rows, shaped

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-17
OVERFLOW = 1e300
HALF_STEPS = 60  # nodes on either side in the quadrature of the fractional part
STEP = 0.075
EULER = 0.57721566490153286


@njit
def fractional_inverse(servers: float, load: float) -> tuple[float, float, float]:
    """Return 1/B and its derivatives in c and in a, for c in [0, 1), by quadrature.

    1/B = integral of e^-x (1 + x/a)^c over x > 0, with x = exp(t - e^-t) (double exponential).
    """
    value = 0.0
    by_servers = 0.0
    by_load = 0.0
    for i in range(-HALF_STEPS, HALF_STEPS + 1):
        t = STEP * i
        e = math.exp(-t)
        x = math.exp(t - e)
        log = math.log1p(x / load)
        part = STEP * x * (1.0 + e) * math.exp(servers * log - x)
        value += part
        by_servers += part * log
        by_load -= part * servers * x / (load * (load + x))
    return value, by_servers, by_load


@njit
def scaled_exponential_integral(x: float) -> float:
    """Return e^x E1(x), the derivative of 1/B by the servers at none, for x > 0.

    The series below 1, the continued fraction beyond; relative error below 1e-14.

    References
    ----------
    Abramowitz and Stegun 1964, 5.1.11 and 5.1.22.
    """
    if x < 1.0:
        total, term = -EULER - math.log(x), -1.0
        for k in range(1, 40):
            term *= -x / k
            total += term / k
            if abs(term) < NEGLIGIBLE:
                break
        return math.exp(x) * total
    below = x + 1.0
    c, d = 1e300, 1.0 / below
    value = d
    for k in range(1, 200):
        below += 2.0
        d = 1.0 / (below - k * k * d)
        c = below - k * k / c
        value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


@njit
def inverse_excess(servers: float, load: float) -> float:
    """Return 1/B - 1, the sum over k >= 1 of prod_{j<k} (c - j)/a; inf where B underflows."""
    if load <= 0.0:
        return math.inf if servers > 0.0 else 0.0
    term = 1.0
    total = 0.0
    left = servers
    share = 1.0 / load
    while left >= 4.0 and (left >= load or term > NEGLIGIBLE * total):
        # four terms at once, since each product waits for the one before
        first, third = left * share, (left - 2.0) * share
        two = first * ((left - 1.0) * share)
        four = two * (third * ((left - 3.0) * share))
        total += term * (first + two + two * third + four)
        term *= four
        left -= 4.0
        if total > OVERFLOW:
            return math.inf
    while left >= 1.0 and (left >= load or term > NEGLIGIBLE * total):
        term *= left * share
        total += term
        left -= 1.0
        if total > OVERFLOW:
            return math.inf
    if left >= 1.0:
        return total
    if left == 0.0:
        return total
    # the integer part is used up: 1/B(c) = 1 + t_1 + ... + t_{m-1} + t_m / B(c - m)
    return total + term * (fractional_inverse(left, load)[0] - 1.0)


@njit
def inverse_excess_slopes(servers: float, load: float) -> tuple[float, float, float]:
    """Return E = 1/B - 1 with dE/dc and dE/da, term by term; inf and zeros on underflow."""
    if load <= 0.0:
        return math.inf, 0.0, 0.0
    term = 1.0
    total = 0.0
    by_servers = 0.0
    by_load = 0.0
    harmonic = 0.0  # d ln term / dc
    count = 0.0
    left = servers
    while left >= 1.0:
        term *= left / load
        harmonic += 1.0 / left
        count += 1.0
        total += term
        by_servers += term * harmonic
        by_load -= term * count / load
        left -= 1.0
        if left < load and term * (1.0 + count) <= NEGLIGIBLE * total:
            return total, by_servers, by_load
        if by_servers > OVERFLOW or -by_load > OVERFLOW or total > OVERFLOW:
            return math.inf, 0.0, 0.0
    if left == 0.0:
        rest, rest_by_servers, rest_by_load = 0.0, scaled_exponential_integral(load), 0.0
    else:
        rest, rest_by_servers, rest_by_load = fractional_inverse(left, load)
        rest -= 1.0
    by_servers += term * (harmonic * rest + rest_by_servers)
    by_load += term * (rest_by_load - count / load * rest)
    return total + term * rest, by_servers, by_load


@njit
def erlang_b_scalar(servers: float, load: float) -> float:
    """Return the Erlang B probability that all `servers` are busy, at `load` erlang."""
    if math.isinf(servers):
        return 0.0
    if math.isinf(load):
        return 1.0
    return 1.0 / (1.0 + inverse_excess(servers, load))


@njit
def delay_probability(servers: float, load: float, spare: float) -> float:
    """Return Erlang C where ``spare`` = c - a is known more exactly than c and a tell."""
    if spare <= 0.0:
        return 1.0
    if math.isinf(servers) or load <= 0.0:
        return 0.0
    # 1/C = rho + (1 - rho)/B = 1 + (1 - rho)(1/B - 1): positive terms only
    return 1.0 / (1.0 + spare / servers * inverse_excess(servers, load))


@njit
def erlang_c_scalar(servers: float, load: float) -> float:
    """Return the Erlang C probability of having to wait; 1 where load >= servers."""
    return delay_probability(servers, load, servers - load)


@njit
def erlang_b_slopes(servers: float, load: float) -> tuple[float, float, float]:
    """Return B, dB/dc and dB/da."""
    if math.isinf(servers):
        return 0.0, 0.0, 0.0
    excess, by_servers, by_load = inverse_excess_slopes(servers, load)
    if math.isinf(excess):
        return 0.0, 0.0, 0.0
    loss = 1.0 / (1.0 + excess)
    return loss, -loss * loss * by_servers, -loss * loss * by_load


@njit
def delay_probability_slopes(
    servers: float, load: float, spare: float
) -> tuple[float, float, float]:
    """Return Erlang C, dC/dc and dC/da; ``spare`` = c - a."""
    if spare <= 0.0:
        return 1.0, 0.0, 0.0
    if math.isinf(servers) or load <= 0.0:
        return 0.0, 0.0, 0.0
    excess, by_servers, by_load = inverse_excess_slopes(servers, load)
    if math.isinf(excess):
        return 0.0, 0.0, 0.0
    free = spare / servers
    chance = 1.0 / (1.0 + free * excess)
    square = chance * chance
    slope_servers = -square * (free * by_servers + load / (servers * servers) * excess)
    slope_load = -square * (free * by_load - excess / servers)
    return chance, slope_servers, slope_load


@njit
def _erlang_b_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        out[i, 0] = erlang_b_scalar(stations[i, 0], stations[i, 1])


@njit
def _erlang_c_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        out[i, 0] = erlang_c_scalar(stations[i, 0], stations[i, 1])


@njit
def _erlang_b_slope_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        slopes = erlang_b_slopes(stations[i, 0], stations[i, 1])
        out[i, 0] = slopes[1]
        out[i, 1] = slopes[2]


@njit
def _erlang_c_slope_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        c, a = stations[i, 0], stations[i, 1]
        slopes = delay_probability_slopes(c, a, c - a)
        out[i, 0] = slopes[1]
        out[i, 1] = slopes[2]


def erlang_b(servers: Numbers, load: Numbers) -> Floats:
    r"""Return the share of jobs that find all servers busy where nobody may wait.

    .. math:: 1/B = \sum_{k \ge 0} \prod_{j<k} \frac{c-j}{a}
              = a \int_0^\infty e^{-at} (1+t)^c \, dt

    Parameters
    ----------
    servers : array_like
        Number of servers c > 0, also fractional; inf gives 0.
    load : array_like
        Offered load a = arrival rate times mean service time, erlang, >= 0.

    Returns
    -------
    float or ndarray
        The loss probability, in the arguments' common shape.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Poisson arrivals; any law of the service time with that mean (insensitive). The relative error
    is below 1e-13 for up to a million servers; values below 1e-300 are returned as 0. The cost
    grows with the square root of c.

    References
    ----------
    Erlang (1917); Jagerman (1974), eq. 9 (the integral, for fractional c).

    Examples
    --------
    >>> round(float(erlang_b(2, 1.0)), 12)
    0.2
    """
    stations, shape = rows(servers=servers, load=load)
    return shaped(columns(_erlang_b_rows, stations, 1)[0], shape)


def erlang_c(servers: Numbers, load: Numbers) -> Floats:
    r"""Return the share of jobs that must wait in M/M/c, Erlang's delay formula.

    .. math:: C = \frac{B}{1 - \rho (1 - B)}, \quad \rho = a/c

    Parameters
    ----------
    servers : array_like
        Number of servers c > 0, also fractional; inf gives 0.
    load : array_like
        Offered load a, erlang, >= 0.

    Returns
    -------
    float or ndarray
        The delay probability; 1 where a >= c.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Poisson arrivals, exponential service, first come first served. Relative error below 1e-13 for
    up to a million servers and a load ratio up to 1 - 1e-9.

    References
    ----------
    Erlang (1917); Cooper (1981), eq. 3.5.13.

    Examples
    --------
    >>> round(float(erlang_c(2, 1.0)), 12)
    0.333333333333
    """
    stations, shape = rows(servers=servers, load=load)
    return shaped(columns(_erlang_c_rows, stations, 1)[0], shape)


def erlang_b_gradient(servers: Numbers, load: Numbers) -> dict[str, Floats]:
    r"""Return the derivatives of `erlang_b` by its parameters.

    .. math:: \partial B/\partial a = B (c/a - 1 + B)

    Parameters
    ----------
    servers, load : array_like
        As in `erlang_b`.

    Returns
    -------
    dict
        ``servers`` and ``load`` mapped to the derivatives.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    The derivative in c is that of the continuous extension.

    References
    ----------
    Jagerman (1974), theorem 12.

    Examples
    --------
    >>> round(float(erlang_b_gradient(1, 1.0)["load"]), 12)
    0.25
    """
    stations, shape = rows(servers=servers, load=load)
    slopes = columns(_erlang_b_slope_rows, stations, 2)
    return {name: shaped(s, shape) for name, s in zip(("servers", "load"), slopes, strict=True)}


def erlang_c_gradient(servers: Numbers, load: Numbers) -> dict[str, Floats]:
    r"""Return the derivatives of `erlang_c` by its parameters.

    .. math:: 1/C = 1 + (1 - \rho)(1/B - 1)

    Parameters
    ----------
    servers, load : array_like
        As in `erlang_c`.

    Returns
    -------
    dict
        ``servers`` and ``load`` mapped to the derivatives; 0 where overloaded.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    The derivative in c is that of the continuous extension.

    References
    ----------
    Jagerman (1974), theorem 12, through the relation of C to B.

    Examples
    --------
    >>> round(float(erlang_c_gradient(1, 0.5)["load"]), 12)
    1.0
    """
    stations, shape = rows(servers=servers, load=load)
    slopes = columns(_erlang_c_slope_rows, stations, 2)
    return {name: shaped(s, shape) for name, s in zip(("servers", "load"), slopes, strict=True)}
