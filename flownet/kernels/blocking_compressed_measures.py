"""From settled chains to measures by service and class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed_chain import Chain
from flownet.kernels.blocking_compressed_flows import (
    Accepted,
    Flows,
    Layout,
    by_state,
    overflowing,
    transit_by_class,
)
from flownet.kernels.compiled import WAIT_OUTSIDE, CompiledNetwork, Floats, Measures

GROWING = 1e-9
"""A backlog that grows by less than this share of what is admitted counts as rounding."""


class Settled(NamedTuple):
    """Where the fixed point has come to rest."""

    wait: Floats
    """(n,) mean time that a job wait for a place here in a server elsewhere."""
    accepted: Accepted
    """The shares that the flows were solved with."""
    flows: Flows
    held: Floats
    """(n,) mean time that a server is held."""
    chains: list[Chain | None]


def spread(rho: float, servers: float, scv: float) -> float:
    r"""Return what the spread of service times makes of an exponential wait.

    .. math:: \frac{1 + c_s^2}{2 c_s^2 + 2 (1 - c_s^2) / (1 + g)},\quad
              g = \min\Big(0.24, \frac{(1-\rho)(c-1)(\sqrt{4+5c}-2)}{16 c \rho}\Big)

    References
    ----------
    Kimura (1986), Stochastic Models 2, 235-263: the two-moment interpolation for M/G/c.
    """
    if not np.isfinite(servers):
        return 1.0
    scv = min(max(scv, 0.0), 25.0)
    if scv > 1:  # the interpolation's denominator is kept at that of M/M/c
        return (1 + scv) / 2
    rho = min(max(rho, 1e-9), 1.0)
    g = (1 - rho) * (servers - 1) * (np.sqrt(4 + 5 * servers) - 2) / (16 * servers * rho)
    return float((1 + scv) / (2 * scv + 2 * (1 - scv) / (1 + min(g, 0.24))))


def to_measures(
    compiled: CompiledNetwork,
    layout: Layout,
    settled: Settled,
    standing: tuple[int, int, float],
) -> Measures:
    """Return the measures; classes share what waits by their flows."""
    flows, wait = settled.flows, settled.wait
    n, shape = compiled.servers.size, flows.done.shape
    waiting, outside, gives_up, growth = _backlogs(compiled, layout, settled)
    full, waits, found = np.zeros(n), np.zeros(n), np.zeros(n)
    for j, chain in enumerate(settled.chains):
        if chain is not None:
            full[j] = 1.0 - chain.vacant if layout.finite[j] else 0.0
            waits[j], found[j] = chain.waits, chain.found_full
    refused = flows.arrivals - flows.admitted
    internal = flows.arrivals - flows.external
    over = overflowing(compiled, layout, settled.accepted, flows.external, internal)
    lasting = np.where(layout.blocks, wait[layout.end], 0.0) * compiled.route_probability
    with np.errstate(invalid="ignore", divide="ignore"):
        waiting_time = np.where(flows.done > 0, waiting / np.maximum(flows.done, 1e-300), 0.0)
    status, sweeps, residual = standing
    return Measures(
        status=status,
        iterations=sweeps,
        residual=residual,
        arrival_rate=flows.arrivals,
        throughput=flows.done,
        loss_rate=np.maximum(refused - over, 0.0),
        overflow_rate=over,
        abandonment_rate=gives_up,
        number_waiting=waiting,
        number_in_service=flows.done * compiled.service_time,
        number_blocked=flows.done * by_state(layout, lasting, shape),
        number_held_in_transfer=flows.done * flows.transfer,
        number_outside=outside,
        waiting_time=waiting_time,
        wait_probability=waits,
        probability_full=full,
        blocking_probability=_found_full(layout, flows, found),
        arrival_scv=np.full(n, np.nan),
        departure_scv=np.full(n, np.nan),
        growth_rate=growth,
        blocked_by_from=layout.upper,
        blocked_by_to=layout.lower,
        blocked_by_number=flows.pair * wait[layout.lower],
    )


def _backlogs(
    compiled: CompiledNetwork, layout: Layout, settled: Settled
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return who wait inside and outside, give up, and pile up, by service and class."""
    flows = settled.flows
    zero = np.zeros_like(flows.done)
    waiting, outside, gives_up, growth = zero.copy(), zero.copy(), zero.copy(), zero.copy()
    entering = flows.admitted / np.maximum(flows.admitted.sum(axis=1, keepdims=True), 1e-300)
    lines = flows.external * (compiled.external_when_full == WAIT_OUTSIDE)[:, None]
    lines = lines + transit_by_class(layout, flows)
    asking = np.maximum(lines.sum(axis=1, keepdims=True), 1e-300)
    for j, chain in enumerate(settled.chains):
        if chain is None:
            continue
        factor = spread(chain.busy / compiled.servers[j], compiled.servers[j], flows.scv[j])
        waiting[j] = factor * chain.waiting * entering[j]
        outside[j] = factor * chain.outside * lines[j] / asking[j]
        piling = flows.admitted[j] - flows.done[j]
        if chain.gives_up > 0:
            part = chain.gives_up / max(piling.sum(), chain.gives_up)
            gives_up[j] = piling * (part if chain.ratio >= 1.0 else 1.0)
            piling = piling - gives_up[j]
        if chain.ratio >= 1.0 and piling.sum() > GROWING * flows.admitted[j].sum():
            growth[j] = piling
            (outside if layout.finite[j] else waiting)[j] = np.where(piling > 0, np.inf, 0.0)
    return waiting, outside, gives_up, growth


def _found_full(layout: Layout, flows: Flows, found: Floats) -> Floats:
    """Return the share of each service's completions that find their destination full."""
    n = found.size
    met = np.where(layout.blocks, flows.route * found[layout.end], 0.0)
    by_service = np.bincount(layout.start, weights=met, minlength=n)
    done = flows.done.sum(axis=1)
    shares: Floats = np.divide(by_service, done, out=np.zeros(n), where=done > 0)
    return shares
