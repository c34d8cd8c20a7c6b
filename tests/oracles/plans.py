"""Every plan of a small task, its terms checked and its goals computed the slow, obvious way."""

import itertools
import math
from dataclasses import dataclass, field

from oracles.stations import erlang_c, number_waiting


@dataclass
class Task:
    """Services side by side: one job a unit of time comes to each, times its load in each demand.

    `loads` has a row a demand; prices, exchanges (from, to, rate, cost, limit, training) and terms
    are as `reallocate` takes them, with services by their number.
    """

    loads: list
    servers: list
    price: list
    budget: float
    exchanges: list = field(default_factory=list)
    shares: list = field(default_factory=lambda: [1.0])
    risk: tuple = ("expected", 0.0)
    goal: str = "delay"
    organisations: list | None = None
    protect: float | None = None
    resources: list = field(default_factory=list)
    groups: list = field(default_factory=list)
    max_changed: int | None = None
    opening: dict = field(default_factory=dict)
    closing: dict = field(default_factory=dict)
    shift: dict = field(default_factory=dict)
    wait_probability: dict = field(default_factory=dict)
    targets: list | None = None
    weights: list | None = None


def plans(task, most):
    """Yield the servers of every allocation that keeps all terms but those on delay."""
    n = len(task.servers)
    sale = [range(most + 1) if p > 0 else range(1) for p in task.price]
    for bought in itertools.product(*sale):
        for moved in itertools.product(*(range(int(min(e[4], most)) + 1) for e in task.exchanges)):
            servers = [c + b for c, b in zip(task.servers, bought, strict=True)]
            money = sum(b * p for b, p in zip(bought, task.price, strict=True))
            for x, (start, end, rate, cost, _, training) in zip(moved, task.exchanges, strict=True):
                servers[start] -= x
                servers[end] += x * rate
                money += x * cost + (training if x else 0)
            servers = [math.floor(c + 1e-9) for c in servers]
            change = [c - now for c, now in zip(servers, task.servers, strict=True)]
            money += sum(task.opening.get(i, 0) for i in range(n) if change[i] > 0)
            money += sum(task.closing.get(i, 0) for i in range(n) if change[i] < 0)
            if money <= task.budget + 1e-9 and min(servers) >= 0 and _kept(task, servers, change):
                yield servers


def _kept(task, servers, change):
    resources = all(
        sum(u * c for u, c in zip(use, servers, strict=True)) <= limit + 1e-9
        for use, limit in task.resources
    )
    groups = all(low <= sum(servers[i] for i in who) <= high for who, low, high in task.groups)
    few = task.max_changed is None or sum(x != 0 for x in change) <= task.max_changed
    shifts = all(change[i] % step == 0 for i, step in task.shift.items())
    waits = all(
        servers[i] > load[i] and erlang_c(servers[i], load[i]) <= level
        for i, level in task.wait_probability.items()
        for load in task.loads
    )
    return resources and groups and few and shifts and waits


def _case(task, load, servers):
    """Return the goal in one demand; unlimited where a service is overloaded."""
    if any(c <= a for c, a in zip(servers, load, strict=True)):
        return math.inf
    waiting = [number_waiting(c, a) for c, a in zip(servers, load, strict=True)]
    if task.goal == "worst_breach":
        return max(w / t for w, t in zip(waiting, task.targets, strict=True))  # one job a T: W = L
    total = sum(waiting)
    if task.goal == "cost":
        total = sum(w * x for w, x in zip(task.weights, waiting, strict=True))
        total += sum(p * c for p, c in zip(task.price, servers, strict=True))
    return total


def _harms(task, servers):
    if task.protect is None:
        return False
    for load in task.loads:
        for name in set(task.organisations):
            who = [i for i, each in enumerate(task.organisations) if each == name]
            if any(task.servers[i] <= load[i] for i in who):
                continue
            was = sum(number_waiting(task.servers[i], load[i]) for i in who)
            now = sum(
                number_waiting(servers[i], load[i]) if servers[i] > load[i] else math.inf
                for i in who
            )
            if now > was + task.protect + 1e-7:
                return True
    return False


def over_demands(task, values, best):
    """Return one value of those of all demands."""
    kind, level = task.risk
    if kind == "minimax":
        return max(values)
    if kind == "regret":
        return max(v - b for v, b in zip(values, best, strict=True))
    if kind == "cvar":  # Rockafellar and Uryasev (2000): the least over the start of the tail
        pairs = list(zip(task.shares, values, strict=True))
        return min(
            start + sum(p * max(0.0, v - start) for p, v in pairs) / (1 - level) for start in values
        )
    return sum(p * v for p, v in zip(task.shares, values, strict=True))


def best_of(task, most=9):
    """Return the best value that any allocation has; None where none keeps the terms."""
    found = {tuple(servers) for servers in plans(task, most)}
    found = [servers for servers in found if not _harms(task, servers)]
    table = [[_case(task, load, servers) for load in task.loads] for servers in found]
    stable = [row for row in table if not any(math.isinf(value) for value in row)]
    if not stable:
        return None
    best = [min(row[k] for row in table) for k in range(len(task.loads))]
    return min(over_demands(task, row, best) for row in stable)
