"""Whose delay is caused by whom, as the flow of held places explains it."""

from __future__ import annotations

import numpy as np

from flownet.kernels.compiled import Floats, Measures


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
    count = measures.arrival_rate.shape[0]
    blocked = np.zeros((count, count))
    pairs = (measures.blocked_by_from, measures.blocked_by_to)
    np.add.at(blocked, pairs, measures.blocked_by_number)
    working = (measures.number_in_service + measures.number_held_in_transfer).sum(axis=1)
    held = working + blocked.sum(axis=1)
    held = np.where(held > 0, held, 1.0)
    own = np.where(working + blocked.sum(axis=1) > 0, working / held, 1.0)
    roots = np.linalg.solve(np.eye(count) - blocked / held[:, None], np.diag(own))
    growth = measures.growth_rate.sum(axis=1)
    if growth.any():
        return np.asarray(growth[:, None] * roots)
    waiting = measures.number_waiting + measures.number_outside + measures.number_held_in_transfer
    return np.asarray(waiting.sum(axis=1)[:, None] * roots + blocked @ roots)
