"""The live HiGHS model behind a solved program: change it a little and solve it again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

from flownet.errors import ProgramError
from flownet.programs.conflict import conflict
from flownet.programs.solution import Floats, Outcome, Status
from flownet.programs.solvers import set_integrality

Columns = NDArray[np.int32]

_STOPPED = (
    highspy.HighsModelStatus.kObjectiveBound,
    highspy.HighsModelStatus.kObjectiveTarget,
    highspy.HighsModelStatus.kTimeLimit,
    highspy.HighsModelStatus.kIterationLimit,
    highspy.HighsModelStatus.kSolutionLimit,
    highspy.HighsModelStatus.kInterrupt,
)
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
    """A HiGHS model that was solved, and the places of the program's variables in it.

    Parameters
    ----------
    model : highspy.Highs
        The model.
    place : array of int, shape (number of variables,)
        The column of each variable; -1 where the model does not know it.
    idle : array, shape (number of variables,)
        The values of variables that the model does not know.
    whole : sequence of int
        The variables that are whole numbers.
    """

    def __init__(self, model: Any, place: Columns, idle: Floats, whole: Sequence[int]) -> None:
        self._model = model
        self._place = place
        self._idle = idle
        self._whole = [int(place[variable]) for variable in whole if place[variable] >= 0]
        self.has_duals = False

    def knows(self, variables: Sequence[int]) -> bool:
        """Tell whether all these variables stand in the model."""
        return all(v < len(self._place) and self._place[v] >= 0 for v in variables)

    def add_rows(self, rows: Sequence[LiveRow]) -> None:
        """Add constraints, given by the program's variables."""
        if not rows:
            return
        sizes = [len(row.columns) for row in rows]
        starts = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.int32)
        variables = np.array([v for row in rows for v in row.columns], dtype=np.int64)
        self._model.addRows(
            len(rows),
            np.array([row.low for row in rows], dtype=np.float64),
            np.array([row.high for row in rows], dtype=np.float64),
            len(variables),
            starts,
            self._place[variables],
            np.array([a for row in rows for a in row.coefficients], dtype=np.float64),
        )

    def change_row(self, row: int, low: float, high: float) -> None:
        """Change the sides of a constraint."""
        self._model.changeRowBounds(row, low, high)

    def change_bounds(self, variable: int, low: float, high: float) -> None:
        """Change the bounds of a variable."""
        self._model.changeColBounds(int(self._place[variable]), low, high)

    def change_objective(self, cost: Floats, *, maximize: bool) -> None:
        """Change the objective to one coefficient for each variable."""
        senses = highspy.ObjSense
        self._model.changeObjectiveSense(senses.kMaximize if maximize else senses.kMinimize)
        known = np.flatnonzero(self._place >= 0)
        self._model.changeColsCost(len(known), self._place[known], cost[known])

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
        model.setOptionValue("presolve", "off" if careful else "choose")
        model.run()

    def start_from(self, variables: Sequence[int], values: Floats) -> None:
        """Offer values of some variables as a start for branch and bound."""
        if not variables:
            return
        self._model.setSolution(len(variables), self._place[np.asarray(variables)], values)

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
        values = self._by_variable(solution.col_value, self._idle)
        if integer:
            return Outcome(status, objective, bound, values)
        self.has_duals = True
        reduced = self._by_variable(solution.col_dual, np.zeros_like(self._idle))
        return Outcome(status, objective, bound, values, reduced, np.array(solution.row_dual))

    def _by_variable(self, figures: Sequence[float], default: Floats) -> Floats:
        known = self._place >= 0
        out = default.copy()
        out[known] = np.asarray(figures)[self._place[known]]
        return out

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
        solution = self._model.getSolution()
        duals, values = solution.row_dual, solution.row_value
        slack: dict[int, tuple[float, float]] = {}
        for row in rows:
            _, low, high, _ = self._model.getRow(row)
            if abs(duals[row]) < 1e-12 and low != high:
                activity = float(values[row])
                above = (activity, math.inf) if math.isfinite(high) else (-math.inf, activity)
                slack[row] = above
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
        columns = [""] * lp.num_col_
        for variable in np.flatnonzero(self._place >= 0).tolist():
            columns[self._place[variable]] = variables[variable]
        return conflict(lp, rows, columns)
