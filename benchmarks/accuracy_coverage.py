"""How often the simulation's intervals hold the exact value: every feature alone and in pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom

from flownet.errors import MethodError, NetworkError, ParameterError
from flownet.kernels.simulation import SimulationRun, measures
from flownet.network.compile import Compilation
from flownet.network.model import Network
from flownet.solvers.simulate import simulate
from flownet.solvers.solve import solve

Document = dict[str, Any]

RUNS = 50
REPLICATIONS, HORIZON, WARMUP = 10, 900.0, 150.0
CONFIDENCE = 0.95
BAND = 0.999
MEASURES = ("number_present", "throughput", "waiting_time")
MOST_STATES = 100_000
TRUNCATION = 1e-6  # far below the half-widths of about 1 %

RANKS: Document = {"priority": {"urgent": 1, "other": 2}}
FIRST: dict[str, Document] = {
    "several servers": {"servers": 2, "service_time": 1.0},
    "priority": {"discipline": "priority", **RANKS},
    "interruptions": {"discipline": "preemptive", **RANKS},
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
    "held transfer": {"transfer_delay": 0.1, "holds_server": True},
    "feedback": {},
}
FEATURES = [*FIRST, *SECOND, *ROUTE]
CLASSES = {"priority", "interruptions"}


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
    if CLASSES & set(features):
        described["classes"] = {"urgent": {}, "other": {}}
        first["external_arrival_rate"] = {"urgent": 0.4, "other": 0.6}
        onward["to_class"] = "other"  # behind the first service all are alike
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


def measured(_: Network, c: Compilation, run: SimulationRun) -> pd.DataFrame:
    """Return what is compared, one row a service: the columns of `Simulation.services`."""
    m = measures(run)
    present = m.number_waiting + m.number_in_service + m.number_blocked + m.number_held_in_transfer
    weights = m.throughput / m.throughput.sum(axis=1, keepdims=True)
    columns = (
        present.sum(axis=1),
        m.throughput.sum(axis=1),
        (weights * np.where(weights > 0.0, m.waiting_time, 0.0)).sum(axis=1),
    )
    return pd.DataFrame(dict(zip(MEASURES, columns, strict=True)), index=pd.Index(c.services))


def cells_of(name: str, network: Network, runs: int, seed: int) -> list[Cell]:
    """Return how often the intervals hold the exact values."""
    solution = solve(network, "exact", truncation_mass=TRUNCATION, max_states=MOST_STATES)
    if solution.overloaded:
        raise MethodError("exact", ["an overloaded network has no steady state"])
    exact = solution.services
    truth = exact[list(MEASURES)].to_numpy(np.float64)
    held = np.zeros(truth.shape, np.int64)
    for run in range(runs):
        found, _, widths = simulate(
            network,
            horizon=HORIZON,
            warmup=WARMUP,
            replications=REPLICATIONS,
            seed=seed * runs + run,
            confidence=CONFIDENCE,
        ).measured(measured)
        held += np.abs(found.to_numpy() - truth) <= widths.to_numpy()
    return [
        Cell(name, str(service), measure, int(held[i, j]), runs)
        for i, service in enumerate(exact.index)
        for j, measure in enumerate(MEASURES)
        if truth[i, j] > 0.0  # where nobody ever waits there is nothing to hold
    ]


def coverage(count: int | None) -> str:
    """Return the coverage over all networks, and the cells outside their own band."""
    runs = count or RUNS
    cells: list[Cell] = []
    refused = []
    for seed, (name, network) in enumerate(networks()):
        try:
            cells += cells_of(name, network, runs, seed)
        except (MethodError, ParameterError):
            refused.append(name)
    held, total = sum(cell.held for cell in cells), sum(cell.runs for cell in cells)
    tail = (1.0 - BAND) / 2.0
    low, high = (int(binom.ppf(q, runs, CONFIDENCE)) for q in (tail, 1.0 - tail))
    outside = [cell for cell in cells if not low <= cell.held <= high]
    names = {cell.network for cell in cells}
    listed = "; ".join(f"{c.network}, {c.service}, {c.measure}: {c.held}" for c in outside)
    lines = [
        "## simulation: how often its 95 % intervals hold the exact value",
        "",
        f"{len(names)} networks of two services (three with overflow), each feature alone and all "
        f"pairs that go together, {runs} simulations each of {REPLICATIONS} replications from "
        f"{WARMUP:g} to {HORIZON:g} hours: {len(names) * runs:,} simulations, {total:,} intervals "
        f"for {', '.join(MEASURES)} at each service, against the exact chain. Held: "
        f"**{held / total:.2%}**. Of a cell (one measure at one service of one network) {low} to "
        f"{high} of {runs} may hold, its own 99.9 % binomial band; outside it: {len(outside)} of "
        f"{len(cells)} cells" + (f" ({listed})" if listed else "") + f", where "
        f"{(1.0 - BAND) * len(cells):.1f} are expected by chance.",
        "",
        "| feature, alone and in pairs | networks | intervals that hold | fewest in a cell |",
        "| --- | --- | --- | --- |",
        *(_row(feature, cells) for feature in FEATURES),
        "",
        *_by_measure(cells),
    ]  # fmt: skip
    if refused:
        lines += ["", f"Left out, since no chain of {MOST_STATES:,} states holds them: "
                      f"{'; '.join(refused)}."]  # fmt: skip
    return "\n".join(lines)


def _row(feature: str, cells: list[Cell]) -> str:
    own = [cell for cell in cells if feature in cell.network.split(" + ")]
    share = sum(cell.held for cell in own) / max(sum(cell.runs for cell in own), 1)
    fewest = min((f"{cell.held} of {cell.runs}" for cell in own), key=lambda t: int(t.split()[0]))
    return f"| {feature} | {len({cell.network for cell in own})} | {share:.1%} | {fewest} |"


def _by_measure(cells: list[Cell]) -> list[str]:
    shares = []
    for measure in MEASURES:
        own = [cell for cell in cells if cell.measure == measure]
        share = sum(cell.held for cell in own) / sum(cell.runs for cell in own)
        shares.append(f"{measure} {share:.1%}")
    return [f"By measure: {', '.join(shares)}."]


SECTIONS = {"coverage of intervals": coverage}
