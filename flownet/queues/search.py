"""Search over arrays: the smallest time, servers or rate that meets a target."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Test = Callable[[Floats], Booleans]

DOUBLINGS = 200
HALVINGS = 200


def smallest_real(meets: Test, guess: Floats, doublings: int = DOUBLINGS) -> Floats:
    """Return the smallest x >= 0 with ``meets(x)``, which stays true from there on.

    Doubles `guess` until it meets, then halves the interval to the last digits; inf where nothing
    met within the doublings.
    """
    high = guess.copy()
    low = np.zeros_like(high)
    met = meets(high)
    for _ in range(doublings):
        if met.all():
            break
        low = np.where(met, low, high)
        high = np.where(met, high, 2.0 * high)
        met = meets(high)
    at_once = meets(np.zeros_like(high))
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        settled = (middle <= low) | (middle >= high) | ~met | at_once
        if settled.all():
            break
        good = meets(np.where(settled, high, middle))
        high = np.where(~settled & good, middle, high)
        low = np.where(~settled & ~good, middle, low)
    return np.where(at_once, 0.0, np.where(met, high, np.inf))


def smallest_whole(meets: Test, guess: Floats) -> Floats:
    """Return the smallest whole n >= 1 with ``meets(n)``, which stays true from there on."""
    high = np.maximum(1.0, np.ceil(guess))
    low = np.zeros_like(high)
    step = np.ones_like(high)
    met = meets(high)
    for _ in range(DOUBLINGS):  # upwards until it meets
        if met.all():
            break
        low = np.where(met, low, high)
        high = np.where(met, high, high + step)
        step *= 2.0
        met = meets(high)
    step = np.ones_like(high)
    for _ in range(DOUBLINGS):  # downwards until it does not
        trial = np.maximum(low, high - step)
        open_below = met & (trial > low)
        if not open_below.any():
            break
        good = meets(np.where(open_below, trial, high))
        high = np.where(open_below & good, trial, high)
        low = np.where(open_below & ~good, trial, low)
        step *= 2.0
    for _ in range(HALVINGS):
        middle = np.floor(0.5 * (low + high))
        open_between = met & (middle > low)
        if not open_between.any():
            break
        good = meets(np.where(open_between, middle, high))
        high = np.where(open_between & good, middle, high)
        low = np.where(open_between & ~good, middle, low)
    return np.where(met, high, np.inf)
