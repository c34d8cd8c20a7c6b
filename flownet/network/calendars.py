"""Calendars: numbers that are constant piece by piece on a cycle, such as the hours of a week."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final, NamedTuple

ROUNDING: Final = 1e-9
"""Relative to the cycle: an end and a start that differ by less are the same moment."""
KEYS: Final = ("start", "end", "value")
LONGEST_CYCLE: Final = 1000
"""A cycle common to several calendars is worth the name up to so many of the longest."""


class Calendar(NamedTuple):
    """A number by time of a cycle: ``values[i]`` from the end before it to ``ends[i]``."""

    ends: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def cycle(self) -> float:
        """Length of the cycle, in T."""
        return self.ends[-1]

    @property
    def mean(self) -> float:
        """Time mean over the cycle."""
        steps = zip((0.0, *self.ends), self.ends, self.values, strict=False)
        return math.fsum((end - start) * value for start, end, value in steps) / self.cycle


class CalendarError(ValueError):
    """Rows that are no calendar; the text says everything that is wrong, and what would be."""


def calendar_from_rows(rows: Any) -> Calendar:
    """Return the calendar that rows of start, end and value describe.

    Parameters
    ----------
    rows : list of mappings
        Each with ``start``, ``end`` (T) and ``value``, in any order; together they cover a cycle
        that begins at 0 once, and the last end is its length.

    Raises
    ------
    CalendarError
        With everything that is wrong.

    Examples
    --------
    >>> night, day = {"start": 0, "end": 8, "value": 1}, {"start": 8, "end": 24, "value": 4}
    >>> calendar_from_rows([night, day]).mean
    3.0
    """
    if not isinstance(rows, list) or not rows:
        message = "must be a list of rows with start, end and value, at least one"
        raise CalendarError(message)
    wrong = [text for number, row in enumerate(rows, 1) if (text := _row_fault(number, row))]
    if wrong:
        raise CalendarError(_listed(wrong))
    steps = sorted((float(row["start"]), float(row["end"]), float(row["value"])) for row in rows)
    slack = ROUNDING * steps[-1][1]
    if steps[0][0] > slack:
        wrong.append(f"begins at {steps[0][0]:g}: the first row must start at 0")
    for (_, end, _), (start, _, _) in itertools.pairwise(steps):
        if abs(start - end) > slack:
            kind = "a gap" if start > end else "an overlap"
            wrong.append(f"has {kind} between {min(start, end):g} and {max(start, end):g}")
    if wrong:
        raise CalendarError(_listed(wrong))
    return Calendar(tuple(step[1] for step in steps), tuple(step[2] for step in steps))


def _row_fault(number: int, row: Any) -> str:
    """Return what is wrong with one row by itself, or an empty text."""
    if not isinstance(row, Mapping) or set(row) != set(KEYS):
        return f"row {number} must have start, end and value, and nothing else"
    for key in KEYS:
        cell = row[key]
        if isinstance(cell, bool) or not isinstance(cell, (int, float)) or not math.isfinite(cell):
            return f"row {number}: {key} = {cell!r} must be a finite number"
    if row["value"] < 0:
        return f"row {number}: value = {row['value']:g} must be at least 0"
    if not 0 <= row["start"] < row["end"]:
        return (
            f"row {number}: start = {row['start']:g} must be at least 0 and before "
            f"end = {row['end']:g}"
        )
    return ""


def _listed(wrong: list[str], most: int = 5) -> str:
    more = [f"and {len(wrong) - most} more"] if len(wrong) > most else []
    return "; ".join(wrong[:most] + more)


def rows_of_calendar(calendar: Calendar) -> list[dict[str, float]]:
    """Return the rows that `calendar_from_rows` takes."""
    starts = (0.0, *calendar.ends)
    return [
        {"start": start, "end": end, "value": value}
        for start, end, value in zip(starts, calendar.ends, calendar.values, strict=False)
    ]


def common_cycle(cycles: Iterable[float]) -> float:
    """Return the shortest time of which all `cycles` are whole parts; nan where there is none.

    Examples
    --------
    >>> common_cycle([24.0, 168.0])
    168.0
    """
    parts = {Fraction(cycle).limit_denominator(10**6) for cycle in cycles}
    if not parts or 0 in parts:
        return math.nan
    scale = math.lcm(*(part.denominator for part in parts))
    common = Fraction(math.lcm(*(int(part * scale) for part in parts)), scale)
    return float(common) if common <= LONGEST_CYCLE * max(parts) else math.nan
