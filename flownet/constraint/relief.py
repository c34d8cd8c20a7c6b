"""What more capacity at each service would do to the goal, by solving again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from flownet.constraint.causes import seen_by_state
from flownet.constraint.differences import ADJOINT, DIFFERENCE, STEP, slope, solved_sharply
from flownet.constraint.gradient import gradient_of
from flownet.errors import UnconvergedError
from flownet.kernels.change import with_servers, with_service_rate
from flownet.kernels.compiled import Booleans, Floats
from flownet.solvers.goals import GoalValue, goal_value
from flownet.solvers.objective import objective_of
from flownet.solvers.solution import Solution

TRIED = 400
"""So many services at most are tried with one more server: those of the largest elasticity."""
FEWEST = 3
WORK = 20_000
"""Where blocking is solved, no more than so many services are solved anew in all, or `FEWEST` whole
networks: each takes a hundred times as long as without."""

NOISE = 1e-6
"""Elasticities below this, and relief below this share of the goal, are 0: a residual of 1e-9 in
the fixed points, over the step, is no more than that."""

Progress = Callable[[int, int], None]


class Relief(NamedTuple):
    """What each service's capacity is worth to the goal; positive is better."""

    elasticity: Floats
    """(n,) % of improvement of the goal for 1 % more service rate there, all else fixed."""
    relief: Floats
    """(n,) gain in the goal from one more server (exact difference), nan where not tried."""
    how: str
    """How the elasticities were found: ``adjoint``, or ``difference`` of whole solutions."""


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
    By one adjoint solve where the method has one. Else by central differences with a relative step
    of 1e-4, fixed points solved to 1e-12; where the goal becomes infinite on the slower side (a
    service close to its limit), the difference is taken on the faster side only.
    """
    arrays = solution.compilation.arrays
    limited = visited(solution)
    elasticity, how = elasticities_and_how(solution, goal, value, progress)
    relief = np.where(limited, np.nan, 0.0)
    if solution.method == "product_form" and value.growth == 0 and goal != "throughput":
        return Relief(elasticity, np.where(limited, _all_at_once(solution, goal), 0.0), how)
    chosen = np.flatnonzero(limited)
    most = TRIED
    if solution.method == "blocking":
        most = min(TRIED, max(FEWEST, WORK // limited.size))
    leaders = chosen[np.argsort(-elasticity[chosen], kind="stable")][:most]
    for done, i in enumerate(leaders):
        if progress is not None:
            progress(done, leaders.size)
        more = with_servers(arrays, int(i), float(arrays.servers[i]) + 1.0)
        relief[i] = goal_value(_converged(solution.again(more)), goal).gain_over(value)
    noise = NOISE * max(1.0, abs(amount(value, growing=value.growth > 0)))
    return Relief(elasticity, np.where(np.abs(relief) < noise, 0.0, relief), how)


def _all_at_once(solution: Solution, goal: str) -> Floats:
    """Return the relief of every service of a stable network of product form.

    Its flows do not depend on servers, and what is seen at a service depends on its own only: one
    solution with one more server everywhere tells all.
    """
    objective = objective_of(solution, goal)
    arrays = solution.compilation.arrays
    more = solution.again(arrays._replace(servers=arrays.servers + 1.0))
    gain = seen_by_state(solution, objective) - seen_by_state(more, objective)
    linear = objective.linear(solution)
    price = linear.by_servers if linear is not None else np.zeros(arrays.servers.size)
    return np.asarray(gain.sum(axis=1) - price)


def visited(solution: Solution) -> Booleans:
    """Tell which services have finitely many servers, and somebody to serve."""
    finite = np.isfinite(solution.compilation.arrays.servers)
    return np.asarray(finite & (solution.measures.arrival_rate.sum(axis=1) > 0))


def elasticities(
    solution: Solution, goal: str, value: GoalValue, progress: Progress | None = None
) -> Floats:
    """Return the elasticity of every service, 0 where it has none; see `relief_of`."""
    return elasticities_and_how(solution, goal, value, progress)[0]


def elasticities_and_how(
    solution: Solution, goal: str, value: GoalValue, progress: Progress | None = None
) -> tuple[Floats, str]:
    """Return the same, and whether it is by the adjoint or by differences of solutions."""
    limited = visited(solution)
    elasticity, how = _by_adjoint(solution, goal, value), ADJOINT
    if elasticity is None:
        elasticity, how = np.zeros(limited.size), DIFFERENCE
        chosen = np.flatnonzero(limited)
        for done, i in enumerate(chosen):
            if progress is not None:
                progress(done, chosen.size)
            elasticity[i] = _elasticity(solution, goal, value, int(i))
    return np.where(limited & (np.abs(elasticity) >= NOISE), elasticity, 0.0), how


def _by_adjoint(solution: Solution, goal: str, value: GoalValue) -> Floats | None:
    """Return all elasticities by one adjoint solve; None where the method has none."""
    objective = objective_of(solution, goal)
    now = amount(value, growing=value.growth > 0)
    if now == 0 or not math.isfinite(now):
        return np.zeros(solution.compilation.arrays.servers.size)
    gradient = gradient_of(solution, objective)
    if gradient is None:
        return None
    # 1 % more rate is 1 % less time
    by_time = (solution.compilation.arrays.service_time * gradient.service_time).sum(axis=1)
    return np.asarray(-objective.gain * by_time / abs(now))


def _converged(again: Solution) -> Solution:
    if not again.converged:
        message = (
            f"the network with one capacity changed did not converge (method {again.method}, "
            f"residual {again.residual:.2g}): no finding can be given by this method"
        )
        raise UnconvergedError(message)
    return again


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

    def at(rise: float) -> float:
        changed = with_service_rate(arrays, service, math.exp(rise))
        found = goal_value(_converged(solved_sharply(solution, changed)), goal)
        if found.growth > 0 and not growing and goal != "throughput":
            return math.inf
        return amount(found, growing=growing)

    rise = slope(at, 0.0, STEP)
    return (rise if goal == "throughput" else -rise) / abs(now)
