"""`compare`: before and after, by service, class, organisation and as a whole."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, overload

import pandas as pd

from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError
from flownet.network.model import Network
from flownet.solvers.paired import PairedComparison, paired
from flownet.solvers.simulation import Simulation
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve
from flownet.solvers.tables import records

if TYPE_CHECKING:
    from collections.abc import Sequence

MEASURES = ("servers", "throughput", "load_ratio", "occupancy", "delay", "waiting_time",
            "blocked_time", "number_outside", "loss_rate", "growth_rate")  # fmt: skip
CLASS_MEASURES = ("throughput", "system_response_time", "delay_time", "loss_rate", "growth_rate")
ADDED = ("servers", "delay", "number_present", "number_outside", "loss_rate", "growth_rate")
"""Measures that add up over the services of an organisation."""


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Two solutions side by side.

    Every table has the columns ``(measure, before)``, ``(measure, after)``, ``(measure, change)``;
    a service that only one network has shows nan on the other side.

    Attributes
    ----------
    before, after : Solution
        What is compared.
    services, classes, organisations : pandas.DataFrame
        One row a service, class, organisation.
    system : pandas.DataFrame
        One row a total, columns before, after, change.
    """

    before: Solution
    after: Solution
    services: pd.DataFrame = dataclasses.field(repr=False)
    classes: pd.DataFrame = dataclasses.field(repr=False)
    organisations: pd.DataFrame = dataclasses.field(repr=False)
    system: pd.DataFrame = dataclasses.field(repr=False)

    def __repr__(self) -> str:
        """Return three lines: the change of delay, of throughput and cost, one warning."""
        delay, served = self.system.loc["delay"], self.system.loc["throughput"]
        growth, cost = self.system.loc["growth_rate"], self.system.loc["cost"]
        unit = self.after.network.time_unit
        head = f"Comparison: delay {figure(delay['before'])} -> {figure(delay['after'])} jobs"
        if growth["before"] > 0 or growth["after"] > 0:
            head += (
                f"; backlog growth {figure(growth['before'])} -> {figure(growth['after'])} jobs "
                f"per {unit}"
            )
        rest = (
            f"  throughput {figure(served['before'])} -> {figure(served['after'])} jobs per {unit}"
            f"; cost {figure(cost['before'])} -> {figure(cost['after'])} per {unit}"
        )
        warnings = self.after.warnings
        return "\n".join([head, rest, f"  warning: {warnings[0]}" if warnings else "  no warnings"])

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as plain values for JSON."""
        return {
            "services": _rows(self.services),
            "classes": _rows(self.classes),
            "organisations": _rows(self.organisations),
            "system": _rows(self.system),
        }


@overload
def compare(before: Simulation, after: Simulation, method: str = "auto") -> PairedComparison: ...


@overload
def compare(
    before: Network | Solution, after: Network | Solution, method: str = "auto"
) -> Comparison: ...


def compare(
    before: Network | Solution | Simulation,
    after: Network | Solution | Simulation,
    method: str = "auto",
) -> Comparison | PairedComparison:
    """Return two networks (or solutions or simulations of them) side by side.

    Parameters
    ----------
    before, after : Network, Solution or Simulation
        A network is solved with `method` first. Two simulations of the same design are paired:
        see `flownet.paired`.
    method : str
        As for `solve`.

    Returns
    -------
    Comparison
        With a table by service, class, organisation, and for the whole system; a PairedComparison
        of two simulations.

    Raises
    ------
    ParameterError
        Where the time units differ, or a simulation is to be compared with a solution.
    UnconvergedError
        Where one of the two could not be solved.
    """
    if isinstance(before, Simulation) and isinstance(after, Simulation):
        return paired(before, after)
    if isinstance(before, Simulation) or isinstance(after, Simulation):
        message = "compare two simulations, or two networks or solutions"
        raise ParameterError([Fault("compare", "before, after", "", message)])
    first = before if isinstance(before, Solution) else solve(before, method)
    second = after if isinstance(after, Solution) else solve(after, method)
    units = (first.network.time_unit, second.network.time_unit)
    if units[0] != units[1]:
        message = f"the networks count time in {units[0]}s and {units[1]}s: use one unit for both"
        raise ParameterError([Fault("compare", "time_unit", "", message)])
    return Comparison(
        before=first,
        after=second,
        services=_beside(first.services, second.services, MEASURES),
        classes=_beside(first.classes, second.classes, CLASS_MEASURES),
        organisations=_beside(_by_organisation(first), _by_organisation(second), ADDED),
        system=_system(first, second),
    )


def _by_organisation(solution: Solution) -> pd.DataFrame:
    table = solution.services
    finite = table["servers"].where(table["servers"] < float("inf"), 0.0)
    return table.assign(servers=finite).groupby("organisation")[list(ADDED)].sum()


def _beside(first: pd.DataFrame, second: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    index = first.index.union(second.index, sort=False)
    parts = {}
    for measure in measures:
        a, b = first[measure].reindex(index), second[measure].reindex(index)
        parts[measure, "before"], parts[measure, "after"] = a, b
        parts[measure, "change"] = (b - a).where(a != b, 0.0).where(a.notna() & b.notna())
    frame = pd.DataFrame(parts, index=index)
    frame.columns = pd.MultiIndex.from_tuples(frame.columns, names=["measure", "side"])
    frame.attrs["units"] = {m: first.attrs.get("units", {}).get(m, "") for m in measures}
    return frame


def _system(first: Solution, second: Solution) -> pd.DataFrame:
    a, b = first.system, second.system
    change = (b - a).where(a != b, 0.0)
    return pd.DataFrame({"before": a, "after": b, "change": change})


def _rows(table: pd.DataFrame) -> Any:
    flat = table.copy()
    if isinstance(flat.columns, pd.MultiIndex):
        flat.columns = pd.Index(["_".join(column) for column in flat.columns])
    flat.index.name = flat.index.name or "name"
    return records(flat)
