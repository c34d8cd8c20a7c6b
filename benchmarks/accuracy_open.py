"""Errors of the decomposition on open networks, against simulation, method beside method.

Families: Suresh and Whitt's nine queues, random tandems of three, random networks with feedback,
several servers and two classes. Laws are hyperexponential with balanced means above scv 1,
mixtures of Erlang laws below.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import flownet as fn
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.kernels.decomposition import decompose
from flownet.kernels.product_form import solve_product_form
from flownet.kernels.simulation import measures, simulate_once
from flownet.network.compile import compile_network

Document = dict[str, Any]
Draw = Callable[[np.random.Generator], Document]


def document(services: list[Document], routes: list[Document]) -> Document:
    """Return a document from its services and routes."""
    return {"network": {"time_unit": "hour"}, "services": services, "routes": routes}


def nine_queues(scv: float) -> Document:
    """Return the bottleneck of Suresh and Whitt 1990: eight queues at load 0.6, one at 0.9."""
    services: list[Document] = [{"name": f"{i}", "service_time": 0.6} for i in range(9)]
    services[8]["service_time"] = 0.9
    services[0] |= {"external_arrival_rate": 1.0, "arrival_scv": scv}
    return document(services, [{"from": f"{i}", "to": f"{i + 1}"} for i in range(8)])


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def tandem(rng: np.random.Generator) -> Document:
    """Return three single servers in a row: both scv in 0.25 to 8, loads in 0.5 to 0.9."""
    services = [
        {
            "name": f"{i}",
            "service_time": rng.uniform(0.5, 0.9),
            "service_scv": log_uniform(rng, 0.25, 8.0),
        }
        for i in range(3)
    ]
    services[0] |= {"external_arrival_rate": 1.0, "arrival_scv": log_uniform(rng, 0.25, 8.0)}
    return document(services, [{"from": f"{i}", "to": f"{i + 1}"} for i in range(2)])


def with_feedback(rng: np.random.Generator, classes: tuple[str, ...]) -> Document:
    """Return five services with random routes, one to four servers, scv 0.25 to 4.

    Loads are 0.5 to 0.9; 30 % of the jobs that complete leave.
    """
    n, width = 5, len(classes)
    chance = rng.random((width, n, n)) * (rng.random((width, n, n)) < 0.5)
    total = chance.sum(axis=2, keepdims=True)
    chance = 0.7 * np.divide(chance, total, out=np.zeros_like(chance), where=total > 0.0)
    outside = rng.random((width, n)) * (rng.random((width, n)) < 0.5) + np.eye(n)[0] * 0.5
    rates = np.array([np.linalg.solve(np.eye(n) - chance[k].T, outside[k]) for k in range(width)])
    weight = rng.uniform(0.5, 1.5, (width, n))
    servers = rng.integers(1, 5, n)
    load = (rates * weight).sum(axis=0)
    time = weight * (servers * rng.uniform(0.5, 0.9, n) / np.where(load > 0.0, load, 1.0))
    services: list[Document] = [
        {
            "name": f"{i}",
            "servers": int(servers[i]),
            "service_time": {c: time[k, i] for k, c in enumerate(classes)},
            "service_scv": log_uniform(rng, 0.25, 4.0),
            "external_arrival_rate": {c: outside[k, i] for k, c in enumerate(classes)},
            "arrival_scv": {c: log_uniform(rng, 0.25, 4.0) for c in classes},
        }
        for i in range(n)
        if load[i] > 0.0
    ]
    routes = [
        {
            "from": f"{i}",
            "to": f"{j}",
            "routing_probability": {c: chance[k, i, j] for k, c in enumerate(classes)},
        }
        for i in range(n)
        for j in range(n)
        if chance[:, i, j].any() and load[i] > 0.0
    ]
    return {"classes": {c: {} for c in classes}} | document(services, routes)


def compiled_from(described: Document) -> CompiledNetwork:
    """Return the arrays of a document."""
    return compile_network(fn.Network.from_dict(described)).arrays


def simulated(compiled: CompiledNetwork, visits: float, seed: int) -> tuple[Floats, float]:
    """Return the mean numbers waiting, and the relative standard error of their sum."""
    rate = float(decompose(compiled).measures.arrival_rate.sum())
    horizon = visits / rate
    run = simulate_once(compiled, horizon=horizon, warmup=0.05 * horizon, seed=seed, batches=20)
    batches = run.tallies.waiting.sum(axis=(1, 2)) / run.tallies.length
    error = float(batches.std(ddof=1) / np.sqrt(batches.size) / batches.mean())
    return measures(run).number_waiting.sum(axis=1), error


def approximations(compiled: CompiledNetwork) -> dict[str, Floats]:
    """Return the mean numbers waiting by each method."""
    solved = decompose(compiled)
    return {
        "as if exponential": solve_product_form(compiled).number_waiting.sum(axis=1),
        "QNA": solved.waiting_by_qna,
        "robust": solved.waiting_by_robust,
        "blended": solved.measures.number_waiting.sum(axis=1),
    }


def family(title: str, draw: Draw, cases: int, visits: float) -> str:
    """Return the errors over one family: of the total number waiting, and service by service."""
    rng = np.random.default_rng(2024)
    totals: dict[str, list[float]] = {}
    singles: dict[str, list[float]] = {}
    noise = []
    for case in range(cases):
        compiled = compiled_from(draw(rng))
        exact, error = simulated(compiled, visits, case)
        noise.append(error)
        for method, numbers in approximations(compiled).items():
            totals.setdefault(method, []).append(numbers.sum() / exact.sum() - 1.0)
            singles.setdefault(method, []).extend(numbers / exact - 1.0)
    lines = [
        f"## {title}",
        "",
        "| method | total wait: mean error | 95th percentile | worst | bias | one service: mean |"
        " worst |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method, errors in totals.items():
        size, own = np.abs(errors), np.abs(singles[method])
        lines.append(
            f"| {method} | {size.mean():.1%} | {np.quantile(size, 0.95):.1%} | {size.max():.1%} "
            f"| {np.mean(errors):+.1%} | {own.mean():.1%} | {own.max():.1%} |"
        )
    own_error = f"the simulation's own standard error is {np.mean(noise):.1%} on average"
    return "\n".join([*lines, "", f"{cases} networks of {visits:.0e} visits each; {own_error}."])


def bottleneck(visits: float | None) -> str:
    """Return the mean numbers waiting at every one of Suresh and Whitt's nine queues."""
    lines = ["## Suresh and Whitt's bottleneck: nine queues in a row, mean wait at each"]
    for scv in (8.0, 0.5):
        compiled = compiled_from(nine_queues(scv))
        exact, error = simulated(compiled, float(visits or 2e7), 1)
        lines += [
            "",
            f"Arrivals with scv {scv:g}; standard error of the simulated sum {error:.1%}.",
            "",
            "| | " + " | ".join(f"{k}" for k in range(1, 10)) + " |",
            "| --- |" + " --- |" * 9,
        ]
        rows = {"simulated": exact} | approximations(compiled)
        for method, numbers in rows.items():
            lines.append(f"| {method} | " + " | ".join(f"{each:.2f}" for each in numbers) + " |")
    return "\n".join(lines)


def tandems(count: int | None) -> str:
    """Return the table of random tandems."""
    title = "three queues in a row, both scv 0.25 to 8, loads 0.5 to 0.9 (against simulation)"
    return family(title, tandem, count or 200, 4e6)


def feedback(count: int | None) -> str:
    """Return the table of random networks with feedback of one class."""
    title = "feedback, one class, 1 to 4 servers, scv 0.25 to 4 (against simulation)"
    return family(title, partial(with_feedback, classes=("a",)), count or 60, 4e6)


def feedback_by_class(count: int | None) -> str:
    """Return the table of random networks with feedback of two classes."""
    title = "feedback, two classes, 1 to 4 servers, scv 0.25 to 4 (against simulation)"
    return family(title, partial(with_feedback, classes=("a", "b")), count or 60, 4e6)


SECTIONS = {
    "bottleneck": bottleneck,
    "tandems": tandems,
    "feedback": feedback,
    "feedback by class": feedback_by_class,
}
