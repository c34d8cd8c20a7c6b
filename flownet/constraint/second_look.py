"""A second look by the exact chain, where an approximate method cannot tell the constraint."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
import pandas as pd

from flownet.constraint.relief import relief_of
from flownet.errors import FlownetError
from flownet.network.model import ServiceName
from flownet.solvers.goals import goal_value
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve
from flownet.solvers.tables import records

STATES: Final = 5_000
"""The chain is asked where it has no more states: it then takes less time than the finding."""
SAME_EXACT, SAME_APPROXIMATE = 0.01, 0.10
"""Services whose elasticity is within this share of the leader's cannot be told from it: rounding
where the method is exact; its measured error in elasticities where it is not (docs/accuracy.md)."""


@dataclasses.dataclass(frozen=True, eq=False)
class SecondLook:
    """What the exact chain says where the method left the constraint open.

    Attributes
    ----------
    why : str
        What made the first answer doubtful.
    before : tuple
        The constraint set by the method alone.
    table : pandas.DataFrame
        By the exact chain: elasticity and relief, one row a service; None where the chain could
        not be asked.
    how : str
        How the chain's elasticities were found, as in `Finding`.
    why_not : str
        Why it could not be asked; empty where it was.
    """

    why: str
    before: tuple[ServiceName, ...]
    table: pd.DataFrame | None = dataclasses.field(repr=False)
    how: str = ""
    why_not: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "why": self.why,
            "before": list(self.before),
            "table": None if self.table is None else records(self.table),
            "why_not": self.why_not,
        }


def leaders(elasticity: pd.Series[float], *, exact: bool) -> tuple[ServiceName, ...]:
    """Return the services with the largest elasticity, and those that cannot be told from it."""
    ordered = elasticity.sort_values(ascending=False, kind="stable")
    if ordered.empty or not ordered.iloc[0] > 0:
        return ()
    same = SAME_EXACT if exact else SAME_APPROXIMATE
    return tuple(ordered.index[ordered >= (1 - same) * ordered.iloc[0]])


def second_look(solution: Solution, goal: str, elasticity: pd.Series[float]) -> SecondLook | None:
    """Return what the exact chain says; None where the first answer is exact, or is clear.

    Parameters
    ----------
    solution : Solution
    goal : {'delay', 'cost', 'throughput'}
    elasticity : pandas.Series
        By the method of the solution, one row a service with a limit.
    """
    before = leaders(elasticity, exact=solution.exact)
    why = _doubt(elasticity, before)
    if solution.exact or not why:
        return None
    try:
        chain = solve(solution.network, "exact", max_states=STATES)
        wider = dataclasses.replace(chain, options={})  # one more server has more states
        found = relief_of(wider, goal, goal_value(chain, goal))
    except FlownetError as error:
        return SecondLook(why, before, None, why_not=str(error).splitlines()[0])
    index = pd.Index(list(chain.compilation.services), name="service")
    table = pd.DataFrame({"elasticity": found.elasticity, "relief": found.relief}, index=index)
    return SecondLook(why, before, table, found.how)


def _doubt(elasticity: pd.Series[float], before: tuple[ServiceName, ...]) -> str:
    """Return what makes an approximate answer doubtful; empty where nothing does."""
    if not before:
        return ""
    if len(before) > 1:
        return "several services are too near to each other to be told apart"
    if elasticity.min() < -SAME_APPROXIMATE * elasticity.max():
        worst = elasticity.index[int(np.argmin(elasticity))]
        return f"more capacity at '{worst}' would do harm, which is rare"
    return ""
