"""Two goals against each other: what is worth considering, and what is beaten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from flownet.allocate.pareto import ParetoFront
from flownet.display import figure
from flownet.errors import Fault, ParameterError
from flownet.study.ranking import Front, Objective
from flownet.view.ink import BLUE, INK, LEGEND, PALE, figure_of, plural, shown, with_unit

HIGH, BROAD = 380.0, 620.0
"""Pixels of the plot, the width as it is in a figure of 800."""
LETTER = 7.2
"""Pixels of a letter of a label."""


def frontier(front: Front | ParetoFront, names: Mapping[Any, str] | None = None) -> go.Figure:
    """Return two goals against each other, with the front of what is not beaten.

    Parameters
    ----------
    front : Front or ParetoFront
        Of a study or a sweep, ``result.pareto("cost_capacity", "delay")``; or of plans,
        `flownet.pareto`.
    names : mapping, optional
        What points are called, by the row of the front's table; by default as the row is.

    Returns
    -------
    plotly.graph_objects.Figure
        The front's points carry names where there is room; all do at the pointer.

    Raises
    ------
    ParameterError
        Where nothing has finite values in both goals.
    """
    if isinstance(front, ParetoFront):
        names = names or _plan_names(front)
        front = _of_plans(front)
    first, second = front.goals
    x, y = first.name, second.name
    table = front.table[np.isfinite(front.table[[x, y]].to_numpy(dtype=float)).all(axis=1)]
    table = table.set_axis([str((names or {}).get(key, key)) for key in table.index], axis=0)
    best = table[table["on_front"].astype(bool)]
    if best.empty:
        message = "nothing has finite values in both goals"
        raise ParameterError([Fault("frontier", f"{x}, {y}", "", message)])
    best = best.sort_values(x, ascending=first.better == "smaller", kind="stable")
    rest = table[~table["on_front"].astype(bool)]
    traces = [
        _points(rest, x, y, "beaten in one goal, at no gain in the other", PALE, "markers", first),
        _points(best, x, y, "front: not beaten", BLUE, "lines+markers", first),
    ]
    left = len(front.table) - len(table)
    note = f"{left} without a finite value (a backlog grows, or it failed) are not drawn." * (
        left > 0
    )
    drawn = figure_of(
        [trace for trace in traces if len(trace.x)], _title(best, len(table), first, second),
        int(HIGH), note=note, legend=LEGEND,
        annotations=_labels(best, x, y),
    )  # fmt: skip
    drawn.update_xaxes(title={"text": with_unit(_word(first), first.unit)})
    drawn.update_yaxes(title={"text": with_unit(_word(second), second.unit)})
    return drawn


def _of_plans(found: ParetoFront) -> Front:
    """Return the front of plans as one of scenarios: every plan is on it."""
    network = found.plans[0].before.network
    per = f"/{network.time_unit}"
    units = {
        "delay": "job",
        "throughput": f"job{per}",
        "cost": f"{network.currency or 'money'}{per}",
    }
    goals = [
        Objective(goal, units.get(goal, "-"), "larger" if goal == "throughput" else "smaller")
        for goal in found.goals
    ]
    return Front((goals[0], goals[1]), found.table.assign(on_front=True))


def _plan_names(found: ParetoFront) -> dict[Any, str]:
    """Return the number of each plan, and what it costs."""
    network = found.plans[0].before.network
    money = f"{network.currency or 'money'} per {network.time_unit}"
    return {
        number: f"plan {number} ({figure(float(spent))} {money})"
        for number, spent in found.table["spent"].items()
    }


def _word(goal: Objective) -> str:
    return goal.name.removeprefix("goal ").replace("_", " ")


def _points(
    table: pd.DataFrame, x: str, y: str, name: str, color: str, mode: str, first: Objective
) -> go.Scatter:
    names = [shown(key, 60) for key in table.index]
    return go.Scatter(
        x=table[x].tolist(), y=table[y].tolist(), mode=mode, name=name, text=names,
        marker={"color": color, "size": 9, "line": {"color": "#ffffff", "width": 1}},
        line={"color": color, "width": 2, "shape": "hv" if first.better == "smaller" else "vh"},
        hovertemplate=f"%{{text}}<br>{shown(x)}: %{{x:.4g}}<br>{shown(y)}: %{{y:.4g}}"
                      "<extra></extra>",
    )  # fmt: skip


def _title(best: pd.DataFrame, count: int, first: Objective, second: Objective) -> str:
    """Return how many are worth considering, and the two ends."""
    ends = [best.iloc[0], best.iloc[-1]]
    said = [
        f"{row.name} ({_word(first)} {figure(float(row[first.name]))} {plural(first.unit)}, "
        f"{_word(second)} {figure(float(row[second.name]))} {plural(second.unit)})"
        for row in ends
    ]
    if len(best) == 1:
        return f"{said[0]} is best in both, of {count}"
    return f"{len(best)} of {count} are worth considering: from {said[0]} to {said[1]}"


def _labels(best: pd.DataFrame, x: str, y: str) -> list[dict[str, Any]]:
    """Return names beside the points of the front, where they find room."""
    points = best[[x, y]].to_numpy(dtype=float)
    span = np.ptp(points, axis=0)
    scale = np.array([BROAD, HIGH]) / np.where(span > 0, span, 1.0)
    pixels = (points - points.min(axis=0)) * scale
    names = [shown(name, 26) for name in best.index]
    labels = []
    for place, side in enumerate(room_for([str(name) for name in names], pixels)):
        if side is not None:
            right, up = side
            labels.append({
                "x": points[place, 0], "y": points[place, 1], "text": names[place],
                "showarrow": False, "xanchor": "left" if right > 0 else "right",
                "xshift": 8 * right, "yshift": 11 * up, "font": {"size": 12, "color": INK},
            })  # fmt: skip
    return labels


def room_for(names: Sequence[str], pixels: np.ndarray) -> list[tuple[int, int] | None]:
    """Return on which side of each point its name meets no other; None where on none.

    Examples
    --------
    >>> import numpy as np
    >>> room_for(["a", "b"], np.array([[0.0, 0.0], [300.0, 0.0]]))
    [(1, 1), (1, 1)]
    """
    taken: list[tuple[float, float, float, float]] = []
    points = [(px - 5, py - 5, px + 5, py + 5) for px, py in pixels]
    sides: list[tuple[int, int] | None] = []
    for name, (px, py) in zip(names, pixels, strict=True):
        chosen = None
        for right, up in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            wide = LETTER * len(name)
            low = px + 8 * right - (wide if right < 0 else 0.0)
            area = (low, py + 11 * up - 8, low + wide, py + 11 * up + 8)
            inside = area[0] >= -60 and area[2] <= BROAD + 60
            if inside and not any(_meet(area, other) for other in (*taken, *points)):
                chosen = (right, up)
                taken.append(area)
                break
        sides.append(chosen)
    return sides


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
