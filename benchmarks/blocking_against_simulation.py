"""How long the simulator takes to be as right about blocking as each mode of the method is.

What counts is the probability that a completion finds its destination full: the root of the mean
square of its errors over all services that send jobs on. The truth is a simulation whose own error
is a fifth of the method's; the peer is one that is as long as it takes to err as much as the method
does, found by its error in several short runs.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.blocking import solved_in, ward_network
from benchmarks.registry import Prepare, Spec, Task
from flownet.execute import run_all
from flownet.kernels.blocking_full import COMPRESSED, FULL
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.kernels.simulation import SimulationRun, simulate_once

SERVERS = (1, 5)
FIRST, FINER, LONGEST = 500.0, 5.0, 2e6
"""Mean times between arrivals: of the first run, and at most; how much finer the truth is."""
RUNS, ROUNDS, CLOSE = 16, 6, 0.1
"""Short runs whose error is measured, how often their length is set, and how near is enough."""
WARMING = 200.0
"""Mean times between arrivals that no run counts; services stay for about one of them."""

REMARKS: list[str] = []
"""What was found while preparing, for below the table."""


def _run(network: CompiledNetwork, arrivals: float, seed: int) -> SimulationRun:
    """Simulate for so many mean times between arrivals at a door, after warming up."""
    unit = 1.0 / float(network.external_arrival_rate.sum(axis=1).max())
    warmup = WARMING * unit
    return simulate_once(network, horizon=warmup + arrivals * unit, warmup=warmup, seed=seed)


def _full(run: SimulationRun) -> Floats:
    """Return the probability that a completion finds its destination full, by batch (B, n)."""
    done = run.tallies.completions.sum(axis=2)
    return np.asarray(run.tallies.found_full / np.maximum(done, 1))


def _mean(run: SimulationRun) -> Floats:
    done = run.tallies.completions.sum(axis=(0, 2))
    return np.asarray(run.tallies.found_full.sum(axis=0) / np.maximum(done, 1))


def _off(gaps: Floats) -> float:
    return float(np.sqrt(np.mean(gaps**2)))


def _truth(network: CompiledNetwork, answer: Floats) -> tuple[Floats, float, float]:
    """Return the probabilities by a run long enough, the answer's error, and the run's own."""
    length = FIRST
    while True:
        run = _run(network, length, 1)
        each = _full(run)
        own = math.sqrt(float(each.var(axis=0, ddof=1).mean()) / len(each))
        # what the run errs by is part of the gap between the two
        error = math.sqrt(max(_off(_mean(run) - answer) ** 2 - own**2, 0.0))
        if own * FINER <= error or length >= LONGEST:
            return _mean(run), error, own
        length = min(
            length * float(np.clip((own * FINER / max(error, own)) ** 2, 2.0, 16.0)), LONGEST
        )


def _as_long(network: CompiledNetwork, truth: Floats, error: float) -> tuple[float, float]:
    """Return for how long to simulate to err as much, and how much several such runs err."""
    length, found = FIRST, 0.0
    for number in range(ROUNDS):
        runs = run_all(lambda seed, n=length: _run(network, n, seed), range(2, 2 + RUNS)).answers
        found = _off(np.array([_mean(run) - truth for run in runs]))
        if abs(found / error - 1.0) < CLOSE or number == ROUNDS - 1:
            break
        length = min(max(length * (found / error) ** 2, 1.0), LONGEST)
    return length, found


def equally_wrong(mode: str) -> tuple[Prepare, Prepare]:
    """Return what solves a network of the size's services, and what simulates as rightly."""
    lengths: dict[int, float] = {}

    def method(size: int) -> Task:
        network = ward_network(size, SERVERS)
        found, task = solved_in(network, mode)
        truth, error, own = _truth(network, found.blocking_probability)
        lengths[size], reached = _as_long(network, truth, error)
        visits = _run(network, lengths[size], 2).visits
        REMARKS.append(
            f"Blocking {mode} against simulation, {size} services: P(blocked) is off by "
            f"{error:.2%} (root mean square; the truth's own {own:.3%}); a simulation of "
            f"{visits:.2g} visits errs by {reached:.2%}."
        )
        return task

    def simulator(size: int) -> Task:
        network = ward_network(size, SERVERS)

        def task() -> None:
            _run(network, lengths[size], 2)

        return task

    return method, simulator


def _spec(name: str, mode: str) -> Spec:
    method, simulator = equally_wrong(mode)
    return Spec(
        f"{name}, against simulation", "solve", method, simulator,
        "simulation, as wrong about P(blocked)", (5, 10, 50), "services",
    )  # fmt: skip


SPECS = [_spec("blocking compressed", COMPRESSED), _spec("blocking in full", FULL)]
