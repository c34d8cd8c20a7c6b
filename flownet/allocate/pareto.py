"""The Pareto front of two goals: plans of which none is better in both than another."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flownet.allocate.plan import Plan
from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError, ProgramError
from flownet.solvers.tables import records

if TYPE_CHECKING:
    from flownet.allocate.task import Task

_SAME = 1e-6
_MORE = 1e-6
"""Rounding that a limit on the other goal leaves."""


@dataclasses.dataclass(frozen=True, eq=False)
class ParetoFront:
    """Plans of which none is better in both goals than another.

    Attributes
    ----------
    goals : tuple of str
        The two goals.
    table : pandas.DataFrame
        One row a plan: both goals after it, and the money spent.
    plans : tuple of Plan
        In the order of the table: the best for the first goal first.
    exact : bool
        Whether every plan is proven: no plan is better in one goal without being worse in the
        other, to the gap that was asked for.
    """

    goals: tuple[str, str]
    table: pd.DataFrame = dataclasses.field(repr=False)
    plans: tuple[Plan, ...] = dataclasses.field(repr=False)
    exact: bool

    def __repr__(self) -> str:
        """Return three lines: how many plans, the two ends, whether they are proven."""
        first, last = self.table.iloc[0], self.table.iloc[-1]
        a, b = self.goals
        ends = [f"{a} {figure(row[a])} with {b} {figure(row[b])}" for row in (first, last)]
        count = "1 plan" if len(self.plans) == 1 else f"{len(self.plans)} plans"
        lost = "delay" in self.goals and self.plans[0].before.can_turn_away
        proof = "each proven to the gap" if self.exact else "found by search, without proof"
        return "\n".join([
            f"ParetoFront: {count} between '{a}' and '{b}'{', losses at their price' * lost}",
            f"  from {ends[0]} to {ends[1]}",
            f"  {proof}",
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the table, and every plan."""
        return {
            "goals": list(self.goals),
            "exact": self.exact,
            "table": records(self.table),
            "plans": [plan.to_dict() for plan in self.plans],
        }


def pareto(network: Any, goals: Any, *, points: int = 9, **options: Any) -> ParetoFront:
    r"""Return plans on the front of two goals, each the best for one with a limit on the other.

    .. math:: \min J_1 \quad\text{subject to}\quad J_2 \le \epsilon,
              \qquad \epsilon \text{ from the least } J_2 \text{ to that of the best } J_1

    Parameters
    ----------
    network : Network
        The system as it is.
    goals : sequence of two
        As for `reallocate`.
    points : int
        Limits on the second goal between its two ends, at least 2; plans that repeat or that
        another one beats are left out.
    **options
        As for `reallocate`: budget, exchanges, integer, decide, terms, scenarios, method, gap, ...

    Returns
    -------
    ParetoFront

    Raises
    ------
    ParameterError
        For other than two different goals, or fewer than two points.
    ProgramError
        Where no plan keeps to the terms.

    References
    ----------
    Haimes, Lasdon and Wismer (1971), IEEE Transactions on Systems, Man, and Cybernetics 1, 296:
    the epsilon-constraint method.

    Examples
    --------
    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour", "cost_of_delay": 1.0},
    ...     "services": [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 1.8,
    ...                   "servers": 2, "cost_per_server": 1.0}],
    ... })
    >>> front = fn.pareto(network, ["delay", "cost"], budget=3.0)
    >>> [plan.servers.get("desk", 2) for plan in front.plans]
    [5, 4, 3]
    """
    from flownet.allocate.read_task import task_of

    if isinstance(goals, str) or not isinstance(goals, Sequence) or len(goals) != 2:
        message = "must be two goals, for instance ['delay', 'cost']"
        raise ParameterError([Fault("pareto", "goals", repr(goals), message)])
    if points < 2 or points != int(points):
        message = "must be a whole number, at least 2"
        raise ParameterError([Fault("pareto", "points", repr(points), message)])
    there = task_of(network, [goals[0], goals[1]], **options)
    back = task_of(network, [goals[1], goals[0]], **options)
    labels = tuple(aim.label for aim in there.judge.aims)
    if labels[0] == labels[1]:
        message = "must differ from each other"
        raise ParameterError([Fault("pareto", "goals", repr(goals), message)])
    return _front(there, back, points, (labels[0], labels[1]))


def _front(there: Task, back: Task, points: int, labels: tuple[str, str]) -> ParetoFront:
    """Return the front between the best plans for one goal and for the other."""
    best_first, best_second = there.plan(), back.plan()
    high = _values(best_first, labels)[1]
    low = _values(best_second, labels)[1]
    found = [best_first]
    if math.isfinite(high) and math.isfinite(low):
        # the goal that is limited stands first in its task, and is kept where it is asked to be
        for most in np.linspace(high, low, points)[1:-1].tolist():
            slack = _MORE * max(1.0, abs(most))
            plan = _plan_of(back.keeping(most + slack))
            if plan is not None:
                found.append(plan)
    found.append(best_second)
    plans = _undominated(found, labels)
    rows = [(*_shown(plan, labels), plan.spent) for plan in plans]
    table = pd.DataFrame(rows, columns=[*labels, "spent"])
    table.index = pd.RangeIndex(1, len(table) + 1, name="plan")
    proven = all(p.status in {"optimal", "within_gap", "every plan tried"} for p in plans)
    return ParetoFront(labels, table, tuple(plans), proven)


def _plan_of(task: Task) -> Plan | None:
    """Return a plan; None where no whole numbers keep to a limit between the ends."""
    try:
        return task.plan()
    except ProgramError:
        return None


def _values(plan: Plan, labels: tuple[str, str]) -> tuple[float, float]:
    """Return both goals after a plan, less being better."""
    after = plan.goals["after"]
    signs = [-1.0 if label == "throughput" else 1.0 for label in labels]
    return (signs[0] * float(after[labels[0]]), signs[1] * float(after[labels[1]]))


def _shown(plan: Plan, labels: tuple[str, str]) -> tuple[float, float]:
    after = plan.goals["after"]
    return float(after[labels[0]]), float(after[labels[1]])


def _undominated(plans: Sequence[Plan], labels: tuple[str, str]) -> list[Plan]:
    """Return the plans that no other beats, the best for the first goal first, none twice."""
    rows = sorted(((_values(plan, labels), plan) for plan in plans), key=lambda row: row[0])
    kept: list[tuple[tuple[float, float], Plan]] = []
    for value, plan in rows:
        if not kept or value[1] < kept[-1][0][1] - _SAME * max(1.0, abs(value[1])):
            kept.append((value, plan))
    return [plan for _, plan in kept]
