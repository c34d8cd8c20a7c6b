"""Random small lines that block, with money and moves, and every plan of them by one model."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

import flownet as fn


@dataclass
class BlockedTask:
    """A line, money, and exchanges (from, to) one for one."""

    network: fn.Network
    budget: float
    exchanges: list


def blocked_task(seed):
    """Return a line of two to four services with few places."""
    rng = np.random.default_rng([7, seed])
    count = int(rng.integers(2, 5))
    flow = float(rng.uniform(0.8, 2.5))
    services, routes = [], []
    for i in range(count):
        time = float(rng.uniform(0.5, 2.0))
        servers = max(1, math.ceil(flow * time / rng.uniform(0.5, 0.8)))
        service = {"name": f"s{i}", "service_time": time, "servers": servers,
                   "cost_per_server": float(rng.choice([1, 2, 3]))}  # fmt: skip
        if i == 0:
            service["external_arrival_rate"] = flow
        else:
            service["waiting_room"] = int(rng.integers(0, 3))
        services.append(service)
        share = float(rng.choice([1.0, 0.8, 0.6]))
        flow *= share
        if i + 1 < count:
            routes.append({"from": f"s{i}", "to": f"s{i + 1}", "routing_probability": share})
    document = {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    network = fn.Network.from_dict(document)
    moves = rng.random() < 0.5
    names = network.services
    exchanges = list(itertools.pairwise(names)) if moves else []
    return BlockedTask(network, float(rng.integers(2, 4 if moves else 7)), exchanges)


def reallocated_under_blocking(task):
    """Return the plan of `flownet.reallocate`."""
    return fn.reallocate(task.network, budget=task.budget, exchanges=task.exchanges or None)


def enumerated(task, options):
    """Return (growth, delay) of the best of all plans, each solved as a network of its own.

    In the mode of the plan that is judged: the truth is the model's own.
    """
    nodes = [data for _, data in task.network.graph.nodes(data=True)]
    servers = [data["servers"] for data in nodes]
    price = [data["cost_per_server"] for data in nodes]
    most = [range(int(task.budget // p) + 1) for p in price]
    # a service may pass on what it has, is bought there, or comes from the one before
    pool = [sum(servers[: i + 1]) + int(task.budget // min(price)) for i in range(len(servers))]
    given = [range(c) if task.exchanges else range(1) for c in pool[:-1]]
    plans = set()
    for bought in itertools.product(*most):
        if sum(b * p for b, p in zip(bought, price, strict=True)) > task.budget:
            continue
        for moved in itertools.product(*given):
            after = [c + b for c, b in zip(servers, bought, strict=True)]
            for i, x in enumerate(moved):
                after[i] -= x
                after[i + 1] += x
            if min(after) >= 1:
                plans.add(tuple(after))
    return min(_value(task.network, after, options) for after in plans)


def _value(network, after, options):
    changed = network.replace(
        services={n: {"servers": c} for n, c in zip(network.services, after, strict=True)}
    )
    try:
        solution = fn.solve(changed, "blocking", **options)
    except fn.errors.MethodError:  # the full mode has no steady state to show
        return math.inf, math.inf
    growth = float(solution.system["growth_rate"])
    return growth, math.inf if growth > 0 else float(solution.system["delay"])
