"""Stays: from the rows of an event log to who was where from when to when, and went where next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.errors import Fault, ParameterError, ReadError
from flownet.kernels.compiled import Floats, Integers
from flownet.network.values import nearest
from flownet.readers.log_quality import CODE, UNDECIDED
from flownet.readers.log_rows import POINTS, Rows

Marks = Literal["start", "complete"]
UNKNOWN, LEFT, ON, BACK = 0, 1, 2, 3
"""What followed a stay: not told, the job left for good, went on, came back after leaving."""

SCHEDULED: Final = {"schedule", "enqueue", "arrive", "request"}
STARTED: Final = {"start", "begin", "started"}
COMPLETED: Final = {"complete", "completed", "end", "finish", "stop"}
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
    marks: Marks,
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
    if not rows.single or np.unique(rows.texts["lifecycle"]).size > 1:
        _join_lifecycles(rows)
    names = np.array([*rows.names["activity"], ""], dtype=object)
    leaves = set(leaving) | _never_followed(rows, services, leaving, marks)
    label = {name: (services.get(name) if services is not None else name) for name in names}
    is_leaving = np.array([name in leaves for name in names])[rows.texts["activity"]]
    wanted = np.array([label[name] is not None for name in names])[rows.texts["activity"]]
    rows.mark(~wanted & ~is_leaving, "other activity")
    kept = rows.undecided
    if kept.size == 0:
        raise ReadError([Fault("event log", "", "", "holds no stay that can be used")])
    key = np.fmin.reduce([rows.times[role][kept] for role in POINTS])
    end = np.nan_to_num(rows.times["complete"][kept], nan=np.inf)
    case = rows.texts["case"][kept]
    kept = kept[np.lexsort([kept, is_leaving[kept], end, key, case])]
    if rows.single:
        _bound_events(rows, kept, marks)
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


def _never_followed(
    rows: Rows, services: Mapping[str, str | None] | None, leaving: Collection[str], marks: Marks
) -> set[str]:
    """Return activities that only ever end a case of single events: there the job leaves."""
    if not rows.single or marks != "start" or services is not None or leaving:
        return set()
    kept = rows.undecided
    case, activity = rows.texts["case"][kept], rows.texts["activity"][kept]
    order = np.lexsort([kept, rows.times["start"][kept], case])
    followed = np.unique(activity[order][:-1][case[order][1:] == case[order][:-1]])
    only_last = np.setdiff1d(np.unique(activity), followed)
    found = {rows.names["activity"][k] for k in only_last}
    if found and followed.size:
        rows.notes.append(
            f"Nothing ever follows {_listed(found)}: taken as the event with which a job leaves."
        )
        return found
    return set()


def _listed(names: Collection[str], most: int = 6) -> str:
    shown = sorted(names)[:most]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"'{name}'" for name in shown) + more


def _join_lifecycles(rows: Rows) -> None:
    """Join rows that tell the beginning and the end of the same stay: the k-th with the k-th."""
    names = [name.lower() for name in rows.names["lifecycle"]]
    kinds = np.full(len(names) + 1, -1)
    for code, group in enumerate((SCHEDULED, STARTED, COMPLETED)):
        kinds[:-1][[name in group for name in names]] = code
    kind = kinds[rows.texts["lifecycle"]]
    if not {1, 2} <= set(np.unique(kind[rows.undecided]).tolist()):
        return
    if not rows.single:
        message = "stands beside columns of start and complete: give timestamp, or no lifecycle"
        raise ParameterError([Fault("event log", "lifecycle", "", message)])
    rows.mark(kind == -1, "other transition")
    kept = rows.undecided
    stamp = rows.times["start"].copy()
    keys = [stamp[kept], kind[kept], rows.texts["activity"][kept], rows.texts["case"][kept]]
    order = kept[np.lexsort([kept, *keys])]
    groups = np.stack([rows.texts["case"][order], rows.texts["activity"][order], kind[order]])
    fresh = np.r_[True, (np.diff(groups, axis=1) != 0).any(axis=0)]
    rank = np.arange(order.size) - np.maximum.accumulate(np.where(fresh, np.arange(order.size), 0))
    # in the order of case, activity, rank, the rows of one stay stand together, the last speaks
    joined = np.lexsort([groups[2], rank, groups[1], groups[0]])
    order, kind_of = order[joined], groups[2][joined]
    key = np.stack([groups[0][joined], groups[1][joined], rank[joined]])
    fresh = np.r_[True, (np.diff(key, axis=1) != 0).any(axis=0)]
    stay = np.cumsum(fresh) - 1
    speaker = order[np.r_[np.flatnonzero(fresh)[1:] - 1, order.size - 1]]
    for code, role in enumerate(("arrived", "start", "complete")):
        rows.times[role][order] = np.nan
        which = kind_of == code
        rows.times[role][speaker[stay[which]]] = stamp[order[which]]
    silent = np.setdiff1d(order, speaker)
    rows.status[silent] = CODE["joined"]
    rows.mark(rows.times["complete"] < rows.times["start"], "end before beginning")
    rows.single = False


def _bound_events(rows: Rows, kept: Integers, marks: Marks) -> None:
    """Let stays reach from one event of a case to the next."""
    stamp = rows.times["start"][kept].copy()
    case = rows.texts["case"][kept]
    same = case[1:] == case[:-1]
    if marks == "start":
        ends = np.full(kept.size, np.nan)
        ends[:-1][same] = stamp[1:][same]
        rows.times["complete"][kept] = ends
        rows.notes.append(
            "Each event has one time: a stay was taken to last from its event to the next of the "
            "case (timestamp_marks = 'start')."
        )
    else:
        begins = np.full(kept.size, np.nan)
        begins[1:][same] = stamp[:-1][same]
        rows.times["start"][kept], rows.times["complete"][kept] = begins, stamp
        rows.notes.append(
            "Each event has one time: a stay was taken to last from the event before it to its "
            "own (timestamp_marks = 'complete'); the first of a case has no beginning."
        )


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
    started = time["start"]
    return Stays(
        kept, rows.texts["case"][kept], service, job_class, owner, rows.texts["resource"][kept],
        time["arrived"], started, time["complete"], left, gone, services, owners, classes,
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
    after[told] = LEFT
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


def selected(stays: Stays, which: Any) -> Stays:
    """Return some of the stays."""
    return stays._replace(**{
        name: value[which] for name, value in stays._asdict().items() if name not in
        {"services", "owners", "classes"}
    })  # fmt: skip


def is_decided(rows: Rows) -> bool:
    """Return whether every row stands under a rule."""
    return bool((rows.status != UNDECIDED).all())
