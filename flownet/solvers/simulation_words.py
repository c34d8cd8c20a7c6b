"""A simulation in words: its three lines, its warnings, its explanation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from flownet.display import figure
from flownet.kernels.compiled import DELAY, WAIT_OUTSIDE, Booleans, Floats
from flownet.kernels.simulation import STOPPED_AT_DEADLOCK, STOPPED_AT_JOBS, SimulationRun
from flownet.kernels.simulation_tallies import Tallies
from flownet.solvers.explain import turned_away
from flownet.solvers.intervals import halfwidth, pieces
from flownet.solvers.profile import calendar_cycle
from flownet.solvers.warmup import jobs_by_batch

if TYPE_CHECKING:
    import pandas as pd

    from flownet.solvers.simulation import Simulation

SURE = 0.98
"""Two-sided: a backlog that grows in both halves by chance does so once in 10,000 times."""
DRIFTS = 0.999

RULES = (
    "Rules: first come, first served to every free server and place, those who are blocked in "
    "other services, in transit and outside in one line; jobs blocked in a circle exchange places "
    "at once. Times in the system (percentiles, targets) run from admission to exit, of jobs that "
    "leave served."
)
CALENDARS = (
    "Calendars: every cycle begins at time 0; arrivals follow their rate exactly, at its changes "
    "too; servers that are taken away finish the job that they hold, shared ones go at once; means "
    "are over the counted time, the profile shows those by time of the cycle."
)
REFERENCE = (
    "Reference: A. M. Law (2015), Simulation Modeling and Analysis, ch. 9; White, Cobb, Spratt "
    "(2000) for MSER-5."
)


def _halves(runs: Sequence[SimulationRun]) -> list[list[SimulationRun]]:
    """Return the first and the second halves of the counted time, each in independent pieces."""
    counted = [run for run in runs if run.tallies.length.size > 0]
    found: list[list[SimulationRun]] = []
    for second in (False, True):
        parts = []
        for run in counted:
            size = run.tallies.length.size
            cut = size // 2
            first, end = (cut, size) if second else (0, max(cut, 1))
            parts.append(
                run._replace(
                    tallies=Tallies._make(column[first:end] for column in run.tallies),
                    backlog=run.backlog[first : end + 1],
                )
            )
        found.append(pieces(parts))
    return found


def growing(runs: Sequence[SimulationRun]) -> Booleans:
    """Return which services' backlogs grow significantly in both halves of the counted time."""
    answer: Booleans | None = None
    for parts in _halves(runs):
        rates = np.array(
            [
                (part.backlog[-1] - part.backlog[0]).sum(axis=1) / part.tallies.length.sum()
                for part in parts
            ]
        )
        grows = rates.mean(axis=0) > np.nan_to_num(halfwidth(rates, SURE))
        answer = grows if answer is None else answer & grows
    return np.zeros(0, np.bool_) if answer is None else answer


def drift(runs: Sequence[SimulationRun]) -> float:
    """Return the relative change of the number of jobs between the halves; 0 if insignificant."""
    first, second = (
        np.array([float(np.mean(jobs_by_batch(part))) for part in parts]) for parts in _halves(runs)
    )
    if first.size != second.size or first.size < 3 or first.mean() == 0.0:
        return 0.0
    change: Floats = second - first
    if abs(change.mean()) <= float(halfwidth(change, DRIFTS)):
        return 0.0
    return float(change.mean() / first.mean())


def _settling(simulation: Simulation) -> list[tuple[str, float, float]]:
    """Return label, occupancy and relaxation time of the services whose queue is unlimited.

    That of M/M/1 with as fast a server, 1 / (sqrt(mu) - sqrt(lambda))^2 (Cohen 1982, II.2.1): a
    guide, long enough for stays that vary no more than exponential ones.
    """
    arrays, table = simulation.compilation.arrays, simulation.services
    found = []
    for i, service in enumerate(table.index):
        unlimited = not np.isfinite(arrays.capacity[i]) or (
            arrays.external_when_full[i] == WAIT_OUTSIDE
            and arrays.external_arrival_rate[i].sum() > 0
        )
        held = float(table.iloc[i]["occupancy"])
        served = float(table.iloc[i]["throughput"])
        if not unlimited or arrays.discipline[i] == DELAY or not 0.0 < held < 1.0 or served == 0:
            continue
        settle = held / served / (1.0 - held**0.5) ** 2
        found.append((simulation.network.label(service), held, settle))
    return found


def warnings_of(simulation: Simulation) -> tuple[str, ...]:
    """Return what a reader of the numbers has to know, most serious first."""
    return (
        *_unfinished(simulation),
        *_overload(simulation),
        *_broken_cycles(simulation),
        *_untrusted(simulation),
        *_deadlocks(simulation),
        *turned_away(simulation.system, simulation.network.time_unit),
        *(str(fault) for fault in simulation.network.warnings),
    )


def _unfinished(simulation: Simulation) -> list[str]:
    design, lines = simulation.design, []
    made = len(simulation.replications)
    if simulation.interrupted:
        lines.append(
            f"interrupted: {made} of {design.replications} replications were finished; the figures "
            "are theirs"
        )
    if simulation.stopped:
        times = _ends(simulation, STOPPED_AT_JOBS)
        lines.append(
            f"{simulation.stopped} of {made} replications were stopped because more than "
            f"{design.max_jobs:,} jobs were in the network or outside, the first at "
            f"{figure(min(times))} {simulation.network.time_unit}s"
        )
    if simulation.deadlocked:
        times = _ends(simulation, STOPPED_AT_DEADLOCK)
        lines.append(
            f"{simulation.deadlocked} of {made} replications ended in a deadlock (services blocked "
            f"for each other in a circle), the first at {figure(min(times))} "
            f"{simulation.network.time_unit}s; the figures are those of the time before"
        )
    if simulation.imprecision > 1.0:
        share = simulation.imprecision * design.precision
        lines.append(
            f"the precision asked for was not met: the half-width of {design.precise} is "
            f"{share:.2%} of it after {made} replications, not {design.precision:.2%}"
        )
    return lines


def _ends(simulation: Simulation, status: int) -> list[float]:
    """Return when the replications of a status were stopped."""
    return [r.run.stopped_at for r in simulation.replications if r.run.status == status]


def _overload(simulation: Simulation) -> list[str]:
    unit = simulation.network.time_unit
    growths = simulation.services["growth_rate"].to_dict()
    widths = simulation.services["growth_rate_halfwidth"].to_dict()
    lines = []
    for service in simulation.overloaded:
        growth, width = float(growths[service]), float(widths[service])
        lines.append(
            f"'{simulation.network.label(service)}' is overloaded: its backlog grows by "
            f"{figure(growth)} ± {figure(width, 2)} jobs per {unit} to the end; its queue and "
            "waits depend on the horizon and are no steady state"
        )
    return lines


def _broken_cycles(simulation: Simulation) -> list[str]:
    """Warn where the counted time is not made of whole cycles of the calendars."""
    cycle, unit = calendar_cycle(simulation.compilation), simulation.network.time_unit
    design = simulation.design
    counted = design.horizon - design.warmup
    if simulation.compilation.calendars is None:
        return []
    if not cycle > 0.0:
        return ["the calendars have no short cycle in common: means depend on the counted time"]
    rounds = counted / cycle
    if abs(rounds - round(rounds)) <= 1e-6 * rounds and rounds > 0.5:
        return []
    return [
        f"the counted time is {figure(rounds)} cycles of the calendars, not a whole number: some "
        f"times of the cycle count more than others; give a horizon of the warm-up and a multiple "
        f"of {figure(cycle)} {unit}s"
    ]


def _untrusted(simulation: Simulation) -> list[str]:
    """Warn where the warm-up cannot be trusted."""
    design, unit = simulation.design, simulation.network.time_unit
    lines = []
    if design.warmup_rule.endswith("not settled"):
        lines.append(
            f"the warm-up cannot be trusted: MSER-5 found no steady state within the first half of "
            f"{figure(design.horizon)} {unit}s; {figure(design.warmup)} are left out"
        )
    for label, held, settle in _settling(simulation):
        if settle > design.warmup and settle > 0.01 * (design.horizon - design.warmup):
            lines.append(
                f"the warm-up cannot be trusted at '{label}' (occupancy {held:.1%}): its queue "
                f"settles over about {figure(settle)} {unit}s, the warm-up is "
                f"{figure(design.warmup)} of {figure(design.horizon)}"
            )
    change = drift([replication.run for replication in simulation.replications])
    if change != 0.0 and not simulation.overloaded:
        lines.append(
            f"no steady state yet: the number of jobs differs by {change:+.1%} between the two "
            "halves of the counted time; give a longer warm-up and horizon"
        )
    return lines


def _deadlocks(simulation: Simulation) -> list[str]:
    if simulation.deadlocks == 0 or simulation.deadlocked:
        return []
    number = simulation.deadlocks
    text = "deadlocks (services blocked for each other in a circle) were resolved by an exchange"
    return [f"{number} {text} of places"]


def summary(simulation: Simulation) -> str:
    """Return three lines: the headline, the standing, one warning."""
    design, system, unit = simulation.design, simulation.system, simulation.network.time_unit
    if simulation.overloaded:
        names = ", ".join(simulation.network.label(service) for service in simulation.overloaded)
        rest = f"overloaded at {names}; the backlog grows by {_both(system, 'growth_rate')} jobs"
        rest += f" per {unit}"
    else:
        rest = (
            f"{_both(system, 'throughput')} jobs per {unit} served, {_both(system, 'delay')} "
            "delayed at any time"
        )
    made = len(simulation.replications)
    of = f" of {design.replications}" if simulation.interrupted else ""
    plural = "" if design.replications == 1 else "s"
    warnings = simulation.warnings
    more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
    head = f"Simulation of '{simulation.network.name}': {rest}"
    standing = (
        f"  {made}{of} replication{plural} to {figure(design.horizon)} {unit}s, warm-up "
        f"{figure(design.warmup)} ({design.warmup_rule}), {design.confidence:.0%} intervals, "
        f"seed {design.seed}"
    )
    last = f"  warning: {warnings[0]}{more}" if warnings else "  no warnings"
    return f"{head}\n{standing}\n{last}"


def _both(system: pd.Series[float], key: str) -> str:
    return f"{figure(float(system[key]))} ± {figure(float(system[f'{key}_halfwidth']), 2)}"


def explain(simulation: Simulation) -> str:
    """Return in plain words how the numbers were made, and what to be wary of."""
    design, unit = simulation.design, simulation.network.time_unit
    visits = sum(replication.run.visits for replication in simulation.replications)
    if len(simulation.replications) > 1:
        source = (
            f"Intervals: Student's t at {design.confidence:.0%} over {len(simulation.pieces)} "
            "independent replications; for ratios (times, probabilities) over their jackknife "
            "pseudo-values."
        )
    else:
        source = (
            f"Intervals: Student's t at {design.confidence:.0%} over {len(simulation.pieces)} "
            "batches of the one replication, which follow each other and are only nearly "
            "independent; none for percentiles."
        )
    rule = {
        "given": "as given",
        "MSER-5": "found by MSER-5 in pilot runs on the number of jobs in the network",
    }.get(design.warmup_rule, "half the horizon or none: MSER-5 found no steady state")
    method = (
        f"Method: event-driven simulation from empty, {len(simulation.replications)} replications "
        f"with {visits:,} visits to services in all; seed {design.seed}."
    )
    lines = [
        summary(simulation).splitlines()[0],
        method,
        f"Warm-up: {figure(design.warmup)} {unit}s, {rule}.",
        source,
        RULES,
        *([CALENDARS] if simulation.compilation.calendars is not None else []),
        REFERENCE,
    ]
    if simulation.warnings:
        lines.append("Warnings:")
        lines += [f"  - {text}" for text in simulation.warnings]
    return "\n".join(lines)
