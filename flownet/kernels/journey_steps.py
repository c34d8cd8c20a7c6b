r"""The wait in a line with limited places: a number of steps, each until the line moves on by one.

.. math:: \hat W(z) = \sum_{n=1}^{r} w_n\, \hat e(z)^n, \quad w_n \propto q^n, \qquad
          \hat h = \hat s\,(1 - p + p\,\hat b), \quad \hat e = (1 - \beta)\,\hat h + \beta\,\hat b

A whole step h is one of service, after which all servers may be found blocked: p is the chance of
such a standstill, b what is left of it, beta the share of time with all servers held that it takes.
What is left of the step under way is e; times are exponential.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from flownet.kernels.compiled import CompiledNetwork, Floats, Measures
from flownet.kernels.journey_laws import Complexes


class Steps(NamedTuple):
    """Lines with limited places, (m,) each."""

    ratio: Floats
    """q of the geometric number of steps."""
    most: Floats
    """r, the places that wait."""
    chance: Floats
    """Share of those served that wait."""
    mean: Floats
    """Of a positive wait, in T."""
    stopped: Floats
    """beta."""
    standstill: Floats
    """Mean of b, over that of a whole step; at least `stopped`, so that p is a probability."""


def standstills(compiled: CompiledNetwork, measures: Measures) -> tuple[Floats, Floats, Floats]:
    """Return by service `Steps.stopped`, `Steps.standstill` and the mean of a whole step, in T.

    Nothing is stopped where nobody is blocked.
    """
    n = compiled.servers.size
    if measures.probability_all_blocked.size != n:
        return np.zeros(n), np.ones(n), np.zeros(n)
    full = np.nan_to_num(measures.probability_full)
    held = np.nan_to_num(measures.wait_probability) * (1.0 - full) + full
    stopped = np.nan_to_num(measures.probability_all_blocked)
    done = measures.throughput.sum(axis=1)
    blocked = measures.number_blocked.sum(axis=1)
    in_hand = measures.number_in_service.sum(axis=1) + blocked
    in_hand = in_hand + measures.number_held_in_transfer.sum(axis=1)
    meets = np.nan_to_num(measures.blocking_probability)
    some = (stopped > 0.0) & (blocked > 0.0) & (meets > 0.0) & (held > 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(np.where(some, stopped / held, 0.0), 0.0, 1.0)
        step = in_hand / (done * compiled.servers)
        # of several servers, all blocked for one place after the other, the first waits least
        wait = blocked / (done * meets) * 2.0 / (compiled.servers + 1.0)
        standstill = np.where(some, wait / step, 1.0)
    return share, np.maximum(standstill, share), np.nan_to_num(step, posinf=0.0)


def left_of_step(stopped: Floats, standstill: Floats) -> Floats:
    """Return the mean of what is left of the step under way, over that of a whole step."""
    return np.asarray(1.0 - stopped + stopped * standstill)


def step_ratio(steps: float, most: float) -> float:
    """Return q for which a geometric law on 1, ..., most with ratio q has the given mean."""
    steps = min(max(steps, 1.0 + 1e-9), most - 1e-9) if most > 1.0 else 1.0
    if most <= 1.0:
        return 1.0
    low, high = -60.0, 60.0
    for _ in range(80):
        x = 0.5 * (low + high)
        if _mean_steps(x, most) < steps:
            low = x
        else:
            high = x
    return float(np.exp(0.5 * (low + high)))


def _mean_steps(x: float, most: float) -> float:
    """Return the mean of the law on 1, ..., most with weights e^(x j)."""
    if abs(x) < 1e-7:
        return 0.5 * (most + 1.0)
    with np.errstate(over="ignore"):
        return float(-1.0 / np.expm1(x) + most / -np.expm1(-x * most))


def step_times(steps: Steps) -> Floats:
    """Return the mean time in which each line moves on by one."""
    pairs = zip(steps.ratio.tolist(), steps.most.tolist(), strict=True)
    number = np.array([_mean_steps(math.log(q), most) for q, most in pairs])
    return np.asarray(steps.mean / (number * left_of_step(steps.stopped, steps.standstill)))


def whole_step(steps: Steps, z: Complexes, chance: Floats) -> Complexes:
    """Return the transform of a whole step that meets a standstill with this chance, (m, K)."""
    unit = z * step_times(steps)[:, None]
    b = 1.0 / (1.0 + unit * steps.standstill[:, None])
    working = 1.0 / (1.0 + unit * (1.0 - steps.stopped[:, None]))
    return np.asarray(working * (1.0 + chance[:, None] * (b - 1.0)))


def _left(steps: Steps, z: Complexes) -> Complexes:
    """Return the transform of what is left of the step under way, (m, K)."""
    beta, still = steps.stopped[:, None], steps.standstill[:, None]
    b = 1.0 / (1.0 + z * step_times(steps)[:, None] * still)
    return np.asarray((1.0 - beta) * _usual(steps, z) + beta * b)


def _usual(steps: Steps, z: Complexes) -> Complexes:
    return whole_step(steps, z, steps.stopped / steps.standstill)


def steps_transform(steps: Steps, z: Complexes) -> Complexes:
    """Return E[e^{-zW}] of a positive wait, (m, K)."""
    q, most = steps.ratio[:, None], steps.most[:, None]
    q = np.where(np.abs(q - 1.0) < 1e-7, 1.0 + 1e-7, q)
    step = _left(steps, z)
    with np.errstate(all="ignore"):  # of the two forms the one that cannot overflow is taken
        up, down = np.minimum(q, 1.0) ** most, np.minimum(1.0 / q, 1.0) ** most
        last = step * np.exp(most * np.log(step))
        falling = (step - last * up) * (1.0 - q) / ((1.0 - q * step) * (1.0 - up))
        rising = (step * down - last) * (1.0 - q) / ((1.0 - q * step) * (down - 1.0))
    return np.asarray(np.where(q < 1.0, falling, rising))


def behind_full_room(steps: Steps, z: Complexes) -> Complexes:
    """Return what replaces the wait of a job that comes when all places are taken, (m, K).

    The transform of the wait behind a full waiting room, over that of the wait of all who come: a
    place has just fallen free, so that all steps are whole ones.
    """
    chance = steps.chance[:, None]
    usual = 1.0 - chance + chance * steps_transform(steps, z)
    return np.asarray(_usual(steps, z) ** steps.most[:, None] / usual)


def longer_behind(steps: Steps) -> Floats:
    """Return by how much longer than all who come such a job waits on average, (m,)."""
    return np.asarray(steps.most * step_times(steps) - steps.chance * steps.mean)
