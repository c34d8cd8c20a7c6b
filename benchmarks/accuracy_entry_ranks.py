"""How wrong the blocking method is where those who wait for the same place enter by rank.

The truth is the exact chain of the whole network, a simulation where it has many states. What the
ranks change is measured beside it: the same method on the same network without them.
"""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy_blocking import FEATURES, blocking_networks
from benchmarks.comparison import MOST_STATES, VISITS, by_chain, by_simulation, errors_between
from flownet.errors import MethodError
from flownet.kernels.blocking_full import FULL, MODES, ranks_mixed, solve_blocking
from flownet.kernels.compiled import CompiledNetwork, Floats, Measures
from flownet.kernels.exact_reach import ranked_doors

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


SECTIONS = {"blocking with ranks": entry_ranks}
