"""Stationary distribution of a large chain by aggregation over many levels.

Neighbouring states are joined to one, again and again, until the chain is small enough to be
eliminated. In each cycle every level balances its states with their neighbours (sweeps), hands the
level below the chain of its joined states, weighted by its present probabilities, and takes the
totals that come back. What is slow for sweeps, the shift of mass over long distances (long
queues, loads near 1), is fast on the coarse levels.

References
----------
G. Horton, S. T. Leutenegger (1994), A multi-level solution algorithm for steady-state Markov
chains, ACM SIGMETRICS Performance Evaluation Review 22, 191-200.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import Floats, Indices, Integers
from flownet.kernels.exact_levels import SMALLEST, Level

SWEEPS = 2
"""Sweeps before and after the levels below."""
IDLE = 10
"""The cycles end when so many have not lowered the residual."""


@njit
def eliminate(rates: Floats) -> Floats:
    """Return the stationary distribution by Grassmann, Taksar and Heyman's elimination.

    Only positive numbers are added, multiplied and divided, so that every probability has full
    relative precision, however unequal the rates. `rates` (N, N), 0 on the diagonal, is
    overwritten.

    References
    ----------
    W. K. Grassmann, M. I. Taksar, D. P. Heyman (1985), Regenerative analysis and steady state
    distributions for Markov chains, Operations Research 33, 1107-1116.
    """
    size = rates.shape[0]
    for last in range(size - 1, 0, -1):
        total = 0.0
        for column in range(last):
            total += rates[last, column]
        for row in range(last):
            share = rates[row, last] / total
            rates[row, last] = share
            if share > 0.0:
                for column in range(last):
                    rates[row, column] += share * rates[last, column]
    probability = np.ones(size)
    whole = 1.0
    for state in range(1, size):
        total = 0.0
        for row in range(state):
            total += probability[row] * rates[row, state]
        probability[state] = total
        whole += total
    for state in range(size):
        probability[state] /= whole
    return probability


@njit
def sweep(level: Level, probability: Floats, times: int) -> None:
    """Balance every state with its neighbours, forwards and backwards, in place."""
    size = probability.shape[0]
    for _ in range(times):
        for step in range(2 * size):
            state = step if step < size else 2 * size - 1 - step
            inflow = 0.0
            for entry in range(level.start[state], level.start[state + 1]):
                inflow += probability[level.source[entry]] * level.rate[entry]
            leaving = level.exit_rate[state]
            probability[state] = inflow / leaving if leaving > 0.0 else 0.0


@njit
def imbalance(level: Level, probability: Floats) -> float:
    """Return the sum of the absolute net flows into the states, over the total flow."""
    net, total = 0.0, 0.0
    for state in range(probability.shape[0]):
        inflow = 0.0
        for entry in range(level.start[state], level.start[state + 1]):
            inflow += probability[level.source[entry]] * level.rate[entry]
        outflow = probability[state] * level.exit_rate[state]
        net += abs(inflow - outflow)
        total += outflow
    return net / total


class Hierarchy(NamedTuple):
    """All levels behind each other, so that a whole cycle is compiled."""

    state_at: Integers
    """(levels + 1,) where the states of each level begin."""
    rate_at: Integers
    """(levels + 1,) where the rates of each level begin."""
    start: Integers
    source: Indices
    rate: Floats
    exit_rate: Floats
    joined: Indices
    place: Integers
    probability: Floats
    before: Floats
    """The probabilities that a level was handed."""


@njit
def level_of(h: Hierarchy, depth: int) -> Level:
    """Return one level."""
    first, end = h.state_at[depth], h.state_at[depth + 1]
    begin, stop = h.rate_at[depth], h.rate_at[depth + 1]
    return Level(
        h.start[first + depth : end + depth + 1],
        h.source[begin:stop],
        h.rate[begin:stop],
        h.exit_rate[first:end],
        h.joined[first:end],
        h.place[begin:stop],
    )


@njit
def _hand_down(h: Hierarchy, depth: int) -> None:
    """Set the next level's rates and probabilities to those of the joined states."""
    level, below = level_of(h, depth), level_of(h, depth + 1)
    first, second = h.state_at[depth], h.state_at[depth + 1]
    for state in range(below.exit_rate.shape[0]):
        h.before[second + state] = 0.0
        below.exit_rate[state] = 0.0
    for entry in range(below.rate.shape[0]):
        below.rate[entry] = 0.0
    for state in range(level.exit_rate.shape[0]):
        h.before[second + level.joined[state]] += h.probability[first + state]
        for entry in range(level.start[state], level.start[state + 1]):
            if level.place[entry] >= 0:
                flow = h.probability[first + level.source[entry]] * level.rate[entry]
                below.rate[level.place[entry]] += flow
    for state in range(below.exit_rate.shape[0]):
        h.probability[second + state] = h.before[second + state]
        for entry in range(below.start[state], below.start[state + 1]):
            other = below.source[entry]
            if h.before[second + other] > 0.0:
                below.rate[entry] /= h.before[second + other]
                below.exit_rate[other] += below.rate[entry]


@njit
def _hand_up(h: Hierarchy, depth: int) -> None:
    """Scale the states so that the joined ones have the probabilities that came back."""
    first, below = h.state_at[depth], h.state_at[depth + 1]
    for state in range(first, below):
        joined = below + h.joined[state]
        if h.before[joined] > 0.0:
            h.probability[state] *= h.probability[joined] / h.before[joined]


@njit
def _solve_last(h: Hierarchy, depth: int) -> None:
    """Eliminate the states of the last level that have any weight."""
    level = level_of(h, depth)
    first = h.state_at[depth]
    size = level.exit_rate.shape[0]
    number = np.full(size, -1, dtype=np.int64)
    alive = 0
    for state in range(size):
        if level.exit_rate[state] > 0.0:
            number[state] = alive
            alive += 1
    if alive <= 1:
        return
    rates = np.zeros((alive, alive))
    total = 0.0
    for state in range(size):
        total += h.probability[first + state]
        for entry in range(level.start[state], level.start[state + 1]):
            source = number[level.source[entry]]
            if source >= 0 and number[state] >= 0:
                rates[source, number[state]] += level.rate[entry]
    solved = eliminate(rates)
    for state in range(size):
        share = solved[number[state]] if number[state] >= 0 else 0.0
        h.probability[first + state] = total * share


@njit
def cycle(h: Hierarchy, depth: int, sweeps: int, smallest: int) -> None:
    """Improve the probabilities of one level by sweeps and two rounds over the level below."""
    last = h.state_at.shape[0] - 2
    probability = h.probability[h.state_at[depth] : h.state_at[depth + 1]]
    if depth == last and probability.shape[0] <= smallest:
        _solve_last(h, depth)
        return
    level = level_of(h, depth)
    sweep(level, probability, sweeps)
    if depth < last:
        _hand_down(h, depth)
        for _ in range(2 if depth + 1 < last else 1):
            cycle(h, depth + 1, sweeps, smallest)
        _hand_up(h, depth)
    sweep(level, probability, sweeps)
    total, wanted = 0.0, 0.0
    for state in range(h.state_at[depth], h.state_at[depth + 1]):
        total += h.probability[state]
        wanted += h.before[state]
    scale = (wanted if depth > 0 else 1.0) / total
    for state in range(h.state_at[depth], h.state_at[depth + 1]):
        h.probability[state] *= scale


def stack(levels: list[Level], probability: Floats) -> Hierarchy:
    """Put all levels behind each other, with the probabilities where to begin."""
    sizes = [level.exit_rate.shape[0] for level in levels]
    rates = [level.rate.shape[0] for level in levels]
    last = levels[-1]
    unused = last._replace(
        joined=np.zeros(sizes[-1], dtype=np.uint32), place=np.full(rates[-1], -1, dtype=np.int64)
    )
    every = [*levels[:-1], unused]
    state_at = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    start = np.zeros(sum(sizes))
    return Hierarchy(
        state_at=state_at,
        rate_at=np.concatenate([[0], np.cumsum(rates)]).astype(np.int64),
        start=np.concatenate([level.start for level in every]),
        source=np.concatenate([level.source for level in every]),
        rate=np.concatenate([level.rate for level in every]),
        exit_rate=np.concatenate([level.exit_rate for level in every]),
        joined=np.concatenate([level.joined for level in every]),
        place=np.concatenate([level.place for level in every]),
        probability=np.concatenate([probability, start[sizes[0] :]]),
        before=start,
    )


def solve_levels(
    levels: list[Level], probability: Floats, tolerance: float, most: int
) -> tuple[Floats, float, int]:
    """Cycle until the residual is below `tolerance`, or stops falling; return it and the cycles.

    Parameters
    ----------
    levels : list of Level
    probability : (N,) array
        Where to begin, above 0, with the sum 1.
    tolerance : float
        Largest relative imbalance, see `imbalance`.
    most : int
        Limit of cycles.
    """
    h = stack(levels, probability)
    size = probability.shape[0]
    best, best_residual, idle, done = probability, np.inf, 0, 0
    while best_residual > tolerance and idle < IDLE and done < most:
        cycle(h, 0, SWEEPS, 2 * SMALLEST)
        done += 1
        residual = imbalance(levels[0], h.probability[:size])
        if residual < 0.9 * best_residual:
            best, best_residual, idle = h.probability[:size].copy(), residual, 0
        else:
            idle += 1
    return best, best_residual, done
