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
    CompiledNetwork,
    Integers,
)


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


def doors(
    compiled: CompiledNetwork, active: list[int], initial: Integers | None
) -> list[tuple[int, int]]:
    """Return who can come to wait for a place, in order: source and target pair.

    A job that is present at the start may have come from outside.

    In place of the source stands `OUTSIDE` or `IN_TRANSIT` where the job holds no server.
    """
    external = compiled.external_arrival_rate.ravel() > 0.0
    if initial is not None:
        external = external | (initial.ravel() > 0)
    found: set[tuple[int, int]] = set()
    for pair in active:
        if external[pair]:
            found |= _waits(compiled, col.OUTSIDE, pair)
        for route in range(int(compiled.route_start[pair]), int(compiled.route_start[pair + 1])):
            lone = compiled.transfer_delay[route] > 0.0 and not compiled.holds_server[route]
            source, target = col.IN_TRANSIT if lone else pair, int(compiled.route_to[route])
            found |= _waits(compiled, source, target)
    return sorted(found)


def _waits(compiled: CompiledNetwork, source: int, target: int) -> set[tuple[int, int]]:
    """Follow a job that asks for a place along the overflows until it would wait, if ever."""
    rules = compiled.external_when_full if source == col.OUTSIDE else compiled.when_full
    classes = compiled.service_time.shape[1]
    for _ in range(compiled.servers.shape[0] + 1):
        service = target // classes
        own = source >= 0 and source // classes == service
        if own or not math.isfinite(compiled.capacity[service]):
            return set()
        if rules[service] in (BLOCKED_AFTER_SERVICE, WAIT_OUTSIDE):
            return {(source, target)}
        if rules[service] != OVERFLOW or compiled.overflow_to[service] < 0:
            return set()
        target = int(compiled.overflow_to[service]) * classes + target % classes
    return set()


def lines_of(compiled: CompiledNetwork, i: int, present: list[int]) -> list[list[int]]:
    """Return the pairs that stand in each line of a service, best rank first; none if shared."""
    if compiled.discipline[i] == PROCESSOR_SHARING:
        return []
    if compiled.discipline[i] not in (PRIORITY, PREEMPTIVE):
        return [present] if present else []
    ranks = compiled.priority.ravel()
    found = sorted({int(ranks[pair]) for pair in present})
    return [[pair for pair in present if ranks[pair] == rank] for rank in found]
