"""What the solved parts of a network with blocking make of its flows, and its measures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed_flows import (
    Accepted,
    Flows,
    Layout,
    solve_class_flows,
)
from flownet.kernels.blocking_compressed_inputs import SMALLEST, Given
from flownet.kernels.blocking_compressed_measures import Settled, to_measures
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_parts import Piece, Streams, Tables
from flownet.kernels.blocking_parts_moves import NONE
from flownet.kernels.blocking_parts_plan import Graph
from flownet.kernels.compiled import Booleans, CompiledNetwork, Floats, Measures

CONVERGED, UNCONVERGED = 0, 1
OVERLOADED = 1.0 - 1e-7
"""Largest ratio of the numbers of a line that does not grow."""


class Problem(NamedTuple):
    """A network taken to parts."""

    compiled: CompiledNetwork
    layout: Layout
    graph: Graph
    pieces: list[Piece]
    order: list[int]
    """Of the parts, those downstream first."""
    of_service: list[int]
    """The part that speaks for each service."""
    saturated: Booleans


class Standing(NamedTuple):
    """Where the fixed point has come to rest."""

    accepted: Accepted
    tables: Tables
    figures: Floats
    """(n, 9) of `figures`."""
    sweeps: int
    residual: float


def accepted_by(
    problem: Problem, accepted: Accepted, seen: Floats, tables: Tables, streams: Streams,
    flows: Flows, given: Given,
) -> Accepted:  # fmt: skip
    """Return the shares that the parts make of the flows."""
    graph, n = problem.graph, seen.shape[0]
    passing = np.where(graph.blocks, 0.0, streams.flow)
    every = np.bincount(graph.end, weights=passing, minlength=n)
    full = np.bincount(graph.end, weights=passing * tables.share, minlength=n)
    lost = np.where(problem.saturated, 0.0, streams.lost)
    with np.errstate(divide="ignore", invalid="ignore"):
        accept = (lost * seen[:, 3] + every - full) / (lost + every)
        patient = 1.0 - problem.layout.giving_up * seen[:, 1] / given.admitted
        working = (seen[:, 0] - seen[:, 7]) * streams.leaves
        carried = accepted.served * working / (flows.done.sum(axis=1) * flows.passes)
    accept = np.where(problem.layout.refusing & (lost + every > 0), accept, 1.0)
    served = np.where(problem.layout.giving_up > 0, patient, 1.0)
    served = np.where(problem.saturated, carried, served)
    served = np.where(np.isfinite(served), served, 1.0)
    return Accepted(np.clip(accept, SMALLEST, 1.0), np.clip(served, SMALLEST, 1.0))


def measures_of(problem: Problem, found: Standing, tolerance: float, rest: Floats) -> Measures:
    """Return the measures of the whole network."""
    compiled, layout, graph = problem.compiled, problem.layout, problem.graph
    flows = solve_class_flows(compiled, layout, found.accepted)
    n = compiled.servers.size
    where = {
        key: a for a, key in enumerate(zip(graph.start.tolist(), graph.end.tolist(), strict=True))
    }
    pairs = zip(layout.upper.tolist(), layout.lower.tolist(), strict=True)
    route = np.array([where.get(pair, NONE) for pair in pairs], dtype=np.int64)
    wait = np.append(found.tables.wait, 0.0)[route]
    share = np.append(found.tables.share, 0.0)[route]
    held, waiting, outside, vacant, full_house, ratio = found.figures[:, :6].T
    waits = _delayed(problem, flows, full_house, vacant, share)
    ratio = np.where(problem.saturated, 1.0, np.minimum(ratio, OVERLOADED))
    nothing = np.zeros(n)
    chains = Chain(
        busy=held, waiting=waiting, blocked=nothing, outside=outside, vacant=vacant,
        inflow=nothing, found_full=nothing, waits=waits, gives_up=layout.giving_up * waiting,
        ratio=ratio, wait=nothing, number=nothing, variance=nothing, smoothing=nothing,
        coming=nothing, drive=nothing, first=nothing, queue=nothing, bunching=nothing,
        fast=nothing, stuck_variance=nothing,
    )  # fmt: skip
    settled = Settled(wait, share, found.figures[:, 8], found.accepted, flows, held, chains, rest)
    status = CONVERGED if found.residual <= tolerance else UNCONVERGED
    standing = (status, found.sweeps, found.residual)
    measures = to_measures(compiled, layout, settled, standing)
    stuck = np.where(compiled.servers > 0, found.figures[:, 6], 0.0)
    return measures._replace(probability_all_blocked=stuck)


def _delayed(
    problem: Problem, flows: Flows, full_house: Floats, vacant: Floats, share: Floats
) -> Floats:
    """Return by service the share of those admitted that do not begin at once.

    All who waited for their place do, where there is a waiting room; the others where all servers
    are held while there is a free place, seen as at any time (exact for Poisson arrivals).
    """
    layout, n = problem.layout, vacant.size
    busy = np.where(layout.finite, full_house - (1.0 - vacant), full_house)
    direct = np.where(vacant > 0.0, busy / np.maximum(vacant, 1e-300), 1.0)
    full = np.where(layout.finite, 1.0 - vacant, 0.0)
    met = np.append(share, 0.0)[layout.pair]
    came_late = np.where(layout.blocks, met, np.where(layout.transit, full[layout.end], 0.0))
    late = np.bincount(layout.end, weights=flows.route * came_late, minlength=n)
    late = late + np.where(layout.waits, flows.external.sum(axis=1) * full, 0.0)
    admitted = flows.admitted.sum(axis=1)
    late = np.clip(np.divide(late, admitted, out=np.zeros(n), where=admitted > 0.0), 0.0, 1.0)
    return np.asarray(late + (1.0 - late) * np.clip(direct, 0.0, 1.0))
