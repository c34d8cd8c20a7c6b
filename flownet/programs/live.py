"""The live HiGHS model of a program: built in a few calls, changed a little, solved again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

from flownet.errors import ProgramError
from flownet.programs.conflict import conflict
from flownet.programs.lines import LineArrays, Lines, scales
from flownet.programs.pieces import Pieces, fit_for_pieces, too_steep
from flownet.programs.solution import Floats, Outcome, Status
from flownet.programs.solvers import OPTIONS, set_integrality

_STOPPED = (
    highspy.HighsModelStatus.kObjectiveBound,
    highspy.HighsModelStatus.kObjectiveTarget,
    highspy.HighsModelStatus.kTimeLimit,
    highspy.HighsModelStatus.kIterationLimit,
    highspy.HighsModelStatus.kSolutionLimit,
    highspy.HighsModelStatus.kInterrupt,
)
_LOST = (highspy.HighsModelStatus.kSolveError, highspy.HighsModelStatus.kUnknown)
_CAREFUL = 400
"""Integer programs of up to so many columns are solved without presolve."""
_FEASIBLE = 2  # HiGHS' code of a primal solution that meets all constraints


class LiveRow(NamedTuple):
    """One constraint by the solver's columns."""

    low: float
    high: float
    columns: Sequence[int]
    coefficients: Sequence[float]


class LiveModel:
    """A HiGHS model that stays, so that a program can be solved again from where it stands.

    Parameters
    ----------
    bounds : array, shape (number of variables, 2)
        The variables' bounds.
    whole : sequence of int
        The variables that are whole numbers.
    lines : Lines
        Curves and the lines below them.
    """

    def __init__(self, bounds: Floats, whole: Sequence[int], lines: Lines) -> None:
        self._model: Any = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy has no types
        for option, value in OPTIONS.items():
            self._model.setOptionValue(option, value)
        self._bounds = bounds
        self._count = len(bounds)
        self._whole = list(whole)
        self._lines = lines
        self._known_lines = 0
        self._rows: list[int] = []
        self._used: list[NDArray[np.int32]] = []
        self._pieces: Pieces | None = None
        self.has_duals = False
        none = np.empty(0, dtype=np.int32)
        zero = np.zeros(self._count)
        low, high = bounds[:, 0].copy(), bounds[:, 1].copy()
        self._model.addCols(self._count, zero, low, high, 0, none, none, np.empty(0))
        set_integrality(self._model, self._whole, integer=True)

    def knows(self, variables: Sequence[int]) -> bool:
        """Tell whether all these variables stand in the model, each with a column to itself."""
        return all(v < self._count for v in variables) and not (
            self._pieces is not None and self._pieces.holds(variables)
        )

    def takes_curves(self) -> bool:
        """Tell whether the model can take in the curves and lines that the program has now."""
        if self._pieces is None:
            return True
        steep = too_steep(self._lines.since(self._known_lines).slope)
        return self._pieces.count == len(self._lines.values) and not steep

    def bears(self, cost: Mapping[int, float], *, maximize: bool) -> bool:
        """Tell whether the model takes an objective as it stands."""
        if not all(v < self._count for v in cost):
            return False
        sign = -1.0 if maximize else 1.0
        return self._pieces is None or all(
            sign * cost[v] >= 0 for v in self._lines.values if v in cost
        )

    @property
    def in_pieces(self) -> bool:
        """Whether curves stand as pieces, which is for linear programs only."""
        return self._pieces is not None

    def add_rows(self, rows: Sequence[LiveRow]) -> None:
        """Add constraints, given by the program's variables."""
        if not rows:
            return
        first = self._model.getNumRow()
        self._rows += range(first, first + len(rows))
        sizes = [len(row.columns) for row in rows]
        starts = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.int32)
        variables = np.fromiter(
            itertools.chain.from_iterable(row.columns for row in rows), np.int32, sum(sizes)
        )
        self._used.append(variables)
        coefficients = itertools.chain.from_iterable(row.coefficients for row in rows)
        self._model.addRows(
            len(rows),
            np.array([row.low for row in rows], dtype=np.float64),
            np.array([row.high for row in rows], dtype=np.float64),
            len(variables),
            starts,
            variables,
            np.fromiter(coefficients, np.float64, len(variables)),
        )

    def add_lines(self) -> None:
        """Add the lines that came in since."""
        fresh = self._lines.since(self._known_lines)
        self._known_lines = len(self._lines)
        if self._pieces is not None:
            self._pieces.add(fresh)
        elif fresh.curve.size:
            self._add_as_rows(fresh)

    def _add_as_rows(self, lines: LineArrays) -> None:
        curve, slope, intercept = lines
        count, size = curve.size, scales(slope)
        values, bases = np.array(self._lines.values), np.array(self._lines.bases)
        columns = np.stack([values[curve], bases[curve]], axis=1).ravel()
        rates = np.stack([1.0 / size, -slope / size], axis=1).ravel()
        starts = np.arange(0, 2 * count, 2, dtype=np.int32)
        self._model.addRows(
            count, intercept / size, np.full(count, math.inf), 2 * count, starts,
            columns.astype(np.int32), rates,
        )  # fmt: skip

    def cut_in_pieces(self, cost: Floats, *, maximize: bool) -> None:
        """Let curves stand as pieces where all of them may: before their lines are added."""
        values, bases = np.array(self._lines.values), np.array(self._lines.bases)
        used, signed = np.concatenate([*self._used, np.empty(0)]), -cost if maximize else cost
        steep = too_steep(self._lines.since().slope)
        if values.size and not steep and fit_for_pieces(values, bases, signed, self._bounds, used):
            low = self._bounds[:, 0]
            # begun below the least x, so that the bound of x keeps its own dual
            self._pieces = Pieces(self._model, values, bases, low[values], low[bases] - 1.0)

    def change_row(self, row: int, low: float, high: float) -> None:
        """Change the sides of a constraint."""
        self._model.changeRowBounds(self._rows[row], low, high)

    def change_bounds(self, variable: int, low: float, high: float) -> bool:
        """Change the bounds of a variable; False where that takes a new model."""
        if variable >= self._count:
            return False
        self._model.changeColBounds(variable, low, high)
        return self._pieces is None or self._pieces.reach(variable, low)

    def change_objective(self, cost: Floats, *, maximize: bool) -> None:
        """Change the objective to one coefficient for each variable."""
        senses = highspy.ObjSense
        self._model.changeObjectiveSense(senses.kMaximize if maximize else senses.kMinimize)
        count = self._count
        self._model.changeColsCost(count, np.arange(count, dtype=np.int32), cost[:count])
        if self._pieces is not None:
            self._pieces.weigh(cost)

    def run(
        self, time_limit: float | None, gap: float | None, nodes: int | None, *, relaxed: bool
    ) -> None:
        """Solve again from where the model stands; `relaxed` takes whole numbers as any."""
        model = self._model
        limit = math.inf if time_limit is None else time_limit
        model.setOptionValue("time_limit", limit)
        model.setOptionValue("mip_rel_gap", 1e-4 if gap is None else gap)
        model.setOptionValue("mip_max_nodes", highspy.kHighsIInf if nodes is None else nodes)
        set_integrality(model, self._whole, integer=not relaxed)
        # presolve of HiGHS 1.15 has cut off optima of small integer programs with yes or no
        careful = bool(self._whole) and not relaxed and model.getNumCol() <= _CAREFUL
        careful |= self._pieces is not None  # nothing in them for it to find, and it takes longer
        model.setOptionValue("presolve", "off" if careful else "choose")
        model.run()
        for way in ("simplex", "ipm"):  # from the beginning, where it has lost its way
            if model.getModelStatus() not in _LOST:
                break
            model.clearSolver()
            model.setOptionValue("solver", way)
            model.run()
        model.setOptionValue("solver", "choose")

    def start_from(self, variables: Sequence[int], values: Floats) -> None:
        """Offer values of some variables as a start for branch and bound."""
        if not variables:
            return
        self._model.setSolution(len(variables), np.asarray(variables, dtype=np.int32), values)

    def outcome(self, *, relaxed: bool) -> Outcome:
        """Return what the model's status opens."""
        integer = bool(self._whole) and not relaxed
        self.has_duals = False
        if self._model.getModelStatus() == highspy.HighsModelStatus.kUnboundedOrInfeasible:
            self._settle()
        status = self._status(integer=integer)
        if status not in {"optimal", "stopped"}:
            note = "" if status != "failed" else self._reason()
            return Outcome(status, note=note)
        info, solution = self._model.getInfo(), self._model.getSolution()
        objective = float(info.objective_function_value)
        bound = float(info.mip_dual_bound) if integer else objective
        if status == "optimal" and abs(bound - objective) > 1e-9 * max(abs(objective), 1e-10):
            status = "within_gap"
        values = np.array(solution.col_value[: self._count])
        if integer:
            return Outcome(status, objective, bound, values)
        if self._pieces is not None:
            self._pieces.fill_in(values)
        self.has_duals = True
        reduced = np.array(solution.col_dual[: self._count])
        duals = np.array(solution.row_dual)[self._rows]
        return Outcome(status, objective, bound, values, reduced, duals)

    def _settle(self) -> None:
        """Solve without presolve, which cannot tell unbounded from infeasible."""
        self._model.setOptionValue("presolve", "off")
        self._model.run()
        self._model.setOptionValue("presolve", "choose")

    def _status(self, *, integer: bool) -> Status:
        status = self._model.getModelStatus()
        kinds = highspy.HighsModelStatus
        if status in {kinds.kOptimal, kinds.kModelEmpty}:
            return "optimal"
        if status == kinds.kInfeasible:
            return "infeasible"
        if status == kinds.kUnbounded:
            return "unbounded"
        if status in _STOPPED:
            info = self._model.getInfo()
            found = integer and info.primal_solution_status == _FEASIBLE
            return "stopped" if found and math.isfinite(info.mip_dual_bound) else "no_solution"
        return "failed"

    def _reason(self) -> str:
        return str(self._model.modelStatusToString(self._model.getModelStatus()))

    def right_hand_side_ranges(self, rows: Sequence[int]) -> list[tuple[float, float]]:
        """Return between which right-hand sides each row's dual stays what it is."""
        rows = [self._rows[row] for row in rows]
        solution = self._model.getSolution()
        duals, values = solution.row_dual, solution.row_value
        lp = self._model.getLp()
        lows, highs = lp.row_lower_, lp.row_upper_
        slack: dict[int, tuple[float, float]] = {}
        for row in rows:
            if abs(duals[row]) < 1e-12 and lows[row] != highs[row]:
                activity, end = float(values[row]), math.isfinite(highs[row])
                slack[row] = (activity, math.inf) if end else (-math.inf, activity)
        if len(slack) == len(rows):
            return [slack[row] for row in rows]
        status, ranging = self._model.getRanging()
        if status != highspy.HighsStatus.kOk:
            raise ProgramError("HiGHS has no sensitivity ranges for this program")
        down, up = ranging.row_bound_dn.value_, ranging.row_bound_up.value_
        return [slack.get(row, (down[row], up[row])) for row in rows]

    def conflict(self, rows: Sequence[str], variables: Sequence[str]) -> tuple[str, ...]:
        """Return by name what cannot hold together, whole numbers taken as any; see `conflict`."""
        lp = self._model.getLp()
        lp.integrality_ = []
        names = [""] * self._model.getNumRow()
        for at, name in zip(self._rows, rows, strict=True):
            names[at] = name
        fresh = iter(self._lines.names())
        return conflict(lp, [name or next(fresh) for name in names], list(variables))
