"""Constraints by pairs: their types, and the checks that every one of them passes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, NewType

from flownet.errors import Fault, ParameterError

Variable = NewType("Variable", int)
"""A variable of a program: its number, in the order in which variables were made."""

Sense = Literal["<=", "==", ">="]
Pairs = Iterable[tuple[Variable, float]]


class Row(NamedTuple):
    """One constraint: the sum of coefficient times variable, a sense and a right-hand side."""

    name: str
    pairs: Pairs
    sense: Sense
    right_hand_side: float


class Column(NamedTuple):
    """One variable as it is kept."""

    name: str
    low: float
    high: float
    integer: bool


class Kept(NamedTuple):
    """A constraint as it is kept: merged pairs."""

    variables: list[Variable]
    coefficients: list[float]
    sense: Sense


def merged(name: str, pairs: Pairs) -> dict[Variable, float]:
    """Return the pairs with repeated variables added up and zeros left out."""
    given = list(pairs)
    out = dict(given)
    if len(out) == len(given) and math.isfinite(sum(out.values())) and all(out.values()):
        return out
    out = {}
    for variable, coefficient in given:
        if not math.isfinite(coefficient):
            message = f"has the coefficient {coefficient:g}: it must be a finite number"
            raise ParameterError([Fault("constraint", "", repr(name), message)])
        if coefficient != 0:
            out[variable] = out.get(variable, 0.0) + float(coefficient)
    return {variable: value for variable, value in out.items() if value != 0}


def compare(left: Any, sense: Sense, right_hand_side: float) -> Any:
    """Return PuLP's constraint of an expression, a sense and a right-hand side."""
    if sense == "<=":
        return left <= right_hand_side
    if sense == ">=":
        return left >= right_hand_side
    return left == right_hand_side


def sides(sense: Sense, value: float) -> tuple[float, float]:
    """Return the lower and the upper side of a constraint."""
    return (-math.inf if sense == "<=" else value, math.inf if sense == ">=" else value)


def finite(bound: float) -> float | None:
    """Return a bound as PuLP takes it: None where there is none."""
    return float(bound) if math.isfinite(bound) else None


def check_limits(time_limit: float | None, gap: float) -> None:
    """Refuse a time limit or a gap that means nothing."""
    if time_limit is not None and not time_limit > 0:
        message = "must be more than 0 seconds, or absent"
        raise ParameterError([Fault("solve", "time_limit", f"{time_limit:g}", message)])
    if not 0 <= gap < math.inf:
        message = "must be a number that is not negative; 0.001 stands for 0.1 %"
        raise ParameterError([Fault("solve", "gap", f"{gap:g}", message)])
