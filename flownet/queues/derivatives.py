"""Derivatives of every formula by every continuous parameter: analytic where there is one.

Elsewhere central differences at steps from a twentieth to a hundred billionth of the parameter,
freed of their first two terms of error (Richardson); the one that is closest to the next is taken.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flownet.errors import ParameterError
from flownet.queues.abandonment import erlang_a
from flownet.queues.arguments import Numbers, checked, refusal
from flownet.queues.deterministic import mdc, mdc_gradient
from flownet.queues.erlang import erlang_b, erlang_b_gradient, erlang_c, erlang_c_gradient
from flownet.queues.finite_source import finite_source, finite_source_gradient
from flownet.queues.limited_slopes import erlang_a_gradient, mmck_gradient
from flownet.queues.markov import mmc, mmc_gradient, mmck
from flownet.queues.priority import priority_nonpreemptive, priority_preemptive
from flownet.queues.single_server import mg1, mg1_gradient

Floats = NDArray[np.float64]
Formula = Callable[..., Any]

ANALYTIC: Mapping[Formula, Formula] = {
    mmc: mmc_gradient,
    mg1: mg1_gradient,
    mdc: mdc_gradient,
    mmck: mmck_gradient,
    erlang_a: erlang_a_gradient,
    erlang_b: erlang_b_gradient,
    erlang_c: erlang_c_gradient,
    finite_source: finite_source_gradient,
}
BY_CLASS = (priority_nonpreemptive, priority_preemptive)
CLASS_PARAMETERS = ("arrival_rate", "service_time", "service_scv")
CONTINUOUS = (
    "arrival_rate",
    "request_rate",
    "service_time",
    "load",
    "servers",
    "arrival_scv",
    "service_scv",
    "service_third_moment",
    "patience",
    "patience_scv",
    "time",
)
FIRST, FACTOR, LEVELS = 0.05, 4.0, 17


def gradient(formula: Formula, *arguments: Any, **named: Any) -> dict[str, Any]:
    r"""Return the derivatives of a formula's results by each of its continuous parameters.

    .. math:: \frac{\partial f}{\partial x} \approx \frac{f(x + h) - f(x - h)}{2h} + O(h^2)

    Parameters
    ----------
    formula : callable
        A formula of this library, for instance ``queues.mmcg``.
    *arguments, **named
        What the formula is given.

    Returns
    -------
    dict
        Each continuous parameter that was given, and is finite and above 0, mapped to what the
        formula returns, of derivatives. Formulas by class: by the parameter of each class along a
        further last axis. nan where the station is overloaded.

    Raises
    ------
    ParameterError
        Where the formula refuses its arguments.

    Notes
    -----
    Analytic for `mmc`, `mg1`, `mdc`, `erlang_b`, `erlang_c`, `mmck`, `erlang_a` and
    `finite_source`, but for parameters that their gradients leave out. Numerical elsewhere, to
    about 1e-8 of the derivative where the formula is smooth and exact to rounding, and less next to
    saturation. The number of servers counts as continuous where the formula takes fractions.

    References
    ----------
    Ridders (1982), Adv. Eng. Softw. 4:75.

    Examples
    --------
    >>> from flownet import queues
    >>> slopes = gradient(queues.processor_sharing, 0.5, 1.0)
    >>> round(float(slopes["arrival_rate"].response_time), 7)
    4.0
    """
    signature = inspect.signature(formula)
    try:
        given = dict(signature.bind(*arguments, **named).arguments)
    except TypeError as error:
        message = f"{error}: {formula.__name__}{signature}"
        raise refusal("arguments", formula.__name__, message) from None
    known = ANALYTIC.get(formula)
    known = None if known is None or not _accepts(known, given) else known
    slopes: dict[str, Any] = dict(known(**given)) if known is not None else {}
    formula(**given)  # refuses what is wrong
    for name in CONTINUOUS:
        value = given.get(name)
        if name in slopes or value is None or (name == "servers" and not _divides(formula, given)):
            continue
        slopes[name] = _numerical(formula, given, name)
    return slopes


def _divides(formula: Formula, given: dict[str, Any]) -> bool:
    """Tell whether the formula takes fractions of servers here."""
    try:
        formula(**{**given, "servers": np.asarray(given["servers"]) * (1.0 + FIRST)})
    except ParameterError:
        return False
    return True


def _accepts(known: Formula, given: dict[str, Any]) -> bool:
    return set(given) <= set(inspect.signature(known).parameters)


def _numerical(formula: Formula, given: dict[str, Any], name: str) -> Any:
    """Return the derivatives by one parameter, in the form of the formula's results."""
    base = checked(name, given[name])
    if (base <= 0.0).any() or not np.isfinite(base).all():
        raise refusal(name, f"{base.min():g}", "must be finite and greater than 0 for derivatives")
    if formula not in BY_CLASS or name not in CLASS_PARAMETERS:
        return _differences(formula, given, name, base, np.ones(base.shape))
    shapes = (np.shape(given[key]) for key in CLASS_PARAMETERS if key in given)
    shape = np.broadcast_shapes((1,), *shapes)
    base = np.broadcast_to(base, np.broadcast_shapes(base.shape, shape))
    columns = [
        _differences(formula, given, name, base, np.eye(shape[-1])[i]) for i in range(shape[-1])
    ]
    return type(columns[0])(*(np.stack(parts, axis=-1) for parts in zip(*columns, strict=True)))


def _differences(
    formula: Formula, given: dict[str, Any], name: str, base: Floats, direction: Floats
) -> Any:
    """Return the best of the differences at all steps, result by result."""

    def at(step: float) -> list[Floats]:
        result = formula(**{**given, name: base * (1.0 + step * direction)})
        parts = [np.asarray(part, np.float64) for part in _parts(result)]
        beyond = sum(np.isinf(part) for part in parts) > 0
        return [np.where(beyond, np.nan, part) for part in parts]

    rows = []
    scale = base if direction.all() else base[..., direction > 0.0]
    for level in range(LEVELS):
        step = FIRST / FACTOR**level
        apart = scale * (1.0 + step) - scale * (1.0 - step)  # as rounded
        with np.errstate(invalid="ignore", divide="ignore"):
            rows.append([(u - d) / apart for u, d in zip(at(step), at(-step), strict=True)])
    best = [
        np.where(np.isnan(here), np.nan, _best(np.stack(parts)))
        for here, parts in zip(at(0.0), zip(*rows, strict=True), strict=True)
    ]
    kind = type(formula(**given))
    return kind(*(b[()] for b in best)) if hasattr(kind, "_fields") else best[0][()]


def _parts(result: Any) -> tuple[Numbers, ...]:
    return tuple(result) if isinstance(result, tuple) else (result,)


def _best(differences: Floats) -> Floats:
    """Return, element by element, the extrapolated difference that is closest to the next."""
    with np.errstate(invalid="ignore"):
        once = differences[1:] + (differences[1:] - differences[:-1]) / (FACTOR**2 - 1.0)
        twice = once[1:] + (once[1:] - once[:-1]) / (FACTOR**4 - 1.0)
        gap = np.abs(np.diff(twice, axis=0))
    gap = np.where(np.isnan(gap), np.inf, gap)
    place = gap.argmin(axis=0)[None]
    chosen = np.take_along_axis(twice[1:], place, axis=0)[0]
    worst = np.take_along_axis(gap, place, axis=0)[0]
    return np.where(np.isinf(worst), np.nan, chosen)
