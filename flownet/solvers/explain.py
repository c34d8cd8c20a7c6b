"""A solution in words: its three lines, its warnings, its explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from flownet.display import figure
from flownet.kernels.traffic_solvers import route_sources
from flownet.solvers.calendars import calendar_strains
from flownet.solvers.explain_blocking import (
    blocked_in_spells,
    fast_before_slow,
    held_up_from_afar,
    lines_in_compressed,
    lines_in_parts,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from flownet.kernels.compiled import CompiledNetwork, Integers
    from flownet.solvers.solution import Solution

DISAGREEMENT = 0.25
LEAST_WAITING = 0.01
"""Fewer jobs waiting, on average, are not worth a warning."""
NEAR_CRITICAL = 0.95
"""Load from which a steady state is far away in time (a convention; Whitt 1989 gives the rate)."""

ROUNDS = 3.0
"""Mean visits of the services that jobs go round, beyond which the decomposition is not measured:
up to there it errs by 13 % at worst in 240 random networks (as in docs/accuracy.md, feedback), with
12 visits by 24 % in one."""
NEAR_FULL = 0.9
"""Share of time without a free place from which a queue outside is told with a warning: there an
error of 1 % in what can enter is one of 9 % and more in the queue."""


def summary(solution: Solution) -> str:
    """Return three lines: the headline, the standing, one warning."""
    network = solution.network
    name = f"Solution of '{network.name}'"
    if not solution.converged:
        return "\n".join([
            f"{name}: not converged",
            f"  method {solution.method}, residual {solution.residual:.2g} after "
            f"{solution.measures.iterations} iterations",
            "  warning: its numbers cannot be read",
        ])  # fmt: skip
    unit = network.time_unit
    system = solution.system
    if solution.overloaded:
        names = ", ".join(network.label(service) for service in solution.overloaded)
        head = (
            f"{name}: overloaded at {names}; the backlog grows by "
            f"{figure(float(system['growth_rate']))} jobs per {unit}"
        )
    else:
        head = (
            f"{name}: {figure(float(system['throughput']))} jobs per {unit} served, "
            f"{figure(float(system['delay']))} delayed at any time"
        )
    kind = "exact" if solution.exact else "approximate"
    standing = f"  method {solution.method} ({kind}), residual {solution.residual:.2g}"
    warnings = solution.warnings
    more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
    last = f"  warning: {warnings[0]}{more}" if warnings else "  no warnings"
    return f"{head}\n{standing}\n{last}"


def warnings_of(solution: Solution) -> tuple[str, ...]:
    """Return what a reader of the numbers has to know, most serious first."""
    return (
        *_overload(solution),
        *calendar_strains(solution.compilation),
        *_not_poisson(solution),
        *_near_critical(solution),
        *_near_full(solution),
        *held_up_from_afar(solution),
        *blocked_in_spells(solution),
        *_returning(solution),
        *_going_round(solution),
        *lines_in_parts(solution),
        *lines_in_compressed(solution),
        *fast_before_slow(solution),
        *_disagreement(solution),
        *turned_away(solution.system, solution.network.time_unit),
        *(str(fault) for fault in solution.network.warnings),
    )


def _overload(solution: Solution) -> list[str]:
    network, table = solution.network, solution.services
    lines = []
    for service in solution.overloaded:
        row = table.loc[service]
        own = row["offered_load"] / row["servers"]
        reason = (
            f"its servers are offered {own:.0%} of the work they can do"
            if own >= 1
            else "its servers are held by jobs that cannot move on, so that it takes in less than "
            "what arrives"
        )
        lines.append(
            f"'{network.label(service)}' is overloaded (load ratio {row['load_ratio']:.3g}): "
            f"{reason}; "
            f"its backlog grows by {figure(row['growth_rate'])} jobs per {network.time_unit}, and "
            f"waits have no steady state"
        )
    return lines


def _not_poisson(solution: Solution) -> list[str]:
    """Warn of arrivals whose scv the blocking method does not take in."""
    if solution.method != "blocking":
        return []
    arrays = solution.compilation.arrays
    comes = arrays.external_arrival_rate > 0
    scv = np.where(comes, arrays.arrival_scv, 1.0)
    lines = []
    for position in np.flatnonzero((np.abs(scv - 1.0) > 1e-9).any(axis=1)).tolist():
        own = scv[position]
        most = float(own[np.argmax(np.abs(own - 1.0))])
        way = "more" if most > 1 else "less"
        lines.append(
            f"arrivals at '{solution.network.label(solution.compilation.services[position])}' have "
            f"an scv of {figure(most)} and are taken as Poisson: in truth {way} of them wait or "
            "are turned away there; simulate where that matters"
        )
    return lines


def _near_critical(solution: Solution) -> list[str]:
    """Warn where the steady state takes long to reach, with an estimate of how long."""
    network, table = solution.network, solution.services
    arrays = solution.compilation.arrays
    lines = []
    for position, service in enumerate(table.index):
        row = table.iloc[position]
        held = float(row["occupancy"])
        if (
            row["growth_rate"] > 0
            or not held >= NEAR_CRITICAL
            or np.isfinite(arrays.capacity[position])
        ):
            continue
        if not held < 1:
            continue
        served = float(row["throughput"])
        holding = held * float(row["servers"]) / served
        settle = holding / float(row["servers"]) / (1 - held**0.5) ** 2
        lines.append(
            f"'{network.label(service)}' is near its limit (occupancy {held:.1%}): the steady "
            f"state shown is approached over about {figure(settle)} {network.time_unit}s, and "
            "small errors in the figures given change it much"
        )
    return lines


def _disagreement(solution: Solution) -> list[str]:
    """Say where the two methods of the decomposition differ, the widest first."""
    table = solution.disagreement
    wide = np.abs(np.log(table["ratio"])) > np.log(1.0 + DISAGREEMENT)
    apart = table[wide & (table[["qna", "robust"]].max(axis=1) > LEAST_WAITING)]
    if apart.empty:
        return []
    order = np.argsort(-np.abs(np.log(apart["ratio"].to_numpy())), kind="stable")
    told = [
        f"'{solution.network.label(name)}' ({figure(row['qna'])} and {figure(row['robust'])} "
        "waiting)"
        for name, row in apart.iloc[order[:4]].iterrows()
    ]
    more = f" and {len(apart) - 4} more" if len(apart) > 4 else ""
    return [
        f"the two methods that are blended (QNA and robust queueing) differ by more than "
        f"{DISAGREEMENT:.0%} at {', '.join(told)}{more}: simulate where that matters"
    ]


def _near_full(solution: Solution) -> list[str]:
    """Warn where a queue outside hangs on a small difference, with how much it hangs on it."""
    network, table, measures = solution.network, solution.services, solution.measures
    lines = []
    for position, service in enumerate(table.index):
        full = float(measures.probability_full[position])
        outside = float(table.iloc[position]["number_outside"])
        if solution.exact or not NEAR_FULL <= full < 1 or not 0 < outside < np.inf:
            continue
        lines.append(
            f"'{network.label(service)}' has all its places taken {full:.1%} of the time: the "
            f"{figure(outside)} jobs outside hang on the small difference between what arrives and "
            f"what can enter (1 % less could enter: about {full / (1 - full):.0f} % more outside); "
            "a simulation or the exact chain would confirm them"
        )
    return lines


def _returning(solution: Solution) -> list[str]:
    """Warn of lines outside that jobs join which come back and hold servers meanwhile."""
    exact = solution.options.get("mode") == "full" and len(solution.services) < 3
    if solution.method != "blocking" or exact:
        return []
    network, table, measures = solution.network, solution.services, solution.measures
    outside = table["number_outside"].to_numpy()
    cycles = _cycles(solution)
    lines = []
    for upper, lower in zip(measures.blocked_by_from, measures.blocked_by_to, strict=True):
        if upper != lower and 0 < outside[lower] < np.inf and cycles[upper] == cycles[lower]:
            name = network.label(table.index[lower])
            lines.append(
                f"jobs that come back to '{name}' from '{network.label(table.index[upper])}' hold "
                "servers there while they wait behind those outside: a long line slows what serves "
                "it, and can grow without end where a steady state is shown; simulate it"
            )
    return lines


def _going_round(solution: Solution) -> list[str]:
    """Warn of services that jobs visit again and again, whose waits depend on each other."""
    if solution.method != "decomposition" or not solution.assumptions:
        return []
    arrays, measures, network = solution.compilation.arrays, solution.measures, solution.network
    cycle = _cycles(solution)
    state, origin, goal = _ends(arrays)
    flow = arrays.route_probability * measures.throughput.ravel()[state]
    enters = cycle[origin] != cycle[goal]
    moves = (origin != goal) & ~enters  # a job that comes straight back has its own formula
    entering = np.bincount(cycle, arrays.external_arrival_rate.sum(axis=1))
    entering += np.bincount(cycle[goal[enters]], flow[enters], entering.size)
    moving = np.bincount(cycle[goal[moves]], flow[moves], entering.size)
    visits = np.divide(entering + moving, entering, out=np.ones(entering.size), where=entering > 0)
    visits /= np.bincount(cycle)
    lines = []
    for number in np.flatnonzero(visits > ROUNDS):
        names = [
            f"'{network.label(solution.compilation.services[i])}'"
            for i in np.flatnonzero(cycle == number)
        ]
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        lines.append(
            f"jobs that come to {', '.join(names[:4])}{more} go round them "
            f"{visits[number]:.1f} times on average: their waits depend on each other more than "
            "the method follows, and can be off by a quarter; simulate them"
        )
    return lines


def _cycles(solution: Solution) -> NDArray[np.int32]:
    """Return a number for each service, the same for those that jobs go round."""
    arrays = solution.compilation.arrays
    n, (_, origin, goal) = arrays.servers.size, _ends(arrays)
    routes = csr_array((np.ones(origin.size), (origin, goal)), shape=(n, n))
    routes.sum_duplicates()  # with a route twice, one of each class, scipy 1.13 looks on for ever
    found: NDArray[np.int32] = connected_components(routes, connection="strong")[1]
    return found


def _ends(arrays: CompiledNetwork) -> tuple[Integers, Integers, Integers]:
    """Return of each route the pair of service and class, the service, and the one it leads to."""
    state, classes = route_sources(arrays.route_start), arrays.service_time.shape[1]
    return state, state // classes, arrays.route_to.astype(np.int64) // classes


def turned_away(system: pd.Series[float], unit: str) -> list[str]:
    """Say which jobs are not served, from the totals of a network."""
    kinds = {
        "loss_rate": "are lost at a full service",
        "overflow_rate": "overflow to another service",
        "abandonment_rate": "give up waiting",
    }
    total = float(system["external_arrival_rate"])
    return [
        f"{figure(float(system[key]))} jobs per {unit} {what} ({float(system[key]) / total:.1%} of "
        "the arrivals from outside)"
        for key, what in kinds.items()
        if float(system[key]) > 1e-9 * total
    ]


def explain(solution: Solution) -> str:
    """Return in plain words what was computed, by which formulas, and what to be wary of."""
    from flownet.solvers.register import METHODS

    method = METHODS[solution.method]
    kind = "exact" if solution.exact else "approximate"
    lines = [
        summary(solution).splitlines()[0],
        f"Method: {method.name}, {kind}; {solution.choice}.",
        f"Formulas: {method.formulas}.",
        f"Reference: {method.reference}.",
    ]
    if solution.assumptions:
        lines.append("Assumptions that this network strains:")
        lines += [f"  - {text}" for text in solution.assumptions]
    else:
        lines.append("Assumptions: all that the method needs hold for this network.")
    if solution.warnings:
        lines.append("Warnings:")
        lines += [f"  - {text}" for text in solution.warnings]
    return "\n".join(lines)
