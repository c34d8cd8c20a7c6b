"""The parameters of a network: where each stands, its value, and the network with it changed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from flownet.kernels.adjoint import Gradient
from flownet.kernels.change import with_service_rate
from flownet.kernels.compiled import EXPONENTIAL, CompiledNetwork, Floats
from flownet.kernels.traffic import reachable_states
from flownet.kernels.traffic_solvers import route_sources
from flownet.network.compile import Compilation
from flownet.network.distributions import two_moment_law

UNITS: Final = {
    "servers": "server", "waiting_room": "job", "service_time": "T",
    "external_arrival_rate": "job/T", "patience": "T", "service_scv": "-", "arrival_scv": "-",
    "routing_probability": "-", "transfer_delay": "T",
}  # fmt: skip
"""The parameters with a derivative, and their units."""
WHOLE: Final = ("servers", "waiting_room")


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a network.

    Attributes
    ----------
    where : str
        The service, or ``from -> to``.
    job_class : str
        The class; empty for what concerns all of them.
    name : str
        The attribute.
    place : tuple of int
        Its position in the compiled array.
    value : float
        What it is at present.
    """

    where: str
    job_class: str
    name: str
    place: tuple[int, ...]
    value: float

    def slope(self, gradient: Gradient) -> float:
        """Return the derivative by it in a gradient; nan where that does not tell."""
        if self.name not in Gradient._fields:
            return math.nan
        return float(getattr(gradient, self.name)[self.place])

    def changed(self, arrays: CompiledNetwork, value: float) -> CompiledNetwork:
        """Return the arrays with another value."""
        return _CHANGES[self.name](arrays, self.place, value)


def _servers(arrays: CompiledNetwork, place: tuple[int, ...], value: float) -> CompiledNetwork:
    servers, capacity = arrays.servers.copy(), arrays.capacity.copy()
    capacity[place] += value - servers[place]
    servers[place] = value
    return arrays._replace(servers=servers, capacity=capacity)


def _waiting_room(arrays: CompiledNetwork, place: tuple[int, ...], value: float) -> CompiledNetwork:
    capacity = arrays.capacity.copy()
    capacity[place] = arrays.servers[place] + value
    return arrays._replace(capacity=capacity)


def _service_time(arrays: CompiledNetwork, place: tuple[int, ...], value: float) -> CompiledNetwork:
    service, job_class = place
    factor = float(arrays.service_time[place]) / value
    return with_service_rate(arrays, service, factor, job_class)


def _service_scv(arrays: CompiledNetwork, place: tuple[int, ...], value: float) -> CompiledNetwork:
    """Return the arrays with the law of two moments that has this scv."""
    scv, family = arrays.service_scv.copy(), arrays.service_family.copy()
    parameters = arrays.service_parameters.copy()
    mean = float(arrays.service_time[place])
    parameters[place] = (mean, 0.0, 0.0)
    scv[place], family[place] = value, EXPONENTIAL
    if value != 1.0:
        law = two_moment_law(mean, value)
        family[place] = law.family
        parameters[place] = [*law.parameters, 0.0, 0.0, 0.0][:3]
    return arrays._replace(service_scv=scv, service_family=family, service_parameters=parameters)


def _plain(name: str) -> Callable[[CompiledNetwork, tuple[int, ...], float], CompiledNetwork]:
    def change(arrays: CompiledNetwork, place: tuple[int, ...], value: float) -> CompiledNetwork:
        array: Floats = getattr(arrays, name).copy()
        array[place] = value
        changed: dict[str, Any] = {name: array}
        return arrays._replace(**changed)

    return change


_CHANGES: Final = {
    "servers": _servers,
    "waiting_room": _waiting_room,
    "service_time": _service_time,
    "service_scv": _service_scv,
    "external_arrival_rate": _plain("external_arrival_rate"),
    "arrival_scv": _plain("arrival_scv"),
    "patience": _plain("patience"),
    "routing_probability": _plain("route_probability"),
    "transfer_delay": _plain("transfer_delay"),
}


def parameters_of(compilation: Compilation, names: tuple[str, ...]) -> list[Parameter]:
    """Return the parameters of these names that are finite, above 0 and of consequence.

    Services that nobody can come to are left out, and routes that nobody can take; limits that
    are absent (infinite servers, room, patience) have no derivative.
    """
    found = [each for name in names if name in WHOLE for each in _limits(compilation, name)]
    found += [
        each
        for name in names
        if name not in WHOLE and not name.startswith(("routing", "transfer"))
        for each in _by_class(compilation, name)
    ]
    found += [
        each
        for name in names
        if name.startswith(("routing", "transfer"))
        for each in _of_routes(compilation, name)
    ]
    return found


def _limits(compilation: Compilation, name: str) -> Iterator[Parameter]:
    arrays = compilation.arrays
    used = reachable_states(arrays).any(axis=1)
    if name == "servers":
        values = arrays.servers
    else:
        limited = np.isfinite(arrays.capacity) & np.isfinite(arrays.servers)
        values = np.full(arrays.servers.shape, np.inf)
        values[limited] = arrays.capacity[limited] - arrays.servers[limited]
    for i in np.flatnonzero(used & np.isfinite(values)).tolist():
        where = str(compilation.services[i])
        yield Parameter(where, "", name, (i,), float(values[i]))


def _by_class(compilation: Compilation, name: str) -> Iterator[Parameter]:
    arrays = compilation.arrays
    table: Floats = getattr(arrays, name)
    chosen = reachable_states(arrays) & np.isfinite(table) & (arrays.service_time > 0)
    if name == "external_arrival_rate":
        chosen &= table > 0
    elif name == "arrival_scv":
        chosen &= arrays.external_arrival_rate > 0
    elif name in {"patience", "service_scv"}:
        chosen &= np.isfinite(arrays.servers)[:, None]
    for i, k in np.argwhere(chosen).tolist():
        where, job_class = str(compilation.services[i]), compilation.classes[k]
        yield Parameter(where, job_class, name, (i, k), float(table[i, k]))


def _of_routes(compilation: Compilation, name: str) -> Iterator[Parameter]:
    arrays = compilation.arrays
    classes = len(compilation.classes)
    taken = reachable_states(arrays).ravel()
    array = arrays.route_probability if name == "routing_probability" else arrays.transfer_delay
    for route, source in enumerate(route_sources(arrays.route_start).tolist()):
        if taken[source] and array[route] > 0:
            ends = (source // classes, int(arrays.route_to[route]) // classes)
            where = " -> ".join(str(compilation.services[i]) for i in ends)
            yield Parameter(
                where, compilation.classes[source % classes], name, (route,), float(array[route])
            )
