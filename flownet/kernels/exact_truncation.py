"""Where unlimited numbers are cut off: a first guess from the load, then as the tails ask."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from flownet.errors import ParameterError
from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    DELAY,
    PROCESSOR_SHARING,
    CompiledNetwork,
    Floats,
    Integers,
)
from flownet.kernels.exact_layout import Limits
from flownet.kernels.exact_measures import Numbers
from flownet.kernels.exact_space import Chain
from flownet.kernels.exact_tables import TRANSFER, WIDEST

MOST_VISITS = 1e9
"""Flows of so many times the arrivals mean that jobs never leave."""


def _routes_of(compiled: CompiledNetwork) -> Integers:
    """Return the number of routes out of each pair."""
    start = compiled.route_start.astype(np.int64)
    return np.asarray(start[1:] - start[:-1])


def plain_flows(compiled: CompiledNetwork) -> Floats:
    """Return the flow of each pair if nobody were lost.

    Raises
    ------
    ParameterError
        Where a class neither leaves nor can be lost or lose patience.
    """
    pairs = compiled.service_time.size
    routing = np.zeros((pairs, pairs))
    source = np.repeat(np.arange(pairs), _routes_of(compiled))
    np.add.at(routing, (source, compiled.route_to.astype(np.int64)), compiled.route_probability)
    external = compiled.external_arrival_rate.ravel()
    try:
        flow = np.linalg.solve(np.eye(pairs) - routing.T, external)
    except np.linalg.LinAlgError:
        flow = np.full(pairs, np.inf)
    if np.abs(flow).max() < MOST_VISITS * external.sum():
        return np.asarray(np.clip(flow, 0.0, None))
    turned_away = (compiled.when_full != BLOCKED_AFTER_SERVICE) & np.isfinite(compiled.capacity)
    if not (turned_away.any() or np.isfinite(compiled.patience).any()):
        message = "a class never leaves the network, so no steady state exists"
        raise ParameterError(message, "compiled network")
    return np.asarray(np.linalg.solve(np.eye(pairs) - 0.9 * routing.T, external))  # a rough guess


def _tail(mean: float, servers: float, mass: float) -> int:
    """Return a number that `mass` of the time is passed, for a load of so many erlangs."""
    poisson = mean + math.sqrt(-2.0 * math.log(mass) * (mean + 1.0)) - math.log(mass) / 3.0
    if not math.isfinite(servers):
        return math.ceil(poisson)
    ratio = min(max(mean / servers, 1e-3), 0.9)
    geometric = servers + (math.log(mass) + math.log1p(-ratio)) / math.log(ratio)
    return math.ceil(max(geometric, servers + 4))


def _patient_load(compiled: CompiledNetwork, i: int, load: float, flow: float) -> float:
    """Return the mean number that the drift of a service with impatient jobs leads to."""
    servers = float(compiled.servers[i])
    patience = float(compiled.patience[i].max())
    if load <= servers or flow <= 0.0:
        return load
    return servers + (load - servers) * patience * flow / load


def first_limits(compiled: CompiledNetwork, mass: float, initial: Integers | None) -> Limits:
    """Return limits that `mass` of the time would pass if the services stood alone."""
    n, classes = compiled.service_time.shape
    routes = len(compiled.route_to)
    population = 0 if initial is None else int(initial.sum())
    if not (compiled.external_arrival_rate > 0.0).any():
        return Limits(np.full(n, population), np.full(n, population), np.full(routes, population))
    flow = plain_flows(compiled)
    load = (flow.reshape(n, classes) * compiled.service_time).sum(axis=1)
    present = np.zeros(n, dtype=np.int64)
    for i in range(n):
        mean, servers = float(load[i]), float(compiled.servers[i])
        if compiled.discipline[i] == DELAY:
            servers = math.inf
        elif (
            compiled.discipline[i] != PROCESSOR_SHARING and np.isfinite(compiled.patience[i]).all()
        ):
            mean = _patient_load(compiled, i, mean, float(flow.reshape(n, classes)[i].sum()))
            servers = math.inf
        present[i] = min(_tail(mean, servers, mass) + population, WIDEST)
    source = np.repeat(np.arange(n * classes), _routes_of(compiled))
    riding = flow[source] * compiled.route_probability * compiled.transfer_delay
    transit = [min(_tail(float(a), math.inf, mass) + population, WIDEST) for a in riding]
    return Limits(present, present.copy(), np.array(transit, dtype=np.int64))


class Cut(NamedTuple):
    """How much of the time one unlimited number stands at its limit."""

    field: str
    place: int
    mass: float
    """Probability of the limit and, by the geometric tail seen before it, of all beyond."""
    ratio: float
    """Ratio of successive probabilities near the limit; 1 or more where they do not fall."""


def _tail_of(spread: Floats, limit: int) -> tuple[float, float]:
    """Return the probability at a limit and beyond, and the ratio of successive probabilities."""
    last = min(limit, len(spread) - 1)
    back = max(1, last // 4)
    at_limit, before = float(spread[last]), float(spread[last - back])
    if last < limit or at_limit <= 0.0:
        return 0.0, 0.0
    if before <= at_limit:
        return at_limit, 1.0
    ratio = float((at_limit / before) ** (1.0 / back))
    return at_limit / (1.0 - ratio), ratio


def cuts(chain: Chain, limits: Limits, probability: Floats, numbers: Numbers) -> list[Cut]:
    """Return how much is cut off at every unlimited number."""
    present, outside = numbers.present, numbers.outside
    found = [
        Cut("present", i, *_tail_of(present[i], int(limits.present[i])))
        for i in chain.layout.unlimited
    ]
    found += [
        Cut("outside", i, *_tail_of(outside[i], int(limits.outside[i])))
        for i in chain.layout.outside
    ]
    for route in chain.layout.transit:
        slot = chain.layout.tables.route[route, TRANSFER]
        levels = chain.store.states[: chain.size, slot]
        spread = np.bincount(levels, weights=probability).astype(np.float64)
        found.append(Cut("transit", route, *_tail_of(spread, int(limits.transit[route]))))
    return found


def wider(limits: Limits, found: list[Cut], mass: float) -> Limits:
    """Return limits at which, by the tails seen, no more than `mass` is cut off anywhere.

    Raises
    ------
    ParameterError
        Where the chain would have to count further than it can.
    """
    arrays = {field: getattr(limits, field).copy() for field in Limits._fields}
    for cut in found:
        if cut.mass <= mass:
            continue
        limit = int(arrays[cut.field][cut.place])
        if limit >= WIDEST:
            message = f"more than {WIDEST} jobs would have to be counted at one place"
            raise ParameterError(message, "truncation_mass")
        falling = 0.0 < cut.ratio < 1.0
        more = math.log(0.1 * mass / cut.mass) / math.log(cut.ratio) if falling else math.inf
        step = max(2, math.ceil(min(more, 3.0 * limit)))
        arrays[cut.field][cut.place] = min(limit + step, WIDEST)
    return Limits(**arrays)
