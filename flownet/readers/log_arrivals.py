"""Arrivals from outside: their rate, whether they are Poisson, and the rhythm of the week."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from flownet.kernels.compiled import Floats, Integers
from flownet.readers.estimate_cells import (
    THIN,
    Dispersion,
    Estimate,
    dispersion,
    moments_of,
    positive,
    rate_of,
)

WEEK: Final = 7 * 24
SLOT: Final = 1800
"""Seconds: zones differ by whole halves of hours."""
MOST_SLOTS: Final = 2_000_000
CLEAR: Final = 0.001
"""Arrivals with a smaller p follow the hour or the day."""
LEAST: Final = 200
"""With fewer arrivals no rhythm is told."""
RICH: Final = 30.0
"""With so many arrivals for each hour of the week, each hour speaks for itself."""


class Hours(NamedTuple):
    """The time observed in pieces of half an hour, by the clocks of the place."""

    edges: Floats
    """Seconds; one more than pieces."""
    hour: Integers
    """Hour of the week of each piece, 0 on Monday at midnight."""
    exposure: Floats
    """Hours observed in each hour of the week."""


class Arrivals(NamedTuple):
    """Arrivals of one class at one service."""

    rate: Estimate
    test: Dispersion
    """Against a constant rate."""
    scv: Estimate | None
    """Of the times between arrivals; None where they are taken as Poisson."""
    profile: Floats | None
    """Mean number in each hour of the week; None without a true clock."""
    rhythm: float
    """p-value of there being no rhythm; nan where it is not tested."""
    smooth: Floats | None
    """Rate in each hour of the week over the mean rate; None where no rhythm is clear."""
    about: Dispersion | None
    """Against that rhythm."""
    scv_about: Estimate | None
    """As `scv`, on a clock that runs with the rhythm."""


def hours_between(begin: float, end: float, zone: str | None) -> Hours | None:
    """Return the hours of the week between two moments; None where the span is out of reason."""
    import pandas as pd

    if not math.isfinite(end - begin) or (end - begin) / SLOT > MOST_SLOTS:
        return None
    edges = np.r_[begin, np.arange(math.floor(begin / SLOT) + 1, end / SLOT) * SLOT, end]
    stamps = pd.DatetimeIndex((0.5e6 * (edges[1:] + edges[:-1])).astype("datetime64[us]"))
    if zone is not None:
        stamps = stamps.tz_localize("UTC").tz_convert(zone)
    hour = np.asarray(stamps.day_of_week * 24 + stamps.hour, dtype=np.int64)
    exposure = np.bincount(hour, np.diff(edges) / 3600.0, minlength=WEEK).astype(np.float64)
    return Hours(edges, hour, exposure)


def arrivals_of(
    times: Floats, begin: float, end: float, unit: float, hours: Hours | None, confidence: float
) -> Arrivals:
    """Return what sorted times of arrival, in seconds, tell of the process.

    Where the hour or the day matters, times are set on a clock that runs with the rhythm, on
    which a Poisson process of that rhythm is one of constant rate (Brown, Barbieri, Ventura, Kass
    and Frank 2002, Neural Computation 14); the number of arrivals is then as uncertain as the test
    on that clock says.
    """
    span = (end - begin) / unit
    test = dispersion((times - begin) / unit, span)
    profile, rhythm, smooth, about, when = None, math.nan, None, None, times
    if hours is not None:
        at = np.clip(np.searchsorted(hours.edges, times, side="right") - 1, 0, hours.hour.size - 1)
        counts = np.bincount(hours.hour[at], minlength=WEEK).astype(float)
        profile = np.divide(
            counts, hours.exposure, where=hours.exposure > 0, out=np.full(WEEK, math.nan)
        )
        rhythm, smooth = _rhythm(counts, hours.exposure)
    if smooth is not None and hours is not None:
        pieces = np.diff(hours.edges) * smooth[hours.hour]
        clock = np.r_[0.0, np.cumsum(pieces)]
        when = np.interp(times, hours.edges, clock)
        about = dispersion(when / unit, float(clock[-1]) / unit)
    last = about or test
    rate = rate_of(times.size, span, 1.0 if last.plain else last.ratio, confidence)
    scv = None if test.plain else _scv(times, confidence)
    scv_about = None if about is None or about.plain else _scv(when, confidence)
    return Arrivals(rate, test, scv, profile, rhythm, smooth, about, scv_about)


def _scv(times: Floats, confidence: float) -> Estimate | None:
    if times.size <= THIN:
        return None
    _, _, value, error = moments_of(np.diff(times))
    if not (math.isfinite(value) and value > 0):
        return None
    return positive(value, error, times.size - 1, confidence)


def _rhythm(counts: Floats, exposure: Floats) -> tuple[float, Floats | None]:
    """Return p of there being no rhythm, and the rates of the hours over the mean rate.

    Day and hour of the day multiply unless there are arrivals enough for every hour of the week.
    """
    from scipy import stats

    n, observed = float(counts.sum()), float(exposure.sum())
    p = []
    for axis in (1, 0):
        seen = counts.reshape(7, 24).sum(axis=axis)
        open_ = exposure.reshape(7, 24).sum(axis=axis)
        told = open_ > 0
        if told.sum() > 1:
            expected = n * open_[told] / observed
            statistic = float(((seen[told] - expected) ** 2 / expected).sum())
            p.append(float(stats.chi2.sf(statistic, int(told.sum()) - 1)))
    value = min(1.0, len(p) * min(p)) if p else math.nan
    # a rhythm needs every hour to have been seen, and twice
    if not value < CLEAR or n < LEAST or (exposure < 1.9).any():
        return value, None
    if n >= RICH * WEEK:
        return value, counts / exposure / (n / observed)
    day = counts.reshape(7, 24).sum(axis=1) / exposure.reshape(7, 24).sum(axis=1)
    hour = counts.reshape(7, 24).sum(axis=0) / exposure.reshape(7, 24).sum(axis=0)
    smooth = np.outer(day, hour).ravel()
    return value, smooth * observed / float(smooth @ exposure)
