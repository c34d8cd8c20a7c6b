"""The flows of a network whose services thin what they pass on: loss, abandonment, saturation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed_mixing import Mixing
from flownet.kernels.compiled import OVERFLOW, CompiledNetwork, Floats, Indices, Integers
from flownet.kernels.decomposition_stations import LIMITED, Stations
from flownet.kernels.decomposition_throughput import pass_on
from flownet.kernels.traffic import BROKEN, CONVERGED, UNCONVERGED, solve_flows
from flownet.kernels.traffic_solvers import route_sources

TOLERANCE = 1e-12
ACCEPTED = 1e-9
LIMIT = 1000
PATIENCE = 150
"""Classes that displace each other at a saturated service can send the steps in a circle, or slow
them down: after so many, each is drawn from all that went before (Anderson's acceleration)."""


class Flows(NamedTuple):
    """Rates per service and class at which arrivals, losses and departures agree."""

    status: int
    iterations: int
    residual: float
    """Largest difference between assumed and resulting arrival rates, over the largest rate."""
    arrival: Floats
    """(n, R) jobs per T that ask for a place."""
    passed: Floats
    """(n, R) jobs per T that complete."""
    refused: Floats
    """(n, R) jobs per T turned away at a full service."""
    overflow: Floats
    """(n, R) of those, what goes on to the overflow service."""


class _Graph(NamedTuple):
    """The routes with the overflow routes merged in, in compressed rows."""

    start: Indices
    to: Indices
    source: Integers
    probability: Floats
    """(m,) 0 on overflow routes."""
    spills: Floats
    """(m,) 1 on overflow routes."""


def solve_balance(compiled: CompiledNetwork, stations: Stations, peak: Floats) -> Flows:
    r"""Find the arrival rates that reproduce themselves through thinning services.

    .. math:: \lambda = \gamma + P^T T(\lambda) + O(\lambda)

    T is what services complete, O what overflows. Each step solves the traffic equations of the
    linearized services (Newton's method). For one class T is concave and increasing, so that the
    steps fall monotonically to the only solution; with a saturated service, T = min(lambda, c/s),
    they are the finite sequence of sets of saturated services of Goodman and Massey (1984).

    Parameters
    ----------
    compiled, stations
        The network.
    peak : array (n,)
        Peakedness of the arrivals at services that lose.

    Returns
    -------
    Flows
        Status 1 where 1,000 steps did not suffice; 2 where a trap is fed.
    """
    shape = compiled.service_time.shape
    graph = _merge_overflow(compiled)
    external = compiled.external_arrival_rate
    status, iterations, residual, rate = solve_flows(
        graph.start, graph.to, graph.probability, external.reshape(-1)
    )
    arrival = rate.reshape(shape)
    if status == BROKEN:
        zero = np.zeros(shape)
        return Flows(BROKEN, iterations, np.inf, arrival, zero, zero, zero)
    passed, refused, slope = np.empty(shape), np.empty(shape), np.empty(shape)
    error, mixing = np.inf, Mixing(arrival.size)
    for step in range(LIMIT):
        thinned = pass_on(stations, peak, arrival, passed, refused, slope)
        if not thinned and step == 0:
            zero = np.zeros(shape)
            return Flows(status, iterations, residual, arrival, passed, refused, zero)
        share = _overflow_share(compiled, stations, arrival, refused)
        target = external + _carry(graph, passed, refused * share)
        error = np.abs(target - arrival).max() / max(arrival.max(), target.max(), 1e-300)
        if error <= TOLERANCE or step == LIMIT - 1:
            break
        steep = slope.reshape(-1)[graph.source]
        spill = ((1.0 - slope) * share).reshape(-1)[graph.source]
        weight = graph.probability * steep + graph.spills * spill
        linear = np.bincount(
            graph.to, weight * arrival.reshape(-1)[graph.source], arrival.size
        ).reshape(shape)
        broken, _, _, rate = solve_flows(
            graph.start, graph.to, weight, (target - linear).reshape(-1)
        )
        if broken == BROKEN:
            break
        arrival = np.maximum(_next(mixing, step, arrival, rate.reshape(shape)), 0.0)
        iterations += 1
    status = CONVERGED if error <= ACCEPTED else UNCONVERGED
    return Flows(status, iterations, float(error), arrival, passed, refused, refused * share)


def _next(mixing: Mixing, step: int, arrival: Floats, wanted: Floats) -> Floats:
    """Return the rates to go on from: those wanted, or after many steps an accelerated step."""
    if step < PATIENCE:
        return wanted
    scale = max(float(arrival.max()), float(wanted.max()), 1e-300)
    point = mixing.step(arrival.reshape(-1) / scale, wanted.reshape(-1) / scale)
    return point.reshape(arrival.shape) * scale


def _merge_overflow(compiled: CompiledNetwork) -> _Graph:
    """Return the routes and, behind them, one overflow route per class of services that spill."""
    shape = compiled.service_time.shape
    source = route_sources(compiled.route_start)
    zeros = np.zeros(source.size)
    spills = (
        np.isfinite(compiled.capacity)
        & (compiled.overflow_to >= 0)
        & ((compiled.when_full == OVERFLOW) | (compiled.external_when_full == OVERFLOW))
    )
    if not spills.any():
        return _Graph(
            compiled.route_start, compiled.route_to, source, compiled.route_probability, zeros
        )
    states = np.arange(compiled.route_start.size - 1).reshape(shape)
    extra = states[spills].reshape(-1)
    goal = states[compiled.overflow_to[spills]].reshape(-1)
    source = np.concatenate((source, extra))
    order = np.argsort(source, kind="stable")
    to = np.concatenate((compiled.route_to, goal.astype(np.uint32)))[order]
    probability = np.concatenate((compiled.route_probability, np.zeros(extra.size)))[order]
    marks = np.concatenate((zeros, np.ones(extra.size)))[order]
    start = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=states.size))))
    return _Graph(start.astype(np.uint32), to, source[order], probability, marks)


def _overflow_share(
    compiled: CompiledNetwork, stations: Stations, arrival: Floats, refused: Floats
) -> Floats:
    """Return the share of what a full service refuses that goes on to its overflow service.

    A job from outside that overflows stays one: the rule for outside meets it at the next service.
    """
    limited = ((stations.kind == LIMITED) & (compiled.overflow_to >= 0))[:, None]
    outer = limited & (compiled.external_when_full == OVERFLOW)[:, None]
    inner = limited & (compiled.when_full == OVERFLOW)[:, None]
    if not limited.any():
        return np.zeros(arrival.shape)
    away = np.divide(refused, arrival, out=np.zeros(arrival.shape), where=arrival > 0.0)
    goes = np.flatnonzero(outer[:, 0])
    outside = np.minimum(compiled.external_arrival_rate, arrival)
    for _ in range(goes.size):
        more = compiled.external_arrival_rate.copy()
        np.add.at(more, compiled.overflow_to[goes], (outside * away)[goes])
        more = np.minimum(more, arrival)
        if np.array_equal(more, outside):
            break
        outside = more
    spilled = outside * outer + (arrival - outside) * inner
    over: Floats = np.divide(spilled, arrival, out=np.zeros(arrival.shape), where=arrival > 0.0)
    return over


def _carry(graph: _Graph, passed: Floats, overflow: Floats) -> Floats:
    """Return what the routes bring to each state."""
    flow = graph.probability * passed.reshape(-1)[graph.source]
    flow += graph.spills * overflow.reshape(-1)[graph.source]
    brought = np.zeros(passed.size)
    np.add.at(brought, graph.to, flow)
    return brought.reshape(passed.shape)
