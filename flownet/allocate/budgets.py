"""What each further amount of money buys: the best plan's value by the budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from flownet.allocate.live_allocation import LiveAllocation
from flownet.allocate.propose_separable import problem_of, reasons_not_to
from flownet.allocate.read_task import task_of
from flownet.allocate.task import Task
from flownet.allocate.words import goal_text
from flownet.errors import Fault, ParameterError
from flownet.network.model import Network


def budget_curve(network: Network, budgets: Any, **options: Any) -> pd.DataFrame:
    """Return the goal after the best plan for each budget.

    Parameters
    ----------
    network : Network
        The system as it is.
    budgets : sequence of float
        Money per T, each at least 0.
    **options
        As for `reallocate`: goal, exchanges, integer, terms, ...

    Returns
    -------
    pandas.DataFrame
        One row a budget: value and growth of the (first) goal after the plan, money spent, and
        what one more unit of money would do for the goal (nan where the program does not say).
        `attrs` holds the units, and the goal in words.

    Raises
    ------
    ParameterError
        For no budget at all, or one that is not a finite amount of at least 0.

    Notes
    -----
    Divisible servers, one goal and one demand, everything stable at the smallest budget: the
    program is built once and solved again for each budget from where it stands. Elsewhere each
    budget is a task of its own.

    Examples
    --------
    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "services": [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 1.8,
    ...                   "servers": 2, "cost_per_server": 10.0}],
    ... })
    >>> fn.budget_curve(network, [0, 10, 20])["value"].round(3).tolist()
    [7.674, 0.532, 0.105]
    """
    if isinstance(budgets, str) or not isinstance(budgets, (Sequence, np.ndarray)):
        message = "must be a list of amounts of money per time unit"
        raise ParameterError([Fault("budget_curve", "budgets", repr(budgets), message)])
    if not len(budgets):
        message = "is empty: give at least one amount"
        raise ParameterError([Fault("budget_curve", "budgets", "[]", message)])
    tasks = [task_of(network, budget=budget, **options) for budget in budgets]
    rows = _live_rows(tasks) or [_row(task) for task in tasks]
    frame = pd.DataFrame(rows, columns=["value", "growth", "spent", "gain_per_money"])
    frame.index = pd.Index([float(b) for b in budgets], name="budget")
    unit = f"{network.currency or 'money'}/{network.time_unit}"
    label, judge = tasks[0].judge.aims[0].label, tasks[0].judge
    frame.attrs["units"] = {"spent": unit, "value": label}
    frame.attrs["goal"] = goal_text(label, judge.solutions[0])
    return frame


def _row(task: Task) -> tuple[float, float, float, float]:
    plan = task.plan()
    prices = plan.shadow_prices["shadow_price"]
    price = float(prices.get("budget", math.nan))
    return plan.value_after.value, plan.value_after.growth, plan.spent, price


def _live_rows(tasks: list[Task]) -> list[tuple[float, float, float, float]]:
    """Return the rows from one live program; none where the task is not of that kind."""
    first = min(tasks, key=lambda task: task.rules.budget)
    judge, rules = first.judge, first.rules
    single = len(judge.aims) == 1 and judge.aims[0].single in {"delay", "cost", "number_present"}
    priced = bool((rules.price > 0).any() or (rules.exchanges.cost > 0).any())
    if rules.integer or not single or len(judge.solutions) > 1 or not priced:
        return []
    if reasons_not_to(judge) or first.before.overloaded:
        return []
    live = LiveAllocation(problem_of(judge, rules, integer=False), first.search.gap)
    rows = []
    for task in tasks:
        found = live.solve(task.rules.budget)
        verified = judge.at(found.servers)
        price = -found.duals.get("budget", math.nan)
        rows.append((verified.goals[0], verified.growth, found.spent, price))
    return rows
