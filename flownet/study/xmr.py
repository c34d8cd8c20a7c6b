"""`xmr`: a chart of individual values and moving ranges, with the NHS rules for signals."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Booleans, Floats
from flownet.solvers.tables import records

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["XmR", "xmr"]

LIMIT: Final = 2.66
"""3 / d2 for ranges of two: the natural limits stand so many mean moving ranges from the mean."""
RANGE_LIMIT: Final = 3.268
"""D4 for ranges of two: the upper limit of the moving range."""
SIGMA: Final = 1.128
"""d2 for ranges of two: the mean moving range is so many standard deviations."""
SEVEN: Final = 7
ENOUGH: Final = 12
"""Limits from fewer values are provisional."""
RULES: Final = {
    "outside": "a point outside the limits",
    "run": "seven or more in a row on one side of the mean",
    "trend": "seven or more in a row rising or falling",
    "near": "two of three in a row near the same limit",
}
"""The rules of 'Making data count', by column."""


@dataclasses.dataclass(frozen=True, eq=False)
class XmR:
    """A chart of individual values (X) and moving ranges (mR).

    Attributes
    ----------
    table : pandas.DataFrame
        One row a value, by its label: ``value``, ``moving_range``, ``mean``, ``lower``, ``upper``
        (the natural limits), ``range_limit``, ``step`` (from 0, one more after each change), and
        one column a rule (``outside``, ``run``, ``trend``, ``near``) that says whether the value
        is part of such a signal.
    measure, unit : str
        What the values are.
    """

    table: pd.DataFrame = dataclasses.field(repr=False)
    measure: str = "value"
    unit: str = ""

    @cached_property
    def limits(self) -> pd.DataFrame:
        """One row a step: ``mean``, ``lower``, ``upper``, ``mean_range``, ``range_limit``."""
        columns = ["mean", "lower", "upper", "mean_range", "range_limit"]
        return self.table.assign(
            mean_range=self.table["range_limit"] / RANGE_LIMIT
        ).groupby("step")[columns].first()  # fmt: skip

    @cached_property
    def signals(self) -> pd.DataFrame:
        """The values that are part of a signal, with the reasons in words."""
        found = self.table[self.table[list(RULES)].any(axis=1)]
        words = [
            "; ".join(text for name, text in RULES.items() if row[name])
            for row in found[list(RULES)].to_dict("records")
        ]
        return found[["value", "mean", "lower", "upper"]].assign(reason=words)

    @property
    def stable(self) -> bool:
        """Whether nothing points to anything but ordinary variation."""
        return len(self.signals) == 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to be wary of."""
        counts = self.table.groupby("step")["basis"].sum()
        short = int(counts.min())
        if short >= ENOUGH:
            return ()
        return (f"limits rest on {short} values; fewer than {ENOUGH} make them provisional",)

    def __repr__(self) -> str:
        """Return three lines: the mean and limits, the signals, one warning."""
        last = self.limits.iloc[-1]
        low, high = figure(float(last["lower"])), figure(float(last["upper"]))
        unit = f" {self.unit}" if self.unit else ""
        head = (
            f"XmR of {self.measure}: {len(self.table)} values, mean {figure(float(last['mean']))}"
            f"{unit}, limits {low} to {high}"
        )
        signals = self.signals
        said = "  no signals: ordinary variation"
        if len(signals):
            said = f"  {len(signals)} values in signals; the last: {signals.iloc[-1]['reason']}"
        return "\n".join([head, said, *(f"  warning: {text}" for text in self.warnings)])

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain values for JSON."""
        table = self.table.rename_axis(self.table.index.name or "label")
        labelled = table.reset_index()
        labelled[table.index.name] = labelled[table.index.name].astype(str)
        return {"measure": self.measure, "unit": self.unit, "table": records(labelled)}


def xmr(
    values: Iterable[float],
    *,
    baseline: int | None = None,
    changes: Sequence[int] = (),
    measure: str = "value",
    unit: str = "",
) -> XmR:
    r"""Return the XmR chart of values in the order of time.

    .. math:: \bar x \pm 2.66\, \overline{mR},\qquad URL = 3.268\, \overline{mR},\qquad
              mR_i = |x_i - x_{i-1}|

    Parameters
    ----------
    values : sequence or pandas.Series of float
        Equally spaced in time, finite; the index of a Series labels the points.
    baseline : int, optional
        The first so many values of each step give its limits, at least 2; default all of them.
    changes : sequence of int
        Positions at which the process is known to have changed: mean and limits begin anew.
    measure, unit : str
        What the values are, for the labels.

    Returns
    -------
    XmR
        With the four rules of 'Making data count': a point outside the limits; seven in a row on
        one side of the mean; seven in a row rising or falling; two of three in a row in the outer
        third between mean and limit, on one side.

    Raises
    ------
    ParameterError
        Where values are missing or not finite, a step has fewer than two, or a position is out of
        its range.

    Notes
    -----
    The limits are those of ordinary variation between neighbours, whatever its law. A value on
    the mean ends a run, and equal neighbours end a trend.

    References
    ----------
    Wheeler (1993), Understanding Variation; Wheeler (2000), Understanding Variation, 2nd ed.,
    appendix: 2.66 and 3.268. NHS England, Making Data Count (2019 on), Strengthening your
    decisions: the rules.

    Examples
    --------
    >>> chart = xmr([50, 52, 49, 51, 50, 48, 51, 50, 60])
    >>> list(chart.signals.index), chart.signals["reason"].iloc[0]
    ([8], 'a point outside the limits')
    """
    import pandas as pd

    series = values if isinstance(values, pd.Series) else pd.Series(list(values), dtype=object)
    numbers = _checked(series, baseline)
    starts = _starts(numbers.size, changes)
    parts = [
        _step(numbers[first:last], step, baseline)
        for step, (first, last) in enumerate(itertools.pairwise([*starts, numbers.size]))
    ]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return XmR(pd.DataFrame(columns, index=series.index), measure, unit)


def _checked(series: pd.Series[Any], baseline: int | None) -> Floats:
    try:
        numbers = np.array([float(value) for value in series], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError([Fault("xmr", "values", "", f"must be numbers: {error}")]) from error
    faults = [
        Fault("xmr", "values", f"{numbers[k]:g}", f"at {series.index[k]} must be finite")
        for k in np.flatnonzero(~np.isfinite(numbers))
    ]
    if baseline is not None and baseline < 2:
        faults.append(Fault("xmr", "baseline", str(baseline), "must be at least 2"))
    if faults:
        raise ParameterError(faults)
    return numbers


def _starts(size: int, changes: Sequence[int]) -> list[int]:
    starts = [0, *sorted(changes)]
    lengths = [b - a for a, b in itertools.pairwise([*starts, size])]
    if any(length < 2 for length in lengths):
        message = "must leave at least two values in each step"
        value = ", ".join(map(str, changes)) or f"{size} values"
        raise ParameterError([Fault("xmr", "changes" if changes else "values", value, message)])
    return starts


def _step(values: Floats, step: int, baseline: int | None) -> dict[str, Any]:
    """Return the columns of one step."""
    count = min(baseline or values.size, values.size)
    mean = float(values[:count].mean())
    mean_range = float(np.abs(np.diff(values[:count])).mean())
    half = LIMIT * mean_range
    near = 2 * half / 3
    away = values - mean
    outside = np.abs(away) > half
    size = values.size
    return {
        "value": values,
        "moving_range": np.concatenate([[math.nan], np.abs(np.diff(values))]),
        "mean": np.full(size, mean),
        "lower": np.full(size, mean - half),
        "upper": np.full(size, mean + half),
        "range_limit": np.full(size, RANGE_LIMIT * mean_range),
        "step": np.full(size, step),
        "basis": np.arange(size) < count,
        "outside": outside,
        "run": _in_a_row(np.sign(away)),
        "trend": _trend(values),
        "near": _two_of_three(np.where((np.abs(away) > near) & ~outside, np.sign(away), 0.0)),
    }


def _in_a_row(signs: Floats, least: int = SEVEN) -> Booleans:
    """Return which entries are part of `least` or more equal signs in a row, none of them 0."""
    part = np.zeros(signs.size, dtype=np.bool_)
    first = 0
    for sign, group in itertools.groupby(signs.tolist()):
        last = first + len(list(group))
        if sign != 0.0 and last - first >= least:
            part[first:last] = True
        first = last
    return part


def _trend(values: Floats) -> Booleans:
    """Return which values are part of seven or more rising or falling in a row."""
    steps = _in_a_row(np.sign(np.diff(values)), SEVEN - 1)
    part = np.zeros(values.size, dtype=np.bool_)
    part[:-1] |= steps
    part[1:] |= steps
    return part


def _two_of_three(sides: Floats) -> Booleans:
    """Return which values near a limit are with another within two places, near the same limit."""
    part = np.zeros(sides.size, dtype=np.bool_)
    for gap in (1, 2):
        both = (sides[gap:] == sides[:-gap]) & (sides[gap:] != 0.0)
        part[gap:] |= both
        part[:-gap] |= both
    return part
