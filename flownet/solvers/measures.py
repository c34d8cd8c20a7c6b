"""What is read from a solution, asked for in plain words: `occupancy at Ward`, `within 4`."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np

from flownet.errors import Fault, UnknownNameError
from flownet.kernels.compiled import Floats
from flownet.kernels.journey_quantiles import wait_quantiles, waits_within
from flownet.network.model import Network
from flownet.network.values import nearest
from flownet.solvers.goals import GOALS, goal_value
from flownet.solvers.journeys import solve_journeys
from flownet.solvers.solution import Solution
from flownet.solvers.tables import (
    class_columns,
    ratio,
    service_numbers,
    service_times,
    state_columns,
    unit_of,
)
from flownet.solvers.times import TimeInSystem

SYSTEM: Final = (
    "external_arrival_rate", "throughput", "number_present", "in_transit", "number_outside",
    "delay", "loss_rate", "overflow_rate", "abandonment_rate", "growth_rate", "cost_capacity",
    "cost_delay", "cost_loss", "cost",
)  # fmt: skip
"""Totals of the whole network."""
SERVICE: Final = (
    "servers", "arrival_rate", "throughput", "offered_load", "load_ratio", "utilization",
    "occupancy", "number_present", "number_waiting", "number_in_service", "number_blocked",
    "number_held_in_transfer", "number_outside", "waiting_time", "blocked_time",
    "held_transfer_time", "response_time", "outside_time", "wait_probability", "probability_full",
    "probability_all_blocked", "deadlock_rate", "blocking_probability", "loss_probability",
    "loss_rate", "overflow_rate", "abandonment_probability", "growth_rate", "delay",
    "arrival_scv", "departure_scv",
)  # fmt: skip
"""Of one service (``at``)."""
TIMES: Final = {
    "waiting_time", "blocked_time", "held_transfer_time", "response_time", "outside_time",
}  # fmt: skip
"""Of which times."""
STATE: Final = (
    "arrival_rate", "throughput", "offered_load", "number_present", "number_waiting",
    "number_in_service", "number_blocked", "number_held_in_transfer", "number_outside",
    "waiting_time", "blocked_time", "held_transfer_time", "response_time", "outside_time",
    "loss_probability", "loss_rate", "overflow_rate", "abandonment_rate",
    "abandonment_probability", "growth_rate", "delay",
)  # fmt: skip
"""Of one class at one service (``at … of``)."""
CLASS: Final = (
    "external_arrival_rate", "throughput", "number_present", "in_transit", "number_outside",
    "system_response_time", "delay_time", "served_probability", "loss_rate", "overflow_rate",
    "abandonment_rate", "growth_rate",
)  # fmt: skip
"""Of one class, end to end (``of``)."""
LARGER: Final = {"throughput", "served_probability", "within", "goal throughput"}
"""Measures of which more is better."""
NEITHER: Final = {
    "servers", "arrival_rate", "external_arrival_rate", "offered_load", "load_ratio",
    "utilization", "occupancy", "number_in_service", "arrival_scv", "departure_scv",
}  # fmt: skip
"""Measures that are neither good nor bad in themselves."""

Better = Literal["larger", "smaller", ""]


@dataclasses.dataclass(frozen=True)
class Measure:
    """One number that a solution gives.

    Attributes
    ----------
    text : str
        How it was asked for; the name of its column.
    name : str
        A column of the solution's tables, ``within``, ``quantile``, or ``goal delay``.
    service, job_class : int
        Positions; -1 for the whole network, for all classes.
    argument : float
        The time of ``within``, the probability of ``quantile``.
    unit : str
        In the network's time unit and money.
    """

    text: str
    name: str
    service: int = -1
    job_class: int = -1
    argument: float = math.nan
    unit: str = "-"

    @property
    def better(self) -> Better:
        """Which way is better; empty where that is not for the measure to say."""
        if self.name in NEITHER:
            return ""
        return "larger" if self.name in LARGER else "smaller"


def as_measures(texts: str | Iterable[str], network: Network) -> tuple[Measure, ...]:
    """Return the measures that texts ask for.

    ``NAME`` is a total of the network; ``NAME at SERVICE``, ``NAME of CLASS`` and ``NAME at SERVICE
    of CLASS`` narrow it down. ``within 4`` is P(time in the system <= 4), at a service P(wait <=
    4); ``p95`` is the time that 95 % do not exceed; ``goal delay`` is the value of a goal.

    Raises
    ------
    UnknownNameError
        With every text that means nothing here, and what is near.

    Examples
    --------
    >>> import flownet as fn
    >>> (found,) = as_measures("occupancy at Frailty ward", fn.example("urgent_care"))
    >>> found.name, found.service, found.unit
    ('occupancy', 4, '-')
    """
    found: list[Measure] = []
    faults: list[Fault] = []
    for text in (texts,) if isinstance(texts, str) else texts:
        try:
            found.append(_parsed(str(text), network))
        except UnknownNameError as error:
            faults += error.faults
    if faults:
        raise UnknownNameError(faults)
    return tuple(found)


def split(text: str, network: Network) -> tuple[str, int, int]:
    """Return the name, the position of the service (``at``) and of the class (``of``), else -1."""
    rest, job_class = _suffix(text.strip(), " of ", network.classes)
    rest, service = _suffix(rest, " at ", network.services)
    return rest, service, job_class


def _suffix(text: str, word: str, names: Sequence[Any]) -> tuple[str, int]:
    """Return what stands before the longest name that ends `text`, and its position."""
    endings = [
        (len(str(name)), position)
        for position, name in enumerate(names)
        if text.endswith(f"{word}{name}")
    ]
    if not endings:
        return text, -1
    length, position = max(endings)
    return text[: -length - len(word)].strip(), position


def _parsed(text: str, network: Network) -> Measure:
    name, service, job_class = split(text, network)
    made = Measure(text, name, service, job_class)
    number = re.fullmatch(r"within\s+(\S+)", name)
    if number and _positive(number[1]):
        return dataclasses.replace(made, name="within", argument=float(number[1]))
    number = re.fullmatch(r"p(\d+(?:\.\d+)?)", name)
    if number and 0.0 < float(number[1]) < 100.0:
        if service >= 0 and job_class < 0 and len(network.classes) > 1:
            raise _unknown(text, "a percentile of the wait is of one class: add ' of CLASS'")
        share = float(number[1]) / 100
        return dataclasses.replace(made, name="quantile", argument=share, unit=network.time_unit)
    goal = name.removeprefix("goal ").strip()
    if name.startswith("goal ") and goal in GOALS and service < 0 and job_class < 0:
        column = {"delay": "delay", "cost": "cost", "throughput": "throughput"}[goal]
        unit = unit_of(column, network.time_unit, network.currency)
        return dataclasses.replace(made, name=f"goal {goal}", unit=unit)
    known = _names(service, job_class)
    if job_class < 0 and service < 0 and len(network.classes) == 1 and name in CLASS:
        known = (*known, *CLASS)  # of the only class
        made = dataclasses.replace(made, job_class=-1 if name in SYSTEM else 0)
    if name not in known:
        raise _unknown(text, _hint(name, service, job_class, known, network))
    return dataclasses.replace(made, unit=unit_of(name, network.time_unit, network.currency))


def _names(service: int, job_class: int) -> tuple[str, ...]:
    if service >= 0:
        return SERVICE if job_class < 0 else STATE
    return SYSTEM if job_class < 0 else CLASS


def _hint(name: str, service: int, job_class: int, known: Sequence[str], network: Network) -> str:
    for word, names in ((" at ", network.services), (" of ", network.classes)):
        if word in f" {name} ":
            asked = name.partition(word)[2]
            what = "service" if word == " at " else "class"
            return f"'{asked}' is no {what} of the network{nearest(asked, names)}"
    if service < 0 and job_class < 0 and name in {*SERVICE, *CLASS}:
        how = "' at SERVICE'" if name in SERVICE else "' of CLASS'"
        return f"is not of the network as a whole: add {how}"
    near = nearest(name, (*known, "within 4", "p95", *(f"goal {goal}" for goal in GOALS)))
    return f"is not known; here are {', '.join(known)}, 'within 4', 'p95'{near}"


def _positive(text: str) -> bool:
    try:
        return 0.0 < float(text) < math.inf
    except ValueError:
        return False


def _unknown(text: str, message: str) -> UnknownNameError:
    return UnknownNameError([Fault("measure", "", f"'{text}'", message)])


class Reading:
    """Reads measures from one solution; each table of it is computed once, and only if needed."""

    def __init__(self, solution: Solution) -> None:
        self.solution = solution

    def value(self, measure: Measure) -> float:
        """Return one measure; nan where it has no value, such as percentiles under overload.

        Raises
        ------
        ParameterError
            Where a goal cannot be judged without a price.
        """
        i, k = measure.service, measure.job_class
        if measure.name in ("within", "quantile"):
            return self._visit(measure) if i >= 0 else self._time(measure)
        if measure.name.startswith("goal "):
            return goal_value(self.solution, measure.name.removeprefix("goal ")).value
        if i >= 0 and k >= 0:
            return float(self._states[measure.name][i, k])
        if i >= 0:
            table = self._times_at if measure.name in TIMES else self._services
            return float(table[measure.name][i])
        return float(self._classes[measure.name][k] if k >= 0 else self._system[measure.name])

    def _time(self, measure: Measure) -> float:
        """Return a probability or percentile of the time in the system."""
        times, k = self._times, measure.job_class
        name = times.compilation.classes[k] if k >= 0 else None
        if measure.name == "within":
            return times.probability_within(measure.argument, name)
        rows = times.quantiles((measure.argument,))
        return float(rows[f"p{100 * measure.argument:g}"].iloc[k])  # the last row is of all

    def _visit(self, measure: Measure) -> float:
        """Return a probability or percentile of the wait at a service."""
        solution = self.solution
        visits = self._times.chain.visits
        flows = solution.measures.throughput
        known = np.isfinite(solution.measures.waiting_time) & (flows > 0)
        i, k = measure.service, measure.job_class
        if measure.name == "quantile":
            k = max(k, 0)
            found = wait_quantiles(visits, measure.argument).reshape(flows.shape)
            return float(found[i, k]) if known[i, k] else math.nan
        asked = np.full(flows.size, measure.argument)
        share = waits_within(visits, asked).reshape(flows.shape)
        chosen = slice(None) if k < 0 else slice(k, k + 1)
        flow, some = flows[i, chosen], known[i, chosen]
        if not some[flow > 0].all() or not flow.any():
            return math.nan
        return float(ratio((flow * share[i, chosen])[flow > 0].sum(), flow.sum()))

    @cached_property
    def _times(self) -> TimeInSystem:
        return self.solution.time_in_system()

    @cached_property
    def _system(self) -> dict[str, float]:
        return self.solution.totals

    @cached_property
    def _services(self) -> dict[str, Floats]:
        return service_numbers(self.solution.compilation, self.solution.measures)

    @cached_property
    def _times_at(self) -> dict[str, Floats]:
        return service_times(self.solution.compilation, self.solution.measures)

    @cached_property
    def _states(self) -> dict[str, Floats]:
        return state_columns(self.solution.compilation, self.solution.measures)

    @cached_property
    def _classes(self) -> dict[str, Floats]:
        compilation, measures = self.solution.compilation, self.solution.measures
        journeys = solve_journeys(compilation.arrays, measures)
        return class_columns(compilation, measures, journeys)
