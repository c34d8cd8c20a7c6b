"""The law that stands for a mean and a squared coefficient of variation."""

from __future__ import annotations

import math

from flownet.kernels.compiled import DETERMINISTIC, EXPONENTIAL, HYPEREXPONENTIAL, MIXED_ERLANG

SMALLEST_SCV = 1e-3
"""Fewer than a thousand phases are not worth telling from a constant."""


def two_moments(mean: float, scv: float) -> tuple[int, tuple[float, ...]]:
    """Return a family and its parameters with the given mean and scv.

    Constant at 0, a mixture of Erlang laws with k - 1 and k phases below 1, exponential at 1,
    hyperexponential with balanced means above.

    Parameters
    ----------
    mean : float
        Mean, in T, above 0.
    scv : float
        Squared coefficient of variation, at least 0.

    Returns
    -------
    int
        A family's code of `flownet.kernels.compiled`.
    tuple of float
        Its parameters.

    References
    ----------
    H. C. Tijms (1994), Stochastic Models: An Algorithmic Approach, p. 358.

    Examples
    --------
    >>> two_moments(2.0, 0.5) == (MIXED_ERLANG, (0.0, 2.0, 1.0))
    True
    """
    if scv == 1.0:
        return EXPONENTIAL, (mean,)
    if scv < SMALLEST_SCV:
        return DETERMINISTIC, (mean,)
    if scv < 1.0:
        k = max(2, math.ceil(1.0 / scv - 1e-12))
        p = (k * scv - math.sqrt(max(k * (1.0 + scv) - k * k * scv, 0.0))) / (1.0 + scv)
        p = min(max(p, 0.0), 1.0)
        return MIXED_ERLANG, (p, float(k), (k - p) / mean)
    p = 0.5 * (1.0 + math.sqrt((scv - 1.0) / (scv + 1.0)))
    return HYPEREXPONENTIAL, (p, mean / (2.0 * p), mean / (2.0 * (1.0 - p)))
