"""Linear and integer programs: named constraints, solver choice, status, duals, solving again."""

from flownet.programs.elastic import cheapest_relaxation
from flownet.programs.program import Program
from flownet.programs.rows import Row, Sense, Variable
from flownet.programs.solution import ProgramSolution
from flownet.programs.solvers import choose_solver

__all__ = [
    "Program",
    "ProgramSolution",
    "Row",
    "Sense",
    "Variable",
    "cheapest_relaxation",
    "choose_solver",
]
