"""Networks with blocking for tests and tables: published exact cases, random families."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    ERLANG,
    EXPONENTIAL,
    HYPEREXPONENTIAL,
    LOST,
    OVERFLOW,
    WAIT_OUTSIDE,
    CompiledNetwork,
)
from oracles.compiled_networks import build

SATURATED = 1e6
"""Arrivals per service completion that stand for an endless supply."""


class Expected(NamedTuple):
    """What an exact chain gives for a case, summed over classes; (n,) arrays."""

    throughput: float
    """Jobs per T that leave the network."""
    number: np.ndarray
    """Mean number present; jobs that wait outside for the service are apart."""
    blocked: np.ndarray
    full: np.ndarray
    """Probability that all places are taken."""
    meets_full: np.ndarray
    """Share of completions that find their destination full."""
    outside: np.ndarray


class Case(NamedTuple):
    """A network and what is known of it."""

    name: str
    tags: tuple[str, ...]
    network: CompiledNetwork
    expected: Expected


def published_cases(shared: Path) -> list[Case]:
    """Return the cases of ``blocking_exact.json``; a saturated source is a torrent of arrivals."""
    document = json.loads((shared / "cases" / "blocking_exact.json").read_text())
    return [_published(case) for case in document["cases"]]


def _published(case: dict[str, Any]) -> Case:
    stations = case["stations"]
    rate = np.array([station["service_rate_per_server"] for station in stations])
    servers = np.array([float(station["servers"]) for station in stations])
    saturated = np.array([station["saturated_source"] for station in stations])
    external = np.array([station["external_poisson_rate"] for station in stations])
    places = [station["capacity"] for station in stations]
    network = build(
        1.0 / rate,
        external=np.where(saturated, SATURATED * servers * rate, external),
        routing=np.array(case["routing"], dtype=np.float64),
        servers=servers,
        capacity=np.array([np.inf if place == "unlimited" else place for place in places]),
        external_when_full=LOST,
    )
    result = case["results"]

    def column(name: str) -> np.ndarray:
        return np.array([station[name] for station in result["stations"]])

    expected = Expected(
        throughput=result["throughput"],
        number=column("mean_number"),
        blocked=column("mean_blocked_servers"),
        full=np.where(saturated, 1.0, column("p_full")),
        meets_full=column("p_block_at_completion"),
        outside=np.zeros(servers.size),
    )
    return Case(case["id"], tuple(case["tags"]), network, expected)


def random_network(rng: np.random.Generator, features: frozenset[str]) -> CompiledNetwork:
    """Draw a small network with blocking.

    Features: 'feedback', 'unlimited', 'outside', 'loss', 'overflow', 'saturated', 'patience',
    'transfer', 'classes', 'scv', 'large'.
    """
    n = int(rng.integers(2, 5))
    most = 6 if "large" in features else 3
    servers = rng.integers(1, most + 1, n).astype(np.float64)
    room = rng.choice([0, 0, 0, 1, 2], n)
    routing = _random_routes(rng, n, "feedback" in features)
    entry = rng.random(n) < 0.25
    entry[0] = True
    visits = np.linalg.solve(np.eye(n) - routing.T, entry * 1.0)
    time = servers / visits * rng.uniform(0.6, 1.3, n)
    external = np.where(entry, rng.uniform(0.6, 1.3), 0.0)
    when_full = np.full(n, BLOCKED_AFTER_SERVICE)
    outside_rule = np.full(n, LOST)
    capacity = servers + room
    overflow_to = np.full(n, -1)
    options: dict[str, Any] = {}
    if "unlimited" in features:
        capacity[0] = np.inf
        external *= 0.55
    if "outside" in features:
        outside_rule[0] = WAIT_OUTSIDE
        external *= 0.55
    if "saturated" in features:
        external[0] = SATURATED * servers[0] / time[0]
    if "loss" in features:
        when_full[rng.integers(1, n)] = LOST
    if "overflow" in features:
        # never back to where the job may come from: such rings of full services can lock for good
        at = int(rng.integers(0, n - 1))
        overflow_to[at] = int(rng.integers(at + 1, n))
        when_full[at] = OVERFLOW
        outside_rule[at] = OVERFLOW
    if "patience" in features:
        options["patience"] = np.where(rng.random(n) < 0.5, time * rng.uniform(0.5, 4.0, n), np.inf)
    if "transfer" in features:
        options["transfer_delay"] = routing * (rng.random((n, n)) < 0.5) * rng.uniform(0.1, 0.5)
        options["holds_server"] = True
    if "classes" in features:
        return _two_classes(rng, time, external, routing, servers, capacity, options)
    network = build(
        time,
        external=external,
        routing=routing,
        servers=servers,
        capacity=capacity,
        when_full=when_full,
        external_when_full=outside_rule,
        overflow_to=overflow_to,
        **options,
    )
    if "scv" in features:
        network = with_general_service(network, rng.choice([0.25, 0.5, 2.0, 4.0], n))
    return network


def with_general_service(network: CompiledNetwork, scv: np.ndarray) -> CompiledNetwork:
    """Give the services Erlang (scv 1/k) or hyperexponential (balanced means) laws."""
    family = np.zeros(network.service_time.shape, dtype=np.int64)
    parameters = np.zeros((*network.service_time.shape, 3))
    for i, value in enumerate(scv):
        mean = network.service_time[i]
        if value < 1.0:
            family[i] = ERLANG
            parameters[i, :, 0], parameters[i, :, 1] = round(1.0 / value), mean
        elif value > 1.0:
            first = 0.5 * (1.0 + np.sqrt((value - 1.0) / (value + 1.0)))
            family[i] = HYPEREXPONENTIAL
            parameters[i, :, 0] = first
            parameters[i, :, 1], parameters[i, :, 2] = mean / (2 * first), mean / (2 * (1 - first))
        else:
            family[i] = EXPONENTIAL
            parameters[i, :, 0] = mean
    return network._replace(
        service_scv=np.broadcast_to(scv[:, None], network.service_time.shape).copy(),
        service_family=family,
        service_parameters=parameters,
    )


def _random_routes(rng: np.random.Generator, n: int, feedback: bool) -> np.ndarray:
    """Draw routes that lead onwards to one or two services, some of them back."""
    routing = np.zeros((n, n))
    for i in range(n):
        later = np.arange(i + 1, n)
        if later.size:
            heads = rng.choice(later, size=min(later.size, int(rng.integers(1, 3))), replace=False)
            share = rng.dirichlet(np.ones(heads.size) * 3.0) * rng.choice([1.0, 1.0, 0.8, 0.6])
            routing[i, heads] = share
            if i + 1 not in heads and not routing[: i + 1, i + 1].any():
                routing[i] *= 0.6
                routing[i, i + 1] = 0.4 * max(routing[i].sum() / 0.6, 0.5)
        if feedback and i > 0 and rng.random() < 0.5:
            back = int(rng.integers(0, i + 1))
            routing[i] *= 0.8
            routing[i, back] += 0.2
    return routing


def _two_classes(
    rng: np.random.Generator,
    time: np.ndarray,
    external: np.ndarray,
    routing: np.ndarray,
    servers: np.ndarray,
    capacity: np.ndarray,
    options: dict[str, Any],
) -> CompiledNetwork:
    """Split the jobs into two classes with routes and times of their own."""
    other = routing * rng.uniform(0.4, 1.0, routing.shape)
    share = rng.uniform(0.3, 0.7)
    factor = rng.uniform(0.5, 1.5, time.size)
    return build(
        np.column_stack([time * factor, time / factor]),
        external=np.column_stack([external * share, external * (1.0 - share)]),
        routing=np.stack([routing, other]),
        servers=servers,
        capacity=capacity,
        **options,
    )
