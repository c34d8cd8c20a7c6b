"""One change of a network: what it says in words, and how it is carried out on a graph."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import networkx as nx

from flownet.errors import Fault, ParameterError
from flownet.network.attributes import ROUTE, SERVICE, Attribute
from flownet.network.resolve import class_names, is_law, per_class
from flownet.network.values import nearest, plain

PAIRS = ("reroute", "move")
SCALABLE = ("number", "probability")


def as_names(target: Any) -> tuple[str, ...]:
    """Return a target as a tuple: one name is a service, two are a route."""
    return tuple(target) if isinstance(target, (tuple, list)) else (target,)


def _fail(where: str, attribute: str, value: object, message: str) -> ParameterError:
    return ParameterError([Fault(where, attribute, str(value), message)])


@dataclasses.dataclass(frozen=True)
class Change:
    """One change; `target` names a service, or the start and end of a route or of a move."""

    kind: str
    target: tuple[str, ...]
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)
    job_class: str = ""
    to: str = ""
    amount: float = 0.0

    def __post_init__(self) -> None:
        """Check what can be checked without a network, and keep an own copy of the values."""
        if self.kind not in CARRIED_OUT:
            message = f"is not known; known are {', '.join(CARRIED_OUT)}"
            raise _fail("change", "kind", self.kind, message + nearest(self.kind, CARRIED_OUT))
        where = f"change '{self.kind}'"
        sizes = (2,) if self.kind in PAIRS else (1, 2)
        if len(self.target) not in sizes:
            raise _fail(where, "target", self.target, "must be a service, or a pair of services")
        object.__setattr__(self, "attributes", plain(self.attributes))
        if self.kind in ("set", "scale") and not self.attributes:
            raise _fail(where, "", "", "must name at least one attribute")
        if self.kind == "scale":
            for name, factor in self.attributes.items():
                if not _is_number(factor) or factor < 0:
                    raise _fail(where, name, factor, "must be a finite factor of at least 0")
        if self.kind in PAIRS and not (_is_number(self.amount) and self.amount > 0):
            raise _fail(where, "amount", self.amount, "must be a finite number above 0")
        if self.kind == "reroute" and self.amount > 1:
            raise _fail(where, "share", self.amount, "must be at most 1")

    def to_dict(self) -> dict[str, Any]:
        """Return what is given as plain values."""
        row: dict[str, Any] = {"kind": self.kind, "target": list(self.target)}
        if self.attributes:
            row["attributes"] = copy.deepcopy(dict(self.attributes))
        optional = {"job_class": self.job_class, "to": self.to, "amount": self.amount}
        return row | {key: value for key, value in optional.items() if value}

    def words(self) -> str:
        """Return the change in plain words."""
        target = " -> ".join(f"'{name}'" for name in self.target)
        whom = f" for class '{self.job_class}'" if self.job_class else ""
        parts = self.attributes.items()
        if self.kind == "set":
            return "; ".join(f"set {name} of {target}{whom} to {value}" for name, value in parts)
        if self.kind == "scale":
            return "; ".join(
                f"multiply {name} of {target}{whom} by {factor:g}" for name, factor in parts
            )
        if self.kind == "add":
            given = ", ".join(f"{name} {value}" for name, value in parts)
            return f"add {target}" + (f" with {given}" if given else "")
        if self.kind == "close":
            return f"close {target}; who would have come leaves"
        if self.kind == "move":
            return f"move {self.amount:g} servers {target}"
        return f"send {100 * self.amount:g} % of {target}{whom} to '{self.to}' instead"


def _is_number(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _service(graph: nx.DiGraph, name: Any, where: str) -> Any:
    for node in graph.nodes:
        if node == name or str(node) == str(name):
            return node
    message = f"is not in the network{nearest(name, graph.nodes)}"
    raise _fail(where, "service", f"'{name}'", message)


def _found(
    graph: nx.DiGraph, change: Change, where: str
) -> tuple[dict[str, Any], dict[str, Attribute]]:
    """Return the attributes of the target, and the table that describes them."""
    names = [_service(graph, name, where) for name in change.target]
    if len(names) == 1:
        return graph.nodes[names[0]], SERVICE
    return _route(graph, names, where), ROUTE


def _route(graph: nx.DiGraph, names: list[Any], where: str) -> dict[str, Any]:
    if not graph.has_edge(*names):
        ends = ", ".join(f"'{end}'" for end in graph.successors(names[0])) or "nowhere"
        message = f"is not in the network; from '{names[0]}' routes go to {ends}"
        raise _fail(where, "route", f"'{names[0]}' -> '{names[1]}'", message)
    found: dict[str, Any] = graph.edges[names[0], names[1]]
    return found


def _known(table: dict[str, Attribute], name: str, where: str) -> Attribute:
    if name not in table or name == "name":
        raise _fail(where, name, "", f"is no attribute that can change{nearest(name, table)}")
    return table[name]


def _by_class(
    graph: nx.DiGraph, data: Mapping[str, Any], row: Attribute, job_class: str, where: str
) -> dict[str, Any]:
    """Return the values of an attribute as a table by class, which one class may then change."""
    classes = class_names(graph)
    if job_class not in classes:
        message = f"is no class of the network{nearest(job_class, classes)}"
        raise _fail(where, "job_class", job_class, message)
    if not row.by_class:
        raise _fail(where, row.name, "", "is the same for every class: leave job_class out")
    values = zip(classes, per_class(data, row, classes), strict=True)
    return {name: value for name, value in values if value is not None}


def _resize(data: dict[str, Any], servers: Any) -> None:
    """Give other servers; a finite capacity that is given keeps its waiting room."""
    before = data.get("servers", 1.0)
    if _is_number(servers) and _is_number(data.get("capacity")) and _is_number(before):
        data["capacity"] += servers - before
    data["servers"] = servers


def _set(graph: nx.DiGraph, change: Change, where: str) -> None:
    data, table = _found(graph, change, where)
    for name, given in change.attributes.items():
        row, value = _known(table, name, where), copy.deepcopy(given)
        if change.job_class:
            value = {**_by_class(graph, data, row, change.job_class, where)} | {
                change.job_class: value
            }
        if name == "servers" and "capacity" not in change.attributes:
            _resize(data, value)
        else:
            data[name] = value


def _scale(graph: nx.DiGraph, change: Change, where: str) -> None:
    data, table = _found(graph, change, where)
    for name, factor in change.attributes.items():
        row = _known(table, name, where)
        if row.kind not in SCALABLE:
            raise _fail(where, name, "", "is not a number, and cannot be multiplied")
        value = data.get(name, row.default)
        if value is None:
            raise _fail(where, name, "", f"is not given here: set it instead{_law_hint(data)}")
        if change.job_class:
            values = _by_class(graph, data, row, change.job_class, where)
            value = values | {change.job_class: values[change.job_class] * factor}
        elif isinstance(value, Mapping) and not is_law(row, value):
            value = {key: item * factor for key, item in value.items()}
        else:
            value *= factor
        if name == "servers" and "capacity" not in change.attributes:
            _resize(data, value)
        else:
            data[name] = value


def _law_hint(data: Mapping[str, Any]) -> str:
    return ", as service_distribution" if "service_distribution" in data else ""


def _add(graph: nx.DiGraph, change: Change, where: str) -> None:
    if len(change.target) == 1:
        if any(str(node) == change.target[0] for node in graph.nodes):
            raise _fail(where, "service", f"'{change.target[0]}'", "is there already: set it")
        graph.add_node(change.target[0])
        data, table = graph.nodes[change.target[0]], SERVICE
    else:
        start, end = (_service(graph, name, where) for name in change.target)
        if graph.has_edge(start, end):
            raise _fail(where, "route", f"'{start}' -> '{end}'", "is there already: set it")
        graph.add_edge(start, end)
        data, table = graph.edges[start, end], ROUTE
    for name, value in change.attributes.items():
        data[_known(table, name, where).name] = copy.deepcopy(value)


def _close(graph: nx.DiGraph, change: Change, where: str) -> None:
    _found(graph, change, where)
    names = [_service(graph, name, where) for name in change.target]
    if len(names) == 2:
        graph.remove_edge(*names)
        return
    for other, data in graph.nodes(data=True):
        if other != names[0] and str(data.get("overflow_to", "")) == str(names[0]):
            message = f"takes the overflow of '{other}': first set another overflow_to there"
            raise _fail(where, "service", f"'{names[0]}'", message)
    graph.remove_node(names[0])


def _move(graph: nx.DiGraph, change: Change, where: str) -> None:
    start, end = (graph.nodes[_service(graph, name, where)] for name in change.target)
    if start is end:
        raise _fail(where, "service", f"'{change.target[0]}'", "cannot give servers to itself")
    has, gets = start.get("servers", 1.0), end.get("servers", 1.0)
    if not (_is_number(has) and _is_number(gets)) or has <= change.amount:
        message = f"must be below the {has} servers of '{change.target[0]}', and both limited"
        raise _fail(where, "servers", f"{change.amount:g}", message)
    _resize(start, has - change.amount)
    _resize(end, gets + change.amount)


def _reroute(graph: nx.DiGraph, change: Change, where: str) -> None:
    old, table = _found(graph, change, where)
    start, end = (_service(graph, name, where) for name in change.target)
    new = _service(graph, change.to, where)
    if new == end:
        raise _fail(where, "to", f"'{new}'", "is where the jobs go already")
    row, classes = table["routing_probability"], class_names(graph)
    chosen = [change.job_class] if change.job_class else list(classes)
    before = _by_class(graph, old, row, chosen[0], where)
    moved = {name: before[name] * change.amount for name in chosen}
    rest = {name: before[name] - moved.get(name, 0.0) for name in classes}
    there = graph.has_edge(start, new)
    taken = graph.edges[start, new] if there else {**copy.deepcopy(old), row.name: 0.0}
    for name in ROUTE:
        same = taken.get(name, ROUTE[name].default) == old.get(name, ROUTE[name].default)
        if not same and name not in (row.name, "origin", "standard_error"):
            message = f"differs between the routes to '{end}' and to '{new}': set it first"
            raise _fail(where, name, "", message)
    had = _by_class(graph, taken, row, chosen[0], where)
    graph.add_edge(start, new, **taken)
    _share(graph, (start, new), {name: had[name] + moved.get(name, 0.0) for name in classes})
    _share(graph, (start, end), rest)


def _share(graph: nx.DiGraph, route: tuple[Any, Any], shares: dict[str, float]) -> None:
    """Give a route these probabilities, as one number where all classes share it."""
    if not any(shares.values()):
        graph.remove_edge(*route)
        return
    values = set(shares.values())
    graph.edges[route]["routing_probability"] = values.pop() if len(values) == 1 else shares


CARRIED_OUT: Final[dict[str, Callable[[nx.DiGraph, Change, str], None]]] = {
    "set": _set,
    "scale": _scale,
    "add": _add,
    "close": _close,
    "reroute": _reroute,
    "move": _move,
}
"""What carries out each kind of change, on a graph of its own."""
