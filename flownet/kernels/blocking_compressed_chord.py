"""Newton's method for a fixed point from known slopes, corrected by what each step shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from flownet.kernels.compiled import Floats

RADIUS = 1.0
"""No coordinate changes by more in a step, and by less for a while where steps lead astray."""
PATIENCE = 10
"""Steps without a new least residual after which the slopes are of no use."""
STEP = 1e-6


class Chord:
    r"""The next point by Newton's method; Broyden's update keeps the slopes.

    With :math:`B` the inverse of one minus the slopes of the map, s a step and y what it did to
    the distance between point and image,

    .. math:: B \leftarrow B + \frac{(s - B y)\, s^T B}{s^T B y}

    References
    ----------
    Broyden (1965), Math. Comput. 19, 577-593 (his first method).
    """

    noise = 1e-5
    """Images need to be no better than this part of what the last step changed."""

    def __init__(self, inverse: Floats) -> None:
        self.start = inverse
        self.left: list[Floats] = []
        self.right: list[Floats] = []
        """What Broyden's updates have added: products of these, pair by pair."""
        self.least, self.since = np.inf, 0
        self.last, self.radius = np.inf, RADIUS
        self.before: tuple[Floats, Floats] | None = None

    @property
    def inverse(self) -> Floats:
        """B as it is now."""
        if not self.left:
            return self.start
        return np.asarray(self.start + np.stack(self.left, axis=1) @ np.stack(self.right))

    def lost(self, residual: float) -> bool:
        """Tell whether the steps have stopped to come nearer."""
        self.radius = min(2.0 * self.radius, RADIUS) if residual < self.last else self.radius / 2.0
        self.last = residual
        self.since = 0 if residual < self.least else self.since + 1
        self.least = min(self.least, residual)
        return self.since >= PATIENCE

    def step(self, point: Floats, image: Floats) -> Floats:
        """Return the next point, from the last one and its image."""
        error = image - point
        step = self.start @ error
        for left, right in zip(self.left, self.right, strict=True):
            step += left * float(right @ error)
        if self.before is not None:
            moved, shown = point - self.before[0], self.before[1] - step
            along = float(moved @ shown)
            if abs(along) > 1e-3 * float(moved @ moved):
                row = moved @ self.start
                for left, right in zip(self.left, self.right, strict=True):
                    row += right * float(moved @ left)
                self.left.append((moved - shown) / along)
                self.right.append(row)
                step = step + self.left[-1] * float(row @ error)
        self.before = point, step
        longest = float(np.abs(step).max())
        return np.asarray(point + step * min(1.0, self.radius / max(longest, 1e-300)))


def inverse_slopes(
    image: Callable[[Floats], Floats], point: Floats, lowest: Floats, highest: Floats
) -> Floats | None:
    """Return the inverse of one minus the slopes of a map, None where it has none."""
    there = image(point)
    slopes = np.empty((point.size, point.size))
    for k in range(point.size):
        step = STEP if point[k] + STEP <= highest[k] or point[k] - STEP < lowest[k] else -STEP
        near = point.copy()
        near[k] += step
        slopes[:, k] = (image(near) - there) / step
    try:
        inverse: Floats = np.asarray(np.linalg.inv(np.eye(point.size) - slopes), np.float64)
    except np.linalg.LinAlgError:
        return None
    return inverse if np.isfinite(inverse).all() else None
