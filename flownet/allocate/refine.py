"""Close the gap between the program and the curves: cuts where the solution lies, then branch."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from flownet.allocate import formulation as form
from flownet.allocate import formulation_goals as form_goals
from flownet.allocate.branch import branch
from flownet.allocate.course import MOST_ROUNDS, PROVEN, Course, Effort, drawn, plan_of, tidy
from flownet.allocate.duals import duals_of, ranges_of
from flownet.allocate.formulation import Family, Model
from flownet.allocate.infeasible import no_allocation
from flownet.allocate.linearise import (
    FEW_STARTS,
    STARTS,
    Cuts,
    likely_servers,
    not_convex,
    starting_points,
    tangents,
    whole_step_above,
    whole_step_below,
)
from flownet.allocate.problem import Given
from flownet.allocate.worth import Values, worth
from flownet.errors import ProgramError
from flownet.kernels.compiled import Booleans, Floats, Integers
from flownet.programs import ProgramSolution

_MOST_KNOTS = 5000
_BESIDE = ((0.88, 0.94, 1.06, 1.13), (0.97, 1.03))
"""Where lines are added beside the solution, in the first round and in the others."""


class _Touch(NamedTuple):
    """One family's curves at the present solution."""

    family: Family
    cuts: Cuts
    servers: Floats
    value: Floats
    excess: Floats
    """By how much each curve lies above its variable, in units of the goal."""


def refined(model: Model, services: list[int], effort: Effort) -> Course | None:
    """Return the best plan of a program whose curves are wanted for `services`.

    None where no plan keeps to the rows. The lines that a curve got before it turned out not to
    be convex are wrong: `Course.suspects` then says which, and nothing else counts.
    """
    given = model.given
    wanted = [i for i in services if any(i in family.value for family in model.families)]
    for i in wanted:
        if not given.convex[i] and not _table(model, i, effort):
            return None
    curved = np.array([i for i in wanted if given.convex[i]], dtype=np.int64)
    for family in model.families:
        _add_starting_lines(model, family, curved)
    form_goals.minimize_goal(model)
    solution = model.program.solve(effort.solver, effort.left(), relaxed=True)
    if solution.status == "infeasible":
        return None
    if solution.status == "unbounded":
        raise ProgramError(
            "nothing limits the goal: a service that counts can be given servers without end"
        )
    course = Course(model, plan_of(model, solution, whole=False), curved=curved)
    solution = cut(course, solution, curved, effort)
    course.duals = duals_of(model, solution)
    course.ranges = ranges_of(model, solution) if effort.ranges else {}
    if given.integer and not course.suspects:
        course.value, course.plan = math.inf, plan_of(model, solution, whole=False)
        if not branch(course, curved, effort):
            return None
    if not course.suspects and (given.integer or _may_waste(given, course)):
        tidy(course, effort, fix_servers=True)
    return course


def _may_waste(given: Given, course: Course) -> bool:
    """Return whether the same servers may be reached for less: not where money is short."""
    free = bool((given.exchanges.cost <= 0).any() or (given.price <= 0).any())
    short = abs(course.duals.get("budget", 0.0)) > PROVEN
    return free or not short or bool(np.isfinite(given.refund).any())


def _table(model: Model, i: int, effort: Effort) -> bool:
    """Give a curve that is not convex a variable for every whole step; False if infeasible."""
    given = model.given
    model.program.maximize([(model.servers[i], 1.0)])
    reach = model.program.solve(effort.solver, effort.left(), relaxed=True)
    if reach.status == "infeasible":
        return False
    low = whole_step_above(np.maximum(given.low, model.need), model.offset)[i]
    high = reach.objective if reach.status == "optimal" else math.inf
    if not high - low < _MOST_KNOTS:
        raise ProgramError(
            f"the delay of '{given.names[i]}' is not convex in its servers, of which there could "
            f"be {high:g}: give it a max_servers of less than {low + _MOST_KNOTS:g}"
        )
    points = np.arange(low, high + PROVEN)
    families = [family for family in model.families if i in family.value]
    tables = [family.curve(np.full(points.size, i), points)[0] for family in families]
    usable = np.isfinite(tables).all(axis=0)
    if not usable.any():
        return False
    knots = form.one_knot(model, i, points[usable])
    form.knot_servers(model, i, knots, points[usable])
    for family, values in zip(families, tables, strict=True):
        form.knot_values(model, family, i, knots, values[usable])
    return True


def _add_starting_lines(model: Model, family: Family, curved: Integers) -> None:
    given = model.given
    low, high = within_reach(given, model.need, model.offset)
    services = np.array([i for i in curved if i in family.value and low[i] <= high[i]], np.int64)
    load = given.cases[family.case].load
    likely = likely_servers(
        given.servers, load, family.weight, given.price, given.money, moved=len(given.exchanges) > 0
    )
    factors = FEW_STARTS if given.integer else STARTS  # rows there, pieces here, which cost little
    services, points = starting_points(services, given.servers, load, low, high, likely, factors)
    if given.integer:
        points = whole_step_above(points, model.offset[services])
    if services.size:
        cuts, _ = tangents(drawn(model, family), services, points)
        form.curve_cuts(model, family, cuts)


def within_reach(given: Given, need: Floats, offset: Floats) -> tuple[Floats, Floats]:
    """Return bounds (n,) on the servers of each service that purchases and moves could bring.

    Whole steps where servers are whole. A service that none of them touches stays as it is.
    """
    table = given.exchanges
    low, high = np.maximum(given.low, need), given.high.copy()
    gives, takes = np.zeros(low.size, dtype=bool), np.zeros(low.size, dtype=bool)
    gives[table.start], takes[table.end] = True, True
    gives |= ~np.isnan(given.refund)
    with np.errstate(divide="ignore", invalid="ignore"):
        affordable = given.servers + np.where(given.price >= 0, given.money / given.price, 0.0)
    free = takes | (given.price == 0)
    high = np.where(free, high, np.minimum(high, affordable))
    low = np.where(gives, low, np.maximum(low, given.servers))
    if given.integer:
        low, high = whole_step_above(low, offset), whole_step_below(high, offset)
    return low, high


def _touch(
    model: Model, family: Family, solution: ProgramSolution, curved: Integers, servers: Floats
) -> _Touch:
    """Return where the curves are at these servers, beside the variables of the program."""
    services = np.array([i for i in curved.tolist() if i in family.value], dtype=np.int64)
    low = np.maximum(model.given.low, model.need)
    points = np.maximum(servers[services], low[services])
    cuts, value = tangents(drawn(model, family), services, points)
    below = solution.array([family.value[i] for i in services.tolist()])
    return _Touch(family, cuts, points, value, family.weight[services] * (value - below))


def cut(
    course: Course, solution: ProgramSolution, curved: Integers, effort: Effort
) -> ProgramSolution:
    """Add lines at the solution and solve again, until the gap is closed (Kelley)."""
    model = course.model
    families = [f for f in model.families if not f.value.keys().isdisjoint(curved.tolist())]
    memory: list[list[_Touch]] = []
    while True:
        course.rounds += 1
        plan = plan_of(model, solution, whole=False)
        touches = [_touch(model, f, solution, curved, plan.servers) for f in families]
        memory.append(touches)
        course.suspects |= _suspects(model, memory)
        course.offer(plan, worth(model, _seen(model, solution, touches), plan.servers))
        course.bound = max(course.bound, solution.objective)
        enough = min(effort.gap, 1e-6) if model.given.integer else effort.gap
        if course.suspects or course.gap <= max(enough, PROVEN) or effort.over(course.gap):
            return solution
        size = abs(course.value) if math.isfinite(course.value) else 1e-6
        share = 0.5 * enough * size / max(1, sum(t.excess.size for t in touches))
        if course.rounds >= MOST_ROUNDS or not _add_lines(model, touches, share, course.rounds):
            return solution
        again = model.program.resolve(time_limit=effort.left(), relaxed=True)
        if not again.readable:
            if again.status == "no_solution" or (again.status == "failed" and course.gap < 1.0):
                return solution  # out of time, or of digits: what is known so far stands
            if again.status == "infeasible":  # the curves show what the first lines did not
                raise no_allocation(again, model)
            raise ProgramError(f"refining the curves broke off: {again.why_not()}")
        solution = again


def _seen(model: Model, solution: ProgramSolution, touches: list[_Touch]) -> list[Values]:
    """Return the values of the curves: touched ones by themselves, tabled ones by the program."""
    by_name = {(touch.family.name, touch.family.case): touch for touch in touches}
    out: list[Values] = []
    for family in model.families:
        below = solution.array(list(family.value.values())).tolist()
        values = dict(zip(family.value, below, strict=True))
        touch = by_name.get((family.name, family.case))
        if touch is not None:
            values.update(zip(touch.cuts.service.tolist(), touch.value.tolist(), strict=True))
        out.append(values)
    return out


def _add_lines(model: Model, touches: list[_Touch], share: float, round_: int) -> bool:
    """Add lines where the curves lie more than `share` above the present solution; False if none.

    Divisible servers get some beside as well, since the next solution will not be far.
    """
    any_line = False
    for touch in touches:
        above = touch.excess > share
        if above.any():
            any_line = True
            service, slope, intercept = touch.cuts
            lines = Cuts(service[above], slope[above], intercept[above])
            form.curve_cuts(model, touch.family, lines)
            if not model.given.integer:
                _add_beside(model, touch, above, _BESIDE[min(round_, len(_BESIDE)) - 1])
    return any_line


def _add_beside(model: Model, touch: _Touch, above: Booleans, factors: tuple[float, ...]) -> None:
    """Add lines at so many times the present distance from the least number of servers."""
    services, points = touch.cuts.service[above], touch.servers[above]
    least = np.maximum(model.given.low, model.need)[services]
    for factor in factors:
        near = np.minimum(least + factor * (points - least), model.given.high[services])
        cuts, _ = tangents(drawn(model, touch.family), services, near)
        form.curve_cuts(model, touch.family, cuts)


def _suspects(model: Model, memory: list[list[_Touch]]) -> set[int]:
    """Return the services where a line lies above a point of its curve."""
    found: set[int] = set()
    given = model.given
    for f, touch in enumerate(memory[-1]):
        past = [touches[f] for touches in memory]
        points, values = np.array([t.servers for t in past]), np.array([t.value for t in past])
        rounding = 1e-6 * (1 + np.abs(touch.value)) + 1e-8 * np.abs(touch.cuts.slope)
        # a variable that the objective presses down lies on a line, others anywhere above
        pressed = given.cases[touch.family.case].objectives[len(given.keeps)].weight > 0
        pressed = pressed[touch.cuts.service] & (given.risk.kind == "expected")
        wrong = touch.excess < -rounding * touch.family.weight[touch.cuts.service]
        wrong &= pressed
        wrong |= not_convex(touch.cuts, points, values)
        found.update(touch.cuts.service[wrong].tolist())
    return found
