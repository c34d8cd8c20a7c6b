"""`SweepResult`: one row a scenario of a sweep, and what is best among them."""

from __future__ import annotations

import dataclasses
import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flownet.display import figure, html_of_text
from flownet.errors import Fault, MissingExtraError, ParameterError
from flownet.kernels.compiled import Floats
from flownet.network.model import Network
from flownet.solvers.measures import Measure, as_measures
from flownet.solvers.tables import records
from flownet.study.design import Design
from flownet.study.parameters import Parameter, as_parameters
from flownet.study.ranking import Front, Objective, Tornado, front, objective, tornado
from flownet.study.scenario import Scenario
from flownet.study.sweep_store import DESIGN, Folder, parquet, read_manifest
from flownet.study.variation import Variation

if TYPE_CHECKING:
    import pandas as pd
    import xarray

LOSSES = ("loss_rate", "overflow_rate", "abandonment_rate")
LEVELS, GROUPS = 20, 8
"""A parameter with more values than the first is cut into so many groups, for the tornado."""


@dataclasses.dataclass(frozen=True, eq=False)
class SweepResult:
    """What became of each row of a design.

    Attributes
    ----------
    network : Network
        The baseline.
    design : Design
        The values that were asked for.
    parameters : tuple of Parameter
        Its columns.
    measures : tuple of Measure
        What was read, with units.
    table : pandas.DataFrame
        One row a scenario that was done, by its number in the design: parameters, measures,
        ``method``, and ``error`` (empty where all is well); units in ``.attrs``.
    method : str
        What was asked for.
    """

    network: Network
    design: Design
    parameters: tuple[Parameter, ...]
    measures: tuple[Measure, ...]
    table: pd.DataFrame = dataclasses.field(repr=False)
    method: str = "auto"

    def __post_init__(self) -> None:
        """Put units beside the columns; a table without rows has its columns too."""
        if self.table.empty:
            names = [p.text for p in self.parameters] + [m.text for m in self.measures]
            table = self.table.reindex(columns=[*names, "method", "error"])
            object.__setattr__(self, "table", table)
        unit = self.network.time_unit
        units = {p.text: p.unit.replace("T", unit) for p in self.parameters}
        self.table.attrs["units"] = units | {m.text: m.unit for m in self.measures}

    @classmethod
    def from_path(cls, path: str | Path) -> SweepResult:
        """Return what a folder of `sweep` holds, whether it was finished or not.

        Raises
        ------
        ReadError
            Where it holds no sweep.
        MissingExtraError
            Where pyarrow is missing.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        network = Network.from_dict(manifest["network"])
        values = parquet().read_table(folder / DESIGN).to_pandas()
        texts, axes = tuple(manifest["parameters"]), tuple(map(tuple, manifest["axes"]))
        numbers = values[list(texts)].to_numpy(dtype=np.float64)
        design = Design(texts, numbers, manifest["design"], axes, manifest["seed"])
        return cls(
            network,
            design,
            as_parameters(texts, network),
            as_measures(manifest["measures"], network),
            Folder(folder, manifest, values).table(),
            manifest["method"],
        )

    @property
    def complete(self) -> bool:
        """Whether every row of the design was done."""
        return len(self.table) == len(self.design.points)

    @cached_property
    def failed(self) -> pd.DataFrame:
        """The rows with an error."""
        return self.table[self.table["error"] != ""]

    def scenario(self, row: int) -> Scenario:
        """Return the scenario of a row, which a network can be changed by.

        Raises
        ------
        ParameterError
            Where there is no such row, or its values cannot be a change.
        """
        if not 0 <= row < len(self.design.points):
            message = f"must be from 0 to {len(self.design.points) - 1}"
            raise ParameterError([Fault("sweep", "row", str(row), message)])
        variation = Variation(self.network, self.parameters)
        return variation.scenario(self.design.points[row].tolist(), f"row {row}")

    # what is best

    def judged(self, goal: str, *, minimize: bool | None = None) -> Objective:
        """Return the column that `goal` means, and which way is better.

        Raises
        ------
        UnknownNameError
            Where it was not computed.
        ParameterError
            Where it is not said which way is better, or delay alone would reward turning jobs away.
        """
        found = objective(goal, self.measures, minimize)
        if found.name == "delay" and self._turns_away():
            message = (
                "jobs are lost, overflow or give up in some rows, so that delay alone would be "
                "best with the door closed: put 'goal delay' among the measures, with "
                "cost_of_loss in the network"
            )
            raise ParameterError([Fault("goal 'delay'", "measures", "", message)])
        return found

    def _turns_away(self) -> bool:
        """Return whether jobs are turned away in any row, or could be and nobody looked."""
        looked = [name for name in LOSSES if name in self.table]
        if len(looked) == len(LOSSES):
            return bool((self.table[looked] > 1e-9).to_numpy().any())
        limits = ("capacity", "waiting_room", "patience")
        return any(value is not None for name in limits for value in self.network.given(name))

    def ranking(self, goal: str = "delay", *, minimize: bool | None = None) -> pd.DataFrame:
        """Return the rows from best to worst; those without a value stand last."""
        ranks = self.judged(goal, minimize=minimize).ranks(self.table)
        places = np.where(ranks >= 0, ranks, np.iinfo(np.int64).max)
        found = self.table.iloc[np.argsort(places, kind="stable")]
        found.attrs = dict(self.table.attrs)
        return found

    def best(self, goal: str = "delay", *, minimize: bool | None = None) -> Scenario:
        """Return the scenario of the row that is best in a goal or a measure.

        Raises
        ------
        UnknownNameError, ParameterError
            As `judged`; and where no row has a value.
        """
        ranks = self.judged(goal, minimize=minimize).ranks(self.table)
        if not (ranks >= 0).any():
            message = "no row has a value"
            raise ParameterError([Fault("goal", "", f"'{goal}'", message)])
        place = np.where(ranks >= 0, ranks, np.iinfo(np.int64).max).argmin()
        return self.scenario(int(self.table.index[place]))

    def pareto(self, goal1: str, goal2: str) -> Front:
        """Return the rows that are not beaten in one goal without a loss in the other.

        Raises
        ------
        UnknownNameError, ParameterError
            As `judged`.
        """
        return front(self.table, self.judged(goal1), self.judged(goal2))

    def tornado(self, goal: str = "delay", *, minimize: bool | None = None) -> Tornado:
        """Return how far each parameter moves a goal: its mean by the parameter's value.

        Rows without a value, or with an endless one, are left out of the means.

        Raises
        ------
        UnknownNameError, ParameterError
            As `judged`.
        """
        chosen = self.judged(goal, minimize=minimize)
        value = chosen.values(self.table)
        known = np.isfinite(value)
        rows = {}
        for parameter in self.parameters:
            setting = self.table[parameter.text].to_numpy(dtype=np.float64)
            rows[parameter.text] = _ends(setting[known], value[known])
        left = f"; {len(value) - known.sum()} rows without a finite value left out"
        method = "means over all other parameters, at the lowest and the highest"
        baseline = float(value[known].mean()) if known.any() else math.nan
        return tornado(chosen, baseline, rows, method + ("" if known.all() else left))

    # how it is told

    def to_xarray(self) -> xarray.Dataset:
        """Return a grid along its parameters; rows that are missing are nan.

        Raises
        ------
        ParameterError
            Where the design is not a grid.
        MissingExtraError
            Where xarray is not installed.
        """
        try:
            import xarray
        except ImportError as error:
            message = "xarray is needed: pip install 'flownet-queueing[study]'"
            raise MissingExtraError(message) from error
        if not self.design.axes:
            message = "is not a regular grid: take .table"
            raise ParameterError([Fault("sweep", "design", self.design.kind, message)])
        whole = self.table.reindex(range(len(self.design.points)))
        shape = tuple(len(axis) for axis in self.design.axes)
        names = self.design.parameters
        data = {
            m.text: (names, whole[m.text].to_numpy(dtype=float).reshape(shape), {"units": m.unit})
            for m in self.measures
        }
        errors = whole["error"].where(whole["error"].notna(), "not done").to_numpy(dtype=str)
        data["error"] = (names, errors.reshape(shape), {})
        return xarray.Dataset(data, dict(zip(names, map(list, self.design.axes), strict=True)))

    def __repr__(self) -> str:
        """Return three lines: how many rows, over what, what failed."""
        done, total = len(self.table), len(self.design.points)
        rows = f"{done:,} scenarios" if self.complete else f"{done:,} of {total:,} scenarios"
        names = [p.text for p in self.parameters]
        lines = [f"SweepResult: {rows} of '{self.network.name}'", f"  over {', '.join(names)}"]
        said = "none failed"
        if len(self.failed):
            said = f"{len(self.failed)} failed; the first: {self.failed.iloc[0]['error']}"
        if not self.complete:
            said = f"interrupted: with a path, the same call goes on from here; {said}"
        lines.append(f"  {said}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return network, design and table as plain values for JSON."""
        return {
            "network": self.network.to_dict(),
            "parameters": list(self.design.parameters),
            "design": self.design.kind,
            "axes": [list(axis) for axis in self.design.axes],
            "rows": len(self.design.points),
            "complete": self.complete,
            "units": dict(self.table.attrs["units"]),
            "table": records(self.table),
        }


def _ends(setting: Floats, value: Floats) -> dict[str, Any]:
    """Return the mean value at the lowest and at the highest settings."""
    levels = np.unique(setting)
    if levels.size == 0:
        return {"low": math.nan, "high": math.nan, "low_setting": "", "high_setting": ""}
    first, last = levels[[0, -1]]
    if levels.size > LEVELS:
        first, last = np.quantile(setting, [1 / GROUPS, 1 - 1 / GROUPS])
    low, high = setting <= first, setting >= last
    under, over = ("", "") if levels.size <= LEVELS else ("to ", "from ")
    return {
        "low": float(value[low].mean()),
        "high": float(value[high].mean()),
        "low_setting": f"{under}{figure(float(first))}",
        "high_setting": f"{over}{figure(float(last))}",
    }
