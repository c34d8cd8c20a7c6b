"""The relations between the numbers of a fixed point of blocking, each with its slopes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels import adjoint_stations as st
from flownet.kernels.adjoint import STEP
from flownet.kernels.adjoint_blocking_pairs import add_pairs
from flownet.kernels.adjoint_blocking_point import Point
from flownet.kernels.adjoint_system import Relations
from flownet.kernels.blocking_compressed_flows import with_times
from flownet.kernels.blocking_compressed_inputs import (
    Ahead,
    Lines,
    State,
    alone,
    beside,
    look_ahead,
    nothing_ahead,
)
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers

FIGURES = (
    "busy", "waiting", "blocked", "outside", "vacant", "inflow", "found_full", "wait", "number",
    "variance", "smoothing", "coming", "first", "queue", "bunching",
    "served",
)  # fmt: skip


STAGES = (
    ("inside", "done"),
    ("total", "admitted", "flow", "work", "scv", "passes"),
    ("chance", "free", "lost", "base", "into"),
    ("room",),
    ("held", "wait", *(name for name in FIGURES if name != "wait")),
    ("fall", "share", "alone", "beside", "leaning"),
)
"""A sweep: flows from upstream to downstream, then chains from downstream to upstream."""


class Slopes(NamedTuple):
    """How the chains answer what they are made of; see `station_slopes`."""

    own: Floats
    pair: Floats
    other: Floats
    ahead: Ahead
    near: Integers
    """(k,) the service whose chain answers ..."""
    link: Integers
    """(k,) ... another pair of its upper service."""


def slopes_of_stations(point: Point) -> Slopes:
    """Return how every chain answers its own inputs, by small differences of each."""
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
    ahead = nothing_ahead(n)
    lines = Lines(state.met, state.first, state.queue, state.bunching)
    for j in range(n):
        look_ahead(given, state.wait, lines, ahead, j)
    st.station_slopes(given, state, point.settled.held.copy(), ahead, own, by_pair, other)
    return Slopes(own, by_pair, other, ahead, down[pair[others]], link[others])


def relations_of(point: Point, slopes: Slopes) -> Relations:
    """Return all relations between the numbers of the fixed point."""
    n, classes = point.flows.done.shape
    p = point.layout.upper.size
    by_service = ("work", "scv", "passes", "base", "held", "free", "lost", "admitted", "room",
                  "total", "into", "meets", "onward", "mine", "same",
                  "others", "lean")  # fmt: skip
    by_pair = ("flow", "chance", "fall", "share", "alone", "beside", "leaning")
    sizes = {"inside": n * classes, "done": n * classes}
    sizes |= dict.fromkeys(by_service, n) | dict.fromkeys(by_pair, p)
    relations = Relations(sizes | dict.fromkeys(FIGURES, n))
    _add_flows(relations, point)
    _add_mixture(relations, point)
    _add_holding(relations, point)
    _add_ahead(relations, point, slopes.ahead)
    _add_stations(relations, point, slopes)
    add_pairs(relations, point)
    relations.order = _swept(relations, point)
    return relations


def _swept(r: Relations, point: Point) -> Integers:
    """Return the places of the unknowns in the order in which a sweep finds them."""
    n, classes = point.flows.done.shape
    rank = np.empty(n, dtype=np.int64)
    rank[point.layout.order] = np.arange(n)
    keys = np.zeros((3, r.size), dtype=np.int64)
    for number, names in enumerate(STAGES):
        for within, name in enumerate(names):
            part = slice(r.first[name], r.first[name] + r.sizes[name])
            keys[:, part] = np.array([[within], [0], [number]])
            if number == 0:
                keys[1, part] = -np.repeat(rank, classes)
            elif r.sizes[name] == n:
                keys[1, part] = rank
    return np.lexsort(keys)


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


def mixture(point: Point, done: Floats, compiled: CompiledNetwork) -> list[Floats]:
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
        above, below = (mixture(point, each, point.compiled) for each in (high, low))
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


def _add_ahead(r: Relations, point: Point, ahead: Ahead) -> None:
    """Add how often servers are blocked, and for how many services."""
    flows, layout, state = point.flows, point.layout, point.state
    services, pairs = np.arange(state.wait.size), np.arange(layout.upper.size)
    up, down, passes = layout.upper, layout.lower, flows.passes
    share = flows.pair / point.given.inflow[down]
    found = zip(state.met[down], state.first[down], share, strict=True)
    lines = zip(state.queue[down], state.bunching[down], share, strict=True)
    unseen = np.array([alone(*each) for each in found])
    others = np.array([beside(*each) for each in lines]).reshape(-1, 2)
    r.add("meets", up, "chance", pairs, unseen / passes[up])
    r.add("meets", up, "alone", pairs, flows.chance / passes[up])
    r.add("meets", services, "passes", services, -ahead.meets / passes)
    chance, wait = flows.chance, state.wait[down]
    part = chance * wait
    every = np.bincount(up, weights=part, minlength=services.size)
    some = every[up] > 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = np.bincount(up, weights=part**2, minlength=services.size)[up]
        waiting = np.bincount(up, weights=chance * part, minlength=services.size)[up]
        by_chance = 2.0 * part / waiting + wait / every[up] - 2.0 * part * wait / squares
        by_wait = chance**2 / waiting + chance / every[up] - 2.0 * part * chance / squares
        onward = ahead.onward[up]
    r.add("onward", up, "chance", pairs, np.where(some, onward * by_chance, 0.0))
    r.add("onward", up, "wait", down, np.where(some, onward * by_wait, 0.0))
    r.add("onward", services, "passes", services, -ahead.onward / passes)
    weight = np.divide(1.0, every[up], out=np.zeros_like(part), where=some)
    means = {"mine": ("share", share, ahead.mine), "others": ("beside", others[:, 0], ahead.others),
             "lean": ("leaning", others[:, 1], ahead.lean)}  # fmt: skip
    for name, (of, values, mean) in means.items():
        differs = (values - mean[up]) * weight
        r.add(name, up, of, pairs, part * weight)
        r.add(name, up, "chance", pairs, differs * wait)
        r.add(name, up, "wait", down, differs * chance)
    slope = 2.0 * (part / np.maximum(every[up], 1e-300) - ahead.same[up])
    slope = np.divide(slope, every[up], out=np.zeros_like(slope), where=some)
    r.add("same", up, "chance", pairs, slope * state.wait[down])
    r.add("same", up, "wait", down, slope * flows.chance)


OWN = (
    "held", "base", "passes", "total", "work", "scv", "free", "lost", "admitted", "wait",
    "meets", "onward", "mine", "same", "others", "lean",
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
