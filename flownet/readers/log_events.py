"""Events with one time each: joined by their lifecycle, or reaching to the next of the case."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Integers
from flownet.readers.log_quality import CODE
from flownet.readers.log_rows import BEGINS, ENDS_IT, POINTS, STAY, Rows

Marks = Literal["start", "complete"]

SCHEDULED: Final = {"schedule", "enqueue", "arrive", "request"}
STARTED: Final = {"start", "begin", "started"}
COMPLETED: Final = {"complete", "completed", "end", "finish", "stop"}
ARRIVES, STARTS, COMPLETES = 0, 1, 2


def listed(names: Collection[str], most: int = 6) -> str:
    """Return names in quotes, the first few of many."""
    shown = sorted(names)[:most]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"'{name}'" for name in shown) + more


def never_followed(rows: Rows) -> set[str]:
    """Return activities that only ever end a case of events: there the job leaves."""
    kept = rows.undecided
    if not (rows.kind[kept] == BEGINS).all():
        return set()
    case, activity = rows.texts["case"][kept], rows.texts["activity"][kept]
    order = np.lexsort([kept, rows.times["start"][kept], case])
    followed = np.unique(activity[order][:-1][case[order][1:] == case[order][:-1]])
    only_last = np.setdiff1d(np.unique(activity), followed)
    found = {rows.names["activity"][k] for k in only_last}
    if not found or not followed.size:
        return set()
    rows.notes.append(
        f"Nothing ever follows {listed(found)}: taken as the event with which a job leaves."
    )
    return found


def join_lifecycles(rows: Rows) -> None:
    """Join rows that tell the arrival, the beginning and the end of the same stay.

    Where a case has as many beginnings as ends at an activity, the k-th go together; where some
    are missing, an end goes with the beginning just before it.

    Raises
    ------
    ParameterError
        Where the rows tell whole stays already.
    """
    names = [name.lower() for name in rows.names["lifecycle"]]
    kinds = np.full(len(names) + 1, -1)
    for code, words in enumerate((SCHEDULED, STARTED, COMPLETED)):
        kinds[:-1][[name in words for name in names]] = code
    kind = kinds[rows.texts["lifecycle"]]
    if not {STARTS, COMPLETES} <= set(np.unique(kind[rows.undecided]).tolist()):
        return
    if not rows.events[(kind == STARTS) | (kind == COMPLETES)].all():
        message = "stands beside columns of start and complete: give timestamp, or no lifecycle"
        raise ParameterError([Fault("event log", "lifecycle", "", message)])
    rows.mark(rows.events & (kind == -1), "other transition")
    kept = rows.undecided
    kept = kept[rows.events[kept]]
    stamp = rows.times["start"].copy()
    keys = [rows.texts[role][kept] for role in ("case", "organisation", "activity", "instance")]
    order = kept[np.lexsort([kept, kind[kept], stamp[kept], *keys[::-1]])]
    groups = np.stack(
        [rows.texts[role][order] for role in ("case", "organisation", "activity", "instance")]
    )
    fresh = np.r_[True, (np.diff(groups, axis=1) != 0).any(axis=0)]
    group = np.cumsum(fresh) - 1
    stay = _stays_of_events(group, kind[order], stamp[order])
    together = np.lexsort([kind[order], stay])
    order, stay = order[together], stay[together]
    last = np.r_[stay[1:] != stay[:-1], True]
    speaker = order[last]
    number = np.cumsum(np.r_[False, last[:-1]])
    for code, role in enumerate(("arrived", "start", "complete")):
        rows.times[role][order] = np.nan
        which = kind[order] == code
        rows.times[role][speaker[number[which]]] = stamp[order[which]]
    rows.status[order[~last]] = CODE["joined"]
    rows.voice = np.arange(rows.status.size)
    rows.voice[order] = speaker[number]
    rows.kind[order] = STAY


def _stays_of_events(group: Integers, kind: Integers, stamp: Any) -> Integers:
    """Return the number of each event's stay; events sorted by group, time, kind."""
    one_by_one = _in_turn(group, kind)
    ranked = _by_rank(group, kind)
    first, last = _bounds(ranked, kind, stamp)
    whole = first <= last  # not where one of them is missing
    owner = np.zeros(ranked.max() + 1, np.int64)
    owner[ranked] = group
    good = np.bincount(owner[whole], minlength=group.max() + 1) == np.bincount(
        owner, minlength=group.max() + 1
    )
    return np.unique(
        np.where(good[group], 2 * ranked, 2 * one_by_one + 1), return_inverse=True
    )[1].ravel()  # fmt: skip


def _by_rank(group: Integers, kind: Integers) -> Integers:
    """Return stays of the k-th arrival, beginning and end of each group."""
    order = np.lexsort([np.arange(group.size), kind, group])
    fresh = np.r_[True, (np.diff(group[order]) != 0) | (np.diff(kind[order]) != 0)]
    at = np.arange(group.size)
    rank = np.empty(group.size, np.int64)
    rank[order] = at - np.maximum.accumulate(np.where(fresh, at, 0))
    return np.unique(group * (rank.max() + 1) + rank, return_inverse=True)[1].ravel()


def _in_turn(group: Integers, kind: Integers) -> Integers:
    """Return stays each of which goes on as long as arrival, beginning and end follow in turn."""
    before = np.r_[-1, kind[:-1]]
    fresh = np.r_[True, group[1:] != group[:-1]]
    return np.cumsum(fresh | (kind <= before)) - 1


def _bounds(stay: Integers, kind: Integers, stamp: Any) -> tuple[Any, Any]:
    """Return the beginning and the end of each stay; inf and -inf where missing."""
    first, last = np.full(stay.max() + 1, np.inf), np.full(stay.max() + 1, -np.inf)
    for code, bound in ((STARTS, first), (COMPLETES, last)):
        bound[stay[kind == code]] = stamp[kind == code]
    return first, last


def bound_events(rows: Rows, kept: Integers) -> None:
    """Let events reach to the next of the case, or from the one before; `kept` is sorted."""
    kind, case = rows.kind[kept], rows.texts["case"][kept]
    times = [rows.times[role][kept] for role in POINTS]
    earliest, latest = np.fmin.reduce(times), np.fmax.reduce(times)
    same: NDArray[np.bool_] = case[1:] == case[:-1]
    ends, begins = np.full(kept.size, np.nan), np.full(kept.size, np.nan)
    ends[:-1][same], begins[1:][same] = earliest[1:][same], latest[:-1][same]
    to_next, from_last = kind == BEGINS, kind == ENDS_IT
    rows.times["complete"][kept[to_next]] = ends[to_next]
    rows.times["start"][kept[from_last]] = begins[from_last]
    rows.times["complete"][kept[from_last]] = latest[from_last]
    for which, text in (
        (to_next, "from its event to the next of the case (timestamp_marks = 'start')"),
        (from_last, "from the event before it to its own (timestamp_marks = 'complete'); the first "
                    "of a case has no beginning"),
    ):  # fmt: skip
        if which.any():
            rows.notes.append(f"{int(which.sum()):,} events have one time: a stay lasts {text}.")
