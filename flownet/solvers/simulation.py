"""`Simulation`: what independent runs of a network have counted, with intervals, frozen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flownet.display import html_of_text
from flownet.errors import InputError
from flownet.kernels.compiled import Floats
from flownet.kernels.simulation import (
    STOPPED_AT_DEADLOCK,
    STOPPED_AT_JOBS,
    SimulationRun,
    measures,
)
from flownet.kernels.simulation_tallies import SKETCH_RELATIVE_ERROR, quantile
from flownet.network.compile import Compilation, compile_network
from flownet.network.model import Network, ServiceName
from flownet.solvers import simulation_words as words
from flownet.solvers import tables
from flownet.solvers.intervals import beside, halfwidth, pieces, pooled, with_intervals
from flownet.solvers.profile import profile_table
from flownet.solvers.simulation_design import Design
from flownet.solvers.simulation_options import check_probabilities
from flownet.solvers.simulation_record import Replication, histogram, read, written
from flownet.solvers.simulation_tables import (
    class_state_table,
    class_table,
    service_table,
    system_table,
)
from flownet.solvers.simulation_trace import event_log, trace_table, write_log

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from os import PathLike

PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Shown in the table of percentiles."""


@dataclasses.dataclass(frozen=True, eq=False)
class Simulation:
    """Independent runs of a network, and what they say about its steady state.

    Its tables have the columns of a `Solution`, and beside every measured column x the half-width
    of its confidence interval, ``x_halfwidth``. With one replication the intervals come from its
    20 batches.

    Attributes
    ----------
    network : Network
        What was simulated.
    design : Design
        Horizon, warm-up, replications, seed and so on.
    interrupted : bool
        Whether fewer replications were finished than asked for.
    """

    network: Network
    design: Design
    interrupted: bool
    replications: tuple[Replication, ...] = dataclasses.field(repr=False)
    compilation: Compilation = dataclasses.field(repr=False)

    # what the tables are made of

    @cached_property
    def pieces(self) -> list[SimulationRun]:
        """The independent pieces: the runs, or the batches where there is one run only."""
        return pieces([replication.run for replication in self.replications])

    def measured(
        self, build: Callable[[Network, Compilation, SimulationRun], pd.DataFrame]
    ) -> tuple[pd.DataFrame, Floats, pd.DataFrame]:
        """Return a table over all pieces, its pseudo-values by piece, and the half-widths."""

        def table(run: SimulationRun) -> pd.DataFrame:
            return build(self.network, self.compilation, run)

        return with_intervals(table, self.pieces, self.design.confidence)

    def _shown(
        self, build: Callable[[Network, Compilation, SimulationRun], pd.DataFrame]
    ) -> pd.DataFrame:
        table, _, widths = self.measured(build)
        return beside(table, widths)

    # tables

    @cached_property
    def services(self) -> pd.DataFrame:
        """One row a service, summed over classes (times are means over jobs)."""
        return self._shown(service_table)

    @cached_property
    def service_classes(self) -> pd.DataFrame:
        """One row a service and class."""
        return self._shown(class_state_table)

    @cached_property
    def classes(self) -> pd.DataFrame:
        """One row a job class, end to end, by the class in which jobs enter.

        `in_transit` counts by the class as which jobs arrive.
        """
        return self._shown(class_table)

    @cached_property
    def system(self) -> pd.Series[float]:
        """Totals of the whole network, and its costs per time unit."""
        table = self._shown(system_table)
        return pd.Series(table.to_numpy()[0], index=table.columns, name="system")

    @cached_property
    def blocked_by(self) -> pd.DataFrame:
        """Who waits for whom: mean number of jobs at a row's service blocked for a column's."""
        return tables.blocked_by_table(self.compilation, measures(pooled(self.pieces)))

    @cached_property
    def percentiles(self) -> pd.DataFrame:
        """Mean and percentiles of the time in the system, one row a class; see `quantiles`."""
        return self.quantiles(PROBABILITIES)

    def quantiles(self, probabilities: Sequence[float]) -> pd.DataFrame:
        """Return quantiles of the time from admission to exit of the jobs that leave served.

        Parameters
        ----------
        probabilities : sequence of float
            In (0, 1).

        Returns
        -------
        pandas.DataFrame
            One row a class at entry: ``jobs`` (their number), ``mean``, and ``p95`` for 0.95,
            each with its half-width.

        Raises
        ------
        ParameterError
            Where a probability is out of its range.

        Notes
        -----
        The quantile is that of all replications together; its interval comes from the quantiles
        of the single replications (nan where there is one only) and includes the error of the
        histogram in which times are kept, 0.4 %.
        """
        check_probabilities(probabilities)
        rows = []
        for k, _ in enumerate(self.compilation.classes):
            each = [histogram(replication, k) for replication in self.replications]
            all_times = np.sum(each, axis=0)
            mean, width = self._share("system_time", k)
            row = {"jobs": float(all_times.sum()), "mean": mean, "mean_halfwidth": width}
            for p in probabilities:
                value = quantile(all_times, p)
                own = np.array([quantile(times, p) for times in each if times.any()])
                spread = float(halfwidth(own, self.design.confidence)) if own.size else np.nan
                row[f"p{100 * p:g}"] = value
                row[f"p{100 * p:g}_halfwidth"] = spread + SKETCH_RELATIVE_ERROR * value
            rows.append(row)
        frame = pd.DataFrame(rows, index=pd.Index(self.compilation.classes, name="class"))
        frame.attrs["units"] = dict.fromkeys(frame.columns, self.network.time_unit)
        frame.attrs["units"]["jobs"] = "job"
        return frame

    @cached_property
    def targets(self) -> pd.DataFrame:
        """Probability that the time from admission to exit is at most each target, by class."""
        rows = {}
        for k, name in enumerate(self.compilation.classes):
            for position, target in enumerate(self.design.targets):
                share, width = self._share("within", k, position)
                rows[name, target] = {"probability": share, "probability_halfwidth": width}
        index = pd.MultiIndex.from_tuples(rows, names=["class", "target"]) if rows else None
        frame = pd.DataFrame(
            list(rows.values()), index=index, columns=["probability", "probability_halfwidth"]
        )
        frame.attrs["units"] = dict.fromkeys(frame.columns, "-")
        return frame

    def _share(self, name: str, job_class: int, position: int | None = None) -> tuple[float, float]:
        """Return a sum over the jobs that entered as a class and left served, by their number."""

        def build(run: SimulationRun) -> pd.DataFrame:
            column = getattr(run.tallies, name)[:, job_class]
            top = float((column if position is None else column[:, position]).sum())
            bottom = float(run.tallies.left[:, job_class].sum())
            return pd.DataFrame({"share": [top / bottom if bottom else np.nan]})

        table, _, widths = with_intervals(build, self.pieces, self.design.confidence)
        return float(table["share"].iloc[0]), float(widths["share"].iloc[0])

    @cached_property
    def profile(self) -> pd.DataFrame:
        """Mean numbers by time of the cycle: one row a service and step, by its start.

        Servers and occupancy, arrivals per T, and the numbers present, waiting, in service,
        blocked, held in transfer and outside. Empty where no cycle was asked for and the network
        has no calendar. Steps without servers have no occupancy.
        """

        def table(network: Network, c: Compilation, run: SimulationRun) -> pd.DataFrame:
            return profile_table(network, c, run, self.design.step)

        return self._shown(table)

    # standing

    @property
    def deadlocks(self) -> int:
        """Number of deadlocks in the counted time, resolved by an exchange or the end of a run."""
        return int(sum(each.run.tallies.exchanges.sum() for each in self.replications))

    @cached_property
    def stopped(self) -> int:
        """Number of replications that were stopped at `max_jobs`."""
        return sum(each.run.status == STOPPED_AT_JOBS for each in self.replications)

    @cached_property
    def deadlocked(self) -> int:
        """Number of replications that ended in a deadlock, with ``on_deadlock="stop"``."""
        return sum(each.run.status == STOPPED_AT_DEADLOCK for each in self.replications)

    @cached_property
    def overloaded(self) -> tuple[ServiceName, ...]:
        """Services whose backlog grows significantly in both halves of the counted time."""
        growing = words.growing([replication.run for replication in self.replications])
        return tuple(
            name for name, grows in zip(self.compilation.services, growing, strict=True) if grows
        )

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the numbers has to know, most serious first."""
        return words.warnings_of(self)

    @property
    def imprecision(self) -> float:
        """Relative half-width over the one that `until` was asked for; 0 where it was not."""
        measure = self.design.precise
        if not measure:
            return 0.0
        value, width = float(self.system[measure]), float(self.system[f"{measure}_halfwidth"])
        if not width > 0.0:
            return 0.0 if width == 0.0 else math.inf
        return width / abs(value) / self.design.precision if value else math.inf

    @cached_property
    def trace(self) -> pd.DataFrame:
        """One row a visit that ended, in the order of leaving; empty without `trace_rows`.

        Cases are numbered by replication; what entered but did not end by the horizon is missing.
        """
        return trace_table(self.compilation, [each.run.trace for each in self.replications])

    def event_log(self, replication: int = 0) -> pd.DataFrame:
        """Return the trace of one replication, as `flownet.from_event_log` takes it in.

        Raises
        ------
        ParameterError
            Where that replication has no trace, or it does not hold every visit.
        """
        return event_log(self, replication)

    def write_trace(self, path: str | PathLike[str], replication: int = 0) -> None:
        """Write the event log of one replication to a file, by its ending Parquet or CSV.

        Raises
        ------
        ParameterError
            Where there is no whole trace, or the ending is another.
        MissingExtraError
            Where a Parquet file needs pyarrow, which is not installed.
        """
        write_log(self.event_log(replication), path)

    def until(
        self,
        relative_half_width: float = 0.01,
        measure: str = "delay",
        *,
        max_replications: int = 1000,
        executor: Executor | None = None,
    ) -> Simulation:
        """Return this simulation with as many more replications as a precision needs.

        Parameters
        ----------
        relative_half_width : float
            Of the interval of `measure`, in (0, 1).
        measure : str
            A key of `system`.
        max_replications : int
            At which it stops; a warning then says that the precision was not met.
        executor : concurrent.futures.Executor, optional
            As for `simulate`.

        Returns
        -------
        Simulation

        Raises
        ------
        ParameterError
            Where the precision is out of its range.
        UnknownNameError
            Where the measure does not exist.
        """
        from flownet.solvers.simulate import run_until

        return run_until(self, relative_half_width, measure, max_replications, executor)

    # how it is told

    def explain(self) -> str:
        """Return in plain words how the numbers were made, and what to be wary of."""
        return words.explain(self)

    def __repr__(self) -> str:
        """Return three lines: the headline, the standing, one warning."""
        return words.summary(self)

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def figures(self) -> dict[str, Any]:
        """Return the design, the warnings and every table as plain values for JSON."""
        names = ("services", "service_classes", "classes", "system", "percentiles", "targets")
        return {
            "network": self.network.name,
            "design": self._design(),
            "interrupted": self.interrupted,
            "deadlocks": self.deadlocks,
            "overloaded": [str(name) for name in self.overloaded],
            "warnings": list(self.warnings),
            **{name: tables.records(getattr(self, name)) for name in names},
            "profile": tables.records(self.profile) if self.design.step > 0.0 else [],
        }

    def _design(self) -> dict[str, Any]:
        design = dataclasses.asdict(self.design)
        return design | {"targets": list(self.design.targets)}

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the traces as plain values that go to JSON and back."""
        return {
            "network": self.network.to_dict(),
            "design": self._design(),
            "interrupted": self.interrupted,
            "replications": [written(replication) for replication in self.replications],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Simulation:
        """Return the simulation that `to_dict` wrote.

        Raises
        ------
        InputError
            Where a part is missing.
        """
        needed = ("network", "design", "interrupted", "replications")
        missing = [key for key in needed if key not in data]
        if missing:
            message = f"not a simulation: {', '.join(missing)} missing"
            raise InputError(message)
        network = Network.from_dict(data["network"])
        lists = {"targets": tuple(data["design"]["targets"])}
        return cls(
            network=network,
            design=Design(**{**data["design"], **lists}),
            interrupted=bool(data["interrupted"]),
            replications=tuple(read(each) for each in data["replications"]),
            compilation=compile_network(network).scheduled,
        )
