"""One exact program, where delay at each service depends on its own servers only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from flownet.allocate.aims import Aim, targets_of
from flownet.allocate.cases import Case, Least, Objective, Part, Risk
from flownet.allocate.curves import (
    Station,
    is_separable,
    level_needed,
    lever_curve,
    number_waiting,
    stations_of,
)
from flownet.allocate.formulation import Model, curve_variables
from flownet.allocate.judge import Judge
from flownet.allocate.needs import BY_RATE, least_rate, least_servers
from flownet.allocate.problem import AllocationProblem, Flows, check_problem
from flownet.allocate.proposal import Proposal, Search
from flownet.allocate.search import Rules
from flownet.allocate.separable import can_be_stable, solve_separable
from flownet.allocate.terms import Target
from flownet.allocate.whole_worths import whole_worths
from flownet.allocate.worth import case_worths, over_cases
from flownet.kernels.compiled import Floats
from flownet.kernels.traffic import solve_traffic
from flownet.programs import Program, choose_solver
from flownet.solvers.solution import Solution

_IN_PROGRAMS = {
    "delay", "cost", "throughput", "worst_breach", "worst_organisation", "weighted_delay",
    "number_present",
}  # fmt: skip


def reasons_not_to(judge: Judge) -> list[str]:
    """Return why one program does not cover a task; empty where it does."""
    reasons = []
    kinds = set(judge.levers.kinds)
    if not kinds <= {"servers", "service_rate", "opening_hours"}:
        reasons.append("a longer time or a waiting room has no falling curve of its own")
    if kinds != {"servers"}:
        if not all(_has_formula(judge, each) for each in judge.terms.targets):
            reasons.append("a target is to be met by something that has no formula for it")
        counted = {goal for aim in judge.aims for goal in aim.weights}
        if "number_present" in counted and counted != {"number_present"}:
            reasons.append("jobs in service count in one goal and not in another")
    if not all(is_separable(solution) for solution in judge.solutions):
        reasons.append("services depend on each other's servers")
    if not all(aim.weights.keys() <= _IN_PROGRAMS for aim in judge.aims):
        reasons.append("a goal has no linear form")
    worst = {"worst_breach", "worst_organisation"}
    if any(len(worst & aim.weights.keys()) > 1 for aim in judge.aims):
        reasons.append("two kinds of worst are added up")
    throughput = any("throughput" in aim.weights for aim in judge.aims)
    if throughput and (len(judge.solutions) > 1 or judge.terms.protect):
        reasons.append("throughput is not linear over several demands, nor beside delay limits")
    held = any(
        bool((solution.services["delay"] - solution.services["number_waiting"] > 1e-9).any())
        for solution in judge.solutions
        if not solution.overloaded
    )
    if held and any("worst_organisation" in aim.weights for aim in judge.aims):
        reasons.append("transfers hold servers, which the curves of delay do not show")
    return reasons


def propose_separable(judge: Judge, rules: Rules, search: Search) -> Proposal | None:
    """Return the best allocation; None where not every demand can be met by stable services.

    None stands for a task with several demands, goals or limits on delay only: a simple one is
    then solved for the least growth of backlogs.
    """
    integer = search.integer
    problem = problem_of(judge, rules, integer=integer)
    simple = len(problem.cases) == 1 and len(judge.aims) == 1 and not problem.cases[0].protect
    if problem.goal != "throughput" and not simple and not can_be_stable(problem, search.solver):
        return None
    best = solve_separable(
        problem, gap=search.gap, time_limit=search.time_limit, solver=search.solver
    )
    unit = "servers" if judge.levers.plain else "numbers"
    how = (
        f"one program over {'whole' if integer else 'divisible'} {unit}, delay curves as "
        f"{'secants' if integer else 'tangents'} refined where the solution lies ({best.rounds} "
        f"rounds by the solver '{choose_solver(search.solver)}', {_STATUS[best.status]})"
    )
    now, then = (_worths(problem, c, judge.risk) for c in (problem.servers, best.servers))
    leading, gain = _leading(now, then, len(judge.keeps))
    grows, duals = judge.at(rules.servers).growth, dict(best.duals)
    if problem.goal == "throughput":
        solution = judge.solutions[0]
        external = float(solution.compilation.arrays.external_arrival_rate.sum())
        duals = {name: dual * external for name, dual in duals.items()}  # jobs, not scales
        gain = best.objective_value * external + judge.at(rules.servers).goals[0]
    elif grows > 0:
        gain = grows - float(best.growth.sum())
    tried: dict[str, float] = {}
    if integer and grows == 0 and problem.goal != "throughput":
        worths = whole_worths(problem, best, search)
        tried = {name: count for name, (_, count) in worths.items()}
        duals |= {name: -gain / count for name, (gain, count) in worths.items()}
    # where a backlog grows the duals belong to the delay of what is stable, not to the growth
    shown = grows == 0 or problem.goal == "throughput"
    return Proposal(
        best.servers,
        best.bought,
        best.moved,
        gain,
        best.gap,
        how,
        duals if shown else {},
        {k: v for k, v in best.ranges.items() if k not in tried} if shown else {},
        tried,
        len(judge.aims) - 1,
        problem.goal != "throughput",
        leading,
        tuple(then),
        best.status,
    )


def _has_formula(judge: Judge, target: Target) -> bool:
    """Return whether what a target takes at its service can be worked out by itself."""
    kind = judge.levers.kinds[target.service]
    return kind == "servers" or (kind == "service_rate" and target.measure in BY_RATE)


_STATUS = {
    "optimal": "optimal: the gap is below 1e-9",
    "within_gap": "within the gap that was asked for",
    "stopped": "stopped at a limit, with the best found so far",
}


def problem_of(judge: Judge, rules: Rules, *, integer: bool) -> AllocationProblem:
    """Return the task as an allocation problem in arrays."""
    stations = [stations_of(solution) for solution in judge.solutions]
    levers, counts = judge.levers, judge.solutions[0].compilation.arrays.servers
    loads = [
        np.array([level_needed(s, levers, i, float(counts[i])) for i, s in enumerate(each)])
        for each in stations
    ]
    first = judge.solutions[0]
    throughput = len(judge.aims) == 1 and judge.aims[0].single == "throughput"
    cases = tuple(_case(judge, k, stations[k], loads[k]) for k in range(len(judge.solutions)))
    least: list[Least] = []
    for target in judge.terms.targets:
        i = target.service
        label = f"{first.compilation.services[i]}: {target.measure}"
        if levers.kinds[i] == "service_rate":
            name, count = first.network.label(first.compilation.services[i]), float(counts[i])
            needed = max(least_rate(each[i], count, target, name) for each in stations)
        else:
            needed = max(
                least_servers(each, target, rules, integer=integer) for each in judge.solutions
            )
        least.append(Least(label, i, needed))
    return AllocationProblem(
        names=first.compilation.services,
        servers=rules.servers,
        load=np.max(loads, axis=0),
        goal="throughput" if throughput else "delay",
        budget=rules.budget,
        exchanges=rules.exchanges,
        integer=integer,
        price=rules.price,
        refund=rules.refund,
        min_servers=rules.low,
        max_servers=rules.high,
        flows=_flows(judge, stations[0]),
        terms=judge.terms,
        cases=cases,
        risk=Risk(judge.risk.kind, judge.risk.level),
        keeps=judge.keeps,
        least=tuple(least),
        unit="server" if levers.plain else "unit",
    )


def _case(judge: Judge, k: int, stations: list[Station], load: Floats) -> Case:
    solution = judge.solutions[k]
    counts = solution.compilation.arrays.servers
    protect = tuple(
        Part(each.organisation, each.members, waiting + each.margin)
        for each in judge.terms.protect
        if math.isfinite(waiting := _waiting(solution, stations, each.members))
    )
    return Case(
        judge.names[k],
        judge.shares[k],
        load,
        lever_curve(stations, judge.levers, counts, present=_counts_service(judge)),
        None,
        tuple(_objective(judge, solution, aim, stations) for aim in judge.aims),
        protect,
    )


def _counts_service(judge: Judge) -> bool:
    """Return whether jobs in service count and can become fewer."""
    goals = {goal for aim in judge.aims for goal in aim.weights}
    return "number_present" in goals and not judge.levers.plain


def _waiting(solution: Solution, stations: list[Station], members: Sequence[int]) -> float:
    servers = solution.compilation.arrays.servers
    return sum(number_waiting(stations[i], float(servers[i])) for i in members)


def _objective(judge: Judge, solution: Solution, aim: Aim, stations: list[Station]) -> Objective:
    """Return what an aim counts, in the program's terms."""
    count = len(stations)
    weights = aim.weights
    weight = np.full(count, weights.get("delay", 0.0) + weights.get("number_present", 0.0))
    capacity = np.zeros(count)
    if "weighted_delay" in weights:
        weight = weight + weights["weighted_delay"] * _cost_weights(solution)
    if "cost" in weights:
        weight = weight + weights["cost"] * _cost_weights(solution)
        counted = np.array([kind == "servers" for kind in judge.levers.kinds])
        prices = np.where(counted, solution.compilation.cost_per_server, 0.0)
        capacity = weights["cost"] * prices
    worst: tuple[Part, ...] = ()
    if "worst_breach" in weights:
        targets = targets_of(solution)
        worst = tuple(
            Part(str(solution.compilation.services[i]), (i,), s.arrival_rate * float(targets[i]))
            for i, s in enumerate(stations)
            if not math.isnan(targets[i]) and s.arrival_rate > 0
        )
    if "worst_organisation" in weights:
        worst = _organisations(solution, stations)
    external = float(solution.compilation.arrays.external_arrival_rate.sum())
    return Objective(
        weight,
        capacity,
        worst,
        weights.get("worst_breach", weights.get("worst_organisation", 0.0)),
        weights.get("throughput", 0.0) * external,
    )


def _organisations(solution: Solution, stations: list[Station]) -> tuple[Part, ...]:
    members: dict[str, list[int]] = {}
    for i, name in enumerate(solution.compilation.services):
        members.setdefault(solution.network.organisation(name), []).append(i)
    sizes = {name: sum(stations[i].arrival_rate for i in each) for name, each in members.items()}
    return tuple(
        Part(name, tuple(each), sizes[name]) for name, each in members.items() if sizes[name] > 0
    )


def _worths(problem: AllocationProblem, servers: Floats, risk: Risk) -> list[float]:
    """Return every goal by the curves themselves."""
    model = Model(check_problem(problem), Program())
    curve_variables(model)
    cases = problem.cases
    return [
        over_cases(risk, cases, case_worths(model, servers, g))
        for g in range(len(cases[0].objectives))
    ]


def _leading(now: Sequence[float], then: Sequence[float], kept: int) -> tuple[int, float]:
    """Return which goal gains first, and how much; those that are only held to a limit apart."""
    for g, (old, new) in enumerate(zip(now, then, strict=True)):
        if g >= kept and math.isfinite(new) and abs(old - new) > 1e-6 * max(1.0, abs(new)):
            return g, old - new
    return kept, now[kept] - then[kept] if math.isfinite(then[kept]) else 0.0


def _cost_weights(solution: Solution) -> Floats:
    """Return the price of one waiting job by service, classes weighted by their flows."""
    rates = solution.measures.arrival_rate
    total = rates.sum(axis=1, keepdims=True)
    shares = np.divide(rates, total, out=np.zeros_like(rates), where=total > 0)
    weights: Floats = (shares * solution.compilation.cost_of_delay).sum(axis=1)
    return weights


def _flows(judge: Judge, stations: list[Station]) -> Flows:
    """Return the flows between services, summed over classes, for the growth of backlogs."""
    arrays = judge.solutions[0].compilation.arrays
    classes = arrays.service_time.shape[1]
    rates = np.array([s.arrival_rate for s in stations])
    by_state = solve_traffic(arrays).arrival_rate.ravel()
    counts = np.diff(arrays.route_start.astype(np.int64)).astype(np.int64)
    origin = np.repeat(np.arange(counts.size), counts)
    start, end = origin // classes, arrays.route_to.astype(np.int64) // classes
    flow = by_state[origin] * arrays.route_probability
    pairs, place = np.unique(np.stack([start, end]), axis=1, return_inverse=True)
    summed = np.bincount(place.ravel(), weights=flow, minlength=pairs.shape[1])
    share = np.divide(
        summed, rates[pairs[0]], out=np.zeros(summed.shape), where=rates[pairs[0]] > 0
    )
    # a job takes so many levels of its service's lever times T
    work = [
        level_needed(s._replace(arrival_rate=1.0), judge.levers, i, float(arrays.servers[i]))
        for i, s in enumerate(stations)
    ]
    time = np.array([each if each > 0 else 1.0 for each in work])
    return Flows(arrays.external_arrival_rate.sum(axis=1), time, pairs[0], pairs[1], share)
