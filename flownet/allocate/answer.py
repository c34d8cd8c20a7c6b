"""The public form of what was found: an `AllocationSolution`."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from flownet.allocate.course import PROVEN, Course, Effort, Plan
from flownet.allocate.problem import AllocationSolution, Given
from flownet.kernels.compiled import Floats


def solution_of(
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
        if family.name == "delay" and family.case == 0 and family.value:
            services = np.array(list(family.value), dtype=np.int64)
            delay[services], _ = family.curve(services, plan.servers[services])
    delay[list(left)] = math.inf
    if course.gap <= PROVEN:
        status = "optimal"
    else:
        status = "within_gap" if course.gap <= effort.gap else "stopped"
    return AllocationSolution(
        status=status,
        servers=plan.servers,
        bought=plan.bought,
        moved=plan.moved,
        unused=plan.unused,
        spent=_spent(given, plan),
        objective_value=course.value,
        objective_bound=course.bound,
        gap=course.gap,
        delay=delay,
        growth=np.zeros(len(given.names)) if growth is None else growth,
        growth_bound=growth_bound,
        overloaded=tuple(sorted(left)),
        duals=course.duals,
        ranges=course.ranges,
        not_convex=tuple(np.flatnonzero(~given.convex).tolist()),
        rounds=course.rounds,
    )


def _spent(given: Given, plan: Plan) -> float:
    """Return the new money that a plan takes."""
    money = np.nan_to_num(given.price) * np.maximum(plan.bought, 0.0)
    money -= np.nan_to_num(given.refund) * np.maximum(-plan.bought, 0.0)
    paid = float(money.sum() + (given.exchanges.cost * plan.moved).sum())
    return paid + _fixed_costs(given, plan)


def _fixed_costs(given: Given, plan: Plan) -> float:
    limited = np.isfinite(given.servers)
    change = np.where(limited, plan.servers - np.where(limited, given.servers, 0.0), 0.0)
    trained = float(given.exchanges.training[plan.moved > 1e-6].sum())
    return given.terms.fixed(change) + trained
