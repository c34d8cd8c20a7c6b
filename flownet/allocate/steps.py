"""In which order a plan is best carried out, step by step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from flownet.allocate.aims import Aim, aim_value, read_goal
from flownet.allocate.levers import DIVISIBLE, Levers, read_levers
from flownet.allocate.plan import Plan
from flownet.kernels.compiled import Floats
from flownet.solvers.goals import GoalValue
from flownet.solvers.solution import Solution

_MOST = 24
"""A plan is cut into so many steps at most, if its rows allow it."""


def aim_of(plan: Plan) -> Aim:
    """Return the goal by which a plan's steps are judged: that of its values."""
    aims = read_goal(plan.aims)
    return next((aim for aim in aims if aim.label == plan.value_before.goal), aims[0])


def levers_of(plan: Plan) -> Levers:
    """Return the lever of each service."""
    named = {name: kind for name, (kind, _, _) in plan.changes.items()}
    return read_levers(named, plan.before.network)


def value_with(solution: Solution, levers: Levers, levels: Floats, aim: Aim) -> GoalValue | None:
    """Return the goal at other levels by the full model; None where it cannot be solved."""
    trial = solution.again(levers.arrays(solution, levels))
    return aim_value(trial, aim) if trial.converged else None


def gain(after: GoalValue, before: GoalValue) -> float:
    """Return a gain; where backlogs only just vanish, of growth."""
    difference = after.gain_over(before)
    return 0.0 if math.isnan(difference) else difference


def steps_of(plan: Plan) -> pd.DataFrame:
    """Return the steps of a plan, the one with the largest gain first."""
    solution, aim = plan.before, aim_of(plan)
    left = _pieces(plan)
    levers = levers_of(plan)
    servers = levers.present(solution)
    value = plan_value = aim_value(solution, aim)
    rows, spent, total = [], 0.0, 0.0
    while left:
        trials = [(_value_after(solution, levers, servers, piece, aim), piece) for piece in left]
        known = [(found, piece) for found, piece in trials if found is not None]
        if not known:
            break
        found, best = max(known, key=lambda pair: gain(pair[0], value))
        own = gain(found, value)
        servers, value = servers + best["change"], found
        left = [piece for piece in left if piece is not best]
        spent += best["row"]["cost"]
        total += own
        rows.append(best["row"] | {"gain": own, "gain_so_far": total, "cost_so_far": spent})
    columns = ["action", "from", "to", "units", "gained", "cost"]
    columns += ["gain", "gain_so_far", "cost_so_far"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="step")
    unit = "jobs/T of growth" if plan_value.growth > 0 else aim.label
    frame.attrs["units"] = {"gain": unit, "gain_so_far": unit}
    return frame


def _value_after(
    solution: Solution, levers: Levers, now: Floats, piece: dict[str, Any], aim: Aim
) -> GoalValue | None:
    trial = now + piece["change"]
    counted = np.array([kind == "waiting_room" for kind in levers.kinds])
    limited = np.isfinite(trial)
    if (trial[limited & ~counted] <= 0).any() or (trial[limited & counted] < 0).any():
        return None
    return value_with(solution, levers, np.floor(trial + 1e-9) if piece["whole"] else trial, aim)


def _pieces(plan: Plan) -> list[dict[str, Any]]:
    """Return the plan's rows cut into steps of one server, or of a few where there are many."""
    index = {str(name): i for i, name in enumerate(plan.before.compilation.services)}
    whole = all(
        kind not in DIVISIBLE and float(before).is_integer() and float(after).is_integer()
        for kind, before, after in plan.changes.values()
    )
    amounts = [max(float(r["units"]), float(r["gained"]) if r["action"] == "buy" else 0.0)
               for r in plan.moves.to_dict(orient="records")]  # fmt: skip
    size = max(1.0, math.ceil(sum(amounts) / _MOST))
    pieces = []
    for row, amount in zip(plan.moves.to_dict(orient="records"), amounts, strict=True):
        parts = max(1, math.floor(amount / size)) if whole else 1
        counts = np.full(parts, math.floor(amount / parts)) if whole else np.full(1, amount)
        if whole:
            counts[: round(amount - float(counts.sum()))] += 1
        for count in counts.tolist():
            share = count / amount
            change = np.zeros(len(index))
            if row["from"]:
                change[index[row["from"]]] -= row["units"] * share
            if row["to"]:
                change[index[row["to"]]] += row["gained"] * share
            cut = {k: row[k] * share for k in ("units", "gained", "cost")}
            pieces.append({"row": row | cut, "change": change, "whole": whole})
    return pieces
