"""Ph/Ph/c/K+M solved exactly: finite places, or waiting jobs that give up, level by level."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import Numbers, refusal, refuse_small_capacity, rows, whole
from flownet.queues.dense import (
    factorize_rates,
    multiply,
    negative,
    null_vector,
    row_sums,
    solve_left,
    subtract,
)
from flownet.queues.measures import Abandoning, abandoning
from flownet.queues.phases import block_order, fitted_phases, level_blocks
from flownet.queues.quasi import eliminated

Floats = NDArray[np.float64]

MOST_ROWS, MOST_LEVELS = 1000, 5000
COLUMNS = 4  # time, arrivals, jobs waiting, arrivals that find every place taken
DEVIATIONS = 10.0  # of the number who would wait, where only patience limits it
RARE = 35.0  # logarithm of the share of a geometric line that is cut off


@njit
def waiting_levels(
    arrival_rate: float,
    service_time: float,
    servers: float,
    arrival_scv: float,
    service_scv: float,
    capacity: float,
    patience: float,
) -> float:
    """Return how many waiting places a chain needs: all, or as many as are ever used.

    Without patience fewer wait than in a line at heavy traffic, with patience fewer than would if
    nobody was ever served.
    """
    most = capacity - servers
    if math.isfinite(patience):
        mean = arrival_rate * patience
        spread = math.sqrt(max(mean, 1.0) * max(1.0, arrival_scv))
        most = min(most, math.ceil(mean + DEVIATIONS * spread + DEVIATIONS))
    spare = 1.0 - arrival_rate * service_time / servers
    if spare > 0.0:
        decay = 2.0 * spare / max(1.0, arrival_scv + service_scv)
        most = min(most, math.ceil(RARE / decay + DEVIATIONS))
    return most


@njit
def phphck_measures(
    arrival_rate: float,
    service_time: float,
    servers: float,
    arrival_scv: float,
    service_scv: float,
    capacity: float,
    patience: float,
) -> tuple[float, float, float]:
    """Return (share of arrivals that find it full, P(wait | admitted), number waiting).

    For whole servers and a whole, finite number of places above them. Levels are eliminated from
    the top down to c, pi_{n+1} = pi_n R_n, and from below up to c; sums over the levels above c are
    carried along as columns.
    """
    count, room = int(servers), int(capacity - servers)
    load = arrival_rate * service_time
    alpha, inside, leave = fitted_phases(arrival_scv)
    for i in range(alpha.size):
        leave[i] *= load
        for j in range(alpha.size):
            inside[i, j] *= load
    arrival, service = (alpha, inside, leave), fitted_phases(service_scv)
    kernel, sums = eliminated(count, arrival, service)
    gone = service_time / patience  # rate of giving up, in the unit of the service time
    within, local, totals = _from_the_top(count, room, gone, arrival, service)
    # level c: what comes back from above, and what the levels below leave of it
    size = local.shape[0]
    for i in range(size):
        for j in range(size):
            kernel[i, j] += within[i, j] + local[i, j]
    factorize_rates(kernel, np.zeros(size))
    start = null_vector(kernel)
    mass = busy = free = waiting = full = 0.0
    for i in range(size):
        mass += start[0, i] * (sums[i, 0] - 1.0 + totals[i, 0])
        free += start[0, i] * sums[i, 1]
        busy += start[0, i] * totals[i, 1]
        waiting += start[0, i] * totals[i, 2]
        full += start[0, i] * totals[i, 3]
    offered = busy + free
    return full / offered, (busy - full) / (offered - full), waiting / mass


@njit
def _from_the_top(
    servers: int,
    room: int,
    gone: float,
    arrival: tuple[Floats, Floats, Floats],
    service: tuple[Floats, Floats, Floats],
) -> tuple[Floats, Floats, Floats]:
    """Eliminate the levels above c from the top down.

    Returns minus the rates within level c with what comes back from above, the rates within it
    alone, and per unit of each state of level c the sums of the levels from c on.
    """
    up, local, down = level_blocks(servers, True, arrival, service, False)
    size = local.shape[0]
    each = size // arrival[0].size
    within = negative(local)
    subtract(within, up)  # who finds all places taken leaves the number as it is
    totals = np.zeros((size, COLUMNS))
    for level in range(room, -1, -1):
        if level < room:
            back = np.zeros((size, size + COLUMNS))
            for i in range(size):
                for j in range(size):
                    back[i, j] = down[i, j]
                back[i, i] += gone * (level + 1)
                for j in range(COLUMNS):
                    back[i, size + j] = totals[i, j]
            leak = row_sums(down)
            for i in range(size):
                leak[i] += gone * (level + 1)
            factorize_rates(within, leak)
            solve_left(within, back)
            risen = multiply(up, back)
            within = negative(local)
            for i in range(size):
                for j in range(size):
                    within[i, j] -= risen[i, j]
                for j in range(COLUMNS):
                    totals[i, j] = risen[i, size + j]
        for i in range(size):
            coming = arrival[2][i // each]
            totals[i, 0] += 1.0
            totals[i, 1] += coming
            totals[i, 2] += level
            totals[i, 3] += coming if level == room else 0.0
    return within, local, totals


def phphck(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    capacity: Numbers = math.inf,
    arrival_scv: Numbers = 1.0,
    service_scv: Numbers = 1.0,
    patience: Numbers = math.inf,
) -> Abandoning:
    r"""Return the exact measures of Ph/Ph/c/K+M with phase-type laws fitted to two moments.

    .. math:: \pi_{n+1} = \pi_n R_n, \quad
              R_{n-1} = A_0 (-A_1^{(n)} - R_n A_2^{(n+1)})^{-1}, \quad c < n \le K

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T offered, lambda > 0.
    service_time : array_like
        Mean service time of one server E[S] > 0, in T.
    servers : array_like
        Number of servers c, whole.
    capacity : array_like
        Places K > c, waiting and in service, whole; inf only with finite patience.
    arrival_scv, service_scv : array_like
        Squared coefficients of variation, > 0: balanced hyperexponential above 1, a mixture of
        two neighboring Erlang laws of one rate below.
    patience : array_like
        Mean time > 0 that a job waits before it gives up, exponential, in T; inf: it never does.

    Returns
    -------
    Abandoning
        Arrays in the arguments' common shape; ``waiting_time`` is nan where patience is finite:
        the wait of those who are served takes more than the numbers present.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range, or the matrices would exceed 1,000 rows or 5,000
        levels.

    Notes
    -----
    Exact for these laws, to rounding. Where nothing but patience limits the line, it is cut off
    where the rest has no weight. The time grows with the levels and the cube of the matrices' rows:
    (arrival phases) times (c + m - 1 choose m - 1) for m service phases.

    References
    ----------
    Gaver, Jacobs and Latouche (1984), Adv. Appl. Prob. 16:715, linear level reduction; Tijms
    (1994), section 5.2, for the fits.

    Examples
    --------
    >>> round(float(phphck(0.95, 1.0, 1, 2, 1.0, 4.0).loss_probability), 4)
    0.3546
    """
    stations, shape = rows(
        arrival_rate=arrival_rate,
        service_time=service_time,
        servers=servers,
        capacity=capacity,
        arrival_scv=arrival_scv,
        service_scv=service_scv,
        patience=patience,
    )
    _refuse_unsolvable(stations)
    table = np.array([_solved(*row) for row in stations.tolist()]).reshape(-1, 3)
    full, chance, waiting = table.T
    rate, time, patience_time = stations[:, 0], stations[:, 1], stations[:, 6]
    admitted = rate * (1.0 - full)
    gone = waiting / patience_time / rate
    wait = waiting / admitted
    served = np.where(np.isfinite(patience_time), math.nan, wait)
    busy = (admitted - gone * rate) * time
    return abandoning(stations, (chance, waiting, gone, wait, served, busy, full), shape)


def _solved(
    rate: float, time: float, servers: float, capacity: float, ca: float, cs: float, patience: float
) -> tuple[float, float, float]:
    used = waiting_levels(rate, time, servers, ca, cs, capacity, patience)
    full, chance, waiting = phphck_measures(rate, time, servers, ca, cs, servers + used, patience)
    return (full if servers + used == capacity else 0.0), chance, waiting


def _refuse_unsolvable(stations: Floats) -> None:
    """Refuse stations that the exact method cannot solve."""
    names = ("arrival_rate", "service_time", "servers", "arrival_scv", "service_scv")
    for name, column in zip(names, stations[:, [0, 1, 2, 4, 5]].T, strict=True):
        if (column <= 0.0).any():
            raise refusal(name, "0", "must be greater than 0 for the exact method")
    whole("servers", stations[:, 2])
    refuse_small_capacity(stations[:, 2], stations[:, 3])
    limited = np.isfinite(stations[:, 3])
    whole("capacity", stations[limited, 3])
    for rate, time, servers, capacity, ca, cs, patience in stations.tolist():
        if capacity == servers:
            message = "must be above the servers: without a waiting place, erlang_b has the answer"
            raise refusal("capacity", f"{capacity:g}", message)
        if math.isinf(capacity) and math.isinf(patience):
            raise refusal("capacity", "inf", "must be finite where patience is not: see phphc")
        order = block_order(servers, ca, cs)
        if order > MOST_ROWS:
            message = f"must be fewer: {order:g} rows in a matrix, at most {MOST_ROWS}"
            raise refusal("servers", f"{servers:g}", message)
        levels = waiting_levels(rate, time, servers, ca, cs, capacity, patience)
        if levels > MOST_LEVELS:
            message = f"must be less: {levels:g} places in line, at most {MOST_LEVELS}"
            raise refusal("capacity", f"{capacity:g}", message)
