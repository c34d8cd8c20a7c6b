"""The distribution of a chain at given times, by uniformization."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from flownet.errors import ParameterError
from flownet.kernels.compiled import Floats
from flownet.kernels.exact_space import Chain

MOST_STEPS = 20_000_000
"""So many steps at most, of one event each on average, from one time to the next."""


def poisson_weights(mean: float, tolerance: float) -> tuple[int, Floats]:
    """Return Poisson probabilities that leave out no more than `tolerance`, and the first number.

    They grow outwards from the mode, so that nothing under- or overflows, and are scaled to 1.

    Parameters
    ----------
    mean : float
        At least 0.
    tolerance : float
        In (0, 1).

    References
    ----------
    B. L. Fox, P. W. Glynn (1988), Computing Poisson probabilities, Communications of the ACM 31,
    440-445.

    Examples
    --------
    >>> first, weights = poisson_weights(2.0, 1e-12)
    >>> first, round(float(weights[0]), 6)
    (0, 0.135335)
    """
    mode = math.floor(mean)
    half = math.ceil(math.sqrt(2.0 * (mean + 1.0) * -math.log(tolerance)) - math.log(tolerance))
    first = max(0, mode - half)
    up = np.cumprod(mean / np.arange(mode + 1.0, mode + half + 1.0))
    down = np.cumprod(np.arange(mode, first, -1.0) / mean) if mode > first else np.zeros(0)
    weights = np.concatenate([down[::-1], [1.0], up])
    return first, weights / weights.sum()


def distributions(
    chain: Chain, times: Sequence[float], *, tolerance: float = 1e-14
) -> list[Floats]:
    """Return the distribution at each time.

    The chain is watched at the events of a Poisson process at the rate L of its fastest state:
    ``p(t) = sum over k of Poisson(L t, k) p(0) (I + Q / L)^k``.

    Parameters
    ----------
    chain : Chain
    times : sequence of float
        In T, rising, at least 0.
    tolerance : float
        Probability left out per time.

    Raises
    ------
    ParameterError
        Where the chain makes too many steps between two times.

    References
    ----------
    A. Jensen (1953), Markoff chains as an aid in the study of Markoff processes, Skandinavisk
    Aktuarietidskrift 36, 87-91.
    """
    into = csr_array(chain.rates.T.tocsr())
    fastest = float(chain.exit_rate.max(initial=0.0))
    probability, now = chain.first, 0.0
    found = []
    for time in times:
        mean = fastest * (time - now)
        if mean > MOST_STEPS:
            message = f"{mean:.3g} events lie between two times; take times closer together"
            raise ParameterError(message, "at")
        probability = _advance(into, chain.exit_rate, probability, fastest, mean, tolerance)
        found.append(probability)
        now = time
    return found


def _advance(
    into: csr_array,
    exit_rate: Floats,
    probability: Floats,
    fastest: float,
    mean: float,
    tolerance: float,
) -> Floats:
    """Return the distribution after a time in which `mean` steps are made on average."""
    if mean <= 0.0:
        return probability
    first, weights = poisson_weights(mean, tolerance)
    total = np.zeros_like(probability)
    left = 1.0
    stay = 1.0 - exit_rate / fastest
    for step in range(first + len(weights)):
        if step >= first:
            total += weights[step - first] * probability
            left -= weights[step - first]
        after = stay * probability + into @ probability / fastest
        if step % 64 == 0 and np.abs(after - probability).sum() < 1e-16:
            return np.asarray(total + left * after)
        probability = after
    return np.asarray(total / total.sum())
