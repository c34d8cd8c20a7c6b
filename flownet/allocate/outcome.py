"""The tables of a plan: moves, what limits are worth, who is made worse."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import pandas as pd

from flownet.allocate.proposal import Proposal
from flownet.allocate.search import Rules
from flownet.display import figure
from flownet.kernels.compiled import Floats
from flownet.network.model import ServiceName
from flownet.solvers.solution import Solution

WORSE: Final = 1e-3
"""A service counts as made worse from this relative rise of its delay on."""
_LIMITS: Final = {
    "budget": ("more {money} in the budget", 1),
    "min_servers": ("fewer server required at {label}", -1),
    "max_servers": ("more server allowed at {label}", 1),
    "exchange_limit": ("more allowed to move {label}", 1),
    "resource": ("more of the budget '{label}'", 1),
    "group_min": ("fewer server required in the group '{label}'", -1),
    "group_max": ("more server allowed in the group '{label}'", 1),
    "target": ("fewer server asked for by the target of {label}", -1),
    "protect": ("more job delayed allowed in the organisation '{label}'", 1),
}
"""What one unit of each limit is, and in which direction it helps."""


def changes_of(solution: Solution, servers: Floats) -> dict[ServiceName, float]:
    """Return the servers that differ, by service, whole ones as whole numbers."""
    now = solution.compilation.arrays.servers
    changed = {}
    for name, old, new in zip(solution.compilation.services, now, servers, strict=True):
        if math.isfinite(old) and abs(new - old) > 1e-7 * max(1.0, abs(old)):
            near = round(float(new))
            changed[name] = near if abs(new - near) < 1e-9 else float(new)
    return changed


def moves_table(solution: Solution, rules: Rules, proposal: Proposal) -> pd.DataFrame:
    """Return one row a purchase or move."""
    names, table = solution.compilation.services, rules.exchanges
    rows: list[dict[str, Any]] = [
        {"action": "buy", "from": "", "to": str(names[i]), "units": 0.0, "gained": float(n),
         "cost": float(n * rules.price[i])}
        for i, n in enumerate(proposal.bought)
        if n > 1e-9
    ]  # fmt: skip
    rows += [
        {"action": "move", "from": str(names[table.start[k]]), "to": str(names[table.end[k]]),
         "units": float(n), "gained": float(n * table.rate[k]),
         "cost": float(n * table.cost[k] + table.training[k])}
        for k, n in enumerate(proposal.moved)
        if n > 1e-9
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["action", "from", "to", "units", "gained", "cost"])
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="step")
    money = solution.network.currency or "money"
    unit = f"{money}/{solution.network.time_unit}"
    frame.attrs["units"] = {"units": "server", "gained": "server", "cost": unit}
    return frame


def limits_table(solution: Solution, rules: Rules, proposal: Proposal, goal: str) -> pd.DataFrame:
    """Return the gain per unit of each limit that binds, between which limits, and a sentence."""
    rows = []
    for name, dual in proposal.duals.items():
        kind = name.split("[")[0]
        if kind in _LIMITS and abs(dual) > 1e-9:
            price = -dual if proposal.minimizes else dual
            low, high = proposal.ranges.get(name, (math.nan, math.nan))
            side = _side(rules, name)
            said = _sentence(solution, name, price, (low, high), side, goal)
            rows.append((name, price, low, high, said))
    columns = ["limit", "shadow_price", "from", "to", "sentence"]
    return pd.DataFrame(rows, columns=columns).set_index("limit")


def _side(rules: Rules, name: str) -> float:
    """Return what a limit is at present; nan where only the program knows."""
    kind, _, label = name.rstrip("]").partition("[")
    if kind == "budget":
        return rules.budget
    sums = {f"resource[{each.name}": each.high for each in rules.terms.resources}
    sums |= {f"group_min[{each.name}": each.low for each in rules.terms.groups}
    sums |= {f"group_max[{each.name}": each.high for each in rules.terms.groups}
    return sums.get(f"{kind}[{label}", math.nan)


def _sentence(
    solution: Solution,
    name: str,
    price: float,
    between: tuple[float, float],
    side: float,
    goal: str,
) -> str:
    kind, _, label = name.rstrip("]").partition("[")
    network = solution.network
    thing, direction = _LIMITS[kind]
    unit = thing.format(label=label, money=network.currency or "money")
    what = {"delay": "jobs delayed", "cost": network.currency or "money"}.get(goal, f"of {goal}")
    text = f"one {unit} is worth {figure(direction * price)} {what}"
    reach = (between[1] - side) if direction > 0 else (side - between[0])
    if math.isnan(reach):
        return f"{text}, at first"
    if reach <= 1e-9 * max(1.0, abs(side)):
        return f"{text} at the very first"
    return text if math.isinf(reach) else f"{text}, up to {figure(reach)}"


def worse_services(before: Solution, after: Solution) -> pd.DataFrame:
    """Return the services that see more delay (or backlog growth) than before."""
    first, second = before.services, after.services
    rows = []
    for name in first.index:
        for measure in ("delay", "growth_rate"):
            old, new = float(first.loc[name, measure]), float(second.loc[name, measure])
            if new > old * (1 + WORSE) + 1e-6:
                rows.append({"service": name, "organisation": first.loc[name, "organisation"],
                             "measure": measure, "before": old, "after": new})  # fmt: skip
    columns = ["service", "organisation", "measure", "before", "after"]
    return pd.DataFrame(rows, columns=columns).set_index("service")


def organisations_table(before: Solution, after: Solution) -> pd.DataFrame:
    """Return delay, servers and money of each organisation before and after."""
    parts = []
    for solution in (before, after):
        table = solution.services
        finite = table["servers"].where(np.isfinite(table["servers"]), 0.0)
        price = pd.Series(solution.compilation.cost_per_server, index=table.index)
        frame = pd.DataFrame(
            {"organisation": table["organisation"], "servers": finite, "delay": table["delay"],
             "growth_rate": table["growth_rate"], "cost_capacity": finite * price}
        )  # fmt: skip
        parts.append(frame.groupby("organisation").sum())
    beside = pd.concat(parts, axis=1, keys=["before", "after"]).swaplevel(axis=1)
    columns = ["servers", "delay", "growth_rate", "cost_capacity"]
    beside = beside.sort_index(axis=1)[columns]
    for measure in columns:
        beside[(measure, "change")] = beside[(measure, "after")] - beside[(measure, "before")]
    ordered = [(m, side) for m in columns for side in ("before", "after", "change")]
    return beside[ordered]
