"""Stations that serve some classes before others: waits of the classes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import Numbers, checked, refusal
from flownet.queues.general import gigc_waiting_time
from flownet.queues.markov import mmc_waiting_time
from flownet.queues.measures import ClassDelay

Floats = NDArray[np.float64]


@njit
def service_moments(rate: Floats, time: Floats, scv: Floats) -> tuple[float, float, float]:
    """Return the total rate, and the mean and scv of the service time of all classes together."""
    total = first = second = 0.0
    for i in range(rate.size):
        total += rate[i]
        first += rate[i] * time[i]
        second += rate[i] * time[i] * time[i] * (1.0 + scv[i])
    if first <= 0.0:
        return total, 0.0, 1.0
    return total, first / total, second * total / (first * first) - 1.0


@njit
def cumulated_load(
    rate: Floats, time: Floats, priority: Floats, rank: float
) -> tuple[float, float]:
    """Return the load (erlang) of the ranks before `rank`, and up to and including it."""
    before = 0.0
    upto = 0.0
    for i in range(rate.size):
        if priority[i] < rank:
            before += rate[i] * time[i]
        if priority[i] <= rank:
            upto += rate[i] * time[i]
    return before, upto


@njit
def _admitted(rate: Floats, time: Floats, priority: Floats, servers: float) -> Floats:
    """Return the rates that are served: beyond saturation the last ranks are cut short."""
    served = rate.copy()
    for i in range(rate.size):
        before, upto = cumulated_load(rate, time, priority, priority[i])
        if upto > servers:
            served[i] = rate[i] * max(0.0, servers - before) / (upto - before)
    return served


@njit
def nonpreemptive_waits(
    arrival_rate: Floats,
    service_time: Floats,
    service_scv: Floats,
    priority: Floats,
    servers: float,
    arrival_scv: float,
    waits: Floats,
) -> None:
    """Write the mean wait of each class into `waits`, non-preemptive, smallest rank first.

    W_k = W_0 / ((1 - sigma_{k-1}) (1 - sigma_k)), W_0 = (1 - rho) times the wait served in order.
    """
    if math.isinf(servers):
        waits[:] = 0.0
        return
    rate = _admitted(arrival_rate, service_time, priority, servers)
    total, mean, scv = service_moments(rate, service_time, service_scv)
    if mean <= 0.0:
        waits[:] = 0.0
        return
    spare = 1.0 - total * mean / servers
    if spare > 1e-12:
        wait = gigc_waiting_time(total, mean, servers, arrival_scv, scv)
        start = spare * wait
    else:
        start = 0.5 * (arrival_scv + scv) * mean / servers
    for k in range(rate.size):
        before, upto = cumulated_load(arrival_rate, service_time, priority, priority[k])
        if upto >= servers:
            waits[k] = math.inf
        else:
            waits[k] = start / ((1.0 - before / servers) * (1.0 - upto / servers))


@njit
def _fast_delay(
    rate: Floats, time: Floats, scv: Floats, priority: Floats, servers: float, k: int
) -> float:
    """Return the delay of class k in M/G/1 preemptive-resume at speed c.

    T_k = E[S_k]/(1 - sigma_{k-1}) + R_k/((1 - sigma_{k-1}) (1 - sigma_k)), with
    R_k = sum_{i <= k} lambda_i E[S_i^2] / 2.
    """
    before, upto = cumulated_load(rate, time, priority, priority[k])
    free_before = 1.0 - before / servers
    free = 1.0 - upto / servers
    if free <= 0.0:
        return math.inf
    residual = 0.0
    for i in range(rate.size):
        if priority[i] <= priority[k]:
            residual += 0.5 * rate[i] * time[i] * time[i] * (1.0 + scv[i])
    residual /= servers * servers
    own = time[k] / servers * before / servers / free_before
    return float(own + residual / (free_before * free))


@njit
def _equal_means_delay(before: float, upto: float, mean: float, servers: float) -> float:
    """Return the exact delay of the ranks between two loads in M/M/c preemptive, one mean."""
    high = upto / mean * mmc_waiting_time(upto / mean, mean, servers)
    low = before / mean * mmc_waiting_time(before / mean, mean, servers) if before > 0.0 else 0.0
    return (high - low) / ((upto - before) / mean)


@njit
def preemptive_waits(
    arrival_rate: Floats,
    service_time: Floats,
    service_scv: Floats,
    priority: Floats,
    servers: float,
    waits: Floats,
) -> None:
    """Write the mean delay of each class into `waits`, preemptive-resume, smallest rank first.

    The delay is all time present less the service itself. Exact for one server, and for M/M/c
    with equal means; in between the one is scaled by the other.
    """
    for k in range(arrival_rate.size):
        before, upto = cumulated_load(arrival_rate, service_time, priority, priority[k])
        if math.isinf(servers) or upto <= 0.0:
            waits[k] = 0.0
            continue
        if upto >= servers:
            waits[k] = math.inf
            continue
        fast = _fast_delay(arrival_rate, service_time, service_scv, priority, servers, k)
        if servers == 1.0:
            waits[k] = fast
            continue
        mean = service_time[k]
        if upto == before or mean <= 0.0:
            waits[k] = fast
            continue
        many = _equal_means_delay(before, upto, mean, servers)
        one = _equal_means_delay(before / servers, upto / servers, mean / servers, 1.0)
        waits[k] = fast * many / one


@njit
def _nonpreemptive_rows(classes: Floats, stations: Floats, out: Floats) -> None:
    """Row i of `classes` holds rate, time, scv and rank by class; of `stations` c and scv."""
    for i in range(stations.shape[0]):
        nonpreemptive_waits(
            classes[i, 0],
            classes[i, 1],
            classes[i, 2],
            classes[i, 3],
            stations[i, 0],
            stations[i, 1],
            out[i],
        )


@njit
def _preemptive_rows(classes: Floats, stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        preemptive_waits(
            classes[i, 0], classes[i, 1], classes[i, 2], classes[i, 3], stations[i, 0], out[i]
        )


def class_arguments(
    classes: dict[str, Numbers | None], stations: dict[str, Numbers]
) -> tuple[Floats, Floats, tuple[int, ...]]:
    """Return the checked arguments by class (n, 4, R) and by station (n, m), and the shape.

    The classes stand along the last axis; without ranks they are served in the order given.
    """
    ranks = classes["priority"]
    given = {
        name: checked(name, value)
        for name, value in classes.items()
        if name != "priority" and value is not None
    }
    ahead = {name: checked(name, value)[..., None] for name, value in stations.items()}
    try:
        shape = np.broadcast_shapes(*(a.shape for a in (*given.values(), *ahead.values())))
        order = np.arange(shape[-1]) if ranks is None else checked("priority", ranks)
        shape = np.broadcast_shapes(shape, order.shape)
    except ValueError:
        shapes = ", ".join(f"{n} {a.shape}" for n, a in {**given, **ahead}.items())
        raise refusal("shapes", shapes, "must broadcast, the classes along the last axis") from None
    parts = [np.broadcast_to(a, shape) for a in (*given.values(), order)]
    flat = np.stack([np.asarray(p, np.float64).reshape(-1, shape[-1]) for p in parts], axis=1)
    single = [np.broadcast_to(a, (*shape[:-1], 1)).reshape(-1) for a in ahead.values()]
    return flat, np.stack(single, axis=1), shape


def _by_class(
    kernel: Callable[[Floats, Floats, Floats], None],
    classes: dict[str, Numbers | None],
    stations: dict[str, Numbers],
) -> ClassDelay:
    """Apply the kernel to the arguments; the rest by Little's law."""
    flat, single, shape = class_arguments(classes, stations)
    waits = np.empty((flat.shape[0], shape[-1]))
    kernel(flat, single, waits)
    rate, time = flat[:, 0], flat[:, 1]
    load = rate * time
    with np.errstate(invalid="ignore"):
        waiting = np.where(waits > 0.0, rate * waits, 0.0)
    over = np.isinf(waits).astype(np.float64)
    parts = (load / single[:, :1], waits, waiting, waits + time, waiting + load, over)
    return ClassDelay(*(part.reshape(shape) for part in parts))


def priority_nonpreemptive(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers = 1.0,
    service_scv: Numbers = 1.0,
    priority: Numbers | None = None,
    arrival_scv: Numbers = 1.0,
) -> ClassDelay:
    r"""Return the waits by class where a job in service is not interrupted.

    .. math:: W_k = \frac{W_0}{(1 - \sigma_{k-1})(1 - \sigma_k)}, \quad
              \sigma_k = \frac{1}{c} \sum_{i \le k} \lambda_i E[S_i], \quad
              W_0 = (1 - \rho)\, W_{FCFS}

    Parameters
    ----------
    arrival_rate : array_like, shape (..., R)
        Jobs per T by class, >= 0.
    service_time : array_like, shape (..., R)
        Mean service time of one server by class, >= 0, in T.
    servers : array_like, shape (...)
        Number of servers c > 0.
    service_scv : array_like, shape (..., R)
        Squared coefficient of variation of the service time by class, >= 0.
    priority : array_like, shape (..., R), optional
        Rank, the smallest served first; equal ranks share one queue. By default the order given.
    arrival_scv : array_like, shape (...)
        Squared coefficient of variation of the arrivals of all classes together.

    Returns
    -------
    ClassDelay
        By class along the last axis. A class whose rank saturates the servers waits without end;
        those before it do not.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Exact for M/G/1 (Cobham) and for M/M/c where all classes have one mean (Kella and Yechiali).
    Several servers with other laws or unequal means: an approximation, W_0 of all classes taken
    together served in order (Bondi and Buzen).

    References
    ----------
    Cobham (1954); Kella and Yechiali (1985), eq. 3; Bondi and Buzen (1984).

    Examples
    --------
    >>> priority_nonpreemptive([0.2, 0.3], 1.0).waiting_time.round(12).tolist()
    [0.625, 1.25]
    """
    return _by_class(
        _nonpreemptive_rows,
        {
            "arrival_rate": arrival_rate,
            "service_time": service_time,
            "service_scv": service_scv,
            "priority": priority,
        },
        {"servers": servers, "arrival_scv": arrival_scv},
    )


def priority_preemptive(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers = 1.0,
    service_scv: Numbers = 1.0,
    priority: Numbers | None = None,
) -> ClassDelay:
    r"""Return the delays by class where an urgent job interrupts others, which resume later.

    .. math:: T_k = \frac{E[S_k]}{1 - \sigma_{k-1}} + \frac{\sum_{i \le k} \lambda_i E[S_i^2]/2}
              {(1 - \sigma_{k-1})(1 - \sigma_k)} \ (c = 1), \quad
              W_k = \frac{\Lambda_k W(\Lambda_k) - \Lambda_{k-1} W(\Lambda_{k-1})}{\lambda_k}

    Parameters
    ----------
    arrival_rate : array_like, shape (..., R)
        Jobs per T by class, Poisson, >= 0.
    service_time : array_like, shape (..., R)
        Mean service time of one server by class, >= 0, in T.
    servers : array_like, shape (...)
        Number of servers c > 0.
    service_scv : array_like, shape (..., R)
        Squared coefficient of variation of the service time by class, >= 0.
    priority : array_like, shape (..., R), optional
        Rank, the smallest served first; equal ranks share one queue. By default the order given.

    Returns
    -------
    ClassDelay
        By class along the last axis; `waiting_time` is all time present less the service itself.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Exact for M/G/1 preemptive-resume, and for M/M/c where all classes have one mean: classes 1 to k
    by themselves are an M/M/c with the cumulated rate and wait W. Otherwise an approximation: the
    delay of one server of speed c, times what several servers change in the case of one mean.

    References
    ----------
    Jaiswal (1968), chapter 4; Buzen and Bondi (1983).

    Examples
    --------
    >>> priority_preemptive([0.2, 0.3], 1.0).response_time.round(12).tolist()
    [1.25, 2.5]
    """
    return _by_class(
        _preemptive_rows,
        {
            "arrival_rate": arrival_rate,
            "service_time": service_time,
            "service_scv": service_scv,
            "priority": priority,
        },
        {"servers": servers},
    )
