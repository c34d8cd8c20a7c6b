"""Goals as weightings of a solution's outputs: what a derivative is taken of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.kernels.adjoint import Weights, weights_of
from flownet.kernels.compiled import Floats
from flownet.network.values import nearest
from flownet.solvers.goals import GOALS, goal_value
from flownet.solvers.solution import Solution

MEASURES: Final = tuple(Weights._fields)
"""What can be weighted by name; ``delay`` stands for the four numbers of which it is the sum."""
DELAY: Final = (
    "number_waiting", "number_blocked", "number_outside", "number_held_in_transfer",
)  # fmt: skip
BLOCKED: Final = "blocked_time"
WITHIN: Final = "within "

Goal = str | Mapping[Any, float]
"""A goal's name, ``blocked_time``, ``within t``, or weights by measure or (service, measure)."""


@dataclass(frozen=True)
class Linear:
    """A goal as a weighting of measures, and how it depends on parameters directly."""

    weights: Weights
    by_servers: Floats
    """(n,) of each server itself, as its price."""
    by_arrivals: Floats
    """(n, R) of each arrival from outside itself."""


@dataclass(frozen=True)
class Objective:
    """What is to be differentiated.

    Attributes
    ----------
    name : str
        How tables call it.
    goal : str or mapping
        As it was asked for.
    growing : bool
        Whether a backlog grows at present, so that its growth stands for delay and cost.
    """

    name: str
    goal: Goal
    growing: bool

    @property
    def gain(self) -> float:
        """1 where more is better, -1 where less is."""
        more = isinstance(self.goal, str) and (
            self.goal == "throughput" or self.goal.startswith(WITHIN)
        )
        return 1.0 if more else -1.0

    def value(self, solution: Solution) -> float:
        """Return the value for a solution; ``inf`` where it has none."""
        if isinstance(self.goal, str) and self.goal in GOALS:
            value = goal_value(solution, self.goal)
            return value.growth if self.growing and self.goal != "throughput" else value.value
        if isinstance(self.goal, str) and self.goal.startswith(WITHIN):
            time = float(self.goal.removeprefix(WITHIN))
            return float(solution.time_in_system().probability_within(time))
        linear = self.linear(solution)
        return math.nan if linear is None else linear.weights.value(solution.measures)

    def linear(self, solution: Solution) -> Linear | None:
        """Return the goal as weights; None where it is none of measures (a limit, a quantile)."""
        shape = solution.measures.throughput.shape
        nothing = Linear(weights_of(shape, {}), np.zeros(shape[0]), np.zeros(shape))
        if not isinstance(self.goal, str):
            return Linear(_given(solution, self.goal), nothing.by_servers, nothing.by_arrivals)
        if self.goal == BLOCKED:
            weights = weights_of(shape, {"number_blocked": np.ones(shape)})
            return Linear(weights, nothing.by_servers, nothing.by_arrivals)
        if self.goal == "throughput":
            return _throughput(solution, nothing)
        if self.goal not in GOALS:
            return None
        if self.growing:
            weights = weights_of(shape, {"growth_rate": np.ones(shape)})
            return Linear(weights, nothing.by_servers, nothing.by_arrivals)
        return _delay(solution) if self.goal == "delay" else _cost(solution, nothing)


def objective_of(solution: Solution, goal: Goal) -> Objective:
    """Return what a goal means for a solution.

    Raises
    ------
    UnknownNameError
        Where the goal, a measure or a service does not exist.
    ParameterError
        Where ``within`` has no time above 0, a weight is not a number, or a price is missing.
    """
    growing = bool(solution.measures.growth_rate.any())
    if not isinstance(goal, str):
        _given(solution, goal)
        return Objective("weighted sum", dict(goal), growing)
    if goal.startswith(WITHIN):
        _time(goal)
    elif goal not in {*GOALS, BLOCKED}:
        known = ", ".join([*GOALS, BLOCKED, "within <time>"])
        message = f"is not known; known are {known}, or weights by measure{nearest(goal, GOALS)}"
        raise UnknownNameError([Fault("goal", "", repr(goal), message)])
    elif goal in GOALS:
        goal_value(solution, goal)  # raises where a price is missing
    return Objective(goal, goal, growing)


def _time(goal: str) -> float:
    text = goal.removeprefix(WITHIN)
    try:
        time = float(text)
    except ValueError:
        time = math.nan
    if not 0 < time < math.inf:
        message = "must name a finite time above 0, for instance 'within 4'"
        raise ParameterError([Fault("goal", "within", repr(text), message)])
    return time


def _given(solution: Solution, goal: Mapping[Any, float]) -> Weights:
    """Return the weights by measure, or by (service, measure), with all faults together."""
    shape, services = solution.measures.throughput.shape, list(solution.compilation.services)
    tables = {name: np.zeros(shape) for name in MEASURES}
    faults = []
    for key, weight in goal.items():
        where, name = key if isinstance(key, tuple) and len(key) == 2 else (None, key)
        if name != "delay" and name not in tables:
            known = nearest(name, [*MEASURES, "delay"])
            message = f"is not a measure; known are delay, {', '.join(MEASURES)}{known}"
            faults.append(Fault("goal", "measure", repr(name), message))
        elif where is not None and where not in services:
            message = f"is not a service of the network{nearest(where, services)}"
            faults.append(Fault("goal", "service", repr(where), message))
        elif isinstance(weight, bool) or not isinstance(weight, (int, float, np.number)):
            faults.append(Fault("goal", str(key), repr(weight), "must be a number"))
        elif not math.isfinite(weight):
            faults.append(Fault("goal", str(key), repr(weight), "must be finite"))
        else:
            rows = slice(None) if where is None else services.index(where)
            for each in DELAY if name == "delay" else (name,):
                tables[each][rows] += float(weight)
    if not goal:
        faults.append(Fault("goal", "", "{}", "must weight one measure at least"))
    if faults:
        unknown = any(fault.attribute in {"measure", "service"} for fault in faults)
        raise (UnknownNameError if unknown else ParameterError)(faults)
    return weights_of(shape, tables)


def _delay(solution: Solution) -> Linear:
    """Return delay, with its loss at the price that the goal counts it at."""
    shape = solution.measures.throughput.shape
    parts = dict.fromkeys(DELAY, np.ones(shape))
    if solution.can_turn_away:
        price = float(solution.network.graph.graph.get("cost_of_delay", 0.0)) or 1.0
        lost = np.nan_to_num(solution.compilation.cost_of_loss) / price
        parts |= dict.fromkeys(("loss_rate", "overflow_rate", "abandonment_rate"), lost)
    return Linear(weights_of(shape, parts), np.zeros(shape[0]), np.zeros(shape))


def _cost(solution: Solution, nothing: Linear) -> Linear:
    """Return capacity, delay and loss at the network's prices."""
    prices = solution.compilation
    parts = dict.fromkeys(DELAY, prices.cost_of_delay)
    lost = np.nan_to_num(prices.cost_of_loss)
    parts |= dict.fromkeys(("loss_rate", "overflow_rate", "abandonment_rate"), lost)
    finite = np.isfinite(prices.arrays.servers)
    by_servers = np.where(finite, prices.cost_per_server, 0.0)
    return Linear(weights_of(lost.shape, parts), by_servers, nothing.by_arrivals)


def _throughput(solution: Solution, nothing: Linear) -> Linear | None:
    """Return who leaves served as who comes less who does not; None where nobody can be lost."""
    if not solution.can_turn_away:
        return None
    shape = nothing.by_arrivals.shape
    less = ("loss_rate", "abandonment_rate", "growth_rate")
    weights = weights_of(shape, dict.fromkeys(less, -np.ones(shape)))
    return Linear(weights, nothing.by_servers, np.ones(shape))
