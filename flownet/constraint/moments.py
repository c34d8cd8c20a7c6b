"""A network through a cycle, cut into pieces in which nothing changes but the queues."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.errors import Fault, ParameterError
from flownet.kernels import compiled as code
from flownet.kernels.compiled import Booleans, Calendars, CompiledNetwork, Floats
from flownet.kernels.lagged_flows import at_moment, lagged_flows
from flownet.network.compile import Compilation
from flownet.network.compile_calendars import means_between
from flownet.solvers.profile import calendar_cycle, step_of
from flownet.solvers.solution import Solution

PARTS = 4
"""Flows are followed in so many parts of a step."""
SAME = 1e-9
"""Times that differ by less than this part of the cycle are the same."""


class Pieces(NamedTuple):
    """Pieces of a cycle: what comes, and who is there to serve."""

    edges: Floats
    """(k + 1,) T, from 0 to the length of the cycle."""
    servers: Floats
    """(k, n)"""
    arrivals: Floats
    """(k, n, R) job/T, at each service, as late as the way there takes."""
    flows: Floats
    """(k, n, R) job/T, arrivals that, if they lasted, would keep as many servers busy."""
    passed: Floats
    """(n, R) share of those who come that is served, in the mean of the cycle."""

    @property
    def lengths(self) -> Floats:
        """(k,) T."""
        return np.asarray(np.diff(self.edges))

    @property
    def cycle(self) -> float:
        """T."""
        return float(self.edges[-1])


def pieces_of(solution: Solution, step: float | None) -> Pieces:
    """Return the pieces of a network with calendars, solved with their time means.

    Raises
    ------
    ParameterError
        Where it has none, or none with a short cycle in common, or `step` does not go into it.
    """
    network, calendars = solution.network, solution.compilation.calendars
    arrays, cycle = solution.compilation.arrays, calendar_cycle(solution.compilation)
    if calendars is None or not cycle > 0:
        message = (
            "has no calendar: give server_calendar or external_arrival_calendar"
            if calendars is None
            else "has calendars without a short cycle in common"
        )
        raise ParameterError([Fault("constraint_week", "network", network.name, message)])
    width = step_of("constraint_week", network, cycle, step)
    count = round(cycle / width)
    fine = np.linspace(0.0, cycle, PARTS * count + 1)
    came = solution.measures.arrival_rate
    passed = np.divide(solution.measures.throughput, came, out=np.ones_like(came), where=came > 0)
    external = _external(arrays, calendars, fine)
    lagged = lagged_flows(arrays, external, float(fine[1]), passed)
    edges = _edges(calendars, np.linspace(0.0, cycle, count + 1))
    servers = np.tile(arrays.servers, (edges.size - 1, 1))
    for i in np.flatnonzero(np.diff(calendars.server_start)):
        span = slice(*calendars.server_start[i : i + 2])
        means = means_between(edges, calendars.server_ends[span], calendars.server_values[span])
        servers[:, i] = np.round(means, 9)
    arrivals, flows = (_means(each, fine, edges) for each in lagged)
    return Pieces(edges, servers, arrivals, flows, passed)


def _external(arrays: CompiledNetwork, calendars: Calendars, edges: Floats) -> Floats:
    """Return the arrivals from outside between times; (T, n, R)."""
    rates = np.tile(arrays.external_arrival_rate.ravel(), (edges.size - 1, 1))
    for state in np.flatnonzero(np.diff(calendars.arrival_start)):
        span = slice(*calendars.arrival_start[state : state + 2])
        ends, values = calendars.arrival_ends[span], calendars.arrival_values[span]
        rates[:, state] = means_between(edges, ends, values)
    return rates.reshape(-1, *arrays.external_arrival_rate.shape)


def _edges(calendars: Calendars, steps: Floats) -> Floats:
    """Return the times at which a step begins or the servers of a service change."""
    cycle = float(steps[-1])
    times = [steps]
    for i in np.flatnonzero(np.diff(calendars.server_start)):
        ends = calendars.server_ends[slice(*calendars.server_start[i : i + 2])]
        rounds = np.arange(round(cycle / ends[-1]))
        times.append((ends + rounds[:, None] * ends[-1]).ravel())
    found = np.unique(np.clip(np.concatenate(times), 0.0, cycle))
    apart = np.diff(found, prepend=-1.0) > SAME * cycle
    edges = np.asarray(found[apart], dtype=np.float64)
    edges[-1] = cycle
    return edges


def _means(flows: Floats, fine: Floats, edges: Floats) -> Floats:
    """Return the means between `edges` of what is constant between the times `fine`."""
    width = float(fine[1])
    sums = np.concatenate([np.zeros((1, *flows.shape[1:])), np.cumsum(flows, axis=0)])
    place = np.minimum(edges / width, flows.shape[0])
    low = np.minimum(np.floor(place + SAME).astype(np.int64), flows.shape[0] - 1)
    part = (place - low)[:, None, None]
    done = sums[low] * (1.0 - part) + sums[low + 1] * part
    return np.asarray(np.diff(done, axis=0) * width / np.diff(edges)[:, None, None])


class Moment(NamedTuple):
    """A network as it would be if a piece of the cycle lasted."""

    arrays: CompiledNetwork
    closed: Booleans
    """(n,) where jobs come and nobody serves; they are taken out of `arrays`."""


def moment_arrays(compilation: Compilation, pieces: Pieces, k: int) -> Moment:
    """Return the network of one piece."""
    start, calendars = compilation.arrays, compilation.calendars
    arrays = at_moment(start, pieces.flows[k], pieces.passed)
    servers = pieces.servers[k].copy()
    absent = servers == 0.0
    mean = np.average(pieces.arrivals.sum(axis=2), axis=0, weights=pieces.lengths)
    closed = absent & (pieces.arrivals[k].sum(axis=1) > SAME * mean)
    servers[absent] = 1.0
    classes = start.service_time.shape[1]
    shut = np.repeat(absent, classes)[arrays.route_to.astype(np.int64)]
    capacity = start.capacity.copy()
    if calendars is not None:
        follow = calendars.places_follow
        capacity[follow] += servers[follow] - start.servers[follow]
    changed = arrays._replace(
        servers=servers,
        capacity=capacity,
        external_arrival_rate=np.where(absent[:, None], 0.0, arrays.external_arrival_rate),
        route_probability=np.where(shut, 0.0, arrays.route_probability),
    )
    return Moment(changed, closed)


def work_offered(arrays: CompiledNetwork, pieces: Pieces) -> Floats:
    """Return (k, n) the servers that what comes in each piece would keep busy.

    Where nobody serves, of what comes only: what was begun before is finished.
    """
    begun = (pieces.servers == 0.0)[:, :, None]
    coming = np.where(begun, pieces.arrivals, pieces.flows)
    return np.asarray(np.einsum("kir,ir->ki", coming, arrays.service_time))


def backlogs(arrays: CompiledNetwork, pieces: Pieces) -> Floats:
    """Return (k, n) the jobs left over from before at the beginning of each piece, as of a fluid.

    Only where waiting has no limit; ``inf`` where the servers are too few in the mean of the cycle.
    """
    work = work_offered(arrays, pieces)
    endless = ~np.isfinite(arrays.servers)
    spare = np.where(endless, 0.0, pieces.servers - work) * pieces.lengths[:, None]
    left, found = np.zeros(arrays.servers.size), np.zeros_like(work)
    for _ in range(2):  # empty at some moment of the first round, right in the second
        for k in range(len(found)):
            found[k] = left
            left = np.maximum(left - spare[k], 0.0)
    flow = pieces.flows.sum(axis=2)
    each = (work * pieces.lengths[:, None]).sum(axis=0)
    each /= np.maximum((flow * pieces.lengths[:, None]).sum(axis=0), 1e-300)
    jobs = np.divide(found, each, out=np.zeros_like(found), where=each > 0)
    too_few = (spare.sum(axis=0) < -SAME * pieces.cycle) & ~endless
    jobs[:, too_few] = np.inf
    jobs[:, ~keeps(arrays)] = 0.0
    return np.asarray(jobs)


def keeps(arrays: CompiledNetwork) -> Booleans:
    """Return (n,) where nobody is lost, however many wait."""
    outside = arrays.external_when_full == code.WAIT_OUTSIDE
    inside = arrays.when_full == code.BLOCKED_AFTER_SERVICE
    patient = ~np.isfinite(arrays.patience).any(axis=1)
    return np.asarray((~np.isfinite(arrays.capacity) | (outside & inside)) & patient)


def settling_times(arrays: CompiledNetwork, pieces: Pieces) -> Floats:
    r"""Return (k, n) the time in which the queue of each piece comes to its steady state, T.

    .. math:: \tau = \Big(\sqrt{c / s} - \sqrt{o}\Big)^{-2},\quad\text{at least } s

    with s the mean service time; ``inf`` where the servers are too few.

    References
    ----------
    Morse (1955), J. Oper. Res. Soc. Am. 3, 255 (exact for one server).
    """
    work, flow = work_offered(arrays, pieces), pieces.flows.sum(axis=2)
    time = np.divide(work, flow, out=np.zeros_like(work), where=flow > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.sqrt(pieces.servers / time) - np.sqrt(flow)
        queue = np.where(apart > 0, apart**-2.0, np.inf)
    queue[(time == 0) | ~np.isfinite(arrays.servers)] = 0.0
    return np.asarray(np.maximum(queue, time))
