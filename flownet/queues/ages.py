"""The law of the wait in Ph/Ph/c, exactly: the age of the job that waits at the head of the line.

While all servers are busy the age of the head of the line grows with time. When a service ends the
next job becomes the head, and the age falls by the time between the two arrivals. With S the
changes of the servers' phases without a completion and D those with one, the density of the age and
the phases is h(x) = h(0) e^{K x}, where K = S + Psi (I x t) for times between arrivals of phase
type (alpha, A, t), and Psi says in which phase a fall ends that began with a completion.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flownet.queues.phases import fitted_phases, level_blocks
from flownet.queues.quasi import boundary_level

Floats = NDArray[np.float64]

DOUBLINGS = 60
SETTLED = 1e-13  # convergence is quadratic: the next change is below rounding
TERMS = 25  # of e^x, x up to 1
GONE = 1e-300  # smaller chances are none
PLAIN: tuple[Callable[..., Any], ...] = (fitted_phases, level_blocks, boundary_level)


def first_return(rise: Floats, turn: Floats, back: Floats, fall: Floats) -> Floats:
    """Return Psi: in which phase a fluid that rises comes back to its level.

    The least solution of X `back` X + `rise` X + X `fall` + `turn` = 0, by doubling. `rise` and
    `fall` are the generators among the phases of rise and of fall, `turn` and `back` the rates from
    the ones to the others (Guo, Lin and Xu 2006).
    """
    one, other = np.eye(len(rise)), np.eye(len(fall))
    rate = float(max(-np.diag(rise).real.min(), -np.diag(fall).real.min()))
    left, right = rate * one - rise, rate * other - fall
    outer = np.linalg.inv(left - turn @ np.linalg.solve(right, back))
    e = other - 2.0 * rate * np.linalg.inv(right - back @ np.linalg.solve(left, turn))
    f = one - 2.0 * rate * outer
    x = 2.0 * rate * outer @ np.linalg.solve(right.T, turn.T).T
    y = 2.0 * rate * np.linalg.solve(right, back) @ outer
    for _ in range(DOUBLINGS):
        from_x = np.linalg.solve(one - x @ y, np.hstack([x @ e, f]))
        from_y = np.linalg.solve(other - y @ x, np.hstack([y @ f, e]))
        step = f @ from_x[:, : len(fall)]
        x, y = x + step, y + e @ from_y[:, : len(rise)]
        change = float(np.abs(step).max())
        if change <= SETTLED * float(np.abs(x).max()):
            break
        e, f = e @ from_y[:, len(rise) :], f @ from_x[:, len(fall) :]
    return np.asarray(x)


class WaitLaw:
    """P(W > t) of those who wait in Ph/Ph/c; times in mean services.

    Parameters
    ----------
    load, servers, arrival_scv, service_scv : float
        0 < load < servers, whole; scvs above 0, of the laws of `phphc`.

    parts : tuple of callable
        What fits the laws, builds a level, and solves the boundary: for a complex step others.

    References
    ----------
    Sengupta 1989, Adv. Appl. Probab. 21:159 (the age process).
    """

    def __init__(
        self,
        load: float,
        servers: int,
        arrival_scv: float,
        service_scv: float,
        parts: tuple[Callable[..., Any], ...] = PLAIN,
    ) -> None:
        fitted, level_blocks, boundary_level = parts
        alpha, inside, leave = fitted(arrival_scv)
        arrival = (alpha, inside * load, leave * load)
        service = fitted(service_scv)
        nobody = (np.ones(1), np.zeros((1, 1)), np.zeros(1))
        _, change, done = level_blocks(servers, True, nobody, service, False)
        phases: Floats = np.eye(len(change))
        back = np.asarray(np.kron(phases, arrival[2][:, None]))
        turn = np.asarray(np.kron(done, alpha[None, :]))
        fall = np.asarray(np.kron(phases, arrival[1]))
        psi = first_return(change, turn, back, fall)
        generator = change + psi @ back
        level = boundary_level(servers, arrival, service).reshape(alpha.size, -1)
        start = arrival[2] @ level
        ending = np.linalg.solve(-generator, done.sum(axis=1))
        self._start = start / (start @ ending)
        self._ending = ending
        self._rate = float(-np.diag(generator).real.min())
        step = phases + generator / self._rate
        self._step = np.where(step.real < 0.0, 0.0, step)
        self._powers = [_poisson_mixture(self._step, phases, 1.0)]

    def later(self, time: float) -> float:
        """Return P(W > t | W > 0)."""
        return min(1.0, float(self.chance(time)))

    def chance(self, time: Any) -> Any:
        """Return P(W > t | W > 0) as it is computed, complex with complex parts or time."""
        steps = time * self._rate
        whole = math.floor(steps.real)
        weights = self._start
        place = 0
        while whole > 0:
            if place == len(self._powers):
                self._powers.append(self._powers[-1] @ self._powers[-1])
            if whole % 2:
                weights = weights @ self._powers[place]
                if (weights @ self._ending).real < GONE:
                    return 0.0
            whole //= 2
            place += 1
        rest = _poisson_mixture(self._step, weights, steps - math.floor(steps.real))
        return rest @ self._ending


def _poisson_mixture(step: Floats, of: Floats, mean: Any) -> Floats:
    """Return `of` times e^{mean (step - I)}, a sum of positive terms; mean up to 1."""
    term = np.exp(-mean) * of
    total = term.copy()
    for k in range(1, TERMS):
        term = (mean / k) * (term @ step)
        total = total + term
    return np.asarray(total)
