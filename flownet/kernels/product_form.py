"""Open networks of product form (Jackson; Baskett, Chandy, Muntz and Palacios), exactly."""

from __future__ import annotations

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import (
    DELAY,
    ERLANG,
    EXPONENTIAL,
    FCFS,
    GAMMA,
    PREEMPTIVE,
    PRIORITY,
    WEIBULL,
    CompiledNetwork,
    Floats,
    Measures,
)
from flownet.kernels.decomposition_flows import solve_balance
from flownet.kernels.decomposition_stations import INFINITE, RANKED, SHARED, Stations, make_stations
from flownet.kernels.decomposition_waits import Waits, broken_measures, make_measures
from flownet.kernels.traffic import BROKEN, find_traps, reachable_states
from flownet.queues.erlang import delay_probability
from flownet.queues.numerics import spare_servers

LEFT = 1e-13
"""Probability beyond which the law of a number present is cut off."""


def solve_product_form(compiled: CompiledNetwork) -> Measures:
    r"""Solve an open network of product form: every service like M/M/c at its own arrival rate.

    .. math:: P(n_1, \dots, n_M) = \prod_i P_i(n_i), \qquad
              L_{q,ik} = \frac{\lambda_{ik}}{\lambda_i} L_q(\lambda_i, s_i, c_i)

    Where servers are shared, the classes' shares are those of their work, lambda_ik s_ik.

    Parameters
    ----------
    compiled : CompiledNetwork
        A network for which `product_form_reasons` returns nothing.

    Returns
    -------
    Measures
        Exact means. A saturated service has ``inf`` in its waits and passes on its capacity; the
        others keep their product form at the flows that result.

    Notes
    -----
    Poisson arrivals, random routing, unlimited room. First come first served: exponential service
    with one mean for all classes; sharing and unlimited servers: any law and mean. Delays between
    services change nothing but the numbers in transit.

    References
    ----------
    Jackson 1963; Baskett, Chandy, Muntz and Palacios 1975; Goodman and Massey 1984.
    """
    stations = make_stations(compiled)
    n = compiled.servers.size
    flows = solve_balance(compiled, stations, np.ones(n))
    if flows.status == BROKEN:
        return broken_measures(compiled, flows)
    shape = flows.arrival.shape
    waits = Waits(np.zeros(shape), np.zeros(shape), np.zeros(n), np.zeros(n))
    _fill(stations, flows.arrival, waits.number, waits.time, waits.chance)
    unknown = np.full(n, np.nan)
    return make_measures(compiled, stations, flows, waits, unknown, unknown)


@njit
def _fill(
    stations: Stations, arrival: Floats, number: Floats, wait: Floats, chance: Floats
) -> None:
    """Fill waiting numbers, waits, and chances to wait."""
    for i in range(arrival.shape[0]):
        rate = np.sum(arrival[i])
        load = np.sum(arrival[i] * stations.hold[i])
        if stations.kind[i] == INFINITE or load <= 0.0:
            continue
        time = load / rate
        spare = spare_servers(rate, time, stations.servers[i])
        chance[i] = delay_probability(stations.servers[i], load, spare)
        line = chance[i] * time / spare if spare > 0.0 else np.inf
        for k in range(arrival.shape[1]):
            if arrival[i, k] > 0.0:
                share = stations.hold[i, k] / time if stations.kind[i] == SHARED else 1.0
                wait[i, k] = line * share
                number[i, k] = arrival[i, k] * wait[i, k]


def number_distribution(compiled: CompiledNetwork, measures: Measures, i: int) -> Floats:
    r"""Return the probability of every number present at one service, all classes together.

    .. math:: P(n) \propto \frac{a^n}{\prod_{m=1}^{n} \min(m, c)}

    Parameters
    ----------
    compiled : CompiledNetwork
        A network of product form.
    measures : Measures
        Its solution, in which the service is not overloaded.
    i : int
        The service.

    Returns
    -------
    (any,) array
        From 0 up to where less than 1e-13 is left.

    References
    ----------
    Baskett, Chandy, Muntz and Palacios 1975.
    """
    load = float(measures.number_in_service[i].sum())
    if load <= 0.0:
        return np.ones(1)
    endless = np.isinf(compiled.servers[i]) or compiled.discipline[i] == DELAY
    top = load + 12.0 * np.sqrt(load) + 40.0
    if not endless:
        servers = float(compiled.servers[i])
        idle = spare_servers(load, 1.0, servers) / servers
        top = min(top, servers) + np.log(LEFT) / np.log1p(-idle) + 2.0
    number = np.arange(int(top) + 1)
    rates = number[1:] if endless else np.minimum(number[1:], servers)
    weights = np.concatenate(([0.0], np.cumsum(np.log(load / rates))))
    law: Floats = np.exp(weights - weights.max())
    return np.asarray(law / law.sum())


def product_form_reasons(compiled: CompiledNetwork) -> list[tuple[str, int]]:
    """Say why a network is not of product form.

    Parameters
    ----------
    compiled : CompiledNetwork
        The network.

    Returns
    -------
    list of (code, service)
        ``arrivals_not_poisson``, ``finite_capacity``, ``patience``, ``priority`` (classes of
        different rank), ``preemptive`` (jobs are interrupted), ``service_not_exponential`` and
        ``service_differs_by_class`` (first come first served), ``held_transfer`` (servers are
        held while jobs move on),
        ``fractional_servers`` (the formula still holds as an interpolation, the model does not),
        ``trap``.
    """
    reached = reachable_states(compiled)
    stations = make_stations(compiled)
    family, shape = compiled.service_family, compiled.service_parameters[..., 0]
    exponential = (family == EXPONENTIAL) | (
        ((family == ERLANG) | (family == GAMMA) | (family == WEIBULL)) & (shape == 1.0)
    )
    finite = np.isfinite(stations.servers)
    ordered = finite & ((compiled.discipline == FCFS) | (compiled.discipline == PRIORITY))
    low = np.where(reached, compiled.service_time, np.inf).min(axis=1)
    high = np.where(reached, compiled.service_time, -np.inf).max(axis=1)
    outside = compiled.external_arrival_rate > 0.0
    used = reached.any(axis=1)
    found = {
        "arrivals_not_poisson": (outside & (compiled.arrival_scv != 1.0)).any(axis=1),
        "finite_capacity": np.isfinite(compiled.capacity) & used,
        "patience": (np.isfinite(compiled.patience) & reached).any(axis=1) & finite,
        "priority": (stations.kind == RANKED) & used,
        "preemptive": (compiled.discipline == PREEMPTIVE) & used,
        "service_not_exponential": ordered & (~exponential & reached).any(axis=1),
        "service_differs_by_class": ordered & (high > low),
        "held_transfer": finite & ((stations.hold > stations.service) & reached).any(axis=1),
        "fractional_servers": finite & used & (stations.servers != np.floor(stations.servers)),
    }
    reasons = [(code, int(i)) for code, where in found.items() for i in np.flatnonzero(where)]
    traps = [trap for trap in find_traps(compiled) if reached.reshape(-1)[trap].any()]
    return reasons + [("trap", int(trap[0]) // reached.shape[1]) for trap in traps]
