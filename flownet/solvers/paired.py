"""`paired`: two networks on the same random numbers, and the interval of their difference."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pandas as pd

from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats
from flownet.kernels.simulation import SimulationRun
from flownet.network.compile import Compilation
from flownet.network.model import Network
from flownet.solvers.intervals import GIVEN, HALFWIDTH, halfwidth
from flownet.solvers.simulate import simulate
from flownet.solvers.simulation import Simulation
from flownet.solvers.simulation_tables import class_table, service_table, system_table
from flownet.solvers.tables import records


@dataclasses.dataclass(frozen=True, eq=False)
class PairedComparison:
    """Two simulations on common random numbers side by side.

    Every table has the columns ``(measure, before)``, ``(measure, after)``, ``(measure, change)``
    and ``(measure, change_halfwidth)``, the half-width of the paired interval of the change; a row
    that only one network has shows nan on the other side.

    Attributes
    ----------
    before, after : Simulation
        What is compared.
    services, classes : pandas.DataFrame
        One row a service, a class.
    system : pandas.DataFrame
        One row a total, columns before, after, change, change_halfwidth.
    """

    before: Simulation
    after: Simulation
    services: pd.DataFrame = dataclasses.field(repr=False)
    classes: pd.DataFrame = dataclasses.field(repr=False)
    system: pd.DataFrame = dataclasses.field(repr=False)

    def __repr__(self) -> str:
        """Return three lines: the change of delay, of throughput, one warning."""
        delay, served = (self.system.loc[key].to_dict() for key in ("delay", "throughput"))
        unit = self.after.network.time_unit
        both = [
            f"{figure(row['before'])} -> {figure(row['after'])} jobs{per} (change "
            f"{figure(row['change'])} ± {figure(row['change' + HALFWIDTH], 2)})"
            for row, per in ((delay, ""), (served, f" per {unit}"))
        ]
        warnings = self.before.warnings + self.after.warnings
        return "\n".join([
            f"PairedComparison: delay {both[0]}",
            f"  throughput {both[1]}; {self.after.design.confidence:.0%} paired intervals",
            f"  warning: {warnings[0]}" if warnings else "  no warnings",
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as plain values for JSON."""
        return {name: _rows(getattr(self, name)) for name in ("services", "classes", "system")}


def paired(
    before: Network | Simulation, after: Network | Simulation, **options: Any
) -> PairedComparison:
    """Compare two networks by simulation on common random numbers.

    Parameters
    ----------
    before, after : Network or Simulation
        Networks are simulated with `options`, both with the longer of their two warm-ups.
        Simulations must have the same seed, horizon, replications and confidence.
    **options
        As for `simulate`; only with networks.

    Returns
    -------
    PairedComparison
        Its intervals of the change are narrower than those of two independent simulations where
        the networks differ little.

    Raises
    ------
    ParameterError
        Where the two cannot be paired.

    Notes
    -----
    Every service, class and purpose has its stream of random numbers by its name. The intervals
    are Student's t over the differences of the replications' (pseudo-)values.

    References
    ----------
    A. M. Law (2015), Simulation Modeling and Analysis, 5th ed., ch. 10.2.1 and 11.2.
    """
    if isinstance(before, Network) and isinstance(after, Network):
        first, second = _simulated(before, after, options)
    elif isinstance(before, Simulation) and isinstance(after, Simulation):
        if options:
            message = "are for networks; these are simulated already"
            raise ParameterError([Fault("paired", ", ".join(options), "", message)])
        first, second = before, after
    else:
        message = "give two Networks or two Simulations"
        raise ParameterError([Fault("paired", "before, after", "", message)])
    _check(first, second)
    flat = _beside(first, second, system_table).loc["system"]
    sides = ["before", "after", "change", "change" + HALFWIDTH]
    system = pd.DataFrame({side: flat.xs(side, level="side") for side in sides})
    return PairedComparison(
        before=first,
        after=second,
        services=_beside(first, second, service_table),
        classes=_beside(first, second, class_table),
        system=system,
    )


def _simulated(
    before: Network, after: Network, options: dict[str, Any]
) -> tuple[Simulation, Simulation]:
    """Simulate both; where no warm-up is given, with the longer of those found."""
    first, second = simulate(before, **options), simulate(after, **options)
    if options.get("warmup") is None:
        longer = max(first.design.warmup, second.design.warmup)
        rest = options | {"warmup": longer}
        if first.design.warmup < longer:
            first = simulate(before, **rest)
        elif second.design.warmup < longer:
            second = simulate(after, **rest)
    return first, second


def _check(first: Simulation, second: Simulation) -> None:
    faults = [
        Fault("paired", name, f"{a}, {b}", "must be the same in both")
        for name in ("horizon", "replications", "seed", "confidence")
        if (a := getattr(first.design, name)) != (b := getattr(second.design, name))
    ]
    units = (first.network.time_unit, second.network.time_unit)
    if units[0] != units[1]:
        faults.append(Fault("paired", "time_unit", ", ".join(units), "must be the same in both"))
    if not faults and len(first.pieces) != len(second.pieces):
        message = "one of the two has runs that were interrupted or stopped; pairs are missing"
        faults.append(Fault("paired", "replications", "", message))
    if faults:
        raise ParameterError(faults)


def _beside(
    first: Simulation,
    second: Simulation,
    build: Callable[[Network, Compilation, SimulationRun], pd.DataFrame],
) -> pd.DataFrame:
    """Return two tables side by side, with the change and its half-width."""
    a, own, _ = first.measured(build)
    b, other, _ = second.measured(build)
    measures = [column for column in a.columns if column not in GIVEN and column in b.columns]
    shared = [row for row in a.index if row in b.index]
    index = a.index.union(b.index, sort=False)
    columns: dict[tuple[str, str], pd.Series[float]] = {}
    for measure in measures:
        before, after = a[measure].reindex(index), b[measure].reindex(index)
        columns[measure, "before"], columns[measure, "after"] = before, after
        columns[measure, "change"] = after - before
        differences = _values(b, other, shared, measure) - _values(a, own, shared, measure)
        width = pd.Series(halfwidth(differences, first.design.confidence), index=shared)
        columns[measure, "change" + HALFWIDTH] = width.reindex(index)
    frame = pd.DataFrame(columns, index=index)
    frame.columns = pd.MultiIndex.from_tuples(list(columns), names=["measure", "side"])
    frame.attrs["units"] = {m: a.attrs.get("units", {}).get(m, "") for m in measures}
    return frame


def _values(table: pd.DataFrame, pseudo: Floats, rows: list[Any], measure: str) -> Floats:
    """Return the pseudo-values of a column, one row a piece."""
    columns = [column for column in table.columns if column not in GIVEN]
    place = table.index.get_indexer(pd.Index(rows))
    values: Floats = pseudo[:, :, columns.index(measure)][:, place]
    return values


def _rows(table: pd.DataFrame) -> Any:
    flat = table.copy()
    if isinstance(flat.columns, pd.MultiIndex):
        flat.columns = pd.Index(["_".join(column) for column in flat.columns])
    flat.index.name = "name" if flat.index.name is None else flat.index.name
    return records(flat)
