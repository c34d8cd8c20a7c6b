"""One value against one row of the attribute table: coercion and the fault it may have."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, TypeAdapter, ValidationError

from flownet.network.attributes import Attribute
from flownet.network.calendars import CalendarError, calendar_from_rows
from flownet.network.distributions import LawError, law_from_table

LARGEST = 1e12
"""No finite number of a description may be larger: beyond it lie slips of the keyboard."""


DEEPEST = 12
"""No description nests tables and lists deeper than this; one that contains itself would."""


def plain(value: Any, depth: int = 0) -> Any:
    """Return `value` with numpy scalars as Python ones, the text 'inf' as a number, tables copied.

    What is nested too deeply becomes a text that says so, which no check accepts.
    """
    if depth > DEEPEST:
        return "(nested too deeply)"
    if isinstance(value, Mapping):
        return {key: plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist(), depth + 1)
    if isinstance(value, str) and value.strip().lower() in {"inf", "infinity", "+inf"}:
        return math.inf
    return value


def is_absent(value: Any) -> bool:
    """Return whether `value` stands for nothing: None, or the nan of an empty table cell.

    A nan that a user wrote in a document is not absent: the check refuses it by its own rule;
    only `from_tables` calls this, where nan is how pandas marks an empty cell.
    """
    return value is None or (isinstance(value, float) and math.isnan(value))


def shown(value: Any) -> str:
    """Return `value` as a short text for a message."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001  # a stranger's __repr__ may raise anything
        text = f"<unprintable {type(value).__name__}: {type(error).__name__}>"
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(name: object, known: Iterable[object]) -> str:
    """Return '; did you mean X?' for the known name that is nearest, or an empty text."""
    match = difflib.get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.6)
    return f"; did you mean '{match[0]}'?" if match else ""


@cache
def _adapter(attribute: Attribute) -> TypeAdapter[Any]:
    """Return the pydantic validator of one attribute's single value."""
    if attribute.kind in {"number", "probability"}:
        high = min(attribute.high, LARGEST)
        bound = {"gt": attribute.low} if attribute.low_open else {"ge": attribute.low}
        finite = Annotated[float, Field(strict=True, le=high, allow_inf_nan=False, **bound)]
        return TypeAdapter(finite)
    if attribute.kind == "whole":
        return TypeAdapter(Annotated[int, Field(strict=True, ge=attribute.low, le=attribute.high)])
    if attribute.kind == "choice":
        choice: Any = Literal[attribute.choices]
        return TypeAdapter(choice)
    if attribute.kind == "boolean":
        return TypeAdapter(Annotated[bool, Strict()])
    if attribute.kind == "text":
        return TypeAdapter(Annotated[str, Strict(), Field(max_length=100_000)])
    return TypeAdapter(dict[str, Any])


def fault_of(attribute: Attribute, value: Any) -> str:
    """Return what is wrong with one plain value of `attribute`, or an empty text.

    Parameters
    ----------
    attribute : Attribute
        The row of the table.
    value : object
        A value that went through `plain`; not a table by class.
    """
    if attribute.kind == "distribution":
        return _law_fault(value)
    if attribute.kind == "calendar":
        return _calendar_fault(value)
    if attribute.infinite and isinstance(value, float) and value == math.inf:
        return ""
    try:
        _adapter(attribute).validate_python(value)
    except (ValidationError, OverflowError):
        hint = nearest(value, attribute.choices) if attribute.choices else ""
        largest = ""
        if attribute.kind == "number" and isinstance(value, (int, float)) and value > LARGEST:
            largest = f" (and no more than {LARGEST:g})"
        return f"must be {attribute.allowed}{largest}{hint}"
    return ""


def _calendar_fault(value: Any) -> str:
    try:
        calendar = calendar_from_rows(value)
    except (CalendarError, OverflowError) as error:
        return str(error)
    if max(*calendar.values, calendar.cycle) > LARGEST:
        return f"holds a number above {LARGEST:g}"
    return ""


def _law_fault(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "must be a table with family and its parameters"
    try:
        law = law_from_table(value)
    except (LawError, OverflowError) as error:
        return str(error)
    if not (0 < law.mean <= LARGEST and 0 <= law.scv <= 1e6):
        return f"has mean {law.mean:g} and scv {law.scv:g}: out of any sensible range"
    return ""
