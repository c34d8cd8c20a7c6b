"""The map of a system: boxes and arrows in pixels, which `network_map` and the page draw."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from flownet.constraint.find import Finding
from flownet.display import figure
from flownet.network.model import Network, ServiceName
from flownet.solvers.simulation import Simulation
from flownet.solvers.solution import Solution
from flownet.view.layout import Grid, grid

MARGIN = 30.0
LEVELS = (
    (0.6, "#f3f6fa", "#10233d", "below 60 %"),
    (0.8, "#fdeeb4", "#10233d", "60 to 80 %"),
    (0.9, "#fbc66b", "#10233d", "80 to 90 %"),
    (0.97, "#ee8a3c", "#10233d", "90 to 97 %"),
    (math.inf, "#9c3210", "#ffffff", "97 % and more, or overloaded"),
)
"""Color of a service by the share of its servers held, light to dark: readable in gray too."""
MANY = 40
"""From so many services on, all is smaller."""
LETTER = 0.6
"""Width of a bold letter of a sans serif face, on average, in units of its height."""
COLUMNS = (
    "servers", "occupancy", "arrival_rate", "number_waiting", "number_blocked",
    "number_held_in_transfer", "number_outside", "growth_rate", "loss_rate",
)  # fmt: skip
"""What a box and its hover text say."""
NARROW, SMALL, WIDE = 128.0, 104.0, 292.0
"""Least distance of two columns in pixels, where there are many services, and largest."""


class Box(NamedTuple):
    """One service as it is drawn: its name and state, in lines that fit."""

    name: str
    title: str
    lines: tuple[str, ...]
    details: tuple[str, ...]
    hover: tuple[str, ...]
    x: float
    y: float
    fill: str
    ink: str
    constraint: bool
    symptom: bool


class Arrow(NamedTuple):
    """One flow as it is drawn; `tip` is x, y and direction in degrees from upwards, clockwise."""

    path: str
    width: float
    title: str
    back: bool
    tip: tuple[float, float, float]
    middle: tuple[float, float]


class Map(NamedTuple):
    """What is drawn; `box` is the width and height of a service, `letters` the size of names."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: float
    height: float
    box: tuple[float, float]
    letters: float


class Sizes(NamedTuple):
    """Pixels: a service, the distance of columns and rows, the top of each band."""

    width: float
    height: float
    pitch: float
    row: float
    letters: float
    lines: int
    details: int
    tops: tuple[float, ...]
    bottom: float


def parts_of(result: Finding | Solution | Simulation) -> tuple[Solution | Simulation, Any]:
    """Return the solved or simulated state of a result, and the finding where it is one."""
    return (result.solution, result) if isinstance(result, Finding) else (result, None)


def draw(
    state: Solution | Simulation, finding: Finding | None = None, width: float = 1180.0
) -> Map:
    """Return the map of a solved or simulated network, `width` pixels wide.

    Constraint and symptoms are marked where a finding is given.
    """
    network = state.network
    external = state.compilation.arrays.external_arrival_rate.sum(axis=1)
    names = list(network.services)
    entries = [name for name, rate in zip(names, external, strict=True) if rate > 0]
    small = len(names) >= MANY
    places = grid(network.graph, entries, width - 2 * MARGIN, SMALL if small else NARROW)
    longest = max((len(network.label(name)) for name in names), default=0)
    sizes = _sizes(places, width, longest, small=small)
    corner = {
        name: (
            MARGIN + 24 + column * sizes.pitch,
            sizes.tops[band] + row * sizes.row,
        )
        for name, (band, column, row) in places.at.items()
    }
    flows = _flows(state)
    largest = max([*flows.values(), float(external.max()), 1e-300])
    unit = network.time_unit
    arrows = [
        _arrow(corner[u], corner[v], places.at[u][0] == places.at[v][0], sizes, flow / largest,
               f"{network.label(u)} to {network.label(v)}: {figure(flow)} jobs per {unit}",
               over=_covered(places, u, v))
        for (u, v), flow in flows.items()
        if flow > 0
    ]  # fmt: skip
    for name, rate in zip(names, external, strict=True):
        if rate > 0:
            x, y = corner[name]
            tip = (x - 3, y + 12)
            path = f"M {x - 22:.0f} {y - 10:.0f} L {tip[0]:.0f} {tip[1]:.0f}"
            title = f"from outside to {network.label(name)}: {figure(rate)} jobs per {unit}"
            thick = min(_thickness(rate / largest), 5.0)
            middle = (x - 13.0, y + 1.0)
            arrows.append(Arrow(path, thick, title, back=False, tip=(*tip, 139.0), middle=middle))
    rows = state.services[list(COLUMNS)].to_dict("index")
    boxes = tuple(_box(state, finding, name, rows[name], corner[name], sizes) for name in names)
    return Map(
        boxes, tuple(arrows), width, sizes.bottom, (sizes.width, sizes.height), sizes.letters
    )


def _sizes(places: Grid, width: float, longest: int, *, small: bool) -> Sizes:
    """Return the sizes with which the grid fills the width."""
    pitch = min(WIDE, (width - 2 * MARGIN - 24) / places.columns)
    box = min(204.0, pitch - max(24.0, 0.26 * pitch))
    letters = 10.0 if small else 13.5 if box >= 180 else 11.5
    lines = 1 if LETTER * letters * longest <= box - 12 else 2
    details = 1 if small or box >= 180 else 2
    height = (8 if small else 14) + (letters + 3) * lines + (letters + 2) * details
    row = height + (24 if small else 46)
    tops, top = [], 40.0
    for rows in places.rows:
        tops.append(top)
        top += rows * row + (24 if places.bands > 1 else 0)
    return Sizes(box, height, pitch, row, letters, lines, details, tuple(tops), top + 12)


def _flows(state: Solution | Simulation) -> dict[tuple[ServiceName, ServiceName], float]:
    """Return jobs per T along each route, summed over classes."""
    arrays, names = state.compilation.arrays, state.compilation.services
    classes = len(state.compilation.classes)
    counts = np.diff(arrays.route_start.astype(np.int64)).astype(np.int64)
    origin = np.repeat(np.arange(counts.size), counts)
    throughput = state.service_classes["throughput"].to_numpy()
    rates = throughput[origin] * arrays.route_probability
    flows: dict[tuple[ServiceName, ServiceName], float] = {}
    for start, end, rate in zip(origin, arrays.route_to, rates, strict=True):
        pair = (names[int(start) // classes], names[int(end) // classes])
        flows[pair] = flows.get(pair, 0.0) + float(rate)
    return flows


def _covered(places: Grid, start: ServiceName, end: ServiceName) -> bool:
    """Tell whether something stands below either of two services, and nothing above them."""
    below = above = False
    for band, column, row in places.at.values():
        for name in (start, end):
            if (band, column) == places.at[name][:2]:
                below |= row > places.at[name][2]
                above |= row < places.at[name][2]
    return below and not above


def _thickness(share: float) -> float:
    return 1.2 + 8.8 * math.sqrt(max(share, 0.0))


def _arrow(
    start: tuple[float, float],
    end: tuple[float, float],
    level: bool,  # noqa: FBT001  # whether both stand in the same band
    sizes: Sizes,
    share: float,
    title: str,
    *,
    over: bool = False,
) -> Arrow:
    """Return the curve of one route.

    Forwards it leaves on the right and arrives on the left; to another band it leaves below and
    arrives above (upwards: the reverse); what returns to an earlier column swings below, or `over`
    the services.
    """
    (x0, y0), (x1, y1) = start, end
    wide, high = sizes.width, sizes.height
    back = level and x1 <= x0
    if level and not back:
        a, b = (x0 + wide, y0 + high / 2), (x1 - 4, y1 + high / 2)
        bend = (b[0] - a[0]) / 2
        first, second, turn = (a[0] + bend, a[1]), (b[0] - bend, b[1]), 90.0
    elif back and over:
        a, b = (x0 + wide * 0.85, y0), (x1 + wide * 0.15, y1 - 4)  # beside the label
        depth = min(a[1], b[1]) - min(52.0, 0.9 * (sizes.row - high) + 12)
        first, second, turn = (a[0], depth), (b[0], depth), 180.0
    elif back:
        a, b = (x0 + wide * 0.6, y0 + high), (x1 + wide * 0.4, y1 + high + 4)
        depth = max(a[1], b[1]) + min(52.0, 0.9 * (sizes.row - high) + 12)
        first, second, turn = (a[0], depth), (b[0], depth), 0.0
    elif y1 > y0:
        a, b = (x0 + wide / 2, y0 + high), (x1 + wide / 2, y1 - 4)
        bend = (b[1] - a[1]) / 2
        first, second, turn = (a[0], a[1] + bend), (b[0], b[1] - bend), 180.0
    else:
        a, b = (x0 + wide * 0.7, y0), (x1 + wide * 0.7, y1 + high + 4)
        bend = (a[1] - b[1]) / 2
        first, second, turn = (a[0], a[1] - bend), (b[0], b[1] + bend), 0.0
        back = True
    path = " ".join(
        f"{command} {' '.join(f'{value:.0f}' for point in points for value in point)}"
        for command, points in (("M", (a,)), ("C", (first, second, b)))
    )
    middle = (
        (a[0] + 3 * first[0] + 3 * second[0] + b[0]) / 8,
        (a[1] + 3 * first[1] + 3 * second[1] + b[1]) / 8,
    )
    return Arrow(path, _thickness(share), title, back, (*b, turn), middle)


def _box(
    state: Solution | Simulation,
    finding: Finding | None,
    name: ServiceName,
    row: Mapping[Any, Any],
    corner: tuple[float, float],
    sizes: Sizes,
) -> Box:
    network = state.network
    overloaded = name in state.overloaded
    held = math.inf if overloaded else float(row["occupancy"])
    fill, ink = next((f, i) for limit, f, i, _ in LEVELS if held < limit or math.isinf(limit))
    label = str(network.graph.nodes[name].get("server_label", "server"))
    servers = float(row["servers"])
    many = "s" if servers != 1 else ""
    size = "no limit" if math.isinf(servers) else f"{figure(servers)} {label}{many}"
    said = "overloaded" if overloaded else f"{float(row['occupancy']):.0%} held"
    details = (size,) if math.isinf(servers) else (size, said)
    if sizes.letters < 11 and len(details) > 1:
        details = (said.replace("held", f"of {figure(servers)}"),)
    elif sizes.details == 1:
        details = (", ".join(details),)
    return Box(
        name=str(name),
        title=network.label(name),
        lines=fitted(network.label(name), sizes.width - 12, sizes.letters, sizes.lines),
        details=tuple(
            fitted(text, sizes.width - 10, sizes.letters - 1.5, 1)[0] for text in details
        ),
        hover=_hover(network, name, row, size, said),
        x=corner[0],
        y=corner[1],
        fill=fill,
        ink=ink,
        constraint=finding is not None and name in finding.constraint_set,
        symptom=finding is not None and name in finding.symptoms,
    )


def _hover(
    network: Network, name: ServiceName, row: Mapping[Any, Any], size: str, said: str
) -> tuple[str, ...]:
    """Return the figures of a service, line by line."""
    unit = network.time_unit
    owner = network.organisation(name)
    lines = [network.label(name) + (f" ({owner})" if owner else ""), f"{size}, {said}"]
    lines.append(f"{figure(float(row['arrival_rate']))} jobs arrive per {unit}")
    for measure, text in (
        ("number_waiting", "waiting"), ("number_blocked", "blocked, waiting to leave"),
        ("number_held_in_transfer", "held in transfer"), ("number_outside", "outside"),
    ):  # fmt: skip
        if float(row[measure]) > 0:
            lines.append(f"{figure(float(row[measure]))} jobs {text}")
    if float(row["growth_rate"]) > 0:
        lines.append(f"the backlog grows by {figure(float(row['growth_rate']))} jobs per {unit}")
    if float(row["loss_rate"]) > 0:
        lines.append(f"{figure(float(row['loss_rate']))} jobs lost per {unit}")
    return tuple(lines)


def fitted(text: str, width: float, letters: float, lines: int) -> tuple[str, ...]:
    """Return a text in at most so many lines of a width in pixels; what does not fit is cut.

    Examples
    --------
    >>> fitted("Home care (pathway 1)", 90, 11.5, 2)
    ('Home care', '(pathway 1)')
    """
    plain = " ".join(text.split())
    broad = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in plain)
    room = int(width / (LETTER * letters) * len(plain) / max(broad, 1))
    kept = textwrap.wrap(plain, max(room, 4), max_lines=lines, placeholder="…")
    if kept and kept[-1] == "…" and len(kept) < lines + 1:  # one word that fills more than a line
        kept = textwrap.wrap(plain[: max(room, 4) * lines - 1] + "…", max(room, 4))[:lines]
    return tuple(kept) or ("",)
