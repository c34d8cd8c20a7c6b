"""The rows of one or several event logs as arrays, each row with what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from flownet.errors import Fault, ReadError
from flownet.kernels.compiled import Floats, Integers
from flownet.readers.log_columns import recognized, text_codes
from flownet.readers.log_files import frame_of
from flownet.readers.log_quality import CODE, UNDECIDED
from flownet.readers.log_times import Clock, times_of

TEXTS: Final = ("case", "activity", "job_class", "organisation", "resource", "lifecycle")
POINTS: Final = ("arrived", "start", "complete", "left")


@dataclasses.dataclass
class Rows:
    """Rows of a log; filled in and sorted out step by step by the readers of event logs.

    Attributes
    ----------
    texts : dict of (rows,) int arrays
        By role, the number of each row's text; -1 where it is empty.
    names : dict of lists
        By role, the texts.
    times : dict of (rows,) float arrays
        ``arrived``, ``start``, ``complete``, ``left`` in seconds; nan where there is none.
    status : (rows,) int array
        What became of each row: a code of `log_quality.CODE`, or `UNDECIDED`.
    """

    texts: dict[str, Integers]
    names: dict[str, list[str]]
    times: dict[str, Floats]
    status: Integers
    dated: bool
    single: bool
    """Whether the log has one time an event, so that stays reach from one event to the next."""
    columns: dict[str, str]
    notes: list[str]

    def mark(self, which: Any, rule: str) -> None:
        """Put rows that are still undecided under a rule."""
        self.status[which & (self.status == UNDECIDED)] = CODE[rule]

    @property
    def undecided(self) -> Integers:
        """Positions of the rows about which nothing is decided yet."""
        return np.flatnonzero(self.status == UNDECIDED)


def read_rows_of(
    logs: Sequence[tuple[str, Any]], given: Mapping[str, str | None], clock: Clock
) -> Rows:
    """Return the rows of all logs together, with the organisation of each log beside its rows."""
    parts = [_rows_of(organisation, log, given, clock) for organisation, log in logs]
    rows = parts[0] if len(parts) == 1 else _joined(parts)
    _refuse_faulty(rows)
    return rows


def _rows_of(organisation: str, log: Any, given: Mapping[str, str | None], clock: Clock) -> Rows:
    frame = frame_of(log, lambda names: recognized(names, given)[0].values())
    if len(frame.columns) == 0 or len(frame) == 0:
        raise ReadError([Fault(f"event log {organisation}".strip(), "", "", "has no rows")])
    roles, words = recognized(frame, given)
    count, notes = len(frame), []  # type: tuple[int, list[str]]
    texts: dict[str, Integers] = {}
    names: dict[str, list[str]] = {}
    for role in TEXTS:
        if role in roles:
            texts[role], names[role] = text_codes(frame[roles[role]])
        else:
            texts[role], names[role] = np.full(count, -1), []
    if organisation and "organisation" not in roles:
        texts["organisation"], names["organisation"] = np.zeros(count, np.int64), [organisation]
    read = {
        role: times_of(frame[roles[role]], clock, notes)
        for role in (*POINTS, "timestamp")
        if role in roles
    }
    kinds = {times.dated for times in read.values() if np.isfinite(times.seconds).any()}
    if len(kinds) == 2:
        message = "some columns of times hold dates and others mere numbers: give one kind"
        raise ReadError([Fault("event log", "times", "", message)])
    absent = np.full(count, np.nan)
    times = {role: read[role].seconds if role in read else absent.copy() for role in POINTS}
    status = np.full(count, UNDECIDED)
    for found in read.values():
        status[found.unreadable] = CODE["unreadable time"]
    single = "timestamp" in read and not {"start", "complete"} & set(read)
    if single:
        times["start"] = read["timestamp"].seconds
    return Rows(texts, names, times, status, kinds != {False}, single, words, notes)


def _joined(parts: list[Rows]) -> Rows:
    """Return the rows of several logs as those of one."""
    if len({part.dated for part in parts}) > 1 or len({part.single for part in parts}) > 1:
        message = "the logs are of different kinds: all need dates or all numbers, and all stays "
        raise ReadError([Fault("event log", "times", "", message + "or all single events")])
    texts, names = {}, {}
    for role in TEXTS:
        known: dict[str, int] = {}
        pieces = []
        for part in parts:
            to = [known.setdefault(text, len(known)) for text in part.names[role]]
            pieces.append(np.array([*to, -1])[part.texts[role]])
        texts[role], names[role] = np.concatenate(pieces), list(known)
    return Rows(
        texts, names,
        {role: np.concatenate([part.times[role] for part in parts]) for role in POINTS},
        np.concatenate([part.status for part in parts]),
        parts[0].dated, parts[0].single, parts[0].columns,
        list(dict.fromkeys(note for part in parts for note in part.notes)),
    )  # fmt: skip


def _refuse_faulty(rows: Rows) -> None:
    """Put rows that cannot be used under their rules."""
    times = rows.times
    rows.mark(rows.texts["case"] < 0, "missing case")
    rows.mark(rows.texts["activity"] < 0, "missing activity")
    rows.mark(np.isnan(np.stack(list(times.values()))).all(axis=0), "no time")
    order = [times[role] for role in POINTS]
    for k in range(1, 4):
        for earlier in order[:k]:
            rows.mark(order[k] < earlier, "end before beginning")
    left = rows.undecided
    keys = [rows.texts[role][left] for role in ("case", "activity", "lifecycle")]
    keys += [np.nan_to_num(column[left], nan=-np.inf) for column in order]
    same = np.ones(max(0, left.size - 1), dtype=bool)
    sorting = np.lexsort([left, *keys[::-1]])
    for key in keys:
        same &= key[sorting][1:] == key[sorting][:-1]
    twice = np.zeros(rows.status.size, dtype=bool)
    twice[left[sorting[1:][same]]] = True
    rows.mark(twice, "duplicate")
