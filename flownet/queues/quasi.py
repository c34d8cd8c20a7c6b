"""Ph/Ph/c solved exactly: a quasi-birth-death process, levels by the number present."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import Numbers, refusal, rows, whole
from flownet.queues.dense import (
    factorize,
    factorize_rates,
    multiply,
    negative,
    null_vector,
    row_sums,
    solve_left,
    solve_right,
    subtract,
)
from flownet.queues.measures import Delay, delay
from flownet.queues.phases import block_order, fitted_phases, level_blocks

Floats = NDArray[np.float64]

NAMES = ("arrival_rate", "service_time", "servers", "arrival_scv", "service_scv")
MOST_ROWS = 1000
DOUBLINGS = 60  # cyclic reduction converges quadratically; 2**60 levels are never reached


@njit
def first_passage_down(up: Floats, local: Floats, down: Floats) -> Floats:
    """Return G: in which phase a repeating level is first left downwards (cyclic reduction)."""
    n = local.shape[0]
    tall = np.zeros((2 * n, n))  # up on top of down
    for i in range(n):
        for j in range(n):
            tall[i, j] = up[i, j]
            tall[n + i, j] = down[i, j]
    middle = negative(local)
    first = negative(local)
    flat = np.zeros((n, 2 * n))  # up beside down
    for _ in range(DOUBLINGS):
        for i in range(n):
            for j in range(n):
                flat[i, j] = tall[i, j]
                flat[i, n + j] = tall[n + i, j]
        factors = middle.copy()
        factorize(factors)
        solve_left(factors, flat)
        four = multiply(tall, flat)  # the products up-up, up-down, down-up, down-down
        rise = 0.0
        fall = 0.0
        size = 0.0
        for i in range(n):
            for j in range(n):
                first[i, j] -= four[i, n + j]
                middle[i, j] -= four[i, n + j] + four[n + i, j]
                tall[i, j] = four[i, j]
                tall[n + i, j] = four[n + i, n + j]
                rise = max(rise, tall[i, j])
                fall = max(fall, tall[n + i, j])
                size = max(size, middle[i, j])
        if min(rise, fall) < 1e-17 * size:
            break
    factorize(first)
    passage = down.copy()
    solve_left(first, passage)
    return passage


@njit
def eliminated(
    servers: int,
    arrival: tuple[Floats, Floats, Floats],
    service: tuple[Floats, Floats, Floats],
) -> tuple[Floats, Floats]:
    """Return what the levels below c leave of level c, eliminated upwards: pi_{n-1} = pi_n V_n.

    First the matrix that takes the place of -A1 on level c; then, per unit of each state of level
    c, two columns: the mass of all levels up to c, and the arrivals below level c.
    """
    a = arrival[0].size
    kernel = np.zeros((0, 0))
    above = np.zeros((0, 0))
    sums = np.zeros((0, 2))
    for jobs in range(servers + 1):
        up, local, down = level_blocks(jobs, False, arrival, service, jobs < servers)
        size = local.shape[0]
        carried = np.zeros((size, 2))
        own = negative(local)
        if jobs > 0:
            factorize_rates(kernel, row_sums(above))
            solve_right(kernel, down)
            carried = multiply(down, sums)
            subtract(own, multiply(down, above))
        count = size // a
        for i in range(size):
            carried[i, 0] += 1.0
            if jobs < servers:
                carried[i, 1] += arrival[2][i // count]
        kernel, above, sums = own, up, carried
    return kernel, sums


@njit
def _boundary(
    servers: int,
    arrival: tuple[Floats, Floats, Floats],
    service: tuple[Floats, Floats, Floats],
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return pi_c but for a factor, the sums of the levels below, and the blocks above.

    The blocks are A0 (up), A1 (local), and A0 G, what climbs and comes back.
    """
    kernel, sums = eliminated(servers, arrival, service)
    up, local, down = level_blocks(servers, True, arrival, service, False)
    climb = multiply(up, first_passage_down(up, local, down))
    subtract(kernel, climb)
    factorize_rates(kernel, np.zeros(kernel.shape[0]))
    return null_vector(kernel), sums, up, local, climb


@njit
def boundary_level(
    servers: int,
    arrival: tuple[Floats, Floats, Floats],
    service: tuple[Floats, Floats, Floats],
) -> Floats:
    """Return the probabilities of the states with c present, but for a common factor."""
    return _boundary(servers, arrival, service)[0]


@njit
def phphc_measures(
    arrival_rate: float,
    service_time: float,
    servers: float,
    arrival_scv: float,
    service_scv: float,
) -> tuple[float, float]:
    """Return (P(wait), mean wait) of Ph/Ph/c with laws fitted to two moments; c an integer.

    Requires 0 < a < c. Above c the levels repeat: pi_{c+k} = pi_c R^k.
    """
    count = int(servers)
    load = arrival_rate * service_time
    alpha, inside, leave = fitted_phases(arrival_scv)
    for i in range(alpha.size):
        leave[i] *= load
        for j in range(alpha.size):
            inside[i, j] *= load
    service = fitted_phases(service_scv)
    arrival = (alpha, inside, leave)
    level, sums, up, local, climb = _boundary(count, arrival, service)
    # (I - R)^-1 x = x + up y with (-A1 - A0 G - A0) y = x, here for x = 1, arrivals, (I - R)^-1 1
    size = local.shape[0]
    beyond = negative(local)
    subtract(beyond, climb)
    subtract(beyond, up)
    factorize(beyond)
    wanted = np.zeros((size, 2))
    for i in range(size):
        wanted[i, 0] = 1.0
        wanted[i, 1] = leave[i // (size // alpha.size)]
    mass = busy = free = waiting = 0.0
    for turn in range(2):
        right = wanted.copy()
        solve_left(beyond, right)
        more = multiply(up, right)
        for i in range(size):
            if turn == 0:
                mass += level[0, i] * (sums[i, 0] + more[i, 0])
                free += level[0, i] * sums[i, 1]
                busy += level[0, i] * (wanted[i, 1] + more[i, 1])
                wanted[i, 0] += more[i, 0]
            else:
                waiting += level[0, i] * more[i, 0]
    return busy / (busy + free), waiting / (mass * arrival_rate)


def _refuse_unsolvable(stations: Floats) -> None:
    """Refuse stations that the exact method cannot solve."""
    for name, column in zip(NAMES, stations.T, strict=True):
        if (column <= 0.0).any():
            raise refusal(name, "0", "must be greater than 0 for the exact method")
    whole("servers", stations[:, 2])
    for _, _, servers, arrival_scv, service_scv in stations:
        order = block_order(servers, arrival_scv, service_scv)
        if order > MOST_ROWS:
            raise refusal(
                "servers",
                f"{servers:g}",
                f"must be fewer: {order:g} rows in a matrix with these scvs, at most {MOST_ROWS}",
            )


def phphc(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    arrival_scv: Numbers = 1.0,
    service_scv: Numbers = 1.0,
) -> Delay:
    r"""Return the exact measures of Ph/Ph/c with phase-type laws fitted to two moments.

    .. math:: \pi_{c+k} = \pi_c R^k, \quad A_0 + R A_1 + R^2 A_2 = 0

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda > 0.
    service_time : array_like
        Mean service time of one server E[S] > 0, in T.
    servers : array_like
        Number of servers, whole.
    arrival_scv, service_scv : array_like
        Squared coefficients of variation, > 0: balanced hyperexponential above 1, a mixture of
        two neighboring Erlang laws of one rate below.

    Returns
    -------
    Delay
        Arrays in the arguments' common shape; infinite delay where a >= c.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range or the matrices would exceed 1,000 rows.

    Notes
    -----
    Relative error about 1e-12 at load 0.9, 1e-8 at 0.9999. The time grows with the cube of the
    matrices' rows: (arrival phases) times (c + m - 1 choose m - 1) for m service phases.

    References
    ----------
    Neuts (1981), chapter 3; Tijms (1994), section 5.2, for the fits.

    Examples
    --------
    >>> round(float(phphc(1.0, 1.0, 2).waiting_time), 12)
    0.333333333333
    """
    stations, shape = rows(
        arrival_rate=arrival_rate,
        service_time=service_time,
        servers=servers,
        arrival_scv=arrival_scv,
        service_scv=service_scv,
    )
    _refuse_unsolvable(stations)
    results = [
        phphc_measures(rate, time, count, ca, cs) if rate * time < count else (1.0, math.inf)
        for rate, time, count, ca, cs in stations.tolist()
    ]
    table = np.array(results).reshape(-1, 2)
    return delay(stations, (table[:, 0], table[:, 1]), shape)
