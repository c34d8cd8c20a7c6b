"""Anderson's acceleration of a fixed point, with steps that are bounded by what has worked."""

from __future__ import annotations

import numpy as np

from flownet.kernels.compiled import Floats

MEMORY = 16
FREE = 10
"""Sweeps after which short, damped steps are taken until the fixed point is near."""
NEAR = 0.1
RADIUS, CAREFUL_RADIUS = 2.0, 0.3
CAREFUL_DAMPING, LEAST_DAMPING = 0.3, 0.02
SLOWER, FASTER = 0.7, 1.15
"""By how much the damping of a coordinate changes that swings, and of one that does not."""


class Mixing:
    """The next point of a fixed-point iteration, from all that was seen.

    No step is longer than a radius (largest coordinate), which grows while the residual falls and
    shrinks when it rises. Where that does not settle soon, steps are short and damped, each
    coordinate more as long as it swings, and acceleration waits until the residual is small.

    References
    ----------
    Anderson (1965), J. ACM 12, 547-560; Walker and Ni (2011), SIAM J. Numer. Anal. 49, 1715.
    """

    def __init__(self, size: int) -> None:
        self.moved, self.changed = np.empty((MEMORY - 1, size)), np.empty((MEMORY - 1, size))
        """What the last steps were, and what they did to the distance of point and image."""
        self.gram = np.zeros((MEMORY - 1, MEMORY - 1))
        self.kept, self.slot = 0, 0
        self.seen: tuple[Floats, Floats] | None = None
        self.last = np.inf
        self.best = np.inf
        self.radius = RADIUS
        self.damping = np.ones(size)
        self.before = np.zeros(size)
        self.steps = 0
        self.near = NEAR

    def lost(self, _residual: float) -> bool:
        """Tell whether to try another way: never, there is none."""
        return False

    def step(self, point: Floats, image: Floats) -> Floats:
        """Return the next point, from the last one and its image."""
        error = image - point
        self._judge(float(np.abs(error).max()), error)
        self._remember(point, error)
        step = self.damping * error
        if self.kept >= 2:
            moved, changed = self.moved[: self.kept], self.changed[: self.kept]
            gram = self.gram[: self.kept, : self.kept]
            gram = gram + (1e-14 * np.trace(gram) + 1e-300) * np.eye(self.kept)
            weights = np.linalg.solve(gram, changed @ error)
            step -= weights @ moved
            step -= self.damping * (weights @ changed)
        longest = float(np.abs(step).max())
        return np.asarray(point + step * min(1.0, self.radius / max(longest, 1e-300)))

    def _remember(self, point: Floats, error: Floats) -> None:
        """Keep the last step, and its products with those kept, in place of the oldest."""
        if self.seen is not None:
            slot = self.slot
            np.subtract(point, self.seen[0], out=self.moved[slot])
            np.subtract(error, self.seen[1], out=self.changed[slot])
            self.kept = max(self.kept, slot + 1)
            products = self.changed[: self.kept] @ self.changed[slot]
            self.gram[slot, : self.kept] = self.gram[: self.kept, slot] = products
            self.slot = (slot + 1) % (MEMORY - 1)
        self.seen = point, error

    def _judge(self, residual: float, error: Floats) -> None:
        """Adapt radius and damping, and forget what does not help."""
        self.steps += 1
        if self.steps <= FREE:
            if residual > 1.5 * self.last:
                self.radius = max(self.radius / 2, CAREFUL_RADIUS)
            elif residual < self.last:
                self.radius *= 1.5
        else:
            self._careful(residual, error)
        self.last, self.before = residual, error

    def _careful(self, residual: float, error: Floats) -> None:
        if self.steps == FREE + 1:
            self.damping[:] = CAREFUL_DAMPING
            self.radius, self.best = CAREFUL_RADIUS, np.inf
            self._forget()
        swings = error * self.before < 0.0
        damping = self.damping * np.where(swings, SLOWER, FASTER)
        self.damping = np.clip(damping, LEAST_DAMPING, 1.0)
        self.best = min(self.best, residual)
        if residual > self.near:
            self._forget()
        elif residual > 30 * self.best:
            self.near, self.best = max(self.near / 3, 1e-5), residual
            self._forget()

    def _forget(self) -> None:
        self.kept, self.slot, self.seen = 0, 0, None
