"""Which of those blocked for places outside a part are counted together, to have fewer states."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_parts import Streams
from flownet.kernels.blocking_parts_plan import Graph, states_of
from flownet.kernels.compiled import CompiledNetwork, Floats

MOST_LOST = 0.01
"""Of the square of the time that a job holds a server: in fans of one to three servers before four
services alike or up to 64 times as slow, throughput stays within 0.8 %, where with all of them in
one count it is off by up to 46 %."""


def pools_of(
    compiled: CompiledNetwork,
    graph: Graph,
    chains: Chain[Floats],
    streams: Streams,
    services: list[int],
    few: float,
    most: float,
) -> list[list[int]] | None:
    """Return which routes out of a part are counted together, so that it has about `few` states.

    None where it has no more as it is; up to `most` where none that are left are alike. One after
    the other those from one service are joined of which the least is lost: the variance of the time
    that a job there is held, of which a count of both together keeps the mean only.

    References
    ----------
    Ward (1963), J. Amer. Stat. Assoc. 58:236: what two groups that are joined lose of the variance.
    """
    if states_of(compiled, graph, services) <= few:
        return None
    inside = np.isin(graph.end, services)
    outward = np.flatnonzero(graph.blocks & np.isin(graph.start, services) & ~inside)
    alike = np.lexsort((graph.rank[graph.end[outward]], graph.rank[graph.start[outward]]))
    pools = [[int(a)] for a in outward[alike]]
    often, long = streams.flow * chains.found_full[graph.end], chains.wait[graph.end]
    n = streams.leaves.size
    sent = np.maximum(np.bincount(graph.start, streams.flow, n), 1e-300)
    stay = 1.0 / streams.leaves + np.bincount(graph.start, often * long, n) / sent

    def lost(one: list[int], other: list[int]) -> float:
        s = int(graph.start[one[0]])
        if s != graph.start[other[0]]:
            return math.inf
        a, b = (max(float(often[pool].sum()), 1e-300) for pool in (one, other))
        apart = float(often[one] @ long[one]) / a - float(often[other] @ long[other]) / b
        return a * b / (a + b) * apart**2 / float(stay[s] ** 2 * sent[s])

    while (size := states_of(compiled, graph, services, pools)) > few:
        pairs = combinations(range(len(pools)), 2)
        step, k, h = min(
            ((_rounded(lost(pools[k], pools[h])), k, h) for k, h in pairs), default=(math.inf, 0, 0)
        )
        if step == math.inf or (step > _rounded(MOST_LOST) and size <= most):
            break
        pools[k] = sorted(pools[k] + pools.pop(h))
    return [pool for pool in pools if len(pool) > 1]


def _rounded(lost: float) -> float:
    """Return the logarithm to a quarter: a little more of it is no reason for another choice.

    Networks that differ little are compared, and so should have the same parts.
    """
    return lost if lost == math.inf else round(4.0 * math.log(max(lost, 1e-9)))
