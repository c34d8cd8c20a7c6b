"""How far demand can grow, by the method's own model, before a backlog grows without limit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flownet.errors import UnconvergedError
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.kernels.traffic import solve_traffic

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
    arrays = solution.compilation.arrays
    ratio = float((offered_loads(arrays) / arrays.servers).max())
    if ratio == 0:
        return math.inf
    bound = 1.0 / ratio
    from flownet.solvers.register import METHODS, blocking_reasons

    no_blocking = ("no_blocking", -1) in blocking_reasons(arrays)
    if solution.method not in {"blocking", "exact"} or no_blocking:
        return bound
    solver = METHODS[solution.method].solve
    low, high = 0.0, bound * (1 + 1e-9)
    while high - low > tolerance * high:
        middle = (low + high) / 2
        measures = solver(_scaled(arrays, middle), **solution.options)
        if measures.status != 0:
            message = (
                f"at {middle:.4g} times the present demand method '{solution.method}' did not "
                "converge: the largest demand that can be carried is not known"
            )
            raise UnconvergedError(message)
        if measures.growth_rate.sum() <= 0:
            low = middle
        else:
            high = middle
    return low


def _scaled(arrays: CompiledNetwork, factor: float) -> CompiledNetwork:
    return arrays._replace(external_arrival_rate=arrays.external_arrival_rate * factor)


def offered_loads(arrays: CompiledNetwork) -> Floats:
    """Return the work offered to each service [erlang] if nobody is lost or held up on the way.

    The time for which a server is held during transfers counts as work.
    """
    size = arrays.route_start.size - 1
    counts = np.diff(arrays.route_start.astype(np.int64)).astype(np.int64)
    rows = np.repeat(np.arange(size), counts)
    held = arrays.route_probability * np.where(arrays.holds_server, arrays.transfer_delay, 0.0)
    transfer = np.bincount(rows, weights=held, minlength=size).reshape(arrays.service_time.shape)
    loads: Floats = (solve_traffic(arrays).arrival_rate * (arrays.service_time + transfer)).sum(
        axis=1
    )
    return loads
