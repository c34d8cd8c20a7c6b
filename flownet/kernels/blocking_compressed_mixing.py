"""Anderson's acceleration of a fixed point, kept in check by damped steps."""

from __future__ import annotations

import numpy as np

from flownet.kernels.compiled import Floats

MEMORY = 8
STALLED = 30
"""Sweeps without a new best residual after which the steps are damped further."""
PATIENCE = 300
"""Sweeps after which plain damped steps take over where acceleration does not settle."""


class Mixing:
    """The next point of a fixed-point iteration, from all that was seen.

    References
    ----------
    Anderson (1965), J. ACM 12, 547-560; Walker and Ni (2011), SIAM J. Numer. Anal. 49, 1715.
    """

    def __init__(self, size: int) -> None:
        self.points = np.zeros((0, size))
        self.errors = np.zeros((0, size))
        self.best = np.inf
        self.damping = 1.0
        self.stalled = 0
        self.steps = 0

    def step(self, point: Floats, image: Floats, residual: float) -> Floats:
        """Return the next point, from the last one and its image."""
        error = image - point
        self.steps += 1
        self.stalled += 1
        if residual < 0.9 * self.best:
            self.best, self.stalled = residual, 0
        if self.stalled > STALLED or self.steps == PATIENCE:
            self.points, self.errors = self.points[:0], self.errors[:0]
            self.damping, self.stalled = max(self.damping / 2, 0.05), 0
            self.best = residual
        self.points = np.vstack([self.points, point])[-MEMORY:]
        self.errors = np.vstack([self.errors, error])[-MEMORY:]
        plain = point + self.damping * error
        if len(self.points) < 3 or self.steps > PATIENCE:
            return np.asarray(plain)
        moved, changed = np.diff(self.points, axis=0), np.diff(self.errors, axis=0)
        gram = changed @ changed.T
        gram += (1e-14 * np.trace(gram) + 1e-300) * np.eye(len(gram))
        weights = np.linalg.solve(gram, changed @ error)
        return np.asarray(plain - weights @ (moved + self.damping * changed))
