"""The rules of an allocation, and what a search of it hands on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flownet.allocate.exchanges import Exchanges
from flownet.allocate.judge import TOLERANCE, Score
from flownet.allocate.levers import Levers
from flownet.allocate.terms import Terms
from flownet.kernels.compiled import Booleans, Floats
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
        (n,) at present (or the level of another lever); ``inf`` where nothing can be added.
    low, high : numpy.ndarray
        (n,) bounds on them.
    price : numpy.ndarray
        (n,) money per server and T; nan where none may be bought.
    refund : numpy.ndarray
        (n,) money per T that a server given up saves; nan where none may be given up.
    exchanges : Exchanges
        What may move, at what rate and cost.
    budget : float
        Money per T.
    terms : Terms
        What else must be kept.
    levers : Levers
        What is bought and moved at each service.
    integer : bool
        Whether purchases and moves are whole numbers.
    """

    names: tuple[ServiceName, ...]
    servers: Floats
    low: Floats
    high: Floats
    price: Floats
    refund: Floats
    exchanges: Exchanges
    budget: float
    terms: Terms
    levers: Levers
    integer: bool = True

    def usable(self, servers: Floats) -> Floats:
        """Return what can be used of servers: whole steps from the present, if they are whole."""
        if not self.integer:
            return servers
        limited = np.isfinite(self.servers)
        now = np.where(limited, self.servers, 0.0)
        offset = now - np.floor(now)
        steps = np.floor(np.where(limited, servers, 0.0) - offset + TOLERANCE) + offset
        return np.where(limited, steps, servers)

    @property
    def buyable(self) -> Booleans:
        """(n,) where something can be bought."""
        return ~np.isnan(self.price)

    @property
    def releasable(self) -> Booleans:
        """(n,) where something can be given up."""
        return ~np.isnan(self.refund)

    def after(self, bought: Floats, moved: Floats) -> Floats:
        """Return the servers after purchases (negative where given up) and moves."""
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
            (np.nan_to_num(self.price) * np.maximum(bought, 0.0)).sum()
            - (np.nan_to_num(self.refund) * np.maximum(-bought, 0.0)).sum()
            + (table.cost * moved).sum()
            + table.training[moved > TOLERANCE].sum()
            + self.terms.fixed(change)
        )

    def allows(self, bought: Floats, moved: Floats) -> bool:
        """Return whether every rule is kept."""
        usable = self.usable(self.after(bought, moved))
        return self.affords(bought, moved) and self.terms.broken(usable, self.servers) == 0

    def affords(self, bought: Floats, moved: Floats) -> bool:
        """Return whether bounds and money are kept, terms apart."""
        servers = self.after(bought, moved)
        return bool(
            (moved >= 0).all()
            and (moved <= self.exchanges.limit + TOLERANCE).all()
            and not ((bought > 0) & ~self.buyable).any()
            and not ((bought < 0) & ~self.releasable).any()
            and (servers >= self.low - TOLERANCE).all()
            and (servers <= self.high + TOLERANCE).all()
            and self.spent(bought, moved) <= self.budget * (1 + TOLERANCE) + TOLERANCE
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
