"""How each kind of change is carried out on a graph of its own."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import networkx as nx

from flownet.errors import Fault, ParameterError
from flownet.network.attributes import ROUTE, SERVICE, Attribute
from flownet.network.distributions import scaled_table
from flownet.network.resolve import class_names, is_law, per_class
from flownet.network.values import nearest
from flownet.study.changes import EVERY, Change, failure, is_number
from flownet.study.pooling import pool

SCALABLE = ("number", "probability")
INSTEAD: Final = {
    "service_time": "service_distribution",
    "servers": "server_calendar",
    "external_arrival_rate": "external_arrival_calendar",
}
"""What may stand in place of an attribute, and is multiplied with it."""


def known_service(graph: nx.DiGraph, name: Any, where: str) -> Any:
    """Return the node that `name` means."""
    for node in graph.nodes:
        if node == name or str(node) == str(name):
            return node
    message = f"is not in the network{nearest(name, graph.nodes)}"
    raise failure(where, "service", f"'{name}'", message)


def _found(
    graph: nx.DiGraph, change: Change, where: str
) -> tuple[list[dict[str, Any]], dict[str, Attribute]]:
    """Return the attributes of each target, and the table that describes them."""
    if change.target == (EVERY,):
        return [data for _, data in graph.nodes(data=True)], SERVICE
    names = [known_service(graph, name, where) for name in change.target]
    if len(names) == 1:
        return [graph.nodes[names[0]]], SERVICE
    return [_route(graph, names, where)], ROUTE


def _route(graph: nx.DiGraph, names: list[Any], where: str) -> dict[str, Any]:
    if not graph.has_edge(*names):
        ends = ", ".join(f"'{end}'" for end in graph.successors(names[0])) or "nowhere"
        message = f"is not in the network; from '{names[0]}' routes go to {ends}"
        raise failure(where, "route", f"'{names[0]}' -> '{names[1]}'", message)
    found: dict[str, Any] = graph.edges[names[0], names[1]]
    return found


def _known(table: dict[str, Attribute], name: str, where: str) -> Attribute:
    if name not in table or name == "name":
        raise failure(where, name, "", f"is no attribute that can change{nearest(name, table)}")
    return table[name]


def _by_class(
    graph: nx.DiGraph, data: Mapping[str, Any], row: Attribute, job_class: str, where: str
) -> dict[str, Any]:
    """Return the values of an attribute as a table by class, which one class may then change."""
    classes = class_names(graph)
    if job_class not in classes:
        message = f"is no class of the network{nearest(job_class, classes)}"
        raise failure(where, "job_class", job_class, message)
    if not row.by_class:
        raise failure(where, row.name, "", "is the same for every class: leave job_class out")
    values = zip(classes, per_class(data, row, classes), strict=True)
    return {name: value for name, value in values if value is not None}


def resize(data: dict[str, Any], servers: Any) -> None:
    """Give other servers; a finite capacity that is given keeps its waiting room."""
    before = data.get("servers", 1.0)
    if is_number(servers) and is_number(data.get("capacity")) and is_number(before):
        data["capacity"] += servers - before
    data["servers"] = servers


def _set(graph: nx.DiGraph, change: Change, where: str) -> None:
    targets, table = _found(graph, change, where)
    for data in targets:
        for name, given in change.attributes.items():
            row, value = _known(table, name, where), copy.deepcopy(given)
            if change.job_class:
                value = _by_class(graph, data, row, change.job_class, where) | {
                    change.job_class: value
                }
            _put(data, name, value, change)
            _decided(data, name)


def _put(data: dict[str, Any], name: str, value: Any, change: Change) -> None:
    if name == "servers" and "capacity" not in change.attributes:
        resize(data, value)
    else:
        data[name] = value


def _decided(data: dict[str, Any], name: str) -> None:
    """Take away where a value came from: it is the scenario's now."""
    for side in ("origin", "standard_error"):
        if isinstance(data.get(side), Mapping) and name in data[side]:
            data[side] = {key: item for key, item in data[side].items() if key != name}
            if not data[side]:
                del data[side]


def _scale(graph: nx.DiGraph, change: Change, where: str) -> None:
    targets, table = _found(graph, change, where)
    every = change.target == (EVERY,)
    for name, factor in change.attributes.items():
        row = _known(table, name, where)
        if row.kind not in SCALABLE:
            raise failure(where, name, "", "is not a number, and cannot be multiplied")
        having = [data for data in targets if not every or _has(data, row)]
        if not having:
            raise failure(where, name, "", "is given at no service: set it instead")
        for data in having:
            _scale_one(graph, data, row, factor, change, where)


def _has(data: Mapping[str, Any], row: Attribute) -> bool:
    """Return whether a service says, or defaults to, something that a factor changes."""
    nothing = (None, 0.0, math.inf)
    return INSTEAD.get(row.name) in data or data.get(row.name, row.default) not in nothing


def _scale_one(
    graph: nx.DiGraph,
    data: dict[str, Any],
    row: Attribute,
    factor: float,
    change: Change,
    where: str,
) -> None:
    name = row.name
    if INSTEAD.get(name) in data:
        name = INSTEAD[name]
        row = SERVICE[name]
    value = data.get(name, row.default)
    if value is None:
        raise failure(where, name, "", "is not given here: set it instead")
    if change.job_class:
        values = _by_class(graph, data, row, change.job_class, where)
        if change.job_class not in values:
            raise failure(where, name, "", f"is not given for class '{change.job_class}'")
        value = values | {change.job_class: _times(row, values[change.job_class], factor)}
    elif isinstance(value, Mapping) and not is_law(row, value):
        value = {key: _times(row, item, factor) for key, item in value.items()}
    else:
        value = _times(row, value, factor)
    _put(data, name, value, change)
    _uncertain(data, name, factor, change.job_class)


def _times(row: Attribute, value: Any, factor: float) -> Any:
    """Return `value` times `factor`: of a law its times, of a calendar its values."""
    if row.kind == "distribution":
        return scaled_table(value, factor)
    if row.kind == "calendar":
        return [{**step, "value": step["value"] * factor} for step in value]
    return value if value == math.inf else value * factor


def _uncertain(data: dict[str, Any], name: str, factor: float, job_class: str) -> None:
    """Scale the standard error along with its value."""
    errors = data.get("standard_error")
    if not isinstance(errors, Mapping) or name not in errors:
        return
    error = errors[name]
    if isinstance(error, Mapping):
        error = {k: e * factor if job_class in ("", k) else e for k, e in error.items()}
    elif not job_class:
        error *= factor
    data["standard_error"] = {**errors, name: error}


def _add(graph: nx.DiGraph, change: Change, where: str) -> None:
    if len(change.target) == 1:
        if any(str(node) == str(change.target[0]) for node in graph.nodes):
            raise failure(where, "service", f"'{change.target[0]}'", "is there already: set it")
        graph.add_node(change.target[0])
        data, table = graph.nodes[change.target[0]], SERVICE
    else:
        start, end = (known_service(graph, name, where) for name in change.target)
        if graph.has_edge(start, end):
            raise failure(where, "route", f"'{start}' -> '{end}'", "is there already: set it")
        graph.add_edge(start, end)
        data, table = graph.edges[start, end], ROUTE
    for name, value in change.attributes.items():
        data[_known(table, name, where).name] = copy.deepcopy(value)


def _close(graph: nx.DiGraph, change: Change, where: str) -> None:
    targets, table = _found(graph, change, where)
    names = [known_service(graph, name, where) for name in change.target]
    new = known_service(graph, change.to, where) if change.to != "" else None
    if new is not None and new == names[-1]:
        raise failure(where, "to", f"'{new}'", "is what closes")
    if len(names) == 2:
        if new is not None:
            _redirect(
                graph, (names[0], names[1], new), dict.fromkeys(class_names(graph), 1.0), where
            )
        else:
            graph.remove_edge(*names)
        return
    closed = names[0]
    for other, data in graph.nodes(data=True):
        if other != closed and str(data.get("overflow_to", "")) == str(closed):
            if new is None or new == other:
                message = f"takes the overflow of '{other}': first set another overflow_to there"
                raise failure(where, "service", f"'{closed}'", message)
            data["overflow_to"] = new
    if new is not None:
        for start in [u for u in graph.predecessors(closed) if u != closed]:
            whole = dict.fromkeys(class_names(graph), 1.0)
            _redirect(graph, (start, closed, new), whole, where)
        row = table["external_arrival_rate"]
        _constant(graph, (closed, new), INSTEAD[row.name], where)
        _add_rates(graph, graph.nodes[new], targets[0], row)
    graph.remove_node(closed)


def _add_rates(
    graph: nx.DiGraph, data: dict[str, Any], more: Mapping[str, Any], row: Attribute
) -> None:
    """Add the arrivals from outside of another service."""
    classes = class_names(graph)
    pairs = zip(per_class(data, row, classes), per_class(more, row, classes), strict=True)
    total = {name: a + b for name, (a, b) in zip(classes, pairs, strict=True)}
    if any(per_class(more, row, classes)):
        values = set(total.values())
        data[row.name] = values.pop() if len(classes) == 1 else total


def _constant(graph: nx.DiGraph, names: Sequence[Any], calendar: str, where: str) -> None:
    """Refuse what varies with the time of day."""
    faults = [
        Fault(where, calendar, "", f"of '{name}' varies with time: set it by hand")
        for name in names
        if calendar in graph.nodes[name]
    ]
    if faults:
        raise ParameterError(faults)


def _move(graph: nx.DiGraph, change: Change, where: str) -> None:
    names = [known_service(graph, name, where) for name in change.target]
    _constant(graph, names, INSTEAD["servers"], where)
    start, end = (graph.nodes[name] for name in names)
    if start is end:
        raise failure(where, "service", f"'{change.target[0]}'", "cannot give servers to itself")
    has, gets = start.get("servers", 1.0), end.get("servers", 1.0)
    if not (is_number(has) and is_number(gets)) or has <= change.amount:
        message = f"must be below the {has} servers of '{change.target[0]}', and both limited"
        raise failure(where, "servers", f"{change.amount:g}", message)
    for data, servers in ((start, has - change.amount), (end, gets + change.amount)):
        resize(data, servers)
        _decided(data, "servers")


def _reroute(graph: nx.DiGraph, change: Change, where: str) -> None:
    targets, table = _found(graph, change, where)
    start, end = (known_service(graph, name, where) for name in change.target)
    new = known_service(graph, change.to, where)
    if new == end:
        raise failure(where, "to", f"'{new}'", "is where the jobs go already")
    chosen = [change.job_class] if change.job_class else list(class_names(graph))
    _by_class(graph, targets[0], table["routing_probability"], chosen[0], where)
    _redirect(graph, (start, end, new), dict.fromkeys(chosen, change.amount), where)


def _redirect(
    graph: nx.DiGraph, way: tuple[Any, Any, Any], shares: Mapping[str, float], where: str
) -> None:
    """Send shares by class of the jobs of one route to another service instead."""
    start, end, new = way
    old, classes = graph.edges[start, end], class_names(graph)
    row = ROUTE["routing_probability"]
    before = dict(zip(classes, per_class(old, row, classes), strict=True))
    moved = {name: before[name] * shares.get(name, 0.0) for name in classes}
    taken = {**copy.deepcopy(old), row.name: 0.0}
    if graph.has_edge(start, new):
        taken = graph.edges[start, new]
    faults = [
        Fault(
            where, name, "", f"differs between the routes to '{end}' and to '{new}': set it first"
        )
        for name in ROUTE
        if name not in (row.name, "origin", "standard_error")
        and taken.get(name, ROUTE[name].default) != old.get(name, ROUTE[name].default)
    ]
    if faults:
        raise ParameterError(faults)
    had = dict(zip(classes, per_class(taken, row, classes), strict=True))
    graph.add_edge(start, new, **taken)
    _share(graph, (start, new), {name: had[name] + moved[name] for name in classes})
    _share(graph, (start, end), {name: before[name] - moved[name] for name in classes})


def _share(graph: nx.DiGraph, route: tuple[Any, Any], shares: dict[str, float]) -> None:
    """Give a route these probabilities, as one number where all classes share it."""
    if not any(shares.values()):
        graph.remove_edge(*route)
        return
    values = set(shares.values())
    graph.edges[route]["routing_probability"] = values.pop() if len(values) == 1 else shares
    _decided(graph.edges[route], "routing_probability")


def _pool(graph: nx.DiGraph, change: Change, where: str) -> None:
    names = [known_service(graph, name, where) for name in change.target]
    for calendar in (INSTEAD["servers"], INSTEAD["external_arrival_rate"]):
        _constant(graph, names, calendar, where)
    pool(graph, names, change.to, where)


CARRIED_OUT: Final[dict[str, Callable[[nx.DiGraph, Change, str], None]]] = {
    "set": _set,
    "scale": _scale,
    "add": _add,
    "close": _close,
    "reroute": _reroute,
    "pool": _pool,
    "move": _move,
}
"""What carries out each kind of change, on a graph of its own."""
