"""Times, waits and numbers present as distributions, with target lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from flownet.display import figure
from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.network.model import ServiceName
from flownet.network.values import nearest
from flownet.solvers.simulation import Simulation
from flownet.solvers.solution import Solution
from flownet.solvers.states import ExactChain
from flownet.solvers.times import TimeInSystem
from flownet.view.ink import BLUE, DASHES, INK, LEGEND, PALE, SERIES, figure_of, shown, with_unit

PROBABILITIES = (0.01, *(0.025 * k for k in range(1, 40)), 0.985, 0.99)
"""At which curves are read."""
MARKED = (0.01, 0.5, 0.95, 0.99)
STRETCHED = 40.0
"""Times go on a logarithmic axis where the 99th percentile is so many times the median."""


def time_distribution(
    result: Solution | Simulation | TimeInSystem, targets: Sequence[float] = ()
) -> go.Figure:
    """Return the share of jobs that have left by each time since admission, by class.

    Parameters
    ----------
    result : Solution, Simulation or TimeInSystem
    targets : sequence of float
        Times in T to mark, above 0; those of a simulation's design are marked too.

    Returns
    -------
    plotly.graph_objects.Figure
        The title gives the share within the first target where the result knows it (a simulation
        knows those that it was asked for).

    Raises
    ------
    ParameterError
        Where no class has a distribution, or a target is out of its range.

    Examples
    --------
    >>> import flownet as fn
    >>> figure = fn.view.time_distribution(fn.solve(fn.example("obstetrics")), [24.0])
    >>> [trace.mode for trace in figure.data][:1]
    ['lines']
    """
    table = result.quantiles(MARKED)
    unit = str(table.attrs["units"]["mean"])
    table = table[table[["p1", "p50", "p95", "p99"]].notna().all(axis=1)]
    if table.empty:
        message = "no class has one: nobody leaves served, or waits have no end"
        raise ParameterError([Fault("time_distribution", "time in the system", "", message)])
    asked = [float(t) for t in targets]
    if isinstance(result, Simulation):
        asked += [t for t in result.design.targets if t not in asked]
    title = _time_title(table, _chances(result, asked), asked, unit)
    stretched = _stretched(table)
    traces = [
        go.Scatter(
            x=times, y=shares, mode="lines", name=shown(name),
            line={"color": SERIES[k % len(SERIES)], "dash": DASHES[k % len(DASHES)], "width": 2.5},
            hovertemplate=f"%{{y:.0%}} within %{{x:.3g}} {unit}s<extra>{shown(name)}</extra>",
        )
        for k, (name, (times, shares)) in enumerate(
            _time_curves(result, table, stretched=stretched).items()
        )
    ]  # fmt: skip
    drawn = figure_of(traces, title, 340, legend=LEGEND)
    _time_axes(drawn, with_unit("time from admission to exit", unit), stretched=stretched)
    drawn.update_yaxes(title={"text": "share of jobs that have left"})
    _lines(drawn, [(t, f"{t:g} {unit}s", INK) for t in asked])
    return drawn


def wait_distribution(solution: Solution, *, most: int = 6) -> go.Figure:
    """Return the share of jobs that wait at most so long, at the services with the longest waits.

    Parameters
    ----------
    solution : Solution
    most : int
        Services (by class, where there are several) that are drawn.

    Returns
    -------
    plotly.graph_objects.Figure
        With a line at each service's own ``target``.

    Raises
    ------
    ParameterError
        Where nobody waits inside (those blocked or outside wait elsewhere), or no wait is known.
    """
    table = solution.waits(probabilities=PROBABILITIES)
    known = table[table.notna().all(axis=1)]
    known = known[known.iloc[:, -1] > 0].sort_values(list(known)[-1], ascending=False)
    if known.empty:
        message = "no service has one: jobs wait outside, or where they were before, or not at all"
        raise ParameterError([Fault("wait_distribution", "wait", "", message)])
    network, unit = solution.network, solution.network.time_unit
    several = len(solution.compilation.classes) > 1
    targets = dict(zip(network.services, network.given("target"), strict=True))
    traces, lines = [], []
    for k, (key, row) in enumerate(known.iloc[:most].iterrows()):
        service, job_class = key
        name = network.label(service) + (f", {job_class}" if several else "")
        color = SERIES[k % len(SERIES)]
        traces.append(go.Scatter(
            x=row.to_numpy(), y=np.array(PROBABILITIES), mode="lines", name=shown(name, 40),
            line={"color": color, "dash": DASHES[k % len(DASHES)], "width": 2.5},
            hovertemplate=f"%{{y:.0%}} wait at most %{{x:.3g}} {unit}s"
                          f"<extra>{shown(name, 40)}</extra>",
        ))  # fmt: skip
        if targets[service] is not None and (targets[service], color) not in lines:
            lines.append((float(targets[service]), color))
    worst, job_class = known.index[0]
    late = float(known["p95"].iloc[0])
    whom = f" of class {job_class}" if several else ""
    title = (
        f"One job in twenty{whom} waits longer than {figure(late)} {unit}s at "
        f"{network.label(worst)}"
    )
    left = len(known) - most
    note = f"{left} more services or classes with shorter waits are not drawn." if left > 0 else ""
    drawn = figure_of(traces, title, 340, note=note, legend=LEGEND)
    stretched = _stretched(known.iloc[:most])
    _time_axes(drawn, with_unit("wait at a visit, at most", unit), stretched=stretched)
    drawn.update_yaxes(title={"text": "share of jobs"})
    _lines(drawn, [(t, f"target {t:g} {unit}s", color) for t, color in lines])
    return drawn


def occupancy_distribution(result: Solution | ExactChain, service: ServiceName) -> go.Figure:
    """Return how often so many jobs are present at a service, with its servers marked.

    Parameters
    ----------
    result : Solution or ExactChain
        A solution by product form, or the exact chain.
    service : str

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UnknownNameError
        Where the service does not exist.
    MethodError
        Where the method has no such distribution.
    """
    chances = _chances_of(result, service)
    place = result.compilation.services.index(service)
    servers = float(result.compilation.arrays.servers[place])
    label = result.network.label(service)
    chances = chances[: int(np.searchsorted(chances.cumsum().to_numpy(), 0.9995)) + 1]
    numbers = chances.index.to_numpy(dtype=float)
    full = float(1.0 - chances[numbers < servers].sum())
    title = f"At {label} all {figure(servers)} servers are taken {full:.0%} of the time"
    if not np.isfinite(servers):
        title = f"At {label} there is a server for everybody"
    bars = [
        go.Bar(x=numbers[mask], y=chances.to_numpy()[mask], name=name, marker={"color": color},
               hovertemplate="%{x} present: %{y:.2%} of the time<extra></extra>")
        for name, color, mask in (
            ("a server is free", PALE, numbers < servers),
            ("all servers are taken", BLUE, numbers >= servers),
        )
        if mask.any()
    ]  # fmt: skip
    drawn = figure_of(bars, title, 320, bargap=0.1, legend=LEGEND)
    drawn.update_xaxes(title={"text": with_unit("number present", "job")})
    drawn.update_yaxes(title={"text": "share of the time"}, tickformat=".0%")
    return drawn


def _chances_of(result: Solution | ExactChain, service: ServiceName) -> pd.Series[float]:
    """Return P(n present) at a service."""
    if isinstance(result, Solution):
        return result.number_present(service)
    table = result.number_present
    if service not in table:
        near = nearest(str(service), [str(name) for name in table.columns])
        fault = Fault("service", "", repr(service), f"is not in the network{near}")
        raise UnknownNameError([fault])
    return table[service].dropna()


def _chances(result: Any, targets: list[float]) -> pd.DataFrame | None:
    """Return the chance to keep each target by class, where the result knows it."""
    if not targets:
        return None
    if isinstance(result, Simulation):
        return result.targets if result.design.targets else None
    found: pd.DataFrame = result.within(targets)
    return found


def _time_curves(
    result: Solution | Simulation | TimeInSystem, table: pd.DataFrame, *, stretched: bool
) -> dict[str, tuple[Any, Any]]:
    """Return times and shares by class: quantiles where they are counted, else P(T <= t)."""
    if isinstance(result, Simulation):
        quantiles = result.quantiles(PROBABILITIES)
        columns = [f"p{100 * p:g}" for p in PROBABILITIES]
        return {
            str(name): (quantiles.loc[name, columns].to_numpy(), np.array(PROBABILITIES))
            for name in table.index
        }
    low, high = float(table["p1"].min()), float(table["p99"].max())
    times = np.geomspace(low, high, 60) if stretched else np.linspace(0, high, 61)[1:]
    shares = result.within(times)["probability"]
    return {str(name): (times, shares.loc[name].to_numpy()) for name in table.index}


def _time_title(
    curves: pd.DataFrame, chances: pd.DataFrame | None, targets: list[float], unit: str
) -> str:
    order = ["all"] if "all" in curves.index else list(curves.index[:3])
    first = targets[0] if targets else None
    if chances is not None and (order[0], first) in chances.index:
        parts = []
        for name in order:
            row = chances.loc[(name, first)]
            more = row.get("probability_halfwidth")
            give = f" ± {more:.1%}" if more is not None and np.isfinite(more) else ""
            parts.append(f"{row['probability']:.1%}{give} of {_jobs(str(name))}")
        return f"{', '.join(parts)} leave within {first:g} {unit}s"
    middle = ", ".join(
        f"{figure(float(curves.loc[name, 'p95']))} {unit}s for {_jobs(str(name))}" for name in order
    )
    return f"19 in 20 have left after {middle}"


def _jobs(name: str) -> str:
    return "all jobs" if name == "all" else f"class {name}"


def _stretched(table: pd.DataFrame) -> bool:
    """Return whether the times want a logarithmic axis."""
    middle = float(table["p50"].median())
    return middle > 0 and float(table["p99"].max()) > STRETCHED * middle


def _time_axes(drawn: go.Figure, text: str, *, stretched: bool) -> None:
    if stretched:
        drawn.update_xaxes(type="log", dtick="D2", title={"text": text + ", logarithmic"})
    else:
        drawn.update_xaxes(rangemode="tozero", title={"text": text})
    drawn.update_yaxes(tickformat=".0%", range=[-0.04, 1.02])


def _lines(drawn: go.Figure, lines: list[tuple[float, str, str]]) -> None:
    """Draw an upright line at each target, its label at the foot, one above the other."""
    stretched = drawn.layout.xaxis.type == "log"
    for k, (time, text, color) in enumerate(sorted(lines)):
        drawn.add_vline(x=time, line={"color": color, "dash": "dash", "width": 1.5})
        drawn.add_annotation(
            x=np.log10(time) if stretched else time, y=0.03 + 0.07 * (k % 5), yref="paper",
            text=text, showarrow=False, xanchor="left", xshift=4, bgcolor="rgba(255,255,255,0.8)",
            font={"color": color, "size": 12},
        )  # fmt: skip
