"""What the limits of a plan are worth: a table, and a sentence for each."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from flownet.allocate.levers import UNITS
from flownet.allocate.proposal import Proposal
from flownet.allocate.search import Rules
from flownet.display import figure
from flownet.network.model import Network, ServiceName
from flownet.solvers.solution import Solution

_LIMITS: Final = {
    "balance": ("{n} more {unit} given to '{label}'", 1),
    "budget": ("{n} more {money} in the budget", 1),
    "min_servers": ("requiring {n} {unit} fewer at '{label}'", -1),
    "max_servers": ("allowing {n} {unit} more at '{label}'", 1),
    "exchange_limit": ("allowing {n} more to move {label}", 1),
    "resource": ("allowing {n} more of '{label}'", 1),
    "group_min": ("requiring {n} {unit} fewer in the group '{label}'", -1),
    "group_max": ("allowing {n} {unit} more in the group '{label}'", 1),
    "target": ("a target of {label} that asks for {n} {unit} fewer", -1),
    "protect": ("allowing {n} more jobs delayed in the organisation '{label}'", 1),
}
"""What a change of each limit is, and in which direction it helps."""


def limits_table(solution: Solution, rules: Rules, proposal: Proposal, goal: str) -> pd.DataFrame:
    """Return the gain per unit of each limit that binds, between which limits, and a sentence."""
    rows = []
    for name, dual in proposal.duals.items():
        kind = name.split("[")[0]
        if kind in _LIMITS and abs(dual) > 1e-9:
            price = -dual if proposal.minimizes else dual
            low, high = proposal.ranges.get(name, (math.nan, math.nan))
            said = _sentence(solution.network, rules, proposal, name, price, goal)
            rows.append((name, price, low, high, said))
    columns = ["limit", "shadow_price", "from", "to", "sentence"]
    return pd.DataFrame(rows, columns=columns).set_index("limit")


def _sentence(
    network: Network, rules: Rules, proposal: Proposal, name: str, price: float, goal: str
) -> str:
    """Return what a change of a limit is worth: as tried, or per unit and how far that holds."""
    kind, label = _parts(name)
    thing, direction = _LIMITS[kind]
    tried = proposal.tried.get(name)
    count = 1.0 if tried is None else tried
    unit, label = _unit_at(network, rules, kind, label, count)
    money = network.currency or ("unit of money" if count == 1 else "units of money")
    number = "one" if count == 1 else figure(count)
    said = thing.format(n=number, unit=unit, label=label, money=money)
    gain = direction * price * count
    verb = ("is worth", "costs") if count == 1 or kind not in {"balance", "budget"} else (
        "are worth", "cost")  # fmt: skip
    text = f"{said} {verb[gain < 0]} {figure(abs(gain))} {goal_unit(network, goal)}"
    if tried is not None:
        return text
    low, high = proposal.ranges.get(name, (math.nan, math.nan))
    side = _side(rules, name)
    reach = (high - side) if direction > 0 else (side - low)
    if rules.integer:
        return f"{text}, were they divisible"
    if math.isnan(reach):
        return f"{text}, at first"
    if reach <= 1e-9 * max(1.0, abs(side)):
        return f"{text}, at the very first only"
    way = "more" if direction > 0 else "fewer"
    return text if math.isinf(reach) else f"{text}, up to {figure(reach)} {way}"


def _unit_at(
    network: Network, rules: Rules, kind: str, label: str, count: float
) -> tuple[str, str]:
    """Return what is counted where a limit is, and what that place is called."""
    names = {str(name): i for i, name in enumerate(rules.names)}
    place = label.rpartition(": ")[0] if kind == "target" else label
    if kind in {"balance", "min_servers", "max_servers", "target"} and place in names:
        i = names[place]
        unit, known = unit_of(network, rules.names[i], rules.levers.kinds[i])
        plural = unit if count == 1 or rules.levers.kinds[i] != "servers" else f"{unit}s"
        return plural, label if kind == "target" else known
    return ("server" if count == 1 else "servers"), label


def goal_unit(network: Network, goal: str) -> str:
    """Return what a goal is counted in."""
    time = network.time_unit
    money = f"{network.currency or 'units of money'} per {time}"
    units = {
        "delay": "jobs delayed",
        "cost": money,
        "weighted_delay": money,
        "throughput": f"jobs per {time}",
        "number_present": "jobs present",
        "worst_breach": "times the target at worst",
        "worst_organisation": f"{time}s of delay per job in the worst organisation",
        "worst_class": f"{time}s of delay per job in the worst class",
    }
    return units.get(goal, f"of '{goal}'")


def unit_of(network: Network, name: ServiceName, kind: str) -> tuple[str, str]:
    """Return what one unit of a service's lever is called, and what the service is called."""
    own = str(network.graph.nodes[name].get("server_label", "server"))
    unit = own if kind == "servers" else UNITS[kind].format(time=network.time_unit)
    return unit, network.label(name)


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


def _parts(name: str) -> tuple[str, str]:
    """Return the kind of a row, and what stands in its brackets."""
    kind, _, label = name.partition("[")
    return kind, label.removesuffix("]")
