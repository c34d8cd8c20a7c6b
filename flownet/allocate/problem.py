"""An allocation problem in plain arrays, and its solution."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from flownet.allocate.cases import EXPECTED, Case, Least, Objective, Risk
from flownet.allocate.exchanges import Exchanges, check_exchanges, check_money
from flownet.allocate.linearise import Curve
from flownet.allocate.terms import Terms, no_terms
from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Booleans, Floats, Integers
from flownet.network.model import ServiceName
from flownet.solvers.goals import check_goal


class Flows(NamedTuple):
    """How jobs flow, for the growth of backlogs where not all can be served."""

    external_arrival_rate: Floats
    """(n,) jobs per T from outside."""
    service_time: Floats
    """(n,) mean time for which a job holds a server, > 0 where there is load."""
    start: Integers
    """(m,) routes lead from here ..."""
    end: Integers
    """(m,) ... to here ..."""
    share: Floats
    """(m,) ... for this share of the jobs served."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AllocationProblem:
    """Servers to be bought and moved, and what they are good for.

    Attributes
    ----------
    names : tuple
        The n services.
    servers : numpy.ndarray
        (n,) at present, >= 0; ``inf`` where the service takes no part.
    load : numpy.ndarray
        (n,) offered load [erlang]; a service without load has no delay.
    curve : callable, optional
        Delay at each service by its servers (`Curve`); needed for the goals delay and cost.
    goal : {'delay', 'cost', 'throughput'}
        See `flownet.solvers.goals`.
    budget : float
        New money per T, spent on purchases and moves.
    exchanges : Exchanges, optional
        Permitted moves; None stands for none.
    integer : bool
        Whether purchases and moves are whole numbers. Servers are then the present number plus or
        minus a whole number; what a move leaves over below one server is not used.
    cost_per_server : numpy.ndarray
        (n,) money per server and T, as the goal cost counts it; nan, the default, counts as 0.
    price : numpy.ndarray
        (n,) money per T for one more server; nan where none can be bought. Default the
        `cost_per_server`, and where that is 0 or nan none can be bought.
    refund : numpy.ndarray
        (n,) money per T that a server given up saves; nan, the default, where none may be.
    weight : numpy.ndarray
        (n,) what one delayed job counts in the goal: 1 for delay, cost_of_delay for cost.
    loss_curve : callable, optional
        Money per T for jobs lost at each service by its servers, added to the goals delay and
        cost.
    min_servers, max_servers : numpy.ndarray
        (n,) bounds.
    needs_stability : numpy.ndarray of bool
        (n,) whether the load must stay below the servers (not where jobs are lost or give up).
    margin : float
        Share of the servers that stays free at those services, in [0, 1).
    flows : Flows, optional
        For the growth of backlogs; without it every service counts alone, in erlang.
    convex : numpy.ndarray of bool
        (n,) whether the curves are known to be convex; others are tabled at whole steps.
    terms : Terms, optional
        What else a plan must keep to.
    cases : tuple of Case
        Several demands, or several goals; in place of `curve`, `loss_curve` and `weight`. The
        `load` is then the largest of theirs.
    risk : Risk
        How the values of several cases become one.
    keeps : tuple of float
        The most that the value of the first goals may be; the next one is the objective.
    least : tuple of Least
        Servers that targets ask for.
    unit : str
        What is counted, in the singular, for messages.
    """

    names: tuple[ServiceName, ...]
    servers: Floats
    load: Floats
    curve: Curve | None = None
    goal: str = "delay"
    budget: float = 0.0
    exchanges: Exchanges | None = None
    integer: bool = True
    cost_per_server: Floats | None = None
    price: Floats | None = None
    refund: Floats | None = None
    weight: Floats | None = None
    loss_curve: Curve | None = None
    min_servers: Floats | None = None
    max_servers: Floats | None = None
    needs_stability: Booleans | None = None
    margin: float = 1e-6
    flows: Flows | None = None
    convex: Booleans | None = None
    terms: Terms | None = None
    cases: tuple[Case, ...] = ()
    risk: Risk = EXPECTED
    keeps: tuple[float, ...] = ()
    least: tuple[Least, ...] = ()
    unit: str = "server"


class Given(NamedTuple):
    """An allocation problem with nothing left open: every array is there, and checked."""

    names: tuple[ServiceName, ...]
    servers: Floats
    load: Floats
    goal: str
    budget: float
    exchanges: Exchanges
    integer: bool
    price: Floats
    """(n,) money for one more server; nan where none can be bought."""
    refund: Floats
    """(n,) money that one server given up saves; nan where none may be."""
    low: Floats
    high: Floats
    need: Floats
    """(n,) servers at which the service is stable, with the margin; 0 where it needs none."""
    margin: float
    flows: Flows
    convex: Booleans
    terms: Terms
    cases: tuple[Case, ...]
    risk: Risk
    keeps: tuple[float, ...]
    least: tuple[Least, ...]
    unit: str

    @property
    def limited(self) -> list[int]:
        """The services with finitely many servers."""
        return [int(i) for i in np.flatnonzero(np.isfinite(self.servers))]

    @property
    def money(self) -> float:
        """The most money there can be: the budget, and what all that may be given up saves."""
        spare = np.where(np.isfinite(self.servers), self.servers - self.low, 0.0)
        return self.budget + float((np.nan_to_num(self.refund) * np.maximum(spare, 0.0)).sum())


@dataclass(frozen=True, eq=False)
class AllocationSolution:
    """What to buy and to move, and how good that provably is.

    Attributes
    ----------
    status : {'optimal', 'within_gap', 'stopped'}
        ``optimal``: the gap is below 1e-9; ``within_gap``: below what was asked for; ``stopped``:
        at a limit, `gap` says where.
    servers : numpy.ndarray
        (n,) after the plan.
    bought : numpy.ndarray
        (n,) servers bought; negative where some are given up.
    moved : numpy.ndarray
        (m,) servers given up, by entry of the exchanges.
    unused : numpy.ndarray
        (n,) what moves leave over below one whole server.
    spent : float
        Money per T.
    objective_value : float
        The goal by the curves themselves; with `growth`, that of the services that are stable.
        For throughput the scale to which demand can grow.
    objective_bound : float
        No allocation can be better than this.
    gap : float
        Their relative distance.
    delay : numpy.ndarray
        (n,) by the curves; ``inf`` at the services that stay overloaded.
    growth : numpy.ndarray
        (n,) jobs per T by which the backlog grows; all 0 where a stable plan exists.
    growth_bound : float
        No allocation has a smaller total growth.
    overloaded : tuple of int
        The services that no affordable plan could make stable along with the rest, or that were
        given up for less growth in total.
    duals : dict
        Change of the goal per unit of right-hand side, by the constraints' names, and for
        ``min_servers[...]``, ``max_servers[...]`` and ``exchange_limit[...]``; for whole numbers
        those of the relaxation.
    ranges : dict
        Between which right-hand sides the dual of a limit stays what it is.
    not_convex : tuple of int
        Services whose curve was tabled at whole steps as it is not convex.
    rounds : int
        How often a program was solved.
    """

    status: str
    servers: Floats
    bought: Floats
    moved: Floats
    unused: Floats
    spent: float
    objective_value: float
    objective_bound: float
    gap: float
    delay: Floats
    growth: Floats
    growth_bound: float
    overloaded: tuple[int, ...]
    duals: Mapping[str, float] = field(repr=False)
    ranges: Mapping[str, tuple[float, float]] = field(repr=False)
    not_convex: tuple[int, ...]
    rounds: int


def check_problem(problem: AllocationProblem) -> Given:
    """Return the problem with all defaults in place.

    Raises
    ------
    ParameterError
        With every fault: figures that are negative or nan, bounds that cross, a curve that is
        missing, something free of charge without a limit, moves that touch an unlimited service.
    UnknownNameError
        Where the goal does not exist.
    """
    check_goal(problem.goal)
    count = len(problem.names)
    servers, load = _array(problem.servers, count, 0.0), _array(problem.load, count, 0.0)
    low = _array(problem.min_servers, count, 0.0)
    high = _array(problem.max_servers, count, math.inf)
    cost = np.nan_to_num(_array(problem.cost_per_server, count, math.nan), nan=0.0, posinf=np.inf)
    price = _array(problem.price, count, 0.0)
    if problem.price is None:
        price = np.where(cost > 0, cost, math.nan)
    refund = _array(problem.refund, count, math.nan)
    weight = _array(problem.weight, count, 1.0)
    exchanges = problem.exchanges or check_exchanges(None, problem.names)
    columns = {
        "servers": servers,
        "load": load,
        "min_servers": low,
        "max_servers": high,
        "cost_per_server": cost,
        "price": np.nan_to_num(price, nan=0.0),
        "refund": np.nan_to_num(refund, nan=0.0),
        "weight": weight,
    }
    faults = [*_figure_faults(problem, columns), *_limit_faults(problem, columns, price, exchanges)]
    if faults:
        raise ParameterError(faults, "allocation")
    check_money(exchanges, price, refund)
    stable = _flags(problem.needs_stability, count)
    flows = problem.flows or Flows(
        load, np.ones(count), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    )
    return Given(
        tuple(problem.names),
        servers,
        load,
        problem.goal,
        float(problem.budget),
        exchanges,
        problem.integer,
        price,
        refund,
        low,
        high,
        np.where(stable, load / (1.0 - problem.margin), 0.0),
        problem.margin,
        flows,
        _flags(problem.convex, count),
        problem.terms or no_terms(count),
        problem.cases or (_one_case(problem, load, weight, cost),),
        problem.risk,
        problem.keeps,
        problem.least,
        problem.unit,
    )


def _one_case(problem: AllocationProblem, load: Floats, weight: Floats, cost: Floats) -> Case:
    """Return the case that a problem with one demand and one goal stands for."""
    capacity = cost if problem.goal == "cost" else np.zeros_like(cost)
    objective = Objective(weight, capacity)
    return Case("", 1.0, load, problem.curve, problem.loss_curve, (objective,))


def _flags(values: Booleans | None, count: int) -> Booleans:
    return np.broadcast_to(np.asarray(True if values is None else values, dtype=bool), (count,))


def _array(values: Floats | None, count: int, default: float) -> Floats:
    given = default if values is None else values
    return np.broadcast_to(np.asarray(given, dtype=np.float64), (count,))


def _figure_faults(problem: AllocationProblem, columns: Mapping[str, Floats]) -> list[Fault]:
    """Return what is wrong with single figures."""
    faults = []
    may_be_infinite = {"servers", "max_servers"}
    for attribute, values in columns.items():
        wrong = ~(values >= 0) | (np.isinf(values) & (attribute not in may_be_infinite))
        for i in np.flatnonzero(wrong).tolist():
            message = "must be a finite number that is not negative"
            faults.append(Fault(_service(problem, i), attribute, f"{values[i]:g}", message))
    if not 0 <= problem.budget < math.inf:
        message = "must be a finite amount of money per time unit that is not negative"
        faults.append(Fault("allocation", "budget", f"{problem.budget:g}", message))
    if not 0 <= problem.margin < 1:
        message = "must be a share of the servers, at least 0 and below 1"
        faults.append(Fault("allocation", "margin", f"{problem.margin:g}", message))
    if problem.curve is None and not problem.cases and problem.goal != "throughput":
        message = f"the goal '{problem.goal}' needs the curves of delay by servers"
        faults.append(Fault("allocation", "curve", "", message))
    return faults


def _limit_faults(
    problem: AllocationProblem,
    columns: Mapping[str, Floats],
    price: Floats,
    exchanges: Exchanges,
) -> list[Fault]:
    """Return bounds that cross, what is free without limit, and moves that mean nothing."""
    faults = []
    if problem.terms is not None and problem.terms.lumpy and not problem.integer:
        message = "must be true with fixed costs, shifts or a most of changed services"
        faults.append(Fault("allocation", "integer", "False", message))
    if not problem.integer and exchanges.training.any():
        message = "must be true where a move has a cost of training"
        faults.append(Fault("allocation", "integer", "False", message))
    limited = np.isfinite(columns["servers"])
    low, high = columns["min_servers"], columns["max_servers"]
    for i in np.flatnonzero(limited & (low > high)).tolist():
        message = f"is more than max_servers = {high[i]:g}: the bounds cross"
        faults.append(Fault(_service(problem, i), "min_servers", f"{low[i]:g}", message))
    for i in np.flatnonzero(limited & (price == 0) & np.isinf(high)).tolist():
        message = "with no max_servers nothing would limit what is bought: give a price or a limit"
        faults.append(Fault(_service(problem, i), "price", "0", message))
    for k in range(len(exchanges)):
        for end in (exchanges.start[k], exchanges.end[k]):
            if not limited[end]:
                message = "has unlimited servers: nothing can be moved from or to it"
                where = f"exchange {exchanges.label(k)}"
                faults.append(Fault(where, "servers", repr(problem.names[end]), message))
    return faults


def _service(problem: AllocationProblem, i: int) -> str:
    return f"service {problem.names[i]!r}"
