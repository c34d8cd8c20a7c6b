"""The stationary distribution of a chain: elimination when small, many levels beyond."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from flownet.errors import ParameterError
from flownet.kernels.compiled import Floats
from flownet.kernels.exact_levels import Level, build_levels
from flownet.kernels.exact_multilevel import eliminate, imbalance, solve_levels, sweep
from flownet.kernels.exact_space import Chain

DENSE = 600
"""Up to so many states the chain is eliminated state by state, without a subtraction."""
TOLERANCE = 1e-14
MOST_CYCLES = 1000
FIRST_SWEEPS = 10
"""Sweeps before the levels are chosen."""


class Stationary(NamedTuple):
    """A stationary distribution and how well it fulfils its equations."""

    probability: Floats
    residual: float
    """Sum of the absolute net flows into the states, over the total flow."""
    cycles: int
    """0 where the chain is eliminated."""


def recurrent_states(chain: Chain) -> NDArray[np.intp]:
    """Return the states that the chain comes back to for ever.

    Raises
    ------
    ParameterError
        Where it depends on chance in which part of the network it ends.
    """
    count, part = connected_components(chain.rates, directed=True, connection="strong")
    if count == 1:
        return np.arange(chain.size)
    moves = chain.rates.tocoo()
    leaves = np.zeros(count, dtype=bool)
    leaves[part[moves.row][part[moves.row] != part[moves.col]]] = True
    closed = np.flatnonzero(~leaves)
    if len(closed) > 1:
        message = f"the chain can end in {len(closed)} closed parts, so it has no one steady state"
        raise ParameterError(message, "compiled network")
    return np.flatnonzero(part == closed[0])


def first_level(rates: csr_array, exit_rate: Floats) -> Level:
    """Return the finest level: the rates into each state, nothing joined yet."""
    into = csr_array(rates.T.tocsr())
    start, source = into.indptr.astype(np.int64), into.indices.astype(np.uint32)
    none = np.zeros(0, dtype=np.int64)
    return Level(start, source, into.data, exit_rate, none.astype(np.uint32), none)


def stationary(chain: Chain, *, tolerance: float = TOLERANCE) -> Stationary:
    """Return the stationary distribution of a chain.

    Parameters
    ----------
    chain : Chain
    tolerance : float
        Residual at which the cycles stop, if they get there.
    """
    kept = recurrent_states(chain)
    size = len(kept)
    rates = chain.rates if size == chain.size else csr_array(chain.rates[kept][:, kept])
    exit_rate: Floats = np.asarray(rates.sum(axis=1), dtype=np.float64).ravel()
    probability = np.zeros(chain.size)
    if size == 1:
        probability[kept] = 1.0
        return Stationary(probability, 0.0, 0)
    first = first_level(rates, exit_rate)
    if size <= DENSE:
        solved, cycles = eliminate(rates.toarray()), 0
    else:
        keys, owner = chain.keys(kept)
        start = np.full(size, 1.0 / size)
        sweep(first, start, FIRST_SWEEPS)
        start /= start.sum()
        levels = build_levels(first, keys, owner, start)
        solved, _, cycles = solve_levels(levels, start, tolerance, MOST_CYCLES)
    probability[kept] = solved
    return Stationary(probability, imbalance(first, solved), cycles)
