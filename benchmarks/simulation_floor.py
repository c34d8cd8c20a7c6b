"""Bare event loops in numba with a binary heap: the floor under the simulator's speed.

They know exponential times and single servers only, keep no statistics but the area under one
queue, and stand in one function each, as fast as numba makes them.
"""

from __future__ import annotations

from math import log

import numpy as np

from flownet.jit import njit
from flownet.kernels.compiled import Floats, Integers


@njit
def pop(times: Floats, codes: Integers, size: int) -> None:
    """Take the first event out of a heap of `size` events."""
    time, code = times[size - 1], codes[size - 1]
    size -= 1
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and times[child + 1] < times[child]:
            child += 1
        if time <= times[child]:
            break
        times[place], codes[place] = times[child], codes[child]
        place = child
    times[place], codes[place] = time, code


@njit
def push(times: Floats, codes: Integers, size: int, time: float, code: int) -> None:
    """Put an event into a heap of `size` events."""
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        if times[parent] <= time:
            break
        times[place], codes[place] = times[parent], codes[parent]
        place = parent
    times[place], codes[place] = time, code


@njit
def open_network(external: Floats, mean: Floats, rising: Floats, visits: int, seed: int) -> float:
    """Run single servers with routing (rows of rising probabilities) for so many visits."""
    np.random.seed(seed)  # noqa: NPY002  # numba's own generator
    n = external.size
    times, codes = np.zeros(2 * n + 1), np.zeros(2 * n + 1, np.int64)
    present = np.zeros(n, np.int64)
    size = 0
    for i in range(n):
        if external[i] > 0.0:
            push(times, codes, size, -log(np.random.random()) / external[i], i)  # noqa: NPY002
            size += 1
    done, area, last = 0, 0.0, 0.0
    while done < visits:
        now, code = times[0], codes[0]
        pop(times, codes, size)
        size -= 1
        area += present[0] * (now - last)
        last = now
        if code < n:
            to = code
            gap = -log(np.random.random()) / external[code]  # noqa: NPY002
            push(times, codes, size, now + gap, code)
            size += 1
        else:
            done += 1
            at = code - n
            present[at] -= 1
            if present[at] > 0:
                push(times, codes, size, now - mean[at] * log(np.random.random()), code)  # noqa: NPY002
                size += 1
            u = np.random.random()  # noqa: NPY002
            to = 0
            while to < n and u >= rising[at, to]:
                to += 1
        if to < n:
            present[to] += 1
            if present[to] == 1:
                push(times, codes, size, now - mean[to] * log(np.random.random()), n + to)  # noqa: NPY002
                size += 1
    return area / last


@njit
def blocking_tandem(  # noqa: C901  # one function, like its rival's loop
    rate: float, mean: Floats, places: Integers, visits: int, seed: int
) -> float:
    """Run single servers in a row; a job that finds the next full stays in its server."""
    np.random.seed(seed)  # noqa: NPY002
    n = mean.size
    times, codes = np.zeros(n + 2), np.zeros(n + 2, np.int64)
    present, blocked = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    codes[0] = n
    times[0] = -log(np.random.random()) / rate  # noqa: NPY002
    size, done, area, last = 1, 0, 0.0, 0.0
    while done < visits:
        now, at = times[0], codes[0]
        pop(times, codes, size)
        size -= 1
        area += present[0] * (now - last)
        last = now
        if at == n:
            push(times, codes, size, now - log(np.random.random()) / rate, n)  # noqa: NPY002
            size += 1
            if present[0] < places[0]:
                present[0] += 1
                if present[0] == 1:
                    push(times, codes, size, now - mean[0] * log(np.random.random()), 0)  # noqa: NPY002
                    size += 1
            continue
        done += 1
        if at < n - 1 and present[at + 1] == places[at + 1]:
            blocked[at] = 1
            continue
        while at >= 0:  # the job at `at` moves on, and whom that lets move
            present[at] -= 1
            if at < n - 1:
                present[at + 1] += 1
                if present[at + 1] == 1:
                    push(times, codes, size, now - mean[at + 1] * log(np.random.random()), at + 1)  # noqa: NPY002
                    size += 1
            if present[at] > 0:
                push(times, codes, size, now - mean[at] * log(np.random.random()), at)  # noqa: NPY002
                size += 1
            if at == 0 or blocked[at - 1] == 0:
                break
            blocked[at - 1] = 0
            at -= 1
    return area / last
