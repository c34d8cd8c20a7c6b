"""How wrong the blocking method is, on random networks in which services block each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.comparison import by_chain, by_simulation, compiled, table
from flownet.kernels.compiled import CompiledNetwork


def blocking_networks(
    entry: str, count: int, seed: int, servers_each: tuple[int, int] = (1, 5)
) -> Iterator[CompiledNetwork]:
    """Yield random networks of 2 to 4 services in which services can block each other.

    Lines, splits, merges and feedback; load ratios of 0.4 to 0.9 by the traffic equations.
    """
    random = np.random.default_rng(seed)
    for _ in range(count):
        n = int(random.integers(2, 5))
        servers = random.integers(servers_each[0], servers_each[1] + 1, size=n)
        routing = np.triu(random.random((n, n)) * (random.random((n, n)) < 0.7), 1)
        routing[np.arange(n - 1), np.arange(1, n)] += 0.3
        if random.random() < 0.3:
            routing[n - 1, 0] = 0.2 * random.random()
        out = routing.sum(axis=1, keepdims=True)
        routing = routing / np.maximum(out, 1e-9) * np.minimum(out, random.uniform(0.6, 1.0))
        flow = np.linalg.solve(np.eye(n) - routing.T, np.eye(n)[0])
        loads = random.uniform(0.4, 0.9, size=n)
        services = [
            {"name": f"s{i}", "servers": int(servers[i]),
             "waiting_room": int(random.integers(0, 3)),
             "service_time": float(loads[i] * servers[i] / flow[i])}
            for i in range(n)
        ]  # fmt: skip
        services[0] |= {"external_arrival_rate": 1.0, "external_when_full": entry}
        routes = [
            {"from": f"s{i}", "to": f"s{j}", "routing_probability": float(routing[i, j])}
            for i in range(n)
            for j in range(n)
            if routing[i, j] > 0
        ]
        yield compiled(services, routes)


def lost_at_the_entry(count: int | None) -> str:
    """Return the table of small networks whose first service turns jobs away."""
    title = "blocking, jobs lost where the first service is full (against the exact chain)"
    return table(title, blocking_networks("lost", count or 100, 1), "blocking", by_chain)


def waiting_outside(count: int | None) -> str:
    """Return the table of small networks before which jobs wait without limit."""
    title = "blocking, jobs from outside wait outside (against simulation)"
    return table(
        title, blocking_networks("wait_outside", count or 100, 2), "blocking", by_simulation
    )


def many_servers(count: int | None) -> str:
    """Return the table of networks whose services have 10 to 40 servers."""
    title = "blocking, 10 to 40 servers a service, jobs wait outside (against simulation)"
    networks = blocking_networks("wait_outside", count or 100, 4, (10, 40))
    return table(title, networks, "blocking", by_simulation)


SECTIONS = {
    "blocking with loss": lost_at_the_entry,
    "blocking with a queue outside": waiting_outside,
    "blocking with many servers": many_servers,
}
