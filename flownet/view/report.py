"""`report`: the case for change, as one HTML page that works offline and on paper."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

import flownet
from flownet.errors import Fault, ParameterError
from flownet.readers.text import write_whole
from flownet.solvers.solve import solve
from flownet.study.compare import Comparison, compare
from flownet.view.bars import relief_bars
from flownet.view.causes import delay_heatmap
from flownet.view.map import LEVELS, draw
from flownet.view.page import Chart, chart, map_picture, rendered, scripts, stored
from flownet.view.report_plan import plan_section
from flownet.view.report_summary import headlines, tiles
from flownet.view.report_tables import (
    blame_of,
    cells,
    classes_of,
    data_quality,
    not_modelled,
    origins_of,
    versions_of,
)
from flownet.view.report_times import checked_targets, hours_section, times_section
from flownet.view.slopes import slope_chart
from flownet.view.text import ranking_view, service_view

if TYPE_CHECKING:
    from flownet.allocate.plan import Plan
    from flownet.constraint.find import Finding
    from flownet.network.model import Network
    from flownet.readers.estimated_network import EstimatedNetwork
    from flownet.solvers.simulation import Simulation
    from flownet.solvers.solution import Solution

CHARTS = ("heat", "relief", "slopes", "owners", "times", "waits", "numbers")
"""Pictures that the page has a place for."""
LARGEST_MAP = 400
"""Services up to which the map is drawn."""
MAP_WIDTH = 1000.0
"""Pixels; shrunk on narrow screens and on paper."""


def report(
    network: Network,
    finding: Finding | None = None,
    plan: Plan | None = None,
    path: str | os.PathLike[str] = "report.html",
    *,
    data: EstimatedNetwork | None = None,
    simulation: Simulation | None = None,
    targets: Sequence[float] = (),
) -> Path:
    """Write one self-contained HTML page about a network, and return where it is.

    Parameters
    ----------
    network : Network
        The system; it is solved where neither finding nor plan holds its solution.
    finding : Finding, optional
        Adds the constraint, the symptoms, the ranking and who causes whose delay.
    plan : Plan, optional
        Adds the moves, promised and verified gain, before and after, who gains and who loses.
    path : path
        The file to write; it is written whole or not at all.
    data : EstimatedNetwork, optional
        Where the network comes from an event log: adds the quality of the data.
    simulation : Simulation, optional
        Of the same network: adds its figures to the summary, its times, and its seed.
    targets : sequence of float, optional
        Times in the system to mark, in T, above 0; a simulation's own are marked too.

    Returns
    -------
    pathlib.Path
        The file that was written.

    Raises
    ------
    ParameterError
        Where finding, plan, data or simulation belong to another network, or a target is not a
        time.
    OSError
        Where the place cannot be written.

    Notes
    -----
    Figures are drawn by plotly, which stands in the page once (5 MB) where there are any; every
    figure has its table beside it. Nothing is loaded from elsewhere, and a policy in the page
    keeps any other script from running.
    """
    target = Path(path)
    _check(network, finding, plan, data, simulation)
    marked = checked_targets(targets)
    write_whole(target, _page(network, finding, plan, data, simulation, marked))
    return target


def _check(
    network: Network,
    finding: Finding | None,
    plan: Plan | None,
    data: EstimatedNetwork | None,
    simulation: Simulation | None,
) -> None:
    """Refuse what belongs to another network."""
    given: dict[str, Network | None] = {
        "finding": None if finding is None else finding.network,
        "plan": None if plan is None else plan.before.network,
        "data": None if data is None else data.network,
        "simulation": None if simulation is None else simulation.network,
    }
    faults = [
        Fault("report", name, f"of '{other.name}'", "belongs to another network than the one given")
        for name, other in given.items()
        if other is not None and other is not network and other != network
    ]
    if faults:
        raise ParameterError(faults)


def _page(
    network: Network,
    finding: Finding | None,
    plan: Plan | None,
    data: EstimatedNetwork | None,
    simulation: Simulation | None,
    targets: Sequence[float],
) -> str:
    if finding is not None:
        solution = finding.solution
    else:
        solution = plan.before if plan is not None else solve(network)
    readable = solution.converged
    comparison = compare(plan.before, plan.after) if plan is not None else None
    by, blame, caption = ("flow", None, "") if finding is None else blame_of(finding)
    charts = _charts(finding, comparison, by)
    times = times_section(solution, finding, simulation, targets) if readable else None
    charts |= {} if times is None else times["charts"]
    hours = hours_section(finding)
    return rendered(
        "report.html.j2",
        title=network.name or "network",
        version=flownet.__version__,
        solution=solution,
        finding=finding,
        plan=plan,
        contents=_contents(finding, plan, data, readable=readable),
        css=stored("map.css") + stored("report.css"),
        headlines=headlines(solution, finding, plan),
        tiles=tiles(solution, finding, plan, simulation) if readable else [],
        levels=LEVELS,
        charts=dict.fromkeys(CHARTS) | charts,
        scripts=scripts() if charts or hours["hours"] else None,
        services=cells(service_view(solution), network) if readable else None,
        classes=cells(classes_of(solution), None) if readable else None,
        ranking=None if finding is None else cells(ranking_view(finding), network),
        by=by,
        chain=_chain(finding, by),
        blame=blame,
        blame_caption=caption,
        data=None if data is None else data_quality(data),
        assumptions=[*solution.assumptions, *(data.assumptions if data is not None else ())],
        origins=origins_of(network),
        times=times,
        not_modelled=not_modelled(solution, simulation),
        notes=str(network.graph.graph.get("notes", "")),
        versions=versions_of(solution, finding, simulation),
        **hours,
        **_map(solution, finding, readable=readable),
        **plan_section(plan, comparison, finding, network),
    )


def _map(solution: Solution, finding: Finding | None, *, readable: bool) -> dict[str, Any]:
    """Return the map, or why there is none."""
    network = solution.network
    if not readable:
        return {"map": None, "no_map": "The network could not be solved: there is no map."}
    if len(network.services) > LARGEST_MAP:
        said = f"{len(network.services):,} services are too many for a map on a page."
        return {"map": None, "no_map": said}
    return {"map": map_picture(draw(solution, finding, MAP_WIDTH), network.name), "no_map": ""}


def _charts(finding: Finding | None, comparison: Comparison | None, by: str) -> dict[str, Chart]:
    """Return the plots that these results have something to show in."""
    plots: dict[str, Callable[[], go.Figure]] = {}
    if finding is not None:
        plots["heat"] = partial(delay_heatmap, finding, by)
        plots["relief"] = partial(relief_bars, finding)
    if comparison is not None:
        growing = bool((comparison.system.loc["growth_rate"] > 0).any())
        measure = "growth_rate" if growing else "delay"
        plots["slopes"] = partial(slope_chart, comparison, measure)
        if len(comparison.organisations) > 1:
            plots["owners"] = partial(slope_chart, comparison, measure, by="organisations")
    charts = {}
    for name, plot in plots.items():
        try:
            charts[name] = chart(name, plot())
        except ParameterError:  # it has nothing to show, and its table says so
            continue
    return charts


def _chain(finding: Finding | None, by: str) -> str:
    """Return the chain of causes in words, where there is an attribution by service."""
    return finding.chain if finding is not None and by == "service" else ""


def _contents(
    finding: Finding | None,
    plan: Plan | None,
    data: EstimatedNetwork | None,
    *,
    readable: bool,
) -> list[tuple[str, str]]:
    """Return the sections of the page: their places and names."""
    sections = [
        ("summary", "Summary", True),
        ("finding", "Cause and symptom", finding is not None),
        ("plan", "The plan", plan is not None),
        ("who", "Who gains and who loses", plan is not None),
        ("times", "Times and waits", readable),
        ("services", "All services", readable),
        ("data", "Quality of the data", data is not None),
        ("rests", "Assumptions", True),
        ("limits", "What was not modelled", True),
        ("how", "How this was computed", True),
    ]
    return [(place, name) for place, name, there in sections if there]
