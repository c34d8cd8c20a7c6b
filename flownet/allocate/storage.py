"""A plan as plain values, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from flownet.allocate import words
from flownet.allocate.plan import Plan
from flownet.errors import Fault, InputError
from flownet.readers.text import json_of, read_text, toml_of
from flownet.solvers.goals import GoalValue
from flownet.solvers.solution import Solution
from flownet.solvers.tables import records

_TABLES: Final = {
    "moves": ("step", ["action", "from", "to", "units", "gained", "cost"]),
    "shadow_prices": ("limit", ["shadow_price", "from", "to", "sentence"]),
    "made_worse": ("service", ["organisation", "measure", "before", "after"]),
    "goals": ("goal", ["before", "after"]),
    "scenarios": ("scenario", ["weight", "before", "after", "growth_before", "growth_after"]),
}
_TEXTS: Final = {"action", "sentence", "organisation", "measure"}
_LARGEST: Final = 200_000_000
"""Bytes: a longer file is no plan."""
_NUMBERS: Final = ("budget", "gain_promised", "gap", "bound", "spent")


def plain_values(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain values; ``inf`` and ``nan`` are texts."""
    return {
        "goal": plan.goal,
        "aims": plan.aims,
        "budget": plan.budget,
        "headline": words.headline(plan),
        "how": plan.how,
        "moves": records(plan.moves),
        "changes": {
            str(name): {"lever": kind, "before": before, "after": after}
            for name, (kind, before, after) in plan.changes.items()
        },
        "servers": records({str(name): count for name, count in plan.servers.items()}),
        "spent": records(plan.spent),
        "gain_promised": records(plan.gain_promised),
        "gain_verified": records(plan.gain_verified),
        "borne_out": plan.borne_out,
        "status": plan.status,
        "gap": records(plan.gap),
        "bound": records(plan.bound),
        "value_before": _value(plan.value_before),
        "value_after": _value(plan.value_after),
        "shadow_prices": records(plan.shadow_prices),
        "made_worse": records(plan.made_worse),
        "goals": records(plan.goals),
        "scenarios": records(plan.scenarios),
        "needed": plan.needed,
        "risk": plan.risk,
        "before": plan.before.to_dict(),
        "after": plan.after.to_dict(),
    }


def _value(value: GoalValue) -> dict[str, Any]:
    return {
        "goal": value.goal,
        "growth": records(float(value.growth)),
        "value": records(float(value.value)),
    }


def plan_of_values(document: Mapping[str, Any]) -> Plan:
    """Return the plan that `plain_values` wrote.

    Raises
    ------
    InputError
        Where parts are missing, or are not what they should be.
    """
    parts = ("goal", "aims", *_NUMBERS, "changes", "value_before", "value_after", "before", "after")
    missing = [key for key in parts if key not in document]
    if missing:
        raise InputError(f"not a plan: {', '.join(missing)} missing")
    try:
        return _plan_of(document)
    except InputError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"not a plan: {type(error).__name__}: {error}") from error


def _plan_of(document: Mapping[str, Any]) -> Plan:
    before, after = (Solution.from_dict(document[key]) for key in ("before", "after"))
    names = {str(name): name for name in before.network.services}
    tables: dict[str, Any] = {
        key: _table(document.get(key, []), *layout) for key, layout in _TABLES.items()
    }
    values: dict[str, Any] = {key: float(document[key]) for key in _NUMBERS}
    return Plan(
        before=before,
        after=after,
        goal=str(document["goal"]),
        aims=document["aims"],
        value_before=_read_value(document["value_before"]),
        value_after=_read_value(document["value_after"]),
        changes={
            names[name]: (str(row["lever"]), float(row["before"]), _count(row["after"]))
            for name, row in document["changes"].items()
        },
        status=str(document.get("status", "")),
        how=str(document.get("how", "")),
        needed=bool(document.get("needed", False)),
        risk=str(document.get("risk", "expected")),
        **values,
        **tables,
    )


def _count(value: Any) -> float:
    return int(value) if float(value).is_integer() else float(value)


def _read_value(value: Mapping[str, Any]) -> GoalValue:
    return GoalValue(str(value["goal"]), float(value["growth"]), float(value["value"]))


def _table(rows: Any, index: str, columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[index, *columns]).set_index(index)
    # of moves, 'from' and 'to' are services; of shadow prices, limits
    texts = _TEXTS | ({"from", "to"} if index == "step" else set())
    for column in columns:
        if column not in texts:
            frame[column] = [math.nan if v is None else float(v) for v in frame[column]]
    return frame


def without_none(value: Any) -> Any:
    """Return plain values without those that are None, which TOML does not have."""
    if isinstance(value, Mapping):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [without_none(item) for item in value]
    return value


def read_plan(path: Path) -> Plan:
    """Return the plan of a JSON or TOML file; see `Plan.read`."""
    read, where = (toml_of if path.suffix == ".toml" else json_of), f"file '{path.name}'"
    document = read(read_text(path, _LARGEST), where)
    if not isinstance(document, Mapping):
        raise InputError([Fault(where, "", "", "is no plan: it holds no table")])
    return plan_of_values(document)
