"""Where each service stands on the map: in columns along the flow, folded to the width."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import networkx as nx

from flownet.network.model import ServiceName


class Grid(NamedTuple):
    """Where services stand.

    Attributes
    ----------
    at : dict
        Band (a band holds some columns; later bands lie below), column in it, and row.
    columns, bands : int
        Columns of a band, and their number.
    rows : tuple of float
        Rows of each band.
    """

    at: dict[ServiceName, tuple[int, int, float]]
    columns: int
    bands: int
    rows: tuple[float, ...]


def layers(graph: nx.DiGraph, entries: list[ServiceName]) -> dict[ServiceName, int]:
    """Return the layer of each service: flows go right, except those that return.

    Edges that close a cycle in a depth-first walk from the entries are left out; the layer is
    then the longest way from a start.
    """
    forward = nx.DiGraph()
    forward.add_nodes_from(graph.nodes)
    state: dict[ServiceName, int] = {}
    for root in [*entries, *graph.nodes]:
        if root in state:
            continue
        stack = [(root, iter(graph.successors(root)))]
        state[root] = 1
        while stack:
            node, successors = stack[-1]
            for successor in successors:
                if state.get(successor) == 1:
                    continue  # it closes a cycle
                forward.add_edge(node, successor)
                if successor not in state:
                    state[successor] = 1
                    stack.append((successor, iter(graph.successors(successor))))
                    break
            else:
                state[node] = 2
                stack.pop()
    layer: dict[ServiceName, int] = {}
    for node in nx.topological_sort(forward):
        before = [layer[p] + 1 for p in forward.predecessors(node)]
        layer[node] = max(before, default=0)
    return layer


def grid(graph: nx.DiGraph, entries: list[ServiceName], width: float, narrow: float) -> Grid:
    """Return the place of each service on a map that is `width` pixels wide.

    Columns are at least `narrow` pixels apart.

    Layers with very many services take several columns; columns that do not fit side by side go
    on in a band below.
    """
    ordered = _ordered(graph, layers(graph, entries))
    fit = max(1, int(width // narrow))
    tallest = max(9, math.ceil(1.6 * math.sqrt(len(graph))))
    if len(ordered) == 1:  # nothing flows on: no need to stand in one column
        tallest = max(3, math.ceil(len(graph) / fit))
    columns: list[list[ServiceName]] = []
    for members in ordered:
        parts = math.ceil(len(members) / tallest)
        size = math.ceil(len(members) / parts)
        columns += [members[i : i + size] for i in range(0, len(members), size)]
    bands = math.ceil(len(columns) / fit)
    per_band = math.ceil(len(columns) / bands)
    at: dict[ServiceName, tuple[int, int, float]] = {}
    rows = []
    for band in range(bands):
        here = columns[band * per_band : (band + 1) * per_band]
        height = max((len(members) for members in here), default=0)
        rows.append(float(height))
        for column, members in enumerate(here):
            first = (height - len(members)) / 2
            at |= {node: (band, column, first + i) for i, node in enumerate(members)}
    return Grid(at, per_band, bands, tuple(rows))


def _ordered(graph: nx.DiGraph, layer: dict[ServiceName, int]) -> list[list[ServiceName]]:
    """Return the services of each layer, ordered so that neighbours are near."""
    rows: dict[int, list[ServiceName]] = {}
    for node in graph.nodes:
        rows.setdefault(layer[node], []).append(node)
    height = {node: float(i) for members in rows.values() for i, node in enumerate(members)}
    near = graph.to_undirected(as_view=True)
    for _ in range(6):
        for index in sorted(rows):
            middle = {node: _middle(node, near, height) for node in rows[index]}
            rows[index].sort(key=middle.__getitem__)
            offset = -(len(rows[index]) - 1) / 2
            height |= {node: offset + i for i, node in enumerate(rows[index])}
    return [rows[index] for index in sorted(rows)]


def _middle(node: ServiceName, near: Any, height: dict[ServiceName, float]) -> float:
    """Return the mean row of a service's neighbours; its own where it has none."""
    around = [height[other] for other in near[node] if other != node]
    return sum(around) / len(around) if around else height[node]
