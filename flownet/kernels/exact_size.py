"""How many states a network's chain would have: counted when few, estimated from above beyond."""

from __future__ import annotations

import math

import numpy as np

from flownet.errors import ParameterError
from flownet.kernels import exact_tables as col
from flownet.kernels.compiled import CompiledNetwork, Integers
from flownet.kernels.exact_layout import Layout, lay_out
from flownet.kernels.exact_space import explore
from flownet.kernels.exact_store import STATES
from flownet.kernels.exact_truncation import first_limits


def _log_sum(terms: list[float]) -> float:
    """Return log(sum(exp(terms)))."""
    return float(np.logaddexp.reduce(terms)) if terms else 0.0


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_line(room: int, kinds: int) -> float:
    """Return the logarithm of the number of sequences of up to `room` items of so many kinds."""
    if room <= 0:
        return 0.0
    if kinds <= 1:
        return math.log(room + 1.0)
    return (room + 1) * math.log(kinds) - math.log(kinds - 1.0)


def _log_service(layout: Layout, i: int) -> float:
    """Return the logarithm of a bound on the states of one service and its door."""
    t = layout.tables
    row = t.service[i]
    classes = t.pair.shape[0] // t.service.shape[0]
    phases = int(np.maximum(t.pair[i * classes : (i + 1) * classes, col.PHASES], 0).sum())
    if phases == 0:
        return 0.0
    most = min(int(row[col.SERVERS]), int(row[col.PLACES]), int(row[col.LIMIT]))
    if row[col.SHARING]:
        most = min(int(row[col.PLACES]), int(row[col.LIMIT]))
    busy = [_log_choose(jobs + phases - 1, phases - 1) for jobs in range(most + 1)]
    waiting = 0.0
    for number in range(int(row[col.FIRST_LINE]), int(row[col.END_LINE])):
        kinds = int((t.pair[:, col.LINE] == number).sum())
        waiting += _log_line(int(t.lists[number, col.ROOM]), kinds)
    can_block = bool((t.kind[:, col.SOURCE] // classes == i).any())
    # without blocking, jobs wait only while all servers work
    total = _log_sum(busy) + waiting if can_block else _log_sum([*busy, busy[-1] + waiting])
    if row[col.DOOR] >= 0:
        kinds = int((t.kind[:, col.TARGET] // classes == i).sum())
        total += _log_line(int(t.lists[row[col.DOOR], col.ROOM]), kinds)
    return total


def bound_states(layout: Layout) -> float:
    """Return a bound on the number of states: the product of what each service can hold."""
    t = layout.tables
    total = sum(_log_service(layout, i) for i in range(t.service.shape[0]))
    for pair in range(t.pair.shape[0]):
        total += math.log(max(int(t.pair[pair, col.ARRIVAL_PHASES]), 1))
    for row in t.route[t.route[:, col.TRANSFER] >= 0]:
        limit = int(row[col.ROUTE_LIMIT])
        if limit == col.UNLIMITED:  # held: no more than the servers
            service = t.service[int(row[col.FROM]) * t.service.shape[0] // t.pair.shape[0]]
            limit = int(min(service[col.SERVERS], service[col.PLACES], service[col.LIMIT]))
        total += math.log(limit + 1.0)
    return math.exp(min(total, 700.0))


def estimate_states(
    compiled: CompiledNetwork,
    *,
    count_up_to: int = 20_000,
    truncation_mass: float = 1e-12,
    initial: Integers | None = None,
) -> float:
    """Return the number of states of a network's chain, or an estimate from above.

    Parameters
    ----------
    compiled : CompiledNetwork
    count_up_to : int
        So many states are generated and counted at most; beyond, the product of what each service
        can hold by itself is returned, which neglects that not all combinations can occur.
    truncation_mass : float
        As for `solve_exact`; a queue without limit is cut off where it would be if its service
        stood alone.
    initial : (n, R) array of int, optional
        Jobs present at the start; default none.

    Returns
    -------
    float
        Exact where it is at most `count_up_to`.

    Examples
    --------
    An M/M/1/4 has the states 0 to 4; see `tests/kernels/test_exact.py`.
    """
    layout = lay_out(compiled, first_limits(compiled, truncation_mass, initial), initial)
    bound = bound_states(layout)
    try:
        _, _, store, _ = explore(layout, max_states=count_up_to, initial=initial)
    except ParameterError:
        return max(bound, count_up_to + 1.0)
    return float(store.size[STATES])
