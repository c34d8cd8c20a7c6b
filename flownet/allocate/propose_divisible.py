"""Divisible plans where services depend on each other: linear programs in a trust region."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from flownet.allocate.climb import problem_around
from flownet.allocate.course import plan_of
from flownet.allocate.decisions import decisions
from flownet.allocate.judge import Judge
from flownet.allocate.levers import DIVISIBLE
from flownet.allocate.problem import check_problem
from flownet.allocate.proposal import Proposal, Search
from flownet.allocate.search import Rules, Start
from flownet.allocate.slopes import difference, part_of
from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats, Integers

STEP = 1e-4
"""Relative step of the central differences: their error is of its square."""
_FIRST, _LAST = 0.2, 1e-6
"""Radius of the trust region at first and at last, relative to the levels."""
_ROUNDS = 300


def propose_divisible(
    judge: Judge, rules: Rules, search: Search, start: Start | None = None
) -> Proposal:
    """Return a divisible plan, found on the full model.

    Parameters
    ----------
    judge, rules, search
        The task.
    start : tuple of arrays, optional
        Purchases and moves to begin with.

    Raises
    ------
    ParameterError
        Where servers or waiting places would be divided: the model has whole ones only.

    Notes
    -----
    Sequential linear programs: the goal is taken as linear around a plan, by central differences;
    the program's plan within the trust region is taken if the full model bears it out, and the
    region is halved or doubled with how well it does. It ends where the region is a millionth of
    the levels: a local optimum, without bound.

    References
    ----------
    Fletcher (1987), Practical Methods of Optimization, chapter 5.
    """
    _refuse_parts(rules)
    nothing = (np.zeros(rules.servers.size), np.zeros(len(rules.exchanges)))
    where = start if start is not None and rules.affords(*start) else nothing
    radius, first, rounds = _FIRST, judge.at(rules.servers), 0
    slope: Floats | None = None
    for rounds in range(_ROUNDS):  # told in the plan
        base = rules.after(*where)
        now = judge.at(base)
        if search.progress is not None:
            search.progress(rounds, _ROUNDS)
        if slope is None:
            slope = _gradient(judge, rules, base)
        trial = _step(rules, base, slope, radius)
        levels = rules.after(*trial)
        change = np.where(np.isfinite(base), levels - np.where(np.isfinite(base), base, 0.0), 0.0)
        expected = -float((slope * change).sum())
        reached = judge.at(levels)
        gained = difference(reached, now)
        if expected > 0 and reached.gain_over(now) > 0:
            where, slope = trial, None
            radius = min(2 * radius, _FIRST) if gained > 0.5 * expected else radius / 2
        else:
            radius /= 4
        if radius < _LAST:
            break
    servers = rules.after(*where)
    end = judge.at(servers)
    how = (
        f"linear programs in a trust region, with differences from the full model ({rounds + 1} "
        f"rounds, {judge.solves} solves): a local optimum; no bound is known"
    )
    gain = end.gain_over(first)
    return Proposal(servers, *where, gain, math.nan, how, status="local optimum")


def _refuse_parts(rules: Rules) -> None:
    touched = rules.buyable | rules.releasable
    touched[rules.exchanges.start] = True
    touched[rules.exchanges.end] = True
    counted = np.array([kind not in DIVISIBLE for kind in rules.levers.kinds])
    if (touched & counted).any():
        message = "must be true here, where the model has whole servers and places only"
        raise ParameterError([Fault("reallocate", "integer", "False", message)])


def _gradient(judge: Judge, rules: Rules, base: Floats) -> Floats:
    """Return (n,) the change of what counts first, per unit of each level."""
    slope, now = np.zeros(base.size), judge.at(base)
    touched = rules.buyable | rules.releasable
    touched[rules.exchanges.start] = True
    touched[rules.exchanges.end] = True
    for i in np.flatnonzero(touched & np.isfinite(base)):
        step = STEP * max(abs(float(base[i])), 1e-3)
        values = []
        for sign in (1.0, -1.0):
            trial = base.copy()
            trial[i] += sign * step
            values.append(part_of(judge.at(trial), now))
        slope[i] = (values[0] - values[1]) / (2 * step)
        if not math.isfinite(slope[i]):  # a service at its limit: only more of it is of use
            slope[i] = (values[0] - part_of(now, now)) / step
    return np.where(np.isfinite(slope), slope, 0.0)


def _step(rules: Rules, base: Floats, slope: Floats, radius: float) -> Start:
    """Return the best purchases and moves by the slopes, within the radius."""
    reach = radius * np.maximum(np.abs(base), 1e-3)
    least = 1e-6 * np.maximum(np.abs(base), 1e-3)
    low = np.maximum(np.maximum(base - reach, rules.low), least)
    high = np.minimum(base + reach, rules.high)
    problem = problem_around(rules, base, _nothing, low, np.maximum(low, high))
    model = decisions(check_problem(dataclasses.replace(problem, integer=False)), "step")
    size = max(float(np.abs(slope).max()), 1e-12)
    model.program.minimize([(v, float(slope[i]) / size) for i, v in model.servers.items()])
    found = model.program.solve(relaxed=True)
    plan = plan_of(model, found, whole=False)
    return plan.bought, plan.moved


def _nothing(services: Integers, _: Floats) -> tuple[Floats, Floats]:
    return np.zeros(len(services)), np.zeros(len(services))
