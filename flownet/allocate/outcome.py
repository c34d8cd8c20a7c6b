"""The tables of a plan: moves, before and after, who is made worse."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import pandas as pd

from flownet.allocate.levers import UNITS, LevelChange
from flownet.allocate.proposal import Proposal
from flownet.allocate.search import Rules
from flownet.kernels.compiled import Floats
from flownet.network.model import ServiceName
from flownet.solvers.solution import Solution

WORSE: Final = 1e-3
"""A service counts as made worse from this relative rise of its delay on."""
NOTHING: Final = 1e-4
"""... and from this rise in jobs (or jobs per T) on."""


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
    counted = {UNITS[k].format(time=solution.network.time_unit) for k in rules.levers.kinds}
    what = next(iter(counted)) if len(counted) == 1 else "of the service's lever"
    frame.attrs["units"] = {"units": what, "gained": what, "cost": unit}
    return frame


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
