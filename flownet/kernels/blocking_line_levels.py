"""The chain of a line without limit: levels are jobs, phases are states of what lies around."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from flownet.kernels.compiled import Floats, Integers

DOUBLINGS = 60


class Levels(NamedTuple):
    """The steady state: jobs that a service has not finished, by phase."""

    first: Floats
    """(c + 1, k) with 0 to c jobs."""
    ratio: Floats
    """(k, k): each number beyond c jobs has that of one job less, times this."""
    at_work: Floats
    """(k,) mean number of servers at work in each phase."""
    idle: Floats
    """(k,) mean number of idle servers while in each phase, times its probability."""
    idle_number: Floats
    """(k,) the same, times the number of jobs."""
    mean: float

    def up_to(self, most: int) -> Iterator[tuple[int, Floats]]:
        """Yield the numbers of jobs below `most`, with their probabilities by phase."""
        last = self.first.shape[0] - 1
        now = self.first[0]
        for jobs in range(most):
            now = self.first[jobs] if jobs <= last else now @ self.ratio
            yield jobs, now


def solve_levels(
    arrivals: float, up: Floats, inner: Floats, down: Floats, servers: Integers
) -> Levels:
    r"""Solve the chain by Neuts' matrix of rates, below `c` jobs level by level.

    .. math:: \pi_{m+1} = \pi_m R \text{ for } m \ge c, \qquad A_0 + R A_1 + R^2 A_2 = 0

    Parameters
    ----------
    arrivals : float
        Rate of arrivals that change no phase.
    up, inner : (k, k) arrays
        Rates of jobs brought, and of changes, by phase before and after.
    down : (k, k) array
        Completions of one server at work; the diagonal holds those that change no phase.
    servers : (k,) array of int
        That can work in each phase.

    Notes
    -----
    R by logarithmic reduction (Latouche and Ramaswami 1993, J. Appl. Probab. 30:650).
    """
    size, most = servers.size, int(servers.max(initial=0))
    eye, working = np.eye(size), servers.astype(np.float64)
    rise = arrivals * eye + up
    out = rise.sum(axis=1) + inner.sum(axis=1)
    each = down.sum(axis=1)

    def downward(jobs: int) -> tuple[Floats, Floats]:
        at_work = np.minimum(float(jobs), working)
        return at_work[:, None] * down, inner - np.diag(out + at_work * each)

    fall, stay = downward(most)
    ratio = rise @ np.linalg.inv(-(stay + rise @ _first_passage(rise, stay, fall)))
    steps, following = [ratio] * most, ratio
    for jobs in range(most - 1, -1, -1):
        _, stay = downward(jobs + 1)
        fall, _ = downward(jobs + 2)
        steps[jobs] = following = rise @ np.linalg.inv(-(stay + following @ fall))
    _, stay = downward(0)
    balance = (stay + (steps[0] @ downward(1)[0] if most else ratio @ fall)).T
    balance[-1] = 1.0
    levels = [np.linalg.solve(balance, np.eye(size)[-1])]
    for step in steps:
        levels.append(levels[-1] @ step)
    return _summed(np.maximum(levels, 0.0), ratio, working)


def _first_passage(rise: Floats, stay: Floats, fall: Floats) -> Floats:
    """Return in which phase the number first is one lower."""
    inverse = np.linalg.inv(-stay)
    high, low = inverse @ rise, inverse @ fall
    found, total = low.copy(), high.copy()
    eye = np.eye(stay.shape[0])
    for _ in range(DOUBLINGS):
        both = np.linalg.inv(eye - high @ low - low @ high)
        high, low = both @ high @ high, both @ low @ low
        step = total @ low
        found += step
        total = total @ high
        if np.abs(step).max() < 1e-14:
            break
    return found


def _summed(first: Floats, ratio: Floats, working: Floats) -> Levels:
    """Return the sums over all levels."""
    most = first.shape[0] - 1
    inverse = np.linalg.inv(np.eye(working.size) - ratio)
    beyond = first[most] @ inverse
    total = float(first[:most].sum() + beyond.sum())
    first, beyond = first / total, beyond / total
    jobs = np.arange(most + 1.0)
    idle_servers = np.maximum(working - jobs[:, None], 0.0)
    idle = (idle_servers * first).sum(axis=0)
    phases = first[:most].sum(axis=0) + beyond
    mean = jobs @ first.sum(axis=1) + most * (beyond - first[most]).sum()
    mean += (beyond @ ratio @ inverse).sum()
    return Levels(
        first, ratio, working - idle / np.maximum(phases, 1e-300), idle,
        (jobs[:, None] * idle_servers * first).sum(axis=0), float(mean),
    )  # fmt: skip
