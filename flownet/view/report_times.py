"""The page's section of times, waits and full services: pictures and tables, or why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go

from flownet.errors import Fault, FlownetError, MethodError, ParameterError
from flownet.solvers.solution import Solution
from flownet.units import moment
from flownet.view.distributions import occupancy_distribution, time_distribution, wait_distribution
from flownet.view.page import Chart, chart
from flownet.view.report_tables import cells
from flownet.view.weeks import RESTS, constraint_week

if TYPE_CHECKING:
    from flownet.constraint.find import Finding
    from flownet.network.model import Network, ServiceName
    from flownet.solvers.simulation import Simulation

SHARES = (0.5, 0.9, 0.95)
"""Whose times and waits the tables hold."""
MOST_HOURS = 20_000
"""Services times hours of a week up to which the page looks at each hour: seconds of work."""
NUMBERS = 30
"""Numbers present in the table of their distribution."""


def checked_targets(targets: Sequence[float]) -> tuple[float, ...]:
    """Return times to be marked.

    Raises
    ------
    ParameterError
        Where they are not finite times above 0.
    """
    try:
        found = tuple(float(each) for each in targets)
    except (TypeError, ValueError):
        found = (-1.0,)
    if not all(0.0 < each < float("inf") for each in found):
        fault = Fault("report", "targets", repr(targets), "must be finite times above 0")
        raise ParameterError([fault])
    return found


def times_section(
    solution: Solution,
    finding: Finding | None,
    simulation: Simulation | None,
    targets: Sequence[float],
) -> dict[str, Any]:
    """Return pictures, tables and reasons of the section of times.

    A simulation's own times in the system, which are counted, stand for those of the method where
    it was asked for all the targets.
    """
    source = solution if simulation is None or not _counts(simulation, targets) else simulation
    place = _place(solution, finding)
    plots: dict[str, Callable[[], go.Figure]] = {
        "times": partial(time_distribution, source, targets),
        "waits": partial(wait_distribution, solution),
        "numbers": partial(occupancy_distribution, solution, place),
    }
    pictures: dict[str, Chart] = {}
    reasons: list[str] = []
    for name, plot in plots.items():
        try:
            pictures[name] = chart(name, plot())
        except (ParameterError, MethodError) as error:
            reasons.append(f"{_WHAT[name]}: {_reason(error)}.")
    network = solution.network
    return {
        "charts": pictures,
        "reasons": reasons,
        "source": "by the method" if source is solution else "counted in the simulation",
        "times": cells(_times(source, targets), None) if "times" in pictures else None,
        "waits": cells(_waits(solution), None) if "waits" in pictures else None,
        "numbers": _numbers(solution, place, network) if "numbers" in pictures else None,
        "full": cells(_full(solution), network),
    }


def _counts(simulation: Simulation, targets: Sequence[float]) -> bool:
    return not simulation.percentiles.empty and set(targets) <= set(simulation.design.targets)


_WHAT = {
    "times": "No picture of times in the system",
    "waits": "No picture of waits",
    "numbers": "No picture of numbers present",
}


def _reason(error: ParameterError | MethodError) -> str:
    if isinstance(error, MethodError):
        return "; ".join(error.reasons)
    return "; ".join(fault.message for fault in error.faults)


def _place(solution: Solution, finding: Finding | None) -> ServiceName:
    """Return the service whose numbers are shown: the constraint, else the fullest."""
    if finding is not None and finding.constraint is not None:
        return finding.constraint
    occupancy = solution.services["occupancy"]
    found: ServiceName = occupancy.fillna(0.0).idxmax()
    return found


def _times(source: Solution | Simulation, targets: Sequence[float]) -> pd.DataFrame:
    """Return quantiles of the time in the system by class, and the chance to keep each target."""
    table = source.quantiles(SHARES)
    unit = table.attrs["units"]["mean"]
    columns = ["mean", *(f"p{100 * share:g}" for share in SHARES)]
    view = table[columns].copy()
    view.columns = pd.Index(["mean", *(f"{share:.0%} are out by" for share in SHARES)])
    units = dict.fromkeys(view.columns, unit)
    chances = _kept(source, targets)
    if chances is not None:
        for target in dict.fromkeys(chances.index.get_level_values(1)):
            rows = chances.xs(target, level=1)["probability"].reindex(view.index)
            view[f"within {target:g} {unit}s"] = [f"{share:.1%}" for share in rows]
    view.attrs |= {"units": units, "figures": list(view.columns)}
    return view


def _kept(source: Solution | Simulation, targets: Sequence[float]) -> pd.DataFrame | None:
    """Return the chance to keep each target, where it is known."""
    if isinstance(source, Solution):
        return source.within(targets) if targets else None
    return source.targets if source.design.targets else None


def _waits(solution: Solution) -> pd.DataFrame:
    """Return quantiles of the waits that there are, beside the services' targets."""
    network = solution.network
    unit = network.time_unit
    table = solution.waits(probabilities=SHARES)
    table = table[(table.iloc[:, -1] > 0) & table.notna().all(axis=1)]
    several = len(solution.compilation.classes) > 1
    given = dict(zip(network.services, network.given("target"), strict=True))
    view = pd.DataFrame(index=[
        network.label(service) + (f", {job_class}" if several else "")
        for service, job_class in table.index
    ])  # fmt: skip
    view.index.name = "service"
    for share in SHARES:
        view[f"{share:.0%} wait at most"] = table[f"p{100 * share:g}"].to_numpy()
    view.attrs["units"] = dict.fromkeys(view.columns, unit)
    asked = sorted({float(t) for t in given.values() if t is not None})
    if asked:
        kept = solution.waits(within=asked).loc[table.index]
        pairs = [(given[service], key) for key in table.index for service in key[:1]]
        view["target"] = ["" if t is None else f"{t:g} {unit}s" for t, _ in pairs]
        view["kept by"] = [
            "" if t is None else f"{kept.loc[key, f'within {t:g}']:.1%}" for t, key in pairs
        ]
        view.attrs["figures"] = ["target", "kept by"]
    return view


def _numbers(solution: Solution, place: ServiceName, network: Network) -> dict[str, Any]:
    """Return how often so many are present, as the picture shows it."""
    chances = solution.number_present(place)
    seen = chances[chances >= 5e-4].iloc[:NUMBERS]
    view = pd.DataFrame({"share of the time": [f"{share:.2%}" for share in seen]}, index=seen.index)
    view.index.name = f"present at {network.label(place)}"
    view.attrs["figures"] = list(view.columns)
    return cells(view, None)


def _full(solution: Solution) -> pd.DataFrame:
    """Return how often arrivals find all servers taken, and all places."""
    table = solution.services
    columns = ["occupancy", "wait_probability", "probability_full", "blocking_probability"]
    names = ["occupancy", "all servers taken", "all places taken", "next service found full"]
    view = pd.DataFrame(index=table.index)
    for column, name in zip(columns, names, strict=True):
        view[name] = [f"{share:.1%}" if share == share else "-" for share in table[column]]  # noqa: PLR0124  # nan
    view.attrs["figures"] = names
    return view


def hours_section(finding: Finding | None) -> dict[str, Any]:
    """Return the constraint by time of the cycle, where the network has calendars."""
    if finding is None or finding.solution.compilation.calendars is None:
        return {"hours": None, "no_hours": ""}
    if "week" not in vars(finding) and len(finding.network.services) * 168 > MOST_HOURS:
        return {"hours": None, "no_hours": "it was not looked for, as the services are many."}
    try:
        week = finding.week
        picture = chart("hours", constraint_week(week))
    except FlownetError as error:
        return {"hours": None, "no_hours": str(error)}
    unit, label = finding.network.time_unit, finding.network.label
    same = week.table[["constraint", "how"]].fillna("")
    spans = week.table.groupby((same != same.shift()).any(axis=1).cumsum())
    rows = []
    for _, span in spans:
        first = span.iloc[0]
        named = "" if first["constraint"] is None else label(first["constraint"])
        start, end = float(span.index[0]), float(span["end"].iloc[-1])
        until = moment(end % week.cycle, week.cycle, unit)
        rows.append({"until": until, "constraint": named, "rests on": RESTS[first["how"]][0],
                     "from": moment(start, week.cycle, unit)})  # fmt: skip
    view = pd.DataFrame(rows).set_index("from")
    return {"hours": {"chart": picture, "table": cells(view, None)}, "no_hours": ""}
