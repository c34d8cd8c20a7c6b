"""What can enter a network with blocking where a service downstream could not serve it all."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed_flows import Layout
from flownet.kernels.compiled import (
    LOST,
    WAIT_OUTSIDE,
    Booleans,
    CompiledNetwork,
    Floats,
    Measures,
)

TOO_MUCH = 1e-9
"""Work beyond all servers by less than this share of them is rounding."""
HELD_BACK = 7.0
"""Doors held back to a thousandth, in logarithms, without effect are the wrong doors."""
ROUGH = 5e-3
"""Where the doors cannot be set exactly, since fixed points fail, less work than this is left."""
STEEP = 30.0
"""Work that falls so many times as fast as what comes has jumped."""
SEARCH = 60
NEARLY = 1e-6
"""The same once the doors are held back, since fixed points are found to a tolerance."""
CONVERGED, UNCONVERGED = 0, 1

Solve = Callable[[CompiledNetwork, Floats | None], Measures]
"""A network, and where to look first for its fixed point."""


def held_to_capacity(
    compiled: CompiledNetwork, layout: Layout, solve: Solve, tolerance: float
) -> Measures:
    """Return the measures of `solve`, with no service at work beyond its servers.

    The chains of a full service and of the servers held for it end at a largest number, and so show
    a steady state even where more comes than can be served; the work there, flow times service time
    over servers, tells. Then as much stays outside the doors upstream as is too much: it is lost
    there, or the backlogs grow by it. All such doors are held back in the same proportion. Where
    there are none, there is no answer: the status says so, with the excess of work as the residual.

    Parameters
    ----------
    compiled : CompiledNetwork
    layout : Layout
        Of the same.
    solve : callable
        A compiled network and ``rest`` of a like one in, its measures out.
    tolerance : float
        To which `solve` finds its fixed point, and to which the doors are set.
    """
    first = solve(compiled, None)
    over = np.flatnonzero(_load(compiled, first) > 1.0 + TOO_MUCH)
    if over.size == 0:
        return first
    waits = compiled.external_when_full == WAIT_OUTSIDE
    doors = layout.finite & (waits | (compiled.external_when_full == LOST))
    doors &= np.any([_upstream(compiled, layout, j) for j in over.tolist()], axis=0)
    doors &= compiled.external_arrival_rate.sum(axis=1) > 0

    setting = _Doors(compiled, doors, solve)
    less, measures, excess = setting.find(_excess(compiled, first), max(TOO_MUCH, tolerance))
    if excess > max(NEARLY, 10 * tolerance):
        status = max(UNCONVERGED, measures.status)
        return measures._replace(status=status, residual=max(measures.residual, excess))
    kept_out = compiled.external_arrival_rate - less
    piling = np.where(waits[:, None], kept_out, 0.0)
    return measures._replace(
        arrival_rate=measures.arrival_rate + kept_out,
        growth_rate=measures.growth_rate + piling,
        loss_rate=measures.loss_rate + kept_out - piling,
        number_outside=np.where(piling > 0, np.inf, measures.number_outside),
    )


class _Doors:
    """How far the doors are held back, and what was found there."""

    def __init__(self, compiled: CompiledNetwork, doors: Booleans, solve: Solve) -> None:
        self.compiled, self.doors, self.solve = compiled, doors, solve
        self.last: Floats | None = None
        self.sound: list[Held] = []
        """Fixed points without too much work."""

    def held_back(self, by: float) -> Held:
        """Return what is found with the doors held back by so much, in logarithms.

        There may be two fixed points, one of them nearly at rest: looked for is the other one.
        """
        arriving = self.compiled.external_arrival_rate
        less = arriving * np.where(self.doors, np.exp(-by), 1.0)[:, None]
        begin = self.sound[-1].measures.rest if self.sound else self.last
        measures = self.solve(self.compiled._replace(external_arrival_rate=less), begin)
        found = Held(less, measures, _excess(self.compiled, measures))
        if measures.status == CONVERGED:
            self.last = measures.rest
            if found.excess <= TOO_MUCH:
                self.sound.append(found)
        return found

    def find(self, excess: float, fine: float) -> Held:
        """Return what is found where the work is all that can be done, to within `fine`.

        Where it jumps there, or no fixed point is found, the nearest below counts, which leaves
        less than `ROUGH` undone; its residual is that.
        """
        if not self.doors.any():
            return self.held_back(0.0)
        before, by, below = 0.0, 0.0, excess
        while True:
            step = max(2.0 * np.log1p(excess), 2.0 * (by - before), 1e-6)
            before, by, below = by, by + step, excess
            found = self.held_back(by)
            excess = found.excess
            if not excess > TOO_MUCH or by > HELD_BACK:
                break
        if below > 0.0 > excess:
            found = self._between(found, (before, below), (by, excess), fine)
        nearest = max(self.sound, key=lambda held: held.excess, default=found)
        poor = found.measures.status != CONVERGED or found.excess > TOO_MUCH
        if poor and -ROUGH < nearest.excess <= TOO_MUCH:
            residual = max(nearest.measures.residual, -nearest.excess)
            return nearest._replace(measures=nearest.measures._replace(residual=residual))
        return found

    def _between(
        self, found: Held, least: tuple[float, float], most: tuple[float, float], fine: float
    ) -> Held:
        """Return what is found between two settings, with too much work and with less."""
        (a, fa), (b, fb) = least, most
        ga, gb, side = fa + fine / 2, fb + fine / 2, 0
        for _ in range(SEARCH):
            if -fine <= found.excess <= TOO_MUCH or not ga > 0.0 > gb:
                break
            if fa - fb > STEEP * (b - a) + fine:  # it jumps there
                break
            by = (a * gb - b * ga) / (gb - ga)
            found = self.held_back(by)
            if found.excess + fine / 2 > 0.0:  # regula falsi, Illinois
                a, fa, ga = by, found.excess, found.excess + fine / 2
                gb, side = (gb / 2 if side < 0 else gb), -1
            else:
                b, fb, gb = by, found.excess, found.excess + fine / 2
                ga, side = (ga / 2 if side > 0 else ga), 1
        return found


class Held(NamedTuple):
    """What is found with the doors held back."""

    less: Floats
    """(n, R) arrivals that are left."""
    measures: Measures
    excess: float
    """Work at the busiest service over all that its servers can do, less 1."""


def _excess(compiled: CompiledNetwork, measures: Measures) -> float:
    return float(_load(compiled, measures).max()) - 1.0


def _load(compiled: CompiledNetwork, measures: Measures) -> Floats:
    """Return the work at each service over its servers; 0 where these are unlimited."""
    work = measures.number_in_service.sum(axis=1)
    load: Floats = np.where(np.isfinite(compiled.servers), work / compiled.servers, 0.0)
    return np.where(np.isfinite(load), load, 0.0)


def _upstream(compiled: CompiledNetwork, layout: Layout, service: int) -> Booleans:
    """Return from which services jobs can come to one, itself included."""
    over = np.flatnonzero(compiled.overflow_to >= 0)
    start = np.concatenate([layout.start, over])
    end = np.concatenate([layout.end, compiled.overflow_to[over]])
    found: Booleans = np.zeros(compiled.servers.size, dtype=np.bool_)
    found[service] = True
    while True:
        more = found.copy()
        more[start[found[end]]] = True
        if (more == found).all():
            return found
        found = more
