"""Terms of an allocation beyond money and bounds, as arrays: what a plan must keep to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats
from flownet.network.model import ServiceName
from flownet.network.values import nearest, shown

TARGETS: Final = {
    "waiting_time": "mean waiting time [T] at most",
    "response_time": "mean time from arrival to departure [T] at most",
    "wait_probability": "probability to wait at most",
    "utilization": "share of servers at work at most",
    "occupancy": "share of servers held at most; a table {servers: level} goes by size",
    "loss_probability": "share of arriving jobs lost at most",
}
"""What a target of a service can be about."""
WHOLE_NETWORK: Final = "network"
"""Stands in the place of a service for a target of the whole journey."""


class Sum(NamedTuple):
    """A weighted sum of servers within limits: a budget of staff or space, or a group."""

    name: str
    use: Floats
    """(n,) how much one server uses."""
    low: float
    high: float


class Target(NamedTuple):
    """A level that a measure of a service may not exceed."""

    service: int
    measure: str
    levels: tuple[tuple[float, float], ...]
    """(servers, level): from so many servers on, this level."""

    def level(self, servers: float) -> float:
        """Return the level at a number of servers."""
        below = [level for size, level in self.levels if size <= servers]
        return below[-1] if below else self.levels[0][1]


class Within(NamedTuple):
    """A share of the jobs that must have left within a time of their admission."""

    time: float
    share: float
    job_class: str | None


class Protection(NamedTuple):
    """An organisation whose delay may not rise by more than a margin."""

    organisation: str
    members: tuple[int, ...]
    margin: float
    """In jobs delayed."""


@dataclass(frozen=True, eq=False)
class Terms:
    """What an allocation must keep to, beyond bounds and money.

    Attributes
    ----------
    resources, groups : tuple of Sum
        Budgets of staff, space or anything else; groups of services with a least or a most.
    max_changed : int, optional
        The most services whose servers may differ from the present.
    opening, closing : numpy.ndarray
        (n,) money per T where servers are added, taken away, however many.
    shift : numpy.ndarray
        (n,) servers change by multiples of this; 1 for single servers.
    protect : tuple of Protection
        Organisations and by how much their delay may rise.
    targets : tuple of Target
        Levels by service.
    within : tuple of Within
        Targets of the whole journey.
    """

    resources: tuple[Sum, ...]
    groups: tuple[Sum, ...]
    max_changed: int | None
    opening: Floats
    closing: Floats
    shift: Floats
    protect: tuple[Protection, ...] = ()
    targets: tuple[Target, ...] = ()
    within: tuple[Within, ...] = ()

    @property
    def lumpy(self) -> bool:
        """Whether any term needs whole servers."""
        fixed = (self.opening > 0).any() or (self.closing > 0).any() or (self.shift != 1).any()
        return self.max_changed is not None or bool(fixed)

    def fixed(self, change: Floats) -> float:
        """Return the fixed costs of a change (n,) of the servers."""
        up, down = change > 1e-6, change < -1e-6
        return float(self.opening[up].sum() + self.closing[down].sum())

    def broken(self, servers: Floats, now: Floats) -> float:
        """Return by how much servers break these terms (targets and organisations apart)."""
        limited = np.isfinite(now)
        change = np.where(limited, servers - np.where(limited, now, 0.0), 0.0)
        counted = np.where(limited, servers, 0.0)
        total = 0.0
        for each in (*self.resources, *self.groups):
            used = float((each.use * counted).sum())
            size = 1e-9 * max(1.0, abs(used))
            total += max(0.0, each.low - used - size) + max(0.0, used - each.high - size)
        steps = change / self.shift
        total += float(np.abs(steps - np.round(steps)).sum()) if (self.shift != 1).any() else 0.0
        if self.max_changed is not None:
            total += max(0, int((np.abs(change) > 1e-6).sum()) - self.max_changed)
        return total


def no_terms(count: int) -> Terms:
    """Return terms that ask for nothing."""
    return Terms((), (), None, np.zeros(count), np.zeros(count), np.ones(count))


class Reader:
    """Reads terms by the names of services, and gathers what is wrong with them."""

    def __init__(self, services: Sequence[ServiceName]) -> None:
        self.names = services
        self.index: dict[Any, int] = {str(name): k for k, name in enumerate(services)}
        self.index.update({name: k for k, name in enumerate(services)})
        self.faults: list[Fault] = []

    def fault(self, where: str, attribute: str, value: Any, message: str) -> None:
        """Keep what is wrong."""
        self.faults.append(Fault(where, attribute, "" if value is None else shown(value), message))

    def table(self, where: str, given: Any) -> Mapping[Any, Any]:
        """Return a table by name; empty where there is none."""
        if given is None:
            return {}
        if isinstance(given, Mapping):
            return given
        self.fault(where, "", given, "must be a table by name")
        return {}

    def service(self, where: str, name: Any) -> int:
        """Return the number of a service; -1 where there is no such service."""
        try:
            return self.index[name]
        except (KeyError, TypeError):
            message = f"is not a service of the network{nearest(name, self.index)}"
            self.fault(where, "service", name, message)
            return -1

    def figure(self, where: str, attribute: str, value: Any, default: float = math.nan) -> float:
        """Return a number that is not negative (inf allowed)."""
        if value is None and not math.isnan(default):
            return default
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if number >= 0:
            return number
        self.fault(where, attribute, value, "must be a number that is not negative")
        return 0.0

    def by_service(self, where: str, given: Any, default: float) -> Floats:
        """Return (n,) figures: one for all, or by service with a default for the rest."""
        out = np.full(len(self.names), default)
        if given is not None and not isinstance(given, Mapping):
            out[:] = self.figure(where, "", given)
            return out
        for name, value in self.table(where, given).items():
            i = self.service(where, name)
            if i >= 0:
                out[i] = self.figure(where, str(name), value)
        return out

    def keys(self, where: str, table: Mapping[Any, Any], known: Sequence[str]) -> None:
        """Keep what a table says that nobody reads."""
        for key in table:
            if key not in known:
                message = f"is not known{nearest(key, known)}; {', '.join(known)} are"
                self.fault(where, str(key), None, message)


def read_terms(
    services: Sequence[ServiceName],
    organisations: Sequence[str],
    classes: Sequence[str] = (),
    *,
    budgets: Any = None,
    groups: Any = None,
    max_changed: Any = None,
    fixed_costs: Any = None,
    shift: Any = None,
    protect: Any = None,
    targets: Any = None,
) -> Terms:
    """Return terms as arrays, or refuse them with all their faults; see `reallocate`.

    Raises
    ------
    ParameterError
        For names that do not exist, negative figures, and bounds that cross.
    """
    reader = Reader(services)
    opening, closing = _fixed_costs(reader, fixed_costs)
    step = reader.by_service("shift", shift, 1.0)
    if (step <= 0).any() or np.isinf(step).any():
        reader.fault("shift", "", None, "must be finite and above 0: servers change by multiples")
    if max_changed is not None and (
        isinstance(max_changed, bool) or not isinstance(max_changed, int) or max_changed < 0
    ):
        reader.fault("reallocate", "max_changed", max_changed, "must be a whole number, 0 or more")
    asked, within = _targets(reader, targets, classes)
    terms = Terms(
        _resources(reader, budgets),
        _groups(reader, groups),
        max_changed,
        opening,
        closing,
        step,
        _protections(reader, protect, organisations),
        asked,
        within,
    )
    if reader.faults:
        raise ParameterError(reader.faults, "reallocate")
    return terms


def _fixed_costs(reader: Reader, given: Any) -> tuple[Floats, Floats]:
    opening, closing = np.zeros(len(reader.names)), np.zeros(len(reader.names))
    for name, value in reader.table("fixed_costs", given).items():
        i = reader.service("fixed_costs", name)
        parts = value if isinstance(value, Mapping) else {"opening": value}
        reader.keys(f"fixed_costs of {name!r}", parts, ("opening", "closing"))
        if i >= 0:
            where = f"fixed_costs of {name!r}"
            opening[i] = reader.figure(where, "opening", parts.get("opening"), 0)
            closing[i] = reader.figure(where, "closing", parts.get("closing"), 0)
    return opening, closing


def _resources(reader: Reader, given: Any) -> tuple[Sum, ...]:
    out = []
    for name, row in reader.table("budgets", given).items():
        where = f"budget {name!r}"
        table = reader.table(where, row)
        reader.keys(where, table, ("limit", "use"))
        if "limit" not in table or "use" not in table:
            reader.fault(where, "", None, "needs a limit, and what one server of a service uses")
            continue
        use = reader.by_service(where, table["use"], 0.0)
        out.append(Sum(str(name), use, -math.inf, reader.figure(where, "limit", table["limit"])))
    return tuple(out)


def _groups(reader: Reader, given: Any) -> tuple[Sum, ...]:
    out = []
    for name, row in reader.table("groups", given).items():
        where = f"group {name!r}"
        table = reader.table(where, row)
        reader.keys(where, table, ("services", "min", "max"))
        members = table.get("services", ())
        use = np.zeros(len(reader.names))
        if isinstance(members, str) or not isinstance(members, Sequence) or not members:
            reader.fault(where, "services", members, "must be a list of services")
            continue
        for member in members:
            use[reader.service(where, member)] = 1.0
        low = reader.figure(where, "min", table.get("min"), 0.0)
        high = reader.figure(where, "max", table.get("max"), math.inf)
        if low > high:
            reader.fault(where, "min", low, f"is more than its max = {high:g}: the bounds cross")
        out.append(Sum(str(name), use, low, high))
    return tuple(out)


def _protections(
    reader: Reader, given: Any, organisations: Sequence[str]
) -> tuple[Protection, ...]:
    if given is None:
        return ()
    everyone = dict.fromkeys(sorted(set(organisations)), given)
    table = given if isinstance(given, Mapping) else everyone
    out = []
    for name, margin in table.items():
        members = tuple(i for i, each in enumerate(organisations) if each == name)
        if not members:
            message = f"is not an organisation of the network{nearest(name, organisations)}"
            reader.fault("protect", "organisation", name, message)
        out.append(Protection(str(name), members, reader.figure("protect", str(name), margin)))
    return tuple(out)


def _targets(
    reader: Reader, given: Any, classes: Sequence[str]
) -> tuple[tuple[Target, ...], tuple[Within, ...]]:
    asked: list[Target] = []
    within: list[Within] = []
    for name, row in reader.table("targets", given).items():
        where = f"targets of {name!r}"
        table = reader.table(where, row)
        if name == WHOLE_NETWORK and name not in reader.index:
            reader.keys(where, table, ("within",))
            if "within" in table:
                within += _within(reader, where, table["within"], classes)
            continue
        i = reader.service("targets", name)
        reader.keys(where, table, tuple(TARGETS))
        for measure, level in table.items():
            if i >= 0 and measure in TARGETS:
                asked.append(Target(i, measure, _levels(reader, where, measure, level)))
    return tuple(asked), tuple(within)


def _levels(
    reader: Reader, where: str, measure: str, given: Any
) -> tuple[tuple[float, float], ...]:
    table = given if isinstance(given, Mapping) else {0: given}
    levels = [
        (reader.figure(where, measure, size), _level(reader, where, measure, level))
        for size, level in table.items()
    ]
    if not levels:
        reader.fault(where, measure, None, "needs at least one level")
    return tuple(sorted(levels)) or ((0.0, 0.0),)


def _level(reader: Reader, where: str, measure: str, value: Any) -> float:
    """Return a level that a measure can have, above none at all."""
    count = len(reader.faults)
    level = reader.figure(where, measure, value)
    if len(reader.faults) > count:
        return level
    if measure in {"waiting_time", "response_time"}:
        if not math.isfinite(level):
            reader.fault(where, measure, value, "must be a finite time [T]; leave it out for any")
    elif level > 1:
        hint = f"; for {level:g} % write {level / 100:g}" if level <= 100 else ""
        reader.fault(where, measure, value, f"is a share, so it must be at most 1{hint}")
    elif level == 0 and measure in {"utilization", "occupancy"}:
        reader.fault(where, measure, value, "must be above 0: nobody works at none of the time")
    return level


def _within(reader: Reader, where: str, given: Any, classes: Sequence[str]) -> list[Within]:
    """Return (time, share) or (time, share, class), one or several."""
    several = isinstance(given, (tuple, list)) and given and isinstance(given[0], (tuple, list))
    rows = given if several else [given]
    out = []
    for row in rows:
        if not isinstance(row, (tuple, list)) or len(row) not in {2, 3}:
            message = "must be (time, share) or (time, share, class), or a list of these"
            reader.fault(where, "within", row, message)
            continue
        time, share = (reader.figure(where, "within", part) for part in row[:2])
        if not (time > 0 and 0 < share < 1):
            reader.fault(where, "within", row, "needs a time above 0 and a share between 0 and 1")
        if len(row) == 3 and row[2] not in classes:
            reader.fault(where, "within", row[2], f"is not a class{nearest(row[2], classes)}")
        out.append(Within(time, share, str(row[2]) if len(row) == 3 else None))
    return out
