"""How many are present, and how long the wait is, state by state: M/M/c/K+M and its limits."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.abandonment import highest_state
from flownet.queues.arguments import Numbers, columns, refuse_small_capacity, rows, shaped, whole
from flownet.queues.erlang import delay_probability, inverse_excess
from flownet.queues.numerics import log_ratio, poisson_pmf, spare_servers

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-18
LARGE = 1e200


@njit
def waiting_probabilities(
    rate: float, service: float, leave: float, room: float, excess: float
) -> tuple[Floats, float]:
    """Return P(c + j present) for j >= 0, and P(fewer than c present).

    `service` is c mu, `leave` the rate at which one waiting job gives up, `excess` is 1/B - 1.
    """
    top = int(highest_state(rate, service, leave, room))
    mode = 0
    if rate > service:
        mode = top if leave == 0.0 else int(min(float(top), (rate - service) / leave))
    weights = np.zeros(top + 1)
    weights[mode] = 1.0
    total = 1.0
    for j in range(mode + 1, top + 1):
        weights[j] = weights[j - 1] * rate / (service + j * leave)
        total += weights[j]
    for j in range(mode - 1, -1, -1):
        weights[j] = weights[j + 1] * (service + (j + 1.0) * leave) / rate
        total += weights[j]
    below = weights[0] * excess if weights[0] > 0.0 else 0.0
    total += below
    for j in range(top + 1):
        weights[j] /= total
    return weights, below / total


@njit
def _next_factor(i: float, steps: float, shrink: float, poisson: bool) -> float:
    """Return P(i + 1 departures) / P(i departures)."""
    if poisson:
        return steps / (i + 1.0)
    return (steps + i) * shrink / (i + 1.0)


@njit
def _much_later(weights: Floats, steps: float, shrink: float, none: float, poisson: bool) -> float:
    """Return `_later_than` where more departures are likely than weights: upwards from none.

    The factors start from P(no departure) = e^-none and grow throughout.
    """
    behind = 0.0
    for j in range(weights.size):
        behind += weights[j]
    factor = 1.0
    later = 0.0
    scale = -none
    for i in range(weights.size):
        later += factor * behind
        behind = max(0.0, behind - weights[i])
        factor *= _next_factor(float(i), steps, shrink, poisson)
        if factor > LARGE:
            factor /= LARGE
            later /= LARGE
            scale += math.log(LARGE)
    return later * math.exp(scale)


@njit
def _later_than(weights: Floats, steps: float, shrink: float, none: float, poisson: bool) -> float:
    """Return the sum over j of weights[j] P(j + 1 departures take longer than t).

    The departures before t are negative binomial, P(i) ~ (steps)_i / i! shrink^i, or Poisson with
    mean `steps`; P(0) = e^-none. They are normalized by their own sum, outwards from the largest.
    """
    last = weights.size - 1.0
    mode = steps if poisson else max(0.0, (steps - 1.0) * shrink / (1.0 - shrink))
    if not mode <= last:
        return _much_later(weights, steps, shrink, none, poisson)
    mode = np.floor(mode)
    behind = 0.0  # sum of weights[j] for j >= mode
    for j in range(int(mode), weights.size):
        behind += weights[j]
    total = later = 0.0
    factor = 1.0
    i = mode
    found = behind
    while factor > NEGLIGIBLE * total:
        total += factor
        later += factor * found
        if i <= last:
            found = max(0.0, found - weights[int(i)])
        factor *= _next_factor(i, steps, shrink, poisson)
        i += 1.0
    factor = 1.0
    i = mode
    found = behind
    while i >= 1.0:
        i -= 1.0
        factor /= _next_factor(i, steps, shrink, poisson)
        if factor <= NEGLIGIBLE * total:
            break
        found += weights[int(i)]
        total += factor
        later += factor * found
    return later / total


@njit
def wait_tail_scalar(
    arrival_rate: float,
    service_time: float,
    servers: float,
    patience: float,
    capacity: float,
    time: float,
) -> tuple[float, float]:
    """Return P(W > t) of all admitted jobs and of the served ones in M/M/c/K+M; whole c and K.

    1 where the station is overloaded.
    """
    load = arrival_rate * service_time
    if load <= 0.0 or math.isinf(servers) or capacity == servers:
        return 0.0, 0.0
    spare = spare_servers(arrival_rate, service_time, servers)
    if math.isinf(patience) and math.isinf(capacity):
        if spare <= 0.0:
            return 1.0, 1.0
        tail = delay_probability(servers, load, spare) * math.exp(-spare / service_time * time)
        return tail, tail
    excess = inverse_excess(servers, load)
    if math.isinf(excess) or math.isinf(time):
        return 0.0, 0.0
    room = capacity - servers
    service = servers / service_time
    leave = 1.0 / patience
    weights, idle = waiting_probabilities(arrival_rate, service, leave, room, excess)
    top = weights.size if weights.size - 1.0 < room else weights.size - 1
    finding = weights[:top]  # admitted jobs that find c + j present
    admitted = idle + finding.sum()
    if leave == 0.0:
        tail = _later_than(finding, service * time, 0.0, service * time, True) / admitted
        return tail, tail
    shrink = -math.expm1(-leave * time)
    none = service * time
    everyone = _later_than(finding, service / leave, shrink, none, False)
    everyone *= math.exp(-leave * time)
    # of those who find c + j, the served weigh p_{c+j+1} c mu / lambda
    served_share = service / arrival_rate * weights[1:].sum() + idle
    served = _later_than(weights[1:], service / leave + 1.0, shrink, none + leave * time, False)
    return everyone / admitted, service / arrival_rate * served / served_share


@njit
def number_probability_scalar(
    arrival_rate: float,
    service_time: float,
    servers: float,
    patience: float,
    capacity: float,
    number: float,
) -> float:
    """Return P(n present) in M/M/c/K+M; whole c, K and n; 0 where overloaded."""
    load = arrival_rate * service_time
    if load <= 0.0:
        return 1.0 if number == 0.0 else 0.0
    excess = math.inf if math.isinf(servers) else inverse_excess(servers, load)
    if number > capacity:
        return 0.0
    if math.isinf(excess):
        return poisson_pmf(number, load)
    spare = spare_servers(arrival_rate, service_time, servers)
    if math.isinf(patience) and math.isinf(capacity):
        if spare <= 0.0:
            return 0.0
        busy = delay_probability(servers, load, spare)
        first = busy * spare / servers
        if number >= servers:
            return first * math.exp((number - servers) * log_ratio(load / servers, spare / servers))
    else:
        weights, _ = waiting_probabilities(
            arrival_rate, servers / service_time, 1.0 / patience, capacity - servers, excess
        )
        if number >= servers:
            place = int(number - servers)
            return weights[place] if place < weights.size else 0.0
        first = weights[0]
    i = servers
    while i > number and first > 0.0:
        first *= i / load
        i -= 1.0
    return first


@njit
def _number_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        out[i, 0] = number_probability_scalar(
            stations[i, 0],
            stations[i, 1],
            stations[i, 2],
            stations[i, 3],
            stations[i, 4],
            stations[i, 5],
        )


def number_probability(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    number: Numbers,
    patience: Numbers = math.inf,
    capacity: Numbers = math.inf,
) -> Floats:
    r"""Return the probability that n jobs are present in M/M/c/K+M.

    .. math:: p_{n+1} = p_n \frac{\lambda}{\min(n + 1, c)\mu + (n + 1 - c)^+ \theta}

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda >= 0.
    service_time : array_like
        Mean service time of one server 1/mu >= 0, in T.
    servers : array_like
        Number of servers c, whole or inf.
    number : array_like
        Number present n, whole.
    patience : array_like
        Mean time 1/theta that a job waits before it gives up, in T; inf by default.
    capacity : array_like
        Places K >= c, whole; inf by default.

    Returns
    -------
    float or ndarray
        In the arguments' common shape; 0 where the station is overloaded.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range or not whole.

    Notes
    -----
    Exact. For inf servers the law is Poisson, for K = c the truncated Poisson law, both for any
    service law with that mean.

    References
    ----------
    Gross, Shortle, Thompson and Harris (2008), chapter 3.

    Examples
    --------
    >>> round(float(number_probability(0.5, 1.0, 1, 2)), 12)
    0.125
    """
    stations, shape = rows(
        arrival_rate=arrival_rate,
        service_time=service_time,
        servers=servers,
        patience=patience,
        capacity=capacity,
        number=number,
    )
    refuse_small_capacity(stations[:, 2], stations[:, 4])
    for name, column in (("servers", 2), ("capacity", 4), ("number", 5)):
        whole(name, stations[:, column])
    return shaped(columns(_number_rows, stations, 1)[0], shape)
