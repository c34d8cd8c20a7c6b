"""`simulate`: independent replications of a network, side by side, into a Simulation."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.execute import Progress, run_all, shown
from flownet.kernels.simulation import STOPPED_AT_DEADLOCK, simulate_once
from flownet.kernels.simulation_profile_setup import Profile
from flownet.network.compile import Compilation, compile_network
from flownet.network.model import Network
from flownet.network.values import nearest
from flownet.solvers.profile import calendar_cycle, profile_of, whole_cycles
from flownet.solvers.simulation import Simulation
from flownet.solvers.simulation_design import Design
from flownet.solvers.simulation_options import check_options, check_precision, check_whole
from flownet.solvers.simulation_record import Replication, record
from flownet.solvers.warmup import FEWEST_CYCLES, INTERVALS, Warmup, warmup_of

PILOTS = 5
"""The most pilot runs from which a warm-up is found."""
BATCHES = 20
"""Batches of the only replication; several replications have two halves each."""


def simulate(
    network: Network,
    *,
    horizon: float,
    warmup: float | None = None,
    replications: int = 10,
    seed: int = 0,
    confidence: float = 0.95,
    targets: Sequence[float] = (),
    max_jobs: int = 1 << 20,
    trace_rows: int = 0,
    cycle: float | None = None,
    step: float | None = None,
    on_deadlock: str = "exchange",
    executor: Executor | None = None,
    progress: Progress | bool | None = False,
) -> Simulation:
    """Simulate `network` from empty, several times independently, and return means and intervals.

    Parameters
    ----------
    network : Network
        What to simulate.
    horizon : float
        T at which each replication ends, warm-up included; above `warmup`.
    warmup : float, optional
        T up to which nothing is counted, at least 0; by default found by MSER-5 in pilot runs.
    replications : int
        Number of independent runs, at least 1. With 1, intervals come from its 20 batches.
    seed : int
        At least 0. The same seed gives the same numbers, on one worker or several. Each service,
        class and purpose (arrivals, service, routing, patience, transfer) has its own stream of
        random numbers, found by the names, so that a network and a changed copy of it meet the
        same arrivals and the same service: see `paired`.
    confidence : float
        Of all intervals, in (0, 1).
    targets : sequence of float
        Times in the system, in T, above 0: the share of jobs within each is shown in `.targets`.
    max_jobs : int
        A run is stopped when more jobs than this are in the network or wait outside.
    trace_rows : int
        The most rows of the trace of each run; 0 for none.
    cycle, step : float, optional
        T: `.profile` shows the numbers present by time of a cycle that begins at time 0, step by
        step, for instance 168 and 1 for the hours of a week. By default the cycle that the
        network's calendars have in common, by the hour; none where it has no calendar, or where
        the horizon has more than a million such steps.
    on_deadlock : {'exchange', 'stop'}
        What happens where jobs of a cycle of services wait for each other: they exchange places
        at once, which is counted, or the run stops there, which is reported.
    executor : concurrent.futures.Executor, optional
        Where the replications run; by default threads of this process, one a core.
    progress : callable or bool, optional
        Called with the number of replications done and of all after each; True shows a bar with
        the time left, None one where somebody can see it.

    Returns
    -------
    Simulation
        After an interruption by the keyboard, of what was finished, and marked so.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range, or every run was stopped within the warm-up.

    Notes
    -----
    What the simulator does with arrivals, blocking, patience and priorities is said at
    `flownet.kernels.simulation.simulate_once`. The pilot runs have seeds of their own.

    References
    ----------
    A. M. Law (2015), Simulation Modeling and Analysis, 5th ed., ch. 9.

    Examples
    --------
    An M/M/1 queue at load 0.5 waits one service time on average:

    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "services": [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 0.5}],
    ... })
    >>> desk = fn.simulate(network, horizon=5000, warmup=100).services.loc["desk"]
    >>> bool(abs(desk["waiting_time"] - 1.0) < 2 * desk["waiting_time_halfwidth"])
    True
    """
    if not isinstance(network, Network):
        message = f"must be a flownet Network, not {type(network).__name__}"
        raise ParameterError([Fault("simulate", "network", "", message)])
    check_options({
        "horizon": horizon, "warmup": warmup, "replications": replications, "seed": seed,
        "confidence": confidence, "targets": targets, "max_jobs": max_jobs,
        "trace_rows": trace_rows, "cycle": cycle, "step": step, "on_deadlock": on_deadlock,
        "executor": executor, "progress": progress,
    })  # fmt: skip
    compilation = compile_network(network).scheduled
    check_whole(compilation)
    profile = profile_of(network, compilation, horizon, cycle, step)
    design = Design(
        horizon=float(horizon),
        warmup=0.0 if warmup is None else float(warmup),
        warmup_rule="given",
        replications=int(replications),
        seed=int(seed),
        confidence=float(confidence),
        targets=tuple(map(float, targets)),
        max_jobs=int(max_jobs),
        trace_rows=int(trace_rows),
        cycle=0.0 if profile is None else profile.steps * profile.width,
        step=0.0 if profile is None else profile.width,
        on_deadlock=on_deadlock,
    )
    if warmup is None:
        found = find_warmup(compilation, design, executor)
        rule = "MSER-5" if found.settled else "MSER-5, not settled"
        start = whole_cycles(compilation, found.time, design.horizon)
        design = dataclasses.replace(design, warmup=start, warmup_rule=rule)
    return _with_runs(network, compilation, design, (), executor, progress=progress)


# ------------------------------------------------------------------------------ replications


class _NamedStreams(np.random.SeedSequence):
    """Words for the streams of every service and class that depend on their names only.

    A service that is added to a network, or moved in it, leaves the streams of the others alone.
    """

    names: tuple[tuple[str, str], ...] = ()

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> Any:
        each = n_words // max(len(self.names), 1)
        parts = []
        for name in self.names:
            digest = hashlib.blake2b("\0".join(name).encode(), digest_size=8).digest()
            key = (*self.spawn_key, *np.frombuffer(digest, "<u4").tolist())
            parts.append(np.random.SeedSequence(self.entropy, spawn_key=key))
        return np.concatenate([part.generate_state(each, dtype) for part in parts])


def _seed(root: np.random.SeedSequence, compilation: Compilation) -> _NamedStreams:
    streams = _NamedStreams(root.entropy, spawn_key=root.spawn_key)
    streams.names = tuple(
        (str(service), name) for service in compilation.services for name in compilation.classes
    )
    return streams


def _replicate(
    root: np.random.SeedSequence, compilation: Compilation, options: dict[str, Any]
) -> Replication:
    """Run once; stands at the top of the module so that a process can find it."""
    run = simulate_once(
        compilation.arrays, compilation.calendars, seed=_seed(root, compilation), **options
    )
    return record(run)


def _options(compilation: Compilation, design: Design) -> dict[str, Any]:
    return {
        "horizon": design.horizon,
        "stop_at_deadlock": design.on_deadlock == "stop",
        "batch_unit": np.nan_to_num(calendar_cycle(compilation)),
        "max_jobs": design.max_jobs,
    }


def _profile(design: Design) -> Profile | None:
    return Profile(round(design.cycle / design.step), design.step) if design.step > 0.0 else None


def find_warmup(
    compilation: Compilation, design: Design, executor: Executor | None = None
) -> Warmup:
    """Return the warm-up that MSER-5 finds in pilot runs with seeds of their own."""
    options = _options(compilation, design) | {"batches": INTERVALS}
    if options["batch_unit"] * FEWEST_CYCLES > design.horizon:
        options["batch_unit"] = 0.0
    task = functools.partial(_replicate, compilation=compilation, options=options)
    roots = np.random.SeedSequence([design.seed, 1]).spawn(min(design.replications, PILOTS))
    outcome = run_all(task, roots, executor)
    if outcome.interrupted:
        raise KeyboardInterrupt
    return warmup_of([pilot.run for pilot in outcome.answers])


def _with_runs(
    network: Network,
    compilation: Compilation,
    design: Design,
    before: tuple[Replication, ...],
    executor: Executor | None,
    *,
    progress: Progress | bool | None,
) -> Simulation:
    """Return a simulation of so many replications, of which some may be there already."""
    options = _options(compilation, design) | {
        "warmup": design.warmup,
        "batches": BATCHES if design.replications == 1 else 2,
        "time_limits": design.targets,
        "trace_rows": design.trace_rows,
        "profile": _profile(design),
    }
    task = functools.partial(_replicate, compilation=compilation, options=options)
    roots = np.random.SeedSequence(design.seed).spawn(design.replications)
    with shown("replications", progress=progress) as told:
        outcome = run_all(task, roots[len(before) :], executor, told)
    runs = (*before, *outcome.answers)
    if outcome.interrupted and not runs:
        raise KeyboardInterrupt
    if all(replication.run.tallies.length.size == 0 for replication in runs):
        message = (
            f"every run stopped with {design.max_jobs} jobs present before the warm-up of "
            f"{design.warmup:g} was over: the network is overloaded; give a shorter warm-up or "
            "more max_jobs"
        )
        fault = Fault("simulate", "max_jobs", str(design.max_jobs), message)
        if any(replication.run.status == STOPPED_AT_DEADLOCK for replication in runs):
            message = (
                f"runs ended in a deadlock, the first at "
                f"{min(r.run.stopped_at for r in runs):g}, before the warm-up of "
                f"{design.warmup:g} was over, so that nothing was counted"
            )
            fault = Fault("simulate", "on_deadlock", repr(design.on_deadlock), message)
        raise ParameterError([fault])
    return Simulation(network, design, outcome.interrupted, runs, compilation)


def simulate_again(
    simulation: Simulation, compilation: Compilation, executor: Executor | None = None
) -> Simulation:
    """Return the simulation of a changed compilation on the same random numbers."""
    return _with_runs(
        simulation.network, compilation, simulation.design, (), executor, progress=False
    )


def run_until(
    simulation: Simulation,
    relative_half_width: float,
    measure: str,
    max_replications: int,
    executor: Executor | None,
) -> Simulation:
    """Return the simulation with as many more replications as a precision needs."""
    check_precision(relative_half_width, max_replications)
    measures = [key for key in simulation.system.index if not key.endswith("_halfwidth")]
    if f"{measure}_halfwidth" not in simulation.system.index:
        message = f"is not measured; known are {', '.join(measures)}{nearest(measure, measures)}"
        raise UnknownNameError([Fault("measure", "", repr(measure), message)])
    design = dataclasses.replace(
        simulation.design, precision=float(relative_half_width), precise=measure
    )
    made = dataclasses.replace(simulation, design=design)
    while made.imprecision > 1.0 and made.design.replications < max_replications:
        if made.interrupted:
            break
        have = made.design.replications
        # at most twice as many at a time: the estimate of the spread is rough at first
        wanted = min(math.ceil(have * min(made.imprecision**2, 2.0)), max_replications)
        design = dataclasses.replace(made.design, replications=max(wanted, have + 1))
        # the batches of a single run are no replications: it is run again
        before = made.replications if have > 1 else ()
        made = _with_runs(made.network, made.compilation, design, before, executor, progress=False)
    return made
