"""Stays that hold more than service: waiting and being blocked, told from who else was there."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats, Integers
from flownet.readers.stays import Stays


def split_waiting(
    stays: Stays,
    services: Collection[str],
    given: Mapping[str, Mapping[str, Any]],
    drawn: float,
) -> tuple[Stays, list[str]]:
    """Return the stays with waiting taken out at some services, and what was assumed there.

    Parameters
    ----------
    stays : Stays
        Of which those at `services` begin with arrival.
    services : collection of str
        Where stays hold waiting too.
    given : mapping
        Service to attributes, ``servers`` among them.
    drawn : float
        When the log was drawn; inf where nobody says. Stays without an end hold a server until
        then, and none where nobody says.

    Raises
    ------
    ParameterError
        Where the number of servers is not known.
    """
    faults, said = [], []
    started, arrived = stays.started.copy(), stays.arrived.copy()
    for name in services:
        servers = given.get(name, {}).get("servers", math.inf)
        if not math.isfinite(float(servers)) or float(servers) != math.floor(float(servers)):
            message = "must be known as a whole number, for waiting to be told from service"
            faults.append(Fault("from_event_log", "servers", repr(name), message))
            continue
        k = stays.services.index(name)
        known = ~np.isnan(stays.started)
        if not math.isfinite(drawn):
            known &= ~np.isnan(stays.left)
        at = np.flatnonzero((stays.service == k) & known)
        came = stays.started[at]
        begun = service_begins(came, stays.left[at], int(servers))
        odd = begun > stays.left[at]
        arrived[at] = came
        started[at] = np.where(odd, stays.left[at], np.where(np.isfinite(begun), begun, np.nan))
        said.append(
            f"Stays at {name} begin with arrival: service was taken to begin when one of "
            f"{int(servers)} servers was free, first come, first served; {int(odd.sum()):,} of "
            f"{at.size:,} stays contradict that, and count as served in no time."
        )
    if faults:
        raise ParameterError(faults, "from_event_log")
    return stays._replace(started=started, arrived=arrived), said


def service_begins(arrived: Floats, left: Floats, servers: int) -> Floats:
    r"""Return when service begins at c servers, first come, first served, from who left when.

    .. math:: b_{(n)} = \max(a_{(n)}, d_{(n-c)})

    with :math:`a_{(n)}` the n-th arrival and :math:`d_{(n)}` the n-th departure.

    Parameters
    ----------
    arrived, left : (jobs,) float array
        Times; nan in `left` where a job is there still.
    servers : int
        c.

    Examples
    --------
    >>> service_begins(np.array([0.0, 1.0, 2.0]), np.array([4.0, 3.0, 6.0]), 2)
    array([0., 1., 3.])
    """
    order = np.argsort(arrived, kind="stable")
    gone = np.sort(np.where(np.isnan(left), np.inf, left))
    begun = arrived[order].copy()
    begun[servers:] = np.maximum(begun[servers:], gone[: max(0, arrived.size - servers)])
    back = np.empty_like(begun)
    back[order] = begun
    return back


class Pieces(NamedTuple):
    """Parts of stays during which the end of service would have been seen; times in seconds."""

    owner: Integers
    """Position of the stay, in rising order."""
    entry: Floats
    length: Floats
    ended: NDArray[np.bool_]
    affected: NDArray[np.bool_]
    """By stay: whether it is told by its pieces."""


def split_blocking(
    stays: Stays,
    services: Collection[str],
    given: Mapping[str, Mapping[str, Any]],
    tolerance: float,
) -> tuple[Pieces | None, list[str]]:
    """Return the parts of stays at some services that are service for sure, and what was assumed.

    A job whose service ends while the next service is full stays on: its end is not seen. A job
    that moves on while there is room has just been served. So each stay is watched only while the
    next service has room: it leaves the risk set when that fills up, enters it anew when a place is
    free, and counts as ended only where it moves on with room all along. That is censoring with
    gaps, independent of the length of service where the route is (Andersen, Borgan, Gill and
    Keiding 1993, Statistical Models Based on Counting Processes, sect. III.2).

    Parameters
    ----------
    stays : Stays
        Of which those at `services` end with moving on, not with service.
    services : collection of str
        Where stays hold being blocked too.
    given : mapping
        Service to attributes; those with ``servers`` can be full.
    tolerance : float
        Seconds between leaving and arriving that are rounding.

    Raises
    ------
    ParameterError
        Where no next service has a known number of servers.
    """
    if not services:
        return None, []
    follows, direct = _onward(stays, tolerance)
    faults, said, found = [], [], []
    affected = np.zeros(stays.case.size, dtype=bool)
    for name in services:
        at = direct & (stays.service == stays.services.index(name))
        full = {
            j: _full_periods(stays, j, int(given[to]["servers"]))
            for j, to in enumerate(stays.services)
            if to != name and math.isfinite(float(given.get(to, {}).get("servers", math.inf)))
            and bool((at & (follows == j)).any())
        }  # fmt: skip
        if not full:
            message = "of a next service must be known, for being blocked to be told from service"
            faults.append(Fault("from_event_log", "servers", repr(name), message))
            continue
        parts = [
            (stay, *part)
            for j, periods in full.items()
            for stay in np.flatnonzero(at & (follows == j)).tolist()
            for part in _with_room(stays.started[stay], stays.left[stay], *periods)
        ]
        told = at & np.isin(follows, list(full))
        affected |= told
        found += parts
        blocked = int(told.sum()) - sum(part[3] for part in parts)
        where = ", ".join(stays.services[j] for j in full)
        said.append(
            f"Stays at {name} may end only when a place is free at {where}: {blocked:,} of "
            f"{int(told.sum()):,} moved on as one became free, and their service was taken to have "
            "ended at some time while there was none."
        )
    if faults:
        raise ParameterError(faults, "from_event_log")
    return _pieces(found, affected), said


def _onward(stays: Stays, tolerance: float) -> tuple[Integers, NDArray[np.bool_]]:
    """Return the service after each stay, and whether the job goes there at once."""
    same = np.r_[stays.case[1:] == stays.case[:-1], False]
    follows = np.where(same, np.r_[stays.service[1:], 0], -1)
    gap = np.r_[stays.first_time[1:] - stays.left[:-1], np.nan]
    direct = same & (np.abs(np.nan_to_num(gap, nan=np.inf)) <= tolerance)
    return follows, direct & ~np.isnan(stays.started) & ~np.isnan(stays.left)


def _pieces(
    found: list[tuple[int, float, float, bool]], affected: NDArray[np.bool_]
) -> Pieces | None:
    """Return pieces in the order of their stays; None where no stay is told by pieces."""
    if not affected.any():
        return None
    table = np.array(sorted(found), dtype=np.float64).reshape(-1, 4)
    owner, ended = table[:, 0].astype(np.int64), table[:, 3] > 0
    return Pieces(owner, table[:, 1], table[:, 2], ended, affected)


def _full_periods(stays: Stays, service: int, places: int) -> tuple[Floats, Floats]:
    """Return when a service becomes full and has room again; a place taken at once is none."""
    at = (stays.service == service) & ~np.isnan(stays.first_time)
    come = stays.first_time[at]
    gone = np.where(np.isnan(stays.left[at]), np.inf, stays.left[at])
    times = np.concatenate([come, gone[np.isfinite(gone)]])
    change = np.concatenate([np.ones(come.size), -np.ones(int(np.isfinite(gone).sum()))])
    moments, where = np.unique(times, return_inverse=True)
    present = np.cumsum(np.bincount(where.ravel(), change))
    full = np.r_[False, present >= places, False]
    turns = np.diff(full.astype(np.int64))
    ends = np.r_[moments, np.inf]
    return moments[np.flatnonzero(turns[:-1] == 1)], ends[np.flatnonzero(turns == -1)]


def _with_room(
    start: float, left: float, begins: Floats, ends: Floats
) -> list[tuple[float, float, bool]]:
    """Return the parts of a stay outside full periods: entry, length, whether it ended so."""
    first = int(np.searchsorted(ends, start, side="right"))
    last = int(np.searchsorted(begins, left, side="left"))
    parts, now = [], start
    for begin, end in zip(begins[first:last].tolist(), ends[first:last].tolist(), strict=True):
        if begin > now:
            parts.append((now - start, begin - start, False))
        now = max(now, end)
    if now < left or first >= last:
        parts.append((now - start, left - start, True))
    return parts
