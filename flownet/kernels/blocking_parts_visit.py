"""A part of a network with blocking is visited: it hears the others, settles, and tells them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from flownet.kernels.blocking_compressed_flows import Layout
from flownet.kernels.blocking_parts import Piece, Streams, Tables, rates_of, read_tables
from flownet.kernels.blocking_parts_chain import (
    blocking,
    closed,
    coming,
    elasticity,
    event_rates,
    relax,
)
from flownet.kernels.blocking_parts_plan import Graph
from flownet.kernels.compiled import Floats

INNER = 30
"""Gauss-Seidel sweeps at most each time that a part is visited."""
MOST_FACTORED = 2_500
"""States of a part that is solved by factors where these sweeps do not settle it."""
SMALLEST_SCALE, LARGEST_SCALE = 0.05, 20.0
"""Of the streams that other parts say that they send."""


class Pace(NamedTuple):
    """How much of each step is taken: 1 all of it."""

    accepted: float
    """Of the shares that are let in and served, in logarithms."""
    scale: float
    """Of the scales of the streams, in logarithms."""
    tables: float
    growth: float
    """Least growth of a stream with its scale, as taken: 1 for steps as if all could enter, less
    for those of Newton where few can, whose scale would jump else."""


def visit(
    piece: Piece, graph: Graph, tables: Tables, streams: Streams, layout: Layout, pace: Pace,
    enough: float,
) -> float:  # fmt: skip
    """Solve one part with what the others say, and say what it says; return what would change.

    The streams that come are scaled to the flows of the traffic equations.
    """
    part, space, before = piece.part, piece.space, piece.p.copy()
    rate = rates_of(part, streams, layout)
    rates = event_rates(space, rate, read_tables(piece, tables, streams))
    last = _settle(piece, rates, enough)
    change = float(np.abs(piece.p - before).sum()) / pace.tables
    if last > enough:  # not at rest: it may swing and look the same after each visit
        change = max(change, last)
    change = max(change, _scale(piece, rates, streams, pace))
    weight = closed(space, rates, piece.close)
    for task in piece.tasks:
        a, k, key = task.key[0], task.route, task.key
        if task.most < 0:
            flow, tables.share[a] = coming(part, space, rate, piece.p, k, task.digits)
            tables.flow[key] = _towards(tables.flow[key], flow, pace.tables)
            continue
        speed = float(streams.leaves[graph.end[a]] * part.servers[part.end[k]])
        heard = blocking(part, space, weight, rate, piece.p, k, task.digits, task.most, speed)
        tables.meets[key] = _towards(tables.meets[key], heard[0], pace.tables)
        tables.released[key] = _towards(tables.released[key], heard[1], pace.tables)
        if not key[1]:
            tables.held[a] = _towards(tables.held[a], heard[2], pace.tables)
        tables.share[a], tables.wait[a] = heard[3:]
    return change


def _settle(piece: Piece, rates: Floats, enough: float) -> float:
    """Improve the steady state of a part, and return how much the last step changed."""
    part, space = piece.part, piece.space
    last, _ = relax(part, space, rates, piece.close, piece.p, INNER, enough)
    states = piece.p.size
    if last <= enough or states > MOST_FACTORED:
        return float(last)
    weight = closed(space, rates, piece.close)
    flows = sp.coo_array((weight, (space.source, space.target)), shape=(states, states)).tocsr()
    piece.p = piece.steady.of((flows - sp.diags_array(flows.sum(axis=1))).tocsr(), piece.p)
    return float(relax(part, space, rates, piece.close, piece.p, 1, enough)[0])


def _scale(piece: Piece, rates: Floats, streams: Streams, pace: Pace) -> float:
    """Bring the streams that come nearer to the flows, and return how much they should change."""
    change = 0.0
    for number, (keys, events, target, _) in enumerate(piece.inlets):
        wanted = sum(streams.flow[a] for a, _ in keys)
        actual = float(rates[events] @ piece.p[piece.space.source[events]])
        grows = pace.growth
        if grows < 1.0:
            grows = max(elasticity(piece.space, target, rates, piece.p, events), grows)
        step = (wanted / max(actual, 1e-300)) ** (1.0 / grows)
        step = np.clip(step, 0.5, 2.0)
        before = piece.scale[number]
        change = max(change, abs(np.clip(before * step, SMALLEST_SCALE, LARGEST_SCALE) - before))
        piece.scale[number] = np.clip(before * step**pace.scale, SMALLEST_SCALE, LARGEST_SCALE)
    return change


def _towards(before: Floats, after: Floats, pace: float) -> Floats:
    """Return a table part of the way from one to another."""
    return after if pace == 1.0 else before + pace * (after - before)
