"""The front door of the formulas: check the arguments, broadcast them, hand back arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flownet.errors import Fault, ParameterError

Floats = NDArray[np.float64]
Numbers = ArrayLike


class Range(NamedTuple):
    """What a parameter may be."""

    low: float
    high: float
    open_low: bool
    open_high: bool
    right: str


NOT_NEGATIVE = Range(0.0, np.inf, False, True, "a finite number of at least 0")
POSITIVE = Range(0.0, np.inf, True, False, "greater than 0 (inf is allowed)")
ANY_SIZE = Range(0.0, np.inf, False, False, "at least 0 (inf is allowed)")
PROBABILITY = Range(0.0, 1.0, True, True, "a number between 0 and 1, both excluded")

RANGES: dict[str, Range] = {
    "arrival_rate": NOT_NEGATIVE,
    "request_rate": NOT_NEGATIVE,
    "service_time": NOT_NEGATIVE,
    "load": NOT_NEGATIVE,
    "servers": POSITIVE,
    "capacity": POSITIVE,
    "sources": NOT_NEGATIVE,
    "arrival_scv": NOT_NEGATIVE,
    "service_scv": NOT_NEGATIVE,
    "service_third_moment": NOT_NEGATIVE,
    "patience": POSITIVE,
    "patience_scv": NOT_NEGATIVE,
    "priority": Range(-np.inf, np.inf, True, True, "a finite number, the smallest served first"),
    "time": ANY_SIZE,
    "number": ANY_SIZE,
    "probability": PROBABILITY,
    "target": NOT_NEGATIVE,
    "waiting_room": ANY_SIZE,
}


def checked(name: str, value: Numbers) -> Floats:
    """Return `value` as an array of floats, or refuse it in plain words."""
    try:
        array = np.asarray(value)
        numeric = array.dtype.kind in "iuf"
        array = array.astype(np.float64) if numeric else array
    except (TypeError, ValueError):
        numeric = False
    if not numeric:
        raise refusal(name, repr(value), f"must be numbers, each {RANGES[name].right}")
    limits = RANGES[name]
    wrong = np.isnan(array)
    wrong |= (array <= limits.low) if limits.open_low else (array < limits.low)
    wrong |= (array >= limits.high) if limits.open_high else (array > limits.high)
    if wrong.any():
        raise refusal(name, f"{array[wrong].flat[0]:g}", f"must be {limits.right}")
    return array


def refusal(name: str, value: str, message: str) -> ParameterError:
    """Return the error for one parameter."""
    return ParameterError([Fault("station", name, value, message)])


def whole(name: str, array: Floats) -> Floats:
    """Return `array`, refused where it holds fractions; inf passes."""
    wrong = np.isfinite(array) & (array != np.floor(array))
    if wrong.any():
        raise refusal(name, f"{array[wrong].flat[0]:g}", "must be a whole number for this formula")
    return array


def rows(**arguments: Numbers) -> tuple[Floats, tuple[int, ...]]:
    """Return the checked arguments, broadcast, one row a station, and their common shape."""
    arrays = [checked(name, value) for name, value in arguments.items()]
    try:
        together = np.broadcast_arrays(*arrays)
    except ValueError:
        shapes = ", ".join(f"{n} {a.shape}" for n, a in zip(arguments, arrays, strict=True))
        raise refusal("shapes", shapes, "must be equal or broadcast against each other") from None
    shape = together[0].shape
    return np.stack([array.ravel() for array in together], axis=1), shape


def columns(
    kernel: Callable[[Floats, Floats], None], stations: Floats, width: int
) -> tuple[Floats, ...]:
    """Return the columns of what the row kernel writes for these stations."""
    out = np.empty((stations.shape[0], width))
    kernel(stations, out)
    return tuple(out[:, k].copy() for k in range(width))


def shaped(values: Floats, shape: tuple[int, ...]) -> Floats:
    """Return a flat result in the arguments' shape; a plain float where all were scalars."""
    return values.reshape(shape)[()]


def refuse_small_capacity(servers: Floats, capacity: Floats) -> None:
    """Refuse a capacity below the number of servers."""
    wrong = capacity < servers
    if wrong.any():
        raise refusal(
            "capacity",
            f"{capacity[wrong][0]:g}",
            f"must be at least the number of servers, {servers[wrong][0]:g}",
        )


def unknown_choice(name: str, value: str, known: tuple[str, ...]) -> ParameterError:
    """Return the error for a choice that does not exist."""
    return refusal(name, repr(value), "must be one of " + ", ".join(map(repr, known)))
