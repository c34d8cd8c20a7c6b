"""Slopes by differences of whole solutions, where no adjoint tells them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Final

import numpy as np

from flownet.kernels.blocking_full import COMPRESSED, FULL
from flownet.kernels.compiled import CompiledNetwork
from flownet.network.parameters import WHOLE, Parameter
from flownet.solvers.objective import Objective
from flownet.solvers.solution import Solution

STEP: Final = 1e-4
"""Relative step: an error of 1e-8 by the step, over the square of the distance to overload, and as
much by a residual of 1e-12."""
ADJOINT, DIFFERENCE, WHOLE_STEPS = "adjoint", "difference", "one more, one less"
PAIRED = "paired difference"
"""How a derivative was found."""
FEW_SERVICES, FEW_PLACES = 4, 10
"""Up to so many services with so many places each, blocking is solved in full at every trial."""
SHARP: Final = 1e-12
"""Residual at which fixed points are solved again for differences."""


def solved_sharply(solution: Solution, arrays: CompiledNetwork) -> Solution:
    """Return the solution to a residual of 1e-12 where the method has one to choose.

    To its usual one where that cannot be had.
    """
    again = solution.again(arrays, sharp=SHARP)
    return again if again.converged else solution.again(arrays)


def in_compressed(solution: Solution) -> Solution | None:
    """Return a solution of blocking in full in the other mode; None where it is none.

    Some changes cannot be had in full (too many states, times that are not exponential); what is
    compared with them is then solved in the compressed mode as well.
    """
    if solution.options.get("mode") != FULL:
        return None
    other = dataclasses.replace(solution, options={**solution.options, "mode": COMPRESSED})
    return other.again(solution.compilation.arrays, any_mode=True)


def few_places(solution: Solution) -> bool:
    """Return whether blocking can be solved in full hundreds of times: few services, few places.

    The states of a part are those of neighbours together, and another server may make them too
    many, so that trials could not be held against each other.
    """
    arrays = solution.compilation.arrays
    places = np.where(np.isfinite(arrays.capacity), arrays.capacity, arrays.servers)
    return arrays.servers.size <= FEW_SERVICES and float(places.max()) <= FEW_PLACES


def slope(
    value: Callable[[float], float],
    at: float,
    size: float,
    *,
    lowest: float = -math.inf,
    highest: float = math.inf,
) -> float:
    r"""Return a derivative by differences, of the second order in the step.

    .. math:: \frac{f(x + h) - f(x - h)}{2 h}\quad\text{or}\quad
              \pm\frac{4 f(x \pm h) - f(x \pm 2 h) - 3 f(x)}{2 h}

    Parameters
    ----------
    value : callable
        Not finite where the function has no value.
    at, size : float
        x and h > 0.
    lowest, highest : float
        Where the function ends; there, and where it has no value on one side, the other is taken.

    Returns
    -------
    float
        nan where neither side has a value.

    Examples
    --------
    >>> round(slope(lambda x: x * x, 3.0, 1e-4, highest=3.0), 9)
    6.0
    """
    up = value(at + size) if at + size <= highest else math.nan
    down = value(at - size) if at - size >= lowest else math.nan
    if math.isfinite(up) and math.isfinite(down):
        return (up - down) / (2.0 * size)
    sign, near = (1.0, up) if math.isfinite(up) else (-1.0, down)
    if not math.isfinite(near):
        return math.nan
    now, far = value(at), value(at + 2.0 * sign * size)
    if not math.isfinite(far):
        return sign * (near - now) / size
    return sign * (4.0 * near - far - 3.0 * now) / (2.0 * size)


class Again:
    """A solution solved again with one parameter changed."""

    def __init__(self, solution: Solution, objective: Objective) -> None:
        self.solution = solution
        self.objective = objective
        self.arrays = solution.compilation.arrays
        self.now = objective.value(solved_sharply(solution, self.arrays))
        # by product form no time has an scv: next to it, decomposition is as good and does
        self.general = solution
        if solution.method == "product_form":
            self.general = dataclasses.replace(solution, method="decomposition", options={})
        elif solution.options.get("mode") == FULL:
            self.general = in_compressed(solution) or solution
        elif solution.method == "exact":
            self.general = dataclasses.replace(solution, options={**solution.options, "fit": True})

    def value(self, parameter: Parameter, value: float) -> float:
        """Return the goal with another value of a parameter; nan where it cannot be solved."""
        arrays = parameter.changed(self.arrays, value)
        if parameter.name in {"service_scv", "arrival_scv"}:
            changed = solved_sharply(self.general, arrays)
        else:
            changed = solved_sharply(self.solution, arrays)
        return self.objective.value(changed) if changed.converged else math.nan

    def slope(self, parameter: Parameter) -> tuple[float, str]:
        """Return a derivative by differences, and how it was found."""
        if parameter.name in WHOLE:
            return self._by_steps(parameter), WHOLE_STEPS
        size = STEP * (parameter.value if parameter.value > 0 else 1.0)
        full = parameter.name == "routing_probability" and self._row_full(parameter)
        highest = parameter.value if full else math.inf
        found = slope(
            lambda value: self.value(parameter, value),
            parameter.value, size, lowest=0.0, highest=highest,
        )  # fmt: skip
        return found, DIFFERENCE

    def _row_full(self, parameter: Parameter) -> bool:
        """Tell whether all who leave a service take one of its routes."""
        arrays, route = self.arrays, parameter.place[0]
        state = int(np.searchsorted(arrays.route_start.astype(np.int64), route, side="right")) - 1
        first, last = (int(arrays.route_start[state + k]) for k in (0, 1))
        return bool(arrays.route_probability[first:last].sum() > 1.0 - STEP)

    def steps(self, parameter: Parameter) -> tuple[float, float]:
        """Return the change of the goal with one more and with one less; nan where impossible."""
        least = 1.0 if parameter.name == "servers" else 0.0
        more = self.value(parameter, parameter.value + 1.0) - self.now
        less = math.nan
        if parameter.value - 1.0 >= least:
            less = self.value(parameter, parameter.value - 1.0) - self.now
        return more, less

    def _by_steps(self, parameter: Parameter) -> float:
        more, less = self.steps(parameter)
        if math.isfinite(less) and math.isfinite(more):
            return (more - less) / 2.0
        return more if math.isfinite(more) else -less
