"""Two ways to a proposal: one exact program, or programs around a plan on the full model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from flownet.allocate.curves import (
    Station,
    arrays_with,
    model_curve,
    number_waiting,
    stations_of,
    worst,
)
from flownet.allocate.linearise import Curve
from flownet.allocate.problem import AllocationProblem, AllocationSolution, Flows
from flownet.allocate.search import Rules, descend, whole
from flownet.allocate.separable import solve_separable
from flownet.kernels.compiled import Floats, Integers
from flownet.kernels.traffic import solve_traffic
from flownet.solvers.goals import GoalValue, goal_value
from flownet.solvers.solution import Solution

Progress = Callable[[int, int], None]
RADIUS = 2
"""Servers up and down for which a round's curves are taken from the full model."""
ROUNDS = 6
NEAR = 1e-5
"""Relative step for slopes of the curves (their error is of its square)."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """Servers after a plan, and what its program says of them."""

    servers: Floats
    bought: Floats
    moved: Floats
    gain: float
    gap: float
    duals: Mapping[str, float]
    how: str
    minimizes: bool = True


# ----------------------------------------------------------------------------------- separable


def propose_separable(
    solution: Solution, goal: str, value: GoalValue, rules: Rules, *, integer: bool
) -> Proposal:
    """Return the best allocation where delay at a service depends on its own servers only."""
    stations = stations_of(solution)
    problem = AllocationProblem(
        names=solution.compilation.services,
        servers=rules.servers,
        load=np.array([s.arrival_rate * s.service_time for s in stations]),
        curve=_waiting_curve(stations),
        goal=goal,
        budget=rules.budget,
        exchanges=rules.exchanges,
        integer=integer,
        cost_per_server=rules.price,
        weight=_weights(solution) if goal == "cost" else None,
        min_servers=rules.low,
        max_servers=rules.high,
        flows=_flows(solution, stations),
    )
    best = solve_separable(problem)
    how = (
        f"one program over {'whole' if integer else 'divisible'} servers, delay curves as "
        f"{'secants' if integer else 'tangents'} refined where the solution lies ({best.rounds} "
        f"rounds, {best.status})"
    )
    gain = _promise(solution, goal, value, stations, problem, best)
    # where a backlog grows the duals belong to the delay of what is stable, not to the growth
    duals = best.duals if value.growth == 0 or goal == "throughput" else {}
    minimizes = goal != "throughput"
    return Proposal(best.servers, best.bought, best.moved, gain, best.gap, duals, how, minimizes)


def _promise(
    solution: Solution,
    goal: str,
    value: GoalValue,
    stations: list[Station],
    problem: AllocationProblem,
    best: AllocationSolution,
) -> float:
    """Return the gain by the program's own figures."""
    if goal == "throughput":
        external = float(solution.compilation.arrays.external_arrival_rate.sum())
        return best.objective_value * external - value.value
    if value.growth > 0:
        return value.growth - float(best.growth.sum())
    curve = _waiting_curve(stations)
    limited = np.flatnonzero(np.isfinite(problem.servers))
    weight = np.ones(problem.servers.size) if problem.weight is None else problem.weight
    now, _ = curve(limited, problem.servers[limited])
    then, _ = curve(limited, best.servers[limited])
    gain = float((weight[limited] * (now - then)).sum())
    if goal == "cost":
        price = solution.compilation.cost_per_server[limited]
        gain -= float((price * (best.servers - problem.servers)[limited]).sum())
    return gain


def _waiting_curve(stations: list[Station]) -> Curve:
    """Return the mean number waiting by servers, and its slope."""

    def curve(services: Integers, servers: Floats) -> tuple[Floats, Floats]:
        values, slopes = np.empty(len(services)), np.empty(len(services))
        for k, (i, c) in enumerate(zip(services, servers, strict=True)):
            station, step = stations[i], NEAR * max(1.0, float(c))
            load = station.arrival_rate * station.service_time
            step = min(step, max((float(c) - load) / 2, 0.0))
            values[k] = number_waiting(station, float(c))
            ahead = number_waiting(station, float(c) + step)
            behind = number_waiting(station, float(c) - step)
            slopes[k] = (ahead - behind) / (2 * step) if step > 0 else -math.inf
        return values, slopes

    return curve


def _weights(solution: Solution) -> Floats:
    """Return the price of one waiting job by service, classes weighted by their flows."""
    rates = solution.measures.arrival_rate
    total = rates.sum(axis=1, keepdims=True)
    shares = np.divide(rates, total, out=np.zeros_like(rates), where=total > 0)
    weights: Floats = (shares * solution.compilation.cost_of_delay).sum(axis=1)
    return weights


def _flows(solution: Solution, stations: list[Station]) -> Flows:
    """Return the flows between services, summed over classes, for the growth of backlogs."""
    arrays = solution.compilation.arrays
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
    time = np.array([s.service_time if s.service_time > 0 else 1.0 for s in stations])
    return Flows(arrays.external_arrival_rate.sum(axis=1), time, pairs[0], pairs[1], share)


# ------------------------------------------------------------------------------ on the full model


def propose_on_model(
    solution: Solution, goal: str, value: GoalValue, rules: Rules, progress: Progress | None
) -> Proposal:
    """Return a plan found by programs around a plan, then by steps of one server.

    Notes
    -----
    Sequential linear programs with a trust region of two servers: the curves of a round are the
    goal of the full model if one service alone is changed. A program whose plan the full model
    does not bear out ends the rounds. Steepest descent by single steps and exchanges follows.
    """
    bought, moved = np.zeros(rules.servers.size), np.zeros(len(rules.exchanges))
    base, best = rules.servers, value
    promised, duals = 0.0, {}
    missed: set[tuple[float, ...]] = set()

    def evaluate(servers: Floats) -> GoalValue:
        trial = solution.again(arrays_with(solution, servers))
        if trial.converged:
            return goal_value(trial, goal)
        missed.add(tuple(servers.tolist()))
        return worst(goal)

    for round_ in range(ROUNDS):
        if progress is not None:
            progress(round_, 2 * ROUNDS)
        curve = model_curve(solution, goal, best, base)
        found = _round(solution, rules, curve, base)
        if found is None:
            break
        servers = whole(found.servers)
        reached = evaluate(servers)
        expected = best.gain_over(value) - sum(
            curve(int(i), float(servers[i])) for i in np.flatnonzero(servers != base)
        )
        if not promised:
            promised, duals = expected, dict(found.duals)
        if not reached.gain_over(best) > 1e-9 * max(1.0, abs(best.value)):
            break
        base, best, promised = servers, reached, expected
        bought, moved, duals = found.bought.round(), found.moved.round(), dict(found.duals)
    end = descend(rules, (bought, moved), evaluate, progress=progress)
    how = (
        "programs around a plan, with curves from the full model, then steps of one server on it "
        f"({end.solves} solves in the last part): a local optimum, no bound"
    )
    if missed:
        how += f"; {len(missed)} trials did not converge and were passed over"
    return Proposal(end.servers, end.bought, end.moved, promised, math.nan, duals, how)


def _round(
    solution: Solution,
    rules: Rules,
    curve: Callable[[int, float], float],
    base: Floats,
) -> AllocationSolution | None:
    """Return the best allocation by the curves near `base`; None where nothing may change."""
    count = base.size
    touched = np.isfinite(base) & (~np.isnan(rules.price))
    touched[rules.exchanges.start] = True
    touched[rules.exchanges.end] = True
    low, high = base.copy(), base.copy()
    for i in np.flatnonzero(touched & np.isfinite(base)):
        while high[i] < min(base[i] + RADIUS, rules.high[i]):
            high[i] += 1
        gives = bool((rules.exchanges.start == i).any()) or base[i] > rules.servers[i]
        while gives and low[i] - 1 >= max(base[i] - RADIUS, rules.low[i], 1.0):
            if not math.isfinite(curve(int(i), float(low[i] - 1))):
                break
            low[i] -= 1
    floors = {
        int(i): min(curve(int(i), float(c)) for c in np.arange(low[i], high[i] + 0.5))
        for i in np.flatnonzero(high > low)
    }
    if not floors:
        return None

    def shifted(services: Integers, servers: Floats) -> tuple[Floats, Floats]:
        values = np.zeros(len(services))
        for k, (i, c) in enumerate(zip(services, servers, strict=True)):
            if int(i) in floors:
                inside = float(min(max(c, low[i]), high[i]))
                values[k] = max(curve(int(i), inside) - floors[int(i)], 0.0)
        return values, np.zeros(len(services))

    problem = AllocationProblem(
        names=solution.compilation.services,
        servers=np.where(np.isfinite(rules.servers), rules.servers, math.inf),
        load=np.where(np.isfinite(base), 1.0, 0.0),
        curve=shifted,
        goal="delay",
        budget=rules.budget,
        exchanges=rules.exchanges,
        cost_per_server=rules.price,
        min_servers=np.where(np.isfinite(base), low, 0.0),
        max_servers=np.where(np.isfinite(base), high, 1e9),
        needs_stability=np.zeros(count, dtype=bool),
        convex=np.zeros(count, dtype=bool),
    )
    return solve_separable(problem, polish=2.0)
