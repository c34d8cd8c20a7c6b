"""Errors of the decomposition on open networks, against simulation, method beside method.

Run as ``python -m benchmarks.accuracy_open --cases 40``. Families: Suresh and Whitt's nine queues,
random tandems of three, random networks with feedback, several servers and two classes. Laws are
hyperexponential with balanced means above scv 1, mixtures of Erlang laws below.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
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


def with_feedback(rng: np.random.Generator) -> Document:
    """Return five services with random routes of two classes, one to four servers, scv 0.25 to 4.

    Loads are 0.5 to 0.9; 30 % of the jobs that complete leave.
    """
    n, classes = 5, ("a", "b")
    chance = rng.random((2, n, n)) * (rng.random((2, n, n)) < 0.5)
    total = chance.sum(axis=2, keepdims=True)
    chance = 0.7 * np.divide(chance, total, out=np.zeros_like(chance), where=total > 0.0)
    outside = rng.random((2, n)) * (rng.random((2, n)) < 0.5) + np.eye(n)[0] * 0.5
    rates = np.array([np.linalg.solve(np.eye(n) - chance[k].T, outside[k]) for k in (0, 1)])
    weight = rng.uniform(0.5, 1.5, (2, n))
    servers = rng.integers(1, 5, n)
    load = (rates * weight).sum(axis=0)
    time = weight * (servers * rng.uniform(0.5, 0.9, n) / load)
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


def report_family(name: str, draw: Draw, cases: int, visits: float) -> None:
    """Print the errors over one family: of the total number waiting, and service by service."""
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
    print(f"\n{name}: {cases} cases, simulation's own error {np.mean(noise):.1%}")
    print(
        f"{'':20s}{'total: mean':>12s}{'worst':>8s}{'bias':>8s}{'service: mean':>15s}{'worst':>8s}"
    )
    for method, errors in totals.items():
        size, own = np.abs(errors), np.abs(singles[method])
        print(
            f"{method:20s}{size.mean():12.1%}{size.max():8.1%}{np.mean(errors):+8.1%}"
            f"{own.mean():15.1%}{own.max():8.1%}"
        )


def report_nine_queues(visits: float) -> None:
    """Print the wait at every one of the nine queues."""
    for scv in (8.0, 0.5):
        compiled = compiled_from(nine_queues(scv))
        exact, error = simulated(compiled, visits, 1)
        print(f"\nSuresh and Whitt, arrivals with scv {scv:g}: waits; error of the sum {error:.1%}")
        print(f"{'simulated':20s}" + "".join(f"{value:7.2f}" for value in exact))
        for method, numbers in approximations(compiled).items():
            print(f"{method:20s}" + "".join(f"{value:7.2f}" for value in numbers))


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=8, help="networks of each family")
    parser.add_argument("--visits", type=float, default=3e6, help="simulated visits of each")
    options = parser.parse_args(arguments)
    report_nine_queues(3.0 * options.visits)
    report_family("Tandems of three", tandem, options.cases, options.visits)
    report_family("Networks with feedback", with_feedback, options.cases, options.visits)


if __name__ == "__main__":
    main()
