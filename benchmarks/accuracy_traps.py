"""What usual rules miss and plans find, and where money goes in the packaged systems."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import flownet as fn
from benchmarks.accuracy_plans import waiting

KNAPSACKS = 4000
REALLOCATED = 200
SEED = 72
BUDGETS = (2_000.0, 5_000.0, 10_000.0, 25_000.0, 50_000.0, 100_000.0)

Task = tuple[list[float], list[float], float]
"""Loads, prices and a budget."""


# --------------------------------------------------------------------------- unequal prices


def knapsack(rng: np.random.Generator) -> Task:
    """Return three services side by side with prices from 1 to 6, and money for a few more."""
    loads = rng.uniform(0.5, 5.0, 3)
    price = rng.integers(1, 7, 3).astype(float)
    least = np.floor(loads) + 1
    return loads.tolist(), price.tolist(), float(price @ least + rng.integers(3, 16))


def best_of_all(task: Task) -> float:
    """Return the least number waiting that the budget allows."""
    loads, price, budget = task
    best = math.inf
    most = [int(budget // p) for p in price]
    firsts = [
        [(c * price[k], waiting(c, loads[k])) for c in range(math.floor(loads[k]) + 1, most[k] + 1)]
        for k in range(2)
    ]
    for (paid, value), (more, other) in itertools.product(*firsts):
        count = int((budget - paid - more) // price[2])
        if count > loads[2]:
            best = min(best, value + other + waiting(count, loads[2]))
    return best


def by_greed(task: Task) -> float:
    """Return what gain by money reaches, step after step, from the least stable servers."""
    loads, price, budget = task
    servers = [math.floor(a) + 1 for a in loads]
    left = budget - sum(c * p for c, p in zip(servers, price, strict=True))
    while True:
        gains = [
            (waiting(c, a) - waiting(c + 1, a)) / p if p <= left else -1.0
            for c, a, p in zip(servers, loads, price, strict=True)
        ]
        k = int(np.argmax(gains))
        if gains[k] < 0:
            return sum(waiting(c, a) for c, a in zip(servers, loads, strict=True))
        servers[k] += 1
        left -= price[k]


def by_plan(task: Task) -> float:
    """Return what `reallocate` reaches from the same start."""
    loads, price, budget = task
    servers = [math.floor(a) + 1 for a in loads]
    paid = sum(c * p for c, p in zip(servers, price, strict=True))
    rows = [
        {"name": f"s{k}", "external_arrival_rate": 1.0, "service_time": a, "servers": c,
         "cost_per_server": p}
        for k, (a, c, p) in enumerate(zip(loads, servers, price, strict=True))
    ]  # fmt: skip
    network = fn.Network.from_dict({"network": {"time_unit": "day"}, "services": rows})
    return fn.reallocate(network, budget=budget - paid).value_after.value


# ----------------------------------------------------------------------------------- blocking


def line_of(servers: Sequence[int]) -> fn.Network:
    """Return three services in a line without places between, the first one never idle."""
    rows: list[dict[str, Any]] = [
        {"name": name, "service_time": time, "servers": count, "waiting_room": 0}
        for name, time, count in zip("abc", (1.0, 2.0, 4.0), servers, strict=True)
    ]
    rows[0]["external_arrival_rate"] = 1e7
    routes = [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}]
    document = {"network": {"time_unit": "day"}, "services": rows, "routes": routes}
    return fn.Network.from_dict(document)


def wards() -> fn.Network:
    """Return a department, two wards that are blocked and community care that shows nothing."""
    columns = zip(
        ("department", "ward A", "ward B", "community"), (1.0, 0.3, 0.4, 0.25), (3, 4, 3, 2),
        (1.6, 0.0, 0.2, 0.0), (2, 0, 0, 0), strict=True,
    )  # fmt: skip
    rows = [
        {"name": name, "service_time": 1 / rate, "servers": beds, "external_arrival_rate": outside,
         "waiting_room": room, "cost_of_loss": float(name == "department"), "min_servers": 2}
        for name, rate, beds, outside, room in columns
    ]  # fmt: skip
    shares = (("department", "ward A", 0.4), ("department", "ward B", 0.3),
              ("ward A", "community", 0.5), ("ward B", "community", 0.4),
              ("community", "department", 0.1))  # fmt: skip
    routes = [{"from": a, "to": b, "routing_probability": share} for a, b, share in shares]
    return fn.Network.from_dict({"network": {"time_unit": "day"}, "services": rows,
                                 "routes": routes})  # fmt: skip


def traps(count: int | None = None) -> str:
    """Compare plans with greed, equal capacity, and beds where the queue is seen."""
    size = count or KNAPSACKS
    tasks = [knapsack(np.random.default_rng([SEED, seed])) for seed in range(size)]
    best = np.array([best_of_all(task) for task in tasks])
    greed = np.array([by_greed(task) for task in tasks]) / best
    some = min(size, REALLOCATED)
    ours = np.array([by_plan(task) for task in tasks[:some]]) / best[:some]
    line = fn.reallocate(
        line_of((2, 4, 8)), "throughput", exchanges=list(itertools.permutations("abc", 2)),
        method="exact",
    )  # fmt: skip
    names = ("ward A", "ward B", "community")
    beds = fn.reallocate(
        wards(), "cost", exchanges=list(itertools.permutations(names, 2)), method="exact"
    )
    return "\n".join([
        "## Plans where usual rules fail",
        "",
        f"{size:,} random tasks: three services side by side, prices from 1 to 6, money for a few "
        "servers beyond the least stable ones; goal: delay, by Erlang's formula. Greed buys the "
        "server with the largest gain by money as long as it can.",
        "",
        "| rule | tasks | optimal | more than 10 % worse | at worst |",
        "| --- | --- | --- | --- | --- |",
        _rule("gain by money", greed),
        _rule("`reallocate`", ours),
        "",
        "Under blocking, every figure by the exact chain:",
        "",
        "| system | rule | before | plan | after |",
        "| --- | --- | --- | --- | --- |",
        "| line with rates 1, 0.5, 0.25 and 14 servers (throughput) | largest smallest capacity "
        f"| {line.value_before.value:.4f} | {_changes(line)} | {line.value_after.value:.4f} |",
        "| department, two wards, community care (jobs lost per day) | beds where blocking is seen "
        f"| {beds.value_before.value:.4f} | {_changes(beds)} | {beds.value_after.value:.4f} |",
        "",
    ])  # fmt: skip


def _rule(label: str, ratio: Any) -> str:
    optimal, bad = (ratio <= 1 + 1e-9).mean(), (ratio > 1.1).mean()
    return f"| {label} | {ratio.size:,} | {optimal:.1%} | {bad:.1%} | {ratio.max():.2f} times |"


def _changes(plan: fn.Plan) -> str:
    """Return what servers become, in a few words."""
    return ", ".join(
        f"{name}: {before:g} to {after:g}" for name, (_, before, after) in plan.changes.items()
    )


# ---------------------------------------------------------------------------- packaged systems


def packaged(_: int | None = None) -> str:
    """Tell where money goes in two packaged systems."""
    discharge = fn.example("discharge_to_assess")
    rows = []
    for budget in BUDGETS:
        plan = fn.reallocate(discharge, budget=budget)
        grows = int((plan.after.services["growth_rate"] > 1e-9).sum())
        after = plan.value_after
        delay = f"{after.value:.1f}" if after.growth == 0 else "without limit"
        rows.append(
            f"| {budget:,.0f} | {plan.spent:,.0f} | {plan.value_before.growth:.2f} | "
            f"{after.growth:.2f} | {grows} | {delay} | {_changes(plan)} |"
        )
    cost = fn.reallocate(discharge, "cost", 1e6)
    return "\n".join([
        "## Plans of the packaged systems",
        "",
        "`discharge_to_assess` with the costs of IPACS, goal: delay. Six of nine services receive "
        "more than they can take. As long as a budget cannot make all of them stable, the total "
        "growth of the backlogs is made as small as can be before anything else, and the plan "
        "says so.",
        "",
        "| budget a day | spent | growth before | growth after [patients a day] | services that "
        "still grow | delayed | servers |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
        f"Goal: cost, with money without end: £{cost.spent:,.0f} a day are spent and "
        f"{cost.after.system['delay']:.1f} patients are left delayed, gap {cost.gap:.1e}: removing "
        "all delay is not optimal, since the next place costs more than the days it saves.",
        "",
        *_urgent(),
        "",
    ])  # fmt: skip


def _urgent() -> list[str]:
    """Return what £60 an hour do at the constraint and where the delay is seen."""
    network = fn.example("urgent_care")
    solved = fn.solve(network)
    constraint = fn.find_constraint(network).constraint
    symptom = str(solved.services["delay"].idxmax())
    delay = solved.system["delay"]
    nodes: Mapping[Any, Any] = network.graph.nodes
    lines = [
        f"`urgent_care`, £60 an hour, goal: delay ({delay:.1f} patients before). The constraint is "
        f"{constraint}; most of the delay is seen at {symptom}.",
        "",
        "| spent | patients no longer delayed | of all delay | servers |",
        "| --- | --- | --- | --- |",
    ]
    for label, only in ((f"at the constraint, {constraint}", [constraint]),
                        (f"at the symptom, {symptom}", [symptom]),
                        ("anywhere", list(network.services))):  # fmt: skip
        rest = {
            name: (nodes[name]["servers"], nodes[name]["servers"])
            for name in network.services
            if name not in only and math.isfinite(nodes[name]["servers"])
        }
        plan = fn.reallocate(network, budget=60.0, bounds=rest or None)
        gain = plan.gain_verified
        lines.append(f"| {label} | {gain:.2f} | {gain / delay:.0%} | {_changes(plan) or 'none'} |")
    return lines


SECTIONS = {"plans where rules fail": traps, "plans of the packaged systems": packaged}
