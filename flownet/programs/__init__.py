"""Linear and integer programs: named constraints, solver choice, status, duals, solving again."""

from flownet.programs.elastic import cheapest_relaxation
from flownet.programs.program import Program
from flownet.programs.rows import Row, Variable
from flownet.programs.solution import ProgramSolution

__all__ = ["Program", "ProgramSolution", "Row", "Variable", "cheapest_relaxation"]
