"""Arrivals from counts: how many came in each hour, day or month, where no log of each is held."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError, ReadError
from flownet.network.values import nearest
from flownet.readers.log_files import frame_of
from flownet.readers.log_times import Clock, times_of
from flownet.solvers.tables import records
from flownet.units import SECONDS

if TYPE_CHECKING:
    import pandas as pd

PERIODS: Final = {
    "hour": (3600.0, "hours"), "day": (86400.0, "days"), "week": (7 * 86400.0, "weeks"),
    "month": (30.4 * 86400.0, "months"), "year": (365.25 * 86400.0, "years"),
}  # fmt: skip
"""Length in seconds, about, by which a period is recognized, and the offset that adds one."""
FEWEST: Final = 2


@dataclasses.dataclass(frozen=True, eq=False)
class ArrivalCounts:
    """Rates of arrival from counts by period.

    Attributes
    ----------
    rates : pandas.DataFrame
        By group: rate, standard_error, low, high, n (arrivals), periods, dispersion, p_value,
        verdict.
    profile : pandas.DataFrame
        By month of the year (day of the week, hour of the day): rate over the mean rate, by group.
    period : str
        hour, day, week, month or year.
    rows : dict
        Rows read, used, and refused by rule.
    """

    rates: pd.DataFrame
    profile: pd.DataFrame = dataclasses.field(repr=False)
    period: str
    rows: dict[str, int]

    def __repr__(self) -> str:
        """Return three lines: what it is, the rows, the first rate."""
        first, name = self.rates.iloc[0], self.rates.index[0]
        unit = self.rates.attrs["units"]["rate"]
        refused = ", ".join(
            f"{n:,} {rule}" for rule, n in self.rows.items() if rule != "used" and n
        )
        return "\n".join([
            f"ArrivalCounts: {len(self.rates)} groups by {self.period}",
            f"  {sum(self.rows.values()):,} rows read, {self.rows['used']:,} used"
            + (f"; refused: {refused}" if refused else ""),
            f"  {name}: {figure(first['rate'])} {unit} ({figure(first['low'])} to "
            f"{figure(first['high'])}); {first['verdict']}",
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "rates": records(self.rates), "profile": records(self.profile), "period": self.period,
            "rows": dict(self.rows),
        }  # fmt: skip


def arrival_rates(
    counts: Any,
    *,
    period: str = "period",
    count: str = "count",
    by: Sequence[str] = (),
    time_unit: str,
    confidence: float = 0.95,
) -> ArrivalCounts:
    r"""Return rates of arrival from counts by hour, day, week, month or year.

    .. math:: \hat\lambda = \sum_t n_t / \sum_t l_t, \qquad
              \hat\sigma^2 = \frac{s^2}{m} \frac{1 + r}{1 - r}

    with :math:`l_t` the true lengths of the m periods (months have 28 to 31 days), s the spread of
    the rates between periods and r > 0 their correlation from one period to the next. It is at
    least that of a Poisson process.

    Parameters
    ----------
    counts : data frame or path
        One row a period (and group); several rows of one period and group are added up.
    period, count : str
        Columns of the beginning of the period and of the number.
    by : sequence of str
        Columns that tell groups apart, such as organisation and type.
    time_unit : str
        Of the rates.
    confidence : float
        Of the intervals, in (0, 1).

    Raises
    ------
    ParameterError
        Where a column, the unit or the confidence is wrong.
    ReadError
        Where no row can be used, or the periods are of no known length.

    Notes
    -----
    Assumed: the rate has no trend; a group's periods without a row were not observed.

    References
    ----------
    Cox and Lewis (1966), The Statistical Analysis of Series of Events, sect. 6.3, for the test.

    Examples
    --------
    >>> rows = [{"period": "2023-01-01", "count": 310}, {"period": "2023-02-01", "count": 280}]
    >>> float(arrival_rates(rows, time_unit="day").rates["rate"].iloc[0])
    10.0
    """
    import pandas as pd

    wanted = [period, count, *by]
    frame = frame_of(counts, lambda names: ([c for c in by if c in names], [period, count]))
    _check(wanted, [str(name) for name in frame.columns], time_unit, confidence)
    times = times_of(frame[period], Clock(None, None, 1.0), [])
    number = pd.to_numeric(frame[count], errors="coerce").to_numpy(dtype=np.float64)
    groups = frame[list(by)] if by else pd.DataFrame({"group": np.full(len(frame), "all")})
    unread = ~np.isfinite(times.seconds)
    none = ~unread & ~(np.isfinite(number) & (number >= 0))
    nameless = ~unread & ~none & groups.isna().any(axis=1).to_numpy()
    good = ~(unread | none | nameless)
    rows = {
        "used": int(good.sum()), "unreadable period": int(unread.sum()),
        "no count": int(none.sum()), "no group": int(nameless.sum()),
    }  # fmt: skip
    if not good.any():
        raise ReadError([Fault("counts", "", "", f"no row can be used: {rows}")], "counts")
    stamps = pd.to_datetime(times.seconds[good], unit="s").round("s")
    kind = _kind(stamps)
    data = groups[good].assign(period=stamps, count=number[good])
    table = data.groupby([*groups.columns, "period"], sort=True)["count"].sum().reset_index()
    ends = table["period"] + pd.DateOffset(**{PERIODS[kind][1]: 1})
    table["length"] = (ends - table["period"]).dt.total_seconds() / SECONDS[time_unit]
    grouped = table.groupby(list(groups.columns) if len(by) > 1 else groups.columns[0])
    rates = pd.DataFrame({name: _rate(piece, confidence) for name, piece in grouped}).T
    rates = rates.infer_objects()
    rates.index.names = list(groups.columns)
    rates.attrs["units"] = {"rate": f"per {time_unit}"}
    profile = pd.DataFrame({name: _profile(piece, kind) for name, piece in grouped})
    return ArrivalCounts(rates, profile, kind, rows)


def _check(wanted: Sequence[str], names: Sequence[str], unit: str, confidence: float) -> None:
    faults = [
        Fault("counts", "", repr(name), f"is no column{nearest(name, names)}")
        for name in wanted
        if name not in names
    ]
    if unit not in SECONDS:
        faults.append(Fault("counts", "time_unit", repr(unit), f"one of {', '.join(SECONDS)}"))
    if not 0 < confidence < 1:
        faults.append(Fault("counts", "confidence", repr(confidence), "must be in (0, 1)"))
    if faults:
        raise ParameterError(faults, "counts")


def _kind(stamps: pd.DatetimeIndex) -> str:
    """Return what the periods are, by the gap between them."""
    begins = stamps.unique().sort_values()
    if begins.size < FEWEST:
        raise ReadError([Fault("counts", "period", "", "there must be two periods or more")])
    gap = float(np.min(np.diff(begins).astype("timedelta64[s]").astype(float)))
    for kind, (length, _) in PERIODS.items():
        if abs(gap / length - 1.0) < 0.1:
            return kind
    message = f"are {figure(gap / 86400.0)} days apart: neither of {', '.join(PERIODS)}"
    raise ReadError([Fault("counts", "period", "", message)], "counts")


def _rate(piece: pd.DataFrame, confidence: float) -> dict[str, Any]:
    from scipy import stats

    number, length = piece["count"].to_numpy(), piece["length"].to_numpy()
    n, m = float(number.sum()), len(piece)
    rate = n / length.sum()
    error = math.sqrt(max(n, 1.0)) / length.sum()
    ratio, p, verdict = math.nan, math.nan, "one period: taken as Poisson"
    if m > 1 and n > 0:
        expected = rate * length
        statistic = float(((number - expected) ** 2 / expected).sum())
        ratio, p = statistic / (m - 1), float(stats.chi2.sf(statistic, m - 1))
        verdict = (
            "Poisson, as far as the counts tell" if p >= 0.01 else "more variable than Poisson"
        )
        off = number / length - rate
        follows = float(off[1:] @ off[:-1] / max(off @ off, 1e-300)) if m > 3 else 0.0
        swell = (1.0 + max(0.0, follows)) / (1.0 - min(max(0.0, follows), 0.95))
        error = max(error, math.sqrt(float(off @ off) / (m - 1) / m * swell))
    wide = float(stats.t.isf((1.0 - confidence) / 2.0, max(m - 1, 1))) * error / max(rate, 1e-300)
    return {
        "rate": rate, "standard_error": error, "low": rate * math.exp(-wide),
        "high": rate * math.exp(min(wide, 700.0)), "n": int(n), "periods": m, "dispersion": ratio,
        "p_value": p, "verdict": verdict,
    }  # fmt: skip


def _profile(piece: pd.DataFrame, kind: str) -> pd.Series[Any]:
    """Return rates over the mean rate by place in the year, the week or the day."""
    begin = piece["period"].dt
    place = {"hour": begin.hour, "day": begin.day_of_week}.get(kind, begin.month)
    sums = piece.assign(place=place).groupby("place")[["count", "length"]].sum()
    rates = sums["count"] / sums["length"]
    whole = piece["count"].sum() / piece["length"].sum()
    return rates / whole if whole > 0 else rates
