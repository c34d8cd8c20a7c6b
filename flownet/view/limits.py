"""How far relief goes, and which service saturates at which mix of classes."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from flownet.constraint.regions import SaturationRegions
from flownet.constraint.stages import ConstraintPath
from flownet.display import figure
from flownet.errors import Fault, ParameterError
from flownet.view.ink import DASHES, LEGEND, SERIES, cut, figure_of, shown, with_unit

UNITS = {"delay": "job", "growth": "job/T", "throughput": "job/T", "cost": "money/T"}
"""T is the network's time unit, which a path does not know."""


def relief_curve(path: ConstraintPath) -> go.Figure:
    """Return what each further server gains as one constraint after the other is relieved.

    Parameters
    ----------
    path : ConstraintPath
        As `flownet.constraint_path` returns it.

    Returns
    -------
    plotly.graph_objects.Figure
        The goal (where a backlog grows at first: its growth) against the servers added.

    Raises
    ------
    ParameterError
        Where there is no constraint to relieve.
    """
    curve = path.curve
    if len(curve) < 2:
        message = f"has no server to add: {path.ended}"
        raise ParameterError([Fault("relief_curve", "path", path.goal, message)])
    growing = bool((curve["growth"] > 0).any())
    measure = "growth" if growing else "goal"
    x, y = curve["total_added"].to_numpy(dtype=float), curve[measure].to_numpy(dtype=float)
    names = curve["service"].tolist()
    traces, seen = [], []
    for k in range(1, len(curve)):
        name = str(names[k])
        if name not in seen:
            seen.append(name)
        place = seen.index(name)
        traces.append(go.Scatter(
            x=x[k - 1 : k + 1], y=y[k - 1 : k + 1], mode="lines+markers", name=shown(name),
            legendgroup=name, showlegend=name not in [str(n) for n in names[1:k]],
            line={"color": SERIES[place % len(SERIES)], "width": 2.5,
                  "dash": DASHES[place % len(DASHES)]},
            hovertemplate=f"%{{x}} servers more: %{{y:.4g}}<extra>one more at {shown(name)}"
                          "</extra>",
        ))  # fmt: skip
    word = "growth of the backlog" if growing else path.goal.replace("_", " ")
    order = [cut(row, 40) for row in path.stages["constraint"]]
    title = (
        f"Relieving {', then '.join(order[:3])} takes {word} from {figure(y[0])} to "
        f"{figure(y[-1])} with {x[-1]:g} servers more"
    )
    drawn = figure_of(traces, title, 340, legend=LEGEND, note=f"It ends because {path.ended}.")
    drawn.update_xaxes(title={"text": "servers added, each at the constraint of the moment"})
    unit = UNITS["growth" if growing else path.goal]
    drawn.update_yaxes(title={"text": with_unit(word, unit)}, rangemode="tozero")
    return drawn


def saturation_map(regions: SaturationRegions) -> go.Figure:
    """Return which service saturates first at which mix of two or three classes.

    Parameters
    ----------
    regions : SaturationRegions
        As `flownet.saturation_regions` returns them.

    Returns
    -------
    plotly.graph_objects.Figure
        A line of shares for two classes, a triangle for three.

    Raises
    ------
    ParameterError
        For one class, or more than three, which no plane holds; or where nothing saturates.
    """
    if len(regions.classes) not in {2, 3} or not regions.regions:
        message = "can be drawn for two or three classes that some service limits"
        value = ", ".join(regions.classes)
        raise ParameterError([Fault("saturation_map", "classes", value, message)])
    widest = regions.table["share_of_mixes"].astype(float).idxmax()
    share = float(regions.table.loc[widest, "share_of_mixes"])
    title = f"{cut(widest, 60)} saturates first at {share:.0%} of all mixes of the classes"
    pair = len(regions.classes) == 2
    traces = [
        _strip(name, corners, k) if pair else _field(name, corners, k)
        for k, (name, corners) in enumerate(regions.regions.items())
    ]
    if pair:
        drawn = figure_of(traces, title, 130, legend=LEGEND, barmode="stack", bargap=0.3)
        first = shown(regions.classes[0], 30)
        drawn.update_xaxes(
            title={"text": f"share of class {first}"}, tickformat=".0%", range=[0, 1]
        )
        drawn.update_yaxes(visible=False)
        return drawn
    axes = {
        f"{axis}axis": {"title": {"text": shown(name, 24)}, "tickformat": ".0%",
                        "tickvals": [0.2, 0.4, 0.6, 0.8]}
        for axis, name in zip("abc", regions.classes, strict=True)
    }  # fmt: skip
    return figure_of(
        traces, title, 480, legend=LEGEND, margin={"t": 100}, ternary={"sum": 1, **axes}
    )


def _strip(name: object, corners: np.ndarray, k: int) -> go.Bar:
    """Return the stretch of shares at which a service saturates first."""
    low, high = float(corners[:, 0].min()), float(corners[:, 0].max())
    return go.Bar(
        x=[high - low], base=[low], y=[0], orientation="h", name=shown(name),
        marker={"color": SERIES[k % len(SERIES)], "pattern": {"shape": _pattern(k)}},
        hovertemplate=f"{shown(name)}: {low:.1%} to {high:.1%}<extra></extra>",
        text=shown(name, 20), textposition="inside", insidetextanchor="middle",
        constraintext="inside",
    )  # fmt: skip


def _field(name: object, corners: np.ndarray, k: int) -> go.Scatterternary:
    """Return the part of the triangle at which a service saturates first."""
    around = np.vstack([corners, corners[:1]])
    return go.Scatterternary(
        a=around[:, 0], b=around[:, 1], c=around[:, 2], mode="lines", fill="toself",
        name=shown(name), line={"color": SERIES[k % len(SERIES)], "width": 2.5,
                                "dash": DASHES[k % len(DASHES)]},
        hoverinfo="name",
    )  # fmt: skip


def _pattern(k: int) -> str:
    return ("", "/", ".", "x", "\\", "-")[k % 6]
