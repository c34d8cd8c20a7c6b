"""Compiled code is taken from the cache only while nothing that went into it has changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import flownet

INNER = "from flownet.jit import njit\n\n\n@njit\ndef inner(x):\n    return x + {step}\n"
OUTER = (
    "from flownet.jit import njit\n"
    "from flownet.queues import (\n    inner as below,\n)\n\n\n"
    "@njit\ndef outer(x):\n    return 10.0 * below.inner(x)\n"
)
PROGRAM = (
    "from flownet.queues.outer import outer\n"
    "print(outer(1.0), sum(outer.stats.cache_hits.values()))"
)


def said_by(folder):
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_DISABLE_JIT": "0"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environment, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    value, hits = done.stdout.split()
    return float(value), int(hits)


def test_a_change_in_what_is_called_compiles_the_caller_anew(tmp_path):
    copy, source = tmp_path / "flownet", Path(flownet.__file__).parent
    (copy / "queues").mkdir(parents=True)
    for name in ("jit.py", "__init__.py"):
        shutil.copy(source / name, copy / name)
    (copy / "queues" / "__init__.py").touch()
    (copy / "queues" / "outer.py").write_text(OUTER)
    inner = copy / "queues" / "inner.py"
    inner.write_text(INNER.format(step="1.0"))
    assert said_by(tmp_path) == (20.0, 0)
    assert said_by(tmp_path) == (20.0, 1)
    inner.write_text(INNER.format(step="2.0"))
    assert said_by(tmp_path) == (30.0, 0)
