"""The simulator beside the compiled simulators that can be installed: cimba, and LINE's LDES.

They are optional: ``pip install cimba line-solver`` beside flownet, and they are measured; where
they are missing, `SKIPPED` says so.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from benchmarks.registry import Prepare, Spec, Task
from benchmarks.simulation_speed import Model, horizon, one_server, ours, tandem, twenty

NEEDED = {"cimba": "cimba", "line_solver": "line-solver"}
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
SKIPPED = [
    f"the simulator beside {NEEDED[name]}: it is not installed (pip install {NEEDED[name]})"
    for name in MISSING
]


def cimba_peer(model: Model) -> Prepare:
    """Time cimba on single servers in a row, with a process for each; it counts one mean queue."""

    def prepare(size: int) -> Task:
        import cimba

        from benchmarks import simulation_cimba

        limited = bool(np.isfinite(model.capacity).all())
        described = simulation_cimba.Tandem() if limited else simulation_cimba.Single()
        window: Any = cimba.Window(warmup=0, duration=horizon(model, size))

        def task() -> float:
            cimba.Experiment(described, replications=1, window=window, seed=1).run()
            return size

        return task

    return prepare


def line_peer(model: Model) -> Prepare:
    """Time LINE's LDES, its start as a program of its own included."""

    def prepare(size: int) -> Task:
        import line_solver as line

        network: Any = line.Network("benchmark")
        source, sink = line.Source(network, "source"), line.Sink(network, "sink")
        queues = [
            line.Queue(network, f"queue{i}", line.SchedStrategy.FCFS)
            for i in range(model.mean.size)
        ]
        jobs = line.OpenClass(network, "jobs")
        source.setArrival(jobs, line.Exp(float(model.external.sum())))
        for queue, mean in zip(queues, model.mean, strict=True):
            queue.setService(jobs, line.Exp(1.0 / float(mean)))
        routing = network.initRoutingMatrix()
        for i, queue in enumerate(queues):
            share = float(model.external[i] / model.external.sum())
            if share > 0.0:
                routing.set(jobs, jobs, source, queue, share)
            for j in np.flatnonzero(model.routing[i]):
                routing.set(jobs, jobs, queue, queues[j], float(model.routing[i, j]))
            rest = 1.0 - float(model.routing[i].sum())
            if rest > 0.0:
                routing.set(jobs, jobs, queue, sink, rest)
        network.link(routing)

        def task() -> float:
            line.SolverLDES(network, seed=1, samples=size, verbose=False).getAvgTable()
            return size

        return task

    return prepare


def _specs() -> list[Spec]:
    found = []
    sizes = (100_000, 2_000_000)
    if "cimba" not in MISSING:
        found += [
            Spec(name, "visits", ours(model, 1), cimba_peer(model), "cimba", sizes=sizes)
            for name, model in (
                ("simulation, M/M/1", one_server()),
                ("simulation, tandem with blocking", tandem()),
            )
        ]
    if "line_solver" not in MISSING:
        found += [
            Spec(name, "visits", ours(model, 1), line_peer(model), "LINE's LDES", sizes=sizes)
            for name, model in (
                ("simulation, M/M/1", one_server()),
                ("simulation, 20 services", twenty()),
            )
        ]
    return found


SPECS = _specs()
