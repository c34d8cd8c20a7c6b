"""What each service of the decomposition passes on and refuses."""

from __future__ import annotations

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import Floats, Integers
from flownet.kernels.decomposition_stations import (
    INFINITE,
    LIMITED,
    RANKED,
    SHARED,
    Stations,
    room_measures,
)

STEP = 1e-5  # relative step of the one-sided difference that steers the flow iteration


def pass_on(
    stations: Stations,
    peak: Floats,
    arrival: Floats,
    passed: Floats,
    refused: Floats,
    slope: Floats,
) -> bool:
    """Fill, per service and class, what is passed on and refused, and the slope of the former.

    The slope is that of the passed flow when all arrivals of the service grow in proportion.
    Returns whether any service passes on less than all. The kernel of services with limits is
    called, and so compiled, only where there are any.
    """
    thinned = _pass_unlimited(stations, arrival, passed, refused, slope)
    limited = np.flatnonzero(stations.kind == LIMITED)
    if limited.size:
        thinned |= _pass_rooms(stations, limited, peak, arrival, passed, refused, slope)
    return bool(thinned)


@njit
def _pass_unlimited(
    stations: Stations, arrival: Floats, passed: Floats, refused: Floats, slope: Floats
) -> bool:
    """Pass on what comes, or where there are too few servers what they complete."""
    thinned = False
    for i in range(arrival.shape[0]):
        load = 0.0
        for k in range(arrival.shape[1]):
            load += arrival[i, k] * stations.hold[i, k]
            passed[i, k] = arrival[i, k]
            refused[i, k] = 0.0
            slope[i, k] = 1.0
        served = stations.kind[i] != INFINITE and stations.kind[i] != LIMITED
        if served and load > 0.0 and load >= stations.servers[i]:
            thinned = True
            _pass_saturated(stations, i, arrival[i], load, passed[i], slope[i])
    return thinned


@njit
def _pass_rooms(
    stations: Stations,
    limited: Integers,
    peak: Floats,
    arrival: Floats,
    passed: Floats,
    refused: Floats,
    slope: Floats,
) -> bool:
    """Pass on what services with limits let in and keep."""
    thinned = False
    for i in limited:
        if np.sum(arrival[i] * stations.hold[i]) > 0.0:
            thinned = True
            _pass_limited(stations, i, peak[i], arrival[i], passed[i], refused[i], slope[i])
    return thinned


@njit
def _pass_limited(
    stations: Stations,
    i: int,
    peak: float,
    arrival: Floats,
    passed: Floats,
    refused: Floats,
    slope: Floats,
) -> None:
    """Take away what is refused and what gives up."""
    patience = stations.patience[i]
    waiting, more = np.empty(arrival.size), np.empty(arrival.size)
    full, chance, _, _ = room_measures(stations, i, arrival, peak, waiting)
    if chance < 0.0:
        _pass_firm(stations.hold[i], patience, stations.servers[i], arrival, passed, slope)
        return
    fuller, _, _, _ = room_measures(stations, i, arrival * (1.0 + STEP), peak, more)
    for k in range(arrival.size):
        refused[k] = full * arrival[k]
        gone = refused[k] + waiting[k] / patience[k]
        passed[k] = arrival[k] - gone
        if arrival[k] > 0.0:
            rise = fuller * arrival[k] * (1.0 + STEP) + more[k] / patience[k] - gone
            slope[k] = min(1.0, max(0.0, 1.0 - rise / (STEP * arrival[k])))


@njit
def _pass_firm(
    hold: Floats, patience: Floats, servers: float, arrival: Floats, passed: Floats, slope: Floats
) -> None:
    """Share out a service that those who never give up saturate: all others give up."""
    load = 0.0
    for k in range(arrival.size):
        if np.isinf(patience[k]):
            load += arrival[k] * hold[k]
    for k in range(arrival.size):
        passed[k] = arrival[k] * servers / load if np.isinf(patience[k]) else 0.0
        slope[k] = 0.0


@njit
def _pass_saturated(
    stations: Stations, i: int, arrival: Floats, load: float, passed: Floats, slope: Floats
) -> None:
    """Share out a saturated service: by arrivals, by numbers present (sharing) or by rank."""
    hold, servers = stations.hold[i], stations.servers[i]
    if stations.kind[i] == RANKED:
        _pass_by_rank(hold, stations.priority[i], servers, arrival, passed, slope)
        return
    growth = 0.0
    if stations.kind[i] == SHARED:
        growth = _sharing_growth(arrival, hold, servers)
    for k in range(arrival.size):
        slope[k] = 0.0
        if stations.kind[i] == SHARED:
            passed[k] = arrival[k] * servers / (growth * hold[k] + servers)
        else:
            passed[k] = arrival[k] * servers / load


@njit
def _sharing_growth(arrival: Floats, hold: Floats, servers: float) -> float:
    """Return the growth rate G of a saturated processor-sharing service.

    Backlogs grow in a fixed mix, g_k = lambda_k - (g_k/G) c/s_k, which gives
    sum_k lambda_k s_k / (G s_k + c) = 1, decreasing and convex in G: Newton's method from 0.
    """
    growth = 0.0
    for _ in range(200):
        value, slope = -1.0, 0.0
        for k in range(arrival.size):
            below = growth * hold[k] + servers
            value += arrival[k] * hold[k] / below
            slope -= arrival[k] * hold[k] * hold[k] / (below * below)
        step = -value / slope
        growth += step
        if step <= 1e-15 * growth:
            break
    return growth


@njit
def _pass_by_rank(
    hold: Floats,
    priority: Integers,
    servers: float,
    arrival: Floats,
    passed: Floats,
    slope: Floats,
) -> None:
    """Serve the ranks in order until the servers are used up."""
    for k in range(arrival.size):
        before, same = 0.0, 0.0
        for j in range(arrival.size):
            if priority[j] < priority[k]:
                before += arrival[j] * hold[j]
            elif priority[j] == priority[k]:
                same += arrival[j] * hold[j]
        left = max(0.0, servers - before)
        if same > left:
            passed[k] = arrival[k] * left / same
            slope[k] = 0.0
