"""What a plan is worth by the curves themselves, over all goals and cases of demand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from flownet.allocate.cases import Case, Objective, Risk
from flownet.allocate.formulation import Family, Model
from flownet.kernels.compiled import Floats

Values = Mapping[int, float]
_ROUNDING = 1e-6


def values_at(model: Model, servers: Floats) -> list[Values]:
    """Return the value of each curve at these servers, by family and service."""
    return [_curve_values(family, servers) for family in model.families]


def _curve_values(family: Family, servers: Floats) -> Values:
    services = np.array(list(family.value), dtype=np.int64)
    if not services.size:
        return {}
    values, _ = family.curve(services, servers[services])
    return dict(zip(services.tolist(), values.tolist(), strict=True))


def worth(model: Model, values: Sequence[Values], servers: Floats) -> float:
    """Return the present goal of a plan; ``inf`` where it breaks what limits delay.

    Parameters
    ----------
    model : Model
        The program.
    values : sequence of dict
        The value of each family's curve, by service.
    servers : numpy.ndarray
        (n,) servers.
    """
    given = model.given
    for k, case in enumerate(given.cases):
        delay = _of(model, values, "delay", k)
        for part in case.protect:
            if exceeds(sum(delay.get(i, 0.0) for i in part.members), part.size):
                return math.inf
    for g, most in enumerate(given.keeps):
        if exceeds(over_cases(given.risk, given.cases, _all(model, values, servers, g)), most):
            return math.inf
    now = len(given.keeps)
    return over_cases(given.risk, given.cases, _all(model, values, servers, now))


def exceeds(value: float, most: float) -> bool:
    """Return whether a value is above a limit by more than rounding."""
    return value > most + _ROUNDING * max(1.0, abs(most))


def case_worths(model: Model, servers: Floats, g: int) -> list[float]:
    """Return the value of goal `g` in each case."""
    return _all(model, values_at(model, servers), servers, g)


def _all(model: Model, values: Sequence[Values], servers: Floats, g: int) -> list[float]:
    return [_one(model, values, servers, k, g) for k in range(len(model.given.cases))]


def _of(model: Model, values: Sequence[Values], name: str, k: int) -> Values:
    for family, found in zip(model.families, values, strict=True):
        if family.name == name and family.case == k:
            return found
    return {}


def _one(model: Model, values: Sequence[Values], servers: Floats, k: int, g: int) -> float:
    objective = model.given.cases[k].objectives[g]
    delay, loss = _of(model, values, "delay", k), _of(model, values, "loss", k)
    total = sum(float(objective.weight[i]) * value for i, value in delay.items())
    total += sum(loss.values())
    limited = model.given.limited
    total += float((objective.capacity[limited] * servers[limited]).sum())
    if objective.worst_weight > 0:
        total += objective.worst_weight * _worst(objective, delay)
    if objective.throughput > 0:
        total -= objective.throughput * _scale(model, servers)
    return float(total)


def _worst(objective: Objective, delay: Values) -> float:
    shares = [sum(delay.get(i, 0.0) for i in p.members) / p.size for p in objective.worst]
    return max(shares, default=0.0)


def _scale(model: Model, servers: Floats) -> float:
    load = model.given.load
    ratios = [float(servers[i] / load[i]) for i in model.given.limited if load[i] > 0]
    return min(ratios, default=math.inf)


def over_cases(risk: Risk, cases: Sequence[Case], values: Sequence[float]) -> float:
    """Return one value for the values of all cases.

    Examples
    --------
    >>> cases = [Case(str(k), 0.25, None, None, None, ()) for k in range(4)]
    >>> over_cases(Risk(), cases, [1.0, 2.0, 3.0, 8.0])
    3.5
    >>> over_cases(Risk("cvar", 0.5), cases, [1.0, 2.0, 3.0, 8.0])
    5.5
    """
    if risk.kind == "minimax":
        return max(values)
    if risk.kind == "regret":
        return max(value - best for value, best in zip(values, risk.best, strict=True))
    if risk.kind == "cvar":
        return _tail_mean([case.share for case in cases], values, risk.level)
    return sum(case.share * value for case, value in zip(cases, values, strict=True))


def _tail_mean(shares: Sequence[float], values: Sequence[float], level: float) -> float:
    """Return the mean of the worst 1 - level of the cases by probability."""
    left, total = 1.0 - level, 0.0
    for value, share in sorted(zip(values, shares, strict=True), reverse=True):
        part = min(share, left)
        total += part * value if part > 0 else 0.0
        left -= part
    return total / (1.0 - level)
