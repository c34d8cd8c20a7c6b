"""Close the gap between the program and the curves: cuts where the solution lies, then branch."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from flownet.allocate import formulation as form
from flownet.allocate import formulation_goals as form_goals
from flownet.allocate.duals import duals_of, ranges_of
from flownet.allocate.formulation import Family, Model
from flownet.allocate.infeasible import no_allocation
from flownet.allocate.linearise import (
    Curve,
    Cuts,
    interpolated,
    likely_servers,
    not_convex,
    starting_points,
    tangents,
    whole_step_above,
    whole_step_below,
)
from flownet.allocate.problem import Given
from flownet.allocate.worth import Values, values_at, worth
from flownet.errors import ProgramError
from flownet.kernels.compiled import Floats, Integers
from flownet.programs import ProgramSolution

_MOST_ROUNDS = 200
_MOST_KNOTS = 5000
_TIDY_NODES = 2000
_MOST_POLISH = 10
"""Rounds of branch and bound beyond the gap that is good enough, for the proof of the optimum."""
PROVEN = 1e-9
"""Below this gap an allocation is called optimal."""


@dataclass(frozen=True)
class Effort:
    """How far to go: the gap that is good enough, nodes for the proof, and seconds in all."""

    gap: float
    polish: int
    time_limit: float | None
    solver: str
    begun: float = field(default_factory=time.monotonic)

    def left(self) -> float | None:
        """Return the seconds that may still be spent; None stands for any."""
        if self.time_limit is None:
            return None
        return max(self.time_limit - (time.monotonic() - self.begun), 0.01)

    def over(self, gap: float, rounds: int = 0) -> bool:
        """Return whether to stop at this gap, after so many rounds since it was good enough."""
        spent = time.monotonic() - self.begun
        out_of_time = self.time_limit is not None and spent > self.time_limit
        return gap <= PROVEN or out_of_time or (gap <= self.gap and rounds >= _MOST_POLISH)


class Plan(NamedTuple):
    """One allocation: what is bought (negative: given up) and moved, and what this leaves."""

    bought: Floats
    moved: Floats
    servers: Floats
    unused: Floats


@dataclass
class Course:
    """What is known so far about one program; less is better."""

    model: Model
    plan: Plan
    value: float = math.inf
    bound: float = -math.inf
    rounds: int = 0
    duals: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Between which right-hand sides a dual stays what it is."""
    suspects: set[int] = field(default_factory=set)
    """Services whose curve turned out not to be convex."""
    curved: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Services with lines."""
    tidied: bool = False
    """Whether the servers were fixed and the objective changed in the end."""

    @property
    def gap(self) -> float:
        """Relative distance between value and bound."""
        if math.isinf(self.value) or math.isinf(self.bound):
            return math.inf
        return abs(self.value - self.bound) / max(abs(self.value), PROVEN)

    def offer(self, plan: Plan, value: float) -> None:
        """Keep the better plan."""
        if value < self.value:
            self.plan, self.value = plan, value


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
    course.duals, course.ranges = duals_of(model, solution), ranges_of(model, solution)
    if given.integer and not course.suspects:
        course.value, course.plan = math.inf, plan_of(model, solution, whole=False)
        if not _branch(course, curved, effort):
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
    services, points = starting_points(services, given.servers, load, low, high, likely)
    if given.integer:
        points = whole_step_above(points, model.offset[services])
    if services.size:
        cuts, _ = tangents(_curve(model, family), services, points)
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


def _curve(model: Model, family: Family) -> Curve:
    """Return the curve that the lines touch: drawn straight between whole steps if need be."""
    return interpolated(family.curve, model.offset) if model.given.integer else family.curve


def _touch(
    model: Model, family: Family, solution: ProgramSolution, curved: Integers, servers: Floats
) -> _Touch:
    """Return where the curves are at these servers, beside the variables of the program."""
    services = np.array([i for i in curved.tolist() if i in family.value], dtype=np.int64)
    low = np.maximum(model.given.low, model.need)
    points = np.maximum(servers[services], low[services])
    cuts, value = tangents(_curve(model, family), services, points)
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
        if course.rounds >= _MOST_ROUNDS or not _add_lines(model, touches, share):
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


def _add_lines(model: Model, touches: list[_Touch], share: float) -> bool:
    """Add the lines that lie above the present solution by more than `share`; False if none."""
    any_line = False
    for touch in touches:
        above = touch.excess > share
        if above.any():
            any_line = True
            service, slope, intercept = touch.cuts
            lines = Cuts(service[above], slope[above], intercept[above])
            form.curve_cuts(model, touch.family, lines)
    return any_line


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


def _branch(course: Course, curved: Integers, effort: Effort) -> bool:
    """Solve for whole numbers, with the lines that meet there; False where there are none."""
    model = course.model
    pieces = _Pieces(model, curved)
    for shift in (-1.0, 0.0, 1.0):  # around the relaxed solution
        pieces.add(whole_step_below(course.plan.servers, model.offset) + shift)
    solution, beyond = None, 0
    while True:
        course.rounds += 1
        solution = whole_solution(model, effort, solution)
        if solution.status == "infeasible":
            return False
        if not solution.readable and math.isfinite(course.value):
            return True  # out of time: what is known so far stands
        plan = plan_of(model, solution, whole=True)
        course.offer(plan, worth(model, values_at(model, plan.servers), plan.servers))
        course.bound = max(course.bound, min(solution.bound, course.value))
        beyond += course.gap <= effort.gap
        if effort.over(course.gap, beyond) or course.rounds >= _MOST_ROUNDS:
            return True
        added = [pieces.add(plan.servers + shift) for shift in (-1.0, 0.0)]
        if not any(added):
            return True


class _Pieces:
    """The straight pieces of the curves between whole steps that the program has so far."""

    def __init__(self, model: Model, curved: Integers) -> None:
        self._model = model
        self._low = np.maximum(model.given.low, model.need)
        self._curved = curved.tolist()
        self._known: set[tuple[int, float]] = set()

    def add(self, knots: Floats) -> bool:
        """Add the pieces to the right of each service's knot; False where all are known."""
        model, fresh = self._model, []
        for i in self._curved:
            key = (i, round(float(knots[i]), 6))
            if knots[i] >= self._low[i] and key not in self._known:
                self._known.add(key)
                fresh.append(i)
        for family in model.families:
            services = np.array([i for i in fresh if i in family.value], dtype=np.int64)
            if services.size:
                cuts, _ = tangents(_curve(model, family), services, knots[services])
                form.curve_cuts(model, family, cuts)
        return bool(fresh)


def whole_solution(
    model: Model, effort: Effort, start: ProgramSolution | None = None
) -> ProgramSolution:
    """Return the whole-number solution: to the gap, and in `polish` nodes to the proof."""
    program = model.program
    found = program.resolve(time_limit=effort.left(), gap=effort.gap, start=start)
    if not found.readable or found.gap <= PROVEN or effort.polish <= 0:
        return found
    proven = program.resolve(time_limit=effort.left(), nodes=effort.polish, start=found)
    return proven if proven.readable and proven.gap < found.gap else found


def plan_of(model: Model, solution: ProgramSolution, *, whole: bool) -> Plan:
    """Return the plan that a solution stands for; `whole` rounds what must be whole."""
    given, table = model.given, model.given.exchanges
    bought, unused = np.zeros(len(given.names)), np.zeros(len(given.names))
    bought[list(model.bought)] = solution.array(list(model.bought.values()))
    moved = solution.array(model.moved)
    released = np.zeros_like(bought)
    released[list(model.released)] = solution.array(list(model.released.values()))
    if whole:
        bought, moved, released = np.round(bought), np.round(moved), np.round(released)
    bought, moved = np.maximum(bought, 0.0), np.maximum(moved, 0.0)
    bought = bought - np.maximum(released, 0.0)
    servers = given.servers + bought
    np.subtract.at(servers, table.start, moved)
    np.add.at(servers, table.end, moved * table.rate)
    partly = list(model.unused)
    if whole:
        unused[partly] = servers[partly] - whole_step_below(servers[partly], model.offset[partly])
    else:
        unused[partly] = solution.array(list(model.unused.values()))
    return Plan(bought, moved, servers - unused, unused)


def tidy(course: Course, effort: Effort, *, fix_servers: bool) -> None:
    """Reach the same servers at least cost and with the fewest changes."""
    model, course.tidied = course.model, True
    if fix_servers:
        for i, variable in model.servers.items():
            slack = 1e-9 * (1.0 + course.plan.servers[i])
            near = course.plan.servers[i]
            model.program.set_bounds(variable, max(near - slack, 0.0), near + slack)
    form.minimize_effort(model)
    whole = model.given.integer
    solution = model.program.resolve(time_limit=effort.left(), nodes=_TIDY_NODES, relaxed=not whole)
    if solution.readable:
        course.plan = plan_of(model, solution, whole=whole)
