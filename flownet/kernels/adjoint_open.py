"""Gradients of open networks without blocking, where every stream is as good as Poisson."""

from __future__ import annotations

import numpy as np

from flownet.kernels.adjoint import (
    Columns,
    Gradient,
    Weights,
    row_pullback,
    row_slopes,
    solve_transposed,
)
from flownet.kernels.compiled import Booleans, CompiledNetwork, Floats, Integers, Measures
from flownet.kernels.decomposition_flows import Flows
from flownet.kernels.decomposition_rooms import general_rooms
from flownet.kernels.decomposition_stations import LIMITED, Stations, make_stations
from flownet.kernels.decomposition_streams import ROUNDING, Streams
from flownet.kernels.decomposition_throughput import pass_on
from flownet.kernels.decomposition_waits import waits_at
from flownet.kernels.traffic import reachable_states
from flownet.kernels.traffic_solvers import route_sources

INPUTS = ("hold", "second", "servers", "room", "patience")
SAME = 1e-9
"""An scv so close to 1 is that of a Poisson stream."""


def open_gradient(
    compiled: CompiledNetwork, measures: Measures, weights: Weights
) -> Gradient | None:
    r"""Return the gradient of a weighting of the measures, by one adjoint solve.

    .. math:: w = g + K^T P w,\qquad \frac{dJ}{d\theta} = \frac{\partial J}{\partial \theta}
              + w^T \frac{\partial}{\partial\theta}(\gamma + P^T T)

    Parameters
    ----------
    compiled : CompiledNetwork
        Solved by product form or by decomposition.
    measures : Measures
        The solution.
    weights : Weights

    Returns
    -------
    Gradient or None
        None where streams are not Poisson, where jobs overflow, or where the adjoint equations
        cannot be solved: then its parameters tell each other more than this adjoint knows.

    Notes
    -----
    T is what a service passes on, K its Jacobian by class, g what one more arrival is worth to
    the goal at the service itself. Each station's map is differentiated on its own, for all
    stations at once (`row_pullback`).
    """
    stations = make_stations(compiled)
    if not _plain(compiled, stations, measures):
        return None
    inputs = _inputs(compiled, stations, measures)
    own = [getattr(weights, name) for name in _OUTPUTS]

    def outputs(given: Columns) -> list[Floats]:
        return _outputs(stations, given)

    by_arrival = row_slopes(outputs, inputs, ["arrival"])["arrival"]
    right = weights.arrival_rate.copy()
    for weight, slope in zip(own, by_arrival, strict=True):
        counted = np.where((weight != 0)[:, :, None], slope, 0.0)
        right += np.einsum("ik,ikl->il", weight, counted)
    jacobian = _jacobian(by_arrival[_OUTPUTS.index("throughput")])
    reached = reachable_states(compiled).ravel()
    worth = solve_transposed(compiled, jacobian, right, reached)
    if worth is None:
        return None
    source = route_sources(compiled.route_start)
    ahead = np.bincount(
        source,
        compiled.route_probability * worth.ravel()[compiled.route_to.astype(np.int64)],
        worth.size,
    ).reshape(worth.shape)
    whole = [weight + ahead if name == "throughput" else weight
             for name, weight in zip(_OUTPUTS, own, strict=True)]  # fmt: skip
    slopes = row_pullback(outputs, inputs, INPUTS, whole)
    slopes["service"] = measures.throughput * (
        weights.number_in_service - weights.number_held_in_transfer
    )
    return by_parameters(compiled, measures, worth, slopes, source)


_OUTPUTS = (
    "number_waiting", "throughput", "loss_rate", "abandonment_rate", "growth_rate",
    "number_in_service", "number_held_in_transfer",
)  # fmt: skip


def _plain(compiled: CompiledNetwork, stations: Stations, measures: Measures) -> bool:
    """Tell whether every stream is as good as Poisson, and none overflows."""
    streams = np.nan_to_num(measures.arrival_scv, nan=1.0)
    if measures.overflow_rate.any() or (np.abs(streams - 1.0) > SAME).any():
        return False
    if general_rooms(stations, measures.arrival_rate).any():
        return False  # their factors are constants of the fixed point
    source = route_sources(compiled.route_start) // stations.hold.shape[1]
    returning = source == compiled.route_to.astype(np.int64) // stations.hold.shape[1]
    general: Booleans = np.asarray((np.abs(compiled.service_scv - 1.0) > SAME).any(axis=1))
    return not bool(general[source[returning]].any())


def _inputs(compiled: CompiledNetwork, stations: Stations, measures: Measures) -> Columns:
    limited = np.isfinite(stations.capacity)
    room = np.full(stations.capacity.shape, np.inf)
    room[limited] = stations.capacity[limited] - stations.servers[limited]
    return {
        "arrival": measures.arrival_rate,
        "service": stations.service,
        "hold": stations.hold,
        "second": stations.second,
        "servers": stations.servers,
        "room": room,
        "patience": compiled.patience,
    }


def _outputs(stations: Stations, given: Columns) -> list[Floats]:
    """Return what each station does with its arrivals, in the order of `_OUTPUTS`."""
    arrival, hold = given["arrival"], given["hold"]
    changed = stations._replace(
        service=given["service"],
        hold=hold,
        second=given["second"],
        servers=given["servers"],
        capacity=given["servers"] + given["room"],
        patience=given["patience"],
    )
    peak, zero = np.ones(arrival.shape[0]), np.zeros(arrival.shape)
    passed, refused, slope = np.empty_like(arrival), np.empty_like(arrival), np.empty_like(arrival)
    pass_on(changed, peak, arrival, passed, refused, slope)
    flows = Flows(0, 0, 0.0, arrival, passed, refused, zero)
    number = waits_at(changed, _streams(changed, arrival), flows, peak, 0.0 * peak, False).number
    backlog = np.isinf(number)
    leaves = (stations.kind == LIMITED)[:, None] & ~backlog
    gone = np.where(leaves, np.where(backlog, 0.0, number) / changed.patience, 0.0)
    growth = np.where(backlog, np.maximum(arrival - passed - refused, 0.0), 0.0)
    return [
        number,
        passed,
        refused,
        gone,
        growth,
        passed * changed.service,
        passed * (hold - changed.service),
    ]


def _streams(stations: Stations, arrival: Floats) -> Streams:
    """Return the streams of stations on their own, Poisson all of them."""
    n = arrival.shape[0]
    rate = arrival.sum(axis=1)
    safe = np.where(rate > 0.0, rate, 1.0)
    time = (arrival * stations.hold).sum(axis=1) / safe
    second = (arrival * stations.second).sum(axis=1) / safe
    square = np.where(time > 0.0, time * time, 1.0)
    scv = np.where(time > 0.0, np.maximum(second / square - 1.0, 0.0), 1.0)
    scv[np.abs(scv - 1.0) < ROUNDING] = 1.0  # an exponential law, and its cheaper formula
    none = np.zeros(0)
    nowhere = np.zeros(0, dtype=np.uint32)
    start = np.zeros(n + 1, dtype=np.uint32)
    return Streams(
        rate, np.ones(n), time, scv, np.zeros(n), stations.servers,
        start, nowhere, none, none, np.zeros(arrival.shape), start, nowhere, none,
    )  # fmt: skip


def _jacobian(passed: Floats) -> Floats:
    """Return K (n, R, R), what class k passes on per arrival of class l, without its noise."""
    identity = np.broadcast_to(np.eye(passed.shape[1]), passed.shape)
    return np.where(np.abs(passed - identity) < SAME, identity, passed)


def by_parameters(
    compiled: CompiledNetwork,
    measures: Measures,
    worth: Floats,
    slopes: Columns,
    source: Integers,
) -> Gradient:
    """Return the gradient by the network's own parameters."""
    held = np.where(compiled.holds_server, compiled.transfer_delay, 0.0)
    share = np.where(compiled.holds_server, compiled.route_probability, 0.0)
    time = compiled.service_time
    first = np.bincount(source, compiled.route_probability * held, time.size).reshape(time.shape)
    hold, second = slopes["hold"].ravel()[source], slopes["second"].ravel()[source]
    flow = measures.throughput.ravel()[source]
    stay = time.ravel()[source]
    by_time = slopes["service"] + slopes["hold"]
    by_time += slopes["second"] * 2.0 * ((1.0 + compiled.service_scv) * time + first)
    return Gradient(
        servers=np.where(np.isfinite(compiled.servers), slopes["servers"], 0.0),
        waiting_room=slopes["room"],
        service_time=by_time,
        external_arrival_rate=worth,
        patience=slopes["patience"],
        routing_probability=flow * worth.ravel()[compiled.route_to.astype(np.int64)]
        + hold * held
        + second * held * (2.0 * stay + 2.0 * held),
        transfer_delay=share * (hold + second * (2.0 * stay + 4.0 * held)),
    )
