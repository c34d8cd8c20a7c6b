"""Stays: from the rows of an event log to who was where from when to when, and went where next."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.errors import Fault, ParameterError, ReadError
from flownet.kernels.compiled import Floats, Integers
from flownet.network.values import nearest
from flownet.readers.log_events import Marks, bound_events, join_lifecycles, never_followed
from flownet.readers.log_quality import CODE
from flownet.readers.log_rows import BEGINS, ENDS_IT, POINTS, Rows

UNKNOWN, LEFT, ON, BACK = 0, 1, 2, 3
"""What followed a stay: not told, the job left for good, went on, came back after leaving."""

USED: Final = [CODE[rule] for rule in ("timed", "open", "untimed", "leaving")]
MOST_SERVICES: Final = 1000


class Stays(NamedTuple):
    """One entry a stay, sorted by case and time; times in seconds, nan where not told."""

    row: Integers
    case: Integers
    service: Integers
    job_class: Integers
    organisation: Integers
    resource: Integers
    arrived: Floats
    started: Floats
    finished: Floats
    left: Floats
    """When the server was free again; the same as `finished` where the log tells no more."""
    gone: Floats
    """When the job was marked as having left the system; nan where it was not."""
    ends_with: NDArray[np.bool_]
    """Whether the job's leaving can only be told by there being no further event."""
    services: tuple[str, ...]
    owners: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def first_time(self) -> Floats:
        """The earliest time told of each stay."""
        return np.fmin(np.fmin(self.arrived, self.started), np.fmin(self.finished, self.left))

    @property
    def last_time(self) -> Floats:
        """The latest time told of each stay."""
        return np.fmax(np.fmax(self.arrived, self.started), np.fmax(self.finished, self.left))


class Steps(NamedTuple):
    """What followed each stay, and where each visit of a job to the system begins."""

    after: Integers
    """UNKNOWN, LEFT, ON or BACK."""
    opens: NDArray[np.bool_]
    """Whether the job entered the system with this stay, as a new arrival."""
    delay: Floats
    """Seconds from leaving to coming back, of each come-back at its stay; nan at others."""


def stays_of(
    rows: Rows,
    *,
    services: Mapping[str, str | None] | None,
    leaving: Collection[str],
    marks: Marks | None,
) -> Stays:
    """Return the stays that the rows tell.

    Raises
    ------
    ReadError
        Where there are too many activities to be services, or no stay.
    ParameterError
        Where `services` or `leaving` name an activity that the log has not.
    """
    _check_known(rows, [*(services or {}), *leaving])
    if np.unique(rows.texts["lifecycle"]).size > 1:
        join_lifecycles(rows)
    if marks is not None:
        rows.kind[rows.events] = BEGINS if marks == "start" else ENDS_IT
    names = np.array([*rows.names["activity"], ""], dtype=object)
    leaves = set(leaving)
    if services is None and not leaving:
        leaves = never_followed(rows)
    label = {name: (services.get(name) if services is not None else name) for name in names}
    is_leaving = np.array([name in leaves for name in names])[rows.texts["activity"]]
    wanted = np.array([label[name] is not None for name in names])[rows.texts["activity"]]
    rows.mark(~wanted & ~is_leaving, "other activity")
    kept = rows.undecided
    if kept.size == 0:
        raise rows.refuse("holds no stay that can be used")
    key = np.fmin.reduce([rows.times[role][kept] for role in POINTS])
    end = np.nan_to_num(rows.times["complete"][kept], nan=np.inf)
    case = rows.texts["case"][kept]
    kept = kept[np.lexsort([kept, is_leaving[kept], end, key, case])]
    bound_events(rows, kept)
    return _sorted_out(rows, kept, is_leaving[kept], label)


def _check_known(rows: Rows, wanted: Collection[str]) -> None:
    known = rows.names["activity"]
    faults = [
        Fault("event log", "activity", repr(name), f"does not occur{nearest(name, known)}")
        for name in wanted
        if name not in set(known)
    ]
    if faults:
        raise ParameterError(faults, "event log")


def _sorted_out(
    rows: Rows, kept: Integers, is_leaving: NDArray[np.bool_], label: Mapping[str, str | None]
) -> Stays:
    """Return the stays among the sorted rows, with the marks of leaving moved to their stays."""
    gone = np.full(kept.size, np.nan)
    case = rows.texts["case"][kept]
    stamp = np.fmin.reduce([rows.times[role][kept] for role in POINTS])
    follows = np.r_[is_leaving[1:] & (case[1:] == case[:-1]), False] & ~is_leaving
    gone[follows] = stamp[1:][follows[:-1]]
    rows.status[kept[is_leaving]] = CODE["leaving"]
    at = np.flatnonzero(~is_leaving)
    kept, gone = kept[at], gone[at]
    owner = rows.texts["organisation"][kept]
    service, services, owners = _services(rows, kept, owner, label)
    time = {role: rows.times[role][kept] for role in POINTS}
    left = np.where(np.isnan(time["left"]), time["complete"], time["left"])
    job_class, classes = _classes(rows, kept)
    case = case[at]
    final = np.r_[case[1:] != case[:-1], True]
    return Stays(
        kept, case, service, job_class, owner, rows.texts["resource"][kept], time["arrived"],
        time["start"], time["complete"], left, gone,
        final & (rows.kind[kept] == BEGINS) & (not is_leaving.any()), services, owners, classes,
    )  # fmt: skip


def _services(
    rows: Rows, kept: Integers, owner: Integers, label: Mapping[str, str | None]
) -> tuple[Integers, tuple[str, ...], tuple[str, ...]]:
    """Return each stay's service, the services' names, and the organisations they belong to."""
    labels = [label[name] or "" for name in rows.names["activity"]]
    known: dict[str, int] = {}
    of_activity = np.array([known.setdefault(text, len(known)) for text in labels])
    activity = of_activity[rows.texts["activity"][kept]]
    width = len(rows.names["organisation"]) + 1
    pairs, service = np.unique(activity * width + owner + 1, return_inverse=True)
    if pairs.size > MOST_SERVICES:
        message = (
            f"would make {pairs.size:,} services, more than {MOST_SERVICES}: is this the column "
            "of activities? Say which are services by services = {activity: service}"
        )
        raise ReadError([Fault("event log", "activity", "", message)])
    texts, whose = list(known), ["", *rows.names["organisation"]]
    base = [texts[pair // width] for pair in pairs]
    owners = tuple(whose[pair % width] for pair in pairs)
    names = tuple(
        f"{own or 'unnamed'}: {name}" if base.count(name) > 1 else name
        for name, own in zip(base, owners, strict=True)
    )
    return service.astype(np.int64), names, owners


def _classes(rows: Rows, kept: Integers) -> tuple[Integers, tuple[str, ...]]:
    """Return the class of each stay: the first that its case names."""
    names = rows.names["job_class"]
    if not names:
        return np.zeros(kept.size, np.int64), ("all",)
    codes, case = rows.texts["job_class"][kept], rows.texts["case"][kept]
    if len(names) > 50:
        message = f"has {len(names):,} values, more than 50 classes: group them first"
        raise ReadError([Fault("event log", "job_class", "", message)])
    named = np.flatnonzero(codes >= 0)
    first = np.full(int(case.max()) + 1, -1)
    first[case[named][::-1]] = codes[named][::-1]
    own = first[case]
    changed = np.unique(case[named][codes[named] != own[named]]).size
    if changed:
        rows.notes.append(
            f"{changed:,} cases change their class; each was taken as of its first class."
        )
    classes = list(names)
    if (own < 0).any():
        rows.notes.append(
            f"{np.unique(case[own < 0]).size:,} cases name no class; theirs is called 'unknown'."
        )
        classes = [*names, "unknown"]
        own = np.where(own < 0, len(names), own)
    used, own = np.unique(own, return_inverse=True)
    return own.astype(np.int64), tuple(classes[k] for k in used)


def steps_of(stays: Stays, *, leaves_after: float, returns_within: float, drawn: float) -> Steps:
    """Return what followed each stay; the times are in seconds.

    Parameters
    ----------
    stays : Stays
        Sorted by case and time.
    leaves_after : float
        A gap longer than this between two stays of a case means that the job left.
    returns_within : float
        A come-back no later than this after leaving is a return; a later one a new arrival.
    drawn : float
        When the log was drawn; inf where nobody says.
    """
    same = stays.case[1:] == stays.case[:-1]
    out = np.where(np.isnan(stays.gone), stays.left, stays.gone)
    gap = stays.first_time[1:] - out[:-1]
    away = same & (~np.isnan(stays.gone[:-1]) | (gap > leaves_after))
    after = np.full(stays.case.size, UNKNOWN)
    told = ~np.isnan(out) & (out <= drawn)
    after[told | (stays.ends_with & math.isinf(drawn))] = LEFT
    after[:-1][same] = ON
    back = away & (gap <= returns_within)
    after[:-1][away] = LEFT
    after[:-1][back] = BACK
    opens = np.ones(stays.case.size, dtype=bool)
    opens[1:] = ~same | (away & ~back)
    delay = np.full(stays.case.size, np.nan)
    delay[1:][away] = gap[away]
    return Steps(after, opens, delay)


def decide_used(rows: Rows, stays: Stays, drawn: float) -> None:
    """Put the rows of stays under the rules of used ones."""
    begun = ~np.isnan(stays.started)
    ended = ~np.isnan(stays.finished)
    state = np.where(begun & ended, CODE["timed"], CODE["untimed"])
    if np.isfinite(drawn):
        state[begun & ~ended] = CODE["open"]
    rows.status[stays.row] = state
    if rows.voice is not None:
        # what only helps a row that is not used is not used either
        own = rows.status[rows.voice]
        lost = (rows.status == CODE["joined"]) & ~np.isin(own, USED)
        rows.status[lost] = own[lost]


def selected(stays: Stays, which: Any) -> Stays:
    """Return some of the stays."""
    return stays._replace(**{
        name: value[which] for name, value in stays._asdict().items() if name not in
        {"services", "owners", "classes"}
    })  # fmt: skip
