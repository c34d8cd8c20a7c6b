"""Convex curves in a live linear program as pieces of their base: columns in place of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flownet.programs.lines import Integers, LineArrays, envelope, joined
from flownet.programs.solution import Floats


class Pieces:
    r"""Curves y >= lines(x) whose y counts in the objective only, never to advantage.

    .. math:: x = x_0 + \sum_k s_k, \quad 0 \le s_k \le \text{length}_k, \qquad
       y = y_0 + \sum_k \text{slope}_k\, s_k

    Since the slopes rise from piece to piece, an optimal program fills them in order, so that the
    value is that of the lines: the same optimum with one row a curve in place of one a line. A
    simplex method takes a fraction of the time over it.

    Parameters
    ----------
    model : highspy.Highs
        The live model, in which every y stands in no row.
    values, bases : array of int, shape (number of curves,)
        Columns of y and x.
    floor : array, shape (number of curves,)
        The least y, > -inf.
    origin : array, shape (number of curves,)
        x_0: below the least x, > -inf.

    References
    ----------
    Dantzig (1956), Econometrica 24, 317-323: convex piecewise-linear costs as bounded variables.
    """

    def __init__(
        self, model: Any, values: Integers, bases: Integers, floor: Floats, origin: Floats
    ) -> None:
        self._model = model
        self._values, self._bases = values, bases
        self._origin = origin
        self._y = frozenset(values.tolist())
        self._least = dict(zip(bases.tolist(), origin.tolist(), strict=True))
        count = values.size
        self._lines = LineArrays(np.arange(count), np.zeros(count), floor)
        self._column = np.full(count, -1)
        self._weight = np.zeros(count)
        self._start = floor.copy()
        self._rows = model.getNumRow() + np.arange(count)
        one, first = np.ones(count), np.arange(count, dtype=np.int32)
        model.addRows(count, origin, origin, count, first, bases.astype(np.int32), one)

    @property
    def count(self) -> int:
        """How many curves there are."""
        return self._values.size

    def holds(self, variables: Sequence[int]) -> bool:
        """Return whether any of these is a y, whose column means nothing."""
        return not self._y.isdisjoint(variables)

    def reach(self, variable: int, low: float) -> bool:
        """Return whether pieces allow a variable this lower bound."""
        return variable not in self._y and low >= self._least.get(variable, -np.inf)

    def add(self, lines: LineArrays) -> None:
        """Take in lines: the pieces of their curves are cut anew, those that are there kept."""
        self._lines = joined([self._lines, lines])
        self._column = np.concatenate([self._column, np.full(lines.curve.size, -1)])
        touched = np.zeros(self._values.size, dtype=bool)
        touched[lines.curve] = True
        within = np.flatnonzero(touched[self._lines.curve])
        part = self._lines.some(within)
        top, begin, length = envelope(part, self._origin)
        curve, slope, height = part.some(top)
        firsts = np.flatnonzero(np.diff(curve, prepend=-1))
        self._start[curve[firsts]] = height[firsts] + slope[firsts] * begin[firsts]
        self._cut(within, np.zeros(within.size))
        fresh = self._column[within[top]] < 0
        self._cut(within[top[~fresh]], length[~fresh])
        self._grow(within[top[fresh]], length[fresh])
        self._offset()

    def _cut(self, lines: Integers, length: Floats) -> None:
        """Change how long the pieces of these lines are, as far as they have columns."""
        known = self._column[lines] >= 0
        columns = self._column[lines[known]].astype(np.int32)
        self._model.changeColsBounds(
            columns.size, columns, np.zeros(columns.size), length[known].copy()
        )

    def _grow(self, lines: Integers, length: Floats) -> None:
        """Give these lines their columns."""
        count = lines.size
        if count == 0:
            return
        self._column[lines] = self._model.getNumCol() + np.arange(count)
        curve = self._lines.curve[lines]
        cost = self._weight[curve] * self._lines.slope[lines]
        rows, starts = self._rows[curve].astype(np.int32), np.arange(count, dtype=np.int32)
        self._model.addCols(
            count, cost, np.zeros(count), length, count, starts, rows, np.full(count, -1.0)
        )

    def weigh(self, cost: Floats) -> None:
        """Give the pieces what their y costs in an objective with a coefficient a column."""
        self._weight = cost[self._values]
        known = np.flatnonzero(self._column >= 0)
        columns = self._column[known].astype(np.int32)
        costs = self._weight[self._lines.curve[known]] * self._lines.slope[known]
        self._model.changeColsCost(columns.size, columns, costs)
        none = np.zeros(self._values.size)
        self._model.changeColsCost(none.size, self._values.astype(np.int32), none)
        self._offset()

    def _offset(self) -> None:
        self._model.changeObjectiveOffset(float(self._weight @ self._start))

    def fill_in(self, values: Floats) -> None:
        """Put in what the curves' y are at their x, which the solver does not know."""
        curve, slope, intercept = self._lines
        found = np.full(self._values.size, -np.inf)
        np.maximum.at(found, curve, intercept + slope * values[self._bases[curve]])
        values[self._values] = found


STEEPEST = 1e6
"""So many times as steep as most lines: too steep for costs of one program; rows are scaled."""


def too_steep(slope: Floats) -> bool:
    """Return whether some lines are so much steeper than the others that rows hold them better."""
    size = np.abs(slope)
    usual = max(float(np.median(size)), 1e-3) if size.size else 1.0
    return bool((size > STEEPEST * usual).any())


def fit_for_pieces(
    values: Integers, bases: Integers, cost: Floats, bounds: Floats, used: Sequence[int] | Integers
) -> bool:
    """Return whether all curves may stand as pieces.

    Parameters
    ----------
    values, bases : array of int
        The variables of the curves.
    cost : array, shape (number of variables,)
        The objective, to be made small.
    bounds : array, shape (number of variables, 2)
        Least and most of each variable.
    used : array of int
        The variables that stand in rows.
    """
    free = not np.isin(values, used).any() and np.unique(values).size == values.size
    apart = not np.isin(values, bases).any()
    bounded = np.isfinite(bounds[values, 0]) & np.isfinite(bounds[bases, 0])
    open_above = np.isinf(bounds[values, 1])
    return bool(free and apart and bounded.all() and open_above.all() and (cost[values] >= 0).all())
