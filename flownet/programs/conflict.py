"""Why a program is infeasible: a smallest set of constraints and bounds that cannot all hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import highspy
import numpy as np

_LARGEST = 400


class _Part(NamedTuple):
    """Something that can be taken away: a row, or a bound of a column."""

    label: str
    loosen: Callable[[Any], None]
    restore: Callable[[Any], None]


def conflict(lp: Any, rows: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """Return constraints and bounds that cannot hold together, none of which can be spared.

    The rows that take part in a proof of infeasibility (the dual ray) are taken away one by one;
    what makes the rest feasible stays (deletion filter).

    Parameters
    ----------
    lp : highspy.HighsLp
        A linear program; whole numbers are not regarded.
    rows, columns : sequence of str
        Names of its rows and columns.

    Returns
    -------
    tuple of str
        Empty where the linear program is feasible (only whole numbers make it infeasible), or
        where the proof involves too many rows to be worth reading.

    References
    ----------
    Chinneck and Dravnieks (1991), ORSA Journal on Computing 3, 157-168: the deletion filter.
    """
    model: Any = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy has no types
    for option, value in (("output_flag", False), ("presolve", "off"), ("solver", "simplex")):
        model.setOptionValue(option, value)
    lp.col_cost_ = [0.0] * lp.num_col_
    model.passModel(lp)
    parts = _parts_of_proof(model, lp, rows, columns)
    if not parts or len(parts) > _LARGEST:
        return ()
    needed = []
    for part in parts:
        part.loosen(model)
        if not _infeasible(model):
            part.restore(model)
            needed.append(part.label)
    return tuple(needed)


def _infeasible(model: Any) -> bool:
    model.run()
    return bool(model.getModelStatus() == highspy.HighsModelStatus.kInfeasible)


def _parts_of_proof(
    model: Any, lp: Any, rows: Sequence[str], columns: Sequence[str]
) -> list[_Part]:
    """Return what takes part in the proof, and free all rows that do not."""
    if not _infeasible(model):
        return []
    _, found, ray = model.getDualRay()
    used = set(range(lp.num_row_))
    if found:
        used = set(np.flatnonzero(np.abs(ray) > 1e-9).tolist())
        for row in set(range(lp.num_row_)) - used:
            model.changeRowBounds(row, -math.inf, math.inf)
        if not _infeasible(model):  # a ray that rounding spoiled: take all rows
            used = set(range(lp.num_row_))
            lows, highs = lp.row_lower_, lp.row_upper_
            for row in used:
                model.changeRowBounds(row, lows[row], highs[row])
    touched = _columns_of(model, used)
    # bounds first: where a bound and a row say the same, the row is the one to name
    low, high = lp.col_lower_, lp.col_upper_  # each look at these copies the array
    parts = []
    for column in touched:
        name = columns[column]
        if math.isfinite(low[column]):
            parts.append(_bound(column, f"lower bound of {name}", low[column], side=0))
        if math.isfinite(high[column]):
            parts.append(_bound(column, f"upper bound of {name}", high[column], side=1))
    low, high = lp.row_lower_, lp.row_upper_
    return parts + [_row(row, rows[row], low[row], high[row]) for row in sorted(used)]


def _columns_of(model: Any, rows: set[int]) -> list[int]:
    touched: set[int] = set()
    for row in rows:
        _, index, _ = model.getRowEntries(row)
        touched.update(int(column) for column in index)
    return sorted(touched)


def _row(row: int, name: str, low: float, high: float) -> _Part:
    return _Part(
        name,
        lambda model: model.changeRowBounds(row, -math.inf, math.inf),
        lambda model: model.changeRowBounds(row, low, high),
    )


def _bound(column: int, label: str, value: float, *, side: int) -> _Part:
    free = (-math.inf, math.inf)[side]

    def change(model: Any, new: float) -> None:
        _, _, low, high, _ = model.getCol(column)
        sides = [low, high]
        sides[side] = new
        model.changeColBounds(column, sides[0], sides[1])

    return _Part(label, lambda model: change(model, free), lambda model: change(model, value))
