"""`reallocate`: where servers should be bought or moved, promised and then verified in full."""

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
from flownet.network.model import Network, ServiceName
from flownet.solvers.goals import GoalValue
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve


def reallocate(
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
    budgets: Any = None,
    groups: Any = None,
    max_changed: int | None = None,
    fixed_costs: Any = None,
    shift: Any = None,
    protect: Any = None,
    targets: Any = None,
    scenarios: Any = None,
    risk: Any = "expected",
    method: str = "auto",
    gap: float = 1e-3,
    time_limit: float | None = None,
    solver: str = "auto",
    progress: Progress | None = None,
) -> Plan:
    r"""Return where servers, or other capacity, should be bought, given up or moved.

    Parameters
    ----------
    network : Network
        The system as it is; it is not changed.
    goal : str, mapping, or sequence of these
        'delay', 'cost', 'throughput' (see `flownet.solvers.goals.goal_value`), 'weighted_delay' (by
        ``cost_of_delay``), 'number_present' (delayed or in service), 'worst_breach' (the largest
        wait over its ``target``), 'worst_organisation' or 'worst_class' (the largest delay per
        job); a mapping adds up goals by weight; a sequence takes them one after the other.
        Where a backlog grows, its growth comes first.
    budget : float
        New money per T, at least 0; spent on servers at each service's ``cost_per_server`` or its
        price in `prices` (where neither is given, none can be bought), on the cost of moves,
        training and fixed costs.
    exchanges : table, optional
        What may move: rows with ``from``, ``to``, ``rate`` (servers gained per server given up,
        default 1), ``cost`` (money per T and server given up, default 0), ``limit`` (most that may
        be given up), ``training`` (money per T once anything is moved). Nothing is moved or
        released that they do not permit.
    integer : bool, optional
        Whole numbers, or parts of them too. By default whole where anything is counted (servers,
        waiting places), divisible where only rates or times are decided on.
    decide : str or mapping
        What is bought, moved or given up: 'servers', 'service_rate' (jobs per T of each server),
        'service_time' (T per job) or 'waiting_room' (places), everywhere or by service.
    prices : float or mapping, optional
        Money per T for one more, everywhere or by service, in place of ``cost_per_server``.
    release : True, float or mapping, optional
        What may be given up without an exchange, and the money per T that one saves, which adds to
        the budget; True stands for its price.
    bounds : mapping, optional
        {service: (least, most)} after the plan, in place of ``min_servers`` and ``max_servers``.
    budgets : mapping, optional
        Staff, floor space and the like: {name: {"limit": most, "use": {service: per server}}},
        over all servers after the plan.
    groups : mapping, optional
        {name: {"services": [...], "min": least, "max": most}}: servers together.
    max_changed : int, optional
        The most services whose servers may change.
    fixed_costs : mapping, optional
        {service: money per T where servers are added}, or {service: {"opening": money, "closing":
        money}}; paid from `budget`.
    shift : float or mapping, optional
        Servers change by multiples of this, everywhere or by service.
    protect : float or mapping, optional
        By how many delayed jobs an organisation may become worse off: every one, or by name.
    targets : mapping, optional
        {service: {measure: at most}} with waiting_time, wait_probability, utilization, occupancy,
        loss_probability (a level, or {servers: level} by size), and {"network": {"within": (time,
        share)}} for the share of jobs that leave within a time.
    scenarios : sequence or mapping, optional
        Demands that one plan is for: networks or `Scenario`, each alone or as (scenario, weight).
        The network itself counts only if it is among them.
    risk : str or ('cvar', level)
        'expected', 'minimax', 'regret' or 'cvar' (level 0.9: the mean of the worst tenth).
    method : str
        As for `solve`; the same method verifies.
    gap : float
        Relative gap between a program's value and its bound that is good enough; 1e-9 asks for the
        proven optimum.
    time_limit : float, optional
        Seconds that a program may take; the best found by then is returned, with its gap.
    solver : str
        'auto' (HiGHS in this process), 'highs', 'cbc', or another that PuLP finds.
    progress : callable, optional
        Called with (done, total) while the full model is searched.

    Returns
    -------
    Plan
        With promised and verified gain side by side.

    Raises
    ------
    ParameterError, UnknownNameError
        For an impossible budget, exchange or term, or a goal without the prices it needs.
    ProgramError
        Where no allocation keeps to the bounds and terms; those in conflict are named, with what
        would resolve it.
    UnconvergedError
        Where the network, before or after, could not be solved.

    Notes
    -----
    Where delay at a service depends on its own servers only (no blocking, loss or giving up), the
    program is exact for the curves, whose flows and variability are those of the present network.
    Elsewhere, and for terms that have no linear form, the curves are taken from the full model
    around a plan, the program proposes the next one, and steps of one server on the full model end
    the search: a local optimum, without bound.

    Examples
    --------
    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour", "currency": "GBP"},
    ...     "services": [
    ...         {"name": "a", "service_time": 1.0, "servers": 2, "external_arrival_rate": 1.8,
    ...          "cost_per_server": 10.0},
    ...         {"name": "b", "service_time": 1.0, "servers": 2, "external_arrival_rate": 1.2,
    ...          "cost_per_server": 10.0},
    ...     ],
    ... })
    >>> fn.reallocate(network, budget=10.0).servers
    {'a': 3}
    """
    aims = read_goal(goal)
    before = _solved(network, method)
    terms = read_terms(
        network.services,
        [network.organisation(name) for name in network.services],
        budgets=budgets,
        groups=groups,
        max_changed=max_changed,
        fixed_costs=fixed_costs,
        shift=shift,
        protect=protect,
        targets=targets,
    )
    levers = read_levers(decide, network.services)
    rules = read_rules(
        before,
        check_exchanges(exchanges, network.services),
        terms,
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
    return plan_for(before, demands, judge, rules, search)


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
    if not solution.converged:
        message = f"the network could not be solved by '{solution.method}': no plan can be given"
        raise UnconvergedError(message)
    return solution


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
        kind != "servers" or float(after).is_integer() for kind, _, after in changes.values()
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
