"""`Program`: a linear or integer program, every constraint named, built from pairs.

HiGHS takes it in a few calls; files and every other solver take it through PuLP.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pulp
from numpy.typing import ArrayLike

from flownet.errors import Fault, ParameterError, ProgramError
from flownet.programs.names import NameBook, safe_name
from flownet.programs.rows import (
    Column,
    Kept,
    Pairs,
    Row,
    Sense,
    Variable,
    check_limits,
    compare,
    finite,
    merged,
    sides,
)
from flownet.programs.solution import Floats, Outcome, ProgramSolution
from flownet.programs.solvers import (
    choose_solver,
    expression,
    make_solver,
    pulp_outcome,
)


class Program:
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
        self.name = name
        self._variables = NameBook("variable")
        self._constraints = NameBook("constraint")
        self._whole: list[Variable] = []
        self._bounds: list[tuple[float, float]] = []
        self._rows: list[Kept] = []
        self._sides: list[float] = []
        self._cost: dict[Variable, float] = {}
        self._maximize = False
        self._solver = "auto"
        self._live: Any = None
        self._live_rows = 0
        self._objective_changed = False

    def __repr__(self) -> str:
        """Return the program's size."""
        return (
            f"Program({self.name!r}: {len(self._bounds)} variables, {len(self._whole)} of them "
            f"whole, {len(self._rows)} constraints)"
        )

    # ---------------------------------------------------------------------------------- building

    def variable(
        self, name: str, low: float = 0.0, high: float = math.inf, *, integer: bool = False
    ) -> Variable:
        """Add a variable with bounds and return it.

        Raises
        ------
        ParameterError
            Where the name is taken, a bound is nan, or the bounds cross.
        """
        if math.isnan(low) or math.isnan(high) or low > high or low == math.inf:
            message = f"has bounds {low:g} and {high:g}: the lower may not exceed the upper"
            raise ParameterError([Fault("variable", "bounds", repr(name), message)])
        self._variables.add(name)
        variable = Variable(len(self._bounds))
        self._bounds.append((float(low), float(high)))
        if integer:
            self._whole.append(variable)
        return variable

    def variables(
        self,
        names: Sequence[str],
        low: ArrayLike = 0.0,
        high: ArrayLike = math.inf,
        *,
        integer: bool = False,
    ) -> list[Variable]:
        """Add a variable for each name; bounds are one number or one for each."""
        lows = np.broadcast_to(np.asarray(low, dtype=np.float64), (len(names),)).tolist()
        highs = np.broadcast_to(np.asarray(high, dtype=np.float64), (len(names),)).tolist()
        return [
            self.variable(name, a, b, integer=integer)
            for name, a, b in zip(names, lows, highs, strict=True)
        ]

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
        if self._live is not None and not self._live.knows(list(self._cost)):
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
        if self._live is not None and self._live.knows([variable]):
            self._live.change_bounds(variable, low, high)

    def write_lp(self, path: str | Path) -> None:
        """Write the program as a readable ``.lp`` file."""
        problem, _ = self._pulp_problem()
        problem.writeLP(str(path))

    def columns(self) -> list[Column]:
        """Return the variables: name, bounds, and whether they are whole numbers."""
        whole = set(self._whole)
        return [
            Column(name, *bounds, v in whole)
            for v, (name, bounds) in enumerate(zip(self._variables, self._bounds, strict=True))
        ]

    def kept_rows(self) -> list[Row]:
        """Return the constraints, repeated variables added up."""
        rows = zip(self._constraints, self._rows, self._sides, strict=True)
        return [
            Row(name, list(zip(row.variables, row.coefficients, strict=True)), row.sense, side)
            for name, row, side in rows
        ]

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
            self._build_live_model()
            self._live.run(time_limit, gap, None, relaxed=relaxed)
            return self._live_solution(relaxed=relaxed)
        problem, columns = self._pulp_problem()
        try:
            stats = problem.solve(make_solver(chosen, time_limit, gap, relaxed=relaxed))
        except pulp.PulpError as error:
            raise ProgramError(f"the solver '{chosen}' broke off: {error}") from error
        whole = bool(self._whole) and not relaxed
        outcome = pulp_outcome(problem, stats, columns, self._idle(), gap if whole else None)
        if whole:
            outcome = dataclasses.replace(outcome, duals=np.empty(0), reduced_costs=np.empty(0))
        return self._solution(outcome, chosen)

    def _pulp_problem(self) -> tuple[Any, list[Any]]:
        """Return the program as it stands in PuLP's objects, and its variables."""
        problem = pulp.LpProblem(
            safe_name(self.name), pulp.LpMaximize if self._maximize else pulp.LpMinimize
        )
        whole = set(self._whole)
        columns = [
            problem.add_variable(
                self._variables.safe(v),
                finite(low),
                finite(high),
                pulp.LpInteger if v in whole else pulp.LpContinuous,
            )
            for v, (low, high) in enumerate(self._bounds)
        ]
        problem.setObjective(expression([(columns[v], a) for v, a in self._cost.items()]))
        for index, (row, side) in enumerate(zip(self._rows, self._sides, strict=True)):
            pairs = zip(row.variables, row.coefficients, strict=True)
            left = expression([(columns[v], a) for v, a in pairs])
            problem.addConstraint(compare(left, row.sense, side), self._constraints.safe(index))
        return problem, columns

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
        Where there is no live model (never solved, solved by another solver, or a variable came
        in since) this is `solve`, with the solver that was used last.
        """
        for name, value in (right_hand_sides or {}).items():
            self.set_right_hand_side(name, value)
        fresh = self._rows[self._live_rows :]
        if self._live is None or not all(self._live.knows(row.variables) for row in fresh):
            return self.solve(self._solver, time_limit, gap, relaxed=relaxed)
        check_limits(time_limit, gap)
        self._live.add_rows(self._live_form(self._live_rows))
        self._live_rows = len(self._rows)
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

    def _build_live_model(self) -> None:
        """Hand the whole program to HiGHS in a few calls."""
        from flownet.programs.live import LiveModel  # CBC needs no highspy

        self._live = LiveModel(np.array(self._bounds).reshape(-1, 2), self._whole)
        self._live.change_objective(self._cost_array(), maximize=self._maximize)
        self._live.add_rows(self._live_form(0))
        self._live_rows = len(self._rows)
        self._objective_changed = False

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

    def _idle(self) -> Floats:
        """Return the value nearest to zero of each variable: that of one that stands nowhere."""
        bounds = np.array(self._bounds).reshape(-1, 2)
        idle: Floats = np.clip(0.0, bounds[:, 0], bounds[:, 1])
        return idle

    def _cost_array(self) -> Floats:
        cost: Floats = np.zeros(len(self._bounds))
        cost[list(self._cost)] = list(self._cost.values())
        return cost
