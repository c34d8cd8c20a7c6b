"""Single stations by the textbook recursions, in plain Python: slow and obvious."""

import math


def erlang_b(servers: int, load: float) -> float:
    """Probability that all servers are busy where nobody waits: B_k = a B / (k + a B)."""
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Probability that a job waits in M/M/c."""
    if servers <= load:
        return 1.0
    blocked = erlang_b(servers, load)
    return servers * blocked / (servers - load * (1 - blocked))


def number_waiting(servers: int, load: float) -> float:
    """Mean number waiting in M/M/c: C a / (c - a)."""
    if servers <= load:
        return math.inf
    return erlang_c(servers, load) * load / (servers - load)
