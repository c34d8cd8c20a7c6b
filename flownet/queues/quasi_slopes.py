"""Ph/Ph/c with derivatives: the text of `quasi` run with complex matrices, and dG by itself.

The first-passage matrix is differentiated implicitly: from A0 G^2 + A1 G + A2 = 0 follows
dG = B + P dG G with P = -(A1 + A0 G)^-1 A0 and B = -(A1 + A0 G)^-1 (dA0 G^2 + dA1 G + dA2).
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flownet.queues import phases, quasi, quasi_limited
from flownet.queues.dual import Dual, Scalar, slope_of, value_of

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Law = tuple[Any, Any, Any]  # three arrays, complex or real

STEP = 1e-40  # of the complex step: exact to rounding
NEAR_ONE = 1e-3  # |scv - 1| below which the hyperexponential law is taken without its root
DOUBLINGS = 60


class OfService(np.complex128):
    """A scv of service: the state that `null_vector` goes by has all in the first phase."""


def stepped(number: Scalar) -> np.complex128:
    """Return a dual number as a complex one, the derivative in the imaginary part."""
    return np.complex128(complex(value_of(number), STEP * slope_of(number)))


def slope_part(values: Any) -> Any:
    """Return the derivative that a complex result carries."""
    return np.imag(values) / STEP


def phases_with_slope(scv: np.complex128) -> Law:
    """Return `fitted_phases` of a complex scv.

    Close to 1 the rates 1 +- sqrt(y), y = (scv - 1)/(scv + 1), have no derivative, though their sum
    and product do: there the law is written with phases of rate 1, one of negative weight. The one
    where all begin is the first of service, the last of the arrivals.
    """
    if abs(scv.real - 1.0) <= NEAR_ONE and scv.imag != 0.0 and scv.real >= 1.0:
        y = (scv - 1.0) / (scv + 1.0)
        weight = (1.0 + y) / (1.0 - y)
        law = (
            np.array([1.0 - weight, weight]),
            np.array([[-1.0, 1.0], [y, -1.0]]),
            np.array([0.0, 1.0 - y]),
        )
        first = isinstance(scv, OfService)
        return (law[0][::-1], law[1][::-1, ::-1], law[2][::-1]) if first else law
    if scv.imag == 0.0:
        alpha, matrix, leave = phases.fitted_phases(float(scv.real))
        return alpha + 0j, matrix + 0j, leave + 0j
    return _FITTED(scv)  # type: ignore[no-any-return]  # a text run with other numbers


def complex_level_blocks(
    jobs: int, busy_after: bool, arrival: Law, service: Law, grow: bool
) -> tuple[Complexes, Complexes, Complexes]:
    """Return the blocks of a level: each is linear in every one of the laws' parts."""

    def blocks(alpha: Floats, beta: Floats, part: Callable[[Any], Any]) -> tuple[Floats, ...]:
        def law(start: Floats, whole: Law) -> Law:
            parts = (start, part(whole[1]), part(whole[2]))
            return tuple(np.ascontiguousarray(x) for x in parts)  # type: ignore[return-value]  # three

        return phases.level_blocks(jobs, busy_after, law(alpha, arrival), law(beta, service), grow)

    alpha, beta = arrival[0].real, service[0].real
    up, local, down = blocks(alpha, beta, np.real)
    up_slope, local_slope, down_slope = blocks(alpha, beta, slope_part)
    starts = slope_part(arrival[0])
    if starts.any():
        up_slope = up_slope + blocks(starts, beta, np.real)[0]
    begins = slope_part(service[0])
    if begins.any():
        changed = blocks(alpha, begins, np.real)
        up_slope = up_slope + changed[0] if grow else up_slope
        down_slope = down_slope + changed[2] if busy_after else down_slope
    pairs = ((up, up_slope), (local, local_slope), (down, down_slope))
    return tuple(value + 1j * STEP * slope for value, slope in pairs)  # type: ignore[return-value]  # three


def _first_passage_down(up: Complexes, local: Complexes, down: Complexes) -> Complexes:
    """Return G; its derivative by doubling the sum of P^k B G^k."""
    passage = quasi.first_passage_down(
        *(np.ascontiguousarray(block.real) for block in (up, local, down))
    )
    within = local.real + up.real @ passage
    change = slope_part(up) @ passage @ passage + slope_part(local) @ passage + slope_part(down)
    solved = np.linalg.solve(within, np.hstack([change, up.real]))
    total, left, right = -solved[:, : len(local)], -solved[:, len(local) :], passage.copy()
    for _ in range(DOUBLINGS):
        more = left @ total @ right
        total = total + more
        if np.abs(more).max() <= 1e-17 * np.abs(total).max():
            break
        left, right = left @ left, right @ right
    return np.asarray(passage + 1j * STEP * total)


def _factorize(a: Complexes) -> None:
    """Overwrite a by L U without pivoting, as `dense.factorize`."""
    for k in range(len(a)):
        a[k + 1 :, k] /= a[k, k]
        a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])


def _factorize_rates(a: Complexes, leak: Complexes) -> None:
    """Overwrite a and leak without a subtraction, as `dense.factorize_rates`."""
    for k in range(len(a)):
        a[k, k] = leak[k] - a[k, k + 1 :].sum()
        if k + 1 < len(a):
            a[k + 1 :, k] /= a[k, k]
            leak[k + 1 :] -= a[k + 1 :, k] * leak[k]
            a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])


def _row_sums(a: Complexes) -> Complexes:
    return np.asarray(a.sum(axis=1))


def _solve_left(factors: Complexes, b: Complexes) -> None:
    for i in range(len(factors)):
        b[i] -= factors[i, :i] @ b[:i]
    for i in range(len(factors) - 1, -1, -1):
        b[i] = (b[i] - factors[i, i + 1 :] @ b[i + 1 :]) / factors[i, i]


def _solve_right(factors: Complexes, b: Complexes) -> None:
    for k in range(len(factors)):
        b[:, k] = (b[:, k] - b[:, :k] @ factors[:k, k]) / factors[k, k]
    for k in range(len(factors) - 1, -1, -1):
        b[:, k] -= b[:, k + 1 :] @ factors[k + 1 :, k]


def _null_vector(factors: Complexes) -> Complexes:
    n = len(factors)
    x = np.zeros((1, n), np.complex128)
    x[0, n - 1] = 1.0
    for k in range(n - 2, -1, -1):
        x[0, k] = -x[0, k + 1 :] @ factors[k + 1 :, k]
    return x


def _subtract(a: Complexes, b: Complexes) -> None:
    a -= b


def _zeros(shape: Any) -> Complexes:
    return np.zeros(shape, np.complex128)


_MATH = types.SimpleNamespace(sqrt=np.sqrt, ceil=lambda x: math.ceil(x.real))
_NAMES: dict[str, Any] = {
    "np": types.SimpleNamespace(zeros=_zeros),
    "math": _MATH,
    "fitted_phases": phases_with_slope,
    "level_blocks": complex_level_blocks,
    "first_passage_down": _first_passage_down,
    "factorize": _factorize,
    "factorize_rates": _factorize_rates,
    "row_sums": _row_sums,
    "solve_left": _solve_left,
    "solve_right": _solve_right,
    "null_vector": _null_vector,
    "subtract": _subtract,
    "multiply": np.matmul,
    "negative": np.negative,
}


def _with_complex(function: Any) -> Callable[..., Any]:
    """Return the function's text with complex matrices; so too what it calls."""
    plain = getattr(function, "py_func", function)
    names: dict[str, Any] = {"__builtins__": plain.__globals__["__builtins__"]}
    for name in plain.__code__.co_names:
        if name in _NAMES:
            names[name] = _NAMES[name]
        elif name in plain.__globals__:
            found = plain.__globals__[name]
            names[name] = _with_complex(found) if callable(found) else found
    return types.FunctionType(plain.__code__, names, plain.__name__)


_FITTED = _with_complex(phases.fitted_phases)
_MEASURES = _with_complex(quasi.phphc_measures)
_LIMITED = _with_complex(quasi_limited.phphck_measures)
boundary_level = _with_complex(quasi.boundary_level)


def dual_phphc_measures(
    arrival_rate: Scalar,
    service_time: Scalar,
    servers: Scalar,
    arrival_scv: Scalar,
    service_scv: Scalar,
) -> tuple[Scalar, Scalar]:
    """Return `phphc_measures` of dual numbers; the number of servers is whole."""
    given = (arrival_rate, service_time, servers, arrival_scv, service_scv)
    count = float(value_of(servers))
    if not any(isinstance(x, Dual) and x.slope != 0.0 for x in given):
        plain = (float(value_of(x)) for x in given)
        return quasi.phphc_measures(*plain)
    chance, wait = _MEASURES(
        stepped(arrival_rate),
        stepped(service_time),
        count,
        stepped(arrival_scv),
        OfService(stepped(service_scv)),
    )
    return _dual(chance), _dual(wait)


def dual_phphck_measures(
    arrival_rate: Scalar,
    service_time: Scalar,
    servers: Scalar,
    arrival_scv: Scalar,
    service_scv: Scalar,
    capacity: Scalar,
    patience: Scalar,
) -> tuple[Scalar, Scalar, Scalar]:
    """Return `phphck_measures` of dual numbers; servers and capacity are whole."""
    full, chance, waiting = _LIMITED(
        stepped(arrival_rate),
        stepped(service_time),
        float(value_of(servers)),
        stepped(arrival_scv),
        OfService(stepped(service_scv)),
        float(value_of(capacity)),
        stepped(patience) if np.isfinite(value_of(patience)) else math.inf,
    )
    return _dual(full), _dual(chance), _dual(waiting)


def _dual(number: Any) -> Dual:
    return Dual(float(number.real), float(slope_part(number)))
