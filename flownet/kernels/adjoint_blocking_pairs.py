"""What streams tell of each other, pair by pair, and how it answers what it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from flownet.kernels.adjoint import Columns, row_slopes
from flownet.kernels.adjoint_blocking_point import Point
from flownet.kernels.adjoint_system import Relations
from flownet.kernels.blocking_compressed_flows import Flows, Layout
from flownet.kernels.blocking_compressed_inputs import alone, beside
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_compressed_streams import falls
from flownet.kernels.compiled import Floats

FINE = 1e-7
"""Relative step for closed formulas of pairs, some of which have a corner where they stand."""


ASKED = (
    "chance", "passes", "share", "upper coming", "upper variance", "upper smoothing",
    *("lower " + name for name in ("coming", "variance", "number", "found_full", "first", "queue",
                                   "bunching")),
)  # fmt: skip
"""What falls, chances to find no place while none waits, and others that wait are made of."""


def _apart(point: Point) -> tuple[Layout, Flows, Columns]:
    """Return pairs that share no service, and their figures: upper, lower, or of the pair."""
    layout, flows, chains = point.layout, point.flows, point.chains
    p, down = layout.upper.size, layout.lower
    figures = {"chance": flows.chance, "passes": flows.passes[layout.upper]}
    figures["share"] = flows.pair / np.maximum(point.given.inflow[down], 1e-300)
    for name in Chain._fields:
        figures["upper " + name] = getattr(chains, name)[layout.upper]
        figures["lower " + name] = getattr(chains, name)[layout.lower]
    return layout._replace(upper=np.arange(p), lower=p + np.arange(p)), flows, figures


def _pair_values(layout: Layout, flows: Flows, inputs: Columns) -> list[Floats]:
    """Return, of pairs apart, the fall, `alone`, and the two of `beside`."""
    both = {
        name: np.concatenate((inputs["upper " + name], inputs["lower " + name]))
        for name in Chain._fields
    }
    mixed = flows._replace(
        chance=inputs["chance"],
        passes=np.concatenate((inputs["passes"], np.ones_like(inputs["passes"]))),
    )
    share = inputs["share"]
    found = inputs["lower found_full"], inputs["lower first"], share
    lines = inputs["lower queue"], inputs["lower bunching"], share
    return [falls(layout, mixed, Chain(**both)), _each(alone, *found), *_each(beside, *lines).T]


def _each(of: Callable[..., Any], *columns: Floats) -> Floats:
    """Return a function of each row."""
    return np.array([of(*row) for row in zip(*columns, strict=True)])


def add_pairs(r: Relations, point: Point) -> None:
    """Add falls, and what jobs meet ahead on each pair: `alone` and `beside`."""
    layout, flows, inputs = _apart(point)
    up, down = point.layout.upper, point.layout.lower
    pairs = np.arange(up.size)
    slopes = row_slopes(lambda given: _pair_values(layout, flows, given), inputs, ASKED, FINE)
    into = np.maximum(point.given.inflow[down], 1e-300)
    for name, found in slopes.items():
        side, _, figure = name.rpartition(" ")
        at = {"upper": up, "lower": down}.get(side, up if name == "passes" else pairs)
        for block, slope in zip(("fall", "alone", "beside", "leaning"), found, strict=True):
            r.add(block, pairs, figure, at, slope)
    r.add("into", down, "flow", pairs, 1.0)
    r.add("share", pairs, "flow", pairs, 1.0 / into)
    r.add("share", pairs, "into", down, -inputs["share"] / into)
