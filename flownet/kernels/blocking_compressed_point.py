"""The fixed point of the compressed mode as one vector in which steps of like size mean alike."""

from __future__ import annotations

import numpy as np

from flownet.kernels.blocking_compressed_flows import Accepted, Layout
from flownet.kernels.blocking_compressed_inputs import LONGEST_WAIT, SMALLEST, State
from flownet.kernels.compiled import Floats

MOST_WAITING = 30.0
"""Logarithm of the longest queue; the most that it bunches."""


class Coordinates:
    """Logarithms of waits (by stays) and of shares admitted and served; chances, falls."""

    def __init__(self, layout: Layout) -> None:
        self.services, pairs = layout.stay.size, layout.upper.size
        self.stay = layout.stay
        self.size = 7 * self.services + pairs
        self.lowest = np.zeros(self.size)
        self.highest = np.ones(self.size)
        self.highest[: self.services] = np.log1p(LONGEST_WAIT)
        lines = slice(5 * self.services, 7 * self.services)
        self.lowest[lines], self.highest[lines] = -1.0, MOST_WAITING
        shares = slice(self.services, 3 * self.services)
        self.lowest[shares], self.highest[shares] = np.log(SMALLEST), 0.0

    def within(self, vector: Floats) -> Floats:
        """Return the nearest vector that means something."""
        return np.minimum(np.maximum(vector, self.lowest), self.highest)

    def begin(self, rest: Floats | None) -> tuple[Floats, Floats, Floats | None]:
        """Return point, drives and slopes (None where there are none) to begin with."""
        size, n = self.size, self.services
        fits = rest is not None and rest.size in {size + 2 * n, size + 2 * n + size * size}
        if rest is None or not fits or not np.isfinite(rest).all():
            return np.zeros(size), np.zeros(2 * n), None
        first = size + 2 * n
        inverse = rest[first:].reshape(size, size) if rest.size > first else None
        return self.within(rest[:size]), rest[size:first], inverse

    def packed(self, accepted: Accepted, state: State) -> Floats:
        """Return the vector."""
        n, vector = self.services, np.empty(self.size)
        vector[:n] = np.log1p(state.wait / self.stay)
        vector[n : 2 * n] = np.log(np.maximum(accepted.accept, SMALLEST))
        vector[2 * n : 3 * n] = np.log(np.maximum(accepted.served, SMALLEST))
        vector[3 * n : 4 * n], vector[4 * n : 5 * n] = state.met, state.first
        vector[5 * n : 6 * n], vector[6 * n : 7 * n] = np.log1p(state.queue), state.bunching
        vector[7 * n :] = state.fall
        return vector

    def unpacked(self, vector: Floats, drive: Floats) -> tuple[Accepted, State]:
        """Return what a vector within its bounds stands for."""
        n = self.services
        shares = np.exp(vector[n : 3 * n])
        state = State(
            np.expm1(vector[:n]) * self.stay,
            vector[7 * n :],
            vector[3 * n : 4 * n],
            vector[4 * n : 5 * n],
            np.expm1(np.maximum(vector[5 * n : 6 * n], 0.0)),
            vector[6 * n : 7 * n],
            drive[n:],
            drive[:n],
        )
        return Accepted(shares[:n], shares[n:]), state
