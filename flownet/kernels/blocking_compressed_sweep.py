"""One sweep over the chains of a network with blocking, from downstream to upstream."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from flownet.jit import njit
from flownet.kernels.blocking_compressed_flows import Layout
from flownet.kernels.blocking_compressed_inputs import (
    SMALLEST,
    Ahead,
    Given,
    Lines,
    State,
    held_time,
    leaving_on_cycles,
    left_of,
    look_ahead,
    nothing_ahead,
    place_of,
)
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.blocking_compressed_search import no_slopes, solve_chain
from flownet.kernels.compiled import Floats, Integers

FIELDS = len(Chain._fields)
IDLE = Chain(
    0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    0.0, 0.0,
)  # fmt: skip
"""Of a service where nobody ever waits for a server or a place."""


VACANT, WAIT, FOUND_FULL, FIRST, QUEUE, BUNCHING, GIVES_UP, RATIO = (
    Chain._fields.index(name)
    for name in (
        "vacant",
        "wait",
        "found_full",
        "first",
        "queue",
        "bunching",
        "gives_up",
        "ratio",
    )
)
OWN, PER_PAIR = 16, 8
"""Numbers that a chain is made of: of the service itself, and of each pair that leads to it."""
TINY = 1e-3
"""Smaller ones, without a unit, count as this when it is asked whether they have changed."""


APART, MOST_PARTS = 1_000, 8
"""Of so many services each, and as many at most, are the parts that are swept at the same time."""


class Kept(NamedTuple):
    """Chains as they were last solved, and for what; each sweep changes it."""

    first: Integers
    """(n + 1,) where each service's numbers begin in the next two."""
    made_of: Floats
    now: Floats
    figures: Floats
    """(n, FIELDS) of `Chain`."""
    matched: Floats
    """(n,) how well inflows agree with what is wanted; inf where nothing is kept."""
    slopes: Floats
    """(n, 5) as last seen; see `no_slopes`."""


def nothing_kept(layout: Layout) -> Kept:
    """Return room for the chains of a network, none of which is solved yet."""
    n = layout.stay.size
    first = np.arange(n + 1) * OWN + layout.first_above * PER_PAIR
    numbers = np.zeros(int(first[-1]))
    figures = np.tile(np.array(IDLE), (n, 1))
    slopes = np.tile(no_slopes(), (n, 1))
    return Kept(first, numbers, numbers.copy(), figures, np.full(n, np.inf), slopes)


class Swept(NamedTuple):
    """What the chains of a sweep make of each other; (n,)."""

    wait: Floats
    """Mean wait for a place."""
    held: Floats
    """Mean time that a server is held."""
    vacant: Floats
    """Probability of a free place."""
    served: Floats
    """Share of the admitted that complete."""
    solved: Integers
    """1 where the chain was solved, 0 where it stands as it was."""


def sweep(given: Given, state: State, kept: Kept, matched: float, slight: float) -> Swept:
    """Solve every chain, those downstream first, with the newest waits.

    Where services are many, parts of them are swept at the same time; they hear of each other's
    waits in the next sweep. Into how many goes by the services alone, and so does the answer.

    Parameters
    ----------
    given : Given
    state : State
    kept : Kept
        Its figures are those of the sweep afterwards.
    matched : float
        How well the inflow of each chain agrees with what is wanted, relatively.
    slight : float
        A chain that was solved so well is not solved again where what it is made of has changed by
        no more than this.

    Returns
    -------
    Swept
    """
    n = state.wait.size
    swept = Swept(np.empty(n), np.empty(n), np.ones(n), np.ones(n), np.zeros(n, dtype=np.int64))
    parts = np.array_split(given.order, min(max(n // APART, 1), MOST_PARTS))

    def run(part: Integers) -> None:
        _sweep_part(given, state, kept, matched, slight, part, swept)

    if len(parts) == 1:
        run(parts[0])
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(run, parts))
    return swept


@njit
def _sweep_part(
    given: Given, state: State, kept: Kept, matched: float, slight: float, part: Integers,
    swept: Swept,
) -> None:  # fmt: skip
    """Solve the chains of some services, in their order."""
    wait = state.wait.copy()
    lines = Lines(state.met.copy(), state.first.copy(), state.queue.copy(), state.bunching.copy())
    n = wait.size
    ahead = nothing_ahead(n)
    held = np.empty(n)
    for j in range(n):
        held[j] = held_time(given, wait, j)
    for j in part:
        held[j] = held_time(given, wait, j)
        if given.chained[j]:
            look_ahead(given, wait, lines, ahead, j)
            changed = _changed(given, state, wait, held, ahead, kept, j, slight)
            if changed or kept.matched[j] > matched:
                place = place_of(given, state, wait, held, ahead, j)
                chain = solve_chain(place, matched, kept.slopes[j])
                for k in range(FIELDS):
                    kept.figures[j, k] = chain[k]
                kept.matched[j] = matched
                swept.solved[j] = 1
            figures = kept.figures[j]
            wait[j] = figures[WAIT]
            lines.met[j], lines.first[j] = figures[FOUND_FULL], figures[FIRST]
            lines.queue[j], lines.bunching[j] = figures[QUEUE], figures[BUNCHING]
            swept.vacant[j] = figures[VACANT]
            swept.served[j] = served_share(given, figures[GIVES_UP], figures[RATIO], j, held[j])
        swept.wait[j], swept.held[j] = wait[j], held[j]


@njit
def _changed(
    given: Given, state: State, wait: Floats, held: Floats, ahead: Ahead, kept: Kept, j: int,
    slight: float,
) -> bool:  # fmt: skip
    """Tell whether what j's chain is made of has changed; if so, keep what it is now."""
    stay, first, last = given.stay[j], kept.first[j], kept.first[j + 1]
    own = (
        held[j] / stay, given.base[j] / stay, given.passes[j], given.free[j] * stay,
        given.lost[j] * stay, given.done[j] * stay, given.scv[j], given.giving_up[j] * stay,
        wait[j] / stay, ahead.meets[j], ahead.onward[j], ahead.mine[j], ahead.same[j],
        ahead.others[j], ahead.lean[j], leaving_on_cycles(given, j) * stay,
    )  # fmt: skip
    for k in range(OWN):
        kept.now[first + k] = own[k]
    at = first + OWN
    for a in range(given.first_above[j], given.first_above[j + 1]):
        pair = given.above[a]
        i = given.upper[pair]
        near = (
            given.flow[pair] * stay, given.done[i] * given.work[i], held[i] / stay,
            left_of(given, wait, i, pair), given.room[i], given.chance[pair], given.passes[i],
            state.fall[pair],
        )  # fmt: skip
        for k in range(PER_PAIR):
            kept.now[at + k] = near[k]
        at += PER_PAIR
    for k in range(first, last):
        now, before = kept.now[k], kept.made_of[k]
        if now != before and not abs(now - before) <= slight * max(abs(before), TINY):
            kept.made_of[first:last] = kept.now[first:last]
            return True
    return False


@njit
def served_share(given: Given, gives_up: float, ratio: float, j: int, held: float) -> float:
    """Return the share of j's admitted that complete: less who give up, less what piles up."""
    admitted = given.admitted[j]
    if gives_up > 0.0 and ratio < 1.0:
        return float(min(max(1.0 - gives_up / max(admitted, 1e-300), SMALLEST), 1.0))
    if ratio >= 1.0 and given.free[j] > 0.0:
        free = given.free[j]
        for a in range(given.first_above[j], given.first_above[j + 1]):
            if given.cyclic[given.above[a]]:  # exchanges keep these streams going
                free += given.flow[given.above[a]]
        free = max(min(admitted, free), 1e-300)
        return float(min(max(given.servers[j] / held / free, SMALLEST), 1.0))
    return 1.0
