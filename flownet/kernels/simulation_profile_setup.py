"""The profile of a cycle in the simulator's memory, and what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import Floats
from flownet.kernels.simulation_profile import gather, plan_tick
from flownet.kernels.simulation_words import handle

if TYPE_CHECKING:
    from flownet.kernels.simulation_setup import Memory


class Profile(NamedTuple):
    """A cycle in steps of equal length, from time 0 on."""

    steps: int
    width: float
    """T, the length of a step."""


def profile_words(profile: Profile | None, services: int) -> int:
    """Return how many words it takes."""
    if profile is None:
        return 0
    return at.PROFILE_WORDS + profile.steps + (profile.steps + 1) * services * at.CELLS


def begin_profile(m: Memory, profile: Profile) -> None:
    """Write the empty profile and plan the end of its first step."""
    n, width, _ = m.counts
    first, q = m.profile, m.q
    q[first + at.KIND] = at.TICK
    q[first + at.PROFILE_STEPS] = profile.steps
    m.f[first + at.PROFILE_WIDTH] = profile.width
    q[first + at.PROFILE_SERVICES], q[first + at.PROFILE_CLASSES] = n, width
    q[first + at.PROFILE_STATES] = m.states
    q[first + at.PROFILE_TIMES] = first + at.PROFILE_WORDS
    q[first + at.PROFILE_CELLS] = first + at.PROFILE_WORDS + profile.steps
    q[first + at.PROFILE_LAST] = m.limits - n * at.CELLS
    plan_tick(handle(q), first)


def cells(m: Memory) -> tuple[Floats, Floats]:
    """Return the time spent in each step (s,), and the sums by step and service (s, n, 6)."""
    n, first = m.counts[0], m.profile
    if m.limits == first:
        return m.f[:0].copy(), m.f[:0].reshape(0, n, at.CELLS).copy()
    gather(handle(m.q), first)
    steps = int(m.q[first + at.PROFILE_STEPS])
    start = first + at.PROFILE_WORDS
    sums = m.f[start + steps : start + steps + steps * n * at.CELLS]
    return m.f[start : start + steps].copy(), sums.reshape(steps, n, at.CELLS).copy()
