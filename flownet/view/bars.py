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
        Intervals are drawn where its ranking has the columns ``{measure}_low`` and ``_high``.
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
    bars = [
        _bars(table, measure, mask, name, color, unit) for name, color, mask in groups if any(mask)
    ]
    note = ""
    if len(ranking) > len(table):
        note = f"{len(ranking) - len(table)} services that gain less are not shown."
    drawn = figure_of(
        bars, _title(finding, table, measure), 28 * len(table) + 24, note=note,
        legend=LEGEND,
        bargap=0.3,
    )  # fmt: skip
    drawn.update_xaxes(
        title={"text": with_unit(MEASURES[measure], unit)}, zeroline=True,
        range=_range(table, measure),
    )  # fmt: skip
    drawn.update_yaxes(
        tickvals=list(range(len(table))), ticktext=[shown(label(name)) for name in table.index],
        range=[len(table) - 0.4, -0.6], showgrid=False, zeroline=False,
    )  # fmt: skip
    return drawn


def _bars(
    table: pd.DataFrame, measure: str, mask: list[bool], name: str, color: str, unit: str
) -> go.Bar:
    """Return the bars of one kind of service, with figures and intervals."""
    part = table[mask]
    error: dict[str, Any] | None = None
    if f"{measure}_low" in part:
        error = {
            "type": "data", "symmetric": False, "thickness": 1.5, "width": 4,
            "array": (part[f"{measure}_high"] - part[measure]).tolist(),
            "arrayminus": (part[measure] - part[f"{measure}_low"]).tolist(),
        }  # fmt: skip
    values = part[measure].tolist()
    return go.Bar(
        x=values,
        y=[place for place, keep in enumerate(mask) if keep],
        orientation="h",
        name=name,
        marker={"color": color},
        error_x=error,
        text=[figure(value) for value in values],
        textposition="outside" if error is None else "none",
        cliponaxis=False,
        hovertemplate=f"%{{text}} {escaped(unit)}<extra></extra>",
    )


def _range(table: pd.DataFrame, measure: str) -> tuple[float, float]:
    """Return the range of the axis, with room for figures beside the bars."""
    ends = [table[c] for c in (measure, f"{measure}_low", f"{measure}_high") if c in table]
    low = min(0.0, *(float(end.min()) for end in ends))
    high = max(0.0, *(float(end.max()) for end in ends))
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
