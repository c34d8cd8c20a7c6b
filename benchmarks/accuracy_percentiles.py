"""How wrong percentiles of the wait with general times are, against the recursion of the waits."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from flownet import queues
from flownet.jit import njit
from flownet.kernels.compiled import Floats
from flownet.queues.laws import mixed_erlang

SERVERS = (1, 2, 10, 50)
LOADS = (0.5, 0.8, 0.9)
SPREADS = (0.25, 1.0, 4.0)
JOBS, BATCHES = 2_000_000, 20
SHARES = (0.9, 0.95, 0.99)


@njit
def draw(scv: float) -> float:
    """Draw from the law of mean 1: balanced hyperexponential, or a mixture of Erlang laws."""
    if scv >= 1.0:
        first = 0.5 * (1.0 + math.sqrt((scv - 1.0) / (scv + 1.0)))
        chosen = first if np.random.random() < first else 1.0 - first  # noqa: NPY002  # compiled
        return np.random.exponential(0.5 / chosen)  # noqa: NPY002
    phases, skip, rate = mixed_erlang(scv)
    left = int(phases) - (1 if np.random.random() < skip else 0)  # noqa: NPY002
    return np.random.gamma(left, 1.0 / rate)  # noqa: NPY002


@njit
def waits(servers: int, load: float, arrival_scv: float, service_scv: float, jobs: int) -> Floats:
    """Return the waits of so many jobs, one after the other (Kiefer and Wolfowitz 1955).

    A heap holds when each server is free.
    """
    np.random.seed(1)  # noqa: NPY002
    free = np.zeros(servers)
    out = np.empty(jobs)
    now = 0.0
    for job in range(-(jobs // 10), jobs):
        now += draw(arrival_scv) / (load * servers)
        if job >= 0:
            out[job] = max(0.0, free[0] - now)
        until = max(free[0], now) + draw(service_scv)
        place = 0
        while 2 * place + 1 < servers:
            child = 2 * place + 1
            if child + 1 < servers and free[child + 1] < free[child]:
                child += 1
            if free[child] >= until:
                break
            free[place] = free[child]
            place = child
        free[place] = until
    return out


def percentiles(count: int | None) -> str:
    """Return the table of percentiles of GI/G/c."""
    errors: dict[float, list[float]] = {share: [] for share in SHARES}
    noise: list[float] = []
    cases = list(product(SERVERS, LOADS, SPREADS, SPREADS))[:count]
    for servers, load, arrival_scv, service_scv in cases:
        runs = waits(servers, load, arrival_scv, service_scv, JOBS).reshape(BATCHES, -1)
        for share in SHARES:
            each = np.quantile(runs, share, axis=1)
            exact, error = each.mean(), each.std(ddof=1) / math.sqrt(BATCHES)
            if exact <= 0.0 or error > 0.03 * exact:
                continue
            found = queues.wait_percentile(
                load * servers,
                1.0,
                servers,
                share,
                arrival_scv=arrival_scv,
                service_scv=service_scv,
            )
            errors[share].append(abs(float(found) / exact - 1.0))
            noise.append(error / exact)
    lines = [
        "## GI/G/c, percentiles of the wait (against the recursion of the waits)",
        "",
        "| percentile | stations | mean error | 95th percentile | worst |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {share:.0%} | {len(each)} | {np.mean(each):.2%} | {np.quantile(each, 0.95):.2%} "
        f"| {max(each):.2%} |"
        for share, each in errors.items()
    ]
    return "\n".join(
        [
            *lines,
            "",
            f"Of {len(cases)} stations (servers {SERVERS}, loads {LOADS}, scv {SPREADS} of "
            f"arrivals and of service, {JOBS:.0e} jobs each), those where the simulated percentile "
            f"is above 0 and its standard error below 3%; it is {np.mean(noise):.2%} on average, "
            "and part of the errors.",
        ]
    )


SECTIONS = {"stations, percentiles": percentiles}
