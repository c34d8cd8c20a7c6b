"""From a `Network` to `CompiledNetwork`: arrays for the kernels, labels and prices kept apart."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flownet.errors import NetworkError
from flownet.kernels import compiled as code
from flownet.kernels.compiled import Calendars, CompiledNetwork, Floats
from flownet.network.attributes import CLASS, NETWORK, SERVICE
from flownet.network.check import check_graph
from flownet.network.columns import Columns, ServiceName, columns_of
from flownet.network.compile_calendars import (
    calendars_of,
    mean_rates,
    mean_servers,
    scheduled_servers,
)
from flownet.network.distributions import Law, law_from_table, two_moment_law
from flownet.network.model import Network
from flownet.network.resolve import per_class

DISCIPLINES = {
    "fcfs": code.FCFS,
    "priority": code.PRIORITY,
    "preemptive": code.PREEMPTIVE,
    "ps": code.PROCESSOR_SHARING,
    "delay": code.DELAY,
}
WHEN_FULL = {
    "blocked_after_service": code.BLOCKED_AFTER_SERVICE,
    "lost": code.LOST,
    "overflow": code.OVERFLOW,
    "wait_outside": code.WAIT_OUTSIDE,
}


@dataclass(frozen=True)
class Compilation:
    """A network as arrays, with the labels and prices that kernels do not see.

    Attributes
    ----------
    arrays : CompiledNetwork
        What a kernel reads.
    services, classes, organisations : tuple
        Labels: row i and column k of every array; the owner of each service.
    cost_per_server : numpy.ndarray
        (n,) money per server and T.
    cost_of_delay : numpy.ndarray
        (n, R) money per job and T.
    cost_of_loss : numpy.ndarray
        (n, R) money per job; nan where no price is given.
    calendars : Calendars, optional
        What varies with time; `arrays` hold its time means, servers as a whole number where the
        network has limited places. None where nothing varies.
    """

    arrays: CompiledNetwork
    services: tuple[ServiceName, ...]
    classes: tuple[str, ...]
    organisations: tuple[str, ...]
    cost_per_server: Floats
    cost_of_delay: Floats
    cost_of_loss: Floats
    calendars: Calendars | None = None

    @property
    def scheduled(self) -> Compilation:
        """The same with the time means of server calendars as they are, not rounded."""
        if self.calendars is None:
            return self
        servers = scheduled_servers(self.arrays.servers, self.calendars)
        capacity, follow = self.arrays.capacity.copy(), self.calendars.places_follow
        capacity[follow] += servers[follow] - self.arrays.servers[follow]
        arrays = self.arrays._replace(servers=servers, capacity=capacity)
        return dataclasses.replace(self, arrays=arrays)


def compile_network(network: Network) -> Compilation:
    """Return the arrays of `network`.

    Raises
    ------
    NetworkError
        Where the network's graph was changed behind its back and is at fault now.
    """
    if network.compilation is not None:
        return network.compilation
    errors = [fault for fault in check_graph(network.graph) if fault.severity == "error"]
    if errors:
        raise NetworkError(errors, network.name)
    return compile_columns(columns_of(network.graph))


def compile_columns(columns: Columns) -> Compilation:
    """Return the arrays of a description that was found right."""
    family, parameters, times, scvs, samples = _laws(columns)
    routes = _routes(columns)
    servers = _servers(columns)
    arrays = CompiledNetwork(
        servers=servers,
        capacity=_capacity(columns, servers),
        discipline=_disciplines(columns),
        when_full=_coded(columns, "when_full", WHEN_FULL),
        external_when_full=_coded(columns, "external_when_full", WHEN_FULL),
        overflow_to=_overflow_to(columns),
        priority=_priorities(columns),
        service_time=times,
        service_scv=scvs,
        external_arrival_rate=mean_rates(columns),
        arrival_scv=_floats(columns.service_table("arrival_scv")),
        patience=_floats(columns.service_table("patience")),
        **routes,
        external_entry_priority=_whole(columns.service_table("external_entry_priority")),
        external_places_left_free=_whole(columns.service_table("external_places_left_free")),
        service_family=family,
        service_parameters=parameters,
        samples=samples,
    )
    for array in arrays:
        array.setflags(write=False)
    return Compilation(
        arrays=arrays,
        services=columns.names,
        classes=columns.classes,
        organisations=tuple(map(str, columns.service("organisation"))),
        cost_per_server=_floats(columns.service("cost_per_server")),
        cost_of_delay=_prices(columns, "cost_of_delay"),
        cost_of_loss=_prices(columns, "cost_of_loss"),
        calendars=calendars_of(columns),
    )


def _floats(values: Any) -> Floats:
    return np.array(values, dtype=np.float64, order="C")


def _whole(values: Any) -> code.Integers:
    return np.array(values, dtype=np.int64, order="C")


def _coded(columns: Columns, name: str, codes: Mapping[str, int]) -> code.Integers:
    """Return a choice as the kernels know it."""
    if name not in columns.services:
        return np.full(len(columns.names), codes[str(SERVICE[name].default)], dtype=np.int64)
    return np.array([codes[choice] for choice in columns.service(name)], dtype=np.int64)


def _disciplines(columns: Columns) -> code.Integers:
    """Return the disciplines; nobody interrupts where all have one rank."""
    disciplines = _coded(columns, "discipline", DISCIPLINES)
    if (disciplines == code.PREEMPTIVE).any():
        one_rank = np.ptp(_priorities(columns), axis=1) == 0
        disciplines[one_rank & (disciplines == code.PREEMPTIVE)] = code.FCFS
    return disciplines


def _servers(columns: Columns) -> Floats:
    """Return the servers; unlimited where the discipline is delay, the mean of a calendar."""
    servers = mean_servers(columns)
    if "discipline" in columns.services:
        servers[[choice == "delay" for choice in columns.service("discipline")]] = np.inf
    return servers


def _capacity(columns: Columns, servers: Floats) -> Floats:
    """Return the places: the capacity, or servers and waiting room, or no limit."""
    if not {"capacity", "waiting_room"} & set(columns.services):
        return np.full(servers.size, np.inf)
    rooms = columns.service("waiting_room")
    places = columns.service("capacity")
    given = zip(rooms, places, servers.tolist(), strict=True)
    return _floats(
        [
            count + room if room is not None else math.inf if place is None else place
            for room, place, count in given
        ]
    )


def _overflow_to(columns: Columns) -> code.Integers:
    """Return the position of the service that takes the overflow; -1 for none."""
    if "overflow_to" not in columns.services:
        return np.full(len(columns.names), -1, dtype=np.int64)
    index = {name: number for number, name in enumerate(columns.names)}
    targets = [index[name] if name else -1 for name in columns.service("overflow_to")]
    return np.array(targets, dtype=np.int64)


def _prices(columns: Columns, name: str) -> Floats:
    """Return prices by service and class: its own, else the network's, else nan."""
    prices = _floats(columns.service_table(name))  # an absent one is None, which becomes nan
    fallback = columns.network.get(name, NETWORK[name].default)
    return np.where(np.isnan(prices), np.nan if fallback is None else float(fallback), prices)


def _priorities(columns: Columns) -> code.Integers:
    """Return ranks by service and class: the service's own, else the class's."""
    declared = columns.network.get("classes", {})
    general = [
        declared.get(name, {}).get("priority", CLASS["priority"].default)
        for name in columns.classes
    ]
    own = _floats(columns.service_table("priority"))
    return np.ascontiguousarray(np.where(np.isnan(own), general, own).astype(np.int64))


def _laws(
    columns: Columns,
) -> tuple[code.Integers, Floats, Floats, Floats, Floats]:
    """Return family, parameters, mean, scv by service and class, and the flat samples."""
    times = np.nan_to_num(_floats(columns.service_table("service_time")))
    scvs = _floats(columns.service_table("service_scv"))
    scvs[times == 0.0] = 1.0
    family = np.full(times.shape, code.EXPONENTIAL, dtype=np.int64)
    parameters = np.zeros((*times.shape, 3))
    parameters[..., 0] = times
    samples: list[float] = []
    for i, k, law in _other_laws(columns, times, scvs):
        values = list(law.parameters)
        if law.samples:
            values[0] = float(len(samples))
            samples.extend(law.samples)
        family[i, k] = law.family
        parameters[i, k] = [*values, 0.0, 0.0, 0.0][:3]
        times[i, k], scvs[i, k] = law.mean, law.scv
    return family, parameters, times, scvs, np.asarray(samples, dtype=np.float64)


def _other_laws(columns: Columns, times: Floats, scvs: Floats) -> Iterator[tuple[int, int, Law]]:
    """Yield service, class and law where that is not exponential."""
    for i, k in np.argwhere((scvs != 1.0) & (times > 0.0)).tolist():
        yield i, k, two_moment_law(float(times[i, k]), float(scvs[i, k]))
    for i, cell in enumerate(columns.services.get("service_distribution", ())):
        if cell is not None:
            row = per_class(
                {"service_distribution": cell}, SERVICE["service_distribution"], columns.classes
            )
            for k, table in enumerate(row):
                if table is not None:
                    yield i, k, law_from_table(table)


def _routes(columns: Columns) -> dict[str, Any]:
    """Return the routes over pairs (service, class) in compressed rows, by field."""
    width = len(columns.classes)
    own = np.arange(width)
    onward = np.broadcast_to(own, (columns.start.size, width))
    if "to_class" in columns.routes:
        position = {name: k for k, name in enumerate(columns.classes)}
        targets = columns.route_table("to_class").tolist()
        onward = np.array([[position[t] if t else k for k, t in enumerate(row)] for row in targets])
    probability = _floats(columns.route_table("routing_probability"))
    used = probability > 0.0
    origin = (columns.start[:, np.newaxis] * width + own)[used]
    goal = (columns.end[:, np.newaxis] * width + onward)[used]
    states = len(columns.names) * width
    order = np.argsort(origin * states + goal, kind="stable")
    counts = np.bincount(origin, minlength=states)

    def sorted_table(name: str, kind: Any) -> Any:
        return columns.route_table(name)[used].astype(kind)[order]

    return {
        "route_start": np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32),
        "route_to": goal[order].astype(np.uint32),
        "route_probability": probability[used][order],
        "transfer_delay": sorted_table("transfer_delay", np.float64),
        "holds_server": sorted_table("holds_server", np.bool_),
        "entry_priority": sorted_table("entry_priority", np.int64),
        "places_left_free": sorted_table("places_left_free", np.int64),
    }
