"""Anderson's acceleration of a fixed point, with steps that are bounded by what has worked."""

from __future__ import annotations

import numpy as np

from flownet.kernels.compiled import Booleans, Floats

MEMORY = 16
FREE, SOON, FAR = 10, 3, 1.0
"""Sweeps after which steps are short and damped until the fixed point is near; and sooner, where
the residual is still so large."""
NEAR = 0.1
RADIUS = 2.0
CAREFUL_RADIUS, LEAST_RADIUS = 0.3, 0.03
CAREFUL_DAMPING, LEAST_DAMPING = 0.3, 0.02
SLOWER, FASTER = 0.7, 1.15
"""By how much the damping of a coordinate changes that swings, and of one that does not."""
NARROWER, WIDER = 0.5, 1.4
"""The same of its longest step."""
AT_EASE, EASY_DAMPING = 0.5, 0.5
"""Where the residual is this part of what counts as near, acceleration sees to what swings: no
coordinate is damped more."""


class Mixing:
    """The next point of a fixed-point iteration, from all that was seen.

    No coordinate changes by more than a radius, which grows while the residual falls and shrinks
    when it rises. Where that does not settle soon, steps are damped, each coordinate has a radius
    of its own, both smaller as long as it swings, and acceleration waits until the residual is
    small.

    References
    ----------
    Anderson (1965), J. ACM 12, 547-560; Walker and Ni (2011), SIAM J. Numer. Anal. 49, 1715.
    """

    noise = 1e-3
    """Images need to be no better than this part of what the last step changed."""

    def __init__(self, size: int) -> None:
        self.moved, self.changed = np.empty((MEMORY - 1, size)), np.empty((MEMORY - 1, size))
        """What the last steps were, and what they did to the distance of point and image."""
        self.gram = np.zeros((MEMORY - 1, MEMORY - 1))
        self.kept, self.slot = 0, 0
        self.seen: tuple[Floats, Floats] | None = None
        self.last = np.inf
        self.best = np.inf
        self.radius = np.full(size, RADIUS)
        self.damping = np.ones(size)
        self.before = np.zeros(size)
        self.steps, self.free = 0, True
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
            weights = np.linalg.solve(gram, _products(changed, error))
            step -= np.einsum("k,ki->i", weights, moved)
            step -= self.damping * np.einsum("k,ki->i", weights, changed)
        return np.asarray(point + np.clip(step, -self.radius, self.radius))

    def _remember(self, point: Floats, error: Floats) -> None:
        """Keep the last step, and its products with those kept, in place of the oldest."""
        if self.seen is not None:
            slot = self.slot
            np.subtract(point, self.seen[0], out=self.moved[slot])
            np.subtract(error, self.seen[1], out=self.changed[slot])
            self.kept = max(self.kept, slot + 1)
            products = _products(self.changed[: self.kept], self.changed[slot])
            self.gram[slot, : self.kept] = self.gram[: self.kept, slot] = products
            self.slot = (slot + 1) % (MEMORY - 1)
        self.seen = point, error

    def _judge(self, residual: float, error: Floats) -> None:
        """Adapt radius and damping, and forget what does not help."""
        self.steps += 1
        if self.free and (self.steps > FREE or (self.steps > SOON and residual > FAR)):
            self.free = False
            self.damping[:] = CAREFUL_DAMPING
            self.radius[:], self.best = CAREFUL_RADIUS, np.inf
            self._forget()
        if not self.free:
            self._careful(residual, error * self.before < 0.0)
        elif residual > 1.5 * self.last:
            self.radius = np.maximum(self.radius / 2, CAREFUL_RADIUS)
        elif residual < self.last:
            self.radius *= 1.5
        self.last, self.before = residual, error

    def _careful(self, residual: float, swings: Booleans) -> None:
        least = EASY_DAMPING if residual < AT_EASE * self.near else LEAST_DAMPING
        self.damping = np.clip(self.damping * np.where(swings, SLOWER, FASTER), least, 1.0)
        radius = self.radius * np.where(swings, NARROWER, WIDER)
        self.radius = np.clip(radius, LEAST_RADIUS, RADIUS)
        self.best = min(self.best, residual)
        if residual > self.near:
            self._forget()
        elif residual > 30 * self.best:
            self.near, self.best = max(self.near / 3, 1e-5), residual
            self._forget()

    def _forget(self) -> None:
        self.kept, self.slot, self.seen = 0, 0, None


def _products(rows: Floats, vector: Floats) -> Floats:
    """Return the products of rows and a vector: without threads, which take longer to wake up."""
    return np.asarray(np.einsum("ki,i->k", rows, vector))
