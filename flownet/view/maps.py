"""`network_map`: the map of a system as a plotly figure."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from flownet.constraint.find import Finding
from flownet.network.model import ServiceName
from flownet.solvers.simulation import Simulation
from flownet.solvers.solution import Solution
from flownet.view.ink import BLUE, INK, SOFT, VERMILION, escaped, figure_of
from flownet.view.map import LEVELS, Arrow, Box, Map, draw, parts_of

RING = 5.0
"""Pixels between a service and the ring around it."""


def network_map(result: Finding | Solution | Simulation, *, width: int = 1180) -> go.Figure:
    """Return the map of a network: flow as width, load as color, the constraint ringed.

    Parameters
    ----------
    result : Finding, Solution or Simulation
        A finding rings the constraint and marks the symptoms.
    width : int
        Pixels, from 320 on. The layout is made for it: narrower maps are higher.

    Returns
    -------
    plotly.graph_objects.Figure
        Figures of each service and flow where the pointer rests.

    Raises
    ------
    UnconvergedError
        Where the solution did not converge.

    Examples
    --------
    >>> import flownet as fn
    >>> figure = fn.view.network_map(fn.solve(fn.example("stroke")))
    >>> len(figure.data) > 0
    True
    """
    state, finding = parts_of(result)
    drawn = draw(state, finding, float(max(width, 320)))
    shapes = [*map(_line, drawn.arrows)]
    for box in drawn.boxes:
        shapes += _frames(box, drawn)
    traces = [_tips(drawn), _flows(drawn), _services(drawn), *_tags(drawn), *_legend(drawn)]
    unit = state.network.time_unit
    return figure_of(
        traces,
        _title(state, finding),
        int(drawn.height),
        note=f"Width of an arrow: jobs per {unit}; dashed where they return. The color is the "
        "share of the servers that is held.",
        width=int(drawn.width),
        shapes=shapes,
        margin={"l": 0, "r": 0, "b": 56},
        xaxis={"visible": False, "range": [0, drawn.width], "fixedrange": True},
        yaxis={"visible": False, "range": [drawn.height, 0], "fixedrange": True},
        hoverdistance=int(drawn.box[0] / 2),
        legend={"orientation": "h", "x": 0.02, "y": 0, "yanchor": "top", "itemclick": False,
                "itemdoubleclick": False},
    )  # fmt: skip


def _title(state: Solution | Simulation, finding: Finding | None) -> str:
    """Return what the map shows, in a sentence."""
    label = state.network.label
    if finding is not None and finding.constraint is not None:
        names = _listed([label(name) for name in finding.constraint_set[:3]])
        said = f"The constraint is {names}"
        if not finding.symptoms:
            return f"{said}; the delay is seen where it is caused"
        seen = _listed([label(name) for name in finding.symptoms[:3]])
        return f"{said}; the delay that it causes is seen at {seen}"
    if state.overloaded:
        names = _listed([label(name) for name in state.overloaded[:4]])
        return f"Overloaded: the backlog grows at {names}"
    held = state.services["occupancy"].where(state.services["servers"] < float("inf"))
    if not held.notna().any():
        return "No service has a limit of servers"
    fullest: ServiceName = held.idxmax()
    return f"The fullest service is {label(fullest)}: {held.max():.0%} of its servers are held"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _line(arrow: Arrow) -> dict[str, Any]:
    dash = "dash" if arrow.back else "solid"
    line = {"color": SOFT, "width": round(arrow.width, 1), "dash": dash}
    return {"type": "path", "path": arrow.path, "line": line, "opacity": 0.5, "layer": "below"}


def _frames(box: Box, drawn: Map) -> list[dict[str, Any]]:
    """Return the rectangle of a service, and the ring where it is the constraint."""
    wide, high = drawn.box

    def rectangle(more: float, **style: Any) -> dict[str, Any]:
        return {"type": "rect", "x0": box.x - more, "y0": box.y - more, "x1": box.x + wide + more,
                "y1": box.y + high + more, "layer": "below", **style}  # fmt: skip

    frames = [rectangle(0.0, fillcolor=box.fill, line={"color": SOFT, "width": 1.2})]
    if box.constraint:
        frames.insert(0, rectangle(RING, fillcolor="#ffffff", line={"color": BLUE, "width": 4.5}))
    return frames


def _services(drawn: Map) -> go.Scatter:
    wide, high = drawn.box
    size = {"size": drawn.letters - 1}
    texts = [
        "<br>".join([*(f"<b>{escaped(line)}</b>" for line in box.lines),
                     *(escaped(line) for line in box.details)])
        for box in drawn.boxes
    ]  # fmt: skip
    return go.Scatter(
        x=[box.x + wide / 2 for box in drawn.boxes],
        y=[box.y + high / 2 for box in drawn.boxes],
        mode="markers+text",
        marker={"symbol": "square", "size": high, "opacity": 0},
        text=texts,
        textfont={**size, "color": [box.ink for box in drawn.boxes]},
        textposition="middle center",
        hovertext=["<br>".join(escaped(line) for line in box.hover) for box in drawn.boxes],
        hoverinfo="text",
        showlegend=False,
        name="services",
        cliponaxis=False,
    )


def _flows(drawn: Map) -> go.Scatter:
    return go.Scatter(
        x=[arrow.middle[0] for arrow in drawn.arrows],
        y=[arrow.middle[1] for arrow in drawn.arrows],
        mode="markers",
        marker={"size": 12, "opacity": 0},
        hovertext=[escaped(arrow.title) for arrow in drawn.arrows],
        hoverinfo="text",
        showlegend=False,
        name="flows",
    )


def _tips(drawn: Map) -> go.Scatter:
    return go.Scatter(
        x=[arrow.tip[0] for arrow in drawn.arrows],
        y=[arrow.tip[1] for arrow in drawn.arrows],
        mode="markers",
        marker={"symbol": "triangle-up", "angle": [arrow.tip[2] for arrow in drawn.arrows],
                "size": [8 + 0.5 * arrow.width for arrow in drawn.arrows], "color": SOFT,
                "opacity": 1},
        hoverinfo="skip",
        showlegend=False,
        name="tips",
    )  # fmt: skip


def _tags(drawn: Map) -> list[go.Scatter]:
    """Return the words over the boxes that are marked."""
    tags = []
    for said, color, chosen, lift in (
        ("CONSTRAINT", BLUE, [box for box in drawn.boxes if box.constraint], 15.0),
        ("▲ SYMPTOM", "#a34700", [box for box in drawn.boxes if box.symptom], 10.0),
    ):
        if chosen:
            tags.append(go.Scatter(
                x=[box.x + drawn.box[0] / 2 for box in chosen],
                y=[box.y - lift for box in chosen],
                mode="text",
                text=[f"<b>{said}</b>"] * len(chosen),
                textfont={"size": 11, "color": color},
                hoverinfo="skip",
                showlegend=False,
                name=said.lower(),
                cliponaxis=False,
            ))  # fmt: skip
    return tags


def _legend(drawn: Map) -> list[go.Scatter]:
    """Return empty traces that explain the colors in use and the marks."""
    used = {box.fill for box in drawn.boxes}
    entries: list[tuple[str, dict[str, Any]]] = [
        (text, {"symbol": "square", "size": 13, "color": fill, "line": {"color": INK, "width": 1}})
        for _, fill, _, text in LEVELS
        if fill in used
    ]
    if any(box.constraint for box in drawn.boxes):
        ring = {"symbol": "square-open", "size": 13, "color": BLUE, "line": {"width": 3}}
        entries.append(("constraint", ring))
    if any(box.symptom for box in drawn.boxes):
        mark = {"symbol": "triangle-up", "size": 11, "color": VERMILION}
        entries.append(("symptom: seen here, caused elsewhere", mark))
    return [
        go.Scatter(x=[None], y=[None], mode="markers", marker=marker, name=name, hoverinfo="skip")
        for name, marker in entries
    ]
