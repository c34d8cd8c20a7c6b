"""Falls and spells of blocking, pair by pair, and how they answer what they are made of."""

from __future__ import annotations

import numpy as np

from flownet.kernels.adjoint import Columns, row_slopes
from flownet.kernels.adjoint_blocking_point import Point
from flownet.kernels.adjoint_system import Relations
from flownet.kernels.blocking_compressed_flows import Flows, Layout
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_compressed_streams import falls, line_factors, spells
from flownet.kernels.compiled import Floats

FINE = 1e-7
"""Relative step for closed formulas of pairs, some of which have a corner where they stand."""


ASKED = (
    "chance", "pair", "passes", "upper busy", "upper coming", "upper variance", "upper smoothing",
    *("lower " + name for name in ("coming", "variance", "number", "inflow", "blocked",
                                   "blocked_variance", "found_full")),
)  # fmt: skip
"""What falls and spells are made of."""


def _apart(point: Point) -> tuple[Layout, Flows, Columns]:
    """Return pairs that share no service, and their figures: upper, lower, or of the pair."""
    layout, flows, chains = point.layout, point.flows, point.chains
    p = layout.upper.size
    figures = {"chance": flows.chance, "pair": flows.pair, "passes": flows.passes[layout.upper]}
    for name in Chain._fields:
        figures["upper " + name] = getattr(chains, name)[layout.upper]
        figures["lower " + name] = getattr(chains, name)[layout.lower]
    return layout._replace(upper=np.arange(p), lower=p + np.arange(p)), flows, figures


def _pair_values(layout: Layout, flows: Flows, inputs: Columns) -> list[Floats]:
    """Return, of pairs apart, the fall, the variance, its speed, and what it adds to a line."""
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


def add_pairs(r: Relations, point: Point) -> None:
    """Add falls and spells, pair by pair, and what they come to at the upper service."""
    layout, flows, inputs = _apart(point)
    up, down = point.layout.upper, point.layout.lower
    pairs = np.arange(up.size)
    slopes = row_slopes(lambda given: _pair_values(layout, flows, given), inputs, ASKED, FINE)
    for name, found in slopes.items():
        side, _, figure = name.rpartition(" ")
        by = {"pair": "flow"}.get(figure, figure)
        at = {"upper": up, "lower": down}.get(side, up if name == "passes" else pairs)
        for block, slope in zip(("fall", "slow", "fast", "long"), found, strict=True):
            r.add(block, pairs, by, at, slope)
    r.add("every", up, "slow", pairs, 1.0)
    r.add("speed", up, "fast", pairs, 1.0)
    _add_standing(r, point, _pair_values(layout, flows, inputs))


def _add_standing(r: Relations, point: Point, now: list[Floats]) -> None:
    """Add how spread the blocked servers of a service are, how slowly that passes, and its line."""
    up, n = point.layout.upper, point.state.wait.size
    services, servers = np.arange(n), point.compiled.servers
    held = point.settled.held

    def summed(values: Floats) -> Floats:
        return np.asarray(np.bincount(up, weights=values, minlength=n), dtype=np.float64)

    stands = {"every": summed(now[1]), "speed": summed(now[2]), "coming": point.chains.coming,
              "variance": point.chains.variance}  # fmt: skip
    slopes = row_slopes(lambda given: _standing(servers, given), stands, list(stands))
    for name, found in slopes.items():
        for block, slope in zip(("deviation", "slowness"), found, strict=True):
            r.add(block, services, name, services, slope)
    factors = line_factors(point.compiled, point.layout, point.flows, held, point.chains)
    rate = np.where(factors > 1.0, servers / held, 0.0)
    r.add("factor", up, "long", np.arange(up.size), rate[up])
    r.add("factor", services, "held", services, -rate * summed(now[3]) / held)


def _standing(servers: Floats, given: dict[str, Floats]) -> list[Floats]:
    """Return deviation and slowness of the number of blocked servers; see `standing_spells`."""
    every, speed = given["every"], given["speed"]
    with np.errstate(divide="ignore", invalid="ignore"):
        turnover = given["coming"] / given["variance"]
        slowness = turnover / (turnover + speed / every)
        deviation = np.minimum(np.sqrt(every) / servers, 1.0)
    return [np.nan_to_num(deviation), np.nan_to_num(slowness)]
