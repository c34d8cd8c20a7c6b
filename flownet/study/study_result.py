"""`StudyResult`: what became of each scenario, as tables, and what is best among them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flownet.display import figure, html_of_text
from flownet.errors import Fault, MissingExtraError, ParameterError, UnknownNameError
from flownet.network.values import nearest
from flownet.solvers.goals import GOALS, goal_value
from flownet.solvers.measures import Measure, as_measures
from flownet.solvers.solution import Solution
from flownet.solvers.tables import UNITS, records, unit_of
from flownet.study.compare import Comparison, compare
from flownet.study.ranking import Front, Objective, Tornado, front, objective, tornado
from flownet.study.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd
    import xarray

    from flownet.study.study import Study

BASELINE = "baseline"
"""The name of the row without any change."""


@dataclasses.dataclass(frozen=True, eq=False)
class StudyResult:
    """Solutions of the baseline and of each scenario, and what they say.

    Attributes
    ----------
    study : Study
        What was asked.
    measures : tuple of Measure
        The columns of `table`, with units.
    solutions : mapping
        By scenario; ``baseline`` is the first. Those that failed are missing.
    errors : mapping
        By scenario that failed, why.
    values : mapping
        By scenario that was solved, its measures.
    """

    study: Study = dataclasses.field(repr=False)
    measures: tuple[Measure, ...] = dataclasses.field(repr=False)
    solutions: Mapping[str, Solution] = dataclasses.field(repr=False)
    errors: Mapping[str, str]
    values: Mapping[str, Mapping[str, float]] = dataclasses.field(repr=False)

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The names of the rows: the baseline, then each scenario."""
        return (BASELINE, *(scenario.name for scenario in self.study.scenarios))

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a scenario, one column a measure, and ``error``; units in ``.attrs``."""
        import pandas as pd

        columns = [measure.text for measure in self.measures]
        nothing = dict.fromkeys(columns, math.nan)
        rows = [nothing | dict(self.values.get(name, {})) for name in self.scenarios]
        frame = pd.DataFrame(rows, index=pd.Index(self.scenarios, name="scenario"), columns=columns)
        frame["method"] = [
            self.solutions[name].method if name in self.solutions else "" for name in self.scenarios
        ]
        frame["error"] = [self.errors.get(name, "") for name in self.scenarios]
        frame.attrs["units"] = {measure.text: measure.unit for measure in self.measures}
        return frame

    @cached_property
    def services(self) -> pd.DataFrame:
        """One row a scenario and service: the tables of all solutions, one below the other."""
        import pandas as pd

        parts = {name: solution.services for name, solution in self.solutions.items()}
        frame = pd.concat({name: _bare(part) for name, part in parts.items()}, names=["scenario"])
        network = self.study.baseline
        frame.attrs["units"] = {
            column: unit_of(column, network.time_unit, network.currency)
            for column in frame.columns
            if column in UNITS
        }
        return frame

    def scenario(self, name: str) -> Scenario:
        """Return a scenario by name; the baseline is one without changes.

        Raises
        ------
        UnknownNameError
            Where there is none of this name.
        """
        known = {scenario.name: scenario for scenario in self.study.scenarios}
        known[BASELINE] = Scenario(BASELINE)
        if name not in known:
            message = f"is not in the study{nearest(name, known)}"
            raise UnknownNameError([Fault("scenario", "", f"'{name}'", message)])
        return known[name]

    # what is best

    def judged(self, goal: str, *, minimize: bool | None = None) -> tuple[Objective, pd.DataFrame]:
        """Return the column that `goal` means with its way, and the table that has the column.

        Parameters
        ----------
        goal : str
            ``delay``, ``cost``, ``throughput`` (as `find_constraint` judges them), or a column of
            the table.
        minimize : bool, optional
            Which way is better, where the measure does not say.

        Raises
        ------
        UnknownNameError
            Where it was not computed.
        ParameterError
            Where it cannot be judged here, or it is not said which way is better.
        """
        measures, table = self.measures, self.table
        if goal in GOALS:
            measure = as_measures(f"goal {goal}", self.study.baseline)
            values = [
                goal_value(self.solutions[name], goal).value
                if name in self.solutions else math.nan
                for name in self.scenarios
            ]  # fmt: skip
            measures, table = (*measures, *measure), table.assign(**{measure[0].text: values})
        return objective(goal, measures, minimize), table

    def ranking(self, goal: str = "delay", *, minimize: bool | None = None) -> pd.DataFrame:
        """Return the scenarios from best to worst, with the gain over the baseline.

        Scenarios without a value stand last.
        """
        chosen, table = self.judged(goal, minimize=minimize)
        frame = table[[chosen.name]].assign(rank=chosen.ranks(table), error=table["error"])
        sign = 1.0 if chosen.better == "larger" else -1.0
        before = float(frame.loc[BASELINE, chosen.name])
        frame.insert(1, "gain", sign * (frame[chosen.name] - before))
        order = frame["rank"].where(frame["rank"] >= 0).sort_values(kind="stable").index
        frame = frame.loc[order]
        frame.attrs["units"] = dict.fromkeys((chosen.name, "gain"), chosen.unit)
        return frame

    def best(self, goal: str = "delay", *, minimize: bool | None = None) -> Scenario:
        """Return the scenario that is best in a goal or a measure; it may be the baseline.

        Parameters
        ----------
        goal : str
            ``delay``, ``cost``, ``throughput``, or a column of the table.
        minimize : bool, optional
            Which way is better, where the measure does not say.

        Raises
        ------
        UnknownNameError
            Where `goal` was not computed.
        ParameterError
            Where it cannot be judged here, it is not said which way is better, or all failed.
        """
        ranked = self.ranking(goal, minimize=minimize)
        if not (ranked["rank"] >= 0).any():
            message = f"no scenario has a value: {next(iter(self.errors.values()), '')}"
            raise ParameterError([Fault("goal", "", f"'{goal}'", message)])
        return self.scenario(str(ranked.index[0]))

    def pareto(self, goal1: str, goal2: str) -> Front:
        """Return the scenarios that are not beaten in one goal without a loss in the other.

        Raises
        ------
        UnknownNameError, ParameterError
            As `best`.
        """
        first, table = self.judged(goal1)
        second, other = self.judged(goal2)
        return front(table.assign(**{second.name: other[second.name]}), first, second)

    def tornado(self, goal: str = "delay", *, minimize: bool | None = None) -> Tornado:
        """Return how far each factor (see `Study.vary`) or single scenario moves a goal.

        Raises
        ------
        UnknownNameError, ParameterError
            As `best`.
        """
        chosen, table = self.judged(goal, minimize=minimize)
        value = dict(zip(table.index, chosen.values(table), strict=True))
        pairs = {end for _, *ends in self.study.factors for end in ends}
        rows: dict[str, dict[str, Any]] = {
            factor: {"low": value[low], "high": value[high], "low_setting": low,
                     "high_setting": high}
            for factor, low, high in self.study.factors
        }  # fmt: skip
        for scenario in self.study.scenarios:
            if scenario.name not in pairs:
                rows[scenario.name] = {
                    "low": math.nan, "high": value[scenario.name], "low_setting": "",
                    "high_setting": scenario.name,
                }  # fmt: skip
        return tornado(chosen, float(value[BASELINE]), rows, "one factor at a time")

    def compare(self, scenario: str | None = None) -> Comparison | dict[str, Comparison]:
        """Return the baseline beside a scenario, or beside each that was solved, by name.

        Raises
        ------
        UnknownNameError
            Where there is no such scenario.
        ParameterError
            Where it, or the baseline, failed.
        """
        if scenario is None:
            return {
                name: compare(self._solution(BASELINE), solution)
                for name, solution in self.solutions.items()
                if name != BASELINE
            }
        self.scenario(scenario)
        return compare(self._solution(BASELINE), self._solution(scenario))

    def _solution(self, name: str) -> Solution:
        if name not in self.solutions:
            raise ParameterError([Fault(f"scenario '{name}'", "", "", self.errors[name])])
        return self.solutions[name]

    # how it is told

    def to_xarray(self) -> xarray.Dataset:
        """Return the table as an xarray Dataset, along the factors of `Study.cross` if there are.

        Raises
        ------
        MissingExtraError
            Where xarray is not installed.
        """
        try:
            import xarray
        except ImportError as error:
            message = "xarray is needed: pip install 'flownet-queueing[study]'"
            raise MissingExtraError(message) from error
        axes = {name: list(levels) for name, levels in self.study.axes}
        rows = self.table.drop(index=BASELINE) if axes else self.table
        shape = [len(levels) for levels in axes.values()] or [len(rows)]
        dims = tuple(axes) or ("scenario",)
        coords = axes or {"scenario": list(self.scenarios)}
        data = {
            name: (dims, rows[name].to_numpy(dtype=float).reshape(shape), {"units": unit})
            for name, unit in ((m.text, m.unit) for m in self.measures)
        }
        data["error"] = (dims, rows["error"].to_numpy(dtype=str).reshape(shape), {})
        return xarray.Dataset(data, coords)

    def __repr__(self) -> str:
        """Return three lines: how many, the best by a goal, what failed."""
        count = len(self.study.scenarios)
        lines = [f"StudyResult: {count} scenarios of '{self.study.baseline.name}'"]
        for goal in ("delay", "cost"):
            try:
                ranked = self.ranking(goal)
            except ParameterError:  # not to be judged here: the next
                continue
            ends = [figure(float(ranked.loc[n].iloc[0])) for n in (BASELINE, ranked.index[0])]
            unit = next(iter(ranked.attrs["units"].values()))
            lines.append(f"  best {goal}: {ranked.index[0]} ({ends[0]} -> {ends[1]} {unit})")
            break
        failed = [f"{name}: {error}" for name, error in self.errors.items()]
        return "\n".join([*lines, f"  failed: {failed[0]}" if failed else "  none failed"])

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return scenarios and tables as plain values for JSON."""
        return {
            "baseline": self.study.baseline.to_dict(),
            "scenarios": [scenario.to_dict() for scenario in self.study.scenarios],
            "table": records(self.table),
            "units": dict(self.table.attrs["units"]),
            "services": records(self.services) if self.solutions else [],
        }


def _bare(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table without its units, which pandas would compare one by one."""
    copy = frame.copy()
    copy.attrs = {}
    return copy
