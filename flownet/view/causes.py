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


def delay_heatmap(finding: Finding, by: str = "service", *, most: int = 24) -> go.Figure:
    """Return a heat map of who causes whose delay: seen at (rows), caused by (columns).

    Parameters
    ----------
    finding : Finding
    by : {'service', 'organisation', 'flow'}
        The attribution by service or by organisation; or ``flow``, who holds whose places.
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
    parts = parts_of(finding, by)
    table = largest_parts(finding, parts, most)
    values = table.to_numpy()
    mixed = bool(values.min() < -SMALL * np.abs(values).sum())
    size = float(np.abs(values).max())
    empty = np.abs(values) <= SMALL * np.abs(values).sum()
    few = max(table.shape) <= WRITTEN
    unit, cause = str(parts.attrs["units"]), _cause(parts)
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
        hovertext=[[f"{figure(v)} {unit} seen at {escaped(cut(row, 80))},<br>{cause} "
                    f"{escaped(cut(column, 80))}" for v, column in zip(line, columns, strict=True)]
                   for line, row in zip(values, rows, strict=True)],
        hoverinfo="text",
        hoverongaps=False,
        xgap=2,
        ygap=2,
        colorbar={"title": {"text": with_unit("delay", unit), "side": "right"}, "thickness": 14},
    )  # fmt: skip
    drawn = figure_of(
        [heat], _title(finding, parts, table), max(34 * len(rows), 170),
        note="Read along a row: the delay seen there, divided among what causes it. Empty cells "
        "are nothing, or nearly so.",
        margin={"b": 66 + int(5.2 * min(max(map(len, columns)), 24))},
    )  # fmt: skip
    drawn.update_xaxes(
        tickvals=list(range(len(columns))), ticktext=[shown(name, 24) for name in columns],
        tickangle=-40, title={"text": cause}, showgrid=False, zeroline=False,
    )  # fmt: skip
    drawn.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=[shown(name, 24) for name in rows],
        autorange="reversed", title={"text": "seen at"}, showgrid=False, zeroline=False,
    )  # fmt: skip
    return drawn


def delay_ribbon(finding: Finding, by: str = "service", *, most: int = 10) -> go.Figure:
    """Return the delay as a ribbon from the services that cause it to those where it is seen.

    Parameters
    ----------
    finding : Finding
    by : {'service', 'organisation', 'flow'}
        As for `delay_heatmap`.
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
    parts = parts_of(finding, by)
    table = largest_parts(finding, parts, most)
    values = table.to_numpy()
    unit, cause = str(parts.attrs["units"]), _cause(parts)
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
                f"{cause} {shown(causes[j], 80)}"
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
    return figure_of([sankey], _title(finding, parts, table), max(54 * tall, 220), note=note,
                     margin={"l": 16, "r": 16, "b": 24})  # fmt: skip


def parts_of(finding: Finding, by: str = "service") -> pd.DataFrame:
    """Return who causes whose delay: by service, by organisation, or by who holds whose places.

    Raises
    ------
    ParameterError
        For another way to divide it, or where there is nothing finite to divide.
    UnconvergedError
        Where a network on the path of relief cannot be solved.
    """
    if by == "service":
        return finding.attribution
    if by == "organisation":
        return finding.attribute("organisation", "organisation")
    if by == "flow":
        return finding.flow
    message = "must be one of service, organisation, flow"
    raise ParameterError([Fault("causes", "by", repr(by), message)])


def largest_parts(finding: Finding, parts: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return who causes whose delay without what is nothing, largest first, under the labels."""
    frame = parts
    size = frame.abs()
    total = float(size.to_numpy().sum())
    if not 0 < total < float("inf"):
        raise _nothing(finding)
    known = set(finding.network.services)
    for axis in (0, 1):
        sums = size.sum(axis=1 - axis)
        order = sums[sums > SMALL * total].sort_values(ascending=False, kind="stable").index
        named = frame.loc[order[:most]] if axis == 0 else frame[order[:most]]
        names = [
            finding.network.label(name) if name in known else str(name) or "no organisation"
            for name in order[:most]
        ]
        rest = order[most:]
        if len(rest):
            names.append(f"{len(rest)} others")
            left = (frame.loc[rest] if axis == 0 else frame[rest]).sum(axis=axis)
            named = pd.concat(
                [named, left.to_frame().T if axis == 0 else left.to_frame()], axis=axis
            )
        frame = named.set_axis(names, axis=axis)
        size = frame.abs()
    return frame


def _cause(parts: pd.DataFrame) -> str:
    """Return what the columns are called: caused by, or held up by."""
    return str(parts.columns.name or "caused by")


def _nothing(finding: Finding) -> ParameterError:
    message = "there is no delay to be divided among services"
    return ParameterError([Fault(f"network '{finding.network.name}'", "delay", "0", message)])


def _title(finding: Finding, parts: pd.DataFrame, table: pd.DataFrame) -> str:
    """Return the largest part of the delay, in a sentence."""
    values = table.to_numpy()
    i, j = np.unravel_index(int(np.argmax(values)), values.shape)
    row, column, part = str(table.index[i]), str(table.columns[j]), float(values[i, j])
    seen = float(values[i].sum())
    share = f"{figure(part)} of the" if part <= 0.995 * seen else "All"
    verb = "is" if str(parts.attrs["units"]).startswith(finding.network.currency or "?") else "are"
    whole = f"{share} {figure(seen)} {_delayed(finding, str(parts.attrs['units']))} at {row} {verb}"
    return f"{whole} its own doing" if row == column else f"{whole} {_cause(parts)} {column}"


def _delayed(finding: Finding, unit: str) -> str:
    """Return what is divided, in words."""
    if unit == "job":
        return "jobs delayed"
    if not unit.startswith("job"):
        return f"{plural(unit)} of cost"
    what = "of backlog growth" if finding.value.growth > 0 else "not served"
    return f"{plural(unit)} {what}"


def _faint(color: str) -> str:
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.4)"
