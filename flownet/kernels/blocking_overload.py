"""What can enter a network with blocking where a service downstream could not serve it all."""

from __future__ import annotations

from collections.abc import Callable

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
ROUNDS = 60
UNCONVERGED = 1


def held_to_capacity(
    compiled: CompiledNetwork, layout: Layout, solve: Callable[[CompiledNetwork], Measures]
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
        A compiled network in, its measures out.
    """
    waits = compiled.external_when_full == WAIT_OUTSIDE
    doors = layout.finite & (waits | (compiled.external_when_full == LOST))
    doors &= compiled.external_arrival_rate.sum(axis=1) > 0
    share = np.ones(doors.size)
    measures, excess = solve(compiled), np.inf
    for _ in range(ROUNDS):
        load = _load(compiled, measures)
        worst = int(load.argmax())
        excess = float(load[worst]) - 1.0
        if excess <= TOO_MUCH:
            break
        reaching = doors & _upstream(compiled, layout, worst)
        if not reaching.any():
            break
        share = np.where(reaching, share / (1.0 + excess), share)
        less = compiled.external_arrival_rate * share[:, None]
        measures = solve(compiled._replace(external_arrival_rate=less))
    if excess > TOO_MUCH:
        status = max(UNCONVERGED, measures.status)
        return measures._replace(status=status, residual=max(measures.residual, excess))
    kept_out = compiled.external_arrival_rate * (1.0 - share)[:, None]
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
