"""How far a method is from the truth on one network and on a family, and who tells the truth."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from flownet.errors import FlownetError, MethodError
from flownet.kernels.compiled import CompiledNetwork, Measures
from flownet.kernels.exact import solve_exact
from flownet.kernels.simulation import measures as measured
from flownet.kernels.simulation import simulate_once
from flownet.network.compile import compile_network
from flownet.network.model import Network
from flownet.solvers.register import METHODS

MOST_STATES = 20_000
VISITS = 2_000_000.0
MOST_JOBS = 20_000


class Errors(NamedTuple):
    """How far a method is from the truth on one network."""

    throughput: float
    """Relative."""
    number: float
    """Total number present and outside, relative."""
    blocked: float
    """Worst service: blocked servers per server, absolute."""
    meets_full: float
    """Worst service: probability that a completion finds its destination full, absolute."""


def _leaving(found: Measures) -> float:
    admitted = found.arrival_rate - found.loss_rate - found.overflow_rate
    return float(admitted.sum())


def number_of(found: Measures) -> float:
    """Return the mean number of jobs in the system, those outside included."""
    inside = found.number_waiting + found.number_in_service + found.number_blocked
    return float((inside + found.number_outside).sum())


def errors_of(
    arrays: CompiledNetwork, method: str, truth: Measures, **options: Any
) -> Errors | None:
    """Return a method's errors, None where it gives none.

    It does not apply, does not converge, or calls the network overloaded.
    """
    try:
        found = METHODS[method].solve(arrays, **options)
    except MethodError:
        return None
    if found.status != 0 or found.growth_rate.any():
        return None
    if "mode" in options and METHODS[method].variants[found.variant] != options["mode"]:
        return None
    return errors_between(arrays, found, truth)


def errors_between(arrays: CompiledNetwork, found: Measures, truth: Measures) -> Errors:
    """Return the errors of measures that were found."""
    servers = np.where(np.isfinite(arrays.servers), arrays.servers, 1.0)
    blocked = (found.number_blocked - truth.number_blocked).sum(axis=1) / servers
    full = found.blocking_probability - np.nan_to_num(truth.blocking_probability)
    return Errors(
        _leaving(found) / _leaving(truth) - 1,
        number_of(found) / number_of(truth) - 1,
        float(np.abs(blocked).max()),
        float(np.abs(full).max()),
    )


def network_of(services: list[dict[str, Any]], routes: list[dict[str, Any]]) -> Network:
    """Return a network in hours."""
    document = {"network": {"time_unit": "hour"}, "services": services, "routes": routes}
    return Network.from_dict(document)


def compiled(services: list[dict[str, Any]], routes: list[dict[str, Any]]) -> CompiledNetwork:
    """Return the arrays of a network in hours."""
    return compile_network(network_of(services, routes)).arrays


def by_chain(
    arrays: CompiledNetwork, max_states: int = MOST_STATES, beyond: float = 1e-8
) -> Measures | None:
    """Return the exact steady state; None where there are too many states."""
    try:
        result = solve_exact(arrays, max_states=max_states, truncation_mass=beyond)
    except FlownetError:
        return None
    return None if result.measures.growth_rate.any() else result.measures


def by_simulation(arrays: CompiledNetwork, visits: float = VISITS) -> Measures | None:
    """Return a long simulation's averages; None where the backlog outgrows any steady state."""
    horizon = visits / float(arrays.external_arrival_rate.sum())
    run = simulate_once(arrays, horizon=horizon, warmup=horizon / 20, seed=7, max_jobs=MOST_JOBS)
    return measured(run) if run.status == 0 else None
