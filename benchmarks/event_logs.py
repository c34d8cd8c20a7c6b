"""A network from an event log of millions of rows, in rows a second."""

from __future__ import annotations

import numpy as np
import pandas as pd

import flownet as fn
from benchmarks.registry import Prepare, Spec, Task

SERVICES = np.array([f"service {k}" for k in range(12)], dtype=object)


def stays(size: int) -> pd.DataFrame:
    """Return a log of so many stays: five to a case, at twelve services, with dates."""
    generator = np.random.default_rng(1)
    case = np.arange(size) // 5
    begin = (case * 60 + (np.arange(size) % 5) * 7200).astype("timedelta64[s]")
    start = np.datetime64("2020-01-01", "ns") + begin
    length = (generator.gamma(2.0, 1800.0, size) + 1.0).astype("timedelta64[s]")
    activity = SERVICES[generator.integers(0, SERVICES.size, size)]
    return pd.DataFrame(
        {"case": case, "activity": activity, "start": start, "complete": start + length}
    )


def from_frame(families: tuple[str, ...]) -> Prepare:
    """Time the whole way from a data frame to an estimated network."""

    def prepare(size: int) -> Task:
        log = stays(size)

        def task() -> float:
            # two rows of events, beginning and end, tell each of these stays elsewhere
            fn.from_event_log(log, families=families)
            return float(size)

        return task

    return prepare


SPECS = [
    Spec("event log, moments", "estimate", from_frame(()), sizes=(100_000, 5_000_000)),
    Spec(
        "event log, laws",
        "estimate",
        from_frame(("exponential", "gamma", "lognormal", "weibull")),
        sizes=(100_000, 5_000_000),
    ),
]
