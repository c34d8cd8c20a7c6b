"""What limits are worth in whole numbers: the program solved again with one more."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from flownet.allocate.problem import AllocationProblem, AllocationSolution, check_problem
from flownet.allocate.proposal import Search
from flownet.allocate.separable import solve_separable
from flownet.errors import ProgramError

_MOST_SERVICES, _MOST_TRIED = 30, 8
"""So large a program is solved again quickly, and for so many limits."""


def whole_worths(
    problem: AllocationProblem, best: AllocationSolution, search: Search
) -> dict[str, tuple[float, float]]:
    """Return what limits are worth in all, and for how many units more, by name.

    Parameters
    ----------
    problem : AllocationProblem
        In whole numbers.
    best : AllocationSolution
        Its solution, whose duals are those of the relaxation: they say which limits to try.
    search : Search
        How far to look.

    Notes
    -----
    One more server at each of the eight services where the relaxation shows most, and the money
    for one more at the service that pays most for it. Larger programs are not solved again, nor
    those with a time limit: the relaxation's duals then stand.
    """
    simple = len(problem.cases) <= 1 and not problem.keeps
    simple = simple and all(len(case.objectives) == 1 for case in problem.cases)
    if len(problem.names) > _MOST_SERVICES or search.time_limit is not None or not simple:
        return {}
    given = check_problem(problem)
    rows = {f"balance[{name}]": i for i, name in enumerate(problem.names)}
    known = sorted(rows.keys() & best.duals.keys(), key=lambda row: (best.duals[row], rows[row]))
    found: dict[str, tuple[float, float]] = {}
    for row in known[:_MOST_TRIED]:
        if best.duals[row] < -1e-9:
            servers = np.array(given.servers)
            servers[rows[row]] += 1
            changed = dataclasses.replace(problem, servers=servers)
            found[row] = (_gain(changed, best, search), 1.0)
    prices = np.where(given.price > 0, given.price, math.inf)
    money = float(prices.min(initial=math.inf))
    if best.duals.get("budget", 0.0) < -1e-9 and math.isfinite(money):
        more = [float(p) for p in np.unique(prices[np.isfinite(prices)])][:_MOST_TRIED]
        gains = [
            _gain(dataclasses.replace(problem, budget=problem.budget + p), best, search)
            for p in more
        ]
        k = int(np.argmax([gain / p for gain, p in zip(gains, more, strict=True)]))
        found["budget"] = (gains[k], more[k])
    return {row: each for row, each in found.items() if math.isfinite(each[0])}


def _gain(problem: AllocationProblem, best: AllocationSolution, search: Search) -> float:
    """Return by how much the best allocation of a problem is better; nan where there is none."""
    try:
        found = solve_separable(problem, gap=search.gap, solver=search.solver, ranges=False)
    except ProgramError:  # a term that is relative to the present servers may not be kept
        return math.nan
    return best.objective_value - found.objective_value
