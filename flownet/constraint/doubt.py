"""Structural doubt: the same finding by the other methods that apply, and by simulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from flownet.constraint.relief import elasticities
from flownet.errors import FlownetError
from flownet.network.model import ServiceName
from flownet.solvers.goals import goal_value
from flownet.solvers.paired import paired
from flownet.solvers.register import METHODS
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve

FASTER = 1.1
TRIED = 3
EXACT_STATES = 20_000
"""The exact chain is asked where it has no more states."""
COLUMNS = ["constraint", "agrees", "elasticity", "elasticity_of_named", "why_not"]


def other_methods(solution: Solution, goal: str, named: ServiceName | None) -> pd.DataFrame:
    """Return what every method of the register finds; one row a method, None where it cannot."""
    rows: dict[str, tuple[Any, ...]] = {}
    for name in METHODS:
        options = {"max_states": EXACT_STATES} if name == "exact" else {}
        if name == solution.method:
            options = dict(solution.options)
        try:
            other = solve(solution.network, name, **options)
            worth = elasticities(other, goal, goal_value(other, goal))
        except FlownetError as error:
            rows[name] = (None, None, np.nan, np.nan, str(error).splitlines()[0])
            continue
        services = list(other.compilation.services)
        best = int(np.argmax(worth))
        leader = services[best] if worth[best] > 0 else None
        own = float(worth[services.index(named)]) if named is not None else np.nan
        rows[name] = (leader, leader == named, float(worth[best]), own, "")
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS)
    frame.index.name = "method"
    return frame


def by_simulation(
    solution: Solution, goal: str, ranking: pd.DataFrame, options: Mapping[str, Any]
) -> pd.DataFrame:
    """Return what 10 % more rate gains at the leading services, on common random numbers.

    One row a service: gain (delay, or throughput), its half-width, and whether its interval
    overlaps that of the largest gain. Services whose time is given by a law are left out.
    """
    network, rows = solution.network, {}
    measure = "throughput" if goal == "throughput" else "delay"
    for name in ranking.index[:TRIED]:
        time = network.graph.nodes[name].get("service_time")
        if time is None or network.graph.nodes[name].get("service_distribution") is not None:
            continue
        faster = (
            {key: value / FASTER for key, value in time.items()}
            if isinstance(time, Mapping)
            else time / FASTER
        )
        changed = network.replace(services={name: {"service_time": faster}})
        row = paired(network, changed, **options).system.loc[measure]
        sign = 1.0 if goal == "throughput" else -1.0
        rows[name] = (sign * float(row["change"]), float(row["change_halfwidth"]))
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["gain", "halfwidth"])
    frame.index.name = "service"
    if len(frame):
        best = frame.loc[frame["gain"].idxmax()]
        low = best["gain"] - best["halfwidth"]
        frame["may_be_the_constraint"] = frame["gain"] + frame["halfwidth"] >= low
    return frame
