"""An allocation whose budget changes: solved once, then again from where it stands."""

from __future__ import annotations

import math

from flownet.allocate import formulation_goals as goals
from flownet.allocate.answer import solution_of
from flownet.allocate.course import Course, Effort, plan_of
from flownet.allocate.duals import duals_of
from flownet.allocate.problem import AllocationProblem, AllocationSolution
from flownet.allocate.refine import cut
from flownet.allocate.separable import best_course
from flownet.errors import Fault, ParameterError


class LiveAllocation:
    """A problem with divisible servers that is solved for one budget after another.

    Parameters
    ----------
    problem : AllocationProblem
        Divisible, one goal, every service stable at the first budget already.
    gap : float
        Relative gap that is good enough.

    Raises
    ------
    ParameterError
        Where the problem is not of that kind.
    ProgramError
        Where no allocation keeps to the bounds and terms.

    Notes
    -----
    The lines that the curves have got stay in the program; a new budget changes one right-hand
    side of the live model, which the dual simplex mends, and lines are added where the new
    solution needs them. Ranges of duals are not worked out.

    Examples
    --------
    >>> import numpy as np
    >>> def waiting(services, servers):  # M/M/1 with rates 1 and 4; its servers are its rate
    ...     rates = np.array([1.0, 4.0])[services]
    ...     return rates / (servers - rates), -rates / (servers - rates) ** 2
    >>> live = LiveAllocation(AllocationProblem(
    ...     names=("a", "b"), servers=np.array([1.5, 4.5]), load=np.array([1.0, 4.0]),
    ...     curve=waiting, cost_per_server=np.ones(2), budget=2.0, integer=False), gap=1e-9)
    >>> [round(live.solve(budget).objective_value, 6) for budget in (2.0, 5.0, 2.0)]
    [3.0, 1.5, 3.0]
    """

    def __init__(self, problem: AllocationProblem, gap: float = 1e-3) -> None:
        if problem.integer or problem.goal == "throughput":
            message = "is solved again for divisible servers and goals of delay or cost only"
            raise ParameterError([Fault("allocation", "integer", str(problem.integer), message)])
        self._effort = Effort(gap, 0, None, "auto", ranges=False)
        found = best_course(problem, self._effort)
        if found is None or not found.curved.size:
            message = "leaves services overloaded, or has no curve: solve each budget by itself"
            raise ParameterError([Fault("allocation", "budget", f"{problem.budget:g}", message)])
        self._course = found
        self._budget = float(problem.budget)

    def solve(self, budget: float) -> AllocationSolution:
        """Return the best allocation for a budget.

        Raises
        ------
        ParameterError
            For a budget that is not a finite amount of money, at least 0.
        ProgramError
            Where this budget is too small for what must be.
        """
        if not 0 <= budget < math.inf:
            message = "must be a finite amount of money per time unit, at least 0"
            raise ParameterError([Fault("allocation", "budget", f"{budget:g}", message)])
        if budget != self._budget:
            self._course, self._budget = self._moved_to(budget), budget
        return solution_of(self._course, self._effort)

    def _moved_to(self, budget: float) -> Course:
        model, curved = self._course.model, self._course.curved
        model.given = model.given._replace(budget=budget)
        self._effort = Effort(self._effort.gap, 0, None, "auto", ranges=False)
        for i, variable in model.servers.items():
            if self._course.tidied:
                low, high = float(model.given.low[i]), float(model.given.high[i])
                model.program.set_bounds(variable, low, high)
        if self._course.tidied:
            goals.minimize_goal(model)
        found = model.program.resolve({"budget": budget}, relaxed=True)
        course = Course(model, plan_of(model, found, whole=False), curved=curved)
        found = cut(course, found, curved, self._effort)
        course.duals = duals_of(model, found)
        return course
