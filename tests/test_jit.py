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
    environment.pop("NUMBA_CACHE_DIR", None)  # the cache stands beside the copy
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environment, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    value, hits = done.stdout.split()
    return float(value), int(hits)


def package_in(folder):
    copy, source = folder / "flownet", Path(flownet.__file__).parent
    (copy / "queues").mkdir(parents=True)
    for name in ("jit.py", "__init__.py"):
        shutil.copy(source / name, copy / name)
    (copy / "queues" / "__init__.py").touch()
    (copy / "queues" / "outer.py").write_text(OUTER)
    inner = copy / "queues" / "inner.py"
    inner.write_text(INNER.format(step="1.0"))
    return inner


def test_a_change_in_what_is_called_compiles_the_caller_anew(tmp_path):
    inner = package_in(tmp_path)
    assert said_by(tmp_path) == (20.0, 0)
    assert said_by(tmp_path) == (20.0, 1)
    inner.write_text(INNER.format(step="2.0"))
    assert said_by(tmp_path) == (30.0, 0)


def test_old_code_beside_a_new_index_is_not_taken(tmp_path):
    """numba writes the index first: what another process may find between the two writes."""
    inner = package_in(tmp_path)
    assert said_by(tmp_path) == (20.0, 0)
    old = {file: file.read_bytes() for file in tmp_path.rglob("*.nbc")}
    inner.write_text(INNER.format(step="2.0"))
    assert said_by(tmp_path) == (30.0, 0)
    assert sorted(tmp_path.rglob("*.nbc")) == sorted(old)
    for file, code in old.items():
        file.write_bytes(code)
    assert said_by(tmp_path) == (30.0, 0)
    assert said_by(tmp_path) == (30.0, 1)
