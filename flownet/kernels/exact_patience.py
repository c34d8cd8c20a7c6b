"""Mean wait of the jobs that are served, at services where jobs can lose patience.

Where some give up, Little's law over all who wait says nothing of those who are served. For a job
at each position p of a line, in each state x, the chance h to be served solves

    h(x, p) * (sum of rates out of x) = sum over events of rate * h(y, p'),

with 1 in place of h where the event starts its service and 0 where it gives up. Positions only
fall, so the equations are solved position by position. Little's law over those who will be served
then gives their wait: the sum over x and p of probability(x) h(x, p), over the rate of starts.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from flownet.jit import njit
from flownet.kernels import exact_tables as col
from flownet.kernels.compiled import Floats, Indices, Integers
from flownet.kernels.exact_space import Chain, explore
from flownet.kernels.exact_store import STATES, TRANSITIONS

MOST_STEPS = 300_000_000
"""Transitions times positions beyond which the wait of those who are served stays unknown."""


@njit
def absorb(
    start: Integers, target: Indices, rate: Floats, total: Floats, gain: Floats, chance: Floats
) -> int:
    """Solve ``chance * total = gain + rate * chance[target]`` by sweeps; return how many."""
    size = total.shape[0]
    for done in range(100_000):
        change, largest = 0.0, 0.0
        for step in range(2 * size):
            state = step if step < size else 2 * size - 1 - step
            value = gain[state]
            for entry in range(start[state], start[state + 1]):
                value += rate[entry] * chance[target[entry]]
            value /= total[state]
            change = max(change, abs(value - chance[state]))
            largest = max(largest, abs(value))
            chance[state] = value
        if change <= 1e-15 * largest:
            return done
    return -1


class _Line:
    """A watched line: who stands where, and all that can happen to it."""

    def __init__(self, chain: Chain, line: int, initial: Integers | None) -> None:
        row = chain.layout.tables.lists[line]
        _, _, store, _ = explore(chain.layout, max_states=chain.size, initial=initial, watched=line)
        known, moves = int(store.size[STATES]), int(store.size[TRANSITIONS])
        self.size = known
        self.source = np.repeat(np.arange(known), np.diff(store.start[: known + 1]))
        self.target = store.target[:moves].astype(np.int64)
        self.rate = store.rate[:moves]
        self.started, self.gone = store.mark[:moves, 0], store.mark[:moves, 1]
        self.total = np.bincount(self.source, weights=self.rate, minlength=known)
        self.length = store.states[:known, row[col.SLOT]].astype(np.int64)
        self.alone = int(row[col.ITEM])
        first = int(row[col.SLOT]) + 1
        self.items = store.states[:known, first : first + int(self.length.max())]

    def who(self, position: int) -> Integers:
        """Return the pair of the job at a position, in every state."""
        if self.alone >= 0:
            return np.full(self.size, self.alone, dtype=np.int64)
        return self.items[:, position].astype(np.int64)

    def moved(self, position: int) -> list[tuple[Integers, Floats, Integers]]:
        """Return what can happen to the job at a position: transitions, rates, new positions.

        A new position below 0 is a start of service; that the job itself gives up is left out.
        """
        inside = np.flatnonzero(self.length[self.source] > position)
        rate, gone, after = self.rate[inside], self.gone[inside], position - self.started[inside]
        if self.alone < 0:  # the one who gives up stands at a known position
            stays = gone != position + 1
            behind = (gone > 0) & (gone <= position)
            return [(inside[stays], rate[stays], (after - behind)[stays])]
        # any of those in the line is the one who gives up
        calm = gone == 0
        length = self.length[self.source[inside]]
        ahead, after_it = position / length, (length - 1 - position) / length
        found = [(inside[calm], rate[calm], after[calm])]
        for share, new in ((ahead, position - 1), (after_it, position)):
            some = ~calm & (share > 0.0)
            found.append((inside[some], (rate * share)[some], np.full(int(some.sum()), new)))
        return found


def _chances(line: _Line) -> list[Floats]:
    """Return the chance to be served at each position, in every state."""
    solved: list[Floats] = []
    for position in range(int(line.length.max())):
        gain = np.zeros(line.size)
        kept: list[tuple[Integers, Floats]] = []
        for moves, rate, after in line.moved(position):
            source, target = line.source[moves], line.target[moves]
            served = after < 0
            gain += np.bincount(source[served], weights=rate[served], minlength=line.size)
            for new in range(position):
                some = after == new
                if some.any():
                    values = rate[some] * solved[new][target[some]]
                    gain += np.bincount(source[some], weights=values, minlength=line.size)
            same = after == position
            kept.append((moves[same], rate[same]))
        moves = np.concatenate([part for part, _ in kept])
        rate = np.concatenate([part for _, part in kept])
        matrix = csr_array(
            (rate, (line.source[moves], line.target[moves])), shape=(line.size, line.size)
        )
        chance = np.zeros(line.size)
        start, column = matrix.indptr.astype(np.int64), matrix.indices.astype(np.uint32)
        absorb(start, column, matrix.data, np.where(line.total > 0, line.total, 1.0), gain, chance)
        solved.append(np.where(line.length > position, chance, 0.0))
    return solved


def served_waits(
    chain: Chain, probability: Floats, rates: Floats, initial: Integers | None
) -> Floats:
    """Return the mean wait of the jobs that are served, by pair, nan where nobody gives up.

    Parameters
    ----------
    chain : Chain
    probability : (N,) array
        Stationary distribution.
    rates : array
        What happens per T, from `event_rates`.
    initial : (n, R) array of int, optional
        With what the chain was built.
    """
    t = chain.layout.tables
    waits = np.full(t.pair.shape[0], np.nan)
    impatient = t.pair_rate[:, col.GIVING_UP] > 0.0
    for number in sorted(set(t.pair[impatient, col.LINE].tolist()) - {-1}):
        longest = int(chain.store.states[: chain.size, t.lists[number, col.SLOT]].max())
        if chain.rates.nnz * longest > MOST_STEPS:
            continue
        line = _Line(chain, int(number), initial)
        waiting = np.zeros(t.pair.shape[0])
        for position, chance in enumerate(_chances(line)):
            weights = probability * chance
            waiting += np.bincount(line.who(position), weights=weights, minlength=len(waiting))
        pairs = np.flatnonzero(t.pair[:, col.LINE] == number)
        started = rates[col.COMPLETED, pairs]
        waits[pairs] = np.divide(
            waiting[pairs], started, out=np.zeros(len(pairs)), where=started > 0.0
        )
    return waits
