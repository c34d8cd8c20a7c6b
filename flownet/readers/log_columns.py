"""Which column of an event log is what: as the caller says, or by its name where it is plain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from flownet.errors import Fault, ParameterError, ReadError
from flownet.network.values import nearest

if TYPE_CHECKING:
    import pandas as pd

KNOWN: Final[dict[str, tuple[str, ...]]] = {
    "case": ("case:concept:name", "case_id", "caseid", "case", "patient_id", "patient", "job",
             "spell_id", "episode_id"),
    "activity": ("concept:name", "activity", "service", "ward", "node", "event", "station", "task"),
    "start": ("start_timestamp", "start_time", "start", "started", "begin", "admission_time",
              "admitted"),
    "complete": ("complete_timestamp", "end_timestamp", "end_time", "complete", "completed",
                 "finished", "end", "discharge_time", "discharged"),
    "timestamp": ("time:timestamp", "timestamp", "time", "event_time", "datetime", "date_time"),
    "arrived": ("arrived", "arrival_time", "requested", "request_time", "queued"),
    "left": ("left", "departed", "departure_time"),
    "lifecycle": ("lifecycle:transition", "lifecycle", "transition", "lifecycle_id"),
    "resource": ("org:resource", "resource", "staff", "bed"),
    "job_class": ("job_class", "class", "case_class", "patient_class", "case:job_class"),
    "organisation": ("organisation", "organization", "org:group", "provider", "trust"),
    "instance": ("concept:instance", "activity_instance_id", "activity_instance", "instance"),
}  # fmt: skip
"""Names by which a column is recognized, small letters, the surest first (XES and pm4py's too)."""

TIMES: Final = ("arrived", "start", "complete", "left", "timestamp")
NEEDED: Final = ("case", "activity")


def recognized(
    frame: pd.DataFrame, given: Mapping[str, str | None]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the column of each role, and for each in words whether it was told or recognized.

    Parameters
    ----------
    frame : pandas.DataFrame
        The log.
    given : mapping
        Role to column as the caller says; roles that are None are looked for.

    Raises
    ------
    ParameterError
        Where a column that the caller names does not exist.
    ReadError
        Where case, activity or every time is missing and cannot be recognized.
    """
    names = [str(name) for name in frame.columns]
    faults = [
        Fault("event log", role, repr(name), f"is no column{nearest(name, names)}")
        for role, name in given.items()
        if name is not None and name not in frame.columns
    ]
    if faults:
        raise ParameterError(faults, "event log")
    columns = {role: name for role, name in given.items() if name is not None}
    words = {role: f"'{name}'" for role, name in columns.items()}
    free = {_simple(name): name for name in reversed(names) if name not in columns.values()}
    for role, candidates in KNOWN.items():
        # one time alone is never guessed beside times that the caller has named
        if role in columns or (role in TIMES and any(each in given_times(given) for each in TIMES)):
            continue
        if role == "timestamp" and ("start" in columns and "complete" in columns):
            continue
        for candidate in candidates:
            name = free.pop(_simple(candidate), None)
            if name is not None:
                columns[role] = name
                words[role] = f"'{name}' (recognized by its name)"
                break
    _settle(columns, words)
    _require(columns, names)
    twice = set(frame.columns[frame.columns.duplicated()])
    faults = [
        Fault("event log", role, repr(name), "is the name of several columns")
        for role, name in columns.items()
        if name in twice
    ]
    if faults:
        raise ReadError(faults, "event log")
    return columns, words


def given_times(given: Mapping[str, str | None]) -> set[str]:
    """Return the roles of times that the caller has named."""
    return {role for role in TIMES if given.get(role) is not None}


def _simple(name: str) -> str:
    return re.sub(r"[\s_.\-]+", "_", str(name).strip().lower())


def _settle(columns: dict[str, str], words: dict[str, str]) -> None:
    """Take pm4py's time:timestamp beside a beginning for the end of the stay."""
    if "start" in columns and "complete" not in columns and "timestamp" in columns:
        columns["complete"] = columns.pop("timestamp")
        words["complete"] = words.pop("timestamp") + ", the end beside a beginning"


def _require(columns: Mapping[str, str], names: list[str]) -> None:
    listed = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    faults = [
        Fault("event log", role, "", f"no column is recognized; say which of: {listed}")
        for role in NEEDED
        if role not in columns
    ]
    if not any(role in columns for role in TIMES):
        message = "no column of times is recognized: name start and complete, or timestamp; there "
        faults.append(Fault("event log", "timestamp", "", f"{message}are: {listed}"))
    if faults:
        raise ReadError(faults, "event log")


def text_codes(column: Any) -> tuple[Any, list[str]]:
    """Return a text column as whole numbers and their texts; -1 where empty or blank."""
    import numpy as np
    import pandas as pd

    try:
        codes, values = pd.factorize(column, use_na_sentinel=True)
    except TypeError:  # lists and the like cannot be told apart but by their texts
        codes, values = pd.factorize(column.map(str, "ignore"), use_na_sentinel=True)
    known: dict[str, int] = {}
    to = [-1 if text == "" else known.setdefault(text, len(known)) for text in map(_text, values)]
    mapping = np.array([*to, -1], dtype=np.int64)  # the last one is where codes of -1 look
    return mapping[codes], list(known)


def _text(value: Any) -> str:
    """Return a value as text; 12.0 as 12, since a gap among whole numbers makes them fractions."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
