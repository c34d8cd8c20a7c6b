"""`TestOfChange`: what was predicted, what was observed, and whether they agree."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np

from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError
from flownet.network.model import Network
from flownet.solvers.intervals import HALFWIDTH
from flownet.solvers.measures import as_measures
from flownet.solvers.simulation import Simulation
from flownet.study.scenario import Scenario
from flownet.study.xmr import SIGMA, XmR, xmr

__all__ = ["Prediction", "TestOfChange"]

FEWEST: Final = 6
"""With fewer observations after the change it is too early for a verdict."""
FREEDOM: Final = 0.62
"""Degrees of freedom for each moving range: neighbours share a value."""
Standing = Literal["as predicted", "not as predicted", "undecided", "too early"]


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a change is expected to bring a measure to, on average.

    Parameters
    ----------
    low, high : float
        The interval in which the mean is expected.
    value : float, optional
        The most likely mean; default the middle.
    measure, unit : str
        What is measured.
    confidence : float
        Of the interval, in (0, 1).
    source : str
        How it was made, for instance ``simulate, seed 1, 20 replications``.
    """

    low: float
    high: float
    value: float = math.nan
    measure: str = "value"
    unit: str = ""
    confidence: float = 0.95
    source: str = ""

    def __post_init__(self) -> None:
        """Check the interval."""
        if math.isnan(self.value):
            object.__setattr__(self, "value", (self.low + self.high) / 2)
        faults = []
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            message = "must be finite, the lower end first"
            faults.append(Fault("prediction", "interval", f"{self.low} to {self.high}", message))
        elif not self.low <= self.value <= self.high:
            faults.append(Fault("prediction", "value", str(self.value), "must lie in its interval"))
        if not 0.0 < self.confidence < 1.0:
            faults.append(
                Fault("prediction", "confidence", str(self.confidence), "must be in (0, 1)")
            )
        if faults:
            raise ParameterError(faults)

    @classmethod
    def from_simulation(cls, simulation: Simulation, measure: str) -> Prediction:
        """Return what a simulation of the changed network predicts, with its interval.

        Parameters
        ----------
        simulation : Simulation
            Of the network as it will be.
        measure : str
            In plain words, as for `sweep`: ``delay``, ``occupancy at Ward``, ``waiting_time at
            Ward of frail``, ``system_response_time of frail``.

        Raises
        ------
        UnknownNameError
            Where the measure names nothing in the network.
        ParameterError
            Where the simulation has no interval for it.
        """
        (asked,) = as_measures(measure, simulation.network)
        names, classes = simulation.compilation.services, simulation.compilation.classes
        i, k = asked.service, asked.job_class
        if i >= 0:
            table = simulation.services if k < 0 else simulation.service_classes
            row = table.loc[names[i] if k < 0 else (names[i], classes[k])]
        else:
            row = simulation.system if k < 0 else simulation.classes.loc[classes[k]]
        width = row.get(asked.name + HALFWIDTH)
        if width is None or not math.isfinite(float(width)):
            message = "has no finite interval in the simulation"
            raise ParameterError([Fault("prediction", "measure", f"'{measure}'", message)])
        value, half, design = float(row[asked.name]), float(width), simulation.design
        source = f"simulation, seed {design.seed}, {design.replications} replications"
        about = (measure, asked.unit, design.confidence, source)
        return cls(value - half, value + half, value, *about)


@dataclasses.dataclass(frozen=True, eq=False)
class TestOfChange:
    """One turn of plan, do, study, act.

    Parameters
    ----------
    baseline : Network or sequence of float
        The system before the change; or what was observed there, in the order of time.
    change : Scenario or str
        What was done.
    prediction : Prediction or (float, float)
        The mean that was expected, as an interval.
    observed : sequence or pandas.Series of float
        What happened after the change, in the order of time.
    before : sequence or pandas.Series of float, optional
        What was observed before the change, where `baseline` is a network.
    title, plan, act : str
        The question; what was planned, with dates; what is done next.
    follows : int, optional
        The number in the ledger of the test that this one repeats or extends.

    Raises
    ------
    ParameterError
        Where observations are not finite numbers, or the prediction is no interval.

    Examples
    --------
    >>> test = TestOfChange(
    ...     [21, 19, 22, 20, 18, 21, 20, 23, 19, 20, 22, 21], "two more beds",
    ...     Prediction(13, 17, measure="patients waiting"), [15, 14, 16, 13, 15, 16, 14, 15],
    ... )
    >>> test.standing
    'as predicted'
    """

    __test__ = False  # not a test of pytest's

    baseline: Any
    change: Any
    prediction: Any
    observed: Any
    before: Any = ()
    title: str = ""
    plan: str = ""
    act: str = ""
    follows: int | None = None

    def __post_init__(self) -> None:
        """Check what is given, and keep own copies."""
        if not isinstance(self.baseline, Network):
            if len(self.before):
                message = "is given twice: baseline holds what was observed before"
                raise ParameterError([Fault("test of change", "before", "", message)])
            object.__setattr__(self, "before", self.baseline)
            object.__setattr__(self, "baseline", None)
        if not isinstance(self.prediction, Prediction):
            object.__setattr__(self, "prediction", _prediction(self.prediction))
        for name in ("before", "observed"):
            object.__setattr__(self, name, _observations(name, getattr(self, name)))
        if not isinstance(self.change, (Scenario, str)) or not str(self.change).strip():
            message = "must be a Scenario, or a text"
            raise ParameterError([Fault("test of change", "change", "", message)])

    @cached_property
    def chart(self) -> XmR:
        """What was observed before and after, against the limits of before.

        With fewer than two observations before, against the limits of after.

        Raises
        ------
        ParameterError
            Where there are fewer than two observations in all.
        """
        count = len(self.before) if len(self.before) >= 2 else None
        values = (*self.before, *self.observed)
        measure, unit = self.prediction.measure, self.prediction.unit
        return xmr(values, baseline=count, measure=measure, unit=unit)

    @property
    def mean(self) -> float:
        """The mean of what was observed after the change; nan where there is nothing."""
        return float(np.mean(self.observed)) if self.observed else math.nan

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Where the mean after the change lies, with the prediction's confidence.

        Student's t on the standard deviation that the mean moving range tells, which a slow drift
        does not widen, with 0.62 (n - 1) degrees of freedom (Wheeler 1995, Advanced Topics in
        Statistical Process Control).
        """
        count = len(self.observed)
        if count < 2:
            return (-math.inf, math.inf)
        from scipy.stats import t

        sigma = float(np.abs(np.diff(self.observed)).mean()) / SIGMA
        freedom = FREEDOM * (count - 1)
        quantile = float(t.ppf(0.5 + self.prediction.confidence / 2, freedom))
        half = quantile * sigma / math.sqrt(count)
        return (self.mean - half, self.mean + half)

    @property
    def standing(self) -> Standing:
        """Whether what happened is what was predicted.

        ``as predicted``: the mean lies in the predicted interval; ``not as predicted``: its own
        interval lies wholly outside; ``undecided`` between the two; ``too early`` with fewer than
        six observations.
        """
        if len(self.observed) < FEWEST:
            return "too early"
        low, high = self.prediction.low, self.prediction.high
        if low <= self.mean <= high:
            return "as predicted"
        apart = self.interval[1] < low or self.interval[0] > high
        return "not as predicted" if apart else "undecided"

    @property
    def changed(self) -> bool | None:
        """Whether the chart shows that the process changed; None without limits from before."""
        if len(self.before) < 2 or not self.observed:
            return None
        after = self.chart.table.iloc[len(self.before) :]
        return bool(after[["outside", "run", "trend", "near"]].to_numpy().any())

    @property
    def verdict(self) -> str:
        """The standing in a sentence, with the figures, and whether a change is seen at all."""
        p, unit = self.prediction, f" {self.prediction.unit}" if self.prediction.unit else ""
        expected = f"{figure(p.low)} to {figure(p.high)}{unit}"
        seen = f"a mean of {figure(self.mean)}{unit} over {len(self.observed)} observations"
        said = {
            "as predicted": f"What happened is what was predicted: {seen}, expected {expected}.",
            "not as predicted": f"What happened is not what was predicted: {seen}, expected "
            f"{expected}.",
            "undecided": f"It cannot be told yet whether the prediction holds: {seen}, expected "
            f"{expected}, and chance may explain the difference.",
            "too early": f"It is too early to tell: {len(self.observed)} observations, at least "
            f"{FEWEST} are needed; expected {expected}.",
        }[self.standing]
        if self.changed is None:
            return said
        return said + (
            " The chart shows that the process changed."
            if self.changed
            else " The chart shows no change from before: ordinary variation may be all there is."
        )

    def __repr__(self) -> str:
        """Return three lines: what was changed, the verdict, what comes next."""
        what = self.change.name if isinstance(self.change, Scenario) else self.change
        lines = [f"TestOfChange: {self.title or what}", f"  {self.verdict}"]
        return "\n".join([*lines, *([f"  next: {self.act}"] if self.act else [])])

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values for JSON; `from_dict` reads it back."""
        scenario = isinstance(self.change, Scenario)
        return {
            "title": self.title,
            "baseline": self.baseline.to_dict() if self.baseline is not None else None,
            "change": self.change.to_dict() if scenario else self.change,
            "prediction": dataclasses.asdict(self.prediction),
            "before": list(self.before),
            "observed": list(self.observed),
            "plan": self.plan,
            "act": self.act,
            "follows": self.follows,
            "standing": self.standing,
            "verdict": self.verdict,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> TestOfChange:
        """Return the record that `to_dict` wrote.

        Raises
        ------
        ParameterError
            Where the document is not such a record.
        """
        missing = [
            key
            for key in ("baseline", "change", "prediction", "before", "observed")
            if key not in document
        ]
        if missing:
            message = f"lacks {', '.join(missing)}"
            raise ParameterError([Fault("test of change", "", "", message)])
        network, change = document["baseline"], document["change"]
        return cls(
            Network.from_dict(network) if network is not None else tuple(document["before"]),
            Scenario.from_dict(change) if isinstance(change, Mapping) else change,
            Prediction(**document["prediction"]),
            tuple(document["observed"]),
            tuple(document["before"]) if network is not None else (),
            document.get("title", ""),
            document.get("plan", ""),
            document.get("act", ""),
            document.get("follows"),
        )


def _prediction(given: Any) -> Prediction:
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError) as error:
        message = "must be a Prediction, or a pair (low, high)"
        raise ParameterError([Fault("test of change", "prediction", "", message)]) from error
    return Prediction(low, high)


def _observations(name: str, values: Iterable[Any]) -> tuple[float, ...]:
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError) as error:
        message = f"must be a list of numbers: {error}"
        raise ParameterError([Fault("test of change", name, "", message)]) from error
    faults = [
        Fault("test of change", name, f"{number:g}", f"at place {place} must be finite")
        for place, number in enumerate(numbers)
        if not math.isfinite(number)
    ]
    if faults:
        raise ParameterError(faults)
    return numbers
