"""Networks with blocking, in full: exact chains of overlapping neighbourhoods, coupled."""

from __future__ import annotations

import math

import numpy as np

from flownet.errors import Fault, MethodError, ParameterError
from flownet.kernels.blocking_around import solve_around
from flownet.kernels.blocking_compressed import (
    BROKEN,
    CONVERGED,
    settle,
    solve_compressed,
    with_slopes,
)
from flownet.kernels.blocking_compressed_flows import (
    Accepted,
    Layout,
    lay_out,
    solve_class_flows,
)
from flownet.kernels.blocking_compressed_inputs import gather
from flownet.kernels.blocking_compressed_measures import Settled
from flownet.kernels.blocking_full_measures import (
    Problem,
    Standing,
    accepted_by,
    measures_of,
)
from flownet.kernels.blocking_parts import (
    Streams,
    Tables,
    build_pieces,
    first_tables,
    streams_of,
)
from flownet.kernels.blocking_parts_chain import LONGEST_TAIL, figures
from flownet.kernels.blocking_parts_moves import NONE
from flownet.kernels.blocking_parts_plan import (
    choose_parts,
    graph_of,
    homes,
    outside_lines,
    states_of,
)
from flownet.kernels.blocking_parts_pools import pools_of
from flownet.kernels.blocking_parts_visit import Pace, visit
from flownet.kernels.compiled import (
    DELAY,
    PROCESSOR_SHARING,
    Booleans,
    CompiledNetwork,
    Floats,
    Measures,
)
from flownet.kernels.exact_reach import ranked_doors
from flownet.kernels.turns import turns_of

COMPRESSED, FULL = "compressed", "full"
MODES = (COMPRESSED, FULL)
BUDGET = 3000.0
"""States up to which a part grows beyond two neighbours."""
MOST_STATES = 40_000
"""Of one part; two neighbours that have more are left to the compressed mode."""
MOST_IN_ALL = 400_000
POOLED, EACH = 120_000.0, (3_000.0, 40_000.0)
"""States of all parts, and of each, from which those blocked for places outside a part are counted
together."""
FIRMLY = 0.01
"""A part is solved in each sweep to this part of what the last sweep changed."""
PACES = (
    Pace(1.0, 1.0, 1.0, 1.0),
    Pace(0.3, 0.5, 1.0, 0.2),
    Pace(0.3, 0.5, 0.5, 0.1),
    Pace(0.2, 0.3, 0.3, 0.05),
)
"""One after the other, where the one before does not come to rest."""
JUDGED, WORTHWHILE = 8, (0.3, 0.8, 0.9, 0.9)
"""Sweeps after which the changes have fallen to such a share, or the next pace is taken."""
MOST_STALLS = 6
"""Times in a row that they have not, before it is given up."""
MOST_PARTS, QUICK_STATES, QUICK_IN_ALL = 24, 5_000, 60_000
"""Of a network that is solved in full without being asked to: parts, states of each, and of all
where there are more parts or some that count together."""
QUICK_ROUTES, QUICK_SWEEPS = 300, 300
"""Of the same: routes between its services, and sweeps until it is left to the other mode."""
APART = 0.02
"""Parts that see a service held, or with a free place, so differently have come to no answer."""
APART_POOLED = 0.06
"""The same where parts count those blocked for several places together: of 24 random networks of 10
to 40 services those below are off by up to 5 % in throughput."""
FINE, FINEST = 1e-10, 1e-12
FINEST_LINE = 1e-11
"""What a line and its surroundings settle to: sums over thousands of states round off more."""
ROUGHLY = 1e-6
"""How well the compressed mode settles before it hands over."""
GROWING = 1e-9
"""A queue that is taken to grow leaves at least this share of its arrivals unserved."""
TORRENT = 1e7
"""Arrivals for each that a service can finish, before one whose queue never ends."""
NOT_BY_RANK = (
    "those who wait for a place enter by rank (entry_priority), which only mode 'full' follows: it "
    "has no answer here (too many states, of which mode='full' by name allows more, no steady "
    "state, or parts that do not agree); flownet.simulate(network, horizon=...) has one, and "
    "method='exact' where states are few"
)
STEEPEST = 1.0 - 2.0 * (1.0 - LONGEST_TAIL)
"""A line whose numbers fall no faster than this may grow for ever."""


def solve_blocking(
    compiled: CompiledNetwork,
    *,
    mode: str | None = None,
    tolerance: float | None = None,
    max_sweeps: int = 1000,
    start: Floats | None = None,
) -> Measures:
    r"""Solve a network with blocking by exact chains of overlapping neighbourhoods, or compressed.

    .. math:: \pi_P Q_P(A, \varphi, \beta) = 0 \quad\text{for every part } P

    Parameters
    ----------
    compiled : CompiledNetwork
        Whole servers and places; first come, first served.
    mode : str, optional
        'full', 'compressed', or by default full where its parts have few states.
    tolerance : float, optional
        Largest change in a sweep, of the probabilities of a part and of the shares admitted, at
        which it stops; by default 1e-10 in the full mode, and what `solve_compressed` has. Smaller
        ones than 1e-12 are below rounding.
    max_sweeps : int
        Sweeps at most.
    start : array, optional
        ``Measures.rest`` of a like network, from which the compressed mode starts.

    Returns
    -------
    Measures
        `variant` is the place in `MODES` of the mode that gave them: the compressed one where the
        full one does not apply, has too many states, does not converge, or meets a queue that
        grows before a service that also takes in jobs blocked upstream.

    Raises
    ------
    ParameterError
        Where there is no such mode.
    MethodError
        Where jobs enter by rank and the full mode, which alone follows that, has no answer.

    Notes
    -----
    A part holds two neighbours or more, never all of three or more services that hang together.
    What lies outside it, it knows from parts that overlap with it: for a route i to j, the rate A
    at which jobs come, given how many are at j or wait for it and how many of its servers are
    blocked; the chance :math:`\varphi` that j is full, given how many are at i; the rate
    :math:`\beta` at which jobs blocked at i are released, given their number and how many are at
    i. Each is the conditional mean in the steady state of the part that has most of the
    neighbours. Sweeps go up and down the network; streams are scaled to the flows of the traffic
    equations. Exact for two services with exponential times, but for the order in which jobs
    blocked and jobs outside of one rank are let in, taken as random.

    The map of the compressed mode, not of this one, is the one to differentiate: the number of
    states here jumps with servers and places.

    References
    ----------
    The family is that of Brandwajn and Jow (1988), Oper. Res. 36:73, and of van Vuuren, Adan and
    Resing-Sassen (2005), OR Spectrum 27:315: subsystems of two stations of a line.
    """
    if mode not in {None, *MODES}:
        message = f"must be one of {', '.join(MODES)}"
        raise ParameterError([Fault("method 'blocking'", "mode", repr(mode), message)])
    ranked = bool(ranked_doors(compiled).any())
    if not ranked and (mode == COMPRESSED or full_reasons(compiled)):
        return _compressed(compiled, tolerance, max_sweeps, start)
    fine = FINE if tolerance is None else max(tolerance, FINEST)
    found = solve_full(
        compiled, tolerance=fine, max_sweeps=max_sweeps, quick=mode is None, begin=start
    )
    if found is None or found.status != CONVERGED:
        if ranked:
            raise MethodError("blocking", [NOT_BY_RANK])
        return _compressed(compiled, tolerance, max_sweeps, start)
    return found._replace(variant=MODES.index(FULL))


def ready_blocking(compiled: CompiledNetwork, measures: Measures) -> Measures:
    """Return the measures with slopes from which many like networks are solved sooner."""
    if MODES[measures.variant] != COMPRESSED:
        return measures
    return with_slopes(compiled, measures)


def _compressed(
    compiled: CompiledNetwork, tolerance: float | None, max_sweeps: int, start: Floats | None
) -> Measures:
    if tolerance is None:
        return solve_compressed(compiled, max_sweeps=max_sweeps, start=start)
    return solve_compressed(compiled, tolerance=tolerance, max_sweeps=max_sweeps, start=start)


def solve_full(
    compiled: CompiledNetwork,
    *,
    tolerance: float,
    max_sweeps: int,
    quick: bool = False,
    begin: Floats | None = None,
) -> Measures | None:
    """Return the measures, None where they cannot be had, or not quickly where they must be.

    Where only one line has no limit, it is solved with all the rest as its environment. Elsewhere a
    service whose queue grows is taken to have one that never ends, and all is solved again. Where
    the parts that share a service do not see the same there, their fixed point is none of the
    network, and there is no answer either.
    """
    layout = lay_out(compiled)
    max_sweeps = min(max_sweeps, QUICK_SWEEPS) if quick else max_sweeps
    start, standing = settle(compiled, layout, ROUGHLY, max_sweeps, begin)
    if standing[0] != BROKEN:
        fine = max(tolerance, FINEST_LINE)
        states = QUICK_STATES if quick else MOST_STATES
        applies, found = solve_around(compiled, layout, start, fine, max_sweeps, states)
        if applies:
            return None if found is None else measures_of(*found, fine, start.rest)
    saturated: Booleans = np.zeros(compiled.servers.size, dtype=np.bool_)
    place = {int(s): k for k, s in enumerate(layout.order)}
    while standing[0] != BROKEN:
        problem, tables = take_apart(compiled, layout, start, saturated, quick=quick)
        if problem is None or tables is None:
            return None
        rest = iterate(problem, start.accepted, tables, tolerance, max_sweeps)
        growing = np.flatnonzero((rest.figures[:, 5] >= STEEPEST) & ~saturated)
        if growing.size == 0:
            grows = rest.accepted.served[saturated] < 1.0 - GROWING
            pooled = any(piece.part.pooled.any() for piece in problem.pieces)
            most_apart = APART_POOLED if pooled else APART
            if not grows.all() or _apart(problem, rest.figures) > most_apart:
                return None
            return measures_of(problem, rest, tolerance, start.rest)
        first = max(growing.tolist(), key=lambda s: place[s])
        if (problem.graph.blocks & (problem.graph.end == first)).any():
            return None
        saturated = saturated.copy()
        saturated[first] = True
    return None


def full_reasons(compiled: CompiledNetwork) -> list[tuple[str, int]]:
    """Return why the full mode does not apply, sizes apart: (reason code, service)."""
    used = compiled.service_time > 0
    chained = np.isfinite(compiled.servers) & (compiled.discipline != DELAY)
    general = (used & (np.abs(compiled.service_scv - 1.0) > 1e-9)).any(axis=1)
    general &= chained & (compiled.discipline != PROCESSOR_SHARING)
    layout = lay_out(compiled)
    endless = np.zeros(chained.size, dtype=np.bool_)
    endless[layout.upper] = ~chained[layout.upper]
    instant = chained & ~used.all(axis=1) & ~used.any(axis=1)
    found = {"general_in_full": general, "endless_in_full": endless, "instant_in_full": instant}
    return [(why, int(i)) for why, where in found.items() for i in np.flatnonzero(where)]


def ranks_mixed(compiled: CompiledNetwork) -> Booleans:
    """Tell before which services those whom a part counts together have different turns: (n,).

    They are those who come from one service, of any class, and hold their server; and all others,
    outside and in transit.
    """
    n = compiled.servers.size
    layout, turns = lay_out(compiled), turns_of(compiled)
    outside = outside_lines(compiled) & layout.finite[:, np.newaxis]
    ends = [layout.end[layout.blocks], layout.end[layout.transit], np.nonzero(outside)[0]]
    source = np.where(layout.blocks, layout.start, n)
    sources = [source[layout.blocks], source[layout.transit], np.full(int(outside.sum()), n)]
    turn = [turns.route[layout.blocks], turns.route[layout.transit], turns.external[outside]]
    line = np.concatenate(ends) * (n + 1) + np.concatenate(sources)
    seen = np.unique(np.stack([line, np.concatenate(turn)]), axis=1)[0]
    lines, number = np.unique(seen, return_counts=True)
    mixed: Booleans = np.zeros(n, dtype=np.bool_)
    mixed[lines[number > 1] // (n + 1)] = True
    return mixed


def take_apart(
    compiled: CompiledNetwork,
    layout: Layout,
    start: Settled,
    saturated: Booleans,
    *,
    quick: bool = False,
) -> tuple[Problem | None, Tables | None]:
    """Return the parts and first tables, from the compressed mode; None where they are too large.

    A service that is `saturated` has a queue that never ends.
    """
    states = QUICK_STATES if quick else MOST_STATES
    given = gather(compiled, layout, start.flows)
    free, lost = given.free, given.lost
    for _ in range(2):  # which routes there are does not depend on what comes besides
        graph = graph_of(compiled, layout, start.flows, free, lost, start.chains, saturated)
        streams = streams_of(graph, layout, start.flows, given)
        free, lost = streams.free, streams.lost
    if quick and graph.start.size > QUICK_ROUTES:
        return None, None
    sets = choose_parts(compiled, graph, BUDGET)
    many = min(float(np.clip(POOLED / max(len(sets), 1), *EACH)), states)
    ranked = bool(ranked_doors(compiled).any())  # which those counted together would not follow
    pools: list[list[list[int]] | None] = []
    in_all, joined = 0.0, len(sets) > MOST_PARTS
    for part in sets:
        pool = pools_of(compiled, graph, start.chains, streams, part, many, states)
        pools.append(None if ranked else pool)
        size = states_of(compiled, graph, part, pools[-1] or ())
        in_all, joined = in_all + size, joined or bool(pools[-1])
        if size > states or in_all > (QUICK_IN_ALL if quick and joined else MOST_IN_ALL):
            return None, None
    pieces = build_pieces(
        compiled, layout, graph, sets, pools, math.inf if ranked else 2.0 * many, states
    )
    if pieces is None:
        return None, None
    place = {int(s): k for k, s in enumerate(layout.order)}
    order = sorted(range(len(sets)), key=lambda p: min(place[s] for s in sets[p]))
    of_service, _ = homes(graph, sets)
    problem = Problem(compiled, layout, graph, pieces, order, of_service, saturated)
    streams = _with_torrents(problem, streams)
    return problem, first_tables(compiled, graph, pieces, streams, start.chains)


def iterate(
    problem: Problem, accepted: Accepted, tables: Tables, tolerance: float, max_sweeps: int
) -> Standing:
    """Sweep up and down until nothing changes; the pieces and the tables are changed in place.

    Steps are whole at first, and shorter once they do not make the changes fall.
    """
    seen, residual, sweep = np.zeros((problem.graph.chained.size, 9)), np.inf, 0
    pace, judged, stalls = 0, 1.0, 0
    while sweep < max_sweeps:
        flows = solve_class_flows(problem.compiled, problem.layout, accepted)
        given = gather(problem.compiled, problem.layout, flows)
        streams = streams_of(problem.graph, problem.layout, flows, given)
        streams = _with_torrents(problem, streams)
        enough, residual, steps = FIRMLY * max(tolerance, min(residual, 1.0)), 0.0, PACES[pace]
        for p in problem.order if sweep % 2 == 0 else problem.order[::-1]:
            piece = problem.pieces[p]
            change = visit(piece, problem.graph, tables, streams, problem.layout, steps, enough)
            residual = max(residual, change)
        seen = _look(problem)
        new = accepted_by(problem, accepted, seen, tables, streams, flows, given)
        moved = [np.abs(x - y) for x, y in zip(new, accepted, strict=True)]
        residual = max(residual, *(float(step.max(initial=0.0)) for step in moved))
        sweep += 1
        if not residual > tolerance:
            return Standing(new, tables, seen, sweep, residual)
        if sweep % JUDGED == 0:
            slow, judged = residual > WORTHWHILE[pace] * judged, residual
            pace, stalls = min(pace + slow, len(PACES) - 1), (stalls + 1 if slow else 0)
            if stalls > MOST_STALLS:
                break
        accepted = Accepted(
            *(y * (x / y) ** steps.accepted for x, y in zip(new, accepted, strict=True))
        )
    return Standing(accepted, tables, seen, sweep, residual)


def _with_torrents(problem: Problem, streams: Streams) -> Streams:
    """Return the rates with more arrivals than can enter where a queue never ends."""
    torrent = TORRENT * streams.leaves * problem.compiled.servers
    return streams._replace(lost=np.where(problem.saturated, torrent, streams.lost))


def _look(problem: Problem) -> Floats:
    """Return the figures of every service, from the part that speaks for it."""
    seen = np.zeros((problem.graph.chained.size, 9))
    seen[:, 3] = 1.0
    for s, p in enumerate(problem.of_service):
        if p != NONE:
            piece = problem.pieces[p]
            k = int(np.searchsorted(piece.part.services, s))
            seen[s] = figures(piece.part, piece.space, piece.p, piece.close, k)
    return seen


def _apart(problem: Problem, seen: Floats) -> float:
    """Return how far the parts that share a service are apart about it.

    In the share of its servers held, or of the time with a free place; mostly below 0.002.
    """
    most = 0.0
    for piece in problem.pieces:
        for k, s in enumerate(piece.part.services.tolist()):
            here = figures(piece.part, piece.space, piece.p, piece.close, k)
            held = abs(here[0] - seen[s, 0]) / piece.part.servers[k]
            most = max(most, held, abs(here[3] - seen[s, 3]))
    return float(most)
