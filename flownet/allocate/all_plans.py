"""Every plan within the rules, where they are few enough to try them all."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from flownet.allocate.search import Rules, Start
from flownet.kernels.compiled import Floats

FEW = 250
"""So many different plans are tried all, if there are no more."""
_WALKED = 4000
"""So many allocations are looked at, at most, to find that out."""


def all_plans(rules: Rules, starts: Sequence[Start], most: int = FEW) -> list[Start] | None:
    """Return every allowed allocation that single steps reach; None where they are too many.

    Parameters
    ----------
    rules : Rules
        What is allowed; terms may be broken on the way, bounds and money may not.
    starts : sequence of tuples
        Purchases and moves to begin with.
    most : int
        Different servers, at most.

    Notes
    -----
    A walk in the order of the money spent, so that each number of servers is met by its cheapest
    way first, and is kept for that one only.
    """
    size = rules.steps()
    n = rules.servers.size
    heap: list[tuple[float, int, Floats]] = []
    seen: set[bytes] = set()
    for bought, moved in starts:
        vector = np.concatenate([bought, moved])
        if rules.affords(bought, moved):
            heapq.heappush(heap, (rules.spent(bought, moved), len(heap), vector))
    pushed = len(heap)
    found: list[Start] = []
    while heap:
        _, _, vector = heapq.heappop(heap)
        bought, moved = vector[:n], vector[n:]
        key = np.round(rules.after(bought, moved), 9).tobytes()
        if key in seen:
            continue
        seen.add(key)
        if rules.allows(bought, moved):
            found.append((bought, moved))
        if len(found) > most or len(seen) > 4 * most or pushed > _WALKED:
            return None
        for place in range(vector.size):
            for sign in (1.0, -1.0):
                trial = vector.copy()
                trial[place] += sign * size[place]
                if rules.affords(trial[:n], trial[n:]):
                    pushed += 1
                    heapq.heappush(heap, (rules.spent(trial[:n], trial[n:]), pushed, trial))
    return found
