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
    """Draw times against sizes, both logarithmic, and write an HTML page or a picture.

    A panel for each thing that sizes count; dashed in the same color stands the peer.
    """
    from plotly.colors import qualitative
    from plotly.subplots import make_subplots

    found = series(measurements)
    panels = list(dict.fromkeys(group[0].size_name for group in found.values()))
    figure = make_subplots(rows=1, cols=max(len(panels), 1), shared_yaxes=True)
    for number, (label, group) in enumerate(found.items()):
        color = qualitative.D3[number % len(qualitative.D3)]
        peers = [one for one in group if one.peer_seconds is not None]
        name = f"{label} (power {exponent(group):.2f})"
        lines = [(name, group, [one.seconds for one in group], "solid")]
        if len(peers) > 1:
            times = [float(one.peer_seconds or 0.0) for one in peers]
            lines.append((f"  {peers[0].peer}", peers, times, "dash"))
        for words, ones, seconds, dash in lines:
            figure.add_scatter(
                x=[one.size for one in ones], y=seconds, mode="lines+markers", name=words,
                line={"color": color, "dash": dash}, row=1,
                col=panels.index(group[0].size_name) + 1,
            )  # fmt: skip
    for column, panel in enumerate(panels, 1):
        sizes = sorted({one.size for one in measurements if one.size_name == panel})
        figure.update_xaxes(type="log", title=panel, tickvals=sizes, row=1, col=column)
    figure.update_yaxes(type="log", dtick=1, matches="y")
    figure.update_yaxes(title="time [s]", row=1, col=1)
    figure.update_layout(
        title="Time against size; a slope of 1 is linear growth",
        template="plotly_white",
        legend={"orientation": "h", "y": -0.15},
        width=600 + 400 * max(len(panels), 1),
        height=800,
    )
    if path.suffix == ".html":
        figure.write_html(path)
    else:
        figure.write_image(path)
