"""How many servers, or what rate of service, a service needs to meet a target."""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np

from flownet.allocate.curves import Station, number_waiting, stations_of
from flownet.allocate.levers import Levers
from flownet.allocate.linearise import whole_step_above
from flownet.allocate.search import Rules
from flownet.allocate.terms import Target
from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats
from flownet.solvers.solution import Solution

_MOST = 100_000
_FASTEST = 1e6
BY_RATE: Final = frozenset({"waiting_time", "response_time", "utilization", "occupancy"})
"""Targets that a rate of service can be found for, by the formulas of one service."""
_ROUNDING = 1e-9


def least_servers(solution: Solution, target: Target, rules: Rules, *, integer: bool) -> float:
    """Return the fewest servers with which a service meets a target, others having enough.

    Parameters
    ----------
    solution : Solution
        Of a separable network: the measure depends on the service's own servers.
    target : Target
        Measure and level.
    rules : Rules
        Servers at present: whole steps are counted from there.
    integer : bool
        Whole steps, or any number.

    Raises
    ------
    ParameterError
        Where no number of servers is enough.
    """
    i = target.service
    load = np.array([s.arrival_rate * s.service_time for s in stations_of(solution)])
    now = np.where(np.isfinite(rules.servers), rules.servers, 0.0)
    enough = np.where(np.isfinite(rules.servers), np.maximum(now, np.ceil(load * 1.05) + 1), np.inf)
    fluid = solution
    if solution.method == "product_form":  # which needs whole servers; the waits are the same
        fluid = dataclasses.replace(solution, method="decomposition", options={})

    def kept(servers: float) -> bool:
        return _measure(fluid, enough, target, servers) <= target.level(servers) * (1 + _ROUNDING)

    offset = float(now[i] - math.floor(now[i]))
    first = float(whole_step_above(load[i] * (1 + 1e-6), np.array(offset)))
    first = max(first, offset if offset > 0 else 1.0)
    top = first
    by_size = len(target.levels) > 1
    while not kept(top):
        top += 1.0 if by_size else max(1.0, math.floor(top - first + 1))
        if top > first + _MOST:
            name = solution.network.label(solution.compilation.services[i])
            message = "cannot be met by any number of servers"
            raise ParameterError([Fault(f"target of '{name}'", target.measure, "", message)])
    low = first - 1.0 if integer else float(load[i])
    if by_size and integer:
        return top
    while top - low > (1.0 if integer else 1e-6 * max(1.0, top)):
        middle = low + max(1.0, math.floor((top - low) / 2)) if integer else (low + top) / 2
        if middle >= top:
            break
        low, top = (low, middle) if kept(middle) else (middle, top)
    return top


def least_rate(station: Station, servers: float, target: Target, name: str) -> float:
    """Return the lowest rate of service of each server with which a service meets a target.

    Raises
    ------
    ParameterError
        Where no rate is enough.
    """
    level, arrivals = target.level(servers), station.arrival_rate
    if target.measure in {"utilization", "occupancy"}:
        return arrivals / (servers * level)

    def kept(rate: float) -> bool:
        at = station._replace(service_time=1.0 / rate)
        served = at.service_time if target.measure == "response_time" else 0.0
        return number_waiting(at, servers) / arrivals + served <= level

    if arrivals == 0:
        return 1.0 / level if target.measure == "response_time" and level > 0 else 0.0
    low = arrivals / servers
    top = 2.0 * low
    while not kept(top):
        top *= 2.0
        if top > _FASTEST * low:
            message = "cannot be met by any rate of service"
            raise ParameterError([Fault(f"target of '{name}'", target.measure, "", message)])
    while top - low > _ROUNDING * top:
        middle = (low + top) / 2
        low, top = (low, middle) if kept(middle) else (middle, top)
    return top


def _measure(solution: Solution, servers: Floats, target: Target, count: float) -> float:
    trial = servers.copy()
    trial[target.service] = count
    found = solution.again(Levers(("servers",) * trial.size).arrays(solution, trial))
    row = found.services.iloc[target.service]
    value = float(row[target.measure])
    return math.inf if math.isnan(value) else value
