"""Whose delay is caused by whom, as the flow of held places explains it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
    block: Floats
    """(m, m) seen at the row's member, held up by the column's."""

    @property
    def caused(self) -> Floats:
        """(n,) what each service holds up, there and elsewhere."""
        sums = self.seen.copy()
        sums[self.members] = self.block.sum(axis=0)
        return sums

    @property
    def own(self) -> Floats:
        """(n,) what each service holds up of what is seen there."""
        own = self.seen.copy()
        own[self.members] = np.diag(self.block)
        return own


def flow_parts(measures: Measures) -> Held:
    """Return the flow explanation by the services that block or are blocked."""
    members = np.union1d(measures.blocked_by_from, measures.blocked_by_to).astype(np.int64)
    count = members.size
    blocked = np.zeros((count, count))
    pairs = tuple(
        np.searchsorted(members, each)
        for each in (measures.blocked_by_from, measures.blocked_by_to)
    )
    np.add.at(blocked, pairs, measures.blocked_by_number)
    working = (measures.number_in_service + measures.number_held_in_transfer).sum(axis=1)[members]
    total = working + blocked.sum(axis=1)
    held = np.where(total > 0, total, 1.0)
    own = np.where(total > 0, working / held, 1.0)
    roots = np.linalg.solve(np.eye(count) - blocked / held[:, None], np.diag(own))
    growth = measures.growth_rate.sum(axis=1)
    if growth.any():
        return Held(growth, members, growth[members, None] * roots)
    waiting = measures.number_waiting + measures.number_outside + measures.number_held_in_transfer
    stands = waiting.sum(axis=1)
    seen = stands.copy()
    seen[members] += blocked.sum(axis=1)
    return Held(seen, members, np.asarray(stands[members, None] * roots + blocked @ roots))
