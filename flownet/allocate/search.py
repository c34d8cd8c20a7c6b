"""Search on the full model: step by step from a start, keeping every rule of the allocation."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from flownet.allocate.exchanges import Exchanges
from flownet.allocate.judge import TOLERANCE, Judge, Score
from flownet.allocate.terms import Terms
from flownet.kernels.compiled import Floats
from flownet.network.model import ServiceName

Start = tuple[Floats, Floats]
"""Purchases (n,) and moves (m,)."""


@dataclass(frozen=True)
class Rules:
    """What an allocation may do.

    Attributes
    ----------
    names : tuple
        The services.
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
    terms : Terms
        What else must be kept.
    """

    names: tuple[ServiceName, ...]
    servers: Floats
    low: Floats
    high: Floats
    price: Floats
    exchanges: Exchanges
    budget: float
    terms: Terms

    def after(self, bought: Floats, moved: Floats) -> Floats:
        """Return the servers after purchases and moves (whole numbers rounded down)."""
        table = self.exchanges
        change = bought.astype(np.float64).copy()
        np.subtract.at(change, table.start, moved)
        np.add.at(change, table.end, moved * table.rate)
        return np.where(np.isfinite(self.servers), self.servers + change, self.servers)

    def spent(self, bought: Floats, moved: Floats) -> float:
        """Return the money that purchases and moves cost, and what is fixed."""
        limited = np.isfinite(self.servers)
        change = np.where(limited, self.after(bought, moved), 0.0)
        change -= np.where(limited, self.servers, 0.0)
        table = self.exchanges
        return float(
            (np.nan_to_num(self.price) * bought).sum()
            + (table.cost * moved).sum()
            + table.training[moved > TOLERANCE].sum()
            + self.terms.fixed(change)
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
            and self.terms.broken(whole(servers), self.servers) == 0
        )

    def steps(self) -> Floats:
        """Return (n + m,) by how much purchases and moves change at a time."""
        shift, table = self.terms.shift, self.exchanges
        return np.concatenate([shift, np.maximum(shift[table.start], shift[table.end])])


@dataclass(frozen=True)
class Found:
    """The best allocation that the search met."""

    bought: Floats
    moved: Floats
    servers: Floats
    score: Score


def whole(servers: Floats) -> Floats:
    """Return servers as whole numbers: what an exchange leaves over is not used."""
    return np.where(np.isfinite(servers), np.floor(servers + TOLERANCE), servers)


def descend(
    rules: Rules,
    start: Start,
    judge: Judge,
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
    judge : Judge
        Tells what servers are worth by the full model.
    most_solves : int
        Different servers that the judge may have been asked for, at most.
    progress : callable, optional
        Called with (done, total).

    Notes
    -----
    Steepest descent: in each round every purchase and move one up or one down, and every pair of
    these, is tried where the rules allow it; the best is taken until none improves. A local
    optimum of this neighbourhood; with blocking nothing better is guaranteed.
    """

    def value(bought: Floats, moved: Floats) -> Score:
        score = judge.at(whole(rules.after(bought, moved)))
        if progress is not None:
            progress(min(judge.solves, most_solves), most_solves)
        return score

    bought, moved = start
    best = value(bought, moved)
    while judge.solves < most_solves:
        leader, where = best, None
        for candidate in _neighbours(rules, bought, moved):
            if judge.solves >= most_solves:
                break
            found = value(*candidate)
            if found.gain_over(leader) > 0:
                leader, where = found, candidate
        if where is None:
            break
        best, (bought, moved) = leader, where
    return Found(bought, moved, whole(rules.after(bought, moved)), best)


def _neighbours(rules: Rules, bought: Floats, moved: Floats) -> Iterator[Start]:
    """Yield the allowed allocations one step, or a pair of steps, away."""
    n = bought.size
    vector, size = np.concatenate([bought, moved]), rules.steps()
    ups = [*np.flatnonzero(~np.isnan(rules.price)).tolist(), *range(n, vector.size)]
    downs = np.flatnonzero(vector > 0).tolist()
    singles = [(i, 1.0) for i in ups] + [(i, -1.0) for i in downs]
    steps = [(each,) for each in singles]
    pairs = [(a, b) for a, b in itertools.combinations(singles, 2) if a[0] != b[0]]
    swaps = [pair for pair in pairs if pair[0][1] != pair[1][1]]
    alike = [pair for pair in pairs if pair[0][1] == pair[1][1]]
    for moves in [*steps, *swaps, *(alike if len(alike) <= _MOST_ALIKE else [])]:
        trial = vector.copy()
        for place, step in moves:
            trial[place] += step * size[place]
        if rules.allows(trial[:n], trial[n:]):
            yield trial[:n], trial[n:]


_MOST_ALIKE = 60
"""Pairs of two steps up, or two down, are tried where there are no more than this."""
