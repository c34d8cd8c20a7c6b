"""Solve an allocation whose delay at each service depends on its own servers only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NoReturn

import numpy as np

from flownet.allocate import formulation as form
from flownet.allocate.formulation import Model
from flownet.allocate.linearise import bent_at_steps, bent_between, region_of_interest
from flownet.allocate.problem import AllocationProblem, AllocationSolution, Given, check_problem
from flownet.allocate.refine import (
    PROVEN,
    Course,
    Effort,
    duals_of,
    plan_of,
    refined,
    tidy,
    whole_solution,
    within_reach,
)
from flownet.errors import ProgramError
from flownet.kernels.compiled import Floats
from flownet.programs import Program, ProgramSolution


def solve_separable(
    problem: AllocationProblem,
    *,
    gap: float = 1e-3,
    polish: float = 3.0,
    time_limit: float | None = None,
    solver: str = "auto",
) -> AllocationSolution:
    r"""Return the best purchases and moves, with a proven bound.

    .. math:: \min \sum_i w_i f_i(c_i) \quad\text{subject to the rows of docs/formulation.md}

    Parameters
    ----------
    problem : AllocationProblem
        Servers, curves, prices, exchanges and bounds.
    gap : float
        Relative gap between the value and the bound that is good enough, >= 0.
    polish : float
        Seconds that may be spent on whole numbers beyond `gap`, so that small problems are solved
        to the proven optimum.
    time_limit : float, optional
        Seconds in all; the best allocation found so far is returned with its gap.
    solver : str
        See `Program.solve`.

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
    effort = Effort(gap, polish, time_limit, solver)
    if given.goal == "throughput":
        return _throughput(given, effort)
    given = _looked_over(given)
    course = _stable(given, effort)
    return _with_backlogs(given, effort) if course is None else _solution(course, effort)


# ---------------------------------------------------------------------------------------- cases


def _decisions(given: Given, name: str) -> Model:
    """Return a program with the decisions and the rows that every goal has."""
    model = Model(given, Program(name))
    form.decision_variables(model)
    form.balance(model)
    form.whole_servers(model)
    form.budget(model)
    return model


def _looked_over(given: Given) -> Given:
    """Return the problem with the curves marked that are not convex where they may be needed."""
    bent = {i for i in given.limited if not given.convex[i]}
    if bent and not given.integer:
        _refuse_divisible(given, bent)
    model = _decisions(given, "bounds")
    form.curve_variables(model)
    low, high = within_reach(model)
    top = region_of_interest(given.load, low, high)
    bent_in = bent_at_steps if given.integer else bent_between
    bent |= {
        i
        for family in model.families
        for i in family.value
        if given.convex[i] and top[i] > low[i] and bent_in(family.curve, i, low[i], top[i])
    }
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
        model = _decisions(given, "allocation")
        form.stability(model, given.limited)
        form.curve_variables(model)
        return model

    return _convexified(given, build, given.limited, effort)


def _throughput(given: Given, effort: Effort) -> AllocationSolution:
    """Return the plan under which demand can grow most."""
    model = _decisions(given, "allocation for throughput")
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
        raise _no_allocation(best)
    duals = duals_of(model, best)
    if given.integer:
        best = whole_solution(model, effort)
        if best.status == "infeasible":
            raise _no_allocation(best)
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
    return _solution(course, effort)


def _with_backlogs(given: Given, effort: Effort) -> AllocationSolution:
    """Return the plan with the least growth of backlogs and, with that, the best goal."""
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
        model = _decisions(given, "allocation with backlogs")
        form.flow_variables(model)
        form.flow(model)
        form.service_limit(model)
        form.backlog(model, least.objective + 1e-8 * size)
        form.stability(model, stable)
        form.curve_variables(model)
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
    return _solution(course, effort, rates, least.bound, left)


def _least_growth(given: Given, effort: Effort) -> tuple[Model, ProgramSolution]:
    model = _decisions(given, "least growth of backlogs")
    form.flow_variables(model)
    form.flow(model)
    form.service_limit(model)
    form.minimize_growth(model)
    least = model.program.solve(effort.solver, effort.left(), relaxed=True)
    if given.integer and least.status != "infeasible":
        least = whole_solution(model, effort)
    if least.status == "infeasible":
        raise _no_allocation(least)
    return model, least


def _no_allocation(solution: ProgramSolution) -> ProgramError:
    return ProgramError(f"no allocation keeps to the bounds and the budget: {solution.why_not()}")


def _solution(
    course: Course,
    effort: Effort,
    growth: Floats | None = None,
    growth_bound: float = 0.0,
    left: Iterable[int] = (),
) -> AllocationSolution:
    """Return the public form of what was found."""
    given, plan = course.model.given, course.plan
    delay = np.zeros(len(given.names))
    for family in course.model.families:
        if family.name == "delay" and family.value:
            services = np.array(list(family.value), dtype=np.int64)
            delay[services], _ = family.curve(services, plan.servers[services])
    delay[list(left)] = math.inf
    if course.gap <= PROVEN:
        status = "optimal"
    else:
        status = "within_gap" if course.gap <= effort.gap else "stopped"
    price = np.nan_to_num(given.price)
    return AllocationSolution(
        status=status,
        servers=plan.servers,
        bought=plan.bought,
        moved=plan.moved,
        unused=plan.unused,
        spent=float((price * plan.bought).sum() + (given.exchanges.cost * plan.moved).sum()),
        objective_value=course.value,
        objective_bound=course.bound,
        gap=course.gap,
        delay=delay,
        growth=np.zeros(len(given.names)) if growth is None else growth,
        growth_bound=growth_bound,
        overloaded=tuple(sorted(left)),
        duals=course.duals,
        not_convex=tuple(np.flatnonzero(~given.convex).tolist()),
        rounds=course.rounds,
    )
