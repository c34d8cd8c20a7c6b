"""From a `Network` to `CompiledNetwork`: arrays for the kernels, labels and prices kept apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flownet.errors import NetworkError
from flownet.kernels import compiled as code
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.network.attributes import CLASS, NETWORK, ROUTE, SERVICE
from flownet.network.check import check_graph
from flownet.network.distributions import Law
from flownet.network.model import Network, ServiceName
from flownet.network.resolve import capacity_of, law_of, per_class, servers_of

DISCIPLINES = {
    "fcfs": code.FCFS,
    "priority": code.PRIORITY,
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
    """

    arrays: CompiledNetwork
    services: tuple[ServiceName, ...]
    classes: tuple[str, ...]
    organisations: tuple[str, ...]
    cost_per_server: Floats
    cost_of_delay: Floats
    cost_of_loss: Floats


def compile_network(network: Network) -> Compilation:
    """Return the arrays of `network`.

    Raises
    ------
    NetworkError
        Where the network's graph was changed behind its back and is at fault now.
    """
    errors = [fault for fault in check_graph(network.graph) if fault.severity == "error"]
    if errors:
        raise NetworkError(errors, network.name)
    classes = network.classes
    data = [attributes for _, attributes in network.graph.nodes(data=True)]
    index = {name: number for number, name in enumerate(network.services)}
    family, parameters, times, scvs, samples = _laws(data, classes)
    start, to, probability, delay, holds = _routes(network, index)
    full = [WHEN_FULL[row.get("when_full", "blocked_after_service")] for row in data]
    outside = [WHEN_FULL[row.get("external_when_full", "lost")] for row in data]
    arrays = CompiledNetwork(
        servers=_floats([servers_of(row) for row in data]),
        capacity=_floats([capacity_of(row) for row in data]),
        discipline=_integers([DISCIPLINES[row.get("discipline", "fcfs")] for row in data]),
        when_full=_integers(full),
        external_when_full=_integers(outside),
        overflow_to=_integers(
            [index[row["overflow_to"]] if row.get("overflow_to") else -1 for row in data]
        ),
        priority=_integers(_priorities(network, data)),
        service_time=times,
        service_scv=scvs,
        external_arrival_rate=_table(data, "external_arrival_rate", classes),
        arrival_scv=_table(data, "arrival_scv", classes),
        patience=_table(data, "patience", classes),
        route_start=start,
        route_to=to,
        route_probability=probability,
        transfer_delay=delay,
        holds_server=holds,
        service_family=family,
        service_parameters=parameters,
        samples=samples,
    )
    for array in arrays:
        array.setflags(write=False)
    return Compilation(
        arrays=arrays,
        services=network.services,
        classes=classes,
        organisations=tuple(str(row.get("organisation", "")) for row in data),
        cost_per_server=_floats([row.get("cost_per_server", 0.0) for row in data]),
        cost_of_delay=_prices(network, data, "cost_of_delay"),
        cost_of_loss=_prices(network, data, "cost_of_loss"),
    )


def _floats(values: Any) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float64)


def _integers(values: Any) -> code.Integers:
    return np.ascontiguousarray(values, dtype=np.int64)


def _table(data: Sequence[dict[str, Any]], name: str, classes: Sequence[str]) -> Floats:
    return _floats([per_class(row, SERVICE[name], classes) for row in data])


def _prices(network: Network, data: Sequence[dict[str, Any]], name: str) -> Floats:
    """Return prices by service and class: its own, else the network's, else nan."""
    fallback = network.graph.graph.get(name, NETWORK[name].default)
    rows = [per_class(row, SERVICE[name], network.classes) for row in data]
    filled = [[fallback if price is None else price for price in row] for row in rows]
    return _floats([[math.nan if price is None else price for price in row] for row in filled])


def _priorities(network: Network, data: Sequence[dict[str, Any]]) -> list[list[int]]:
    """Return ranks by service and class: the service's own, else the class's."""
    declared = network.graph.graph.get("classes", {})
    general = [
        declared.get(name, {}).get("priority", CLASS["priority"].default)
        for name in network.classes
    ]
    rows = [per_class(row, SERVICE["priority"], network.classes) for row in data]
    return [
        [g if own is None else own for g, own in zip(general, row, strict=True)] for row in rows
    ]


def _laws(
    data: Sequence[dict[str, Any]], classes: Sequence[str]
) -> tuple[code.Integers, Floats, Floats, Floats, Floats]:
    """Return family, parameters, mean, scv by service and class, and the flat samples."""
    shape = (len(data), len(classes))
    family = np.zeros(shape, dtype=np.int64)
    parameters = np.zeros((*shape, 3))
    times, scvs = np.zeros(shape), np.ones(shape)
    samples: list[float] = []
    for i, row in enumerate(data):
        given = zip(
            per_class(row, SERVICE["service_time"], classes),
            per_class(row, SERVICE["service_scv"], classes),
            per_class(row, SERVICE["service_distribution"], classes),
            strict=True,
        )
        for k, (time, scv, table) in enumerate(given):
            law: Law | None = law_of(time, scv, table)
            if law is None:
                continue
            values = list(law.parameters)
            if law.samples:
                values[0] = float(len(samples))
                samples.extend(law.samples)
            family[i, k] = law.family
            parameters[i, k, : len(values)] = values
            times[i, k], scvs[i, k] = law.mean, law.scv
    return family, parameters, times, scvs, np.asarray(samples, dtype=np.float64)


def _routes(
    network: Network, index: dict[ServiceName, int]
) -> tuple[code.Indices, code.Indices, Floats, Floats, code.Booleans]:
    """Return the routes over pairs (service, class) in compressed rows."""
    classes = network.classes
    position = {name: k for k, name in enumerate(classes)}
    width = len(classes)
    rows: list[tuple[int, int, float, float, bool]] = []
    for start, end, data in network.graph.edges(data=True):
        columns = zip(
            *(
                per_class(data, ROUTE[name], classes)
                for name in ("routing_probability", "transfer_delay", "holds_server", "to_class")
            ),
            strict=True,
        )
        for k, (share, delay, holds, target) in enumerate(columns):
            if share > 0:
                goal = index[end] * width + (position[target] if target else k)
                rows.append((index[start] * width + k, goal, share, delay, holds))
    rows.sort(key=lambda row: row[:2])
    origin = np.array([row[0] for row in rows], dtype=np.int64)
    counts = np.bincount(origin, minlength=len(index) * width)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
    return (
        starts,
        np.array([row[1] for row in rows], dtype=np.uint32),
        _floats([row[2] for row in rows]),
        _floats([row[3] for row in rows]),
        np.array([row[4] for row in rows], dtype=np.bool_),
    )
