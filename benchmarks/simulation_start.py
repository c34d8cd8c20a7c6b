"""How long a first simulation takes in a new process: compiled afresh, and from numba's cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.registry import Spec, Task

PROGRAM = """
import flownet as fn
network = fn.example("stroke")
print(fn.simulate(network, horizon=200.0, warmup=20.0, replications=2).system["throughput"])
"""


def in_a_new_process(_: int) -> Task:
    """Simulate in a new process; the first call finds an empty cache, the others a full one."""
    folder = Path(tempfile.mkdtemp(prefix="flownet-cache-"))

    def task() -> None:
        environment = os.environ | {"NUMBA_CACHE_DIR": str(folder)}
        subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-c", PROGRAM], env=environment, check=True, capture_output=True
        )

    return task


SPECS = [Spec("simulation, a new process", "start", in_a_new_process)]
