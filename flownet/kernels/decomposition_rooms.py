"""What variable arrivals and services make of a service with finite places or patience."""

from __future__ import annotations

import math

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import PROCESSOR_SHARING, Booleans, Floats
from flownet.kernels.decomposition_flows import Flows
from flownet.kernels.decomposition_peaks import peaked_loss
from flownet.kernels.decomposition_stations import LIMITED, Stations, room_measures
from flownet.queues.abandonment import erlang_a_finite_measures
from flownet.queues.phases import block_order
from flownet.queues.quasi_limited import phphck_measures, waiting_levels

NEARLY = 1e-9
"""An scv so close to 1 is that of an exponential law."""
LEAST_SCV, MOST_SCV = 0.05, 100.0
"""Laws of less or more spread are taken for these."""
FARTHEST = 10.0
"""A law that needs too many phases changes the factors by no more."""
FEW = 6.0
"""For so many servers at least the phases of a law must fit."""
RARE = 1e-30
"""A share, or a number, that is smaller needs no factor."""
SMALLEST = 1e-30
"""No factor is 0: it is divided by."""
LARGEST = 1e9
"""Levels times the cube of the matrices' rows: a chain of more is left out, without a factor."""


def general_rooms(stations: Stations, arrival: Floats) -> Booleans:
    """Tell at which services places or patience are limited and service is not exponential."""
    limited = unlike_exponential(stations, arrival > 0.0) & (stations.capacity > stations.servers)
    return np.asarray(limited & (np.abs(_mixture_scv(stations, arrival) - 1.0) > NEARLY))


def unlike_exponential(stations: Stations, comes: Booleans) -> Booleans:
    """Tell at which services a line is solved with the laws of times: where it is bounded for all.

    Where some never give up and there is no limit of places they can saturate the service, and what
    the others leave them decides: exponential times are kept there.
    """
    patient = (np.isinf(stations.patience) & comes).any(axis=1)
    limited = (stations.kind == LIMITED) & (stations.discipline != PROCESSOR_SHARING)
    return np.asarray(limited & ~(np.isinf(stations.capacity) & patient))


def _mixture_scv(stations: Stations, arrival: Floats) -> Floats:
    """Return (n,) scv of the time that a server is held, all classes in the mix they come in."""
    total = np.maximum(arrival.sum(axis=1), 1e-300)
    mean = (arrival * stations.hold).sum(axis=1) / total
    second = (arrival * stations.second).sum(axis=1) / total
    scv = np.divide(second, mean * mean, out=np.full(mean.size, 2.0), where=mean > 0.0)
    return np.asarray(np.maximum(scv - 1.0, 0.0))


def room_factors(
    stations: Stations, flows: Flows, peak: Floats, excess: Floats, order: int
) -> Floats:
    r"""Return (n, 3) by what the figures of M/M/c/K+M are multiplied at each service.

    They are the share of arrivals that find all places taken, the share of the admitted that wait,
    and the number waiting of Ph/Ph/c/K+M over those of M/M/c/K+M, with laws of the arrivals' and
    the services' mean and scv.

    Parameters
    ----------
    stations, flows
        The services and what comes to them.
    peak : array (n,)
        Peakedness of the arrivals.
    excess : array (n,)
        scv of the times between arrivals, less 1.
    order : int
        How many rows the matrices may have; 0: all factors are 1.

    Notes
    -----
    Where so many servers need larger matrices, the factors are those of the smaller station with
    the same spare servers and places in units of the square root of the servers: in this scaling
    (Halfin and Whitt 1981) the figures have a common limit. Between whole servers and places the
    factors are linear. Exponential arrivals and services have factors of 1. Without a waiting room
    the loss hangs on the mean service time alone, but for arrivals smoother than Poisson.
    """
    factors = np.ones((flows.arrival.shape[0], 3))
    limited = unlike_exponential(stations, flows.arrival > 0.0) & np.isfinite(stations.servers)
    limited &= flows.arrival.sum(axis=1) > 0.0
    scv = _mixture_scv(stations, flows.arrival)
    roomy = (np.abs(scv - 1.0) > NEARLY) | (np.abs(excess) > NEARLY)
    limited &= np.where(stations.capacity > stations.servers, roomy, excess < -NEARLY)
    if order == 0 or not limited.any():
        return factors
    waiting = np.empty(flows.arrival.shape[1])
    for i in np.flatnonzero(limited).tolist():
        arrival, passed = flows.arrival[i], flows.passed[i]
        spread = _tamed(1.0 + float(excess[i])), _tamed(float(scv[i]))
        if stations.capacity[i] <= stations.servers[i]:
            load = float((arrival * stations.hold[i]).sum())
            factors[i, 0] = _smooth_factor(
                load, stations.servers[i], peak[i], spread[0], spread[1], order
            )
            continue
        chance = room_measures(stations, i, arrival, peak[i], waiting)[1]
        if chance < 0.0 or not passed.any():
            continue
        gone = float((waiting / stations.patience[i]).sum())
        rate = float(arrival.sum())
        time = float((passed * stations.hold[i]).sum() / passed.sum())
        factors[i] = _factors(
            rate,
            time,
            float(stations.servers[i]),
            float(stations.capacity[i]),
            float(waiting.sum()) / gone if gone > 0.0 else math.inf,
            spread[0],
            spread[1],
            order,
        )
    return factors


def _tamed(scv: float) -> float:
    return min(max(scv, LEAST_SCV), MOST_SCV)


@njit
def _smooth_factor(
    load: float, servers: float, peak: float, arrival_scv: float, service_scv: float, order: int
) -> float:
    """Return the loss of Ph/Ph/c/c over that of arrivals of this peakedness, for whole servers."""
    arrival_scv = _reachable(arrival_scv, 1.0, 1.0, 0.25 * order)
    service_scv = _reachable(service_scv, arrival_scv, servers, float(order))
    plain = peaked_loss(servers, load, peak)
    if block_order(math.ceil(servers), arrival_scv, service_scv) > order or plain < RARE:
        return 1.0
    if servers != math.floor(servers):
        return 1.0
    exact = phphck_measures(load, 1.0, servers, arrival_scv, service_scv, servers, math.inf)
    return max(exact[0] / plain, SMALLEST)


@njit
def _factors(
    rate: float,
    time: float,
    servers: float,
    capacity: float,
    patience: float,
    arrival_scv: float,
    service_scv: float,
    order: int,
) -> Floats:
    """Return the three factors of one service.

    A law that needs too many phases is reached from those of scv 1 and of a larger scv, the
    logarithms of the factors taken as linear in the scv.
    """
    arrival_scv = _reachable(arrival_scv, 1.0, 1.0, 0.25 * order)
    near = _reachable(service_scv, arrival_scv, min(servers, FEW), float(order))
    found = _between(rate, time, servers, capacity, patience, arrival_scv, near, order)
    if near > service_scv and near < 1.0:
        base = _between(rate, time, servers, capacity, patience, arrival_scv, 1.0, order)
        for k in range(3):
            further = (found[k] / base[k]) ** ((near - service_scv) / (1.0 - near))
            found[k] *= min(max(further, 1.0 / FARTHEST), FARTHEST)
    return found


@njit
def _reachable(scv: float, other: float, servers: float, order: float) -> float:
    """Return the scv nearest to the one wanted whose law has few enough phases."""
    while scv < 1.0 and block_order(math.ceil(servers), other, scv) > order:
        scv = min(1.0, 1.2 * scv)
    return scv


@njit
def _between(
    rate: float,
    time: float,
    servers: float,
    capacity: float,
    patience: float,
    arrival_scv: float,
    service_scv: float,
    order: int,
) -> Floats:
    """Return the three factors, linear between whole servers and places."""
    most = 1.0
    while most < servers and block_order(most + 1.0, arrival_scv, service_scv) <= order:
        most += 1.0
    room, load = capacity - servers, rate * time
    if servers > most:  # the smaller station of the same spare servers and places per root
        root = math.sqrt(most / servers)
        ratio = load / servers
        ratio = max(1.0 - (1.0 - ratio) / root, 0.5 * ratio)  # at light load a wait stays possible
        rate = ratio * most / time
        room, servers = max(room * root, 1.0), most
    room = waiting_levels(rate, time, servers, arrival_scv, service_scv, servers + room, patience)
    low, first = max(math.floor(servers), 1.0), max(math.floor(room), 1.0)
    factors = np.zeros(3)
    for more in range(2):
        share = min(max(servers - low, 0.0), 1.0)
        share = share if more else 1.0 - share
        if share == 0.0:
            continue
        for places in range(2):
            part = min(max(room - first, 0.0), 1.0)
            part = part if places else 1.0 - part
            if part == 0.0:
                continue
            scaled = rate * (low + more) / servers
            own = _whole(
                scaled, time, low + more, first + places, patience, arrival_scv, service_scv
            )
            for k in range(3):
                factors[k] += share * part * own[k]
    return factors


@njit
def _whole(
    rate: float,
    time: float,
    servers: float,
    room: float,
    patience: float,
    arrival_scv: float,
    service_scv: float,
) -> Floats:
    """Return the three factors for whole servers and places."""
    factors = np.ones(3)
    if room * float(block_order(servers, arrival_scv, service_scv)) ** 3 > LARGEST:
        return factors
    capacity = servers + room
    exact = phphck_measures(rate, time, servers, arrival_scv, service_scv, capacity, patience)
    plain = erlang_a_finite_measures(rate, time, servers, patience, capacity)
    for k, value in enumerate((plain[6], plain[0], plain[1])):
        if value > RARE:
            factors[k] = max(exact[k] / value, SMALLEST)
    return factors
