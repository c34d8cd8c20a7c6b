"""The reachable states of a network and the rates between them, breadth first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from flownet.errors import ParameterError
from flownet.kernels import exact_tables as col
from flownet.kernels.compiled import Floats, Integers
from flownet.kernels.exact_access import chance, draw, next_choices
from flownet.kernels.exact_layout import Layout
from flownet.kernels.exact_moves import enter, present, settle
from flownet.kernels.exact_store import (
    FULL,
    NO_ROOM_FOR_STATES,
    STATES,
    TRANSITIONS,
    Store,
    find_or_add,
    grown,
    new_store,
)
from flownet.kernels.exact_tables import Packed, Scratch, pack, scratch_for
from flownet.kernels.exact_walk import walk


class Chain(NamedTuple):
    """A chain: its states, the rates between them, and where it starts."""

    layout: Layout
    packed: Packed
    scratch: Scratch
    store: Store
    rates: csr_array
    """(N, N) rates between states, row to column, 0 on the diagonal."""
    exit_rate: Floats
    """(N,) total rate out of each state."""
    first: Floats
    """(N,) probability of each state at the start."""

    @property
    def size(self) -> int:
        """Number of states."""
        return int(self.store.size[STATES])

    def keys(self, rows: NDArray[np.intp]) -> tuple[Integers, Integers]:
        """Return the numbers by which states are neighbours, and their services."""
        columns = np.flatnonzero(self.layout.owner >= 0)
        states = self.store.states[: self.size][np.ix_(rows, columns)]
        return states.astype(np.int64), self.layout.owner[columns]


def _starts(
    layout: Layout, packed: Packed, w: Integers, store: Store, initial: Integers | None
) -> list[tuple[int, float]]:
    """Enter the states in which the chain may start; return their numbers and probabilities."""
    pair = layout.tables.pair
    streams = np.flatnonzero(pair[:, col.ARRIVAL_PHASE] >= 0).tolist()
    jobs = [] if initial is None else np.repeat(np.arange(initial.size), initial.ravel()).tolist()
    found = []
    w[col.DEPTH] = 0
    while True:
        w[[col.CURSOR, col.CUT]] = 0
        w[col.STATE : col.STATE + layout.slots] = 0
        for stream in streams:
            first, count = pair[stream, col.ARRIVAL_START], pair[stream, col.ARRIVAL_STARTS]
            slot = col.STATE + pair[stream, col.ARRIVAL_PHASE]
            w[slot] = draw(packed.whole, w, first, count)
        for job in jobs:
            w[col.NOTES] = 0
            enter(packed.whole, w, job)
        _fill_endless(layout, packed, w)
        row = find_or_add(store.states, store.table, store.size, w)
        found.append((int(row), float(chance(packed.whole, packed.figures, w))))
        if not next_choices(w):
            return found


def _fill_endless(layout: Layout, packed: Packed, w: Integers) -> None:
    """Fill the places at which somebody always waits."""
    for service in range(layout.tables.service.shape[0]):
        before = -1
        while present(packed.whole, w, service) != before:
            before = int(present(packed.whole, w, service))
            w[col.NOTES] = 0
            settle(packed.whole, w, service)


def explore(
    layout: Layout, *, max_states: int, initial: Integers | None = None, watched: int = -1
) -> tuple[Packed, Scratch, Store, list[tuple[int, float]]]:
    """Generate the states and transitions; with a watched line, mark what happens to it."""
    scratch = scratch_for(layout.tables, layout.slots, cyclic=layout.cyclic)
    scratch.whole[col.WATCHED] = watched
    packed = pack(layout.tables)
    services, pairs = layout.tables.service.shape[0], layout.tables.pair.shape[0]
    counts = (col.FOUND_FULL + services, pairs)
    store = new_store(layout.slots, counts, 1024, 16384, marked=watched >= 0)
    starts = _starts(layout, packed, scratch.whole, store, initial)
    return packed, scratch, follow_all(packed, scratch, store, max_states), starts


def follow_all(packed: Packed, scratch: Scratch, store: Store, max_states: int) -> Store:
    """Follow the states in a store until no new ones appear; return the store that holds all."""
    while True:
        walk(packed.whole, packed.figures, scratch.whole, scratch.rates, store, np.zeros(0))
        known, moves = int(store.size[STATES]), int(store.size[TRANSITIONS])
        crowded = store.size[FULL] == NO_ROOM_FOR_STATES and store.states.shape[0] > max_states
        if known > max_states or crowded:
            message = f"more than {max_states} states can be reached"
            raise ParameterError(message, "max_states")
        if store.size[FULL] == 0:
            return store
        store = grown(store, min(2 * known + 1024, max_states + 1), 2 * moves + 16384)


def build_chain(layout: Layout, *, max_states: int, initial: Integers | None = None) -> Chain:
    """Generate the states that can be reached, and the rates between them.

    Parameters
    ----------
    layout : Layout
    max_states : int
        The most states that may be generated.
    initial : (n, R) array of int, optional
        Jobs present at the start; default none.

    Raises
    ------
    ParameterError
        Where more than `max_states` states can be reached.
    """
    packed, scratch, store, starts = explore(layout, max_states=max_states, initial=initial)
    return chain_of(layout, packed, scratch, store, starts)


def chain_of(
    layout: Layout,
    packed: Packed,
    scratch: Scratch,
    store: Store,
    starts: list[tuple[int, float]],
) -> Chain:
    """Return the chain that a store holds."""
    known, moves = int(store.size[STATES]), int(store.size[TRANSITIONS])
    rates = csr_array(
        (store.rate[:moves], store.target[:moves], store.start[: known + 1]), shape=(known, known)
    )
    rates.sum_duplicates()
    first = np.zeros(known)
    for row, probability in starts:
        first[row] += probability
    exit_rate: Floats = np.asarray(rates.sum(axis=1), dtype=np.float64).ravel()
    return Chain(layout, packed, scratch, store, rates, exit_rate, first)
