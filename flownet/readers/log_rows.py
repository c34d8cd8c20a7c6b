"""The rows of one or several event logs as arrays, each row with what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flownet.errors import Fault, ParameterError, ReadError
from flownet.kernels.compiled import Floats, Integers
from flownet.readers.log_columns import recognized, text_codes
from flownet.readers.log_files import frame_of
from flownet.readers.log_quality import CODE, UNDECIDED
from flownet.readers.log_times import Clock, Times, times_of

TEXTS: Final = (
    "case", "activity", "job_class", "organisation", "resource", "lifecycle", "instance",
)  # fmt: skip
POINTS: Final = ("arrived", "start", "complete", "left")
ENDS: Final = ("complete", "left")
STAY, BEGINS, ENDS_IT = 0, 1, 2
"""A row tells a stay with its times, or an event with one time: a beginning, or an end."""

Columns = Mapping[str, "str | Mapping[str, str] | None"]
"""Role to column, or to organisation and column where the organisations' logs differ."""


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
    kind : (rows,) int array
        STAY, or BEGINS or ENDS_IT of an event with one time.
    source : (rows,) int array
        Which log the row is from.
    """

    texts: dict[str, Integers]
    names: dict[str, list[str]]
    times: dict[str, Floats]
    status: Integers
    dated: bool
    kind: Integers
    source: Integers
    columns: dict[str, str]
    notes: list[str]
    voice: Integers | None = None
    """For each row, the one that tells its stay, once lifecycles are joined."""

    @property
    def events(self) -> NDArray[np.bool_]:
        """Whether each row is an event with one time, so that its stay reaches to another's."""
        return np.not_equal(self.kind, STAY)

    def mark(self, which: Any, rule: str) -> None:
        """Put rows that are still undecided under a rule."""
        self.status[which & (self.status == UNDECIDED)] = CODE[rule]

    @property
    def undecided(self) -> Integers:
        """Positions of the rows about which nothing is decided yet."""
        return np.flatnonzero(self.status == UNDECIDED)

    def refuse(self, message: str) -> ReadError:
        """Return the error that nothing can be used, with what became of the rows."""
        codes, counts = np.unique(self.status, return_counts=True)
        rules = {number: rule for rule, number in CODE.items()}
        told = ", ".join(
            f"{count:,} {rules[code]}"
            for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
            if code != UNDECIDED
        )
        said = f" ({'; '.join(self.notes)})" if self.notes else ""
        message = f"{message}; of {self.status.size:,} rows: {told or 'none refused'}{said}"
        return ReadError([Fault("event log", "", "", message)], "event log")


def read_rows_of(logs: Sequence[tuple[str, Any]], given: Columns, clock: Clock) -> Rows:
    """Return the rows of all logs together, with the organisation of each log beside its rows."""
    if not logs:
        raise ReadError([Fault("event log", "", "", "there is none")], "event log")
    parts = [_rows_of(organisation, log, given, clock) for organisation, log in logs]
    rows = parts[0] if len(parts) == 1 else _joined(parts, [name for name, _ in logs])
    _refuse_faulty(rows)
    return rows


def _own_columns(organisation: str, given: Columns) -> dict[str, str | None]:
    """Return the columns of one organisation's log."""
    return {
        role: told.get(organisation) if isinstance(told, Mapping) else told
        for role, told in given.items()
    }


def _rows_of(organisation: str, log: Any, given: Columns, clock: Clock) -> Rows:
    columns = _own_columns(organisation, given)

    def look(names: Any) -> tuple[list[str], list[str]]:
        roles, _ = recognized(names, columns)
        texts = [name for role, name in roles.items() if role in TEXTS]
        return texts, [name for role, name in roles.items() if role not in TEXTS]

    frame = frame_of(log, look)
    if len(frame.columns) == 0 or len(frame) == 0:
        raise ReadError([Fault(f"event log {organisation}".strip(), "", "", "has no rows")])
    roles, words = recognized(frame, columns)
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
    read = _times_read(frame, roles, clock, notes)
    status = np.full(count, UNDECIDED)
    kinds = {times.dated for times in read.values() if np.isfinite(times.seconds).any()}
    for role, found in read.items():
        status[found.unreadable] = CODE["unreadable time"]
        if role not in ENDS:
            status[found.filler] = CODE["placeholder date"]
    times = {
        role: read[role].seconds if role in read else np.full(count, np.nan) for role in POINTS
    }
    alone = [role for role in ("timestamp", "start", "complete") if role in read]
    kind = STAY
    if len(alone) == 1 and "left" not in read:
        kind = ENDS_IT if alone == ["complete"] else BEGINS
        times["start"], times["complete"] = read[alone[0]].seconds, np.full(count, np.nan)
    return Rows(
        texts, names, times, status, kinds != {False}, np.full(count, kind),
        np.zeros(count, np.int64), words, notes,
    )  # fmt: skip


def _times_read(
    frame: Any, roles: Mapping[str, str], clock: Clock, notes: list[str]
) -> dict[str, Times]:
    """Return the columns of times by role."""
    timed = {role: frame[roles[role]] for role in (*POINTS, "timestamp") if role in roles}
    read: dict[str, Times] = {}
    for role, column in timed.items():
        beside = [other for name, other in timed.items() if name != role]
        found = times_of(column, clock, notes, beside)
        for earlier in read.values():
            # of an hour that clocks show twice, the second where the first would be too early
            turned = (found.later > 0) & (found.seconds < earlier.seconds)
            found.seconds[turned] += found.later[turned]
        open_ended = int(found.filler.sum())
        if open_ended and role in ENDS:
            notes.append(
                f"{open_ended:,} times in '{column.name}' stand for none (such as 9999-12-31): "
                "those stays were taken as not ended."
            )
        read[role] = found
    kinds = {times.dated for times in read.values() if np.isfinite(times.seconds).any()}
    if len(kinds) == 2:
        message = "some columns of times hold dates and others mere numbers: give one kind"
        raise ReadError([Fault("event log", "times", "", message)])
    return read


def _joined(parts: list[Rows], organisations: list[str]) -> Rows:
    """Return the rows of several logs as those of one."""
    if len({part.dated for part in parts}) > 1:
        message = "some logs hold dates and others mere numbers: give one kind"
        raise ReadError([Fault("event log", "times", "", message)])
    texts, names = {}, {}
    for role in TEXTS:
        known: dict[str, int] = {}
        pieces = []
        for part in parts:
            to = [known.setdefault(text, len(known)) for text in part.names[role]]
            pieces.append(np.array([*to, -1])[part.texts[role]])
        texts[role], names[role] = np.concatenate(pieces), list(known)
    columns = parts[0].columns
    if any(part.columns != columns for part in parts):
        columns = {
            f"{role} in {organisation or f'log {k + 1}'}": words
            for k, (part, organisation) in enumerate(zip(parts, organisations, strict=True))
            for role, words in part.columns.items()
        }
    return Rows(
        texts, names,
        {role: np.concatenate([part.times[role] for part in parts]) for role in POINTS},
        np.concatenate([part.status for part in parts]),
        parts[0].dated,
        np.concatenate([part.kind for part in parts]),
        np.concatenate([np.full(part.status.size, k) for k, part in enumerate(parts)]),
        columns, list(dict.fromkeys(note for part in parts for note in part.notes)),
    )  # fmt: skip


def correct_clocks(rows: Rows, offsets: Mapping[str, float], second: float) -> None:
    """Set back the times of organisations whose clocks run ahead, `offsets` in units of seconds.

    Raises
    ------
    ParameterError
        Where the log has no such organisation.
    """
    names = rows.names["organisation"]
    faults = [
        Fault(
            "from_event_log", "clock_offsets", repr(organisation),
            f"is no organisation of the log; there are {', '.join(names) or 'none'}",
        )
        for organisation in offsets
        if organisation not in names
    ]  # fmt: skip
    if faults:
        raise ParameterError(faults, "from_event_log")
    for organisation, ahead in offsets.items():
        which = rows.texts["organisation"] == names.index(organisation)
        for role in POINTS:
            rows.times[role][which] -= ahead * second


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
    keys = [rows.texts[role][left] for role in ("case", "activity", "lifecycle", "instance")]
    keys.append(rows.kind[left])
    keys += [np.nan_to_num(column[left], nan=-np.inf) for column in order]
    same = np.ones(max(0, left.size - 1), dtype=bool)
    sorting = np.lexsort([left, *keys[::-1]])
    for key in keys:
        same &= key[sorting][1:] == key[sorting][:-1]
    twice = np.zeros(rows.status.size, dtype=bool)
    twice[left[sorting[1:][same]]] = True
    rows.mark(twice, "duplicate")
