"""What more capacity at each service would do to the goal, by solving again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from flownet.errors import UnconvergedError
from flownet.kernels.change import with_servers, with_service_rate
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.solvers.goals import GoalValue, goal_value
from flownet.solvers.solution import Solution

STEP = 1e-3
"""Relative step of the service rate in the central difference: its error is of order 1e-6."""

NOISE = 1e-6
"""Elasticities below this, and relief below this share of the goal, are 0: a residual of 1e-9 in
the fixed points, over the step, is no more than that."""

Progress = Callable[[int, int], None]


class Relief(NamedTuple):
    """What each service's capacity is worth to the goal; positive is better."""

    elasticity: Floats
    """(n,) % of improvement of the goal for 1 % more service rate there, all else fixed."""
    relief: Floats
    """(n,) gain in the goal from one more server (exact difference), nan where not asked for."""


def relief_of(
    solution: Solution, goal: str, value: GoalValue, progress: Progress | None = None
) -> Relief:
    r"""Return elasticity and relief of every service with finitely many servers.

    .. math:: e_i = -\frac{\partial \ln J}{\partial \ln \mu_i}\quad(\text{delay, cost, growth}),
              \qquad e_i = \frac{\partial \ln J}{\partial \ln \mu_i}\quad(\text{throughput})

    Parameters
    ----------
    solution : Solution
        Of the present network; its method is used again.
    goal : str
        A goal's name.
    value : GoalValue
        The goal at present.
    progress : callable, optional
        Called with (done, total).

    Raises
    ------
    UnconvergedError
        Where a changed network could not be solved.

    Notes
    -----
    Where a backlog grows at present, J is its total growth rate: delay has no finite value then.
    Central differences with a relative step of 1e-3; where the goal becomes infinite on the
    slower side (a service close to its limit), the difference is taken on the faster side only.
    """
    arrays = solution.compilation.arrays
    count = arrays.servers.size
    elasticity, relief = np.zeros(count), np.zeros(count)
    limited = np.isfinite(arrays.servers) & (solution.measures.arrival_rate.sum(axis=1) > 0)
    for done, i in enumerate(np.flatnonzero(limited)):
        if progress is not None:
            progress(done, int(limited.sum()))
        elasticity[i] = _elasticity(solution, goal, value, int(i))
        more = with_servers(arrays, int(i), float(arrays.servers[i]) + 1.0)
        relief[i] = _solved(solution, more, goal).gain_over(value)
    noise = NOISE * max(1.0, abs(amount(value, growing=value.growth > 0)))
    return Relief(
        np.where(np.abs(elasticity) < NOISE, 0.0, elasticity),
        np.where(np.abs(relief) < noise, 0.0, relief),
    )


def _solved(solution: Solution, arrays: CompiledNetwork, goal: str) -> GoalValue:
    again = solution.again(arrays)
    if not again.converged:
        message = (
            f"the network with one capacity changed did not converge (method {again.method}, "
            f"residual {again.residual:.2g}): no finding can be given by this method"
        )
        raise UnconvergedError(message)
    return goal_value(again, goal)


def amount(value: GoalValue, *, growing: bool) -> float:
    """Return the number that is to be improved: the growth of the backlog where one grows."""
    return value.growth if growing and value.goal != "throughput" else value.value


def _elasticity(solution: Solution, goal: str, value: GoalValue, service: int) -> float:
    """Return the relative improvement of the goal per relative rise of one service's rate."""
    arrays = solution.compilation.arrays
    growing = value.growth > 0
    now = amount(value, growing=growing)
    if now == 0 or not math.isfinite(now):
        return 0.0
    up = _solved(solution, with_service_rate(arrays, service, 1 + STEP), goal)
    down = _solved(solution, with_service_rate(arrays, service, 1 / (1 + STEP)), goal)
    faster, slower = amount(up, growing=growing), amount(down, growing=growing)
    width = math.log1p(STEP)
    if math.isfinite(slower) and (growing or down.growth == 0):
        slope = (faster - slower) / (2 * width)
    else:
        slope = (faster - now) / width
    return (slope if goal == "throughput" else -slope) / abs(now)
