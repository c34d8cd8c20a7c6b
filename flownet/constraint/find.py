"""`find_constraint`: which service limits the whole, and where its effects are merely seen."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flownet.constraint import words
from flownet.constraint.attribution import flow_attribution
from flownet.constraint.limits import ThroughputLimit, throughput_limit
from flownet.constraint.relief import Progress, relief_of
from flownet.display import html_of_text
from flownet.errors import UnconvergedError
from flownet.network.model import Network, ServiceName
from flownet.solvers.goals import GoalValue, check_goal, goal_value
from flownet.solvers.saturation import offered_loads
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve

if TYPE_CHECKING:
    from flownet.network.compile import Compilation

SAME_EXACT, SAME_APPROXIMATE = 0.01, 0.10
"""Services whose elasticity is within this share of the leader's cannot be told from it: rounding
where the method is exact; its measured error in elasticities where it is not (docs/accuracy.md)."""
SEEN = 0.05
"""A service is named a symptom from this share of the total delay seen on."""


@dataclasses.dataclass(frozen=True, eq=False)
class Finding:
    """Where the constraint is, where the delay is seen, and what relief would do.

    Attributes
    ----------
    solution : Solution
        The present state.
    goal : str
        What is to be improved.
    value : GoalValue
        The goal at present.
    constraint : str or None
        The service where a small relative rise of the service rate improves the goal most; None
        where none does.
    constraint_set : tuple
        The constraint and those that cannot be told from it.
    symptoms : tuple
        Services outside the set where at least a twentieth of all delay is seen, most of it held
        up elsewhere; most delay first.
    ranking : pandas.DataFrame
        One row a service with a limit: elasticity, relief (one more server), relief_per_money,
        delay_seen, delay_caused, load_ratio, occupancy; largest elasticity first.
    attribution : pandas.DataFrame
        Delay seen at (rows), held up by (columns); rows add up to the delay seen. It explains who
        holds whose places; `ranking` says where capacity helps.
    throughput_limit : ThroughputLimit
        How far demand can grow before a service saturates, with its dual.
    """

    solution: Solution = dataclasses.field(repr=False)
    goal: str
    value: GoalValue
    constraint: ServiceName | None
    constraint_set: tuple[ServiceName, ...]
    symptoms: tuple[ServiceName, ...]
    ranking: pd.DataFrame = dataclasses.field(repr=False)
    attribution: pd.DataFrame = dataclasses.field(repr=False)
    throughput_limit: ThroughputLimit

    @property
    def network(self) -> Network:
        """The network that was looked at."""
        return self.solution.network

    @property
    def headline(self) -> str:
        """The finding in a sentence or two that an executive understands."""
        return words.headline(self)

    def explain(self) -> str:
        """Return how the finding was reached and what its figures mean, in plain words."""
        return words.explain(self)

    def __repr__(self) -> str:
        """Return three lines: headline, standing, one warning."""
        return words.summary(self)

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain values for JSON."""
        return words.plain_values(self)


def find_constraint(
    network: Network,
    goal: str = "delay",
    method: str = "auto",
    *,
    progress: Progress | None = None,
) -> Finding:
    """Return where the constraint of `network` is, told from the symptoms.

    Parameters
    ----------
    network : Network
        The system as it is.
    goal : {'delay', 'cost', 'throughput'}
        What is to be improved.
    method : str
        The method to solve with, ``auto`` by default; the same one solves every change.
    progress : callable, optional
        Called with (done, total) while the services are tried one by one.

    Returns
    -------
    Finding
        With the ranking of all services, and one sentence.

    Raises
    ------
    UnknownNameError, MethodError
        For a goal or method that does not exist or does not apply.
    ParameterError
        Where the goal needs a price that the network does not give.
    UnconvergedError
        Where the network, or a changed copy of it, could not be solved.

    Notes
    -----
    The network is solved three times for every service with finitely many servers: with its rate
    raised and lowered by 0.1 %, and with one more server.
    """
    check_goal(goal)
    solution = solve(network, method)
    if not solution.converged:
        message = f"the network could not be solved by '{solution.method}': no finding can be given"
        raise UnconvergedError(message)
    value = goal_value(solution, goal)
    relief = relief_of(solution, goal, value, progress)
    attribution = _attribution(solution)
    ranking = _ranking(solution, relief.elasticity, relief.relief, attribution)
    constraint_set = _constraint_set(ranking, exact=solution.exact)
    return Finding(
        solution=solution,
        goal=goal,
        value=value,
        constraint=constraint_set[0] if constraint_set else None,
        constraint_set=constraint_set,
        symptoms=_symptoms(ranking, attribution, constraint_set),
        ranking=ranking,
        attribution=attribution,
        throughput_limit=_limit(solution.compilation),
    )


def _attribution(solution: Solution) -> pd.DataFrame:
    names = list(solution.compilation.services)
    frame = pd.DataFrame(
        flow_attribution(solution.measures),
        index=pd.Index(names, name="seen at"),
        columns=pd.Index(names, name="held up by"),
    )
    growing = bool(solution.measures.growth_rate.any())
    frame.attrs["units"] = f"job/{solution.network.time_unit}" if growing else "job"
    return frame


def _ranking(
    solution: Solution, elasticity: Any, relief: Any, attribution: pd.DataFrame
) -> pd.DataFrame:
    """Return one row a limited service, largest elasticity first."""
    services = solution.services
    cost = solution.compilation.cost_per_server
    per_money = np.divide(relief, cost, out=np.full(cost.shape, np.nan), where=cost > 0)
    frame = pd.DataFrame(
        {
            "organisation": services["organisation"],
            "elasticity": elasticity + 0.0,  # no negative zeros
            "relief": relief,
            "relief_per_money": per_money,
            "delay_seen": attribution.sum(axis=1).to_numpy(),
            "delay_caused": attribution.sum(axis=0).to_numpy(),
            "load_ratio": services["load_ratio"],
            "utilization": services["utilization"],
            "occupancy": services["occupancy"],
        },
        index=services.index,
    )
    limited = np.isfinite(services["servers"].to_numpy())
    return frame[limited].sort_values("elasticity", ascending=False, kind="stable")


def _constraint_set(ranking: pd.DataFrame, *, exact: bool) -> tuple[ServiceName, ...]:
    """Return the services with the largest elasticity, and those that cannot be told from it."""
    if ranking.empty or not ranking["elasticity"].iloc[0] > 0:
        return ()
    leader = ranking["elasticity"].iloc[0]
    same = SAME_EXACT if exact else SAME_APPROXIMATE
    return tuple(ranking.index[ranking["elasticity"] >= (1 - same) * leader])


def _symptoms(
    ranking: pd.DataFrame, attribution: pd.DataFrame, constraint_set: tuple[ServiceName, ...]
) -> tuple[ServiceName, ...]:
    """Return where much delay is seen that is mostly held up elsewhere, most first."""
    total = float(attribution.to_numpy().sum())
    if not total > 0:
        return ()
    seen = ranking["delay_seen"].drop(list(constraint_set)).sort_values(ascending=False)
    return tuple(
        name
        for name, delay in seen.items()
        if delay >= SEEN * total and attribution.loc[name, name] < 0.5 * delay
    )


def _limit(compilation: Compilation) -> ThroughputLimit:
    """Return how far demand can grow, if nobody is lost on the way and nobody blocks."""
    arrays = compilation.arrays
    return throughput_limit(offered_loads(arrays), arrays.servers, compilation.services)
