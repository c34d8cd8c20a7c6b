"""Compiled solvers of x = r + W' x on a sparse graph of states: one sweep, elimination, Krylov.

``W`` is in compressed rows (`start`, `to`, `weight`), non-negative, with row sums of at most one:
what a row lacks to one leaves. All sweeps *push* along the routes, so no transpose is needed.
"""

from __future__ import annotations

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import Floats, Indices, Integers

UNFINISHED = -1
TINY = 1e-300


@njit
def route_sources(start: Indices) -> Integers:
    """Return the row that each route of a compressed matrix begins in."""
    source = np.empty(start[-1], dtype=np.int64)
    for row in range(start.size - 1):
        for route in range(start[row], start[row + 1]):
            source[route] = row
    return source


@njit
def sweep_in_order(start: Indices, to: Indices, weight: Floats, rate: Floats) -> Integers:
    """Push every state that no cycle feeds, in Kahn's order; return the number of open entries.

    `rate` holds the external arrivals on entry; afterwards it is final at the states whose entry
    in the result is 0, and elsewhere holds what arrives from outside and from finished states.
    """
    states = start.size - 1
    entries = np.zeros(states, dtype=np.int64)
    for target in to:
        entries[target] += 1
    queue = np.empty(states, dtype=np.uint32)
    last = np.uint32(0)
    for state in range(states):
        if entries[state] == 0:
            queue[last] = state
            last += np.uint32(1)
    first = np.uint32(0)
    while first < last:
        state = queue[first]
        first += np.uint32(1)
        flow = rate[state]
        for route in range(start[state], start[state + 1]):
            target = to[route]
            rate[target] += weight[route] * flow
            entries[target] -= 1
            if entries[target] == 0:
                queue[last] = target
                last += np.uint32(1)
    return entries


@njit
def strong_components(start: Indices, to: Indices, open_states: Integers) -> Integers:
    """Find the strongly connected components of the open states, numbered successors first.

    Tarjan's algorithm without recursion. States whose entry in `open_states` is 0 get -1.
    """
    states = start.size - 1
    component = np.full(states, -1, dtype=np.int64)
    index = np.full(states, -1, dtype=np.int64)
    low = np.zeros(states, dtype=np.int64)
    edge = np.zeros(states, dtype=np.int64)
    path = np.empty(states, dtype=np.int64)
    stack = np.empty(states, dtype=np.int64)
    counter, components, depth, height = 0, 0, 0, 0
    for root in range(states):
        if open_states[root] == 0 or index[root] >= 0:
            continue
        path[0], depth = root, 1
        while depth > 0:
            state = path[depth - 1]
            if index[state] < 0:
                index[state] = low[state] = counter
                counter += 1
                edge[state] = start[state]
                stack[height] = state
                height += 1
            deeper = False
            while edge[state] < start[state + 1]:
                target = np.int64(to[edge[state]])
                edge[state] += 1
                if index[target] < 0:
                    path[depth] = target
                    depth += 1
                    deeper = True
                    break
                if component[target] < 0:
                    low[state] = min(low[state], index[target])
            if deeper:
                continue
            depth -= 1
            if depth > 0:
                low[path[depth - 1]] = min(low[path[depth - 1]], low[state])
            if low[state] == index[state]:
                member = -1
                while member != state:
                    height -= 1
                    member = stack[height]
                    component[member] = components
                components += 1
    return component


@njit
def exit_weights(start: Indices, to: Indices, weight: Floats, component: Integers) -> Floats:
    """Return, per state, what leaves its component: out of the network or to another component."""
    states = start.size - 1
    leaving = np.zeros(states)
    for state in range(states):
        inside, outside = 0.0, 0.0
        for route in range(start[state], start[state + 1]):
            if component[to[route]] == component[state]:
                inside += weight[route]
            else:
                outside += weight[route]
        rest = 1.0 - inside - outside
        leaving[state] = outside + (rest if rest > 1e-14 else 0.0)
    return leaving


@njit
def _eliminate(block: Floats, leaving: Floats, rate: Floats) -> None:
    """Solve a small dense block in place by state reduction, without a subtraction (GTH).

    `block` (m, m) and `leaving` (m,) are used up; `rate` becomes the solution.
    """
    size = rate.size
    divisor = np.empty(size)
    for last in range(size - 1, -1, -1):
        total = leaving[last]
        for j in range(last):
            total += block[last, j]
        divisor[last] = total
        if total <= 0.0:
            continue
        for j in range(last):
            block[last, j] /= total
        share = leaving[last] / total
        for i in range(last):
            into = block[i, last]
            if into > 0.0:
                leaving[i] += into * share
                for j in range(last):
                    block[i, j] += into * block[last, j]
        for j in range(last):
            rate[j] += rate[last] * block[last, j]
    for state in range(size):
        total = rate[state]
        for i in range(state):
            total += rate[i] * block[i, state]
        rate[state] = total / divisor[state] if divisor[state] > 0.0 else 0.0


@njit
def solve_small(
    start: Indices,
    to: Indices,
    weight: Floats,
    component: Integers,
    members: Integers,
    offset: Integers,
    leaving: Floats,
    rate: Floats,
) -> None:
    """Solve consecutive small components, each by elimination, and push what leaves them.

    `members` lists their states, component after component, `offset` where each begins. A
    component that nothing leaves gets ``inf`` where anything reaches it.
    """
    local = np.empty(component.size, dtype=np.int64)
    for piece in range(offset.size - 1):
        states = members[offset[piece] : offset[piece + 1]]
        if not (np.any(leaving[states] > 0.0) and np.isfinite(np.sum(rate[states]))):
            if np.any(rate[states] != 0.0):
                rate[states] = np.inf
            continue
        size = states.size
        for j in range(size):
            local[states[j]] = j
        block = np.zeros((size, size))
        inflow = np.empty(size)
        out = np.empty(size)
        for i in range(size):
            inflow[i] = rate[states[i]]
            out[i] = leaving[states[i]]
            for route in range(start[states[i]], start[states[i] + 1]):
                if component[to[route]] == component[states[i]]:
                    block[i, local[to[route]]] += weight[route]
        _eliminate(block, out, inflow)
        for i in range(size):
            rate[states[i]] = inflow[i]
        push_out(start, to, weight, component, states, rate)


@njit
def push_out(
    start: Indices,
    to: Indices,
    weight: Floats,
    component: Integers,
    members: Integers,
    rate: Floats,
) -> None:
    """Add the flow along the routes that lead from `members` to other components."""
    for state in members:
        flow = rate[state]
        for route in range(start[state], start[state + 1]):
            if component[to[route]] != component[state]:
                rate[to[route]] += weight[route] * flow


@njit
def extract(
    start: Indices,
    to: Indices,
    weight: Floats,
    component: Integers,
    members: Integers,
) -> tuple[Indices, Indices, Floats]:
    """Return the routes within one component in local numbers, in compressed rows."""
    local = np.empty(component.size, dtype=np.uint32)
    for j in range(members.size):
        local[members[j]] = j
    inner_start = np.zeros(members.size + 1, dtype=np.uint32)
    for i in range(members.size):
        count = 0
        for route in range(start[members[i]], start[members[i] + 1]):
            if component[to[route]] == component[members[i]]:
                count += 1
        inner_start[i + 1] = inner_start[i] + count
    inner_to = np.empty(inner_start[-1], dtype=np.uint32)
    inner_weight = np.empty(inner_start[-1])
    position = 0
    for i in range(members.size):
        for route in range(start[members[i]], start[members[i] + 1]):
            if component[to[route]] == component[members[i]]:
                inner_to[position] = local[to[route]]
                inner_weight[position] = weight[route]
                position += 1
    return inner_start, inner_to, inner_weight
