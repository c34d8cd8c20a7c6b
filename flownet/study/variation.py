"""`Variation`: from a network's arrays and values of parameters to changed arrays.

Most changes are written into copies of the compiled arrays. Those that could make the description
wrong, or change which services and routes are in use, go the long way: the scenario is applied to
the description, which is checked and compiled anew.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np

from flownet.kernels import compiled as code
from flownet.kernels.change import with_law, with_servers, with_service_rate
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers
from flownet.network.compile import Compilation, compile_network
from flownet.network.distributions import two_moment_law
from flownet.network.model import Network, ServiceName
from flownet.network.values import LARGEST
from flownet.study.changes import EVERY
from flownet.study.parameters import Parameter
from flownet.study.scenario import Scenario

STATES: Final = ("external_arrival_rate", "arrival_scv", "patience")
"""Attributes that stand by service and class in the arrays."""
ROUTES: Final = ("routing_probability", "transfer_delay")
PRICES: Final = ("cost_per_server", "cost_of_delay", "cost_of_loss")
POSITIVE: Final = ("external_arrival_rate", "patience", "routing_probability", "service_time",
                   "servers", "capacity")  # fmt: skip
"""Attributes whose 0 (or absence) changes what is in use."""


class LongWay(Exception):  # noqa: N818  # a way, not an error
    """A change that the arrays alone cannot take."""


@dataclasses.dataclass(frozen=True, eq=False)
class Variation:
    """A network and the parameters of it that vary.

    Attributes
    ----------
    network : Network
        The baseline.
    parameters : tuple of Parameter
        What varies, in the order in which values are given.
    """

    network: Network
    parameters: tuple[Parameter, ...]

    @cached_property
    def baseline(self) -> Compilation:
        """The arrays of the baseline."""
        return compile_network(self.network)

    def scenario(self, values: Sequence[float], name: str = "row") -> Scenario:
        """Return the changes that these values mean."""
        pairs = zip(self.parameters, map(float, values), strict=True)
        return Scenario(name, tuple(p.change(value) for p, value in pairs))

    def compilation(self, values: Sequence[float], name: str = "row") -> Compilation:
        """Return the arrays with these values.

        Raises
        ------
        ParameterError, NetworkError
            Where the values do not fit the network.
        """
        try:
            return self.by_arrays(values)
        except LongWay:
            return compile_network(self.scenario(values, name).apply(self.network))

    def by_arrays(self, values: Sequence[float]) -> Compilation:
        """Return the arrays with these values, written into copies of the baseline's.

        Raises
        ------
        LongWay
            Where the description has to be checked again.
        """
        made, arrays = self.baseline, self.baseline.arrays
        for parameter, value in zip(self.parameters, values, strict=True):
            if parameter.attribute in PRICES:
                made = self._price(made, parameter, self._rows(parameter), float(value))
            else:
                arrays = self._changed(arrays, parameter, float(value))
        if (arrays.capacity < arrays.servers).any():
            raise LongWay
        for array in arrays:
            array.setflags(write=False)  # as `compile` leaves them: kernels compile once
        return dataclasses.replace(made, arrays=arrays)

    def _changed(
        self, arrays: CompiledNetwork, parameter: Parameter, value: float
    ) -> CompiledNetwork:
        name = parameter.attribute
        if self.baseline.calendars is not None and name in POSITIVE:
            raise LongWay
        if name in ROUTES and len(parameter.target) == 2:
            return self._route(arrays, parameter, value)
        rows = self._rows(parameter)
        if name == "servers":
            return self._servers(arrays, parameter, rows, value)
        if name in ("capacity", "waiting_room"):
            return self._places(arrays, parameter, rows, value)
        if name in ("service_time", "service_scv"):
            return self._law(arrays, parameter, rows, value)
        if name not in STATES:
            raise LongWay
        table = getattr(arrays, name).copy()
        cells = self._cells(parameter, rows, table > 0)
        table[cells] = _new(parameter, table[cells], value)
        return arrays._replace(**{name: table})

    @cached_property
    def _positions(self) -> dict[tuple[ServiceName, ...], Integers]:
        """The positions of the services that each target concerns."""
        names = self.baseline.services
        found: dict[tuple[ServiceName, ...], Integers] = {(EVERY,): np.arange(len(names))}
        found |= {(name,): np.array([place]) for place, name in enumerate(names)}
        return found

    def _rows(self, parameter: Parameter) -> Integers:
        """Return the positions of the services that a parameter concerns."""
        return self._positions[parameter.target]

    def _classes(self, parameter: Parameter) -> list[int]:
        names = self.baseline.classes
        return [names.index(parameter.job_class)] if parameter.job_class else [*range(len(names))]

    def _cells(
        self, parameter: Parameter, rows: Integers, used: code.Booleans
    ) -> tuple[Integers, Integers]:
        """Return the services and classes whose value changes."""
        classes = self._classes(parameter)
        i, k = np.repeat(rows, len(classes)), np.tile(classes, len(rows))
        if parameter.scale and parameter.target == (EVERY,):
            chosen = used[i, k]
            i, k = i[chosen], k[chosen]
        if i.size == 0:
            raise LongWay
        return i, k

    def _servers(
        self, arrays: CompiledNetwork, parameter: Parameter, rows: Integers, value: float
    ) -> CompiledNetwork:
        if parameter.scale and parameter.target == (EVERY,):
            rows = rows[np.isfinite(arrays.servers[rows])]
        for row, servers in zip(rows, _new(parameter, arrays.servers[rows], value), strict=True):
            arrays = with_servers(arrays, int(row), float(servers))
        return arrays

    def _places(
        self, arrays: CompiledNetwork, parameter: Parameter, rows: Integers, value: float
    ) -> CompiledNetwork:
        """Set the places; a description that limits them in the other way goes the long way."""
        name = parameter.attribute
        given = self.network.given(name)
        if parameter.scale or any(given[row] is None for row in rows):
            raise LongWay
        capacity = arrays.capacity.copy()
        extra = arrays.servers[rows] if name == "waiting_room" else 0.0
        capacity[rows] = extra + _new(parameter, capacity[rows], value)
        return arrays._replace(capacity=capacity)

    def _law(
        self, arrays: CompiledNetwork, parameter: Parameter, rows: Integers, value: float
    ) -> CompiledNetwork:
        """Stretch the law of service, or fit one to another mean or scv."""
        laws = self.network.given("service_distribution")
        scv = parameter.attribute == "service_scv"
        if any(laws[row] is not None for row in rows) and (scv or not parameter.scale):
            raise LongWay
        table = arrays.service_scv if scv else arrays.service_time
        i, k = self._cells(parameter, rows, arrays.service_time > 0)
        if (arrays.service_time[i, k] <= 0).any():
            raise LongWay
        for row, column, new in zip(i, k, _new(parameter, table[i, k], value), strict=True):
            if scv:
                law = two_moment_law(float(arrays.service_time[row, column]), float(new))
                moments, coded = (law.mean, law.scv), (law.family, law.parameters)
                arrays = with_law(arrays, int(row), int(column), moments, coded)
            else:
                faster = float(arrays.service_time[row, column] / new)
                arrays = with_service_rate(arrays, int(row), faster, int(column))
        return arrays

    def _route(
        self, arrays: CompiledNetwork, parameter: Parameter, value: float
    ) -> CompiledNetwork:
        names, width = self.baseline.services, len(self.baseline.classes)
        i, j = (names.index(end) for end in parameter.target)
        places = []
        for k in self._classes(parameter):
            first, last = arrays.route_start[[i * width + k, i * width + k + 1]].tolist()
            here = [r for r in range(first, last) if int(arrays.route_to[r]) // width == j]
            if len(here) != 1:  # a class that does not go there
                raise LongWay
            places += here
        field = "route_probability" if parameter.attribute in ROUTES[:1] else "transfer_delay"
        table = getattr(arrays, field).copy()
        table[places] = _new(parameter, table[places], value)
        changed = arrays._replace(**{field: table})
        if field == "route_probability":
            for s in range(i * width, (i + 1) * width):
                first, last = arrays.route_start[[s, s + 1]].tolist()
                before, after = arrays.route_probability[first:last].sum(), table[first:last].sum()
                if after > 1 or (after >= 1 - 1e-9) != (before >= 1 - 1e-9):
                    raise LongWay
        return changed

    def _price(
        self, made: Compilation, parameter: Parameter, rows: Integers, value: float
    ) -> Compilation:
        table = getattr(made, parameter.attribute).copy()
        given = self.network.given(parameter.attribute)
        if table.ndim > 1 and any(not isinstance(given[row], (int, float)) for row in rows):
            raise LongWay  # a price of the network, or by class
        if table.ndim == 1:
            table[rows] = _new(parameter, table[rows], value)
        else:
            cells = self._cells(parameter, rows, table > 0)
            table[cells] = _new(parameter, table[cells], value)
        return dataclasses.replace(made, **{parameter.attribute: table})


def _new(parameter: Parameter, before: Floats, value: float) -> Floats:
    """Return the new values where they are sound and leave in use what is in use."""
    after = before * value if parameter.scale else np.full_like(before, value)
    row = parameter.row
    top = min(row.high, LARGEST)
    sound = (after >= row.low) & (after <= top) & (np.abs(before) < math.inf)
    if parameter.attribute in POSITIVE or row.low_open:
        sound &= (before > 0) & (after > 0)
    if not sound.all():
        raise LongWay
    return after
