"""`xmr_chart`: values in the order of time with their natural limits, signals and prediction."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from flownet.display import figure
from flownet.study.test_of_change import TestOfChange
from flownet.study.xmr import RULES, XmR
from flownet.view.ink import (
    BLUE,
    INK,
    LEGEND,
    ORANGE,
    PURPLE,
    SOFT,
    VERMILION,
    escaped,
    figure_of,
    shown,
    with_unit,
)

MARKS = {
    "outside": ("diamond", 18, VERMILION), "run": ("square", 13, BLUE),
    "trend": ("triangle-up", 11, ORANGE), "near": ("circle", 7, PURPLE),
}  # fmt: skip
"""Signals differ in shape and size, not in color alone: a point may be part of several."""


def xmr_chart(result: XmR | TestOfChange) -> go.Figure:
    """Return an XmR chart: values, mean, natural limits, signals; and a prediction if there is one.

    Parameters
    ----------
    result : XmR or TestOfChange
        Of a test of change: what was observed before and after, with the predicted interval.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    ParameterError
        Where a test of change has fewer than two observations.

    Examples
    --------
    >>> import flownet as fn
    >>> figure = fn.view.xmr_chart(fn.xmr([50, 52, 49, 51, 50, 48, 51, 50, 60]))
    >>> any(trace.name == "a point outside the limits" for trace in figure.data)
    True
    """
    test = result if isinstance(result, TestOfChange) else None
    chart = result.chart if isinstance(result, TestOfChange) else result
    table = chart.table
    places = list(range(1, len(table) + 1))
    labels = [shown(label, 40) for label in table.index]
    traces = [
        _line(places, table["upper"], "natural limits", "dash", first=True),
        _line(places, table["lower"], "natural limits", "dash", first=False),
        _line(places, table["mean"], "mean", "solid", first=True),
        go.Scatter(
            x=places, y=table["value"].tolist(), mode="lines+markers", name=shown(chart.measure),
            line={"color": SOFT, "width": 1.5}, marker={"color": SOFT, "size": 7}, text=labels,
            hovertemplate="%{text}: %{y:.4g}<extra></extra>",
        ),
        *_signals(chart, places, labels),
    ]  # fmt: skip
    drawn = figure_of(
        traces, _title(chart, test), 340, note=" ".join(f"{text}." for text in chart.warnings),
        legend=LEGEND, margin={"b": 140},
    )  # fmt: skip
    plain = all(str(label) == str(place) for place, label in enumerate(table.index))
    drawn.update_xaxes(title={"text": "in the order of time"}, range=[0.4, len(table) + 0.6])
    if not plain:
        step = max(1, len(table) // 8)
        drawn.update_xaxes(tickvals=places[::step], ticktext=[shown(t, 14) for t in labels[::step]])
    drawn.update_yaxes(title={"text": with_unit(chart.measure, chart.unit or "-")})
    if test is not None:
        _prediction(drawn, test, len(table))
    return drawn


def _line(places: list[int], values: Any, name: str, dash: str, *, first: bool) -> go.Scatter:
    """Return a line that steps where the limits do."""
    return go.Scatter(
        x=places, y=values.tolist(), mode="lines", name=name, legendgroup=name, showlegend=first,
        line={"color": INK, "width": 1.3, "dash": dash, "shape": "hvh"}, hoverinfo="skip",
    )  # fmt: skip


def _signals(chart: XmR, places: list[int], labels: list[str]) -> list[go.Scatter]:
    """Return the points of each kind of signal that there is."""
    found = []
    for rule, text in RULES.items():
        symbol, size, color = MARKS[rule]
        chosen = [k for k, hit in enumerate(chart.table[rule]) if hit]
        if chosen:
            found.append(go.Scatter(
                x=[places[k] for k in chosen], y=chart.table["value"].iloc[chosen].tolist(),
                mode="markers", name=text, text=[labels[k] for k in chosen],
                marker={"symbol": symbol, "size": size, "color": color,
                        "line": {"color": INK, "width": 1}},
                hovertemplate=f"%{{text}}: %{{y:.4g}}, {text}<extra></extra>",
            ))  # fmt: skip
    return found


def _prediction(drawn: go.Figure, test: TestOfChange, count: int) -> None:
    """Draw where the change was made, and the interval in which the mean was predicted."""
    begin = len(test.before) + 0.5
    p = test.prediction
    drawn.add_shape(
        type="rect", x0=begin, x1=count + 0.6, y0=p.low, y1=p.high, layer="below",
        fillcolor="rgba(0, 158, 115, 0.22)", line={"width": 0},
    )  # fmt: skip
    drawn.add_trace(go.Scatter(
        x=[None], y=[None], mode="markers", name="prediction of the mean", hoverinfo="skip",
        marker={"symbol": "square", "size": 13, "color": "rgba(0, 158, 115, 0.4)"},
    ))  # fmt: skip
    if test.before:
        drawn.add_vline(x=begin, line={"color": INK, "width": 1.5, "dash": "dot"})
        drawn.add_annotation(
            x=begin, y=1.0, yref="paper", yanchor="bottom", text=escaped("change"),
            showarrow=False, font={"size": 12, "color": INK},
        )  # fmt: skip


def _title(chart: XmR, test: TestOfChange | None) -> str:
    """Return the verdict, or what the chart shows."""
    if test is not None:
        return test.verdict
    unit = f" {chart.unit}" if chart.unit else ""
    last = chart.limits.iloc[-1]
    about = f"mean {figure(float(last['mean']))}{unit}, limits {figure(float(last['lower']))} to "
    about += figure(float(last["upper"]))
    if chart.stable:
        return f"{chart.measure.capitalize()} shows ordinary variation only: {about}"
    signals = chart.signals
    return (
        f"{chart.measure.capitalize()} shows a signal: {signals.iloc[-1]['reason']} "
        f"(at {signals.index[-1]}); {about}"
    )
