"""The least by which limits must give way for a program to have a solution."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flownet.programs.rows import Sense, Variable

if TYPE_CHECKING:
    from flownet.programs.program import Program

_LEAST = 1e-9
UPPER, LOWER = "upper bound of ", "lower bound of "
"""How `conflict` names the bound of a variable."""


def cheapest_relaxation(program: Program, cost: Mapping[str, float]) -> dict[str, float] | None:
    """Return by how much each limit must give way, at least cost in total.

    Parameters
    ----------
    program : Program
        One without a solution; it is not changed.
    cost : mapping of str to float
        What one unit of giving way costs, > 0, by the names of constraints, or of bounds as
        ``upper bound of x`` and ``lower bound of x``. All others stay as they are.

    Returns
    -------
    dict of str to float, or None
        The limits that give way and by how much; None where the others still exclude each other.

    Examples
    --------
    >>> from flownet.programs import Program
    >>> program = Program("beds")
    >>> beds = program.variable("beds", 0.0, 20.0)
    >>> program.constraint("need", [(beds, 1.0)], ">=", 30.0)
    >>> program.minimize([(beds, 1.0)])
    >>> cheapest_relaxation(program, {"need": 1.0, "upper bound of beds": 3.0})
    {'need': 10.0}
    """
    copy, slacks = _elastic(program, cost)
    copy.minimize([(slack, cost[name]) for name, slack in slacks.items()])
    solution = copy.solve(time_limit=10.0)
    if not solution.readable:
        return None
    amounts = zip(slacks, solution.array(list(slacks.values())).tolist(), strict=True)
    return {name: amount for name, amount in amounts if amount > _LEAST}


def _elastic(program: Program, cost: Mapping[str, float]) -> tuple[Program, dict[str, Variable]]:
    """Return a copy whose limits can give way, and by which variable each does."""
    copy = type(program)(f"{program.name}, relaxed")
    for column in program.columns():
        high = math.inf if UPPER + column.name in cost else column.high
        low = -math.inf if LOWER + column.name in cost else column.low
        copy.variable(column.name, low, high, integer=column.integer)
    slacks = {name: copy.variable(f"relaxed {name}") for name in cost}
    give: dict[Sense, tuple[float, ...]] = {"<=": (-1.0,), ">=": (1.0,), "==": (1.0,)}
    for row in program.kept_rows():
        pairs = list(row.pairs)
        if row.name in slacks:
            pairs += [(slacks[row.name], sign) for sign in give[row.sense]]
        copy.constraint(row.name, pairs, row.sense, row.right_hand_side)
    for number, column in enumerate(program.columns()):
        for label, side, sense in ((UPPER, column.high, "<="), (LOWER, column.low, ">=")):
            slack = slacks.get(label + column.name)
            if slack is not None and math.isfinite(side):
                kind: Sense = "<=" if sense == "<=" else ">="
                pairs = [(Variable(number), 1.0), (slack, give[kind][0])]
                copy.constraint(label + column.name, pairs, kind, side)
    return copy, slacks
