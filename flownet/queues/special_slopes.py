"""Derivatives of what is no function of one station's numbers: classes, moments, inverses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flownet.queues.abandonment import erlang_a_finite_measures
from flownet.queues.arguments import checked
from flownet.queues.dual import slope_of, value_of
from flownet.queues.forward import dual, objects, translated
from flownet.queues.forward_kernels import STEP, Kernel, along
from flownet.queues.measures import ClassDelay, abandoning, delay
from flownet.queues.numerics import normal_cdf
from flownet.queues.priority import class_arguments, nonpreemptive_waits, preemptive_waits
from flownet.queues.single_server import WaitMoments, mg1_wait_moments, wait_moments
from flownet.queues.staffing import largest_arrival_rate, square_root_servers
from flownet.queues.station_measures import refined_measures
from flownet.queues.tail_slopes import tail_slope

Floats = NDArray[np.float64]

BY_CLASS = ("arrival_rate", "service_time", "service_scv")
STATION = ("arrival_rate", "service_time", "servers")
LIMITED = Kernel(erlang_a_finite_measures, (*STATION, "patience", "capacity"), abandoning)
GENERAL = Kernel(refined_measures, (*STATION, "arrival_scv", "service_scv"), delay)


def by_class(preemptive: bool, given: dict[str, Any], name: str) -> ClassDelay:
    """Return the derivatives of the measures by class; by those of each class, on a last axis."""
    classes = {key: given[key] for key in (*BY_CLASS, "priority")}
    ahead: dict[str, Any] = {key: given[key] for key in ("servers", "arrival_scv") if key in given}
    flat, single, shape = class_arguments(classes, ahead)
    run = translated(preemptive_waits if preemptive else nonpreemptive_waits)
    place = BY_CLASS.index(name) if name in BY_CLASS else None
    columns = []
    for i in range(shape[-1]) if place is not None else (-1,):
        steps, step = np.zeros_like(flat), np.zeros_like(single)
        if place is not None:
            steps[:, place, i] = 1.0
        else:
            step[:, list(ahead).index(name)] = 1.0
        columns.append(_class_slopes(run, (flat, steps), (single, step)))
    named = zip(*columns, strict=True)
    if place is None:
        return ClassDelay(*(parts[0].reshape(shape) for parts in named))
    wide = (*shape, shape[-1])
    return ClassDelay(*(np.stack(parts, axis=-1).reshape(wide) for parts in named))


def _class_slopes(
    run: Any, classes: tuple[Floats, Floats], single: tuple[Floats, Floats]
) -> tuple[Floats, ...]:
    """Return the derivatives of `ClassDelay` along one direction, one row a station."""
    waits, late = np.empty((2, len(classes[0]), classes[0].shape[-1]))
    with np.errstate(all="ignore"):
        for i in range(len(waits)):
            by_class_ = [
                objects(list(map(dual, v, s)))
                for v, s in zip(classes[0][i].tolist(), classes[1][i].tolist(), strict=True)
            ]
            out = objects([0.0] * waits.shape[1])
            run(*by_class_, *map(dual, single[0][i].tolist(), single[1][i].tolist()), out)
            waits[i] = [value_of(x) for x in out]
            late[i] = [slope_of(x) for x in out]
    known = ((classes[1] == 0.0) | (classes[0] > 0.0)).all(axis=(1, 2))
    known &= ((single[1] == 0.0) | np.isfinite(single[0])).all(axis=1)
    late = np.where(np.isinf(waits) | ~known[:, None], np.nan, late)
    (rate, time), (by_rate, by_time) = (
        classes[0][:, :2].swapaxes(0, 1),
        classes[1][:, :2].swapaxes(0, 1),
    )
    servers, by_servers = single[0][:, :1], single[1][:, :1]
    with np.errstate(all="ignore"):
        load = by_rate * time + rate * by_time
        waiting = rate * late + np.where(by_rate != 0.0, by_rate * waits, 0.0)
        share = load / servers - rate * time * by_servers / servers**2
    return share, late, waiting, late + by_time, waiting + load, np.zeros_like(late)


def moment_slopes(given: dict[str, Any], name: str) -> WaitMoments:
    """Return the derivatives of `mg1_wait_moments`, by a complex step through its formula."""
    value = mg1_wait_moments(**given)
    keys = ("arrival_rate", "service_time", "service_scv")
    rate, time, scv = (_stepped(k, given[k], name) for k in keys)
    third = given["service_third_moment"]
    if third is None:
        third = time**3 * (1.0 + scv) * (1.0 + 2.0 * scv)
    elif name == "service_third_moment":
        third = _stepped(name, third, name)
    parts = np.imag(np.broadcast_arrays(*wait_moments(rate, time, scv, third))) / STEP
    base = checked(name, given[name])
    good = np.isfinite(value.mean) & (base > 0.0)
    return WaitMoments(*(np.where(good, part, np.nan)[()] for part in parts))


def _stepped(key: str, value: Any, name: str) -> Any:
    return checked(key, value) + 1j * STEP * (key == name)


def square_root_slope(given: dict[str, Any], name: str) -> Floats:
    """Return the derivative of a + beta sqrt(a), where 1/p = 1 + beta Phi(beta)/phi(beta)."""
    load, chance = checked("load", given["load"]), checked("probability", given["probability"])
    beta = np.asarray(square_root_servers(1.0, chance)) - 1.0
    if name == "load":
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 + 0.5 * beta / np.sqrt(load))
    density = np.exp(-0.5 * beta**2) / math.sqrt(2.0 * math.pi)
    ratio = np.vectorize(normal_cdf, otypes=[float])(beta) / density
    slope = ratio + beta + beta**2 * ratio  # of beta Phi/phi
    return np.asarray(-np.sqrt(load) / (chance**2 * slope))


def rate_slope(given: dict[str, Any], name: str) -> Floats:
    """Return the derivative of `largest_arrival_rate`, from m(rate, parameters) = target."""
    rate = np.asarray(largest_arrival_rate(**given))
    by_rate = _measure_slope(given, rate, "arrival_rate")
    change = -1.0 if name == "target" else _measure_slope(given, rate, name)
    with np.errstate(all="ignore"):
        return np.where(np.isfinite(rate), -change / by_rate, np.nan)


def _measure_slope(given: dict[str, Any], rate: Floats, name: str) -> Floats:
    """Return the derivative of the measure at that arrival rate by one parameter."""
    station = {key: value for key, value in given.items() if key not in ("target", "measure")}
    room = np.asarray(station.pop("waiting_room"), np.float64)
    station |= {"arrival_rate": rate, "capacity": np.asarray(station["servers"]) + room}
    steps = {name: 1.0} | ({"capacity": 1.0} if name == "servers" else {})
    if given["measure"] == "wait_tail":
        station |= {"law": "phases", "of": "admitted", "patience_scv": 1.0}
        return tail_slope(station, steps)
    one = (np.asarray(station[key]) == 1.0 for key in ("arrival_scv", "service_scv"))
    markov = all(each.all() for each in one) and name not in ("arrival_scv", "service_scv")
    limits = np.isfinite(room) | np.isfinite(np.asarray(station["patience"], np.float64))
    of_limited = np.asarray(getattr(along(LIMITED, station, steps), given["measure"]))
    if markov:
        return of_limited
    slope = getattr(along(GENERAL, station, steps), given["measure"], math.nan)
    return np.where(limits, np.nan if name.endswith("scv") else of_limited, slope)
