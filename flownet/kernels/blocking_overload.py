"""What can enter a network with blocking where a service downstream could not serve it all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

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
NEARLY = 1e-6
"""The same once the doors are held back, since fixed points are found to a tolerance."""
CONVERGED, UNCONVERGED = 0, 1

Solve = Callable[[CompiledNetwork, Floats | None], Measures]
"""A network, and where to look first for its fixed point."""


def held_to_capacity(compiled: CompiledNetwork, layout: Layout, solve: Solve) -> Measures:
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
    """
    first = solve(compiled, None)
    over = np.flatnonzero(_load(compiled, first) > 1.0 + TOO_MUCH)
    if over.size == 0:
        return first
    waits = compiled.external_when_full == WAIT_OUTSIDE
    doors = layout.finite & (waits | (compiled.external_when_full == LOST))
    doors &= np.any([_upstream(compiled, layout, j) for j in over.tolist()], axis=0)
    doors &= compiled.external_arrival_rate.sum(axis=1) > 0

    rest: list[Floats | None] = [None]

    def held_back(by: float) -> tuple[Floats, Measures, float]:
        less = compiled.external_arrival_rate * np.where(doors, np.exp(-by), 1.0)[:, None]
        measures = solve(compiled._replace(external_arrival_rate=less), rest[-1])
        if measures.status == CONVERGED:
            rest.append(measures.rest)
        return less, measures, float(_load(compiled, measures).max()) - 1.0

    least, most, excess = 0.0, 0.0, float(_load(compiled, first).max()) - 1.0
    less, measures = compiled.external_arrival_rate, first
    while excess > TOO_MUCH and doors.any() and most < HELD_BACK:
        least, most = most, most + max(2.0 * np.log1p(excess), 1e-6)
        less, measures, excess = held_back(most)
    if excess < -TOO_MUCH:
        by = brentq(lambda by: held_back(by)[2], least, most, xtol=1e-12, disp=False)
        less, measures, excess = held_back(by + 1e-11)
    if excess > NEARLY:
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
