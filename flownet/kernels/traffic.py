"""Traffic equations on the sparse graph of states (service, class), traps and reachability."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import splu

from flownet.jit import njit
from flownet.kernels import traffic_iterative as iterative
from flownet.kernels import traffic_solvers as solvers
from flownet.kernels.compiled import (
    OVERFLOW,
    Booleans,
    CompiledNetwork,
    Floats,
    Indices,
    Integers,
)

CONVERGED, UNCONVERGED, BROKEN = 0, 1, 2
SMALL = 48  # states of a component that is solved densely
TOLERANCE = 1e-11
ACCEPTED = 1e-9
PROBE = 8  # sweeps, twice, that tell how many more are needed
SWEEPS_WORTH = 100  # more than this, and BiCGSTAB is cheaper
FIRST_TRY = 60  # iterations before anything else is considered
KRYLOV_LIMIT = 500
RESTARTS = 4
WIDEST = 400  # states in the queue of a breadth-first search that still promises a narrow band
BAND_WORK = 2e9
FACTORIZED = 3000  # states up to which a factorization of unknown fill is tried
POLISH = 3
SWEEP_LIMIT = 20_000


class Traffic(NamedTuple):
    """The solution of the traffic equations."""

    status: int
    """0 solved; 1 stopped short of the tolerance; 2 no finite solution (a trap is fed)."""
    iterations: int
    """Iterations of the largest component that needed any; 0 where all were solved directly."""
    residual: float
    """Largest residual over the components, relative to the mean inflow of their states."""
    arrival_rate: Floats
    """(n, R) jobs per T that arrive, from outside and along routes."""


def solve_traffic(
    compiled: CompiledNetwork,
    *,
    keep: Floats | None = None,
    external: Floats | None = None,
) -> Traffic:
    r"""Solve the traffic equations for the arrival rate of every state.

    .. math:: \lambda_s = \gamma_s + \sum_r \lambda_r k_r p_{rs}

    Parameters
    ----------
    compiled : CompiledNetwork
        The network; its routes and its external arrival rates are read.
    keep : array (n, R), optional
        Share in [0, 1] of the arrivals of each state that complete and go on; default 1. Losses,
        abandonment and saturation thin what flows on.
    external : array (n, R), jobs per T, >= 0, optional
        Arrivals to use in place of ``compiled.external_arrival_rate``.

    Returns
    -------
    Traffic
        Rates, status, iterations and residual. Where a set of states that never leaves is fed,
        its rates are ``inf`` and the status is 2.

    Notes
    -----
    States that no cycle feeds are solved exactly in one sweep in Kahn's order. The others are
    solved by strongly connected component, in order: small ones by elimination without
    subtractions (Grassmann, Taksar and Heyman 1985), large ones by Gauss-Seidel sweeps,
    scaled after each so that as much leaves as comes in, where these converge fast; else by
    BiCGSTAB, or by elimination where a narrow band makes it cheaper. The largest residual decides.

    References
    ----------
    Kahn 1962; Cuthill and McKee 1969; Tarjan 1972; van der Vorst 1992; Grassmann, Taksar and
    Heyman 1985.
    """
    shape = compiled.service_time.shape
    states = shape[0] * shape[1]
    rate = compiled.external_arrival_rate if external is None else external
    weight = compiled.route_probability
    if keep is not None:
        weight = weight * np.reshape(keep, states)[solvers.route_sources(compiled.route_start)]
    status, iterations, residual, solution = solve_flows(
        compiled.route_start, compiled.route_to, weight, np.reshape(rate, states)
    )
    return Traffic(status, iterations, residual, solution.reshape(shape))


def solve_flows(
    start: Indices, to: Indices, weight: Floats, external: Floats
) -> tuple[int, int, float, Floats]:
    """Solve x = external + W' x for routes in compressed rows; return status, count, residual, x.

    Weights are non-negative with row sums of at most one.
    """
    rate = np.array(external, dtype=np.float64)
    weight = weight.view()
    weight.setflags(write=False)  # as those of compiled networks: kernels compile once
    entries = solvers.sweep_in_order(start, to, weight, rate)
    if not entries.any():
        return CONVERGED, 0, 0.0, rate
    component = solvers.strong_components(start, to, entries)
    leaving = solvers.exit_weights(start, to, weight, component)
    open_states = np.flatnonzero(component >= 0)
    order = open_states[np.argsort(-component[open_states], kind="stable")]
    sizes = np.bincount(component[open_states])[::-1]
    offset = np.concatenate(([0], np.cumsum(sizes)))
    iterations, residual, first = 0, 0.0, 0
    for large in [*np.flatnonzero(sizes > SMALL).tolist(), sizes.size]:
        if large > first:
            pieces = offset[first : large + 1]
            inside = order[pieces[0] : pieces[-1]]
            solvers.solve_small(
                start, to, weight, component, inside, pieces - pieces[0], leaving, rate
            )
        if large < sizes.size:
            members = order[offset[large] : offset[large + 1]]
            count, error = _solve_large(start, to, weight, component, members, leaving, rate)
            iterations, residual = max(iterations, count), max(residual, error)
        first = large + 1
    if not np.isfinite(rate).all():
        return BROKEN, iterations, residual, rate
    return (CONVERGED if residual <= ACCEPTED else UNCONVERGED), iterations, residual, rate


def _solve_large(
    start: Indices,
    to: Indices,
    weight: Floats,
    component: Integers,
    members: Integers,
    leaving: Floats,
    rate: Floats,
) -> tuple[int, float]:
    """Solve one large component in place and push what leaves it; return iterations, residual."""
    inflow = rate[members]
    if not inflow.any():
        return 0, 0.0
    if not leaving[members].any() or not np.isfinite(inflow).all():
        rate[members] = np.inf
        return 0, 0.0
    routes = solvers.extract(start, to, weight, component, members)
    x, iterations, residual = _iterate_or_eliminate(*routes, inflow)
    rate[members] = x
    solvers.push_out(start, to, weight, component, members, rate)
    return iterations, residual


def _iterate_or_eliminate(
    start: Indices, to: Indices, weight: Floats, inflow: Floats
) -> tuple[Floats, int, float]:
    """Solve one component by what its convergence and structure suggest.

    A few sweeps tell how many more are needed; where those would be many, a narrow band is looked
    for, in which elimination would be cheaper, and BiCGSTAB goes on where there is none: it takes
    about twice the square root of the number of sweeps. Returns x, the iterations, the residual.
    """
    routes = (start, to, weight, inflow)
    x = iterative.starting_point(start, weight, inflow)
    iterations, residual = iterative.gauss_seidel(*routes, x, TOLERANCE, PROBE)
    more, closer = iterative.gauss_seidel(*routes, x, TOLERANCE, PROBE)
    iterations += more
    left = _steps_left(closer, residual, PROBE)
    if left > SWEEPS_WORTH:
        order, half = _narrow_band(start, to)
        if _band_pays(order, half, to.size, 2.0 * math.sqrt(left)):
            return _by_band(routes, order, half, iterations)
    else:
        more, closer = iterative.gauss_seidel(*routes, x, TOLERANCE, 2 * SWEEPS_WORTH)
        iterations += more
    if closer <= TOLERANCE:
        return x, iterations, closer
    more, residual = iterative.bicgstab(*routes, x, TOLERANCE, FIRST_TRY)
    iterations += more
    if residual <= TOLERANCE:
        return x, iterations, residual
    left = _steps_left(residual, closer, FIRST_TRY)
    order, half = _narrow_band(start, to)
    if _band_pays(order, half, to.size, left):
        return _by_band(routes, order, half, iterations)
    for _ in range(RESTARTS):
        more, residual = iterative.bicgstab(*routes, x, TOLERANCE, KRYLOV_LIMIT)
        iterations += more
        if residual <= TOLERANCE or more == 0:
            break
    if residual > ACCEPTED and inflow.size <= FACTORIZED:
        x = _factorize_and_solve(*routes)
    return _polished(routes, x, iterations)


def _band_pays(order: Integers, half: int, routes: int, steps: float) -> bool:
    """Tell whether elimination in a band takes less work than so many more steps."""
    return order.size > 0 and order.size * half**2 <= min(20.0 * steps * routes, BAND_WORK)


def _by_band(
    routes: tuple[Indices, Indices, Floats, Floats], order: Integers, half: int, iterations: int
) -> tuple[Floats, int, float]:
    """Solve in a band."""
    x = iterative.solve_band(*routes, order, half)
    return _polished(routes, x, iterations)


def _polished(
    routes: tuple[Indices, Indices, Floats, Floats], x: Floats, iterations: int
) -> tuple[Floats, int, float]:
    """End by a few sweeps, and by as many as are needed where those do not suffice."""
    more, residual = iterative.gauss_seidel(*routes, x, TOLERANCE, POLISH)
    iterations += more
    if residual > ACCEPTED:
        more, residual = iterative.gauss_seidel(*routes, x, TOLERANCE, SWEEP_LIMIT)
        iterations += more
    return x, iterations, residual


def _steps_left(residual: float, before: float, steps: int) -> float:
    """Return how many steps are still needed if the last ones are typical."""
    if residual <= TOLERANCE:
        return 0.0
    if not residual < before:
        return math.inf
    return steps * math.log(TOLERANCE / residual) / math.log(residual / before)


def _narrow_band(start: Indices, to: Indices) -> tuple[Integers, int]:
    """Return an order with a narrow band and its half width; an empty order where there is none."""
    back = iterative.transpose_pattern(start, to)
    order = iterative.narrow_order(start, to, *back, 0, WIDEST)
    if order.size == 0:
        return order, 0
    order = iterative.narrow_order(start, to, *back, int(order[-1]), WIDEST)
    return order, (iterative.half_bandwidth(start, to, order) if order.size else 0)


def _factorize_and_solve(start: Indices, to: Indices, weight: Floats, inflow: Floats) -> Floats:
    """Solve by a sparse factorization."""
    size = inflow.size
    routes = csr_array((weight, to.astype(np.int32), start.astype(np.int32)), shape=(size, size))
    identity = csr_array((np.ones(size), np.arange(size), np.arange(size + 1)))
    matrix = csc_array((identity - routes).transpose())
    solution: Floats = splu(matrix).solve(inflow)
    return solution


def find_traps(compiled: CompiledNetwork) -> list[Integers]:
    """Find the sets of states that jobs enter and never leave.

    Parameters
    ----------
    compiled : CompiledNetwork
        The network; only its routes are read.

    Returns
    -------
    list of arrays of states
        Each a strongly connected set in which every row of routing probabilities adds up to one
        and no route leads outside. State s is service ``s // R``, class ``s % R``.

    Notes
    -----
    Whether anything reaches a trap is another question: see `reachable_states`. A trap that is
    reached makes the traffic equations singular.
    """
    start, to = compiled.route_start, compiled.route_to
    every = np.ones(start.size - 1, dtype=np.int64)
    component = solvers.strong_components(start, to, every)
    leaving = solvers.exit_weights(start, to, compiled.route_probability, component)
    exits = np.bincount(component, weights=leaving)
    order = np.argsort(component, kind="stable")
    ends = np.cumsum(np.bincount(component))
    return [order[ends[c - 1] if c else 0 : ends[c]] for c in np.flatnonzero(exits <= 0.0)]


def reachable_states(compiled: CompiledNetwork) -> Booleans:
    """Tell which states jobs from outside can reach, along routes and by overflow.

    Parameters
    ----------
    compiled : CompiledNetwork
        The network.

    Returns
    -------
    array (n, R) of bool
        True where arrivals from outside come, or a route or an overflow leads from such a state.
    """
    shape = compiled.service_time.shape
    spills = np.isfinite(compiled.capacity) & (
        (compiled.when_full == OVERFLOW) | (compiled.external_when_full == OVERFLOW)
    )
    overflow_to = np.where(spills, compiled.overflow_to, -1)
    reached = (compiled.external_arrival_rate > 0.0).reshape(-1)
    _spread(compiled.route_start, compiled.route_to, overflow_to, shape[1], reached)
    return reached.reshape(shape)


@njit
def _spread(
    start: Indices, to: Indices, overflow_to: Integers, classes: int, reached: Booleans
) -> None:
    """Mark in place every state that a marked one leads to."""
    stack = np.empty(reached.size, dtype=np.int64)
    height = 0
    for state in range(reached.size):
        if reached[state]:
            stack[height] = state
            height += 1
    while height > 0:
        height -= 1
        state = stack[height]
        for route in range(start[state], start[state + 1]):
            target = np.int64(to[route])
            if not reached[target]:
                reached[target] = True
                stack[height] = target
                height += 1
        other = overflow_to[state // classes]
        if other >= 0:
            target = other * classes + state % classes
            if not reached[target]:
                reached[target] = True
                stack[height] = target
                height += 1
