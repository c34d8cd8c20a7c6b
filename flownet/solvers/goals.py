"""Goals: what a solution is worth, and how two solutions are told better from worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.network.values import nearest
from flownet.solvers.saturation import saturation_scale

if TYPE_CHECKING:
    from flownet.solvers.solution import Solution

GOALS: Final = {
    "delay": "mean number of jobs that wait, are blocked, stand outside or are held in transfer",
    "cost": "money per time unit for capacity, delay and loss",
    "throughput": "jobs per time unit that leave served",
}
"""The goals by name and meaning."""


@dataclass(frozen=True, slots=True)
class GoalValue:
    """The value of a goal: growth of the backlog first, then the goal itself.

    Where a service is overloaded delay has no finite value; what can be improved then is the rate
    at which the backlog grows, so that two values compare by growth first.

    Attributes
    ----------
    goal : str
        The goal's name.
    growth : float
        Jobs per T by which the backlog grows; 0 in a stable network.
    value : float
        The goal's value in its own unit; ``inf`` for delay and cost under overload.
    """

    goal: str
    growth: float
    value: float

    def gain_over(self, before: GoalValue) -> float:
        """Return how much better this value is than `before`; positive is better.

        In the goal's unit where both are stable (or the goal is throughput), else in jobs per T
        of backlog growth avoided.
        """
        if self.goal == "throughput":
            return self.value - before.value
        if self.growth > 0 or before.growth > 0:
            return before.growth - self.growth
        return before.value - self.value

    def key(self) -> tuple[float, float]:
        """Return what sorts the better value first."""
        if self.goal == "throughput":
            return (-self.value, self.growth)
        return (self.growth, self.value)


def check_goal(goal: str) -> str:
    """Return `goal` where it exists.

    Raises
    ------
    UnknownNameError
        With the nearest known goal.
    """
    if goal in GOALS:
        return goal
    known = ", ".join(GOALS)
    fault = Fault("goal", "", repr(goal), f"is not known; known are {known}{nearest(goal, GOALS)}")
    raise UnknownNameError([fault])


def goal_value(solution: Solution, goal: str) -> GoalValue:
    """Return the value of `goal` for a solution.

    Parameters
    ----------
    solution : Solution
        Of a converged method.
    goal : {'delay', 'cost', 'throughput'}
        ``delay`` [job] counts waiting, blocked, outside and held in transfer; where jobs can be
        lost, overflow or give up it needs the network's ``cost_of_loss``, and adds the rate of
        such jobs times cost_of_loss / cost_of_delay (with no cost_of_delay, cost_of_loss is read
        as T of delay per lost job). ``cost`` [money/T] is capacity, delay and loss at the
        network's prices. ``throughput`` [job/T] counts jobs that leave served; where none can be
        lost, the most that the system can carry with the same mix of demand.

    Raises
    ------
    UnknownNameError
        Where the goal does not exist.
    ParameterError
        Where delay alone would reward turning jobs away, or cost has no price at all.
    """
    check_goal(goal)
    system = solution.totals
    growth = float(system["growth_rate"])
    if goal == "throughput":
        return GoalValue(goal, growth, _throughput(solution))
    if goal == "cost":
        return GoalValue(goal, growth, math.inf if growth > 0 else _cost(solution))
    turned_away = float(system["loss_rate"] + system["overflow_rate"] + system["abandonment_rate"])
    delay = math.inf if growth > 0 else float(system["delay"])
    if turned_away > 0 and solution.can_turn_away:
        delay += _loss_in_delay(solution)
    return GoalValue(goal, growth, delay)


def _loss_in_delay(solution: Solution) -> float:
    """Return the price of turned away jobs in units of delay."""
    graph = solution.network.graph.graph
    priced = solution.prices_every_loss
    if not priced:
        message = (
            "jobs can be lost, overflow or give up here, so that delay alone would be best with "
            "the door closed: give cost_of_loss (in [network] or at each such service; with "
            "cost_of_delay it is converted to delay), or take the goal 'throughput' or 'cost'"
        )
        raise ParameterError([Fault("goal 'delay'", "cost_of_loss", "", message)])
    price = float(graph.get("cost_of_delay", 0.0)) or 1.0
    return float(solution.totals["cost_loss"]) / price


def _cost(solution: Solution) -> float:
    if not solution.has_prices:
        message = (
            "no price is given: give cost_per_server, cost_of_delay or cost_of_loss at the "
            "services or in [network]"
        )
        raise ParameterError([Fault("goal 'cost'", "cost_per_server", "", message)])
    return float(solution.totals["cost"])


def _throughput(solution: Solution) -> float:
    """Return the jobs per T that leave served, or where none can be lost, the most that could."""
    if solution.can_turn_away:
        return float(solution.totals["throughput"])
    return saturation_scale(solution) * float(solution.totals["external_arrival_rate"])
