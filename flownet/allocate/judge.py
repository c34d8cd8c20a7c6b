"""What servers are worth on the full model, over all goals, terms and cases of demand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from flownet.allocate.aims import Aim, aim_value
from flownet.allocate.cases import Case, Risk
from flownet.allocate.levers import Levers
from flownet.allocate.terms import Protection, Target, Terms, Within
from flownet.allocate.worth import over_cases
from flownet.errors import MethodError
from flownet.kernels.compiled import Floats
from flownet.solvers.goals import GoalValue
from flownet.solvers.solution import Solution
from flownet.solvers.times import EVERY

TOLERANCE = 1e-9
_HOPELESS = 1e6
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Score:
    """What one allocation is worth: terms first, then backlogs, then the goals in their order.

    Attributes
    ----------
    broken : float
        By how much terms on delay are broken, relatively; 0 where all are kept.
    growth : float
        Jobs per T by which backlogs grow.
    goals : tuple of float
        Their values; less is better.
    """

    broken: float
    growth: float
    goals: tuple[float, ...]
    kept: int = 0
    """So many of them, the first, are only held to a limit: they do not count beyond it."""

    @property
    def first(self) -> float:
        """The goal that counts first."""
        return self.goals[self.kept]

    def gain_over(self, before: Score) -> float:
        """Return by how much this is better, in what they differ first; positive is better."""
        ours = (self.broken, self.growth, *self.goals[self.kept :])
        theirs = (before.broken, before.growth, *before.goals[self.kept :])
        for new, old in zip(ours, theirs, strict=True):
            if new == old:
                continue
            if math.isinf(new) or math.isinf(old):
                return old - new
            if abs(old - new) > TOLERANCE * max(1.0, abs(old)):
                return old - new
        return 0.0


def hopeless(goals: int, kept: int) -> Score:
    """Return the score of a trial that could not be solved: no other is worse."""
    return Score(math.inf, math.inf, (math.inf,) * goals, kept)


@dataclass(frozen=True, eq=False)
class Judge:
    """Solves the full model for given servers, in every case of demand.

    Attributes
    ----------
    names : tuple of str
        The cases of demand.
    solutions : tuple of Solution
        Each case as it is at present.
    shares : tuple of float
        Their probabilities.
    risk : Risk
        How the values of several cases become one.
    aims : tuple of Aim
        The most important first.
    terms : Terms
        What a plan must keep to.
    levers : Levers
        What the numbers stand for that are judged.
    keeps : tuple of float
        The most that each of the goals may be; inf where it is free.
    """

    names: tuple[str, ...]
    solutions: tuple[Solution, ...]
    shares: tuple[float, ...]
    risk: Risk
    aims: tuple[Aim, ...]
    terms: Terms
    levers: Levers
    keeps: tuple[float, ...] = ()
    _known: dict[tuple[float, ...], Score] = field(default_factory=dict, repr=False)
    missed: set[tuple[float, ...]] = field(default_factory=set, repr=False)
    """Servers at which the model could not be solved."""

    @property
    def solves(self) -> int:
        """How many different servers were tried."""
        return len(self._known)

    def at(self, servers: Floats) -> Score:
        """Return the score of servers (n,)."""
        key = tuple(servers.tolist())
        if key not in self._known:
            trials = self._trials(servers)
            if trials is None:
                self.missed.add(key)
            self._known[key] = (
                hopeless(len(self.aims), len(self.keeps)) if trials is None else self.score(trials)
            )
        return self._known[key]

    def _trials(self, servers: Floats) -> list[Solution] | None:
        try:
            trials = [each.again(self.levers.arrays(each, servers)) for each in self.solutions]
        except MethodError:  # too many states with these servers: passed over, and told
            return None
        return trials if all(trial.converged for trial in trials) else None

    def score(self, trials: Sequence[Solution]) -> Score:
        """Return the score of one solution for each case."""
        found = [[aim_value(trial, aim) for aim in self.aims] for trial in trials]
        growth = 0.0
        if not all(aim.single == "throughput" for aim in self.aims):
            growth = sum(
                share * max(0.0, value[0].growth)
                for share, value in zip(self.shares, found, strict=True)
            )
        values = tuple(
            self._over([_least(values[g]) for values in found]) for g in range(len(self.aims))
        )
        broken = sum(
            broken_terms(trial, before, self.terms)
            for trial, before in zip(trials, self.solutions, strict=True)
        )
        for value, most in zip(values, self.keeps, strict=False):
            if value > most:
                excess = (value - most) / max(1.0, abs(most))
                broken += excess if excess > _ROUNDING else 0.0
        return Score(min(broken, _HOPELESS), growth, values, len(self.keeps))

    def _over(self, values: Sequence[float]) -> float:
        if any(math.isinf(value) for value in values):
            return max(values)
        empty = np.empty(0)
        cases = [Case("", share, empty, None, None, ()) for share in self.shares]
        return over_cases(self.risk, cases, values)


def _least(value: GoalValue) -> float:
    return -value.value if value.goal == "throughput" else value.value


def broken_terms(after: Solution, before: Solution, terms: Terms) -> float:
    """Return by how much targets and protections are broken, relatively, in total."""
    if not (terms.targets or terms.within or terms.protect):
        return 0.0
    total = sum(_missed(after, target) for target in terms.targets)
    total += sum(_late(after, each) for each in terms.within)
    return total + sum(_harmed(after, before, each) for each in terms.protect)


def _missed(solution: Solution, target: Target) -> float:
    row = solution.services.iloc[target.service]
    level, value = target.level(float(row["servers"])), float(row[target.measure])
    if math.isnan(value):  # met where nobody comes; elsewhere what is not known is not met
        return _HOPELESS if float(row["arrival_rate"]) > 0 else 0.0
    if value <= level * (1 + _ROUNDING):
        return 0.0
    return min((value - level) / (level or 1.0), _HOPELESS)


def _late(solution: Solution, each: Within) -> float:
    table = solution.within(each.time)["probability"]
    rows = table.index.get_level_values(0)
    wanted = each.job_class or (EVERY if EVERY in rows else rows[0])
    share = float(table.loc[(wanted, each.time)])
    if math.isnan(share):
        return _HOPELESS
    return max(0.0, each.share - share - _ROUNDING)


def _harmed(after: Solution, before: Solution, each: Protection) -> float:
    members = list(each.members)
    was = float(before.services["delay"].iloc[members].sum())
    now = float(after.services["delay"].iloc[members].sum())
    most = was + each.margin
    if not math.isfinite(most) or now <= most + _ROUNDING * max(1.0, most):
        return 0.0
    return min((now - most) / max(1.0, most), _HOPELESS)


def missed_in_words(solution: Solution, before: Solution, terms: Terms) -> list[str]:
    """Return the targets and protections that a solution does not keep."""
    network = solution.network
    out = []
    for target in terms.targets:
        if _missed(solution, target) > 0:
            name = solution.compilation.services[target.service]
            row = solution.services.iloc[target.service]
            level = target.level(float(row["servers"]))
            measure = target.measure.replace("_", " ")
            value = float(row[target.measure])
            seen = "not known" if math.isnan(value) else f"{value:.4g}"
            out.append(f"{measure} of '{network.label(name)}' is {seen}, not {level:.4g}")
    for each in terms.within:
        short = _late(solution, each)
        if short > 0:
            who = each.job_class or "jobs"
            miss = "not known" if short >= _HOPELESS else f"{100 * (each.share - short):.1f} %"
            out.append(
                f"share of {who} that leave within {each.time:g} {network.time_unit} is {miss}, "
                f"not {100 * each.share:g} %"
            )
    out.extend(
        f"the delay of '{org.organisation}' rises by more than {org.margin:g}"
        for org in terms.protect
        if _harmed(solution, before, org) > 0
    )
    return out
