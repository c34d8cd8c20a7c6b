"""Networks with blocking, compressed: one birth-death chain a service, linear in its servers.

The chain of a service counts the jobs there and those that wait for a place there, wherever they
stand. Each of its servers is held for the mean time that a job needs, its held transfers, and its
wait for the next place; that wait comes from the chains downstream. A fixed point couples them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed_chain import Chain, Place, solve_chain
from flownet.kernels.blocking_compressed_flows import (
    Accepted,
    Flows,
    Layout,
    lay_out,
    solve_class_flows,
)
from flownet.kernels.blocking_compressed_measures import Settled, spread, to_measures
from flownet.kernels.blocking_compressed_mixing import Mixing
from flownet.kernels.compiled import (
    DELAY,
    WAIT_OUTSIDE,
    CompiledNetwork,
    Floats,
    Integers,
    Measures,
)

CONVERGED, UNCONVERGED, BROKEN = 0, 1, 2
SMALLEST = 1e-13
"""Shares below this count as none."""
HELD_BACK = 4.0
"""Power of the share of servers held: how far a service's stream is taken to fall within a sweep
as its servers wait longer. It decides how the fixed point is sought, not where it lies."""
LONGEST_WAIT = 1e9
"""A wait of so many service times counts as endless: the servers that wait have come to rest."""


class _Sweep(NamedTuple):
    wait: Floats
    accepted: Accepted
    flows: Flows
    held: Floats
    chains: list[Chain | None]


def solve_compressed(
    compiled: CompiledNetwork, *, tolerance: float = 1e-9, max_sweeps: int = 1000
) -> Measures:
    r"""Solve a network with blocking by one birth-death chain a service.

    .. math:: S_i = s_i + t_i + \sum_j p_{ij} W_j,\qquad W_j = \frac{E[\text{blocked for } j]}{F_j}

    Parameters
    ----------
    compiled : CompiledNetwork
        Whole servers and places; first come, first served.
    tolerance : float
        Largest relative change of waits, acceptance and flows in a sweep at which it stops.
    max_sweeps : int
        Sweeps at most.

    Returns
    -------
    Measures

    Notes
    -----
    Every server of i is held for a mean time S: service s, held transfers t, and the waits W for
    places downstream, as if exponential and independent of the state. The services upstream of j
    work with a number of servers that does not depend on j's state, as long as so many are not
    blocked; this number is what gives the flow F that the traffic equations want, or all of them
    where that flow cannot be had: then they are saturated, and their own chains say what becomes
    of those that they cannot serve. Jobs blocked for a place and jobs waiting outside for it
    share one list. The spread of service times scales all that waits as in M/G/c (Kimura). A
    sweep goes from downstream to upstream and costs time linear in servers and places.

    References
    ----------
    Koizumi, Kuno, Smith (2005), Health Care Manag. Sci. 8:49 (service lengthened by blocking);
    Bretthauer, Heese, Pun, Coe (2011), Prod. Oper. Manag. 20:439.
    """
    layout = lay_out(compiled)
    n = compiled.servers.size
    wait, accepted = np.zeros(n), Accepted(np.ones(n), np.ones(n))
    mixing = Mixing(3 * n)
    residual, sweeps = np.inf, 0
    while True:
        sweep = _sweep(compiled, layout, wait, accepted)
        point = _packed(layout, wait, accepted)
        image = _packed(layout, sweep.wait, sweep.accepted)
        residual = float(np.abs(image - point).max())
        sweeps += 1
        if not np.isfinite(residual) or residual <= tolerance or sweeps >= max_sweeps:
            break
        wait, accepted = _unpacked(layout, mixing.step(point, image, residual))
    status = CONVERGED if residual <= tolerance else UNCONVERGED
    if not np.isfinite(residual):
        status = BROKEN
    settled = Settled(sweep.wait, accepted, sweep.flows, sweep.held, sweep.chains)
    return to_measures(compiled, layout, settled, (status, sweeps, residual))


def _packed(layout: Layout, wait: Floats, accepted: Accepted) -> Floats:
    """Return one vector in which steps of like size mean alike: all in logarithms."""
    shares = [np.log(np.maximum(part, SMALLEST)) for part in accepted]
    return np.concatenate([np.log1p(wait / layout.stay), *shares])


def _unpacked(layout: Layout, vector: Floats) -> tuple[Floats, Accepted]:
    wait, accept, served = np.split(vector, 3)
    lowest = np.log(SMALLEST)
    return (
        np.expm1(np.clip(wait, 0.0, np.log1p(LONGEST_WAIT))) * layout.stay,
        Accepted(np.exp(np.clip(accept, lowest, 0.0)), np.exp(np.clip(served, lowest, 0.0))),
    )


def _sweep(compiled: CompiledNetwork, layout: Layout, wait: Floats, accepted: Accepted) -> _Sweep:
    """Solve the flows, then every chain, from downstream to upstream with the newest waits."""
    flows = solve_class_flows(compiled, layout, accepted)
    wait, n = wait.copy(), wait.size
    accept, served = np.ones(n), np.ones(n)
    base = flows.work / flows.passes
    every = np.bincount(layout.upper, weights=flows.chance * wait[layout.lower], minlength=n)
    held = base + every / flows.passes
    chains: list[Chain | None] = [None] * n
    for j in layout.order.tolist():
        onward = layout.upper == j
        held[j] = base[j] + (flows.chance * wait[layout.lower])[onward].sum() / flows.passes[j]
        if np.isinf(compiled.servers[j]) or compiled.discipline[j] == DELAY:
            continue
        place = _place(compiled, layout, flows, wait, held, j)
        chain = chains[j] = solve_chain(place)
        accept[j] = chain.vacant if layout.refusing[j] else 1.0
        wait[j] = chain.wait
        served[j] = _served(compiled, layout, flows, chain, j, float(held[j]))
    return _Sweep(wait, Accepted(accept, served), flows, held, chains)


def _served(
    compiled: CompiledNetwork, layout: Layout, flows: Flows, chain: Chain, j: int, held: float
) -> float:
    """Return the share of j's admitted that complete: less who give up, less what piles up."""
    loops = float(flows.route[layout.loops & (layout.start == j)].sum())
    admitted = float(flows.admitted[j].sum()) - loops
    if chain.gives_up > 0 and chain.ratio < 1.0:
        return float(np.clip(1.0 - chain.gives_up / max(admitted, 1e-300), SMALLEST, 1.0))
    if chain.ratio >= 1.0 and admitted > 0:
        return float(np.clip(compiled.servers[j] / held / admitted, SMALLEST, 1.0))
    return 1.0


def _place(
    compiled: CompiledNetwork, layout: Layout, flows: Flows, wait: Floats, held: Floats, j: int
) -> Place:
    """Gather what j's chain is made of."""
    finite = bool(layout.finite[j])
    mine = (layout.end == j) & ~layout.loops
    pairs = np.flatnonzero(layout.lower == j)
    blocking = float(flows.pair[pairs].sum())
    transit = float(flows.route[mine & layout.transit].sum())
    others = max(float(flows.route[mine].sum()) - blocking - transit, 0.0)
    outside = float(flows.external[j].sum())
    waits = not finite or compiled.external_when_full[j] == WAIT_OUTSIDE
    upper = layout.upper[pairs]
    done = flows.done.sum(axis=1)
    sources = _left(compiled, layout, flows, wait, upper, j)
    used = np.minimum(done * held / compiled.servers, 1.0)
    passes = np.maximum(held * flows.passes, 1e-300)[upper]
    response = used[upper] ** HELD_BACK * flows.chance[pairs] / passes
    return Place(
        int(compiled.capacity[j]) if finite else -1,
        int(compiled.servers[j]),
        float(held[j]),
        float(layout.giving_up[j]),
        blocking,
        transit + (outside if waits else 0.0) + (0.0 if finite else others),
        (0.0 if waits else outside) + (others if finite else 0.0),
        sources,
        flows.pair[pairs] / blocking if blocking > 0 else np.full(pairs.size, 1.0),
        (done * flows.work)[upper],
        response,
        float(wait[j]),
        _longest(layout, flows, sources, j),
        spread(float(used[j]), compiled.servers[j], flows.scv[j]),
    )


def _longest(layout: Layout, flows: Flows, sources: Floats, j: int) -> float:
    """Return the longest wait for a place at j: what exchanges on the cycles through j leave.

    All that leaves j for a service on a cycle through j can close that cycle.
    """
    back = (layout.upper == j) & layout.cyclic
    leaving = float(flows.pair[back].sum())
    longest = float(LONGEST_WAIT * layout.stay[j])
    return min(float(sources.sum()) / leaving, longest) if leaving > 0 else longest


def _left(
    compiled: CompiledNetwork, layout: Layout, flows: Flows, wait: Floats, upper: Integers, j: int
) -> Floats:
    """Return the servers of the services `upper` that do not wait for a place other than j's."""
    n = wait.size
    done, blocked = flows.done.sum(axis=1), flows.chance * wait[layout.lower]
    elsewhere = np.where(layout.lower == j, 0.0, blocked)
    lost_time = np.bincount(layout.upper, weights=elsewhere, minlength=n)[upper]
    every = np.bincount(layout.upper, weights=blocked, minlength=n)[upper]
    servers = np.minimum(compiled.servers[upper], 1e6)
    rate = np.minimum(done[upper], servers / np.maximum(flows.work[upper] + every, 1e-300))
    return np.asarray(np.maximum(servers - rate * lost_time, 1e-9 * servers))
