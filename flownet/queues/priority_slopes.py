"""Derivatives of the non-preemptive priority waits by every class's parameters."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import Numbers
from flownet.queues.general import gigc_waiting_time
from flownet.queues.general_slopes import gigc_waiting_time_slopes
from flownet.queues.priority import class_arguments, cumulated_load, service_moments

Floats = NDArray[np.float64]


@njit
def _start_slopes(
    rate: Floats, time: Floats, scv: Floats, servers: float, arrival_scv: float, out: Floats
) -> float:
    """Return W_0 = (1 - rho) W of all in order; write its derivatives (3, R) by rate, time, scv."""
    total, mean, mixed = service_moments(rate, time, scv)
    load = total * mean
    second = (mixed + 1.0) * load * load / total
    spare = 1.0 - load / servers
    wait = gigc_waiting_time(total, mean, servers, arrival_scv, mixed)
    slopes = gigc_waiting_time_slopes(total, mean, servers, arrival_scv, mixed)
    for i in range(rate.size):
        grown = time[i] * time[i] * (1.0 + scv[i])
        for k in range(3):  # along the class's rate, time, scv: changes of total, load, second
            by_total = 1.0 if k == 0 else 0.0
            by_load = time[i] if k == 0 else (rate[i] if k == 1 else 0.0)
            by_second = grown
            if k == 1:
                by_second = 2.0 * rate[i] * time[i] * (1.0 + scv[i])
            elif k == 2:
                by_second = rate[i] * time[i] * time[i]
            by_mean = (by_load - mean * by_total) / total
            by_mixed = (by_second * total + second * by_total) / (load * load)
            by_mixed -= 2.0 * second * total * by_load / (load * load * load)
            by_wait = slopes[0] * by_total + slopes[1] * by_mean + slopes[4] * by_mixed
            out[k, i] = spare * by_wait - by_load / servers * wait
    return spare * wait


@njit
def nonpreemptive_slopes(
    rate: Floats,
    time: Floats,
    scv: Floats,
    priority: Floats,
    servers: float,
    arrival_scv: float,
    out: Floats,
) -> None:
    """Write dW_k by rate, time and scv of class i into out[., k, i]; nan where overloaded."""
    size = rate.size
    _, load = cumulated_load(rate, time, priority, priority.max())
    if load >= servers:
        out[:] = math.nan
        return
    if load <= 0.0 or math.isinf(servers):
        out[:] = 0.0
        return
    by_start = np.zeros((3, size))
    start = _start_slopes(rate, time, scv, servers, arrival_scv, by_start)
    for k in range(size):
        before, upto = cumulated_load(rate, time, priority, priority[k])
        first = 1.0 - before / servers
        both = 1.0 - upto / servers
        for i in range(size):
            share = 0.0  # d ln W_k / d load of class i, without W_0
            if priority[i] < priority[k]:
                share += 1.0 / first
            if priority[i] <= priority[k]:
                share += 1.0 / both
            share *= start / (first * both * servers)
            for p in range(3):
                by_load = time[i] if p == 0 else (rate[i] if p == 1 else 0.0)
                out[p, k, i] = by_start[p, i] / (first * both) + share * by_load


@njit
def _slope_rows(classes: Floats, stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        nonpreemptive_slopes(
            classes[i, 0],
            classes[i, 1],
            classes[i, 2],
            classes[i, 3],
            stations[i, 0],
            stations[i, 1],
            out[i],
        )


def priority_nonpreemptive_gradient(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers = 1.0,
    service_scv: Numbers = 1.0,
    priority: Numbers | None = None,
    arrival_scv: Numbers = 1.0,
) -> dict[str, Floats]:
    r"""Return the derivatives of the waits of `priority_nonpreemptive` by the classes' parameters.

    .. math:: d \ln W_k = d \ln W_0 + \frac{d\sigma_{k-1}}{1 - \sigma_{k-1}}
              + \frac{d\sigma_k}{1 - \sigma_k}

    Parameters
    ----------
    arrival_rate, service_time, servers, service_scv, priority, arrival_scv : array_like
        As in `priority_nonpreemptive`.

    Returns
    -------
    dict
        ``arrival_rate``, ``service_time`` and ``service_scv``, each an array of shape (..., R, R):
        the derivative of the wait of class k by the parameter of class i. nan where the classes
        together saturate the servers.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Of the formula, which is exact for M/G/1, and for M/M/c with one mean.

    References
    ----------
    By differentiation of the formula.

    Examples
    --------
    >>> slopes = priority_nonpreemptive_gradient([0.2, 0.3], 1.0)
    >>> slopes["arrival_rate"].round(6).tolist()
    [[2.03125, 1.25], [6.5625, 5.0]]
    """
    flat, single, shape = class_arguments(
        {
            "arrival_rate": arrival_rate,
            "service_time": service_time,
            "service_scv": service_scv,
            "priority": priority,
        },
        {"servers": servers, "arrival_scv": arrival_scv},
    )
    count = shape[-1]
    out = np.empty((flat.shape[0], 3, count, count))
    _slope_rows(flat, single, out)
    names = ("arrival_rate", "service_time", "service_scv")
    return {name: out[:, p].reshape((*shape, count)) for p, name in enumerate(names)}
