"""Terms of an allocation read from what was asked for, or refused with all their faults."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flownet.allocate.read_targets import read_targets
from flownet.allocate.term_reader import Reader
from flownet.allocate.terms import Protection, Sum, Terms
from flownet.errors import ParameterError
from flownet.kernels.compiled import Floats
from flownet.network.model import Network
from flownet.network.values import nearest


def read_terms(
    network: Network,
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
    reader = Reader(network.services)
    organisations = [network.organisation(name) for name in network.services]
    opening, closing = _fixed_costs(reader, fixed_costs)
    step = reader.by_service("shift", shift, 1.0)
    if (step <= 0).any() or np.isinf(step).any():
        reader.fault("shift", "", None, "must be finite and above 0: servers change by multiples")
    if max_changed is not None and (
        isinstance(max_changed, bool) or not isinstance(max_changed, int) or max_changed < 0
    ):
        reader.fault("reallocate", "max_changed", max_changed, "must be a whole number, 0 or more")
    asked, within = read_targets(reader, targets, network)
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
