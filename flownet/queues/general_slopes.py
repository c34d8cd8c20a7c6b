"""Derivatives of the two-moment formulas of `general`, along any direction of their parameters."""

from __future__ import annotations

import math

from flownet.jit import njit
from flownet.queues.general import (
    gigc_factor,
    kimura_factor,
    klb_factor,
    multiserver_correction,
    whitt_factor,
)
from flownet.queues.markov import mmc_slopes, mmc_waiting_time
from flownet.queues.numerics import spare_servers


@njit
def correction_slope(
    load_ratio: float, servers: float, by_ratio: float, by_servers: float
) -> float:
    """Return the derivative of g along (d rho, dc)."""
    g = multiserver_correction(load_ratio, servers)
    if g <= 0.0 or g >= 0.24:
        return 0.0
    root = math.sqrt(4.0 + 5.0 * servers)
    relative = 1.0 / (servers - 1.0) + 2.5 / (root * (root - 2.0)) - 1.0 / servers
    return g * (relative * by_servers - by_ratio / (load_ratio * (1.0 - load_ratio)))


@njit
def kimura_log_slope(
    load_ratio: float, servers: float, service_scv: float, by_correction: float, by_service: float
) -> float:
    """Return the derivative of ln `kimura_factor` along (dg, d service_scv)."""
    deterministic = 0.5 * (1.0 + multiserver_correction(load_ratio, servers))
    below = (1.0 - service_scv) / deterministic + 2.0 * service_scv
    change = (2.0 - 1.0 / deterministic) * by_service
    change -= 0.5 * (1.0 - service_scv) / (deterministic * deterministic) * by_correction
    return by_service / (1.0 + service_scv) - change / below


@njit
def klb_log_slope(
    load_ratio: float,
    arrival_scv: float,
    service_scv: float,
    by_ratio: float,
    by_arrival: float,
    by_service: float,
) -> float:
    """Return the derivative of ln `klb_factor` along (d rho, d arrival_scv, d service_scv)."""
    if arrival_scv < 1.0:
        total = arrival_scv + service_scv
        gap = 1.0 - arrival_scv
        odds = (1.0 - load_ratio) / load_ratio
        change = -gap * gap / total * by_ratio / (load_ratio * load_ratio)
        change -= odds * gap * (2.0 * total + gap) / (total * total) * by_arrival
        change -= odds * gap * gap / (total * total) * by_service
        return -2.0 / 3.0 * change
    mixed = arrival_scv + 4.0 * service_scv
    gap = (arrival_scv - 1.0) / mixed
    change = -gap * by_ratio
    change += (1.0 - load_ratio) * ((1.0 - gap) * by_arrival - 4.0 * gap * by_service) / mixed
    return -change


@njit
def whitt_slope(
    load_ratio: float,
    servers: float,
    arrival_scv: float,
    service_scv: float,
    by_ratio: float,
    by_correction: float,
    by_arrival: float,
    by_service: float,
) -> float:
    """Return the derivative of `whitt_factor` along (d rho, dg, d arrival_scv, d service_scv)."""
    g = multiserver_correction(load_ratio, servers)
    fade = math.exp(-2.0 * (1.0 - load_ratio) / (3.0 * load_ratio))
    high = 1.0 + g
    low = (1.0 - 4.0 * g) * fade
    by_high = by_correction
    by_low = low * 2.0 / (3.0 * load_ratio * load_ratio) * by_ratio - 4.0 * fade * by_correction
    average = 0.5 * (arrival_scv + service_scv)
    psi = 1.0
    by_psi = 0.0
    if average < 1.0:
        base = min(1.0, 0.5 * (high + low))
        by_base = 0.5 * (by_high + by_low) if base < 1.0 else 0.0
        psi = math.exp(2.0 * (1.0 - average) * math.log(base))
        by_psi = 2.0 * (1.0 - average) * by_base / base - (by_arrival + by_service) * math.log(base)
        by_psi *= psi
    value = whitt_factor(load_ratio, servers, arrival_scv, service_scv)
    if arrival_scv >= service_scv:
        weights = 4.0 * arrival_scv - 3.0 * service_scv
        top = 4.0 * (by_arrival - by_service) * high + 4.0 * (arrival_scv - service_scv) * by_high
        top += by_service * psi + service_scv * by_psi
        return (top - value * (4.0 * by_arrival - 3.0 * by_service)) / weights
    top = (by_service - by_arrival) * low + (service_scv - arrival_scv) * by_low
    top += (by_service + 3.0 * by_arrival) * psi + (service_scv + 3.0 * arrival_scv) * by_psi
    return (0.5 * top - value * (by_arrival + by_service)) / (2.0 * average)


@njit
def factor_slope(
    load_ratio: float,
    servers: float,
    arrival_scv: float,
    service_scv: float,
    by_ratio: float,
    by_servers: float,
    by_arrival: float,
    by_service: float,
) -> float:
    """Return the derivative of `gigc_factor` along the four directions given."""
    average = 0.5 * (arrival_scv + service_scv)
    by_average = 0.5 * (by_arrival + by_service)
    one = klb_factor(load_ratio, arrival_scv, service_scv) * average
    by_one = one * (
        klb_log_slope(load_ratio, arrival_scv, service_scv, by_ratio, by_arrival, by_service)
        + by_average / average
    )
    if servers <= 1.0:
        return by_one
    by_g = correction_slope(load_ratio, servers, by_ratio, by_servers)
    here = whitt_factor(load_ratio, servers, arrival_scv, service_scv)
    poisson = whitt_factor(load_ratio, servers, 1.0, service_scv)
    kimura = kimura_factor(load_ratio, servers, service_scv)
    many = here * average * kimura / (poisson * 0.5 * (1.0 + service_scv))
    by_many = by_average / average - by_service / (1.0 + service_scv)
    by_many += kimura_log_slope(load_ratio, servers, service_scv, by_g, by_service)
    by_many += (
        whitt_slope(
            load_ratio, servers, arrival_scv, service_scv, by_ratio, by_g, by_arrival, by_service
        )
        / here
    )
    by_many -= (
        whitt_slope(load_ratio, servers, 1.0, service_scv, by_ratio, by_g, 0.0, by_service)
        / poisson
    )
    by_many *= many
    if servers >= 2.0:
        return by_many
    mixed = (2.0 - servers) * by_one + (servers - 1.0) * by_many
    return mixed + (many - one) * by_servers


@njit
def gigc_waiting_time_slopes(
    arrival_rate: float,
    service_time: float,
    servers: float,
    arrival_scv: float,
    service_scv: float,
) -> tuple[float, float, float, float, float]:
    """Return the derivatives of `gigc_waiting_time` by its parameters; nan where overloaded."""
    markov = mmc_waiting_time(arrival_rate, service_time, servers)
    if math.isinf(servers) or arrival_scv + service_scv <= 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    spare = spare_servers(arrival_rate, service_time, servers)
    if spare <= 0.0:
        return math.nan, math.nan, math.nan, math.nan, math.nan
    if markov == 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    ratio = 1.0 - spare / servers
    ca, cs = arrival_scv, service_scv
    factor = gigc_factor(ratio, servers, ca, cs)
    slopes = mmc_slopes(arrival_rate, service_time, servers)
    by_rate = factor_slope(ratio, servers, ca, cs, service_time / servers, 0.0, 0.0, 0.0)
    by_time = factor_slope(ratio, servers, ca, cs, arrival_rate / servers, 0.0, 0.0, 0.0)
    by_servers = factor_slope(ratio, servers, ca, cs, -ratio / servers, 1.0, 0.0, 0.0)
    return (
        by_rate * markov + factor * slopes[3],
        by_time * markov + factor * slopes[4],
        by_servers * markov + factor * slopes[5],
        factor_slope(ratio, servers, ca, cs, 0.0, 0.0, 1.0, 0.0) * markov,
        factor_slope(ratio, servers, ca, cs, 0.0, 0.0, 0.0, 1.0) * markov,
    )
