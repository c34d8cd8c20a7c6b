"""Open networks beside LINE's native solver (mean value analysis), from description to result.

LINE is optional: ``pip install line-solver`` beside flownet, and it is measured; where missing,
`SKIPPED` says so. Both sides begin with the same arrays of a network of single queues.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pandas as pd

import flownet as fn
from benchmarks.registry import Spec, Task
from benchmarks.traffic import EASY, Routes, scattered
from flownet.kernels.traffic import solve_flows

MISSING = importlib.util.find_spec("line_solver") is None
SKIPPED = ["open networks beside LINE: it is not installed (pip install line-solver)"] * MISSING
LOAD = 0.7


def drawn(size: int) -> tuple[Routes, np.ndarray]:
    """Return routes with external arrivals, and service times that make all queues 0.7 busy."""
    routes = scattered(size, EASY, np.random.default_rng(size))
    return routes, LOAD / solve_flows(*routes)[3]


def ours(size: int) -> Task:
    """Describe as tables, solve, and read the numbers present."""
    (start, to, weight, external), mean = drawn(size)
    ends = start.astype(np.int64), to.astype(np.int64)

    def task() -> None:
        services = pd.DataFrame({"service_time": mean, "external_arrival_rate": external})
        source = np.repeat(np.arange(size), np.diff(ends[0]))
        routes = pd.DataFrame({"from": source, "to": ends[1], "routing_probability": weight})
        network = fn.Network.from_tables(services, routes, time_unit="hour")
        fn.solve(network).services["number_present"].sum()

    return task


def theirs(size: int) -> Task:
    """Do the same with LINE."""
    import line_solver as line

    (start, to, weight, external), mean = drawn(size)
    total = float(external.sum())

    def task() -> None:
        network: Any = line.Network("benchmark")
        source, sink = line.Source(network, "source"), line.Sink(network, "sink")
        queues = [line.Queue(network, f"q{i}", line.SchedStrategy.FCFS) for i in range(size)]
        jobs = line.OpenClass(network, "jobs")
        source.setArrival(jobs, line.Exp(total))
        routing = network.initRoutingMatrix()
        for i, queue in enumerate(queues):
            queue.setService(jobs, line.Exp(1.0 / float(mean[i])))
            routing.set(jobs, jobs, source, queue, float(external[i]) / total)
            for e in range(start[i], start[i + 1]):
                routing.set(jobs, jobs, queue, queues[to[e]], float(weight[e]))
            rest = 1.0 - float(weight[start[i] : start[i + 1]].sum())
            routing.set(jobs, jobs, queue, sink, rest)
        network.link(routing)
        line.SolverMVA(network, verbose=False).getAvgTable()

    return task


SPECS = (
    []
    if MISSING
    else [
        Spec(
            "open network from description to result",
            "solve",
            ours,
            theirs,
            peer_name="LINE, SolverMVA",
            sizes=(100, 1_000),
        )
    ]
)
