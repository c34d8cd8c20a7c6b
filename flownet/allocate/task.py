"""A task of reallocation that has been read: who judges it, what it may do, and its plan."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from flownet.allocate.aims import Aim, aim_value
from flownet.allocate.demands import Demand
from flownet.allocate.judge import Judge, Score, missed_in_words
from flownet.allocate.levers import LevelChange, carried_out
from flownet.allocate.limits import limits_table
from flownet.allocate.outcome import changes_of, moves_table, worse_services
from flownet.allocate.plan import Plan
from flownet.allocate.proposal import Proposal, Search
from flownet.allocate.propose_divisible import propose_divisible
from flownet.allocate.propose_model import propose_on_model, worths_by
from flownet.allocate.propose_separable import propose_separable, reasons_not_to
from flownet.allocate.search import Rules
from flownet.errors import MethodError, ProgramError, UnconvergedError
from flownet.kernels.blocking_full import COMPRESSED, FULL
from flownet.network.model import ServiceName
from flownet.solvers.goals import GoalValue
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve_alike


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
    told, afters = _as_solved(judge, changes)
    if told is not judge and proposal.tried:
        duals, tried = worths_by(told, rules, proposal.servers)
        proposal = dataclasses.replace(proposal, duals=duals, tried=tried)
    how = f"{proposal.how}; {_judged(afters[0], judge.solutions[0])}"
    judge = told
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
    today = judge.solutions[own[0]] if own else before
    after = afters[own[0]] if own else _after(today, changes)
    label = ", then ".join(aim.label for aim in judge.aims)
    return Plan(
        before=today,
        after=after,
        goal=label,
        aims=_plain_aims(judge.aims),
        budget=rules.budget,
        value_before=_value(judge, now, proposal.leading),
        value_after=_value(judge, then, proposal.leading),
        moves=moves_table(before, rules, proposal),
        gain_promised=proposal.gain,
        gap=proposal.gap,
        shadow_prices=limits_table(before, rules, proposal, judge.aims[proposal.priced].label),
        made_worse=worse_services(today, after),
        spent=rules.spent(proposal.bought, proposal.moved),
        changes=changes,
        how=how,
        status=proposal.status,
        bound=proposal.bound,
        goals=_goals_table(judge, now, then),
        scenarios=_scenario_table(judge, demands, afters),
        needed=now.broken > 0 >= then.broken,
        risk=f"cvar {judge.risk.level:g}" if judge.risk.kind == "cvar" else judge.risk.kind,
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


def _as_solved(
    judge: Judge, changes: Mapping[ServiceName, LevelChange]
) -> tuple[Judge, list[Solution]]:
    """Return the judge of the plan that was found, and every demand with it carried out.

    Blocking is searched in the quick mode. Where `solve` takes the other one of itself, the plan is
    told by it, so that its figures are those of the network's own solution.
    """
    quick = [each for each in judge.solutions if each.options.get("mode") == COMPRESSED]
    whole = [solve_alike(each.network, each) for each in quick]
    if len(whole) == len(judge.solutions) and all(
        each.converged and each.options.get("mode") == FULL for each in whole
    ):
        told = dataclasses.replace(judge, solutions=tuple(whole), missed=set(), _known={})
        try:
            return told, [_after(each, changes) for each in whole]
        except (MethodError, UnconvergedError):  # the plan is beyond that mode
            return judge, [_after(each, changes) for each in judge.solutions]
    return judge, [_after(each, changes) for each in judge.solutions]


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
    after = solve_alike(changed, solution, method, **solution.options)
    if not after.converged:
        message = f"the network with the plan carried out could not be solved by '{method}'"
        raise UnconvergedError(message)
    return after


def _judged(after: Solution, searched: Solution) -> str:
    """Return by what a plan was judged, so that it can be checked."""
    mode, quick = after.options.get("mode"), searched.options.get("mode")
    exact = "exact" if after.exact else "approximate"
    model = f"'{after.method}' ({f'{mode} mode, ' if mode else ''}{exact})"
    other = f", searched in its {quick} mode" if quick != mode else ""
    return f"the full model is {model}{other}"


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
