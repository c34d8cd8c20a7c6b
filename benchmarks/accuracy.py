"""Measure how wrong each approximation is, against exact chains and long simulations.

``python -m benchmarks.accuracy`` prints the tables; with ``--write`` they become docs/accuracy.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flownet.errors import FlownetError
from flownet.kernels.compiled import CompiledNetwork, Measures
from flownet.kernels.exact import solve_exact
from flownet.kernels.simulation import measures as measured
from flownet.kernels.simulation import simulate_once
from flownet.network.compile import compile_network
from flownet.network.model import Network
from flownet.solvers.register import METHODS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"
MOST_STATES = 20_000
VISITS = 2_000_000.0
MOST_JOBS = 20_000


class Errors(NamedTuple):
    """How far a method is from the truth on one network."""

    throughput: float
    """Relative."""
    number: float
    """Total number present and outside, relative."""
    blocked: float
    """Worst service: blocked servers per server, absolute."""
    meets_full: float
    """Worst service: probability that a completion finds its destination full, absolute."""


def _leaving(arrays: CompiledNetwork, found: Measures) -> float:
    admitted = found.arrival_rate - found.loss_rate - found.overflow_rate
    del arrays
    return float(admitted.sum())


def _number(found: Measures) -> float:
    inside = found.number_waiting + found.number_in_service + found.number_blocked
    return float((inside + found.number_outside).sum())


def errors_of(arrays: CompiledNetwork, method: str, truth: Measures) -> Errors | None:
    """Return a method's errors, None where it does not converge or calls the network overloaded."""
    found = METHODS[method].solve(arrays)
    if found.status != 0 or found.growth_rate.any():
        return None
    servers = np.where(np.isfinite(arrays.servers), arrays.servers, 1.0)
    blocked = (found.number_blocked - truth.number_blocked).sum(axis=1) / servers
    full = found.blocking_probability - np.nan_to_num(truth.blocking_probability)
    return Errors(
        _leaving(arrays, found) / _leaving(arrays, truth) - 1,
        _number(found) / _number(truth) - 1,
        float(np.abs(blocked).max()),
        float(np.abs(full).max()),
    )


def blocking_networks(
    entry: str, count: int, seed: int, servers_each: tuple[int, int] = (1, 5)
) -> Iterator[CompiledNetwork]:
    """Yield random networks of 2 to 4 services in which services can block each other.

    Lines, splits, merges and feedback; load ratios of 0.4 to 0.9 by the traffic equations.
    """
    random = np.random.default_rng(seed)
    for _ in range(count):
        n = int(random.integers(2, 5))
        servers = random.integers(servers_each[0], servers_each[1] + 1, size=n)
        routing = np.triu(random.random((n, n)) * (random.random((n, n)) < 0.7), 1)
        routing[np.arange(n - 1), np.arange(1, n)] += 0.3
        if random.random() < 0.3:
            routing[n - 1, 0] = 0.2 * random.random()
        out = routing.sum(axis=1, keepdims=True)
        routing = routing / np.maximum(out, 1e-9) * np.minimum(out, random.uniform(0.6, 1.0))
        flow = np.linalg.solve(np.eye(n) - routing.T, np.eye(n)[0])
        loads = random.uniform(0.4, 0.9, size=n)
        services = [
            {"name": f"s{i}", "servers": int(servers[i]),
             "waiting_room": int(random.integers(0, 3)),
             "service_time": float(loads[i] * servers[i] / flow[i])}
            for i in range(n)
        ]  # fmt: skip
        services[0] |= {"external_arrival_rate": 1.0, "external_when_full": entry}
        routes = [
            {"from": f"s{i}", "to": f"s{j}", "routing_probability": float(routing[i, j])}
            for i in range(n)
            for j in range(n)
            if routing[i, j] > 0
        ]
        yield _compiled(services, routes)


def open_networks(count: int, seed: int) -> Iterator[CompiledNetwork]:
    """Yield random networks of 2 to 4 queues without limits; scv of 0.25 to 4, loads 0.5 to 0.9."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        n = int(random.integers(2, 5))
        routing = np.triu(random.random((n, n)), 1) / n
        routing[np.arange(n - 1), np.arange(1, n)] += 0.4
        if random.random() < 0.5:
            routing[n - 1, 0] = 0.3 * random.random()
        flow = np.linalg.solve(np.eye(n) - routing.T, np.eye(n)[0])
        loads, servers = random.uniform(0.5, 0.9, size=n), random.integers(1, 5, size=n)
        services = [
            {"name": f"s{i}", "servers": int(servers[i]),
             "service_time": float(loads[i] * servers[i] / flow[i]),
             "service_scv": float(np.exp(random.uniform(np.log(0.25), np.log(4))))}
            for i in range(n)
        ]  # fmt: skip
        scv = float(np.exp(random.uniform(np.log(0.25), np.log(4))))
        services[0] |= {"external_arrival_rate": 1.0, "arrival_scv": scv}
        routes = [
            {"from": f"s{i}", "to": f"s{j}", "routing_probability": float(routing[i, j])}
            for i in range(n)
            for j in range(n)
            if routing[i, j] > 0
        ]
        yield _compiled(services, routes)


def _compiled(services: list[dict[str, Any]], routes: list[dict[str, Any]]) -> CompiledNetwork:
    document = {"network": {"time_unit": "hour"}, "services": services, "routes": routes}
    return compile_network(Network.from_dict(document)).arrays


def by_chain(arrays: CompiledNetwork) -> Measures | None:
    """Return the exact steady state; None where there are too many states."""
    try:
        result = solve_exact(arrays, max_states=MOST_STATES, truncation_mass=1e-8)
    except FlownetError:
        return None
    return None if result.measures.growth_rate.any() else result.measures


def by_simulation(arrays: CompiledNetwork) -> Measures | None:
    """Return a long simulation's averages; None where the backlog outgrows any steady state."""
    horizon = VISITS / float(arrays.external_arrival_rate.sum())
    run = simulate_once(arrays, horizon=horizon, warmup=horizon / 20, seed=7, max_jobs=MOST_JOBS)
    return measured(run) if run.status == 0 else None


def table(
    title: str,
    networks: Iterator[CompiledNetwork],
    method: str,
    judge: Callable[[CompiledNetwork], Measures | None],
) -> list[str]:
    """Return the lines of one table, and say how many networks it rests on."""
    errors, passed_over, failed = [], 0, 0
    for arrays in networks:
        truth = judge(arrays)
        if truth is None:
            passed_over += 1
            continue
        found = errors_of(arrays, method, truth)
        if found is None:
            failed += 1
        else:
            errors.append(np.abs(found))
    worst = np.array(errors)
    names = {
        "throughput": "admitted jobs, all services, relative",
        "number": "total number in the system, relative",
        "blocked": "blocked servers per server, worst service, absolute",
        "meets_full": "completion finds its destination full, worst service, absolute",
    }
    lines = [
        f"## {title}",
        "",
        "| error | median | 95th percentile | worst |",
        "| --- | --- | --- | --- |",
    ]
    for k, field in enumerate(Errors._fields):
        if method == "decomposition" and field != "number":
            continue
        column = worst[:, k]
        middle, high, most = np.median(column), np.quantile(column, 0.95), column.max()
        lines.append(f"| {names[field]} | {middle:.2%} | {high:.2%} | {most:.2%} |")
    lines += [
        "",
        f"{len(errors)} networks; {passed_over} more were passed over (no steady state, or more "
        f"than {MOST_STATES} states); on {failed} the method did not converge or found overload.",
        "",
    ]
    return lines


def page(count: int) -> str:
    """Return the page of measured accuracy."""
    lines = [
        "# Accuracy",
        "",
        "How wrong each approximation is, measured on random networks that none of them was fitted",
        "to. Written by `python -m benchmarks.accuracy --write`; nothing here is typed. Errors are",
        "absolute values; percentages of probabilities are in points.",
        "",
    ]
    lines += table(
        "blocking, jobs lost where the first service is full (against the exact chain)",
        blocking_networks("lost", count, 1), "blocking", by_chain,
    )  # fmt: skip
    lines += table(
        "blocking, jobs from outside wait outside (against simulation)",
        blocking_networks("wait_outside", count, 2), "blocking", by_simulation,
    )  # fmt: skip
    lines += table(
        "blocking, 10 to 40 servers a service, jobs wait outside (against simulation)",
        blocking_networks("wait_outside", count, 4, (10, 40)), "blocking", by_simulation,
    )  # fmt: skip
    lines += table(
        "decomposition, general times, several servers, feedback (against simulation)",
        open_networks(count, 3), "decomposition", by_simulation,
    )  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/accuracy.md")
    parser.add_argument("--count", type=int, default=100, help="networks a table")
    arguments = parser.parse_args()
    text = page(arguments.count)
    if arguments.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
