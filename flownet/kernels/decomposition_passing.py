"""What a service lets pass of the variability that reaches it, at one time scale."""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import chebyshev

from flownet.jit import njit
from flownet.kernels.compiled import Floats

LEAST_DISPERSION = 0.05
LEAST_LOAD = 1e-6  # below, nobody waits and no time scale matters
TWO_OVER_PI = 0.6366197723675814
PIECES_PER_UNIT, DEGREE = 16, 6
FARTHEST = 9.0  # from there on the error function is one, and the weight 1 - 1/(2t)
STEP = 1e-9  # that the last piece is not left by rounding


@njit
def renewal_share(scv: float, rate: float, time: float) -> float:
    """Return (I(t) - 1)/(c2 - 1) of a renewal process: it rises from 0 to 1.

    1 - (1 - e^-x)/x with x = eta t, exact for balanced hyperexponentials, eta = 2 rate/(1 + c2),
    and for Erlang laws of two phases; below scv 1 eta has the third moment of the gamma law.
    """
    x = (2.0 if scv > 1.0 else 6.0) * rate / (1.0 + scv) * time
    if x < 1e-5:
        return 0.5 * x
    return 1.0 + math.expm1(-x) / x


def canonical_weight(t: float) -> float:
    """Return w*(t), the correlation of reflected Brownian motion that blends departures.

    [(t^2 + 2t - 1)(1 - 2 Q(sqrt t)) + 2 sqrt(t) phi(sqrt t)(1 + t) - t^2]/(2t); by its series at 0.
    """
    if t < 0.01:
        series = 4.0 / 3.0 + t * (2.0 / 15.0 - t * (1.0 / 210.0 - t / 3780.0))
        return math.sqrt(TWO_OVER_PI * t) * series - 0.5 * t
    root = math.sqrt(t)
    central = math.erf(math.sqrt(0.5 * t))
    density = math.sqrt(0.25 * TWO_OVER_PI) * math.exp(-0.5 * t)
    return ((t * t + 2.0 * t - 1.0) * central + 2.0 * root * density * (1.0 + t) - t * t) / (
        2.0 * t
    )


def _pieces() -> Floats:
    """Return polynomials in [-1, 1] for w* by pieces of equal width in the root of the time.

    Through Chebyshev's points; they agree with `canonical_weight` to 1e-13.
    """
    nodes = chebyshev.chebpts1(DEGREE + 1)
    edges = np.arange(int(FARTHEST) * PIECES_PER_UNIT) / PIECES_PER_UNIT
    rows = []
    for edge in edges:
        roots = edge + 0.5 * (nodes + 1.0) / PIECES_PER_UNIT
        values = [canonical_weight(float(root) ** 2) for root in roots]
        rows.append(chebyshev.cheb2poly(chebyshev.chebfit(nodes, values, DEGREE)))
    return np.array(rows)


PIECES = _pieces()


@njit
def departure_weights(
    rate: float,
    load_ratio: float,
    times: Floats,
    excess: Floats,
    own: float,
    limit: float,
    weight: Floats,
) -> None:
    """Fill the weight w of the arrivals in the variance of the departures, at some times.

    `excess` of the arrivals is that of each time, `limit` that of the long run, `own` that of the
    service; see `robust_arrivals`.
    """
    if load_ratio >= 1.0:
        weight[:] = 0.0
        return
    last = max(1.0 + limit, LEAST_DISPERSION) + 1.0 + own
    speed = (1.0 - load_ratio) ** 2 * rate / load_ratio / math.sqrt(last)
    for m in range(times.size):
        now = max(1.0 + excess[m], LEAST_DISPERSION) + 1.0 + own
        weight[m] = math.sqrt(speed * times[m] / math.sqrt(now))
    for m in range(times.size):
        root = weight[m]
        place = min(root, FARTHEST - STEP) * PIECES_PER_UNIT
        piece = np.uint32(place)
        x = 2.0 * (place - piece) - 1.0
        value = PIECES[piece, DEGREE]
        for power in range(DEGREE):
            value = value * x + PIECES[piece, DEGREE - 1 - power]
        weight[m] = value if root < FARTHEST - STEP else 1.0 - 0.5 / (root * root)
