"""What an attribute's value is for each class: tables by class, defaults, inherited prices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import networkx as nx

from flownet.network.attributes import DEFAULT_CLASS, SERVICE, Attribute
from flownet.network.calendars import calendar_from_rows


def class_names(graph: nx.DiGraph) -> tuple[str, ...]:
    """Return the names of the job classes; one default class where none is declared."""
    return declared_classes(graph.graph)


def declared_classes(network: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the same from the attributes of the network."""
    return tuple(network.get("classes") or ()) or (DEFAULT_CLASS,)


def per_class(
    attributes: Mapping[str, Any], attribute: Attribute, classes: Sequence[str]
) -> list[Any]:
    """Return the value of `attribute` for each class, with the table's default where absent.

    A class that a table by class leaves out takes the default, except on routes, where a table of
    probabilities that leaves a class out means that the class does not go there.
    """
    value = attributes.get(attribute.name, attribute.default)
    if attribute.by_class and isinstance(value, Mapping) and not is_law(attribute, value):
        unnamed = 0.0 if attribute.kind == "probability" else attribute.default
        return [value.get(name, unnamed) for name in classes]
    return [value] * len(classes)


def is_law(attribute: Attribute, value: Mapping[str, Any]) -> bool:
    """Return whether a table is one distribution rather than a table of them by class."""
    return attribute.kind == "distribution" and "family" in value


def capacity_of(attributes: Mapping[str, Any]) -> float:
    """Return the places of a service: its capacity, or its servers and its waiting room."""
    if attributes.get("waiting_room") is not None:
        return servers_of(attributes) + float(attributes["waiting_room"])
    return float(attributes.get("capacity", math.inf))


def servers_of(attributes: Mapping[str, Any]) -> float:
    """Return the servers of a service, by a calendar their mean; unlimited for discipline delay."""
    if attributes.get("discipline") == "delay":
        return math.inf
    if attributes.get("server_calendar") is not None:
        return calendar_from_rows(attributes["server_calendar"]).mean
    return float(attributes.get("servers", 1.0))


def external_rates(attributes: Mapping[str, Any], classes: Sequence[str]) -> list[float]:
    """Return the rate of arrivals from outside of each class, by a calendar its mean."""
    rates = per_class(attributes, SERVICE["external_arrival_rate"], classes)
    calendars = per_class(attributes, SERVICE["external_arrival_calendar"], classes)
    return [
        float(rate) if rows is None else calendar_from_rows(rows).mean
        for rate, rows in zip(rates, calendars, strict=True)
    ]


State = tuple[Any, str]


def state_routes(
    graph: nx.DiGraph, probability: Attribute, to_class: Attribute
) -> Iterator[tuple[State, State, float]]:
    """Yield (from, to, probability) over the pairs (service, class) of a checked graph."""
    classes = class_names(graph)
    for start, end, data in graph.edges(data=True):
        shares = per_class(data, probability, classes)
        targets = per_class(data, to_class, classes)
        for name, share, target in zip(classes, shares, targets, strict=True):
            if share > 0:
                yield (start, name), (end, target or name), float(share)
