"""What an allocation may do, read from the network's attributes and from what was asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from flownet.allocate.exchanges import Exchanges, check_money
from flownet.allocate.levers import DIVISIBLE, Levers
from flownet.allocate.search import Rules
from flownet.allocate.term_reader import Reader
from flownet.allocate.terms import Terms
from flownet.errors import ParameterError
from flownet.kernels.compiled import Floats
from flownet.solvers.solution import Solution


def read_rules(
    solution: Solution,
    exchanges: Exchanges,
    terms: Terms,
    levers: Levers,
    *,
    budget: Any,
    prices: Any = None,
    release: Any = None,
    bounds: Any = None,
    integer: bool | None = None,
) -> Rules:
    """Return what the allocation may do; see `flownet.reallocate`.

    Raises
    ------
    ParameterError
        With every fault: a budget or price that is negative, bounds that cross, a refund above the
        price, whole numbers asked for of rates.
    """
    reader = Reader(solution.compilation.services)
    servers = levers.present(solution)
    price = _prices(reader, solution, levers, servers, prices)
    refund = _refunds(reader, release, price, servers)
    low, high = _bounds(reader, solution, levers, servers, bounds)
    for where, amounts in (("prices", price), ("release", refund)):
        for i in np.flatnonzero(np.isinf(amounts)).tolist():
            message = "must be finite; leave it out where none may be had or given up"
            reader.fault(where, str(reader.names[i]), float(amounts[i]), message)
    numeric = isinstance(budget, (int, float)) and not isinstance(budget, bool)
    if not numeric or not 0 <= budget < math.inf:
        message = "must be a finite amount of money per time unit, at least 0"
        reader.fault("reallocate", "budget", budget, message)
    free = np.flatnonzero((price == 0) & np.isinf(high))
    for i in free.tolist() if not reader.faults else []:
        message = "is free and has no upper bound: give it a price, or bounds"
        reader.fault(f"price of {reader.names[i]!r}", "", 0.0, message)
    if reader.faults:
        raise ParameterError(reader.faults, "reallocate")
    check_money(exchanges, price, refund)
    divisible = all(kind in DIVISIBLE for kind in levers.kinds)
    return Rules(
        names=solution.compilation.services,
        servers=servers,
        low=low,
        high=high,
        price=price,
        refund=refund,
        exchanges=exchanges,
        budget=float(budget),
        terms=terms,
        levers=levers,
        integer=not divisible if integer is None else bool(integer),
    )


def _prices(
    reader: Reader, solution: Solution, levers: Levers, servers: Floats, given: Any
) -> Floats:
    """Return (n,) the price of one more; of servers by default their cost, where above 0."""
    counted = np.array([kind == "servers" for kind in levers.kinds])
    own = solution.compilation.cost_per_server
    default = np.where(counted & (own > 0), own, math.nan)
    price = default if given is None else reader.by_service("prices", given, math.nan)
    if isinstance(given, Mapping):
        price = np.where(np.isnan(price), default, price)
    return np.where(np.isfinite(servers), price, math.nan)


def _refunds(reader: Reader, given: Any, price: Floats, servers: Floats) -> Floats:
    """Return (n,) what one given up saves: nothing may be where nan; True: what it costs."""
    if given is None or given is False:
        return np.full(price.size, math.nan)
    if given is True:
        return price
    refund = reader.by_service("release", given, math.nan)
    return np.where(np.isfinite(servers), refund, math.nan)


def _bounds(
    reader: Reader, solution: Solution, levers: Levers, servers: Floats, given: Any
) -> tuple[Floats, Floats]:
    """Return (n,) bounds: those of the network for servers, or those given by service."""
    nodes = [data for _, data in solution.network.graph.nodes(data=True)]
    counted = [kind == "servers" for kind in levers.kinds]
    low = np.array(
        [float(d.get("min_servers", 0.0)) if own else 0.0
         for d, own in zip(nodes, counted, strict=True)]
    )  # fmt: skip
    high = np.array(
        [float(d.get("max_servers", math.inf)) if own else math.inf
         for d, own in zip(nodes, counted, strict=True)]
    )  # fmt: skip
    low, high = np.minimum(low, servers), np.maximum(high, servers)
    for i, hours in levers.hours.items():
        low[i], high[i] = hours.open - hours.last, hours.open + hours.room
    for name, pair in reader.table("bounds", given).items():
        i = reader.service("bounds", name)
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            reader.fault("bounds", str(name), pair, "must be a pair: least and most")
            continue
        least = reader.figure("bounds", str(name), pair[0], 0.0)
        most = reader.figure("bounds", str(name), pair[1], math.inf)
        if least > most:
            reader.fault("bounds", str(name), pair, "cross: the least is more than the most")
        if i >= 0:
            room = levers.hours[i].open + levers.hours[i].room if i in levers.hours else math.inf
            low[i], high[i] = least, min(most, room)
    return np.maximum(low, _least(levers, servers)), high


def _least(levers: Levers, levels: Floats) -> Floats:
    """Return (n,) what must be left for a network to be one: a server, some rate, no room."""
    size = {"servers": 1.0, "waiting_room": 0.0}
    now = np.where(np.isfinite(levels), levels, 0.0)
    return np.array([
        min(size.get(kind, 1e-6 * level), level)
        for kind, level in zip(levers.kinds, now.tolist(), strict=True)
    ])  # fmt: skip
