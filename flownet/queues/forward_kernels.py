"""Derivatives of a formula from those of the function of numbers behind it, array by array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.queues.arguments import checked
from flownet.queues.forward import slopes_of
from flownet.queues.measures import Delay

Floats = NDArray[np.float64]
Assembly = Callable[[Any, tuple[Any, ...], tuple[int, ...]], Any]

STEP = 1e-40  # of the complex step through sums and products: exact to rounding
LOADS = ("load_ratio", "utilization", "overloaded")  # known of overloaded stations too


class Kernel(NamedTuple):
    """What stands behind a formula: a function of numbers, its parameters, what is made of it."""

    measures: Callable[..., tuple[Any, ...]]
    names: tuple[str, ...]
    assemble: Assembly


def along(kernel: Kernel, given: dict[str, Any], steps: dict[str, float]) -> Any:
    """Return the derivatives of a formula along some of its parameters at once."""
    parts = np.broadcast_arrays(*(checked(name, given[name]) for name in kernel.names))
    shape = parts[0].shape
    stations = np.stack([part.ravel() for part in parts], axis=1)
    ahead = np.array([steps.get(name, 0.0) for name in kernel.names])
    known = (stations > 0.0) & np.isfinite(stations) | (ahead == 0.0)
    without = np.isinf(stations) & (np.array(kernel.names) == "capacity")
    known |= without  # what has no limit keeps none
    step = np.where(without, 0.0, ahead)
    values, slopes = slopes_of(kernel.measures, stations, np.ascontiguousarray(step))
    results = tuple(v + 1j * STEP * s for v, s in zip(values, slopes, strict=True))
    with np.errstate(all="ignore"):
        made = kernel.assemble(stations + 1j * STEP * step, results, shape)
    out = [np.imag(part) / STEP for part in (made if isinstance(made, tuple) else (made,))]
    good = known.all(axis=1).reshape(shape)
    out = [np.where(good, part, np.nan)[()] for part in out]
    if not isinstance(made, tuple):
        return out[0]
    if isinstance(made, Delay):
        out = _unless_overloaded(out, np.real(made.overloaded) > 0.0)
    return type(made)(*out)


def _unless_overloaded(parts: list[Any], over: Any) -> list[Any]:
    """Return derivatives of `Delay`: where there is no steady state, of the loads alone."""
    named = zip(Delay._fields, parts, strict=True)
    return [part if name in LOADS else np.where(over, np.nan, part)[()] for name, part in named]
