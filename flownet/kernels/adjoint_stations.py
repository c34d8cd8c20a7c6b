"""How one station's chain in a network with blocking answers each number that it is made of."""

from __future__ import annotations

import numpy as np

from flownet.jit import njit
from flownet.kernels.blocking_compressed_inputs import MATCHED, Ahead, Given, State, place_of
from flownet.kernels.blocking_compressed_search import no_slopes, solve_chain
from flownet.kernels.blocking_compressed_sweep import served_share
from flownet.kernels.compiled import Floats

STEP = 2e-5
"""Relative step of a difference: its own error is of the order of 1e-9; the searches inside a
chain, which end at about 1e-12, leave noise of 1e-7 at most."""

BUSY, WAITING, BLOCKED, OUTSIDE, VACANT, INFLOW, FOUND, WAIT, NUMBER, VARIANCE, SMOOTHING = range(
    11
)
COMING, FIRST, QUEUE, BUNCHING, SERVED = 11, 12, 13, 14, 15
OUTPUTS = 16

HELD, BASE, PASSES, DONE, WORK, SCV, FREE, LOST, ADMITTED, OWN_WAIT = range(10)
MEETS, ONWARD, MINE, SAME, OTHERS, LEAN, GIVING_UP = 10, 11, 12, 13, 14, 15, 16
OWN = 17
"""Numbers of the station itself."""
FLOW, CHANCE, FALL, UP_DONE, UP_WORK, UP_HELD, UP_ROOM = range(7)
PER_PAIR = 7
"""Numbers of each pair that leads to it, and of the service upstream."""


@njit
def _answer(
    given: Given, state: State, wait: Floats, held: Floats, ahead: Ahead, j: int, out: Floats
) -> None:
    """Fill the figures of j's chain."""
    chain = solve_chain(place_of(given, state, wait, held, ahead, j), MATCHED, no_slopes())
    out[0], out[1], out[2], out[3] = chain.busy, chain.waiting, chain.blocked, chain.outside
    out[4], out[5], out[6], out[7] = chain.vacant, chain.inflow, chain.found_full, chain.wait
    out[8], out[9], out[10] = chain.number, chain.variance, chain.smoothing
    out[11], out[12], out[13], out[14] = chain.coming, chain.first, chain.queue, chain.bunching
    out[15] = served_share(given, chain.gives_up, chain.ratio, j, held[j])


@njit
def _slope(
    given: Given,
    state: State,
    wait: Floats,
    held: Floats,
    ahead: Ahead,
    j: int,
    array: Floats,
    at: int,
    scale: float,
    slopes: Floats,
) -> None:
    """Fill the derivatives of j's figures by one entry of an array, which is put back."""
    value = array[at]
    if not np.isfinite(value) or (value == 0.0 and scale <= 0.0):
        return
    up, down = np.empty(OUTPUTS), np.empty(OUTPUTS)
    if value != 0.0:
        step = STEP * abs(value)
        array[at] = value + step
        _answer(given, state, wait, held, ahead, j, up)
        array[at] = value - step
        _answer(given, state, wait, held, ahead, j, down)
        array[at] = value
        for k in range(OUTPUTS):
            slopes[k] = (up[k] - down[k]) / (2.0 * step)
        return
    # from 0 there is only one way: a parabola through three points
    step, now = STEP * scale, np.empty(OUTPUTS)
    _answer(given, state, wait, held, ahead, j, now)
    array[at] = step
    _answer(given, state, wait, held, ahead, j, down)
    array[at] = 2.0 * step
    _answer(given, state, wait, held, ahead, j, up)
    array[at] = value
    for k in range(OUTPUTS):
        slopes[k] = (4.0 * down[k] - up[k] - 3.0 * now[k]) / (2.0 * step)


@njit
def station_slopes(
    given: Given, state: State, held: Floats, ahead: Ahead, own: Floats, pair: Floats,
    other: Floats,
) -> None:  # fmt: skip
    """Fill how the figures of every chain answer what it is made of.

    Parameters
    ----------
    given, state : Given, State
        At the fixed point; their arrays are changed and put back.
    held : (n,) array
    ahead : Ahead
    own : (n, OWN, OUTPUTS) array
    pair : (p, PER_PAIR, OUTPUTS) array
        Of the lower service, by what stands at the pair or at its upper service.
    other : (k, OUTPUTS) array
        Of the lower service of each pair, by the wait for each other service that the upper one can
        be blocked for; pairs in their order, the others in theirs.
    """
    wait = state.wait
    place = 0
    for p in range(given.upper.size):
        i, j = given.upper[p], given.lower[p]
        arrays = (given.flow, given.chance, state.fall)
        for k in range(3):
            if given.chained[j]:
                scale = 1.0 if k == FALL else 0.0
                _slope(given, state, wait, held, ahead, j, arrays[k], p, scale, pair[p, k])
        up = (given.done, given.work, held, given.room)
        for k in range(4):
            if given.chained[j]:
                _slope(given, state, wait, held, ahead, j, up[k], i, 0.0, pair[p, 3 + k])
        for q in range(given.first_below[i], given.first_below[i + 1]):
            if q != p:
                if given.chained[j] and given.lower[q] != j:
                    at = given.lower[q]
                    _slope(
                        given, state, wait, held, ahead, j, wait, at, given.stay[at], other[place]
                    )
                place += 1
    for j in range(given.done.size):
        if not given.chained[j]:
            continue
        mine = (
            held, given.base, given.passes, given.done, given.work, given.scv, given.free,
            given.lost, given.admitted, wait, ahead.meets, ahead.onward, ahead.mine,
            ahead.same, ahead.others, ahead.lean, given.giving_up,
        )  # fmt: skip
        for k in range(OWN):
            scale = 0.0
            if k == OWN_WAIT:
                scale = given.stay[j]
            elif k == SCV:
                scale = 1.0
            _slope(given, state, wait, held, ahead, j, mine[k], j, scale, own[j, k])
