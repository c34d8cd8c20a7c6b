"""Sweeps of `urgent_care`: rows a second beside one `solve` a row, the share spent in kernels.

`python -m benchmarks.sweeps` measures the whole: 10,000 rows on two processes, the share of the
time that is spent in kernels, and two Dask workers beside one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import flownet as fn
from benchmarks.registry import Prepare, Spec, Task
from flownet.solvers.register import METHODS
from flownet.study.neighbours import neighbourhoods
from flownet.study.sweep import CHUNK

RANGES = {
    "servers at Frailty ward": (75, 84),
    "servers at Home care": (40, 49),
    "servers at Community beds": (36, 45),
    "scale external_arrival_rate": (0.95, 1.05),
}
MEASURES = ("delay", "throughput", "cost", "occupancy at Frailty ward", "goal delay")


MODE = {"method": "blocking", "mode": "compressed"}
"""The one for many rows."""


def swept(rows: int | pd.DataFrame, executor: Any = None) -> fn.SweepResult:
    """Return the outcome of so many rows, or of these."""
    network = fn.example("urgent_care")
    how: dict[str, Any] = {"executor": executor, "progress": False, **MODE}
    if isinstance(rows, pd.DataFrame):
        return fn.sweep(network, rows, MEASURES, **how)
    return fn.sweep(network, RANGES, MEASURES, samples=rows, **how)


def spread(rows: int, few: int) -> pd.DataFrame:
    """Return some groups of so many rows, which lie as close to each other as in all of them."""
    points = fn.Design.sobol(RANGES, rows).points
    groups = neighbourhoods(points, CHUNK)
    chosen = groups[:: max(len(groups) * CHUNK // few, 1)]
    return pd.DataFrame(points[np.concatenate(chosen)], columns=list(RANGES))


def ours(rows: int) -> Task:
    """Time a sweep here."""
    return lambda: float(len(swept(rows).table))


def one_by_one(rows: int) -> Task:
    """Time what the sweep does, a changed network and a solution for each row."""
    network = fn.example("urgent_care")
    design = fn.Design.sobol(RANGES, rows)

    def task() -> float:
        for values in design.points.tolist():
            beds = dict(zip(list(RANGES)[:3], values, strict=False))
            scenario = fn.Scenario("row")
            for name, servers in beds.items():
                scenario = scenario.set(name.removeprefix("servers at "), servers=servers)
            scenario = scenario.scale("*", external_arrival_rate=values[3])
            fn.solve(scenario.apply(network), **MODE).system  # noqa: B018  # the table is computed here
        return float(rows)

    return task


PREPARE: Prepare = ours
SPECS = [
    Spec(
        "sweep of urgent_care", "scenarios", PREPARE, one_by_one, "one solve a row", sizes=(32, 256)
    )
]


@contextmanager
def kernel_time() -> Iterator[dict[str, float]]:
    """Count the processor time that the methods' kernels take."""
    spent = {"seconds": 0.0}
    before = dict(METHODS)

    def timed(solve: Any) -> Any:
        def run(*given: Any, **options: Any) -> Any:
            begun = time.process_time()
            try:
                return solve(*given, **options)
            finally:
                spent["seconds"] += time.process_time() - begun

        return run

    for name, method in before.items():
        METHODS[name] = dataclasses.replace(method, solve=timed(method.solve))
    try:
        yield spent
    finally:
        METHODS.update(before)


def share_in_kernels(rows: int) -> tuple[float, float]:
    """Return the share of the processor time spent in kernels, and that time a row."""
    some = spread(rows, 1024)
    swept(2)
    with kernel_time() as spent:
        begun = time.process_time()
        swept(some)
        total = time.process_time() - begun
    return spent["seconds"] / total, total / len(some)


def on_processes(rows: int, workers: int) -> float:
    """Return the seconds of a sweep on warm processes."""
    with ProcessPoolExecutor(workers) as pool:
        swept(2 * 64, pool)
        begun = time.perf_counter()
        swept(rows, pool)
        return time.perf_counter() - begun


def on_dask(rows: int, workers: int) -> float:
    """Return the seconds of a sweep on a warm local cluster."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        swept(workers * 2 * 64, client)
        begun = time.perf_counter()
        swept(rows, client)
        return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweeps", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    rows = options.rows
    share, each = share_in_kernels(rows)
    seconds = on_processes(rows, 2)
    one, two = (on_dask(rows, workers) for workers in (1, 2))
    figures = {
        "rows": rows,
        "share_in_kernels": share,
        "processor_seconds_a_row": each,
        "two_processes_seconds": seconds,
        "dask_one_worker_seconds": one,
        "dask_two_workers_seconds": two,
        "dask_ratio": one / two,
    }
    for name, value in figures.items():
        print(f"{name}: {value:.4g}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
