"""Times of an event log: from texts, zones and clocks that change twice a year to seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats
from flownet.readers.log_numbers import MOST, dates_in, epoch_of, numbers_in

if TYPE_CHECKING:
    import pandas as pd

SLASHED: Final = r"^\s*(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})(?!\d)"
"""A date that begins with the day or the month: which of them, the text alone may not tell."""
DATELIKE: Final = (
    r"^\s*(?:[A-Za-z]{3,9},?\s+)?"
    r"(?:\d{1,4}[/.\- ]\s*(?:\d{1,2}|[A-Za-z]{3,9})\.?[/.\- ,]+\d{1,4}(?!\d)"
    r"|[A-Za-z]{3,9}\.?\s+\d{1,2},?\s+\d{4}(?!\d))"
)
"""What has to stand at the beginning of a text for a day, a month and a year to be told."""
LETTERED: Final = r"(?<![A-Za-z])(?!(?:AM|PM|UTC|GMT|Z)$)[A-Za-z]{2,5}\s*$"
"""A zone by its letters: 'IST' is one of three."""
ZONED: Final = r"(?:[+-]\d\d:?\d\d|Z|UTC|GMT)\s*$"
FIRST_YEAR, LAST_YEAR = 1900, 2200
"""Dates before the first day of the one or from the other on are no clock's: they fill a gap."""


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
    filler: NDArray[np.bool_]
    """Dates such as 1900-01-01 and 9999-12-31, which stand for none."""
    later: Floats
    """Seconds to add where clocks showed the time twice and the second is meant; else 0."""


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
    except (KeyError, ValueError, OSError, TypeError) as error:
        message = "is not a known time zone; right is for instance 'Europe/London' or 'UTC'"
        raise ParameterError([Fault("event log", "time_zone", repr(zone), message)]) from error


def times_of(
    column: pd.Series[Any], clock: Clock, notes: list[str], beside: Sequence[Any] = ()
) -> Times:
    """Return a column of times, dates or numbers, as seconds; what was odd goes to `notes`.

    Parameters
    ----------
    column : pandas.Series
        As the log has it.
    clock : Clock
        How to read it.
    notes : list of str
        Is added to.
    beside : sequence of pandas.Series
        The log's other columns of times: they may tell whether dates begin with the day.
    """
    import pandas as pd

    empty = column.isna().to_numpy()
    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    elif pd.api.types.is_timedelta64_dtype(dtype):
        return _numeric(column.dt.total_seconds().to_numpy(), ~empty, dated=False)
    elif pd.api.types.is_bool_dtype(dtype):
        return _numeric(np.full(len(column), np.nan), ~empty, dated=False)
    elif pd.api.types.is_numeric_dtype(dtype):
        return _numbered(column, empty, clock, notes)
    elif not pd.api.types.is_datetime64_any_dtype(dtype):
        column = _texts(column)
        numbers = numbers_in(column)
        if numbers is not None:
            return _numbered(numbers, empty, clock, notes)
        column = _parsed(column, clock, notes, beside)
    return _dated(column, empty, clock, notes)


def _numbered(
    column: pd.Series[Any], empty: NDArray[np.bool_], clock: Clock, notes: list[str]
) -> Times:
    """Return numbers as seconds: of dates that they write, since 1970, or since their own zero."""
    name = str(column.name)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    dates = dates_in(values, name, notes)
    if dates is not None:
        return _dated(dates.rename(name), empty, clock, notes)
    seconds = epoch_of(values, name, notes)
    if seconds is not None:
        return _numeric(seconds, ~empty, dated=True)
    with np.errstate(over="ignore", invalid="ignore"):
        seconds = values * clock.seconds
    return _numeric(seconds, ~empty, dated=bool(empty.all()))


def _numeric(seconds: Floats, told: NDArray[np.bool_], *, dated: bool) -> Times:
    good = np.abs(np.nan_to_num(seconds, nan=np.inf)) <= MOST
    none = np.zeros(seconds.size)
    return Times(np.where(good, seconds, np.nan), told & ~good, dated, none > 0, none)


def _texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return the texts of whatever objects a column holds; blank ones as none."""
    import pandas as pd

    if not isinstance(column.dtype, pd.StringDtype):
        column = column.astype(object).map(str, "ignore")
    return column.where(column.str.strip() != "")


def _dated(read: pd.Series[Any], empty: NDArray[np.bool_], clock: Clock, notes: list[str]) -> Times:
    """Return dates as seconds in UTC."""
    later = np.zeros(len(read))
    if read.dt.tz is None:
        read, later = _placed(read, clock.zone, notes)
    else:
        read = read.dt.tz_convert("UTC").dt.tz_localize(None)
    stamps = read.to_numpy().astype("datetime64[us]")
    missing = np.isnat(stamps)
    seconds = np.where(missing, np.nan, stamps.astype(np.int64) / 1e6)
    first, last = (
        np.datetime64(f"{text}", "s").astype(np.int64)
        for text in (f"{FIRST_YEAR}-01-02", f"{LAST_YEAR}-01-01")
    )
    filler = (seconds < first) | (seconds >= last)
    seconds[filler] = np.nan
    return Times(seconds, missing & ~empty, dated=True, filler=filler, later=later)


def _parsed(
    column: pd.Series[Any], clock: Clock, notes: list[str], beside: Sequence[Any]
) -> pd.Series[Any]:
    """Return texts as dates: by ISO 8601 where they follow it, the rest each by its own form."""
    import pandas as pd

    name = str(column.name)
    zoned = column.str.contains(ZONED, regex=True, na=False).astype(bool)
    in_utc = bool(zoned.any())
    read = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=in_utc)
    rest = read.isna() & column.notna()
    if rest.any():
        later = _by_own_form(column[rest], clock, notes, beside, in_utc=in_utc)
        read = pd.Series(read).astype(later.dtype)
        read.loc[rest] = later
    if in_utc and not bool(zoned[column.notna()].all()):
        plain = ~zoned & read.notna()
        notes.append(
            f"{int(plain.sum()):,} times in '{name}' name no offset from UTC while others do: they "
            f"were taken in {clock.zone or 'UTC'}."
        )
        read = _unzoned_moved(read, plain, clock.zone, notes)
    return read.rename(name)


def _by_own_form(
    texts: pd.Series[Any], clock: Clock, notes: list[str], beside: Sequence[Any], *, in_utc: bool
) -> pd.Series[Any]:
    """Return texts that do not follow ISO 8601 as dates; not a date, and those that cannot be."""
    import pandas as pd

    name = str(texts.name)
    lettered = texts.str.contains(LETTERED, regex=True, na=False).astype(bool)
    lettered &= texts.str.contains(r"\d\s*[A-Za-z]{2,5}\s*$", regex=True, na=False).astype(bool)
    if lettered.any():
        notes.append(
            f"{int(lettered.sum()):,} times in '{name}' name a zone by letters that may mean "
            f"several, such as {texts[lettered].iloc[0]!r}: they cannot be read."
        )
    good = texts.str.match(DATELIKE, na=False).astype(bool) & ~lettered
    kind = "datetime64[us, UTC]" if in_utc else "datetime64[us]"
    read = pd.Series(pd.NaT, index=texts.index, dtype=kind)
    if not good.any():
        return read
    parts = texts.str.extract(SLASHED).astype("float64")
    first = _day_first(parts, texts, clock.day_first, beside)
    # the second figure is then the month: 01/13 cannot begin with the day
    good &= ~(parts[1 if first else 0] > 12).fillna(value=False).astype(bool)
    read[good] = pd.to_datetime(
        texts[good], format="mixed", dayfirst=first, errors="coerce", utc=in_utc
    ).astype(kind)
    order = "day first" if first else "month first"
    told = "" if parts[0].isna().all() else f"; they were read {order}"
    notes.append(f"{int(read.notna().sum()):,} times in '{name}' are not ISO 8601{told}.")
    return read


def _unzoned_moved(
    read: pd.Series[Any], plain: pd.Series[Any], zone: str | None, notes: list[str]
) -> pd.Series[Any]:
    """Return times in UTC of which those without an offset are those of a zone."""
    if zone is None or not plain.any():
        return read
    moved, _ = _placed(read[plain].dt.tz_localize(None), zone, notes)
    read = read.copy()
    read.loc[plain] = moved.dt.tz_localize("UTC")
    return read


def _day_first(
    parts: Any,
    texts: pd.Series[Any],
    told: bool | None,  # noqa: FBT001  # as the clock has it
    beside: Sequence[Any],
) -> bool:
    """Return whether dates such as 03/04/2024 begin with the day.

    Raises
    ------
    ParameterError
        Where neither the caller nor the dates tell.
    """
    import pandas as pd

    if told is not None or parts[0].isna().all():
        return bool(told)
    first, second = bool((parts[0] > 12).any()), bool((parts[1] > 12).any())
    if first == second:
        for other in beside:
            if not pd.api.types.is_numeric_dtype(other):
                more = other.astype(object).map(str, "ignore").astype("str").str.extract(SLASHED)
                more = more.astype("float64")
                first, second = first or (more[0] > 12).any(), second or (more[1] > 12).any()
    if first != second:
        return bool(first)
    why = "both ways occur" if first else "no day above 12 tells"
    message = f"the dates may begin with the day or the month ({why}); say which by day_first"
    shown = texts[parts[0].notna()].iloc[0]
    raise ParameterError([Fault("event log", str(texts.name), repr(shown), message)])


def _placed(
    read: pd.Series[Any], zone: str | None, notes: list[str]
) -> tuple[pd.Series[Any], Floats]:
    """Return times of a zone's clocks in UTC, without a zone, and how much later each may be."""
    later = np.zeros(len(read))
    if zone is None:
        return read, later
    name = str(read.name)
    placed = read.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    odd = placed.isna() & read.notna()
    if odd.any():
        # the first of the two hours in autumn; an hour that spring skips, by the clock before
        first, second = (
            read[odd].dt.tz_localize(
                zone, ambiguous=np.full(int(odd.sum()), summer), nonexistent="shift_forward"
            )
            for summer in (True, False)
        )
        apart = (second - first).dt.total_seconds()
        placed = placed.copy()
        placed.loc[odd] = first
        later[np.flatnonzero(odd)] = apart.to_numpy()
        twice, skipped = int((apart > 0).sum()), int((apart == 0).sum())
        if twice:
            notes.append(
                f"{twice:,} times in '{name}' fall in the hour that clocks in {zone} show twice in "
                "autumn: taken as the first of the two, unless the stay would end before it began."
            )
        if skipped:
            notes.append(
                f"{skipped:,} times in '{name}' fall in the hour that clocks in {zone} skip in "
                "spring: taken as its end."
            )
    return placed.dt.tz_convert("UTC").dt.tz_localize(None), later


def instant(value: Any, clock: Clock, what: str) -> tuple[float, bool]:
    """Return one time that the caller names as seconds, and whether it is a date.

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
    return float(found.seconds[0]), found.dated
