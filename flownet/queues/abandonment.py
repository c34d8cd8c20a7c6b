"""Stations whose waiting jobs give up: M/M/c+M (Erlang A), with and without a limit of places."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import Numbers, columns, refuse_small_capacity, rows
from flownet.queues.erlang import inverse_excess
from flownet.queues.impatience import mmcg_measures
from flownet.queues.markov import mmck_measures
from flownet.queues.measures import Abandoning, abandoning
from flownet.queues.numerics import harmonic_sum

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-17
MANY_STATES = 1e6  # lambda/theta beyond which integrals are cheaper than sums over states
NOTHING = 1e-270  # where P(full) is asked for, the sum goes on until its weight is below this


@njit
def highest_state(rate: float, service: float, leave: float, room: float) -> float:
    """Return the number waiting beyond which the stationary weights are negligible."""
    j = float(min(room, max(0.0, np.floor((rate - service) / leave))))
    weight = 1.0
    total = 1.0
    limit = NEGLIGIBLE if math.isinf(room) else NOTHING
    while j < room:
        j += 1.0
        out = service + j * leave
        weight *= rate / out
        total += weight
        if weight * out < limit * total * (out - rate):
            break
    return j


@njit
def _waiting_sums(
    rate: float, service: float, leave: float, excess: float, room: float
) -> tuple[float, float, float, float, float, float]:
    """Return P(full), P(all busy, not full), P(some idle), E[waiting], P(served), E[wait; served].

    `service` is c mu, `leave` the rate at which one waiting job gives up, `excess` is 1/B - 1: the
    weight of the states below c beside that of c. Runs downwards from the highest state that
    matters; all terms are positive.
    """
    top = highest_state(rate, service, leave, room)
    j = top
    weight = 1.0
    tail = 0.0  # weight of the states c + j and above, for j >= 1
    accepting = 0.0  # of these, the weight of those that are not full
    first = 0.0  # sum of j * weight
    late = 0.0  # sum over i >= 1 of tail(i) / (service + i leave)
    while j >= 1.0:
        out = service + j * leave
        tail += weight
        accepting += weight if j < room else 0.0
        first += j * weight
        late += tail / out
        weight *= out / rate
        j -= 1.0
        if weight * rate < NEGLIGIBLE * accepting * (rate - out):
            late += tail * harmonic_sum(service / leave, j) / leave
            weight = 0.0
            break
    full = 1.0 if top == room else 0.0
    below = 0.0
    if weight > 0.0:  # in units of the state c, which cannot overflow beside `excess`
        tail, first, late, full = tail / weight, first / weight, late / weight, full / weight
        accepting /= weight
        weight = 1.0
        below = excess
    total = tail + weight + below
    busy = accepting + (weight if room > 0.0 else 0.0)
    scale = service / rate
    served = (scale * tail + below) / total
    return full / total, busy / total, below / total, first / total, served, scale * late / total


@njit
def erlang_a_finite_measures(
    arrival_rate: float, service_time: float, servers: float, patience: float, capacity: float
) -> tuple[float, float, float, float, float, float, float]:
    """Return the measures of M/M/c/K+M.

    In order: P(wait | admitted), number waiting, P(abandon) of all offered, mean wait of the
    admitted, mean wait of the served, number in service, P(full).
    """
    if arrival_rate <= 0.0 or service_time <= 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    load = arrival_rate * service_time
    if math.isinf(servers):
        return 0.0, 0.0, 0.0, 0.0, 0.0, load, 0.0
    if math.isinf(patience):
        full, admitted, waiting, chance = mmck_measures(
            arrival_rate, service_time, servers, capacity
        )
        wait = waiting / (arrival_rate * admitted) if waiting > 0.0 else 0.0
        busy = min(load * admitted, servers)  # at the limit where all wait without end
        return chance, waiting, 0.0, wait, wait, busy, full
    if math.isinf(capacity) and arrival_rate * patience > MANY_STATES:
        chance, waiting, gone, wait, served, busy = mmcg_measures(
            arrival_rate, service_time, servers, patience, 1.0
        )
        return chance, waiting, gone, wait, served, busy, 0.0
    excess = inverse_excess(servers, load)
    if math.isinf(excess):
        return 0.0, 0.0, 0.0, 0.0, 0.0, load, 0.0
    room = capacity - servers
    whole = np.floor(room)
    rate_all = servers / service_time
    full, busy, below, waiting, served, late = _waiting_sums(
        arrival_rate, rate_all, 1.0 / patience, excess, whole
    )
    if whole < room:  # a fractional number of places: in between
        more = _waiting_sums(arrival_rate, rate_all, 1.0 / patience, excess, whole + 1.0)
        part = room - whole
        full += part * (more[0] - full)
        busy += part * (more[1] - busy)
        below += part * (more[2] - below)
        waiting += part * (more[3] - waiting)
        served += part * (more[4] - served)
        late += part * (more[5] - late)
    admitted = busy + below
    return (
        busy / admitted,
        waiting,
        waiting / (patience * arrival_rate),
        waiting / (arrival_rate * admitted),
        late / served,
        load * served,
        full,
    )


@njit
def erlang_a_measures(
    arrival_rate: float, service_time: float, servers: float, patience: float
) -> tuple[float, float, float, float, float, float, float]:
    """Return the measures of M/M/c+M, in the order of `erlang_a_finite_measures`."""
    return erlang_a_finite_measures(arrival_rate, service_time, servers, patience, math.inf)


@njit
def _erlang_a_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        results = erlang_a_finite_measures(
            stations[i, 0], stations[i, 1], stations[i, 2], stations[i, 3], stations[i, 4]
        )
        for k in range(7):
            out[i, k] = results[k]


@njit
def _mmcg_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        if math.isinf(stations[i, 3]):
            served = erlang_a_measures(stations[i, 0], stations[i, 1], stations[i, 2], math.inf)
            results = served[:6]
        else:
            results = mmcg_measures(
                stations[i, 0], stations[i, 1], stations[i, 2], stations[i, 3], stations[i, 4]
            )
        for k in range(6):
            out[i, k] = results[k]


def erlang_a(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    patience: Numbers,
    capacity: Numbers = math.inf,
) -> Abandoning:
    r"""Return the measures of M/M/c/K+M: waiting jobs give up after an exponential time.

    .. math:: p_{c+j} = p_c \prod_{i=1}^{j} \frac{\lambda}{c\mu + i\theta}, \quad
              P_{ab} = \frac{\theta L_q}{\lambda}

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T offered, lambda >= 0.
    service_time : array_like
        Mean service time of one server 1/mu >= 0, in T.
    servers : array_like
        Number of servers c > 0, also fractional.
    patience : array_like
        Mean time 1/theta > 0 that a job waits before it gives up, in T; inf: it never does.
    capacity : array_like
        Places K >= c, waiting and in service; inf by default.

    Returns
    -------
    Abandoning
        Arrays in the arguments' common shape. Never overloaded while patience or K is finite.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range, or the capacity is below the number of servers.

    Notes
    -----
    Exact. Jobs in service do not give up. The natural model for leaving without being seen.

    References
    ----------
    Palm (1957); Garnett, Mandelbaum and Reiman (2002).

    Examples
    --------
    >>> round(float(erlang_a(48.0, 1.0, 50, 2.0).abandonment_probability), 10)
    0.0309122492
    """
    stations, shape = rows(
        arrival_rate=arrival_rate,
        service_time=service_time,
        servers=servers,
        patience=patience,
        capacity=capacity,
    )
    refuse_small_capacity(stations[:, 2], stations[:, 4])
    results = columns(_erlang_a_rows, stations, 7)
    return abandoning(stations, results, shape)


def mmcg(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    patience: Numbers,
    patience_scv: Numbers = 1.0,
) -> Abandoning:
    r"""Return the measures of M/M/c+G: waiting jobs give up after a time with any law.

    .. math:: P_{ab} = \frac{\lambda \int G(x) e^{\phi(x)} dx}{\epsilon + \lambda \int
              e^{\phi(x)} dx}, \quad \phi(x) = \lambda \int_0^x (1 - G(u)) du - c\mu x

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T offered, lambda >= 0.
    service_time : array_like
        Mean service time of one server 1/mu >= 0, in T.
    servers : array_like
        Number of servers c > 0, also fractional.
    patience : array_like
        Mean time > 0 that a job waits before it gives up, in T; inf: it never does.
    patience_scv : array_like
        Squared coefficient of variation of the patience, >= 0.

    Returns
    -------
    Abandoning
        Arrays in the arguments' common shape. Never overloaded while patience is finite.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Exact for patience with the fitted law: balanced hyperexponential above scv 1, exponential at
    1, a mixture of two Erlang laws below, constant at 0. Unlike in M/M/c, laws of the patience
    with two equal moments can differ much: what counts is its density near 0.

    References
    ----------
    Baccelli and Hebuterne (1981); Zeltyn and Mandelbaum (2005), section 2.

    Examples
    --------
    >>> round(float(mmcg(48.0, 1.0, 50, 2.0, 1.0).abandonment_probability), 10)
    0.0309122492
    """
    stations, shape = rows(
        arrival_rate=arrival_rate,
        service_time=service_time,
        servers=servers,
        patience=patience,
        patience_scv=patience_scv,
    )
    results = columns(_mmcg_rows, stations, 6)
    return abandoning(stations, (*results, np.zeros(len(stations))), shape)
