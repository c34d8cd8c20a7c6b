"""Laws as phase types: what the chain can hold exactly, and the two-moment fit where asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flownet.kernels.compiled import (
    DELAY,
    DETERMINISTIC,
    EMPIRICAL,
    ERLANG,
    EXPONENTIAL,
    GAMMA,
    HYPEREXPONENTIAL,
    LOGNORMAL,
    MIXED_ERLANG,
    PHASE_TYPE,
    PREEMPTIVE,
    PROCESSOR_SHARING,
    TRIANGULAR,
    UNIFORM,
    WEIBULL,
    CompiledNetwork,
    Floats,
)
from flownet.kernels.exact_tables import WIDEST
from flownet.kernels.two_moments import two_moments

MOST_PHASES = 100
"""The most phases that a two-moment fit may take: an scv of 0.01."""

FAMILY_NAMES = {
    DETERMINISTIC: "constant",
    GAMMA: "gamma",
    LOGNORMAL: "lognormal",
    WEIBULL: "Weibull",
    UNIFORM: "uniform",
    TRIANGULAR: "triangular",
    EMPIRICAL: "empirical",
}


class PhaseType(NamedTuple):
    """The time until a chain of m phases ends."""

    start: Floats
    """(m,) probability of each first phase."""
    end: Floats
    """(m,) rate of ending in each phase."""
    change: Floats
    """(m, m) rates between phases, 0 on the diagonal."""


def _exponential(mean: float) -> PhaseType:
    return PhaseType(np.ones(1), np.full(1, 1.0 / mean), np.zeros((1, 1)))


def _series(start: Sequence[float], rate: float) -> PhaseType:
    """Phases one behind the other, each at the same rate."""
    phases = len(start)
    end = np.zeros(phases)
    end[-1] = rate
    return PhaseType(np.array(start), end, np.diag(np.full(phases - 1, rate), 1))


def _mixed_erlang(p: float, phases: int, rate: float) -> PhaseType:
    """K - 1 phases with probability p, k with 1 - p."""
    start = [1.0 - p, p] + [0.0] * (phases - 2) if phases > 1 else [1.0]
    return _series(start, rate)


def _hyperexponential(p: float, mean_1: float, mean_2: float) -> PhaseType:
    return PhaseType(
        np.array([p, 1.0 - p]), np.array([1.0 / mean_1, 1.0 / mean_2]), np.zeros((2, 2))
    )


def fit_two_moments(mean: float, scv: float) -> PhaseType:
    """Return the phase type of `two_moments`.

    Parameters
    ----------
    mean : float
        Mean, in T, above 0.
    scv : float
        Squared coefficient of variation, at least ``1 / MOST_PHASES``.

    Examples
    --------
    >>> fit_two_moments(2.0, 0.5).end.tolist()
    [0.0, 1.0]
    """
    family, parameters = two_moments(mean, scv)
    a, b, c = (*parameters, 0.0, 0.0)[:3]
    if family == EXPONENTIAL:
        return _exponential(a)
    return _mixed_erlang(a, int(b), c) if family == MIXED_ERLANG else _hyperexponential(a, b, c)


def service_law(compiled: CompiledNetwork, service: int, job_class: int) -> PhaseType:
    """Return the law of a service time; families without phases by their first two moments."""
    family = int(compiled.service_family[service, job_class])
    a, b, c = (float(value) for value in compiled.service_parameters[service, job_class])
    if family == EXPONENTIAL:
        return _exponential(a)
    if family == ERLANG:
        return _series([1.0] + [0.0] * (int(a) - 1), a / b)
    if family == HYPEREXPONENTIAL:
        return _hyperexponential(a, b, c)
    if family == MIXED_ERLANG:
        return _mixed_erlang(a, int(b), c)
    if family == PHASE_TYPE:
        offset, order = int(a), int(b)
        start = np.array(compiled.samples[offset : offset + order])
        block = compiled.samples[offset + order : offset + order + order * order]
        generator = np.array(block).reshape(order, order)
        change = generator - np.diag(np.diag(generator))
        end = np.maximum(-generator.sum(axis=1), 0.0)
        return PhaseType(start / start.sum(), end, change)
    mean = float(compiled.service_time[service, job_class])
    return fit_two_moments(mean, float(compiled.service_scv[service, job_class]))


def reasons_against(
    compiled: CompiledNetwork,
    active: Sequence[int],
    *,
    fit: bool,
    services: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Return why no chain holds the network exactly; empty where one does.

    Parameters
    ----------
    compiled : CompiledNetwork
    active : sequence of int
        The pairs (service, class) that jobs can reach.
    fit : bool
        Whether other laws may be replaced by phase types with the same mean and scv.
    services, classes : sequence of str, optional
        Names for the messages; default their numbers.
    """
    n, width = compiled.service_time.shape
    names = services if services is not None else [str(i) for i in range(n)]
    labels = classes if classes is not None else [str(k) for k in range(width)]
    found: list[str] = []
    for i in sorted({pair // width for pair in active}):
        found += _reasons_at_service(compiled, i, f"service '{names[i]}'")
        if compiled.discipline[i] == PREEMPTIVE:
            present = [pair % width for pair in active if pair // width == i]
            found += _reasons_to_interrupt(compiled, i, present, f"service '{names[i]}'")
    for pair in active:
        i, k = divmod(pair, width)
        where = f"service '{names[i]}', class '{labels[k]}'"
        found += _reasons_at_pair(compiled, i, k, where, fit=fit)
    return tuple(found)


def _reasons_at_service(compiled: CompiledNetwork, i: int, where: str) -> list[str]:
    servers, places = float(compiled.servers[i]), float(compiled.capacity[i])
    found = []
    shared = compiled.discipline[i] in (DELAY, PROCESSOR_SHARING)
    if not shared and math.isfinite(servers) and servers % 1 != 0:
        found.append(f"{where}: a chain counts whole servers, servers = {servers:g}")
    if math.isfinite(places) and places % 1 != 0:
        found.append(f"{where}: a chain counts whole places, capacity = {places:g}")
    if math.isfinite(places) and places > WIDEST:
        found.append(f"{where}: a chain counts up to {WIDEST} at a place, capacity = {places:g}")
    return found


def _reasons_to_interrupt(
    compiled: CompiledNetwork, i: int, present: Sequence[int], where: str
) -> list[str]:
    """Return why no chain holds a service at which jobs are interrupted."""
    found = []
    ranks = compiled.priority[i, present]
    if np.unique(ranks).size < ranks.size:
        found.append(f"{where}: where jobs are interrupted, a chain needs a rank for each class")
    if np.isfinite(compiled.patience[i, present]).any():
        found.append(f"{where}: where jobs are interrupted, a chain has no patience")
    known = [k for k in present if int(compiled.service_family[i, k]) not in FAMILY_NAMES]
    if any(service_law(compiled, i, k).end.size > 1 for k in known) or len(known) < len(present):
        found.append(f"{where}: where jobs are interrupted, a chain needs exponential times")
    return found


def _reasons_at_pair(
    compiled: CompiledNetwork, i: int, k: int, where: str, *, fit: bool
) -> list[str]:
    found = []
    family = int(compiled.service_family[i, k])
    scv = float(compiled.service_scv[i, k])
    if family in FAMILY_NAMES:
        name = FAMILY_NAMES[family]
        if scv * MOST_PHASES < 1.0 - 1e-9:
            found.append(
                f"{where}: a {name} service time with scv {scv:g} needs over {MOST_PHASES} phases"
            )
        elif not fit:
            found.append(f"{where}: a {name} service time is not made of exponential phases")
    if compiled.external_arrival_rate[i, k] > 0.0:
        scv = float(compiled.arrival_scv[i, k])
        if scv * MOST_PHASES < 1.0 - 1e-9:
            found.append(f"{where}: arrivals with arrival_scv {scv:g} need too many phases")
        elif scv != 1.0 and not fit:
            found.append(
                f"{where}: arrivals with arrival_scv {scv:g} are known by two moments only"
            )
    return found
