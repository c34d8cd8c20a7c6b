"""A task of reallocation that has been read: who judges it, what it may do, and its plan."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from flownet.allocate.aims import Aim, aim_value, read_goal
from flownet.allocate.cases import Risk
from flownet.allocate.demands import Demand, read_demands, read_risk
from flownet.allocate.exchanges import check_exchanges
from flownet.allocate.judge import Judge, Score, missed_in_words
from flownet.allocate.levers import LevelChange, carried_out, read_levers
from flownet.allocate.outcome import changes_of, limits_table, moves_table, worse_services
from flownet.allocate.plan import Plan
from flownet.allocate.proposal import Progress, Proposal, Search
from flownet.allocate.propose_divisible import propose_divisible
from flownet.allocate.propose_model import propose_on_model
from flownet.allocate.propose_separable import propose_separable, reasons_not_to
from flownet.allocate.read_rules import read_rules
from flownet.allocate.search import Rules
from flownet.allocate.terms import read_terms
from flownet.errors import Fault, ParameterError, ProgramError, UnconvergedError
from flownet.kernels.blocking_full import COMPRESSED, FULL
from flownet.network.model import Network, ServiceName
from flownet.solvers.goals import GoalValue
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve

_FEW_SERVICES, _FEW_PLACES = 4, 10
"""Up to so many services with so many places each, blocking is solved in full at every trial."""


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A task that has been read.

    Attributes
    ----------
    before : Solution
        The network as it is.
    demands : tuple of Demand
        What one plan is for.
    judge : Judge
        What a plan is worth by the full model.
    rules : Rules
        What it may do.
    search : Search
        How far to look.
    """

    before: Solution
    demands: tuple[Demand, ...]
    judge: Judge
    rules: Rules
    search: Search

    def plan(self) -> Plan:
        """Return the best plan."""
        return plan_for(self.before, self.demands, self.judge, self.rules, self.search)

    def keeping(self, most: float) -> Task:
        """Return the task with its first goal held to at most this value, the next one aimed at."""
        judge = dataclasses.replace(self.judge, keeps=(most,), missed=set(), _known={})
        return dataclasses.replace(self, judge=judge)


def task_of(
    network: Network,
    goal: Any = "delay",
    budget: float = 0.0,
    exchanges: Any = None,
    integer: bool | None = None,  # noqa: FBT001  # the promised signature
    *,
    decide: Any = "servers",
    prices: Any = None,
    release: Any = None,
    bounds: Any = None,
    scenarios: Any = None,
    risk: Any = "expected",
    method: str = "auto",
    gap: float = 1e-3,
    time_limit: float | None = None,
    solver: str = "auto",
    progress: Progress | None = None,
    **terms: Any,
) -> Task:
    """Return a task as it was asked for; see `flownet.reallocate`.

    Raises
    ------
    ParameterError, UnknownNameError
        For what is impossible or does not exist.
    UnconvergedError
        Where a demand could not be solved.
    """
    aims = read_goal(goal)
    levers = read_levers(decide, network)
    before = _solved(network, method)
    if levers.hours and before.method == "product_form":  # which needs whole servers
        before = _solved(network, "decomposition")
    organisations = [network.organisation(name) for name in network.services]
    rules = read_rules(
        before,
        check_exchanges(exchanges, network.services),
        read_terms(network.services, organisations, **terms),
        levers,
        budget=budget,
        prices=prices,
        release=release,
        bounds=bounds,
        integer=integer,
    )
    search = Search(rules.integer, *check_limits(gap, time_limit), solver, progress)
    demands = read_demands(network, scenarios)
    judge = _judge(before, demands, aims, rules, risk, method)
    if judge.risk.kind == "regret":
        judge = _with_best(judge, rules, search)
    return Task(before, demands, judge, rules, search)


def plan_for(
    before: Solution,
    demands: tuple[Demand, ...],
    judge: Judge,
    rules: Rules,
    search: Search,
) -> Plan:
    """Return the plan of a task that has been read."""
    proposal = propose(judge, rules, search)
    changes = changes_of(rules, proposal.servers)
    afters = [_after(each, changes) for each in judge.solutions]
    now, then = judge.score(judge.solutions), judge.score(afters)
    missed = [
        words
        for trial, present in zip(afters, judge.solutions, strict=True)
        for words in missed_in_words(trial, present, judge.terms)
    ]
    if missed and then.broken > 0:
        best = "; ".join(dict.fromkeys(missed))
        raise ProgramError(f"no allocation was found that keeps to every term; the best: {best}")
    own = [k for k, each in enumerate(demands) if each.network is before.network]
    after = afters[own[0]] if own else _after(before, changes)
    label = ", then ".join(aim.label for aim in judge.aims)
    return Plan(
        before=before,
        after=after,
        goal=label,
        aims=_plain_aims(judge.aims),
        budget=rules.budget,
        value_before=_value(judge, now, proposal.leading),
        value_after=_value(judge, then, proposal.leading),
        moves=moves_table(before, rules, proposal),
        gain_promised=proposal.gain,
        gap=proposal.gap,
        shadow_prices=limits_table(before, rules, proposal, judge.aims[0].label),
        made_worse=worse_services(before, after),
        spent=rules.spent(proposal.bought, proposal.moved),
        changes=changes,
        how=proposal.how,
        status=proposal.status,
        bound=proposal.bound,
        goals=_goals_table(judge, now, then),
        scenarios=_scenario_table(judge, demands, afters),
    )


def propose(judge: Judge, rules: Rules, search: Search) -> Proposal:
    """Return the best allocation that one of the ways finds."""
    cheapest = np.nanmin(np.append(rules.price, math.inf))
    affordable = cheapest == 0 or (
        rules.budget > 0 and (not rules.integer or cheapest <= rules.budget * (1 + 1e-9))
    )
    nothing = (np.zeros(rules.servers.size), np.zeros(len(rules.exchanges)))
    movable = len(rules.exchanges) > 0 or rules.releasable.any()
    if not affordable and not movable and rules.allows(*nothing):
        how = "nothing may be bought with this budget, and nothing may be moved"
        return Proposal(rules.servers, *nothing, 0.0, 0.0, how, status="nothing to do")
    reasons, start = reasons_not_to(judge), None
    if not reasons:
        found = propose_separable(judge, rules, search)
        if found is not None and judge.at(found.servers).broken == 0:
            return found
        reasons = ["a term has no linear form, or not every demand can be met"]
        start = None if found is None else (found.bought, found.moved)
    if not rules.integer:
        return propose_divisible(judge, rules, search, start)
    return propose_on_model(judge, rules, search, start)


def _solved(network: Network, method: str) -> Solution:
    solution = solve(network, method)
    if solution.options.get("mode") == FULL and not _quick(solution):
        solution = solve(network, solution.method, mode=COMPRESSED)
    if not solution.converged:
        message = f"the network could not be solved by '{solution.method}': no plan can be given"
        raise UnconvergedError(message)
    return solution


def _quick(solution: Solution) -> bool:
    """Return whether blocking can be solved in full hundreds of times: few services, few places.

    The states of a part are those of neighbours together, and another server may make them too
    many, so that trials could not be held against each other.
    """
    arrays = solution.compilation.arrays
    places = np.where(np.isfinite(arrays.capacity), arrays.capacity, arrays.servers)
    return arrays.servers.size <= _FEW_SERVICES and float(places.max()) <= _FEW_PLACES


def check_limits(gap: Any, time_limit: Any) -> tuple[float, float | None]:
    """Return gap and time limit where they are numbers that mean something.

    Raises
    ------
    ParameterError
        For a gap below 0 or a time limit that is not above 0.
    """
    faults = []
    if isinstance(gap, bool) or not isinstance(gap, (int, float)) or not 0 <= gap < math.inf:
        message = "must be a relative gap, at least 0, for instance 0.001"
        faults.append(Fault("reallocate", "gap", repr(gap), message))
    numeric = isinstance(time_limit, (int, float)) and not isinstance(time_limit, bool)
    if time_limit is not None and not (numeric and time_limit > 0):
        message = "must be a number of seconds above 0"
        faults.append(Fault("reallocate", "time_limit", repr(time_limit), message))
    if faults:
        raise ParameterError(faults)
    return float(gap), time_limit


def _judge(
    before: Solution,
    demands: tuple[Demand, ...],
    aims: tuple[Aim, ...],
    rules: Rules,
    risk: Any,
    method: str,
) -> Judge:
    solutions = tuple(
        before if each.network is before.network else _solved(each.network, method)
        for each in demands
    )
    names = tuple(each.name for each in demands)
    shares = tuple(each.share for each in demands)
    for name, each in zip(names, solutions, strict=True):
        if not np.array_equal(rules.levers.present(each), rules.servers):
            message = "differs in what the plan decides on: scenarios differ in demand"
            raise ParameterError([Fault(f"scenario '{name}'", "", "", message)])
    return Judge(names, solutions, shares, read_risk(risk), aims, rules.terms, rules.levers)


def _with_best(judge: Judge, rules: Rules, search: Search) -> Judge:
    """Return a judge that knows the best value of each demand alone."""
    if len(judge.aims) > 1:
        message = "takes one goal, which may be a sum"
        raise ParameterError([Fault("risk 'regret'", "goal", "", message)])
    best = []
    for name, solution in zip(judge.names, judge.solutions, strict=True):
        alone = dataclasses.replace(
            judge, names=(name,), solutions=(solution,), shares=(1.0,), risk=Risk(), _known={}
        )
        found = propose(alone, rules, search)
        best.append(alone.at(found.servers).goals[0])
    return dataclasses.replace(judge, risk=judge.risk._replace(best=tuple(best)), _known={})


def _after(solution: Solution, changes: Mapping[ServiceName, LevelChange]) -> Solution:
    """Return a demand solved anew with the plan carried out."""
    if not changes:
        return solution
    # a product form needs whole servers; its waits and the decomposition's are the same
    whole = all(
        kind not in {"servers", "opening_hours"}
        or (kind == "servers" and float(after).is_integer())
        for kind, _, after in changes.values()
    )
    method = solution.method if whole or solution.method != "product_form" else "decomposition"
    changed = carried_out(solution.network, changes)
    after = solve(changed, method, **solution.options)
    if not after.converged:
        message = f"the network with the plan carried out could not be solved by '{method}'"
        raise UnconvergedError(message)
    return after


def _plain_aims(aims: tuple[Aim, ...]) -> list[Any]:
    """Return goals as `read_goal` takes them."""
    return [aim.single or dict(aim.weights) for aim in aims]


def _value(judge: Judge, score: Score, goal: int) -> GoalValue:
    """Return a score as the value of one goal."""
    name = judge.aims[goal].label
    value = score.goals[goal]
    return GoalValue(name, score.growth, -value if name == "throughput" else value)


def _goals_table(judge: Judge, now: Score, then: Score) -> pd.DataFrame:
    """Return every goal before and after."""
    rows = [
        (_value(judge, now, g).value, _value(judge, then, g).value) for g in range(len(judge.aims))
    ]
    index = pd.Index([aim.label for aim in judge.aims], name="goal")
    return pd.DataFrame(rows, columns=["before", "after"], index=index)


def _scenario_table(
    judge: Judge, demands: tuple[Demand, ...], afters: list[Solution]
) -> pd.DataFrame:
    """Return the first goal in every demand, before and after."""
    rows = []
    for each, before, after in zip(demands, judge.solutions, afters, strict=True):
        now, then = (aim_value(solution, judge.aims[0]) for solution in (before, after))
        rows.append((each.name, each.share, now.value, then.value, now.growth, then.growth))
    columns = ["scenario", "weight", "before", "after", "growth_before", "growth_after"]
    return pd.DataFrame(rows, columns=columns).set_index("scenario")
