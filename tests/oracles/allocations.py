"""Every allocation of a small problem in whole numbers, one after the other: slow and obvious."""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np

from flownet.allocate.problem import AllocationProblem

Station = Callable[[int, float], float]


def curve_of(station: Station) -> Callable:
    """Turn a function of one service and its servers into a curve for whole numbers."""

    def curve(services, servers):
        values = [station(int(i), float(c)) for i, c in zip(services, servers, strict=True)]
        return np.array(values), np.full(len(values), math.nan)

    return curve


def allocations(problem: AllocationProblem, most: int) -> Iterator[tuple[tuple, tuple, list]]:
    """Yield purchases, moves and servers of every allocation that keeps the rules.

    Purchases and moves go up to `most`; what fractional rates leave over is not used.
    """
    n, table = len(problem.names), problem.exchanges
    count = 0 if table is None else len(table)
    for_sale = [price > 0 for price in problem.cost_per_server]
    for bought in itertools.product(*(range(most + 1 if sale else 1) for sale in for_sale)):
        money = sum(b * p for b, p in zip(bought, problem.cost_per_server, strict=True) if b)
        if money > problem.budget + 1e-9:
            continue
        limits = [] if table is None else [int(min(u, most)) for u in table.limit]
        for moved in itertools.product(*(range(u + 1) for u in limits)):
            if money + sum(x * table.cost[k] for k, x in enumerate(moved)) > problem.budget + 1e-9:
                continue
            servers = [float(c + b) for c, b in zip(problem.servers, bought, strict=True)]
            for k in range(count):
                servers[table.start[k]] -= moved[k]
                servers[table.end[k]] += moved[k] * table.rate[k]
            servers = [math.floor(c + 1e-9) for c in servers]
            low = np.zeros(n) if problem.min_servers is None else problem.min_servers
            high = np.full(n, math.inf) if problem.max_servers is None else problem.max_servers
            if all(a <= c <= b for a, c, b in zip(low, servers, high, strict=True)):
                yield bought, moved, servers


def goal(problem: AllocationProblem, station: Station, servers: list) -> float:
    """Return the goal by the definition; unlimited where a service is overloaded."""
    n = len(problem.names)
    weight = np.ones(n) if problem.weight is None else problem.weight
    total = sum(weight[i] * station(i, servers[i]) for i in range(n))
    if problem.goal == "cost":
        prices = zip(servers, problem.cost_per_server, strict=True)
        total += sum(count * price for count, price in prices)
    return total
