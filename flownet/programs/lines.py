"""Lines that variables must lie above, curve by curve: y >= intercept + slope * x."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.programs.rows import Row, Variable
from flownet.programs.solution import Floats

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


class LineArrays(NamedTuple):
    """Lines as arrays, in the order in which they came."""

    curve: Integers
    slope: Floats
    intercept: Floats

    def some(self, which: Integers | Booleans | slice) -> LineArrays:
        """Return these lines only."""
        return LineArrays(self.curve[which], self.slope[which], self.intercept[which])


class Lines:
    """The lines of a program's curves.

    A curve is a pair of variables, y above lines over x. Its lines are convex together, which is
    what lets a linear program hold them as pieces of x in place of rows (`Pieces`).
    """

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.values: list[Variable] = []
        self.bases: list[Variable] = []
        self._parts: list[LineArrays] = []
        self._count = 0

    def __len__(self) -> int:
        """Return how many lines there are."""
        return self._count

    def curve(self, label: str, value: Variable, base: Variable) -> int:
        """Take in a curve, without lines yet, and return its number."""
        self.labels.append(label)
        self.values.append(value)
        self.bases.append(base)
        return len(self.labels) - 1

    def add(self, curve: Integers, slope: Floats, intercept: Floats) -> None:
        """Take in lines."""
        self._parts.append(LineArrays(curve, slope, intercept))
        self._count += curve.size

    def since(self, start: int = 0) -> LineArrays:
        """Return the lines from number `start` on."""
        if len(self._parts) != 1:
            self._parts = [joined(self._parts)]
        return self._parts[0].some(slice(start, None))

    def names(self) -> list[str]:
        """Return a name for each line: the label of its curve, and its number there."""
        seen = [0] * len(self.labels)
        names = []
        for curve in self.since().curve.tolist():
            seen[curve] += 1
            names.append(f"{self.labels[curve][:-1]}, {seen[curve]}]")
        return names

    def rows(self) -> list[Row]:
        """Return the lines as constraints, scaled as `scales` says."""
        curve, slope, intercept = self.since()
        size = scales(slope)
        columns = zip(
            self.names(),
            curve.tolist(),
            (1.0 / size).tolist(),
            (slope / size).tolist(),
            (intercept / size).tolist(),
            strict=True,
        )
        return [
            Row(name, [(self.values[k], one), (self.bases[k], -rise)], ">=", side)
            for name, k, one, rise, side in columns
        ]


def joined(parts: Sequence[LineArrays]) -> LineArrays:
    """Return lines one after the other."""
    return LineArrays(
        np.concatenate([np.empty(0, dtype=np.int64), *(part.curve for part in parts)]),
        np.concatenate([np.empty(0), *(part.slope for part in parts)]),
        np.concatenate([np.empty(0), *(part.intercept for part in parts)]),
    )


def scales(slope: Floats) -> Floats:
    """Return what to divide lines by: the root of a slope above 1.

    The two coefficients are then of like size near saturation.
    """
    size: Floats = np.maximum(1.0, np.sqrt(np.abs(slope)))
    return size


def envelope(lines: LineArrays, origin: Floats) -> tuple[Integers, Floats, Floats]:
    """Return which lines are on top somewhere right of the origin, from where and how far.

    Parameters
    ----------
    lines : LineArrays
        (k,) lines of any curves.
    origin : array, shape (number of curves,)
        Where each curve begins.

    Returns
    -------
    array of int
        The lines on top, by curve and from left to right.
    array
        Where each of them begins to be on top, ``origin`` at the least.
    array
        How far it stays there; ``inf`` for the last of a curve.

    Examples
    --------
    >>> lines = LineArrays(np.zeros(4, dtype=np.int64), np.array([-4.0, 0.0, -1.0, -2.0]),
    ...     np.array([9.0, 0.0, 3.0, 2.0]))
    >>> [part.tolist() for part in envelope(lines, np.array([1.0]))]
    [[0, 2, 1], [1.0, 2.0, 3.0], [1.0, 1.0, inf]]
    """
    order = np.lexsort((lines.intercept, lines.slope, lines.curve))
    while True:
        curve, slope, height = lines.some(order)
        follows = curve[:-1] == curve[1:]
        rise = slope[1:] - slope[:-1]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            meet = np.where(rise > 0, (height[:-1] - height[1:]) / rise, -math.inf)
        begin = origin[curve]
        begin[1:] = np.where(follows, np.maximum(meet, begin[1:]), begin[1:])
        end = np.full(order.size, math.inf)
        end[:-1] = np.where(follows, meet, math.inf)
        hidden = end <= begin
        if not hidden.any():
            return order, begin, end - begin
        # one a curve at a time, since each may hide the next only as long as it is there
        _, first = np.unique(curve[hidden], return_index=True)
        order = np.delete(order, np.flatnonzero(hidden)[first])
