"""`goal_seek`: the smallest capacity, largest demand or longest stay that meets a target."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from flownet.display import figure, html_of_text
from flownet.errors import Fault, InputError, ParameterError, UnconvergedError
from flownet.network.model import Network
from flownet.solvers.solution import Solution
from flownet.solvers.tables import records
from flownet.study.measures import Reading
from flownet.study.parameters import Parameter, as_parameters
from flownet.study.scenario import Scenario
from flownet.study.sweep_rows import Job, solve_values
from flownet.study.target import Target, as_target
from flownet.study.variation import Variation

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GoalSeek", "goal_seek"]

Side = Literal["smallest", "largest"]
COUNTED: Final = ("servers", "capacity", "waiting_room")
"""Parameters that are whole numbers."""
DOUBLINGS: Final = 10
"""How far a search without a bracket goes: to a thousand times as much, and as little."""
LARGER: Final = 8.0
"""A search without a bracket tries up to so many times the servers, or 64 more."""
PROBES: Final = 9
"""Values tried in a bracket before it is narrowed, to see whether the measure is monotone."""
FEW: Final = 256
"""So many whole numbers are all tried where the measure is not monotone."""
NOISE: Final = 1e-6
"""Changes below this, relative, are those of iterations and inversions, not of the measure."""


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
    wanted = as_target(target, network)
    line = _line(network, along, whole)
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


@dataclasses.dataclass(frozen=True)
class Line:
    """The values of all parameters at a number: base + number times step."""

    variation: Variation
    text: str
    base: tuple[float, ...]
    step: tuple[float, ...]
    start: float
    """The number at which the network is as it is; nan where it is not known."""
    whole: bool

    def at(self, number: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the values of the parameters."""
        return np.array(self.base) + number * np.array(self.step)


def _line(network: Network, along: Any, whole: bool | None) -> Line:  # noqa: FBT001  # or not said
    given = along if isinstance(along, Mapping) else {along: 1.0}
    parameters = as_parameters(given, network)
    now = [_present(network, parameter) for parameter in parameters]
    counted = [p.attribute in COUNTED and not p.scale for p in parameters]
    steps = [float(step) for step in given.values()]
    if not steps or not all(map(math.isfinite, steps)) or not any(steps):
        message = "needs a step for each parameter, not all of them 0"
        raise ParameterError([Fault("goal_seek", "along", str(along), message)])
    if isinstance(along, Mapping):
        missing = [p.text for p, value in zip(parameters, now, strict=True) if math.isnan(value)]
        if missing:
            message = f"has no single present value to start from: {', '.join(missing)}"
            raise ParameterError([Fault("goal_seek", "along", "", message)])
        text = ", ".join(f"{step:+g} {name}" for name, step in zip(given, steps, strict=True))
        base, start = tuple(now), 0.0
    else:
        text, base, start = parameters[0].text, (0.0,), now[0]
    if whole is None:
        numbers = [v for v, c in zip((*base, *steps), counted * 2, strict=True) if c]
        whole = any(counted) and all(number == int(number) for number in numbers)
        whole = whole and (math.isnan(start) or start == int(start))
    return Line(Variation(network, parameters), text, base, tuple(steps), start, whole)


def _present(network: Network, parameter: Parameter) -> float:
    """Return what a parameter is now; nan where that is not one finite number."""
    if parameter.scale:
        return 1.0
    target = parameter.target
    if target == ("*",):
        return math.nan
    graph = network.graph
    data = graph.edges[target] if len(target) == 2 else graph.nodes[target[0]]
    value = data.get(parameter.attribute, parameter.row.default)
    if isinstance(value, Mapping):
        value = value.get(parameter.job_class, parameter.row.default)
    number = isinstance(value, (int, float)) and math.isfinite(value)
    return float(value) if number else math.nan


class Search:
    """The values tried so far, and whether they meet the target."""

    def __init__(self, job: Job, line: Line, target: Target) -> None:
        self.job, self.line, self.target = job, line, target
        self.found: dict[float, float] = {}
        self.refused: dict[float, str] = {}

    def measure(self, number: float) -> float:
        """Return the measure at a number; nan where there is none.

        Raises
        ------
        UnconvergedError
            Where the method has no answer.
        """
        if number not in self.found:
            values = self.line.at(number)
            solution = solve_values(self.job, values, f"{self.line.text} = {number:g}")
            if not solution.converged:
                message = f"at {self.line.text} = {number:g}: {solution.warnings[0]}"
                raise UnconvergedError(message)
            self.found[number] = Reading(solution).value(self.target.measure)
        return self.found[number]

    def met(self, number: float) -> bool:
        """Return whether a number meets the target."""
        return self.target.met(self.measure(number))

    def inside(self, low: float, high: float) -> None:
        """Try both ends of a bracket, and values between."""
        if self.line.whole:
            low, high = math.ceil(low), math.floor(high)
            if low > high:
                message = "holds no whole number"
                raise ParameterError([Fault("goal_seek", "between", f"{low}, {high}", message)])
            probes = np.unique(np.round(np.linspace(low, high, PROBES)))
        else:
            probes = np.linspace(low, high, PROBES)
        for probe in probes.tolist():
            self.measure(probe)

    def outwards(self) -> None:
        """Try values further and further from the present one, until the target turns."""
        start = self.line.start
        if math.isnan(start) or (start == 0.0 and len(self.line.base) == 1 and not self._direction):
            message = f"{self.line.text} has no present value to start from: give between"
            raise ParameterError([Fault("goal_seek", "between", "", message)])
        first = self.met(start)
        sides = [self._steps(up=True), self._steps(up=False)]
        while sides:
            for side in list(sides):
                number = next(side, None)
                if number is None or not self._try(number):
                    sides.remove(side)
                elif self.met(number) != first:
                    return

    @property
    def _direction(self) -> bool:
        return len(self.line.base) > 1 or any(self.line.base)

    def _try(self, number: float) -> bool:
        """Return whether a number is possible, and remember why it is not."""
        try:
            self.measure(number)
        except (InputError, UnconvergedError) as error:
            self.refused[number] = str(error)
            return False
        return True

    def _steps(self, *, up: bool) -> Iterator[float]:
        """Yield numbers away from the present one, the step doubled each time."""
        start, sign = self.line.start, 1.0 if up else -1.0
        if self.line.whole:
            most = max(LARGER * abs(start), abs(start) + 64.0)
            for k in range(40):
                number = start + sign * 2.0**k
                if number < 1.0 and not self._direction:
                    if start > 1.0 and 1.0 not in self.found:
                        yield 1.0
                    return
                if abs(number) > most:
                    return
                yield number
        elif self._direction:
            yield from (start + sign * 0.05 * 2.0**k for k in range(DOUBLINGS))
        else:
            for k in range(1, DOUBLINGS + 1):
                parameter = self.job.variation.parameters[0]
                number, high = start * 2.0 ** (sign * k), parameter.row.high
                if not parameter.scale and number > high:
                    yield high
                    return
                yield number

    @property
    def monotone(self) -> bool:
        """Whether the measure moves one way over all numbers tried."""
        values = [self.found[number] for number in sorted(self.found)]
        finite = [value for value in values if not math.isnan(value)]
        size = max((abs(value) for value in finite if math.isfinite(value)), default=0.0)
        signs = {
            1 if after > before else -1
            for before, after in pairwise(finite)
            if after != before and not abs(after - before) <= NOISE * size
        }
        return len(signs) <= 1

    def turns(self) -> list[tuple[float, float]]:
        """Return neighbours among the numbers tried of which only one meets the target."""
        numbers = sorted(self.found)
        return [(a, b) for a, b in pairwise(numbers) if self.met(a) != self.met(b)]

    def narrow(self, low: float, high: float, tolerance: float) -> float:
        """Return the number between two that meets the target next to one that misses it."""
        met_low = self.met(low)
        while not self._close(low, high, tolerance):
            middle = 0.5 * (low + high)
            if self.line.whole:
                middle = float(math.floor(middle))
            if self.met(middle) == met_low:
                low = middle
            else:
                high = middle
        return low if met_low else high

    def _close(self, low: float, high: float, tolerance: float) -> bool:
        if self.line.whole:
            return high - low <= 1.0
        return high - low <= tolerance * max(abs(low), abs(high), 1e-300)

    def everything(self) -> bool:
        """Try all whole numbers between the ends where there are few; say whether that was done."""
        low, high = min(self.found), max(self.found)
        if not self.line.whole or high - low > FEW:
            return False
        for number in np.arange(low, high + 1).tolist():
            self.measure(number)
        return True


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
