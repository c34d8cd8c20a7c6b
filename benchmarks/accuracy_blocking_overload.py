"""How wrong the blocking method is where a service inside could not do all that comes to the doors.

The truth is the exact chain of the whole network where that has few states, else a simulation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.accuracy_blocking_steps import admitted
from benchmarks.comparison import by_chain, by_simulation, compiled, number_of
from flownet.kernels.blocking_full import COMPRESSED, FULL, MODES, solve_blocking
from flownet.kernels.compiled import CompiledNetwork, Measures

STATES, VISITS = 6_000, 2e6
"""Of the truth: exact to so many states, else simulated."""
NAMES = (
    "admitted jobs, all services, relative",
    "total number in the system, relative",
    "blocked servers per server, worst service, absolute",
    "share of time full, worst door, absolute",
)


def overload_networks(
    count: int, seed: int, loads: tuple[float, float], servers_each: tuple[int, int]
) -> Iterator[CompiledNetwork]:
    """Yield random networks with losses at the doors and one tight service inside.

    2 to 6 services, lines with splits and merges; half of them without any waiting room; in a third
    jobs come to a second door, at any service.
    """
    random = np.random.default_rng(seed)
    for number in range(count):
        n = int(random.integers(2, 7))
        servers = random.integers(servers_each[0], servers_each[1] + 1, size=n)
        routing = np.triu(random.random((n, n)) * (random.random((n, n)) < 1.5 / n), 1)
        routing[np.arange(n - 1), np.arange(1, n)] += 0.5
        out = routing.sum(axis=1, keepdims=True)
        routing *= random.uniform(0.6, 1.0, size=(n, 1)) / np.maximum(out, 1e-9)
        doors = np.zeros(n)
        doors[0] = 1.0
        if number % 3 == 2:
            doors[random.integers(1, n)] = random.uniform(0.1, 0.5)
        flow = np.linalg.solve(np.eye(n) - routing.T, doors)
        ratios = random.uniform(0.3, 0.8, size=n)
        ratios[random.integers(1, n)] = random.uniform(*loads)
        rooms = random.integers(0, 4, size=n) if number % 2 else np.zeros(n, dtype=np.int64)
        services: list[dict[str, Any]] = [
            {"name": f"s{i}", "servers": int(servers[i]), "waiting_room": int(rooms[i]),
             "service_time": float(ratios[i] * servers[i] / flow[i])}
            for i in range(n)
        ]  # fmt: skip
        for i in np.flatnonzero(doors):
            services[i] |= {
                "external_arrival_rate": float(doors[i]), "external_when_full": "lost",
            }  # fmt: skip
        routes = [
            {"from": f"s{i}", "to": f"s{j}", "routing_probability": float(routing[i, j])}
            for i, j in zip(*np.nonzero(routing), strict=True)
        ]
        yield compiled(services, routes)


class Gaps(NamedTuple):
    """How far a solution is from the truth, in the order of `NAMES`, and from itself."""

    admitted: float
    number: float
    blocked: float
    full: float
    unseen: float
    """Share turned away at a door less the share of time that it is full: PASTA has 0."""
    beyond: float
    """Servers at work or blocked beyond all that there are, relative."""


def gaps_of(arrays: CompiledNetwork, truth: Measures, mode: str) -> Gaps | None:
    """Return a mode's errors; None where it gives no answer."""
    found = solve_blocking(arrays, mode=mode)
    if found.status or MODES[found.variant] != mode:
        return None
    outside = arrays.external_arrival_rate.sum(axis=1)
    doors = outside > 0
    blocked = (found.number_blocked - truth.number_blocked).sum(axis=1) / arrays.servers
    share = found.loss_rate.sum(axis=1)[doors] / outside[doors]
    full = found.probability_full[doors]
    held = (found.number_in_service + found.number_blocked).sum(axis=1) / arrays.servers
    return Gaps(
        abs(admitted(found) / admitted(truth) - 1.0),
        abs(number_of(found) / number_of(truth) - 1.0),
        float(np.abs(blocked).max()),
        float(np.abs(full - truth.probability_full[doors]).max()),
        float(np.abs(share - full).max()),
        max(float(held.max()) - 1.0, 0.0),
    )


def _table(title: str, count: int, seed: int, loads: tuple[float, float]) -> list[str]:
    """Return the markdown of the table of one range of loads."""
    networks = [
        *overload_networks(count, seed, loads, (1, 5)),
        *overload_networks(count // 2, seed + 1, loads, (5, 20)),
    ]
    told = [
        (arrays, truth)
        for arrays in networks
        if (truth := by_chain(arrays, STATES) or by_simulation(arrays, VISITS)) is not None
    ]
    modes = (FULL, COMPRESSED)
    found = {mode: [gaps_of(arrays, truth, mode) for arrays, truth in told] for mode in modes}
    known = {mode: np.array([gaps for gaps in found[mode] if gaps]) for mode in modes}
    lines = [
        title,
        "",
        f"| error (median / 95th percentile / worst) | {' | '.join(modes)} |",
        "| --- " * (1 + len(modes)) + "|",
    ]
    for k, name in enumerate(NAMES):
        cells = [
            f"{np.median(c[:, k]):.2%} / {np.quantile(c[:, k], 0.95):.2%} / {c[:, k].max():.2%}"
            for c in known.values()
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    without = ", ".join(f"{mode} {len(told) - len(known[mode])}" for mode in modes)
    unseen = max(c[:, len(NAMES)].max() for c in known.values())
    beyond = max(c[:, len(NAMES) + 1].max() for c in known.values())
    lines += [
        "",
        f"{len(told)} networks; without an answer in the mode: {without}. Share turned away at a "
        f"door and share of time that it is full differ by {unseen:.1e} at most, and servers at "
        f"work or blocked are beyond all that there are by {beyond:.1e} of them at most.",
        "",
    ]
    return lines


def with_overload(count: int | None) -> str:
    """Return the tables of networks with a service inside that could not do all that comes."""
    how = f"exact, to {STATES} states, or {VISITS:.0g} simulated visits"
    title = f"## blocking, a service inside offered 1.05 to 3 times what it can do ({how})"
    near = "### the same, offered 0.85 to 1.05 times what it can do"
    tables = [
        *_table(title, count or 24, 61, (1.05, 3.0)),
        *_table(near, count or 24, 61, (0.85, 1.05)),
    ]
    return "\n".join(tables)


SECTIONS = {"blocking, overload inside": with_overload}
