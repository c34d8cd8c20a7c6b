"""Errors of the distribution of the time in the system, against simulation and exact chains."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.accuracy_blocking import blocking_networks
from benchmarks.accuracy_open import compiled_from, with_feedback
from flownet.errors import FlownetError
from flownet.kernels.blocking_full import COMPRESSED, FULL, MODES
from flownet.kernels.compiled import CompiledNetwork
from flownet.kernels.exact_followed import time_in_system
from flownet.kernels.journey import make_chain, moments, served_within, starting_weights
from flownet.kernels.journey_quantiles import served_quantiles
from flownet.kernels.simulation import simulate_once
from flownet.kernels.simulation_tallies import quantile
from flownet.solvers.register import METHODS

SHARES = np.array([0.25, 0.5, 0.75, 0.9, 0.95])
MOST_STATES = 40_000


class Errors(NamedTuple):
    """Of one network, over its classes."""

    share: float
    """P(T <= t), worst of the five true percentiles t, absolute."""
    percentile: float
    """95th percentile, relative, worst class."""
    mean: float
    """Mean, relative, worst class."""


class Analysis:
    """The times of one network by an approximate method."""

    def __init__(
        self,
        arrays: CompiledNetwork,
        method: str,
        *,
        outside: bool = False,
        mode: str | None = None,
    ) -> None:
        options = {} if mode is None else {"mode": mode}
        self.measures = METHODS[method].solve(arrays, **options)
        self.usable = self.measures.status == 0 and not self.measures.growth_rate.any()
        self.usable &= mode is None or MODES[self.measures.variant] == mode
        if self.usable:
            chain = make_chain(arrays, self.measures)
            weights = starting_weights(chain, arrays, self.measures)
            weights = weights[weights.sum(axis=1) > 0.0]
            self.within = partial(served_within, chain, weights, outside=outside)
            self.percentiles = partial(served_quantiles, chain, weights, outside=outside)
            self.mean = moments(chain, weights, outside=outside).mean


def by_simulation(arrays: CompiledNetwork, method: str, visits: float) -> Errors | None:
    """Return the errors from admission to exit; None where there is no steady state."""
    found = Analysis(arrays, method)
    if not found.usable:
        return None
    horizon = visits / float(found.measures.arrival_rate.sum())
    run = simulate_once(arrays, horizon=horizon, warmup=horizon / 20, seed=7, max_jobs=20_000)
    if run.status != 0:
        return None
    entering = np.flatnonzero(arrays.external_arrival_rate.sum(axis=0) > 0.0)
    worst = np.zeros(3)
    for row, k in enumerate(entering.tolist()):
        times = np.array([quantile(run.sketch[k], share) for share in SHARES])
        mean = run.tallies.system_time[:, k].sum() / run.tallies.left[:, k].sum()
        last = found.percentiles(SHARES[-1:])[row, 0]
        gaps = (
            np.abs(found.within(times)[row] - SHARES).max(),
            abs(last / times[-1] - 1.0),
            abs(found.mean[row] / mean - 1.0),
        )
        worst = np.maximum(worst, gaps)
    return Errors(*worst.tolist())


def by_chain(arrays: CompiledNetwork, mode: str | None = None) -> Errors | None:
    """Return the errors from asking to exit, against a job followed through the exact chain."""
    found = Analysis(arrays, "blocking", outside=True, mode=mode)
    if not found.usable:
        return None
    middle = float(found.mean[0])
    grid = middle * np.linspace(0.02, 8.0, 160)
    try:
        exact = time_in_system(
            arrays, 0, 0, at=grid.tolist(), max_states=MOST_STATES, truncation_mass=1e-6
        )
    except FlownetError:
        return None
    true = exact.left / exact.served
    times = np.interp(SHARES, true, grid)
    gap = np.abs(found.within(times)[0] - SHARES).max()
    last = found.percentiles(SHARES[-1:])[0, 0]
    return Errors(float(gap), abs(float(last) / times[-1] - 1.0), abs(middle / exact.mean - 1.0))


def exponential(arrays: CompiledNetwork) -> CompiledNetwork:
    """Return the network with exponential times, one mean a service, and Poisson arrivals."""
    time = np.broadcast_to(
        arrays.service_time.mean(axis=1, keepdims=True), arrays.service_time.shape
    )
    parameters = np.zeros_like(arrays.service_parameters)
    parameters[..., 0] = time
    ones = np.ones_like(time)
    servers = np.ceil(arrays.servers * (time / arrays.service_time).max(axis=1))
    return arrays._replace(
        service_time=np.ascontiguousarray(time),
        service_scv=ones,
        arrival_scv=ones,
        service_family=np.zeros(time.shape, dtype=np.int64),
        service_parameters=parameters,
        servers=servers,
    )


def open_networks(count: int, *, of_product_form: bool) -> Iterator[CompiledNetwork]:
    """Yield random networks of five services with feedback, one or two classes in turn."""
    rng = np.random.default_rng(2026)
    for case in range(count):
        arrays = compiled_from(with_feedback(rng, ("a",) if case % 2 else ("a", "b")))
        yield exponential(arrays) if of_product_form else arrays


def _table(title: str, errors: list[Errors], passed_over: int) -> str:
    columns = np.array(errors)
    names = (
        "P(T <= t) at the 25th to 95th percentile, worst, absolute",
        "95th percentile, relative",
        "mean, relative",
    )
    lines = [f"## {title}", "", "| error | median | 95th percentile | worst |"]
    lines.append("| --- | --- | --- | --- |")
    for name, column in zip(names, columns.T, strict=True):
        middle, high, most = np.median(column), np.quantile(column, 0.95), column.max()
        lines.append(f"| {name} | {middle:.2%} | {high:.2%} | {most:.2%} |")
    note = f"{len(errors)} networks; {passed_over} more were passed over"
    lines += ["", f"{note} (no steady state, or more than {MOST_STATES} states).", ""]
    return "\n".join(lines)


def _against_simulation(
    title: str, networks: Iterator[CompiledNetwork], method: str, visits: float
) -> str:
    found = [by_simulation(arrays, method, visits) for arrays in networks]
    known = [errors for errors in found if errors is not None]
    return _table(title, known, len(found) - len(known))


def of_product_form(count: int | None) -> str:
    """Return the table of random networks of product form."""
    title = "time in the system, product form with feedback (against simulation)"
    networks = open_networks(count or 40, of_product_form=True)
    return _against_simulation(title, networks, "product_form", 4e6)


def by_decomposition(count: int | None) -> str:
    """Return the table of random networks of general service with feedback."""
    title = (
        "time in the system, general service and arrivals, feedback, 1 to 4 servers (against "
        "simulation)"
    )
    networks = open_networks(count or 40, of_product_form=False)
    return _against_simulation(title, networks, "decomposition", 4e6)


def with_blocking(count: int | None) -> str:
    """Return the table of small networks with blocking, the time outside counted."""
    title = "time in the system with blocking, from asking to exit (against the exact chain)"
    half = (count or 60) // 2
    networks = [
        *blocking_networks("lost", half, 21, (1, 3)),
        *blocking_networks("wait_outside", half, 22, (1, 3)),
    ]
    tables = []
    for mode in (FULL, COMPRESSED):
        found = [by_chain(arrays, mode) for arrays in networks]
        known = [errors for errors in found if errors is not None]
        tables.append(_table(f"{title}, {mode}", known, len(found) - len(known)))
    return "\n#".join(tables)


def with_blocking_and_many_servers(count: int | None) -> str:
    """Return the table of blocking networks with many servers, from admission on."""
    title = "time in the system with blocking, 10 to 40 servers a service (against simulation)"
    networks = blocking_networks("wait_outside", count or 40, 23, (10, 40))
    return _against_simulation(title, networks, "blocking", 2e6)


SECTIONS = {
    "times of product form": of_product_form,
    "times by decomposition": by_decomposition,
    "times with blocking": with_blocking,
    "times with blocking and many servers": with_blocking_and_many_servers,
}
