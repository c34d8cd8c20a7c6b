"""GI/G/c by exact phase-type solutions: direct while small, extrapolated beyond.

What is carried over from small stations to large ones is the ratio to M/M/c, at equal
beta = (1 - rho) sqrt(c): in the many-server limit of Halfin and Whitt (1981) the ratio depends on
beta alone, with a correction of order 1/c that two smaller stations determine.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.erlang import delay_probability, erlang_c_scalar
from flownet.queues.general import gigc_factor, gigc_wait_probability, gigc_waiting_time
from flownet.queues.markov import mmc_waiting_time
from flownet.queues.numerics import spare_servers
from flownet.queues.phases import block_order
from flownet.queues.quasi import phphc_measures

Floats = NDArray[np.float64]

UNDERFLOW = 1e-200
LEAST_CHANCE = 1e-12  # of a wait: rounding is 1e-16 of all jobs
LOWEST_RATIO = 0.3  # load ratio below which a smaller station is not looked at
HIGHEST_RATIO = 0.9999  # load ratio above which the ratio to M/M/c runs straight to its limit
LEAST_ARRIVAL_SCV = 1.0 / 8.0  # smaller ones are solved here and scaled by the formula
LEAST_SERVICE_SCV = 1.0 / 8.0


@njit
def _smaller_stations(
    load_ratio: float, servers: int, arrival_scv: float, service_scv: float, largest_order: int
) -> tuple[int, int, float]:
    """Return the two stations to solve in place of `servers`, and how far to go beyond them.

    The logarithm of the ratio is continued in 1/c by `step` times its change from the smaller to
    the larger of the two. Step 0: the larger alone.
    """
    if block_order(servers, arrival_scv, service_scv) <= largest_order:
        return servers, servers, 0.0
    large = 1
    while block_order(large + 1, arrival_scv, service_scv) <= largest_order:
        large += 1
    small = (large + 1) // 2
    if small == large or (1.0 - load_ratio) * math.sqrt(servers / small) > 1.0 - LOWEST_RATIO:
        return large, small, 0.0
    return large, small, (1.0 / large - 1.0 / servers) / (1.0 / small - 1.0 / large)


@njit
def _plan(
    load_ratio: float, servers: int, arrival_scv: float, service_scv: float, largest_order: int
) -> Floats:
    """Return the stations to solve for whole c, a row each: c, load ratio, service scv, power.

    Rows 0 and 1: the larger and the smaller station; their ratios to M/M/c are multiplied, each
    raised to its power. Rows 2 and 3: the same with exponential service where rows 0 and 1 have
    service scv 1/2, for service smoother than the order permits. Unused rows have power 0.
    """
    fits = service_scv >= LEAST_SERVICE_SCV and (
        block_order(servers, arrival_scv, service_scv) <= largest_order
    )
    line = service_scv < 0.5 and not fits
    rows = np.zeros((4, 4))
    for k in range(2 if line else 1):
        scv = 0.5 * (k + 1.0) if line else service_scv
        large, small, step = _smaller_stations(load_ratio, servers, arrival_scv, scv, largest_order)
        for m in range(2):
            size = large if m == 0 else small
            spare = (1.0 - load_ratio) * math.sqrt(servers / size)
            rows[2 * k + m, 0] = size
            rows[2 * k + m, 1] = max(min(load_ratio, LOWEST_RATIO), 1.0 - spare)
            rows[2 * k + m, 2] = scv
            rows[2 * k + m, 3] = 1.0 + step if m == 0 else -step
    return rows


@njit
def _straight_line(half: float, one: float, service_scv: float) -> float:
    """Return the value at `service_scv` < 1/2 from those at 1/2 and 1, kept above 0.

    The mean wait is all but linear in the service scv below 1.
    """
    part = 1.0 - 2.0 * service_scv
    return max(half + part * (half - one), 0.5 * half * math.exp(part * math.log(half / one)))


@njit
def _combined(plan: Floats, ratios: Floats, service_scv: float) -> float:
    """Return the ratio to M/M/c that the solved stations of a plan amount to."""
    logs = np.zeros(2)
    for k in range(4):
        if plan[k, 3] != 0.0:
            logs[k // 2] += plan[k, 3] * math.log(ratios[k])
    if plan[2, 3] == 0.0:
        return math.exp(logs[0])
    return _straight_line(math.exp(logs[0]), math.exp(logs[1]), service_scv)


@njit
def _heavy_traffic(ratio: float, limit: float, load_ratio: float, solved_ratio: float) -> float:
    """Return a ratio to M/M/c beyond the highest load ratio that is solved, linear in 1 - rho."""
    return limit + (ratio - limit) * (1.0 - load_ratio) / (1.0 - solved_ratio)


@njit
def _over(value: float, base: float) -> float:
    """Return a ratio that is safe to take the logarithm of where either side underflows."""
    return max(UNDERFLOW, value / base) if base > 0.0 else 1.0


@njit
def _arrival_scale(
    load_ratio: float, servers: float, arrival_scv: float, solved: float, service_scv: float
) -> tuple[float, float]:
    """Return what the formulas say that P(wait) and the mean wait change between arrival scvs."""
    load = load_ratio * servers
    chance = gigc_wait_probability(load, 1.0, servers, arrival_scv, service_scv)
    wait = gigc_factor(load_ratio, servers, arrival_scv, service_scv)
    return (
        _over(chance, gigc_wait_probability(load, 1.0, servers, solved, service_scv)),
        _over(wait, gigc_factor(load_ratio, servers, solved, service_scv)),
    )


@njit
def _hardly_ever(
    arrival_rate: float,
    service_time: float,
    servers: float,
    arrival_scv: float,
    service_scv: float,
) -> tuple[float, float]:
    """Return (P(wait), mean wait) where less than `LEAST_CHANCE` of the jobs wait.

    By the formulas; for smooth arrivals, where these are too high by powers of ten, 0.
    """
    if arrival_scv < 1.0:
        return 0.0, 0.0
    return (
        gigc_wait_probability(arrival_rate, service_time, servers, arrival_scv, service_scv),
        gigc_waiting_time(arrival_rate, service_time, servers, arrival_scv, service_scv),
    )


@njit
def gigc_refined_measures(
    arrival_rate: float,
    service_time: float,
    servers: float,
    arrival_scv: float,
    service_scv: float,
    largest_order: int,
) -> tuple[float, float]:
    """Return (P(wait), mean wait) of GI/G/c, from Ph/Ph/c; inf where overloaded.

    `largest_order` bounds the matrices, and with them time: 16 takes about 0.1 ms a station, 64
    up to 10 ms, 128 up to 70 ms. Fractional c: geometrically between its neighbors.
    """
    markov = mmc_waiting_time(arrival_rate, service_time, servers)
    spare = spare_servers(arrival_rate, service_time, servers)
    chance = delay_probability(servers, arrival_rate * service_time, spare)
    if markov == 0.0 or math.isinf(markov) or arrival_scv + service_scv == 0.0:
        return (chance, markov) if arrival_scv + service_scv > 0.0 or spare <= 0.0 else (0.0, 0.0)
    if arrival_scv == 1.0 and (service_scv == 1.0 or servers == 1.0):
        return chance, markov * 0.5 * (1.0 + service_scv)
    load_ratio = 1.0 - spare / servers
    solved_ratio = min(load_ratio, HIGHEST_RATIO)
    solved_scv = max(arrival_scv, LEAST_ARRIVAL_SCV)
    lower = max(1.0, np.floor(servers))
    part = max(1.0, servers) - lower
    logs = np.zeros(2)
    for k in range(1 if part == 0.0 else 2):
        c = lower + k
        plan = _plan(solved_ratio, int(c), solved_scv, service_scv, largest_order)
        chances = np.ones(4)
        waits = np.ones(4)
        for i in range(4):
            size, rho, scv = plan[i, 0], plan[i, 1], plan[i, 2]
            if plan[i, 3] != 0.0 and not (solved_scv == 1.0 and scv == 1.0):
                some, late = phphc_measures(rho * size, 1.0, size, solved_scv, scv)
                if not some > LEAST_CHANCE or not late > 0.0:
                    return _hardly_ever(
                        arrival_rate, service_time, servers, arrival_scv, service_scv
                    )
                chances[i] = _over(some, erlang_c_scalar(size, rho * size))
                waits[i] = _over(late, mmc_waiting_time(rho * size, 1.0, size))
        scale = _arrival_scale(load_ratio, c, arrival_scv, solved_scv, service_scv)
        late = _combined(plan, waits, service_scv)
        late = _heavy_traffic(late, 0.5 * (solved_scv + service_scv), load_ratio, solved_ratio)
        some = _heavy_traffic(_combined(plan, chances, service_scv), 1.0, load_ratio, solved_ratio)
        share = part if k == 1 else 1.0 - part
        logs[0] += share * math.log(some * scale[0])
        logs[1] += share * math.log(late * scale[1])
    return min(1.0, chance * math.exp(logs[0])), markov * math.exp(logs[1])
