"""From stays to the parameters of a network, service by service and class by class."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats, Integers
from flownet.readers.estimate_cells import (
    THIN,
    Concurrency,
    Estimate,
    concurrency,
    drawn_together,
    moments_of,
    positive,
    shares_of,
)
from flownet.readers.log_arrivals import Arrivals, arrivals_of, hours_between
from flownet.readers.stay_laws import LEAST, LawFit, Mixture, Spans, fit_laws, grouped, mixture_of
from flownet.readers.stay_moments import Moments, moments_of_stays
from flownet.readers.stay_split import Pieces
from flownet.readers.stays import BACK, LEFT, ON, Stays, Steps

PLAIN_FAMILIES: Final = ("exponential", "gamma", "weibull", "lognormal")
"""Laws for what was not seen of stays, where the caller wants none fitted."""


MANY: Final = 100
"""With fewer stays no mixture is looked for."""


class Setting(NamedTuple):
    """What the caller has said about the log; times in seconds."""

    unit: float
    begin: float
    end: float
    drawn: float
    zone: str | None
    weekdays: bool
    """Whether the times are dates of a true clock, so that hours of the week mean something."""
    true_clock: bool
    confidence: float
    families: tuple[str, ...]
    leaves_after: float
    shortest: float
    """Stays last about as long at the least; what is a millionth of it is rounding."""


@dataclasses.dataclass
class Findings:
    """Estimates by (service, class), filled in one subject after the other."""

    arrivals: dict[tuple[int, int], Arrivals]
    time: dict[tuple[int, int], StayEstimate]
    routes: dict[tuple[int, int], Routing]
    busy: dict[int, Concurrency]
    waits: dict[int, tuple[float, float]]
    returns: dict[tuple[int, int], Estimate]


class StayEstimate(NamedTuple):
    """Length of stay in one cell."""

    mean: Estimate
    scv: Estimate
    open: int
    laws: tuple[LawFit, ...]
    by_law: float
    """Share of the mean that rests on a law, beyond what was seen."""
    shrunk: bool
    whole: bool
    """Whether every stay was seen from its beginning to its end."""
    mixture: Mixture | None
    """Two laws, where no single one fits."""


class Routing(NamedTuple):
    """Where jobs of one cell go next; the last destination is leaving."""

    to: Integers
    counts: Integers
    shares: tuple[Estimate, ...]


def find_all(stays: Stays, steps: Steps, setting: Setting, pieces: Pieces | None) -> Findings:
    """Return all estimates that the stays allow."""
    found = Findings({}, {}, {}, {}, {}, {})
    if setting.true_clock:
        _find_arrivals(stays, steps, setting, found)
        _find_concurrency(stays, setting, found)
    _find_times(stays, setting, found, pieces)
    _find_routes(stays, steps, setting, found)
    _find_returns(stays, steps, setting, found)
    for k in range(len(stays.services)):
        found.waits[k] = _waits(stays, k, setting)
    return found


def _cells(
    stays: Stays, which: NDArray[np.bool_] | None = None
) -> list[tuple[tuple[int, int], Integers]]:
    """Return (service, class) and the positions of its stays, for each cell that has any."""
    at = np.arange(stays.case.size) if which is None else np.flatnonzero(which)
    code = stays.service[at] * len(stays.classes) + stays.job_class[at]
    order = np.argsort(code, kind="stable")
    values, starts = np.unique(code[order], return_index=True)
    pieces = np.split(at[order], starts[1:])
    width = len(stays.classes)
    cells = zip(values.tolist(), pieces, strict=False)
    return [((value // width, value % width), piece) for value, piece in cells]


def arrival_times(stays: Stays) -> Floats:
    """Return when each stay's job came to the service, in seconds."""
    return np.where(np.isnan(stays.arrived), stays.first_time, stays.arrived)


def _find_arrivals(stays: Stays, steps: Steps, setting: Setting, found: Findings) -> None:
    times = arrival_times(stays)
    inside = steps.opens & (times >= setting.begin) & (times <= setting.end)
    if setting.end <= setting.begin:
        message = "all jobs arrive at one moment: no rate can be told; give external_arrival_rate"
        raise ParameterError([Fault("event log", "external_arrival_rate", "", message)])
    hours = hours_between(setting.begin, setting.end, setting.zone) if setting.weekdays else None
    for cell, at in _cells(stays, inside):
        found.arrivals[cell] = arrivals_of(
            np.sort(times[at]), setting.begin, setting.end, setting.unit, hours, setting.confidence
        )


def _find_concurrency(stays: Stays, setting: Setting, found: Findings) -> None:
    end = np.where(np.isnan(stays.left), setting.end, stays.left)
    held = ~np.isnan(stays.started) & (end > stays.started)
    if not math.isfinite(setting.drawn):
        held &= ~np.isnan(stays.left)
    waited = stays.started > stays.arrived
    for k in range(len(stays.services)):
        at = held & (stays.service == k)
        if at.any():
            found.busy[k] = concurrency(stays.started[at], end[at], waited[at])


def spans_of(stays: Stays, at: Integers, setting: Setting, pieces: Pieces | None) -> Spans:
    """Return how long stays lasted, as far as they were seen."""
    if pieces is not None:
        parts = pieces.owner[np.isin(pieces.owner, at)]
        at = at[~pieces.affected[at]]
    begun = at[~np.isnan(stays.started[at])]
    end = stays.finished[begun].copy()
    ended = ~np.isnan(end) & (end <= setting.drawn)
    end = np.where(ended, end, setting.drawn)
    length = (end - stays.started[begun]) / setting.unit
    entry = np.maximum(0.0, (setting.begin - stays.started[begun]) / setting.unit)
    if pieces is not None and parts.size:
        which = np.isin(pieces.owner, parts)
        late = (setting.begin - stays.started[pieces.owner[which]]) / setting.unit
        length = np.r_[length, pieces.length[which] / setting.unit]
        entry = np.r_[entry, np.maximum(late, pieces.entry[which] / setting.unit)]
        ended = np.r_[ended, pieces.ended[which]]
    kept = np.isfinite(length) & (length >= 0) & ((length > entry) | (entry == 0))
    return Spans(length[kept], ended[kept], entry[kept])


def _find_times(stays: Stays, setting: Setting, found: Findings, pieces: Pieces | None) -> None:
    by_service: dict[int, list[int]] = {}
    for (service, job_class), at in _cells(stays):
        spans = spans_of(stays, at, setting, pieces)
        if spans.length.size and spans.ended.any():
            found.time[service, job_class] = _time_of(spans, setting)
            by_service.setdefault(service, []).append(job_class)
    for service, group in by_service.items():
        cells = [found.time[service, job_class] for job_class in group]
        counts = np.array([cell.mean.n for cell in cells])
        for name in ("mean", "scv"):
            own = np.array([getattr(cell, name).value for cell in cells])
            errors = np.array([getattr(cell, name).error for cell in cells])
            value, error = drawn_together(own, errors, counts)
            for k, job_class in enumerate(group):
                if counts[k] < THIN and value[k] != own[k]:
                    made = positive(value[k], error[k], counts[k], setting.confidence)
                    cell = found.time[service, job_class]._replace(shrunk=True)
                    thin = made._replace(thin=True)
                    found.time[service, job_class] = (
                        cell._replace(mean=thin) if name == "mean" else cell._replace(scv=thin)
                    )


def _time_of(spans: Spans, setting: Setting) -> StayEstimate:
    """Return mean and scv: as seen, by a law only where too few stays were seen to the end."""
    whole = bool(spans.ended.all()) and not bool((spans.entry > 0).any())
    n = int(spans.ended.sum())
    # a length of 0 has no likelihood under a continuous law: half the shortest one stands for it
    shortest = float(spans.length[spans.length > 0].min(initial=math.inf))
    laws: list[LawFit] = []
    found: Moments | None = None
    if math.isfinite(shortest) and n > 1:
        stays = grouped(spans._replace(length=np.maximum(spans.length, shortest / 2.0)))
        if (setting.families or not whole) and stays.length.size > 1:
            laws = fit_laws(stays, setting.families or PLAIN_FAMILIES)
        found = moments_of_stays(stays, laws, setting.confidence)
    mean, error, scv, scv_error = moments_of(spans.length[spans.ended])
    by_law, mixture = 0.0, None
    if laws and setting.families and n >= MANY and not laws[0].fits:
        mixture = mixture_of(stays)
    if found is not None:
        by_law = found.by_law
        error, scv, scv_error = found.mean_error, found.scv, found.scv_error
        # where all is seen this is the mean of the sample but for the lengths of 0
        mean = mean if whole else found.mean
    elif laws and not whole:
        mean, error, scv, scv_error = (
            laws[0].mean,
            laws[0].mean_error,
            laws[0].scv,
            laws[0].scv_error,
        )
        by_law = 1.0
    spread = positive(scv, scv_error, n, setting.confidence)
    if n < LEAST:
        # as of an exponential law, and hardly known
        spread = positive(1.0, 1.0, n, setting.confidence)._replace(thin=True)
    if found is not None and found.scv_limits is not None:
        low, high = found.scv_limits
        spread = spread._replace(low=low, high=high)
    return StayEstimate(
        positive(mean, error, n, setting.confidence), spread,
        int((~spans.ended).sum()), tuple(laws), by_law, shrunk=False, whole=whole,
        mixture=mixture,
    )  # fmt: skip


def _find_routes(stays: Stays, steps: Steps, setting: Setting, found: Findings) -> None:
    count = len(stays.services)
    onward = np.full(stays.case.size, count)
    onward[:-1] = stays.service[1:]
    onward[steps.after == LEFT] = count
    told = np.isin(steps.after, (LEFT, ON, BACK))
    tables = {
        cell: np.bincount(onward[at], minlength=count + 1) for cell, at in _cells(stays, told)
    }
    for (service, job_class), counts in tables.items():
        together = np.sum([each for (other, _), each in tables.items() if other == service], axis=0)
        seen = np.flatnonzero(together[:count])
        to = np.r_[seen, count]
        pooled = None
        if len(stays.classes) > 1 and together.sum() > counts.sum():
            pooled = together[to] / together.sum()
        shares = shares_of(counts[to], pooled, setting.confidence)
        found.routes[service, job_class] = Routing(to, counts[to], tuple(shares))


def _find_returns(stays: Stays, steps: Steps, setting: Setting, found: Findings) -> None:
    """Find the mean delay on each route: before coming back, and where the log tells, on the way.

    A passage without delay counts as one of 0.
    """
    after = steps.after[:-1]
    at = np.flatnonzero((after == BACK) | (after == ON))
    if at.size == 0:
        return
    away = stays.arrived[at + 1] - stays.left[at]
    told = np.isfinite(away) & (after[at] == ON)
    delay = np.where(told, np.maximum(away, 0.0), np.nan_to_num(steps.delay[at + 1]))
    code = stays.service[at] * len(stays.services) + stays.service[at + 1]
    for pair in np.unique(code).tolist():
        which = code == pair
        mean, error, _, _ = moments_of(delay[which] / setting.unit)
        # rounding of times is no delay
        if mean * setting.unit > 1e-6 * setting.shortest:
            estimate = positive(mean, error, int(which.sum()), setting.confidence)
            start, end = divmod(pair, len(stays.services))
            found.returns[start, end] = estimate


def _waits(stays: Stays, service: int, setting: Setting) -> tuple[float, float]:
    """Return the mean wait before service and the mean time blocked after it, as logged."""
    at = stays.service == service
    before = (stays.started - stays.arrived)[at] / setting.unit
    after = (stays.left - stays.finished)[at] / setting.unit
    told = [piece[np.isfinite(piece)] for piece in (before, after)]
    wait, blocked = (float(piece.mean()) if piece.size else math.nan for piece in told)
    return wait, blocked


def observed(stays: Stays, setting: Setting) -> list[dict[str, float]]:
    """Return what the log itself shows, by service, within the time observed.

    Occupancy is still the mean number of servers held.
    """
    rows = []
    span = max((setting.end - setting.begin) / setting.unit, 1e-300)
    begin, end = setting.begin, setting.end
    came = arrival_times(stays)
    gone = np.where(np.isnan(stays.left), np.inf, stays.left)
    served = np.clip(np.fmin(stays.finished, end), begin, end) - np.clip(stays.started, begin, end)
    held = np.clip(np.minimum(gone, end), begin, end) - np.clip(stays.started, begin, end)
    present = np.clip(np.minimum(gone, end), begin, end) - np.clip(came, begin, end)
    if not math.isfinite(setting.drawn):
        present = np.where(np.isfinite(gone), present, 0.0)
        held = np.where(np.isfinite(gone), held, 0.0)
    for k in range(len(stays.services)):
        at = stays.service == k
        inside = at & (gone >= begin) & (gone <= end)
        lasted = (stays.left - came)[at & np.isfinite(stays.left)] / setting.unit
        wait, blocked = _waits(stays, k, setting)
        rows.append({
            "throughput": float(inside.sum()) / span,
            "number_present": float(np.nansum(present[at])) / setting.unit / span,
            "number_in_service": float(np.nansum(served[at])) / setting.unit / span,
            "occupancy": float(np.nansum(held[at])) / setting.unit / span,
            "response_time": float(np.mean(lasted)) if lasted.size else math.nan,
            "waiting_time": wait,
            "blocked_time": blocked,
        })  # fmt: skip
    return rows


def check_names(stays: Stays, tables: Mapping[str, Collection[str]]) -> None:
    """Refuse services that the caller names and the log has not.

    Raises
    ------
    ParameterError
        With each of them, and the nearest known.
    """
    from flownet.network.values import nearest

    faults = [
        Fault("from_event_log", attribute, repr(name),
              f"is no service of the log{nearest(name, stays.services)}")
        for attribute, table in tables.items()
        for name in table
        if name not in stays.services
    ]  # fmt: skip
    if faults:
        raise ParameterError(faults, "from_event_log")
