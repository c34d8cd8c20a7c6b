"""Solve an allocation whose delay at each service depends on its own servers only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NoReturn

import numpy as np

from flownet.allocate import formulation as form
from flownet.allocate import formulation_goals as goals
from flownet.allocate.answer import solution_of
from flownet.allocate.branch import whole_solution
from flownet.allocate.cases import Risk
from flownet.allocate.course import PROVEN, Course, Effort, plan_of, tidy
from flownet.allocate.decisions import curves_and_goals, decisions
from flownet.allocate.duals import duals_of
from flownet.allocate.formulation import Model
from flownet.allocate.infeasible import no_allocation
from flownet.allocate.linearise import bent_at_steps, bent_between, region_of_interest
from flownet.allocate.problem import AllocationProblem, AllocationSolution, Given, check_problem
from flownet.allocate.refine import refined, within_reach
from flownet.errors import ProgramError
from flownet.programs import Program, ProgramSolution

_KEPT = 1e-6
"""By so much, relatively, a goal may be given up for those after it: the solver's rounding."""


def solve_separable(
    problem: AllocationProblem,
    *,
    gap: float = 1e-3,
    polish: int = 2000,
    time_limit: float | None = None,
    solver: str = "auto",
    ranges: bool = True,
) -> AllocationSolution:
    r"""Return the best purchases and moves, with a proven bound.

    .. math:: \min \sum_i w_i f_i(c_i) \quad\text{subject to the rows of docs/formulation.md}

    Parameters
    ----------
    problem : AllocationProblem
        Servers, curves, prices, exchanges and bounds.
    gap : float
        Relative gap between the value and the bound that is good enough, >= 0.
    polish : int
        Nodes of branch and bound that may be spent on whole numbers beyond `gap` in each of at
        most ten rounds, so that small problems are solved to the proven optimum.
    time_limit : float, optional
        Seconds in all; the best allocation found so far is returned with its gap.
    solver : str
        See `Program.solve`.
    ranges : bool
        Work out between which limits the duals stand, too.

    Returns
    -------
    AllocationSolution

    Raises
    ------
    ParameterError, UnknownNameError
        Where the problem is at fault.
    ProgramError
        Where no allocation keeps to the bounds (with the constraints in conflict), nothing limits
        the goal, or a curve is not convex and servers are divisible.

    Notes
    -----
    Divisible servers: tangents are added where the solution lies until the gap is closed. Whole
    numbers: the same with secants between whole steps, which are exact there, first with
    divisible servers, then by branch and bound. A curve that turns out not to be convex at whole
    steps is tabled. Where no affordable plan makes every service stable, total growth of the
    backlogs comes first; the services that stay overloaded in that first program are then left
    out, and the goal is the others'. If several sets would do for the same growth, the one that
    the first program met is kept.

    References
    ----------
    Kelley (1960), Journal of the SIAM 8, 703-712. Fox (1966), Management Science 13, 210-216.

    Examples
    --------
    >>> def waiting(services, servers):  # M/M/1 with rates 1 and 4; its servers are its rate
    ...     rates = np.array([1.0, 4.0])[services]
    ...     return rates / (servers - rates), -rates / (servers - rates) ** 2
    >>> problem = AllocationProblem(
    ...     names=("a", "b"), servers=np.zeros(2), load=np.array([1.0, 4.0]), curve=waiting,
    ...     cost_per_server=np.ones(2), budget=8.0, integer=False)
    >>> solution = solve_separable(problem, gap=1e-9)
    >>> solution.servers.round(3).tolist(), round(solution.objective_value, 6)
    ([2.0, 6.0], 3.0)
    """
    given = check_problem(problem)
    effort = Effort(gap, polish, time_limit, solver, ranges)
    if given.goal == "throughput":
        return _throughput(given, effort)
    if given.risk.kind == "regret":
        given = given._replace(risk=given.risk._replace(best=_best_of_each(given, effort)))
    given = _looked_over(given)
    for _ in range(len(given.keeps), len(given.cases[0].objectives) - 1):
        course = _stable(given, effort)
        if course is None:
            break
        most = course.value + _KEPT * max(1.0, abs(course.value))
        given = given._replace(keeps=(*given.keeps, most))
    course = _stable(given, effort)
    return _with_backlogs(given, effort) if course is None else solution_of(course, effort)


def best_course(problem: AllocationProblem, effort: Effort) -> Course | None:
    """Return the refined program of a problem with one goal; None where it cannot be stable.

    Raises
    ------
    ParameterError, UnknownNameError, ProgramError
        As for `solve_separable`.
    """
    return _stable(_looked_over(check_problem(problem)), effort)


def can_be_stable(problem: AllocationProblem, solver: str = "auto") -> bool:
    """Return whether any allocation within the terms makes every service stable.

    Raises
    ------
    ProgramError
        Where nothing keeps to the terms, stable or not; the ones in conflict are named.
    """
    given = check_problem(problem)
    model = decisions(given, "stability")
    form.minimize_effort(model)
    best = model.program.solve(solver, gap=1.0)
    if best.status == "infeasible":
        raise no_allocation(best, model)
    form.stability(model, given.limited)
    return model.program.resolve(gap=1.0).status != "infeasible"


# ---------------------------------------------------------------------------------------- cases


def _best_of_each(given: Given, effort: Effort) -> tuple[float, ...]:
    """Return the best value of the present goal in each case alone, for its regret."""
    best = []
    for case in given.cases:
        alone = given._replace(cases=(case._replace(share=1.0),), risk=Risk(), keeps=())
        course = _stable(_looked_over(alone), effort)
        if course is None:
            raise _unstable(alone, effort)
        best.append(course.value if given.integer else course.bound)
    return tuple(best)


def _looked_over(given: Given) -> Given:
    """Return the problem with the curves marked that are not convex where they may be needed."""
    bent = {i for i in given.limited if not given.convex[i]}
    if bent and not given.integer:
        _refuse_divisible(given, bent)
    model = Model(given, Program("bounds"))  # nothing is solved
    low, high = within_reach(given, model.need, model.offset)
    top = region_of_interest(given.load, low, high)
    bent_in = bent_at_steps if given.integer else bent_between
    for family in form.families_of(given):
        seen = [i for i in form.wanted(given, family) if given.convex[i] and top[i] > low[i]]
        services = np.array(seen, dtype=np.int64)
        if seen:
            bent |= set(bent_in(family.curve, services, low[services], top[services]).tolist())
    if bent and not given.integer:
        _refuse_divisible(given, bent)
    convex = given.convex.copy()
    convex[list(bent)] = False
    return given._replace(convex=convex)


def _convexified(
    given: Given, build: Callable[[Given], Model], services: list[int], effort: Effort
) -> Course | None:
    """Return the refined program; again with curves tabled that turn out not to be convex."""
    rounds = 0
    while True:
        course = refined(build(given), services, effort)
        if course is None:
            return None
        rounds += course.rounds
        if not course.suspects:
            course.rounds = rounds
            return course
        if not given.integer:
            _refuse_divisible(given, course.suspects)
        convex = given.convex.copy()
        convex[list(course.suspects)] = False
        given = given._replace(convex=convex)


def _refuse_divisible(given: Given, services: Iterable[int]) -> NoReturn:
    names = ", ".join(f"'{given.names[i]}'" for i in sorted(services))
    raise ProgramError(
        f"the delay of {names} is not convex in the servers, so that divisible servers have no "
        "bound: ask for whole numbers (integer=True)"
    )


def _stable(given: Given, effort: Effort) -> Course | None:
    """Return the best plan with every service stable, None where there is no such plan."""

    def build(given: Given) -> Model:
        model = decisions(given, "allocation")
        form.stability(model, given.limited)
        curves_and_goals(model)
        return model

    return _convexified(given, build, given.limited, effort)


def _throughput(given: Given, effort: Effort) -> AllocationSolution:
    """Return the plan under which demand can grow most."""
    model = decisions(given, "allocation for throughput")
    scale = form.scale_variable(model)
    form.saturation(model, scale)
    form.maximize_throughput(model, scale)
    best = model.program.solve(effort.solver, effort.left(), relaxed=True)
    if best.status == "unbounded":
        raise ProgramError(
            "nothing limits throughput: no service with finitely many servers has a load, or "
            "those that have one can be given servers without end"
        )
    if best.status == "infeasible":
        raise no_allocation(best, model)
    duals = duals_of(model, best)
    if given.integer:
        best = whole_solution(model, effort)
        if best.status == "infeasible":
            raise no_allocation(best, model)
    course = Course(
        model,
        plan_of(model, best, whole=given.integer),
        value=best.objective,
        bound=best.bound,
        rounds=1 + given.integer,
        duals=duals,
    )
    model.program.set_bounds(scale, best.objective * (1 - PROVEN), math.inf)
    tidy(course, effort, fix_servers=False)
    return solution_of(course, effort)


def _with_backlogs(given: Given, effort: Effort) -> AllocationSolution:
    """Return the plan with the least growth of backlogs and, with that, the best goal."""
    if len(given.cases) > 1 or given.keeps or given.cases[0].protect:
        raise _unstable(given, effort)
    first, least = _least_growth(given, effort)
    servers = plan_of(first, least, whole=given.integer).servers
    growth = dict(zip(first.growth, least.array(list(first.growth.values())), strict=True))
    size = max(1.0, float(given.flows.external_arrival_rate.sum()))
    left = {
        i
        for i, rate in growth.items()
        if rate > 1e-7 * size or servers[i] < given.need[i] * (1 - PROVEN)
    }
    stable = [i for i in given.limited if i not in left]

    def build(given: Given) -> Model:
        model = decisions(given, "allocation with backlogs")
        form.flow_variables(model)
        form.flow(model)
        form.service_limit(model)
        form.backlog(model, least.objective + 1e-8 * size)
        form.stability(model, stable)
        curves_and_goals(model)
        for family in model.families:
            for i in left & family.value.keys():
                del family.value[i]
        return model

    course = _convexified(given, build, stable, effort)
    if course is None:
        raise ProgramError("the least growth of backlogs could not be reached a second time")
    form.maximize_served(course.model)
    served = course.model.program.resolve(relaxed=True)
    rates = np.zeros(len(given.names))
    rates[list(course.model.growth)] = served.array(list(course.model.growth.values()))
    rates[rates <= 1e-7 * size] = 0.0
    return solution_of(course, effort, rates, least.bound, left)


def _least_growth(given: Given, effort: Effort) -> tuple[Model, ProgramSolution]:
    model = decisions(given, "least growth of backlogs")
    form.flow_variables(model)
    form.flow(model)
    form.service_limit(model)
    form.minimize_growth(model)
    least = model.program.solve(effort.solver, effort.left(), relaxed=True)
    if given.integer and least.status != "infeasible":
        least = whole_solution(model, effort)
    if least.status == "infeasible":
        raise no_allocation(least, model)
    return model, least


def _unstable(given: Given, effort: Effort) -> ProgramError:
    """Return what is in conflict where not every service can be stable."""
    model = decisions(given, "stability")
    form.stability(model, given.limited)
    curves_and_goals(model)
    goals.minimize_goal(model)
    return no_allocation(model.program.solve(effort.solver, effort.left(), relaxed=True), model)
