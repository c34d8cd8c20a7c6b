"""How far demand can grow, by the method's own model, before a backlog grows without limit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flownet.kernels.compiled import CompiledNetwork

if TYPE_CHECKING:
    from flownet.solvers.solution import Solution


def saturation_scale(solution: Solution, tolerance: float = 1e-6) -> float:
    """Return the largest factor on all arrivals from outside that the system carries.

    Without blocking it is the reciprocal of the largest load. With blocking it is bracketed by
    solving again with the solution's own method, since jobs that cannot move on take capacity
    that no load counts.

    Parameters
    ----------
    solution : Solution
        Of a network in which no job can be lost or give up.
    tolerance : float
        Relative width of the bracket at which bisection stops.

    Returns
    -------
    float
        Factor on the external arrival rates; ``inf`` where no service has finitely many servers.

    Notes
    -----
    Monotone in demand by assumption: what saturates at one demand saturates at any larger one.
    """
    load = (solution.measures.arrival_rate * solution.compilation.arrays.service_time).sum(axis=1)
    held = solution.measures.number_held_in_transfer.sum(axis=1)
    load = load + np.where(np.isfinite(held), held, 0.0)
    ratio = float((load / solution.compilation.arrays.servers).max())
    if ratio == 0:
        return math.inf
    bound = 1.0 / ratio
    if solution.method != "blocking":
        return bound
    from flownet.solvers.register import METHODS

    solver = METHODS[solution.method].solve
    arrays = solution.compilation.arrays
    low, high = 0.0, bound * (1 + 1e-9)
    while high - low > tolerance * high:
        middle = (low + high) / 2
        measures = solver(_scaled(arrays, middle))
        if measures.status == 0 and measures.growth_rate.sum() <= 0:
            low = middle
        else:
            high = middle
    return low


def _scaled(arrays: CompiledNetwork, factor: float) -> CompiledNetwork:
    return arrays._replace(external_arrival_rate=arrays.external_arrival_rate * factor)
