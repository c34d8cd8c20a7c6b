"""A program as it is written down: variables, constraints, curves and an objective, by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from flownet.errors import Fault, ParameterError
from flownet.programs.lines import Integers, Lines
from flownet.programs.names import NameBook
from flownet.programs.rows import Column, Kept, Pairs, Row, Sense, Variable, merged
from flownet.programs.solution import Floats


class Building:
    """A program as it is written down; `Program` solves it.

    Parameters
    ----------
    name : str
        Shown in files.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._variables = NameBook("variable")
        self._constraints = NameBook("constraint")
        self._whole: list[Variable] = []
        self._bounds: list[tuple[float, float]] = []
        self._rows: list[Kept] = []
        self._sides: list[float] = []
        self._lines = Lines()
        self._cost: dict[Variable, float] = {}
        self._maximize = False

    def __repr__(self) -> str:
        """Return the program's size."""
        return (
            f"{type(self).__name__}({self.name!r}: {len(self._bounds)} variables, "
            f"{len(self._whole)} of them whole, {len(self._rows) + len(self._lines)} constraints)"
        )

    def variable(
        self, name: str, low: float = 0.0, high: float = math.inf, *, integer: bool = False
    ) -> Variable:
        """Add a variable with bounds and return it.

        Raises
        ------
        ParameterError
            Where the name is taken, a bound is nan, or the bounds cross.
        """
        return self.variables([name], low, high, integer=integer)[0]

    def variables(
        self,
        names: Sequence[str],
        low: ArrayLike = 0.0,
        high: ArrayLike = math.inf,
        *,
        integer: ArrayLike = False,
    ) -> list[Variable]:
        """Add a variable for each name; bounds, and being whole, are one for all or one for each.

        Raises
        ------
        ParameterError
            As for `variable`.
        """
        count, first = len(names), len(self._bounds)
        lows = np.broadcast_to(np.asarray(low, dtype=np.float64), (count,))
        highs = np.broadcast_to(np.asarray(high, dtype=np.float64), (count,))
        whole = np.broadcast_to(np.asarray(integer, dtype=bool), (count,))
        if not ((lows <= highs) & (lows < math.inf)).all():
            k = int(np.argmin((lows <= highs) & (lows < math.inf)))
            message = f"has bounds {lows[k]:g} and {highs[k]:g}: the lower may not exceed the upper"
            raise ParameterError([Fault("variable", "bounds", repr(names[k]), message)])
        self._variables.add_all(names)
        self._bounds += zip(lows.tolist(), highs.tolist(), strict=True)
        self._whole += [Variable(v) for v in (first + np.flatnonzero(whole)).tolist()]
        return [Variable(v) for v in range(first, first + count)]

    def constraint(self, name: str, pairs: Pairs, sense: Sense, right_hand_side: float) -> None:
        """Add a constraint from (variable, coefficient) pairs; a repeated variable adds up.

        Raises
        ------
        ParameterError
            Where the name is taken, a figure is not finite, or no variable is left.
        """
        terms = merged(name, pairs)
        if not terms or not math.isfinite(right_hand_side):
            message = (
                f"has no variable with a coefficient and the right-hand side {right_hand_side:g}: "
                "it needs at least one, and a finite right-hand side"
            )
            raise ParameterError([Fault("constraint", "", repr(name), message)])
        self._constraints.add(name)
        self._rows.append(Kept(list(terms), list(terms.values()), sense))
        self._sides.append(float(right_hand_side))

    def constraints(self, rows: Iterable[Row]) -> None:
        """Add constraints, one for each row."""
        for row in rows:
            self.constraint(row.name, row.pairs, row.sense, row.right_hand_side)

    def curve(self, label: str, value: Variable, base: Variable) -> int:
        """Add a curve without lines yet, `value` above `base`, and return its number.

        Its lines are named ``label[i, 1]``, ``label[i, 2]`` ... for the label ``label[i]``.
        """
        return self._lines.curve(label, value, base)

    def lines(self, curves: Integers, slopes: Floats, intercepts: Floats) -> None:
        """Keep values above lines: value >= intercept + slope * base, curve by curve.

        Notes
        -----
        They are constraints like others, steep ones scaled by the root of their slope, and files
        show them as such. HiGHS gets a linear program's curves as pieces of their bases, which is
        the same program in far fewer rows (`Pieces`); their duals are therefore not told.

        Raises
        ------
        ParameterError
            Where a figure is not finite.
        """
        slopes, intercepts = np.asarray(slopes, float), np.asarray(intercepts, float)
        wrong = np.flatnonzero(~np.isfinite(slopes + intercepts))
        if wrong.size:
            name = repr(self._lines.labels[int(curves[wrong[0]])])
            message = "has a line without a finite slope and intercept"
            raise ParameterError([Fault("curve", "", name, message)])
        self._lines.add(np.asarray(curves, dtype=np.int64), slopes, intercepts)

    def columns(self) -> list[Column]:
        """Return the variables: name, bounds, and whether they are whole numbers."""
        whole = set(self._whole)
        return [
            Column(name, *bounds, v in whole)
            for v, (name, bounds) in enumerate(zip(self._variables, self._bounds, strict=True))
        ]

    def kept_rows(self) -> list[Row]:
        """Return the constraints, repeated variables added up, and then the lines."""
        rows = zip(self._constraints, self._rows, self._sides, strict=True)
        return [
            Row(name, list(zip(row.variables, row.coefficients, strict=True)), row.sense, side)
            for name, row, side in rows
        ] + self._lines.rows()

    def _cost_array(self) -> Floats:
        cost: Floats = np.zeros(len(self._bounds))
        cost[list(self._cost)] = list(self._cost.values())
        return cost
