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
from flownet.kernels.blocking_compressed_chain import evaluate, impatience, is_endless
from flownet.kernels.blocking_compressed_place import Chain, Place
from flownet.kernels.blocking_compressed_spells import counted, paces
from flownet.kernels.compiled import Floats

SEARCH = 60
"""Evaluations at most in the search for the drive."""
SECANTS, LEAST_SLOPE = 5, 0.05
"""Steps at most before the root is bracketed, and slopes that they go by, at least."""
SELDOM = 1e-12
"""Beyond a state of less than this, in proportion, jobs leave as there."""
ROUNDS, FARTHEST, GOOD = 60, 1.4, 8
"""Steps at most in the search for how fast jobs leave, and the longest; slopes with which it takes
as many are forgotten."""
WIDEST = 50.0
"""Logarithm of the largest scale of `paces`, and of the least with its sign turned."""
SINGULAR = 1e-3
"""Slopes are left as they are by a step that would make them so nearly singular."""
FALLING = 0.9
"""Beyond a state no more is looked at where so much less comes than leaves."""
LOOSER = 5.0
"""So much less well than the drive matches, the scale of `paces` has to."""
FLATTER = -0.4
"""By how much the scale of `paces` is changed at first for what the number blocked is off."""
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
    chain: Chain[float], outside: float, wait: float, drive: float, fast: float, spread: float
) -> Chain[float]:
    return Chain(
        chain.busy,
        chain.waiting,
        chain.blocked,
        outside,
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
        drive,
        chain.first,
        chain.queue,
        chain.bunching,
        fast,
        spread,
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
    return _with(chain, chain.outside, wait, a, 0.0, 0.0), _excess(place, chain, wait)


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
def no_slopes() -> Floats:
    """Return first guesses of how what is off answers.

    The slope of the inflow by the drive, in logarithms; and the inverse of the slopes by the scale
    of `paces` and the drive of what is off in both, row by row.
    """
    return np.array([1.0, FLATTER, 0.0, 0.0, -1.0])


@njit
def _correct(inverse: Floats, step: Floats, change: Floats) -> None:
    """Make inverse slopes agree with what the last step changed (Broyden)."""
    along = step @ inverse
    scale = float(along @ change)
    if abs(scale) > SINGULAR * float(step @ step):
        inverse += np.outer(step - inverse @ change, along) / scale


@njit
def solve_chain(place: Place, matched: float, slopes: Floats) -> Chain[float]:
    """Return the chain at its drive, and with as many servers blocked as the waits ahead say.

    How fast jobs leave depends on how they come, hence on the drive: both it and the scale of
    `paces` are sought together, until they change by no more than `matched`. `slopes`, as of
    `no_slopes`, are a guess of how all answers, and afterwards what they were last.

    References
    ----------
    Broyden (1965), Math. Comput. 19, 577 (secants in several unknowns).
    """
    crowd = place.places < 0 and place.patience_rate > 0.0
    if crowd or not counted(place):
        return _search(place, matched, place.start, np.empty(0), slopes)
    inside = inside_share(place)
    endless = is_endless(place)
    rate = np.empty(top_state(place, inside) + 1)
    giving_up = np.empty(rate.size)
    for x in range(rate.size):
        giving_up[x] = impatience(place, x)
    top = rate.size - 1
    point, off = np.array([place.fast, 0.0]), np.zeros(2)
    if place.blocking > 0.0 and place.places >= 0:
        point[1] = min(place.start, _most(place))
    begin, inverse = point, slopes[1:].copy().reshape(2, 2)
    step, last = np.zeros(2), np.zeros(2)
    for number in range(ROUNDS):
        if number == GOOD:  # the slopes of last time do not help
            point, inverse = begin, no_slopes()[1:].reshape(2, 2)
        table = working(place, np.exp(point[1]))
        for x in range(rate.size):
            rate[x] = birth(place, table, np.exp(point[1]), inside, x)
        if number == 0 and not endless:
            top = _reached(place, rate)
        found = paces(place, rate[: top + 1], giving_up, np.exp(point[0]), endless)
        if top < rate.size - 1 and rate[top] > FALLING * found.leaving[top]:
            top = rate.size - 1  # spells in which servers are blocked reach further than means say
            found = paces(place, rate, giving_up, np.exp(point[0]), endless)
        pace = found.leaving
        if not endless:
            pace = np.empty(rate.size)
            pace[: top + 1], pace[top + 1 :] = found.leaving, found.leaving[top]
        chain = _search(place, matched, point[1], pace, slopes)
        off[0] = found.off
        off[1] = chain.drive - point[1] if place.blocking > 0.0 and place.places >= 0 else 0.0
        if np.abs(off).max() <= LOOSER * matched:
            break
        if number > 0 and number != GOOD:
            _correct(inverse, step, off - last)
        last[:] = off
        step = np.minimum(np.maximum(-inverse @ off, -FARTHEST), FARTHEST)
        point = point + step
        point[0] = min(max(point[0], -WIDEST), WIDEST)
    if number < GOOD and np.isfinite(inverse).all():
        slopes[1:] = inverse.ravel()
    else:
        slopes[:] = no_slopes()
    outside, spread = chain.outside, found.variance
    if place.free > 0.0 and place.blocking > 0.0:
        chain = _search(place, matched, place.start, np.empty(0), slopes)
    return _with(chain, outside, chain.wait, chain.drive, point[0], spread)
