"""The wait in M/G/1 by numerical inversion of its Laplace transform."""

from __future__ import annotations

import cmath
import math

from flownet.jit import njit
from flownet.queues.laws import MOST_PHASES, mixed_erlang

PHASES, GAMMA, INVERSE_GAUSSIAN = 0.0, 1.0, 2.0
DAMPING = 24.0  # the discretization error is e^-DAMPING
DIRECT = 40  # terms before Euler's summation ...
DIRECT_CONSTANT = 1000  # ... for constant service, whose tail has a bend ...
AVERAGED = 12  # ... and partial sums that it averages


@njit
def service_transform(s: complex, mean: float, scv: float, law: float) -> complex:
    """Return E[e^{-s S}] of the service law with this mean and scv."""
    x = s * mean
    if scv * MOST_PHASES < 1.0:
        return cmath.exp(-x)
    if law == GAMMA:
        return cmath.exp(-cmath.log(1.0 + scv * x) / scv)
    if law == INVERSE_GAUSSIAN:
        return cmath.exp((1.0 - cmath.sqrt(1.0 + 2.0 * scv * x)) / scv)
    if scv >= 1.0:
        first = 0.5 * (1.0 + math.sqrt((scv - 1.0) / (scv + 1.0)))
        slow = 1.0 - first
        return 2.0 * first * first / (2.0 * first + x) + 2.0 * slow * slow / (2.0 * slow + x)
    k, skip, rate = mixed_erlang(scv)
    phase = cmath.log(rate / (rate + x))
    return skip * cmath.exp((k - 1.0) * phase) + (1.0 - skip) * cmath.exp(k * phase)


@njit
def _tail_transform(s: complex, rate: float, mean: float, scv: float, law: float) -> complex:
    """Return the transform of P(W > t): (1 - W*(s)) / s by Pollaczek and Khinchine."""
    arrivals = rate * (1.0 - service_transform(s, mean, scv, law))
    return (rate * mean * s - arrivals) / (s * (s - arrivals))


@njit
def mg1_wait_tail_scalar(
    arrival_rate: float, service_time: float, service_scv: float, law: float, time: float
) -> float:
    """Return P(W > t) of M/G/1, first come first served; 1 where overloaded."""
    load = arrival_rate * service_time
    if load >= 1.0:
        return 1.0
    if time <= 0.0 or load == 0.0:
        return load
    if math.isinf(time):
        return 0.0
    # Abate and Whitt (1995): a trapezoidal rule on a vertical line, then Euler's summation
    real = 0.5 * DAMPING / time
    total = (
        0.5 * _tail_transform(complex(real, 0.0), arrival_rate, service_time, service_scv, law).real
    )
    direct = DIRECT_CONSTANT if service_scv * MOST_PHASES < 1.0 else DIRECT
    sign = 1.0
    average = 0.0
    weight = 0.5**AVERAGED
    for k in range(1, direct + AVERAGED + 1):
        sign = -sign
        point = complex(real, k * math.pi / time)
        total += sign * _tail_transform(point, arrival_rate, service_time, service_scv, law).real
        if k >= direct:
            average += weight * total
            weight *= (direct + AVERAGED - k) / (k - direct + 1.0)
    value = math.exp(0.5 * DAMPING) / time * average
    return min(load, max(0.0, value))
