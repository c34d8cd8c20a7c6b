"""The trace of a simulation: an event log, one row a visit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from flownet.kernels.simulation import Trace
from flownet.network.compile import Compilation

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
