"""What a solver gave back: a status in plain words, and figures that only a good status opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from flownet.errors import ProgramError

Floats = NDArray[np.float64]
Status = Literal[
    "optimal", "within_gap", "stopped", "no_solution", "infeasible", "unbounded", "failed"
]

READABLE: Final = ("optimal", "within_gap", "stopped")
MEANING: Final[dict[Status, str]] = {
    "optimal": "optimal",
    "within_gap": "within the gap that was asked for",
    "stopped": "stopped at a limit, with a solution whose gap is known",
    "no_solution": "stopped at a limit before a solution with a known gap was found",
    "infeasible": "infeasible: nothing meets all constraints",
    "unbounded": "unbounded: the objective can be improved without end",
    "failed": "the solver gave up",
}
"""The statuses, and what each of them means."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The bare answer of one solver, before it is guarded.

    Attributes
    ----------
    status : str
        One of `MEANING`.
    objective, bound : float
        Value of the objective, and the best value that any solution can have; nan where unknown.
    values, reduced_costs : array, shape (number of variables,)
    duals : array, shape (number of constraints,)
        Change of the objective per unit of right-hand side, in the sense of the objective.
        Empty where the program has integer variables.
    note : str
        What the solver said beside.
    """

    status: Status
    objective: float = float("nan")
    bound: float = float("nan")
    values: Floats = field(default_factory=lambda: np.empty(0))
    reduced_costs: Floats = field(default_factory=lambda: np.empty(0))
    duals: Floats = field(default_factory=lambda: np.empty(0))
    note: str = ""


class ProgramSolution:
    r"""A solution of a program, readable only where its status allows it.

    .. math:: gap = |objective - bound| / \max(|objective|, 10^{-10})

    Parameters
    ----------
    outcome : Outcome
        The bare answer.
    variables, constraints : sequence of str
        The names, in the order of the figures.
    solver : str
        Which solver it was.
    conflict : sequence of str
        Where infeasible: what is in conflict, by name; empty where it was not worked out.

    Examples
    --------
    >>> from flownet.programs import Program
    >>> program = Program("two wards")
    >>> a, b = program.variables(["A", "B"])
    >>> program.constraint("beds", [(a, 1.0), (b, 1.0)], "<=", 10.0)
    >>> program.maximize([(a, 1.0), (b, 2.0)])
    >>> solution = program.solve()
    >>> solution.status, solution.objective, solution.values["B"], solution.duals["beds"]
    ('optimal', 20.0, 10.0, 2.0)
    """

    def __init__(
        self,
        outcome: Outcome,
        variables: Sequence[str],
        constraints: Sequence[str],
        solver: str,
        conflict: Sequence[str] = (),
    ) -> None:
        self._outcome = outcome
        self._variables = variables
        self._constraints = constraints
        self.solver = solver
        self.conflict: tuple[str, ...] = tuple(conflict)

    def __repr__(self) -> str:
        """Return the status and, where there is one, the objective."""
        if not self.readable:
            return f"ProgramSolution({self.status}, by {self.solver})"
        return f"ProgramSolution({self.status}, {self._outcome.objective:g}, by {self.solver})"

    @property
    def status(self) -> Status:
        """What the solver concluded: one of `MEANING`."""
        return self._outcome.status

    @property
    def readable(self) -> bool:
        """Whether the figures may be read."""
        return self.status in READABLE

    def why_not(self) -> str:
        """Return the status in plain words, with the constraints in conflict where known."""
        text = MEANING[self.status]
        if self.conflict:
            text += "; these cannot hold together: " + ", ".join(self.conflict)
        if self._outcome.note:
            text += f" ({self._outcome.note})"
        return text

    def _open(self) -> Outcome:
        if not self.readable:
            raise ProgramError(f"the program has no solution to read: {self.why_not()}")
        return self._outcome

    @property
    def objective(self) -> float:
        """Value of the objective."""
        return self._open().objective

    @property
    def bound(self) -> float:
        """The best value that any solution can have, as far as the solver proved."""
        return self._open().bound

    @property
    def gap(self) -> float:
        """Relative distance between objective and bound; 0 where the optimum is proven."""
        outcome = self._open()
        return abs(outcome.objective - outcome.bound) / max(abs(outcome.objective), 1e-10)

    @property
    def values(self) -> Mapping[str, float]:
        """Value of each variable by name."""
        return dict(zip(self._variables, self._open().values.tolist(), strict=True))

    def array(self, variables: Sequence[int]) -> Floats:
        """Return the values of these variables as an array."""
        return self._open().values[np.asarray(variables, dtype=np.int64)]

    @property
    def reduced_costs(self) -> Mapping[str, float]:
        """Change of the objective per unit of each variable's binding bound, by name."""
        figures = self._dual_figures().reduced_costs
        return dict(zip(self._variables, figures.tolist(), strict=True))

    @property
    def duals(self) -> Mapping[str, float]:
        """Change of the objective per unit of each constraint's right-hand side, by name."""
        return dict(zip(self._constraints, self._dual_figures().duals.tolist(), strict=True))

    def _dual_figures(self) -> Outcome:
        outcome = self._open()
        if outcome.duals.size == 0 and len(self._constraints) > 0:
            raise ProgramError(
                "a program with whole-number variables has no duals; solve it relaxed, or again "
                "with another right-hand side"
            )
        return outcome
