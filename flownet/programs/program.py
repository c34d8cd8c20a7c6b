"""`Program`: a linear or integer program, every constraint named, built from pairs.

HiGHS takes it in a few calls; files and every other solver take it through PuLP.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flownet.errors import Fault, ParameterError, ProgramError
from flownet.programs.building import Building
from flownet.programs.by_pulp import PulpProgram
from flownet.programs.rows import (
    Pairs,
    Variable,
    check_limits,
    merged,
    sides,
)
from flownet.programs.solution import Outcome, ProgramSolution
from flownet.programs.solvers import choose_solver, make_solver


class Program(Building):
    r"""A linear or mixed-integer program, built by name and solved by HiGHS or another solver.

    .. math:: \min\ \text{or}\ \max\ c^T x \quad\text{subject to}\quad
       A x \ \{\le, =, \ge\}\ b, \quad l \le x \le u

    Names may be any text; solvers and files get safe twins of them.

    Parameters
    ----------
    name : str
        Shown in files.

    Notes
    -----
    The dual of a constraint is the change of the objective per unit of its right-hand side, for
    minimizing as for maximizing. Copies are not made: a program is changed by its methods only.

    Examples
    --------
    >>> program = Program("beds")
    >>> ward, home = program.variables(["ward", "home"], high=[30.0, float("inf")])
    >>> program.constraint("money", [(ward, 346.0), (home, 150.0)], "<=", 15000.0)
    >>> program.maximize([(ward, 1.0), (home, 0.4)])
    >>> round(program.solve().objective, 3)
    42.32
    >>> round(program.resolve({"money": 20000.0}).objective, 3)
    55.653
    """

    def __init__(self, name: str = "program") -> None:
        super().__init__(name)
        self._solver = "auto"
        self._live: Any = None
        self._live_rows = 0
        self._objective_changed = False

    def minimize(self, pairs: Pairs) -> None:
        """Set the objective: the least sum of coefficient times variable."""
        self._objective(pairs, maximize=False)

    def maximize(self, pairs: Pairs) -> None:
        """Set the objective: the largest sum of coefficient times variable."""
        self._objective(pairs, maximize=True)

    def _objective(self, pairs: Pairs, *, maximize: bool) -> None:
        self._cost = merged("objective", pairs)
        self._maximize = maximize
        self._objective_changed = True
        if self._live is not None and not self._live.bears(self._cost, maximize=maximize):
            self._live = None

    def set_right_hand_side(self, name: str, value: float) -> None:
        """Change the right-hand side of a constraint, in the program and in the live model."""
        index = self._constraints.index(name)
        if not math.isfinite(value):
            message = "is not a finite right-hand side"
            raise ParameterError([Fault("constraint", name, f"{value:g}", message)])
        self._sides[index] = float(value)
        if self._live is not None and index < self._live_rows:
            self._live.change_row(index, *sides(self._rows[index].sense, float(value)))

    def set_bounds(self, variable: Variable, low: float, high: float) -> None:
        """Change the bounds of a variable, in the program and in the live model."""
        self._bounds[variable] = (float(low), float(high))
        if self._live is not None and not self._live.change_bounds(variable, low, high):
            self._live = None

    def write_lp(self, path: str | Path) -> None:
        """Write the program as a readable ``.lp`` file."""
        self._in_pulp().problem.writeLP(str(path))

    # ----------------------------------------------------------------------------------- solving

    def solve(
        self,
        solver: str = "auto",
        time_limit: float | None = None,
        gap: float = 0.0,
        *,
        relaxed: bool = False,
    ) -> ProgramSolution:
        """Solve from the beginning.

        Parameters
        ----------
        solver : str
            ``auto`` (HiGHS in this process; CBC where highspy is missing), ``highs``, ``cbc`` or
            the name of another solver that PuLP finds.
        time_limit : float, optional
            In seconds, > 0.
        gap : float
            Relative gap at which branch and bound may stop, >= 0.
        relaxed : bool
            Take whole-number variables as continuous.

        Returns
        -------
        ProgramSolution
            Whose figures can be read only where its status allows it.

        Raises
        ------
        ProgramError
            Where no solver is found or it breaks off.
        UnknownNameError
            Where PuLP knows no solver of that name.
        """
        check_limits(time_limit, gap)
        chosen = self._solver = choose_solver(solver)
        self._live = None
        if chosen == "highs":
            self._build_live_model(pieces=relaxed or not self._whole)
            self._live.run(time_limit, gap, None, relaxed=relaxed)
            return self._live_solution(relaxed=relaxed)
        whole = bool(self._whole) and not relaxed
        task = make_solver(chosen, time_limit, gap, relaxed=relaxed)
        outcome = self._in_pulp().outcome(task, chosen, gap if whole else None)
        rows = len(self._constraints)
        outcome = dataclasses.replace(outcome, duals=outcome.duals[:rows])
        if whole:
            outcome = dataclasses.replace(outcome, duals=np.empty(0), reduced_costs=np.empty(0))
        return self._solution(outcome, chosen)

    def _in_pulp(self) -> PulpProgram:
        """Return the program as it stands in PuLP's objects."""
        return PulpProgram(
            self.name, self.columns(), self.kept_rows(), self._cost, maximize=self._maximize
        )

    def resolve(
        self,
        right_hand_sides: Mapping[str, float] | None = None,
        *,
        time_limit: float | None = None,
        gap: float = 0.0,
        nodes: int | None = None,
        relaxed: bool = False,
        start: ProgramSolution | None = None,
    ) -> ProgramSolution:
        """Solve again on the live HiGHS model: with the changes since, from where it stands.

        Parameters
        ----------
        right_hand_sides : mapping of str to float, optional
            New right-hand sides by the constraints' names.
        time_limit, gap, relaxed
            As in `solve`.
        nodes : int, optional
            Nodes of branch and bound at most, > 0: a limit that is the same on every machine.
        start : ProgramSolution, optional
            Whose whole numbers branch and bound takes as a first solution, if they still are one.

        Notes
        -----
        Where the live model cannot take in what is new (a variable, whole numbers where curves
        stood as pieces), it is built anew; where another solver was used last, this is `solve`.
        """
        for name, value in (right_hand_sides or {}).items():
            self.set_right_hand_side(name, value)
        check_limits(time_limit, gap)
        whole = bool(self._whole) and not relaxed
        if not self._can_go_on(whole=whole):
            if choose_solver(self._solver) != "highs":
                return self.solve(self._solver, time_limit, gap, relaxed=relaxed)
            self._solver = "highs"
            self._build_live_model(pieces=not whole)
        self._live.add_rows(self._live_form(self._live_rows))
        self._live_rows = len(self._rows)
        self._live.add_lines()
        if self._objective_changed:
            self._live.change_objective(self._cost_array(), maximize=self._maximize)
            self._objective_changed = False
        if start is not None and start.readable:
            known = [v for v in self._whole if self._live.knows([v])]
            self._live.start_from(known, np.round(start.array(known)))
        self._live.run(time_limit, gap, nodes, relaxed=relaxed)
        return self._live_solution(relaxed=relaxed)

    def right_hand_side_range(self, name: str) -> tuple[float, float]:
        """Return between which right-hand sides a constraint's dual stays what it is.

        See `right_hand_side_ranges`.
        """
        return self.right_hand_side_ranges([name])[name]

    def right_hand_side_ranges(self, names: Sequence[str]) -> dict[str, tuple[float, float]]:
        """Return between which right-hand sides the dual of each constraint stays what it is.

        All else unchanged, the objective moves in a straight line between the two.

        Raises
        ------
        ProgramError
            Where the last solution was not an optimal one of a linear program by HiGHS.
        """
        if self._live is None or not self._live.has_duals:
            raise ProgramError(
                "ranges stand only after a linear program was solved to optimality by HiGHS"
            )
        found = self._live.right_hand_side_ranges([self._constraints.index(n) for n in names])
        return {n: (float(low), float(high)) for n, (low, high) in zip(names, found, strict=True)}

    def _build_live_model(self, *, pieces: bool) -> None:
        """Hand the whole program to HiGHS in a few calls."""
        from flownet.programs.live import LiveModel  # CBC needs no highspy

        cost = self._cost_array()
        self._live = LiveModel(np.array(self._bounds).reshape(-1, 2), self._whole, self._lines)
        self._live.add_rows(self._live_form(0))
        self._live_rows = len(self._rows)
        if pieces:
            self._live.cut_in_pieces(cost, maximize=self._maximize)
        self._live.change_objective(cost, maximize=self._maximize)
        self._live.add_lines()
        self._objective_changed = False

    def _can_go_on(self, *, whole: bool) -> bool:
        """Return whether the live model takes in what came since."""
        if self._live is None or (whole and self._live.in_pieces):
            return False
        fresh = self._rows[self._live_rows :]
        return self._live.takes_curves() and all(self._live.knows(row.variables) for row in fresh)

    def _live_form(self, start: int) -> list[Any]:
        from flownet.programs.live import LiveRow  # CBC needs no highspy

        return [
            LiveRow(*sides(row.sense, side), row.variables, row.coefficients)
            for row, side in zip(self._rows[start:], self._sides[start:], strict=True)
        ]

    def _live_solution(self, *, relaxed: bool) -> ProgramSolution:
        outcome = self._live.outcome(relaxed=relaxed)
        parts: tuple[str, ...] = ()
        if outcome.status == "infeasible":
            if self._live.in_pieces:  # which are no part of what is in conflict
                self._build_live_model(pieces=False)
            parts = self._live.conflict(list(self._constraints), list(self._variables))
            if not parts and self._whole and not relaxed:
                note = "whole numbers may be what cannot be met"
                outcome = dataclasses.replace(outcome, note=note)
        return self._solution(outcome, "highs", parts)

    def _solution(
        self, outcome: Outcome, solver: str, parts: tuple[str, ...] = ()
    ) -> ProgramSolution:
        return ProgramSolution(
            outcome, tuple(self._variables), tuple(self._constraints), solver, parts
        )
