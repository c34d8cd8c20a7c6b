"""One service in the decomposition: its kind, its servers' holding times, who waits there."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import (
    DELAY,
    PRIORITY,
    PROCESSOR_SHARING,
    CompiledNetwork,
    Floats,
    Integers,
)
from flownet.kernels.decomposition_peaks import peaked_loss
from flownet.queues.abandonment import erlang_a_finite_measures

INFINITE, QUEUE, SHARED, RANKED, LIMITED = 0, 1, 2, 3, 4
"""Nobody waits; first come; processor sharing; priority; finite capacity or patience."""

TRANSFER_SCV = 1.0
"""Transfer delays are exponential; networks give their means."""

SHARE_TOLERANCE = 1e-13
ROOM_LIMIT = 200
FARTHEST = 1.0  # change of the logarithm of the rate of giving up in one step


class Stations(NamedTuple):
    """What the decomposition reads of every service; computed once for a network."""

    kind: Integers
    """(n,) one of the codes above."""
    servers: Floats
    """(n,) places that serve; for a delay with finite capacity, its capacity."""
    capacity: Floats
    """(n,) places in all."""
    discipline: Integers
    """(n,) discipline, by which a finite room is divided among the classes."""
    priority: Integers
    """(n, R) rank."""
    patience: Floats
    """(n, R) mean patience."""
    service: Floats
    """(n, R) mean service time."""
    hold: Floats
    """(n, R) mean time that a server is held: service and held transfers."""
    second: Floats
    """(n, R) second moment of the same."""
    room_factor: Floats
    """(n, 3) what M/M/c/K+M's loss, chance to wait and number waiting are multiplied by."""


def make_stations(compiled: CompiledNetwork) -> Stations:
    """Read the stations off a network: their kinds and the time that servers are held."""
    shape = compiled.service_time.shape
    kind = np.empty(shape[0], dtype=np.int64)
    servers, hold, second = np.empty(shape[0]), np.empty(shape), np.empty(shape)
    _fill_stations(compiled, kind, servers, hold, second)
    return Stations(
        kind=kind,
        servers=servers,
        capacity=compiled.capacity,
        discipline=compiled.discipline,
        priority=compiled.priority,
        patience=compiled.patience,
        service=compiled.service_time,
        hold=hold,
        second=second,
        room_factor=np.ones((shape[0], 3)),
    )


@njit
def _fill_stations(
    c: CompiledNetwork, kind: Integers, servers: Floats, hold: Floats, second: Floats
) -> None:
    """Fill the kinds, the servers, and two moments of the time that a server is held."""
    classes = hold.shape[1]
    for i in range(kind.size):
        patient, ranks = True, False
        for k in range(classes):
            state = i * classes + k
            first, square = 0.0, 0.0
            for route in range(c.route_start[state], c.route_start[state + 1]):
                if c.holds_server[route]:
                    mean = c.transfer_delay[route]
                    first += c.route_probability[route] * mean
                    square += c.route_probability[route] * (1.0 + TRANSFER_SCV) * mean * mean
            time = c.service_time[i, k]
            hold[i, k] = time + first
            second[i, k] = (1.0 + c.service_scv[i, k]) * time * time + 2.0 * time * first + square
            patient = patient and np.isinf(c.patience[i, k])
            for j in range(k):
                comes = time > 0.0 and c.service_time[i, j] > 0.0
                ranks = ranks or (comes and c.priority[i, j] != c.priority[i, k])
        endless = np.isinf(c.servers[i]) or c.discipline[i] == DELAY
        limited = np.isfinite(c.capacity[i])
        servers[i] = c.servers[i]
        if endless:
            servers[i] = c.capacity[i]
        if limited or not (endless or patient):
            kind[i] = LIMITED
        elif endless:
            kind[i] = INFINITE
        elif c.discipline[i] == PROCESSOR_SHARING:
            kind[i] = SHARED
        else:
            kind[i] = RANKED if c.discipline[i] == PRIORITY and ranks else QUEUE


@njit
def room_measures(
    stations: Stations, i: int, arrival: Floats, peak: float, waiting: Floats
) -> tuple[float, float, float, float]:
    """Solve a service with finite capacity or patience; fill the classes' waiting numbers.

    M/M/c/K+M with the mean rate of giving up of those who wait and the mean service of those who
    are served, its figures multiplied by the service's factors (`room_factors`). A job of class k
    waits with the same chance P as any, and then g_k m on average if it does not give up,
    exponentially: g is 1 where the first come is served first, and says otherwise how the
    discipline divides the wait. Without a waiting room: Erlang B with Hayward's correction for the
    peakedness z of the arrivals, B(c/z, a/z).

    Returns the share of arrivals that find every place taken, P, m, and the ratio of the exact to
    the so approximated wait of the served of M/M/c/K+M, were all of one patience. P is -1 where
    those who never give up saturate the service.
    """
    servers, capacity = stations.servers[i], stations.capacity[i]
    hold, patience = stations.hold[i], stations.patience[i]
    waiting[:] = 0.0
    rate, load = np.sum(arrival), np.sum(arrival * hold)
    if rate <= 0.0:
        return 0.0, 0.0, 0.0, 1.0
    if capacity <= servers:
        lost = peaked_loss(servers, load, peak) * stations.room_factor[i, 0]
        return min(1.0, max(lost, 1.0 - servers / load)), 0.0, 0.0, 1.0
    firm = np.sum(np.where(np.isinf(patience), arrival * hold, 0.0))
    if np.isinf(capacity) and firm >= servers:
        return 0.0, -1.0, np.inf, 1.0
    theta, time = np.sum(arrival / patience) / rate, load / rate
    room = capacity - servers
    number, mean, chance, full = 0.0, 0.0, 0.0, 0.0
    plain = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    weight = np.empty(arrival.size)
    last = (0.0, 0.0, 0.0, 0.0)
    for _ in range(ROOM_LIMIT):
        plain = erlang_a_finite_measures(rate, time, servers, 1.0 / theta, capacity)
        leaves = servers / time  # no more are served than there is time: the rest do not come in,
        least = 1.0 - (leaves + (theta * room if theta > 0.0 else 0.0)) / rate
        full = min(1.0, max(plain[6] * stations.room_factor[i, 0], least))
        chance = min(1.0, plain[0] * stations.room_factor[i, 1])
        number = plain[1] * stations.room_factor[i, 2]
        if theta > 0.0:  # or give up
            number = max(number, (rate * (1.0 - full) - leaves) / theta)
        _wait_weights(stations, i, arrival, 1.0 - full, weight)
        mean = _positive_wait(arrival * ((1.0 - full) * chance), weight, patience, number)
        new_theta, new_time = _mixture(
            arrival * (1.0 - full), chance, mean * weight, patience, hold, waiting
        )
        gap = abs(new_theta - theta) + abs(new_time / time - 1.0) * theta
        if gap <= SHARE_TOLERANCE * theta or new_theta <= 0.0:
            break
        theta, time, last = _accelerate(theta, time, new_theta, new_time, last)
    chance_of_all, before, served = plain[0], plain[3], plain[4]
    share = 1.0 - before * theta / chance_of_all if chance_of_all > 0.0 else 1.0
    near = before * share / (1.0 - chance_of_all * (1.0 - share))
    return full, chance, mean, (served / near if near > 0.0 else 1.0)


@njit
def _accelerate(
    theta: float,
    time: float,
    new_theta: float,
    new_time: float,
    last: tuple[float, float, float, float],
) -> tuple[float, float, tuple[float, float, float, float]]:
    """Take one step of Anderson's acceleration, of depth one and in logarithms.

    `last` holds the place and the step before; steps of 0 stand for none.
    """
    x, y = math.log(theta), math.log(time)
    dx, dy = math.log(new_theta) - x, math.log(new_time) - y
    ex, ey = dx - last[2], dy - last[3]
    back = 0.0
    if (last[2] != 0.0 or last[3] != 0.0) and ex * ex + ey * ey > 0.0:
        back = min(max((dx * ex + dy * ey) / (ex * ex + ey * ey), -20.0), 0.9)
    by_theta = dx - back * (x - last[0] + ex)
    by_time = dy - back * (y - last[1] + ey)
    # far steps overshoot where those who never give up nearly saturate the service
    theta = math.exp(x + min(max(by_theta, -FARTHEST), FARTHEST))
    time = math.exp(y + (by_time if abs(by_theta) <= FARTHEST else dy))
    return theta, time, (x, y, dx, dy)


@njit
def _mixture(
    admitted: Floats,
    chance: float,
    wait: Floats,
    patience: Floats,
    hold: Floats,
    waiting: Floats,
) -> tuple[float, float]:
    """Fill the waiting numbers; return the mean rate of giving up and mean service of the served.

    Where nobody who waits can give up, the rate is 0 and the service that of all.
    """
    number, impatience, served, work = 0.0, 0.0, 0.0, 0.0
    for k in range(wait.size):
        waiting[k] = admitted[k] * chance * wait[k] / (1.0 + wait[k] / patience[k])
        gone = waiting[k] / patience[k]
        number += waiting[k]
        impatience += gone
        served += admitted[k] - gone
        work += (admitted[k] - gone) * hold[k]
    return (impatience / number if number > 0.0 else 0.0), work / served


@njit
def _wait_weights(
    stations: Stations, i: int, arrival: Floats, admitted: float, weight: Floats
) -> None:
    """Fill how the discipline divides the wait among the classes: 1, by work, or by rank."""
    hold, priority = stations.hold[i], stations.priority[i]
    classes = arrival.size
    for k in range(classes):
        weight[k] = 1.0
        if stations.discipline[i] == PROCESSOR_SHARING:
            weight[k] = hold[k]
        elif stations.discipline[i] == PRIORITY:
            before, upto = 0.0, 0.0
            for j in range(classes):
                load = arrival[j] * admitted * hold[j] / stations.servers[i]
                if priority[j] < priority[k]:
                    before += load
                if priority[j] <= priority[k]:
                    upto += load
            # a queue that loses jobs stays bounded at any load: so does the ratio of the waits
            weight[k] = 1.0 / (max(1.0 - before, 0.05) * max(1.0 - upto, 0.05))


@njit
def _positive_wait(waiters: Floats, weight: Floats, patience: Floats, number: float) -> float:
    """Return the mean m of a positive wait for which the classes' waiting numbers add up.

    Solves sum_k w_k g_k m / (1 + g_k m / patience_k) = number, whose left side is concave in m,
    by Newton's method from below; where the number is beyond all that can wait, so is m.
    """
    total, most = np.sum(waiters * weight), np.sum(waiters * patience)
    if number <= 0.0 or total <= 0.0:
        return 0.0
    if number >= most * (1.0 - 1e-12):
        return most / total * 1e12
    mean = number / total
    for _ in range(100):
        value, slope = 0.0, 0.0
        for k in range(weight.size):
            share = 1.0 / (1.0 + weight[k] * mean / patience[k])
            value += waiters[k] * weight[k] * mean * share
            slope += waiters[k] * weight[k] * share * share
        step = (number - value) / slope
        mean += step
        if abs(step) <= 1e-15 * mean:
            break
    return mean
