"""How fast jobs leave a service of which servers are blocked now and then.

A mean says little of servers that are blocked in spells: with one server it is none or all of them,
and a ward full for a day holds up half of the department before it. The chain of (jobs here or
waiting for here, own servers blocked) follows both. Jobs come as the birth-death chain of the
service has them; what this one gives is how fast they leave by their number, with which that chain
has the same probabilities.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.blocking_compressed_place import Place
from flownet.kernels.compiled import Floats

NODES = 9
"""Numbers of blocked servers that stand for all, where there are as many servers or more."""
HARDLY = 1e-9
"""A completion that is blocked so seldom, or for so small a part of a service, does not count."""
FULLEST = 1.0 - 1e-10
"""The ratio of the numbers far out in a line without limit, at most: then nothing else counts."""
ALWAYS = 1e-12
"""Places ahead are free for this part of the time at least."""
SETTLED, MOST_STEPS = 1e-13, 2000
"""To what the chain far out in a line is found, and in how many steps at most."""
FARTHEST_OUT = 1000
"""So far behind the last place is a line without limit followed, at most."""


class Nodes(NamedTuple):
    """What is ahead: (k,) arrays of free places, none free, and growing numbers blocked."""

    blocked: Floats
    """0 at the first two."""
    meets: Floats
    """Chance that who completes is blocked."""
    release: Floats
    """Rate at which blocked servers are released."""
    fills: float
    """Chance that who completes takes the last place, where there are free ones."""
    filled: float
    """Rate at which it is taken by others."""
    vacated: float
    """Rate at which a place becomes free again."""


class Pace(NamedTuple):
    """How fast jobs leave, and how many servers are blocked meanwhile."""

    leaving: Floats
    """(x,) mean rate of leaving by the number here or waiting for here; as the last one beyond."""
    off: float
    """Logarithm of the mean number blocked over what it is to be."""
    variance: float
    """Of the number blocked."""


@njit
def counted(place: Place) -> bool:
    """Tell whether the number of blocked servers is followed."""
    longer = place.held - place.base
    return bool(place.meets > HARDLY and longer > HARDLY * place.base)


@njit
def paces(place: Place, rate: Floats, giving_up: Floats, scale: float, endless: bool) -> Pace:
    r"""Return how fast jobs leave by their number, and how well that agrees.

    With n of c servers blocked and x jobs here, :math:`\min(x, c) - n` are at work. Who completes
    is blocked with chance :math:`\varphi_n`; blocked ones are released at rate :math:`\beta_n`:

    .. math::
        \varphi_n = (1 - s)^n \varphi_0 + (1 - (1 - s)^n)\,q,\qquad
        \beta_n = v\,\frac{n}{n + o_n}\,\frac{1 - (1 - s)^n}{s}

    with s the chance that two blocked servers are blocked for the same service, q that to go where
    one is blocked: a service that some are blocked for is full, and releases one by one those who
    wait there, among them :math:`o_n` of other services (`beside`). v is to make the mean number
    blocked what the mean time S says that a job holds a server. While none is blocked there are
    two states: a free place ahead, or the last one just taken, when who completes is blocked with
    chance q; the second has the share of that time that makes :math:`\varphi_0` the mean.

    Parameters
    ----------
    place : Place
    rate : (x,) array
        At which jobs come, by the number here or waiting for here.
    giving_up : (x,) array
        Rate at which jobs give up, by the same.
    scale : float
        v.
    endless : bool
        Whether as many come beyond the last state.

    Returns
    -------
    Pace
        From the steady state of the two-dimensional chain.

    Notes
    -----
    Of 8 servers and more not every number blocked is a state, but 8 of them, none and all among
    them; from one to the next
    go as many as keep mean and variance of what changes. Of a line without limit, whose chain is
    the same at each number far out, the tail is summed.

    References
    ----------
    Neuts (1981), Matrix-Geometric Solutions in Stochastic Models, sections 1.5 (levels are
    eliminated from the highest down) and 3.1 (far out); Grassmann, Taksar, Heyman (1985), Oper.
    Res. 33, 1107 (elimination without differences).
    """
    nodes = _nodes(place, scale)
    size, top = nodes.blocked.size, rate.size - 1
    climbs, free = np.zeros((top + 1, size, size)), np.zeros((size, size))
    gives_up = np.array([giving_up[top], giving_up[top]])
    _eliminate(place, nodes, scale, top, 0.0, gives_up, free, climbs[top])
    for _ in range(MOST_STEPS if endless else 0):
        free[:] = climbs[top]
        _eliminate(place, nodes, scale, top, rate[top], gives_up, free, climbs[top])
        if np.abs(climbs[top] - free).max() <= SETTLED * np.abs(free).max():
            break
    for x in range(top - 1, -1, -1):
        gives_up = giving_up[x : x + 2]
        _eliminate(place, nodes, scale, x, rate[x], gives_up, climbs[x + 1], climbs[x])
    return _descend(place, nodes, scale, rate, giving_up, climbs, endless)


@njit
def _nodes(place: Place, scale: float) -> Nodes:
    """Return the numbers blocked, with growing steps between them, and what happens there."""
    c = place.servers
    blocked = np.maximum(np.arange(1.0 * min(c + 2, NODES)) - 1.0, 0.0)
    if c + 2 > NODES:
        low, high = 1.0, 1.0 * c
        for _ in range(60):
            ratio, at, step = 0.5 * (low + high), 0.0, 1.0
            for g in range(2, NODES):
                at += step
                step *= ratio
                blocked[g] = max(np.round(at), blocked[g - 1] + 1.0)
            low, high = (low, ratio) if at > c else (ratio, high)
        blocked[NODES - 1] = c
    meets, release = np.zeros(blocked.size), np.zeros(blocked.size)
    onward = min(max(place.onward, place.meets), 1.0)
    meets[1] = onward
    for n in range(2, blocked.size):
        apart = (1.0 - place.same) ** blocked[n]
        meets[n] = apart * place.meets + (1.0 - apart) * onward
        release[n] = _release(place, scale, blocked[n])
    vacated = _release(place, scale, 1.0)
    rate = vacated * place.meets / max(onward - place.meets, ALWAYS * onward)
    fills = min(place.mine * rate * place.base / place.work, 1.0)
    filled = rate - fills * place.work / place.base
    return Nodes(blocked, meets, release, fills, max(filled, 0.0), vacated)


@njit
def _release(place: Place, scale: float, blocked: float) -> float:
    """Return the rate at which so many blocked servers are released."""
    apart = (1.0 - place.same) ** blocked
    each = place.meets / (place.held - place.base)
    beside = max(place.others + place.lean * blocked, 0.0)
    turn = blocked / (blocked + beside) * (1.0 + max(place.others + place.lean, 0.0))
    return float(scale * each * turn * (1.0 - apart) / place.same)


@njit
def _level(place: Place, nodes: Nodes, scale: float, x: int) -> tuple[Nodes, int]:
    """Return the nodes with x here, and the last: where fewer are here than servers, all of them.

    What happens at the nodes before it is the same at every level.
    """
    most = min(x, place.servers)
    top = 1
    while nodes.blocked[top] < most:
        top += 1
    if nodes.blocked[top] == most:
        return nodes, top
    here = Nodes(
        nodes.blocked.copy(), nodes.meets, nodes.release.copy(), nodes.fills, nodes.filled,
        nodes.vacated,
    )  # fmt: skip
    here.blocked[top] = most
    here.release[top] = _release(place, scale, here.blocked[top])
    return here, top


@njit
def _moves(nodes: Nodes, n: int, top: int, up: float) -> tuple[float, float]:
    """Return the rates of going to the node above and below, where so many per T are blocked.

    They keep the mean and, where it can be kept, the variance of the change.
    """
    values, down = nodes.blocked, nodes.release[n]
    if n <= 1:
        return (up / (values[2] - values[1]), 0.0) if n < top else (0.0, 0.0)
    below = values[n] - values[n - 1]
    if n == top:
        return 0.0, down / below
    above = values[n + 1] - values[n]
    rise = (up + down + (up - down) * below) / (above * (above + below))
    fall = (up + down - (up - down) * above) / (below * (above + below))
    if rise < 0.0:
        return 0.0, (down - up) / below
    if fall < 0.0:
        return (up - down) / above, 0.0
    return rise, fall


@njit
def _work(place: Place, nodes: Nodes, n: int, x: int) -> float:
    """Return the rate of completions with x here."""
    return float(max(min(x, place.servers) - nodes.blocked[n], 0.0) / place.base)


@njit
def _upwards(nodes: Nodes, top: int, above: Nodes, matrix: Floats) -> None:
    """Make rows of a matrix, which stand for nodes of the level above, into such of this one.

    Only the last node has another place there: between the last two of that level.
    """
    if above.blocked[top] > nodes.blocked[top]:
        below = above.blocked[top - 1]
        part = (nodes.blocked[top] - below) / (above.blocked[top] - below)
        matrix[top] = part * matrix[top] + (1.0 - part) * matrix[top - 1]


@njit
def _eliminate(
    place: Place, nodes: Nodes, scale: float, x: int, coming: float, gives_up: Floats,
    above: Floats, climbs: Floats,
) -> None:  # fmt: skip
    """Fill in the matrix that makes the probabilities with x jobs from those below, over the rate.

    It is the inverse of what leaves the states with x, less what comes back to them before the
    level is left downwards; `above`, whose rows are changed, is the same with one job more. What
    leaves a state is added up from where it goes, so that no digits are lost.
    """
    here, top = _level(place, nodes, scale, x)
    climbs[:] = 0.0
    climbs[0, 1], climbs[1, 0] = -here.filled, -here.vacated
    for n in range(1, top):
        up = _work(place, here, n, x) * here.meets[n]
        climbs[n, n + 1] = -_moves(here, n, top, up)[0]
    if coming > 0.0:
        higher, last = _level(place, nodes, scale, x + 1)
        _upwards(here, top, higher, above)
        for n in range(last + 1):
            work = _work(place, higher, n, x + 1)
            blocked = work * higher.meets[n]
            every = coming * (work - blocked + higher.release[n] + gives_up[1])
            to, fall, rise = n, coming * _moves(higher, n, last, blocked)[1], 0.0
            if n == last and x < place.servers:  # one of all is released: all of one less
                to, fall = top, 0.0
            if n == 0:
                rise = coming * work * higher.fills
            stay = every - fall - rise
            for i in range(top + 1):
                flow = above[i, n]
                climbs[i, to] -= flow * stay
                if n > 1:
                    climbs[i, to - 1] -= flow * fall
                elif n == 0:
                    climbs[i, 1] -= flow * rise
    for i in range(top + 1):
        out = _work(place, here, i, x) * (1.0 - here.meets[i]) + here.release[i] + gives_up[0]
        for n in range(top + 1):
            if n != i:
                out -= climbs[i, n]
        climbs[i, i] = out
    if x > 0:
        _invert(climbs, top + 1)


@njit
def _far_out(place: Place, nodes: Nodes) -> Floats:
    """Return the probabilities of the nodes while no server is ever idle: a birth-death chain."""
    p, top = np.ones(nodes.blocked.size), nodes.blocked.size - 1
    for n in range(1, p.size):
        work = _work(place, nodes, n - 1, place.servers)
        rise = _moves(nodes, n - 1, top, work * nodes.meets[n - 1])[0]
        here = _work(place, nodes, n, place.servers) * nodes.meets[n]
        fall = _moves(nodes, n, top, here)[1]
        if n == 1:
            rise, fall = nodes.filled + work * nodes.fills, nodes.vacated
        p[n] = p[n - 1] * rise
        p[:n] *= fall
        p /= p[: n + 1].max()
    return np.asarray(p / p.sum())


@njit
def _descend(
    place: Place, nodes: Nodes, scale: float, rate: Floats, giving_up: Floats, climbs: Floats,
    endless: bool,
) -> Pace:  # fmt: skip
    """Return how fast jobs leave by their number, from none up.

    The matrices have been made to have rows for the nodes of the level below.
    """
    top, size, servers = rate.size - 1, nodes.blocked.size, place.servers
    leaving = np.zeros(top + 2 + (FARTHEST_OUT if endless else 0))
    now, last, sums = np.zeros(size), np.zeros(size), np.zeros(4)
    now[0] = climbs[0, 1, 0] / (climbs[0, 0, 1] + climbs[0, 1, 0])
    now[1] = 1.0 - now[0]
    sums[0] = 1.0
    p, most, end = 1.0, 1.0, top
    for x in range(1, leaving.size - 1):
        level = min(x, top)
        here = _level(place, nodes, scale, x)[0]
        last[:] = now
        for n in range(size):
            now[n] = 0.0
            for i in range(size):
                now[n] += last[i] * climbs[level, i, n]
        now /= now.sum()
        leaving[x] = giving_up[level] + _speed(place, here, now, x)
        p *= rate[min(x - 1, top)] / leaving[x]
        if p > 1e200:
            p, most = p * 1e-200, most * 1e-200
            sums *= 1e-200
        most = max(most, p)
        _add(place, here, now, x, p, sums)
        if x <= top:
            continue
        end = x
        if abs(leaving[x] - leaving[x - 1]) <= SETTLED * leaving[x] or p < SETTLED * most:
            break
    if endless:
        always = _far_out(place, nodes)
        capacity = giving_up[top] + _speed(place, nodes, always, servers)
        if rate[top] >= capacity:
            end += 1
            leaving[end] = capacity
            sums[:] = 0.0
            _add(place, nodes, always, servers, 1.0, sums)
        else:
            ratio = min(rate[top] / leaving[end], FULLEST)
            _add(place, nodes, now, servers, p * ratio / (1.0 - ratio), sums)
    wanted = (place.held - place.base) / place.base
    off = np.log(max(sums[2], 1e-300) / max(sums[1], 1e-300) / wanted)
    variance = sums[3] / sums[0] - (sums[2] / sums[0]) ** 2
    return Pace(leaving[: end + 1], float(off), float(max(variance, 0.0)))


@njit
def _speed(place: Place, nodes: Nodes, now: Floats, x: int) -> float:
    """Return the mean rate at which jobs leave with x here, those apart who give up."""
    speed = 0.0
    for n in range(now.size):
        if now[n] > 0.0:
            work = _work(place, nodes, n, x)
            speed += now[n] * (work * (1.0 - nodes.meets[n]) + nodes.release[n])
    return speed


@njit
def _add(place: Place, nodes: Nodes, now: Floats, x: int, p: float, sums: Floats) -> None:
    """Add a level: its probability, servers at work, blocked, and the square of those."""
    sums[0] += p
    for n in range(now.size):
        if now[n] > 0.0:
            sums[1] += p * now[n] * _work(place, nodes, n, x) * place.base
            sums[2] += p * now[n] * nodes.blocked[n]
            sums[3] += p * now[n] * nodes.blocked[n] ** 2


@njit
def _invert(matrix: Floats, size: int) -> None:
    """Invert the leading part in its place; diagonally dominant, so that no pivots are sought."""
    for k in range(size):
        scale = 1.0 / matrix[k, k]
        matrix[k, k] = 1.0
        for j in range(size):
            matrix[k, j] *= scale
        for i in range(size):
            if i == k:
                continue
            part = matrix[i, k]
            matrix[i, k] = 0.0
            for j in range(size):
                matrix[i, j] -= part * matrix[k, j]
