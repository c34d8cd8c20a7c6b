"""What the goal would be at one service if only its servers changed: curves for the program."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from flownet.kernels import compiled as code
from flownet.kernels.change import with_servers
from flownet.kernels.compiled import Floats
from flownet.kernels.traffic import solve_traffic
from flownet.queues.general import gigc_waiting_time
from flownet.solvers.solution import Solution


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


def arrays_with(solution: Solution, servers: Floats) -> code.CompiledNetwork:
    """Return the solution's arrays with other servers, waiting rooms as they were."""
    arrays = solution.compilation.arrays
    for service in np.flatnonzero(servers != arrays.servers):
        arrays = with_servers(arrays, int(service), float(servers[service]))
    return arrays
