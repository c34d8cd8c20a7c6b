"""What comes back is not new: the variability of flows that meet again, at every time scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers
from flownet.kernels.decomposition_flows import Flows
from flownet.kernels.decomposition_passing import (
    LEAST_DISPERSION,
    LEAST_LOAD,
    departure_weights,
    renewal_share,
)
from flownet.kernels.decomposition_stations import INFINITE, QUEUE, Stations
from flownet.kernels.decomposition_streams import Streams
from flownet.kernels.traffic_solvers import route_sources
from flownet.queues.dense import factorize, multiply, solve_left

COARSE = 2  # of the times, every so manieth is enough for covariances
MOST_STATES = 300  # pairs of service and class: beyond, a matrix of them costs too much


class Variability(NamedTuple):
    """Excess over Poisson at each service, arrays (n,)."""

    own: Floats
    """Of the services of a busy server, in the long run."""
    limit: Floats
    """Of the arrivals in the long run, streams taken as independent."""
    spilled: Floats
    """Of the arrivals, brought by what overflows elsewhere."""


class Filters(NamedTuple):
    """What services do to variability, at some time scales."""

    passing: Floats
    """(times, n) share of the variance of the arrivals that departures keep."""
    own: Floats
    """(times, n) excess over Poisson of the services of a busy server."""
    outside: Floats
    """(times, n, R) excess over Poisson of what enters from outside."""


def meets_again(compiled: CompiledNetwork, streams: Streams, component: Integers) -> bool:
    """Tell whether ways can part and meet, or lead back, in a network small enough to follow them.

    `component` numbers the strongly connected components of the services.
    """
    if compiled.service_time.size > MOST_STATES:
        return False
    if np.bincount(streams.to).max(initial=0) > 1:
        return True
    return bool(np.bincount(component).max(initial=0) > 1)


def covariances(
    compiled: CompiledNetwork,
    stations: Stations,
    streams: Streams,
    flows: Flows,
    variable: Variability,
    times: Floats,
    excess: Floats,
) -> Floats:
    """Return what the covariances of the flows add to the excess, per service and time.

    Found at some of the times that matter to the services, with straight lines over the logarithm
    between them, and constant beyond.
    """
    active = (streams.load_ratio > LEAST_LOAD) & (streams.load_ratio < 1.0)
    if not active.any():
        return np.zeros_like(excess)
    slope = (1.0 - streams.load_ratio[active]) / streams.load_ratio[active]
    spread = np.maximum(1.0 + excess[active] + streams.scv[active, None], LEAST_DISPERSION)
    wanted = -slope[:, None] * streams.rate[active, None] * times
    wanted += np.sqrt(2.0 * streams.rate[active, None] * times * spread)
    best = wanted.argmax(axis=1)
    low, high = max(best.min() - COARSE, 0), min(best.max() + COARSE, times.size - 1)
    chosen = np.unique(np.append(np.arange(low, high, COARSE), high))
    scales = times[chosen]
    passing, own = np.empty((2, scales.size, streams.rate.size))
    outside = np.zeros((scales.size, *compiled.arrival_scv.shape))
    now = np.ascontiguousarray(excess[:, chosen])
    _fill_filters(
        streams.rate, streams.load_ratio, streams.time, variable, scales, now, passing, own
    )
    _fill_outside(compiled.external_arrival_rate, compiled.arrival_scv, scales, outside)
    endless = (stations.kind == INFINITE) & (streams.rate > 0.0)
    some = _delay_share(scales[:, None], streams.time[endless], streams.scv[endless])
    passing[:, endless] = some
    filters = Filters(passing, own, outside)
    joint = _joint_excess(compiled, stations, streams, flows, filters, variable, scales)
    change = np.where(streams.load_ratio[:, None] < 1.0, joint.T - now, 0.0)
    logs, at = np.log(times), np.log(scales)
    return np.array([np.interp(logs, at, each) for each in change]).reshape(excess.shape)


def _joint_excess(
    compiled: CompiledNetwork,
    stations: Stations,
    streams: Streams,
    flows: Flows,
    filters: Filters,
    variable: Variability,
    times: Floats,
) -> Floats:
    r"""Return the excess variability at every service, with all covariances of the flows.

    .. math:: y_i = \frac{\sum_s \sigma_s h_{si}^2 + \sum_{j \ne i} (1-w_j)\,\delta_j
              (c_{sj}^2-1) r_{ji}^2}{\lambda_i (1 - r_{ii})} - r_{ii} (c_{si}^2-1)

    h_si is the mean work, in mean services, that an entry in state s brings to service i on its
    first passage, at each service on the way damped by the square root of the variance w that
    departures keep; r_ji is the same from a departure of j on. delta_j are departures per T, sigma
    the variance per T over Poisson of what enters from outside.

    Parameters
    ----------
    compiled, stations, streams, flows
        The network.
    filters : Filters
        What services do to variability at each of the times.
    variable : Variability
        What is the same at all times.
    times : array (times,)
        The time scales.

    Returns
    -------
    array (times, n)
        The constant excess of renewal arrivals that would make the number waiting as variable.

    Notes
    -----
    In the long run a service that is passed at once keeps no noise of its own: what counts at
    service i are arrivals until the first visit, and with them all their returns: a number of
    services that is geometric (Reiman 1984; elimination of near-immediate feedback, Whitt and You
    2022). Services that settle more slowly than the time scale do not pass variability on, but
    bring that of their own service times (w as in
    `robust_arrivals`). In between, amplitudes are
    taken as the square roots of variances. All excesses vanish where arrivals are Poisson and
    services exponential.

    References
    ----------
    Reiman 1984, Math. Oper. Res. 9:441; Whitt and You 2022, Queueing Syst. 100:191.
    """
    routes = _Routes.of(compiled, stations, flows)
    count, n = filters.passing.shape
    classes = compiled.service_time.shape[1]
    entering = flows.arrival - routes.straight_in
    mix = _share(entering, streams.rate[:, None])
    work = np.einsum("ikj,ij->ik", routes.visits, stations.hold)
    mean = (mix * work).sum(axis=1)
    weight = _share(work, mean[:, None])
    sigma = filters.outside * compiled.external_arrival_rate
    spilled = variable.spilled * streams.rate
    result = np.zeros((count, n))
    for m in range(count):
        reach, back = routes.reach(filters.passing[m], float(times[m]), weight)
        here = np.diagonal(back)
        inner = (1.0 - filters.passing[m]) * routes.leaving * filters.own[m]
        total = (sigma[m].reshape(-1, 1) * reach**2).sum(axis=0)
        total += (inner[:, None] * back**2).sum(axis=0) - inner * here**2
        if spilled.any():
            met = (mix.reshape(-1, 1) * reach).reshape(n, classes, n).sum(axis=1)
            total += (spilled[:, None] * met**2).sum(axis=0)
        result[m] = _share(total, streams.rate * (1.0 - here)) - here * variable.own
    return result


class _Routes(NamedTuple):
    """The routes between states, straight returns taken together with the visit."""

    source: Integers
    to: Integers
    probability: Floats
    flow: Floats
    delay: Floats
    """Mean transfer during which no server is held."""
    visits: Floats
    """(n, R, R) mean number of services as one class, of a visit that begins as another."""
    straight_in: Floats
    """(n, R) arrivals that come straight back."""
    leaving: Floats
    """(n,) departures that do not."""

    @classmethod
    def of(cls, compiled: CompiledNetwork, stations: Stations, flows: Flows) -> _Routes:
        """Read the routes, with what is lost at their beginning taken away."""
        n, classes = flows.arrival.shape
        states = n * classes
        source = route_sources(compiled.route_start)
        to = compiled.route_to.astype(np.int64)
        flow = compiled.route_probability * flows.passed.reshape(-1)[source]
        through = _share(flows.passed, flows.arrival).reshape(-1)
        chance = compiled.route_probability * through[source]
        plain = (stations.kind == QUEUE)[source // classes] & (compiled.transfer_delay == 0.0)
        straight = plain & (source // classes == to // classes)
        again = np.zeros((n, classes, classes))
        at = source[straight] // classes, source[straight] % classes, to[straight] % classes
        np.add.at(again, at, chance[straight])
        visits = np.asarray(np.linalg.inv(np.eye(classes) - again))
        returned: Floats = np.bincount(to[straight], flow[straight], states).astype(np.float64)
        return cls(
            source=source[~straight],
            to=to[~straight],
            probability=chance[~straight],
            flow=flow[~straight],
            delay=np.where(compiled.holds_server, 0.0, compiled.transfer_delay)[~straight],
            visits=visits,
            straight_in=returned.reshape(n, classes),
            leaving=flows.passed.sum(axis=1) - returned.reshape(n, classes).sum(axis=1),
        )

    def reach(self, passing: Floats, time: float, weight: Floats) -> tuple[Floats, Floats]:
        """Return the damped work h (N, n) and r (n, n) at one time scale; see `_joint_excess`."""
        classes = weight.shape[1]
        kept = np.sqrt(_delay_share(time, self.delay))
        route = np.zeros((weight.size, weight.size))
        away = np.zeros((passing.size, weight.size))
        np.add.at(route, (self.source, self.to), self.probability * kept)
        np.add.at(away, (self.source // classes, self.to), self.flow * kept)
        if self.straight_in.any():
            onward = route.reshape(-1, classes, weight.size)
            route = np.einsum("ikj,ijs->iks", self.visits, onward).reshape(route.shape)
        reach = _first_passage(route, np.repeat(np.sqrt(passing), classes), weight)
        return reach, multiply(_share(away, self.leaving[:, None]), reach)


@njit
def _first_passage(route: Floats, damp: Floats, weight: Floats) -> Floats:
    """Return the damped work that an entry in each state brings to each service it first meets.

    From G = (I - D P)^-1 over states: G = (first passage) (G of the service itself).
    """
    states = route.shape[0]
    n, classes = weight.shape
    matrix = np.zeros((states, states))
    green = np.zeros((states, states))
    for s in range(states):
        for t in range(states):
            matrix[s, t] = -damp[s] * route[s, t]
        matrix[s, s] += 1.0
        green[s, s] = 1.0
    factorize(matrix)
    solve_left(matrix, green)
    reach = np.zeros((states, n))
    block = np.empty((classes, classes))
    first = np.empty((classes, 1))
    for i in range(n):
        for k in range(classes):
            first[k, 0] = weight[i, k]
            for j in range(classes):
                block[k, j] = green[i * classes + k, i * classes + j]
        factorize(block)
        solve_left(block, first)
        for s in range(states):
            for k in range(classes):
                reach[s, i] += green[s, i * classes + k] * first[k, 0]
    return reach


@njit
def _fill_outside(external: Floats, scv: Floats, times: Floats, out: Floats) -> None:
    """Fill, per time, service and class, the excess of what comes from outside."""
    for m in range(times.size):
        for i in range(external.shape[0]):
            for k in range(external.shape[1]):
                if scv[i, k] != 1.0 and external[i, k] > 0.0:
                    rise = renewal_share(scv[i, k], external[i, k], times[m])
                    out[m, i, k] = (scv[i, k] - 1.0) * rise


@njit
def _fill_filters(
    rate: Floats,
    load_ratio: Floats,
    time: Floats,
    variable: Variability,
    times: Floats,
    excess: Floats,
    passing: Floats,
    own: Floats,
) -> None:
    """Fill the weight of the arrivals in the departures, and the excess of a busy server."""
    passing[:], own[:] = 1.0, 0.0
    weight = np.empty(times.size)
    for i in range(rate.size):
        if load_ratio[i] <= 0.0:
            continue
        noise = variable.own[i]
        departure_weights(
            rate[i], load_ratio[i], times, excess[i], noise, variable.limit[i], weight
        )
        passing[:, i] = weight
        if noise != 0.0 and time[i] > 0.0:
            for m in range(times.size):
                own[m, i] = noise * renewal_share(noise + 1.0, 1.0 / time[i], times[m])


def _delay_share(time: float | Floats, delay: Floats, scv: float | Floats = 1.0) -> Floats:
    """Return the share of the variance of a flow that outlives a delay, over some time.

    1 - (1 - e^-x)/x with x = time/delay is exact for an exponential delay of every job by itself,
    of white noise; all of it outlives a constant delay.
    """
    x = np.divide(
        time, delay, out=np.full(np.broadcast(time, delay).shape, np.inf), where=delay > 0
    )
    small = np.minimum(x, 700.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(small < 1e-5, 0.5 * small, 1.0 + np.expm1(-small) / small)
    share = np.where(x > 700.0, 1.0, share)
    kept: Floats = 1.0 - np.minimum(scv, 1.0) * (1.0 - share)
    return kept


def _share(part: Floats, total: Floats) -> Floats:
    """Return quotients, 0 where the total is 0."""
    shape = np.broadcast(part, total).shape
    quotient: Floats = np.divide(part, total, out=np.zeros(shape), where=total > 0.0)
    return quotient
