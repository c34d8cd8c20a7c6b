"""What the numbers of a fixed point of blocking are worth to a goal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.adjoint import Weights, row_pullback
from flownet.kernels.adjoint_blocking_point import Point
from flownet.kernels.blocking_compressed_flows import transit_by_class
from flownet.kernels.blocking_compressed_inputs import spreads
from flownet.kernels.blocking_compressed_measures import (
    room_of,
    standing_lines,
    steady_servers,
)
from flownet.kernels.compiled import WAIT_OUTSIDE, Floats


class Direct(NamedTuple):
    """Derivatives of the goal by parameters, the fixed point held."""

    service_time: Floats
    external: Floats
    probability: Floats
    delay: Floats


def _lines(point: Point) -> Floats:
    outside = (point.compiled.external_when_full == WAIT_OUTSIDE)[:, None]
    return np.asarray(point.flows.external * outside + transit_by_class(point.layout, point.flows))


def worth_of(point: Point, weights: Weights) -> tuple[dict[str, Floats], Direct]:
    """Return what the numbers of the fixed point are worth to the goal, and the parameters."""
    compiled, layout, flows = point.compiled, point.layout, point.flows
    shape = flows.done.shape
    n = shape[0]
    done, wait = flows.done.ravel(), point.state.wait
    p, origin = compiled.route_probability, layout.origin
    blocked = weights.number_blocked.ravel()[origin] * layout.blocks
    held = weights.number_held_in_transfer.ravel()[origin] * compiled.holds_server
    worth: dict[str, Floats] = {name: np.zeros(n) for name in ("busy", "waiting", "outside", "scv")}
    rest = {"done": np.zeros(shape), "inside": np.zeros(shape)}
    worth["wait"] = np.asarray(np.bincount(layout.end, blocked * done[origin] * p, n), np.float64)
    each = blocked * wait[layout.end] * p + held * p * compiled.transfer_delay
    rest["done"] += np.bincount(origin, each, done.size).reshape(shape)
    rest["done"] += weights.number_in_service * compiled.service_time + weights.throughput
    gone = weights.abandonment_rate
    rest["done"] -= gone
    accept, outer = point.accept[:, None], point.accept_outside[:, None]
    rest["inside"] += gone * accept + weights.loss_rate * (1.0 - accept) + weights.arrival_rate
    external = gone * outer + weights.loss_rate * (1.0 - outer) + weights.arrival_rate
    inside = flows.arrivals - flows.external
    asked = inside * (accept != 1.0) + flows.external * (outer != 1.0)
    worth["vacant"] = ((gone - weights.loss_rate) * asked).sum(axis=1)
    slopes = _waiting_slopes(point, weights)
    for name in ("busy", "waiting", "outside", "scv"):
        worth[name] += slopes[name]
    rest["inside"] += slopes["admitted"] * accept
    external = external + slopes["admitted"] * outer
    worth["vacant"] = worth["vacant"] + (slopes["admitted"] * asked).sum(axis=1)
    standing = (compiled.external_when_full == WAIT_OUTSIDE)[:, None]
    external = external + slopes["lines"] * standing
    goal = layout.end * shape[1] + origin % shape[1]
    transit = np.where(layout.transit, slopes["lines"].ravel()[goal], 0.0)
    rest["done"] += np.bincount(origin, transit * p, done.size).reshape(shape)
    direct = Direct(
        weights.number_in_service * flows.done,
        external,
        done[origin] * (blocked * wait[layout.end] + held * compiled.transfer_delay + transit),
        done[origin] * held * p,
    )
    return worth | {name: values.ravel() for name, values in rest.items()}, direct


def _waiting_slopes(point: Point, weights: Weights) -> dict[str, Floats]:
    """Return how the weighted numbers waiting inside and outside answer a station's figures."""
    chains, flows = point.chains, point.flows
    inputs = {
        "busy": chains.busy,
        "waiting": chains.waiting,
        "outside": chains.outside,
        "scv": flows.scv,
        "admitted": flows.admitted,
        "lines": _lines(point),
    }
    servers, room = point.compiled.servers, room_of(point.compiled, point.layout)
    steady = steady_servers(point.compiled, point.layout)
    lined = inputs["lines"].sum(axis=1) > 0.0

    def outputs(given: dict[str, Floats]) -> list[Floats]:
        longer = spreads(given["busy"] / servers, steady, given["scv"])
        inside, outside = standing_lines(given["waiting"], given["outside"], longer, room, lined)
        part = [
            by / np.maximum(by.sum(axis=1, keepdims=True), 1e-300)
            for by in (given["admitted"], given["lines"])
        ]
        return [inside[:, None] * part[0], outside[:, None] * part[1]]

    own = [weights.number_waiting, weights.number_outside]
    return row_pullback(outputs, inputs, list(inputs), own)
