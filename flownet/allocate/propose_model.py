"""Programs around a plan, with curves from the full model, then steps of one server on it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from flownet.allocate.judge import Judge, Score
from flownet.allocate.problem import AllocationProblem, AllocationSolution
from flownet.allocate.proposal import Progress, Proposal
from flownet.allocate.search import Found, Rules, Start, descend, whole
from flownet.allocate.separable import solve_separable
from flownet.kernels.compiled import Floats, Integers

RADIUS = 2
"""Servers up and down for which a round's curves are taken from the full model."""
ROUNDS = 6
ENOUGH = 2000
"""Different servers that the full model is asked for, at most, from each start."""

Loss = Callable[[int, float], float]


def propose_on_model(
    judge: Judge, rules: Rules, progress: Progress | None, start: Start | None = None
) -> Proposal:
    """Return a plan found by programs around a plan, then by steps of one server.

    Parameters
    ----------
    judge : Judge
        Tells what servers are worth by the full model.
    rules : Rules
        What is allowed.
    progress : callable, optional
        Called with (done, total).
    start : tuple of arrays, optional
        Purchases and moves to begin with, beside none at all.

    Raises
    ------
    ProgramError
        Where no allocation keeps to the rules.

    Notes
    -----
    Sequential linear programs with a trust region of two servers: the curves of a round are the
    goal of the full model if one service alone is changed. A program whose plan the full model
    does not bear out ends the rounds. Steepest descent by single steps and exchanges follows, from
    there and from the present servers.
    """
    nothing = (np.zeros(rules.servers.size), np.zeros(len(rules.exchanges)))
    begin = nothing if rules.allows(*nothing) else _cheapest(rules)
    starts = [begin] if start is None else [begin, start]
    reached, promised, duals = _rounds(judge, rules, starts[-1], progress)
    ends: list[Found] = []
    for each in _different([reached, *starts]):
        limit = judge.solves + ENOUGH
        ends.append(descend(rules, each, judge, most_solves=limit, progress=progress))
    end = ends[0]
    for other in ends[1:]:
        end = other if other.score.gain_over(end.score) > 0 else end
    how = (
        "programs around a plan, with curves from the full model, then steps of one server on it "
        f"({judge.solves} solves): a local optimum, no bound"
    )
    if judge.missed:
        how += f"; {len(judge.missed)} trials did not converge and were passed over"
    if not promised:
        promised = end.score.gain_over(judge.at(whole(rules.after(*begin))))
    leading = _leading(judge.at(whole(rules.servers)), end.score)
    return Proposal(
        end.servers, end.bought, end.moved, promised, math.nan, how, duals, leading=leading
    )


def _leading(now: Score, then: Score) -> int:
    """Return which goal gains first."""
    for g, (old, new) in enumerate(zip(now.goals, then.goals, strict=True)):
        if abs(old - new) > 1e-6 * max(1.0, abs(new)):
            return g
    return 0


def _different(starts: list[Start]) -> list[Start]:
    found: dict[tuple[bytes, bytes], Start] = {}
    for bought, moved in starts:
        found.setdefault((bought.tobytes(), moved.tobytes()), (bought, moved))
    return list(found.values())


def _cheapest(rules: Rules) -> Start:
    """Return the purchases and moves that meet the terms at least cost."""
    problem = _problem(rules, rules.servers, _flat, rules.low, rules.high)
    found = solve_separable(dataclasses.replace(problem, convex=None))
    return found.bought.round(), found.moved.round()


def _flat(services: Integers, _: Floats) -> tuple[Floats, Floats]:
    return np.zeros(len(services)), np.zeros(len(services))


def _rounds(
    judge: Judge, rules: Rules, begin: Start, progress: Progress | None
) -> tuple[Start, float, dict[str, float]]:
    """Return where the programs lead, what the last one promised, and its duals."""
    bought, moved = begin
    base = whole(rules.after(bought, moved))
    first = best = judge.at(base)
    promised, duals = 0.0, dict[str, float]()
    for round_ in range(ROUNDS):
        if progress is not None:
            progress(round_, 2 * ROUNDS)
        loss = _losses(judge, best, base)
        found = _round(rules, loss, base)
        if found is None:
            break
        servers = whole(found.servers)
        reached = judge.at(servers)
        expected = best.gain_over(first) - sum(
            loss(int(i), float(servers[i])) for i in np.flatnonzero(servers != base)
        )
        if not promised:
            promised, duals = expected, dict(found.duals)
        if reached.gain_over(best) <= 0:
            break
        base, best, promised = servers, reached, expected
        bought, moved, duals = found.bought.round(), found.moved.round(), dict(found.duals)
    return (bought, moved), promised, duals


def _losses(judge: Judge, best: Score, base: Floats) -> Loss:
    """Return the loss (negative is a gain) if one service alone had other servers."""

    def loss(service: int, servers: float) -> float:
        if servers == base[service]:
            return 0.0
        trial = base.copy()
        trial[service] = servers
        return -judge.at(trial).gain_over(best)

    return loss


def _round(rules: Rules, loss: Loss, base: Floats) -> AllocationSolution | None:
    """Return the best allocation by the curves near `base`; None where nothing may change."""
    low, high = _trust_region(rules, loss, base)
    floors = {
        int(i): min(loss(int(i), float(c)) for c in np.arange(low[i], high[i] + 0.5))
        for i in np.flatnonzero(high > low)
    }
    if not floors:
        return None

    def shifted(services: Integers, servers: Floats) -> tuple[Floats, Floats]:
        values = np.zeros(len(services))
        for k, (i, c) in enumerate(zip(services, servers, strict=True)):
            if int(i) in floors:
                inside = float(min(max(c, low[i]), high[i]))
                values[k] = max(loss(int(i), inside) - floors[int(i)], 0.0)
        return values, np.zeros(len(services))

    return solve_separable(_problem(rules, base, shifted, low, high))


def _trust_region(rules: Rules, loss: Loss, base: Floats) -> tuple[Floats, Floats]:
    touched = np.isfinite(base) & (~np.isnan(rules.price))
    touched[rules.exchanges.start] = True
    touched[rules.exchanges.end] = True
    low, high = base.copy(), base.copy()
    radius = np.maximum(RADIUS, rules.terms.shift)
    for i in np.flatnonzero(touched & np.isfinite(base)):
        while high[i] < min(base[i] + radius[i], rules.high[i]):
            high[i] += 1
        gives = bool((rules.exchanges.start == i).any()) or base[i] > rules.servers[i]
        while gives and low[i] - 1 >= max(base[i] - radius[i], rules.low[i], 1.0):
            if not math.isfinite(loss(int(i), float(low[i] - 1))):
                break
            low[i] -= 1
    return low, high


def _problem(
    rules: Rules,
    base: Floats,
    curve: Callable[[Integers, Floats], tuple[Floats, Floats]],
    low: Floats,
    high: Floats,
) -> AllocationProblem:
    count = base.size
    return AllocationProblem(
        names=rules.names,
        servers=np.where(np.isfinite(rules.servers), rules.servers, math.inf),
        load=np.where(np.isfinite(base), 1.0, 0.0),
        curve=curve,
        goal="delay",
        budget=rules.budget,
        exchanges=rules.exchanges,
        cost_per_server=rules.price,
        min_servers=np.where(np.isfinite(base), low, 0.0),
        max_servers=np.where(np.isfinite(base), high, 1e9),
        needs_stability=np.zeros(count, dtype=bool),
        convex=np.zeros(count, dtype=bool),
        terms=rules.terms,
    )
