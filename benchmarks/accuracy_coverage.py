"""How often the simulation's intervals hold the exact value: every feature alone and in pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binom

from flownet.errors import MethodError, NetworkError
from flownet.network.model import Network
from flownet.solvers.simulate import simulate
from flownet.solvers.solve import solve

Document = dict[str, Any]

RUNS = 60
REPLICATIONS, HORIZON, WARMUP = 10, 400.0, 40.0
CONFIDENCE = 0.95
BAND = 0.999
MEASURES = ("number_present", "throughput")

FIRST: dict[str, Document] = {
    "several servers": {"servers": 2, "service_time": 1.0},
    "priority": {"discipline": "priority", "priority": {"urgent": 1, "other": 2}},
    "queue outside": {"capacity": 2, "external_when_full": "wait_outside"},
    "loss at the entry": {"capacity": 2},
    "overflow": {"capacity": 2, "external_when_full": "overflow", "overflow_to": "relief"},
    "patience": {"patience": 2.0},
    "Erlang service": {"service_distribution": {"family": "erlang", "phases": 2, "mean": 0.5}},
}
"""What a feature changes at the first service."""
SECOND: dict[str, Document] = {
    "sharing": {"discipline": "ps"},
    "unlimited servers": {"discipline": "delay"},
    "loss between": {"capacity": 2, "when_full": "lost"},
    "blocking": {"capacity": 1},
    "hyperexponential service": {"service_scv": 2.5},
}
ROUTE: dict[str, Document] = {
    "transfer": {"transfer_delay": 0.5},
    "held transfer": {"transfer_delay": 0.3, "holds_server": True},
    "feedback": {},
}
FEATURES = [*FIRST, *SECOND, *ROUTE]


class Cell(NamedTuple):
    """One measure of one service of one network: how many intervals held it."""

    network: str
    service: str
    measure: str
    held: int
    runs: int


def network_with(features: tuple[str, ...]) -> Network | None:
    """Return the two services with these features; None where the two cannot be combined."""
    first: Document = {"name": "first", "service_time": 0.5, "external_arrival_rate": 1.0}
    second: Document = {"name": "second", "service_time": 0.5}
    onward: Document = {"from": "first", "to": "second"}
    for feature in features:
        for row, changes in ((first, FIRST), (second, SECOND), (onward, ROUTE)):
            change = changes.get(feature, {})
            if set(change) & (set(row) - {"service_time", "servers"}):
                return None
            row.update(change)
    if "service_distribution" in first:
        del first["service_time"]
    described: Document = {
        "network": {"time_unit": "hour"},
        "services": [first, second],
        "routes": [onward],
    }
    if "priority" in features:
        described["classes"] = {"urgent": {}, "other": {}}
        first["external_arrival_rate"] = {"urgent": 0.4, "other": 0.6}
    if "overflow" in features:
        described["services"].append({"name": "relief", "service_time": 1.0})
    if "feedback" in features:
        described["routes"].append({"from": "second", "to": "first", "routing_probability": 0.25})
    try:
        return Network.from_dict(described)
    except NetworkError:
        return None


def networks() -> Iterator[tuple[str, Network]]:
    """Yield every feature alone and every two that can be combined."""
    chosen = [(one,) for one in FEATURES] + list(combinations(FEATURES, 2))
    for features in chosen:
        network = network_with(features)
        if network is not None:
            yield " + ".join(features), network


def cells_of(name: str, network: Network, runs: int, seed: int) -> list[Cell]:
    """Return how often the intervals hold the exact values."""
    exact = solve(network, "exact", truncation_mass=1e-9).services
    held = {(service, measure): 0 for service in exact.index for measure in MEASURES}
    for run in range(runs):
        found = simulate(
            network,
            horizon=HORIZON,
            warmup=WARMUP,
            replications=REPLICATIONS,
            seed=seed * runs + run,
            confidence=CONFIDENCE,
        ).services
        for service, measure in held:
            away = abs(found.loc[service, measure] - exact.loc[service, measure])
            held[service, measure] += int(away <= found.loc[service, f"{measure}_halfwidth"])
    return [Cell(name, str(s), measure, count, runs) for (s, measure), count in held.items()]


def coverage(count: int | None) -> str:
    """Return the coverage over all networks, and the cells outside their own band."""
    runs = count or RUNS
    cells: list[Cell] = []
    refused = []
    for seed, (name, network) in enumerate(networks()):
        try:
            cells += cells_of(name, network, runs, seed)
        except MethodError:
            refused.append(name)
    held, total = sum(cell.held for cell in cells), sum(cell.runs for cell in cells)
    tail = (1.0 - BAND) / 2.0
    low, high = (int(binom.ppf(q, runs, CONFIDENCE)) for q in (tail, 1.0 - tail))
    outside = [cell for cell in cells if not low <= cell.held <= high]
    names = {cell.network for cell in cells}
    shares = {
        feature: np.mean(
            [cell.held / cell.runs for cell in cells if feature in cell.network.split(" + ")]
        )
        for feature in FEATURES
    }
    lines = [
        "## simulation: how often its 95 % intervals hold the exact value",
        "",
        f"{len(names)} networks of two services, {runs} simulations each of {REPLICATIONS} "
        f"replications: {len(names) * runs} simulations, {total} intervals for "
        f"{' and '.join(MEASURES)} at each service, against the exact chain. Held: "
        f"**{held / total:.2%}**. Cells outside their own 99.9 % binomial band of {low} to {high} "
        f"in {runs}: {len(outside)} of {len(cells)}"
        + (" (" + "; ".join(f"{c.network}, {c.service}, {c.measure}: {c.held}" for c in outside)
           + ")" if outside else "")
        + ".",
        "",
        "| feature, alone and in pairs | intervals that hold |",
        "| --- | --- |",
        *(f"| {feature} | {share:.1%} |" for feature, share in shares.items()),
    ]  # fmt: skip
    if refused:
        lines += ["", f"No chain holds: {'; '.join(refused)}."]
    return "\n".join(lines)


SECTIONS = {"coverage of intervals": coverage}
