"""Erlang C for many stations at once, beside the textbook's recursion, compiled and plain."""

from __future__ import annotations

import numpy as np

from benchmarks.registry import Spec, Task
from flownet import queues
from flownet.jit import njit
from flownet.kernels.compiled import Floats

MOST_SERVERS = 500


def stations(size: int) -> tuple[Floats, Floats]:
    """Return servers from 1 to 500 and loads of half to nearly all of them."""
    rng = np.random.default_rng(1)
    servers = rng.integers(1, MOST_SERVERS + 1, size).astype(np.float64)
    return servers, servers * rng.uniform(0.5, 0.99, size)


def recursion(servers: int, load: float) -> float:
    """Return Erlang C by B(k) = a B(k-1) / (k + a B(k-1))."""
    loss = 1.0
    for k in range(1, servers + 1):
        loss = load * loss / (k + load * loss)
    return servers * loss / (servers - load * (1.0 - loss))


compiled_recursion = njit(recursion)


@njit
def recursions(servers: Floats, load: Floats) -> Floats:
    """Return Erlang C of every station by the recursion."""
    out = np.empty(servers.size)
    for i in range(servers.size):
        out[i] = compiled_recursion(int(servers[i]), load[i])
    return out


def ours(size: int) -> Task:
    """Prepare the library's Erlang C."""
    servers, load = stations(size)

    def run() -> float:
        queues.erlang_c(servers, load)
        return float(size)

    return run


def textbook(size: int) -> Task:
    """Prepare the compiled recursion; it says how far the library is from it at most."""
    servers, load = stations(size)
    np.testing.assert_allclose(
        queues.erlang_c(servers, load), recursions(servers, load), rtol=1e-12
    )

    def run() -> float:
        recursions(servers, load)
        return float(size)

    return run


def plain(size: int) -> Task:
    """Prepare the recursion in plain Python, on at most 2,000 of the stations."""
    servers, load = stations(size)
    chosen = [(int(c), float(a)) for c, a in zip(servers[:2000], load[:2000], strict=True)]

    def run() -> float:
        for each in chosen:
            recursion(*each)
        return float(len(chosen))

    return run


SPECS = [
    Spec("Erlang C", "solve", ours, textbook, "recursion, compiled", (1_000, 1_000_000)),
    Spec("Erlang C", "solve", ours, plain, "recursion in Python", (1_000, 1_000_000)),
]
