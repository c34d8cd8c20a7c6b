"""Plans where services depend on each other: programs around a plan, then single steps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from flownet.allocate.all_plans import all_plans
from flownet.allocate.climb import LARGE, climb, polish, problem_around
from flownet.allocate.judge import Judge, Score
from flownet.allocate.proposal import Proposal, Search
from flownet.allocate.relaxation import Relaxation, relaxation
from flownet.allocate.search import Found, Rules, Start
from flownet.allocate.separable import solve_separable
from flownet.allocate.slopes import Slopes, difference
from flownet.kernels.compiled import Floats, Integers

ENOUGH = 1500
"""Different servers that the full model is asked for, at most."""


def propose_on_model(
    judge: Judge, rules: Rules, search: Search, start: Start | None = None
) -> Proposal:
    """Return a plan in whole numbers that the full model was asked for at every step.

    Parameters
    ----------
    judge : Judge
        Tells what servers are worth by the full model.
    rules : Rules
        What is allowed.
    search : Search
        How far to look.
    start : tuple of arrays, optional
        Purchases and moves to begin with, beside none at all.

    Raises
    ------
    ProgramError
        Where no allocation keeps to the rules.

    Notes
    -----
    Few plans are all tried. Otherwise sequential programs: gains of one step at each service by
    the full model, which shrink from step to step as the service's own queue does; a program over
    them within a trust region; its plan is taken only if the full model bears it out, and the
    region grows or shrinks with how well it does (Fletcher's ratio test). From several starts: the
    present servers, the plan that is best without blocking. Steps of one server and exchanges of
    one against one, the most promising first, end it.

    References
    ----------
    Fletcher (1987), Practical Methods of Optimization, chapter 5.
    """
    nothing = (np.zeros(rules.servers.size), np.zeros(len(rules.exchanges)))
    begin = nothing if rules.allows(*nothing) else _cheapest(rules)
    starts = [begin] if start is None else [begin, _rounded(start)]
    few = all_plans(rules, starts)
    free = relaxation(judge, rules, search)
    if few:
        best = _best_of(judge, rules, few, search)
        how = f"every plan within the rules was tried on the full model: {len(few)} of them"
        return _proposal(judge, rules, best, how, free, status="every plan tried")
    if free is not None:
        relaxed = _rounded((free.proposal.bought, free.proposal.moved))
        large = rules.servers.size > LARGE and rules.allows(*relaxed)
        starts = [relaxed] if large else [*starts, relaxed]
    ends: list[Found] = []
    promised, last, now = 0.0, None, judge.at(rules.usable(rules.servers))
    for each in _different([s for s in starts if rules.allows(*s)] or [begin]):
        reached, expected = climb(judge, rules, each, search, ENOUGH)
        found, last = polish(judge, rules, reached, search, ENOUGH)
        ends.append(found)
        begun = difference(judge.at(rules.usable(rules.after(*each))), now)
        promised = max(promised, expected + (begun if math.isfinite(begun) else 0.0))
    end = ends[0]
    for other in ends[1:]:
        end = other if other.score.gain_over(end.score) > 0 else end
    begun_at = "1 start" if len(ends) == 1 else f"{len(ends)} starts"
    how = (
        "programs around a plan, with gains from the full model, then steps of one server on it "
        f"({judge.solves} solves from {begun_at}): a local optimum"
    )
    if judge.missed:
        how += f"; {len(judge.missed)} trials did not converge and were passed over"
    around = last if last is not None and np.array_equal(last.base, end.servers) else None
    plan = _proposal(judge, rules, end, how, free, status="local optimum", around=around)
    return dataclasses.replace(plan, gain=promised or plan.gain)


def _proposal(
    judge: Judge,
    rules: Rules,
    found: Found,
    how: str,
    free: Relaxation | None,
    *,
    status: str,
    around: Slopes | None = None,
) -> Proposal:
    """Return what was found with its bound, if one is known."""
    now = judge.at(rules.usable(rules.servers))
    gain = found.score.gain_over(now)
    gap, bound = (0.0, gain) if status == "every plan tried" else (math.nan, math.nan)
    if math.isnan(gap) and free is not None and found.score.growth == 0 == found.score.broken:
        value = found.score.first
        if free.value <= value:
            gap = (value - free.value) / max(abs(value), 1e-9)
            bound = now.first - free.value if now.growth == 0 else math.nan
            how += "; the bound is that of the same network without blocking"
        elif not math.isnan(free.value):
            how += (
                "; without blocking the formulas show more delay, so that the two approximations "
                "cannot be held against each other"
            )
    if math.isnan(gap):
        how += "; no bound is known"
    return Proposal(
        found.servers,
        found.bought,
        found.moved,
        gain,
        gap,
        how,
        *_worths(rules, found, around),
        leading=_leading(now, found.score),
        status=status,
        bound=bound,
    )


def _worths(
    rules: Rules, found: Found, around: Slopes | None
) -> tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, float]]:
    """Return duals by solving again, their ranges, and what was tried.

    One more server (or shift) at each service, and the money for the one that gives most for it.
    """
    if around is None or found.score.growth > 0 or found.score.broken > 0:
        return {}, {}, {}
    duals, tried = _duals(rules, np.where(np.isfinite(around.up), around.up, 0.0))
    return duals, {}, tried


def worths_by(
    judge: Judge, rules: Rules, servers: Floats
) -> tuple[dict[str, float], dict[str, float]]:
    """Return duals by solving again with one more server (or shift) at each service, and what."""
    now, gains = judge.at(rules.usable(servers)), np.zeros(servers.size)
    for i in np.flatnonzero(np.isfinite(servers)).tolist():
        more = servers.copy()
        more[i] += rules.terms.shift[i]
        gain = judge.at(rules.usable(more)).gain_over(now)
        gains[i] = gain if math.isfinite(gain) else 0.0
    return _duals(rules, gains)


def _duals(rules: Rules, up: Floats) -> tuple[dict[str, float], dict[str, float]]:
    """Return duals from the gains of one step up at each service, and what was tried."""
    gains = up / rules.terms.shift
    duals = {
        f"balance[{rules.names[i]}]": -float(gains[i])
        for i in np.flatnonzero(np.abs(gains) > 1e-9).tolist()
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        by_money = np.nan_to_num(gains / rules.price, nan=0.0, posinf=0.0, neginf=0.0)
    tried = {f"balance[{rules.names[i]}]": float(step) for i, step in enumerate(rules.terms.shift)}
    if by_money.max(initial=0.0) > 0:
        best = int(np.argmax(by_money))
        duals["budget"] = -float(by_money[best])
        tried["budget"] = float(rules.price[best] * rules.terms.shift[best])
    return duals, {name: count for name, count in tried.items() if name in duals}


def _leading(now: Score, then: Score) -> int:
    """Return which goal gains first."""
    for g, (old, new) in enumerate(zip(now.goals, then.goals, strict=True)):
        if g >= then.kept and abs(old - new) > 1e-6 * max(1.0, abs(new)):
            return g
    return then.kept


def _best_of(judge: Judge, rules: Rules, few: Sequence[Start], search: Search) -> Found:
    """Return the best of all plans; of those alike the one that was met first, the cheapest."""
    best: Found | None = None
    for done, (bought, moved) in enumerate(few):
        servers = rules.usable(rules.after(bought, moved))
        score = judge.at(servers)
        if search.progress is not None:
            search.progress(done + 1, len(few))
        if best is None or score.gain_over(best.score) > 0:
            best = Found(bought, moved, servers, score)
    if best is None:
        message = "no plan to choose from"
        raise ValueError(message)
    return best


def _rounded(start: Start) -> Start:
    return np.round(start[0]), np.round(start[1])


def _different(starts: Sequence[Start]) -> list[Start]:
    found: dict[tuple[bytes, bytes], Start] = {}
    for bought, moved in starts:
        found.setdefault(((bought + 0.0).tobytes(), (moved + 0.0).tobytes()), (bought, moved))
    return list(found.values())


def _cheapest(rules: Rules) -> Start:
    """Return the purchases and moves that meet the terms at least cost."""
    problem = problem_around(rules, rules.servers, _flat, rules.low, rules.high)
    found = solve_separable(dataclasses.replace(problem, convex=None))
    return found.bought.round(), found.moved.round()


def _flat(services: Integers, _: Floats) -> tuple[Floats, Floats]:
    return np.zeros(len(services)), np.zeros(len(services))
