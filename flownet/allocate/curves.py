"""What the goal would be at one service if only its servers changed: curves for the program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flownet.allocate.levers import Levers
from flownet.allocate.linearise import Curve
from flownet.kernels import compiled as code
from flownet.kernels.compiled import Floats, Integers
from flownet.kernels.traffic import solve_traffic
from flownet.queues.general import gigc_waiting_time
from flownet.solvers.solution import Solution

NEAR = 1e-5
"""Relative step for slopes of the curves (their error is of its square)."""


class Station(NamedTuple):
    """One service of a separable network, its flow and variability fixed."""

    arrival_rate: float
    service_time: float
    arrival_scv: float
    service_scv: float


def is_separable(solution: Solution) -> bool:
    """Return whether delay at each service depends on its own servers only, flows being fixed.

    So it is in product form exactly, and in a decomposition where nobody is turned away, gives up,
    shares a server or is served by rank, if the variability of the flows is held fixed.
    """
    arrays = solution.compilation.arrays
    plain = np.isin(arrays.discipline, (code.FCFS, code.DELAY)).all()
    free = np.isinf(arrays.capacity).all() and np.isinf(arrays.patience).all()
    return solution.method in {"product_form", "decomposition"} and bool(plain and free)


def stations_of(solution: Solution) -> list[Station]:
    """Return flow, stay and variability of every service as they would be if nothing saturated."""
    arrays = solution.compilation.arrays
    rates = solve_traffic(arrays).arrival_rate
    total = rates.sum(axis=1)
    shares = np.divide(rates, total[:, None], out=np.zeros_like(rates), where=total[:, None] > 0)
    mean = (shares * arrays.service_time).sum(axis=1)
    second = (shares * arrays.service_time**2 * (1 + arrays.service_scv)).sum(axis=1)
    scv = np.where(mean > 0, second / np.where(mean > 0, mean, 1.0) ** 2 - 1, 0.0)
    variability = np.nan_to_num(solution.measures.arrival_scv, nan=1.0)
    columns = zip(total, mean, variability, np.maximum(scv, 0.0), strict=True)
    return [Station(*map(float, column)) for column in columns]


def lever_curve(
    stations: Sequence[Station], levers: Levers, servers: Floats, *, present: bool = False
) -> Curve:
    """Return the mean number waiting (or present) by the level of each lever, and its slope.

    Parameters
    ----------
    stations : sequence of Station
        The services.
    levers : Levers
        Servers or service rates.
    servers : numpy.ndarray
        (n,) servers where they are not what is changed.
    present : bool
        Count those in service too.
    """

    def value(i: int, level: float) -> float:
        station, count = stations[i], level
        if levers.kinds[i] == "service_rate":
            station, count = station._replace(service_time=1.0 / level), float(servers[i])
        elif levers.kinds[i] == "opening_hours":
            count = levers.hours[i].mean_servers(level)
        waiting = number_waiting(station, count)
        return waiting + station.arrival_rate * station.service_time if present else waiting

    def curve(services: Integers, levels: Floats) -> tuple[Floats, Floats]:
        values, slopes = np.empty(len(services)), np.empty(len(services))
        for k, (i, level) in enumerate(zip(services.tolist(), levels.tolist(), strict=True)):
            least = level_needed(stations[i], levers, int(i), float(servers[i]))
            step = min(NEAR * max(1.0, level), max((level - least) / 2, 0.0))
            values[k] = value(i, level)
            slopes[k] = -math.inf
            if step > 0:
                slopes[k] = (value(i, level + step) - value(i, level - step)) / (2 * step)
        return values, slopes

    return curve


def level_needed(station: Station, levers: Levers, i: int, servers: float) -> float:
    """Return the level of service `i`'s lever below which it is overloaded."""
    if levers.kinds[i] == "service_rate":
        return station.arrival_rate / servers
    load = station.arrival_rate * station.service_time
    return levers.hours[i].level(load) if levers.kinds[i] == "opening_hours" else load


def number_waiting(station: Station, servers: float) -> float:
    """Return the mean number waiting at `servers`; unlimited where they are not enough."""
    if servers <= station.arrival_rate * station.service_time:
        return math.inf
    if station.arrival_rate == 0 or math.isinf(servers):
        return 0.0
    return station.arrival_rate * gigc_waiting_time(
        station.arrival_rate,
        station.service_time,
        servers,
        station.arrival_scv,
        station.service_scv,
    )
