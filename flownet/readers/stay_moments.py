"""Mean and spread of stays from the product-limit estimate, whatever their law."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from flownet.kernels.compiled import Floats
from flownet.readers.stay_laws import Grouped, LawFit, law_at, weights_of

LEAST_AT_RISK: Final = 10
"""With fewer stays still seen, a law tells how much longer they last."""
NODES: Final = 80
"""Of the quadrature of a law's tail."""


class Moments(NamedTuple):
    """Mean and scv with their standard errors."""

    mean: float
    mean_error: float
    scv: float
    scv_error: float
    by_law: float
    """Share of the mean that rests on a law beyond what was seen."""
    scv_limits: tuple[float, float] | None
    """Of the scv where it is that of the laws; None where the error tells enough."""


class _Limit(NamedTuple):
    """The product-limit estimate at the lengths at which stays end, up to a last one."""

    at: Floats
    survival: Floats
    """Just after each length."""
    hazard: Floats
    at_risk: Floats
    last: float
    """Up to where it is used; inf where it comes down to nothing by itself."""


def moments_of_stays(stays: Grouped, fits: Sequence[LawFit], confidence: float) -> Moments | None:
    r"""Return mean and scv of stays, open ones and those seen late counted for what they tell.

    .. math:: E X^k = \int_0^\tau k t^{k-1} \hat S(t) dt
              + \hat S(\tau) \int_\tau^\infty k t^{k-1} S_\theta(t) / S_\theta(\tau) dt

    with :math:`\hat S` the product-limit estimate, and the best law only where fewer than
    `LEAST_AT_RISK` stays are still seen at :math:`\tau`. None where the estimate breaks off.

    Notes
    -----
    Errors are those of the influence functions: of the product-limit estimate (Andersen, Borgan,
    Gill and Keiding 1993, Statistical Models Based on Counting Processes, sect. IV.3), of the law's
    parameters (covariance times score), and the spread between the laws' tails by their Akaike
    weights. Without open and late stays they are those of the sample mean and of Serfling (1980),
    ch. 6. The scv is that of the laws where the best differs from the stays by no more than
    chance: it is less moved by the few longest stays, and so is the mean's error.
    """
    limit = _product_limit(stays)
    if limit is None or (math.isfinite(limit.last) and not fits):
        return None
    tail = np.zeros(2)
    if math.isfinite(limit.last):
        tail = _tails(fits[0].table, limit.last)
    first, second = (
        _integral(stays, limit, power, tail[power - 1], fits) for power in (1, 2)
    )  # fmt: skip
    mean, scv = first[0], second[0] / first[0] ** 2 - 1.0
    n = stays.number.sum()
    scale = n / (n - 1.0)
    of_mean = first[1]
    of_scv = second[1] / mean**2 - 2.0 * second[0] * first[1] / mean**3
    end = limit.survival[-1] if math.isfinite(limit.last) else 0.0
    between = _between(fits, limit.last, end, mean) if end else (0.0, 0.0)
    mean_error = math.sqrt(scale * stays.number @ of_mean**2 + between[0])
    scv_error = math.sqrt(scale * stays.number @ of_scv**2 + between[1])
    if not end:
        scv *= scale  # as of a sample
    share = end * tail[0] / mean
    limits = None
    if fits and fits[0].by_chance:
        told = _scv_of(fits, float(stays.number @ stays.ended), confidence)
        # a sample without its longest stays takes its own error for too small
        mean_error *= math.sqrt(max(told[0], 1e-12) / max(scv, 1e-12))
        scv, scv_error, limits = told
    return Moments(mean, mean_error, max(scv, 0.0), scv_error, share, limits)


def _scv_of(
    fits: Sequence[LawFit], n: float, confidence: float
) -> tuple[float, float, tuple[float, float]]:
    """Return the scv over the laws by their Akaike weights, its error and limits.

    The error is that of Buckland, Burnham and Augustin (1997, Biometrics 53, eq. 9), the sum of
    w_k (e_k² + (x_k - x)²) over the laws k; the limits are quantiles of the mixture of what each
    law says, on the logarithmic scale. What p parameters fitted to n stays take away from the
    spread is given back as n / (n - p), and Student's law stands for the normal one.
    """
    from scipy import optimize, stats

    share = weights_of(fits)
    each, error = (np.array([getattr(fit, name) for fit in fits]) for name in ("scv", "scv_error"))
    free = np.array([fit.params.size if fit.scv_error > 0 else 0 for fit in fits])
    back = n / np.maximum(n - free, 1.0)
    each = each * back
    value = float(np.exp(share @ np.log(each)))
    error = error * back**1.5
    whole = math.sqrt(float(share @ (error**2 + (each - value) ** 2)))
    spread = np.maximum(error / each, 1e-6)
    law = stats.t(max(n - 1.0, 1.0))

    def below(x: float, tail: float) -> float:
        return float(share @ law.cdf((x - np.log(each)) / spread)) - tail

    tail = (1.0 - confidence) / 2.0
    wide = float(law.isf(tail / 1e3))
    ends = (np.log(each) - wide * spread).min(), (np.log(each) + wide * spread).max()
    low, high = (
        math.exp(min(optimize.brentq(below, *ends, args=(p,)), 700.0)) for p in (tail, 1.0 - tail)
    )
    return value, whole, (low, high)


def _product_limit(stays: Grouped) -> _Limit | None:
    """Return the product-limit estimate; None where it comes to nothing before the last stay."""
    ends = np.unique(stays.length[stays.ended])
    which = np.searchsorted(ends, stays.length[stays.ended])
    died = np.bincount(which, stays.number[stays.ended], minlength=ends.size)
    order = np.argsort(stays.length)
    gone = np.r_[0.0, np.cumsum(stays.number[order])]
    by_entry = np.argsort(stays.entry)
    come = np.r_[0.0, np.cumsum(stays.number[by_entry])]
    at_risk = (
        come[np.searchsorted(stays.entry[by_entry], ends, side="left")]
        - gone[np.searchsorted(stays.length[order], ends, side="left")]
    )
    hazard = died / at_risk
    survival = np.cumprod(1.0 - hazard)
    limit = _Limit(ends, survival, hazard, at_risk, math.inf)
    if not (~stays.ended).any():
        broken = bool((survival[:-1] <= 1e-12).any())
        return None if broken else limit
    enough = np.flatnonzero(at_risk >= LEAST_AT_RISK)
    if enough.size == 0 or survival[enough[-1]] <= 1e-12:
        return None
    stop = enough[-1] + 1
    return _Limit(
        ends[:stop], survival[:stop], hazard[:stop], at_risk[:stop], float(ends[stop - 1])
    )


def _integral(
    stays: Grouped, limit: _Limit, power: int, tail: float, fits: Sequence[LawFit]
) -> tuple[float, Floats]:
    """Return E X^power and the influence of one stay of each group on it."""
    edges = np.r_[0.0, limit.at] ** power
    pieces = np.r_[1.0, limit.survival[:-1]] * np.diff(edges)
    rest = limit.survival[-1] * tail
    # beyond each end: what the integral holds from there on
    beyond = np.cumsum(pieces[::-1])[::-1]
    beyond = np.r_[beyond[1:], 0.0] + rest
    value = float(pieces.sum() + rest)
    # in sums over ends up to a stay's length, less those up to its entry
    left = limit.at_risk * (1.0 - limit.hazard)
    each = np.divide(beyond, left, where=left > 1e-9, out=np.zeros_like(beyond))
    compensator = np.r_[0.0, np.cumsum(each * limit.hazard)]
    seen = compensator[np.searchsorted(limit.at, stays.length, side="right")]
    before = compensator[np.searchsorted(limit.at, stays.entry, side="right")]
    influence = seen - before
    counted = stays.ended & (stays.length <= limit.at[-1])
    at = np.searchsorted(limit.at, stays.length[counted])
    influence[counted] -= each[at]
    if math.isfinite(limit.last):
        influence = influence + limit.survival[-1] * _by_parameters(
            stays, fits[0], lambda table: _tails(table, limit.last)[power - 1]
        )
    return value, influence


def _by_parameters(
    stays: Grouped, fit: LawFit, figure: Callable[[dict[str, Any]], float]
) -> Floats:
    """Return the influence of one stay of each group on a figure of the fitted law."""
    params = fit.params
    slope = np.zeros(params.size)
    score = np.zeros((params.size, stays.length.size))
    for k in range(params.size):
        step = np.zeros(params.size)
        step[k] = 1e-5 * max(abs(params[k]), 1e-3)
        up, down = fit.at(params + step), fit.at(params - step)
        slope[k] = (figure(up) - figure(down)) / (2.0 * step[k])
        score[k] = (_likelihood(stays, up) - _likelihood(stays, down)) / (2.0 * step[k])
    return np.asarray(slope @ fit.covariance @ score)


def _likelihood(stays: Grouped, table: dict[str, Any]) -> Floats:
    law = law_at(table)
    seen = np.where(stays.ended, law.logpdf(stays.length), law.logsf(stays.length))
    return np.asarray(seen - law.logsf(stays.entry))


@functools.cache
def _quadrature() -> tuple[Floats, Floats]:
    """Return Gauss-Legendre nodes on (0, 1), with weights on (-1, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return 0.5 * (nodes + 1.0), weights


def _tails(table: dict[str, Any], start: float) -> Floats:
    """Return the integrals of S and of 2 t S beyond a length, over S there."""
    law = law_at(table)
    u, weights = _quadrature()
    scale = max(start, 1e-300)
    t = start + scale * (u / (1.0 - u)) ** 2
    jacobian = scale * 2.0 * u / (1.0 - u) ** 3
    survival = np.exp(law.logsf(t) - law.logsf(start)) * 0.5 * weights * jacobian
    return np.array([survival.sum(), (2.0 * t * survival).sum()])


def _between(
    fits: Sequence[LawFit], start: float, survival: float, mean: float
) -> tuple[float, float]:
    """Return the variance of mean and scv by which the laws' tails differ."""
    share = weights_of(fits)
    apart = survival * np.array([_tails(fit.table, start) for fit in fits])
    apart = apart - apart[0]
    return float(share @ apart[:, 0] ** 2), float(share @ (apart[:, 1] / mean**2) ** 2)
