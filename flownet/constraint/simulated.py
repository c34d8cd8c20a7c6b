"""Sensitivities by simulation: paired differences on common random numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from flownet.constraint.differences import PAIRED, WHOLE_STEPS
from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Calendars, CompiledNetwork, Floats
from flownet.kernels.simulation import SimulationRun, measures
from flownet.network.compile import Compilation
from flownet.network.model import Network
from flownet.network.parameters import WHOLE, Parameter
from flownet.solvers.goals import GOALS
from flownet.solvers.intervals import halfwidth
from flownet.solvers.objective import WITHIN, Goal, Objective, objective_of
from flownet.solvers.simulate import simulate, simulate_again
from flownet.solvers.simulation import Simulation
from flownet.solvers.solution import Solution

CHANGE: Final = 0.05
"""Relative change of a parameter, up and down: the smaller, the less bias and the more noise."""


@dataclasses.dataclass(frozen=True)
class Slope:
    """A derivative by simulation."""

    value: float
    halfwidth: float
    how: str


class Paired:
    """A network simulated, and simulated again with one parameter changed.

    Parameters
    ----------
    network : Network
    goal : str or mapping
        As for `sensitivities`.
    change : float
        Relative change, above 0 and below 1.
    options : mapping
        As for `simulate`.

    Raises
    ------
    ParameterError
        Where an option is out of its range, or the goal is a limit that no simulation shows.
    """

    def __init__(
        self, network: Network, goal: Goal, change: float, options: Mapping[str, Any]
    ) -> None:
        if not 0 < change < 1:
            message = "must be a relative change, above 0 and below 1"
            raise ParameterError([Fault("sensitivities", "change", repr(change), message)])
        within = isinstance(goal, str) and goal.startswith(WITHIN)
        self.executor = options.get("executor")
        base = simulate(network, **options)
        if within:
            objective_of(self._seen(base, base.pieces[0]), goal)  # a wrong time is told first
            time = float(str(goal).removeprefix(WITHIN))
            base = simulate(network, **{**options, "targets": (time,)})
        self.simulation, self.change = base, float(change)
        seen = self._seen(base, base.pieces[0])
        if goal == "throughput" and not seen.can_turn_away:
            message = (
                "is the limit of demand where nobody can be lost, which a simulation does not "
                "show: take method 'auto'"
            )
            raise ParameterError([Fault("sensitivities", "goal", "'throughput'", message)])
        growing = bool(base.overloaded)
        self.objective: Objective = dataclasses.replace(objective_of(seen, goal), growing=growing)
        self.now = self._values(base)

    @property
    def solution(self) -> Solution:
        """The first piece in the form of a solution, for names and prices."""
        return self._seen(self.simulation, self.simulation.pieces[0])

    @staticmethod
    def _seen(simulation: Simulation, run: SimulationRun) -> Solution:
        """Return what a run shows in the form of a solution."""
        found = measures(run)
        if not simulation.overloaded:  # the growth of a stable network is noise
            found = found._replace(growth_rate=np.zeros_like(found.growth_rate))
        return Solution(
            network=simulation.network, method="simulation", choice="asked for by name",
            exact=False, assumptions=(), measures=found, compilation=simulation.compilation,
        )  # fmt: skip

    def _values(self, simulation: Simulation) -> Floats:
        """Return the goal by piece; nan where a run was stopped."""
        found = []
        for run in simulation.pieces:
            seen = self._seen(simulation, run)
            if not seen.converged:
                found.append(math.nan)
            elif self.objective.name.startswith(WITHIN):
                left = float(run.tallies.left.sum())
                found.append(float(run.tallies.within.sum()) / left if left else math.nan)
            elif self.objective.growing and self.objective.goal in GOALS:
                found.append(float(seen.measures.growth_rate.sum()))
            else:
                found.append(self.objective.value(seen))
        return np.array(found)

    def at(self, parameter: Parameter, value: float) -> Floats:
        """Return the goal by piece with another value of a parameter; nan where it overloads."""
        compilation = self.simulation.compilation
        changed = dataclasses.replace(
            compilation,
            arrays=parameter.changed(compilation.arrays, value),
            calendars=_calendars(compilation, parameter, value),
        )
        again = simulate_again(self.simulation, changed, self.executor)
        if again.overloaded and not self.simulation.overloaded:
            return np.full(self.now.shape, math.nan)
        return self._values(again)

    def slope(self, parameter: Parameter) -> Slope:
        """Return a derivative with its half-width."""
        now, whole = parameter.value, parameter.name in WHOLE
        size = 1.0 if whole else self.change * (now if now > 0 else 1.0)
        lowest = 1.0 if parameter.name == "servers" else 0.0
        low, high = now - size, now + size
        if parameter.name == "routing_probability":
            high = min(high, now + _left(self.simulation.compilation.arrays, parameter))
        if low < lowest:
            low = now
        up = self.now if high == now else self.at(parameter, high)
        down = self.now if low == now else self.at(parameter, low)
        how = WHOLE_STEPS if whole else PAIRED
        if np.isnan(up).any():
            high, up = now, self.now
        if np.isnan(down).any():
            low, down = now, self.now
        if up.shape != down.shape or high == low:
            return Slope(math.nan, math.nan, how)
        each = (up - down) / (high - low)
        width = halfwidth(each, self.simulation.design.confidence)
        return Slope(float(each.mean()), float(width), how)


def _left(arrays: CompiledNetwork, parameter: Parameter) -> float:
    """Return the share of jobs that leave the network where a route begins."""
    route = parameter.place[0]
    state = int(np.searchsorted(arrays.route_start.astype(np.int64), route, side="right")) - 1
    first, last = (int(arrays.route_start[state + k]) for k in (0, 1))
    return max(1.0 - float(arrays.route_probability[first:last].sum()), 0.0)


def _calendars(compilation: Compilation, parameter: Parameter, value: float) -> Calendars | None:
    """Return the calendars, where a parameter is the mean of one with that one changed."""
    calendars = compilation.calendars
    if calendars is None:
        return None
    if parameter.name == "servers":
        start, values, place = calendars.server_start, calendars.server_values, parameter.place[0]
    elif parameter.name == "external_arrival_rate":
        start, values = calendars.arrival_start, calendars.arrival_values
        place = parameter.place[0] * len(compilation.classes) + parameter.place[1]
    else:
        return calendars
    span, changed = slice(int(start[place]), int(start[place + 1])), values.copy()
    if parameter.name == "servers":
        changed[span] = np.maximum(changed[span] + value - parameter.value, 0.0)
        return calendars._replace(server_values=changed)
    changed[span] *= value / parameter.value
    return calendars._replace(arrival_values=changed)


def paired_slopes(
    paired: Paired, every: Sequence[Parameter], progress: Callable[[int, int], None] | None
) -> list[Slope]:
    """Return all derivatives."""
    found = []
    for done, parameter in enumerate(every):
        if progress is not None:
            progress(done, len(every))
        found.append(paired.slope(parameter))
    return found
