"""Memory that compiling and solving take beside the description: ``python -m benchmarks.memory``.

On Linux: the peak of the memory in use is set back after the description was built, so that only
what comes on top counts. Each line is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flownet as fn
from benchmarks.networks import arrays, general, graph, tables
from flownet.kernels.decomposition import solve_decomposition
from flownet.kernels.product_form import solve_product_form
from flownet.kernels.traffic import solve_traffic

SIZE = 1_000_000
WARMING = 1_000  # services of the network that is taken first, so that nothing is compiled later
RESET_PEAK = "5"  # see proc(5), clear_refs
KIBI, GIGA = 1024, 1e9


def _from_tables(given: Any) -> fn.Network:
    return fn.Network.from_tables(*given, time_unit="hour")


CASES: dict[str, tuple[Callable[[int], Any], Callable[[Any], object]]] = {
    "network from a graph, checked and compiled": (graph, fn.Network.from_graph),
    "the same, and solved": (graph, lambda given: fn.solve(fn.Network.from_graph(given))),
    "network from tables, checked and compiled": (tables, _from_tables),
    "traffic equations, from arrays": (arrays, solve_traffic),
    "open network, product form, from arrays": (arrays, solve_product_form),
    "open network, any scv, from arrays": (general, solve_decomposition),
}
"""What is built without being counted, and what is done with it."""


def in_use(kind: str) -> int:
    """Return bytes of this process's memory: in use now (VmRSS) or at most (VmHWM)."""
    found = re.search(rf"{kind}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        message = f"/proc/self/status has no {kind}"
        raise OSError(message)
    return int(found[1]) * KIBI


def measured(case: str, size: int) -> tuple[float, float]:
    """Return the GB in use before, description and Python together, and the most on top of it."""
    build, act = CASES[case]
    act(build(WARMING))
    given = build(size)
    Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    before = in_use("VmRSS")
    result = act(given)
    on_top = in_use("VmHWM") - before
    del result
    return before / GIGA, on_top / GIGA


def main() -> None:
    """Measure each case in a new process and print a line for it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, help="services (default 1,000,000)")
    size = parser.parse_args().size
    print(f"{size} services, five routes each; GB before, and on top at most")
    context = multiprocessing.get_context("spawn")
    for case in CASES:
        with context.Pool(1) as pool:
            before, on_top = pool.apply(measured, (case, size))
        print(f"{case:45} {before:6.2f} {on_top:6.2f}", flush=True)


if __name__ == "__main__":
    main()
