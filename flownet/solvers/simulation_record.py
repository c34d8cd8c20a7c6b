"""Runs of a simulation as they are kept, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from flownet.kernels.compiled import Floats, Integers
from flownet.kernels.simulation import SimulationRun
from flownet.kernels.simulation_memory import BUCKETS
from flownet.kernels.simulation_tallies import Tallies


class Replication(NamedTuple):
    """One run; its histogram of times is kept without the empty buckets."""

    run: SimulationRun
    """Its own `sketch` is empty."""
    times: Integers
    """(q, 3) class, bucket, number of jobs."""


def record(run: SimulationRun) -> Replication:
    """Return a run as it is kept."""
    job_class, bucket = np.nonzero(run.sketch)
    times = np.stack([job_class, bucket, run.sketch[job_class, bucket]], axis=1)
    return Replication(run._replace(sketch=run.sketch[:0]), times)


def histogram(replication: Replication, job_class: int) -> Integers:
    """Return the histogram of the times of a class, with all its buckets."""
    rows = replication.times[replication.times[:, 0] == job_class]
    sketch = np.zeros(BUCKETS, np.int64)
    sketch[rows[:, 1]] = rows[:, 2]
    return sketch


_PLAIN = ("status", "stopped_at", "events", "visits")
_WHOLE = ("backlog", "blocked_by_from", "blocked_by_to")


def written(replication: Replication) -> dict[str, Any]:
    """Return a replication, but for its trace, as plain values."""
    run = replication.run
    tallies = zip(Tallies._fields, run.tallies, strict=True)
    return {
        **{name: getattr(run, name) for name in _PLAIN},
        **{name: getattr(run, name).tolist() for name in (*_WHOLE, "time_limits")},
        "tallies": {
            name: {"shape": list(column.shape), "values": column.ravel().tolist()}
            for name, column in tallies
        },
        "times": replication.times.tolist(),
    }


def read(data: Mapping[str, Any]) -> Replication:
    """Return the replication that `written` wrote."""
    plain: dict[str, Any] = {name: data[name] for name in _PLAIN}
    whole: dict[str, Any] = {name: np.array(data[name], np.int64) for name in _WHOLE}
    run = SimulationRun(
        **plain,
        **whole,
        tallies=Tallies._make(_column(data["tallies"][name]) for name in Tallies._fields),
        time_limits=np.array(data["time_limits"], np.float64),
        sketch=np.zeros((0, BUCKETS), np.int64),
        trace=None,
        trace_complete=False,
    )
    return Replication(run, np.array(data["times"], np.int64).reshape(-1, 3))


def _column(entry: Mapping[str, Any]) -> Floats | Integers:
    column: Floats | Integers = np.array(entry["values"]).reshape(entry["shape"])
    return column
