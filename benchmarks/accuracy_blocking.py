"""How wrong the blocking method is in its two modes, on networks with finite places.

The truth is the exact chain of the whole network where that has few states, else a simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from benchmarks.comparison import (
    MOST_STATES,
    Errors,
    by_chain,
    by_simulation,
    compiled,
    errors_of,
    network_of,
    number_of,
)
from flownet.kernels.blocking_full import COMPRESSED, FULL
from flownet.kernels.compiled import CompiledNetwork, Floats, Measures
from flownet.network.compile import compile_network
from flownet.network.model import Network
from flownet.solvers.solve import solve

NAMES = {
    "throughput": "admitted jobs, all services, relative",
    "number": "total number in the system, relative",
    "blocked": "blocked servers per server, worst service, absolute",
    "meets_full": "completion finds its destination full, worst service, absolute",
}
FEATURES = (
    "plain", "saturated", "unlimited", "patience", "transfer", "classes", "lost", "tight",
)  # fmt: skip
BUSY = 0.9
"""Share of time that the servers at the door are held, from which a queue is told apart."""
MOST_LINES, MANY_VISITS = 400_000, 1e7
"""For the truth about lines without limit, near saturation too."""
OFF = 0.12
"""The number in the system is that wrong which differs by more."""
Judge = Callable[[CompiledNetwork], Measures | None]


def blocking_networks(
    entry: str,
    count: int,
    seed: int,
    servers_each: tuple[int, int] = (1, 5),
    *,
    services_each: tuple[int, int] = (2, 4),
    features: tuple[str, ...] = ("plain",),
) -> Iterator[CompiledNetwork]:
    """Yield random networks in which services can block each other."""
    for feature, random, services, routes in documents(
        entry, count, seed, servers_each, services_each, features
    ):
        yield _with_feature(feature, random, services, routes)


Document = tuple[str, np.random.Generator, list[dict[str, Any]], list[dict[str, Any]]]


def documents(
    entry: str, count: int, seed: int, servers_each: tuple[int, int],
    services_each: tuple[int, int], features: tuple[str, ...],
) -> Iterator[Document]:  # fmt: skip
    """Yield what random networks are made of.

    Lines, splits, merges and feedback; load ratios of 0.4 to 0.9 by the traffic equations.
    """
    random = np.random.default_rng(seed)
    for number in range(count):
        n = int(random.integers(services_each[0], services_each[1] + 1))
        servers = random.integers(servers_each[0], servers_each[1] + 1, size=n)
        links = 0.7 if n < 6 else 2.5 / n
        routing = np.triu(random.random((n, n)) * (random.random((n, n)) < links), 1)
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
        feature = features[number % len(features)]
        yield feature, random, services, routes


def _with_feature(
    feature: str,
    random: np.random.Generator,
    services: list[dict[str, Any]],
    routes: list[dict[str, Any]],
) -> CompiledNetwork:
    """Give a network one more thing to be dealt with."""
    last = services[-1]
    if feature == "saturated":
        services[0]["external_arrival_rate"] = 1e6
    elif feature == "unlimited":
        del last["waiting_room"]
    elif feature == "patience":
        for service in services:
            service["patience"] = float(service["service_time"] * random.uniform(0.5, 4.0))
    elif feature == "transfer":
        for number, route in enumerate(routes):
            delay = float(random.uniform(0.1, 0.5))
            route |= {"transfer_delay": delay, "holds_server": number % 2 == 0}
    elif feature == "lost":
        last["when_full"] = "lost"
    elif feature == "tight":
        for service in services:
            service["waiting_room"] = 0
    network = compiled(services, routes)
    return _in_two_classes(random, network) if feature == "classes" else network


def _in_two_classes(random: np.random.Generator, network: CompiledNetwork) -> CompiledNetwork:
    """Split the jobs into two classes, one of which stays longer and goes on less often."""
    share, longer = random.uniform(0.3, 0.7), random.uniform(1.0, 1.5)
    n, routes = network.servers.size, network.route_to.size
    first = network.route_start.astype(np.int64)
    counts = np.repeat(np.diff(first), 2)

    def twice(values: Floats, other: float) -> Floats:
        return np.ascontiguousarray(np.column_stack([values[:, 0], values[:, 0] * other]))

    def doubled(values: np.ndarray, other: float) -> np.ndarray:
        parts = [values[first[i] : first[i + 1]] * f for i in range(n) for f in (1.0, other)]
        return np.concatenate(parts).astype(values.dtype) if routes else values

    ends = [
        network.route_to[first[i] : first[i + 1]].astype(np.int64) * 2 + k
        for i in range(n)
        for k in (0, 1)
    ]
    parameters = np.repeat(network.service_parameters, 2, axis=1)
    parameters[:, 1, 0] *= longer
    spread = {
        name: np.repeat(getattr(network, name), 2, axis=1)
        for name in (
            "priority",
            "service_scv",
            "arrival_scv",
            "patience",
            "service_family",
            "external_entry_priority",
            "external_places_left_free",
        )
    }
    return network._replace(
        **spread,
        service_time=twice(network.service_time, longer),
        service_parameters=parameters,
        external_arrival_rate=np.column_stack(
            [network.external_arrival_rate[:, 0] * share,
             network.external_arrival_rate[:, 0] * (1.0 - share)]
        ),
        route_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32),
        route_to=np.concatenate(ends).astype(np.uint32) if routes else network.route_to,
        route_probability=doubled(network.route_probability, random.uniform(0.5, 1.0)),
        transfer_delay=doubled(network.transfer_delay, 1.0),
        holds_server=np.concatenate(
            [network.holds_server[first[i] : first[i + 1]] for i in range(n) for _ in (0, 1)]
        ) if routes else network.holds_server,
        entry_priority=doubled(network.entry_priority, 1.0),
        places_left_free=doubled(network.places_left_free, 1.0),
    )  # fmt: skip


def with_spread(network: CompiledNetwork, scv: float) -> CompiledNetwork:
    """Return the network with gamma-distributed service times of this scv (0.25 to 4)."""
    from flownet.kernels.compiled import GAMMA

    parameters = np.zeros_like(network.service_parameters)
    parameters[..., 0] = 1.0 / scv
    parameters[..., 1] = network.service_time * scv
    return network._replace(
        service_scv=np.full_like(network.service_scv, scv),
        service_family=np.full_like(network.service_family, GAMMA),
        service_parameters=parameters,
    )


def by_either(arrays: CompiledNetwork) -> Measures | None:
    """Return the exact steady state where the chain is not large, else a simulation's averages."""
    return by_chain(arrays, MOST_LINES, 1e-5) or by_simulation(arrays, MANY_VISITS)


def both_modes(
    title: str, networks: Iterable[CompiledNetwork], judge: Judge, modes: tuple[str, ...]
) -> str:
    """Return the markdown of one table, a column of errors for each mode."""
    told = [(arrays, truth) for arrays in networks if (truth := judge(arrays)) is not None]
    return errors_table(title, told, modes)


def errors_table(
    title: str, told: list[tuple[CompiledNetwork, Measures]], modes: tuple[str, ...]
) -> str:
    """Return the markdown of one table from networks and their true measures."""
    found = {
        mode: [errors_of(arrays, "blocking", truth, mode=mode) for arrays, truth in told]
        for mode in modes
    }
    return table_of(title, found)


def table_of(title: str, found: dict[str, list[Errors | None]]) -> str:
    """Return the markdown of one table of the errors that each way found, None where it failed."""
    columns = [np.abs([errors for errors in each if errors is not None]) for each in found.values()]
    lines = [
        f"## {title}",
        "",
        f"| error (median / 95th percentile / worst) | {' | '.join(found)} |",
        "| --- " * (1 + len(found)) + "|",
    ]
    for k, field in enumerate(Errors._fields):
        cells = [
            f"{np.median(c[:, k]):.2%} / {np.quantile(c[:, k], 0.95):.2%} / {c[:, k].max():.2%}"
            if len(c) else "-"
            for c in columns
        ]  # fmt: skip
        lines.append(f"| {NAMES[field]} | {' | '.join(cells)} |")
    lost = ", ".join(f"{way} {each.count(None)}" for way, each in found.items())
    number = max(map(len, found.values()))
    return "\n".join(
        [*lines, "", f"{number} networks; left out since a mode did not converge, gave no "
         f"answer or found overload where there is none: {lost}.", ""]
    )  # fmt: skip


def lost_at_the_entry(count: int | None) -> str:
    """Return the table of small networks whose first service turns jobs away."""
    networks = blocking_networks("lost", count or 100, 1)
    title = f"blocking, jobs lost where the first service is full (exact, to {MOST_STATES} states)"
    return both_modes(title, networks, by_chain, (FULL, COMPRESSED))


def with_features(count: int | None) -> str:
    """Return the table of small networks of every feature."""
    networks = blocking_networks("lost", count or 240, 5, (1, 4), features=FEATURES)
    title = f"blocking, {', '.join(FEATURES)} in turn (exact, to {MOST_STATES} states)"
    return both_modes(title, networks, by_chain, (FULL, COMPRESSED))


def waiting_outside(count: int | None) -> str:
    """Return the tables of small networks before which jobs wait without limit."""
    found = list(documents("wait_outside", count or 80, 2, (1, 5), (2, 4), ("plain",)))
    networks = [network_of(services, routes) for _, _, services, routes in found]
    cases = [(compile_network(network).arrays, network) for network in networks]
    truths = [by_either(arrays) for arrays, _ in cases]
    told = [(case[0], truth) for case, truth in zip(cases, truths, strict=True) if truth]
    calm = [case for case in told if _held(*case) < BUSY]
    rest = [case for case in told if _held(*case) >= BUSY]
    how = f"exact, to {MOST_LINES} states, or {MANY_VISITS:.0g} simulated visits"
    title = f"blocking, jobs wait outside, servers at the door held below {BUSY:.0%} ({how})"
    near = f"the same, held {BUSY:.0%} of the time and more: small errors in what can enter count"
    modes = (FULL, COMPRESSED)
    onward = [case for case in told if not (case[0].route_to == 0).any()]
    away = "the same, at any load, where no job comes back to the door"
    tables = [(title, calm), (f"# {near}", rest), (f"# {away}", onward)]
    shown = [errors_table(name, cases, modes) for name, cases in tables]
    return "\n".join([*shown, _warnings_table(networks, truths)]).replace("## # ", "### ")


def _warnings_table(networks: list[Network], truths: list[Measures | None]) -> str:
    """Return how far warnings tell which numbers are wrong, of solutions in the mode of choice."""
    wrong, warned, both = 0, 0, 0
    for network, truth in zip(networks, truths, strict=True):
        solution = solve(network, method="blocking")
        if not solution.converged:
            continue
        grows = bool(solution.overloaded)
        off = grows != (truth is None)
        if truth is not None and not grows:
            off = abs(number_of(solution.measures) / number_of(truth) - 1.0) > OFF
        told = any("simulat" in line for line in solution.warnings)
        wrong, warned, both = wrong + off, warned + told, both + (off and told)
    return (
        f"As `solve` answers by itself: {wrong} of {len(networks)} are off by more than {OFF:.0%} "
        f"in the number in the system, or show a steady state where there is none or none where "
        f"there is one; {both} of these ask for a simulation in a warning, and {warned} in all "
        "do.\n"
    )


def _held(arrays: CompiledNetwork, truth: Measures) -> float:
    return float((truth.number_in_service + truth.number_blocked)[0].sum() / arrays.servers[0])


def many_servers(count: int | None) -> str:
    """Return the table of networks whose services have 10 to 40 servers."""
    networks = blocking_networks("wait_outside", count or 40, 4, (10, 40))
    title = "blocking, 10 to 40 servers a service, jobs wait outside (against simulation)"
    return both_modes(title, networks, by_simulation, (COMPRESSED,))


def general_service(count: int | None) -> str:
    """Return the table of service times that are not exponential."""
    each = blocking_networks("lost", count or 60, 8)
    networks = (with_spread(arrays, (0.25, 0.5, 2.0, 4.0)[k % 4]) for k, arrays in enumerate(each))
    title = "blocking, service scv 0.25 to 4 (gamma), jobs lost at the door (against simulation)"
    return both_modes(title, networks, by_simulation, (COMPRESSED,))


SECTIONS = {
    "blocking with loss": lost_at_the_entry,
    "blocking with features": with_features,
    "blocking with a queue outside": waiting_outside,
    "blocking with many servers": many_servers,
    "blocking with general service": general_service,
}
