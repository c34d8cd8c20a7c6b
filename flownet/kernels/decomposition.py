"""Open networks without blocking by decomposition: each service alone, with the flows it sees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    OVERFLOW,
    PREEMPTIVE,
    PRIORITY,
    PROCESSOR_SHARING,
    WAIT_OUTSIDE,
    CompiledNetwork,
    Floats,
    Integers,
    Measures,
)
from flownet.kernels.decomposition_dispersion import Robust, robust_arrivals
from flownet.kernels.decomposition_feedback import MOST_STATES
from flownet.kernels.decomposition_flows import Flows, solve_balance
from flownet.kernels.decomposition_rooms import room_factors, unlike_exponential
from flownet.kernels.decomposition_stations import LIMITED, QUEUE, Stations, make_stations
from flownet.kernels.decomposition_streams import Streams, make_streams
from flownet.kernels.decomposition_variability import (
    arrival_excess,
    arriving_peaks,
    overflow_excess,
)
from flownet.kernels.decomposition_waits import (
    Waits,
    broken_measures,
    largest_order,
    make_measures,
    waits_at,
)
from flownet.kernels.traffic import BROKEN, find_traps, reachable_states
from flownet.kernels.traffic_solvers import route_sources
from flownet.kernels.turns import keeping_free

ROUNDS = 60
SETTLED = 1e-11
STEADY = 1e-9
"""Factors of services with finite places or patience have settled when they change by no more."""
HALF_UNTIL, ROBUST_FROM = 0.4, 0.7


class Decomposition(NamedTuple):
    """A solved network, and what each of the two methods for variability says alone."""

    measures: Measures
    waiting_by_qna: Floats
    """(n,) number waiting, all classes, by QNA alone."""
    waiting_by_robust: Floats
    """(n,) the same by robust queueing alone; where only outside arrivals come, by QNA."""

    @property
    def disagreement(self) -> Floats:
        """(n,) number waiting by robust queueing over that by QNA; 1 where nobody waits."""
        usable = np.isfinite(self.waiting_by_qna) & (self.waiting_by_qna > 0.0)
        ratio: Floats = np.divide(
            self.waiting_by_robust,
            self.waiting_by_qna,
            out=np.ones_like(self.waiting_by_qna),
            where=usable,
        )
        return ratio


def solve_decomposition(compiled: CompiledNetwork) -> Measures:
    """Solve an open network service by service; see `decompose`."""
    return decompose(compiled).measures


def decompose(compiled: CompiledNetwork) -> Decomposition:
    r"""Solve an open network service by service, by the rates and the variability each sees.

    Rates come from the traffic equations, thinned by losses, overflow, abandonment and
    saturation. The variability of arrivals comes from two methods: QNA, which carries one number
    per stream, and robust queueing, which carries the index of dispersion over all time scales.
    Where only outside arrivals come the first serves; elsewhere the wait is

    .. math:: W = (1-u) W_{QNA} + u W_{RQ}

    with u = 1/2 where services of similar time scale lie before, rising to 1 where those before
    settle much faster than this one, so that its arrivals keep their long-run variability, and
    u = 1 where jobs can come back, of which QNA knows nothing.

    Parameters
    ----------
    compiled : CompiledNetwork
        A network for which `decomposition_reasons` returns nothing.

    Returns
    -------
    Decomposition
        The measures, and the number waiting by either method alone. ``arrival_scv`` counts
        arrivals without those that come straight back to the same service.

    Notes
    -----
    Exact where the network has product form (then all excesses vanish), for M/G/1, M/M/c/K,
    M/G/c/c, Erlang A and non-preemptive priorities with equal means when fed by Poisson streams;
    approximate elsewhere. Measured errors: on Suresh and Whitt's nine queues 0.1 % at the last.
    A saturated service passes on its capacity: first come first served and by rank as the
    discipline orders it, sharing in proportion to the numbers present.

    References
    ----------
    Whitt 1983; Whitt and You 2018, 2022; Goodman and Massey 1984; Fredericks 1980; Wilkinson 1956.
    """
    stations = make_stations(compiled)
    n = compiled.servers.size
    peak = np.ones(n)
    rounds, gap = 0, np.inf
    while True:
        rounds += 1
        flows = solve_balance(compiled, stations, peak)
        if flows.status == BROKEN:
            unknown = np.full(n, np.nan)
            return Decomposition(broken_measures(compiled, flows), unknown, unknown)
        streams = make_streams(compiled, stations, flows)
        overflow = overflow_excess(stations, streams, flows, peak)
        excess, departing = arrival_excess(compiled, stations, streams, overflow)
        wanted = arriving_peaks(stations, streams, flows, peak, excess, overflow)
        factors = room_factors(stations, flows, peak, excess, largest_order(n))
        gap = float(np.abs(wanted - peak).max(initial=0.0))
        change = float(np.abs(factors / stations.room_factor - 1.0).max(initial=0.0))
        gap = max(gap, change * SETTLED / STEADY)
        if gap <= SETTLED or rounds >= ROUNDS:
            break
        factors = factors if rounds < 10 else np.sqrt(factors * stations.room_factor)
        stations = stations._replace(room_factor=factors)
        peak = wanted if rounds < 10 else 0.5 * (wanted + peak)
    robust = robust_arrivals(compiled, stations, streams, flows, overflow)
    waits, qna, by_robust = _blend(stations, streams, flows, peak, excess, robust)
    present = streams.rate > 0.0
    measures = make_measures(
        compiled,
        stations,
        flows._replace(
            status=max(flows.status, int(gap > SETTLED)),
            iterations=flows.iterations + rounds - 1,
            residual=max(flows.residual, gap),
        ),
        waits,
        np.where(present, 1.0 + excess, np.nan),
        np.where(present, 1.0 + departing, np.nan),
    )
    measures = measures._replace(waiting_by_qna=qna, waiting_by_robust=by_robust)
    return Decomposition(measures, qna, by_robust)


def _blend(
    stations: Stations,
    streams: Streams,
    flows: Flows,
    peak: Floats,
    excess: Floats,
    robust: Robust,
) -> tuple[Waits, Floats, Floats]:
    """Return the waits of both methods blended, and the number waiting by either."""
    first = waits_at(stations, streams, flows, peak, excess, robust=False)
    one = first.number.sum(axis=1)
    if not (excess.any() or robust.excess.any()):
        return first, one, one
    second = waits_at(stations, streams, flows, peak, robust.excess, robust=True)
    two = second.number.sum(axis=1)
    inner = np.bincount(streams.to, streams.part, excess.size)
    place = np.clip((robust.settled - HALF_UNTIL) / (ROBUST_FROM - HALF_UNTIL), 0.0, 1.0)
    weight = np.minimum(2.0 * inner, 1.0) * (0.5 + 0.5 * place)
    weight = np.where(robust.returning, 1.0, weight)[:, None]
    number = _mix(first.number, second.number, weight)
    time = _mix(first.time, second.time, weight)
    return first._replace(number=number, time=time), one, np.where(inner > 0.0, two, one)


def _mix(first: Floats, second: Floats, weight: Floats) -> Floats:
    """Return the weighted mean, and the first where one of both is infinite."""
    finite = np.isfinite(first) & np.isfinite(second)
    gap = np.where(finite, second, 0.0) - np.where(finite, first, 0.0)
    mixed: Floats = first + weight * gap
    return mixed


def decomposition_reasons(compiled: CompiledNetwork) -> list[tuple[str, int]]:
    """Say why the decomposition does not apply.

    Parameters
    ----------
    compiled : CompiledNetwork
        The network.

    Returns
    -------
    list of (code, service)
        ``blocking``: jobs from another service can find it full and would be held where they are.
        ``wait_outside``: jobs from outside would wait outside for a place. ``patience_at_ps``:
        nobody waits where all share, so nobody can give up waiting. ``overflow_loop``: what
        overflows here can come back here by overflow alone. ``preemptive``: jobs are interrupted
        there. ``places_left_free``: some find it full before others do. ``trap``: a set of
        states, this service first, that jobs enter and never leave.
    """
    reached = reachable_states(compiled)
    classes = reached.shape[1]
    finite = np.isfinite(compiled.capacity)
    entered = np.zeros(reached.size, dtype=bool)
    source = route_sources(compiled.route_start)
    entered[compiled.route_to[reached.reshape(-1)[source]]] = True
    inside = np.asarray(entered.reshape(reached.shape).any(axis=1))
    spills = finite & (compiled.overflow_to >= 0) & reached.any(axis=1)
    spills &= (compiled.when_full == OVERFLOW) | (compiled.external_when_full == OVERFLOW)
    outside = np.asarray((compiled.external_arrival_rate > 0.0).any(axis=1))
    for _ in range(int(spills.sum())):  # what overflows is met by the rule for where it came from
        inside[compiled.overflow_to[spills & inside & (compiled.when_full == OVERFLOW)]] = True
        outer = spills & outside & (compiled.external_when_full == OVERFLOW)
        outside[compiled.overflow_to[outer]] = True
    chain = np.where(spills, compiled.overflow_to, -1)
    looping = np.zeros(chain.size, dtype=bool)
    place = np.arange(chain.size)
    for _ in range(int(spills.sum())):
        place = np.where(place >= 0, chain[place], -1)
        looping |= place == np.arange(chain.size)
    patient = (np.isfinite(compiled.patience) & reached).any(axis=1)
    shares = compiled.discipline == PROCESSOR_SHARING
    found = {
        "preemptive": compiled.discipline == PREEMPTIVE,
        "blocking": finite & inside & (compiled.when_full == BLOCKED_AFTER_SERVICE),
        "wait_outside": finite & outside & (compiled.external_when_full == WAIT_OUTSIDE),
        "overflow_loop": looping,
        "patience_at_ps": shares & patient & np.isfinite(compiled.servers),
        "places_left_free": keeping_free(compiled) & reached.any(axis=1),
    }
    reasons = [(code, int(i)) for code, where in found.items() for i in np.flatnonzero(where)]
    traps = [trap for trap in find_traps(compiled) if reached.reshape(-1)[trap].any()]
    return reasons + [("trap", int(trap[0]) // classes) for trap in traps]


def decomposition_assumptions(compiled: CompiledNetwork) -> list[tuple[str, int]]:
    """Say where the decomposition replaces what is described by something simpler.

    Parameters
    ----------
    compiled : CompiledNetwork
        The network.

    Returns
    -------
    list of (code, service)
        ``two_moments``: the wait is read off means and scv alone. ``phases_in_room``: where
        places or patience are finite, phase-type laws stand for services and arrivals;
        ``exponential_in_room``: exponential ones, since some never give up or all share.
        ``unequal_means``: several servers serve classes of different means, taken as one mixture.
        ``ranks_in_room``: ranks divide the wait only approximately where places or patience are
        finite. ``several_patiences``: classes of different patience are taken to meet one wait.
        ``independent_streams``: the streams that come together are taken as independent, which they
        are not where ways part and meet, or lead back: in networks too large to follow that.
    """
    reached = reachable_states(compiled)
    stations = make_stations(compiled)
    outside = (compiled.external_arrival_rate > 0.0) & (compiled.arrival_scv != 1.0)
    general = ((compiled.service_scv != 1.0) & reached).any(axis=1) | outside.any(axis=1)
    room = (stations.kind == LIMITED) & (stations.capacity > stations.servers)
    solved = unlike_exponential(stations, reached)
    queue = stations.kind >= QUEUE
    found = {
        "two_moments": queue & (stations.kind != LIMITED) & general,
        "phases_in_room": room & general & solved,
        "exponential_in_room": room & general & ~solved,
        "unequal_means": queue & (stations.servers > 1.0) & _differ(stations.hold, reached),
        "ranks_in_room": room
        & (compiled.discipline == PRIORITY)
        & _differ(stations.priority, reached),
        "several_patiences": room & _differ(1.0 / compiled.patience, reached),
    }
    if compiled.service_time.size > MOST_STATES and general.any():
        together = np.bincount(compiled.route_to // reached.shape[1], minlength=reached.shape[0])
        outer = (compiled.external_arrival_rate > 0.0).any(axis=1)
        found["independent_streams"] = queue & (together + outer > 1)
    found["unequal_means"] &= compiled.discipline != PROCESSOR_SHARING
    return [(code, int(i)) for code, where in found.items() for i in np.flatnonzero(where)]


def _differ(values: Floats | Integers, reached: np.ndarray) -> np.ndarray:
    """Tell at which services the classes that come have different values."""
    low = np.where(reached, values, np.inf).min(axis=1)
    high = np.where(reached, values, -np.inf).max(axis=1)
    differ: np.ndarray = high > low
    return differ
