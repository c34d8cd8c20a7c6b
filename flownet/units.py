"""Time units: the names that a network may declare, and the factors between them."""

from __future__ import annotations

from typing import Final

SECONDS: Final[dict[str, float]] = {
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
    "week": 604800.0,
    "month": 365.25 * 86400.0 / 12.0,
    "year": 365.25 * 86400.0,
}
"""Length of each time unit in seconds; a month is a twelfth of a year of 365.25 days."""


def factor(unit: str, to: str) -> float:
    """Return how many of `to` make one `unit`.

    Examples
    --------
    >>> factor("day", "hour")
    24.0
    """
    return SECONDS[unit] / SECONDS[to]


DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""A week begins on Monday at midnight, as the profile of an event log does."""


def moment(time: float, cycle: float, unit: str) -> str:
    """Return a time of a cycle as people say it: with the day where the cycle is a week.

    Examples
    --------
    >>> moment(34.5, 168.0, "hour"), moment(90.0, 1440.0, "minute"), moment(3.0, 10.0, "day")
    ('Tue 10:30', '01:30', 'day 3')
    """
    minutes = round(time * SECONDS[unit] / SECONDS["minute"])
    days = cycle * factor(unit, "day")
    if abs(days - 1.0) > 1e-6 and abs(days - 7.0) > 1e-6:
        return f"{unit} {time:g}"
    clock = f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"
    return clock if days < 2.0 else f"{DAYS[minutes // 1440 % 7]} {clock}"
