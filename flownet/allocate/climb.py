"""From a plan to a better one: programs within a trust region, then the most promising steps."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable

import numpy as np

from flownet.allocate.judge import Judge
from flownet.allocate.problem import AllocationProblem, AllocationSolution
from flownet.allocate.proposal import Search
from flownet.allocate.search import Found, Rules, Start
from flownet.allocate.separable import solve_separable
from flownet.allocate.slopes import Slopes, difference, slopes
from flownet.kernels.compiled import Booleans, Floats, Integers

ROUNDS = 12
RADIUS = 8
"""Steps up and down within which the first program looks."""
_LITTLE = 1e-4
"""A program that promises less than this share of the score ends the climb."""
_TRIED = 40
"""So many of the most promising pairs of steps are tried, at most, before none is left; half as
many in networks of more than so many services:"""
LARGE = 20
_WORTH = 0.1
"""In a large climb a service is asked again while its gain is above this share of the best."""


def climb(
    judge: Judge, rules: Rules, start: Start, search: Search, most: int
) -> tuple[Start, float]:
    """Return where programs around a plan lead, and what was promised from the start on.

    Parameters
    ----------
    judge, rules, search
        The task.
    start : tuple of arrays
        Purchases and moves to begin with.
    most : int
        Different servers that the judge may have been asked for, at most.
    """
    where, radius, promised = start, RADIUS, 0.0
    around: Slopes | None = None
    last: Slopes | None = None
    for round_ in range(ROUNDS):
        base = rules.usable(rules.after(*where))
        now = judge.at(base)
        if judge.solves >= most:
            break
        if search.progress is not None:
            search.progress(round_, 2 * ROUNDS)
        if around is None:
            around = slopes(
                judge, rules, base, *_steppable(rules, where), known=_known(rules, last)
            )
        found = _program(rules, around, radius, search)
        if found is None:
            break
        trial = (found.bought.round(), found.moved.round())
        servers = rules.usable(rules.after(*trial))
        steps = (servers - base) / rules.terms.shift
        expected = sum(around.gain(int(i), float(steps[i])) for i in np.flatnonzero(steps))
        reached = judge.at(servers)
        gained = difference(reached, now)
        if reached.gain_over(now) > 0 and rules.allows(*trial):
            promised += expected if math.isfinite(expected) else 0.0
            where, around, last = trial, None, around
            ratio = gained / expected if expected > 0 else 1.0
            radius = min(4 * RADIUS, 2 * radius) if ratio > 0.75 else radius
            radius = max(1, radius // 2) if ratio < 0.25 else radius
            if 0 <= expected <= _LITTLE * max(abs(reached.first), 1e-9) < math.inf:
                break
        elif radius == 1:
            break
        else:
            radius = max(1, radius // 4)
    return where, promised


def _known(rules: Rules, last: Slopes | None) -> Slopes | None:
    """Return the gains that need not be asked for again: in large networks the small ones."""
    if last is None or rules.servers.size <= LARGE:
        return None
    price = np.where(rules.price > 0, rules.price, 1.0)
    by_money = np.nan_to_num(last.up / price, nan=0.0, posinf=0.0, neginf=0.0)
    small = by_money < _WORTH * by_money.max(initial=0.0)
    return dataclasses.replace(
        last,
        up=np.where(small, last.up, math.nan),
        down=np.where(small, last.down, math.nan),
    )


def polish(
    judge: Judge, rules: Rules, start: Start, search: Search, most: int
) -> tuple[Found, Slopes]:
    """Return the plan from which no promising step of one server, or pair of steps, leads on.

    Notes
    -----
    In each round every single step is tried, and the best is taken; if none improves, pairs of
    steps in the order of the sum of their gains, until one does, 40 of them at most. The gains
    around the end come along.
    """
    where = start
    while True:
        base = rules.usable(rules.after(*where))
        now = judge.at(base)
        if search.progress is not None:
            search.progress(min(judge.solves, most), most)
        around = slopes(judge, rules, base, *_steppable(rules, where))
        better = _best_single(judge, rules, where) or _first_pair(judge, rules, where, around)
        if better is None or judge.solves >= most:
            return Found(where[0], where[1], base, now), around
        where = better


def _singles(rules: Rules, where: Start) -> list[tuple[int, float]]:
    """Return the steps (place in purchases and moves, sign) that may make sense."""
    n = where[0].size
    vector = np.concatenate(where)
    steps = []
    for place in range(vector.size):
        own = place < n
        if not own or rules.buyable[place] or vector[place] < 0:
            steps.append((place, 1.0))
        if vector[place] > 0 or (own and rules.releasable[place]):
            steps.append((place, -1.0))
    return steps


def _stepped(rules: Rules, where: Start, steps: tuple[tuple[int, float], ...]) -> Start | None:
    """Return the plan after some steps, where the rules allow it."""
    n, size = where[0].size, rules.steps()
    vector = np.concatenate(where)
    for place, sign in steps:
        vector[place] += sign * size[place]
    trial = (vector[:n], vector[n:])
    return trial if rules.allows(*trial) else None


def _best_single(judge: Judge, rules: Rules, where: Start) -> Start | None:
    leader, best = judge.at(rules.usable(rules.after(*where))), None
    for step in _singles(rules, where):
        trial = _stepped(rules, where, (step,))
        if trial is not None:
            score = judge.at(rules.usable(rules.after(*trial)))
            if score.gain_over(leader) > 0:
                leader, best = score, trial
    return best


def _first_pair(judge: Judge, rules: Rules, where: Start, around: Slopes) -> Start | None:
    now = judge.at(around.base)
    ranked = [
        (_hope(rules, where, around, pair), pair)
        for pair in itertools.combinations(_singles(rules, where), 2)
        if pair[0][0] != pair[1][0]
    ]
    ranked.sort(key=lambda row: -row[0])
    tried, most = 0, _TRIED if rules.servers.size <= LARGE else _TRIED // 2
    for hope, pair in ranked:
        if tried >= most or hope == -math.inf:
            return None
        trial = _stepped(rules, where, pair)
        if trial is None:
            continue
        tried += 1
        if judge.at(rules.usable(rules.after(*trial))).gain_over(now) > 0:
            return trial
    return None


def _hope(
    rules: Rules, where: Start, around: Slopes, steps: tuple[tuple[int, float], ...]
) -> float:
    """Return the gain that steps promise by the gains of single servers."""
    n, size = where[0].size, rules.steps()
    vector = np.concatenate(where)
    for place, sign in steps:
        vector[place] += sign * size[place]
    moved = rules.usable(rules.after(vector[:n], vector[n:])) - around.base
    hope = 0.0
    for i in np.flatnonzero(np.abs(np.nan_to_num(moved)) > 0).tolist():
        gain = around.gain(i, float(moved[i] / rules.terms.shift[i]))
        hope += -math.inf if math.isnan(gain) else gain
    return hope


def _steppable(rules: Rules, where: Start) -> tuple[Booleans, Booleans]:
    """Return (n,) where a step up and a step down could be part of a plan."""
    bought, moved = where
    table = rules.exchanges
    base = rules.usable(rules.after(*where))
    ups, downs = rules.buyable | (bought < 0), rules.releasable | (bought > 0)
    ups[table.end] = True
    downs[table.start] = True
    ups[table.start[moved > 0]] = True
    downs[table.end[moved > 0]] = True
    size, limited = rules.terms.shift, np.isfinite(base)
    ups &= limited & (base + size <= rules.high + 1e-9)
    downs &= limited & (base - size >= rules.low - 1e-9)
    return ups, downs


def _program(
    rules: Rules, around: Slopes, radius: int, search: Search
) -> AllocationSolution | None:
    """Return the best plan by the gains around one, within a radius; None if nothing may change."""
    base, size = around.base, rules.terms.shift
    low, high = base.copy(), base.copy()
    up, down = np.isfinite(around.up), np.isfinite(around.down)
    reach = radius * size
    high[up] = np.minimum(base + reach, rules.high)[up]
    low[down] = np.maximum(base - reach, rules.low)[down]
    if (low == high)[np.isfinite(base)].all():
        return None
    floors = {
        int(i): max(
            around.gain(int(i), float((c - base[i]) / size[i])) for c in (low[i], base[i], high[i])
        )
        for i in np.flatnonzero(np.isfinite(base) & (high > low))
    }

    def curve(services: Integers, servers: Floats) -> tuple[Floats, Floats]:
        values = np.zeros(len(services))
        for k, (i, c) in enumerate(zip(services.tolist(), servers.tolist(), strict=True)):
            if i in floors:
                inside = min(max(c, float(low[i])), float(high[i]))
                values[k] = floors[i] - around.gain(i, (inside - float(base[i])) / float(size[i]))
        return values, np.zeros(len(services))

    convex = ~(np.nan_to_num(around.up) + np.nan_to_num(around.down) > 0)
    problem = dataclasses.replace(problem_around(rules, base, curve, low, high), convex=convex)
    return solve_separable(
        problem, gap=1e-4, polish=0, time_limit=search.time_limit, solver=search.solver
    )


def problem_around(
    rules: Rules,
    base: Floats,
    curve: Callable[[Integers, Floats], tuple[Floats, Floats]],
    low: Floats,
    high: Floats,
) -> AllocationProblem:
    """Return the rules as a problem with given curves, no stability asked for."""
    count = base.size
    limited = np.isfinite(base)
    return AllocationProblem(
        names=rules.names,
        servers=rules.servers,
        load=np.where(limited, 1e-3, 0.0),
        curve=curve,
        goal="delay",
        budget=rules.budget,
        exchanges=rules.exchanges,
        integer=rules.integer,
        price=rules.price,
        refund=rules.refund,
        min_servers=np.where(limited, low, 0.0),
        max_servers=np.where(limited, high, 1e9),
        needs_stability=np.zeros(count, dtype=bool),
        terms=rules.terms,
    )
