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
