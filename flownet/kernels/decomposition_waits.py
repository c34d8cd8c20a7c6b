"""Waits in the decomposition: every service by its two-moment formula, at given variability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import CompiledNetwork, Floats, Measures
from flownet.kernels.decomposition_flows import Flows
from flownet.kernels.decomposition_stations import (
    INFINITE,
    LIMITED,
    RANKED,
    SHARED,
    Stations,
    make_stations,
    room_measures,
)
from flownet.kernels.decomposition_streams import Streams
from flownet.queues.erlang import erlang_c_scalar
from flownet.queues.general import gigc_waiting_time
from flownet.queues.priority import nonpreemptive_waits
from flownet.queues.refined import gigc_refined_measures

NEARLY_POISSON = 1e-9  # a smaller excess is rounding
ORDERS = ((40, 64), (150, 32), (1000, 16))
"""Up to so many services, so many rows in the matrices of phase-type stations; none beyond."""


class Waits(NamedTuple):
    """Waiting per service and class."""

    number: Floats
    """(n, R) waiting."""
    time: Floats
    """(n, R) mean wait of those who are served."""
    chance: Floats
    """(n,) share of the admitted that wait."""
    full: Floats
    """(n,) share of time with every place taken."""


def waits_at(
    stations: Stations,
    streams: Streams,
    flows: Flows,
    peak: Floats,
    excess: Floats,
    robust: bool,
) -> Waits:
    """Return the waits where arrivals have the scv 1 + `excess` (n,), by either formula.

    For robust queueing the excess may be below -1: where jobs come back, what varies less than a
    service that is drawn anew at every visit counts against it.
    """
    shape = flows.arrival.shape
    waits = Waits(np.zeros(shape), np.zeros(shape), np.zeros(shape[0]), np.zeros(shape[0]))
    _fill(
        stations,
        flows.arrival,
        streams.rate,
        streams.time,
        streams.scv,
        excess,
        robust,
        largest_order(shape[0]),
        waits.number,
        waits.time,
        waits.chance,
    )
    limited = np.flatnonzero((stations.kind == LIMITED) & (streams.rate > 0.0))
    for i in limited.tolist():  # here, so that the kernel is compiled only where there are any
        waits.full[i], waits.chance[i] = _fill_limited(
            stations, i, flows.arrival[i], flows.passed[i], peak[i], waits.number[i], waits.time[i]
        )
    return waits


def largest_order(services: int) -> int:
    """Return how large the matrices of phase-type stations may be."""
    return next((rows for most, rows in ORDERS if services <= most), 0)


@njit
def _fill(
    stations: Stations,
    arrival: Floats,
    rate: Floats,
    time: Floats,
    scv: Floats,
    excess: Floats,
    robust: bool,
    order: int,
    number: Floats,
    wait: Floats,
    chance: Floats,
) -> None:
    """Fill the waits of every service without a limit, by its kind."""
    for i in range(rate.size):
        load = np.sum(arrival[i] * stations.hold[i])
        servers = stations.servers[i]
        if rate[i] <= 0.0 or stations.kind[i] == LIMITED or stations.kind[i] == INFINITE:
            continue
        if stations.kind[i] == RANKED:
            spread = max(0.0, 1.0 + excess[i])
            _fill_ranked(stations, i, arrival[i], spread, wait[i])
            if robust and load < servers:
                plain = gigc_waiting_time(rate[i], time[i], servers, spread, scv[i])
                line = _line(rate[i], time[i], servers, excess[i], scv[i], robust, order)
                wait[i, :] *= line / plain if plain > 0.0 else 1.0
        elif load >= servers:
            wait[i, :] = np.inf
        elif stations.kind[i] == SHARED:
            line = _line(rate[i], time[i], servers, excess[i], 1.0, robust, order)
            for k in range(arrival.shape[1]):
                wait[i, k] = line * stations.hold[i, k] / time[i]
        else:
            line = _line(rate[i], time[i], servers, excess[i], scv[i], robust, order)
            wait[i, :] = line * rate[i] / np.sum(arrival[i])
        chance[i] = erlang_c_scalar(servers, load) if load < servers else 1.0
        for k in range(arrival.shape[1]):
            if arrival[i, k] > 0.0:
                number[i, k] = arrival[i, k] * wait[i, k]
            else:
                wait[i, k] = 0.0


@njit
def _line(
    rate: float, time: float, servers: float, excess: float, scv: float, robust: bool, order: int
) -> float:
    """Return the mean wait, first come first served.

    By GI/G/c, for Poisson arrivals the formula, else the phase-type station (with matrices of at
    most `order` rows; 0: the formula), or by robust queueing: one fast server's workload less the
    work in service, W = s [rho (ca2 + cs2)/(2 (1 - rho)) + (ca2 - 1)/2], in the ratio of
    M/G/c to the fast M/G/1.
    """
    if not robust:
        if order > 0 and abs(excess) > NEARLY_POISSON and rate * time < servers:
            return gigc_refined_measures(rate, time, servers, 1.0 + excess, scv, order)[1]
        return gigc_waiting_time(rate, time, servers, 1.0 + excess, scv)
    poisson = gigc_waiting_time(rate, time, servers, 1.0, scv)
    busy = rate * time / servers
    return max(0.0, poisson * (1.0 + excess / (busy * (1.0 + scv))))


@njit
def _fill_ranked(
    stations: Stations, i: int, arrival: Floats, arrival_scv: float, wait: Floats
) -> None:
    """Fill the waits where classes have ranks."""
    hold, second = stations.hold[i], stations.second[i]
    scv = np.ones(hold.size)
    rank = np.empty(hold.size)
    for k in range(hold.size):
        rank[k] = stations.priority[i, k]
        if hold[k] > 0.0:
            scv[k] = second[k] / (hold[k] * hold[k]) - 1.0
    nonpreemptive_waits(arrival, hold, scv, rank, stations.servers[i], arrival_scv, wait)


@njit
def _fill_limited(
    stations: Stations,
    i: int,
    arrival: Floats,
    passed: Floats,
    peak: float,
    number: Floats,
    wait: Floats,
) -> tuple[float, float]:
    """Fill waiting numbers and waits of the served; return P(full) and P(wait | admitted)."""
    full, chance, mean, ratio = room_measures(stations, i, arrival, peak, number)
    if chance < 0.0:
        for k in range(arrival.size):
            if passed[k] > 0.0:
                number[k] = wait[k] = np.inf
            elif arrival[k] > 0.0:
                number[k] = arrival[k] * stations.patience[i, k]
        return 0.0, 1.0
    if mean <= 0.0:
        return full, chance
    for k in range(arrival.size):
        if arrival[k] <= 0.0:
            continue
        # of those who would wait, the part that is served, and how long it waited
        before = number[k] / arrival[k] / (1.0 - full)
        share = 1.0 - before / (chance * stations.patience[i, k])
        wait[k] = before
        if np.isfinite(stations.patience[i, k]):
            wait[k] *= ratio * share / (1.0 - chance * (1.0 - share))
    return full, chance


def make_measures(
    compiled: CompiledNetwork,
    stations: Stations,
    flows: Flows,
    waits: Waits,
    arrival_scv: Floats,
    departure_scv: Floats,
) -> Measures:
    """Put rates and waits together; Little's law holds by construction."""
    backlog = np.isinf(waits.number)
    leaves = (stations.kind == LIMITED)[:, None] & ~backlog
    gone = np.where(leaves, np.where(backlog, 0.0, waits.number) / compiled.patience, 0.0)
    growth = np.where(backlog, np.maximum(flows.arrival - flows.passed - flows.refused, 0.0), 0.0)
    zero = np.zeros(flows.arrival.shape)
    nothing = np.zeros(0, dtype=np.int64)
    return Measures(
        status=flows.status,
        iterations=flows.iterations,
        residual=flows.residual,
        arrival_rate=flows.arrival,
        throughput=flows.passed,
        loss_rate=flows.refused - flows.overflow,
        overflow_rate=flows.overflow,
        abandonment_rate=gone,
        number_waiting=waits.number,
        number_in_service=flows.passed * stations.service,
        number_blocked=zero,
        number_held_in_transfer=flows.passed * (stations.hold - stations.service),
        number_outside=zero,
        waiting_time=waits.time,
        wait_probability=waits.chance,
        probability_full=waits.full,
        blocking_probability=np.zeros(flows.arrival.shape[0]),
        arrival_scv=arrival_scv,
        departure_scv=departure_scv,
        growth_rate=growth,
        blocked_by_from=nothing,
        blocked_by_to=nothing,
        blocked_by_number=np.zeros(0),
    )


def broken_measures(compiled: CompiledNetwork, flows: Flows) -> Measures:
    """Return measures without a number in them, for flows that have no finite solution."""
    shape = flows.arrival.shape
    nothing, nothing_at_all = np.full(shape, np.nan), np.full(shape[0], np.nan)
    waits = Waits(nothing, nothing, nothing_at_all, nothing_at_all)
    hollow = flows._replace(passed=nothing, refused=nothing, overflow=nothing)
    stations = make_stations(compiled)
    return make_measures(compiled, stations, hollow, waits, nothing_at_all, nothing_at_all)
