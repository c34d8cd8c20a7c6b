"""How times grow with the size: exponents, what is faster than linear, and a picture."""

from __future__ import annotations

import math
from itertools import groupby
from pathlib import Path

from benchmarks.registry import Measurement

LINEAR = 1.15
"""Exponents up to this count as linear: caches fill, and times on a shared machine vary."""


def series(measurements: list[Measurement]) -> dict[str, list[Measurement]]:
    """Return the measurements of each spec that was run at several sizes, once for all peers."""
    found: dict[str, list[Measurement]] = {}
    for label, group in groupby(measurements, key=lambda one: f"{one.name}, {one.phase}"):
        sizes = {one.size: one for one in group}
        if len(sizes) > 1:
            found[label] = list(sizes.values())
    return found


def exponent(group: list[Measurement]) -> float:
    """Return p where the time grows with the p-th power of the size, over the last two sizes."""
    before, last = group[-2:]
    return math.log(last.seconds / before.seconds) / math.log(last.size / before.size)


def sentences(measurements: list[Measurement]) -> list[str]:
    """Name each part whose time grows faster than linearly."""
    return [
        f"{label}: grows with the power {exponent(group):.2f} of the size "
        f"({group[-2].size} to {group[-1].size})"
        for label, group in series(measurements).items()
        if exponent(group) > LINEAR
    ]


def draw(measurements: list[Measurement], path: Path) -> None:
    """Draw times against sizes, both logarithmic, and write an HTML page or a picture."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for label, group in series(measurements).items():
        x, y = [one.size for one in group], [one.seconds for one in group]
        name = f"{label} (power {exponent(group):.2f})"
        figure.add_scatter(x=x, y=y, mode="lines+markers", name=name)
    figure.update_layout(
        title="Time against size; a slope of 1 is linear growth",
        xaxis={"type": "log", "title": "size"},
        yaxis={"type": "log", "title": "time [s]"},
        legend={"orientation": "h", "y": -0.2},
        width=1000,
        height=800,
    )
    if path.suffix == ".html":
        figure.write_html(path)
    else:
        figure.write_image(path)
