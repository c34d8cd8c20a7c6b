"""Compiled solvers of (I - W') x = r on one large component: Krylov, sweeps, and a narrow band."""

from __future__ import annotations

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import Floats, Indices, Integers

TINY = 1e-300


@njit
def starting_point(start: Indices, weight: Floats, rate: Floats) -> Floats:
    """Return `rate`, scaled so that as much leaves the component as comes in.

    In a component that jobs hardly leave this takes away most of the error.
    """
    leaving, entering = 0.0, 0.0
    for state in range(rate.size):
        stay = 0.0
        for route in range(start[state], start[state + 1]):
            stay += weight[route]
        leaving += rate[state] * (1.0 - stay)
        entering += rate[state]
    if leaving <= 0.0 or entering <= 0.0:
        return rate.copy()
    return rate * (entering / leaving)


@njit
def residual_of(start: Indices, to: Indices, weight: Floats, rate: Floats, x: Floats) -> Floats:
    """Return rate - (I - W') x."""
    residual = rate - x
    for state in range(x.size):
        flow = x[state]
        for route in range(start[state], start[state + 1]):
            residual[to[route]] += weight[route] * flow
    return residual


@njit
def yardstick(rate: Floats, x: Floats) -> float:
    """Return what residuals are measured against: the mean inflow of a state.

    Where flows gather, no less than 1e-4 of the largest: rounding allows no more.
    """
    size: float = max(np.mean(np.abs(rate)), 1e-4 * np.max(np.abs(x)))
    return size


@njit
def _apply(
    start: Indices, to: Indices, weight: Floats, x: Floats, y: Floats, shadow: Floats
) -> tuple[float, float, float]:
    """Set y to (I - W') x; return the products of y with `shadow`, x and itself."""
    y[:] = x
    for state in range(x.size):
        flow = x[state]
        for route in range(start[state], start[state + 1]):
            y[to[route]] -= weight[route] * flow
    with_shadow, with_x, with_itself = 0.0, 0.0, 0.0
    for state in range(x.size):
        with_shadow += y[state] * shadow[state]
        with_x += y[state] * x[state]
        with_itself += y[state] * y[state]
    return with_shadow, with_x, with_itself


@njit
def bicgstab(
    start: Indices,
    to: Indices,
    weight: Floats,
    rate: Floats,
    x: Floats,
    tolerance: float,
    limit: int,
) -> tuple[int, float]:
    """Improve x in place by BiCGSTAB (van der Vorst 1992); return iterations and residual.

    Stops where the largest residual is below `tolerance` times the `yardstick`, at `limit`, or
    where a divisor vanishes. The residual returned is that ratio, computed afresh.
    """
    scale = yardstick(rate, x)
    residual = residual_of(start, to, weight, rate, x)
    shadow = residual.copy()
    direction, image, other = residual.copy(), np.empty(x.size), np.empty(x.size)
    rho = np.dot(shadow, residual)
    norm = np.max(np.abs(residual))
    iterations = 0
    while iterations < limit and norm > tolerance * scale:
        iterations += 1
        projection, _, _ = _apply(start, to, weight, direction, image, shadow)
        if abs(projection) < TINY:
            break
        alpha = rho / projection
        for state in range(x.size):
            residual[state] -= alpha * image[state]
        _, along, square = _apply(start, to, weight, residual, other, shadow)
        if square < TINY:
            break
        omega = along / square
        norm, rho_next = 0.0, 0.0
        for state in range(x.size):
            x[state] += alpha * direction[state] + omega * residual[state]
            residual[state] -= omega * other[state]
            rho_next += shadow[state] * residual[state]
            norm = max(norm, abs(residual[state]))
        if abs(rho_next) < TINY or abs(omega) < TINY:
            break
        beta = rho_next / rho * (alpha / omega)
        for state in range(x.size):
            direction[state] = residual[state] + beta * (direction[state] - omega * image[state])
        rho = rho_next
    residual = residual_of(start, to, weight, rate, x)
    return iterations, np.max(np.abs(residual)) / yardstick(rate, x)


@njit
def gauss_seidel(
    start: Indices,
    to: Indices,
    weight: Floats,
    rate: Floats,
    x: Floats,
    tolerance: float,
    limit: int,
) -> tuple[int, float]:
    """Improve x in place by pushing residuals along the routes; return sweeps and residual.

    One sweep of pushes is one of Gauss-Seidel, and the residual comes free with it. After each,
    x is scaled so that as much leaves as comes in, which takes away the slowest part of the error.
    """
    residual = residual_of(start, to, weight, rate, x)
    scale, total = yardstick(rate, x), np.sum(rate)
    sweeps = 0
    error = np.max(np.abs(residual)) / scale
    while sweeps < limit and error > tolerance:
        sweeps += 1
        for state in range(rate.size):
            step = residual[state]
            residual[state] = 0.0
            x[state] += step
            for route in range(start[state], start[state + 1]):
                residual[to[route]] += weight[route] * step
        left = np.sum(residual)
        if abs(left) < 0.5 * abs(total):
            factor = left / (total - left)
            for state in range(rate.size):
                x[state] *= 1.0 + factor
                residual[state] += factor * (residual[state] - rate[state])
        error = np.max(np.abs(residual)) / scale
    residual = residual_of(start, to, weight, rate, x)
    return sweeps, np.max(np.abs(residual)) / yardstick(rate, x)


@njit
def transpose_pattern(start: Indices, to: Indices) -> tuple[Indices, Indices]:
    """Return where routes come from, in compressed rows by the state that they lead to."""
    states = start.size - 1
    back_start = np.zeros(states + 1, dtype=np.uint32)
    for target in to:
        back_start[target + 1] += 1
    for state in range(states):
        back_start[state + 1] += back_start[state]
    place = back_start[:-1].copy()
    origin = np.empty(to.size, dtype=np.uint32)
    for state in range(states):
        for route in range(start[state], start[state + 1]):
            origin[place[to[route]]] = state
            place[to[route]] += 1
    return back_start, origin


@njit
def narrow_order(
    start: Indices, to: Indices, back_start: Indices, origin: Indices, root: int, width: int
) -> Integers:
    """Return the states in breadth-first order from `root`, ignoring directions (Cuthill, McKee).

    The result is empty where more than `width` states are ever in the queue: then the order has a
    wide band.
    """
    states = start.size - 1
    order = np.empty(states, dtype=np.int64)
    seen = np.zeros(states, dtype=np.bool_)
    order[0], seen[root] = root, True
    first, last = 0, 1
    while first < last:
        if last - first > width:
            return order[:0]
        state = order[first]
        first += 1
        for route in range(start[state], start[state + 1]):
            if not seen[to[route]]:
                seen[to[route]] = True
                order[last] = to[route]
                last += 1
        for route in range(back_start[state], back_start[state + 1]):
            if not seen[origin[route]]:
                seen[origin[route]] = True
                order[last] = origin[route]
                last += 1
    return order[:last]


@njit
def half_bandwidth(start: Indices, to: Indices, order: Integers) -> int:
    """Return how far apart, in this order, two states with a route between them lie at most."""
    place = np.empty(order.size, dtype=np.int64)
    for position in range(order.size):
        place[order[position]] = position
    width = 0
    for state in range(order.size):
        for route in range(start[state], start[state + 1]):
            width = max(width, abs(place[state] - place[to[route]]))
    return width


@njit
def solve_band(
    start: Indices, to: Indices, weight: Floats, rate: Floats, order: Integers, half: int
) -> Floats:
    """Solve by elimination within a band of `half` to either side; no pivot is needed.

    I - W is factorized row by row, (I - W)' x = rate solved with the factors: diagonally dominant,
    so that all multipliers are at most one.
    """
    size = rate.size
    place = np.empty(size, dtype=np.int64)
    for position in range(size):
        place[order[position]] = position
    band = np.zeros((size, 2 * half + 1))
    x = np.empty(size)
    for state in range(size):
        row = place[state]
        x[row] = rate[state]
        band[row, half] += 1.0
        for route in range(start[state], start[state + 1]):
            band[row, place[to[route]] - row + half] -= weight[route]
    for pivot in range(size):
        ahead = min(size - pivot - 1, half)
        above = band[pivot, half + 1 : half + 1 + ahead]
        x[pivot] /= band[pivot, half]
        for j in range(ahead):
            x[pivot + 1 + j] -= above[j] * x[pivot]
        for distance in range(1, ahead + 1):
            factor = band[pivot + distance, half - distance]
            if factor != 0.0:
                factor /= band[pivot, half]
                band[pivot + distance, half - distance] = factor
                below = band[pivot + distance, half - distance + 1 : half - distance + 1 + ahead]
                for j in range(below.size):
                    below[j] -= factor * above[j]
    for row in range(size - 1, 0, -1):
        reach = min(row, half)
        for j in range(row - reach, row):
            x[j] -= band[row, j - row + half] * x[row]
    result = np.empty(size)
    for state in range(size):
        result[state] = x[place[state]]
    return result
