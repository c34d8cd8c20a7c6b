"""From the calendars of a description to arrays, and to the time means that formulas take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flownet.kernels.compiled import Calendars, Floats, Integers
from flownet.network.attributes import SERVICE
from flownet.network.calendars import Calendar, calendar_from_rows
from flownet.network.columns import Columns
from flownet.network.resolve import per_class


def server_calendars(columns: Columns) -> dict[int, Calendar]:
    """Return the calendars of servers by the position of their service."""
    cells = columns.services.get("server_calendar", ())
    return {i: calendar_from_rows(rows) for i, rows in enumerate(cells) if rows is not None}


def arrival_calendars(columns: Columns) -> dict[tuple[int, int], Calendar]:
    """Return the calendars of arrivals by the positions of their service and class."""
    attribute = SERVICE["external_arrival_calendar"]
    found = {}
    for i, cell in enumerate(columns.services.get(attribute.name, ())):
        by_class = per_class({attribute.name: cell}, attribute, columns.classes)
        for k, rows in enumerate(by_class):
            if rows is not None:
                found[i, k] = calendar_from_rows(rows)
    return found


def mean_rates(columns: Columns) -> Floats:
    """Return (n, R) the rates of arrivals from outside, by calendars their means."""
    rates = np.array(columns.service_table("external_arrival_rate"), np.float64, order="C")
    for place, calendar in arrival_calendars(columns).items():
        rates[place] = calendar.mean
    return rates


def mean_servers(columns: Columns) -> Floats:
    """Return (n,) the servers, by calendars their means.

    Where the network has limited places, a mean is rounded to a whole number from 1 on, since
    formulas with limited places count whole servers.
    """
    servers = np.array(columns.service("servers"), np.float64)
    limited = {"capacity", "waiting_room"} & set(columns.services)
    for i, calendar in server_calendars(columns).items():
        servers[i] = max(1.0, round(calendar.mean)) if limited else calendar.mean
    return servers


def calendars_of(columns: Columns) -> Calendars | None:
    """Return what varies with time; None where nothing does."""
    servers, arrivals = server_calendars(columns), arrival_calendars(columns)
    if not servers and not arrivals:
        return None
    n, width = len(columns.names), len(columns.classes)
    flat = {i * width + k: calendar for (i, k), calendar in arrivals.items()}
    rooms: Any = columns.services.get("waiting_room", [None] * n)
    follow = [i in servers and rooms[i] is not None for i in range(n)]
    made = Calendars(
        *_laid_out(servers, n), np.array(follow, np.bool_), *_laid_out(flat, n * width)
    )
    for array in made:
        array.setflags(write=False)
    return made


def scheduled_servers(servers: Floats, calendars: Calendars) -> Floats:
    """Return (n,) the servers, those of calendars as their time means."""
    means = servers.copy()
    for i in np.flatnonzero(np.diff(calendars.server_start)):
        span = slice(*calendars.server_start[i : i + 2])
        ends, values = calendars.server_ends[span], calendars.server_values[span]
        means[i] = np.diff(ends, prepend=0.0) @ values / ends[-1]
    return means


def means_between(edges: Floats, ends: Floats, values: Floats) -> Floats:
    """Return the means of a calendar between times that rise, its cycle repeated.

    Parameters
    ----------
    edges : array (k + 1,), T
        At least 0.
    ends, values : array (m,)
        Of the steps of the calendar; the last end is the length of its cycle.

    Returns
    -------
    array (k,)

    Examples
    --------
    >>> import numpy as np
    >>> means_between(np.array([0.0, 1.0, 3.0]), np.array([2.0]), np.array([4.0]))
    array([4., 4.])
    """
    stops = np.concatenate([[0.0], ends])
    sums = np.concatenate([[0.0], np.cumsum(np.diff(stops) * values)])
    rounds = np.floor(edges / ends[-1])
    done = rounds * sums[-1] + np.interp(edges - rounds * ends[-1], stops, sums)
    return np.asarray(np.diff(done) / np.diff(edges))


def _laid_out(calendars: Mapping[int, Calendar], count: int) -> tuple[Integers, Floats, Floats]:
    """Return where the steps of each of `count` owners begin, their ends and their values."""
    sizes = np.zeros(count + 1, np.int64)
    for owner, calendar in calendars.items():
        sizes[owner + 1] = len(calendar.ends)
    order = sorted(calendars)
    ends = [end for owner in order for end in calendars[owner].ends]
    values = [value for owner in order for value in calendars[owner].values]
    return np.cumsum(sizes), np.array(ends, np.float64), np.array(values, np.float64)
