"""`week`: demand against capacity through a cycle, such as the hours of a week."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from flownet.display import figure
from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.network.model import ServiceName
from flownet.network.values import nearest
from flownet.solvers.simulation import Simulation
from flownet.view.ink import BLUE, INK, LEGEND, ORANGE, VERMILION, cut, figure_of, with_unit

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""A week begins on Monday at midnight, as the profile of an event log does."""


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
        _band(edges, (asking - width_of).to_numpy(), (asking + width_of).to_numpy()),
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
    days = {"hour": 24.0, "day": 1.0, "minute": 1440.0}.get(unit, 0.0)
    if days and abs(cycle - 7 * days) < 1e-6 * cycle:
        drawn.update_xaxes(
            tickvals=[days * k for k in range(7)], ticktext=list(DAYS), range=[0, cycle],
            title={"text": f"time of the week (a mark is the day's midnight) [{unit}]"},
        )  # fmt: skip
    else:
        drawn.update_xaxes(range=[0, cycle], title={"text": with_unit("time of the cycle", unit)})


def _title(simulation: Simulation, service: ServiceName, rows: Any, asking: Any) -> str:
    """Return when demand exceeds capacity most."""
    network, unit = simulation.network, simulation.network.time_unit
    gap = (asking - rows["servers"]).to_numpy(dtype=float)
    over = float(np.mean(gap > 0))
    worst = float(rows.index[int(np.nanargmax(gap))])
    label = cut(network.label(service), 60)
    if not over:
        return f"At {label} capacity is enough at every time of the cycle, on average"
    when = _when(worst, float(simulation.design.cycle), unit)
    return (
        f"At {label} demand exceeds capacity in {over:.0%} of the cycle, most {when}: "
        f"by {figure(float(np.nanmax(gap)))} jobs"
    )


def _when(start: float, cycle: float, unit: str) -> str:
    days = {"hour": 24.0, "minute": 1440.0}.get(unit, 0.0)
    if days and abs(cycle - 7 * days) < 1e-6 * cycle:
        hour = (start % days) * 24.0 / days
        return f"on {DAYS[int(start // days)]} from {int(hour):02d}:{int(hour % 1 * 60):02d}"
    return f"from {unit} {start:g}"
