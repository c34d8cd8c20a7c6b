"""Servers, places and arrivals of one service, checked against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import networkx as nx

from flownet.errors import Fault
from flownet.network.attributes import ROUTE, SERVICE
from flownet.network.calendars import calendar_from_rows
from flownet.network.resolve import capacity_of, per_class, servers_of
from flownet.network.values import shown

ARRIVALS: Final = {"external_arrival_rate", "external_arrival_calendar"}
PLACES: Final = {
    "servers", "server_calendar", "capacity", "waiting_room", "discipline", "min_servers",
    "max_servers",
}  # fmt: skip
"""Attributes that are checked against each other once each is right."""


def check_places(where: str, data: Mapping[str, Any]) -> list[Fault]:
    """Check servers, capacity, waiting room and the bounds against each other."""
    if data.get("server_calendar") is not None:
        return _check_server_calendar(where, data)
    faults = []
    servers = servers_of(data)
    if data.get("discipline") == "delay" and math.isfinite(data.get("servers", math.inf)):
        message = "with discipline 'delay' nobody waits: leave servers out, or write 'inf'"
        faults.append(Fault(where, "servers", shown(data["servers"]), message))
    if "capacity" in data and "waiting_room" in data:
        message = "stands beside capacity: give one of the two (capacity = servers + waiting_room)"
        faults.append(Fault(where, "waiting_room", shown(data["waiting_room"]), message))
    elif capacity_of(data) < servers:
        message = f"must be at least servers ({servers:g}): it counts waiting and in service"
        faults.append(Fault(where, "capacity", shown(data["capacity"]), message))
    low, high = data.get("min_servers", 0.0), data.get("max_servers", math.inf)
    if low > high:
        message = f"must not be above max_servers ({high:g})"
        faults.append(Fault(where, "min_servers", shown(low), message))
    elif not low <= servers <= high and math.isfinite(servers):
        message = f"lies outside min_servers ({low:g}) and max_servers ({high:g})"
        faults.append(Fault(where, "servers", shown(servers), message, "warning"))
    return faults


def _check_server_calendar(where: str, data: Mapping[str, Any]) -> list[Fault]:
    """Check servers by calendar against the other attributes of places."""
    faults = []
    rows = data["server_calendar"]
    values = calendar_from_rows(rows).values
    if "servers" in data:
        message = "stands beside servers: give one of the two"
        faults.append(Fault(where, "server_calendar", shown(rows), message))
    if max(values) == 0:
        message = "has no servers at any time: at least one row needs a value above 0"
        faults.append(Fault(where, "server_calendar", shown(rows), message))
    if data.get("discipline") == "delay":
        message = "with discipline 'delay' nobody waits for a server: leave the calendar out"
        faults.append(Fault(where, "server_calendar", shown(rows), message))
    if "capacity" in data and "waiting_room" in data:
        message = "stands beside capacity: give one of the two (capacity = servers + waiting_room)"
        faults.append(Fault(where, "waiting_room", shown(data["waiting_room"]), message))
    elif data.get("capacity", math.inf) < max(values):
        message = f"must be at least the most servers of server_calendar ({max(values):g})"
        faults.append(Fault(where, "capacity", shown(data["capacity"]), message))
    low, high = data.get("min_servers", 0.0), data.get("max_servers", math.inf)
    if low > high:
        message = f"must not be above max_servers ({high:g})"
        faults.append(Fault(where, "min_servers", shown(low), message))
    return faults


def check_left_free(graph: nx.DiGraph, classes: Sequence[str]) -> list[Fault]:
    """Check that every stream leaves fewer places free than there are: else it never enters."""
    cells = [
        (f"service '{name}'", SERVICE["external_places_left_free"], data, name)
        for name, data in graph.nodes(data=True)
    ]
    cells += [
        (f"route '{start}' -> '{end}'", ROUTE["places_left_free"], data, end)
        for start, end, data in graph.edges(data=True)
    ]
    faults = []
    for where, attribute, data, target in cells:
        if attribute.name not in data:
            continue
        most, places = max(per_class(data, attribute, classes)), capacity_of(graph.nodes[target])
        if most > 0 and most >= places:
            message = f"must be below the capacity of '{target}' ({places:g}): nobody would enter"
            faults.append(Fault(where, attribute.name, shown(data[attribute.name]), message))
    return faults


def check_arrivals(where: str, data: Mapping[str, Any], classes: Sequence[str]) -> list[Fault]:
    """Check that no class has both a rate and a calendar of its arrivals."""
    if "external_arrival_rate" not in data or "external_arrival_calendar" not in data:
        return []
    both = [
        name
        for name, rate, rows in zip(
            classes,
            per_class(data, SERVICE["external_arrival_rate"], classes),
            per_class(data, SERVICE["external_arrival_calendar"], classes),
            strict=True,
        )
        if rows is not None and (rate or not isinstance(data["external_arrival_rate"], Mapping))
    ]
    if not both:
        return []
    whose = "" if len(both) == len(classes) else f" for class {', '.join(map(repr, both))}"
    message = f"stands beside external_arrival_rate{whose}: give one of the two"
    value = shown(data["external_arrival_calendar"])
    return [Fault(where, "external_arrival_calendar", value, message)]
