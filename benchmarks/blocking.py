"""Networks with blocking: both modes, how times grow with services and servers, and warm starts."""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy_blocking import blocking_networks
from benchmarks.registry import Prepare, Spec, Task
from flownet.kernels.blocking_full import COMPRESSED, FULL, solve_blocking
from flownet.kernels.compiled import CompiledNetwork
from flownet.kernels.simulation import simulate_once

SERVICES = 50
VISITS = 2e6


def ward_network(services: int, servers: tuple[int, int]) -> CompiledNetwork:
    """Return a network of two classes without waiting rooms, jobs lost at the door."""
    networks = blocking_networks(
        "lost", 1, 31, servers, services_each=(services, services), features=("classes",)
    )
    network = next(networks)
    return network._replace(capacity=network.servers.copy())


def solving(mode: str, servers: tuple[int, int]) -> Prepare:
    """Return what solves a network of the size's services in one mode."""

    def prepare(size: int) -> Task:
        network = ward_network(size, servers)
        return lambda: _solved(network, mode)

    return prepare


def wide(size: int) -> Task:
    """Return what solves fifty services with up to this many servers each, compressed."""
    network = ward_network(SERVICES, (max(size // 2, 1), size))
    return lambda: _solved(network, COMPRESSED)


def again(size: int) -> Task:
    """Return what solves a neighbour of a solved network from its solution."""
    network = ward_network(size, (1, 5))
    rest = solve_blocking(network, mode=COMPRESSED).rest
    near = network._replace(service_time=np.ascontiguousarray(network.service_time * 1.001))

    def task() -> None:
        solve_blocking(near, mode=COMPRESSED, start=rest)

    return task


def simulating(size: int) -> Task:
    """Return a simulation of the same network, over two million visits."""
    network = ward_network(size, (1, 5))
    horizon = VISITS / float(network.external_arrival_rate.sum())

    def task() -> None:
        simulate_once(network, horizon=horizon, warmup=horizon / 20, seed=7)

    return task


def _solved(network: CompiledNetwork, mode: str) -> None:
    solve_blocking(network, mode=mode)


SPECS = [
    Spec(
        "blocking in full, 1 to 5 servers", "solve", solving(FULL, (1, 5)), simulating,
        peer_name="simulation of two million visits", sizes=(10, 50),
    ),
    Spec(
        "blocking compressed, 1 to 5 servers", "solve", solving(COMPRESSED, (1, 5)),
        sizes=(50, 500, 5_000),
    ),
    Spec("blocking compressed, 50 services, by servers", "solve", wide, sizes=(5, 40, 160)),
    Spec(
        "blocking compressed, from a neighbour's solution", "solve", again,
        solving(COMPRESSED, (1, 5)), peer_name="from nothing", sizes=(50, 500),
    ),
]  # fmt: skip
