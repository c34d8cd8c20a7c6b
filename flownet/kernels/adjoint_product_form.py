"""Gradients of open networks of product form: every slope in closed form."""

from __future__ import annotations

import numpy as np

from flownet.jit import njit
from flownet.kernels.adjoint import Gradient, Weights, reverse, solve_reversed
from flownet.kernels.adjoint_open import by_parameters, open_gradient
from flownet.kernels.compiled import CompiledNetwork, Floats, Measures
from flownet.kernels.decomposition_stations import INFINITE, SHARED, Stations, make_stations
from flownet.kernels.traffic_solvers import route_sources
from flownet.queues.markov import mmc_slopes, mmc_waiting_time


def product_form_gradient(
    compiled: CompiledNetwork, measures: Measures, weights: Weights
) -> Gradient | None:
    r"""Return the gradient of a weighting of the measures; see `open_gradient`.

    .. math:: w = g + P w,\qquad g_s = \frac{\partial}{\partial\lambda_s} \sum_k w_{ik}
              \lambda_{ik} W(\Lambda_i, t_i, c_i)

    Parameters
    ----------
    compiled : CompiledNetwork
        A network of product form.
    measures : Measures
        Its solution.
    weights : Weights

    Returns
    -------
    Gradient or None
        As `open_gradient`, which is asked where a backlog grows.
    """
    if measures.growth_rate.any():
        return open_gradient(compiled, measures, weights)
    stations = make_stations(compiled)
    arrival = measures.arrival_rate
    shape = arrival.shape
    right = weights.arrival_rate + weights.throughput
    right = right + weights.number_in_service * stations.service
    right += weights.number_held_in_transfer * (stations.hold - stations.service)
    by_hold, by_servers = np.zeros(shape), np.zeros(shape[0])
    _fill(stations, arrival, weights.number_waiting, right, by_hold, by_servers)
    back = reverse(compiled, compiled.route_probability, arrival.ravel() > 0.0)
    if back is None:
        return None
    worth = solve_reversed(back, right.ravel()).reshape(shape)
    none = np.zeros(shape)
    slopes = {
        "service": arrival * (weights.number_in_service - weights.number_held_in_transfer),
        "hold": by_hold + arrival * weights.number_held_in_transfer,
        "second": none,
        "servers": by_servers,
        "room": none[:, 0],
        "patience": none,
    }
    return by_parameters(compiled, measures, worth, slopes, route_sources(compiled.route_start))


@njit
def _fill(
    stations: Stations,
    arrival: Floats,
    weight: Floats,
    right: Floats,
    by_hold: Floats,
    by_servers: Floats,
) -> None:
    """Add the slopes of the weighted numbers waiting by arrivals, holding times and servers."""
    for i in range(arrival.shape[0]):
        rate = np.sum(arrival[i])
        load = np.sum(arrival[i] * stations.hold[i])
        if stations.kind[i] == INFINITE or load <= 0.0:
            continue
        time, shared = load / rate, stations.kind[i] == SHARED
        wait = mmc_waiting_time(rate, time, stations.servers[i])
        _, _, _, by_rate, by_time, by_count = mmc_slopes(rate, time, stations.servers[i])
        total = 0.0  # what a change of the wait is worth, or of the wait over the time
        for k in range(arrival.shape[1]):
            share = stations.hold[i, k] if shared else 1.0
            total += weight[i, k] * arrival[i, k] * share
        if shared:
            by_rate, by_count = by_rate / time, by_count / time
            by_time = (by_time - wait / time) / time
            wait /= time
        by_servers[i] += total * by_count
        for k in range(arrival.shape[1]):
            hold = stations.hold[i, k]
            right[i, k] += total * (by_rate + by_time * (hold - time) / rate)
            right[i, k] += weight[i, k] * wait * (hold if shared else 1.0)
            by_hold[i, k] += total * by_time * arrival[i, k] / rate
            if shared:
                by_hold[i, k] += weight[i, k] * arrival[i, k] * wait
