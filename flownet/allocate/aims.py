"""Aims: one goal, a weighted sum of goals, or goals one after the other, and their values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flownet.display import figure
from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.network.values import nearest, shown
from flownet.solvers.goals import GOALS, GoalValue, goal_value
from flownet.solvers.solution import Solution

FURTHER: Final = {
    "weighted_delay": "delay weighted by the network's cost_of_delay",
    "number_present": "mean number of jobs delayed or in service",
    "worst_breach": "the largest waiting time over its target, of the services with a target",
    "worst_organisation": "the largest delay per arriving job of any organisation",
    "worst_class": "the largest delay per job, end to end, of any class",
}
"""Goals beside those of `flownet.solvers.goals`; what is worst somewhere is made small."""
EVERY: Final = GOALS | FURTHER


@dataclass(frozen=True)
class Aim:
    """A weighted sum of goals, of which less is better.

    Attributes
    ----------
    weights : dict
        Weight of each goal, > 0; throughput counts negatively.
    """

    weights: Mapping[str, float]

    @property
    def single(self) -> str:
        """The goal's name where there is one only, else an empty text."""
        return next(iter(self.weights)) if len(self.weights) == 1 else ""

    @property
    def label(self) -> str:
        """The aim in a few characters."""
        if self.single:
            return self.single
        return " + ".join(f"{figure(weight)} {goal}" for goal, weight in self.weights.items())

    @property
    def plain(self) -> bool:
        """Whether this is one of the goals of `flownet.solvers.goals`."""
        return self.single in GOALS


def read_goal(goal: Any) -> tuple[Aim, ...]:
    """Return what is aimed at, the most important first.

    Parameters
    ----------
    goal : str, mapping, or sequence of these
        A goal's name; names with weights, which are added up; several of them in order of
        importance, each taken care of only as far as those before it are not made worse.

    Raises
    ------
    UnknownNameError
        Where a goal does not exist.
    ParameterError
        For weights that are not above 0, or nothing at all.

    Examples
    --------
    >>> [aim.label for aim in read_goal(["worst_breach", {"delay": 2, "cost": 0.1}])]
    ['worst_breach', '2 delay + 0.1 cost']
    """
    if isinstance(goal, (str, Mapping)) or not isinstance(goal, Sequence):
        return (_aim(goal),)
    if not goal:
        raise ParameterError([Fault("goal", "", "[]", "is empty: give at least one goal")])
    return tuple(_aim(each) for each in goal)


def _aim(goal: Any) -> Aim:
    if not isinstance(goal, (str, Mapping)):
        message = "must be a goal's name, or a table of names and weights"
        raise ParameterError([Fault("goal", "", shown(goal), message)])
    weights = goal if isinstance(goal, Mapping) else {goal: 1.0}
    if not weights:
        raise ParameterError([Fault("goal", "", "{}", "is empty: give at least one goal")])
    for name, weight in weights.items():
        if name not in EVERY:
            known = ", ".join(EVERY)
            message = f"is not known; known are {known}{nearest(name, EVERY)}"
            raise UnknownNameError([Fault("goal", "", repr(name), message)])
        numeric = isinstance(weight, (int, float)) and not isinstance(weight, bool)
        if not numeric or not 0 < weight < math.inf:
            message = "must be a finite weight above 0 (throughput counts negatively by itself)"
            raise ParameterError([Fault("goal", str(name), repr(weight), message)])
    return Aim({str(name): float(weight) for name, weight in weights.items()})


def aim_value(solution: Solution, aim: Aim) -> GoalValue:
    """Return what a solution is worth to an aim; of a sum, with throughput counted negatively.

    Raises
    ------
    ParameterError
        Where a price or a target that the aim needs is missing.
    """
    if aim.plain:
        return goal_value(solution, aim.single)
    parts = {goal: _part(solution, goal) for goal in aim.weights}
    growth = float(solution.system["growth_rate"])
    signs = {goal: -1.0 if goal == "throughput" else 1.0 for goal in parts}
    total = sum(signs[goal] * aim.weights[goal] * value for goal, value in parts.items())
    return GoalValue(aim.label, growth, float(total))


def _part(solution: Solution, goal: str) -> float:
    if goal in GOALS:
        return goal_value(solution, goal).value
    if goal == "number_present":
        busy = float(solution.services["number_in_service"].sum())
        return goal_value(solution, "delay").value + busy
    if goal == "weighted_delay":
        return _weighted(solution)
    if goal == "worst_breach":
        return _worst_breach(solution)
    if goal == "worst_class":
        return float(solution.classes["delay_time"].max())
    table = solution.services
    totals = table.groupby("organisation")[["delay", "arrival_rate"]].sum()
    totals = totals[totals["arrival_rate"] > 0]
    return float((totals["delay"] / totals["arrival_rate"]).max())


def _weighted(solution: Solution) -> float:
    delay = goal_value(solution, "delay").value  # which refuses to reward turning jobs away
    if not (solution.compilation.cost_of_delay > 0).any():
        message = "no delay has a weight: give cost_of_delay at services or in [network]"
        raise ParameterError([Fault("goal 'weighted_delay'", "cost_of_delay", "", message)])
    if math.isinf(delay):
        return delay
    return float(solution.system["cost_delay"] + solution.system["cost_loss"])


def targets_of(solution: Solution) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the target of the waiting time of each service; nan where there is none.

    Raises
    ------
    ParameterError
        Where no service has one.
    """
    nodes = [data for _, data in solution.network.graph.nodes(data=True)]
    targets = np.array([float(data.get("target") or math.nan) for data in nodes])
    if np.isnan(targets).all():
        message = "no service has a target for its waiting time: give one, target = 4.0"
        raise ParameterError([Fault("goal 'worst_breach'", "target", "", message)])
    return targets


def _worst_breach(solution: Solution) -> float:
    waits = solution.services["waiting_time"].to_numpy(dtype=np.float64)
    return float(np.nanmax(waits / targets_of(solution)))
