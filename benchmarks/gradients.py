"""The gradient with respect to all parameters beside one solution: the cheap-gradient bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.networks import arrays
from benchmarks.registry import Spec, Task
from flownet.kernels.adjoint import Gradient, weights_of
from flownet.kernels.adjoint_blocking import blocking_gradient
from flownet.kernels.adjoint_open import open_gradient
from flownet.kernels.adjoint_product_form import product_form_gradient
from flownet.kernels.blocking_compressed import solve_compressed
from flownet.kernels.compiled import LOST, CompiledNetwork, Measures
from flownet.kernels.decomposition import solve_decomposition
from flownet.kernels.product_form import solve_product_form
from flownet.kernels.traffic import solve_traffic

Solve = Callable[[CompiledNetwork], Measures]
Slopes = Callable[..., Gradient | None]


def layered(size: int) -> CompiledNetwork:
    """Return layers of five services with two places to wait each, two routes to the next layer."""
    rng = np.random.default_rng(2)
    pairs = [
        (i, 5 * (i // 5 + 1) + j)
        for i in range(size)
        for j in sorted(rng.choice(5, 2, replace=False).tolist())
        if 5 * (i // 5 + 1) + j < size
    ]
    base = arrays(size)
    source, target = np.array(pairs).T
    start = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=size))))
    external = np.full((size, 1), 0.02)
    external[:5] = 1.0
    shaped = base._replace(
        external_arrival_rate=external,
        route_start=start.astype(np.uint32),
        route_to=target.astype(np.uint32),
        route_probability=np.full(len(pairs), 0.45),
        transfer_delay=np.zeros(len(pairs)),
        holds_server=np.zeros(len(pairs), dtype=np.bool_),
        entry_priority=np.ones(len(pairs), dtype=np.int64),
        places_left_free=np.zeros(len(pairs), dtype=np.int64),
        capacity=base.servers + 2.0,
        external_when_full=np.full(size, LOST),
    )
    flow = solve_traffic(shaped).arrival_rate
    time = base.servers[:, None] * rng.uniform(0.3, 0.8, (size, 1)) / flow
    parameters = shaped.service_parameters.copy()
    parameters[:, :, 0] = time
    return shaped._replace(service_time=time, service_parameters=parameters)


def lossy(size: int) -> CompiledNetwork:
    """Return the same layers, where who finds a service full is lost wherever he comes from."""
    return layered(size)._replace(when_full=np.full(size, LOST))


def gradient(solve: Solve, slopes: Slopes, make: Callable[[int], CompiledNetwork]) -> Any:
    """Return what prepares a solution, and then times its gradient."""

    def prepared(size: int) -> Task:
        network = make(size)
        measures = solve(network)
        ones = np.ones(measures.throughput.shape)
        names = ("number_waiting", "number_blocked", "loss_rate")
        weights = weights_of(ones.shape, dict.fromkeys(names, ones))

        def task() -> None:
            if slopes(network, measures, weights) is None:
                message = "no gradient was found"
                raise RuntimeError(message)

        return task

    return prepared


def solution(solve: Solve, make: Callable[[int], CompiledNetwork]) -> Any:
    """Return what prepares a network, and then times its solution."""

    def prepared(size: int) -> Task:
        network = make(size)

        def task() -> None:
            solve(network)

        return task

    return prepared


PEER = "one solution"
SPECS = [
    Spec(
        "gradient, product form", "find",
        gradient(solve_product_form, product_form_gradient, arrays),
        solution(solve_product_form, arrays), PEER, (10, 100, 1_000, 10_000),
    ),
    Spec(
        "gradient, decomposition", "find",
        gradient(solve_decomposition, open_gradient, lossy),
        solution(solve_decomposition, lossy), PEER, (10, 100, 1_000, 10_000),
    ),
    Spec(
        "gradient, blocking", "find",
        gradient(solve_compressed, blocking_gradient, layered),
        solution(solve_compressed, layered), PEER, (10, 100, 1_000, 10_000),
    ),
]  # fmt: skip
