"""`find_constraint`: which service limits the whole, and where its effects are merely seen."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flownet.constraint import words
from flownet.constraint.attribution import Held, flow_attribution, flow_parts
from flownet.constraint.blame import Seen, blame, both_sides
from flownet.constraint.differences import in_compressed
from flownet.constraint.limits import ThroughputLimit, throughput_limit
from flownet.constraint.relief import Progress, relief_of
from flownet.constraint.second_look import SecondLook, leaders, second_look
from flownet.display import html_of_text
from flownet.errors import UnconvergedError
from flownet.network.model import Network, ServiceName
from flownet.solvers.goals import GoalValue, check_goal, goal_value
from flownet.solvers.saturation import offered_loads
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve

if TYPE_CHECKING:
    from flownet.constraint.confidence import Confidence
    from flownet.constraint.week import ConstraintWeek
    from flownet.network.compile import Compilation

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
    second_look : SecondLook or None
        What the exact chain said where the method could not tell the constraint, or where its
        answer was odd; where it could be asked, the constraint, elasticities and relief of
        `ranking` are the chain's.
    symptoms : tuple
        Services outside the set where at least a twentieth of all delay is seen, most of it held
        up elsewhere; most delay first.
    ranking : pandas.DataFrame
        One row a service with a limit: elasticity, relief (one more server), relief_per_money,
        delay_seen, delay_caused, load_ratio, occupancy; largest elasticity first.
    how : str
        How the elasticities were found: ``adjoint`` (one solve of transposed equations for all of
        them), or ``difference`` (two whole solutions a service).
    throughput_limit : ThroughputLimit
        How far demand can grow before a service saturates, with its dual.
    confidence : Confidence or None
        How sure the constraint is under uncertain parameters, where that was asked for; the
        constraint_set is then that of the samples.
    """

    solution: Solution = dataclasses.field(repr=False)
    goal: str
    value: GoalValue
    constraint: ServiceName | None
    constraint_set: tuple[ServiceName, ...]
    symptoms: tuple[ServiceName, ...]
    ranking: pd.DataFrame = dataclasses.field(repr=False)
    how: str
    throughput_limit: ThroughputLimit
    second_look: SecondLook | None = dataclasses.field(default=None, repr=False)
    confidence: Confidence | None = None

    @cached_property
    def flow(self) -> pd.DataFrame:
        """Delay seen at (rows), held up by (columns); rows add up to the delay seen.

        It explains who holds whose places, and finds nothing: `attribution` says who is the cause.
        """
        return _flow(self.solution)

    @cached_property
    def attribution(self) -> pd.DataFrame:
        """What is seen at (rows), caused by lack of capacity at (columns); see `attribute`."""
        return self.attribute()

    @cached_property
    def causes(self) -> pd.DataFrame:
        """Seen, caused and their difference by service; a cause has more caused than seen."""
        return both_sides(self.attribution)

    def attribute(self, seen: Seen = "service", caused: Seen = "service") -> pd.DataFrame:
        """Return what is seen, divided by whose lack of capacity causes it.

        Parameters
        ----------
        seen : {'service', 'class', 'organisation'}
            What the rows stand for.
        caused : {'service', 'organisation'}
            What the columns stand for; by organisation is the quicker where there are few.

        Returns
        -------
        pandas.DataFrame
            In the unit of the goal (``.attrs["units"]``); negative where more capacity at the
            column makes more be seen at the row. Rows add up to what is seen, less what no
            capacity takes away (``.attrs["rest"]``, held transfers). Where the path
            leads beyond the full mode of blocking, rows are divided as in the compressed one
            (``.attrs["shares"]``). Where jobs are lost and the goal is ``throughput``: who does
            not get served.

        Raises
        ------
        ParameterError
            For another row or column, or where nothing finite can be divided.
        UnconvergedError
            Where a network on the path of relief cannot be solved.

        Notes
        -----
        The capacities of all services grow together, c / (1 - t), waiting rooms and demand as they
        are; each service is charged with what it changes on the way (`path_causes`).
        """
        return blame(self.solution, self.goal, seen, caused)

    @cached_property
    def week(self) -> ConstraintWeek:
        """The constraint by time of the cycle of the network's calendars; see `constraint_week`.

        Raises
        ------
        ParameterError
            Where the network has no calendar.
        """
        from flownet.constraint.week import week_of

        return week_of(self.solution, self.goal)

    @cached_property
    def other_methods(self) -> pd.DataFrame:
        """The constraint by every method of the register, and whether it agrees; why not."""
        from flownet.constraint.doubt import other_methods

        return other_methods(self.solution, self.goal, self.constraint)

    def simulated(self, **options: Any) -> pd.DataFrame:
        """Return what 10 % more rate gains at the three leading services, by simulation.

        Parameters
        ----------
        **options
            As for `simulate` (horizon, replications, seed, ...); all on common random numbers.
        """
        from flownet.constraint.doubt import by_simulation

        return by_simulation(self.solution, self.goal, self.ranking, options)

    @property
    def network(self) -> Network:
        """The network that was looked at."""
        return self.solution.network

    @property
    def attributed(self) -> bool:
        """Whether `attribution` has been asked for; `to_dict` holds it then."""
        return "attribution" in self.__dict__

    @property
    def chain(self) -> str:
        """Who causes how much of what is seen where most is seen, and who waits for whom."""
        return words.chain(self)

    @property
    def headline(self) -> str:
        """The finding in a sentence or two that an executive understands."""
        return words.headline(self)

    def explain(self) -> str:
        """Return how the finding was reached and what its figures mean, in plain words."""
        return words.explain(self)

    def __repr__(self) -> str:
        """Return five lines: constraint, where it is seen, best relief, standing, a warning."""
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
    uncertainty: Any = None,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
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
    uncertainty : int, Samples, EstimatedNetwork or networks, optional
        How many samples of the parameters that carry a ``standard_error`` (see `draw_samples`), or
        the samples themselves; the finding then states how probable its constraint is.
    seed : int
        Of these samples.
    progress : callable, optional
        Called with (done, total) while the services are tried one by one.
    **options
        As for `solve`.

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
    Elasticities come from one adjoint solve (see `sensitivities`), where the method has one, else
    from two more solutions a service. Relief is exact: one more solution a service, of the 400
    with the largest elasticity at most (nan for the others; with blocking of fewer from 50
    services on, of 20 among 1,000); by product form of all. Where an
    approximate method cannot tell the constraint and the exact chain has few states (5,000 at
    most), the chain is asked.
    """
    check_goal(goal)
    solution = solve(network, method, **options)
    held = "mode" in options
    return finding_of(solution, goal, uncertainty, seed, progress, mode_is_fixed=held)


def finding_of(
    solution: Solution,
    goal: str,
    uncertainty: Any = None,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    mode_is_fixed: bool = False,
) -> Finding:
    """Return where the constraint of a network is that has been solved; see `find_constraint`.

    Raises
    ------
    ParameterError
        Where the goal needs a price that the network does not give.
    UnconvergedError
        Where the network, or a changed copy of it, could not be solved.
    """
    if not solution.converged:
        message = f"the network could not be solved by '{solution.method}': no finding can be given"
        raise UnconvergedError(message)
    value = goal_value(solution, goal)
    try:
        relief = relief_of(solution, goal, value, progress)
    except UnconvergedError:
        other = in_compressed(solution)
        if other is None or mode_is_fixed:
            raise
        solution = other  # some change cannot be had in full: all is compared in the other mode
        value = goal_value(solution, goal)
        relief = relief_of(solution, goal, value, progress)
    held = flow_parts(solution.measures)
    ranking = _ranking(solution, relief.elasticity, relief.relief, held)
    look = second_look(solution, goal, ranking["elasticity"])
    exact = solution.exact
    if look is not None and look.table is not None:
        exact, table = True, look.table
        ranking = _ranking(
            solution, table["elasticity"].to_numpy(), table["relief"].to_numpy(), held
        )
    constraint_set = leaders(ranking["elasticity"], exact=exact)
    confidence = None
    if uncertainty is not None:
        from flownet.constraint.confidence import confidence_of  # scipy.stats takes its time

        confidence = confidence_of(solution, goal, uncertainty, seed)
        constraint_set = confidence.constraint_set or constraint_set
    return Finding(
        solution=solution,
        goal=goal,
        value=value,
        constraint=constraint_set[0] if constraint_set else None,
        constraint_set=constraint_set,
        symptoms=_symptoms(ranking, solution, held, constraint_set),
        ranking=ranking,
        how=relief.how if look is None or look.table is None else look.how,
        throughput_limit=_limit(solution.compilation),
        second_look=look,
        confidence=confidence,
    )


def _flow(solution: Solution) -> pd.DataFrame:
    names = list(solution.compilation.services)
    frame = pd.DataFrame(
        flow_attribution(solution.measures),
        index=pd.Index(names, name="seen at"),
        columns=pd.Index(names, name="held up by"),
    )
    growing = bool(solution.measures.growth_rate.any())
    frame.attrs["units"] = f"job/{solution.network.time_unit}" if growing else "job"
    return frame


def _ranking(solution: Solution, elasticity: Any, relief: Any, held: Held) -> pd.DataFrame:
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
            "delay_seen": held.seen,
            "delay_caused": held.caused,
            "load_ratio": services["load_ratio"],
            "utilization": services["utilization"],
            "occupancy": services["occupancy"],
        },
        index=services.index,
    )
    limited = np.isfinite(services["servers"].to_numpy())
    return frame[limited].sort_values("elasticity", ascending=False, kind="stable")


def _symptoms(
    ranking: pd.DataFrame,
    solution: Solution,
    held: Held,
    constraint_set: tuple[ServiceName, ...],
) -> tuple[ServiceName, ...]:
    """Return where much delay is seen that is mostly held up elsewhere, most first."""
    total = float(held.seen.sum())
    if not total > 0:
        return ()
    place = {name: i for i, name in enumerate(solution.compilation.services)}
    seen = ranking["delay_seen"].drop(list(constraint_set), errors="ignore")
    return tuple(
        name
        for name, delay in seen.sort_values(ascending=False).items()
        if delay >= SEEN * total and held.own(place[name]) < 0.5 * delay
    )


def _limit(compilation: Compilation) -> ThroughputLimit:
    """Return how far demand can grow, if nobody is lost on the way and nobody blocks."""
    arrays = compilation.arrays
    return throughput_limit(offered_loads(arrays), arrays.servers, compilation.services)
