"""Problems of allocation whose delay at a service depends on its own servers only."""

import itertools
import math

import numpy as np

from flownet.allocate.exchanges import check_exchanges
from flownet.allocate.problem import AllocationProblem
from oracles.allocations import curve_of
from oracles.stations import number_waiting


def letters(count: int) -> tuple[str, ...]:
    return tuple("abcdefghijklmnopqrstuvwxyz"[:count])


def waiting_problem(loads, **others) -> AllocationProblem:
    """M/M/c stations at these loads, starting from no servers at all."""
    fields = {
        "names": letters(len(loads)),
        "servers": np.zeros(len(loads)),
        "load": np.array(loads),
        "curve": curve_of(lambda i, c: number_waiting(int(c), loads[i])),
        "cost_per_server": np.ones(len(loads)),
    }
    return AllocationProblem(**(fields | others))


def mm1(rates: np.ndarray):
    """Mean number at M/M/1 queues whose servers are their service rates."""

    def curve(services, servers):
        slack = servers - rates[services]
        return rates[services] / slack, -rates[services] / slack**2

    return curve


def random_problem(seed: int, goal_name: str) -> tuple[AllocationProblem, object]:
    """Two or three M/M/c stations with prices, bounds, and exchanges at awkward rates."""
    rng = np.random.default_rng([seed, goal_name == "cost"])
    n = int(rng.integers(2, 4))
    loads = rng.uniform(0.5, 6.0, n).round(2).tolist()
    servers = np.ceil(np.array(loads) + rng.uniform(0.01, 2.0, n))
    prices = rng.choice([1.0, 2.0, 3.0, 5.0, 0.0], n)
    pairs = list(itertools.permutations(range(n), 2))
    chosen = rng.choice(len(pairs), int(rng.integers(0, 3)), replace=False)
    rows = []
    for k in chosen.tolist():
        start, end = pairs[k]
        if (end, start) not in [(s, e) for s, e, *_ in rows]:
            rate = float(rng.choice([1.0, 0.5, 0.8, 2.3]))
            cost = float(rng.choice([0.0, 0.5]))
            rows.append((start, end, rate, cost, float(rng.integers(1, 5))))
    names = letters(n)
    table = check_exchanges([(names[s], names[e], *rest) for s, e, *rest in rows], names)
    station = lambda i, c: number_waiting(int(c), loads[i])  # noqa: E731
    problem = AllocationProblem(
        names=names,
        servers=servers,
        load=np.array(loads),
        curve=curve_of(station),
        goal=goal_name,
        budget=float(rng.integers(0, 9)),
        exchanges=table,
        cost_per_server=prices,
        weight=rng.choice([1.0, 2.0, 7.0], n),
        max_servers=np.where(rng.random(n) < 0.3, servers + 2, math.inf),
        min_servers=np.where(rng.random(n) < 0.3, servers - 1, 0.0),
    )
    return problem, station
