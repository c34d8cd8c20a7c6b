"""Several services become one: their servers, arrivals, times and routes together."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import networkx as nx

from flownet.errors import Fault, NetworkError, ParameterError
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.kernels.traffic import solve_traffic
from flownet.network.attributes import ROUTE, SERVICE
from flownet.network.compile import compile_network
from flownet.network.model import Network
from flownet.network.resolve import capacity_of, class_names, per_class, servers_of

ALIKE = ("discipline", "when_full", "external_when_full", "overflow_to", "patience", "priority",
         "external_entry_priority", "external_places_left_free", "cost_of_delay",
         "cost_of_loss")  # fmt: skip
"""What services that are pooled must have in common."""
SHARED = ("organisation", "server_label", "target")
"""What the pooled service keeps where all have it in common."""
ROUTES_ALIKE = ("transfer_delay", "holds_server", "entry_priority", "places_left_free", "to_class")


def pool(graph: nx.DiGraph, names: Sequence[Any], into: Any, where: str) -> None:
    """Replace services of `graph` by one that has the servers, arrivals and routes of all.

    Times and onward routes of a class are those of the services, weighted by the flows that the
    traffic equations give before the change (losses and blocking left out).

    Raises
    ------
    ParameterError
        Where the services differ in what they must have in common, or `into` is taken.
    NetworkError
        Where the network before pooling is at fault.
    """
    if any(str(node) == str(into) and node not in names for node in graph.nodes):
        raise ParameterError([Fault(where, "into", f"'{into}'", "is the name of another service")])
    members = [graph.nodes[name] for name in names]
    faults = [
        Fault(where, name, "", "differs between the services to pool: set it first")
        for name in ALIKE
        if any(data.get(name, SERVICE[name].default) != members[0].get(name, SERVICE[name].default)
               for data in members)
    ]  # fmt: skip
    faults += _route_faults(graph, names, where)
    if faults:
        raise ParameterError(faults)
    try:
        arrays = compile_network(Network(graph)).arrays
    except NetworkError as error:
        raise NetworkError(error.faults, where) from error
    order = list(graph.nodes)
    positions = [order.index(name) for name in names]
    flows = solve_traffic(arrays).arrival_rate[positions]
    classes = class_names(graph)
    weights = _weights(flows, [servers_of(data) for data in members])
    data = _together(members, classes) | _times(members, arrays, positions, weights, classes)
    data |= {name: members[0][name] for name in ALIKE if name in members[0]}
    _rebuild(graph, names, into, data, _routes(graph, names, into, weights))


def _weights(flows: Floats, servers: Sequence[float]) -> Floats:
    """Return (members, classes) shares of the jobs of each class; by servers where none comes."""
    import numpy as np

    finite = [count if math.isfinite(count) else 1.0 for count in servers]
    fallback = np.array(finite)[:, None] / sum(finite)
    total = flows.sum(axis=0, keepdims=True)
    known = (total > 0) & np.isfinite(total)
    return np.where(known, flows / np.where(known, total, 1.0), fallback)


def _together(members: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> dict[str, Any]:
    """Return what adds up, and what all have in common."""
    servers = [servers_of(data) for data in members]
    places = [capacity_of(data) for data in members]
    data: dict[str, Any] = {"servers": sum(servers)}
    if members[0].get("discipline") == "delay":
        del data["servers"]
    if all(map(math.isfinite, places)) and math.isfinite(sum(servers)):
        data["capacity"] = sum(places)
    row = SERVICE["external_arrival_rate"]
    rates = [per_class(member, row, classes) for member in members]
    totals = {
        name: sum(column) for name, column in zip(classes, zip(*rates, strict=True), strict=True)
    }
    if any(totals.values()):
        data[row.name] = _by_class(totals)
        row = SERVICE["arrival_scv"]
        scvs = [per_class(member, row, classes) for member in members]
        mixed = {
            name: sum(r[k] * s[k] for r, s in zip(rates, scvs, strict=True)) / totals[name]
            if totals[name] > 0 else 1.0
            for k, name in enumerate(classes)
        }  # fmt: skip
        if any(value != 1.0 for value in mixed.values()):
            data[row.name] = _by_class(mixed)
    for name in ("min_servers", "max_servers"):
        if any(name in member for member in members):
            data[name] = sum(float(member.get(name, SERVICE[name].default)) for member in members)
    if any("cost_per_server" in member for member in members) and math.isfinite(sum(servers)):
        costs = [float(member.get("cost_per_server", 0.0)) for member in members]
        whole = sum(c * n for c, n in zip(costs, servers, strict=True))
        data["cost_per_server"] = whole / sum(servers)
    for name in SHARED:
        if name in members[0] and all(m.get(name) == members[0][name] for m in members):
            data[name] = members[0][name]
    return data


def _by_class(values: Mapping[str, float]) -> Any:
    distinct = set(values.values())
    return distinct.pop() if len(distinct) == 1 else dict(values)


def _times(
    members: Sequence[Mapping[str, Any]],
    arrays: CompiledNetwork,
    positions: Sequence[int],
    weights: Floats,
    classes: Sequence[str],
) -> dict[str, Any]:
    """Return the time of service: the common law, or mean and scv of the mixture."""
    names = ("service_time", "service_scv", "service_distribution")
    if all(all(m.get(name) == members[0].get(name) for name in names) for m in members):
        return {name: copy.deepcopy(members[0][name]) for name in names if name in members[0]}
    times, scvs = arrays.service_time[positions], arrays.service_scv[positions]
    means = (weights * times).sum(axis=0)
    squares = (weights * times**2 * (1 + scvs)).sum(axis=0)
    used = [k for k in range(len(classes)) if means[k] > 0]
    scv = {classes[k]: float(squares[k] / means[k] ** 2 - 1) for k in used}
    scv = {name: 0.0 if value < 1e-12 else value for name, value in scv.items()}
    found: dict[str, Any] = {"service_time": _by_class({classes[k]: float(means[k]) for k in used})}
    if any(abs(value - 1.0) > 1e-12 for value in scv.values()):
        found["service_scv"] = _by_class(scv)
    return found


Route = tuple[Any, Any]


def _ends(names: Sequence[Any], into: Any, route: Route) -> Route:
    start, end = route
    return (into if start in names else start, into if end in names else end)


def _touched(graph: nx.DiGraph, names: Sequence[Any]) -> Iterable[tuple[Route, dict[str, Any]]]:
    """Yield each route of the services to pool."""
    for start, end, data in graph.edges(data=True):
        if start in names or end in names:
            yield (start, end), data


def _route_faults(graph: nx.DiGraph, names: Sequence[Any], where: str) -> list[Fault]:
    """Return what differs between routes that become one."""
    faults: list[Fault] = []
    first: dict[Route, tuple[Route, dict[str, Any]]] = {}
    for route, data in _touched(graph, names):
        merged = _ends(names, None, route)
        (start, end), other = first.setdefault(merged, (route, data))
        faults += [
            Fault(
                where,
                name,
                "",
                f"differs between the routes '{start}' -> '{end}' and '{route[0]}' -> "
                f"'{route[1]}', which become one: set it first",
            )
            for name in ROUTES_ALIKE
            if data.get(name, ROUTE[name].default) != other.get(name, ROUTE[name].default)
        ]
    return faults


def _routes(
    graph: nx.DiGraph, names: Sequence[Any], into: Any, weights: Floats
) -> dict[Route, dict[str, Any]]:
    """Return the routes from and to the pooled service."""
    classes, row = class_names(graph), ROUTE["routing_probability"]
    shares: dict[Route, list[float]] = {}
    found: dict[Route, dict[str, Any]] = {}
    for route, data in _touched(graph, names):
        merged = _ends(names, into, route)
        member = list(names).index(route[0]) if route[0] in names else -1
        kept = {name: copy.deepcopy(data[name]) for name in ROUTES_ALIKE if name in data}
        found.setdefault(merged, kept)
        total = shares.setdefault(merged, [0.0] * len(classes))
        for k, share in enumerate(per_class(data, row, classes)):
            total[k] += float(share) * (float(weights[member, k]) if member >= 0 else 1.0)
    for merged, total in shares.items():
        found[merged][row.name] = _by_class(dict(zip(classes, total, strict=True)))
    return found


def _rebuild(
    graph: nx.DiGraph,
    names: Sequence[Any],
    into: Any,
    data: dict[str, Any],
    routes: Mapping[Route, dict[str, Any]],
) -> None:
    """Put the pooled service in the place of the first that it takes in."""
    nodes = [(name, dict(attributes)) for name, attributes in graph.nodes(data=True)]
    kept = [
        (start, end, dict(attributes))
        for start, end, attributes in graph.edges(data=True)
        if start not in names and end not in names
    ]
    graph.remove_nodes_from(list(graph.nodes))
    for name, attributes in nodes:
        if name not in names:
            graph.add_node(name, **attributes)
            if attributes.get("overflow_to") in names:
                graph.nodes[name]["overflow_to"] = into
        elif into not in graph:
            graph.add_node(into, **data)
    graph.add_edges_from(kept)
    graph.add_edges_from((start, end, attributes) for (start, end), attributes in routes.items())
