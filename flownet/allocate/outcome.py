"""The tables of a plan: moves, what limits are worth, who is made worse."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import pandas as pd

from flownet.allocate.levers import UNITS, LevelChange
from flownet.allocate.proposal import Proposal
from flownet.allocate.search import Rules
from flownet.display import figure
from flownet.kernels.compiled import Floats
from flownet.network.model import Network, ServiceName
from flownet.solvers.solution import Solution

WORSE: Final = 1e-3
"""A service counts as made worse from this relative rise of its delay on."""
NOTHING: Final = 1e-4
"""... and from this rise in jobs (or jobs per T) on."""
_LIMITS: Final = {
    "balance": ("more {unit} given to '{label}'", 1),
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


def changes_of(rules: Rules, levels: Floats) -> dict[ServiceName, LevelChange]:
    """Return what differs by service: the lever, before, after; whole ones as whole numbers."""
    changed = {}
    rows = zip(rules.names, rules.levers.kinds, rules.servers, levels, strict=True)
    for name, kind, old, new in rows:
        if math.isfinite(old) and abs(new - old) > 1e-7 * max(1.0, abs(old)):
            near = round(float(new))
            after = near if abs(new - near) < 1e-9 else float(new)
            changed[name] = (kind, float(old), after)
    return changed


def moves_table(solution: Solution, rules: Rules, proposal: Proposal) -> pd.DataFrame:
    """Return one row a purchase, release or move."""
    names, table = solution.compilation.services, rules.exchanges
    rows: list[dict[str, Any]] = [
        {"action": "buy", "from": "", "to": str(names[i]), "units": 0.0, "gained": float(n),
         "cost": float(n * rules.price[i])}
        for i, n in enumerate(proposal.bought)
        if n > 1e-9
    ]  # fmt: skip
    rows += [
        {"action": "release", "from": str(names[i]), "to": "", "units": float(-n), "gained": 0.0,
         "cost": float(n * rules.refund[i])}
        for i, n in enumerate(proposal.bought)
        if n < -1e-9
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
    counted = {UNITS[kind] for kind in rules.levers.kinds}
    what = next(iter(counted)) if len(counted) == 1 else "of the service's lever"
    frame.attrs["units"] = {"units": what, "gained": what, "cost": unit}
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
            said = _sentence(solution, rules, name, price, (low, high), side, goal)
            rows.append((name, price, low, high, said))
    columns = ["limit", "shadow_price", "from", "to", "sentence"]
    return pd.DataFrame(rows, columns=columns).set_index("limit")


def _side(rules: Rules, name: str) -> float:
    """Return what a limit is at present; nan where only the program knows."""
    kind, label = _parts(name)
    if kind == "budget":
        return rules.budget
    if kind == "balance":
        return float(rules.servers[[str(each) for each in rules.names].index(label)])
    sums = {f"resource[{each.name}": each.high for each in rules.terms.resources}
    sums |= {f"group_min[{each.name}": each.low for each in rules.terms.groups}
    sums |= {f"group_max[{each.name}": each.high for each in rules.terms.groups}
    return sums.get(f"{kind}[{label}", math.nan)


def _sentence(
    solution: Solution,
    rules: Rules,
    name: str,
    price: float,
    between: tuple[float, float],
    side: float,
    goal: str,
) -> str:
    kind, label = _parts(name)
    network = solution.network
    thing, direction = _LIMITS[kind]
    money, one = network.currency or "money", "server"
    if kind == "balance":
        i = [str(each) for each in rules.names].index(label)
        one, label = unit_of(network, rules.names[i], rules.levers.kinds[i])
    unit = thing.format(label=label, money=money, unit=one)
    what = {"delay": "jobs delayed", "cost": money}.get(goal, f"of {goal}")
    text = f"one {unit} is worth {figure(direction * price)} {what}"
    reach = (between[1] - side) if direction > 0 else (side - between[0])
    if math.isnan(reach):
        return f"{text}, at first"
    if reach <= 1e-9 * max(1.0, abs(side)):
        return f"{text} at the very first"
    return text if math.isinf(reach) else f"{text}, up to {figure(reach)}"


def unit_of(network: Network, name: ServiceName, kind: str) -> tuple[str, str]:
    """Return what one unit of a service's lever is called, and what the service is called."""
    own = str(network.graph.nodes[name].get("server_label", "server"))
    return (own if kind == "servers" else UNITS[kind]), network.label(name)


def worse_services(before: Solution, after: Solution) -> pd.DataFrame:
    """Return the services that see more delay (or backlog growth) than before."""
    first, second = before.services, after.services
    rows = []
    for name in first.index:
        for measure in ("delay", "growth_rate"):
            old, new = float(first.loc[name, measure]), float(second.loc[name, measure])
            if new > old * (1 + WORSE) + NOTHING:
                rows.append({"service": name, "organisation": first.loc[name, "organisation"],
                             "measure": measure, "before": old, "after": new})  # fmt: skip
    columns = ["service", "organisation", "measure", "before", "after"]
    return pd.DataFrame(rows, columns=columns).set_index("service")


_SERVICE: Final = ["servers", "load_ratio", "occupancy", "delay", "waiting_time", "blocked_time",
                   "growth_rate"]  # fmt: skip
_CLASS: Final = ["throughput", "system_response_time", "delay_time", "loss_rate", "growth_rate"]


def services_table(before: Solution, after: Solution) -> pd.DataFrame:
    """Return the measures of each service before and after, and their change."""
    return _beside([before.services[_SERVICE], after.services[_SERVICE]], _SERVICE)


def classes_table(before: Solution, after: Solution) -> pd.DataFrame:
    """Return the measures of each class before and after, and their change."""
    return _beside([before.classes[_CLASS], after.classes[_CLASS]], _CLASS)


def _beside(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    beside = pd.concat(parts, axis=1, keys=["before", "after"]).swaplevel(axis=1)
    beside = beside.sort_index(axis=1)[columns]
    for measure in columns:
        with np.errstate(invalid="ignore"):  # unlimited before and after: no number
            change = beside[(measure, "after")] - beside[(measure, "before")]
        beside[(measure, "change")] = change
    return beside[[(m, side) for m in columns for side in ("before", "after", "change")]]


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
    return _beside(parts, ["servers", "delay", "growth_rate", "cost_capacity"])


def _parts(name: str) -> tuple[str, str]:
    """Return the kind of a row, and what stands in its brackets."""
    kind, _, label = name.partition("[")
    return kind, label.removesuffix("]")
