"""Through a cycle, such as the hours of a week: demand against capacity, and the constraint."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from flownet.constraint.week import BACKLOG, CLOSED, GROWING, STEADY, UNSOLVED, ConstraintWeek
from flownet.display import figure
from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.network.model import ServiceName
from flownet.network.values import nearest
from flownet.solvers.simulation import Simulation
from flownet.units import DAYS, factor, moment
from flownet.view.ink import (
    BLUE,
    INK,
    LEGEND,
    ORANGE,
    PALE,
    PURPLE,
    VERMILION,
    cut,
    figure_of,
    shown,
    with_unit,
)

RESTS = {
    STEADY: ("the hour's own queues", BLUE, ""),
    GROWING: ("growth of a backlog", VERMILION, "/"),
    BACKLOG: ("what is left from before", ORANGE, "\\"),
    CLOSED: ("nobody serves there", PURPLE, "x"),
    UNSOLVED: ("no answer", PALE, "."),
}
"""What the constraint of an hour rests on: words, color, pattern."""
ROW = 34
"""Pixels of a service."""


def week(simulation: Simulation, service: ServiceName) -> go.Figure:
    """Return demand, capacity and queue of a service by time of the cycle.

    Parameters
    ----------
    simulation : Simulation
        With a profile: the network has calendars, or `simulate` was given a ``cycle``.
    service : str

    Returns
    -------
    plotly.graph_objects.Figure
        Servers, and the jobs that need one (held or waiting), in the same unit; the interval of
        the latter is shaded.

    Raises
    ------
    UnknownNameError
        Where the service does not exist.
    ParameterError
        Where the simulation has no profile.
    """
    network = simulation.network
    if service not in network.services:
        near = nearest(str(service), [str(name) for name in network.services])
        raise UnknownNameError([Fault("week", "service", repr(service), f"is not there{near}")])
    if not simulation.design.cycle > 0:
        message = "has no profile: give simulate a cycle, or the network calendars"
        raise ParameterError([Fault("week", "simulation", network.name, message)])
    rows = simulation.profile.loc[service]
    starts, width = rows.index.to_numpy(dtype=float), float(simulation.design.step)
    edges = np.append(starts, starts[-1] + width)
    asking, unit = rows["number_present"], network.time_unit
    width_of = rows["number_present_halfwidth"].fillna(0.0)
    traces = [
        _band(
            edges, (asking - width_of).clip(lower=0.0).to_numpy(), (asking + width_of).to_numpy()
        ),
        _steps(edges, rows["servers"].to_numpy(), "servers: capacity", INK, "solid"),
        _steps(edges, (asking - rows["number_waiting"]).to_numpy(), "servers held", BLUE, "dot"),
        _steps(edges, asking.to_numpy(), "demand: held or waiting for one", VERMILION, "solid"),
    ]
    outside = rows["number_outside"].to_numpy()
    if np.nansum(outside) > 0:
        traces.append(_steps(edges, outside, "waiting outside", ORANGE, "dash"))
    drawn = figure_of(traces, _title(simulation, service, rows, asking), 340, legend=LEGEND,
                      note=f"Means by time of a cycle of {simulation.design.cycle:g} {unit}s, over "
                      "all replications.")  # fmt: skip
    top = float(np.nanmax(np.r_[rows["servers"], asking + width_of, outside]))
    drawn.update_yaxes(
        title={"text": "servers, and jobs that need one"}, range=[-0.04 * top, 1.06 * top]
    )
    _time_axis(drawn, float(simulation.design.cycle), unit)
    return drawn


def _steps(edges: np.ndarray, values: np.ndarray, name: str, color: str, dash: str) -> go.Scatter:
    return go.Scatter(
        x=edges, y=np.append(values, values[-1]), mode="lines", name=name,
        line={"color": color, "dash": dash, "width": 2.2, "shape": "hv"},
        hovertemplate="%{y:.3g} at %{x:.4g}<extra>" + name + "</extra>",
    )  # fmt: skip


def _band(edges: np.ndarray, low: np.ndarray, high: np.ndarray) -> go.Scatter:
    """Return the interval of the demand, shaded."""
    stairs = np.repeat(edges, 2)[1:-1]
    return go.Scatter(
        x=np.r_[stairs, stairs[::-1]], y=np.r_[np.repeat(high, 2), np.repeat(low, 2)[::-1]],
        fill="toself", fillcolor="rgba(213, 94, 0, 0.2)", line={"width": 0}, hoverinfo="skip",
        name="interval of the demand",
    )  # fmt: skip


def _time_axis(drawn: go.Figure, cycle: float, unit: str) -> None:
    """Name the days where the cycle is a week, else the times."""
    if _is_week(cycle, unit):
        marks = [k / factor(unit, "day") for k in range(7)]
        drawn.update_xaxes(
            tickvals=marks, ticktext=list(DAYS), range=[0, cycle],
            title={"text": f"time of the week (a mark is the day's midnight) [{unit}]"},
        )  # fmt: skip
    else:
        drawn.update_xaxes(range=[0, cycle], title={"text": with_unit("time of the cycle", unit)})


def _is_week(cycle: float, unit: str) -> bool:
    return abs(cycle * factor(unit, "day") - 7.0) < 1e-6


def _title(simulation: Simulation, service: ServiceName, rows: Any, asking: Any) -> str:
    """Return when demand exceeds capacity most."""
    network, unit = simulation.network, simulation.network.time_unit
    gap = (asking - rows["servers"]).to_numpy(dtype=float)
    over = float(np.mean(gap > 0))
    worst = float(rows.index[int(np.nanargmax(gap))])
    label = cut(network.label(service), 60)
    if not over:
        return f"At {label} capacity is enough at every time of the cycle, on average"
    when = moment(worst, float(simulation.design.cycle), unit)
    return (
        f"At {label} demand exceeds capacity in {over:.0%} of the cycle, most from {when}: "
        f"by {figure(float(np.nanmax(gap)))} jobs"
    )


def constraint_week(week: ConstraintWeek, *, most: int = 10) -> go.Figure:
    """Return when each service is the constraint, and what that rests on.

    Parameters
    ----------
    week : ConstraintWeek
        As `flownet.constraint_week` returns it, or ``Finding.week``.
    most : int
        Services that are drawn: those that are the constraint for longest.

    Returns
    -------
    plotly.graph_objects.Figure
        One row a service; pale where it cannot be told from the constraint.

    Raises
    ------
    ParameterError
        Where no hour has a constraint.
    """
    shares = week.shares
    if shares.empty:
        message = "has no constraint at any time: nothing waits"
        raise ParameterError([Fault("constraint_week", "week", week.network.name, message)])
    names = list(shares.index[:most])
    label = week.network.label
    bars = [_bar(week, how, names) for how in RESTS]
    traces = [_tied(week, names), *bars]
    left = len(shares) - len(names)
    note = "Each hour as if it lasted."
    note += f" {left} that are the constraint for less long are not drawn." if left > 0 else ""
    drawn = figure_of(
        [trace for trace in traces if trace is not None], _week_title(week), 60 + ROW * len(names),
        note=note, legend=LEGEND, barmode="overlay", bargap=0.25,
    )  # fmt: skip
    drawn.update_yaxes(
        tickvals=list(range(len(names))), ticktext=[shown(label(name), 26) for name in names],
        range=[len(names) - 0.5, -0.5], showgrid=False, zeroline=False,
    )  # fmt: skip
    _time_axis(drawn, week.cycle, week.network.time_unit)
    return drawn


def _bar(week: ConstraintWeek, how: str, names: list[ServiceName]) -> go.Bar | None:
    """Return the hours in which one of the services is the constraint for this reason."""
    words, color, pattern = RESTS[how]
    table = week.table[(week.table["how"] == how) & week.table["constraint"].isin(names)]
    said = [
        f"{moment(float(start), week.cycle, week.network.time_unit)}: "
        + (f"1 % more capacity gains {row['elasticity']:.1f} %" if row["elasticity"] > 0 else words)
        for start, row in table.iterrows()
    ]
    return _blocks(table, table["constraint"], names, words, said, {
        "color": color, "line": {"width": 0}, "pattern": {"shape": pattern, "solidity": 0.3},
    })  # fmt: skip


def _tied(week: ConstraintWeek, names: list[ServiceName]) -> go.Bar | None:
    """Return the hours in which a service cannot be told from the constraint."""
    pairs = week.table["constraint_set"].map(lambda found: [n for n in found[1:] if n in names])
    table = week.table.assign(tied=pairs).explode("tied")
    table = table[table["tied"].notna()]
    said = ["cannot be told from the constraint"] * len(table)
    marker = {"color": PALE, "line": {"width": 0}}
    return _blocks(table, table["tied"], names, "not to be told from it", said, marker)


def _blocks(
    table: Any, services: Any, names: list[ServiceName], words: str, said: list[str], marker: Any
) -> go.Bar | None:
    """Return blocks from the start to the end of each row; None where there are none."""
    if table.empty:
        return None
    starts = table.index.to_numpy(dtype=float)
    return go.Bar(
        base=starts, x=table["end"].to_numpy(dtype=float) - starts,
        y=[names.index(name) for name in services], orientation="h", name=words, marker=marker,
        hovertext=said, hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _week_title(week: ConstraintWeek) -> str:
    """Return which services are the constraint for how long."""
    parts = [
        f"{cut(week.network.label(name), 40)} for {share:.0%}"
        for name, share in list(week.shares.items())[:3]
    ]
    return f"The constraint is {', '.join(parts)} of the cycle"
