"""Phase-type laws fitted to two moments, and the transitions of a station that has them.

Level = number present. Inside a level a state is a pair (phase of the arrivals, how many jobs in
service are in each phase).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MANY = 10**9  # as good as infinite: far beyond what can be solved


@njit
def phase_count(scv: float) -> int:
    """Return the number of phases of `fitted_phases`."""
    if scv >= 1.0:
        return 1 if scv == 1.0 else 2
    return math.ceil(1.0 / scv - 1e-12)


@njit
def fitted_phases(scv: float) -> tuple[Floats, Floats, Floats]:
    """Return (alpha, T, exit rates) of a phase-type law with mean 1 and the given scv > 0.

    Balanced hyperexponential for scv > 1; for scv < 1 the mixture of Erlang-(k-1) and Erlang-k of
    one rate (Tijms 1994) with 1/k <= scv <= 1/(k-1).
    """
    k = phase_count(scv)
    alpha = np.zeros(k)
    matrix = np.zeros((k, k))
    leave = np.zeros(k)
    if scv >= 1.0:
        first = 0.5 * (1.0 + math.sqrt((scv - 1.0) / (scv + 1.0))) if k == 2 else 1.0
        for i in range(k):
            alpha[i] = first if i == 0 else 1.0 - first
            leave[i] = 2.0 * alpha[i] if k == 2 else 1.0
            matrix[i, i] = -leave[i]
        return alpha, matrix, leave
    skip = (k * scv - math.sqrt(max(0.0, k * (1.0 + scv) - k * k * scv))) / (1.0 + scv)
    rate = k - skip
    alpha[0] = 1.0 - skip
    alpha[1] = skip
    for i in range(k):
        matrix[i, i] = -rate
        if i + 1 < k:
            matrix[i, i + 1] = rate
    leave[k - 1] = rate
    return alpha, matrix, leave


@njit
def configuration_count(jobs: int, phases: int) -> int:
    """Return in how many ways `jobs` can be spread over `phases`, at most `MANY`."""
    total = 1
    for i in range(1, phases):
        total = total * (jobs + i) // i
        if total > MANY:
            return MANY
    return total


@njit
def block_order(servers: float, arrival_scv: float, service_scv: float) -> int:
    """Return the size of the repeating block of Ph/Ph/c, for whole c."""
    return phase_count(arrival_scv) * configuration_count(int(servers), phase_count(service_scv))


@njit
def configurations(jobs: int, phases: int) -> Integers:
    """Return all spreads of `jobs` over `phases`, in lexicographic order."""
    count = configuration_count(jobs, phases)
    out = np.zeros((count, phases), np.int64)
    out[0, phases - 1] = jobs
    for row in range(1, count):
        for q in range(phases):
            out[row, q] = out[row - 1, q]
        # the next in order: move one job from the last occupied place to the one before it
        last = phases - 1
        while out[row, last] == 0:
            last -= 1
        moved = out[row, last]
        out[row, last] = 0
        out[row, last - 1] += 1
        out[row, phases - 1] = moved - 1
    return out


@njit
def _place(config: Integers, jobs: int) -> int:
    """Return the row of `config` in `configurations(jobs, len(config))`."""
    phases = config.size
    left = jobs
    row = 0
    for q in range(phases - 1):
        for smaller in range(config[q]):
            row += configuration_count(left - smaller, phases - q - 1)
        left -= config[q]
    return row


@njit
def level_blocks(
    jobs: int,
    busy_after: bool,
    arrival: tuple[Floats, Floats, Floats],
    service: tuple[Floats, Floats, Floats],
    grow: bool,
) -> tuple[Floats, Floats, Floats]:
    """Return the blocks (up, local, down) of the level in which `jobs` are in service.

    `grow`: an arrival starts service at once (below c); `busy_after`: a completion is followed by
    the start of a waiting job (above c).
    """
    alpha, inside, leave = arrival
    beta, change, finish = service
    a = alpha.size
    m = beta.size
    configs = configurations(jobs, m)
    count = configs.shape[0]
    config = np.zeros(m, np.int64)
    upper = configuration_count(jobs + 1, m) if grow else count
    lower = count if busy_after or jobs == 0 else configuration_count(jobs - 1, m)
    up = np.zeros((a * count, a * upper))
    local = np.zeros((a * count, a * count))
    down = np.zeros((a * count, a * lower))
    for x in range(count):
        for q in range(m):
            config[q] = configs[x, q]
        for i in range(a):
            row = i * count + x
            for j in range(a):
                local[row, j * count + x] += inside[i, j]
                if grow:
                    for q in range(m):
                        config[q] += 1
                        to = j * upper + _place(config, jobs + 1)
                        config[q] -= 1
                        up[row, to] += leave[i] * alpha[j] * beta[q]
                else:
                    up[row, j * count + x] += leave[i] * alpha[j]
        for q in range(m):
            number = float(config[q])
            if number == 0.0:
                continue
            config[q] -= 1
            for r in range(m):
                config[r] += 1
                to = _place(config, jobs)
                config[r] -= 1
                for i in range(a):
                    local[i * count + x, i * count + to] += number * change[q, r]
                    if busy_after:
                        down[i * count + x, i * count + to] += number * finish[q] * beta[r]
            if not busy_after:
                to = _place(config, jobs - 1)
                for i in range(a):
                    down[i * count + x, i * lower + to] += number * finish[q]
            config[q] += 1
    return up, local, down
