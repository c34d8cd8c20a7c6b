"""Whose delay is caused by whom, as the flow of held places explains it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csc_array, diags_array, eye_array
from scipy.sparse.linalg import splu

from flownet.kernels.compiled import Floats, Integers, Measures


def flow_attribution(measures: Measures) -> Floats:
    r"""Return the delay seen at each service, divided among the services that hold its places.

    .. math:: R = (I - D^{-1} B)^{-1} D^{-1} W,\qquad A = (S - \beta) R + B R

    with B the mean number of jobs at i that are blocked for j, W the servers that work (or are
    held in transfer), D = W + the row sums of B, S the delay seen (waiting, blocked, outside, held
    in transfer), and β the row sums of B.

    Parameters
    ----------
    measures : Measures
        Of a solved network.

    Returns
    -------
    array (n, n), job
        Row i adds up to the delay seen at i (where a backlog grows: to its growth rate, job/T).

    Notes
    -----
    A place at i is held either by work at i, or by a job that waits for a place at j, which is in
    turn held by work at j or by one that waits further on: following the chain to its roots
    divides every occupied place at i among the services where the work goes on (rows of R add up
    to 1). Waiting at i has the roots of the places of i. This explains the delay as it stands; it
    does not say where more capacity would help most, which the elasticities do.
    """
    held = flow_parts(measures)
    matrix = np.diag(held.seen)
    matrix[np.ix_(held.members, held.members)] = held.block
    return matrix


class Held(NamedTuple):
    """The flow explanation without its zeros: who blocks nobody and is not blocked has its own."""

    seen: Floats
    """(n,)"""
    members: Integers
    """(m,) services that are blocked, or for which others are."""
    stands: Floats
    """(m,) what stands there and has the roots of the places there."""
    blocked: csc_array
    """(m, m) what has the roots of the places at the column: jobs at the row blocked for it."""
    working: Floats
    """(m,) share of the places there that are held by work there."""
    factors: Any
    """I - D^-1 B, factorized."""

    @property
    def caused(self) -> Floats:
        """(n,) what each service holds up, there and elsewhere."""
        sums = self.seen.copy()
        if self.members.size:
            all_of_it = self.stands + self.blocked.sum(axis=0)
            sums[self.members] = self.factors.solve(all_of_it, trans="T") * self.working
        return sums

    @property
    def block(self) -> Floats:
        """(m, m) seen at the row's member, held up by the column's."""
        if not self.members.size:
            return np.zeros((0, 0))
        roots = self.factors.solve(np.diag(self.working))
        return np.asarray(self.stands[:, None] * roots + self.blocked @ roots)

    def own(self, service: int) -> float:
        """Return what a service holds up of what is seen there."""
        place = int(np.searchsorted(self.members, service))
        if place >= self.members.size or self.members[place] != service:
            return float(self.seen[service])
        unit = np.zeros(self.members.size)
        unit[place] = self.working[place]
        roots = self.factors.solve(unit)
        return float(self.stands[place] * roots[place] + (self.blocked @ roots)[place])


def flow_parts(measures: Measures) -> Held:
    """Return the flow explanation by the services that block or are blocked."""
    members = np.union1d(measures.blocked_by_from, measures.blocked_by_to).astype(np.int64)
    count = members.size
    start = np.searchsorted(members, measures.blocked_by_from)
    end = np.searchsorted(members, measures.blocked_by_to)
    blocked = csc_array((measures.blocked_by_number, (start, end)), shape=(count, count))
    away: Floats = np.asarray(blocked.sum(axis=1))
    work = (measures.number_in_service + measures.number_held_in_transfer).sum(axis=1)[members]
    total = work + away
    held = np.where(total > 0, total, 1.0)
    working = np.where(total > 0, work / held, 1.0)
    factors: Any = None
    if count:
        factors = splu(csc_array(eye_array(count) - diags_array(1.0 / held) @ blocked))
    growth = measures.growth_rate.sum(axis=1)
    if growth.any():
        return Held(growth, members, growth[members], 0.0 * blocked, working, factors)
    waiting = measures.number_waiting + measures.number_outside + measures.number_held_in_transfer
    stands = waiting.sum(axis=1)
    seen = stands.copy()
    seen[members] += away
    return Held(seen, members, stands[members], blocked, working, factors)
