"""The simulator, all statistics on, in visits a second: beside a bare loop, and beside Ciw."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks.registry import Prepare, Spec, Task
from benchmarks.simulation_floor import blocking_tandem, open_network
from flownet.kernels.compiled import EXPONENTIAL, LOST, CompiledNetwork, Floats
from flownet.kernels.simulation import simulate_once


class Model(NamedTuple):
    """Single servers with exponential times."""

    external: Floats
    mean: Floats
    routing: Floats
    capacity: Floats


def one_server() -> Model:
    """M/M/1 at load 0.8."""
    return Model(np.array([0.8]), np.ones(1), np.zeros((1, 1)), np.full(1, np.inf))


def tandem() -> Model:
    """Three services in a row with five places each; who finds the first full is lost."""
    routing = np.diag(np.ones(2), 1)
    return Model(np.array([0.8, 0.0, 0.0]), np.ones(3), routing, np.full(3, 5.0))


def twenty() -> Model:
    """Twenty services at load 0.8, each followed by one of three others or, at 0.4, the exit."""
    generator = np.random.default_rng(1)
    routing = np.zeros((20, 20))
    for i in range(20):
        routing[i, generator.choice(20, 3, replace=False)] = 0.2
    external = generator.uniform(0.5, 1.5, 20)
    flow = np.linalg.solve(np.eye(20) - routing.T, external)
    return Model(external, 0.8 / flow, routing, np.full(20, np.inf))


def compiled(model: Model) -> CompiledNetwork:
    """Return the model as the kernels take it."""
    n = model.external.size
    source, target = np.nonzero(model.routing)
    parameters = np.zeros((n, 1, 3))
    parameters[:, 0, 0] = model.mean
    return CompiledNetwork(
        servers=np.ones(n),
        capacity=model.capacity,
        discipline=np.zeros(n, np.int64),
        when_full=np.zeros(n, np.int64),
        external_when_full=np.full(n, LOST),
        overflow_to=np.full(n, -1),
        priority=np.zeros((n, 1), np.int64),
        service_time=model.mean[:, None],
        service_scv=np.ones((n, 1)),
        external_arrival_rate=model.external[:, None],
        arrival_scv=np.ones((n, 1)),
        patience=np.full((n, 1), np.inf),
        route_start=np.searchsorted(source, np.arange(n + 1)).astype(np.uint32),
        route_to=target.astype(np.uint32),
        route_probability=model.routing[source, target],
        transfer_delay=np.zeros(source.size),
        holds_server=np.zeros(source.size, np.bool_),
        entry_priority=np.ones(source.size, np.int64),
        places_left_free=np.zeros(source.size, np.int64),
        external_entry_priority=np.ones((n, 1), np.int64),
        external_places_left_free=np.zeros((n, 1), np.int64),
        service_family=np.full((n, 1), EXPONENTIAL),
        service_parameters=parameters,
        samples=np.zeros(0),
    )


def horizon(model: Model, visits: float) -> float:
    """Return the time in which there are about so many visits (without losses)."""
    flow = np.linalg.solve(np.eye(model.mean.size) - model.routing.T, model.external)
    return float(visits / flow.sum())


def ours(model: Model, times: int) -> Prepare:
    """Time the simulator on `times` as many visits as the peer."""

    def prepare(size: int) -> Task:
        network, end = compiled(model), horizon(model, size * times)
        return lambda: simulate_once(network, horizon=end, warmup=end / 20.0, seed=1).visits

    return prepare


def bare(model: Model) -> Prepare:
    """Time the bare loop."""

    def prepare(size: int) -> Task:
        if np.isfinite(model.capacity).all():
            places = model.capacity.astype(np.int64)

            def task() -> float:
                blocking_tandem(model.external[0], model.mean, places, size, 1)
                return size
        else:
            rising = np.cumsum(model.routing, axis=1)

            def task() -> float:
                open_network(model.external, model.mean, rising, size, 1)
                return size

        return task

    return prepare


def ciw(model: Model) -> Prepare:
    """Time Ciw."""

    def prepare(size: int) -> Task:
        import ciw as peer

        exponential: Any = peer.dists.Exponential
        network = peer.create_network(
            arrival_distributions=[
                exponential(float(rate)) if rate > 0.0 else None for rate in model.external
            ],
            service_distributions=[exponential(1.0 / float(mean)) for mean in model.mean],
            routing=model.routing.tolist(),
            number_of_servers=[1] * model.mean.size,
            queue_capacities=[
                int(places) - 1 if np.isfinite(places) else float("inf")
                for places in model.capacity
            ],
        )
        end = horizon(model, size)

        def task() -> float:
            peer.seed(1)
            simulation = peer.Simulation(network)
            simulation.simulate_until_max_time(end)
            return len(simulation.get_all_records())

        return task

    return prepare


SPECS = [
    spec
    for name, model in (
        ("simulation, M/M/1", one_server()),
        ("simulation, tandem with blocking", tandem()),
        ("simulation, 20 services", twenty()),
    )
    for spec in (
        Spec(name, "visits", ours(model, 1), bare(model), "bare loop", sizes=(100_000, 3_000_000)),
        Spec(name, "visits", ours(model, 100), ciw(model), "Ciw", sizes=(5_000, 50_000)),
    )
]
