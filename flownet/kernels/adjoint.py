"""Gradients of a goal by one adjoint solve: what they are made of, and the reversed routes.

A goal is a weighting of a solution's measures. Its derivatives with respect to every parameter
come from one linear solve with the transposed system, whatever the number of parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, gmres

from flownet.kernels.compiled import Booleans, CompiledNetwork, Floats, Indices, Measures
from flownet.kernels.traffic import BROKEN, solve_flows
from flownet.kernels.traffic_solvers import route_sources

STEP = 1e-5
"""Relative step of the central differences inside one station's map; its own error is 1e-10."""
SOLVED = 1e-12


class Weights(NamedTuple):
    """What one unit of each measure is worth to the goal; each (n, R)."""

    arrival_rate: Floats
    throughput: Floats
    loss_rate: Floats
    overflow_rate: Floats
    abandonment_rate: Floats
    number_waiting: Floats
    number_in_service: Floats
    number_blocked: Floats
    number_held_in_transfer: Floats
    number_outside: Floats
    growth_rate: Floats

    def value(self, measures: Measures) -> float:
        """Return the weighted sum of the measures; what has no weight does not count."""
        total = 0.0
        for name, weight in zip(self._fields, self, strict=True):
            chosen = weight != 0.0
            total += float((weight[chosen] * getattr(measures, name)[chosen]).sum())
        return total


def weights_of(shape: tuple[int, ...], given: Mapping[str, Floats]) -> Weights:
    """Return weights that are 0 but for those given."""
    return Weights(*(np.array(given.get(name, np.zeros(shape))) for name in Weights._fields))


class Gradient(NamedTuple):
    """Derivatives of a goal by parameter; nan where the adjoint does not tell."""

    servers: Floats
    """(n,) per server, the waiting room as it is."""
    waiting_room: Floats
    """(n,) per place."""
    service_time: Floats
    """(n, R) per T, the law's shape as it is."""
    external_arrival_rate: Floats
    """(n, R) per job per T."""
    patience: Floats
    """(n, R) per T."""
    routing_probability: Floats
    """(m,) where fewer or more leave the network in exchange."""
    transfer_delay: Floats
    """(m,) per T."""


Columns = dict[str, Floats]


def row_pullback(
    outputs: Callable[[Columns], Sequence[Floats]],
    inputs: Columns,
    which: Sequence[str],
    adjoints: Sequence[Floats],
    step: float = STEP,
) -> Columns:
    """Return the derivatives of a weighted sum of outputs, where rows do not touch each other.

    Parameters
    ----------
    outputs : callable
        From the inputs to arrays (n, ...); row i of each depends on row i of the inputs only.
    inputs : mapping of arrays (n,) or (n, R)
    which : sequence of str
        The inputs asked for.
    adjoints : sequence of arrays
        The weight of each output, shaped like it.
    step : float
        Relative step of the differences.

    Returns
    -------
    mapping of arrays
        Shaped like the inputs; 0 where an input is not finite.

    Notes
    -----
    Central differences, one column of an input at a time for all rows at once: a number of calls
    that does not grow with the number of rows. At 0 the difference is taken upwards.
    """
    result: Columns = {}
    for name in which:
        whole = inputs[name]
        slopes = np.zeros_like(whole)
        for column in np.ndindex(whole.shape[1:]):
            place = (slice(None), *column)
            high, low, width = _moved(whole, place, step)
            if not width.any():
                continue
            pair = [outputs({**inputs, name: changed}) for changed in (high, low)]
            slopes[place] = _slope(weighted(pair, adjoints), width)
        result[name] = slopes
    return result


def row_slopes(
    outputs: Callable[[Columns], Sequence[Floats]],
    inputs: Columns,
    which: Sequence[str],
    step: float = STEP,
) -> dict[str, list[Floats]]:
    """Return the slope of every output by every column of an input; see `row_pullback`.

    Returns
    -------
    mapping of lists of arrays (n, columns of the output, columns of the input)
        By input, one array an output; an input or output (n,) has no columns.
    """
    result: dict[str, list[Floats]] = {}
    for name in which:
        whole = inputs[name]
        found: list[list[Floats]] = []
        for column in np.ndindex(whole.shape[1:]):
            high, low, width = _moved(whole, (slice(None), *column), step)
            above, below = (outputs({**inputs, name: changed}) for changed in (high, low))
            found.append([
                _slope(np.subtract(up, down, out=np.zeros(up.shape), where=up != down), width)
                for up, down in zip(above, below, strict=True)
            ])  # fmt: skip
        result[name] = [
            np.stack(each, axis=-1) if whole.ndim > 1 else each[0]
            for each in zip(*found, strict=True)
        ]
    return result


def _moved(whole: Floats, place: tuple[Any, ...], step: float) -> tuple[Floats, Floats, Floats]:
    """Return an input with one column a step higher and a step lower, and how far they are."""
    value = whole[place]
    scale = np.abs(whole).max(axis=tuple(range(1, whole.ndim)), initial=0.0)
    size = np.where(value != 0, np.abs(value), np.where(scale > 0, scale, 1.0))
    moved = np.where(np.isfinite(size), step * size, 0.0)
    high, low = whole.copy(), whole.copy()
    high[place] = value + moved
    low[place] = np.where(value > 0, np.maximum(value - moved, 0.0), value)
    width = np.where(np.isfinite(size), high[place], 0.0)
    width -= np.where(np.isfinite(size), low[place], 0.0)
    return high, low, width


def _slope(difference: Floats, width: Floats) -> Floats:
    wide = width.reshape(-1, *(1,) * (difference.ndim - 1))
    return np.divide(difference, wide, out=np.zeros(difference.shape), where=wide > 0)


def weighted(pair: Sequence[Sequence[Floats]], adjoints: Sequence[Floats]) -> Floats:
    """Return by row the weighted sum of the differences between two lists of outputs."""
    total = np.zeros(adjoints[0].shape[0])
    for up, down, weight in zip(*pair, adjoints, strict=True):
        chosen = weight != 0
        difference = np.where(chosen, up, 0.0) - np.where(chosen, down, 0.0)
        total += (weight * difference).reshape(total.size, -1).sum(axis=1)
    return total


class Reversed(NamedTuple):
    """Routes with their weights, and the same run backwards so that they can be solved again."""

    start: Indices
    to: Indices
    weight: Floats
    """(m,) backwards."""
    flow: Floats
    """(s,) positive where a state can be reached."""


def reverse(compiled: CompiledNetwork, weight: Floats, reached: Booleans) -> Reversed | None:
    r"""Return the routes run backwards in time; None where jobs can get lost in a trap.

    .. math:: w^*_{ts} = x_s w_{st} / x_t,\qquad x = r + W^T x

    Notes
    -----
    :math:`v = g + W v` becomes :math:`y = x g + (W^*)^T y` with :math:`y = x v`: traffic equations
    again, with row sums below one, and solved by the same means.
    """
    source = route_sources(compiled.route_start)
    to = compiled.route_to.astype(np.int64)
    used = np.where(reached[source], weight, 0.0)
    status, _, _, flow = solve_flows(
        compiled.route_start, compiled.route_to, used, reached.astype(np.float64)
    )
    if status == BROKEN:
        return None
    safe = np.where(flow > 0.0, flow, 1.0)
    values = used * flow[source] / safe[to]
    first, size = compiled.route_start.astype(np.int64), flow.size
    back: Any = csr_array((values, to, first), shape=(size, size)).tocsc()
    return Reversed(back.indptr.astype(np.uint32), back.indices.astype(np.uint32), back.data, flow)


def solve_reversed(back: Reversed, right: Floats) -> Floats:
    """Solve v = right + W v by the reversed routes."""
    safe = np.where(back.flow > 0.0, back.flow, 1.0)
    total = np.zeros(right.size)
    for sign in (1.0, -1.0):
        part = np.maximum(sign * right, 0.0) * back.flow
        if part.any():
            total += sign * solve_flows(back.start, back.to, back.weight, part)[3]
    return np.asarray(np.where(back.flow > 0.0, total / safe, 0.0))


def solve_transposed(
    compiled: CompiledNetwork, jacobian: Floats, right: Floats, reached: Booleans
) -> Floats | None:
    r"""Solve the adjoint of the balance of flows, :math:`w = g + K^T P w`.

    Parameters
    ----------
    compiled : CompiledNetwork
    jacobian : array (n, R, R)
        K: change of what class k passes on per change of the arrivals of class l.
    right : array (n, R)
        g: what one more arrival is worth to the goal at the service itself.
    reached : array (n R,) of bool
        States where jobs can come.

    Returns
    -------
    array (n, R) or None
        What one more arrival is worth in all; None where the equations cannot be solved.
    """
    n, classes = right.shape
    source = route_sources(compiled.route_start)
    own = np.clip(np.einsum("ikk->ik", jacobian), 0.0, 1.0).ravel()
    back = reverse(compiled, compiled.route_probability * own[source], reached)
    if back is None:
        return None
    # to run backwards, a slope stands at the state that passes on: w = g + k (P w)
    plain = np.einsum("ikk->ik", jacobian)[:, :, None] * np.eye(classes)
    if np.array_equal(plain, jacobian) and np.array_equal(
        own, np.diagonal(jacobian, 0, 1, 2).ravel()
    ):
        return solve_reversed(back, right.ravel()).reshape(n, classes)
    routes = csr_array(
        (
            compiled.route_probability,
            compiled.route_to.astype(np.int64),
            compiled.route_start.astype(np.int64),
        ),
        shape=(n * classes, n * classes),
    )

    def apply(vector: Floats) -> Floats:
        ahead = (routes @ vector).reshape(n, classes)
        return np.asarray(vector - np.einsum("ikl,ik->il", jacobian, ahead).ravel())

    operator = LinearOperator((n * classes,) * 2, matvec=apply, dtype=np.float64)
    guess = LinearOperator(
        (n * classes,) * 2, matvec=lambda vector: solve_reversed(back, vector), dtype=np.float64
    )
    answer, failed = gmres(
        operator, right.ravel(), M=guess, rtol=SOLVED, atol=0.0, restart=60, maxiter=20
    )
    return None if failed else np.asarray(answer).reshape(n, classes)
