"""M/M/c+G: jobs give up after a time with any law; the exact integrals of Zeltyn and Mandelbaum.

The virtual wait V has the density pi e^{phi(x)} with phi(x) = lambda H(x) - c mu x, where H is the
integral of P(patience > x). phi is concave: it has one peak, around which the integrals are taken.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.erlang import inverse_excess
from flownet.queues.laws import survival

Floats = NDArray[np.float64]

FALL = 42.0  # e^-42 of the peak is left out
HALF_STEPS = 70
STEP = 0.05


@njit
def _exponent(x: float, rate: float, service: float, patience: float, scv: float) -> float:
    """Return phi(x)."""
    return rate * patience * survival(scv, x / patience)[2] - service * x


@njit
def _peak(rate: float, service: float, patience: float, scv: float) -> float:
    """Return where phi is largest: P(patience > x) = c mu / lambda, or 0."""
    if rate <= service:
        return 0.0
    low = 0.0
    high = patience
    while rate * survival(scv, high / patience)[0] > service:
        low = high
        high *= 2.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        if rate * survival(scv, middle / patience)[0] > service:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit
def _reach(
    peak: float, sign: float, rate: float, service: float, patience: float, scv: float
) -> float:
    """Return how far from its peak phi has fallen by `FALL`; at most the peak on the left."""
    top = _exponent(peak, rate, service, patience, scv)
    far = 1.0 / service
    while top - _exponent(peak + sign * far, rate, service, patience, scv) < FALL:
        if sign < 0.0 and far >= peak:
            return peak
        far *= 2.0
        if sign < 0.0:
            far = min(far, peak)
    near = 0.0
    for _ in range(30):
        middle = 0.5 * (near + far)
        if top - _exponent(peak + sign * middle, rate, service, patience, scv) < FALL:
            near = middle
        else:
            far = middle
    return far


@njit
def _piece(
    low: float,
    high: float,
    top: float,
    rate: float,
    service: float,
    patience: float,
    scv: float,
    sums: Floats,
) -> None:
    """Add the integrals over [low, high] to `sums` (tanh-sinh).

    In order: e^phi, G e^phi, S e^phi, H e^phi, x S e^phi, where S = 1 - G is the survival function
    of the patience; phi is taken less `top`.
    """
    half = 0.5 * (high - low)
    for i in range(-HALF_STEPS, HALF_STEPS + 1):
        t = STEP * i
        u = 0.5 * math.pi * math.sinh(t)
        rest = 1.0 / (math.exp(u) * math.cosh(u))  # 1 - tanh u
        x = high - half * rest if t > 0.0 else low + half / (math.exp(-u) * math.cosh(u))
        weight = STEP * half * 0.5 * math.pi * math.cosh(t) / (math.cosh(u) * math.cosh(u))
        stay, gone, inner = survival(scv, x / patience)
        inner *= patience
        weight *= math.exp(rate * inner - service * x - top)
        sums[0] += weight
        sums[1] += weight * gone
        sums[2] += weight * stay
        sums[3] += weight * inner
        sums[4] += weight * x * stay


@njit
def virtual_wait_integrals(
    start: float, rate: float, service: float, patience: float, scv: float
) -> tuple[Floats, float]:
    """Return the five integrals of `_piece` over x > start, and the exponent taken out."""
    peak = _peak(rate, service, patience, scv)
    top = _exponent(peak, rate, service, patience, scv)
    cuts = np.empty(6)
    cuts[0] = peak - _reach(peak, -1.0, rate, service, patience, scv) if peak > 0.0 else 0.0
    cuts[1] = peak
    cuts[5] = peak + _reach(peak, 1.0, rate, service, patience, scv)
    for k in range(3):  # a nearly constant patience makes a bend
        bend = patience * (1.0 + 5.0 * (k - 1.0) * math.sqrt(scv)) if scv < 0.05 else peak
        cuts[2 + k] = min(max(bend, peak), cuts[5])
    if start >= cuts[5]:  # beyond all that counts: from the start on
        top = _exponent(start, rate, service, patience, scv)
        cuts[:5] = start
        cuts[5] = start + _reach(start, 1.0, rate, service, patience, scv)
    sums = np.zeros(5)
    for k in range(5):
        low = max(start, cuts[k])
        if cuts[k + 1] > low:
            _piece(low, cuts[k + 1], top, rate, service, patience, scv, sums)
    return sums, top


@njit
def mmcg_measures(
    arrival_rate: float,
    service_time: float,
    servers: float,
    patience: float,
    patience_scv: float,
) -> tuple[float, float, float, float, float, float]:
    """Return the measures of M/M/c+G for finite patience.

    In order: P(wait), number waiting, P(abandon), mean wait of all, mean wait of the served,
    number in service.
    """
    load = arrival_rate * service_time
    if load <= 0.0 or math.isinf(servers):
        return 0.0, 0.0, 0.0, 0.0, 0.0, load
    excess = inverse_excess(servers, load)
    if math.isinf(excess):
        return 0.0, 0.0, 0.0, 0.0, 0.0, load
    service = servers / service_time
    sums, top = virtual_wait_integrals(0.0, arrival_rate, service, patience, patience_scv)
    idle = load / servers * excess * math.exp(-top)
    total = idle + arrival_rate * sums[0]
    wait = arrival_rate * sums[3] / total
    served = idle + arrival_rate * sums[2]
    waiting = arrival_rate * wait
    return (
        arrival_rate * sums[0] / total,
        waiting,
        arrival_rate * sums[1] / total,
        wait,
        arrival_rate * sums[4] / served,
        load * served / total,
    )


@njit
def impatient_wait_tail(
    arrival_rate: float,
    service_time: float,
    servers: float,
    patience: float,
    patience_scv: float,
    time: float,
) -> tuple[float, float]:
    """Return P(W > t) of all jobs (served or not) and of the served in M/M/c+G."""
    load = arrival_rate * service_time
    if load <= 0.0 or math.isinf(servers):
        return 0.0, 0.0
    excess = inverse_excess(servers, load)
    if math.isinf(excess) or math.isinf(time):
        return 0.0, 0.0
    service = servers / service_time
    sums, top = virtual_wait_integrals(0.0, arrival_rate, service, patience, patience_scv)
    later, later_top = virtual_wait_integrals(time, arrival_rate, service, patience, patience_scv)
    idle = load / servers * excess * math.exp(-top)
    scale = arrival_rate * math.exp(later_top - top)
    stay = survival(patience_scv, time / patience)[0]
    everyone = stay * scale * later[0] / (idle + arrival_rate * sums[0])
    return everyone, scale * later[2] / (idle + arrival_rate * sums[2])
