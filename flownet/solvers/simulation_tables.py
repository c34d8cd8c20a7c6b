"""The tables of one run, or of pieces pooled into one, in the columns of a Solution."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flownet.kernels.simulation import SimulationRun, measures
from flownet.network.compile import Compilation
from flownet.network.model import Network
from flownet.solvers import tables
from flownet.solvers.journeys import solve_journeys

_PER_JOB = (
    "waiting_time", "blocked_time", "held_transfer_time", "response_time", "outside_time",
    "residence_time", "wait_probability", "blocking_probability",
)  # fmt: skip


def service_table(network: Network, c: Compilation, run: SimulationRun) -> pd.DataFrame:
    """Return one row a service, summed over classes."""
    m = measures(run)
    targets = [network.graph.nodes[name].get("target") for name in c.services]
    # observed growth is noise where a service is stable: it must not be taken for overload
    still = m._replace(growth_rate=np.zeros_like(m.growth_rate))
    table = tables.service_table(c, still, targets, network.time_unit, network.currency)
    table["growth_rate"] = m.growth_rate.sum(axis=1)
    return _unseen(table)


def class_state_table(network: Network, c: Compilation, run: SimulationRun) -> pd.DataFrame:
    """Return one row a service and class."""
    m = measures(run)
    return _unseen(tables.class_state_table(c, m, network.time_unit, network.currency))


def class_table(network: Network, c: Compilation, run: SimulationRun) -> pd.DataFrame:
    """Return one row a class, end to end, by the class in which jobs enter.

    For the times of journeys, jobs that stand there at the ends of the runs count as not arrived.
    """
    m, t = measures(run), run.tallies
    ended = m.throughput + m.loss_rate + m.overflow_rate + m.abandonment_rate
    still = m._replace(growth_rate=np.zeros_like(m.growth_rate), arrival_rate=ended)
    journeys = solve_journeys(c.arrays, still)
    table = tables.class_table(c, m, journeys, network.time_unit, network.currency)
    table["in_transit"] = t.in_transit[0] / t.length[0]
    table["throughput"] = t.left[0].sum(axis=0) / t.length[0]
    return table


def system_table(_: Network, c: Compilation, run: SimulationRun) -> pd.DataFrame:
    """Return one row, ``system``, with the totals and costs of the whole network."""
    t = run.tallies
    series = tables.system_series(tables.system_totals(c, measures(run)))
    series["in_transit"] = t.in_transit.sum() / t.length[0]
    series["throughput"] = t.left.sum() / t.length[0]
    return series.to_frame().T


def _unseen(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the figures of a job unknown where no job was seen."""
    columns = [column for column in _PER_JOB if column in table.columns]
    table.loc[table["throughput"] == 0, columns] = np.nan
    return table
