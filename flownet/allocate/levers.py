"""Levers: what a plan changes at each service, how it enters the arrays, and how it is applied."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from flownet.allocate.opening_hours import Hours, read_hours, with_longer_hours
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
    "opening_hours": "T in a cycle for which a service with a server_calendar is open",
}
"""What can be changed at a service, and what one unit of it is."""
UNITS: Final = {
    "servers": "server",
    "service_rate": "job per {time} of each server",
    "service_time": "{time} of service",
    "waiting_room": "waiting place",
    "opening_hours": "{time} of opening",
}
DIVISIBLE: Final = {"service_rate", "service_time", "opening_hours"}
"""Levers that are not counted in whole numbers."""


@dataclass(frozen=True)
class Levers:
    """What is changed at each service: one kind each, `levels` being how much of it there is.

    Attributes
    ----------
    kinds : tuple of str
        A name of `LEVERS` for each service.
    hours : dict
        When the services are open whose opening hours are decided on, by their number.
    """

    kinds: tuple[str, ...]
    hours: Mapping[int, Hours] = field(default_factory=dict)

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
                "opening_hours": np.array([
                    self.hours[i].open if i in self.hours else np.inf for i in range(times.size)
                ]),
            }  # fmt: skip
        columns = [float(table[kind][i]) for i, kind in enumerate(self.kinds)]
        return np.array(columns, dtype=np.float64)

    def arrays(self, solution: Solution, levels: Floats) -> CompiledNetwork:
        """Return the solution's arrays at other levels."""
        arrays, now = solution.compilation.arrays, self.present(solution)
        for i in np.flatnonzero((levels != now) & np.isfinite(now)).tolist():
            kind, level = self.kinds[i], float(levels[i])
            if kind == "servers":
                arrays = with_servers(arrays, i, level)
            elif kind == "opening_hours":
                mean = self.hours[i].mean_servers(level)
                arrays = with_servers(arrays, i, self._whole_if_limited(arrays, i, mean))
            elif kind == "waiting_room":
                capacity = arrays.capacity.copy()
                capacity[i] = arrays.servers[i] + level
                arrays = arrays._replace(capacity=capacity)
            else:
                factor = level / now[i] if kind == "service_rate" else now[i] / level
                arrays = with_service_rate(arrays, i, float(factor))
        return arrays

    @staticmethod
    def _whole_if_limited(arrays: CompiledNetwork, i: int, servers: float) -> float:
        """Return servers as formulas take the mean of a calendar."""
        return max(1.0, float(round(servers))) if math.isfinite(arrays.capacity[i]) else servers


def mean_service_times(arrays: CompiledNetwork) -> Floats:
    """Return (n,) the mean service time over the jobs that come; over the classes if none does."""
    rates = solve_traffic(arrays).arrival_rate
    total = rates.sum(axis=1)
    times = arrays.service_time
    used = np.maximum((times > 0).sum(axis=1), 1)
    plain = times.sum(axis=1) / used
    weighted: Floats = (rates * times).sum(axis=1) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, weighted, plain)


def read_levers(decide: Any, network: Network) -> Levers:
    """Return what is changed at each service.

    Parameters
    ----------
    decide : str or mapping
        A name of `LEVERS` for every service, or by service (the rest: servers).
    network : Network
        Whose services.

    Raises
    ------
    ParameterError
        For a lever or a service that does not exist, or hours where there is no calendar.

    Examples
    --------
    >>> network = Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "services": [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 0.5}],
    ... })
    >>> read_levers({"desk": "service_rate"}, network).kinds
    ('service_rate',)
    """
    services = network.services
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
    hours: dict[int, Hours] = {}
    for i in [k for k, kind in enumerate(kinds) if kind == "opening_hours"]:
        found = read_hours(network, services[i])
        if isinstance(found, Hours):
            hours[i] = found
        else:
            faults.append(found)
    if faults:
        raise ParameterError(list(dict.fromkeys(faults)), "reallocate")
    return Levers(tuple(kinds), hours)


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
        elif kind == "opening_hours":
            rows = with_longer_hours(data.get("server_calendar", ()), after - before)
            changes[name] = {"server_calendar": rows}
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
