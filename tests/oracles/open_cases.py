"""Turn the open cases of `solvers.json` into networks for the kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from flownet.kernels.compiled import DELAY, FCFS, PROCESSOR_SHARING, CompiledNetwork
from oracles.compiled_networks import build

DISCIPLINES = {"FCFS": FCFS, "PS": PROCESSOR_SHARING, "IS": DELAY}


def load_cases(shared: Path, kind: str) -> list[dict[str, Any]]:
    """Return the cases of one kind."""
    cases = json.loads((shared / "cases" / "solvers.json").read_text())["cases"]
    return [case for case in cases if case["kind"] == kind]


def _chain(visits: list[float], rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Return external rates and routing that give these visits: a chain, topped up or let out."""
    n = len(visits)
    external, routing = np.zeros(n), np.zeros((n, n))
    external[0] = rate * visits[0]
    for i in range(n - 1):
        routing[i, i + 1] = min(1.0, visits[i + 1] / visits[i])
        external[i + 1] = rate * max(0.0, visits[i + 1] - visits[i])
    return external, routing


def to_network(model: dict[str, Any]) -> CompiledNetwork:
    """Return the network of a case that has one route per class, or routing with feedback."""
    stations, classes = list(model["stations"]), list(model["classes"])
    shape = (len(stations), len(classes))
    external, scv, time = np.zeros(shape), np.ones(shape), np.zeros(shape)
    routing = np.zeros((shape[1], shape[0], shape[0]))
    patience = np.full(shape, np.inf)
    arrival_scv = np.ones(shape)
    for k, name in enumerate(classes):
        for i, station in enumerate(model["stations"].values()):
            time[i, k] = station["service_mean"][name]
            scv[i, k] = station.get("service_scv", {}).get(
                name, station.get("service", {}).get(name, {}).get("scv", 1.0)
            )
            if "patience" in station:
                patience[i, k] = station["patience"][name]["mean"]
        if "routing" in model:
            for i, origin in enumerate(stations):
                for j, goal in enumerate(stations):
                    routing[k, i, j] = model["routing"][name].get(origin, {}).get(goal, 0.0)
                external[i, k] = model["external_arrivals"][name].get(origin, 0.0)
        else:
            described = model["classes"][name]
            visits = [model["visits"][name][station] for station in stations]
            external[:, k], routing[k] = _chain(visits, described["arrival_rate"])
            arrival_scv[0, k] = described.get("arrival_process", {}).get("scv", 1.0)
    described = model["stations"].values()
    return build(
        time,
        external=external,
        routing=routing,
        servers=[float(station["servers"]) for station in described],
        capacity=[float(station.get("capacity", np.inf)) for station in described],
        discipline=[DISCIPLINES[station["discipline"]] for station in described],
        service_scv=scv,
        arrival_scv=arrival_scv,
        patience=patience,
    )
