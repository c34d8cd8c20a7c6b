"""A plan in words, built from its numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from flownet.allocate.limits import goal_unit
from flownet.display import figure

if TYPE_CHECKING:
    from flownet.allocate.plan import Plan
    from flownet.solvers.solution import Solution


def _unit(plan: Plan) -> str:
    time, goal = plan.before.network.time_unit, plan.value_before.goal
    if goal != "throughput" and plan.value_before.growth > 0:
        return f"jobs per {time} of backlog growth"
    now = " at any time" if goal in {"delay", "number_present"} else ""
    return f"{goal_unit(plan.before.network, goal)}{now}"


def gain_text(plan: Plan, gain: float) -> str:
    """Return a gain with its unit."""
    return f"{figure(gain)} {_unit(plan)}"


_NO_GAP = 1e-12
_LEVERS = {
    "service_rate": "jobs per {time} and server",
    "service_time": "{time}s per job",
    "waiting_room": "waiting place",
    "opening_hours": "{time}s of opening",
}


def _unit_of(plan: Plan, name: object, count: float) -> tuple[str, str]:
    """Return what is counted at a service, and its plural's ending."""
    network = plan.before.network
    kind = plan.changes[name][0] if name in plan.changes else "servers"
    if kind in _LEVERS:
        many = "s" if kind == "waiting_room" and count != 1 else ""
        return _LEVERS[kind].format(time=network.time_unit), many
    label = str(network.graph.nodes[name].get("server_label", "server"))
    return label, "s" if count != 1 else ""


def _steps(plan: Plan) -> list[str]:
    """Return each purchase and move in words."""
    network = plan.before.network
    names = {str(name): name for name in network.services}
    steps = []
    for row in plan.moves.to_dict(orient="records"):
        to = names[row["to"] or row["from"]]
        count = row["gained"] if row["to"] else row["units"]
        label, many = _unit_of(plan, to, count)
        if row["action"] == "buy":
            steps.append(f"buy {figure(row['gained'])} {label}{many} at '{network.label(to)}'")
        elif row["action"] == "release":
            steps.append(f"give up {figure(row['units'])} {label}{many} at '{network.label(to)}'")
        else:
            start = network.label(names[row["from"]])
            steps.append(
                f"move {figure(row['units'])} from '{start}' to '{network.label(to)}' "
                f"({figure(row['gained'])} {label}{many} there)"
            )
    return steps


def goal_text(goal: str, solution: Solution) -> str:
    """Return what a goal counts in a network."""
    if goal == "delay" and solution.can_turn_away:
        return "delay, with losses at their price,"
    return goal.replace("_", " ")


def _measured(plan: Plan) -> str:
    """Return what the goal is, over the demands that the plan is for."""
    goal = goal_text(plan.value_before.goal, plan.before)
    kind, _, level = plan.risk.partition(" ")
    if kind == "minimax":
        return f"{goal} in the worst demand"
    if kind == "regret":
        return f"largest regret in {goal}"
    return f"{goal} in the worst {1 - float(level):.3g} of demands" if kind == "cvar" else goal


def _brings(plan: Plan, gain: str) -> str:
    """Return what a plan brings: a gain, or terms kept that are missed without it."""
    if not plan.needed:
        return f"gains {gain}"
    kept = "keeps the terms, which are missed at present,"
    if plan.gain_verified > 0:
        return f"{kept} and gains {gain}"
    if plan.gain_verified < 0:
        return f"{kept} and loses {gain_text(plan, -plan.gain_verified)}"
    return f"{kept} at no loss"


def headline(plan: Plan) -> str:
    """Return the plan in a sentence or two."""
    if plan.moves.empty:
        return f"No purchase or move improves the goal '{plan.goal}': {plan.how}."
    gain = gain_text(plan, plan.gain_verified)
    steps = "; ".join(_steps(plan))
    if not plan.borne_out:
        return (
            f"Not borne out: the program proposed to {steps}, promising a gain of "
            f"{figure(plan.gain_promised)} {_unit(plan)}, but the full model shows {gain}."
        )
    sentence = f"{steps[0].upper()}{steps[1:]}. This {_brings(plan, gain)}"
    money = plan.before.network.currency or "units of money"
    if plan.spent > 0:
        sentence += f" for {figure(plan.spent)} {money} per {plan.before.network.time_unit}"
    was, now = plan.value_before, plan.value_after
    if was.growth > 0 and was.goal != "throughput":
        sentence += f" (growth {figure(was.growth)} to {figure(now.growth)})"
    else:
        sentence += f" ({_measured(plan)} {figure(was.value)} to {figure(now.value)})"
    if now.growth > 0 and was.goal != "throughput":
        sentence += (
            ", and not all backlogs can be stopped with this: their growth was made as small as "
            "can be before anything else"
        )
    worse = "" if plan.made_worse.empty else f" Made worse: {made_worse_text(plan)}."
    return f"{sentence}.{worse}"


def made_worse_text(plan: Plan) -> str:
    """Return who sees more delay than before."""
    network = plan.before.network
    return "; ".join(
        f"'{network.label(name)}' ({row['measure'].replace('_', ' ')} {figure(row['before'])} to "
        f"{figure(row['after'])})"
        for name, row in plan.made_worse.iterrows()
    )


def summary(plan: Plan) -> str:
    """Return three lines: headline, standing, one warning."""
    gap = f"{plan.status}, " if plan.status else ""
    gap += (
        "no bound" if math.isnan(plan.gap) else f"gap {plan.gap if plan.gap > _NO_GAP else 0:.2g}"
    )
    standing = (
        f"  promised {figure(plan.gain_promised)}, verified {figure(plan.gain_verified)} "
        f"{_unit(plan)}; {gap}"
    )
    warnings = plan.after.warnings
    last = f"  warning: {warnings[0]}" if warnings else "  no warnings"
    return "\n".join([headline(plan), standing, last])


def explain(plan: Plan) -> str:
    """Return how the plan was found and what its figures mean."""
    lines = [
        headline(plan),
        f"How: {plan.how}.",
        "Promised is the gain by the program's curves; verified is the gain when the whole network "
        "is solved again with the plan carried out, and the one to believe.",
    ]
    if not plan.shadow_prices.empty:
        lines.append("What the limits are worth:")
        lines += [f"  - {sentence}" for sentence in plan.shadow_prices["sentence"]]
    if len(plan.goals) > 1 or len(plan.scenarios) > 1:
        lines += ["Every goal:", str(plan.goals), "Every demand:", str(plan.scenarios)]
    lines.append(plan.after.explain())
    return "\n".join(lines)
