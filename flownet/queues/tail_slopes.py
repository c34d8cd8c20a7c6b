"""Derivatives of the law of the wait, and of its percentiles, station by station."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flownet.queues.ages import WaitLaw
from flownet.queues.dual import Dual, Scalar, slope_of, value_of
from flownet.queues.forward import row_of, translated
from flownet.queues.laws import survival
from flownet.queues.many_servers import ORDER
from flownet.queues.quasi_slopes import (
    OfService,
    boundary_level,
    complex_level_blocks,
    phases_with_slope,
    slope_part,
    stepped,
)
from flownet.queues.refined import gigc_refined_measures
from flownet.queues.waits import (
    ARRIVAL,
    CAPACITY,
    LAWS,
    PATIENCE,
    PATIENCE_SCV,
    RATE,
    SERVERS,
    SERVICE,
    TIME,
    conditional_scv,
    impatient_rows,
    inversion_rows,
    is_odd,
    is_solvable,
    state_rows,
    wait_percentile,
)

Floats = NDArray[np.float64]

COMPLEX = (phases_with_slope, complex_level_blocks, boundary_level)
NAMES = (
    "arrival_rate",
    "service_time",
    "servers",
    "arrival_scv",
    "service_scv",
    "patience",
    "patience_scv",
    "capacity",
)


def _later(station: list[Scalar], time: Scalar) -> Scalar:
    """Return P(W > t | W > 0) of Ph/Ph/c."""
    law = WaitLaw(
        stepped(station[RATE] * station[TIME]),  # type: ignore[arg-type]  # a complex step
        int(value_of(station[SERVERS])),
        stepped(station[ARRIVAL]),  # type: ignore[arg-type]  # a complex step
        OfService(stepped(station[SERVICE])),  # type: ignore[arg-type]  # a complex step
        COMPLEX,
    )
    chance = law.chance(stepped(time / station[TIME]))
    return Dual(float(chance.real), float(slope_part(chance)))


def _fitted(station: list[Scalar], time: Scalar) -> Scalar:
    """Return P(W > t) of GI/G/c as `waits` has it: exactly, or by two moments of the wait."""
    chance, wait = translated(gigc_refined_measures)(*station[: SERVICE + 1], ORDER)
    if value_of(wait) <= 0.0 or math.isinf(value_of(wait)):
        return math.nan if value_of(wait) > 0.0 else 0.0
    scvs = (value_of(station[ARRIVAL]), value_of(station[SERVICE]))
    if is_solvable(value_of(station[SERVERS]), *scvs) and slope_of(station[SERVERS]) == 0.0:
        return chance * _later(station, time)
    ratio = station[RATE] * station[TIME] / station[SERVERS]
    scv = translated(conditional_scv)(ratio, station[SERVICE])
    return chance * translated(survival)(scv, time * chance / wait)[0]


def _tail(station: list[Scalar], time: Scalar, law: float, served: bool) -> Scalar:
    """Return P(W > t) of one station, of dual numbers."""
    rate, mean, servers, arrival, service, patience, patience_scv, capacity = station
    column = 1 if served else 0
    if is_odd(value_of(rate), value_of(patience), value_of(capacity), patience_scv):
        return row_of(impatient_rows, [rate, mean, servers, patience, patience_scv, time], 2)[
            column
        ]
    if arrival == 1.0 and service == 1.0:
        return row_of(state_rows, [rate, mean, servers, patience, capacity, time], 2)[column]
    if arrival == 1.0 and servers == 1.0:
        return row_of(inversion_rows, [rate, mean, service, law, time], 2)[column]
    return _fitted(station, time)


def tail_slope(given: dict[str, Any], steps: dict[str, float]) -> Floats:
    """Return the derivative of `wait_tail` along some of its parameters at once.

    nan where the formula takes no other value of the parameter: scvs with a limit.
    """
    columns = np.broadcast_arrays(*(np.asarray(given[n], float) for n in (*NAMES, "time")))
    directions = [steps.get(name, 0.0) for name in (*NAMES, "time")]
    law, served = LAWS[given["law"]], given["of"] == "served"
    out = np.empty(columns[0].shape)
    with np.errstate(all="ignore"):
        for place in np.ndindex(out.shape):
            values = [float(column[place]) for column in columns]
            *station, time = (
                Dual(v, d) if d != 0.0 and math.isfinite(v) else v
                for v, d in zip(values, directions, strict=True)
            )
            limited = math.isfinite(values[PATIENCE]) or math.isfinite(values[CAPACITY])
            moved = slope_of(station[ARRIVAL]) != 0.0 or slope_of(station[SERVICE]) != 0.0
            moved |= slope_of(station[PATIENCE_SCV]) != 0.0 and math.isfinite(values[CAPACITY])
            over = not limited and values[RATE] * values[TIME] >= values[SERVERS]
            none = over or (limited and moved)
            out[place] = math.nan if none else slope_of(_tail(station, time, law, served))
    return out


def percentile_slope(given: dict[str, Any], name: str) -> Floats:
    """Return the derivative of `wait_percentile` by one parameter, from P(W > t) = 1 - p.

    0 where at least the share p does not wait at all.
    """
    at = np.asarray(wait_percentile(**given))
    share = given["probability"]
    fixed = {key: value for key, value in given.items() if key != "probability"}
    fixed["time"] = np.broadcast_to(at, np.broadcast_shapes(at.shape, np.shape(share)))
    density = tail_slope(fixed, {"time": 1.0})
    change = 1.0 if name == "probability" else tail_slope(fixed, {name: 1.0})
    with np.errstate(all="ignore"):
        slope = np.asarray(-change / density)
    return np.where(np.isinf(at), np.nan, np.where(at > 0.0, slope, 0.0))
