"""`Study`: a baseline and the scenarios to be tried on it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flownet.errors import Fault, FlownetError, ParameterError
from flownet.execute import Progress, shown, stream
from flownet.network.model import Network
from flownet.solvers.measures import SYSTEM, Measure, Reading, as_measures
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve
from flownet.study.scenario import Scenario
from flownet.study.study_result import BASELINE, StudyResult
from flownet.study.sweep_rows import FAILURES, said

__all__ = ["Study"]


@dataclasses.dataclass(frozen=True)
class Study:
    """A baseline, and scenarios that are tried on it; every method returns a longer copy.

    Parameters
    ----------
    baseline : Network
        What is changed; it stays as it is.
    scenarios : tuple of Scenario, optional
        What is tried.

    Examples
    --------
    >>> import flownet as fn
    >>> beds = fn.Scenario("beds").set("Frailty ward", servers=82)
    >>> care = fn.Scenario("care").scale("Home care", service_time=0.9)
    >>> result = fn.Study(fn.example("urgent_care")).add(beds, care).run()
    >>> result.best("delay").name
    'care'
    """

    baseline: Network
    scenarios: tuple[Scenario, ...] = ()
    factors: tuple[tuple[str, str, str], ...] = ()
    axes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        """Check that there is a network, and that each name stands once."""
        if not isinstance(self.baseline, Network):
            message = f"must be a flownet Network, not {type(self.baseline).__name__}"
            raise ParameterError([Fault("study", "baseline", "", message)])
        names = [scenario.name for scenario in self.scenarios]
        faults = [
            Fault("study", "scenarios", f"'{name}'", "stands twice: give each its own name")
            for name in sorted({name for name in names if names.count(name) > 1})
        ]
        if BASELINE in names:
            faults.append(
                Fault("study", "scenarios", f"'{BASELINE}'", "is the baseline's own name")
            )
        if faults:
            raise ParameterError(faults)

    def add(self, *scenarios: Scenario) -> Study:
        """Return a copy with more scenarios.

        Raises
        ------
        ParameterError
            Where a name stands twice.
        """
        return dataclasses.replace(self, scenarios=(*self.scenarios, *scenarios), axes=())

    def vary(self, name: str, low: Scenario, high: Scenario) -> Study:
        """Return a copy with two scenarios that are the two ends of one factor, for the tornado.

        Raises
        ------
        ParameterError
            Where a name stands twice.
        """
        factors = (*self.factors, (name, low.name, high.name))
        return dataclasses.replace(self.add(low, high), factors=factors)

    def cross(self, **factors: Sequence[Scenario | None]) -> Study:
        """Return a copy with every combination of the scenarios of several factors.

        Parameters
        ----------
        **factors : sequence of Scenario or None
            By factor, its levels; None changes nothing. The combinations replace all scenarios
            that are there, and make a regular grid.

        Raises
        ------
        ParameterError
            Where a factor has no level, or two levels have one name.

        Examples
        --------
        >>> import flownet as fn
        >>> study = fn.Study(fn.example("urgent_care")).cross(
        ...     beds=[fn.Scenario("79"), fn.Scenario("82").set("Frailty ward", servers=82)],
        ...     winter=[None, fn.Scenario("winter").scale("*", external_arrival_rate=1.05)],
        ... )
        >>> [scenario.name for scenario in study.scenarios]
        ['79', '79 + winter', '82', '82 + winter']
        """
        levels = [[level or Scenario("none") for level in group] for group in factors.values()]
        axes = tuple(
            (name, tuple(level.name for level in group))
            for name, group in zip(factors, levels, strict=True)
        )
        faults = [
            Fault("study", name, "", "must have levels, each with its own name")
            for name, names in axes
            if not names or len(set(names)) < len(names)
        ]
        if faults:
            raise ParameterError(faults)
        scenarios = tuple(_combined(group) for group in itertools.product(*levels))
        return Study(self.baseline, scenarios, (), axes)

    def run(
        self,
        measures: Iterable[str] = (),
        method: str = "auto",
        *,
        executor: Any = None,
        progress: Progress | bool | None = False,
        **options: Any,
    ) -> StudyResult:
        """Return what becomes of each scenario.

        Parameters
        ----------
        measures : iterable of str, optional
            What the table shows beside the totals of the network and the goals, in plain words:
            ``occupancy at Ward``, ``within 4``, ``p95 of frail``. A service or class that a
            scenario does not have shows nan there.
        method : str
            As for `solve`.
        executor : concurrent.futures.Executor or distributed.Client, optional
            Where scenarios are solved; default here, one after the other.
        progress : callable or bool, optional
            Called with how many are done, and of how many; True shows a bar.
        **options
            As for `solve`.

        Returns
        -------
        StudyResult
            A scenario that fails is a row with its error.

        Raises
        ------
        UnknownNameError
            Where a measure names nothing in the baseline.
        """
        texts = (measures,) if isinstance(measures, str) else tuple(measures)
        asked = as_measures(dict.fromkeys((*SYSTEM, *texts)), self.baseline)
        everything = (Scenario(BASELINE), *self.scenarios)
        shared = (self.baseline, method, options)
        found: dict[int, Solution | str] = {}
        with shown("scenarios", progress=progress) as told:
            for position, answer in stream(_solved, shared, everything, executor):
                found[position] = answer
                told(len(found), len(everything))
        names = [scenario.name for scenario in everything]
        ordered = {name: found[position] for position, name in enumerate(names)}
        return _result(self, asked, ordered)


def _combined(group: Sequence[Scenario]) -> Scenario:
    changing = [level for level in group if level.name != "none"] or list(group[:1])
    name = " + ".join(level.name for level in changing)
    return Scenario(name, tuple(change for level in group for change in level.changes))


def _solved(shared: tuple[Network, str, Mapping[str, Any]], scenario: Scenario) -> Solution | str:
    """Return the solution of one scenario, or why there is none."""
    baseline, method, options = shared
    try:
        solution = solve(scenario.apply(baseline), method, **options)
    except FAILURES as error:
        return said(error)
    return solution if solution.converged else solution.warnings[0]


def _result(
    study: Study, measures: tuple[Measure, ...], found: Mapping[str, Solution | str]
) -> StudyResult:
    """Read the measures from the solutions."""
    solutions = {name: item for name, item in found.items() if isinstance(item, Solution)}
    errors = {name: item for name, item in found.items() if not isinstance(item, Solution)}
    values: dict[str, dict[str, float]] = {}
    for name, solution in solutions.items():
        reading = Reading(solution)
        values[name] = {m.text: _read(reading, m, study.baseline) for m in measures}
    return StudyResult(study, measures, solutions, errors, values)


def _read(reading: Reading, measure: Measure, baseline: Network) -> float:
    """Return a measure by name in a network that may have other services and classes."""
    network = reading.solution.network
    if network.services == baseline.services and network.classes == baseline.classes:
        return reading.value(measure)
    try:
        (there,) = as_measures(measure.text, network)
    except FlownetError:
        return float("nan")
    return reading.value(there)
