"""The compiled kernels once more, their own text run with dual numbers in place of floats.

What a kernel calls is translated with it. A few functions stand for others here: those whose own
text has a removable singularity, or whose derivative is known in closed form.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flownet.queues import erlang, inversion, laws, numerics, quasi, quasi_limited
from flownet.queues.dual import MATH, NAMES, Dual, Scalar, slope_of, value_of
from flownet.queues.quasi_slopes import dual_phphc_measures, dual_phphck_measures

Floats = NDArray[np.float64]
Objects = NDArray[np.object_]

_translated: dict[Any, Callable[..., Any]] = {}


def source_of(function: Any) -> Any:
    """Return the function of plain Python behind a compiled one."""
    return getattr(function, "py_func", function)


def translated(function: Any) -> Callable[..., Any]:
    """Return the function with all that it calls, for dual numbers."""
    plain = source_of(function)
    known = _translated.get(plain)
    if known is not None:
        return known
    globals_: dict[str, Any] = {"__builtins__": plain.__globals__["__builtins__"]}
    twin = types.FunctionType(
        plain.__code__, globals_, plain.__name__, plain.__defaults__, plain.__closure__
    )
    _translated[plain] = twin
    for name in plain.__code__.co_names:
        if name in NAMES:
            globals_[name] = NAMES[name]
        elif name in plain.__globals__:
            found = plain.__globals__[name]
            globals_[name] = translated(found) if callable(found) else found
    return twin


def slopes_of(
    function: Any, stations: Floats, steps: Floats
) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    """Return a function's results for each station, and their derivatives along the steps.

    Both have one row a station and one column a parameter. Equal rows are evaluated once.
    """
    run = translated(function)
    size = stations.shape[1]
    joint, places = np.unique(np.hstack([stations, steps]), axis=0, return_inverse=True)
    found = []
    with np.errstate(all="ignore"):
        for row in joint.tolist():
            try:
                results = run(*map(dual, row[:size], row[size:]))
            except ZeroDivisionError:  # of plain numbers: dual ones divide as compiled code does
                results = run(*map(Dual, row[:size], row[size:]))
            found.append([(value_of(x), slope_of(x)) for x in results])
    table = np.array(found, np.float64).reshape((len(joint), -1, 2))[places.ravel()]
    values = table[..., 0].T
    slopes = np.where(np.isnan(values), np.nan, table[..., 1].T)
    return tuple(values), tuple(slopes)


def dual(value: float, slope: float) -> Scalar:
    """Return a number with its derivative; a plain one where that is 0 or the value infinite."""
    return Dual(value, slope) if slope != 0.0 and np.isfinite(value) else value


def row_of(kernel: Any, station: list[Scalar], width: int) -> list[Scalar]:
    """Return what a row kernel writes for one station of dual numbers."""
    row = objects(station).reshape((1, len(station)))
    out = objects([0.0] * width).reshape((1, width))
    translated(kernel)(row, out)
    return list(out[0])


def objects(numbers: list[Scalar]) -> Objects:
    """Return numbers, dual or not, as an array."""
    out = np.empty(len(numbers), object)
    out[:] = numbers
    return out


def _inverse_excess(servers: Scalar, load: Scalar) -> Scalar:
    """Return 1/B - 1 with its own derivatives, which are compiled."""
    c, a = float(value_of(servers)), float(value_of(load))
    if not (isinstance(servers, Dual) or isinstance(load, Dual)) or a <= 0.0:
        return erlang.inverse_excess(c, a)
    excess, by_servers, by_load = erlang.inverse_excess_slopes(c, a)
    return Dual(excess, by_servers * slope_of(servers) + by_load * slope_of(load))


def _product_error(a: Scalar, b: Scalar) -> float:
    """Return the rounding error, which does not change with the parameters."""
    return numerics.product_error(float(value_of(a)), float(value_of(b)))


def _geometric_sum(ratio: Scalar, spare: Scalar, count: Scalar) -> Scalar:
    """Return the binomial series where the closed form is 0/0: sum of C(n, k + 1) (-spare)^k."""
    if abs(value_of(spare) * value_of(count)) > numerics.NEAR or value_of(count) == 0.0:
        if value_of(spare) == 0.0:
            return count  # for no state at all
        return -MATH.expm1(count * translated(numerics.log_ratio)(ratio, spare)) / spare
    term, total, k = 1.0 * count, 0.0 * count, 1.0
    while True:
        total = total + term
        if abs(value_of(term)) <= 1e-18 * abs(value_of(total)) and (
            abs(slope_of(term)) <= 1e-18 * abs(slope_of(total))
        ):
            return total
        term = term * (-spare * (count - k) / (k + 1.0))
        k += 1.0


def _survival(scv: Scalar, x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Return P(X > x), P(X <= x) and the integral of P(X > u), u < x; at scv 1 by an expansion.

    There the fits of both sides meet in a square root whose even powers alone count.
    With y = (scv - 1)/(scv + 1) the transform of the law is 1/(1 + s) + y s^2/(1 + s)^3 + O(y^2).
    """
    if value_of(scv) != 1.0 or slope_of(scv) == 0.0:
        plain = value_of(scv) if slope_of(scv) == 0.0 else scv
        return _survival_text(plain, x)  # type: ignore[no-any-return]  # of any numbers
    stay, gone, inner = _survival_text(1.0, x)
    point = value_of(x)
    half = 0.25 * slope_of(scv) * point * float(np.exp(-point))
    change = -half * (2.0 - point)
    return stay + Dual(0.0, change), gone - Dual(0.0, change), inner - Dual(0.0, half * point)


def _service_transform(s: Scalar, mean: Scalar, scv: Scalar, law: Scalar) -> Scalar:
    """Return E[e^{-s S}], hyperexponential laws in y = (scv - 1)/(scv + 1), without a root."""
    if law != inversion.PHASES or value_of(scv) < 1.0:
        return _transform_text(s, mean, scv, law)
    x = s * mean
    y = (scv - 1.0) / (scv + 1.0)
    return ((1.0 - y) + x * (1.0 + y)) / ((1.0 + x) * (1.0 + x) - y)


_survival_text = translated(laws.survival)
_transform_text = translated(inversion.service_transform)
for _kernel, _stand_in in (
    (erlang.inverse_excess, _inverse_excess),
    (numerics.product_error, _product_error),
    (numerics.geometric_sum, _geometric_sum),
    (laws.survival, _survival),
    (inversion.service_transform, _service_transform),
    (quasi.phphc_measures, dual_phphc_measures),
    (quasi_limited.phphck_measures, dual_phphck_measures),
):
    _translated[source_of(_kernel)] = _stand_in
