"""What a service lets pass of the variability that reaches it, at one time scale."""

from __future__ import annotations

import math

from flownet.jit import njit

LEAST_DISPERSION = 0.05
LEAST_LOAD = 1e-6  # below, nobody waits and no time scale matters
TWO_OVER_PI = 0.6366197723675814


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


@njit
def canonical_weight(t: float) -> float:
    """Return w*(t), the correlation of reflected Brownian motion that blends departures.

    [(t^2 + 2t - 1)(1 - 2 Q(sqrt t)) + 2 sqrt(t) phi(sqrt t)(1 + t) - t^2]/(2t).
    """
    if t < 1e-4:
        return math.sqrt(TWO_OVER_PI * t) * (4.0 / 3.0 + 2.0 / 15.0 * t) - 0.5 * t
    if t > 1e3:
        return 1.0 - 0.5 / t
    root = math.sqrt(t)
    central = math.erf(math.sqrt(0.5 * t))
    density = math.sqrt(0.25 * TWO_OVER_PI) * math.exp(-0.5 * t)
    return ((t * t + 2.0 * t - 1.0) * central + 2.0 * root * density * (1.0 + t) - t * t) / (
        2.0 * t
    )


@njit
def departure_weight(
    rate: float, load_ratio: float, time: float, excess: float, own: float, limit: float
) -> float:
    """Return the weight w of the arrivals in the variance of the departures.

    `excess` of the arrivals is that of this time, `limit` that of the long run, `own` that of the
    service; see `robust_arrivals`.
    """
    if load_ratio >= 1.0:
        return 0.0
    now = max(1.0 + excess, LEAST_DISPERSION) + 1.0 + own
    last = max(1.0 + limit, LEAST_DISPERSION) + 1.0 + own
    speed = (1.0 - load_ratio) ** 2 * rate / load_ratio
    return canonical_weight(speed * time / math.sqrt(now * last))
