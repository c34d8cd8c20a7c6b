"""Bars of what more capacity would do, service by service."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from flownet.constraint.find import Finding
from flownet.display import figure
from flownet.errors import Fault, ParameterError
from flownet.view.ink import (
    BLUE,
    INK,
    LEGEND,
    ORANGE,
    PALE,
    escaped,
    figure_of,
    plural,
    shown,
    with_unit,
)

MEASURES = {
    "relief": "gain from one more server",
    "relief_per_money": "gain per unit of money",
    "elasticity": "gain from 1 % more capacity",
}


def relief_bars(finding: Finding, measure: str = "relief", *, most: int = 20) -> go.Figure:
    """Return what more capacity at each service would gain, as bars, the best first.

    Parameters
    ----------
    finding : Finding
        Where it has a confidence, its intervals of relief or elasticity are drawn (5 to 95 %
        of the sampled parameters, of the services for which they were sampled).
    measure : {'relief', 'relief_per_money', 'elasticity'}
        One more server, one unit of money, or 1 % more capacity.
    most : int
        Services that are shown; the constraint and the symptoms always are.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    ParameterError
        For another measure, or one of which the finding knows nothing (no prices).

    Examples
    --------
    >>> import flownet as fn
    >>> finding = fn.find_constraint(fn.example("discharge_to_assess"))
    >>> fn.view.relief_bars(finding).data[0].orientation
    'h'
    """
    if measure not in MEASURES:
        message = f"must be one of {', '.join(MEASURES)}"
        raise ParameterError([Fault("relief_bars", "measure", repr(measure), message)])
    known = finding.ranking[finding.ranking[measure].notna()]
    if known.empty:
        priced = measure == "relief_per_money" and not finding.ranking.empty
        why = "the network gives no cost_per_server" if priced else "none has a limit of servers"
        message = f"is known for no service: {why}"
        raise ParameterError([Fault("relief_bars", "measure", measure, message)])
    ranking = known.sort_values(measure, ascending=False, kind="stable")
    marked = [name in finding.constraint_set or name in finding.symptoms for name in ranking.index]
    table = ranking[[mark or place < most for place, mark in enumerate(marked)]]
    label = finding.network.label
    groups = [
        ("constraint", BLUE, [name in finding.constraint_set for name in table.index]),
        ("symptom", ORANGE, [name in finding.symptoms for name in table.index]),
    ]
    rest = [not (a or b) for a, b in zip(groups[0][2], groups[1][2], strict=True)]
    groups.append(("other", PALE, rest))
    unit = _unit(finding, measure)
    spans = _spans(finding, table, measure)
    bars: list[Any] = [
        _bars(table, measure, mask, name, color, unit) for name, color, mask in groups if any(mask)
    ]
    note = ""
    if len(ranking) > len(table):
        note = f"{len(ranking) - len(table)} services that gain less are not shown."
    if spans:
        bars.append(_whiskers(spans))
    drawn = figure_of(
        bars, _title(finding, table, measure), 28 * len(table) + 24, note=note, legend=LEGEND,
        bargap=0.3,
    )  # fmt: skip
    drawn.update_xaxes(
        title={"text": with_unit(MEASURES[measure], unit)}, zeroline=True,
        range=_range(table, measure, spans),
    )  # fmt: skip
    drawn.update_yaxes(
        tickvals=list(range(len(table))), ticktext=[shown(label(name)) for name in table.index],
        range=[len(table) - 0.4, -0.6], showgrid=False, zeroline=False,
    )  # fmt: skip
    return drawn


def _bars(
    table: pd.DataFrame, measure: str, mask: list[bool], name: str, color: str, unit: str
) -> go.Bar:
    """Return the bars of one kind of service, with their figures."""
    values = table[mask][measure].tolist()
    return go.Bar(
        x=values,
        y=[place for place, keep in enumerate(mask) if keep],
        orientation="h",
        name=name,
        marker={"color": color},
        text=[figure(value) for value in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate=f"%{{text}} {escaped(unit)}<extra></extra>",
    )


def _spans(finding: Finding, table: pd.DataFrame, measure: str) -> list[tuple[int, float, float]]:
    """Return the row, lower and upper end of each interval that the finding's confidence has."""
    low, high = f"{measure} 5%", f"{measure} 95%"
    if finding.confidence is None or low not in finding.confidence.table:
        return []
    ends = finding.confidence.table[[low, high]].dropna()
    return [
        (place, float(ends.loc[name, low]), float(ends.loc[name, high]))
        for place, name in enumerate(table.index)
        if name in ends.index
    ]


def _whiskers(spans: list[tuple[int, float, float]]) -> go.Scatter:
    """Return the intervals as lines with ends, under the figures of the bars."""
    return go.Scatter(
        x=[x for _, low, high in spans for x in (low, high, None)],
        y=[y for place, *_ in spans for y in (place + 0.3, place + 0.3, None)],
        mode="lines+markers",
        name="5 to 95 % of sampled parameters",
        line={"color": INK, "width": 1.5},
        marker={"symbol": "line-ns", "size": 7, "line": {"color": INK, "width": 1.5}},
        hovertemplate="%{x:.3g}<extra>interval</extra>",
    )


def _range(
    table: pd.DataFrame, measure: str, spans: list[tuple[int, float, float]]
) -> tuple[float, float]:
    """Return the range of the axis, with room for figures beside the bars."""
    low = min(0.0, float(table[measure].min()), *(low for _, low, _ in spans))
    high = max(0.0, float(table[measure].max()), *(high for *_, high in spans))
    span = high - low or 1.0
    return (low - 0.15 * span if low < 0 else 0.0, high + 0.12 * span)


def _unit(finding: Finding, measure: str) -> str:
    if measure == "elasticity":
        return "% per %"
    network = finding.network
    money = network.currency or "money"
    per = f"/{network.time_unit}"
    growing = finding.value.growth > 0 or finding.goal == "throughput"
    gain = f"job{per}" if growing else f"{money}{per}" if finding.goal == "cost" else "job"
    return f"{gain} per server" if measure == "relief" else f"{gain} per {money}{per}"


def _title(finding: Finding, table: pd.DataFrame, measure: str) -> str:
    """Return what helps most, beside the same at the worst symptom."""
    label, best = finding.network.label, table.index[0]
    what = {"relief": "One more server", "relief_per_money": "A unit of money",
            "elasticity": "1 % more capacity"}[measure]  # fmt: skip
    if not table.loc[best, measure] > 0:
        return f"{what} gains nothing at any service"
    unit = "%" if measure == "elasticity" else plural(_unit(finding, measure).split(" per ")[0])
    gain = figure(float(table.loc[best, measure]))
    of = {"throughput": "more throughput", "cost": "of cost"}.get(finding.goal, "of delay")
    of = "of the growth of the backlog" if finding.value.growth > 0 else of
    said = f"{what} gains most at {label(best)}: {gain} {unit} {of}"
    if finding.symptoms and finding.symptoms[0] != best and finding.symptoms[0] in table.index:
        seen = finding.symptoms[0]
        said += f"; at {label(seen)}, where the delay is seen, {figure(table.loc[seen, measure])}"
    return said
