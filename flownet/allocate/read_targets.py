"""Targets of a plan: levels that measures may not exceed, read from tables or from plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flownet.allocate.term_reader import Reader
from flownet.allocate.terms import Target, Within
from flownet.errors import Fault, InputError
from flownet.network.model import Network
from flownet.network.values import nearest
from flownet.solvers.target import Target as Said
from flownet.solvers.target import as_target

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

Targets = tuple[tuple[Target, ...], tuple[Within, ...]]


def read_targets(reader: Reader, given: Any, network: Network) -> Targets:
    """Return targets by service and of the whole journey; faults are kept by the reader.

    Parameters
    ----------
    reader : Reader
        Knows the services, and keeps what is wrong.
    given : None, mapping, str or Target, or a sequence of these
        A table {service: {measure: at most}}, or words: ``occupancy at Ward <= 92 %``.
    network : Network
        Whose services and classes are meant.
    """
    several = isinstance(given, Sequence) and not isinstance(given, (str, bytes))
    levels: list[Target] = []
    shares: list[Within] = []
    for each in given if several else [given]:
        if isinstance(each, (str, Said)):
            found = _of_words(reader, each, network)
        else:
            found = _of_table(reader, each, network.classes)
        levels += found[0]
        shares += found[1]
    return tuple(levels), tuple(shares)


def _of_words(reader: Reader, given: str | Said, network: Network) -> Targets:
    """Return what a text asks for, where a plan can be held to it."""
    try:
        said = as_target(given, network, "reallocate")
    except InputError as error:
        reader.faults += error.faults
        return (), ()
    measure, bound = said.measure, said.bound
    name = network.classes[measure.job_class] if measure.job_class >= 0 else None
    if measure.service < 0 and measure.name == "within" and said.sign == ">=" and 0 < bound < 1:
        return (), (Within(measure.argument, bound, name),)
    if measure.service < 0 and measure.name == "quantile" and said.sign == "<=" and bound > 0:
        return (), (Within(bound, measure.argument, name),)
    if measure.service >= 0 and name is None and measure.name in TARGETS and said.sign == "<=":
        level = _level(reader, f"target '{said.text}'", measure.name, bound)
        return (Target(measure.service, measure.name, ((0.0, level),)),), ()
    message = (
        "is nothing that a plan can be held to; it can to 'within 4 >= 95 %' (above 0 and below "
        "100 %) or 'p95 <= 4', for all or ' of CLASS', and at a service to at most a "
        f"{', '.join(TARGETS)}: 'occupancy at SERVICE <= 92 %'"
    )
    reader.faults.append(Fault("reallocate", "target", f"'{said.text}'", message))
    return (), ()


def _of_table(reader: Reader, given: Any, classes: Sequence[str]) -> Targets:
    """Return what a table by service asks for."""
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
