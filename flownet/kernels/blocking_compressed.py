"""Networks with blocking, compressed: one birth-death chain a service, linear in its servers.

The chain of a service counts the jobs there and those that wait for a place there, wherever they
stand. Each of its servers is held for the mean time that a job needs, its held transfers, and its
wait for the next place; that wait comes from the chains downstream. A fixed point couples them.
"""

from __future__ import annotations

import numpy as np

from flownet.kernels.blocking_compressed_flows import (
    Accepted,
    Layout,
    lay_out,
    solve_class_flows,
)
from flownet.kernels.blocking_compressed_measures import Settled, to_measures
from flownet.kernels.blocking_compressed_mixing import Mixing
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_compressed_streams import falls, line_factors, standing_spells
from flownet.kernels.blocking_compressed_sweep import (
    LONGEST_WAIT,
    SMALLEST,
    State,
    gather,
    sweep,
)
from flownet.kernels.blocking_overload import held_to_capacity
from flownet.kernels.compiled import CompiledNetwork, Floats, Measures

CONVERGED, UNCONVERGED, BROKEN = 0, 1, 2


def solve_compressed(
    compiled: CompiledNetwork,
    *,
    tolerance: float = 1e-9,
    max_sweeps: int = 1000,
    start: Floats | None = None,
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
    start : array, optional
        ``Measures.rest`` of a network with the same services and routes, where the fixed point is
        looked for first; another length counts as none.

    Returns
    -------
    Measures

    Notes
    -----
    A server is held for a mean time S: service s, held transfers t, and waits W for places
    downstream, as if exponential and independent of the state. The services upstream of j
    work with a number of servers that does not depend on j's state, as long as so many are not
    blocked; this number is what gives the flow F that the traffic equations want, or all of them
    where that flow cannot be had; then they are saturated, and their own chains say what becomes
    of those that they cannot serve. Jobs blocked for a place and jobs waiting outside for it
    share one list; where those outside alone are too many, the streams that block come to rest.
    What leaves a service that is full now and then is smoother than Poisson: the stream to j falls
    with the number that is there already (`falls`). Servers that are blocked for long leave fewer
    to work for as long: where many are present, more of them are likely to be blocked
    (`standing_spells`). The spread of service times scales all that
    waits as in M/G/c (Kimura). A line without limit is longer by what blocked times add by coming
    together (`line_factors`).
    A sweep costs time linear in servers and places. A cycle of full services is kept moving by
    exchanges, whose rate is an upper bound only. Where a service downstream would work beyond its
    servers, what is too much stays outside (`held_to_capacity`).

    References
    ----------
    Koizumi, Kuno, Smith (2005), Health Care Manag. Sci. 8:49 (service lengthened by blocking);
    Bretthauer, Heese, Pun, Coe (2011), Prod. Oper. Manag. 20:439.
    """
    layout = lay_out(compiled)

    def solved(arrays: CompiledNetwork, near: Floats | None) -> Measures:
        begin = start if near is None else near
        settled, standing = settle(arrays, layout, tolerance, max_sweeps, begin)
        factors = line_factors(arrays, layout, settled.flows, settled.held, settled.chains)
        return to_measures(arrays, layout, settled, factors, standing)

    return held_to_capacity(compiled, layout, solved)


def settle(
    compiled: CompiledNetwork,
    layout: Layout,
    tolerance: float,
    max_sweeps: int,
    start: Floats | None = None,
) -> tuple[Settled, tuple[int, int, float]]:
    """Return the fixed point, and status, sweeps and residual."""
    n, pairs = compiled.servers.size, layout.upper.size
    state = State(np.zeros(n), np.zeros(pairs), *np.zeros((3, n)))
    accepted = Accepted(np.ones(n), np.ones(n))
    mixing = Mixing(5 * n + pairs)
    if start is not None and start.size == 6 * n + pairs:
        accepted, state = _unpacked(layout, start[: 5 * n + pairs], start[5 * n + pairs :])
    sweeps = 0
    while True:
        flows = solve_class_flows(compiled, layout, accepted)
        wait, held, vacant, served, figures = sweep(gather(compiled, layout, flows), state)
        chains = Chain(*figures.T)
        varying = standing_spells(compiled, layout, flows, chains)
        new = State(wait, falls(layout, flows, chains), *varying, chains.drive)
        point = _packed(layout, accepted, state)
        image = _packed(layout, Accepted(np.where(layout.refusing, vacant, 1.0), served), new)
        residual = float(np.abs(image - point).max())
        sweeps += 1
        if not np.isfinite(residual) or residual <= tolerance or sweeps >= max_sweeps:
            break
        accepted, state = _unpacked(layout, mixing.step(point, image), chains.drive)
    status = CONVERGED if residual <= tolerance else UNCONVERGED
    if not np.isfinite(residual):
        status = BROKEN
    below = layout.lower
    rest = np.concatenate([point, chains.drive])
    busy = np.maximum(chains.busy, 1e-300)
    crowded = np.minimum((1.0 - chains.vacant) * np.minimum(compiled.servers, 1e9) / busy, 1.0)
    found = chains.found_full[below]
    settled = Settled(wait[below], found, crowded, accepted, flows, held, chains, rest)
    return settled, (status, sweeps, residual)


def _packed(layout: Layout, accepted: Accepted, state: State) -> Floats:
    """Return one vector in which steps of like size mean alike."""
    shares = [np.log(np.maximum(part, SMALLEST)) for part in accepted]
    waits = np.log1p(state.wait / layout.stay)
    return np.concatenate([waits, *shares, state.deviation, state.slowness, state.fall])


def _unpacked(layout: Layout, vector: Floats, drive: Floats) -> tuple[Accepted, State]:
    n = layout.stay.size
    wait, accept, served, deviation, slow, fall = np.split(vector, np.arange(1, 6) * n)
    lowest = np.log(SMALLEST)
    shares = Accepted(np.exp(np.clip(accept, lowest, 0.0)), np.exp(np.clip(served, lowest, 0.0)))
    longest = np.log1p(LONGEST_WAIT)
    state = State(
        np.expm1(np.clip(wait, 0.0, longest)) * layout.stay,
        np.clip(fall, 0.0, 1.0),
        np.clip(deviation, 0.0, 1.0),
        np.clip(slow, 0.0, 1.0),
        drive,
    )
    return shares, state
