"""Gradients of networks with blocking, compressed: the fixed point differentiated implicitly."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from flownet.kernels import adjoint_stations as st
from flownet.kernels.adjoint import STEP, Gradient, Weights, row_pullback
from flownet.kernels.adjoint_system import Relations
from flownet.kernels.blocking_compressed import settle
from flownet.kernels.blocking_compressed_flows import (
    Accepted,
    Flows,
    Layout,
    lay_out,
    transit_by_class,
    with_times,
)
from flownet.kernels.blocking_compressed_measures import (
    Settled,
    room_of,
    standing_lines,
    to_measures,
)
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_compressed_streams import (
    falls,
    line_factors,
    spells,
    standing_spells,
)
from flownet.kernels.blocking_compressed_sweep import Given, State, gather, spreads
from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    WAIT_OUTSIDE,
    CompiledNetwork,
    Floats,
    Integers,
    Measures,
)

SAME = 1e-6
"""The measures are those of this fixed point where they differ by no more, relatively."""
SHARP = 1e-12
FINE = 1e-7
"""Relative step for closed formulas of pairs, some of which have a corner where they stand."""
FIGURES = (
    "busy", "waiting", "blocked", "outside", "vacant", "inflow", "found_full", "wait", "number",
    "variance", "smoothing", "coming", "blocked_variance", "served",
)  # fmt: skip


class Point(NamedTuple):
    """The fixed point and what it is made of."""

    compiled: CompiledNetwork
    layout: Layout
    settled: Settled
    flows: Flows
    chains: Chain[Floats]
    given: Given
    state: State
    accept: Floats
    """(n,) share of the jobs from inside that are let in."""
    accept_outside: Floats
    served: Floats
    """(n,)"""


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
    y holds every number that the chains tell each other: flows, waits, figures, spells. Each
    relation is local, so that its derivatives are few: sums over routes by hand, each station's
    chain by differences of its own inputs (`station_slopes`), spells and falls pair by pair.
    """
    if mode == "full" or (compiled.overflow_to >= 0).any() or measures.growth_rate.any():
        return None
    layout = lay_out(compiled)
    refuses = compiled.when_full[layout.end] != BLOCKED_AFTER_SERVICE
    if (layout.loops & refuses).any():  # their places are kept, which the relations do not know
        return None
    point = _settled(compiled, measures)
    if point is None:
        return None
    slopes = _slopes_of_stations(point)
    relations = _relations(point, slopes)
    worth, direct = _worth(point, weights)
    answer = relations.adjoint(worth)
    if answer is None:
        return None
    return _collect(point, answer, direct)._replace(
        patience=_by_patience(point, slopes.own, answer)
    )


def _settled(compiled: CompiledNetwork, measures: Measures) -> Point | None:
    """Return the fixed point, if it is the one that the measures come from."""
    layout = lay_out(compiled)
    settled, standing = settle(compiled, layout, SHARP, 1000, measures.rest)
    if standing[0] != 0:
        return None
    factors = line_factors(compiled, layout, settled.flows, settled.held, settled.chains)
    again = to_measures(compiled, layout, settled, factors, standing)
    for name in ("number_waiting", "number_blocked", "number_outside", "throughput"):
        here, there = getattr(again, name), getattr(measures, name)
        if np.abs(here - there).max() > SAME * max(1.0, float(np.abs(there).max())):
            return None
    flows, chains = settled.flows, settled.chains
    varying = standing_spells(compiled, layout, flows, chains)
    state = State(chains.wait.copy(), falls(layout, flows, chains), *varying, chains.drive.copy())
    given = _writable(gather(compiled, layout, flows))
    accepted: Accepted = settled.accepted
    refuses = layout.finite & (compiled.when_full != BLOCKED_AFTER_SERVICE)
    turned = layout.finite & (compiled.external_when_full != WAIT_OUTSIDE)
    return Point(
        compiled,
        layout,
        settled,
        flows,
        chains,
        given,
        state,
        np.where(refuses, accepted.accept, 1.0),
        np.where(turned, accepted.accept, 1.0),
        accepted.served,
    )


def _writable(given: Given) -> Given:
    """Return a copy whose arrays may be changed and put back."""
    copies: list[Any] = [np.array(part) for part in given]
    return Given(*copies)


def _relations(point: Point, slopes: Slopes) -> Relations:
    """Return all relations between the numbers of the fixed point."""
    n, classes = point.flows.done.shape
    p = point.layout.upper.size
    by_service = ("work", "scv", "passes", "base", "held", "free", "lost", "admitted", "room",
                  "total", "deviation", "slowness", "every", "speed", "factor")  # fmt: skip
    by_pair = ("flow", "chance", "fall", "slow", "fast", "long")
    sizes = {"inside": n * classes, "done": n * classes}
    sizes |= dict.fromkeys(by_service, n) | dict.fromkeys(by_pair, p)
    relations = Relations(sizes | dict.fromkeys(FIGURES, n))
    _add_flows(relations, point)
    _add_mixture(relations, point)
    _add_holding(relations, point)
    _add_stations(relations, point, slopes)
    _add_pairs(relations, point)
    return relations


def _external(point: Point) -> Floats:
    return point.compiled.external_arrival_rate


def _add_flows(r: Relations, point: Point) -> None:
    """Add the traffic equations, and the sums over routes that the chains are made of."""
    layout, compiled, flows = point.layout, point.compiled, point.flows
    n, classes = flows.done.shape
    to, p = compiled.route_to.astype(np.int64), compiled.route_probability
    states, rows = np.arange(n * classes), np.repeat(np.arange(n), classes)
    inside = flows.arrivals - flows.external
    r.add("inside", to, "done", layout.origin, p)
    kept = (point.accept * point.served)[rows]
    r.add("done", states, "inside", states, kept)
    refuses = point.accept != 1.0
    turned = point.accept_outside != 1.0
    asked = inside.ravel() * refuses[rows] + _external(point).ravel() * turned[rows]
    r.add("done", states, "vacant", rows, asked * point.served[rows])
    r.add("done", states, "served", rows, flows.admitted.ravel())
    r.add("total", rows, "done", states, 1.0)
    r.add("admitted", rows, "inside", states, point.accept[rows])
    r.add("admitted", rows, "vacant", rows, asked)
    loops = layout.loops
    r.add("admitted", layout.start[loops], "done", layout.origin[loops], -p[loops])
    blocks = layout.blocks
    r.add("flow", layout.pair[blocks], "done", layout.origin[blocks], p[blocks])
    others = ~layout.loops & ~blocks & ~layout.transit
    free = layout.transit | (others & ~layout.finite[layout.end])
    lost = others & layout.finite[layout.end]
    r.add("free", layout.end[free], "done", layout.origin[free], p[free])
    r.add("lost", layout.end[lost], "done", layout.origin[lost], p[lost])


def _mixture(point: Point, done: Floats, compiled: CompiledNetwork) -> list[Floats]:
    """Return work, scv, passes by service, and chance by pair, for given completions."""
    route = done.ravel()[point.layout.origin] * compiled.route_probability
    zero = np.zeros(done.shape)
    mixed = with_times(compiled, point.layout, zero, zero, done, done, route)
    return [mixed.work, mixed.scv, mixed.passes, mixed.chance]


def _add_mixture(r: Relations, point: Point) -> None:
    """Add what the mixture of classes does to means."""
    done, up = point.flows.done, point.layout.upper
    n, classes = done.shape
    services = np.arange(n)
    pairs = np.arange(up.size)
    for k in range(classes if classes > 1 else 0):
        step = STEP * np.where(done[:, k] > 0, done[:, k], 0.0)
        high, low = done.copy(), done.copy()
        high[:, k] += step
        low[:, k] -= step
        width = np.where(step > 0, 2.0 * step, 1.0)
        above, below = (_mixture(point, each, point.compiled) for each in (high, low))
        slopes = [one - other for one, other in zip(above, below, strict=True)]
        for name, slope in zip(("work", "scv", "passes"), slopes[:3], strict=True):
            r.add(name, services, "done", services * classes + k, slope / width)
        r.add("chance", pairs, "done", up * classes + k, slopes[3] / width[up])


def _add_holding(r: Relations, point: Point) -> None:
    """Add for how long servers are held, and how much room there is to wait in."""
    flows, layout, wait = point.flows, point.layout, point.state.wait
    n = wait.size
    services, pairs = np.arange(n), np.arange(layout.upper.size)
    up, down, passes = layout.upper, layout.lower, flows.passes
    held = point.settled.held
    base = flows.work / passes
    r.add("base", services, "work", services, 1.0 / passes)
    r.add("base", services, "passes", services, -base / passes)
    r.add("held", services, "base", services, 1.0)
    r.add("held", up, "chance", pairs, wait[down] / passes[up])
    r.add("held", up, "wait", down, flows.chance / passes[up])
    r.add("held", services, "passes", services, -(held - base) / passes)
    blocking = np.bincount(down, weights=flows.pair, minlength=n)
    lost = point.given.lost
    limited = np.isfinite(point.given.room) & (blocking + lost > 0)
    servers = np.where(np.isfinite(point.compiled.servers), point.compiled.servers, 3000.0)
    behind = np.bincount(down, weights=servers[up], minlength=n)
    square = np.where(limited, (blocking + lost) ** 2, 1.0)
    r.add("room", down, "flow", pairs, np.where(limited, behind * lost / square, 0.0)[down])
    r.add("room", services, "lost", services, np.where(limited, -behind * blocking / square, 0.0))


OWN = (
    "held", "base", "passes", "total", "work", "scv", "free", "lost", "admitted", "wait",
    "deviation", "slowness",
)  # fmt: skip
PAIR = ("flow", "chance", "fall")
UPPER = ("total", "work", "held", "room")


def _add_stations(r: Relations, point: Point, slopes: Slopes) -> None:
    """Add how every chain answers what it is made of."""
    given, n = point.given, point.state.wait.size
    services, pairs = np.arange(n), np.arange(given.upper.size)
    near, links = slopes.near, slopes.link
    columns = given.lower[links]
    chance = np.maximum(given.chance[links], 1e-300)
    for out, figure in enumerate(FIGURES):
        for k, name in enumerate(OWN):
            r.add(figure, services, name, services, slopes.own[:, k, out])
        for k, name in enumerate(PAIR):
            r.add(figure, given.lower, name, pairs, slopes.pair[:, k, out])
        for k, name in enumerate(UPPER):
            r.add(figure, given.lower, name, given.upper, slopes.pair[:, len(PAIR) + k, out])
        r.add(figure, near, "wait", columns, slopes.other[:, out])
        # waits of others count by the number whom they hold, chance times wait
        by_chance = slopes.other[:, out] * point.state.wait[columns] / chance
        r.add(figure, near, "chance", links, by_chance)


class Slopes(NamedTuple):
    """How the chains answer what they are made of; see `station_slopes`."""

    own: Floats
    pair: Floats
    other: Floats
    near: Integers
    """(k,) the service whose chain answers ..."""
    link: Integers
    """(k,) ... another pair of its upper service."""


def _slopes_of_stations(point: Point) -> Slopes:
    given, n = point.given, point.state.wait.size
    up, down = given.upper, given.lower
    degree = np.diff(given.first_below)[up]
    first = np.repeat(given.first_below[up], degree)
    place = np.arange(degree.sum()) - np.repeat(np.cumsum(degree) - degree, degree)
    pair, link = np.repeat(np.arange(up.size), degree), first + place
    others = pair != link
    own = np.zeros((n, st.OWN, st.OUTPUTS))
    by_pair = np.zeros((up.size, st.PER_PAIR, st.OUTPUTS))
    other = np.zeros((int(others.sum()), st.OUTPUTS))
    state = State(*(np.array(part) for part in point.state))
    st.station_slopes(given, state, point.settled.held.copy(), own, by_pair, other)
    return Slopes(own, by_pair, other, down[pair[others]], link[others])


def _apart(point: Point) -> tuple[Layout, Flows, dict[str, Floats]]:
    """Return pairs that share no service, and their figures: the upper ones, then the lower."""
    layout, flows, chains = point.layout, point.flows, point.chains
    p = layout.upper.size
    ends = np.concatenate((layout.upper, layout.lower))
    figures = {name: np.array(getattr(chains, name)[ends]) for name in Chain._fields}
    figures |= {"chance": flows.chance, "pair": flows.pair, "passes": flows.passes[ends]}
    return layout._replace(upper=np.arange(p), lower=p + np.arange(p)), flows, figures


def _pair_values(point: Point, inputs: dict[str, Floats]) -> list[Floats]:
    """Return, of pairs apart, the fall, the variance, its speed, and what it adds to a line."""
    layout, flows, _ = _apart(point)
    both = {
        name: np.concatenate((inputs["upper " + name], inputs["lower " + name]))
        for name in Chain._fields
    }
    mixed = flows._replace(
        chance=inputs["chance"],
        pair=inputs["pair"],
        passes=np.concatenate((inputs["passes"], np.ones_like(inputs["passes"]))),
    )
    chains = Chain(**both)
    fall = falls(layout, mixed, chains)
    variance, relaxation = spells(layout, mixed, chains)
    square = variance * inputs["upper busy"] ** 2
    return [fall, square, square * relaxation, variance / relaxation]


def _add_pairs(r: Relations, point: Point) -> None:
    """Add falls and spells, pair by pair, and what they come to at the upper service."""
    _, _, figures = _apart(point)
    p, up, down = point.layout.upper.size, point.layout.upper, point.layout.lower
    n, services, pairs = point.state.wait.size, np.arange(point.state.wait.size), np.arange(p)
    inputs = {"chance": figures["chance"], "pair": figures["pair"],
              "passes": figures["passes"][:p]}  # fmt: skip
    for name in Chain._fields:
        inputs["upper " + name] = figures[name][:p]
        inputs["lower " + name] = figures[name][p:]
    asked = ["chance", "pair", "passes", "upper busy", "upper coming", "upper variance"]
    asked += ["upper smoothing"]
    asked += ["lower " + name for name in ("coming", "variance", "number", "inflow", "blocked",
                                           "blocked_variance", "found_full")]  # fmt: skip
    now = _pair_values(point, inputs)
    for out, block in enumerate(("fall", "slow", "fast", "long")):
        unit = [np.ones(p) if k == out else np.zeros(p) for k in range(4)]
        slopes = row_pullback(lambda given: _pair_values(point, given), inputs, asked, unit, FINE)
        for name, slope in slopes.items():
            side, _, figure = name.rpartition(" ")
            block_by = {"pair": "flow"}.get(figure, figure)
            at = {"upper": up, "lower": down}.get(side, up if name == "passes" else pairs)
            r.add(block, pairs, block_by, at, slope)
    r.add("every", up, "slow", pairs, 1.0)
    r.add("speed", up, "fast", pairs, 1.0)
    stands: dict[str, Floats] = {
        "every": np.asarray(np.bincount(up, weights=now[1], minlength=n), dtype=np.float64),
        "speed": np.asarray(np.bincount(up, weights=now[2], minlength=n), dtype=np.float64),
        "coming": point.chains.coming,
        "variance": point.chains.variance,
    }
    servers = point.compiled.servers
    for out, block in enumerate(("deviation", "slowness")):
        unit = [np.ones(n) if k == out else np.zeros(n) for k in range(2)]
        slopes = row_pullback(lambda given: _standing(servers, given), stands, list(stands), unit)
        for name, slope in slopes.items():
            r.add(block, services, name, services, slope)
    factors = line_factors(
        point.compiled, point.layout, point.flows, point.settled.held, point.chains
    )
    longer = factors > 1.0
    rate = np.where(longer, servers / point.settled.held, 0.0)
    r.add("factor", up, "long", pairs, rate[up])
    total = np.bincount(up, weights=now[3], minlength=n)
    r.add("factor", services, "held", services, -rate * total / point.settled.held)


def _standing(servers: Floats, given: dict[str, Floats]) -> list[Floats]:
    """Return deviation and slowness of the number of blocked servers; see `standing_spells`."""
    every, speed = given["every"], given["speed"]
    with np.errstate(divide="ignore", invalid="ignore"):
        turnover = given["coming"] / given["variance"]
        slowness = turnover / (turnover + speed / every)
        deviation = np.minimum(np.sqrt(every) / servers, 1.0)
    return [np.nan_to_num(deviation), np.nan_to_num(slowness)]


class Direct(NamedTuple):
    """Derivatives of the goal by parameters, the fixed point held."""

    service_time: Floats
    external: Floats
    probability: Floats
    delay: Floats


def _lines(point: Point) -> Floats:
    outside = (point.compiled.external_when_full == WAIT_OUTSIDE)[:, None]
    return np.asarray(point.flows.external * outside + transit_by_class(point.layout, point.flows))


def _worth(point: Point, weights: Weights) -> tuple[dict[str, Floats], Direct]:
    """Return what the numbers of the fixed point are worth to the goal, and the parameters."""
    compiled, layout, flows = point.compiled, point.layout, point.flows
    shape = flows.done.shape
    n = shape[0]
    done, wait = flows.done.ravel(), point.state.wait
    p, origin = compiled.route_probability, layout.origin
    blocked = weights.number_blocked.ravel()[origin] * layout.blocks
    held = weights.number_held_in_transfer.ravel()[origin] * compiled.holds_server
    worth: dict[str, Floats] = {
        name: np.zeros(n) for name in ("busy", "waiting", "outside", "scv", "factor")
    }
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
    for name in ("busy", "waiting", "outside", "scv", "factor"):
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
    factors = line_factors(point.compiled, point.layout, flows, point.settled.held, chains)
    inputs = {
        "busy": chains.busy,
        "waiting": chains.waiting,
        "outside": chains.outside,
        "scv": flows.scv,
        "factor": factors,
        "admitted": flows.admitted,
        "lines": _lines(point),
    }
    servers, room = point.compiled.servers, room_of(point.compiled, point.layout)
    lined = inputs["lines"].sum(axis=1) > 0.0

    def outputs(given: dict[str, Floats]) -> list[Floats]:
        longer = spreads(given["busy"] / servers, servers, given["scv"])
        factor = given["factor"] * longer
        inside, outside = standing_lines(
            given["waiting"], given["outside"], factor, longer, room, lined
        )
        part = [
            by / np.maximum(by.sum(axis=1, keepdims=True), 1e-300)
            for by in (given["admitted"], given["lines"])
        ]
        return [inside[:, None] * part[0], outside[:, None] * part[1]]

    own = [weights.number_waiting, weights.number_outside]
    return row_pullback(outputs, inputs, list(inputs), own)


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
        return _mixture(point, point.flows.done, changed)[:2]

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
