"""How far to go with one program, and what is known of it so far."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from flownet.allocate import formulation as form
from flownet.allocate.formulation import Family, Model
from flownet.allocate.linearise import Curve, interpolated, whole_step_below
from flownet.kernels.compiled import Floats, Integers
from flownet.programs import ProgramSolution

MOST_ROUNDS = 200
_TIDY_NODES = 2000
_MOST_POLISH = 10
"""Rounds of branch and bound beyond the gap that is good enough, for the proof of the optimum."""
PROVEN = 1e-9
"""Below this gap an allocation is called optimal."""


@dataclass(frozen=True)
class Effort:
    """How far to go: the gap that is good enough, nodes for the proof, seconds, and for what."""

    gap: float
    polish: int
    time_limit: float | None
    solver: str
    ranges: bool = True
    """Whether the ranges of duals are wanted."""
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


def drawn(model: Model, family: Family) -> Curve:
    """Return the curve that the lines touch: drawn straight between whole steps if need be."""
    return interpolated(family.curve, model.offset) if model.given.integer else family.curve


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
