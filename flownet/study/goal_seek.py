"""`goal_seek`: the smallest capacity, largest demand or longest stay that meets a target."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError
from flownet.network.model import Network
from flownet.solvers.solution import Solution
from flownet.solvers.tables import records
from flownet.solvers.target import Target, as_target
from flownet.study.bracketing import COUNTED, Search, line_of
from flownet.study.parameters import Parameter
from flownet.study.scenario import Scenario
from flownet.study.sweep_rows import Job, solve_values

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GoalSeek", "goal_seek"]

Side = Literal["smallest", "largest"]


@dataclasses.dataclass(frozen=True, eq=False)
class GoalSeek:
    """What value meets a target.

    Attributes
    ----------
    network : Network
        The baseline.
    along : str
        What was varied.
    target : Target
    value : float
        The value found; nan where none meets the target.
    reached : float
        The measure there.
    side : {'smallest', 'largest', ''}
        Whether it is the smallest or the largest value that meets the target.
    monotone : bool
        Whether the measure moved one way over all values tried.
    reason : str
        How sure it is, and why there is no value where there is none.
    trace : pandas.DataFrame
        Every value tried: ``value``, ``measure``, ``met``.
    scenario : Scenario or None
        The change that meets the target.
    solution : Solution or None
        Of the network so changed.
    """

    network: Network = dataclasses.field(repr=False)
    along: str
    target: Target
    value: float
    reached: float
    side: Side | Literal[""]
    monotone: bool
    reason: str
    trace: pd.DataFrame = dataclasses.field(repr=False)
    scenario: Scenario | None = dataclasses.field(repr=False)
    solution: Solution | None = dataclasses.field(repr=False)

    @property
    def met(self) -> bool:
        """Whether any value meets the target."""
        return not math.isnan(self.value)

    def __repr__(self) -> str:
        """Return three lines: the value, what it reaches, how sure that is."""
        if not self.met:
            return f"GoalSeek: no value of {self.along} gives {self.target.text}\n  {self.reason}"
        head = f"GoalSeek: {self.along} = {figure(self.value, 6)} gives {self.target.text}"
        reached = f"  {self.target.measure.text} is {figure(self.reached, 4)} there"
        return "\n".join([head, reached, f"  {self.reason}"])

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return what was found and every value tried as plain values for JSON."""
        return {
            "along": self.along,
            "target": self.target.text,
            "value": records(self.value),
            "reached": records(self.reached),
            "side": self.side,
            "monotone": self.monotone,
            "reason": self.reason,
            "trace": records(self.trace),
            "scenario": self.scenario.to_dict() if self.scenario else None,
        }


def goal_seek(
    network: Network,
    along: str | Parameter | Mapping[str, float],
    target: str | Target,
    *,
    between: tuple[float, float] | None = None,
    find: Side | None = None,
    whole: bool | None = None,
    method: str = "auto",
    tolerance: float = 1e-6,
    **options: Any,
) -> GoalSeek:
    """Return the smallest or largest value of a parameter that meets a target.

    Parameters
    ----------
    network : Network
        The baseline.
    along : str, Parameter or mapping
        What varies, in plain words (``servers at Ward``, ``scale external_arrival_rate``,
        ``service_time at Ward``), or a direction: steps by parameter, of which the value is the
        number (``{"servers at A": 1, "servers at B": -1}``).
    target : str or Target
        ``within 4 >= 95 %``, ``wait_probability at Ward <= 1 in 20``, ``occupancy at Ward <=
        0.92``; measures as for `sweep`.
    between : (float, float), optional
        The lowest and the highest value to look at. Default outwards from the present value by
        doubling, to a thousand times as much and as little (servers: to eight times as many).
    find : {'smallest', 'largest'}, optional
        Which of the values that meet the target. Default the one at which it begins to be met;
        where all do, the smallest capacity, and the largest of anything else.
    whole : bool, optional
        Whether only whole numbers will do; default for servers and places.
    method : str
        As for `solve`.
    tolerance : float
        Relative width at which the search of a number that need not be whole ends; the value
        returned meets the target.
    **options
        As for `solve`.

    Returns
    -------
    GoalSeek
        Whole numbers exactly: the next one misses the target.

    Raises
    ------
    UnknownNameError
        Where a parameter or measure names nothing in the network.
    ParameterError
        Where the target or the bracket is at fault.
    UnconvergedError
        Where the method has no answer at a value that matters.

    Notes
    -----
    By bracketing and bisection on the model, which finds what it says where the measure is
    monotone. Values between the ends are tried first; where they go up and down, the result says
    so, and whole numbers are all tried if there are few.

    Examples
    --------
    How many servers keep those who wait at M/M/c with 8 erlang to one in five:

    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "services": [{"name": "ward", "servers": 9, "service_time": 1.0,
    ...                   "external_arrival_rate": 8.0}],
    ... })
    >>> found = fn.goal_seek(network, "servers at ward", "wait_probability at ward <= 1 in 5")
    >>> found.value, bool(fn.queues.erlang_c(11, 8.0) > 0.2 >= fn.queues.erlang_c(12, 8.0))
    (12.0, True)
    """
    wanted = as_target(target, network, "goal_seek")
    line = line_of(network, along, whole)
    if between is not None and not _is_bracket(between):
        message = "must be two finite numbers, the lower first"
        raise ParameterError([Fault("goal_seek", "between", str(between), message)])
    if find not in (None, "smallest", "largest"):
        message = "must be 'smallest' or 'largest'"
        raise ParameterError([Fault("goal_seek", "find", f"'{find}'", message)])
    search = Search(Job(line.variation, (wanted.measure,), method, options), line, wanted)
    if between is None:
        search.outwards()
    else:
        search.inside(*map(float, between))
    return _result(network, search, find, tolerance)


def _is_bracket(between: Sequence[float]) -> bool:
    pair = [float(end) for end in between]
    return len(pair) == 2 and all(map(math.isfinite, pair)) and pair[0] < pair[1]


def _result(network: Network, search: Search, find: Side | None, tolerance: float) -> GoalSeek:
    """Narrow down where the target turns, and say how sure that is."""
    counted = search.job.variation.parameters[0].attribute in COUNTED
    prefer: Side = find or ("smallest" if counted else "largest")
    turns = search.turns()
    if len(turns) == 1 and search.monotone:
        search.narrow(*turns[0], tolerance)
    complete = False if search.monotone else search.everything()
    meeting = [number for number in sorted(search.found) if search.met(number)]
    turns = search.turns()
    if not meeting:
        return _made(network, search, math.nan, "", _why_none(search))
    ends = f"{figure(min(search.found), 6)} to {figure(max(search.found), 6)}"
    if not turns:
        value = meeting[0] if prefer == "smallest" else meeting[-1]
        return _made(network, search, value, prefer, f"met at every value tried from {ends}")
    side: Side = "smallest" if search.met(max(search.found)) else "largest"
    side = find or (side if len(turns) == 1 else prefer)
    value = meeting[0] if side == "smallest" else meeting[-1]
    if not complete and not search.monotone and value not in (min(search.found), max(search.found)):
        pair = next(
            pair for pair in (turns if side == "smallest" else turns[::-1]) if value in pair
        )
        value = search.narrow(*pair, tolerance)
    reason = f"the {side} value that meets it"
    if find and len(turns) == 1 and value in (min(search.found), max(search.found)):
        reason = f"met to the end of what was tried, {ends}"
    if not search.monotone:
        reason += f"; the measure goes up and down from {ends}: " + (
            "every whole number was tried" if complete else "only what was tried is known"
        )
    return _made(network, search, value, side, reason)


def _why_none(search: Search) -> str:
    known = {n: v for n, v in search.found.items() if not math.isnan(v)}
    ends = f"{figure(min(search.found), 6)} to {figure(max(search.found), 6)}"
    said = f"missed at every value tried from {ends}"
    if known:
        best = (max if search.target.sign == ">=" else min)(known, key=lambda n: known[n])
        said += f"; the nearest is {figure(known[best], 4)} at {figure(best, 6)}"
    if search.refused:
        said += f"; beyond, {next(iter(search.refused.values()))}"
    return said + ("" if search.monotone else "; the measure goes up and down there")


def _made(
    network: Network, search: Search, value: float, side: Side | Literal[""], reason: str
) -> GoalSeek:
    import pandas as pd

    numbers = sorted(search.found)
    trace = pd.DataFrame(
        {
            "value": numbers,
            "measure": [search.found[number] for number in numbers],
            "met": [search.met(number) for number in numbers],
        }
    )
    scenario = solution = None
    reached = math.nan
    if not math.isnan(value):
        values = search.line.at(value)
        name = f"{search.line.text} = {value:g}"
        scenario = search.job.variation.scenario(values.tolist(), name)
        solution = solve_values(search.job, values, name)
        reached = search.measure(value)
    return GoalSeek(
        network, search.line.text, search.target, value, reached, side, search.monotone, reason,
        trace, scenario, solution,
    )  # fmt: skip
