"""Laws of times with mean 1 and a given scv: the survival function, its integral, quadrature.

The same laws as in `phases`: balanced hyperexponential above scv 1, mixed Erlang below, constant
at 0. They stand for service times and for patience of which two moments are known.
"""

from __future__ import annotations

import math

from flownet.jit import njit
from flownet.queues.numerics import poisson_pmf

MOST_PHASES = 1000.0  # a smaller scv is taken for 0


@njit
def _heavier_phase(scv: float) -> float:
    """Return the probability of the faster phase of the balanced hyperexponential law."""
    return 0.5 * (1.0 + math.sqrt((scv - 1.0) / (scv + 1.0)))


@njit
def mixed_erlang(scv: float) -> tuple[float, float, float]:
    """Return k, the probability of k - 1 phases and the rate of a phase; scv < 1, mean 1."""
    k = math.ceil(1.0 / scv - 1e-12)
    skip = (k * scv - math.sqrt(max(0.0, k * (1.0 + scv) - k * k * scv))) / (1.0 + scv)
    return k, skip, k - skip


@njit
def _poisson_beyond(limit: float, mean: float, first: float) -> float:
    """Return P(N > limit) from ``first`` = P(N = limit), for mean <= limit + 1."""
    term = first
    total = 0.0
    j = limit
    while True:
        j += 1.0
        term *= mean / j
        total += term
        if term <= 1e-18 * total:
            return total


@njit
def _poisson_upto(limit: float, mean: float, first: float) -> tuple[float, float]:
    """Return the sums of P(N = j) and of (limit + 1 - j) P(N = j) over j <= limit."""
    term = first
    total = term
    weighted = term
    j = limit
    while j >= 1.0:
        term *= j / mean
        j -= 1.0
        total += term
        weighted += (limit + 1.0 - j) * term
        if term * limit <= 1e-18 * total and j < mean:
            break
    return total, weighted


@njit
def survival(scv: float, x: float) -> tuple[float, float, float]:
    """Return P(X > x), P(X <= x) and the integral of P(X > u) over u < x, for x >= 0."""
    if scv >= 1.0:
        first = _heavier_phase(scv)
        fast = -math.expm1(-2.0 * first * x)
        slow = -math.expm1(-2.0 * (1.0 - first) * x)
        gone = first * fast + (1.0 - first) * slow
        stay = first * math.exp(-2.0 * first * x) + (1.0 - first) * math.exp(
            -2.0 * (1.0 - first) * x
        )
        return stay, gone, 0.5 * (fast + slow)
    if scv * MOST_PHASES < 1.0:
        return (1.0, 0.0, x) if x < 1.0 else (0.0, 1.0, 1.0)
    k, skip, rate = mixed_erlang(scv)
    mean = rate * x
    last = poisson_pmf(k - 1.0, mean)
    if mean < k:
        # E[min(X, x)] = x P(X > x) + E[X; X <= x], the latter by Erlang laws of a phase more
        beyond = _poisson_beyond(k, mean, last * mean / k)
        enough = beyond + last * mean / k
        gone = enough + skip * last
        inside = (1.0 - skip) * k * beyond + skip * (k - 1.0) * enough
        return 1.0 - gone, gone, x * (1.0 - gone) + inside / rate
    upto, weighted = _poisson_upto(k - 1.0, mean, last)
    stay = upto - skip * last
    return stay, 1.0 - stay, 1.0 - (weighted - skip * upto) / rate


@njit
def least_residual(servers: float, scv: float) -> float:
    """Return E[min of c residual lives], the integral of (1 - F_e)^c, for mean 1."""
    if scv * MOST_PHASES < 1.0:
        return 1.0 / (servers + 1.0)
    total = 0.0
    for i in range(-90, 160):
        t = 0.05 * i
        e = math.exp(-t)
        y = math.exp(t - e)
        value = 1.0 - survival(scv, y / servers)[2]
        if value <= 0.0:
            break
        total += 0.05 * y * (1.0 + e) * math.exp(servers * math.log(value))
    return total / servers
