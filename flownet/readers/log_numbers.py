"""Numbers that stand for times: counted from a zero, or dates in disguise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flownet.kernels.compiled import Floats

if TYPE_CHECKING:
    import pandas as pd

EPOCHS: Final = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}
EARLIEST, LATEST = 631_152_000.0, 4_102_444_800.0
"""1990 and 2100 in seconds since 1970: numbers between them are taken for such seconds."""
DIGITS: Final = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
"""Digits of dates without anything between them."""
SHARE: Final = 0.9
"""So many of a column's numbers have to look alike to be taken for dates."""
MOST: Final = 1e13
"""Seconds; a larger number is no time."""


def numbers_in(texts: pd.Series[Any]) -> pd.Series[Any] | None:
    """Return texts as numbers where every one of them is a number, perhaps with a comma."""
    import pandas as pd

    filled = texts.dropna()
    if filled.empty:
        return None
    first = filled.iloc[:100].astype(str).str.strip()
    pattern = r"[+-]?\d*(?:[.,]\d*)?(?:[eE][+-]?\d+)?"
    if not first.str.fullmatch(pattern).all():
        return None
    if first.str.contains(",", regex=False).any():
        texts = texts.astype(object).map(lambda text: str(text).replace(",", "."), "ignore")
    numbers = pd.to_numeric(texts, errors="coerce")
    return numbers if bool((numbers.notna() == texts.notna()).all()) else None


def dates_in(numbers: Floats, name: str, notes: list[str]) -> Any:
    """Return dates that numbers write as digits, such as 20240131, or None where they do not."""
    import pandas as pd

    told = np.isfinite(numbers)
    values = numbers[told]
    if values.size == 0 or not (values == np.floor(values)).all():
        return None
    for digits, form in DIGITS.items():
        if values.min() >= 1900 * 10.0 ** (digits - 4) and values.max() < 2200 * 10.0 ** (
            digits - 4
        ):
            texts = pd.Series(numbers).where(told, 0).astype(np.int64).astype(str)
            read = pd.to_datetime(texts.where(told), format=form, errors="coerce")
            if read.notna().to_numpy()[told].all():
                notes.append(f"The numbers in '{name}' are dates of {digits} digits.")
                return read
    return None


def epoch_of(numbers: Floats, name: str, notes: list[str]) -> Floats | None:
    """Return seconds since 1970 where numbers count them (or thousandths, …), nan at others."""
    told = np.isfinite(numbers)
    if not told.any():
        return None
    for unit, scale in EPOCHS.items():
        seconds = numbers * scale
        inside = told & (seconds >= EARLIEST) & (seconds <= LATEST)
        if inside.sum() >= SHARE * told.sum():
            notes.append(f"The numbers in '{name}' were read as {unit} since 1970, in UTC.")
            return np.where(inside, seconds, np.nan)
    return None
