"""`TimeInSystem`: how long jobs are in a solved network, as a distribution, without simulation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.kernels.compiled import Floats, Measures
from flownet.kernels.journey import (
    Moments,
    TimeChain,
    endless,
    make_chain,
    moments,
    served_within,
    starting_weights,
)
from flownet.kernels.journey_quantiles import served_quantiles, wait_quantiles, waits_within
from flownet.network.compile import Compilation
from flownet.network.values import nearest

if TYPE_CHECKING:
    from flownet.network.model import ServiceName

PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Shown in the table of percentiles, as for a simulation."""
RETURNING = 0.1
"""Share of jobs that come straight back from which a caution is given."""
EVERY = "all"
"""The row for the jobs of all classes together."""


@dataclasses.dataclass(frozen=True, eq=False)
class TimeInSystem:
    """The time from admission to exit of the jobs that leave served, by class at entry.

    Each job follows the random routes of the network; at every visit it waits, is served, travels
    and waits for its next place, independently of its other visits. Means agree with the tables
    of the solution; the shapes are those that `flownet.kernels.journey_waits.visit_laws` names.
    With several classes the row ``all`` stands for all jobs (unless a class has this name).

    Attributes
    ----------
    start : str or None
        From admission to this service on, by class there; None: from admission to the network.
    outside : bool
        Whether the time outside, before admission, counts too.
    """

    compilation: Compilation = dataclasses.field(repr=False)
    measures: Measures = dataclasses.field(repr=False)
    chain: TimeChain = dataclasses.field(repr=False)
    time_unit: str
    start: ServiceName | None = None
    outside: bool = False

    # what is asked

    @cached_property
    def moments(self) -> pd.DataFrame:
        """Mean and standard deviation, one row a class."""
        found = self._moments
        with np.errstate(invalid="ignore"):
            deviation = np.sqrt(found.variance)
        return self._labelled({"mean": found.mean, "sd": deviation})

    @cached_property
    def percentiles(self) -> pd.DataFrame:
        """Mean, standard deviation and percentiles, one row a class; see `quantiles`."""
        return self.quantiles(PROBABILITIES)

    def quantiles(self, probabilities: Sequence[float]) -> pd.DataFrame:
        """Return the times that given shares of the jobs do not exceed.

        Parameters
        ----------
        probabilities : sequence of float
            In (0, 1).

        Returns
        -------
        pandas.DataFrame
            One row a class: ``mean``, ``sd``, and ``p95`` for 0.95; nan where jobs can meet a
            wait without end (the mean is then inf), or none enters.

        Raises
        ------
        ParameterError
            Where a probability is out of its range.
        """
        wrong = [p for p in probabilities if not _between(p, 1.0)]
        if wrong:
            value = ", ".join(map(repr, wrong))
            raise ParameterError(
                [Fault("quantiles", "probabilities", value, "must lie above 0 and below 1")]
            )
        asked = np.array(probabilities, dtype=np.float64)
        found = np.full((len(self._rows), asked.size), np.nan)
        stable = ~self._endless
        if stable.any() and asked.size:
            weights = self._weights[stable]
            found[stable] = served_quantiles(self.chain, weights, asked, outside=self.outside)
        frame = self.moments.copy()
        for position, p in enumerate(probabilities):
            frame[f"p{100 * p:g}"] = found[:, position]
        frame.attrs["units"] = dict.fromkeys(frame.columns, self.time_unit)
        return frame

    def within(self, times: float | Iterable[float]) -> pd.DataFrame:
        """Return P(T <= t) for every class and time.

        Parameters
        ----------
        times : float or sequence of float
            In the network's time unit, above 0.

        Returns
        -------
        pandas.DataFrame
            One row a class and target, with the column ``probability``, like `Simulation.targets`;
            nan where jobs can meet a wait without end, or none enters.

        Raises
        ------
        ParameterError
            Where a time is out of its range.
        """
        asked = _checked(times)
        found = np.full((len(self._rows), asked.size), np.nan)
        stable = ~self._endless
        if stable.any():
            weights = self._weights[stable]
            found[stable] = served_within(self.chain, weights, asked, outside=self.outside)
        index = pd.MultiIndex.from_product([self._rows, asked.tolist()], names=["class", "target"])
        frame = pd.DataFrame({"probability": found.reshape(-1)}, index=index)
        frame.attrs["units"] = {"probability": "-"}
        return frame

    def probability_within(self, time: float, job_class: str | None = None) -> float:
        """Return P(T <= t) of a class; without one, of all jobs.

        Parameters
        ----------
        time : float
            In the network's time unit, above 0.
        job_class : str, optional

        Raises
        ------
        UnknownNameError
            Where the class does not exist.
        """
        if job_class is None:
            weights, bad = self._total, bool(self._total_endless[0])
        else:
            if job_class not in self.compilation.classes:
                near = nearest(job_class, self.compilation.classes)
                fault = Fault("class", "", repr(job_class), f"is not in the network{near}")
                raise UnknownNameError([fault])
            row = self.compilation.classes.index(job_class)
            weights, bad = self._weights[row : row + 1], bool(self._endless[row])
        asked = _checked(time)
        if bad:
            return math.nan
        return float(served_within(self.chain, weights, asked, outside=self.outside)[0, 0])

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Why rows have no percentiles: classes whose jobs can meet a wait without end."""
        names = [name for name, bad in zip(self._rows, self._endless, strict=True) if bad]
        if not names:
            return ()
        where = "before or at" if self.outside else "at"
        return (
            f"jobs of {', '.join(repr(name) for name in names)} can come to wait {where} a service "
            "whose backlog grows without limit: their times have no steady state",
        )

    @cached_property
    def cautions(self) -> tuple[str, ...]:
        """Where visits are far from independent: jobs that come straight back to a busy service."""
        arrays, journey = self.compilation.arrays, self.chain.journey
        classes = len(self.compilation.classes)
        rows = np.repeat(np.arange(journey.leave.size), np.diff(journey.start))
        here = rows // classes
        straight = (here == journey.to // classes) & (journey.transfer == 0.0)
        straight &= journey.weight >= RETURNING
        found = np.unique(here[straight & np.isfinite(arrays.servers)[here]])
        names = [f"'{self.compilation.services[i]}'" for i in found.tolist()]
        if not names:
            return ()
        return (
            f"at {', '.join(names)} many jobs come straight back and meet the queue that they "
            "left: real percentiles beyond the 90th are longer (20 % at load 0.9 with 70 % coming "
            "back); simulate to see by how much",
        )

    # what it is made of

    @cached_property
    def _rows(self) -> list[str]:
        classes = list(self.compilation.classes)
        return [*classes, EVERY] if len(classes) > 1 and EVERY not in classes else classes

    @cached_property
    def _by_class(self) -> Floats:
        arrays = self.compilation.arrays
        names = self.compilation.services
        service = -1 if self.start is None else names.index(self.start)
        return starting_weights(self.chain, arrays, self.measures, service)

    @cached_property
    def _total(self) -> Floats:
        return np.asarray(self._by_class.sum(axis=0, keepdims=True))

    @cached_property
    def _total_endless(self) -> np.ndarray:
        return endless(self.chain, self._total, outside=self.outside)

    @cached_property
    def _weights(self) -> Floats:
        more = len(self._rows) > len(self.compilation.classes)
        return np.vstack([self._by_class, self._total]) if more else self._by_class

    @cached_property
    def _endless(self) -> np.ndarray:
        return endless(self.chain, self._weights, outside=self.outside)

    @cached_property
    def _moments(self) -> Moments:
        found = moments(self.chain, self._weights, outside=self.outside)
        return found._replace(
            mean=np.where(self._endless, np.inf, found.mean),
            variance=np.where(self._endless, np.nan, found.variance),
        )

    def _labelled(self, columns: dict[str, Floats]) -> pd.DataFrame:
        frame = pd.DataFrame(columns, index=pd.Index(self._rows, name="class"))
        frame.attrs["units"] = dict.fromkeys(frame.columns, self.time_unit)
        return frame

    def __repr__(self) -> str:
        """Return one line a class: mean, median, 95th percentile."""
        whence = "admission" if self.start is None else f"admission to '{self.start}'"
        if self.outside:
            whence = f"asking for {whence}"
        lines = [f"Time from {whence} to exit, in {self.time_unit}s, of those who leave served:"]
        for name, row in self.quantiles((0.5, 0.95)).iterrows():
            shown = ", ".join(f"{key} {figure(float(value))}" for key, value in row.items())
            lines.append(f"  {name}: {shown}")
        said = (*self.reasons, *self.cautions)
        return "\n".join([*lines, *(f"  warning: {text}" for text in said)])

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))


def _between(value: object, most: float) -> bool:
    """Tell whether it is a number above 0 and below `most`."""
    return isinstance(value, Real) and 0.0 < float(value) < most


def _checked(times: float | Iterable[float]) -> Floats:
    """Return the times as an array; refuse what is out of range."""
    several = list(times) if isinstance(times, Iterable) else [times]
    wrong = [each for each in several if not _between(each, math.inf)]
    if wrong or not several:
        value = ", ".join(map(repr, wrong)) or "none"
        raise ParameterError([Fault("within", "times", value, "must be finite times above 0")])
    return np.array(several, dtype=np.float64)


def time_in_system(
    compilation: Compilation,
    measures: Measures,
    time_unit: str,
    start: ServiceName | None = None,
    *,
    outside: bool = False,
) -> TimeInSystem:
    """Return the time in the system that a method's measures of a network imply.

    Parameters
    ----------
    compilation : Compilation
    measures : Measures
        Of a converged method.
    time_unit : str
    start : str, optional
        A service to begin at.
    outside : bool
        Whether the time outside counts; only for the network as a whole.

    Raises
    ------
    UnknownNameError
        Where the service does not exist.
    """
    if start is not None and start not in compilation.services:
        near = nearest(str(start), [str(name) for name in compilation.services])
        raise UnknownNameError([Fault("start", "", repr(start), f"is not in the network{near}")])
    chain = make_chain(compilation.arrays, measures)
    whole = outside and start is None
    return TimeInSystem(compilation, measures, chain, time_unit, start, whole)


def waits_table(
    times: TimeInSystem, within: Sequence[float], probabilities: Sequence[float]
) -> pd.DataFrame:
    """Return one row a service and class: P(wait <= t) and percentiles of the wait of the served.

    Columns ``within 4`` and ``p95``; nan where servers are shared (ps), where nobody comes, or
    where the backlog grows.
    """
    compilation, visits = times.compilation, times.chain.visits
    asked = _checked(within) if len(within) else np.zeros(0)
    if not all(0.0 < p < 1.0 for p in probabilities):
        raise ParameterError([Fault("waits", "probabilities", "", "lie above 0, below 1")])
    served = times.measures.throughput.reshape(-1) > 0.0
    known = served & np.isfinite(times.measures.waiting_time.reshape(-1))
    columns: dict[str, Floats] = {}
    for time in asked.tolist():
        share = waits_within(visits, np.full(known.size, time))
        columns[f"within {time:g}"] = np.where(known, share, np.nan)
    for p in probabilities:
        columns[f"p{100 * p:g}"] = np.where(known, wait_quantiles(visits, p), np.nan)
    index = pd.MultiIndex.from_product(
        [compilation.services, compilation.classes], names=["service", "class"]
    )
    frame = pd.DataFrame(columns, index=index)
    frame.attrs["units"] = {
        name: "-" if name.startswith("within") else times.time_unit for name in columns
    }
    return frame
