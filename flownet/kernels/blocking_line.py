"""A line without limit before a service whose servers are held up by what lies around it.

The state is (N, r): jobs at the service that it has not finished, wherever they wait, and the state
of the environment, which says among others how many of its servers are blocked. While the line is
there all others work, and the environment moves by itself; so how it does in the long run says how
long the line is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU, splu

from flownet.kernels.blocking_line_levels import Levels, solve_levels
from flownet.kernels.compiled import Floats, Integers

GROUPS = 160
"""Nodes to which the states of an environment of many are lumped, about."""
FEWEST = 10
"""Nodes for each number of blocked servers."""
WIDE = 3.0
"""Standard deviations up to which nodes are laid."""
FAINT = 1e-15
ROUNDS = 60
INVERSE, FALLS, RESOLVED = 3, 0.3, 1e-11
"""Steps of inverse iteration; those by residuals go on while each is so much smaller, to this."""
NEARLY_NOTHING = 1e-13
"""Of the fastest rate: what keeps a generator from being singular."""
SETTLED = 1e-11
FIRMLY = 0.01
"""How well, of what the last round changed, the idle servers are brought to the flow."""


class Around(NamedTuple):
    """The environment of a service, its events and their rates."""

    source: Integers
    """(e,) states."""
    target: Integers
    base: Floats
    """(e,) rate of those that the service has no part in."""
    takes: Floats
    """(e,) rate for each of its servers that work, of those that are its completions."""
    brings: Floats
    """(e,) the part of `base` that brings it a job."""
    blocked: Integers
    """(r,) of its servers."""
    servers: int
    speed: float
    """Completions for each of its servers that works, those included that change nothing around."""
    arrivals: float
    """Poisson, from outside."""


class Saturation(NamedTuple):
    """The environment while the line is never empty."""

    p: Floats
    capacity: float
    """Arrivals from outside that could be served."""
    surplus: Floats
    """(r,) h: with a minus, what is served from each state on beyond the mean."""


class Line(NamedTuple):
    """Where line and environment have come to rest."""

    p: Floats
    """(r,) of the environment."""
    working: Floats
    """(r,) mean number of servers at work."""
    rates: Floats
    """(e,) of all events."""
    number: float
    """Mean number of jobs that the service has not finished; infinite where more come than can."""
    capacity: float
    levels: Levels | None
    """Of the number not finished; None where it grows."""
    nodes: Integers
    """Blocked servers of each of their phases."""
    scale: float
    """Idle servers that the flow wants, over those that the chain of the line has."""
    change: float
    rounds: int


def generator(around: Around, rates: Floats) -> sp.csr_array:
    """Return the generator of the environment with these rates of events."""
    states = around.blocked.size
    flows = sp.coo_array((rates, (around.source, around.target)), shape=(states, states)).tocsr()
    return (flows - sp.diags_array(flows.sum(axis=1))).tocsr()


class Steady:
    """Steady states of generators that differ little; the factors of one serve for the next."""

    def __init__(self) -> None:
        self.inverse: SuperLU | None = None

    def of(self, q: sp.csr_array, near: Floats) -> Floats:
        """Return the steady state: by residuals from one near it, else by inverse iteration."""
        down = q.T.tocsr()
        found = self._from_residuals(down, near)
        if found is None:
            self.inverse, found = _factors(down), np.ones(q.shape[0])
            for _ in range(INVERSE):
                found = self.inverse.solve(found)
                found /= found.sum()
        p = np.maximum(found, 0.0)
        return np.asarray(p / p.sum())

    def _from_residuals(self, down: sp.csr_array, p: Floats) -> Floats | None:
        """Return the steady state, None where the factors are not near enough."""
        last = np.inf
        while self.inverse is not None:
            new = p - self.inverse.solve(down @ p)
            new = new / new.sum()
            size, p = float(np.abs(new - p).sum()), new
            if size < RESOLVED:
                return p
            if not size < FALLS * last:
                break
            last = size
        return None


def _factors(q: sp.csr_array) -> SuperLU:
    """Return the factors of a generator less a little of the unit matrix, which has an inverse."""
    little = NEARLY_NOTHING * (float(np.abs(q.diagonal()).max()) or 1.0)
    return splu((q - little * sp.eye_array(q.shape[0])).tocsc())


def saturate(around: Around) -> Saturation:
    r"""Return the environment with all servers at work that are not blocked.

    .. math:: Q h = (c - y) \mu - a - C, \qquad \pi h = 0

    with a the rate at which the environment itself brings jobs.
    """
    free = np.maximum(around.servers - around.blocked, 0)
    q = generator(around, around.base + around.takes * free[around.source])
    steady = Steady()
    p = steady.of(q, np.ones(around.blocked.size))
    brought = np.bincount(around.source, weights=around.brings, minlength=p.size)
    served = around.speed * free - brought
    capacity = float(p @ served)
    surplus = _factors(q).solve(served - capacity)
    return Saturation(p, capacity, surplus - p @ surplus)


class Nodes(NamedTuple):
    """To what the states of an environment are lumped: each lies between two nodes."""

    lower: Integers
    """(r,)."""
    upper: Integers
    share: Floats
    """(r,) of the upper one."""
    blocked: Integers
    """(k,) servers that are blocked in each."""

    def of(self, values: Floats) -> Floats:
        """Return sums of values of states, by node."""
        size = self.blocked.size
        low = np.bincount(self.lower, weights=(1.0 - self.share) * values, minlength=size)
        high = np.bincount(self.upper, weights=self.share * values, minlength=size)
        return np.asarray(low + high)

    def at(self, values: Floats) -> Floats:
        """Return the values of states between those of their nodes."""
        low, high = values[self.lower], values[self.upper]
        return np.asarray(low + self.share * (high - low))

    def flows(self, source: Integers, target: Integers, weight: Floats) -> Floats:
        """Return the flows from node to node of those from state to state.

        A state is in its upper node where a number between 0 and 1, which it keeps, is above one
        less its share: so what moves a little changes its node seldom.
        """
        size, before, after = self.blocked.size, self.share[source], self.share[target]
        low, high = np.minimum(1.0 - before, 1.0 - after), np.minimum(before, after)
        found = np.zeros(size * size)
        for here, there, part in (
            (self.lower, self.lower, low),
            (self.lower, self.upper, np.maximum(after - before, 0.0)),
            (self.upper, self.lower, np.maximum(before - after, 0.0)),
            (self.upper, self.upper, high),
        ):
            place = here[source] * size + there[target]
            found += np.bincount(place, weights=weight * part, minlength=found.size)
        return found.reshape(size, size)


def nodes_of(around: Around, saturation: Saturation, *, exact: bool) -> Nodes:
    """Return the nodes: a number of blocked servers and a value of the surplus each.

    Where it is `exact`, each state is a node.
    """
    states, stuck = around.blocked.size, np.minimum(around.blocked, around.servers)
    if exact:
        every = np.arange(states)
        return Nodes(every, every, np.zeros(states), stuck)
    kinds = np.unique(stuck)
    each = max(GROUPS // kinds.size, FEWEST)
    lower, share = np.zeros(states, dtype=np.int64), np.zeros(states)
    for kind, number in enumerate(kinds):
        mine = np.flatnonzero(stuck == number)
        weight = saturation.p[mine] + FAINT
        weight = weight / weight.sum()
        h = saturation.surplus[mine]
        mean = weight @ h
        spread = WIDE * np.sqrt(weight @ (h - mean) ** 2) + 1e-9
        at = np.clip((h - mean) / spread + 1.0, 0.0, 2.0) / 2.0 * (each - 1)
        low = np.minimum(at.astype(np.int64), each - 2)
        lower[mine], share[mine] = kind * each + low, at - low
    upper = lower + (share > 0)
    lower = np.where(share < 1, lower, upper)  # no node that no state is in
    used, place = np.unique(np.concatenate([lower, upper]), return_inverse=True)
    return Nodes(place[:states], place[states:], share, np.repeat(kinds, each)[used])


def settle_line(
    around: Around, tolerance: float = SETTLED, *, exact: bool = False, begin: Line | None = None
) -> Line:
    r"""Return line and environment in their common steady state.

    .. math:: E N = \frac{E[i v (N + h)]}{E[i v]} - E h + \frac{E[\sigma^2]}{2 (C - \lambda)}

    Parameters
    ----------
    around : Around
    tolerance : float
        Largest sum of changes of the environment's probabilities at which it stops.
    exact : bool
        Whether the chain of the line has all states of the environment, and not nodes.
    begin : Line, optional
        Of a like environment.

    Returns
    -------
    Line

    Notes
    -----
    h is the solution of the Poisson equation of the environment while the line is never empty
    (`saturate`). Then N + h(r) drifts by :math:`-(C - \lambda)` as long as no server is idle, and
    its mean square, which does not change in the steady state, gives the mean of N; i are the
    servers that are idle, v is by how much a completion lowers N + h, and :math:`\sigma^2` the
    rate of the squares of all its jumps. This is exact; what is not, is how the environment is
    distributed while servers are idle. That comes from two chains in turn: the exact one of the
    environment, with the servers at work that each state meets on average, and a chain of the line
    whose phases are the environment's states lumped by blocked servers and h.

    References
    ----------
    Neuts (1981), Matrix-Geometric Solutions, ch. 3 (the chain of the line); Asmussen (2003),
    Applied Probability and Queues, ch. XI (the drift of N + h, and the Poisson equation).
    """
    saturation = saturate(around)
    free = np.maximum(around.servers - around.blocked, 0).astype(np.float64)
    nodes = nodes_of(around, saturation, exact=exact)
    if saturation.capacity <= around.arrivals:
        rates = around.base + around.takes * free[around.source]
        return Line(
            saturation.p, free, rates, np.inf, saturation.capacity, None, nodes.blocked, 1.0, 0.0, 1
        )
    p, scale = (saturation.p, 1.0) if begin is None else (begin.p, begin.scale)
    change, rounds, steady = 1.0, 0, Steady()
    while change > tolerance and rounds < ROUNDS:
        levels = _levels(around, nodes, p)
        idle = np.clip(free - nodes.at(levels.at_work), 0.0, free)
        enough = max(FIRMLY * change, 0.1 * tolerance)
        near = (steady, p)
        new, scale, _ = _with_idle(around, saturation.capacity, free, idle, scale, enough, near)
        change, p, rounds = float(np.abs(new - p).sum()), new, rounds + 1
    working = free - np.minimum(scale * idle, free)
    rates = around.base + around.takes * working[around.source]
    number = _mean_number(around, saturation, nodes, levels, p, free - working, rates)
    capacity = saturation.capacity
    return Line(p, working, rates, number, capacity, levels, nodes.blocked, scale, change, rounds)


def _with_idle(
    around: Around,
    capacity: float,
    free: Floats,
    idle: Floats,
    scale: float,
    enough: float,
    near: tuple[Steady, Floats],
) -> tuple[Floats, float, float]:
    """Return the steady state with idle servers in these proportions, and in which measure.

    They are so many that what arrives is served: the logarithm of what capacity is left over what
    should be rises with that of the measure, and its root is found by secants within a bracket.
    """
    slack = capacity - around.arrivals
    x, low, high = np.log(scale), -np.inf, np.inf
    last: tuple[float, float] | None = None
    steady, p = near
    for _ in range(ROUNDS):
        working = free - np.minimum(np.exp(x) * idle, free)
        rates = around.base + around.takes * working[around.source]
        p = steady.of(generator(around, rates), p)
        served = around.speed * float(p @ working) - float(p[around.source] @ around.brings)
        off = float(np.log(max(capacity - served, FAINT) / slack))
        if abs(off) * slack <= enough * capacity or high - low < FAINT:
            break
        low, high = (low, x) if off > 0 else (x, high)
        slope = 1.0 if last is None else (off - last[1]) / (x - last[0])
        last = (x, off)
        x -= float(np.clip(off / max(slope, 0.3), -2.0, 2.0))
        if not low < x < high:
            x = 0.5 * (low + high)
    return p, float(np.exp(x)), off


def _levels(around: Around, nodes: Nodes, p: Floats) -> Levels:
    """Return the chain of the line, with the environment's states in their nodes as now."""
    weight = np.maximum(p, 0.0) + FAINT
    mass = nodes.of(weight)

    def lumped(rates: Floats) -> Floats:
        flows = nodes.flows(around.source, around.target, weight[around.source] * rates)
        return np.asarray(flows / mass[:, None])

    along = lumped(around.takes)
    down = along + np.diag(around.speed - along.sum(axis=1))
    up = lumped(around.brings)
    inner = lumped(around.base) - up
    return solve_levels(around.arrivals, up, inner, down, around.servers - nodes.blocked)


def _mean_number(
    around: Around, saturation: Saturation, nodes: Nodes, levels: Levels, p: Floats,
    idle: Floats, rates: Floats,
) -> float:  # fmt: skip
    """Return the mean number not finished, from the drift of the square of N + h."""
    h, source, states = saturation.surplus, around.source, p.size
    jump = h[around.target] - h[source]
    by = np.bincount(source, weights=around.takes * jump, minlength=states)
    lowers = 1.0 - by / around.speed
    weight = p * idle * lowers
    in_node = nodes.of(p * lowers) / nodes.of(np.maximum(p, 0.0) + FAINT)
    first = (levels.idle_number @ in_node) / (levels.idle @ in_node)
    taken = rates - around.base
    quiet = around.speed * np.maximum(around.servers - around.blocked, 0) - around.speed * idle
    quiet = quiet - np.bincount(source, weights=taken, minlength=states)
    squares = (around.base - around.brings) * jump**2 + around.brings * (jump + 1.0) ** 2
    squares = squares + taken * (jump - 1.0) ** 2
    every = around.arrivals + p[source] @ squares + p @ np.maximum(quiet, 0.0)
    slack = saturation.capacity - around.arrivals
    return float(first + (weight @ h) / weight.sum() - p @ h + every / (2.0 * slack))
