"""Laws of the service time as Laplace transforms at complex points, and their third moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma, ndtr

from flownet.kernels.compiled import (
    DETERMINISTIC,
    EMPIRICAL,
    ERLANG,
    EXPONENTIAL,
    GAMMA,
    HYPEREXPONENTIAL,
    LOGNORMAL,
    MIXED_ERLANG,
    PHASE_TYPE,
    TRIANGULAR,
    UNIFORM,
    WEIBULL,
    CompiledNetwork,
    Floats,
    Integers,
)

Complexes = NDArray[np.complex128]

CELLS = 160
"""Cells of the histogram that stands for a lognormal or Weibull law ..."""
FARTHEST = 7.0
"""... up to as many standard deviations of a normal law on either side."""
ROUGH: Final = (DETERMINISTIC, UNIFORM, TRIANGULAR, EMPIRICAL)
"""Families whose transform falls slowly along the imaginary axis: jumps and bends."""
NARROW = 0.05
"""Laws of a smaller scv are as good as rough."""


def service_transforms(
    compiled: CompiledNetwork, points: Complexes, states: Integers | None = None
) -> Complexes:
    r"""Return the transforms of service times, all at the same points or each at its own.

    .. math:: \hat f_s(z) = E[e^{-z S_s}]

    Parameters
    ----------
    compiled : CompiledNetwork
        The network, of S states.
    points : (K,) or (m, K) array of complex
        z, with a real part of at least 0; per T.
    states : (m,) array of int, optional
        Which states, some perhaps repeatedly; by default all, m = S.

    Returns
    -------
    (m, K) array of complex
        1 for states without service.

    Notes
    -----
    Closed forms, but for lognormal and Weibull laws: a histogram of 160 cells whose distribution
    function is exact at the edges, scaled to the exact mean.
    """
    chosen = np.arange(compiled.service_time.size) if states is None else states
    family = compiled.service_family.reshape(-1)[chosen]
    parameters = compiled.service_parameters.reshape(-1, 3)[chosen]
    mean = compiled.service_time.reshape(-1)[chosen]
    used = mean > 0.0
    z = np.broadcast_to(points, (family.size, np.shape(points)[-1]))
    out = np.ones(z.shape, dtype=np.complex128)
    for code in np.unique(family[used]).tolist():
        rows = np.flatnonzero(used & (family == code))
        if code in _CLOSED:
            a, b, c = (parameters[rows, k][:, None] for k in range(3))
            out[rows] = _CLOSED[code](z[rows], a, b, c)
        elif code in (LOGNORMAL, WEIBULL):
            out[rows] = _by_histogram(parameters[rows], mean[rows], code, z[rows])
        else:
            for row in rows.tolist():
                start, size = (int(each) for each in parameters[row, :2])
                single = _empirical if code == EMPIRICAL else _phase_type
                out[row] = single(z[row], compiled.samples, start, size)
    return out


def _exponential(z: Complexes, a: Floats, _b: Floats, _c: Floats) -> Complexes:
    return np.asarray(1.0 / (1.0 + z * a))


def _deterministic(z: Complexes, a: Floats, _b: Floats, _c: Floats) -> Complexes:
    return np.asarray(np.exp(-z * a))


def _erlang(z: Complexes, a: Floats, b: Floats, _c: Floats) -> Complexes:
    return np.asarray(np.exp(-a * np.log1p(z * b / a)))


def _hyperexponential(z: Complexes, a: Floats, b: Floats, c: Floats) -> Complexes:
    return np.asarray(a / (1.0 + z * b) + (1.0 - a) / (1.0 + z * c))


def _mixed_erlang(z: Complexes, a: Floats, b: Floats, c: Floats) -> Complexes:
    phase = np.log1p(z / c)
    return np.asarray(a * np.exp(-(b - 1.0) * phase) + (1.0 - a) * np.exp(-b * phase))


def _gamma(z: Complexes, a: Floats, b: Floats, _c: Floats) -> Complexes:
    return np.asarray(np.exp(-a * np.log1p(z * b)))


def _ramp(z: Complexes, low: Floats, high: Floats) -> Complexes:
    """Return the mean of e^(-z x) over x between two edges, also where they are one."""
    width = z * (high - low)
    small = np.abs(width) < 1e-5
    safe = np.where(small, 1.0, width)
    inside = np.where(small, 1.0 - width / 2.0 + width * width / 6.0, -np.expm1(-safe) / safe)
    return np.asarray(np.exp(-z * low) * inside)


def _uniform(z: Complexes, a: Floats, b: Floats, _c: Floats) -> Complexes:
    return _ramp(z, a, b)


def _triangular(z: Complexes, a: Floats, b: Floats, c: Floats) -> Complexes:
    """Two ramps, by integration in parts: E = (R(a, b) - R(b, c)) 2 / (z (c - a)).

    Near z = 0, where that cancels, by Gauss and Legendre on either side of the mode.
    """
    nodes, weights = np.polynomial.legendre.leggauss(12)
    place = 0.5 * (nodes + 1.0)
    total = np.zeros(z.shape, dtype=np.complex128)
    for x, w in zip(place.tolist(), weights.tolist(), strict=True):
        rising, falling = a + (b - a) * x, c - (c - b) * x
        total += w * x * ((b - a) * np.exp(-z * rising) + (c - b) * np.exp(-z * falling))
    total = total / (c - a)
    far = np.abs(z * (c - a)) > 4.0
    safe = np.where(far, z, 1.0)
    exact = 2.0 * (_ramp(safe, a, b) - _ramp(safe, b, c)) / (safe * (c - a))
    return np.asarray(np.where(far, exact, total))


_CLOSED: Final[dict[int, Callable[[Complexes, Floats, Floats, Floats], Complexes]]] = {
    EXPONENTIAL: _exponential,
    DETERMINISTIC: _deterministic,
    ERLANG: _erlang,
    HYPEREXPONENTIAL: _hyperexponential,
    MIXED_ERLANG: _mixed_erlang,
    GAMMA: _gamma,
    UNIFORM: _uniform,
    TRIANGULAR: _triangular,
}


def _by_histogram(parameters: Floats, mean: Floats, code: int, z: Complexes) -> Complexes:
    """Return the transform of the histogram of each law between quantiles."""
    normal = np.linspace(-FARTHEST, FARTHEST, CELLS + 1)
    mass = np.diff(ndtr(normal))
    mass /= mass.sum()
    out = np.empty(z.shape, dtype=np.complex128)
    for place, (a, b, _) in enumerate(parameters.tolist()):
        if code == LOGNORMAL:
            edges = np.exp(a + b * normal)
        else:
            edges = b * (-np.log(ndtr(-normal))) ** (1.0 / a)
        edges *= mean[place] / float(mass @ (0.5 * (edges[1:] + edges[:-1])))
        width = np.diff(edges)[:, None] * z[place]
        falls = np.exp(-edges[:, None] * z[place])
        small = np.abs(width) < 1e-5
        steps = -np.diff(falls, axis=0) / np.where(small, 1.0, width)
        out[place] = mass @ np.where(small, falls[:-1], steps)
    return out


def _empirical(z: Complexes, samples: Floats, start: int, size: int) -> Complexes:
    values, counts = np.unique(samples[start : start + size], return_counts=True)
    return np.asarray((counts / size) @ np.exp(-values[:, None] * z[None, :]))


def _phase_type(z: Complexes, samples: Floats, start: int, size: int) -> Complexes:
    """Return alpha (z - T)^-1 t + what begins nowhere, by one solution a point."""
    alpha, matrix = _phases(samples, start, size)
    system = z[:, None, None] * np.eye(size) - matrix
    leave = np.broadcast_to(-matrix.sum(axis=1), (z.size, size))[:, :, None]
    return np.asarray(np.linalg.solve(system, leave)[:, :, 0] @ alpha + (1.0 - alpha.sum()))


def _phases(samples: Floats, start: int, size: int) -> tuple[Floats, Floats]:
    alpha = samples[start : start + size]
    matrix = samples[start + size : start + size + size * size].reshape(size, size)
    return alpha, matrix


def third_moments(compiled: CompiledNetwork) -> Floats:
    """Return E[S^3] of every state, in T^3; 0 for states without service."""
    family = compiled.service_family.reshape(-1)
    parameters = compiled.service_parameters.reshape(-1, 3)
    out = np.zeros(family.size)
    for row in np.flatnonzero(compiled.service_time.reshape(-1) > 0.0).tolist():
        a, b, c = parameters[row].tolist()
        code = int(family[row])
        if code == EMPIRICAL:
            out[row] = float((compiled.samples[int(a) : int(a) + int(b)] ** 3).mean())
        elif code == PHASE_TYPE:
            alpha, matrix = _phases(compiled.samples, int(a), int(b))
            inverse = np.linalg.inv(-matrix)
            out[row] = 6.0 * float(alpha @ inverse @ inverse @ inverse @ np.ones(int(b)))
        else:
            out[row] = _THIRD[code](a, b, c)
    return out


_THIRD: Final[dict[int, Callable[[float, float, float], float]]] = {
    EXPONENTIAL: lambda a, _b, _c: 6.0 * a**3,
    DETERMINISTIC: lambda a, _b, _c: a**3,
    ERLANG: lambda a, b, _c: a * (a + 1.0) * (a + 2.0) * (b / a) ** 3,
    HYPEREXPONENTIAL: lambda a, b, c: 6.0 * (a * b**3 + (1.0 - a) * c**3),
    MIXED_ERLANG: lambda a, b, c: (b + 1.0) * b * (a * (b - 1.0) + (1.0 - a) * (b + 2.0)) / c**3,
    GAMMA: lambda a, b, _c: a * (a + 1.0) * (a + 2.0) * b**3,
    LOGNORMAL: lambda a, b, _c: float(np.exp(3.0 * a + 4.5 * b * b)),
    WEIBULL: lambda a, b, _c: b**3 * float(gamma(1.0 + 3.0 / a)),
    UNIFORM: lambda a, b, _c: (a + b) * (a * a + b * b) / 4.0,
    TRIANGULAR: lambda a, b, c: (
        (a**3 + b**3 + c**3 + a * a * (b + c) + b * b * (a + c) + c * c * (a + b) + a * b * c)
        / 10.0
    ),
}
