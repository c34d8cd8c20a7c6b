"""How well the chains of a sweep have to be solved, and which of them at all."""

from __future__ import annotations

import numpy as np

from flownet.kernels.blocking_compressed_flows import Layout
from flownet.kernels.blocking_compressed_inputs import MATCHED
from flownet.kernels.blocking_compressed_sweep import nothing_kept
from flownet.kernels.compiled import Floats

FINE, SLIGHT, STILL = 0.02, 0.1, 0.3
"""Parts of the tolerance: to which chains are solved that are kept; by which what they are made of
may change before they are solved again; and by which a number may be off that stays as it is."""
SOME, MANY = 0.1, 0.5
"""Chains are kept from when only some of the fixed point still moves, until many are solved."""


class Care:
    """Chains that stand still are kept where services are many, and a few of them move.

    That is near the end, and where the search starts from the fixed point of a network of which
    little has changed. Elsewhere each sweep solves all, no better than the search for the fixed
    point needs.
    """

    def __init__(self, layout: Layout, tolerance: float, *, many: bool, near: bool) -> None:
        self.kept = nothing_kept(layout)
        self.tolerance, self.fine = tolerance, max(FINE * tolerance, MATCHED)
        self.chained = int(layout.chained.sum())
        self.many, self.keeps, self.begun = many, many and near, False
        self.matched = np.inf

    def how(self, noise: float, residual: float) -> tuple[float, float]:
        """Return how well inflows are to agree, and how slight a change is none; see `sweep`.

        An image needs to be no better than a part `noise` of the last residual.
        """
        if self.keeps:
            self.matched = self.fine
            return self.matched, SLIGHT * self.tolerance
        self.matched = max(noise * min(residual, 1.0), self.fine)
        return self.matched, 0.0

    def learn(self, error: Floats, solved: int) -> None:
        """Decide on the next sweep, from what the last one changed and how many it solved."""
        if self.keeps:
            first, self.begun = not self.begun, True  # nothing could be kept before
            self.keeps = first or solved <= MANY * self.chained
        else:
            self.begun = False
            self.keeps = self.many and float((error > self.tolerance).mean()) <= SOME

    def moved(self, point: Floats, image: Floats) -> Floats:
        """Return the image; where chains are kept, as the point wherever they hardly differ."""
        if not self.keeps:
            return image
        return np.where(np.abs(image - point) > STILL * self.tolerance, image, point)

    def sure(self, solved: int) -> bool:
        """Tell whether all chains were solved, and well; if not, they will be in the next sweep."""
        if self.matched > self.fine:
            return False
        if not self.keeps or solved == self.chained:
            return True
        self.kept.matched[:] = np.inf
        return False
