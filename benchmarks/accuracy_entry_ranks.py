"""How wrong the blocking method is where those who wait for the same place enter by rank.

The truth is the exact chain of the whole network, a simulation where it has many states. What the
ranks change is measured beside it: the same method on the same network without them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.accuracy_blocking import FEATURES, blocking_networks
from benchmarks.comparison import (
    MOST_STATES,
    VISITS,
    by_chain,
    by_simulation,
    errors_between,
    network_of,
)
from flownet.errors import MethodError
from flownet.kernels.blocking_full import FULL, MODES, ranks_mixed, solve_blocking
from flownet.kernels.compiled import CompiledNetwork, Floats, Measures
from flownet.kernels.exact_reach import ranked_doors
from flownet.network.model import Network
from flownet.solvers.solve import solve

NAMES = (
    "admitted jobs, all services, relative",
    "total number in the system, relative",
    "blocked servers per server, worst service, absolute",
    "completion finds its destination full, worst service, absolute",
    "servers of one service blocked for one other, per server, worst pair, absolute",
)
FOLLOWS = tuple(feature for feature in FEATURES if feature not in ("classes", "saturated"))
"""Classes of one stream have one rank, which is nothing new; a source that is saturated tells of
loss at one service only."""


def ranked(networks: list[CompiledNetwork], seed: int) -> list[CompiledNetwork]:
    """Return the networks with random ranks, of those in which they can matter."""
    random = np.random.default_rng(seed)
    found = [
        arrays._replace(
            entry_priority=random.integers(1, 4, arrays.route_to.size),
            external_entry_priority=random.integers(1, 4, arrays.service_time.shape),
        )
        for arrays in networks
    ]
    told = [arrays for arrays in found if not ranks_mixed(arrays).any()]
    return [arrays for arrays in told if ranked_doors(arrays).any()]


def without_ranks(arrays: CompiledNetwork) -> CompiledNetwork:
    """Return the network where those who wait for a place are all alike."""
    return arrays._replace(
        entry_priority=np.ones_like(arrays.entry_priority),
        external_entry_priority=np.ones_like(arrays.external_entry_priority),
    )


def _pairs(arrays: CompiledNetwork, found: Measures) -> Floats:
    table = np.zeros((arrays.servers.size, arrays.servers.size))
    np.add.at(table, (found.blocked_by_from, found.blocked_by_to), found.blocked_by_number)
    return np.asarray(table / arrays.servers[:, np.newaxis])


def errors_by_stream(
    arrays: CompiledNetwork, truth: Measures, solved: CompiledNetwork
) -> list[float] | None:
    """Return the errors of the full mode on `solved`, None where it gives no answer."""
    try:
        found = solve_blocking(solved, mode=FULL)
    except MethodError:
        return None
    if found.status != 0 or found.growth_rate.any() or MODES[found.variant] != FULL:
        return None
    whole = errors_between(arrays, found, truth)
    by_pair = np.abs(_pairs(arrays, found) - _pairs(arrays, truth)).max()
    return [*np.abs(whole).tolist(), float(by_pair)]


def _truth(arrays: CompiledNetwork) -> Measures | None:
    return by_chain(arrays, MOST_STATES, 1e-6) or by_simulation(arrays)


def entry_ranks(count: int | None) -> str:
    """Return the tables of networks with ranks at the entrances."""
    half = (count or 80) // 2
    tables = []
    for entry, features, how in (
        ("lost", FOLLOWS, "jobs lost at the first service"),
        ("wait_outside", ("plain",), "jobs wait outside the first service"),
    ):
        networks = blocking_networks(
            entry, half, 21, (1, 2), services_each=(3, 4), features=features
        )
        told = [
            (arrays, truth)
            for arrays in ranked(list(networks), 22)
            if (truth := _truth(arrays)) is not None
        ]
        tables.append(_table(how, told))
    return "\n".join(tables)


def _table(how: str, told: list[tuple[CompiledNetwork, Measures]]) -> str:
    with_ranks = [errors_by_stream(arrays, truth, arrays) for arrays, truth in told]
    ignored = [errors_by_stream(arrays, truth, without_ranks(arrays)) for arrays, truth in told]
    kept = [k for k, pair in enumerate(zip(with_ranks, ignored, strict=True)) if all(pair)]
    columns = [
        np.array([errors[k] for k in kept]).reshape(-1, len(NAMES))
        for errors in (with_ranks, ignored)
    ]
    lines = [
        f"## blocking with ranks at the entrances, {how} (exact, to {MOST_STATES} states, or "
        f"{VISITS:.0g} simulated visits)",
        "",
        "| error (median / 95th percentile / worst) | full | full, ranks left out |",
        "| --- | --- | --- |",
    ]
    for number, name in enumerate(NAMES):
        cells = [
            f"{np.median(c[:, number]):.2%} / {np.quantile(c[:, number], 0.95):.2%} / "
            f"{c[:, number].max():.2%}"
            for c in columns
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(
        [*lines, "", f"{len(told)} networks; left out since the mode gave no answer with ranks or "
         f"without: {len(told) - len(kept)}.", ""]
    )  # fmt: skip


class Department(NamedTuple):
    """An emergency department that holds ambulances outside from a number of patients on."""

    on_foot: float
    by_ambulance: float
    stay: float
    servers: int
    places: int
    threshold: int
    parking: int
    published: float
    """Mean time that an ambulance is held, of those that are let in."""


# MichalisPanayides/AmbulanceDecisionGame, tests/test_markov_blocking.py
DEPARTMENTS = {
    "example 1": Department(3.0, 2.0, 0.5, 3, 8, 4, 2, 0.23047954),
    "example 2": Department(6.0, 5.0, 0.5, 7, 15, 5, 7, 0.62492091),
}
AT_ONCE = 1e-7
"""A stay that stands for none."""


def _kept_free(d: Department) -> Network:
    parking = {
        "name": "parking", "servers": d.parking, "capacity": d.parking, "service_time": AT_ONCE,
        "external_arrival_rate": d.by_ambulance,
    }  # fmt: skip
    department = {
        "name": "department", "servers": d.servers, "capacity": d.places, "service_time": d.stay,
        "external_arrival_rate": d.on_foot,
    }  # fmt: skip
    left = d.places - d.threshold
    route = {"from": "parking", "to": "department", "places_left_free": left}
    return network_of([parking, department], [route])


def _by_rank(d: Department) -> Network:
    """Those on foot wait in a room of their own, and go first; the threshold is all places."""
    room = d.places - d.threshold
    services = [
        {"name": name, "servers": places, "capacity": places, "service_time": AT_ONCE,
         "external_arrival_rate": rate}
        for name, places, rate in (
            ("parking", d.parking, d.by_ambulance), ("waiting room", room, d.on_foot)
        )
    ]  # fmt: skip
    services.append(
        {"name": "department", "servers": d.servers, "capacity": d.threshold,
         "service_time": d.stay}
    )  # fmt: skip
    routes = [
        {"from": "parking", "to": "department", "entry_priority": 2},
        {"from": "waiting room", "to": "department", "entry_priority": 1},
    ]
    return network_of(services, routes)


def ambulances(_count: int | None) -> str:
    """Return the table of the published times for which ambulances are held."""
    lines = [
        "## ambulances held outside a department, published mean time",
        "",
        "| case | described by | method | time | published | error |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, d in DEPARTMENTS.items():
        ways = [("places_left_free", _kept_free(d), "exact")]
        if d.threshold >= d.servers:
            ranks = _by_rank(d)
            ways += [("entry_priority", ranks, how) for how in ("exact", "blocking")]
        for form, network, method in ways:
            row = solve(network, method=method).services.loc["parking"]
            time = row["number_blocked"] / row["throughput"]
            error = time / d.published - 1.0
            lines.append(
                f"| {name} | `{form}` | {method} | {time:.6f} | {d.published:.6f} | {error:+.2%} |"
            )
    text = (
        "In example 2 fewer patients than there are servers close the department to ambulances, "
        "which ranks do not say; blocking refuses `places_left_free`."
    )
    return "\n".join([*lines, "", text, ""])


SECTIONS = {"blocking with ranks": entry_ranks, "ambulances": ambulances}
