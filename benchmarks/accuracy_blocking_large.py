"""How wrong the blocking method is on networks of 10 to 60 services, against the simulator."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from benchmarks.accuracy_blocking import NAMES, documents, table_of
from benchmarks.comparison import (
    MOST_JOBS,
    VISITS,
    Errors,
    errors_between,
    errors_of,
    network_of,
)
from flownet.execute import run_all
from flownet.kernels.blocking_full import COMPRESSED, FULL
from flownet.kernels.compiled import Floats, Measures
from flownet.kernels.simulation import SimulationRun, simulate_once
from flownet.kernels.simulation import measures as measured
from flownet.network.compile import compile_network
from flownet.network.model import Network
from flownet.solvers.solve import solve

GROUPS = {
    "10 to 40 services of 1 to 3 servers": (6, (1, 3), (10, 40)),
    "10 to 60 services of 5 to 60 servers": (7, (5, 60), (10, 60)),
}
"""Seed, servers of each, services; half of the networks each."""
WANTED, LONGER = 0.003, 10.0
"""Half-width of the true throughput, relative, and how much longer it is simulated for it."""
ITSELF = "as `solve` answers"
BARS = Errors(0.02, 0.06, 0.025, 0.04)
"""What 95 of 100 networks are to keep to, by which the worst are told."""
WORST = 6


class Truth(NamedTuple):
    """What a simulation found, and how well it knows it (half-widths of 95 %)."""

    measures: Measures
    throughput: float
    """Relative."""
    blocked: float
    """Per server, worst service."""
    full: float
    """Probability that a completion finds its destination full, worst service."""


class Judged(NamedTuple):
    """A network, its truth, and the errors by way of answering."""

    network: Network
    truth: Truth
    errors: dict[str, Errors | None]


def _half_width(batches: Floats) -> Floats:
    """Return that of the mean over the first axis, by Student's t."""
    number = len(batches)
    wide = float(student.ppf(0.975, number - 1))
    return np.asarray(wide * batches.std(axis=0, ddof=1) / math.sqrt(number))


def _known(run: SimulationRun, servers: Floats) -> Truth:
    tallies = run.tallies
    length = tallies.length[:, None]
    admitted = tallies.admissions.sum(axis=(1, 2)) / tallies.length
    blocked = tallies.blocked.sum(axis=2) / length / servers
    full = tallies.found_full / np.maximum(tallies.completions.sum(axis=2), 1)
    return Truth(
        measured(run),
        float(_half_width(admitted) / admitted.mean()),
        float(_half_width(blocked).max()),
        float(_half_width(full).max()),
    )


def truth_of(network: Network) -> Truth | None:
    """Return the averages of a run as long as the throughput needs; None without steady state."""
    arrays = compile_network(network).arrays
    horizon = VISITS / float(arrays.external_arrival_rate.sum())
    for seed in (7, 8):
        run = simulate_once(
            arrays, horizon=horizon, warmup=horizon / 20, seed=seed, max_jobs=MOST_JOBS
        )
        if run.status != 0:
            return None
        truth = _known(run, arrays.servers)
        if truth.throughput <= WANTED:
            break
        horizon *= min(1.2 * (truth.throughput / WANTED) ** 2, LONGER)
    return truth


def itself(network: Network, truth: Measures) -> Errors | None:
    """Return the errors of `solve` without more being asked; None without a steady state."""
    solution = solve(network)
    if not solution.converged or solution.overloaded:
        return None
    return errors_between(solution.compilation.arrays, solution.measures, truth)


def judge(network: Network) -> Judged | None:
    """Return the errors of each way to answer."""
    truth = truth_of(network)
    if truth is None:
        return None
    arrays = compile_network(network).arrays
    errors = {
        mode: errors_of(arrays, "blocking", truth.measures, mode=mode)
        for mode in (FULL, COMPRESSED)
    }
    return Judged(network, truth, errors | {ITSELF: itself(network, truth.measures)})


def _networks(count: int) -> list[tuple[str, Network]]:
    return [
        (group, network_of(services, routes))
        for group, (seed, servers, size) in GROUPS.items()
        for _, _, services, routes in documents("lost", count, seed, servers, size, ("plain",))
    ]


def _table(title: str, judged: list[Judged]) -> str:
    return table_of(title, {way: [one.errors[way] for one in judged] for way in judged[0].errors})


def _size(errors: Errors | None) -> float:
    """Return the largest error, as a multiple of its bar; without an answer without limit."""
    if errors is None:
        return math.inf
    return float(np.max(np.abs(errors) / np.array(BARS)))


def _worst(judged: list[Judged]) -> list[str]:
    """Return the lines of the table of the worst networks."""
    lines = [
        f"The worst {ITSELF}, by the error that most exceeds its bar at the 95th percentile:",
        "",
        "| services | servers | load, busiest | back to the door | without waiting room "
        f"| {' | '.join(NAMES.values())} | error over bar, {FULL} | {COMPRESSED} |",
        "| --- " * (7 + len(NAMES)) + "|",
    ]
    for one in sorted(judged, key=lambda each: -_size(each.errors[ITSELF]))[:WORST]:
        arrays = compile_network(one.network).arrays
        busy = one.truth.measures.number_in_service.sum(axis=1) / arrays.servers
        errors = one.errors[ITSELF]
        cells = ["-"] * len(NAMES) if errors is None else [f"{each:.2%}" for each in errors]
        shares = [_size(one.errors[mode]) for mode in (FULL, COMPRESSED)]
        cells = [
            str(arrays.servers.size),
            f"{arrays.servers.min():.0f} to {arrays.servers.max():.0f}",
            f"{busy.max():.2f}",
            "yes" if (arrays.route_to == 0).any() else "no",
            f"{np.mean(arrays.capacity == arrays.servers):.0%}",
            *cells,
            *("-" if math.isinf(each) else f"{each:.1f}" for each in shares),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def large(count: int | None) -> str:
    """Return the tables of networks of 10 to 60 services, apart and together."""
    named = _networks(max((count or 60) // 2, 1))
    answers = run_all(judge, [network for _, network in named]).answers
    found = [(group, one) for (group, _), one in zip(named, answers, strict=True) if one]
    every = [one for _, one in found]
    tables = [_table("blocking, 10 to 60 services (against simulation)", every)]
    for group in GROUPS:
        mine = [one for name, one in found if name == group]
        if mine:
            tables.append("#" + _table(f"of these, {group}", mine))
    widths = [np.array([one.truth[k] for one in every]) for k in (1, 2, 3)]
    throughput, blocked, full = [f"{np.median(w):.2%} ({w.max():.2%})" for w in widths]
    known = (
        "Half-widths of the simulation (95 %) at the median network (and the worst): throughput "
        f"{throughput}, relative; blocked servers per server, worst service, {blocked}; completion "
        f"finds its destination full, worst service, {full}. They are part of the errors."
    )
    return "\n".join([*tables, known, "", *_worst(every), ""])


SECTIONS = {"blocking, large": large}
