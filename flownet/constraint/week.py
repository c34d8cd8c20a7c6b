"""`constraint_week`: the constraint by time of the cycle of a network's calendars."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from flownet.constraint.moments import (
    Pieces,
    backlogs,
    keeps,
    moment_arrays,
    pieces_of,
    settling_times,
)
from flownet.constraint.relief import elasticities
from flownet.constraint.second_look import leaders
from flownet.display import figure, html_of_text
from flownet.errors import FlownetError
from flownet.kernels.compiled import Floats
from flownet.network.model import Network
from flownet.solvers.goals import check_goal, goal_value
from flownet.solvers.register import METHODS
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve
from flownet.solvers.tables import records
from flownet.units import moment

STEADY: Final = "steady"
GROWING: Final = "growing"
BACKLOG: Final = "backlog"
CLOSED: Final = "closed"
UNSOLVED: Final = "unsolved"
KINDS: Final = {
    STEADY: "solved as if the hour lasted",
    GROWING: "more comes than the servers can do: the constraint of the growth",
    BACKLOG: "what is left from hours before is more than what the hour itself makes wait: the "
    "service with most of it",
    CLOSED: "jobs come to where nobody serves, and nothing else waits",
    UNSOLVED: "the method gives no answer for this hour",
}
"""What the constraint of an hour rests on."""
FIGURES: Final = (
    "occupancy", "number_present", "number_waiting", "number_outside", "growth_rate",
)  # fmt: skip
DIGITS = 10
"""Hours whose rates agree to so many digits are solved once."""
MOST_NAMED = 3
MUCH = 0.05
"""A queue counts from this part of all who wait on."""


@dataclasses.dataclass(frozen=True, eq=False)
class ConstraintWeek:
    """The constraint by time of the cycle, each hour as if it lasted.

    Attributes
    ----------
    network : Network
    goal : str
    method : str
    cycle : float
        Length of the cycle, T.
    table : pandas.DataFrame
        One row an hour (a piece, where servers change within it), index its start: end,
        constraint, constraint_set, elasticity, how (see `KINDS`), goal (its value if the hour
        lasted), growth (jobs per T), growing, closed, carried and unsettled (services where a
        backlog grows, where jobs come and nobody serves, where jobs of hours before are still left,
        where a good part of the delay takes longer than the hour to settle), why_not.
    elasticity : pandas.DataFrame
        One row an hour, one column a service.
    figures : mapping of str to array (hours, services)
        What `profile` is made of.
    """

    network: Network
    goal: str
    method: str
    cycle: float
    table: pd.DataFrame = dataclasses.field(repr=False)
    elasticity: pd.DataFrame = dataclasses.field(repr=False)
    figures: dict[str, Floats] = dataclasses.field(repr=False)

    @cached_property
    def profile(self) -> pd.DataFrame:
        """One row a service and hour: servers, arrivals, numbers as if it lasted, the backlog."""
        names, starts = list(self.elasticity.columns), self.table.index.tolist()
        index = pd.MultiIndex.from_product([names, starts], names=["service", "start"])
        every = {**self.figures, "elasticity": self.elasticity.to_numpy()}
        frame = pd.DataFrame({name: rows.T.ravel() for name, rows in every.items()}, index=index)
        units = dict.fromkeys(frame.columns, "job") | {"servers": "server"}
        units |= dict.fromkeys(("occupancy", "elasticity"), "-")
        rate = f"job/{self.network.time_unit}"
        frame.attrs["units"] = units | dict.fromkeys(("arrival_rate", "growth_rate"), rate)
        return frame

    @property
    def shares(self) -> pd.Series[float]:
        """Share of the cycle in which each service is the constraint, largest first."""
        return self._share_by("constraint")

    @property
    def kinds(self) -> pd.Series[float]:
        """Share of the cycle by what the constraint rests on."""
        return self._share_by("how")

    def _share_by(self, column: str) -> pd.Series[float]:
        lengths = self.table["end"] - self.table.index.to_numpy()
        found = (lengths / self.cycle).groupby(self.table[column], sort=False).sum()
        return found.sort_values(ascending=False, kind="stable")

    def at(self, time: float) -> pd.Series[Any]:
        """Return the row of the hour that holds a time (T; the cycle repeats)."""
        place = int(np.searchsorted(self.table.index.to_numpy(), time % self.cycle, side="right"))
        return self.table.iloc[place - 1]

    def _when(self, start: float) -> str:
        return moment(float(start), self.cycle, self.network.time_unit)

    def __repr__(self) -> str:
        """Return four lines: the constraints, the worst hour, backlogs, what it rests on."""
        label, table = self.network.label, self.table
        named = [f"'{label(name)}' in {share:.0%}"
                 for name, share in list(self.shares.items())[:MOST_NAMED]]  # fmt: skip
        head = f"of the cycle the constraint is {', '.join(named)}" if named else "nothing limits"
        finite = table["goal"][table["how"] == STEADY]
        worst = finite.idxmin() if self.goal == "throughput" else finite.idxmax()
        row = table.loc[worst]
        most = f"worst steady hour: {self._when(worst)} ({self.goal} {figure(float(row['goal']))})"
        return "\n".join([
            f"ConstraintWeek: {head}",
            f"  {most if len(finite) else 'no hour is steady'}",
            f"  {self._backlogs()}",
            f"  method {self.method}, each hour as if it lasted: an approximation (.explain())",
        ])  # fmt: skip

    def _backlogs(self) -> str:
        table, kinds = self.table, self.kinds
        parts = []
        if table["growth"].max() > 0:
            worst = table["growth"].idxmax()
            parts.append(
                f"a backlog grows in {self._where(table['growth'] > 0)} of the cycle, fastest "
                f"{self._when(worst)} ({figure(float(table.loc[worst, 'growth']))} jobs per "
                f"{self.network.time_unit})"
            )
        carried = table["carried"].map(len) > 0
        if carried.any():
            parts.append(f"jobs of hours before are left in {self._where(carried)}")
        unsettled = (table["unsettled"].map(len) > 0) & (table["how"] == STEADY)
        if unsettled.any():
            parts.append(f"queues take longer than the hour to settle in {self._where(unsettled)}")
        if UNSOLVED in kinds:
            parts.append(f"no answer in {kinds[UNSOLVED]:.0%}")
        return "; ".join(parts) or "no backlog grows at any time"

    def _where(self, chosen: pd.Series[bool]) -> str:
        lengths = self.table["end"] - self.table.index.to_numpy()
        return f"{float(lengths[chosen].sum()) / self.cycle:.0%}"

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def explain(self) -> str:
        """Return how it was found, what was assumed, and when not to trust it."""
        kinds = [f"  - {name} ({self.kinds[name]:.0%} of the cycle): {text}"
                 for name, text in KINDS.items() if name in self.kinds]  # fmt: skip
        return "\n".join([
            repr(self),
            "How: every hour is solved as if its arrivals and servers lasted (quasi-stationary), "
            "with the goal's elasticities as in find_constraint. Arrivals come later at services "
            "further on, and fill slow services slowly, as in a network of endless servers.",
            "What the constraint of an hour rests on:",
            *kinds,
            "Limits: right where queues settle faster than the calendars change. Where they take "
            "longer (column unsettled), real ones peak later and lower than shown. Waiting does "
            "not delay what comes on to other services; losses thin it as in the time mean. What "
            "is left from hours before is counted as a fluid, at each service by itself. Who comes "
            "to a closed service is counted as growth there, and blocks nobody. A simulation "
            "(.profile) is the judge.",
        ])  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "goal": self.goal,
            "method": self.method,
            "cycle": self.cycle,
            "table": records(self.table),
            "shares": records(self.shares),
            "kinds": records(self.kinds),
        }


def constraint_week(
    network: Network,
    goal: str = "delay",
    method: str = "auto",
    *,
    step: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> ConstraintWeek:
    """Return the constraint by time of the cycle of a network's calendars.

    Parameters
    ----------
    network : Network
        With ``server_calendar`` or ``external_arrival_calendar``.
    goal : {'delay', 'cost', 'throughput'}
    method : str
        As for `solve`; the same one solves every hour.
    step : float, optional
        T; goes into the cycle. By default an hour where the cycle is made of hours.
    progress : callable, optional
        Called with (done, total) hours.
    **options
        As for `solve`.

    Returns
    -------
    ConstraintWeek

    Raises
    ------
    ParameterError
        Where the network has no calendar, or `step` does not go into its cycle.
    UnknownNameError, MethodError
        As `find_constraint`.

    Notes
    -----
    Each hour is solved for itself with its own servers and arrivals (Green and Kolesar's pointwise
    stationary approximation, by the mean of the hour), the arrivals at services further on as late
    as the way takes (the load offered to endless servers). It holds where queues settle faster
    than the calendars change. Hours that are overloaded name the constraint of the growth; where
    what is left from hours before outweighs what the hour itself makes wait, its service is named.

    References
    ----------
    Green and Kolesar (1991), Manage. Sci. 37, 84; Green, Kolesar and Soares (2001), Oper. Res. 49,
    549; Jennings, Mandelbaum, Massey and Whitt (1996), Manage. Sci. 42, 1383.

    Examples
    --------
    Two desks of one server each; more come to the first by day, to the second by night.

    >>> import flownet as fn
    >>> def rates(night, day):
    ...     return [{"start": 0, "end": 12, "value": night}, {"start": 12, "end": 24, "value": day}]
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "services": [
    ...         {"name": "a", "service_time": 0.1, "external_arrival_calendar": rates(2, 8)},
    ...         {"name": "b", "service_time": 0.1, "external_arrival_calendar": rates(6, 4)},
    ...     ],
    ... })
    >>> week = fn.constraint_week(network)
    >>> week.at(6.0)["constraint"], week.at(18.0)["constraint"]
    ('b', 'a')
    """
    check_goal(goal)
    return week_of(solve(network, method, **options), goal, step=step, progress=progress)


def week_of(
    solution: Solution,
    goal: str,
    *,
    step: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ConstraintWeek:
    """Return the same by the method of a solution of the time means."""
    compilation = solution.compilation
    pieces = pieces_of(solution, step)
    carried = backlogs(compilation.arrays, pieces)
    hours = _Hours(solution, goal, pieces, carried)
    for k in range(len(carried)):
        if progress is not None:
            progress(k, len(carried))
        hours.add(k)
    return hours.week()


class _Hours:
    """The hours solved so far."""

    def __init__(self, solution: Solution, goal: str, pieces: Pieces, carried: Floats) -> None:
        self.solution, self.goal = solution, goal
        self.pieces, self.carried = pieces, carried
        self.names = list(solution.compilation.services)
        self.exact = METHODS[solution.method].exact
        self.slow = settling_times(solution.compilation.arrays, pieces) > pieces.lengths[:, None]
        self.known: dict[bytes, tuple[dict[str, Any], Floats, Floats]] = {}
        self.rows: list[dict[str, Any]] = []
        self.worth = np.zeros(carried.shape)
        self.figures = np.zeros((len(FIGURES), *carried.shape))

    def add(self, k: int) -> None:
        """Solve one more hour."""
        scale = float(self.pieces.flows.max(initial=0.0)) or 1.0
        rates = np.stack([self.pieces.flows[k], self.pieces.arrivals[k]]) / scale
        key = np.round(rates, DIGITS).tobytes() + self.pieces.servers[k].tobytes()
        if key not in self.known:
            self.known[key] = self._solved(k)
        row, self.worth[k], self.figures[:, k] = self.known[key]
        self.rows.append(self._with_backlog(dict(row), k))

    def _solved(self, k: int) -> tuple[dict[str, Any], Floats, Floats]:
        """Return the row, the elasticities and the figures of an hour as if it lasted."""
        now = moment_arrays(self.solution.compilation, self.pieces, k)
        piled = np.where(now.closed & keeps(self.solution.compilation.arrays),
                         self.pieces.arrivals[k].sum(axis=1), 0.0)  # fmt: skip
        closed = tuple(np.array(self.names, dtype=object)[now.closed])
        row = dict.fromkeys(COLUMNS)
        row |= {"closed": closed, "growing": (), "constraint_set": (), "growth": piled.sum(),
                "goal": np.nan, "elasticity": np.nan, "how": UNSOLVED, "delay": 0.0}  # fmt: skip
        nothing = np.zeros(piled.size), np.full((len(FIGURES), piled.size), np.nan)
        try:
            again = self.solution.again(now.arrays, any_mode=True)
            value = goal_value(again, self.goal)
            worth = elasticities(again, self.goal, value)
        except FlownetError as error:
            return row | {"why_not": str(error).splitlines()[0]}, *nothing
        found = leaders(pd.Series(worth, index=self.names), exact=self.exact)
        measures = again.measures
        growth = measures.growth_rate.sum(axis=1)
        price = self.solution.compilation.cost_per_server[self.pieces.servers[k] == 0].sum()
        row |= {
            "constraint_set": found,
            "elasticity": float(worth.max(initial=0.0)),
            "goal": value.value - (price if self.goal == "cost" else 0.0),
            "growth": float(growth.sum() + piled.sum()),
            "growing": tuple(np.array(self.names, dtype=object)[growth > 0]),
            "how": GROWING if growth.any() else CLOSED if closed and not found else STEADY,
            "delay": float(again.totals["delay"]),
        }
        services = again.services
        figures = np.array([services[name].to_numpy(dtype=float) for name in FIGURES])
        figures[FIGURES.index("growth_rate")] += piled
        return row, worth, figures

    def _with_backlog(self, row: dict[str, Any], k: int) -> dict[str, Any]:
        """Return the row with its time, and what is left from hours before."""
        left = self.carried[k]
        names = np.array(self.names, dtype=object)
        row["carried"] = tuple(names[left >= 0.5])  # half a job of a fluid
        waiting = self.figures[FIGURES.index("number_waiting"), k]
        row["unsettled"] = tuple(names[self.slow[k] & (waiting > MUCH * waiting.sum())])
        row["end"] = float(self.pieces.edges[k + 1])
        if row["how"] in {STEADY, CLOSED} and float(left.sum()) > max(row.pop("delay"), 0.5):
            leader = names[int(np.argmax(left))]
            row |= {"how": BACKLOG, "constraint_set": (leader,), "elasticity": np.nan}
        row["constraint"] = row["constraint_set"][0] if row["constraint_set"] else None
        return row

    def week(self) -> ConstraintWeek:
        """Sum up."""
        starts = pd.Index(self.pieces.edges[:-1], name="start")
        table = pd.DataFrame(self.rows, index=starts, columns=COLUMNS)
        known = {
            "servers": self.pieces.servers,
            "arrival_rate": self.pieces.arrivals.sum(axis=2),
            **dict(zip(FIGURES, self.figures, strict=True)),
            "backlog": self.carried,
        }
        elasticity = pd.DataFrame(self.worth, index=starts, columns=self.names)
        return ConstraintWeek(
            self.solution.network, self.goal, self.solution.method, self.pieces.cycle, table,
            elasticity, known,
        )  # fmt: skip


COLUMNS: Final = [
    "end", "constraint", "constraint_set", "elasticity", "how", "goal", "growth", "growing",
    "closed", "carried", "unsettled", "why_not",
]  # fmt: skip
