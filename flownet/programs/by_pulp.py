"""A program in PuLP's objects, versions 3 and 4: for files, and for solvers other than HiGHS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pulp

from flownet.errors import ProgramError
from flownet.programs.names import NameBook, safe_name
from flownet.programs.rows import Column, Row, Variable, compare, finite
from flownet.programs.solution import Outcome, Status

PULP_4: Final = hasattr(pulp.LpProblem, "exported_variables")
"""PuLP 4 keeps its model in compiled code and returns an object from solve."""


class PulpProgram:
    """A program that PuLP writes, or hands to a solver that it knows.

    Parameters
    ----------
    name : str
        Shown in files.
    columns : sequence of Column
        The variables.
    rows : sequence of Row
        The constraints.
    cost : mapping of int to float
        The objective.
    maximize : bool
        Its sense.
    """

    def __init__(
        self,
        name: str,
        columns: Sequence[Column],
        rows: Sequence[Row],
        cost: Mapping[Variable, float],
        *,
        maximize: bool,
    ) -> None:
        self.problem: Any = pulp.LpProblem(
            safe_name(name), pulp.LpMaximize if maximize else pulp.LpMinimize
        )
        names, titles = NameBook("variable"), NameBook("constraint")
        self._columns: list[Any] = []
        for v, column in enumerate(columns):
            names.add(column.name)
            kind = pulp.LpInteger if column.integer else pulp.LpContinuous
            self._columns.append(
                self.problem.add_variable(
                    names.safe(v), finite(column.low), finite(column.high), kind
                )
            )
        self._idle = np.array([min(max(0.0, column.low), column.high) for column in columns])
        self.problem.setObjective(self._expression(list(cost.items())))
        for index, row in enumerate(rows):
            titles.add(row.name)
            left = self._expression(list(row.pairs))
            self.problem.addConstraint(
                compare(left, row.sense, row.right_hand_side), titles.safe(index)
            )

    def _expression(self, pairs: Sequence[tuple[Variable, float]]) -> Any:
        """Return PuLP's expression of (variable, coefficient) pairs, each variable at most once."""
        build = pulp.LpAffineExpression.from_list if PULP_4 else pulp.LpAffineExpression
        return build([(self._columns[v], a) for v, a in pairs])

    def outcome(self, task: Any, solver: str, gap: float | None) -> Outcome:
        """Return what a solver makes of it.

        Parameters
        ----------
        task : object
            PuLP's solver.
        solver : str
            Its name, for messages.
        gap : float or None
            The relative gap that it was asked for, where there are whole numbers.

        Raises
        ------
        ProgramError
            Where it breaks off.
        """
        try:
            stats = self.problem.solve(task)
        except pulp.PulpError as error:
            raise ProgramError(f"the solver '{solver}' broke off: {error}") from error
        status, bound = _pulp_status(self.problem, stats)
        if status not in {"optimal", "stopped"}:
            return Outcome(status)
        if status == "stopped" and bound is None:
            note = "the solver tells no bound for the solution it found"
            return Outcome("no_solution", note=note)
        values = np.array([v.varValue for v in self._columns], dtype=np.float64)
        # variables that stand in no row are not handed to the solver: None, which becomes nan
        values = np.where(np.isnan(values), self._idle, values)
        objective = float(pulp.value(self.problem.objective))
        if bound is None:
            sign = -1.0 if self.problem.sense == pulp.LpMinimize else 1.0
            bound = objective + sign * (gap or 0.0) * abs(objective)
            status = "within_gap" if gap else "optimal"
        reduced = np.array([v.dj for v in self._columns], dtype=np.float64)
        duals = np.array([c.pi for c in self.problem.constraints()], dtype=np.float64)
        return Outcome(
            status, objective, bound, values, np.nan_to_num(reduced), np.nan_to_num(duals)
        )


def _pulp_status(problem: Any, stats: Any) -> tuple[Status, float | None]:
    """Return our status, and the bound where the solver tells one, of PuLP 3 or 4."""
    if PULP_4:
        status = stats.status.name
        found, bound = bool(stats.has_solution), stats.best_bound
    else:
        status = pulp.LpStatus[problem.status]
        found, bound = problem.sol_status == pulp.LpSolutionIntegerFeasible, None
        if status == "Optimal" and found:
            status = "Stopped"
    known: dict[str, Status] = {
        "Optimal": "optimal",
        "Infeasible": "infeasible",
        "Unbounded": "unbounded",
        "Undefined": "failed",
    }
    return known.get(status, "stopped" if found else "no_solution"), bound
