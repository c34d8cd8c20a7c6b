"""The fixed point of blocking, compressed, with all that its derivatives are made of."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed import settle
from flownet.kernels.blocking_compressed_flows import Accepted, Flows, Layout, lay_out
from flownet.kernels.blocking_compressed_inputs import Given, State, gather
from flownet.kernels.blocking_compressed_measures import Settled, to_measures
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_compressed_streams import falls
from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    WAIT_OUTSIDE,
    CompiledNetwork,
    Floats,
    Measures,
)

SAME = 1e-6
"""The measures are those of this fixed point where they differ by no more, relatively."""

SHARP = 1e-12


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


def point_of(compiled: CompiledNetwork, measures: Measures) -> Point | None:
    """Return the fixed point, if it is the one that the measures come from."""
    layout = lay_out(compiled)
    settled, standing = settle(compiled, layout, SHARP, 1000, measures.rest)
    if standing[0] != 0:
        return None
    again = to_measures(compiled, layout, settled, standing)
    for name in ("number_waiting", "number_blocked", "number_outside", "throughput"):
        here, there = getattr(again, name), getattr(measures, name)
        if np.abs(here - there).max() > SAME * max(1.0, float(np.abs(there).max())):
            return None
    flows, chains = settled.flows, settled.chains
    fall = falls(layout, flows, chains)
    state = State(
        chains.wait.copy(), fall, chains.found_full.copy(), chains.first.copy(),
        chains.queue.copy(), chains.bunching.copy(), chains.fast, chains.drive,
    )  # fmt: skip
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
