"""Before and after as a slope chart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from flownet.display import figure
from flownet.errors import Fault, ParameterError
from flownet.solvers.paired import PairedComparison
from flownet.study.compare import Comparison
from flownet.view.ink import (
    BLUE,
    INK,
    SOFT,
    VERMILION,
    escaped,
    figure_of,
    plural,
    shown,
    with_unit,
)

BETTER = {"throughput": 1.0, "served_probability": 1.0, "servers": 0.0, "number_in_service": 0.0,
          "arrival_rate": 0.0, "number_present": 0.0}  # fmt: skip
"""Whether more of a measure is better (1), neither (0); of all others less is (-1)."""
NEAR = 17.0
"""Pixels between two labels."""
HIGH = 400.0
"""Pixels of the plot."""


def slope_chart(
    comparison: Comparison | PairedComparison,
    measure: str = "delay",
    *,
    by: str = "services",
    most: int = 12,
) -> go.Figure:
    """Return a measure before and after, one line a service (or class, or organisation).

    Parameters
    ----------
    comparison : Comparison or PairedComparison
        Of a paired comparison, the labels give the interval of the change.
    measure : str
        A measure of the comparison's table.
    by : {'services', 'organisations', 'classes'}
        Which table.
    most : int
        Lines that are drawn: those that change most, then the largest.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    ParameterError
        For a table or measure that the comparison has not, or that is nowhere finite.

    Examples
    --------
    >>> import flownet as fn
    >>> network = fn.example("obstetrics")
    >>> better = network.replace(services={network.services[0]: {"servers": 40}})
    >>> len(fn.view.slope_chart(fn.compare(network, better)).data) > 0
    True
    """
    table = _chosen(comparison, measure, by)
    change = (table["after"] - table["before"]).abs()
    order = pd.DataFrame({"change": change, "size": table.abs().max(axis=1)})
    table = table.loc[order.sort_values(["change", "size"], ascending=False).index]
    shown_rows = table.iloc[:most]
    left = len(table) - len(shown_rows)
    network = comparison.after.network
    known = set(network.services)
    names = [
        network.label(key) if by == "services" and key in known else str(key) or "no organisation"
        for key in shown_rows.index
    ]
    sign = BETTER.get(measure, -1.0)
    unit = _unit(comparison, measure, by)
    traces = []
    for name, row in zip(names, shown_rows.to_dict("records"), strict=True):
        color = _color(row, sign)
        traces.append(go.Scatter(
            x=[0, 1], y=[row["before"], row["after"]], mode="lines+markers", showlegend=False,
            line={"color": color, "width": 2.5}, marker={"size": 8},
            hovertemplate=f"{shown(name, 60)}: {figure(row['before'])} to {figure(row['after'])} "
                          f"{escaped(unit)}<extra></extra>",
        ))  # fmt: skip
    notes = ["Blue: better. Orange: worse. Gray: no change that can be told."] if sign else []
    if left > 0:
        notes.append(f"{left} that change less are not drawn.")
    drawn = figure_of(
        traces, _title(comparison, measure, by, names, shown_rows, sign), int(HIGH),
        note=" ".join(notes), annotations=_labels(names, shown_rows, sign),
        margin={"l": 40, "r": 40, "b": 46},
    )  # fmt: skip
    drawn.update_xaxes(
        tickvals=[0, 1], ticktext=["before", "after"], range=[-0.85, 1.85], showgrid=False,
        zeroline=False, fixedrange=True, side="top", ticks="",
    )  # fmt: skip
    low, high = _range(shown_rows)
    drawn.update_yaxes(
        title={"text": with_unit(measure.replace("_", " "), unit)}, range=[low, high],
        showgrid=False, zeroline=False, showticklabels=False,
    )  # fmt: skip
    for side in (0, 1):
        drawn.add_vline(x=side, line={"color": SOFT, "width": 1}, layer="below")
    return drawn


def _chosen(comparison: Comparison | PairedComparison, measure: str, by: str) -> pd.DataFrame:
    """Return before, after and perhaps the half-width of the change, where both are finite."""
    tables = [n for n in ("services", "organisations", "classes") if hasattr(comparison, n)]
    if by not in tables:
        raise ParameterError([Fault("slope_chart", "by", repr(by), f"one of {', '.join(tables)}")])
    table = getattr(comparison, by)
    measures = list(dict.fromkeys(table.columns.get_level_values(0)))
    if measure not in measures:
        message = f"must be one of {', '.join(measures)}"
        raise ParameterError([Fault("slope_chart", "measure", repr(measure), message)])
    chosen: pd.DataFrame = table[measure]
    sides = chosen[["before", "after"]].to_numpy(dtype=float)
    finite = chosen[np.isfinite(sides).all(axis=1)]
    finite = finite[(finite[["before", "after"]] != 0).any(axis=1)]
    if finite.empty:
        message = "is nowhere finite and above 0 both before and after"
        raise ParameterError([Fault("slope_chart", "measure", measure, message)])
    return finite


def _unit(comparison: Comparison | PairedComparison, measure: str, by: str) -> str:
    table = comparison.classes if by == "classes" else comparison.services
    units = table.attrs.get("units", {})
    return str(units.get(measure, ""))


def _color(row: dict[str, float], sign: float) -> str:
    change = row["after"] - row["before"]
    small = abs(change) <= 1e-3 * max(abs(row["before"]), abs(row["after"]))
    small |= abs(change) < row.get("change_halfwidth", 0.0)
    if small or sign == 0:
        return SOFT
    return BLUE if change * sign > 0 else VERMILION


def _range(table: pd.DataFrame) -> tuple[float, float]:
    values = table[["before", "after"]].to_numpy(dtype=float)
    low, high = min(0.0, float(values.min())), float(values.max())
    room = 0.06 * (high - low or 1.0)
    return low - room, high + room


def _labels(names: list[str], table: pd.DataFrame, sign: float) -> list[dict[str, object]]:
    """Return names and figures at both ends, moved apart where they would overlap."""
    low, high = _range(table)
    scale = HIGH / (high - low)
    labels: list[dict[str, object]] = []
    for side, anchor, shift in (("before", "right", -10), ("after", "left", 10)):
        values = table[side].to_numpy(dtype=float)
        places = spread((values - low) * scale, NEAR, HIGH)
        for name, row, at, value in zip(names, table.to_dict("records"), places, values,
                                        strict=True):  # fmt: skip
            width = row.get("change_halfwidth")
            said = figure(value)
            if side == "after" and width is not None and np.isfinite(width):
                said += f" ({row['change']:+.2g} ± {width:.2g})"
            text = f"{shown(name, 22)} {said}" if side == "before" else f"{said} {shown(name, 22)}"
            labels.append({
                "x": 0 if side == "before" else 1, "y": value, "text": text, "showarrow": False,
                "xanchor": anchor, "xshift": shift, "yshift": float(at - (value - low) * scale),
                "font": {"size": 12, "color": _color(row, sign) if sign else INK},
            })  # fmt: skip
    return labels


def spread(places: np.ndarray, near: float, high: float) -> np.ndarray:
    """Return places at least `near` apart, each as little moved as a pass up and down allows.

    Examples
    --------
    >>> import numpy as np
    >>> spread(np.array([10.0, 11.0, 40.0]), 10.0, 100.0).tolist()
    [5.5, 15.5, 40.0]
    """
    order = np.argsort(places, kind="stable")
    groups: list[list[float]] = []  # sum of wanted first places, number
    for rank, place in enumerate(places[order]):
        groups.append([float(place) - rank * near, 1.0])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            total, count = groups.pop()
            groups[-1] = [groups[-1][0] + total, groups[-1][1] + count]
    moved = np.concatenate([np.full(int(count), total / count) for total, count in groups])
    moved += near * np.arange(len(places))
    over = moved[-1] - high
    if over > 0:
        moved -= min(over, max(float(moved[0]), 0.0))
    result = np.empty(len(places))
    result[order] = moved
    return result


def _title(
    comparison: Comparison | PairedComparison,
    measure: str,
    by: str,
    names: list[str],
    table: pd.DataFrame,
    sign: float,
) -> str:
    """Return how the whole changes where it is a total, and what gets worse."""
    word, unit = measure.replace("_", " ").capitalize(), plural(_unit(comparison, measure, by))
    if measure in comparison.system.index:
        row = comparison.system.loc[measure]
        before, after = float(row["before"]), float(row["after"])
        said = f"{word} in all goes from {figure(before)} to {figure(after)} {unit}".rstrip()
    else:
        first = table.iloc[0]
        before, after = float(first["before"]), float(first["after"])
        said = f"{word} at {names[0]} goes from {figure(before)} to {figure(after)} {unit}".rstrip()
    worse = [
        name
        for name, row in zip(names, table.to_dict("records"), strict=True)
        if _color(row, sign) == VERMILION
    ]
    if not sign:
        return said
    if not worse:
        return f"{said}, and gets worse nowhere"
    more = f" and {len(worse) - 2} more" if len(worse) > 2 else ""
    return f"{said}; worse at {', '.join(worse[:2])}{more}"
