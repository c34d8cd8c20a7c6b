"""From the runs of a simulation to tables whose columns have confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from flownet.kernels.compiled import Floats
from flownet.kernels.simulation import SimulationRun
from flownet.kernels.simulation_tallies import Tallies

HALFWIDTH = "_halfwidth"
GIVEN = ("organisation", "servers", "target", "cost_capacity")
"""Columns that are not measured but given: they have no interval."""


def student(confidence: float, freedom: int) -> float:
    """Return the two-sided quantile of Student's t; nan without a degree of freedom."""
    if freedom < 1:
        return float("nan")
    return float(stdtrit(freedom, 0.5 * (1.0 + confidence)))


def halfwidth(samples: Floats, confidence: float) -> Floats:
    r"""Return the half-width of the interval for the mean of independent samples.

    .. math:: t_{r-1, (1+p)/2}\, s / \sqrt r

    Parameters
    ----------
    samples : ndarray (r, ...)
    confidence : float
        In (0, 1).

    References
    ----------
    A. M. Law (2015), Simulation Modeling and Analysis, 5th ed., eq. 9.1.
    """
    number = samples.shape[0]
    if number < 2:
        return np.full(samples.shape[1:], np.nan)
    scale: Floats = samples.std(axis=0, ddof=1)
    width: Floats = scale * student(confidence, number - 1) / np.sqrt(number)
    return width


def pieces(runs: Sequence[SimulationRun]) -> list[SimulationRun]:
    """Return the independent pieces of a simulation: its runs, or the batches of the only one."""
    counted = [run for run in runs if run.tallies.length.size > 0]
    if len(counted) != 1:
        return counted
    run = counted[0]
    return [
        run._replace(
            tallies=Tallies._make(column[b : b + 1] for column in run.tallies),
            backlog=run.backlog[b : b + 2],
        )
        for b in range(run.tallies.length.size)
    ]


def pooled(parts: Sequence[SimulationRun]) -> SimulationRun:
    """Return several pieces as if they were one run of the total length."""
    sums = Tallies._make(
        np.sum([np.sum(column, axis=0) for column in columns], axis=0)[None]
        for columns in zip(*(part.tallies for part in parts), strict=True)
    )
    ends = [np.sum([part.backlog[edge] for part in parts], axis=0) for edge in (0, -1)]
    return parts[0]._replace(
        status=max(part.status for part in parts), tallies=sums, backlog=np.stack(ends)
    )


def _without(whole: SimulationRun, part: SimulationRun) -> SimulationRun:
    """Return a pooled run without one of its pieces."""
    rest = Tallies._make(
        column - own.sum(axis=0)[None]
        for column, own in zip(whole.tallies, part.tallies, strict=True)
    )
    return whole._replace(tallies=rest, backlog=whole.backlog - part.backlog[[0, -1]])


def with_intervals(
    build: Callable[[SimulationRun], pd.DataFrame],
    parts: Sequence[SimulationRun],
    confidence: float,
) -> tuple[pd.DataFrame, Floats, pd.DataFrame]:
    """Return a table over all pieces, its pseudo-values by piece, and the half-widths.

    Notes
    -----
    Most columns are ratios of sums (time waited over jobs that waited), for which the mean of the
    pieces' own ratios is biased. The estimate is the ratio of the sums over all pieces; its
    interval comes from the jackknife: the pseudo-values ``r T - (r - 1) T(without i)`` are treated
    as independent. For a plain time average they are the pieces' own averages.

    References
    ----------
    A. M. Law (2015), Simulation Modeling and Analysis, 5th ed., ch. 9.5.3 (jackknife).
    """
    whole = pooled(parts)
    table = build(whole)
    columns = [column for column in table.columns if column not in GIVEN]
    middle = table[columns].to_numpy(dtype=np.float64)
    number = len(parts)
    pseudo: Floats = middle[None]
    if number > 1:
        others = [build(_without(whole, part))[columns].to_numpy(np.float64) for part in parts]
        pseudo = number * middle - (number - 1) * np.array(others)
    widths = pd.DataFrame(halfwidth(pseudo, confidence), index=table.index, columns=columns)
    return table, pseudo, widths


def beside(table: pd.DataFrame, widths: pd.DataFrame) -> pd.DataFrame:
    """Return the table with ``x_halfwidth`` after each x that has one."""
    parts = {}
    for column in table.columns:
        parts[column] = table[column]
        if column in widths.columns:
            parts[column + HALFWIDTH] = widths[column]
    frame = pd.DataFrame(parts, index=table.index)
    units = table.attrs.get("units", {})
    frame.attrs["units"] = {c: units.get(c.removesuffix(HALFWIDTH), "") for c in parts}
    return frame
