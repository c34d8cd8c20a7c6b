"""How wrong services with finite places or patience and general times are, against simulation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from benchmarks.accuracy_open import document
from flownet import queues
from flownet.kernels.decomposition import solve_decomposition
from flownet.kernels.simulation import measures, simulate_once
from flownet.network.compile import compile_network
from flownet.network.model import Network

SERVERS = (1, 4, 12, 40)
LOADS = (0.7, 0.95, 1.2)
SPREADS = (0.25, 1.0, 3.0)
LIMITS = {"2 places": (2.0, np.inf), "10 places": (10.0, np.inf), "patience 1.5": (np.inf, 1.5)}
VISITS = 2e6

Case = tuple[int, float, float, float, str]


def cases() -> Iterator[Case]:
    """Yield servers, load, scv of arrivals and of service, and what limits the line."""
    yield from product(SERVERS, LOADS, SPREADS, SPREADS, LIMITS)


def described(case: Case) -> dict[str, Any]:
    """Return the station; its service times are lognormal, not of the laws of the method."""
    servers, load, arrival_scv, service_scv, limit = case
    room, patience = LIMITS[limit]
    station: dict[str, Any] = {
        "name": "station",
        "servers": servers,
        "service_distribution": {"family": "lognormal", "mean": 1.0, "scv": service_scv},
        "external_arrival_rate": load * servers,
        "arrival_scv": arrival_scv,
    }
    if np.isfinite(room):
        station["waiting_room"] = room
    else:
        station["patience"] = patience
    return document([station], [])


def table(chosen: list[Case], visits: float) -> str:
    """Return the errors of who is turned away or gives up, and of the number waiting."""
    found: dict[str, list[tuple[float, float]]] = {"as solved": [], "as if exponential": []}
    for seed, case in enumerate(chosen):
        servers, load, _, _, limit = case
        room, patience = LIMITS[limit]
        rate = load * servers
        arrays = compile_network(Network.from_dict(described(case))).arrays
        horizon = visits / rate
        run = simulate_once(arrays, horizon=horizon, warmup=0.05 * horizon, seed=seed)
        truth = _gone_and_waiting(measures(run))
        plain = queues.erlang_a(rate, 1.0, servers, patience, servers + room)
        gone = float(plain.loss_probability) + float(plain.abandonment_probability)
        ways = {
            "as solved": _gone_and_waiting(solve_decomposition(arrays)),
            "as if exponential": (rate * gone, float(plain.number_waiting)),
        }
        for name, (lost, waiting) in ways.items():
            found[name].append((abs(lost - truth[0]) / rate, abs(waiting / truth[1] - 1.0)))
    lines = [
        "## services with finite places or patience and general times (against simulation)",
        "",
        "| error (mean / 95th percentile / worst) | share lost or given up, absolute "
        "| number waiting, relative |",
        "| --- | --- | --- |",
    ]
    for name, rows in found.items():
        cells = [
            f"{column.mean():.2%} / {np.quantile(column, 0.95):.2%} / {column.max():.2%}"
            for column in np.array(rows).T
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(
        [
            *lines,
            "",
            f"{len(chosen)} stations (servers {SERVERS}, loads {LOADS}, scv {SPREADS} of arrivals "
            f"and of service, {', '.join(LIMITS)}), {visits:.0e} arrivals each; service times are "
            "lognormal, of which the method knows mean and scv.",
        ]
    )


def _gone_and_waiting(found: Any) -> tuple[float, float]:
    gone = found.loss_rate.sum() + found.abandonment_rate.sum()
    return float(gone), float(found.number_waiting.sum())


def limited(count: int | None) -> str:
    """Return the table."""
    return table(list(cases())[:count], VISITS)


SECTIONS = {"stations with finite places or patience": limited}
