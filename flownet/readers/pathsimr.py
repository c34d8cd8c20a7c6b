"""PathSimR's two CSV files: its network template and its calendar template.

PathSimR (NHS BNSSG Analytics; Tyler et al. 2022, PLOS ONE 17:e0268837) simulates pathways with
blocking after service. Its network template has a row and a column a node, then the law of each
stay, the places for external and internal queues, and the laws of the transition delays, during
which a patient keeps the bed. Its calendar gives capacity and external arrivals by time of day.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any, Final

from flownet.errors import Fault, ReadError
from flownet.network.distributions import LawError, law_from_table
from flownet.readers.text import csv_table, read_text

UNLIMITED: Final = 999.0
"""PathSimR's users write 999, 9999 or Inf for a queue without limit."""
PASSING: Final = 1e-6
"""Service time of a node where a pathway ends: patients pass at once, but it has to be above 0."""
LARGEST: Final = 50_000_000
LAWS: Final = {
    "exp": ("exponential", ("rate",)),
    "unif": ("uniform", ("low", "high")),
    "lnorm": ("lognormal", ("mu", "sigma")),
    "weibull": ("weibull", ("shape", "scale")),
    "gamma": ("gamma", ("shape", "rate")),
}
"""PathSimR's names of laws, ours, and what their parameters mean in their order (as in R)."""


def _table(path: Path) -> list[list[str]]:
    rows = csv_table(read_text(path, LARGEST), f"file '{path.name}'")
    stripped = [[cell.strip() for cell in row] for row in rows]
    return [row for row in stripped if any(row)]


def is_pathsimr(path: Path) -> bool:
    """Return whether a CSV file has the header of PathSimR's network template."""
    if not path.is_file():
        return False
    table = _table(path)
    return bool(table) and "serv_dist" in table[0] and "int_queue" in table[0]


def _absent(cell: str) -> bool:
    return cell.upper() in {"", "NA", "NULL"}


def read_pathsimr(path: Path, calendar: Path | None, time_unit: str | None) -> dict[str, Any]:
    """Return the document of a PathSimR model.

    Parameters
    ----------
    path : Path
        The network template.
    calendar : Path, optional
        The calendar template; by default the one file beside it whose name differs only in
        ``Calendar`` for ``Network`` (or ``cal_input`` for ``input_template``).
    time_unit : str, optional
        PathSimR's files do not name their unit.

    Raises
    ------
    ReadError
        With every fault of both files.

    Notes
    -----
    What varies by the calendar keeps it; its span is the cycle that repeats, as in PathSimR. A node
    with an internal queue of k places has capacity beds + k; an external queue without limit is
    ``wait_outside``, none ``lost``.
    What had to be simplified stands in the network's ``notes``.
    """
    source = _Template(path)
    steps = _calendar_steps(_calendar_path(path, calendar), source)
    if source.faults:
        raise ReadError(source.faults, path.name)
    services = [_service(source, name, steps) for name in source.nodes]
    ends = [name for name in source.ends if source.delayed(name)]
    services += [
        {"name": name, "discipline": "delay", "service_time": PASSING,
         "origin": {"service_time": "assumed: the pathway ends here; patients pass at once"}}
        for name in ends
    ]  # fmt: skip
    if source.faults:
        raise ReadError(source.faults, path.name)
    network: dict[str, Any] = {"name": path.stem, "notes": " ".join(source.notes)}
    if time_unit is not None:
        network["time_unit"] = time_unit
    return {"network": network, "services": services, "routes": source.routes(ends)}


def _calendar_path(path: Path, calendar: Path | None) -> Path:
    if calendar is not None:
        return calendar
    for old, new in (
        ("Network", "Calendar"),
        ("network", "calendar"),
        ("input_template", "cal_input"),
    ):
        beside = path.with_name(path.name.replace(old, new))
        if beside != path and beside.exists():
            return beside
    message = "needs its calendar template: give it as the second file"
    raise ReadError([Fault(f"file '{path.name}'", "", "", message)], path.name)


class _Template:
    """PathSimR's network template, taken apart."""

    def __init__(self, path: Path) -> None:
        self.faults: list[Fault] = []
        self.notes: list[str] = [f"Read from PathSimR's {path.name}."]
        self.file = f"file '{path.name}'"
        table = _table(path)
        header = table[0]
        width = header.index("serv_dist") - 1
        self.names = header[1 : width + 1]
        expected = 1 + width + 4 + 2 * width
        if len(header) != expected:
            message = (
                f"has {len(header)} columns; a template of {width} nodes has {expected}: nodes, "
                "serv_dist, serv_dist_param, ext_queue, int_queue, then delay laws and parameters"
            )
            raise ReadError([Fault(self.file, "", "", message)], path.name)
        self.rows = {row[0]: row + [""] * (expected - len(row)) for row in table[1:]}
        for name in self.names:
            if name not in self.rows:
                self.faults.append(Fault(self.file, name, "", "is a column but has no row"))
        for name in self.rows:
            if name not in self.names:
                self.faults.append(Fault(self.file, name, "", "is a row but has no column"))
        if self.faults:
            raise ReadError(self.faults, path.name)
        self.width = width
        self.nodes = [name for name in self.names if not _absent(self.rows[name][1 + width])]
        self.ends = [name for name in self.names if name not in self.nodes]

    def number(self, name: str, what: str, cell: str) -> float:
        """Return a cell's number; a fault where it is none."""
        try:
            return float(cell)
        except ValueError:
            self.faults.append(Fault(f"{self.file}, node '{name}'", what, cell, "must be a number"))
            return math.nan

    def queue(self, name: str, which: int) -> float:
        """Return the places of the external (0) or internal (1) queue."""
        cell = self.rows[name][self.width + 3 + which]
        places = math.inf if cell.lower() == "inf" else self.number(name, "queue", cell or "0")
        return math.inf if places >= UNLIMITED else places

    def law(self, name: str, what: str, family: str, cell: str) -> dict[str, Any] | None:
        """Return the distribution table of PathSimR's law; a fault where it is impossible."""
        where = f"{self.file}, node '{name}'"
        if family not in LAWS:
            message = f"is not a law of PathSimR; there are {', '.join(LAWS)}"
            self.faults.append(Fault(where, what, family, message))
            return None
        ours, wanted = LAWS[family]
        parts = [part for part in cell.split(";") if part.strip()]
        if len(parts) != len(wanted):
            message = f"{family} takes {len(wanted)} parameters ({'; '.join(wanted)})"
            self.faults.append(Fault(where, what, cell, message))
            return None
        given = dict(zip(wanted, (self.number(name, what, part) for part in parts), strict=True))
        if any(math.isnan(value) for value in given.values()):
            return None
        if "rate" in given:
            rate = given.pop("rate")
            given["mean" if ours == "exponential" else "scale"] = 1 / rate if rate else 0.0
        if ours == "uniform" and given["low"] == given["high"]:
            ours, given = "deterministic", {"value": given["low"]}
        table = {"family": ours, **given}
        try:
            law_from_table(table)
        except LawError as error:
            self.faults.append(Fault(where, what, f"{family} {cell}", str(error)))
            return None
        return table

    def probability(self, start: str, end: str) -> float:
        cell = self.rows[start][1 + self.names.index(end)]
        return 0.0 if _absent(cell) else self.number(start, f"probability to '{end}'", cell)

    def delay(self, start: str, end: str) -> float:
        """Return the mean transition delay, during which the bed is held."""
        place = self.width + 5 + self.names.index(end)
        family, cell = self.rows[start][place], self.rows[start][place + self.width]
        if _absent(family) or self.probability(start, end) == 0:
            return 0.0
        table = self.law(start, f"delay to '{end}'", family, cell)
        return 0.0 if table is None else law_from_table(table).mean

    def delayed(self, end: str) -> bool:
        """Return whether patients keep their bed for a time before the pathway ends at `end`."""
        return any(self.delay(start, end) > 0 for start in self.nodes)

    def routes(self, ends: list[str]) -> list[dict[str, Any]]:
        """Return the routes between nodes, and to the ends that are reached with a delay."""
        routes = []
        for start in self.nodes:
            for end in [*self.nodes, *ends]:
                share = self.probability(start, end)
                if share == 0:
                    continue
                route: dict[str, Any] = {"from": start, "to": end, "routing_probability": share}
                delay = self.delay(start, end)
                if delay > 0:
                    route |= {"transfer_delay": delay, "holds_server": True}
                routes.append(route)
        if any("transfer_delay" in route for route in routes):
            self.notes.append(
                "Transition delays are taken by their means; the bed is held meanwhile."
            )
        return routes


Steps = list[tuple[float, float, float]]
"""Start, end and value of the pieces of a calendar."""


def _calendar_steps(path: Path, source: _Template) -> dict[tuple[str, str], Steps]:
    """Return the pieces of each metric ('cap', 'ext_arr') at each node; one where it is constant.

    Where they are at fault, no piece.
    """
    table = _table(path)
    where = f"file '{path.name}'"
    if not table or table[0][:5] != ["metric", "node", "start", "end", "value"]:
        message = "is not PathSimR's calendar: its columns are metric, node, start, end, value"
        raise ReadError([Fault(where, "", "", message)], path.name)
    spans: dict[tuple[str, str], Steps] = {}
    for number, cells in enumerate(table[1:], start=2):
        # PathSimR's own use case writes an empty cell between the end and the value
        row = [cell for i, cell in enumerate(cells) if cell or i < 4 or i == len(cells) - 1]
        place = f"{where}, row {number}"
        if len(row) != 5 or row[0] not in {"cap", "ext_arr"} or row[1] not in source.names:
            message = "must be cap or ext_arr, a node of the template, start, end, value"
            source.faults.append(Fault(place, "", ",".join(cells), message))
            continue
        try:
            start, value = float(row[2]), float(row[4])
            end = math.inf if _absent(row[3]) else float(row[3])
        except ValueError:
            message = "start, end and value must be numbers (end may be empty)"
            source.faults.append(Fault(place, "", ",".join(cells), message))
            continue
        if not (0 <= start < end and value >= 0 and math.isfinite(value)):
            message = "start must be before end, and value a finite number at least 0"
            source.faults.append(Fault(place, "", ",".join(cells), message))
            continue
        spans.setdefault((row[0], row[1]), []).append((start, end, value))
    return {key: _joined(key, rows, source, where) for key, rows in spans.items()}


def _joined(key: tuple[str, str], rows: Steps, source: _Template, where: str) -> Steps:
    """Return the rows of one calendar, which must cover its span without gap or overlap."""
    rows = sorted(rows)
    faults = [
        f"the rows of {key[0]} leave a gap or overlap between {end:g} and {start:g}"
        for (_, end, _), (start, _, _) in itertools.pairwise(rows)
        if end != start
    ]
    if len({value for _, _, value in rows}) == 1 and not faults:
        return [(0.0, math.inf, rows[0][2])]
    if rows[0][0] > 0:
        faults.append(f"the rows of {key[0]} begin at {rows[0][0]:g}, not at 0")
    if math.isinf(rows[-1][1]):
        faults.append(f"the rows of {key[0]} never end, so that they are no cycle")
    source.faults += [Fault(f"{where}, node '{key[1]}'", key[0], "", text) for text in faults]
    return [] if faults else rows


def _rows(steps: Steps) -> list[dict[str, float]]:
    """Return the rows of a calendar as a network has them."""
    return [{"start": start, "end": end, "value": value} for start, end, value in steps]


def _service(source: _Template, name: str, steps: dict[tuple[str, str], Steps]) -> dict[str, Any]:
    """Return the service of one node."""
    row = source.rows[name]
    service: dict[str, Any] = {"name": name, "server_label": "bed"}
    service |= _beds(source, name, steps.get(("cap", name)))
    law = source.law(name, "serv_dist", row[1 + source.width], row[2 + source.width])
    if law is not None:
        service["service_distribution"] = law
    return service | _arrivals(source, name, steps.get(("ext_arr", name), []))


def _beds(source: _Template, name: str, beds: Steps | None) -> dict[str, Any]:
    """Return the servers and the places of one node."""
    if beds is None or (beds and not any(value > 0 for _, _, value in beds)):
        message = "needs a capacity above 0 in the calendar"
        source.faults.append(Fault(f"{source.file}, node '{name}'", "cap", "", message))
    if not beds:
        return {}
    inside = source.queue(name, 1)
    if len(beds) == 1:
        room = {"capacity": beds[0][2] + inside} if math.isfinite(inside) else {}
        return {"servers": beds[0][2]} | room
    source.notes.append(
        f"Where the capacity of {name} falls, patients in a bed stay until they move on."
    )
    room = {"waiting_room": inside} if math.isfinite(inside) else {}
    return {"server_calendar": _rows(beds)} | room


def _arrivals(source: _Template, name: str, arrivals: Steps) -> dict[str, Any]:
    """Return the arrivals of one node from outside, and what meets them at a full one."""
    outside, inside = source.queue(name, 0), source.queue(name, 1)
    if not any(value > 0 for _, _, value in arrivals):
        return {}
    if 0 < outside < math.inf:
        source.notes.append(
            f"The external queue of {name} has {outside:g} places in PathSimR; here nobody "
            "waits outside it and arrivals at a full service are lost."
        )
    if math.isinf(inside) and outside == 0:
        source.notes.append(
            f"{name} refuses external arrivals but queues internal ones in PathSimR; here both "
            "queue."
        )
    coming: dict[str, Any] = (
        {"external_arrival_rate": arrivals[0][2]}
        if len(arrivals) == 1
        else {"external_arrival_calendar": _rows(arrivals)}
    )
    return coming | {"external_when_full": "wait_outside" if math.isinf(outside) else "lost"}
