"""The page's section of a plan: what to do in which order, what it brings, and what limits then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flownet.allocate.words import gain_text, made_worse_text
from flownet.display import figure
from flownet.errors import FlownetError
from flownet.view.report_tables import cells, organisations_of
from flownet.view.text import comparison_view, moves_view

if TYPE_CHECKING:
    from flownet.allocate.plan import Plan
    from flownet.constraint.find import Finding
    from flownet.network.model import Network
    from flownet.study.compare import Comparison

MOST_EFFORT = 20_000
"""Services times trials up to which the page puts a plan's steps in order: seconds of work."""
TRIALS = 300
"""Networks that are solved to order the 24 steps into which a plan is cut at most."""
ENOUGH = 0.8
"""The part of the whole gain at which the page says how many steps bring it."""
NOTHING = 1e-4
"""A limit worth less than this part of the whole gain is not spoken of."""


def plan_section(
    plan: Plan | None, comparison: Comparison | None, finding: Finding | None, network: Network
) -> dict[str, Any]:
    """Return what the page says of a plan; nothing where there is none."""
    if plan is None or comparison is None:
        return {}
    moves = moves_view(plan)
    if (moves["units"] == 0).all():  # nothing is taken from anywhere
        moves = moves.drop(columns=["from", "units"])
    steps, pace = _steps(plan)
    return {
        "moves": cells(moves, None),
        "steps": steps,
        "pace": pace,
        "changes": cells(comparison_view(comparison), network),
        "organisations": cells(organisations_of(plan), None),
        "promised": gain_text(plan, plan.gain_promised),
        "verified": gain_text(plan, plan.gain_verified),
        "worse": made_worse_text(plan),
        "worth": _worth(plan),
        "next": _next(plan, finding),
    }


def _steps(plan: Plan) -> tuple[dict[str, Any] | None, str]:
    """Return the steps in order of their gain, and in words how soon most of it is had."""
    services = len(plan.before.network.services)
    if plan.moves.empty or ("steps" not in vars(plan) and services * TRIALS > MOST_EFFORT):
        return None, ""
    network = plan.before.network
    money = f"{network.currency or 'money'}/{network.time_unit}"
    table = plan.steps
    view = pd.DataFrame(index=table.index)
    view["what"] = [_words(row, network) for row in table.to_dict("records")]
    view["gain"], view["gain so far"] = table["gain"], table["gain_so_far"]
    if table["cost_so_far"].abs().max() > 0:
        view["cost"], view["cost so far"] = table["cost"], table["cost_so_far"]
    unit = "job" if plan.value_before.goal == "delay" else str(table.attrs["units"]["gain"])
    view.attrs["units"] = {"gain": unit, "gain so far": unit, "cost": money, "cost so far": money}
    return cells(view, None), _pace(table, money)


def _words(row: dict[Any, Any], network: Network) -> str:
    """Return a step in words."""
    gained = f"{figure(row['gained'])} at {network.label(row['to'])}" if row["to"] else ""
    if not row["from"]:
        return f"{row['action']} {gained}"
    taken = f"{figure(row['units'])} from {network.label(row['from'])}"
    return f"{row['action']} {taken}" + (f" to {gained}" if gained else "")


def _pace(table: pd.DataFrame, money: str) -> str:
    """Return how many of the steps bring most of the gain."""
    whole, spent = float(table["gain_so_far"].iloc[-1]), float(table["cost_so_far"].iloc[-1])
    early = table[table["gain_so_far"] >= ENOUGH * whole]
    if len(table) < 3 or whole <= 0 or early.index[0] == len(table):
        return ""
    first = early.iloc[0]
    said = f"The first {early.index[0]} of {len(table)} steps bring"
    if early.index[0] == 1:
        said = f"The first of {len(table)} steps brings"
    share = f"{float(first['gain_so_far']) / whole:.0%} of the gain"
    if spent <= 0:
        return f"{said} {share}."
    cost = float(first["cost_so_far"])
    return f"{said} {share} for {cost / spent:.0%} of the money ({figure(cost)} {money})."


def _worth(plan: Plan) -> list[str]:
    """Return what the limits that bind are worth, where it is worth speaking of."""
    prices = plan.shadow_prices
    if "sentence" not in prices:
        return []
    least = NOTHING * abs(plan.gain_verified)
    money = prices.index.astype(str).str.contains("budget")
    amount = np.where(money, max(plan.budget, 1.0), 1.0)  # of others, one more
    return list(prices["sentence"][prices["shadow_price"].abs() * amount >= least])


def _next(plan: Plan, finding: Finding | None) -> str:
    """Return where the constraint is after the plan, if the page looks for it at all."""
    if finding is None or plan.moves.empty:
        return ""
    try:
        after = plan.constraint_after
    except FlownetError as error:
        return f"Where the constraint is then cannot be said: {error}"
    if after.constraint is None:
        return "With the plan, no service holds the whole back any more: " + after.headline
    same = finding.constraint in after.constraint_set
    moved = "With the plan the constraint is still there" if same else "With the plan it moves"
    return f"{moved}. {after.headline}"
