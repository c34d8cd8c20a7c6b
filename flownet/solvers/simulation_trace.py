"""The trace of a simulation: an event log, one row a visit."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from flownet.errors import Fault, MissingExtraError, ParameterError
from flownet.kernels.simulation import Trace
from flownet.network.compile import Compilation

if TYPE_CHECKING:
    from os import PathLike

    from flownet.solvers.simulation import Simulation

COLUMNS: Final = ("case", "service", "class", "arrived", "started", "finished", "left")


def trace_table(compilation: Compilation, traces: Sequence[Trace | None]) -> pd.DataFrame:
    """Return the visits of all replications that have a trace, in the order of leaving."""
    frames = [
        _frame(compilation, number, trace)
        for number, trace in enumerate(traces)
        if trace is not None
    ]
    columns = ["replication", *COLUMNS]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _frame(compilation: Compilation, number: int, trace: Trace) -> pd.DataFrame:
    services = np.array(compilation.services, dtype=object)
    classes = np.array(compilation.classes, dtype=object)
    columns = (
        trace.case, services[trace.service], classes[trace.job_class],
        trace.arrived, trace.started, trace.finished, trace.left,
    )  # fmt: skip
    return pd.DataFrame({"replication": number, **dict(zip(COLUMNS, columns, strict=True))})


def event_log(simulation: Simulation, replication: int) -> pd.DataFrame:
    """Return the whole trace of one replication."""
    made = len(simulation.replications)
    if isinstance(replication, bool) or replication not in range(made):
        message = f"must be a whole number from 0 to {made - 1}"
        raise ParameterError([Fault("event log", "replication", str(replication), message)])
    run = simulation.replications[replication].run
    if run.trace is None:
        message = "was 0, so that there is no trace: simulate with as many as there are visits"
        raise ParameterError([Fault("simulate", "trace_rows", "", message)])
    if not run.trace_complete:
        message = f"is too small: there are {run.visits:,} visits and more with who gave up"
        value = str(simulation.design.trace_rows)
        raise ParameterError([Fault("simulate", "trace_rows", value, message)])
    return _frame(simulation.compilation, replication, run.trace).drop(columns="replication")


def write_log(log: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write an event log to a file, by its ending Parquet or CSV."""
    name = str(path).lower()
    if name.endswith((".csv", ".csv.gz")):
        log.to_csv(path, index=False)
    elif name.endswith((".parquet", ".pq")):
        if importlib.util.find_spec("pyarrow") is None:
            message = "a Parquet file needs pyarrow: pip install 'flownet-queueing[logs]'"
            raise MissingExtraError(message)
        log.to_parquet(path, engine="pyarrow", index=False)
    else:
        message = "must end in .parquet, .csv or .csv.gz"
        raise ParameterError([Fault("write_trace", "path", Path(path).name, message)])
