"""The formulas turned round: the fewest servers, and the largest arrival rate, for a target."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flownet.queues.abandonment import erlang_a
from flownet.queues.arguments import Numbers, refusal, rows, shaped, unknown_choice
from flownet.queues.many_servers import gigc
from flownet.queues.numerics import normal_cdf
from flownet.queues.search import smallest_real, smallest_whole
from flownet.queues.waits import wait_tail

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

MEASURES = (
    "waiting_time",
    "wait_probability",
    "wait_tail",
    "loss_probability",
    "abandonment_probability",
)
MOST_DOUBLINGS = 30  # of the arrival rate that saturates the servers


def square_root_servers(load: Numbers, probability: Numbers) -> Floats:
    r"""Return the number of servers by the square-root rule for a probability of delay.

    .. math:: c = a + \beta \sqrt{a}, \quad
              P(W > 0) \approx \left(1 + \beta \frac{\Phi(\beta)}{\varphi(\beta)}\right)^{-1}

    Parameters
    ----------
    load : array_like
        Offered load a, erlang, >= 0.
    probability : array_like
        The probability of delay aimed at, between 0 and 1.

    Returns
    -------
    float or ndarray
        A number of servers, not whole.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    A start for a search, not an answer: too few by up to half a server or so.

    References
    ----------
    Halfin and Whitt (1981), eq. 2.3.

    Examples
    --------
    >>> round(float(square_root_servers(100.0, 0.5)), 2)
    105.06
    """
    pairs, shape = rows(load=load, probability=probability)
    a, chance = pairs.T

    def rare(beta: Floats) -> Booleans:
        density = np.exp(-0.5 * beta**2) / math.sqrt(2.0 * math.pi)
        below = np.array([normal_cdf(float(b)) for b in beta])
        return np.asarray(density <= chance * (density + beta * below))

    beta = smallest_real(rare, np.ones_like(a))
    return shaped(a + beta * np.sqrt(a), shape)


def _evaluator(
    measure: str, given: dict[str, Floats], when: Floats | None
) -> Callable[[Floats, Floats], Floats]:
    """Return the measure as a function of (arrival rate, servers)."""
    time, room, patience = given["service_time"], given["waiting_room"], given["patience"]
    ca, cs = given["arrival_scv"], given["service_scv"]
    limited = np.isfinite(room) | np.isfinite(patience)
    if limited.any() and ((ca != 1.0) | (cs != 1.0))[limited].any():
        raise refusal("arrival_scv, service_scv", "not 1", "must be 1 with patience or a room")
    markov = bool((ca == 1.0).all() and (cs == 1.0).all())

    def value(rate: Floats, servers: Floats) -> Floats:
        if when is not None:
            out = wait_tail(
                rate,
                time,
                servers,
                when,
                arrival_scv=ca,
                service_scv=cs,
                patience=patience,
                capacity=servers + room,
            )
        elif markov:
            out = getattr(erlang_a(rate, time, servers, patience, servers + room), measure)
        else:
            out = np.where(
                limited,
                getattr(erlang_a(rate, time, servers, patience, servers + room), measure),
                getattr(gigc(rate, time, servers, ca, cs), measure, 0.0),
            )
        return np.asarray(out)

    return value


def _target(
    arguments: dict[str, Numbers], measure: str, time: Numbers | None
) -> tuple[dict[str, Floats], Floats | None, tuple[int, ...]]:
    """Return the checked arguments, the time of a tail, and the common shape."""
    if measure not in MEASURES:
        raise unknown_choice("measure", measure, MEASURES)
    if (measure == "wait_tail") != (time is not None):
        raise refusal("time", repr(time), "must be given for measure 'wait_tail', and only there")
    extra = {} if time is None else {"time": time}
    stations, shape = rows(**arguments, **extra)
    names = (*arguments, *extra)
    given = dict(zip(names, stations.T, strict=True))
    return given, given.pop("time", None), shape


def fewest_servers(
    arrival_rate: Numbers,
    service_time: Numbers,
    target: Numbers,
    measure: str = "waiting_time",
    *,
    time: Numbers | None = None,
    arrival_scv: Numbers = 1.0,
    service_scv: Numbers = 1.0,
    patience: Numbers = math.inf,
    waiting_room: Numbers = math.inf,
) -> Floats:
    r"""Return the fewest servers with which a measure of the station meets its target.

    .. math:: c^* = \min \{c \in \{1, 2, \ldots\}: m(c) \le \text{target}\}

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T offered, lambda >= 0.
    service_time : array_like
        Mean service time of one server E[S] >= 0, in T.
    target : array_like
        What the measure may be at most, >= 0.
    measure : str
        ``waiting_time`` (of the served), ``wait_probability``, ``wait_tail`` (P(W > time)),
        ``loss_probability`` or ``abandonment_probability``.
    time : array_like, optional
        The time of ``wait_tail``, in T.
    arrival_scv, service_scv : array_like
        Squared coefficients of variation; must be 1 with patience or a waiting room.
    patience : array_like
        Mean time that a job waits before it gives up, in T.
    waiting_room : array_like
        Waiting places beside the servers, whole; 0 for a loss station.

    Returns
    -------
    float or ndarray
        Whole numbers >= 1, in the arguments' common shape; inf where none can be found.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range or the combination has no formula.

    Notes
    -----
    Exact search: all measures fall with the number of servers. It starts from the square-root
    rule, doubles its steps until the target lies between, and halves.

    References
    ----------
    Halfin and Whitt (1981) for the start; the measures as in `erlang_a`, `gigc`, `wait_tail`.

    Examples
    --------
    >>> fewest_servers(10.0, 1.0, [0.2, 0.05], "wait_probability").tolist()
    [14.0, 17.0]
    """
    given, when, shape = _target(
        {
            "arrival_rate": arrival_rate,
            "service_time": service_time,
            "target": target,
            "arrival_scv": arrival_scv,
            "service_scv": service_scv,
            "patience": patience,
            "waiting_room": waiting_room,
        },
        measure,
        time,
    )
    rate, goal = given["arrival_rate"], given["target"]
    value = _evaluator(measure, given, when)
    load = rate * given["service_time"]
    aim = np.clip(goal, 1e-12, 0.9) if measure == "wait_probability" else np.full(len(load), 0.5)
    start = np.asarray(square_root_servers(load, aim))

    def meets(servers: Floats) -> Booleans:
        return np.asarray(value(rate, servers) <= goal)

    return shaped(smallest_whole(meets, start), shape)


def largest_arrival_rate(
    service_time: Numbers,
    servers: Numbers,
    target: Numbers,
    measure: str = "waiting_time",
    *,
    time: Numbers | None = None,
    arrival_scv: Numbers = 1.0,
    service_scv: Numbers = 1.0,
    patience: Numbers = math.inf,
    waiting_room: Numbers = math.inf,
) -> Floats:
    r"""Return the largest arrival rate that the servers carry while a measure meets its target.

    .. math:: \lambda^* = \sup \{\lambda \ge 0: m(\lambda) \le \text{target}\}

    Parameters
    ----------
    service_time : array_like
        Mean service time of one server E[S] > 0, in T.
    servers : array_like
        Number of servers c > 0.
    target : array_like
        What the measure may be at most, >= 0.
    measure, time, arrival_scv, service_scv, patience, waiting_room
        As in `fewest_servers`.

    Returns
    -------
    float or ndarray
        Jobs per T; times the service time it is the load. inf where no rate up to 1e9 times the
        servers' capacity misses the target.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range or the combination has no formula.

    Notes
    -----
    By bisection to the last digits: all measures grow with the arrival rate.

    References
    ----------
    The measures as in `erlang_a`, `gigc`, `wait_tail`.

    Examples
    --------
    >>> round(float(largest_arrival_rate(1.0, 1, 1.0)), 12)
    0.5
    """
    given, when, shape = _target(
        {
            "service_time": service_time,
            "servers": servers,
            "target": target,
            "arrival_scv": arrival_scv,
            "service_scv": service_scv,
            "patience": patience,
            "waiting_room": waiting_room,
        },
        measure,
        time,
    )
    if (given["service_time"] <= 0.0).any():
        raise refusal("service_time", "0", "must be greater than 0")
    if np.isinf(given["servers"]).any():
        raise refusal("servers", "inf", "must be finite")
    value = _evaluator(measure, given, when)
    goal, count = given["target"], given["servers"]

    def misses(rate: Floats) -> Booleans:
        return np.asarray(value(rate, count) > goal)

    return shaped(smallest_real(misses, count / given["service_time"], MOST_DOUBLINGS), shape)
