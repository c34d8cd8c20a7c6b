"""How a network was simulated: everything that, with the network, fixes the numbers."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Design:
    """How a network was simulated: everything that, with the network, fixes the numbers.

    Attributes
    ----------
    horizon, warmup : float
        T at which a run ends, and T up to which nothing is counted.
    warmup_rule : str
        ``given``, ``MSER-5``, or ``MSER-5, not settled`` where the rule found no steady state.
    replications, seed : int
    confidence : float
    targets : tuple of float
        Times in the system whose probability is shown, in T.
    max_jobs : int
        A run stops when more jobs than this are in the network or wait outside.
    trace_rows : int
        The most rows of the trace of a run.
    cycle, step : float
        The cycle of `profile` and the length of its steps, in T; 0 where none is kept.
    on_deadlock : str
        ``exchange`` or ``stop``.
    precise, precision : str, float
        The total that `until` was asked for, and the relative half-width asked of it.
    """

    horizon: float
    warmup: float
    warmup_rule: str
    replications: int
    seed: int
    confidence: float
    targets: tuple[float, ...] = ()
    max_jobs: int = 1 << 20
    trace_rows: int = 0
    cycle: float = 0.0
    step: float = 0.0
    on_deadlock: str = "exchange"
    precise: str = ""
    precision: float = 0.0
