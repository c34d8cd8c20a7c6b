"""Everything that can be wrong with a description, found at once and said in plain words."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx

from flownet.errors import Fault
from flownet.network.attributes import CLASS, NETWORK, ROUTE, SERVICE, Attribute
from flownet.network.check_places import (
    ARRIVALS,
    PLACES,
    check_arrivals,
    check_left_free,
    check_places,
)
from flownet.network.resolve import (
    State,
    capacity_of,
    class_names,
    external_rates,
    is_law,
    per_class,
    state_routes,
)
from flownet.network.values import LARGEST, fault_of, nearest, shown

ORIGINS = ("published", "estimated", "assumed")


def check_shape(graph: Any) -> list[Fault]:
    """Return what is wrong with the kind of object that is offered as a graph."""
    if not isinstance(graph, nx.Graph):
        message = "must be a networkx.DiGraph"
        return [Fault("graph", "", type(graph).__name__, message)]
    if graph.is_multigraph():
        message = "must be a networkx.DiGraph: one route a pair, with tables by class"
        return [Fault("graph", "", type(graph).__name__, message)]
    if not graph.is_directed():
        return [
            Fault("graph", "", "Graph", "must be directed (networkx.DiGraph): routes have a way")
        ]
    keys = [node if isinstance(node, str) else str(node) for node in graph.nodes]
    doubles = (
        sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
    )
    return [
        Fault(f"service '{key}'", "name", "", "two nodes have this name when written as text")
        for key in doubles
    ]


def check_graph(graph: nx.DiGraph, *, complete: bool = True) -> list[Fault]:
    """Return every fault and warning of a graph whose values went through `plain`.

    The checks of the whole (where jobs go, who can leave) run on what is right in the single
    values, and not at all where a fault (or a route that could not be read: `complete` is false)
    changes where jobs go, since they would then report its echo.
    """
    classes = _classes(graph)
    faults = check_network(graph.graph, classes)
    if len(graph) == 0:
        missing = Fault("network", "services", "", "at least one service is needed")
        return [*faults, missing] if complete else faults
    for name, data in graph.nodes(data=True):
        faults += _check_service(str(name), data, classes, graph)
    for start, end, data in graph.edges(data=True):
        faults += _check_attributes(f"route '{start}' -> '{end}'", data, ROUTE, classes)
    errors = [fault for fault in faults if fault.severity == "error"]
    if any(fault.attribute == "classes" or fault.where.startswith("class ") for fault in errors):
        return faults
    right = _without_faulty(graph, errors) if errors else graph
    more = [
        *_check_probabilities(right),
        *_check_to_class(right, classes),
        *check_left_free(right, classes),
    ]
    faults += more
    touched = {fault.attribute.partition(".")[0] for fault in [*errors, *more]}
    if complete and not touched & _WAYS:
        flows = _check_flows(right)
        faults += [fault for fault in flows if fault not in faults]
        faults += _check_deadlock(right)
    return faults


_WAYS = {
    "external_arrival_rate", "external_arrival_calendar", "routing_probability", "to_class",
    "overflow_to", "when_full", "external_when_full", "patience",
}  # fmt: skip
"""Attributes that decide where jobs go."""


def _without_faulty(graph: nx.DiGraph, errors: Sequence[Fault]) -> nx.DiGraph:
    """Return a copy of the graph without the attributes that are at fault."""
    faulty: dict[str, set[str]] = defaultdict(set)
    for fault in errors:
        faulty[fault.where].add(fault.attribute.partition(".")[0])
    copy = nx.DiGraph(**graph.graph)
    for name, data in graph.nodes(data=True):
        wrong = faulty[f"service '{name}'"]
        copy.add_node(name, **{key: value for key, value in data.items() if key not in wrong})
    for start, end, data in graph.edges(data=True):
        wrong = faulty[f"route '{start}' -> '{end}'"]
        copy.add_edge(start, end, **{k: v for k, v in data.items() if k not in wrong})
    return copy


def _classes(graph: nx.DiGraph) -> tuple[str, ...]:
    declared = graph.graph.get("classes")
    return class_names(graph) if declared is None or isinstance(declared, Mapping) else ("all",)


def check_network(attributes: Mapping[str, Any], classes: Sequence[str]) -> list[Fault]:
    """Return what is wrong with the attributes of the network itself and with its classes."""
    own = {k: v for k, v in attributes.items() if k != "classes"}
    faults = _check_attributes("network", own, NETWORK, classes)
    declared = attributes.get("classes")
    if declared is None:
        return faults
    if not isinstance(declared, Mapping):
        return [*faults, Fault("network", "classes", shown(declared), "must be a table of tables")]
    for name, data in declared.items():
        where = f"class '{name}'"
        if not isinstance(name, str) or not name:
            faults.append(Fault(where, "name", shown(name), "must be a text"))
        elif not isinstance(data, Mapping):
            faults.append(Fault(where, "", shown(data), "must be a table (it may be empty)"))
        else:
            faults += _check_attributes(where, data, CLASS, classes)
    return faults


def _check_attributes(
    where: str, data: Mapping[str, Any], table: Mapping[str, Attribute], classes: Sequence[str]
) -> list[Fault]:
    """Check each value of `data` against its row of the table, and that what is needed is there."""
    faults = []
    for name, value in data.items():
        attribute = table.get(name)
        if attribute is None:
            known = f"is not an attribute here{nearest(name, table)}"
            faults.append(Fault(where, str(name), shown(value), known))
        elif attribute.kind == "table":
            faults += _check_side_table(where, name, value, table, classes)
        elif attribute.by_class and isinstance(value, Mapping) and not is_law(attribute, value):
            faults += _check_by_class(where, attribute, value, classes)
        else:
            message = fault_of(attribute, value)
            if message:
                faults.append(Fault(where, name, shown(value), message))
    for name, attribute in table.items():
        if attribute.required and name != "name" and name not in data:
            faults.append(Fault(where, name, "", f"is missing: must be {attribute.allowed}"))
    return faults


def _check_by_class(
    where: str, attribute: Attribute, value: Mapping[str, Any], classes: Sequence[str]
) -> list[Fault]:
    faults = []
    if not value:
        message = "a table by class must name at least one class"
        faults.append(Fault(where, attribute.name, "{}", message))
    for job_class, item in value.items():
        if job_class not in classes:
            hint = nearest(job_class, classes)
            message = f"class {shown(job_class)} is not declared in [classes]{hint}"
            faults.append(Fault(where, attribute.name, shown(value), message))
            continue
        message = fault_of(attribute, item)
        if message:
            faults.append(Fault(where, f"{attribute.name}.{job_class}", shown(item), message))
    return faults


def _check_side_table(
    where: str, name: str, value: Any, table: Mapping[str, Attribute], classes: Sequence[str]
) -> list[Fault]:
    """Check ``origin`` and ``standard_error``, which are keyed by attribute."""
    if not isinstance(value, Mapping):
        return [Fault(where, name, shown(value), "must be a table keyed by attribute")]
    faults = []
    for key, item in value.items():
        attribute = table.get(key)
        if attribute is None or attribute.kind == "table":
            message = f"{shown(key)} is not an attribute here{nearest(key, table)}"
            faults.append(Fault(where, name, shown(item), message))
            continue
        if name == "origin":
            right = isinstance(item, str) and item.split(":")[0].strip().lower() in ORIGINS
            message = "must be a text that begins with published, estimated or assumed"
        else:
            numbers = list(item.values()) if isinstance(item, Mapping) else [item]
            right = bool(numbers) and all(_is_error(number) for number in numbers)
            right = right and not (isinstance(item, Mapping) and set(item) - set(classes))
            message = "must be a finite number at least 0, or a table of them by class"
        if not right:
            faults.append(Fault(where, f"{name}.{key}", shown(item), message))
    return faults


def _is_error(number: Any) -> bool:
    numeric = isinstance(number, (int, float)) and not isinstance(number, bool)
    return numeric and 0 <= number <= LARGEST


def _check_service(
    name: str, data: Mapping[str, Any], classes: Sequence[str], graph: nx.DiGraph
) -> list[Fault]:
    where = f"service '{name}'"
    faults = _check_attributes(where, data, SERVICE, classes)
    if not name.strip() or len(name) > 200 or not name.isprintable():
        faults.append(
            Fault(where, "name", shown(name), "must be a printable text of 1 to 200 letters")
        )
    if "service_time" in data and "service_distribution" in data:
        message = "stands beside service_time: give one of the two"
        faults.append(Fault(where, "service_distribution", "", message))
    if "service_scv" in data and "service_distribution" in data:
        message = "stands beside service_scv, which it already tells: give one of the two"
        faults.append(Fault(where, "service_distribution", "", message))
    if "service_time" not in data and "service_distribution" not in data:
        message = f"is missing: must be {SERVICE['service_time'].allowed}"
        faults.append(Fault(where, "service_time", "", message))
    wrong = {fault.attribute.partition(".")[0] for fault in faults}
    if not wrong & ARRIVALS:
        faults += check_arrivals(where, data, classes)
    if not wrong & PLACES:
        faults += check_places(where, data)
    for attribute in ("when_full", "external_when_full"):
        if data.get(attribute) == "overflow" and not data.get("overflow_to"):
            message = "needs overflow_to, the service that takes the overflow"
            faults.append(Fault(where, attribute, "'overflow'", message))
    target = data.get("overflow_to")
    if isinstance(target, str) and target and (target not in graph or target == name):
        reason = "must be another service" if target == name else "is not a service"
        faults.append(
            Fault(where, "overflow_to", shown(target), reason + nearest(target, graph.nodes))
        )
    return faults


def _check_probabilities(graph: nx.DiGraph) -> list[Fault]:
    """Check that no class leaves a service with more than certainty."""
    classes = class_names(graph)
    faults = []
    for name in graph.nodes:
        totals = [0.0] * len(classes)
        for _, _, data in graph.out_edges(name, data=True):
            shares = per_class(data, ROUTE["routing_probability"], classes)
            totals = [total + float(share) for total, share in zip(totals, shares, strict=True)]
        wrong = {c: t for c, t in zip(classes, totals, strict=True) if t > 1 + 1e-9}
        if len(wrong) == len(classes):
            wrong = {"": max(totals)}
        for job_class, total in wrong.items():
            whose = f" of class '{job_class}'" if job_class else ""
            message = f"the routes that leave{whose} add up to {total:.6g}: at most 1 is possible"
            faults.append(
                Fault(f"service '{name}'", "routing_probability", f"{total:.6g}", message)
            )
    return faults


def _check_to_class(graph: nx.DiGraph, classes: Sequence[str]) -> list[Fault]:
    faults = []
    for start, end, data in graph.edges(data=True):
        for target in set(per_class(data, ROUTE["to_class"], classes)) - {None}:
            if target not in classes:
                message = f"is not a class{nearest(target, classes)}"
                faults.append(
                    Fault(f"route '{start}' -> '{end}'", "to_class", shown(target), message)
                )
    return faults


def _check_flows(graph: nx.DiGraph) -> list[Fault]:
    """Check that jobs arrive, reach every service, find a service time there, and can leave."""
    classes = class_names(graph)
    entries = {
        (name, job_class)
        for name, data in graph.nodes(data=True)
        for job_class, rate in zip(classes, external_rates(data, classes), strict=True)
        if rate > 0
    }
    if not entries:
        message = (
            "no jobs arrive: at least one service needs an external_arrival_rate (or an "
            "external_arrival_calendar) above 0"
        )
        return [Fault("network", "external_arrival_rate", "", message)]
    onward: dict[State, list[State]] = defaultdict(list)
    backward: dict[State, list[State]] = defaultdict(list)
    leaving: dict[State, float] = defaultdict(lambda: 1.0)
    for start, end, share in state_routes(graph, ROUTE["routing_probability"], ROUTE["to_class"]):
        onward[start].append(end)
        backward[end].append(start)
        leaving[start] -= share
    reached = _closure(entries, _with_overflow(graph, classes, onward))
    exits = {
        state for state in reached if leaving[state] > 1e-9 or _can_give_up(graph, state, classes)
    }
    escaping = _closure(exits, backward)
    return [
        *_unreached(graph, reached, classes),
        *_untimed(graph, reached, classes),
        *_trapped(reached - escaping, onward),
    ]


def _with_overflow(
    graph: nx.DiGraph, classes: Sequence[str], onward: Mapping[State, list[State]]
) -> dict[State, list[State]]:
    """Return the ways that jobs can go, overflow included."""
    ways = {state: list(ends) for state, ends in onward.items()}
    for name, data in graph.nodes(data=True):
        if "overflow" in {data.get("when_full"), data.get("external_when_full")}:
            for job_class in classes:
                ways.setdefault((name, job_class), []).append((data["overflow_to"], job_class))
    return ways


def _closure(start: set[State], ways: Mapping[State, Sequence[State]]) -> set[State]:
    """Return all that can be reached from `start`."""
    found, stack = set(start), list(start)
    while stack:
        for state in ways.get(stack.pop(), ()):
            if state not in found:
                found.add(state)
                stack.append(state)
    return found


def _can_give_up(graph: nx.DiGraph, state: State, classes: Sequence[str]) -> bool:
    """Return whether a job can leave the network from a state other than by a route's remainder."""
    name, job_class = state
    data = graph.nodes[name]
    patience = per_class(data, SERVICE["patience"], classes)[list(classes).index(job_class)]
    full = math.isfinite(capacity_of(data)) and data.get("when_full") == "lost"
    return math.isfinite(patience) or full


def _unreached(graph: nx.DiGraph, reached: set[State], classes: Sequence[str]) -> list[Fault]:
    message = (
        "nothing reaches it: it needs an external_arrival_rate or a route from a service in use"
    )
    return [
        Fault(f"service '{name}'", "", "", message)
        for name in graph.nodes
        if not any((name, job_class) in reached for job_class in classes)
    ]


def _untimed(graph: nx.DiGraph, reached: set[State], classes: Sequence[str]) -> list[Fault]:
    faults = []
    for name, data in graph.nodes(data=True):
        times = per_class(data, SERVICE["service_time"], classes)
        laws = per_class(data, SERVICE["service_distribution"], classes)
        for job_class, time, law in zip(classes, times, laws, strict=True):
            given = "service_time" in data or "service_distribution" in data
            if time is None and law is None and given and (name, job_class) in reached:
                attribute = (
                    "service_distribution" if "service_distribution" in data else "service_time"
                )
                message = f"class '{job_class}' comes here but the table does not name it"
                faults.append(Fault(f"service '{name}'", attribute, "", message))
    return faults


def _trapped(states: set[State], onward: Mapping[State, Sequence[State]]) -> list[Fault]:
    """Return the traps: sets of states that lead to each other and nowhere else."""
    ways = nx.DiGraph((state, end) for state in states for end in onward[state])
    by_class: dict[str, set[str]] = defaultdict(set)
    for trap in nx.attracting_components(ways):
        for name, job_class in trap:
            by_class[job_class].add(str(name))
    return [
        Fault(
            f"class '{job_class}'",
            "routing_probability",
            "",
            "never leaves once it is among "
            + ", ".join(f"'{name}'" for name in sorted(names))
            + ": at least one of them needs routes that add up to less than 1",
        )
        for job_class, names in sorted(by_class.items())
    ]


def _check_deadlock(graph: nx.DiGraph) -> list[Fault]:
    """Warn of cycles of services that can all be full with jobs waiting for each other."""
    blocking = [
        name
        for name, data in graph.nodes(data=True)
        if math.isfinite(capacity_of(data))
        and data.get("when_full", "blocked_after_service") == "blocked_after_service"
    ]
    ways = nx.DiGraph()
    ways.add_nodes_from(blocking)
    routes = state_routes(graph, ROUTE["routing_probability"], ROUTE["to_class"])
    ways.add_edges_from((u, v) for (u, _), (v, _), _ in routes if u in ways and v in ways)
    message = (
        "can all be full with jobs that wait for each other (deadlock); solved as if such jobs "
        "change places at once"
    )
    cycles = [cycle for cycle in nx.strongly_connected_components(ways) if len(cycle) > 1]
    named = [", ".join(f"'{name}'" for name in sorted(map(str, cycle))) for cycle in cycles]
    return [Fault(f"services {names}", "when_full", "", message, "warning") for names in named]
