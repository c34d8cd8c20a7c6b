"""Random small allocation tasks of every kind, for enumeration."""

import numpy as np

import flownet as fn
from oracles.plans import Task

KINDS = (
    "plain", "cost", "training", "resources", "groups", "few", "fixed", "shift", "protect",
    "targets", "worst", "expected", "minimax", "regret", "cvar", "several",
)  # fmt: skip


def random_task(kind, seed):
    """Return a task of two or three services with terms of a kind."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    n = int(rng.integers(2, 4))
    loads = rng.uniform(0.6, 4.0, n).round(2)
    servers = np.ceil(loads + rng.uniform(0.05, 2.2, n)).astype(int).tolist()
    task = Task(
        loads=[loads.tolist()],
        servers=servers,
        price=rng.choice([1.0, 2.0, 3.0, 5.0], n).tolist(),
        budget=float(rng.integers(2, 9)),
        weights=rng.choice([1.0, 4.0, 15.0], n).tolist(),
    )
    if rng.random() < 0.5 or kind == "training":
        start, end = (int(i) for i in rng.choice(n, 2, replace=False))
        training = float(rng.integers(1, 3)) if kind == "training" else 0.0
        rate = float(rng.choice([1.0, 0.5, 0.8, 2.3]))
        task.exchanges = [(start, end, rate, 0.0, float(rng.integers(1, 4)), training)]
    _with_terms(task, kind, rng)
    return task


def _with_terms(task, kind, rng):
    n, servers = len(task.servers), task.servers
    every = kind == "several"
    if kind == "cost":
        task.goal = "cost"
    if kind == "resources" or every:
        use = rng.choice([0.0, 0.5, 1.0, 2.0], n)
        limit = float((use * servers).sum() + rng.choice([0.0, 1.0, 2.0]))
        task.resources = [(use.tolist(), limit)] if use.any() else []
    if kind == "groups":
        who = [0, n - 1]
        total = sum(servers[i] for i in who)
        task.groups = [(who, total + int(rng.integers(0, 2)), total + int(rng.integers(1, 3)))]
    if kind == "few" or every:
        task.max_changed = int(rng.integers(1, n))
    if kind == "fixed" or every:
        task.opening = {i: float(rng.integers(0, 4)) for i in range(n)}
        task.closing = {i: float(rng.integers(0, 3)) for i in range(n)}
    if kind == "shift":
        task.shift = {int(rng.integers(0, n)): 2}
    if kind == "protect" or every:
        task.organisations = ["x"] * (n - 1) + ["y"]
        task.protect = float(rng.choice([0.0, 0.05, 0.5]))
    if kind == "targets":
        task.wait_probability = {int(rng.integers(0, n)): float(rng.choice([0.6, 0.4, 0.3]))}
    if kind == "worst":
        task.goal, task.targets = "worst_breach", rng.choice([0.5, 1.0, 3.0], n).tolist()
    if kind in {"expected", "minimax", "regret", "cvar"} or every:
        count = int(rng.integers(2, 4))
        scale = rng.uniform(0.6, 1.1, (count, n))
        task.loads = (np.array(task.loads) * scale).round(3).tolist()
        shares = rng.integers(1, 4, count)
        task.shares = (shares / shares.sum()).tolist()
        task.risk = (("minimax" if every else kind), 0.6 if kind == "cvar" else 0.0)


def _network(task, load):
    services = []
    for i, (a, c) in enumerate(zip(load, task.servers, strict=True)):
        data = {"name": f"s{i}", "service_time": a, "external_arrival_rate": 1.0, "servers": c}
        data["cost_per_server"] = task.price[i]
        if task.goal == "cost":
            data["cost_of_delay"] = task.weights[i]
        if task.targets:
            data["target"] = task.targets[i]
        if task.organisations:
            data["organisation"] = task.organisations[i]
        services.append(data)
    return fn.Network.from_dict({"network": {"time_unit": "day"}, "services": services})


def reallocated(task):
    """Return the plan of `flownet.reallocate` for a task."""
    name = [f"s{i}" for i in range(len(task.servers))]
    networks = [_network(task, load) for load in task.loads]
    scenarios = dict(
        zip("abc", zip(networks, task.shares, strict=True), strict=False)
    ) if len(networks) > 1 else None  # fmt: skip
    terms = {
        "budgets": {
            f"r{k}": {"limit": limit, "use": dict(zip(name, use, strict=True))}
            for k, (use, limit) in enumerate(task.resources)
        },
        "groups": {
            f"g{k}": {"services": [name[i] for i in who], "min": low, "max": high}
            for k, (who, low, high) in enumerate(task.groups)
        },
        "max_changed": task.max_changed,
        "fixed_costs": {
            name[i]: {"opening": task.opening.get(i, 0), "closing": task.closing.get(i, 0)}
            for i in task.opening
        },
        "shift": {name[i]: step for i, step in task.shift.items()},
        "protect": task.protect,
        "targets": {name[i]: {"wait_probability": p} for i, p in task.wait_probability.items()},
        "scenarios": scenarios,
        "risk": task.risk if task.risk[0] == "cvar" else task.risk[0],
    }
    rows = [(name[s], name[e], *rest) for s, e, *rest in task.exchanges]
    return fn.reallocate(networks[0], task.goal, task.budget, rows, **terms)
