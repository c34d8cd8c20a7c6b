"""Two-moment formulas for GI/G/c: ratios to M/M/c of the mean wait and of P(wait), compiled."""

from __future__ import annotations

import math

from flownet.jit import njit
from flownet.queues.erlang import delay_probability
from flownet.queues.markov import mmc_waiting_time
from flownet.queues.numerics import normal_cdf, spare_servers


@njit
def multiserver_correction(load_ratio: float, servers: float) -> float:
    """Return Cosmetatos' g(c, rho), capped at 0.24 as Whitt and Kimura do; 0 for c <= 1."""
    if servers <= 1.0:
        return 0.0
    if load_ratio <= 0.0:
        return 0.24
    rest = (1.0 - load_ratio) * (servers - 1.0) * (math.sqrt(4.0 + 5.0 * servers) - 2.0)
    return max(0.0, min(0.24, rest / (16.0 * servers * load_ratio)))


@njit
def kimura_factor(load_ratio: float, servers: float, service_scv: float) -> float:
    """Return the ratio of the waits of M/G/c and M/M/c (Kimura 1986)."""
    deterministic = 0.5 * (1.0 + multiserver_correction(load_ratio, servers))
    denominator = (1.0 - service_scv) / deterministic + 2.0 * service_scv
    return (1.0 + service_scv) / denominator


@njit
def klb_factor(load_ratio: float, arrival_scv: float, service_scv: float) -> float:
    """Return phi of Kraemer and Langenbach-Belz (1976): W = phi (ca2 + cs2)/2 W_M/M/1."""
    total = arrival_scv + service_scv
    if total <= 0.0 or load_ratio <= 0.0:
        return 1.0 if arrival_scv >= 1.0 else 0.0
    if arrival_scv < 1.0:
        gap = 1.0 - arrival_scv
        return math.exp(-2.0 * (1.0 - load_ratio) * gap * gap / (3.0 * load_ratio * total))
    return math.exp(-(1.0 - load_ratio) * (arrival_scv - 1.0) / (arrival_scv + 4.0 * service_scv))


@njit
def whitt_factor(
    load_ratio: float, servers: float, arrival_scv: float, service_scv: float
) -> float:
    """Return phi of Whitt (1993, 2.24): W = phi (ca2 + cs2)/2 W_M/M/c."""
    total = arrival_scv + service_scv
    if total <= 0.0 or load_ratio <= 0.0:
        return 0.0
    g = multiserver_correction(load_ratio, servers)
    high = 1.0 + g
    low = (1.0 - 4.0 * g) * math.exp(-2.0 * (1.0 - load_ratio) / (3.0 * load_ratio))
    average = 0.5 * total
    psi = 1.0
    if average < 1.0:
        psi = math.exp(2.0 * (1.0 - average) * math.log(min(1.0, 0.5 * (high + low))))
    if arrival_scv >= service_scv:
        weights = 4.0 * arrival_scv - 3.0 * service_scv
        return (4.0 * (arrival_scv - service_scv) * high + service_scv * psi) / weights
    first = 0.5 * (service_scv - arrival_scv) * low
    return (first + 0.5 * (service_scv + 3.0 * arrival_scv) * psi) / total


@njit
def gigc_factor(load_ratio: float, servers: float, arrival_scv: float, service_scv: float) -> float:
    """Return the ratio of the mean waits of GI/G/c and M/M/c.

    One server: Kraemer and Langenbach-Belz (exact for M/G/1). More: Whitt (1993), scaled so that
    Poisson arrivals give Kimura's M/G/c. Between one server and two the two are mixed.
    """
    average = 0.5 * (arrival_scv + service_scv)
    if servers <= 1.0:
        return klb_factor(load_ratio, arrival_scv, service_scv) * average
    many = whitt_factor(load_ratio, servers, arrival_scv, service_scv) * average
    if many > 0.0:
        many *= kimura_factor(load_ratio, servers, service_scv)
        poisson = whitt_factor(load_ratio, servers, 1.0, service_scv)
        many /= poisson * 0.5 * (1.0 + service_scv)
    if servers >= 2.0:
        return many
    one = klb_factor(load_ratio, arrival_scv, service_scv) * average
    return (2.0 - servers) * one + (servers - 1.0) * many


@njit
def gigc_waiting_time(
    arrival_rate: float,
    service_time: float,
    servers: float,
    arrival_scv: float,
    service_scv: float,
) -> float:
    """Return the mean wait of GI/G/c by two moments (inf where overloaded)."""
    markov = mmc_waiting_time(arrival_rate, service_time, servers)
    if markov == 0.0 or math.isinf(markov):
        return markov
    load_ratio = 1.0 - spare_servers(arrival_rate, service_time, servers) / servers
    wait: float = gigc_factor(load_ratio, servers, arrival_scv, service_scv) * markov
    load = arrival_rate * service_time
    if servers > 1.0 and load < 1.0:
        # where one server would be enough, the formula of one server bounds the wait: at low load
        # that of several lies above it, and one more server never makes a wait longer
        single = mmc_waiting_time(arrival_rate, service_time, 1.0)
        wait = min(wait, gigc_factor(load, 1.0, arrival_scv, service_scv) * single)
    return wait


@njit
def mgc_waiting_time(
    arrival_rate: float, service_time: float, servers: float, service_scv: float
) -> float:
    """Return the mean wait of M/G/c: exact for c = 1 and for M/M/c, Kimura otherwise."""
    return gigc_waiting_time(arrival_rate, service_time, servers, 1.0, service_scv)


@njit
def _single_server_wait(load_ratio: float, arrival_scv: float, service_scv: float) -> float:
    """Return P(wait) of GI/G/1 (Kraemer and Langenbach-Belz 1976)."""
    if load_ratio <= 0.0:
        return 0.0
    mixed = 4.0 * arrival_scv + service_scv
    if arrival_scv <= 1.0:
        below = 1.0 + load_ratio * (service_scv - 1.0) + load_ratio * load_ratio * mixed
        h = (1.0 + arrival_scv + load_ratio * service_scv) / below
    else:
        h = 4.0 * load_ratio / (arrival_scv + load_ratio * load_ratio * mixed)
    chance = load_ratio + (arrival_scv - 1.0) * load_ratio * (1.0 - load_ratio) * h
    return min(1.0, max(0.0, chance))


@njit
def _many_server_wait(
    load_ratio: float, servers: float, arrival_scv: float, service_scv: float, markov: float
) -> float:
    """Return P(wait) of GI/G/c (Whitt 1993, eqs. 3.1 to 3.10), from that of M/M/c."""
    root = (1.0 - load_ratio) * math.sqrt(servers)
    base = markov / normal_cdf(-root)
    spread = (arrival_scv + service_scv) / (1.0 + service_scv)
    fourth = fifth = 0.0
    if spread > 0.0:
        fourth = min(1.0, normal_cdf(-root / spread) * base)
    fifth = min(1.0, normal_cdf(-2.0 * root / (1.0 + arrival_scv)) * base)
    square = load_ratio * load_ratio
    first = square * fourth + (1.0 - square) * fifth
    if servers < 7.0 or arrival_scv >= 1.0 or spread <= 0.0:
        return min(1.0, first)
    load = servers * load_ratio
    gap = (servers - load - 0.5) / math.sqrt(load * spread)
    second = arrival_scv * first + (1.0 - arrival_scv) * normal_cdf(-gap)
    share = min(1.0, max(0.0, 2.0 * (gap - 0.5)))
    share *= 1.0 - arrival_scv if gap < 1.0 else 1.0
    return min(1.0, share * second + (1.0 - share) * first)


@njit
def gigc_wait_probability(
    arrival_rate: float,
    service_time: float,
    servers: float,
    arrival_scv: float,
    service_scv: float,
) -> float:
    """Return P(wait) of GI/G/c by two moments; 1 where overloaded."""
    spare = spare_servers(arrival_rate, service_time, servers)
    markov = delay_probability(servers, arrival_rate * service_time, spare)
    if markov in (0.0, 1.0) or (arrival_scv == 1.0 and service_scv == 1.0):
        return markov
    load_ratio = 1.0 - spare / servers
    one = _single_server_wait(load_ratio, arrival_scv, service_scv)
    if servers <= 1.0:
        return one
    many = _many_server_wait(load_ratio, servers, arrival_scv, service_scv, markov)
    if servers >= 2.0:
        return many
    return (2.0 - servers) * one + (servers - 1.0) * many
