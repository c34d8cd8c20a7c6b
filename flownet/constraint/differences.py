"""Slopes by differences of whole solutions, where no adjoint tells them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from flownet.kernels.compiled import CompiledNetwork
from flownet.solvers.solution import Solution

STEP: Final = 1e-4
"""Relative step: an error of 1e-8 by the step, over the square of the distance to overload, and as
much by a residual of 1e-12."""
ADJOINT, DIFFERENCE, WHOLE_STEPS = "adjoint", "difference", "one more, one less"
"""How a derivative was found."""
SHARP: Final = 1e-12
"""Residual at which fixed points are solved again for differences."""


def solved_sharply(solution: Solution, arrays: CompiledNetwork) -> Solution:
    """Return the solution to a residual of 1e-12 where the method has one to choose.

    To its usual one where that cannot be had.
    """
    again = solution.again(arrays, sharp=SHARP)
    return again if again.converged else solution.again(arrays)


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
