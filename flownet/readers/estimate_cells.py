"""Estimates of one cell each: rates, means, shares, and whether arrivals are Poisson."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.kernels.compiled import Floats, Integers

THIN: Final = 30
"""Cells with fewer observations are thin: marked, and drawn towards the others."""
MOST_MOVED: Final = 0.5
"""A thin cell is drawn to the others by no more than so much of its error."""
PRIOR: Final = 2.0
"""So many observations is the other classes' routing worth at a thin cell."""
BINS: Final = 200
LEAST_BINS: Final = 10
MOST_BINS: Final = 100_000
SURE: Final = 5.0
"""So many jobs expected and none seen leave less than 1 % to chance."""


class Estimate(NamedTuple):
    """A figure with its uncertainty."""

    value: float
    error: float
    low: float
    high: float
    n: int
    thin: bool


class Dispersion(NamedTuple):
    """Whether counts are what a Poisson process would give."""

    ratio: float
    """Variance of the counts over their mean; 1 for Poisson."""
    p_value: float
    verdict: str

    @property
    def plain(self) -> bool:
        """Whether nothing speaks against a Poisson process."""
        return self.verdict.startswith(("Poisson", "too few"))


def dispersion(times: Floats, span: float) -> Dispersion:
    """Test whether arrivals in (0, span) are Poisson, by the index of dispersion of counts.

    The sum of (n_k - m)²/m over B bins is chi-square with B - 1 degrees of freedom under a
    Poisson process (Cox and Lewis 1966, The Statistical Analysis of Series of Events, sect. 6.3);
    both tails count.
    """
    from scipy import stats

    bins = min(BINS, times.size // 5)
    if bins < LEAST_BINS or span <= 0:
        return Dispersion(math.nan, math.nan, "too few arrivals to test; taken as Poisson")
    counts = np.histogram(times, bins=bins, range=(0.0, span))[0]
    statistic = float(((counts - counts.mean()) ** 2).sum() / counts.mean())
    upper = float(stats.chi2.sf(statistic, bins - 1))
    p = min(1.0, 2.0 * min(upper, 1.0 - upper))
    index = statistic / (bins - 1)
    if p >= 0.01:
        verdict = "Poisson, as far as the counts tell"
    elif index > 1:
        verdict = "more variable than Poisson"
    else:
        verdict = "more regular than Poisson"
    return Dispersion(index, p, f"{verdict} (index {index:.2f}, p = {p:.2g})")


def rate_of(count: int, span: float, index: float, confidence: float) -> Estimate:
    """Return a rate of arrivals; exact for Poisson counts (Garwood 1936), else by their spread."""
    from scipy import stats

    tail = (1.0 - confidence) / 2.0
    if index == 1.0:
        low = stats.chi2.ppf(tail, 2 * count) / 2.0 if count else 0.0
        high = stats.chi2.ppf(1.0 - tail, 2 * count + 2) / 2.0
    else:
        half = float(stats.norm.isf(tail)) * math.sqrt(index / max(count, 1))
        low, high = count * math.exp(-half), count * math.exp(half)
    error = math.sqrt(count * index) / span
    return Estimate(count / span, error, float(low) / span, float(high) / span, count, count < THIN)


def positive(value: float, error: float, n: int, confidence: float) -> Estimate:
    """Return a positive figure with an interval on the logarithmic scale, Student's for few."""
    from scipy import stats

    if value <= 0 or n < 1:
        return Estimate(value, math.nan, 0.0, math.inf, n, thin=True)
    if n < 2 or not math.isfinite(error):
        # of one observation nothing is known of its spread: as of an exponential law
        tail = (1.0 - confidence) / 2.0
        low, high = (2.0 * n * value / stats.chi2.ppf(p, 2 * n) for p in (1.0 - tail, tail))
        return Estimate(value, value / math.sqrt(n), float(low), float(high), n, thin=True)
    wide = float(stats.t.isf((1.0 - confidence) / 2.0, n - 1)) * error / value
    return Estimate(
        value, error, value * math.exp(-wide), value * math.exp(min(wide, 700.0)), n, n < THIN
    )


def moments_of(lengths: Floats) -> tuple[float, float, float, float]:
    """Return mean and scv of a sample with their standard errors.

    The scv's is that of its influence function, ((x - m)² - s²)/m² - 2 s² (x - m)/m³
    (Serfling 1980, Approximation Theorems of Mathematical Statistics, ch. 6).
    """
    n, mean = lengths.size, float(lengths.mean())
    if n < 2 or mean == 0:
        return mean, math.nan, math.nan, math.nan
    off = lengths - mean
    variance = float((off**2).sum() / (n - 1))
    influence = (off**2 - variance) / mean**2 - 2.0 * variance * off / mean**3
    scv_error = float(influence.std(ddof=1)) / math.sqrt(n)
    return mean, math.sqrt(variance / n), variance / mean**2, scv_error


def drawn_together(means: Floats, errors: Floats, counts: Integers) -> tuple[Floats, Floats]:
    """Return the means with those of thin cells drawn towards the mean of all.

    The weight of a cell's own figure is t²/(t² + e²), where e is its error and t² the spread
    between the cells by moments (DerSimonian and Laird 1986, eq. 8; Morris 1983). No figure is
    moved by more than half its error, and none loses any of it: with few cells the spread between
    them is badly known (limited translation, Efron and Morris 1972, JASA 67).
    """
    told = np.isfinite(errors) & (errors > 0)
    thin = counts < THIN
    if told.sum() < 2 or not thin.any():
        return means, errors
    w = 1.0 / errors[told] ** 2
    common = float((w * means[told]).sum() / w.sum())
    spread = float((w * (means[told] - common) ** 2).sum()) - (told.sum() - 1)
    between = max(0.0, spread / float(w.sum() - (w**2).sum() / w.sum()))
    move = (common - means) * errors**2 / (between + errors**2)
    move = np.clip(move, -MOST_MOVED * errors, MOST_MOVED * errors)
    return np.where(thin & told, means + np.where(told, move, 0.0), means), errors


def shares_of(counts: Integers, pooled: Floats | None, confidence: float) -> list[Estimate]:
    """Return where jobs go, with intervals of the Dirichlet posterior's margins (Jeffreys).

    Parameters
    ----------
    counts : (k,) int array
        By destination, leaving among them.
    pooled : (k,) float array or None
        Shares of all classes together, towards which a thin cell is drawn.
    confidence : float
        Of the intervals.
    """
    from scipy import stats

    n = int(counts.sum())
    thin = n < THIN
    prior = np.zeros(counts.size) if pooled is None or not thin else PRIOR * pooled
    total = n + prior.sum()
    values = (counts + prior) / total if total > 0 else np.zeros(counts.size)
    tail = (1.0 - confidence) / 2.0
    found = []
    for k, share in enumerate(values):
        a, b = counts[k] + prior[k] + 0.5, total - counts[k] - prior[k] + 0.5
        low = 0.0 if counts[k] == 0 else float(stats.beta.ppf(tail, a, b))
        high = 1.0 if counts[k] == n else float(stats.beta.isf(tail, a, b))
        error = math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1.0)))
        found.append(Estimate(float(share), error, low, high, n, thin))
    return found


class Concurrency(NamedTuple):
    """How many servers were busy at once."""

    most: int
    share_at_most: float
    mean: float
    expected_starts: float
    """How many jobs would have begun while the most were busy, were there more servers."""
    saturated: bool


def concurrency(begin: Floats, end: Floats, waited: NDArray[np.bool_]) -> Concurrency:
    r"""Return the most stays at once, and whether that looks like a limit.

    It does where jobs waited and nearly all of them began when the most were busy. Where the log
    tells no waiting, it does where none began while the most were busy though many should have:
    with more servers, none of :math:`\lambda t` jobs expected within the time t at the most has
    the probability :math:`e^{-\lambda t}`; for jobs that come in clusters, :math:`\lambda t` is
    divided by the index of dispersion of their numbers.
    """
    times = np.concatenate([begin, end])
    change = np.concatenate([np.ones(begin.size, np.int64), np.full(end.size, -1)])
    order = np.lexsort([change, times])
    busy = np.cumsum(change[order])
    most = int(busy.max())
    lasted = np.diff(times[order])
    span = float(lasted.sum())
    if span <= 0 or most == 0:
        return Concurrency(max(most, 1), 0.0, float(most), 0.0, saturated=False)
    at_most = float(lasted[busy[:-1] == most].sum())
    mean = float((busy[:-1] * lasted).sum() / span)
    expected = begin.size * at_most / span / _clustering(begin, float(np.mean(end - begin)))
    saturated = expected >= SURE
    if waited.sum() >= 5:
        # what happens at one moment counts together
        after = busy[np.searchsorted(times[order], times[order], side="right") - 1]
        found = np.empty(times.size, np.int64)
        found[order] = after
        saturated = float((found[: begin.size][waited] >= most).mean()) > 0.95
    return Concurrency(most, at_most / span, mean, expected, saturated=bool(saturated))


def _clustering(times: Floats, window: float) -> float:
    """Return the index of dispersion of numbers within windows, at least 1."""
    span = float(times.max() - times.min())
    bins = int(min(span / window, MOST_BINS)) if window > 0 else 0
    if bins < LEAST_BINS:
        return 1.0
    counts = np.histogram(times, bins=bins)[0]
    return max(1.0, float(counts.var() / counts.mean()))
