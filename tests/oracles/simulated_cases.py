"""Networks for the simulator: the published blocking cases, random ones; and batch means.

A saturated source is an entry service with as many places as servers, before which more jobs come
than it can ever serve and wait outside: after the warm-up it never lacks a job.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    DELAY,
    FCFS,
    LOST,
    OVERFLOW,
    PREEMPTIVE,
    PRIORITY,
    PROCESSOR_SHARING,
    WAIT_OUTSIDE,
    Calendars,
    CompiledNetwork,
)
from flownet.kernels.simulation_tallies import Tallies
from oracles.compiled_networks import build

SURPLUS = 1.3


def read_cases(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the cases of ``blocking_exact.json`` by their id."""
    text = (folder / "cases" / "blocking_exact.json").read_text(encoding="utf-8")
    return {case["id"]: case for case in json.loads(text)["cases"]}


def network(case: dict[str, Any]) -> CompiledNetwork:
    """Return the network of a case."""
    stations = case["stations"]
    saturated = np.array([s["saturated_source"] for s in stations])
    servers = np.array([float(s["servers"]) for s in stations])
    rate = np.array([s["service_rate_per_server"] for s in stations])
    external = np.array([s["external_poisson_rate"] for s in stations])
    return build(
        1.0 / rate,
        external=np.where(saturated, SURPLUS * servers * rate, external),
        routing=np.array(case["routing"]),
        servers=servers,
        capacity=[np.inf if s["capacity"] == "unlimited" else s["capacity"] for s in stations],
        external_when_full=np.where(saturated, WAIT_OUTSIDE, LOST),
    )


def interval(numerator: np.ndarray, denominator: np.ndarray) -> tuple[float, float]:
    """Return a ratio of sums over batches and its standard error (Law 2015, ch. 9.5.3).

    The batches are long against the relaxation time, so that they are nearly independent.
    """
    ratio = numerator.sum() / denominator.sum()
    scatter = numerator - ratio * denominator
    batches = len(numerator)
    error = np.sqrt((scatter**2).sum() / (batches - 1) / batches) / denominator.mean()
    return float(ratio), float(error)


def of_class(tallies: Tallies, name: str, service: int) -> np.ndarray:
    """Return an additive tally of a service, summed over classes, by batch."""
    return np.asarray(getattr(tallies, name))[:, service].sum(axis=1).astype(np.float64)


def any_network(seed: int, *, outside: bool = True) -> CompiledNetwork:
    """Return a small random network in which any features can meet; every job can leave."""
    g = np.random.default_rng(seed)
    n, classes = int(g.integers(1, 4)), int(g.integers(1, 3))
    size = n * classes
    weight = g.random((size, size)) * (g.random((size, size)) < (0.6 if size < 4 else 0.35))
    row = weight.sum(axis=1, keepdims=True)
    routing = np.divide(weight, row, out=weight, where=row > 0.0) * g.uniform(0.2, 0.75, (size, 1))
    servers = g.integers(1, 3, n).astype(np.float64)
    discipline = g.choice([FCFS, FCFS, PRIORITY, PROCESSOR_SHARING], n)
    patience = np.where(g.random((n, classes)) < 0.3, g.uniform(0.3, 3.0, (n, classes)), np.inf)
    patience[discipline == PROCESSOR_SHARING] = np.inf
    when_full = g.choice([BLOCKED_AFTER_SERVICE] * 3 + [LOST, OVERFLOW], n)
    external_when_full = g.choice(
        [LOST, OVERFLOW, WAIT_OUTSIDE] if outside else [LOST, OVERFLOW], n
    )
    if n == 1:
        when_full[when_full == OVERFLOW] = LOST
        external_when_full[external_when_full == OVERFLOW] = LOST
    slower = 0.3 if (external_when_full == WAIT_OUTSIDE).any() else 1.0
    return build(
        g.uniform(0.3, 1.5, (n, classes)),
        external=g.uniform(0.0, 0.6, (n, classes)) * slower,
        routing=routing,
        servers=servers,
        capacity=servers + g.integers(0, 2, n),
        discipline=discipline,
        when_full=when_full,
        external_when_full=external_when_full,
        overflow_to=(np.arange(n) + 1) % n if n > 1 else -1,
        priority=g.integers(0, 2, (n, classes)),
        patience=patience,
        transfer_delay=np.where(g.random((size, size)) < 0.15, 0.4, 0.0),
        holds_server=g.random((size, size)) < 0.8,
    )


def with_ranks(network: CompiledNetwork, seed: int) -> CompiledNetwork:
    """Return the network with random ranks at entrances, and some places left free for others."""
    g = np.random.default_rng(seed)
    routes, outside = network.route_to.size, network.external_entry_priority.shape
    spare = int(network.capacity.min()) - 1 if np.isfinite(network.capacity.min()) else 1
    return network._replace(
        entry_priority=g.integers(0, 3, routes),
        places_left_free=np.where(g.random(routes) < 0.3, spare, 0),
        external_entry_priority=g.integers(0, 3, outside),
        external_places_left_free=np.where(g.random(outside) < 0.3, spare, 0),
    )


def interrupting(network: CompiledNetwork) -> CompiledNetwork:
    """Return the network with jobs of better ranks that interrupt others."""
    ranked = network.discipline == PRIORITY
    return network._replace(discipline=np.where(ranked, PREEMPTIVE, network.discipline))


def any_calendars(network: CompiledNetwork, seed: int) -> Calendars:
    """Return calendars for about half of the arrivals and the limited servers."""
    random = np.random.default_rng(seed)
    n, states = network.servers.size, network.external_arrival_rate.size
    limited = np.isfinite(network.servers) & (network.discipline != DELAY)
    steps = np.where(random.random(n) < 0.5, random.integers(1, 4, n), 0) * limited
    own = np.where(random.random(states) < 0.5, random.integers(1, 4, states), 0)
    own[network.external_arrival_rate.ravel() == 0.0] = 0

    def laid_out(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ends = [np.cumsum(random.uniform(0.5, 2.0, size)) for size in sizes]
        return np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(ends)

    start, ends = laid_out(steps)
    most = np.where(np.isfinite(network.capacity), network.capacity, 5).astype(int)
    values = np.concatenate(
        [random.integers(0, m + 1, s) for m, s in zip(most, steps, strict=True)]
    )
    values[start[:-1][steps > 0]] = network.servers[steps > 0]
    arrivals, changes = laid_out(own)
    rates = random.uniform(0.0, 3.0, changes.size)
    follow = (steps > 0) & np.isfinite(network.capacity) & (random.random(n) < 0.5)
    return Calendars(start, ends, values.astype(float), follow, arrivals, changes, rates)
