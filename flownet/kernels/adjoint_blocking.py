"""Gradients of networks with blocking, compressed: the fixed point differentiated implicitly."""

from __future__ import annotations

import numpy as np

from flownet.kernels import adjoint_stations as st
from flownet.kernels.adjoint import Gradient, Weights, row_pullback
from flownet.kernels.adjoint_blocking_point import Point, point_of
from flownet.kernels.adjoint_blocking_relations import (
    FIGURES,
    mixture,
    relations_of,
    slopes_of_stations,
)
from flownet.kernels.adjoint_blocking_worth import Direct, worth_of
from flownet.kernels.blocking_compressed_flows import lay_out
from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    WAIT_OUTSIDE,
    CompiledNetwork,
    Floats,
    Measures,
)


def blocking_gradient(
    compiled: CompiledNetwork, measures: Measures, weights: Weights, *, mode: str | None = None
) -> Gradient | None:
    r"""Return the gradient of a weighting of the measures, by one adjoint solve.

    .. math:: \Big(I - \frac{\partial\Phi}{\partial y}\Big)^T w = \frac{\partial J}{\partial y},
              \qquad \frac{dJ}{d\theta} = \frac{\partial J}{\partial\theta}
              + w^T \frac{\partial\Phi}{\partial\theta}

    Parameters
    ----------
    compiled : CompiledNetwork
    measures : Measures
        The solution.
    weights : Weights
    mode : str, optional
        That of the solution; only 'compressed' has a fixed point to differentiate.

    Returns
    -------
    Gradient or None
        Servers and waiting room are nan: only whole numbers have a chain. None where jobs
        overflow or return to a service that refuses others, a backlog grows, the measures are not
        those of the compressed fixed point, or the adjoint equations cannot be solved.

    Notes
    -----
    y holds every number that the chains tell each other: flows, waits, figures, falls. Each
    relation is local, so that its derivatives are few: sums over routes by hand, each station's
    chain by differences of its own inputs (`station_slopes`), falls pair by pair.
    """
    if mode == "full" or (compiled.overflow_to >= 0).any() or measures.growth_rate.any():
        return None
    layout = lay_out(compiled)
    refuses = compiled.when_full[layout.end] != BLOCKED_AFTER_SERVICE
    if (layout.loops & refuses).any():  # their places are kept, which the relations do not know
        return None
    point = point_of(compiled, measures)
    if point is None:
        return None
    slopes = slopes_of_stations(point)
    relations = relations_of(point, slopes)
    worth, direct = worth_of(point, weights)
    answer = relations.adjoint(worth)
    if answer is None:
        return None
    return _collect(point, answer, direct)._replace(
        patience=_by_patience(point, slopes.own, answer)
    )


def _collect(point: Point, w: dict[str, Floats], direct: Direct) -> Gradient:
    """Return the gradient by the network's own parameters."""
    compiled, layout, flows = point.compiled, point.layout, point.flows
    shape = flows.done.shape
    n, origin = shape[0], layout.origin
    services = w["done"].reshape(shape) * (point.accept_outside * point.served)[:, None]
    waits = ~layout.finite | (compiled.external_when_full == WAIT_OUTSIDE)
    entering = np.where(waits, w["free"], w["lost"]) + w["admitted"] * point.accept_outside
    mix = (flows.done / np.maximum(flows.done.sum(axis=1, keepdims=True), 1e-300)).ravel()[origin]
    to, start = compiled.route_to.astype(np.int64), layout.start
    done = flows.done.ravel()[origin]
    hold = np.where(compiled.holds_server, compiled.transfer_delay, 0.0)
    end = layout.end
    others = ~layout.loops & ~layout.blocks & ~layout.transit
    bound = np.where(layout.transit | (others & ~layout.finite[end]), w["free"][end], 0.0)
    bound += np.where(others & layout.finite[end], w["lost"][end], 0.0)
    pairs = np.append(w["flow"], 0.0)[layout.pair]
    chances = np.append(w["chance"], 0.0)[layout.pair]
    looping = np.where(layout.loops, w["admitted"][start] * done + w["passes"][start] * mix, 0.0)
    by_route = done * (w["inside"][to] + bound + pairs) + mix * (chances + w["work"][start] * hold)
    by_hold = mix * w["work"][start] * compiled.route_probability * compiled.holds_server
    unknown = np.full(n, np.nan)
    return Gradient(
        servers=unknown,
        waiting_room=unknown.copy(),
        service_time=direct.service_time + _by_times(point, w),
        external_arrival_rate=services + entering[:, None] + direct.external,
        patience=np.zeros(shape),
        routing_probability=by_route - looping + direct.probability,
        transfer_delay=by_hold + direct.delay,
    )


def _by_times(point: Point, w: dict[str, Floats]) -> Floats:
    """Return the derivatives by service times, through work and spread."""
    inputs = {"time": point.compiled.service_time, "scv": point.compiled.service_scv}

    def outputs(given: dict[str, Floats]) -> list[Floats]:
        changed = point.compiled._replace(service_time=given["time"], service_scv=given["scv"])
        return mixture(point, point.flows.done, changed)[:2]

    found = row_pullback(outputs, inputs, ["time"], [w["work"], w["scv"]])
    return found["time"]


def _by_patience(point: Point, own: Floats, w: dict[str, Floats]) -> Floats:
    """Return the derivatives by patience: of the class that waits longest, as `lay_out` does."""
    slope = np.zeros(point.given.stay.size)
    for out, name in enumerate(FIGURES):
        slope += w[name] * own[:, st.GIVING_UP, out]
    patience = point.compiled.patience
    last = (patience == patience.max(axis=1, keepdims=True)) & np.isfinite(patience)
    return np.where(last, -slope[:, None] / patience**2, 0.0)
