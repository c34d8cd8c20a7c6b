"""Duals of an allocation by name, and the range over which each of them stands."""

from __future__ import annotations

import math

from flownet.allocate.formulation import Model
from flownet.programs import ProgramSolution

RANGED = ("balance[", "budget", "resource[", "group_min[", "group_max[", "protect[", "target[")
"""Rows whose right-hand side a planner can change."""


def duals_of(model: Model, solution: ProgramSolution) -> dict[str, float]:
    """Return the duals by name: rows that people know, bounds of servers, limits of exchanges."""
    shown = dict(solution.duals)
    reduced, given = solution.reduced_costs, model.given
    values = solution.values
    for i in model.servers:
        name = model.named("servers", i)
        if math.isfinite(given.high[i]):
            at_high = values[name] >= given.high[i] - 1e-7
            shown[model.named("max_servers", i)] = reduced[name] if at_high else 0.0
        if given.low[i] > 0:
            at_low = values[name] <= given.low[i] + 1e-7
            shown[model.named("min_servers", i)] = reduced[name] if at_low else 0.0
    names = list(values)
    for variable, limit in zip(model.moved, given.exchanges.limit, strict=True):
        if math.isfinite(limit):
            name = names[variable]
            at_limit = values[name] >= limit - 1e-7
            label = name.replace("moved[", "exchange_limit[", 1)
            shown[label] = reduced[name] if at_limit else 0.0
    return shown


def ranges_of(model: Model, solution: ProgramSolution) -> dict[str, tuple[float, float]]:
    """Return between which right-hand sides each limit's dual stays what it is, where known."""
    if solution.solver != "highs" or solution.status != "optimal":
        return {}
    names = [
        name
        for name, dual in solution.duals.items()
        if name.startswith(RANGED) and abs(dual) > 1e-9
    ]
    return model.program.right_hand_side_ranges(names) if names else {}
