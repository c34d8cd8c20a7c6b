"""The blocking method asked what one more server does, and on the networks that others published.

The truth is the exact chain of the whole network where that has few states, else a simulation or
the published figure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import flownet as fn
from benchmarks.accuracy_blocking import FEATURES, blocking_networks
from benchmarks.comparison import by_chain, compiled
from flownet.kernels.blocking_full import COMPRESSED, FULL, MODES, solve_blocking
from flownet.kernels.compiled import CompiledNetwork, Measures
from flownet.kernels.simulation import measures, simulate_once
from flownet.network.compile import compile_network

MATTERS = 0.005
"""Relative change of what is admitted from which its direction has to be right."""
VISITS = 2e7


def admitted(found: Measures) -> float:
    """Return the jobs per T that find a place, all services."""
    return float((found.arrival_rate - found.loss_rate - found.overflow_rate).sum())


def more(arrays: CompiledNetwork, service: int) -> CompiledNetwork:
    """Return the network with one more server at a service, and its place."""
    step = np.eye(arrays.servers.size)[service]
    return arrays._replace(servers=arrays.servers + step, capacity=arrays.capacity + step)


class Step(NamedTuple):
    """Relative changes of what is admitted by one more server; nan where a mode gives none."""

    truth: float
    full: float
    compressed: float


def change(before: Measures, after: Measures) -> float:
    """Return the relative change of what is admitted; nan where a mode failed."""
    if before.status or after.status or before.variant != after.variant:
        return np.nan
    return admitted(after) / admitted(before) - 1.0


def steps_of(arrays: CompiledNetwork) -> list[Step]:
    """Return what one more server does at each service in turn."""
    truth = by_chain(arrays)
    if truth is None:
        return []
    found = {mode: solve_blocking(arrays, mode=mode) for mode in MODES}
    rows = []
    for service in np.flatnonzero(np.isfinite(arrays.servers)).tolist():
        wider = more(arrays, service)
        exact = by_chain(wider)
        if exact is None:
            continue
        by_mode = {mode: change(found[mode], solve_blocking(wider, mode=mode)) for mode in MODES}
        if MODES[found[FULL].variant] != FULL:
            by_mode[FULL] = np.nan
        rows.append(Step(change(truth, exact), by_mode[FULL], by_mode[COMPRESSED]))
    return rows


def one_more_server(count: int | None) -> str:
    """Return the table of what one more server does, by its true effect."""
    networks = [
        *blocking_networks("lost", (count or 60) // 2, 41, (1, 3)),
        *blocking_networks("lost", (count or 60) // 2, 42, (1, 3), features=FEATURES),
    ]
    steps = np.array([step for arrays in networks for step in steps_of(arrays)])
    matters = steps[np.abs(steps[:, 0]) > MATTERS]
    worse = matters[matters[:, 0] < 0]
    lines = [
        "## blocking, one more server anywhere (exact, to 20000 states)",
        "",
        "| admitted jobs change by more than 0.5% | steps | sign right, full "
        "| sign right, compressed | error of the change, full | compressed |",
        "| --- | --- | --- | --- | --- | --- |",
        _row("up or down", matters),
        _row("down", worse),
        "",
        f"{len(steps)} steps in {len(networks)} networks (one service each with one server and one "
        "place more); errors are medians and 95th percentiles, in points.",
        "",
    ]
    return "\n".join(lines)


def _row(name: str, steps: np.ndarray) -> str:
    cells = [name, str(len(steps))]
    errors = []
    for column in (1, 2):
        known = steps[~np.isnan(steps[:, column])]
        right = int((np.sign(known[:, column]) == np.sign(known[:, 0])).sum())
        cells.append(f"{right} of {len(known)}")
        gaps = np.abs(known[:, column] - known[:, 0])
        errors.append(
            f"{np.median(gaps):.2%} / {np.quantile(gaps, 0.95):.2%}" if len(known) else "-"
        )
    return f"| {' | '.join([*cells, *errors])} |"


def tandem(rate: float) -> CompiledNetwork:
    """Return two services in a row, two servers each, two places to wait before the first."""
    services = [
        {"name": "first", "servers": 2, "service_time": 1.0, "waiting_room": 2,
         "external_arrival_rate": rate},
        {"name": "second", "servers": 2, "service_time": 5.0, "waiting_room": 0},
    ]  # fmt: skip
    routes = [{"from": "first", "to": "second", "routing_probability": 0.5}]
    return compiled(services, routes)


PUBLISHED: dict[str, Callable[[], CompiledNetwork]] = {
    "tandem with finite room, 1 a day (Knight 2014)": lambda: tandem(1.0),
    "tandem with finite room, 5 a day (Knight 2014)": lambda: tandem(5.0),
    "obstetrics (PathSimR)": lambda: compile_network(fn.example("obstetrics")).arrays,
    "urgent care (flownet)": lambda: compile_network(fn.example("urgent_care")).arrays,
}
SELDOM = 0.05
"""Mean number of servers blocked below which its relative error says nothing."""


def published(_count: int | None) -> str:
    """Return the table of the networks that others published, and of a packaged one."""
    lines = [
        "## blocking, published networks (exact, or 2e+07 simulated visits)",
        "",
        "| network | mode | servers held, worst service, relative | servers blocked, worst "
        "service, relative | leave served, relative |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, build in PUBLISHED.items():
        arrays = build()
        found, truth = solve_blocking(arrays), by_chain(arrays) or _simulated(arrays)
        lines.append(f"| {name} | {MODES[found.variant]} | {_compared(found, truth)} |")
    lines += ["", f"Blocked servers count where {SELDOM:g} are blocked at least.", ""]
    return "\n".join(lines)


def _simulated(arrays: CompiledNetwork) -> Measures:
    horizon = VISITS / float(arrays.external_arrival_rate.sum()) / arrays.servers.size
    return measures(simulate_once(arrays, horizon=horizon, warmup=horizon / 20, seed=7))


def _compared(found: Measures, truth: Measures) -> str:
    if found.status:
        return "no answer | no answer | no answer"
    blocked, real = found.number_blocked.sum(axis=1), truth.number_blocked.sum(axis=1)
    held = found.number_in_service.sum(axis=1) + blocked
    true_held = truth.number_in_service.sum(axis=1) + real
    often = real >= SELDOM
    gaps = (
        np.abs(held / true_held - 1.0).max(),
        np.abs(blocked[often] / real[often] - 1.0).max(initial=0.0),
        abs(admitted(found) / admitted(truth) - 1.0),
    )
    return " | ".join(f"{gap:.2%}" for gap in gaps)


SECTIONS = {"blocking, one more server": one_more_server, "blocking, published": published}
