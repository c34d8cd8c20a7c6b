"""Networks with blocking, compressed: one birth-death chain a service, linear in its servers.

The chain of a service counts the jobs there and those that wait for a place there, wherever they
stand. Each of its servers is held for the mean time that a job needs, its held transfers, and its
wait for the next place; that wait comes from the chains downstream. A fixed point couples them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed_care import Care
from flownet.kernels.blocking_compressed_chord import Chord, inverse_slopes
from flownet.kernels.blocking_compressed_flows import (
    Accepted,
    Flows,
    Layout,
    lay_out,
    solve_class_flows,
)
from flownet.kernels.blocking_compressed_inputs import MATCHED, State, gather
from flownet.kernels.blocking_compressed_measures import Settled, to_measures
from flownet.kernels.blocking_compressed_mixing import Mixing
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_compressed_point import Coordinates
from flownet.kernels.blocking_compressed_streams import falls
from flownet.kernels.blocking_compressed_sweep import Kept, nothing_kept, sweep
from flownet.kernels.compiled import CompiledNetwork, Floats, Measures

CONVERGED, UNCONVERGED, BROKEN = 0, 1, 2
TOO_MUCH = 1e-6
"""Work beyond all servers by less than this share of them is rounding."""
RESCUE = 50
"""Sweeps after which slopes are found, and after twice as many again."""
MOST_SLOPES = 600
"""Numbers in a fixed point whose slopes are found by a sweep each."""


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
    to work for as long, and behind them lines grow: those that are blocked are followed together
    with the number that is there (`paces`). The spread of service times scales all that waits as in
    M/G/c (Kimura).
    A sweep costs time linear in servers and places. A cycle of full services is kept moving by
    exchanges, whose rate is an upper bound only. Servers are held as long as the jobs that leave
    have held them: so no more passes than the servers downstream can do, and where more comes, all
    is full on the way to the doors, which turn away the rest or let it pile up.

    References
    ----------
    Koizumi, Kuno, Smith (2005), Health Care Manag. Sci. 8:49 (service lengthened by blocking);
    Bretthauer, Heese, Pun, Coe (2011), Prod. Oper. Manag. 20:439.
    """
    layout = lay_out(compiled)
    settled, standing = settle(compiled, layout, tolerance, max_sweeps, start)
    return _within_servers(compiled, to_measures(compiled, layout, settled, standing))


def _within_servers(compiled: CompiledNetwork, measures: Measures) -> Measures:
    """Return the measures; as not converged where a service works beyond its servers."""
    work = measures.number_in_service.sum(axis=1)
    load = np.where(np.isfinite(compiled.servers), work / compiled.servers, 0.0)
    excess = float(np.nan_to_num(load).max()) - 1.0
    if excess <= TOO_MUCH:
        return measures
    status, residual = max(UNCONVERGED, measures.status), max(measures.residual, excess)
    return measures._replace(status=status, residual=residual)


def settle(
    compiled: CompiledNetwork,
    layout: Layout,
    tolerance: float,
    max_sweeps: int,
    start: Floats | None = None,
) -> tuple[Settled, tuple[int, int, float]]:
    """Return the fixed point, and status, sweeps and residual.

    Newton's method with the slopes that come with `start`, if there are any, corrected from step to
    step; Anderson's acceleration where there are none, or they do not help. Where that takes long,
    slopes are found at the best point seen, and Newton's method has a try from there.
    """
    place = Coordinates(layout)
    point, drive, inverse = place.begin(start)
    search: Chord | Mixing = Mixing(place.size) if inverse is None else Chord(inverse)
    best, since = (np.inf, point, drive), 0.0
    sweeps, residual, rescue = 0, np.inf, RESCUE
    care = Care(layout, tolerance, many=place.size > MOST_SLOPES, near=start is not None)
    while True:
        seen = look(
            compiled, layout, place, point, drive, care.kept, *care.how(search.noise, residual)
        )
        error = np.abs(seen.image - point)
        residual = float(error.max())
        drive = np.concatenate([seen.chains.drive, seen.chains.fast])
        sweeps += 1
        if not np.isfinite(residual) or sweeps >= max_sweeps:
            break
        if residual <= tolerance:
            if care.sure(seen.solved):
                break
            continue
        care.learn(error, seen.solved)
        best = min(best, (residual, point, drive), key=lambda each: each[0])
        nearer = best[0] < 0.3 * since  # than when slopes were found last
        if search.lost(residual):
            search = Mixing(place.size)
        if isinstance(search, Mixing) and (sweeps >= rescue or (sweeps > RESCUE and nearer)):
            rescue, since = 2 * sweeps, best[0]
            found = slopes_at(compiled, layout, place, best[1], best[2])
            if found is not None:
                search, point, drive = Chord(found), best[1], best[2]
                continue
        point = place.within(search.step(point, care.moved(point, seen.image)))
    status = CONVERGED if residual <= tolerance else UNCONVERGED
    if not np.isfinite(residual):
        status = BROKEN
    slopes = search.inverse if isinstance(search, Chord) else inverse
    rest = [point, drive] if slopes is None else [point, drive, slopes.ravel()]
    return _settled(compiled, layout, seen, np.concatenate(rest)), (status, sweeps, residual)


def with_slopes(compiled: CompiledNetwork, measures: Measures) -> Measures:
    """Return the measures with slopes at their fixed point, from which like ones are found soon.

    They cost a sweep for each number in the fixed point, and are left out where these are many.
    """
    layout = lay_out(compiled)
    place = Coordinates(layout)
    point, drive, inverse = place.begin(measures.rest)
    if measures.rest.size > 0 and inverse is None:
        inverse = slopes_at(compiled, layout, place, point, drive)
    if inverse is None:
        return measures
    return measures._replace(rest=np.concatenate([point, drive, inverse.ravel()]))


def slopes_at(
    compiled: CompiledNetwork, layout: Layout, place: Coordinates, point: Floats, drive: Floats
) -> Floats | None:
    """Return the slopes at a point as `Chord` wants them; None where there are too many."""
    if place.size > MOST_SLOPES:
        return None

    kept = nothing_kept(layout)

    def image(at: Floats) -> Floats:
        return look(compiled, layout, place, at, drive, kept, MATCHED, 0.0).image

    return inverse_slopes(image, point, place.lowest, place.highest)


class Seen(NamedTuple):
    """What a sweep from one point shows."""

    image: Floats
    accepted: Accepted
    flows: Flows
    wait: Floats
    held: Floats
    chains: Chain[Floats]
    solved: int
    """Chains that were; the others stand as in the sweep before."""


def look(
    compiled: CompiledNetwork, layout: Layout, place: Coordinates, point: Floats, drive: Floats,
    kept: Kept, matched: float, slight: float,
) -> Seen:  # fmt: skip
    """Return the image of a point, and all that it was made of; see `sweep`."""
    accepted, state = place.unpacked(point, drive)
    flows = solve_class_flows(compiled, layout, accepted)
    given = gather(compiled, layout, flows)
    wait, held, vacant, served, solved = sweep(given, state, kept, matched, slight)
    chains = Chain(*kept.figures.T.copy())
    lines = chains.found_full, chains.first, chains.queue, chains.bunching
    new = State(wait, falls(layout, flows, chains), *lines, chains.fast, chains.drive)
    shares = Accepted(np.where(layout.refusing, vacant, 1.0), served)
    return Seen(place.packed(shares, new), accepted, flows, wait, held, chains, int(solved.sum()))


def _settled(compiled: CompiledNetwork, layout: Layout, seen: Seen, rest: Floats) -> Settled:
    chains, below = seen.chains, layout.lower
    busy = np.maximum(chains.busy, 1e-300)
    crowded = np.minimum((1.0 - chains.vacant) * np.minimum(compiled.servers, 1e9) / busy, 1.0)
    found = chains.found_full[below]
    return Settled(
        seen.wait[below], found, crowded, seen.accepted, seen.flows, seen.held, chains, rest
    )
