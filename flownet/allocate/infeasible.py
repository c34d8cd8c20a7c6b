"""Why no allocation keeps to its limits, in plain words, and which of them could give way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from flownet.allocate.formulation import Model
from flownet.display import figure
from flownet.errors import ProgramError
from flownet.programs import ProgramSolution, cheapest_relaxation

_WORDS: Final = {
    "budget": ("the budget of {side}", "{more} more money in the budget"),
    "stability": (
        "{label} must be stable, which takes {side} {units}",
        "{label} left with {more} {units} too few to be stable",
    ),
    "resource": ("the budget '{label}' of {side}", "{more} more of '{label}'"),
    "group_min": (
        "at least {side} {units} in the group '{label}'",
        "{more} fewer {units} in the group '{label}'",
    ),
    "group_max": (
        "at most {side} {units} in the group '{label}'",
        "{more} more {units} in the group '{label}'",
    ),
    "most_changed": ("at most {side} services changed", "{more} more of the services changed"),
    "target": (
        "the target of {label}, which takes {side} {units}",
        "{more} {units} less than the target of {label} takes",
    ),
    "protect": (
        "no more than {side} jobs delayed in the organisation '{label}'",
        "{more} more jobs delayed in the organisation '{label}'",
    ),
    "keep_goal": ("goal {label} of at most {side}", "{more} more of goal {label}"),
    "upper bound of servers": (
        "at most {side} {units} at {label}",
        "{more} more {units} at {label}",
    ),
    "lower bound of servers": (
        "at least {side} {units} at {label}",
        "{more} fewer {units} at {label}",
    ),
    "upper bound of moved": ("at most {side} moved {label}", "{more} more moved {label}"),
}
"""What a limit says, and what its giving way says."""
_NAME: Final = re.compile(r"^([a-z_ ]+?)(?:\[(.*)\](?: \d+)?)?$", re.DOTALL)


def no_allocation(solution: ProgramSolution, model: Model) -> ProgramError:
    """Return the error that names the smallest conflict and how it can be resolved.

    Parameters
    ----------
    solution : ProgramSolution
        Of an infeasible program.
    model : Model
        The program's.
    """
    head = "no allocation keeps to the bounds, the budget and the terms"
    sides = _sides(model)
    known = [name for name in solution.conflict if _split(name)[0] in _WORDS]
    if not known:
        return ProgramError(f"{head}: {solution.why_not()}")
    together = "; ".join(_said(model, name, sides[name]) for name in known)
    text = f"{head}. These cannot hold together: {together} ({', '.join(solution.conflict)})"
    ways = _ways_out(model, known, sides)
    return ProgramError(f"{text}. {ways}" if ways else text)


def _sides(model: Model) -> dict[str, float]:
    sides = {row.name: row.right_hand_side for row in model.program.kept_rows()}
    for column in model.program.columns():
        sides[f"upper bound of {column.name}"] = column.high
        sides[f"lower bound of {column.name}"] = column.low
    return sides


def _split(name: str) -> tuple[str, str]:
    found = _NAME.match(name)
    return (found[1], found[2] or "") if found else (name, "")


def _said(model: Model, name: str, side: float) -> str:
    kind, label = _split(name)
    return _WORDS[kind][0].format(side=figure(side), label=label, units=_units(model, side))


def _units(model: Model, count: float) -> str:
    return model.given.unit if figure(count) == "1" else f"{model.given.unit}s"


def _ways_out(model: Model, known: Sequence[str], sides: Mapping[str, float]) -> str:
    """Return what each limit alone would have to give, or the cheapest of all together."""
    alone = []
    for name in known:
        way = cheapest_relaxation(model.program, {name: 1.0})
        if way is not None and name in way:
            alone.append(_given(model, name, way[name]))
    if alone:
        return "It would be enough to allow one of these: " + "; or ".join(alone)
    limits = [name for name in sides if _split(name)[0] in _WORDS]
    costs = {name: 1.0 / max(1.0, abs(sides[name])) for name in limits if abs(sides[name]) < 1e12}
    together = cheapest_relaxation(model.program, costs)
    if not together:
        return ""
    ways = "; ".join(_given(model, name, amount) for name, amount in together.items())
    return f"The smallest relative change that would do: {ways}"


def _given(model: Model, name: str, amount: float) -> str:
    kind, label = _split(name)
    return _WORDS[kind][1].format(more=figure(amount), label=label, units=_units(model, amount))
