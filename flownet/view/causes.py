"""Who causes whose delay: a heat map, and a ribbon from causes to where they are seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from flownet.constraint.find import Finding
from flownet.display import figure
from flownet.errors import Fault, ParameterError
from flownet.view.ink import (
    BLUE,
    PALE,
    SERIES,
    VERMILION,
    cut,
    escaped,
    figure_of,
    plural,
    shown,
    with_unit,
)

SMALL = 1e-3
"""Rows and columns below this share of the whole are left out."""
WRITTEN = 14
"""Cells hold their figures up to so many rows and columns."""


def delay_heatmap(finding: Finding, *, most: int = 24) -> go.Figure:
    """Return a heat map of who causes whose delay: seen at (rows), caused by (columns).

    Parameters
    ----------
    finding : Finding
    most : int
        Rows and columns that are named; what is left is added up in a last one.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    ParameterError
        Where there is no delay to be divided.

    Examples
    --------
    >>> import flownet as fn
    >>> fn.view.delay_heatmap(fn.find_constraint(fn.example("discharge_to_assess"))).data[0].type
    'heatmap'
    """
    table = largest_parts(finding, most)
    values = table.to_numpy()
    mixed = bool(values.min() < -SMALL * np.abs(values).sum())
    size = float(np.abs(values).max())
    empty = np.abs(values) <= SMALL * np.abs(values).sum()
    few = max(table.shape) <= WRITTEN
    unit, by = str(finding.attribution.attrs["units"]), _by(finding)
    rows, columns = list(map(str, table.index)), list(map(str, table.columns))
    heat = go.Heatmap(
        z=np.where(empty, np.nan, values),
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        colorscale=[[0, BLUE], [0.5, "#ffffff"], [1, VERMILION]] if mixed else "Cividis_r",
        zmin=-size if mixed else 0.0,
        zmax=size,
        text=[["" if hide else figure(v, 2) for v, hide in zip(*pair, strict=True)]
              for pair in zip(values, empty, strict=True)],
        texttemplate="%{text}" if few else None,
        hovertext=[[f"{figure(v)} {unit} seen at {escaped(cut(row, 80))},<br>{by} "
                    f"{escaped(cut(column, 80))}" for v, column in zip(line, columns, strict=True)]
                   for line, row in zip(values, rows, strict=True)],
        hoverinfo="text",
        hoverongaps=False,
        xgap=2,
        ygap=2,
        colorbar={"title": {"text": with_unit("delay", unit), "side": "right"}, "thickness": 14},
    )  # fmt: skip
    drawn = figure_of(
        [heat], _title(finding, table), max(34 * len(rows), 170),
        note="Read along a row: the delay seen there, divided among what causes it. Empty cells "
        "are nothing, or nearly so.",
        margin={"b": 66 + int(5.2 * min(max(map(len, columns)), 24))},
    )  # fmt: skip
    drawn.update_xaxes(
        tickvals=list(range(len(columns))), ticktext=[shown(name, 24) for name in columns],
        tickangle=-40, title={"text": by}, showgrid=False, zeroline=False,
    )  # fmt: skip
    drawn.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[shown(name, 24) for name in rows],
        autorange="reversed", title={"text": "seen at"}, showgrid=False, zeroline=False,
    )  # fmt: skip
    return drawn


def delay_ribbon(finding: Finding, *, most: int = 10) -> go.Figure:
    """Return the delay as a ribbon from the services that cause it to those where it is seen.

    Parameters
    ----------
    finding : Finding
    most : int
        Services that are named on each side; what is left is added up.

    Returns
    -------
    plotly.graph_objects.Figure
        Width is delay. Parts below nothing (a cause that spares another service delay) cannot be
        drawn as a width; the note says how much they are.

    Raises
    ------
    ParameterError
        Where there is no delay to be divided.
    """
    table = largest_parts(finding, most)
    values = table.to_numpy()
    unit, by = str(finding.attribution.attrs["units"]), _by(finding)
    ties = [(j, i) for i, j in zip(*np.nonzero(values > SMALL * values.sum()), strict=True)]
    if not ties:
        raise _nothing(finding)
    causes, seen = list(map(str, table.columns)), list(map(str, table.index))
    colors = [SERIES[j % len(SERIES)] if j < len(SERIES) else PALE for j in range(len(causes))]
    left, right = table.sum(axis=0).to_numpy(), table.sum(axis=1).to_numpy()
    labels = [f"{shown(name, 28)}: {figure(v)}" for name, v in zip(causes, left, strict=True)]
    labels += [f"{shown(name, 28)}: {figure(v)}" for name, v in zip(seen, right, strict=True)]
    sankey = go.Sankey(
        node={
            "label": labels, "color": [*colors, *["#51647d"] * len(seen)], "pad": 24,
            "thickness": 16, "hovertemplate": f"%{{label}} {escaped(unit)}<extra></extra>",
        },
        link={
            "source": [int(j) for j, _ in ties],
            "target": [len(causes) + int(i) for _, i in ties],
            "value": [float(values[i, j]) for j, i in ties],
            "color": [_faint(colors[j]) for j, _ in ties],
            "customdata": [
                f"{figure(float(values[i, j]))} {escaped(unit)} seen at {shown(seen[i], 80)},<br>"
                f"{by} {shown(causes[j], 80)}"
                for j, i in ties
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        },
        textfont={"size": 13},
    )  # fmt: skip
    spared = float(-values[values < 0].sum())
    note = (
        f"Left: what causes the delay. Right: where it is seen. Width and figures: {plural(unit)}."
    )
    if spared > SMALL * np.abs(values).sum():
        note += f" Not drawn: {figure(spared)} that is spared elsewhere, in parts below nothing."
    tall = max(len({j for j, _ in ties}), len({i for _, i in ties}))
    return figure_of([sankey], _title(finding, table), max(54 * tall, 220), note=note,
                     margin={"l": 16, "r": 16, "b": 24})  # fmt: skip


def largest_parts(finding: Finding, most: int) -> pd.DataFrame:
    """Return the attribution without what is nothing, largest first, under the services' labels."""
    frame = finding.attribution
    size = frame.abs()
    total = float(size.to_numpy().sum())
    if not 0 < total < float("inf"):
        raise _nothing(finding)
    for axis in (0, 1):
        sums = size.sum(axis=1 - axis)
        order = sums[sums > SMALL * total].sort_values(ascending=False, kind="stable").index
        named = frame.loc[order[:most]] if axis == 0 else frame[order[:most]]
        names = [finding.network.label(name) for name in order[:most]]
        rest = order[most:]
        if len(rest):
            names.append(f"{len(rest)} other services")
            left = (frame.loc[rest] if axis == 0 else frame[rest]).sum(axis=axis)
            named = pd.concat(
                [named, left.to_frame().T if axis == 0 else left.to_frame()], axis=axis
            )
        named = named.set_axis(names, axis=axis)
        frame = named
        size = frame.abs()
    return frame


def _by(finding: Finding) -> str:
    """Return how the finding calls the columns of its attribution: caused by, or held up by."""
    return str(finding.attribution.columns.name or "caused by")


def _nothing(finding: Finding) -> ParameterError:
    message = "there is no delay to be divided among services"
    return ParameterError([Fault(f"network '{finding.network.name}'", "delay", "0", message)])


def _title(finding: Finding, table: pd.DataFrame) -> str:
    """Return the largest part of the delay, in a sentence."""
    values = table.to_numpy()
    i, j = np.unravel_index(int(np.argmax(values)), values.shape)
    row, column, part = str(table.index[i]), str(table.columns[j]), float(values[i, j])
    growing = str(finding.attribution.attrs["units"]) != "job"
    what = f"jobs per {finding.network.time_unit} of its growth" if growing else "jobs delayed"
    seen = float(values[i].sum())
    share = "All" if part > 0.995 * seen else f"{figure(part)} of the"
    whole = f"{share} {figure(seen)} {what} at {row} are"
    return f"{whole} its own doing" if row == column else f"{whole} {_by(finding)} {column}"


def _faint(color: str) -> str:
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.4)"
