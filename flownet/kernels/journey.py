r"""The law of the time in the system: transforms along the chain of visits, inverted numerically.

.. math:: \hat T_s(z) = \hat V_s(z) \Big(e_s + \sum_r w_r \hat D_r(z) \hat B_r(z)
          \hat T_{t(r)}(z)\Big)

V is the time of a visit, e the chance to leave after it, w that of a route, D its transfer delay,
B the wait for a place at its end. Jobs that are lost or give up drop out: T is that of the served,
times their chance.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.sparse import csc_array, csr_array, eye_array
from scipy.sparse.linalg import splu

from flownet.jit import njit
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers, Measures
from flownet.kernels.journey_laws import NARROW, ROUGH, Complexes
from flownet.kernels.journey_outside import late_mean, late_transforms
from flownet.kernels.journey_routes import Journey, make_journey
from flownet.kernels.journey_waits import (
    SHARED,
    Visits,
    last_in_line,
    longer_for_last,
    sums,
    visit_laws,
    visit_transforms,
)
from flownet.kernels.traffic import CONVERGED, solve_flows

DAMPING = 18.4
"""The discretization error of the inversion is e^-DAMPING."""
SMOOTH_TERMS, ROUGH_TERMS, AVERAGED = 25, 160, 11
"""Terms before Euler's summation, where no law has jumps or bends and where some has."""
SWEEPS = 400
SETTLED = 1e-13


class TimeChain(NamedTuple):
    """A solved network as the chain of visits of one job."""

    visits: Visits
    journey: Journey


class Moments(NamedTuple):
    """Of the time in the system of those served, by row of starting weights."""

    served: Floats
    """(q,) chance to leave served."""
    mean: Floats
    variance: Floats


def make_chain(compiled: CompiledNetwork, measures: Measures) -> TimeChain:
    """Return the chain of visits of a solved network.

    Parameters
    ----------
    compiled : CompiledNetwork
    measures : Measures
        Of a method that converged.
    """
    return TimeChain(visit_laws(compiled, measures), make_journey(compiled, measures))


def starting_weights(
    chain: TimeChain, compiled: CompiledNetwork, measures: Measures, service: int = -1
) -> Floats:
    """Return the rates at which jobs of each class begin their time in each state, (R, S).

    Parameters
    ----------
    chain, compiled, measures
        The solved network.
    service : int
        From admission to this service on, whatever came before, or -1: from admission to the
        network. Rows stand for the class in which a job enters or comes to the service.
    """
    n, classes = compiled.service_time.shape
    asking = np.zeros((n, classes))
    if service < 0:
        asking[:] = compiled.external_arrival_rate
    else:
        asking[service] = measures.arrival_rate[service]
    rows = np.zeros((classes, n * classes))
    for k in range(classes):
        rows[k].reshape(n, classes)[:, k] = asking[:, k]
    if service >= 0:
        return rows
    entered: Floats = np.asarray((csr_array(rows) @ chain.journey.entry).toarray())
    return entered


def endless(chain: TimeChain, weights: Floats, *, outside: bool = False) -> np.ndarray:
    """Tell of which rows some jobs can come to where waits have no end."""
    bad = chain.journey.endless | (chain.journey.endless_outside if outside else False)
    return np.asarray(((weights > 0.0) & bad).any(axis=1))


# ------------------------------------------------------------------------------ transforms


def time_transforms(
    chain: TimeChain, weights: Floats, points: Complexes, *, outside: bool = False
) -> Complexes:
    """Return E[e^{-zT}; served] at `points`, (q, K), summed over states by `weights` (q, S)."""
    z = np.asarray(points, dtype=np.complex128)
    visit = visit_transforms(chain.visits, z)
    j = chain.journey
    total = np.zeros(visit.shape, dtype=np.complex128)
    last = last_in_line(chain.visits, z)
    slow = _relax(
        j.start, j.to, j.weight, j.transfer, j.chance, j.wait, j.leave, visit, last, z, total
    )
    for k in np.flatnonzero(slow).tolist():
        total[:, k] = _solve_once(j, visit[:, k], last[:, k], z[k])
    if outside:
        door = 1.0 / (1.0 + z * j.outside_wait[:, None])
        late = late_transforms(chain.visits, j, visit, last, z, total)
        total += j.outside_chance[:, None] * (door - 1.0) * late
    return np.asarray(weights @ total)


@njit
def _relax(
    start: Integers,
    to: Integers,
    weight: Floats,
    transfer: Floats,
    chance: Floats,
    wait: Floats,
    leave: Floats,
    visit: Complexes,
    last: Complexes,
    z: Complexes,
    total: Complexes,
) -> np.ndarray:
    """Fill the transforms by Gauss and Seidel's sweeps; return at which points they did not end.

    States are taken backwards and forwards in turn.
    """
    size = leave.size
    slow = np.zeros(z.size, dtype=np.bool_)
    way = np.empty(to.size, dtype=np.complex128)
    value = np.zeros(size, dtype=np.complex128)
    for k in range(z.size):
        for r in range(to.size):
            way[r] = weight[r]
            if transfer[r] > 0.0:
                way[r] /= 1.0 + z[k] * transfer[r]
            if chance[r] > 0.0:
                way[r] *= 1.0 + chance[r] * (1.0 / (1.0 + z[k] * wait[r]) - 1.0) * last[to[r], k]
        value[:] = 0.0
        sweep, change, before = 0, 1.0, 1.0
        while sweep < SWEEPS:
            change = 0.0
            for place in range(size):
                s = size - 1 - place if sweep % 2 == 0 else place
                new = leave[s] + 0.0j
                for r in range(start[s], start[s + 1]):
                    new += way[r] * value[to[r]]
                new *= visit[s, k]
                change = max(change, abs(new - value[s]))
                value[s] = new
            sweep += 1
            # what is still to come is at most change q / (1 - q), q the ratio of changes
            if change == 0.0 or (change < before and change * change < SETTLED * (before - change)):
                break
            before = change
        slow[k] = sweep >= SWEEPS
        total[:, k] = value
    return slow


def _solve_once(j: Journey, visit: Complexes, last: Complexes, z: complex) -> Complexes:
    """Return the transforms at one point by elimination."""
    place = 1.0 + j.chance * (1.0 / (1.0 + z * j.wait) - 1.0) * last[j.to]
    way = j.weight / (1.0 + z * j.transfer) * place
    size = visit.size
    rows = np.repeat(np.arange(size), np.diff(j.start))
    onward = csc_array((visit[rows] * way, (rows, j.to)), shape=(size, size))
    return np.asarray(splu(csc_array(eye_array(size) - onward)).solve(visit * j.leave))


def invert(values: Complexes, times: Floats, terms: int) -> Floats:
    """Return the functions whose transforms at `nodes` of each time are given, (q, T).

    Abate and Whitt's (1995) trapezoidal rule with Euler's summation; `values` is (q, T, K).
    """
    signs = (-1.0) ** np.arange(terms + AVERAGED + 1)
    weights = signs * _euler(terms)
    sums = (values.real * weights).sum(axis=-1)
    answer: Floats = math.exp(0.5 * DAMPING) / times * sums
    return answer


def _euler(terms: int) -> Floats:
    """Return the weights that Euler's summation gives the terms, the first one halved."""
    tails = [math.comb(AVERAGED, k) / 2.0**AVERAGED for k in range(AVERAGED + 1)]
    weights = np.ones(terms + AVERAGED + 1)
    weights[0] = 0.5
    weights[terms:] = np.cumsum(tails[::-1])[::-1]
    return weights


def nodes(times: Floats, terms: int) -> Complexes:
    """Return the points at which the inversion at each time needs the transform, (T, K)."""
    steps = 1j * math.pi * np.arange(terms + AVERAGED + 1)
    return np.asarray((0.5 * DAMPING + steps)[None, :] / times[:, None])


def terms_of(visits: Visits) -> int:
    """Return how many terms the inversion takes before it sums by averages."""
    c = visits.compiled
    used = c.service_time > 0.0
    rough = np.isin(c.service_family[used], ROUGH).any() or (c.service_scv[used] < NARROW).any()
    return ROUGH_TERMS if rough else SMOOTH_TERMS


# --------------------------------------------------------------------------------- results


def served_within(
    chain: TimeChain, weights: Floats, times: Floats, *, outside: bool = False
) -> Floats:
    r"""Return P(T <= t) of those who leave served, (q, T).

    .. math:: P(T \le t) = \frac{1}{\hat T(0)} L^{-1}\Big[\frac{\hat T(z)}{z}\Big](t)

    Parameters
    ----------
    chain : TimeChain
    weights : (q, S) array
        From `starting_weights`.
    times : (T,) array
        t > 0, finite.
    outside : bool
        Whether the time outside counts.

    Returns
    -------
    (q, T) array
        nan for rows without a job that is served.

    Notes
    -----
    Absolute error about 1e-8 of the inversion where every law is smooth, 1e-4 with the histograms
    of lognormal and Weibull laws; 1e-3 near a jump or a bend of the distribution, which constant,
    uniform, triangular and empirical service times can make; at a jump itself the value is its
    middle.

    References
    ----------
    Abate and Whitt (1995), ORSA J. Comput. 7:36.
    """
    terms = terms_of(chain.visits)
    served = served_rates(chain.journey, weights)
    points = nodes(times, terms)
    values = time_transforms(chain, weights, points.reshape(-1), outside=outside)
    shaped = (values / points.reshape(-1)).reshape(len(weights), times.size, -1)
    inside = invert(shaped, times[None, :], terms)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: Floats = np.where(
            served[:, None] > 0.0, np.clip(inside / served[:, None], 0.0, 1.0), np.nan
        )
    return shares


def served_rates(journey: Journey, weights: Floats) -> Floats:
    """Return the rate at which the jobs of each row leave served: the flows of visits that end."""
    start, to = journey.start.astype(np.uint32), journey.to.astype(np.uint32)
    rates = np.zeros(len(weights))
    for row, entering in enumerate(weights):
        status, _, _, visits = solve_flows(start, to, journey.weight, entering)
        rates[row] = visits @ journey.leave if status == CONVERGED else np.nan
    return rates


def moments(chain: TimeChain, weights: Floats, *, outside: bool = False) -> Moments:
    """Return the chance to be served, mean and variance of the time of those who are.

    Parameters
    ----------
    chain, weights, outside
        As for `served_within`.

    Notes
    -----
    Three solutions of one sparse system: with M the chances to go on, f = (I - M)^-1 e the chance
    to be served, then the first and second moment of T on that event.
    """
    v, j = chain.visits, chain.journey
    c = v.compiled
    size = j.leave.size
    service = c.service_time.reshape(-1)
    square = (1.0 + c.service_scv.reshape(-1)) * service * service
    one = service + v.chance * v.mean
    two = square + v.chance * (2.0 * v.mean * service + v.square)
    two = np.where(v.kind == SHARED, v.square, two)
    way = j.transfer + j.chance * j.wait
    longer = longer_for_last(v)
    ways = 2.0 * (j.transfer**2 + j.chance * (j.wait**2 + j.transfer * j.wait))
    ways = ways + 2.0 * j.chance * j.wait * longer[j.to]
    rows = np.repeat(np.arange(size), np.diff(j.start))
    onward = csc_array((j.weight, (rows, j.to)), shape=(size, size))
    system = splu(csc_array(eye_array(size) - onward))

    def by_route(values: Floats) -> Floats:
        return sums(rows, j.weight * values, size)

    base = np.asarray(system.solve(j.leave))
    after = by_route(way * base[j.to])
    first = np.asarray(system.solve(one * base + after))
    going = by_route(first[j.to])
    cross = 2.0 * one * (going + after)
    later = by_route(ways * base[j.to] + 2.0 * way * first[j.to])
    second = np.asarray(system.solve(two * base + cross + later))
    if outside:
        chance, wait = j.outside_chance, j.outside_wait
        second = second + 2.0 * chance * wait * (late_mean(v, j, base, first) + wait * base)
        first = first + chance * wait * base
    served, total, squares = weights @ base, weights @ first, weights @ second
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(served > 0.0, total / served, np.nan)
        variance = np.where(served > 0.0, squares / served - mean * mean, np.nan)
    return Moments(served, mean, np.maximum(variance, 0.0))
