"""Search on the full model: step by step from a start, keeping every rule of the allocation."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from flownet.allocate.exchanges import Exchanges
from flownet.kernels.compiled import Floats
from flownet.solvers.goals import GoalValue

Key = tuple[int, ...]
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Rules:
    """What an allocation may do.

    Attributes
    ----------
    servers : numpy.ndarray
        (n,) at present; ``inf`` where nothing can be added.
    low, high : numpy.ndarray
        (n,) bounds on the servers.
    price : numpy.ndarray
        (n,) money per server and T; nan where none may be bought.
    exchanges : Exchanges
        What may move, at what rate and cost.
    budget : float
        Money per T.
    """

    servers: Floats
    low: Floats
    high: Floats
    price: Floats
    exchanges: Exchanges
    budget: float

    def after(self, bought: Floats, moved: Floats) -> Floats:
        """Return the servers after purchases and moves (whole numbers rounded down)."""
        table = self.exchanges
        change = bought.astype(np.float64).copy()
        np.subtract.at(change, table.start, moved)
        np.add.at(change, table.end, moved * table.rate)
        return np.where(np.isfinite(self.servers), self.servers + change, self.servers)

    def spent(self, bought: Floats, moved: Floats) -> float:
        """Return the money that purchases and moves cost."""
        return float(
            (np.nan_to_num(self.price) * bought).sum() + (self.exchanges.cost * moved).sum()
        )

    def allows(self, bought: Floats, moved: Floats) -> bool:
        """Return whether every rule is kept."""
        servers = self.after(bought, moved)
        return bool(
            (bought >= 0).all()
            and (moved >= 0).all()
            and (moved <= self.exchanges.limit + TOLERANCE).all()
            and not ((bought > 0) & np.isnan(self.price)).any()
            and (servers >= self.low - TOLERANCE).all()
            and (servers <= self.high + TOLERANCE).all()
            and self.spent(bought, moved) <= self.budget * (1 + TOLERANCE) + TOLERANCE
        )


@dataclass(frozen=True)
class Found:
    """The best allocation that the search met."""

    bought: Floats
    moved: Floats
    servers: Floats
    value: GoalValue
    solves: int


def whole(servers: Floats) -> Floats:
    """Return servers as whole numbers: what an exchange leaves over is not used."""
    return np.where(np.isfinite(servers), np.floor(servers + TOLERANCE), servers)


def descend(
    rules: Rules,
    start: tuple[Floats, Floats],
    evaluate: Callable[[Floats], GoalValue],
    *,
    most_solves: int = 2000,
    progress: Callable[[int, int], None] | None = None,
) -> Found:
    """Return the best allocation reached from `start` by single steps and pairs of them.

    Parameters
    ----------
    rules : Rules
        What is allowed.
    start : tuple of arrays
        Purchases (n,) and moves (m,) to begin with, whole numbers.
    evaluate : callable
        From servers (n,) to the goal by the full model.
    most_solves : int
        Evaluations at most.
    progress : callable, optional
        Called with (done, total).

    Notes
    -----
    Steepest descent: in each round every purchase and move one up or one down, and every pair of
    one up and one down, is tried where the rules allow it; the best is taken until none improves.
    A local optimum of this neighbourhood; with blocking nothing better is guaranteed.
    """
    known: dict[Key, GoalValue] = {}

    def value(bought: Floats, moved: Floats) -> GoalValue:
        servers = whole(rules.after(bought, moved))
        key: Key = tuple(int(x) for x in np.nan_to_num(servers, posinf=-1))
        if key not in known:
            known[key] = evaluate(servers)
            if progress is not None:
                progress(len(known), most_solves)
        return known[key]

    bought, moved = start
    best = value(bought, moved)
    while len(known) < most_solves:
        leader, where = best, None
        for candidate in _neighbours(rules, bought, moved):
            if len(known) >= most_solves:
                break
            found = value(*candidate)
            if found.gain_over(leader) > TOLERANCE * max(1.0, abs(_size(leader))):
                leader, where = found, candidate
        if where is None:
            break
        best, (bought, moved) = leader, where
    return Found(bought, moved, whole(rules.after(bought, moved)), best, len(known))


def _size(value: GoalValue) -> float:
    return value.growth if value.growth > 0 else value.value


def _neighbours(rules: Rules, bought: Floats, moved: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield the allowed allocations one step, or one step up and one down, away."""
    n, m = bought.size, moved.size
    whole_vector = np.concatenate([bought, moved])
    ups = [*np.flatnonzero(~np.isnan(rules.price)).tolist(), *range(n, n + m)]
    downs = np.flatnonzero(whole_vector > 0).tolist()
    singles = [((i, 1),) for i in ups] + [((i, -1),) for i in downs]
    pairs = [((i, 1), (j, -1)) for i, j in itertools.product(ups, downs) if i != j]
    for steps in [*singles, *pairs]:
        vector = whole_vector.copy()
        for place, step in steps:
            vector[place] += step
        candidate = (vector[:n], vector[n:])
        if rules.allows(*candidate):
            yield candidate
