"""How long a simulation that starts empty needs before it may be counted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.compiled import Floats
from flownet.kernels.simulation import COMPLETED, SimulationRun

GROUP = 5
FEWEST_CYCLES = 50
"""From so many cycles of a calendar on, the intervals of a pilot run are cycles."""
INTERVALS = 500
"""Intervals of a pilot run, whose means MSER-5 takes in groups of five."""


class Warmup(NamedTuple):
    """A truncation point."""

    time: float
    """T."""
    settled: bool
    """Whether the rule found it in the first half of the run, as it must to be trusted."""


def mser(series: Floats, group: int = GROUP) -> tuple[int, bool]:
    r"""Return how many of the first values to leave out by the rule MSER-5.

    .. math:: d^* = \arg\min_d \frac{1}{(n-d)^2} \sum_{i>d} (y_i - \bar y_d)^2

    over the means y of groups of five values, where the bar is the mean of what is left.

    Parameters
    ----------
    series : ndarray (m,)
        Values in the order of time, at least two groups.
    group : int
        Values a group; 5 gives MSER-5.

    Returns
    -------
    int
        Number of values to leave out, a multiple of `group`, at most half of them.
    bool
        Whether the minimum lies in the first half; otherwise the series is too short to tell.

    References
    ----------
    K. P. White, M. J. Cobb, S. C. Spratt (2000), A comparison of five steady-state truncation
    heuristics for simulation, Proc. Winter Simulation Conference, 755-760.

    Examples
    --------
    >>> steady = [9.0, 11.0] * 20
    >>> mser(np.array([0.0] * 10 + steady))
    (10, True)
    """
    number = series.size // group
    means = series[: number * group].reshape(number, group).mean(axis=1)
    left = np.arange(number, 0, -1)
    sums, squares = np.cumsum(means[::-1])[::-1], np.cumsum(means[::-1] ** 2)[::-1]
    spread = np.maximum(squares - sums**2 / left, 0.0) / left**2
    searched = spread[: max(number - GROUP, 1)]  # the last few have no variance to speak of
    best = int(np.argmin(searched))
    return min(best, number // 2) * group, best <= number // 2


def warmup_of(pilots: list[SimulationRun]) -> Warmup:
    """Return the warm-up that pilot runs from empty call for.

    Parameters
    ----------
    pilots : list of SimulationRun
        With `INTERVALS` batches from time 0 to the horizon, or one for each cycle of calendars.

    Notes
    -----
    MSER-5 on the number of jobs in the network, outside it and in transit, averaged over the
    pilots. A run that stopped has no steady state; nothing is left out then.
    """
    if any(pilot.status != COMPLETED for pilot in pilots):
        return Warmup(0.0, settled=False)
    cut, settled = mser(np.mean([jobs_by_batch(pilot) for pilot in pilots], axis=0))
    return Warmup(float(pilots[0].tallies.length[:cut].sum()), settled)


def jobs_by_batch(run: SimulationRun) -> Floats:
    """Return the mean number of jobs inside, outside and in transit, by batch."""
    t = run.tallies
    area = t.waiting + t.in_service + t.blocked + t.held_in_transfer + t.outside
    mean: Floats = (area.sum(axis=(1, 2)) + t.in_transit.sum(axis=1)) / t.length
    return mean
