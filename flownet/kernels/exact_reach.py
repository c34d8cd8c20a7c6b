"""Where jobs can come to in a network, where they can wait, and who stands in which line."""

from __future__ import annotations

import math

import numpy as np

from flownet.kernels import exact_tables as col
from flownet.kernels.compiled import (
    BLOCKED_AFTER_SERVICE,
    OVERFLOW,
    PREEMPTIVE,
    PRIORITY,
    PROCESSOR_SHARING,
    WAIT_OUTSIDE,
    Booleans,
    CompiledNetwork,
    Integers,
)
from flownet.kernels.turns import turns_of


def active_pairs(compiled: CompiledNetwork, initial: Integers | None = None) -> list[int]:
    """Return the pairs (service, class) that jobs can reach, in order."""
    classes = compiled.service_time.shape[1]
    reached = set(np.flatnonzero(compiled.external_arrival_rate.ravel() > 0.0).tolist())
    if initial is not None:
        reached |= set(np.flatnonzero(initial.ravel() > 0).tolist())
    frontier = list(reached)
    while frontier:
        pair = frontier.pop()
        first, end = int(compiled.route_start[pair]), int(compiled.route_start[pair + 1])
        after = [int(target) for target in compiled.route_to[first:end]]
        service = pair // classes
        rules = (compiled.when_full[service], compiled.external_when_full[service])
        if OVERFLOW in rules and math.isfinite(compiled.capacity[service]):
            after.append(int(compiled.overflow_to[service]) * classes + pair % classes)
        for target in after:
            if target >= 0 and target not in reached:
                reached.add(target)
                frontier.append(target)
    return sorted(reached)


Kind = tuple[int, int, int, int]
"""Who waits for a place: source, target pair, turn, places left free.

In place of the source stands `OUTSIDE` or `IN_TRANSIT` where the job holds no server.
"""


def doors(
    compiled: CompiledNetwork, active: list[int], initial: Integers | None
) -> dict[tuple[int, int], Kind]:
    """Return who can come to wait for a place, by route (`NO_ROUTE` from outside) and target pair.

    A job that is present at the start may have come from outside.
    """
    external = compiled.external_arrival_rate.ravel() > 0.0
    if initial is not None:
        external = external | (initial.ravel() > 0)
    turns = turns_of(compiled)
    outer, free = turns.external.ravel(), compiled.external_places_left_free.ravel()
    found: dict[tuple[int, int], Kind] = {}
    for pair in active:
        end = _waits(compiled, col.OUTSIDE, pair) if external[pair] else None
        if end is not None:
            found[col.NO_ROUTE, end] = (col.OUTSIDE, end, int(outer[end]), int(free[end]))
        for route in range(int(compiled.route_start[pair]), int(compiled.route_start[pair + 1])):
            lone = compiled.transfer_delay[route] > 0.0 and not compiled.holds_server[route]
            source = col.IN_TRANSIT if lone else pair
            end = _waits(compiled, source, int(compiled.route_to[route]))
            if end is not None:
                left = int(compiled.places_left_free[route])
                found[route, end] = (source, end, int(turns.route[route]), left)
    return found


def ranked_doors(compiled: CompiledNetwork) -> Booleans:
    """Tell before which services those who wait for a place are not all of one rank: (n,)."""
    n, classes = compiled.service_time.shape
    turns = turns_of(compiled)
    if max(turns.route.max(initial=0), turns.external.max(initial=0)) == 0:
        return np.zeros(n, dtype=np.bool_)
    seen: dict[int, set[int]] = {}
    for _, target, turn, _ in doors(compiled, active_pairs(compiled), None).values():
        seen.setdefault(target // classes, set()).add(turn)
    return np.array([len(seen.get(i, ())) > 1 for i in range(n)])


def _waits(compiled: CompiledNetwork, source: int, target: int) -> int | None:
    """Follow a job that asks for a place along the overflows to where it would wait, if ever."""
    rules = compiled.external_when_full if source == col.OUTSIDE else compiled.when_full
    classes = compiled.service_time.shape[1]
    for _ in range(compiled.servers.shape[0] + 1):
        service = target // classes
        own = source >= 0 and source // classes == service
        if own or not math.isfinite(compiled.capacity[service]):
            return None
        if rules[service] in (BLOCKED_AFTER_SERVICE, WAIT_OUTSIDE):
            return target
        if rules[service] != OVERFLOW or compiled.overflow_to[service] < 0:
            return None
        target = int(compiled.overflow_to[service]) * classes + target % classes
    return None


def lines_of(compiled: CompiledNetwork, i: int, present: list[int]) -> list[list[int]]:
    """Return the pairs that stand in each line of a service, best rank first; none if shared."""
    if compiled.discipline[i] == PROCESSOR_SHARING:
        return []
    if compiled.discipline[i] not in (PRIORITY, PREEMPTIVE):
        return [present] if present else []
    ranks = compiled.priority.ravel()
    found = sorted({int(ranks[pair]) for pair in present})
    return [[pair for pair in present if ranks[pair] == rank] for rank in found]
