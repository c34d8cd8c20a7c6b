"""The exact chain: states solved a second, beside the building of the same chain, by load."""

from __future__ import annotations

import numpy as np

from benchmarks.registry import Prepare, Spec, Task
from flownet.kernels import compiled as code
from flownet.kernels.compiled import CompiledNetwork
from flownet.kernels.exact_layout import Layout, Limits, lay_out
from flownet.kernels.exact_space import build_chain
from flownet.kernels.exact_steady import stationary

RESIDUAL = 1e-10
LOADS = (0.5, 0.8, 0.95)
SIZES = (100_000, 1_000_000)


def in_a_row(load: float) -> CompiledNetwork:
    """Return three single servers one behind the other."""
    parameters = np.zeros((3, 1, 3))
    parameters[:, 0, 0] = 1.0
    return CompiledNetwork(
        servers=np.ones(3),
        capacity=np.full(3, np.inf),
        discipline=np.zeros(3, np.int64),
        when_full=np.zeros(3, np.int64),
        external_when_full=np.full(3, code.LOST),
        overflow_to=np.full(3, -1),
        priority=np.zeros((3, 1), np.int64),
        service_time=np.ones((3, 1)),
        service_scv=np.ones((3, 1)),
        external_arrival_rate=np.array([[load], [0.0], [0.0]]),
        arrival_scv=np.ones((3, 1)),
        patience=np.full((3, 1), np.inf),
        route_start=np.array([0, 1, 2, 2], np.uint32),
        route_to=np.array([1, 2], np.uint32),
        route_probability=np.ones(2),
        transfer_delay=np.zeros(2),
        holds_server=np.zeros(2, np.bool_),
        entry_priority=np.ones(2, np.int64),
        places_left_free=np.zeros(2, np.int64),
        external_entry_priority=np.ones((3, 1), np.int64),
        external_places_left_free=np.zeros((3, 1), np.int64),
        service_family=np.full((3, 1), code.EXPONENTIAL),
        service_parameters=parameters,
        samples=np.zeros(0),
    )


def layout(load: float, states: int) -> Layout:
    """Return the chain's tables, each queue cut off so that there are about so many states."""
    most = np.full(3, round(states ** (1.0 / 3.0)) - 1)
    return lay_out(in_a_row(load), Limits(most, most, np.zeros(2, np.int64)))


def solving(load: float) -> Prepare:
    """Time the solver, from the chain to probabilities whose residual is small."""

    def prepare(size: int) -> Task:
        chain = build_chain(layout(load, size), max_states=2 * size)

        def task() -> float:
            solved = stationary(chain)
            if not solved.residual <= RESIDUAL:
                message = f"residual {solved.residual:.2g} at load {load:g}"
                raise ArithmeticError(message)
            return float(chain.size)

        return task

    return prepare


def building(load: float) -> Prepare:
    """Time the generation of states and transitions."""

    def prepare(size: int) -> Task:
        tables = layout(load, size)
        return lambda: float(build_chain(tables, max_states=2 * size).size)

    return prepare


SPECS = [
    Spec(f"exact chain, load {load:g}", "solve", solving(load), building(load), "building it",
         sizes=SIZES)
    for load in LOADS
]  # fmt: skip
