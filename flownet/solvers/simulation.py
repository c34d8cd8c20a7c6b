"""`Simulation`: what independent runs of a network have counted, with intervals, frozen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from flownet.display import html_of_text
from flownet.errors import Fault, InputError, ParameterError
from flownet.kernels.compiled import Floats, Integers, Measures
from flownet.kernels.simulation import COMPLETED, SimulationRun
from flownet.kernels.simulation_memory import BUCKETS
from flownet.kernels.simulation_tallies import SKETCH_RELATIVE_ERROR, Tallies, quantile
from flownet.network.compile import Compilation, compile_network
from flownet.network.model import Network, ServiceName
from flownet.solvers import simulation_words as words
from flownet.solvers import tables
from flownet.solvers.intervals import beside, halfwidth, measured, pieces, with_intervals
from flownet.solvers.journeys import solve_journeys

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from flownet.kernels.simulation import Trace

PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Shown in the table of percentiles."""
_PER_JOB = (
    "waiting_time", "blocked_time", "held_transfer_time", "response_time", "outside_time",
    "residence_time", "wait_probability", "blocking_probability",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Design:
    """How a network was simulated: everything that, with the network, fixes the numbers.

    Attributes
    ----------
    horizon, warmup : float
        T at which a run ends, and T up to which nothing is counted.
    warmup_rule : str
        ``given``, ``MSER-5``, or ``MSER-5, not settled`` where the rule found no steady state.
    replications, seed : int
    confidence : float
    targets : tuple of float
        Times in the system whose probability is shown, in T.
    preemptive : tuple
        Services of discipline ``priority`` at which a job interrupts one of a worse rank.
    max_jobs : int
        A run stops when more jobs than this are in the network or wait outside.
    trace_rows : int
        The most rows of the trace of a run.
    precise, precision : str, float
        The total that `until` was asked for, and the relative half-width asked of it.
    """

    horizon: float
    warmup: float
    warmup_rule: str
    replications: int
    seed: int
    confidence: float
    targets: tuple[float, ...] = ()
    preemptive: tuple[ServiceName, ...] = ()
    max_jobs: int = 1 << 20
    trace_rows: int = 0
    precise: str = ""
    precision: float = 0.0


class Replication(NamedTuple):
    """One run; its histogram of times is kept without the empty buckets."""

    run: SimulationRun
    """Its own `sketch` is empty."""
    times: Integers
    """(q, 3) class, bucket, number of jobs."""


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

    def _balanced(self, parts: Sequence[SimulationRun]) -> tuple[Measures, SimulationRun]:
        """Return the averages, without the jobs that stand there at the ends taken for growth."""
        m, whole = measured(parts)
        ended = m.throughput + m.loss_rate + m.overflow_rate + m.abandonment_rate
        return m._replace(growth_rate=np.zeros_like(m.growth_rate), arrival_rate=ended), whole

    def service_table(self, parts: Sequence[SimulationRun]) -> pd.DataFrame:
        m, _ = measured(parts)
        nodes = self.network.graph.nodes
        targets = [nodes[name].get("target") for name in self.compilation.services]
        still = m._replace(growth_rate=np.zeros_like(m.growth_rate))
        table = tables.service_table(self.compilation, still, targets, *self._units)
        table["growth_rate"] = m.growth_rate.sum(axis=1)
        return _unseen(table)

    def _class_state_table(self, parts: Sequence[SimulationRun]) -> pd.DataFrame:
        m, _ = measured(parts)
        return _unseen(tables.class_state_table(self.compilation, m, *self._units))

    def class_table(self, parts: Sequence[SimulationRun]) -> pd.DataFrame:
        m, whole = self._balanced(parts)
        journeys = solve_journeys(self.compilation.arrays, m)
        table = tables.class_table(self.compilation, m, journeys, *self._units)
        t = whole.tallies
        table["in_transit"] = t.in_transit[0] / t.length[0]
        table["throughput"] = t.left[0].sum(axis=0) / t.length[0]
        table["growth_rate"] = measured(parts)[0].growth_rate.sum(axis=0)
        return table

    def system_series(self, parts: Sequence[SimulationRun]) -> pd.Series[float]:
        m, whole = measured(parts)
        series = tables.system_series(self.compilation, m)
        t = whole.tallies
        series["in_transit"] = t.in_transit.sum() / t.length[0]
        series["throughput"] = t.left.sum() / t.length[0]
        return series

    @property
    def _units(self) -> tuple[str, str]:
        return self.network.time_unit, self.network.currency

    # tables

    @cached_property
    def services(self) -> pd.DataFrame:
        """One row a service, summed over classes (times are means over jobs)."""
        table, _, widths = with_intervals(
            self.service_table, self.pieces, self.design.confidence
        )
        return beside(table, widths)

    @cached_property
    def service_classes(self) -> pd.DataFrame:
        """One row a service and class."""
        table, _, widths = with_intervals(
            self._class_state_table, self.pieces, self.design.confidence
        )
        return beside(table, widths)

    @cached_property
    def classes(self) -> pd.DataFrame:
        """One row a job class, end to end, by the class in which jobs enter.

        `in_transit` counts by the class as which jobs arrive, those included who wait there.
        """
        table, _, widths = with_intervals(self.class_table, self.pieces, self.design.confidence)
        return beside(table, widths)

    @cached_property
    def system(self) -> pd.Series[float]:
        """Totals of the whole network, and its costs per time unit."""
        table, _, widths = with_intervals(
            self.system_series, self.pieces, self.design.confidence
        )
        return beside(table, widths)

    @cached_property
    def blocked_by(self) -> pd.DataFrame:
        """Who waits for whom: mean number of jobs at a row's service blocked for a column's."""
        return tables.blocked_by_table(self.compilation, measured(self.pieces)[0])

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
        if not all(0.0 < p < 1.0 for p in probabilities):
            raise ParameterError([Fault("quantiles", "probabilities", "", "lie above 0, below 1")])
        rows = []
        for k, _ in enumerate(self.compilation.classes):
            each = [_histogram(replication, k) for replication in self.replications]
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
        frame.attrs["units"] = {c: self.network.time_unit for c in frame.columns} | {"jobs": "job"}
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

        def build(parts: Sequence[SimulationRun]) -> pd.Series[float]:
            top = bottom = 0.0
            for part in parts:
                column = getattr(part.tallies, name)[:, job_class]
                top += float((column if position is None else column[:, position]).sum())
                bottom += float(part.tallies.left[:, job_class].sum())
            return pd.Series({"share": top / bottom if bottom else np.nan})

        table, _, widths = with_intervals(build, self.pieces, self.design.confidence)
        return float(table["share"]), float(widths["share"])

    # standing

    @property
    def deadlocks(self) -> int:
        """Number of deadlocks in the counted time, each resolved by an exchange of places."""
        return int(sum(replication.run.tallies.exchanges.sum() for replication in self.replications))

    @cached_property
    def stopped(self) -> int:
        """Number of replications that were stopped at `max_jobs`."""
        return sum(replication.run.status != COMPLETED for replication in self.replications)

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
        """One row a visit, in the order of leaving; empty where no trace was asked for."""
        frames = [
            _trace_frame(self.compilation, number, replication.run.trace)
            for number, replication in enumerate(self.replications)
            if replication.run.trace is not None
        ]
        columns = ["replication", *_TRACE]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

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

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the trace as plain values that go to JSON and back."""
        design = dataclasses.asdict(self.design)
        design["preemptive"] = [str(name) for name in self.design.preemptive]
        return {
            "network": self.network.to_dict(),
            "design": design | {"targets": list(self.design.targets), "trace_rows": 0},
            "interrupted": self.interrupted,
            "replications": [_written(replication) for replication in self.replications],
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
        lists = {name: tuple(data["design"][name]) for name in ("targets", "preemptive")}
        return cls(
            network=network,
            design=Design(**{**data["design"], **lists}),
            interrupted=bool(data["interrupted"]),
            replications=tuple(_read(each) for each in data["replications"]),
            compilation=compile_network(network),
        )


def _unseen(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the figures of a job unknown where no job was seen."""
    columns = [column for column in _PER_JOB if column in table.columns]
    table.loc[table["throughput"] == 0, columns] = np.nan
    return table


def _histogram(replication: Replication, job_class: int) -> Integers:
    rows = replication.times[replication.times[:, 0] == job_class]
    sketch = np.zeros(BUCKETS, np.int64)
    sketch[rows[:, 1]] = rows[:, 2]
    return sketch


_TRACE = ("case", "service", "class", "arrived", "started", "finished", "left")


def _trace_frame(compilation: Compilation, number: int, trace: Trace) -> pd.DataFrame:
    services = np.array(compilation.services, dtype=object)
    classes = np.array(compilation.classes, dtype=object)
    columns = (
        trace.case, services[trace.service], classes[trace.job_class],
        trace.arrived, trace.started, trace.finished, trace.left,
    )  # fmt: skip
    return pd.DataFrame({"replication": number, **dict(zip(_TRACE, columns, strict=True))})


_PLAIN = ("status", "stopped_at", "events", "visits", "trace_complete")
_WHOLE = ("backlog", "blocked_by_from", "blocked_by_to")


def _written(replication: Replication) -> dict[str, Any]:
    run = replication.run
    return {
        **{name: getattr(run, name) for name in _PLAIN},
        **{name: getattr(run, name).tolist() for name in (*_WHOLE, "time_limits")},
        "tallies": {
            name: column.tolist()
            for name, column in zip(Tallies._fields, run.tallies, strict=True)
        },
        "times": replication.times.tolist(),
    }


def _read(data: Mapping[str, Any]) -> Replication:
    n_classes = len(data["tallies"]["left"][0]) if data["tallies"]["left"] else 0
    limits = np.array(data["time_limits"], np.float64)
    tallies = {name: _column(values) for name, values in data["tallies"].items()}
    tallies["within"] = tallies["within"].reshape(-1, n_classes, limits.size)
    run = SimulationRun(
        **{name: data[name] for name in _PLAIN},
        **{name: np.array(data[name], np.int64) for name in _WHOLE},
        tallies=Tallies(**tallies),
        time_limits=limits,
        sketch=np.zeros((0, BUCKETS), np.int64),
        trace=None,
    )
    return Replication(run, np.array(data["times"], np.int64).reshape(-1, 3))


def _column(values: list[Any]) -> Floats | Integers:
    column: Floats | Integers = np.array(values)
    return column
