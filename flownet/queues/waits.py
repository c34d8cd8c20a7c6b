"""The law of the wait, not only its mean: P(W > t) and percentiles."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.abandonment import MANY_STATES
from flownet.queues.ages import WaitLaw
from flownet.queues.arguments import (
    Numbers,
    columns,
    refusal,
    refuse_small_capacity,
    rows,
    shaped,
    unknown_choice,
    whole,
)
from flownet.queues.impatience import impatient_wait_tail
from flownet.queues.inversion import GAMMA, INVERSE_GAUSSIAN, PHASES, mg1_wait_tail_scalar
from flownet.queues.laws import survival
from flownet.queues.many_servers import ORDER, gigc
from flownet.queues.phases import MANY, block_order
from flownet.queues.search import smallest_real
from flownet.queues.states import wait_tail_scalar

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

Kernel = Callable[[Floats, Floats], None]
Tail = Callable[[Floats], Floats]

LEAST_EXACT_SCV = 1.0 / 8.0
LAWS = {"phases": PHASES, "gamma": GAMMA, "inverse_gaussian": INVERSE_GAUSSIAN}
# columns of a station here
RATE, TIME, SERVERS, ARRIVAL, SERVICE, PATIENCE, PATIENCE_SCV, CAPACITY = range(8)


@njit
def state_rows(stations: Floats, out: Floats) -> None:
    """Write P(W > t) of the admitted and of the served in M/M/c/K+M."""
    for i in range(stations.shape[0]):
        tails = wait_tail_scalar(
            stations[i, 0],
            stations[i, 1],
            stations[i, 2],
            stations[i, 3],
            stations[i, 4],
            stations[i, 5],
        )
        out[i, 0] = tails[0]
        out[i, 1] = tails[1]


@njit
def impatient_rows(stations: Floats, out: Floats) -> None:
    """Write P(W > t) of the admitted and of the served in M/M/c+G."""
    for i in range(stations.shape[0]):
        tails = impatient_wait_tail(
            stations[i, 0],
            stations[i, 1],
            stations[i, 2],
            stations[i, 3],
            stations[i, 4],
            stations[i, 5],
        )
        out[i, 0] = tails[0]
        out[i, 1] = tails[1]


@njit
def inversion_rows(stations: Floats, out: Floats) -> None:
    """Write P(W > t) of the admitted and of the served in M/G/1."""
    for i in range(stations.shape[0]):
        out[i, 0] = mg1_wait_tail_scalar(
            stations[i, 0], stations[i, 1], stations[i, 2], stations[i, 3], stations[i, 4]
        )
        out[i, 1] = out[i, 0]


@njit
def _survival_rows(points: Floats, out: Floats) -> None:
    for i in range(points.shape[0]):
        out[i, 0] = survival(points[i, 0], points[i, 1])[0]


def conditional_scv(load_ratio: Floats, service_scv: Floats) -> Floats:
    """Return the scv of the wait of those who wait (Whitt 1983, eq. 53 and 54)."""
    high = 3.0 * service_scv * (1.0 + service_scv)
    low = (2.0 * service_scv + 1.0) * (service_scv + 1.0)
    cubed = np.where(service_scv >= 1.0, high, low)
    scv = 2.0 * load_ratio - 1.0 + 4.0 * (1.0 - load_ratio) * cubed / (3.0 * (1 + service_scv) ** 2)
    return np.asarray(scv)


def _fitted_tail(stations: Floats) -> Tail:
    """Return P(W > t) of GI/G/c: of phase-type laws where small, else fitted to two moments."""
    measures = gigc(*stations[:, : SERVICE + 1].T)
    chance = np.asarray(measures.wait_probability)
    wait = np.asarray(measures.waiting_time)
    ratio = np.minimum(1.0, np.asarray(measures.load_ratio))
    scv = conditional_scv(ratio, stations[:, SERVICE])

    law = functools.cache(WaitLaw)
    loads = stations[:, RATE] * stations[:, TIME]
    described = zip(loads, *stations[:, SERVERS : SERVICE + 1].T, strict=True)
    exact = {
        i: law(float(load), int(count), float(ca), float(cs))
        for i, (load, count, ca, cs) in enumerate(described)
        if 0.0 < wait[i] < np.inf and is_solvable(count, ca, cs)
    }

    def tail(time: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            points = np.where(wait > 0.0, time * chance / wait, np.inf)
        points = np.where(np.isinf(wait), 0.0, np.minimum(points, 1e300))
        later = columns(_survival_rows, np.stack([scv, points], axis=1), 1)[0]
        for i, law in exact.items():
            later[i] = (
                law.later(float(time[i] / stations[i, TIME])) if np.isfinite(time[i]) else 0.0
            )
        return np.asarray(np.where(np.isinf(wait), 1.0, chance * later))

    return tail


def is_solvable(servers: float, arrival_scv: float, service_scv: float) -> bool:
    """Tell whether the law of the wait is found exactly, for phase-type laws of these moments."""
    if servers != math.floor(servers) or min(arrival_scv, service_scv) < LEAST_EXACT_SCV:
        return False
    return block_order(min(servers, MANY), arrival_scv, service_scv) <= ORDER


def is_odd(rate: float, patience: float, capacity: float, patience_scv: float) -> bool:
    """Tell whether the integrals for patience of any law are taken, not sums over states."""
    many = math.isinf(capacity) and rate * patience > MANY_STATES
    return math.isfinite(patience) and (patience_scv != 1.0 or many)


def _kernel_tail(stations: Floats, kernel: Kernel, served: bool) -> Tail:
    """Return P(W > t) by a compiled kernel that takes the time as its last argument."""

    def tail(time: Floats) -> Floats:
        results = columns(kernel, np.column_stack([stations, time]), 2)
        return results[1 if served else 0]

    return tail


def _tails(stations: Floats, law: float, served: bool) -> Tail:
    """Return P(W > t) as a function of t, each station by the method that fits it."""
    general = (stations[:, ARRIVAL] != 1.0) | (stations[:, SERVICE] != 1.0)
    single = general & (stations[:, ARRIVAL] == 1.0) & (stations[:, SERVERS] == 1.0)
    odd = np.array(
        [is_odd(*row) for row in stations[:, [RATE, PATIENCE, CAPACITY, PATIENCE_SCV]].tolist()],
        bool,
    )
    laws = np.full(len(stations), law)
    coded = np.column_stack([stations, laws])
    parts: list[tuple[Booleans, Tail]] = []
    groups: tuple[tuple[Booleans, Kernel, list[int]], ...] = (
        (single, inversion_rows, [RATE, TIME, SERVICE, len(coded.T) - 1]),
        (odd, impatient_rows, [RATE, TIME, SERVERS, PATIENCE, PATIENCE_SCV]),
        (~(general | odd), state_rows, [RATE, TIME, SERVERS, PATIENCE, CAPACITY]),
    )
    for chosen, kernel, wanted in groups:
        if chosen.any():
            parts.append((chosen, _kernel_tail(coded[chosen][:, wanted], kernel, served)))
    fitted = general & ~single
    if fitted.any():
        parts.append((fitted, _fitted_tail(stations[fitted])))

    def tail(time: Floats) -> Floats:
        out = np.empty(len(stations))
        for chosen, part in parts:
            out[chosen] = part(time[chosen])
        return out

    return tail


def _described(
    given: dict[str, Numbers], extra: dict[str, Numbers], of: str, law: str
) -> tuple[Floats, Floats, tuple[int, ...]]:
    """Return the stations, the extra argument and the shape, or refuse what has no formula."""
    if of not in ("admitted", "served"):
        raise unknown_choice("of", of, ("admitted", "served"))
    if law not in LAWS:
        raise unknown_choice("law", law, tuple(LAWS))
    together, shape = rows(**given, **extra)
    stations, last = together[:, :-1], together[:, -1]
    limits = np.isfinite(stations[:, PATIENCE]) | np.isfinite(stations[:, CAPACITY])
    general = (stations[:, ARRIVAL] != 1.0) | (stations[:, SERVICE] != 1.0)
    if (limits & general).any():
        raise refusal("arrival_scv, service_scv", "not 1", "must be 1 with patience or a capacity")
    both = np.isfinite(stations[:, CAPACITY]) & np.isfinite(stations[:, PATIENCE])
    if (both & (stations[:, PATIENCE_SCV] != 1.0)).any():
        raise refusal("patience_scv", "not 1", "must be 1 with a finite capacity")
    refuse_small_capacity(stations[:, SERVERS], stations[:, CAPACITY])
    states = limits & ~(np.isfinite(stations[:, PATIENCE]) & (stations[:, PATIENCE_SCV] != 1.0))
    whole("servers", stations[states, SERVERS])
    whole("capacity", stations[:, CAPACITY])
    return stations, last, shape


def wait_tail(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    time: Numbers,
    *,
    arrival_scv: Numbers = 1.0,
    service_scv: Numbers = 1.0,
    patience: Numbers = math.inf,
    patience_scv: Numbers = 1.0,
    capacity: Numbers = math.inf,
    of: str = "admitted",
    law: str = "phases",
) -> Floats:
    r"""Return the probability that a job waits longer than a given time, P(W > t).

    .. math:: P(W > t) = C e^{-(c\mu - \lambda) t}\ \text{(M/M/c)}

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda >= 0.
    service_time : array_like
        Mean service time of one server E[S] >= 0, in T.
    servers : array_like
        Number of servers c > 0; whole with patience or a capacity.
    time : array_like
        The time t >= 0, in T.
    arrival_scv, service_scv : array_like
        Squared coefficients of variation; must be 1 with patience or a capacity.
    patience : array_like
        Mean time that a job waits before it gives up, in T.
    patience_scv : array_like
        Squared coefficient of variation of the patience; 1 with a capacity.
    capacity : array_like
        Places K >= c, whole.
    of : {'admitted', 'served'}
        The wait of all admitted jobs, also of those who give up, or of the served ones alone.
    law : {'phases', 'gamma', 'inverse_gaussian'}
        The law of the service time of M/G/1.

    Returns
    -------
    float or ndarray
        In the arguments' common shape; 1 where the station is overloaded.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range or the combination has no formula.

    Notes
    -----
    First come first served. Exact for M/M/c, M/M/c/K and M/M/c/K+M (absolute error 1e-15), for
    M/M/c+G with the fitted law, and for M/G/1 (inversion, absolute error 1e-10; 1e-6 for constant
    service). GI/G/c by the law of Ph/Ph/c with these moments where `gigc` solves that exactly, scvs
    of 1/8 and more (relative error 1e-8; two moments do not determine the wait). Elsewhere P(wait)
    and the mean of `gigc` with the scv of the wait of those who wait by Whitt's formula: an
    approximation, better towards saturation.

    References
    ----------
    Abate and Whitt (1995), inversion; Zeltyn and Mandelbaum (2005), patience; Sengupta (1989), the
    age process of Ph/Ph/c; Whitt (1983), eq. 53.

    Examples
    --------
    >>> round(float(wait_tail(0.5, 1.0, 1, 2.0)), 12)
    0.183939720586
    """
    stations, when, shape = _described(
        {
            "arrival_rate": arrival_rate,
            "service_time": service_time,
            "servers": servers,
            "arrival_scv": arrival_scv,
            "service_scv": service_scv,
            "patience": patience,
            "patience_scv": patience_scv,
            "capacity": capacity,
        },
        {"time": time},
        of,
        law,
    )
    return shaped(_tails(stations, LAWS[law], of == "served")(when), shape)


def wait_percentile(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    probability: Numbers,
    *,
    arrival_scv: Numbers = 1.0,
    service_scv: Numbers = 1.0,
    patience: Numbers = math.inf,
    patience_scv: Numbers = 1.0,
    capacity: Numbers = math.inf,
    of: str = "admitted",
    law: str = "phases",
) -> Floats:
    r"""Return the time that a share of the jobs does not exceed in waiting.

    .. math:: t_p = \min \{t \ge 0: P(W > t) \le 1 - p\}; \quad
              t_p = \left(\frac{\ln (C/(1-p))}{c\mu - \lambda}\right)^+ \ \text{(M/M/c)}

    Parameters
    ----------
    arrival_rate, service_time, servers : array_like
        As in `wait_tail`.
    probability : array_like
        The share p of the jobs, between 0 and 1; 0.95 for the 95th percentile.
    arrival_scv, service_scv, patience, patience_scv, capacity : array_like
        As in `wait_tail`.
    of, law : str
        As in `wait_tail`.

    Returns
    -------
    float or ndarray
        In T; 0 where at least the share p does not wait, inf where overloaded.

    Raises
    ------
    ParameterError
        As in `wait_tail`.

    Notes
    -----
    By bisection of `wait_tail` to the last digits; shares beyond 1 - 1e-9 are not resolved where
    the tail is computed with an absolute error.

    References
    ----------
    As in `wait_tail`.

    Examples
    --------
    >>> round(float(wait_percentile(0.5, 1.0, 1, 0.9)), 10)
    3.2188758249
    """
    stations, share, shape = _described(
        {
            "arrival_rate": arrival_rate,
            "service_time": service_time,
            "servers": servers,
            "arrival_scv": arrival_scv,
            "service_scv": service_scv,
            "patience": patience,
            "patience_scv": patience_scv,
            "capacity": capacity,
        },
        {"probability": probability},
        of,
        law,
    )
    guess = np.maximum(stations[:, TIME], np.finfo(float).tiny)

    tail = _tails(stations, LAWS[law], of == "served")

    def meets(time: Floats) -> Booleans:
        return np.asarray(tail(time) <= 1.0 - share)

    with np.errstate(over="ignore"):
        return shaped(smallest_real(meets, guess), shape)
