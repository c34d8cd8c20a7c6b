"""Random variates of the simulator: one stream for each service, class and purpose.

Every variate takes exactly one number from its stream, and all further randomness that it needs
is derived from that number. The n-th service time of a stream therefore rests on the same source
whatever its law: two networks that differ in one number run on common random numbers.
"""

from __future__ import annotations

from math import cos, exp, log, pi, sqrt

import numpy as np

from flownet.jit import njit
from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import (
    DETERMINISTIC,
    EMPIRICAL,
    ERLANG,
    EXPONENTIAL,
    GAMMA,
    HYPEREXPONENTIAL,
    LOGNORMAL,
    MIXED_ERLANG,
    TRIANGULAR,
    UNIFORM,
    WEIBULL,
)
from flownet.kernels.simulation_words import Address, floats, integers, words

_SHIFT_12 = np.uint64(12)
_SHIFT_27 = np.uint64(27)
_SHIFT_30 = np.uint64(30)
_SHIFT_31 = np.uint64(31)
_FACTOR_1 = np.uint64(0xBF58476D1CE4E5B9)
_FACTOR_2 = np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_UNIT = 2.0**-52
_FEW_PHASES = 6


@njit
def _mix(word: np.uint64) -> np.uint64:
    """Scramble a word (splitmix64; Steele, Lea and Flood 2014)."""
    word = (word ^ (word >> _SHIFT_30)) * _FACTOR_1
    word = (word ^ (word >> _SHIFT_27)) * _FACTOR_2
    return word ^ (word >> _SHIFT_31)


@njit
def next_word(m: Address, stream: int) -> np.uint64:
    """Take the next word of a stream."""
    q = integers(m)
    state = np.uint64(q[stream + at.STREAM_STATE]) + np.uint64(q[stream + at.STREAM_STEP])
    q[stream + at.STREAM_STATE] = np.int64(state)
    return _mix(state)


@njit
def _derive(word: np.uint64) -> np.uint64:
    """Return the word that follows `word` within one variate."""
    return _mix(word + _GOLDEN)


@njit
def uniform(word: np.uint64) -> float:
    """Return a number strictly between 0 and 1."""
    return (np.float64(word >> _SHIFT_12) + 0.5) * _UNIT


@njit
def _normal(word: np.uint64) -> float:
    """Return a standard normal variate (Box and Muller 1958)."""
    radius = sqrt(-2.0 * log(uniform(word)))
    return radius * cos(2.0 * pi * uniform(_derive(word)))


@njit
def _gamma(shape: float, word: np.uint64) -> float:
    """Return a gamma variate of scale 1 (Marsaglia and Tsang 2000)."""
    boost = 1.0
    if shape < 1.0:
        boost = uniform(word) ** (1.0 / shape)
        word = _derive(word)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / sqrt(9.0 * d)
    while True:
        x = _normal(word)
        v = (1.0 + c * x) ** 3
        word = _derive(_derive(word))
        if v > 0.0 and log(uniform(word)) < 0.5 * x * x + d - d * v + d * log(v):
            return boost * d * v
        word = _derive(word)


@njit
def _erlang(phases: int, word: np.uint64) -> float:
    """Return the sum of `phases` standard exponential variates."""
    if phases > _FEW_PHASES:
        return _gamma(float(phases), word)
    product = 1.0
    for _ in range(phases):
        product *= uniform(word)
        word = _derive(word)
    return -log(product)


@njit
def _phase_type(m: Address, offset: int, order: int, word: np.uint64) -> float:
    """Return the time to absorption of the chain (alpha, T) that begins at `offset`."""
    f = floats(m)
    choice = uniform(word)
    phase = 0
    while phase < order - 1 and choice >= f[offset + phase]:
        choice -= f[offset + phase]
        phase += 1
    if choice >= f[offset + phase]:
        return 0.0
    matrix = offset + order
    total = 0.0
    while True:
        row = matrix + phase * order
        rate = -f[row + phase]
        word = _derive(word)
        total -= log(uniform(word)) / rate
        word = _derive(word)
        choice = uniform(word) * rate
        following = 0
        while following < order:
            if following != phase:
                if choice < f[row + following]:
                    break
                choice -= f[row + following]
            following += 1
        if following == order:
            return float(total)
        phase = following


@njit
def _triangular(low: float, mode: float, high: float, u: float) -> float:
    """Return a triangular variate by inversion."""
    if u * (high - low) < mode - low:
        return low + sqrt(u * (high - low) * (mode - low))
    return high - sqrt((1.0 - u) * (high - low) * (high - mode))


@njit
def _general(m: Address, family: int, a: float, b: float, c: float, word: np.uint64) -> float:
    """Return a variate of any law but the exponential."""
    f = floats(m)
    if family == DETERMINISTIC:
        return a
    u = uniform(word)
    if family == MIXED_ERLANG:
        phases = int(b) - 1 if u < a else int(b)
        return _erlang(phases, _derive(word)) / c
    if family == HYPEREXPONENTIAL:
        mean = b if u < a else c
        return -mean * log(uniform(_derive(word)))
    if family == LOGNORMAL:
        return exp(a + b * _normal(word))
    if family == GAMMA:
        return b * _gamma(a, word)
    if family == ERLANG:
        return b / a * _erlang(int(a), word)
    if family == WEIBULL:
        return float(b * (-log(u)) ** (1.0 / a))
    if family == UNIFORM:
        return a + (b - a) * u
    if family == TRIANGULAR:
        return _triangular(a, b, c, u)
    if family == EMPIRICAL:
        return float(f[int(a) + int(u * b)])
    return _phase_type(m, int(a), int(b), word)


@njit
def exponential(m: Address, mean: float, stream: int) -> float:
    """Return the next variate of an exponential law."""
    return -mean * log(uniform(next_word(m, stream)))


@njit
def variate(m: Address, law: int, stream: int) -> float:
    """Return the next variate of the law at address `law`: its family, then three parameters.

    Families are coded as in `flownet.kernels.compiled`; samples are counted from address 0.
    """
    q, f = words(m)
    family = q[law]
    a, b, c = f[law + 1], f[law + 2], f[law + 3]
    word = next_word(m, stream)
    if family == EXPONENTIAL:
        return float(-a * log(uniform(word)))
    return _general(m, family, a, b, c, word)
