"""Values along a line of parameters, tried outwards or in a bracket, and bisected."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np

from flownet.errors import Fault, InputError, ParameterError, UnconvergedError
from flownet.kernels.compiled import Floats
from flownet.network.model import Network
from flownet.solvers.measures import Reading
from flownet.solvers.target import Target
from flownet.study.parameters import Parameter, as_parameters
from flownet.study.sweep_rows import Job, solve_values
from flownet.study.variation import Variation

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

    def at(self, number: float) -> Floats:
        """Return the values of the parameters."""
        return np.array(self.base) + number * np.array(self.step)


def line_of(network: Network, along: Any, whole: bool | None) -> Line:  # noqa: FBT001  # or not said
    """Return the line that a parameter, or steps by parameter, mean.

    Raises
    ------
    UnknownNameError
        Where a parameter names nothing in the network.
    ParameterError
        Where steps or present values are missing.
    """
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
