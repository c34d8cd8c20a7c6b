"""`from_event_log`: from records of stays to a network, with honest uncertainty."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from flownet.errors import Fault, NetworkError, ParameterError
from flownet.network.model import Network
from flownet.readers import estimate_tables as tables
from flownet.readers.estimate import Setting, arrival_times, check_names, find_all
from flownet.readers.estimate_document import draft_of
from flownet.readers.estimated_network import EstimatedNetwork
from flownet.readers.log_events import Marks
from flownet.readers.log_quality import CODE, data_report
from flownet.readers.log_rows import Rows, correct_clocks, read_rows_of
from flownet.readers.log_times import Clock, check_zone, instant
from flownet.readers.stay_laws import FAMILIES
from flownet.readers.stay_split import split_blocking, split_waiting
from flownet.readers.stays import Stays, Steps, decide_used, selected, stays_of, steps_of
from flownet.units import SECONDS

Column = str | Mapping[str, str] | None

GUESSED_UNITS: Final = ((600.0, "minute"), (2 * 86400.0, "hour"), (math.inf, "day"))
"""The time unit where none is given, by the median stay in seconds."""


def from_event_log(
    log: Any,
    *,
    case: Column = None,
    activity: Column = None,
    start: Column = None,
    complete: Column = None,
    timestamp: Column = None,
    arrived: Column = None,
    left: Column = None,
    lifecycle: Column = None,
    resource: Column = None,
    job_class: Column = None,
    organisation: Column = None,
    instance: Column = None,
    time_unit: str | None = None,
    time_zone: str | None = None,
    day_first: bool | None = None,
    services: Mapping[str, str | None] | None = None,
    leaving: Collection[str] = (),
    timestamp_marks: Marks | None = None,
    leaves_after: float | None = None,
    returns_within: float = 0.0,
    observed_from: Any = None,
    censored_at: Any = None,
    clock_offsets: Mapping[str, float] | None = None,
    true_clock: bool = True,
    includes_waiting: Collection[str] = (),
    includes_blocking: Collection[str] = (),
    servers: Mapping[str, float] | None = None,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    families: Sequence[str] | None = None,
    laws: bool = False,
    calendars: bool = False,
    confidence: float = 0.95,
    name: str = "event log",
) -> EstimatedNetwork:
    """Estimate a network from the records of who was where, from when to when.

    Parameters
    ----------
    log : data frame, path, list of these, or mapping of organisation to one
        One row a stay (case, activity, start, complete) or one row an event (case, activity,
        timestamp, and perhaps lifecycle): pandas, polars or any frame of the interchange
        protocol; ``.csv``, ``.parquet``, ``.xes``. Several are joined on the case.
    case, activity, start, complete, timestamp, arrived, left, lifecycle, resource, job_class, \
organisation, instance : str or mapping of organisation to str, optional
        Columns; those that are plain by their names (pm4py's too) need not be given, and the
        report says what was taken. `arrived` is when the job came to the service, `left` when it
        freed its server: with them waiting and being blocked are told from service. `instance`
        tells which events of a lifecycle belong together.
    time_unit : str, optional
        Of the network, of `leaves_after`, `returns_within` and `clock_offsets`, and of times that
        are mere numbers (there it is needed); otherwise chosen by the median stay.
    time_zone : str, optional
        Of times without one, such as 'Europe/London'; without it they are read as by clocks that
        never change.
    day_first : bool, optional
        Whether 03/04/2024 is the third of April; needed where the dates do not tell.
    services : mapping, optional
        Activity to service; activities that are absent or None are left out.
    leaving : collection of str
        Activities that say that the job leaves.
    timestamp_marks : {'start', 'complete'}, optional
        What a single time marks: stays last to the next event, or from the one before. Where it
        is not given, a column of ends alone marks ends, any other single time beginnings.
    leaves_after : float, optional
        A longer gap between two stays of a case means that the job had left, in time units.
        Where it is not given and nothing else says that jobs leave, `returns_within` if that is
        above 0, else no gap does.
    returns_within : float
        A come-back no later than this after leaving is a return, a route with a transfer delay;
        a later one is a new arrival. In time units.
    observed_from, censored_at : time or number, optional
        Between which the log was kept. Stays that had begun before count as seen late, those
        without an end as open at `censored_at`, which may be 'last' for the log's last time.
    clock_offsets : mapping, optional
        Organisation to how far its clocks run ahead, in time units.
    true_clock : bool
        False where the dates of each case are shifted: then neither rates of arrival nor
        concurrency can be told, and `given` has to bring the rates.
    includes_waiting : collection of str
        Services whose stays begin with arrival, not with service; of them `servers` has to tell
        the number, and service is taken to begin first come, first served.
    includes_blocking : collection of str
        Services whose stays end when the next place is free, not with service; `servers` has to
        tell how many places the next services have.
    servers : mapping, optional
        Service to its known number of servers; others come from the most seen busy at once.
    given : mapping, optional
        Service to attributes that are known and not to be estimated.
    families : sequence of str, optional
        Laws to try on stays: all of `FAMILIES` where it is not given and surpyval is installed.
        Without any, stays have moments only; open stays and those seen late always need laws.
    laws : bool
        Whether the network carries the best law in place of mean and scv.
    calendars : bool
        Whether arrivals that follow the hour or the day of the week do so in the network too.
    confidence : float
        Of all intervals, in (0, 1).
    name : str
        Of the network.

    Returns
    -------
    EstimatedNetwork

    Raises
    ------
    ReadError
        Where the log is no table, or holds nothing that can be used.
    ParameterError
        Where a parameter is out of range, or the log cannot tell what is needed.
    MissingExtraError
        Where stays are open and surpyval is missing, or a file needs a missing package.

    Notes
    -----
    Assumed: cases are independent; where a job goes does not depend on how long it stayed; a
    class's parameters do not change over the time observed. Where no `arrived` is told, the gap
    before a stay is neither service nor a parameter: it is for the model to explain as waiting.

    Examples
    --------
    >>> import flownet as fn
    >>> rows = [{"case": k, "activity": "desk", "start": 4.0 * k, "complete": 4.0 * k + 2 + k % 3}
    ...         for k in range(100)]
    >>> desk = fn.from_event_log(rows, time_unit="minute", families=())
    >>> float(round(desk.network.graph.nodes["desk"]["service_time"], 2))
    2.99
    """
    _check(time_unit, confidence, families, leaves_after, returns_within, timestamp_marks)
    check_zone(time_zone)
    clock = Clock(time_zone, day_first, SECONDS[time_unit or "second"])
    columns = {
        "case": case, "activity": activity, "start": start, "complete": complete,
        "timestamp": timestamp, "arrived": arrived, "left": left, "lifecycle": lifecycle,
        "resource": resource, "job_class": job_class, "organisation": organisation,
        "instance": instance,
    }  # fmt: skip
    logs = _logs(log)
    rows = read_rows_of(logs, columns, clock)
    if not rows.dated and time_unit is None:
        message = "is needed where times are mere numbers: second, minute, hour, day …"
        raise ParameterError([Fault("from_event_log", "time_unit", "", message)])
    correct_clocks(rows, clock_offsets or {}, clock.seconds)
    stays = stays_of(rows, services=services, leaving=leaving, marks=timestamp_marks)
    unit = time_unit or _guessed_unit(stays, rows)
    second = SECONDS[unit]
    begin = _told(observed_from, "observed_from", rows, clock, -math.inf)
    if isinstance(censored_at, str) and censored_at == "last":
        drawn = float(np.nanmax(stays.last_time))
    else:
        drawn = _told(censored_at, "censored_at", rows, clock, math.inf)
    stays = _within(rows, stays, begin, drawn)
    decide_used(rows, stays, drawn)
    known = _given(servers or {}, given or {})
    check_names(stays, {"given": known, "includes_waiting": includes_waiting,
                        "includes_blocking": includes_blocking})  # fmt: skip
    stays, split = split_waiting(stays, includes_waiting, known, drawn)
    pieces, more = split_blocking(stays, includes_blocking, known, 1e-6 * second)
    if leaves_after is None:
        told = not returns_within or bool(np.isfinite(stays.gone).any())
        leaves_after = math.inf if told else returns_within
    steps = steps_of(
        stays, leaves_after=leaves_after * second, returns_within=returns_within * second,
        drawn=drawn,
    )  # fmt: skip
    tried = _tried(families)
    setting = _setting(stays, steps, rows, second, begin, drawn, time_zone,
                       true_clock, confidence, tried, leaves_after * second)  # fmt: skip
    found = find_all(stays, steps, setting, pieces)
    about = {"name": name, "time_unit": unit}
    draft = draft_of(stays, found, network=about, given=known, laws=laws, calendars=calendars)
    assumptions, warnings = tables.sentences(
        rows, stays, steps, found, setting, known, calendars=calendars
    )
    assumptions += split + more
    if families is None and not tried:
        warnings.append("No laws were fitted to stays: for that, surpyval has to be installed.")
    if time_unit is None:
        assumptions.append(f"The time unit {unit} was chosen by the median stay.")
    try:
        network = Network.from_dict(draft.document)
    except NetworkError as error:
        raise NetworkError([*error.faults, *_hints(setting)], "the estimated network") from error
    report = data_report(rows.status, rows.source, _names(logs), rows.columns, rows.notes)
    return EstimatedNetwork(
        network=network, report=report, assumptions=tuple(assumptions), warnings=tuple(warnings),
        **tables.tables_of(rows, stays, steps, found, setting, draft),
    )  # fmt: skip


def _hints(setting: Setting) -> list[Fault]:
    if setting.true_clock:
        return []
    message = "cannot be told from shifted dates: given must bring it for some service"
    return [Fault("from_event_log", "external_arrival_rate", "", message)]


def _tried(families: Sequence[str] | None) -> tuple[str, ...]:
    if families is None:
        return FAMILIES if find_spec("surpyval") else ()
    return tuple(families)


def _check(
    time_unit: str | None, confidence: float, families: Sequence[str] | None,
    leaves_after: float | None, returns_within: float, marks: str | None,
) -> None:  # fmt: skip
    units = ", ".join(SECONDS)
    checks = (
        ("time_unit", time_unit, time_unit is None or time_unit in SECONDS, f"one of {units}"),
        ("confidence", confidence, 0 < confidence < 1, "above 0 and below 1"),
        (
            "families",
            families,
            set(families or ()) <= set(FAMILIES),
            f"among {', '.join(FAMILIES)}",
        ),
        ("leaves_after", leaves_after, leaves_after is None or leaves_after >= 0, "at least 0"),
        ("returns_within", returns_within, returns_within >= 0, "at least 0"),
        ("timestamp_marks", marks, marks in {"start", "complete", None}, "'start' or 'complete'"),
    )
    faults = [
        Fault("from_event_log", name, repr(value), f"must be {right}")
        for name, value, good, right in checks
        if not good
    ]
    if faults:
        raise ParameterError(faults, "from_event_log")


def _logs(log: Any) -> list[tuple[str, Any]]:
    """Return organisation and log of one or several logs."""
    if isinstance(log, Mapping) and all(_is_log(each) for each in log.values()):
        return [(str(organisation), each) for organisation, each in log.items()]
    if isinstance(log, (list, tuple)) and log and all(_is_log(each) for each in log):
        return [("", each) for each in log]
    return [("", log)]


def _is_log(value: Any) -> bool:
    """Return whether a value is a log of its own, and no row or column of one."""
    if isinstance(value, (str, os.PathLike)) or hasattr(value, "__dataframe__"):
        return True
    # a pandas Series offers Arrow's stream too, but has no columns
    if hasattr(value, "columns") or hasattr(value, "column_names"):
        return True
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _names(logs: Sequence[tuple[str, Any]]) -> list[str]:
    """Return a name for each log: its organisation, its file, or its number."""
    return [
        organisation or (Path(each).name if isinstance(each, (str, os.PathLike)) else str(k + 1))
        for k, (organisation, each) in enumerate(logs)
    ]


def _guessed_unit(stays: Stays, rows: Rows) -> str:
    length = stays.finished - stays.started
    length = length[np.isfinite(length) & (length > 0)]
    median = float(np.median(length)) if length.size else 3600.0
    unit = next(unit for most, unit in GUESSED_UNITS if median <= most)
    rows.notes.append(f"No time unit was given; the median stay suggests the {unit}.")
    return unit


def _told(value: Any, what: str, rows: Rows, clock: Clock, otherwise: float) -> float:
    """Return a time that the caller gives, of the kind that the log has."""
    if value is None:
        return otherwise
    seconds, dated = instant(value, clock, what)
    if dated != rows.dated:
        message = f"must be a {'date' if rows.dated else 'number'} as the log's times are"
        raise ParameterError([Fault("from_event_log", what, repr(value), message)])
    return seconds


def _within(rows: Rows, stays: Stays, begin: float, drawn: float) -> Stays:
    """Return the stays that the time observed touches."""
    out = (stays.first_time > drawn) | (stays.last_time < begin) & ~np.isnan(stays.left)
    rows.status[stays.row[out]] = CODE["outside"]
    if out.all():
        message = "no stay lies within the time observed"
        raise ParameterError([Fault("from_event_log", "observed_from", "", message)])
    kept = selected(stays, ~out)
    if not math.isfinite(drawn):
        return kept
    # what happened after the log was drawn is not known then
    started, finished, left, gone = (
        np.where(times > drawn, np.nan, times)
        for times in (kept.started, kept.finished, kept.left, kept.gone)
    )
    return kept._replace(started=started, finished=finished, left=left, gone=gone)


def _setting(
    stays: Stays, steps: Steps, rows: Rows, second: float, begin: float, drawn: float,
    zone: str | None, true_clock: bool, confidence: float, families: tuple[str, ...],  # noqa: FBT001  # handed on
    leaves_after: float,
) -> Setting:  # fmt: skip
    opened = arrival_times(stays)[steps.opens]
    first = begin if math.isfinite(begin) else float(np.nanmin(opened))
    last = drawn if math.isfinite(drawn) else float(np.nanmax(opened))
    if last <= first:
        last = float(np.nanmax(stays.last_time))
    elif opened.size > 1:
        # n arrivals from the first to the last are n - 1 gaps: half a gap more at either end
        half = (last - first) / (opened.size - 1) / 2.0
        first -= 0.0 if math.isfinite(begin) else half
        last += 0.0 if math.isfinite(drawn) else half
    length = stays.finished - stays.started
    shortest = float(np.quantile(length[length > 0], 0.05)) if (length > 0).any() else 0.0
    setting = Setting(
        second, first, last, drawn, zone, rows.dated and true_clock, true_clock, confidence,
        families, leaves_after, shortest,
    )  # fmt: skip
    if math.isfinite(begin):
        return setting
    # without a beginning of the log nobody is known to have been seen late
    return setting._replace(begin=first)


def _given(
    servers: Mapping[str, float], given: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    known = {name: dict(attributes) for name, attributes in given.items()}
    for service, count in servers.items():
        known.setdefault(service, {})["servers"] = count
    return known
