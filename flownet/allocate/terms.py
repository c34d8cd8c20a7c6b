"""Terms of an allocation beyond money and bounds, as arrays: what a plan must keep to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from flownet.kernels.compiled import Floats


class Sum(NamedTuple):
    """A weighted sum of servers within limits: a budget of staff or space, or a group."""

    name: str
    use: Floats
    """(n,) how much one server uses."""
    low: float
    high: float


class Target(NamedTuple):
    """A level that a measure of a service may not exceed."""

    service: int
    measure: str
    levels: tuple[tuple[float, float], ...]
    """(servers, level): from so many servers on, this level."""

    def level(self, servers: float) -> float:
        """Return the level at a number of servers."""
        below = [level for size, level in self.levels if size <= servers]
        return below[-1] if below else self.levels[0][1]


class Within(NamedTuple):
    """A share of the jobs that must have left within a time of their admission."""

    time: float
    share: float
    job_class: str | None


class Protection(NamedTuple):
    """An organisation whose delay may not rise by more than a margin."""

    organisation: str
    members: tuple[int, ...]
    margin: float
    """In jobs delayed."""


@dataclass(frozen=True, eq=False)
class Terms:
    """What an allocation must keep to, beyond bounds and money.

    Attributes
    ----------
    resources, groups : tuple of Sum
        Budgets of staff, space or anything else; groups of services with a least or a most.
    max_changed : int, optional
        The most services whose servers may differ from the present.
    opening, closing : numpy.ndarray
        (n,) money per T where servers are added, taken away, however many.
    shift : numpy.ndarray
        (n,) servers change by multiples of this; 1 for single servers.
    protect : tuple of Protection
        Organisations and by how much their delay may rise.
    targets : tuple of Target
        Levels by service.
    within : tuple of Within
        Targets of the whole journey.
    """

    resources: tuple[Sum, ...]
    groups: tuple[Sum, ...]
    max_changed: int | None
    opening: Floats
    closing: Floats
    shift: Floats
    protect: tuple[Protection, ...] = ()
    targets: tuple[Target, ...] = ()
    within: tuple[Within, ...] = ()

    @property
    def lumpy(self) -> bool:
        """Whether any term needs whole servers."""
        fixed = (self.opening > 0).any() or (self.closing > 0).any() or (self.shift != 1).any()
        return self.max_changed is not None or bool(fixed)

    def fixed(self, change: Floats) -> float:
        """Return the fixed costs of a change (n,) of the servers."""
        up, down = change > 1e-6, change < -1e-6
        return float(self.opening[up].sum() + self.closing[down].sum())

    def broken(self, servers: Floats, now: Floats) -> float:
        """Return by how much servers break these terms (targets and organisations apart)."""
        limited = np.isfinite(now)
        change = np.where(limited, servers - np.where(limited, now, 0.0), 0.0)
        counted = np.where(limited, servers, 0.0)
        total = 0.0
        for each in (*self.resources, *self.groups):
            used = float((each.use * counted).sum())
            size = 1e-9 * max(1.0, abs(used))
            total += max(0.0, each.low - used - size) + max(0.0, used - each.high - size)
        steps = change / self.shift
        total += float(np.abs(steps - np.round(steps)).sum()) if (self.shift != 1).any() else 0.0
        if self.max_changed is not None:
            total += max(0, int((np.abs(change) > 1e-6).sum()) - self.max_changed)
        return total


def no_terms(count: int) -> Terms:
    """Return terms that ask for nothing."""
    return Terms((), (), None, np.zeros(count), np.zeros(count), np.ones(count))
