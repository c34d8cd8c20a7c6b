"""Opening hours as a lever: how long a service is open in a cycle, and its calendar then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flownet.errors import Fault
from flownet.network.model import Network, ServiceName


class Hours(NamedTuple):
    """When a service with a calendar is open."""

    open: float
    """T open in a cycle."""
    cycle: float
    """T."""
    servers: float
    """While it is open."""
    last: float
    """T of the last opening in the cycle: no more can be taken away."""
    room: float
    """T closed right after it: no more can be added."""

    def mean_servers(self, level: float) -> float:
        """Return the time mean of the servers if it is open for `level`."""
        return self.servers * level / self.cycle

    def level(self, servers: float) -> float:
        """Return for how long it must be open for that time mean."""
        return servers * self.cycle / self.servers


def read_hours(network: Network, name: ServiceName) -> Hours | Fault:
    """Return when a service is open, or why its hours cannot be decided on."""
    rows = network.graph.nodes[name].get("server_calendar")
    where = f"service {name!r}"
    if not rows:
        message = "is missing: opening hours are those of a calendar"
        return Fault(where, "server_calendar", "", message)
    values = {float(row["value"]) for row in rows if float(row["value"]) > 0}
    if len(values) != 1:
        message = "has different numbers of servers while it is open: decide on servers instead"
        return Fault(where, "server_calendar", "", message)
    lengths = [float(row["end"]) - float(row["start"]) for row in rows]
    opened = [float(row["value"]) > 0 for row in rows]
    last = max(k for k, each in enumerate(opened) if each)
    first = last
    while first > 0 and opened[first - 1]:
        first -= 1
    return Hours(
        open=sum(x for x, each in zip(lengths, opened, strict=True) if each),
        cycle=float(rows[-1]["end"]),
        servers=values.pop(),
        last=sum(lengths[first : last + 1]),
        room=sum(lengths[last + 1 :]),
    )


def with_longer_hours(rows: Sequence[Mapping[str, Any]], more: float) -> list[dict[str, Any]]:
    """Return a calendar whose last opening ends `more` later (earlier where negative).

    Examples
    --------
    >>> day = [{"start": 0, "end": 8, "value": 0}, {"start": 8, "end": 16, "value": 2},
    ...        {"start": 16, "end": 24, "value": 0}]
    >>> [(row["start"], row["end"]) for row in with_longer_hours(day, 3.0)]
    [(0.0, 8.0), (8.0, 19.0), (19.0, 24.0)]
    """
    last = max(k for k, row in enumerate(rows) if float(row["value"]) > 0)
    cycle, end = float(rows[-1]["end"]), float(rows[last]["end"]) + more
    pieces = [(float(r["start"]), float(r["end"]), r["value"]) for r in rows[: last + 1]]
    shifted = [(start, min(stop, end), value) for start, stop, value in pieces[:-1]]
    shifted.append((pieces[-1][0], end, pieces[-1][2]))
    shifted.append((end, cycle, 0))
    return [
        {"start": start, "end": stop, "value": value}
        for start, stop, value in shifted
        if stop > start + 1e-12 * cycle
    ]
