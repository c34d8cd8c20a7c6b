"""Which scenario is best, which are on the front, what matters most: from a table of outcomes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.kernels.compiled import Booleans, Floats, Integers
from flownet.network.values import nearest
from flownet.solvers.goals import GOALS
from flownet.solvers.measures import Better, Measure
from flownet.solvers.tables import records

if TYPE_CHECKING:
    import pandas as pd

GROWTH = "growth_rate"


@dataclasses.dataclass(frozen=True)
class Objective:
    """One column of outcomes, and which way it is better.

    Attributes
    ----------
    name : str
        The column.
    unit : str
    better : {'larger', 'smaller'}
    """

    name: str
    unit: str
    better: Better

    def values(self, table: pd.DataFrame) -> Floats:
        """Return the column."""
        return np.asarray(table[self.name], dtype=np.float64)

    def ranks(self, table: pd.DataFrame) -> Integers:
        """Return 0 for the best value, equal values the same; -1 where there is none.

        Where a backlog grows, delay and cost are endless: what grows more slowly is then better.
        """
        value = self.values(table)
        sign = -1.0 if self.better == "larger" else 1.0
        growth = np.zeros(value.size)
        if GROWTH in table and self.better == "smaller":
            growth = np.nan_to_num(table[GROWTH].to_numpy(dtype=np.float64))
            growth = np.where(np.isinf(value), growth, 0.0)
        known = ~np.isnan(value)
        ranks = np.full(value.size, -1, dtype=np.int64)
        if known.any():
            keys = np.column_stack([sign * value, growth])[known]
            _, inverse = np.unique(keys, axis=0, return_inverse=True)
            ranks[known] = inverse.reshape(-1)
        return ranks


def objective(
    goal: str,
    measures: Sequence[Measure],
    minimize: bool | None = None,  # noqa: FBT001  # none, or one of two ways
) -> Objective:
    """Return the column that a goal or a measure means.

    Raises
    ------
    UnknownNameError
        Where it was not computed.
    ParameterError
        Where it is not said which way is better.
    """
    columns = {measure.text: measure for measure in measures}
    name = f"goal {goal}" if goal in GOALS and f"goal {goal}" in columns else goal
    if name not in columns:
        known = ", ".join(columns)
        message = f"is not among what was computed: {known}{nearest(goal, columns)}"
        raise UnknownNameError([Fault("goal", "", f"'{goal}'", message)])
    better = columns[name].better
    if minimize is not None:
        better = "smaller" if minimize else "larger"
    if not better:
        message = "is neither good nor bad in itself: say minimize=True or minimize=False"
        raise ParameterError([Fault("goal", "", f"'{goal}'", message)])
    return Objective(name, columns[name].unit, better)


def efficient(first: Integers, second: Integers) -> Booleans:
    """Return which rows no other row beats in one rank without losing in the other."""
    on = np.zeros(first.size, dtype=np.bool_)
    best = math.inf
    known = np.flatnonzero((first >= 0) & (second >= 0))
    for rank in np.unique(first[known]):
        rows = known[first[known] == rank]
        lowest = second[rows].min()
        if lowest < best:
            on[rows[second[rows] == lowest]] = True
            best = float(lowest)
    return on


@dataclasses.dataclass(frozen=True, eq=False)
class Front:
    """The scenarios that two goals leave to choose from: no other is better in one and as good.

    Attributes
    ----------
    goals : (Objective, Objective)
        What was weighed, with units.
    table : pandas.DataFrame
        One row a scenario that was solved: its values, and ``on_front``.
    """

    goals: tuple[Objective, Objective]
    table: pd.DataFrame = dataclasses.field(repr=False)

    @property
    def front(self) -> pd.DataFrame:
        """The rows on the front, the best in the first goal first."""
        first = self.goals[0]
        chosen = self.table[self.table["on_front"]]
        return chosen.sort_values(first.name, ascending=first.better == "smaller", kind="stable")

    def __repr__(self) -> str:
        """Return three lines: how many, and the two ends."""
        rows, names = self.front, [goal.name for goal in self.goals]
        head = f"Front: {len(rows)} of {len(self.table)} scenarios, by {names[0]} and {names[1]}"
        ends = [
            f"  best in {name}: {row.name} ("
            + ", ".join(f"{n} {figure(float(row[n]))}" for n in names)
            + ")"
            for name, row in zip(names, (rows.iloc[0], rows.iloc[-1]), strict=True)
        ] if len(rows) else ["  none was solved"]  # fmt: skip
        return "\n".join([head, *ends])

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return goals and table as plain values for JSON."""
        return {
            "goals": [dataclasses.asdict(goal) for goal in self.goals],
            "table": records(self.table.rename_axis("scenario")),
        }


def front(table: pd.DataFrame, first: Objective, second: Objective) -> Front:
    """Return the front of a table of outcomes."""
    on = efficient(first.ranks(table), second.ranks(table))
    found = table[list(dict.fromkeys([first.name, second.name]))].assign(on_front=on)
    found = found[found[[first.name, second.name]].notna().all(axis=1)]
    found.attrs["units"] = {first.name: first.unit, second.name: second.unit}
    return Front((first, second), found)


@dataclasses.dataclass(frozen=True, eq=False)
class Tornado:
    """How far each factor moves a goal, the strongest first.

    Attributes
    ----------
    goal : Objective
    baseline : float
        The goal's value without any change; nan where it has none.
    table : pandas.DataFrame
        One row a factor: ``low`` and ``high`` (the goal at the factor's two ends; nan where it
        has one end only), ``low_setting`` and ``high_setting`` (what the ends are), and ``swing``.
    method : str
        What the ends are, in words.
    """

    goal: Objective
    baseline: float
    table: pd.DataFrame = dataclasses.field(repr=False)
    method: str

    def __repr__(self) -> str:
        """Return three lines: the goal, the strongest factor, how it was found."""
        head = f"Tornado of {self.goal.name}: {len(self.table)} factors, baseline "
        lines = [head + figure(self.baseline)]
        for name, row in self.table.head(1).iterrows():
            ends = f"{figure(float(row['low']))} to {figure(float(row['high']))}"
            lines.append(f"  strongest: {name}, {ends}")
        return "\n".join([*lines, f"  {self.method}"])

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return goal, baseline and table as plain values for JSON."""
        return {
            "goal": dataclasses.asdict(self.goal),
            "baseline": records(self.baseline),
            "table": records(self.table.rename_axis("factor")),
            "method": self.method,
        }


def tornado(
    goal: Objective, baseline: float, rows: Mapping[str, Mapping[str, Any]], method: str
) -> Tornado:
    """Return the rows (low, high, low_setting, high_setting), the widest first."""
    import pandas as pd

    columns = ["low", "high", "low_setting", "high_setting"]
    table = pd.DataFrame.from_dict(dict(rows), orient="index", columns=columns)
    ends = table[["low", "high"]].to_numpy(dtype=np.float64)
    about = np.column_stack([ends, np.full(len(table), baseline)])
    lowest, highest = np.fmin.reduce(about, axis=1), np.fmax.reduce(about, axis=1)
    same = lowest == highest  # both endless, too
    swing = np.where(same, 0.0, highest - np.where(same, 0.0, lowest))
    table["swing"] = np.where(np.isnan(ends).all(axis=1), np.nan, swing)
    order = np.argsort(-np.nan_to_num(table["swing"].to_numpy(), nan=-np.inf), kind="stable")
    table = table.iloc[order]
    table.attrs["units"] = dict.fromkeys(("low", "high", "swing"), goal.unit)
    return Tornado(goal, baseline, table, method)
