"""How wrong the several-server queue with general times is, against simulation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from benchmarks.accuracy_open import document
from flownet import queues
from flownet.kernels.simulation import measures, simulate_once
from flownet.network.compile import compile_network
from flownet.network.model import Network

SERVERS = (1, 2, 5, 10, 20, 50)
LOADS = (0.5, 0.8, 0.9, 0.95)
SPREADS = (0.25, 1.0, 4.0)
VISITS = 6e6
METHODS = {
    "as solved (phase-type laws, exact where small)": "auto",
    "best formula (Whitt 1993, Kimura)": "formula",
}

Case = tuple[int, float, float, float]


def cases(*, poisson: bool) -> Iterator[Case]:
    """Yield servers, load, scv of arrivals and of service."""
    arrivals = (1.0,) if poisson else tuple(scv for scv in SPREADS if scv != 1.0)
    yield from product(SERVERS, LOADS, arrivals, SPREADS)


def simulated(case: Case, visits: float, seed: int) -> tuple[float, float]:
    """Return the mean wait in service times, and its relative standard error."""
    servers, load, arrival_scv, service_scv = case
    described = document(
        [
            {
                "name": "station",
                "servers": servers,
                "service_time": 1.0,
                "service_scv": service_scv,
                "external_arrival_rate": load * servers,
                "arrival_scv": arrival_scv,
            }
        ],
        [],
    )
    arrays = compile_network(Network.from_dict(described)).arrays
    horizon = visits / (load * servers)
    run = simulate_once(arrays, horizon=horizon, warmup=0.05 * horizon, seed=seed, batches=20)
    batches = run.tallies.waiting.sum(axis=(1, 2)) / run.tallies.length
    error = float(batches.std(ddof=1) / np.sqrt(batches.size) / batches.mean())
    return float(measures(run).number_waiting.sum()) / (load * servers), error


def table(title: str, chosen: list[Case], visits: float) -> str:
    """Return the errors of the mean wait, relative to the wait, where that can be told."""
    truths = [simulated(case, visits, seed) for seed, case in enumerate(chosen)]
    told = [k for k, (_, error) in enumerate(truths) if error < 0.03]
    noise = np.array([truths[k][1] for k in told])
    lines = [
        f"## {title}",
        "",
        "| method | mean error | 95th percentile | worst | mean at load 0.8 and more |",
        "| --- | --- | --- | --- | --- |",
    ]
    loads = np.array([chosen[k][1] for k in told])
    for name, method in METHODS.items():
        waits = [
            float(queues.gigc(load * servers, 1.0, servers, ca, cs, method=method).waiting_time)
            for servers, load, ca, cs in (chosen[k] for k in told)
        ]
        errors = np.abs(np.array(waits) / np.array([truths[k][0] for k in told]) - 1.0)
        high = errors[loads >= 0.8]
        lines.append(
            f"| {name} | {errors.mean():.2%} | {np.quantile(errors, 0.95):.2%} "
            f"| {errors.max():.2%} | {high.mean():.2%} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"{len(told)} of {len(chosen)} stations (servers {SERVERS}, loads {LOADS}, scv "
            f"{SPREADS}); on the others the simulated wait has a standard error above 3% (where "
            f"hardly anybody waits). That of those shown is {noise.mean():.2%} on average, and is "
            "part of the errors.",
        ]
    )


def poisson_arrivals(count: int | None) -> str:
    """Return the table of M/G/c."""
    chosen = list(cases(poisson=True))[:count]
    return table("M/G/c, mean wait (against simulation)", chosen, VISITS)


def general_arrivals(count: int | None) -> str:
    """Return the table of GI/G/c."""
    chosen = list(cases(poisson=False))[:count]
    return table("GI/G/c, mean wait (against simulation)", chosen, VISITS)


SECTIONS = {"stations, Poisson arrivals": poisson_arrivals, "stations": general_arrivals}
