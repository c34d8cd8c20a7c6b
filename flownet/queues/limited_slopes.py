"""Derivatives of the stations with a limit of places or with patience: scores of the states.

With weights w_n(theta) of the states, dE[f]/dtheta = Cov(f, d ln w / dtheta): the derivatives need
no more than the stationary probabilities.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import (
    Numbers,
    columns,
    refusal,
    refuse_small_capacity,
    rows,
    shaped,
    whole,
)
from flownet.queues.erlang import inverse_excess_slopes
from flownet.queues.measures import Abandoning, Limited
from flownet.queues.states import waiting_probabilities

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

TINY = 1e-40  # step of the complex-step derivative of plain arithmetic: exact to rounding


@njit
def state_slopes(load: float, servers: float, leave: float, room: float, out: Floats) -> None:
    """Write the sums of M/M/c/K+M in units of the service time, and their derivatives, to `out`.

    Rows: the value, d/d load, d/d leave. Columns: P(full), P(all busy, not full), E[waiting], and
    the sum X over j of p_{c+j} (1/(c + leave) + ... + 1/(c + j leave)).
    """
    out[:] = 0.0
    excess, _, by_load = inverse_excess_slopes(servers, load)
    if load <= 0.0 or math.isinf(excess):
        return
    weights, below = waiting_probabilities(load, servers, leave, room, excess)
    shares = np.zeros(4)
    mean_load = below * load * by_load / excess  # mean of d ln w / d ln load
    mean_leave = 0.0  # mean of -d ln w / d leave
    fast = slow = square = 0.0  # sums over i <= j of i/(c + i leave), 1/(...), i/(...)^2
    for j in range(weights.size):
        if j > 0:
            rate = servers + j * leave
            fast += j / rate
            slow += 1.0 / rate
            square += j / (rate * rate)
        mean_load += j * weights[j]
        mean_leave += fast * weights[j]
        shares[0] = 1.0 if j == room else 0.0
        shares[1] = 1.0 - shares[0]
        shares[2] = j
        shares[3] = slow
        for k in range(4):
            out[0, k] += weights[j] * shares[k]
            out[1, k] += weights[j] * shares[k] * j
            out[2, k] -= weights[j] * shares[k] * fast
        out[2, 3] -= weights[j] * square
    for k in range(4):
        out[1, k] = (out[1, k] - mean_load * out[0, k]) / load
        out[2, k] += mean_leave * out[0, k]


@njit
def _state_slope_rows(stations: Floats, out: Floats) -> None:
    """Load, servers, leave and room in; the twelve numbers of `state_slopes` out."""
    sums = np.zeros((3, 4))
    for i in range(stations.shape[0]):
        state_slopes(stations[i, 0], stations[i, 1], stations[i, 2], stations[i, 3], sums)
        for k in range(12):
            out[i, k] = sums[k // 4, k % 4]


def _measures(parameters: tuple[Complexes, ...], sums: tuple[Complexes, ...]) -> Abandoning:
    """Return the measures from (rate, service time, servers, giving-up rate) and the sums."""
    rate, time, servers, leave = parameters
    full, busy, waiting, late = sums
    load = rate * time
    admitted = 1.0 - full
    gone = leave * waiting / rate
    served = admitted - gone
    wait = servers * late / (rate * served)
    wait_all = waiting / (rate * admitted)
    throughput = rate * served
    parts = (
        load / servers,
        throughput * time / servers,
        throughput,
        gone,
        full,
        busy / admitted,
        wait,
        wait_all,
        waiting,
        wait + time,
        waiting + throughput * time,
    )
    return Abandoning(*parts)  # type: ignore[arg-type]  # complex here, real for the caller


def _slopes(stations: Floats, names: tuple[str, ...]) -> dict[str, Abandoning]:
    """Return derivatives by each parameter; rows are rate, time, servers, patience, capacity."""
    rate, time, servers, patience, capacity = stations.T
    leave = time / patience
    scaled = np.stack([rate * time, servers, leave, capacity - servers], axis=1)
    results = columns(_state_slope_rows, scaled, 12)
    zero = np.zeros_like(rate)
    # direction of (rate, time, servers, 1/patience), of the load and of `leave`
    steps = {
        "arrival_rate": ((1.0 + zero, zero, zero, zero), time, zero),
        "service_time": ((zero, 1.0 + zero, zero, zero), rate, 1.0 / patience),
        "patience": ((zero, zero, zero, -1.0 / patience**2), zero, -time / patience**2),
    }
    out = {}
    for name in names:
        direction, by_load, by_leave = steps[name]
        sums = tuple(
            results[k] + 1j * TINY * (results[4 + k] * by_load + results[8 + k] * by_leave)
            for k in range(4)
        )
        base = (rate, time, servers, 1.0 / patience)
        parameters = tuple(b + 1j * TINY * d for b, d in zip(base, direction, strict=True))
        out[name] = Abandoning(*(np.imag(m) / TINY for m in _measures(parameters, sums)))
    return out


def _whole_stations(stations: Floats) -> None:
    """Refuse what the sums over states do not hold for."""
    for name, column in (("arrival_rate", 0), ("service_time", 1)):
        if (stations[:, column] <= 0.0).any():
            raise refusal(name, "0", "must be greater than 0 for derivatives")
    refuse_small_capacity(stations[:, 2], stations[:, 4])
    if np.isinf(stations[:, 2]).any():
        raise refusal("servers", "inf", "must be finite for derivatives")
    whole("capacity - servers", stations[:, 4] - stations[:, 2])
    if (np.isinf(stations[:, 3]) & np.isinf(stations[:, 4])).any():
        raise refusal("patience", "inf", "must be finite, or the capacity: else see `mmc_gradient`")


def erlang_a_gradient(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    patience: Numbers,
    capacity: Numbers = math.inf,
) -> dict[str, Abandoning]:
    r"""Return the derivatives of `erlang_a` by its parameters.

    .. math:: \frac{dE[f]}{d\vartheta} = \operatorname{Cov}\left(f, \frac{d \ln w}{d\vartheta}
              \right), \quad w_{c+j} = w_c \prod_{i \le j} \frac{\lambda}{c\mu + i\theta}

    Parameters
    ----------
    arrival_rate, service_time, servers, patience, capacity : array_like
        As in `erlang_a`; the patience or the capacity finite, capacity less servers whole.

    Returns
    -------
    dict
        ``arrival_rate``, ``service_time`` and ``patience`` mapped to `Abandoning` of derivatives.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Exact. The number of servers and the capacity are whole here: take differences.

    References
    ----------
    By differentiation of the stationary probabilities.

    Examples
    --------
    >>> slopes = erlang_a_gradient(1.0, 1.0, 1, 1.0)
    >>> round(float(slopes["arrival_rate"].number_present), 12)
    1.0
    """
    stations, shape = rows(
        arrival_rate=arrival_rate,
        service_time=service_time,
        servers=servers,
        patience=patience,
        capacity=capacity,
    )
    _whole_stations(stations)
    slopes = _slopes(stations, ("arrival_rate", "service_time", "patience"))
    return {
        name: Abandoning(*(shaped(part, shape) for part in slope)) for name, slope in slopes.items()
    }


def mmck_gradient(
    arrival_rate: Numbers, service_time: Numbers, servers: Numbers, capacity: Numbers
) -> dict[str, Limited]:
    r"""Return the derivatives of `mmck` by its parameters.

    .. math:: a \frac{dp_n}{da} = p_n (n - L)

    Parameters
    ----------
    arrival_rate, service_time, servers, capacity : array_like
        As in `mmck`; the capacity finite, capacity less servers whole.

    Returns
    -------
    dict
        ``arrival_rate`` and ``service_time`` mapped to `Limited` of derivatives.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Exact. The number of servers and the capacity are whole here: take differences.

    References
    ----------
    By differentiation of the stationary probabilities.

    Examples
    --------
    >>> slopes = mmck_gradient(1.0, 1.0, 1, 1)
    >>> round(float(slopes["arrival_rate"].loss_probability), 12)
    0.25
    """
    stations, shape = rows(
        arrival_rate=arrival_rate, service_time=service_time, servers=servers, capacity=capacity
    )
    full = np.insert(stations, 3, np.inf, axis=1)
    _whole_stations(full)
    out = {}
    for name, slope in _slopes(full, ("arrival_rate", "service_time")).items():
        parts = (
            slope.load_ratio,
            slope.utilization,
            slope.throughput,
            slope.loss_probability,
            slope.loss_probability,
            slope.wait_probability,
            slope.waiting_time,
            slope.number_waiting,
            slope.response_time,
            slope.number_present,
        )
        out[name] = Limited(*(shaped(part, shape) for part in parts))
    return out
