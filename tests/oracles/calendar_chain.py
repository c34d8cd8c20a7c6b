"""One service of exponential times whose arrivals and servers follow calendars, state by state.

A state is (jobs present, jobs in service). Where servers are taken away, those that are busy go
after their job, so that more than c jobs can be in service for a while. Kolmogorov's equations are
solved exactly over each piece, around the cycle until nothing changes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import expm


class Piece(NamedTuple):
    """A time during which nothing changes but the state."""

    length: float
    arrivals: float
    servers: int


def periodic_means(
    pieces: list[Piece], service_time: float, places: int, *, room: int | None = None
) -> np.ndarray:
    """Return by piece: mean number present, in service, and share of time without a free place.

    Jobs that find ``room`` + servers (or `places`) jobs are lost; `places` bounds the states.
    """
    most = max(piece.servers for piece in pieces)
    states = [(n, b) for n in range(places + 1) for b in range(min(n, most) + 1)]
    number = {state: k for k, state in enumerate(states)}
    known = {}
    for piece in dict.fromkeys(pieces):
        rates, full = np.zeros((len(states), len(states))), np.zeros(len(states))
        limit = places if room is None else min(places, piece.servers + room)
        for (n, b), k in number.items():
            if n < limit:
                more = b + 1 if b < piece.servers else b
                rates[k, number[n + 1, min(more, n + 1)]] += piece.arrivals
            else:
                full[k] = 1.0
            if b > 0:
                waiting = n - b > 0 and b <= piece.servers
                rates[k, number[n - 1, b if waiting else b - 1]] += b / service_time
        np.fill_diagonal(rates, -rates.sum(axis=1))
        # the second half of the exponential of this block matrix is the integral of the law
        block = np.zeros((2 * len(states), 2 * len(states)))
        block[: len(states), : len(states)] = rates
        block[: len(states), len(states) :] = np.eye(len(states))
        known[piece] = expm(block * piece.length)[: len(states)], full
    steps, fills = zip(*(known[piece] for piece in pieces), strict=True)
    law = np.zeros(len(states))
    law[0] = 1.0
    jobs, busy = np.array(states, float).T
    for _ in range(500):
        before, rows = law, []
        for piece, step, full in zip(pieces, steps, fills, strict=True):
            after = _more_servers(law, number, piece.servers) @ step
            law, mean = after[: len(states)], after[len(states) :] / piece.length
            rows.append([mean @ jobs, mean @ busy, mean @ full])
        if np.abs(law - before).max() < 1e-12:
            return np.array(rows)
    raise AssertionError


def _more_servers(law: np.ndarray, number: dict[tuple[int, int], int], servers: int) -> np.ndarray:
    """Return the law after those who wait have taken the servers that are free now."""
    after = np.zeros_like(law)
    for (n, b), k in number.items():
        after[number[n, max(b, min(n, servers))]] += law[k]
    return after
