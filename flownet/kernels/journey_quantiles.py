"""Percentiles of the time in the system and of waits, by inverting their distributions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from flownet.kernels.compiled import Floats, Integers
from flownet.kernels.journey import TimeChain, invert, moments, nodes, served_within, terms_of
from flownet.kernels.journey_waits import NONE, SHARED, Visits, wait_transforms

STEPS = 80
PRECISION = 1e-6
"""Of the tail probability, or of the time, relative, at which a search ends."""
FLOOR, TINY = 1e-12, 1e-9


def served_quantiles(
    chain: TimeChain, weights: Floats, probabilities: Floats, *, outside: bool = False
) -> Floats:
    """Return the times that shares of those who leave served do not exceed, (q, P).

    Parameters
    ----------
    chain, weights, outside
        As for `served_within`.
    probabilities : (P,) array
        In (0, 1).
    """
    found = moments(chain, weights, outside=outside)
    shape = (len(weights), probabilities.size)
    wanted = np.broadcast_to(probabilities, shape)
    low, high = _bracket(found.mean[:, None], found.variance[:, None], wanted)
    known = np.isfinite(low) & np.isfinite(high)
    row, _ = np.indices(shape)
    answer = np.full(shape, np.nan)
    if not known.any():
        return answer
    mine = row[known]

    def share(times: Floats, rows: Integers) -> Floats:
        every = served_within(chain, weights, times, outside=outside)
        return np.asarray(every[mine[rows], np.arange(times.size)])

    answer[known] = _search(share, wanted[known], low[known], high[known])
    return answer


def _bracket(mean: Floats, variance: Floats, share: Floats) -> tuple[Floats, Floats]:
    """Return times between which each quantile lies, by Cantelli's inequality."""
    deviation = np.sqrt(variance)
    low = np.maximum(mean - deviation * np.sqrt((1.0 - share) / share), 0.0)
    high = mean + deviation * np.sqrt(share / (1.0 - share))
    return low * (1.0 - 1e-9), high * (1.0 + 1e-9)


def _search(
    share: Callable[[Floats, Integers], Floats], wanted: Floats, low: Floats, high: Floats
) -> Floats:
    """Return where distribution functions reach each wanted share.

    Regula falsi (Illinois) on log P(T > t), which is nearly linear in the tail; a bisection where
    three steps have not halved the bracket. `share` takes times and which of the searches they
    belong to.
    """
    every = np.arange(wanted.size)
    low, high, answer = low.copy(), high.copy(), high.copy()
    target = np.log1p(-wanted)

    def excess(times: Floats, rows: Integers) -> Floats:
        return np.asarray(target[rows] - np.log(np.maximum(1.0 - share(times, rows), FLOOR)))

    below, above = excess(np.maximum(low, TINY * high), every), excess(high, every)
    side, marks = np.zeros(wanted.size), high - low
    rows = every
    for step in range(STEPS):
        gap = np.maximum(above - below, FLOOR)[rows]
        guess = (low[rows] * above[rows] - high[rows] * below[rows]) / gap
        middle = 0.5 * (low[rows] + high[rows])
        slow = (step % 3 == 2) & (high - low > 0.5 * marks)[rows]
        if step % 3 == 2:
            marks = high - low
        outside = (guess <= low[rows]) | (guess >= high[rows])
        guess = np.where(slow | outside, middle, guess)
        value = excess(guess, rows)
        answer[rows] = guess
        under = value < 0.0
        up, down = rows[under], rows[~under]
        above[up[side[up] < 0]] *= 0.5
        below[down[side[down] > 0]] *= 0.5
        low[up], below[up], side[up] = guess[under], value[under], -1.0
        high[down], above[down], side[down] = guess[~under], value[~under], 1.0
        open_ = (np.abs(value) > PRECISION) & (high - low > PRECISION * high)[rows]
        rows = rows[open_]
        if rows.size == 0:
            break
    return answer


# ----------------------------------------------------------------------------------- waits


def waits_within(visits: Visits, times: Floats) -> Floats:
    """Return P(W <= t) of those served at every state; nan where servers are shared.

    Parameters
    ----------
    visits : Visits
    times : (S,) array
        One t >= 0 a state, finite.

    Returns
    -------
    (S,) array
    """
    waited = _waited(visits, np.maximum(times, 0.0))
    within: Floats = 1.0 - visits.chance + visits.chance * waited
    within[visits.kind == SHARED] = np.nan
    return within


def _waited(visits: Visits, times: Floats) -> Floats:
    """Return P(W <= t | W > 0) at every state."""
    terms = terms_of(visits)
    later = times > 0.0
    points = nodes(np.where(later, times, 1.0), terms)
    values = wait_transforms(visits, points) / points
    waited = np.clip(invert(values[None], np.where(later, times, 1.0), terms)[0], 0.0, 1.0)
    waited = np.where(later, waited, 0.0)
    waited[visits.kind == NONE] = 1.0
    return np.asarray(waited)


def wait_quantiles(visits: Visits, probability: float) -> Floats:
    """Return the time that this share of those served does not exceed in waiting, (S,).

    0 where at least this share does not wait, nan where servers are shared.
    """
    answer = np.zeros(visits.kind.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = (probability - (1.0 - visits.chance)) / visits.chance
    rows = np.flatnonzero((visits.kind != NONE) & (visits.kind != SHARED) & (wanted > 0.0))
    answer[visits.kind == SHARED] = np.nan
    if rows.size == 0:
        return answer
    mean, square = visits.mean[rows], visits.square[rows]
    low, high = _bracket(mean, np.maximum(square - mean * mean, 0.0), wanted[rows])

    def share(times: Floats, searches: Integers) -> Floats:
        every = np.zeros(visits.kind.size)
        every[rows[searches]] = times
        return np.asarray(_waited(visits, every)[rows[searches]])

    answer[rows] = _search(share, wanted[rows], low, high)
    return answer
