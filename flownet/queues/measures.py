"""What the formulas return: small named tuples, arrays in the shape of the arguments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.queues.arguments import shaped

Floats = NDArray[np.float64]


class Delay(NamedTuple):
    """Measures of a station where all jobs wait until they are served.

    Overload (``load_ratio`` >= 1) gives infinite times and numbers and sets ``overloaded``.
    """

    load_ratio: Floats
    """Offered load per server, a/c."""
    utilization: Floats
    """Fraction of servers working."""
    wait_probability: Floats
    """Share of jobs that do not start service at once."""
    waiting_time: Floats
    """Mean time before service, of all jobs (T)."""
    number_waiting: Floats
    """Mean number waiting (jobs)."""
    response_time: Floats
    """Mean time waiting and in service (T)."""
    number_present: Floats
    """Mean number waiting and in service (jobs)."""
    overloaded: Floats
    """1 where the station has no steady state, else 0."""


class Limited(NamedTuple):
    """Measures of a station that turns jobs away when it is full."""

    load_ratio: Floats
    """Offered load per server, a/c; may exceed 1."""
    utilization: Floats
    """Fraction of servers working."""
    throughput: Floats
    """Jobs served per T."""
    probability_full: Floats
    """Share of time with `capacity` jobs present."""
    loss_probability: Floats
    """Share of offered jobs that are turned away."""
    wait_probability: Floats
    """Share of admitted jobs that do not start service at once."""
    waiting_time: Floats
    """Mean time before service, of admitted jobs (T)."""
    number_waiting: Floats
    """Mean number waiting (jobs)."""
    response_time: Floats
    """Mean time waiting and in service, of admitted jobs (T)."""
    number_present: Floats
    """Mean number waiting and in service (jobs)."""


class Abandoning(NamedTuple):
    """Measures of a station whose waiting jobs may give up."""

    load_ratio: Floats
    """Offered load per server, a/c; may exceed 1."""
    utilization: Floats
    """Fraction of servers working."""
    throughput: Floats
    """Jobs served per T."""
    abandonment_probability: Floats
    """Share of offered jobs that give up."""
    loss_probability: Floats
    """Share of offered jobs that find the station full."""
    wait_probability: Floats
    """Share of admitted jobs that do not start service at once."""
    waiting_time: Floats
    """Mean time before service, of the jobs that are served (T)."""
    waiting_time_all: Floats
    """Mean time spent waiting, of all admitted jobs: served or not (T)."""
    number_waiting: Floats
    """Mean number waiting (jobs)."""
    response_time: Floats
    """Mean time waiting and in service, of the jobs that are served (T)."""
    number_present: Floats
    """Mean number waiting and in service (jobs)."""


class ClassDelay(NamedTuple):
    """Measures by class, the last axis, of a station that serves some classes before others."""

    load_ratio: Floats
    """Offered load of the class per server."""
    waiting_time: Floats
    """Mean time present less service: the wait, with interruptions where preemptive (T)."""
    number_waiting: Floats
    """Mean number waiting or interrupted (jobs)."""
    response_time: Floats
    """Mean time present (T)."""
    number_present: Floats
    """Mean number present (jobs)."""
    overloaded: Floats
    """1 where the classes of this rank and before saturate the servers, else 0."""


def delay(stations: Floats, results: tuple[Floats, ...], shape: tuple[int, ...]) -> Delay:
    """Return `Delay` from (P(wait), mean wait), the rest by Little's law.

    The first columns of `stations`, here and below: arrival rate, service time, servers.
    """
    arrival_rate, service_time, servers = stations[:, 0], stations[:, 1], stations[:, 2]
    chance, wait = results
    load = arrival_rate * service_time
    with np.errstate(invalid="ignore"):
        waiting = np.where(wait > 0.0, arrival_rate * wait, 0.0)
    over = np.isinf(wait)
    ratio = load / servers
    parts = (
        ratio,
        np.where(over, 1.0, ratio),
        chance,
        wait,
        waiting,
        wait + service_time,
        waiting + load,
        over.astype(np.float64),
    )
    return Delay(*(shaped(part, shape) for part in parts))


def limited(stations: Floats, results: tuple[Floats, ...], shape: tuple[int, ...]) -> Limited:
    """Return `Limited` from (P(full), loss, throughput, P(wait), mean wait), rest by Little."""
    service_time, servers = stations[:, 1], stations[:, 2]
    full, loss, throughput, chance, wait = results
    load = stations[:, 0] * service_time
    parts = (
        load / servers,
        throughput * service_time / servers,
        throughput,
        full,
        loss,
        chance,
        wait,
        throughput * wait,
        wait + service_time,
        throughput * (wait + service_time),
    )
    return Limited(*(shaped(part, shape) for part in parts))


def abandoning(stations: Floats, results: tuple[Floats, ...], shape: tuple[int, ...]) -> Abandoning:
    """Return `Abandoning` from P(wait), waiting, P(abandon), the two waits, busy, P(full)."""
    arrival_rate, service_time, servers = stations[:, 0], stations[:, 1], stations[:, 2]
    chance, waiting, gone, wait_all, wait_served, busy, full = results
    load = arrival_rate * service_time
    with np.errstate(invalid="ignore", divide="ignore"):
        throughput = np.where(service_time > 0.0, busy / service_time, arrival_rate)
    parts = (
        load / servers,
        busy / servers,
        throughput,
        gone,
        full,
        chance,
        wait_served,
        wait_all,
        waiting,
        wait_served + service_time,
        waiting + busy,
    )
    return Abandoning(*(shaped(part, shape) for part in parts))


def delay_slopes(
    stations: Floats,
    wait: Floats,
    slopes: dict[str, tuple[Floats, Floats]],
    shape: tuple[int, ...],
) -> dict[str, Delay]:
    """Return `Delay` of derivatives by each parameter, from those of P(wait) and the mean wait."""
    arrival_rate, service_time, servers = stations[:, 0], stations[:, 1], stations[:, 2]
    unit = np.ones_like(arrival_rate)
    rates = {"arrival_rate": unit}
    times = {"service_time": unit}
    counts = {"servers": unit}
    out = {}
    for name, (chance, late) in slopes.items():
        rate, time, count = (d.get(name, 0.0 * unit) for d in (rates, times, counts))
        load = rate * service_time + arrival_rate * time
        with np.errstate(invalid="ignore"):
            waiting = arrival_rate * late + rate * wait
            ratio = (load - arrival_rate * service_time / servers * count) / servers
        ratio = np.where(np.isinf(servers), 0.0, ratio)
        parts = (
            ratio,
            np.where(np.isnan(late), 0.0, ratio),
            chance,
            late,
            waiting,
            late + time,
            waiting + load,
            0.0 * unit,
        )
        out[name] = Delay(*(shaped(part, shape) for part in parts))
    return out
