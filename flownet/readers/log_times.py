"""Times of an event log: from texts, zones and clocks that change twice a year to seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats

if TYPE_CHECKING:
    import pandas as pd

SLASHED: Final = r"^\s*(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})"
"""A date that begins with the day or the month: which of them, the text alone may not tell."""


class Clock(NamedTuple):
    """How the times of a log are to be read."""

    zone: str | None
    """The time zone of times without one; None leaves them as they stand."""
    day_first: bool | None
    seconds: float
    """Length of a unit of numeric times, in seconds."""


class Times(NamedTuple):
    """One column of times."""

    seconds: Floats
    """Seconds since 1970 (or since the zero of numeric times); nan where there is none."""
    unreadable: NDArray[np.bool_]
    dated: bool
    """Whether they are dates, not mere numbers."""


def check_zone(zone: str | None) -> None:
    """Refuse a time zone that does not exist.

    Raises
    ------
    ParameterError
        Where it is unknown.
    """
    from zoneinfo import ZoneInfo

    if zone is None:
        return
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        message = "is not a known time zone; right is for instance 'Europe/London' or 'UTC'"
        raise ParameterError([Fault("event log", "time_zone", repr(zone), message)]) from error


def times_of(column: pd.Series[Any], clock: Clock, notes: list[str]) -> Times:
    """Return a column of times, dates or numbers, as seconds; what was odd goes to `notes`."""
    import pandas as pd

    empty = column.isna().to_numpy()
    if pd.api.types.is_bool_dtype(column):
        return Times(np.full(len(column), np.nan), ~empty, dated=False)
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan) * clock.seconds
        return Times(numbers, np.isinf(numbers), dated=bool(empty.all()))
    name = str(column.name)
    if not pd.api.types.is_datetime64_any_dtype(column):
        column = _parsed(column, clock, notes)
    read = pd.to_datetime(column)
    if read.dt.tz is None:
        read = _placed(read, clock.zone, name, notes)
    else:
        read = read.dt.tz_convert("UTC").dt.tz_localize(None)
    stamps = read.to_numpy(dtype="datetime64[ns]")
    missing = np.isnat(stamps)
    seconds = np.where(missing, np.nan, stamps.astype(np.int64) / 1e9)
    return Times(seconds, missing & ~empty, dated=True)


def _parsed(column: pd.Series[Any], clock: Clock, notes: list[str]) -> pd.Series[Any]:
    """Return texts as dates: by ISO 8601 where they follow it, the rest each by its own form."""
    import pandas as pd

    name = str(column.name)
    column = column.astype(object).where(column.notna(), None)
    zoned = column.dropna().astype(str).str.contains(r"(?:[+-]\d\d:?\d\d|Z)\s*$", regex=True)
    mixed = bool(zoned.any()) and not bool(zoned.all())
    in_utc = bool(zoned.any())
    read = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=in_utc)
    rest = read.isna() & column.notna()
    if rest.any():
        texts = column[rest].astype(str)
        # seconds: pandas' own dates would otherwise be guessed month first, one by one
        first = _day_first(texts, clock.day_first, name)
        later = pd.to_datetime(
            texts, format="mixed", dayfirst=first, errors="coerce", utc=in_utc
        ).astype(read.dtype)
        read = read.copy()
        read.loc[rest] = later
        order = "day first" if first else "month first"
        good = int(later.notna().sum())
        if good:
            notes.append(f"{good:,} times in '{name}' are not ISO 8601; they were read {order}.")
    if mixed:
        count = int((~zoned).sum())
        notes.append(
            f"{count:,} times in '{name}' name no offset from UTC while others do: they were "
            f"taken in {clock.zone or 'UTC'}."
        )
        read = _unzoned_moved(read, zoned, clock.zone, name, notes)
    return read


def _unzoned_moved(
    read: pd.Series[Any], zoned: pd.Series[Any], zone: str | None, name: str, notes: list[str]
) -> pd.Series[Any]:
    """Return times in UTC of which those without an offset are those of a zone."""
    if zone is None:
        return read
    plain = zoned.index[~zoned]
    moved = _placed(read.loc[plain].dt.tz_localize(None), zone, name, notes)
    read = read.copy()
    read.loc[plain] = moved.dt.tz_localize("UTC")
    return read


def _day_first(texts: pd.Series[Any], told: bool | None, name: str) -> bool:  # noqa: FBT001  # as the clock has it
    """Return whether dates such as 03/04/2024 begin with the day.

    Raises
    ------
    ParameterError
        Where neither the caller nor the dates tell.
    """
    if told is not None:
        return told
    parts = texts.str.extract(SLASHED).dropna().astype(int)
    if parts.empty:
        return False
    first, second = bool((parts[0] > 12).any()), bool((parts[1] > 12).any())
    if first != second:
        return first
    why = "both ways occur" if first else "no day above 12 tells"
    message = f"the dates may begin with the day or the month ({why}); say which by day_first"
    raise ParameterError([Fault("event log", name, repr(texts.iloc[0]), message)])


def _placed(read: pd.Series[Any], zone: str | None, name: str, notes: list[str]) -> pd.Series[Any]:
    """Return times of a zone's clocks in UTC, as times without a zone."""
    if zone is None:
        return read
    placed = read.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    odd = placed.isna() & read.notna()
    if odd.any():
        # the first of the two hours in autumn; an hour that spring skips, by the clock before
        early = read[odd].dt.tz_localize(
            zone, ambiguous=np.ones(int(odd.sum()), dtype=bool), nonexistent="NaT"
        )
        skipped = early.isna()
        forward = read[odd].dt.tz_localize(
            zone, ambiguous=np.ones(int(odd.sum()), dtype=bool), nonexistent="shift_forward"
        )
        placed = placed.copy()
        placed.loc[odd] = forward
        if (~skipped).any():
            notes.append(
                f"{int((~skipped).sum()):,} times in '{name}' fall in the hour that clocks in "
                f"{zone} show twice in autumn: taken as the first of the two."
            )
        if skipped.any():
            notes.append(
                f"{int(skipped.sum()):,} times in '{name}' fall in the hour that clocks in "
                f"{zone} skip in spring: taken as its end."
            )
    return placed.dt.tz_convert("UTC").dt.tz_localize(None)


def instant(value: Any, clock: Clock, what: str) -> float:
    """Return one time that the caller names as seconds.

    Raises
    ------
    ParameterError
        Where it cannot be read.
    """
    import pandas as pd

    found = times_of(pd.Series([value], name=what), clock, [])
    if not np.isfinite(found.seconds[0]):
        message = "must be a time, such as '2024-03-01 08:00', or a number as in the log"
        raise ParameterError([Fault("event log", what, repr(value), message)])
    return float(found.seconds[0])
