"""Levers: what a plan changes at each service, how it enters the arrays, and how it is applied."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flownet.errors import Fault, ParameterError
from flownet.kernels.change import with_servers, with_service_rate
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.kernels.traffic import solve_traffic
from flownet.network.model import Network, ServiceName
from flownet.network.values import nearest, shown
from flownet.solvers.solution import Solution

LevelChange = tuple[str, float, float]
"""A lever, its level before, and after."""
LEVERS: Final = {
    "servers": "beds, staff or slots; a capacity that is given keeps its waiting room",
    "service_rate": "jobs per T that one server completes, the classes' times in proportion",
    "service_time": "mean time per job, the classes' times in proportion",
    "waiting_room": "places beside the servers, where they are limited",
}
"""What can be changed at a service, and what one unit of it is."""
UNITS: Final = {
    "servers": "server",
    "service_rate": "job per time unit of each server",
    "service_time": "time unit of service",
    "waiting_room": "waiting place",
}
DIVISIBLE: Final = {"service_rate", "service_time"}
"""Levers that are not counted in whole numbers."""


@dataclass(frozen=True)
class Levers:
    """What is changed at each service: one kind each, `levels` being how much of it there is.

    Attributes
    ----------
    kinds : tuple of str
        A name of `LEVERS` for each service.
    """

    kinds: tuple[str, ...]

    @property
    def plain(self) -> bool:
        """Whether all that changes is servers."""
        return all(kind == "servers" for kind in self.kinds)

    def present(self, solution: Solution) -> Floats:
        """Return the levels (n,) at present; ``inf`` where there is nothing to change."""
        arrays = solution.compilation.arrays
        times = mean_service_times(arrays)
        room = np.where(np.isfinite(arrays.capacity), arrays.capacity, np.inf)
        with np.errstate(invalid="ignore", divide="ignore"):
            table = {
                "servers": arrays.servers,
                "service_rate": np.where(times > 0, 1.0 / times, np.inf),
                "service_time": np.where(times > 0, times, np.inf),
                "waiting_room": np.where(np.isfinite(room), room - arrays.servers, np.inf),
            }
        columns = [float(table[kind][i]) for i, kind in enumerate(self.kinds)]
        return np.array(columns, dtype=np.float64)

    def arrays(self, solution: Solution, levels: Floats) -> CompiledNetwork:
        """Return the solution's arrays at other levels."""
        arrays, now = solution.compilation.arrays, self.present(solution)
        for i in np.flatnonzero((levels != now) & np.isfinite(now)).tolist():
            kind, level = self.kinds[i], float(levels[i])
            if kind == "servers":
                arrays = with_servers(arrays, i, level)
            elif kind == "waiting_room":
                capacity = arrays.capacity.copy()
                capacity[i] = arrays.servers[i] + level
                arrays = arrays._replace(capacity=capacity)
            else:
                factor = level / now[i] if kind == "service_rate" else now[i] / level
                arrays = with_service_rate(arrays, i, float(factor))
        return arrays

    def named(self, services: Sequence[ServiceName]) -> dict[ServiceName, str]:
        """Return the levers other than servers by service."""
        pairs = zip(services, self.kinds, strict=True)
        return {name: kind for name, kind in pairs if kind != "servers"}


def mean_service_times(arrays: CompiledNetwork) -> Floats:
    """Return (n,) the mean service time over the jobs that come; over the classes if none does."""
    rates = solve_traffic(arrays).arrival_rate
    total = rates.sum(axis=1)
    times = arrays.service_time
    used = np.maximum((times > 0).sum(axis=1), 1)
    plain = times.sum(axis=1) / used
    weighted: Floats = (rates * times).sum(axis=1) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, weighted, plain)


def read_levers(decide: Any, services: Sequence[ServiceName]) -> Levers:
    """Return what is changed at each service.

    Parameters
    ----------
    decide : str or mapping
        A name of `LEVERS` for every service, or by service (the rest: servers).
    services : sequence
        The network's services.

    Raises
    ------
    ParameterError
        For a lever or a service that does not exist.

    Examples
    --------
    >>> read_levers({"desk": "service_rate"}, ["desk", "ward"]).kinds
    ('service_rate', 'servers')
    """
    table = decide if isinstance(decide, Mapping) else dict.fromkeys(services, decide)
    index: dict[Any, int] = {str(name): i for i, name in enumerate(services)}
    index.update({name: i for i, name in enumerate(services)})
    kinds, faults = ["servers"] * len(services), []
    for name, kind in table.items():
        if name not in index:
            message = f"is not a service of the network{nearest(name, index)}"
            faults.append(Fault("decide", "service", shown(name), message))
        elif not isinstance(kind, str) or kind not in LEVERS:
            known = ", ".join(LEVERS)
            message = f"cannot be decided on; {known} can{nearest(kind, LEVERS)}"
            faults.append(Fault("decide", "", shown(kind), message))
        else:
            kinds[index[name]] = kind
    if faults:
        raise ParameterError(list(dict.fromkeys(faults)), "reallocate")
    return Levers(tuple(kinds))


def carried_out(network: Network, levels: Mapping[ServiceName, LevelChange]) -> Network:
    """Return a network with other levels.

    Parameters
    ----------
    network : Network
        It is not changed.
    levels : mapping
        By service: the lever, its level before, and after.

    Raises
    ------
    UnknownNameError, NetworkError
        Where a service does not exist, or the changed network is at fault.
    ParameterError
        Where the time of a service is given as a distribution, which no factor is applied to here.
    """
    changes: dict[ServiceName, dict[str, Any]] = {}
    for name, (kind, before, after) in levels.items():
        data = network.graph.nodes[name] if name in network.graph else {}
        if kind == "servers":
            changes[name] = {"servers": after}
            if "capacity" in data and math.isfinite(data["capacity"]):
                changes[name]["capacity"] = data["capacity"] + after - data.get("servers", 1.0)
        elif kind == "waiting_room":
            if "waiting_room" in data:
                changes[name] = {"waiting_room": after}
            else:
                changes[name] = {"capacity": data.get("servers", 1.0) + after}
        else:
            factor = before / after if kind == "service_rate" else after / before
            changes[name] = {"service_time": _scaled(network, name, factor)}
    return network.replace(services=changes)


def _scaled(network: Network, name: ServiceName, factor: float) -> Any:
    given = network.graph.nodes[name].get("service_time") if name in network.graph else None
    if given is None and name in network.graph:
        message = "gives its time as a distribution: give service_time and service_scv to decide it"
        fault = Fault(f"service '{name}'", "service_distribution", "", message)
        raise ParameterError([fault])
    if isinstance(given, Mapping):
        return {key: value * factor for key, value in given.items()}
    return None if given is None else given * factor
