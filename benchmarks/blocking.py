"""Networks with blocking: both modes, how times grow with services and servers, and warm starts."""

from __future__ import annotations

import numpy as np

from benchmarks.registry import NoAnswer, Prepare, Spec, Task
from flownet.constraint.find import find_constraint
from flownet.kernels.blocking_full import COMPRESSED, FULL, MODES, ready_blocking, solve_blocking
from flownet.kernels.change import with_service_rate
from flownet.kernels.compiled import CompiledNetwork, Measures
from flownet.kernels.simulation import simulate_once
from flownet.kernels.traffic import solve_flows, solve_traffic
from flownet.network.compile import compile_network
from flownet.network.model import Network

SERVICES = 50
VISITS = 2e6


def ward_network(services: int, servers: tuple[int, int]) -> CompiledNetwork:
    """Return the arrays of `wards`."""
    return compile_network(wards(services, servers)).arrays


def wards(services: int, servers: tuple[int, int]) -> Network:
    """Return a network of two classes without waiting rooms, jobs lost at the door.

    Every fifth service is a door, and each sends on to the next and two of the four after it: the
    traffic is
    much the same everywhere, however many services there are. Loads of 0.5 to 0.9; a second class
    that stays half as long again.
    """
    random = np.random.default_rng(31)
    number = random.integers(servers[0], servers[1] + 1, services).astype(np.float64)
    far = random.permuted(np.tile(np.arange(2, 6), (services, 1)), axis=1)[:, :2]
    away = np.sort(np.hstack([np.ones((services, 1), dtype=np.int64), far]), axis=1)
    near = np.arange(services)[:, None] + away
    share = random.dirichlet(np.ones(3), services) * random.uniform(0.6, 0.9, (services, 1))
    inside = near < services
    start = np.repeat(np.arange(services), 3)[inside.ravel()]
    end, weight = near[inside], share[inside]
    external = np.zeros(services)
    external[::5] = 1.0
    first = np.searchsorted(start, np.arange(services + 1)).astype(np.uint32)
    flow = solve_flows(first, end.astype(np.uint32), weight, external)[3]
    load = random.uniform(0.5, 0.9, services) * number / np.maximum(flow, 1e-3)
    rows = [
        {"name": f"s{i}", "servers": int(number[i]), "waiting_room": 0,
         "service_time": {"short": 0.8 * load[i], "long": 1.2 * load[i]}}
        | ({"external_arrival_rate": {"short": 0.5, "long": 0.5}} if external[i] else {})
        for i in range(services)
    ]  # fmt: skip
    routes = [
        {"from": f"s{i}", "to": f"s{j}", "routing_probability": float(p)}
        for i, j, p in zip(start.tolist(), end.tolist(), weight.tolist(), strict=True)
    ]
    document = {"network": {"time_unit": "hour"}, "services": rows, "routes": routes,
                "classes": {"short": {}, "long": {}}}  # fmt: skip
    return Network.from_dict(document)


def solving(mode: str, servers: tuple[int, int]) -> Prepare:
    """Return what solves a network of the size's services in one mode."""

    def prepare(size: int) -> Task:
        return solved_in(ward_network(size, servers), mode)[1]

    return prepare


def wide(mode: str) -> Prepare:
    """Return what solves fifty services with as many servers each as the size, in one mode."""
    return lambda size: solved_in(ward_network(SERVICES, (size, size)), mode)[1]


def floor(services: int, servers: tuple[int, int]) -> Task:
    """Return what solves the traffic equations of such a network, which any method must."""
    network = ward_network(services, servers)

    def task() -> None:
        solve_traffic(network)

    return task


def again(size: int) -> Task:
    """Return what solves a network, all of which is 0.1 % slower, from the old solution."""
    network = ward_network(size, (1, 5))
    return from_solution(
        network, network._replace(service_time=np.ascontiguousarray(network.service_time * 1.001))
    )


def one_changed(size: int) -> Task:
    """Return what solves a network, one service of which is 1 % slower, from the old solution."""
    network = ward_network(size, (1, 5))
    return from_solution(network, with_service_rate(network, size // 2, 1.0 / 1.01))


def from_solution(network: CompiledNetwork, near: CompiledNetwork) -> Task:
    """Return what solves a neighbour of a network from its solution."""
    rest = ready_blocking(network, solve_blocking(network, mode=COMPRESSED)).rest

    def task() -> None:
        solve_blocking(near, mode=COMPRESSED, start=rest)

    return task


def finding(size: int) -> Task:
    """Return what finds the constraint of a network of the size's services."""
    network = wards(size, (1, 5))

    def task() -> None:
        find_constraint(network, "throughput", "blocking", mode=COMPRESSED)

    return task


def simulating(size: int) -> Task:
    """Return a simulation of the same network, over two million visits."""
    network = ward_network(size, (1, 5))
    horizon = VISITS / float(network.external_arrival_rate.sum())

    def task() -> None:
        simulate_once(network, horizon=horizon, warmup=horizon / 20, seed=7)

    return task


def solved_in(network: CompiledNetwork, mode: str) -> tuple[Measures, Task]:
    """Return the answer in this mode, which must be its own, and what finds it again."""
    found = solve_blocking(network, mode=mode)
    if found.status or MODES[found.variant] != mode:
        message = f"mode {mode} has no answer of its own"
        raise NoAnswer(message)

    def task() -> None:
        solve_blocking(network, mode=mode)

    return found, task


FLOOR = "its traffic equations"
SERVICES_OF = "services of 1 to 5 servers, without waiting rooms"
BY_SERVICES, BY_SERVERS = (50, 200, 1_000, 5_000), (1, 5, 10, 20, 40, 60)
SPECS = [
    Spec(
        "blocking in full, 1 to 5 servers", "solve", solving(FULL, (1, 5)), simulating,
        peer_name="simulation of two million visits", sizes=(5, 10, 50),
    ),
    *(
        Spec(
            f"{name}, two classes, by services", "solve", solving(mode, (1, 5)),
            lambda size: floor(size, (1, 5)), FLOOR, BY_SERVICES,
            SERVICES_OF, smoke=mode == COMPRESSED,
        )
        for name, mode in (("blocking compressed", COMPRESSED), ("blocking in full", FULL))
    ),
    *(
        Spec(
            f"{name}, two classes, by servers", "solve", wide(mode),
            lambda size: floor(SERVICES, (size, size)), FLOOR, BY_SERVERS,
            f"servers at each of {SERVICES} services, without waiting rooms",
            smoke=mode == COMPRESSED,
        )
        for name, mode in (("blocking compressed", COMPRESSED), ("blocking in full", FULL))
    ),
    Spec(
        "blocking compressed, a large network", "solve", solving(COMPRESSED, (1, 5)),
        lambda size: floor(size, (1, 5)), FLOOR, (50, 100_000), SERVICES_OF,
    ),
    Spec("blocking compressed, 1 to 5 servers", "find", finding, sizes=(50, 1_000, 10_000)),
    Spec(
        "blocking compressed, from a neighbour's solution", "solve", again,
        solving(COMPRESSED, (1, 5)), peer_name="from nothing", sizes=(20, 50),
    ),
    Spec(
        "blocking compressed, a neighbour with one service changed", "solve", one_changed,
        solving(COMPRESSED, (1, 5)), peer_name="from nothing", sizes=(50, 500, 5_000),
    ),
]  # fmt: skip
