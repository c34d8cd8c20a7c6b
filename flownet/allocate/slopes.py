"""What one step up or down at each service does to a plan's score, by the full model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from flownet.allocate.curves import level_needed, number_waiting, stations_of
from flownet.allocate.judge import Judge, Score
from flownet.allocate.search import Rules
from flownet.kernels.compiled import Booleans, Floats

_USUAL = 0.7
"""How much less the next step gains than the one before, where nothing is known of it."""


@dataclass(frozen=True, eq=False)
class Slopes:
    """Gains by service around a plan, in what counts first there.

    Attributes
    ----------
    base : numpy.ndarray
        (n,) the servers around which they are.
    up, down : numpy.ndarray
        (n,) gain (negative: a loss) of one step more, one step less; nan where it cannot be
        taken, -inf where it breaks what is kept at `base`.
    decay : numpy.ndarray
        (n,) in (0, 1): what the next step gains of the one before.
    """

    base: Floats
    up: Floats
    down: Floats
    decay: Floats

    def gain(self, i: int, steps: float) -> float:
        """Return the gain expected of so many steps at a service."""
        if steps == 0:
            return 0.0
        shrink, up, down = float(self.decay[i]), float(self.up[i]), float(self.down[i])
        if steps > 0:
            return up * (steps if up < 0 else (1 - shrink**steps) / (1 - shrink))
        grow = 1 / shrink
        return down * (-steps if down > 0 else (grow**-steps - 1) / (grow - 1))


def part_of(score: Score, base: Score) -> float:
    """Return what counts first at `base`: terms broken, growth, or the first goal."""
    if base.broken > 0:
        return score.broken
    if base.growth > 0:
        return score.growth
    return score.first


def difference(score: Score, base: Score) -> float:
    """Return the gain in what counts first at `base`; -inf where more is broken or grows."""
    worse = (score.broken > base.broken and base.broken == 0) or (
        score.growth > base.growth and base.growth == 0 and base.broken == 0
    )
    gained = part_of(base, base) - part_of(score, base)
    return -math.inf if worse or math.isnan(gained) else gained


def slopes(
    judge: Judge,
    rules: Rules,
    base: Floats,
    ups: Booleans,
    downs: Booleans,
    known: Slopes | None = None,
) -> Slopes:
    """Return the gains of one step at each service that may be changed.

    Parameters
    ----------
    judge, rules
        The task.
    base : numpy.ndarray
        (n,) servers.
    ups, downs : numpy.ndarray of bool
        (n,) where a step up, a step down can be taken.
    known : Slopes, optional
        Gains from elsewhere that are taken over where they are not nan.
    """
    count, now = base.size, judge.at(base)
    up, down = np.full(count, math.nan), np.full(count, math.nan)
    size = rules.terms.shift
    for gains, where, sign in ((up, ups, 1.0), (down, downs, -1.0)):
        old = None if known is None else (known.up if sign > 0 else known.down)
        for i in np.flatnonzero(where):
            if old is not None and not math.isnan(old[i]):
                gains[i] = old[i]
                continue
            trial = base.copy()
            trial[i] += sign * size[i]
            gains[i] = difference(judge.at(trial), now)
    return Slopes(base, up, down, _decays(judge, base))


def _decays(judge: Judge, base: Floats) -> Floats:
    """Return (n,) how gains shrink from one server to the next, by each service's own curve."""
    solution = judge.solutions[0]
    counts = solution.compilation.arrays.servers
    decay = np.full(base.size, _USUAL)
    for i, station in enumerate(stations_of(solution)):
        kind, level = judge.levers.kinds[i], float(base[i])
        if kind != "servers" or level <= level_needed(station, judge.levers, i, float(counts[i])):
            continue
        points = [number_waiting(station, level + k) for k in range(3)]
        if math.isfinite(level) and points[0] - points[1] > 0:
            decay[i] = (points[1] - points[2]) / (points[0] - points[1])
    clipped: Floats = np.clip(decay, 0.2, 0.95)
    return clipped
