"""The map of a system: where each service stands and what is drawn between them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import networkx as nx
import numpy as np

from flownet.display import figure

if TYPE_CHECKING:
    from flownet.constraint.find import Finding
    from flownet.network.model import ServiceName
    from flownet.solvers.solution import Solution

WIDTH, HEIGHT = 204, 62
COLUMN, ROW = 292, 104
MARGIN = 56
LEVELS = (
    (0.6, "#f3f6fa", "#10233d", "below 60 %"),
    (0.8, "#fdeeb4", "#10233d", "60 to 80 %"),
    (0.9, "#fbc66b", "#10233d", "80 to 90 %"),
    (0.97, "#ee8a3c", "#10233d", "90 to 97 %"),
    (math.inf, "#9c3210", "#ffffff", "97 % and more, or overloaded"),
)
"""Colour of a service by the share of its servers held, light to dark: readable in grey too."""


class Box(NamedTuple):
    """One service as it is drawn."""

    name: str
    title: str
    detail: str
    x: float
    y: float
    fill: str
    ink: str
    constraint: bool
    symptom: bool


class Arrow(NamedTuple):
    """One flow as it is drawn."""

    path: str
    width: float
    title: str
    back: bool


class Map(NamedTuple):
    """What the page draws."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: float
    height: float


def layers(graph: nx.DiGraph, entries: list[ServiceName]) -> dict[ServiceName, int]:
    """Return the column of each service: flows go right, except those that return.

    Edges that close a cycle in a depth-first walk from the entries are left out; the column is
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
    column: dict[ServiceName, int] = {}
    for node in nx.topological_sort(forward):
        before = [column[p] + 1 for p in forward.predecessors(node)]
        column[node] = max(before, default=0)
    return column


def places(
    graph: nx.DiGraph, column: dict[ServiceName, int]
) -> dict[ServiceName, tuple[int, float]]:
    """Return column and row of each service; rows are ordered to keep neighbours near."""
    rows: dict[int, list[ServiceName]] = {}
    for node in graph.nodes:
        rows.setdefault(column[node], []).append(node)
    height = {node: float(i) for members in rows.values() for i, node in enumerate(members)}
    near = graph.to_undirected(as_view=True)
    for _ in range(6):
        for index in sorted(rows):
            middle = {node: _middle(node, near, height) for node in rows[index]}
            rows[index].sort(key=middle.__getitem__)
            offset = -(len(rows[index]) - 1) / 2
            height |= {node: offset + i for i, node in enumerate(rows[index])}
    lowest = min(height.values())
    return {node: (column[node], height[node] - lowest) for node in graph.nodes}


def _middle(node: ServiceName, near: Any, height: dict[ServiceName, float]) -> float:
    """Return the mean row of a service's neighbours; its own where it has none."""
    around = [height[other] for other in near[node] if other != node]
    return sum(around) / len(around) if around else height[node]


def draw(solution: Solution, finding: Finding | None) -> Map:
    """Return the map of a solved network, with constraint and symptoms where a finding is given."""
    network = solution.network
    graph = network.graph
    arrays = solution.compilation.arrays
    external = arrays.external_arrival_rate.sum(axis=1)
    names = list(network.services)
    entries = [name for name, rate in zip(names, external, strict=True) if rate > 0]
    at = places(graph, layers(graph, entries))
    corner = {
        name: (MARGIN + column * COLUMN, MARGIN + row * ROW) for name, (column, row) in at.items()
    }
    flows = _flows(solution)
    largest = max([*flows.values(), float(external.max()), 1e-300])
    unit = network.time_unit
    arrows = [
        _arrow(corner[u], corner[v], flow / largest,
               f"{network.label(u)} to {network.label(v)}: {figure(flow)} jobs per {unit}")
        for (u, v), flow in flows.items()
        if flow > 0
    ]  # fmt: skip
    for name, rate in zip(names, external, strict=True):
        if rate > 0:
            x, y = corner[name]
            path = f"M {x - 40:.0f} {y - 22:.0f} L {x - 5:.0f} {y + 8:.0f}"
            title = f"from outside to {network.label(name)}: {figure(rate)} jobs per {unit}"
            arrows.append(Arrow(path, _thickness(rate / largest), title, back=False))
    boxes = tuple(_box(solution, finding, name, corner[name]) for name in names)
    right = max(x for x, _ in corner.values()) + WIDTH + MARGIN
    low = max(y for _, y in corner.values()) + HEIGHT + MARGIN
    return Map(boxes, tuple(arrows), right, low + (40 if any(a.back for a in arrows) else 0))


def _flows(solution: Solution) -> dict[tuple[ServiceName, ServiceName], float]:
    """Return jobs per T along each route, summed over classes."""
    arrays, names = solution.compilation.arrays, solution.compilation.services
    classes = len(solution.compilation.classes)
    counts = np.diff(arrays.route_start.astype(np.int64)).astype(np.int64)
    origin = np.repeat(np.arange(counts.size), counts)
    rates = solution.measures.throughput.ravel()[origin] * arrays.route_probability
    flows: dict[tuple[ServiceName, ServiceName], float] = {}
    for start, end, rate in zip(origin, arrays.route_to, rates, strict=True):
        pair = (names[int(start) // classes], names[int(end) // classes])
        flows[pair] = flows.get(pair, 0.0) + float(rate)
    return flows


def _thickness(share: float) -> float:
    return 1.2 + 8.8 * math.sqrt(max(share, 0.0))


def _arrow(start: tuple[float, float], end: tuple[float, float], share: float, title: str) -> Arrow:
    """Return the curve of one route; what returns to an earlier column swings below."""
    (x0, y0), (x1, y1) = start, end
    width = _thickness(share)
    if x1 > x0:
        a, b = (x0 + WIDTH, y0 + HEIGHT / 2), (x1 - 6, y1 + HEIGHT / 2)
        bend = (b[0] - a[0]) / 2
        path = (
            f"M {a[0]:.0f} {a[1]:.0f} C {a[0] + bend:.0f} {a[1]:.0f} "
            f"{b[0] - bend:.0f} {b[1]:.0f} {b[0]:.0f} {b[1]:.0f}"
        )
        return Arrow(path, width, title, back=False)
    a, b = (x0 + WIDTH * 0.6, y0 + HEIGHT), (x1 + WIDTH * 0.4, y1 + HEIGHT + 6)
    depth = max(a[1], b[1]) + 52
    path = (
        f"M {a[0]:.0f} {a[1]:.0f} C {a[0]:.0f} {depth:.0f} {b[0]:.0f} {depth:.0f} "
        f"{b[0]:.0f} {b[1]:.0f}"
    )
    return Arrow(path, width, title, back=True)


def _box(
    solution: Solution, finding: Finding | None, name: ServiceName, corner: tuple[float, float]
) -> Box:
    row: Any = solution.services.loc[name]
    network = solution.network
    overloaded = name in solution.overloaded
    held = math.inf if overloaded else float(row["occupancy"])
    fill, ink = next((f, i) for limit, f, i, _ in LEVELS if held < limit or math.isinf(limit))
    label = str(network.graph.nodes[name].get("server_label", "server"))
    servers = float(row["servers"])
    many = "s" if servers != 1 else ""
    size = "no limit" if math.isinf(servers) else f"{figure(servers)} {label}{many}"
    state = "overloaded" if overloaded else f"{float(row['occupancy']):.0%} held"
    detail = size if math.isinf(servers) else f"{size}, {state}"
    return Box(
        name=str(name),
        title=network.label(name),
        detail=detail,
        x=corner[0],
        y=corner[1],
        fill=fill,
        ink=ink,
        constraint=finding is not None and name in finding.constraint_set,
        symptom=finding is not None and name in finding.symptoms,
    )
