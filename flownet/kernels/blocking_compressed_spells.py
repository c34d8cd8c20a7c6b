"""How fast jobs leave a service of few servers, of which some are blocked now and then.

Where servers are few, a mean says little of those that are blocked: with one server it is none or
all of them. The chain of (jobs here or waiting for here, own servers blocked) follows both. Jobs
come as the birth-death chain of the service has them; what this one gives is how fast they leave by
their number, with which that chain has the same probabilities.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.blocking_compressed_place import Place
from flownet.kernels.compiled import Floats

FEW, FEWER, MANY = 5, 1, 200
"""Servers up to which the number blocked is followed, and the same in networks of more services."""
HARDLY = 1e-9
"""A completion that is blocked so seldom, or for so small a part of a service, does not count."""
FURTHEST = 4.0
"""Factor by which a scale changes at most in a step."""


class Scales(NamedTuple):
    """What makes servers blocked as often, and for as long, as the chains downstream say."""

    often: float
    fast: float


@njit
def counted(place: Place) -> bool:
    """Tell whether the number of blocked servers is followed."""
    few = place.few and place.free <= 0.0 and place.places >= 0
    longer = place.held - place.base
    return bool(few and place.meets > HARDLY and longer > HARDLY * place.base)


@njit
def paces(place: Place, rate: Floats, giving_up: Floats, scales: Scales) -> tuple[Floats, Scales]:
    r"""Return how fast jobs leave by their number, and better scales.

    With n of c servers blocked and x jobs here, :math:`\min(x, c) - n` are at work. Who completes
    is blocked with chance :math:`\varphi_n`; blocked ones are released at rate :math:`\beta_n`:

    .. math::
        \varphi_n = u\,[(1 - s)^n \varphi + (1 - (1 - s)^n)\,q],\qquad
        \beta_n = v\,\frac{\varphi}{S - s_0}\,\frac{1 - (1 - s)^n}{s}

    with s the chance that two blocked servers are blocked for the same service, q that to go where
    one can be blocked: a service that some are blocked for is full, and releases them one by one.
    u and v are to make the mean of :math:`\varphi_n` over completions :math:`\varphi`, and the mean
    time that a job holds a server S.

    Parameters
    ----------
    place : Place
    rate : (x,) array
        At which jobs come, by the number here or waiting for here.
    giving_up : (x,) array
        Rate at which jobs give up, by the same.
    scales : Scales
        u and v.

    Returns
    -------
    pace : (x,) array
        Mean rate of leaving in the steady state of the two-dimensional chain.
    scales : Scales
        u and v with what is amiss taken out once; at the solution they stay as they are.

    References
    ----------
    Neuts (1981), Matrix-Geometric Solutions in Stochastic Models, section 1.5 (levels are
    eliminated from the highest down).
    """
    size = place.servers + 1
    meets, release = np.empty(size), np.empty(size)
    longer = place.held - place.base
    for n in range(size):
        apart = (1.0 - place.same) ** n
        seen = apart * place.meets + (1.0 - apart) * max(place.onward, place.meets)
        meets[n] = min(scales.often * seen, 1.0)
        release[n] = scales.fast * place.meets / longer * (1.0 - apart) / place.same
    climbs = _climbs(place, rate, giving_up, meets, release)
    pace, work, met, stuck = _descend(place, rate, giving_up, meets, release, climbs)
    if work <= 0.0 or met <= 0.0 or stuck <= 0.0:
        return pace, scales
    often = place.meets * work / met
    often = min(max(often, 1.0 / FURTHEST), FURTHEST)
    fast = often * stuck / work * place.base / longer
    fast = min(max(fast, 1.0 / FURTHEST), FURTHEST)
    return pace, Scales(scales.often * often, scales.fast * fast)


@njit
def _climbs(
    place: Place, rate: Floats, giving_up: Floats, meets: Floats, release: Floats
) -> Floats:
    """Return by level x the matrix that makes its probabilities from those below, over the rate.

    It is the inverse of what leaves the states of a level, less what comes back to them before the
    level is left downwards.
    """
    top, c, size = rate.size - 1, place.servers, meets.size
    climbs = np.zeros((top + 1, size, size))
    for x in range(top, 0, -1):
        most, leaves = min(x, c), climbs[x]
        for n in range(most + 1):
            work = (most - n) / place.base
            leaves[n, n] = work + release[n] + giving_up[x]
            if n < most:
                leaves[n, n + 1] -= work * meets[n]
        if x < top:
            high = min(x + 1, c)
            for i in range(most + 1):
                leaves[i, i] += rate[x]
                for n in range(high + 1):
                    flow = rate[x] * climbs[x + 1, i, n]
                    if n <= most:
                        done = (high - n) / place.base * (1.0 - meets[n])
                        leaves[i, n] -= flow * (done + giving_up[x + 1])
                    if n > 0:
                        leaves[i, n - 1] -= flow * release[n]
        _invert(leaves, most + 1)
    return climbs


@njit
def _descend(
    place: Place, rate: Floats, giving_up: Floats, meets: Floats, release: Floats, climbs: Floats
) -> tuple[Floats, float, float, float]:
    """Return the paces, and in one proportion the mean servers at work, blocking and blocked.

    Blocking is the mean of servers at work times their chance to be blocked.
    """
    c, size = place.servers, meets.size
    pace, now, last = np.zeros(rate.size), np.zeros(size), np.zeros(size)
    now[0] = 1.0
    p, work, met, stuck = 1.0, 0.0, 0.0, 0.0
    for x in range(1, rate.size):
        most, before, every = min(x, c), min(x - 1, c), 0.0
        last[:] = now
        for n in range(most + 1):
            now[n] = 0.0
            for i in range(before + 1):
                now[n] += last[i] * climbs[x, i, n]
            every += now[n]
        pace[x] = giving_up[x]
        for n in range(most + 1):
            now[n] /= every
            pace[x] += now[n] * ((most - n) / place.base * (1.0 - meets[n]) + release[n])
        p *= rate[x - 1] / pace[x]
        if p > 1e200:
            p, work, met, stuck = p * 1e-200, work * 1e-200, met * 1e-200, stuck * 1e-200
        for n in range(most + 1):
            work += p * now[n] * (most - n)
            met += p * now[n] * (most - n) * meets[n]
            stuck += p * now[n] * n
    return pace, work, met, stuck


@njit
def _invert(matrix: Floats, size: int) -> None:
    """Invert the leading part in its place; diagonally dominant, so that no pivots are sought."""
    for k in range(size):
        scale = 1.0 / matrix[k, k]
        matrix[k, k] = 1.0
        for j in range(size):
            matrix[k, j] *= scale
        for i in range(size):
            if i == k:
                continue
            part = matrix[i, k]
            matrix[i, k] = 0.0
            for j in range(size):
                matrix[i, j] -= part * matrix[k, j]
