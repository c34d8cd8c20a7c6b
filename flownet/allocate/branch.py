"""Whole numbers by branch and bound, with the secants of the curves where the solution lies."""

from __future__ import annotations

import math

import numpy as np

from flownet.allocate import formulation as form
from flownet.allocate.course import MOST_ROUNDS, PROVEN, Course, Effort, drawn, plan_of
from flownet.allocate.formulation import Model
from flownet.allocate.linearise import tangents, whole_step_below
from flownet.allocate.worth import values_at, worth
from flownet.kernels.compiled import Floats, Integers
from flownet.programs import ProgramSolution


def branch(course: Course, curved: Integers, effort: Effort) -> bool:
    """Solve for whole numbers, with the lines that meet there; False where there are none."""
    model = course.model
    secants = _Secants(model, curved)
    for shift in (-1.0, 0.0, 1.0):  # around the relaxed solution
        secants.add(whole_step_below(course.plan.servers, model.offset) + shift)
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
        if effort.over(course.gap, beyond) or course.rounds >= MOST_ROUNDS:
            return True
        added = [secants.add(plan.servers + shift) for shift in (-1.0, 0.0)]
        if not any(added):
            return True


class _Secants:
    """The secants of the curves between whole steps that the program has so far."""

    def __init__(self, model: Model, curved: Integers) -> None:
        self._model = model
        self._low = np.maximum(model.given.low, model.need)
        self._curved = curved.tolist()
        self._known: set[tuple[int, float]] = set()

    def add(self, knots: Floats) -> bool:
        """Add the secants to the right of each service's knot; False where all are known."""
        model, fresh = self._model, []
        for i in self._curved:
            key = (i, round(float(knots[i]), 6))
            if knots[i] >= self._low[i] and key not in self._known:
                self._known.add(key)
                fresh.append(i)
        for family in model.families:
            services = np.array([i for i in fresh if i in family.value], dtype=np.int64)
            if services.size:
                cuts, _ = tangents(drawn(model, family), services, knots[services])
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
