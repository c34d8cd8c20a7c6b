"""The drive at which the chain of a service is in balance with the services that block for it."""

from __future__ import annotations

import numpy as np

from flownet.jit import njit
from flownet.kernels.blocking_compressed_arrivals import (
    LEAST,
    birth,
    inside_share,
    top_state,
    working,
)
from flownet.kernels.blocking_compressed_chain import evaluate, impatience
from flownet.kernels.blocking_compressed_place import Chain, Place
from flownet.kernels.blocking_compressed_spells import Scales, counted, paces
from flownet.kernels.compiled import Floats

SEARCH = 60
"""Evaluations at most in the search for the drive."""
SECANTS, LEAST_SLOPE = 5, 0.05
"""Steps at most before the root is bracketed, and slopes that they go by, at least."""
SELDOM = 1e-12
"""Beyond a state of less than this, in proportion, jobs leave a service of few servers as there."""
ROUNDS, FARTHEST = 60, 1.4
"""Steps at most in the search for how fast jobs leave a service of few servers, and the longest."""
LEAST_DRIVE = -60.0
"""Logarithm of a drive at which nothing comes."""


@njit
def _waiting(place: Place, chain: Chain[float]) -> float:
    """Return the wait for a place, with the spread of service times.

    Of the servers upstream that do not work a part b is blocked. The spread makes this
    f b / (1 + (f - 1) b): f times as much where it is small, and all where all are.
    """
    if chain.inflow <= 0.0:
        return place.longest if chain.blocked > 0.0 else 0.0
    idle, most = 0.0, 0.0
    for a in range(place.sources.size):
        blocked = chain.blocked * place.share[a]
        left = place.sources[a] - place.load[a] * chain.inflow / place.blocking
        idle += left
        if blocked > 0.0:
            most = max(most, blocked / max(left, blocked))
    part = chain.blocked / max(idle, chain.blocked) if chain.blocked > 0.0 else 0.0
    if place.factor < 1.0:  # where one of the services upstream can do no more, no wait is shorter
        part = most
    factor = place.factor / (1.0 + (place.factor - 1.0) * part)
    return min(factor * chain.blocked / chain.inflow, place.longest)


@njit
def _excess(place: Place, chain: Chain[float], wait: float) -> float:
    """Return the logarithm of the inflow over what the streams fall to at this wait."""
    wanted = 0.0
    for a in range(place.share.size):
        fall = 1.0 + place.response[a] * (wait - place.wait)
        wanted += place.blocking * place.share[a] / max(fall, 1e-3)
    return float(np.log(max(chain.inflow, 1e-300) / wanted))


@njit
def _with(
    chain: Chain[float], wait: float, drive: float, often: float, fast: float
) -> Chain[float]:
    return Chain(
        chain.busy,
        chain.waiting,
        chain.blocked,
        chain.outside,
        chain.vacant,
        chain.inflow,
        chain.found_full,
        chain.waits,
        chain.gives_up,
        chain.ratio,
        wait,
        chain.number,
        chain.variance,
        chain.smoothing,
        chain.coming,
        chain.blocked_variance,
        drive,
        often,
        fast,
    )


@njit
def _most(place: Place) -> float:
    """Return the logarithm of a drive beyond which nothing changes."""
    most = 1e-6
    for i in range(place.sources.size):
        if place.load[i] > 0.0:
            most = max(most, place.sources[i] / place.load[i])
    return float(np.log(most / LEAST))


@njit
def _driven(place: Place, a: float, pace: Floats) -> tuple[Chain[float], float]:
    """Return the chain at a drive given by its logarithm, and how far its inflow is from wanted."""
    chain = evaluate(place, np.exp(a), pace)
    wait = _waiting(place, chain)
    return _with(chain, wait, a, 0.0, 0.0), _excess(place, chain, wait)


@njit
def _search(
    place: Place, matched: float, begin: float, pace: Floats, slope: Floats
) -> Chain[float]:
    """Return the chain at the drive at which what comes from the blocking services is wanted.

    Wanted is what their streams would be at the wait that the chain then gives. Where no drive
    reaches that, all their servers work or wait: the chain at the largest drive. The inflow grows
    with the drive. The root is sought from `begin` on by secants, in logarithms, the first with
    `slope`, of one entry, which is renewed; where they do not close in on it, it is bracketed, and
    sought by regula falsi (Illinois), until inflow and what is wanted agree to `matched`,
    relatively.
    """
    if place.blocking <= 0.0 or place.places < 0:
        return evaluate(place, 1.0, pace)
    most = _most(place)
    a = min(begin, most)
    chain, fa = _driven(place, a, pace)
    for _ in range(SECANTS):
        b = min(max(a - fa / slope[0], LEAST_DRIVE), most)
        if abs(fa) <= matched or b == a:
            break
        before, last = a, fa
        a = b
        chain, fa = _driven(place, a, pace)
        slope[0] = min(max((fa - last) / (a - before), LEAST_SLOPE), 1.0 / LEAST_SLOPE)
        if abs(fa) > 0.5 * abs(last):
            break
    step, b, fb = max(2.0 * abs(fa), 1e-9), a, fa
    while fb < -matched and b < most:
        a, fa = b, fb
        b = min(b + step, most)
        chain, fb = _driven(place, b, pace)
        step *= 4.0
    while fa > matched and a > LEAST_DRIVE:
        b, fb = a, fa
        a -= step
        chain, fa = _driven(place, a, pace)
        step *= 4.0
    if fa >= -matched or fb <= matched:
        return chain
    side = 0.0
    for _ in range(SEARCH):
        c = (a * fb - b * fa) / (fb - fa)
        chain, fc = _driven(place, c, pace)
        if abs(fc) < matched or b - a < 1e-14:
            break
        if fc < 0.0:
            a, fa = c, fc
            if side < 0:
                fb *= 0.5
            side = -1.0
        else:
            b, fb = c, fc
            if side > 0:
                fa *= 0.5
            side = 1.0
    return chain


@njit
def _reached(place: Place, rate: Floats) -> int:
    """Return the state beyond which the chain hardly ever is, by the mean time of a server."""
    p, most = 1.0, 1.0
    for x in range(1, rate.size):
        going = min(x, place.servers) / place.held + impatience(place, x)
        p *= rate[x - 1] / going
        most = max(most, p)
        if x > place.places and p < SELDOM * most and rate[x - 1] < 0.9 * going:
            return x
        if p > 1e200:
            p, most = p * 1e-200, most * 1e-200
    return rate.size - 1


@njit
def solve_chain(place: Place, matched: float, slope: Floats) -> Chain[float]:
    """Return the chain at its drive; of a service with few servers, with those blocked counted.

    `slope`, of one entry, is a guess of how the inflow grows with the drive (in logarithms), and
    afterwards what it was last.

    How fast jobs leave that service depends on how they come, hence on the drive: both are found in
    turn, until they and the scales of `paces` change by no more than `matched`; steps are made
    longer by what the last one showed (Anderson 1965, of depth one).
    """
    if not counted(place):
        return _search(place, matched, place.start, np.empty(0), slope)
    inside = inside_share(place)
    rate = np.empty(top_state(place, inside) + 1)
    giving_up = np.empty(rate.size)
    for x in range(rate.size):
        giving_up[x] = impatience(place, x)
    pace, top = np.empty(rate.size), rate.size - 1
    point, before = np.array([place.often, place.fast, 0.0]), np.zeros(3)
    error, last = np.zeros(3), np.zeros(3)
    if place.blocking > 0.0:
        point[2] = min(place.start, _most(place))
    for step in range(ROUNDS):
        table = working(place, np.exp(point[2]))
        for x in range(rate.size):
            rate[x] = birth(place, table, np.exp(point[2]), inside, x)
        scales = Scales(np.exp(point[0]), np.exp(point[1]))
        if step == 0:
            top = _reached(place, rate)
        few, better = paces(place, rate[: top + 1], giving_up, scales)
        pace[: top + 1], pace[top + 1 :] = few, few[top]
        chain = _search(place, matched, point[2], pace, slope)
        error[0], error[1] = np.log(better.often) - point[0], np.log(better.fast) - point[1]
        error[2] = chain.drive - point[2] if place.blocking > 0.0 else 0.0
        if np.abs(error).max() <= matched:
            break
        new = point + error
        if step > 0:
            changed = error - last
            square = float((changed * changed).sum())
            if square > 0.0:
                part = float((error * changed).sum()) / square
                new = new - part * (point - before + changed)
        before[:], last[:] = point, error
        point = point + np.minimum(np.maximum(new - point, -FARTHEST), FARTHEST)
    return _with(chain, chain.wait, chain.drive, point[0], point[1])
