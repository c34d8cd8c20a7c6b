"""In which order those who wait for a place at a service are let in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.compiled import Booleans, CompiledNetwork, Integers


class Turns(NamedTuple):
    """A turn of each stream: those with a smaller one are let in first."""

    route: Integers
    """(m,)."""
    external: Integers
    """(n, R)."""


def turns_of(compiled: CompiledNetwork) -> Turns:
    """Return the turns: by the places left free, then by rank.

    While those wait who leave a places free, no more than a places are free, and those who leave
    more would find the service full: that they come later changes nothing as long as places fall
    free one by one. The first of a line that is ordered so may then enter, or nobody may.
    """
    free = np.concatenate([compiled.places_left_free, compiled.external_places_left_free.ravel()])
    rank = np.concatenate([compiled.entry_priority, compiled.external_entry_priority.ravel()])
    turn = np.zeros(rank.size, dtype=np.int64)
    if (rank != rank[0]).any() or (free != free[0]).any():
        turn = np.unique(np.stack([free, rank], axis=1), axis=0, return_inverse=True)[1].ravel()
    routes = compiled.route_to.size
    return Turns(turn[:routes], turn[routes:].reshape(compiled.service_time.shape))


def keeping_free(compiled: CompiledNetwork) -> Booleans:
    """Tell before which services some stream leaves places free for others: (n,)."""
    classes = compiled.service_time.shape[1]
    keeps: Booleans = np.any(compiled.external_places_left_free > 0, axis=1)
    keeps[compiled.route_to[compiled.places_left_free > 0].astype(np.int64) // classes] = True
    return keeps & np.isfinite(compiled.capacity)
