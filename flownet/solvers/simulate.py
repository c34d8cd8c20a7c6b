"""`simulate`: independent replications of a network, side by side, into a Simulation."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from flownet.errors import Fault, ParameterError, UnknownNameError
from flownet.execute import run_all
from flownet.kernels.compiled import DELAY, PROCESSOR_SHARING
from flownet.kernels.simulation import simulate_once
from flownet.kernels.simulation_profile_setup import Profile
from flownet.network.compile import Compilation, compile_network
from flownet.network.model import Network
from flownet.network.values import nearest
from flownet.solvers.profile import calendar_cycle, profile_of, whole_cycles
from flownet.solvers.simulation import Design, Simulation
from flownet.solvers.simulation_record import Replication, record
from flownet.solvers.warmup import FEWEST_CYCLES, INTERVALS, Warmup, warmup_of

ROUNDING = 1e-9
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
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
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
    executor : concurrent.futures.Executor, optional
        Where the replications run; by default threads of this process, one a core.
    progress : callable, optional
        Called with the number of replications done and of all after each.

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
    limits = tuple(float(target) for target in targets)
    _check(horizon, warmup, replications, seed, confidence, limits, max_jobs, trace_rows)
    compilation = compile_network(network).scheduled
    _check_whole(compilation)
    profile = profile_of(network, compilation, horizon, cycle, step)
    design = Design(
        horizon=float(horizon),
        warmup=0.0 if warmup is None else float(warmup),
        warmup_rule="given",
        replications=int(replications),
        seed=int(seed),
        confidence=float(confidence),
        targets=limits,
        max_jobs=int(max_jobs),
        trace_rows=int(trace_rows),
        cycle=0.0 if profile is None else profile.steps * profile.width,
        step=0.0 if profile is None else profile.width,
    )
    if warmup is None:
        found = find_warmup(compilation, design, executor)
        rule = "MSER-5" if found.settled else "MSER-5, not settled"
        start = whole_cycles(compilation, found.time, design.horizon)
        design = dataclasses.replace(design, warmup=start, warmup_rule=rule)
    return _with_runs(network, compilation, design, (), executor, progress)


def _check(
    horizon: float,
    warmup: float | None,
    replications: int,
    seed: int,
    confidence: float,
    targets: tuple[float, ...],
    max_jobs: int,
    trace_rows: int,
) -> None:
    """Refuse what is out of range, all of it at once."""
    start = 0.0 if warmup is None else warmup
    right: list[tuple[str, object, bool, str]] = [
        ("horizon", horizon, 0.0 < horizon < math.inf, "must be a finite time above 0"),
        ("warmup", warmup, 0.0 <= start < math.inf, "must be a finite time, at least 0"),
        ("horizon", horizon, not horizon <= start or horizon <= 0.0,
         f"must be longer than the warm-up of {start:g}: the horizon includes it"),
        ("replications", replications, _whole(replications, 1), "must be a whole number from 1 on"),
        ("seed", seed, _whole(seed, 0), "must be a whole number from 0 on"),
        ("confidence", confidence, 0.0 < confidence < 1.0, "must lie above 0 and below 1"),
        ("targets", targets, all(0.0 < t < math.inf for t in targets),
         "must be finite times above 0"),
        ("max_jobs", max_jobs, _whole(max_jobs, 1), "must be a whole number from 1 on"),
        ("trace_rows", trace_rows, _whole(trace_rows, 0), "must be a whole number from 0 on"),
    ]  # fmt: skip
    faults = [
        Fault("simulate", name, str(value), message)
        for name, value, fine, message in right
        if not fine
    ]
    if faults:
        raise ParameterError(faults)


def _check_whole(compilation: Compilation) -> None:
    """Refuse broken numbers of servers and places; shared servers may be broken."""
    arrays, calendars = compilation.arrays, compilation.calendars
    unlimited = (arrays.discipline == PROCESSOR_SHARING) | (arrays.discipline == DELAY)
    message = "must be a whole number for a simulation"
    faults = []
    for i, name in enumerate(compilation.services):
        steps = [] if calendars is None else calendars.steps_of(i)
        follow = calendars is not None and bool(calendars.places_follow[i])
        given = [("server_calendar", value) for value in steps] or [("servers", arrays.servers[i])]
        given = [] if unlimited[i] and not follow else given
        places = arrays.capacity[i] - (arrays.servers[i] if follow else 0.0)
        given.append(("waiting_room" if follow else "capacity", places))
        faults += [
            Fault(f"service '{name}'", attribute, f"{value:g}", message)
            for attribute, value in given
            if math.isfinite(value) and abs(value - round(value)) > ROUNDING
        ]
    if faults:
        raise ParameterError(faults)


def _whole(value: float, least: int) -> bool:
    return bool(value >= least and value % 1 == 0)


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
    progress: Callable[[int, int], None] | None,
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
    outcome = run_all(task, roots[len(before) :], executor, progress)
    runs = (*before, *outcome.answers)
    if outcome.interrupted and not runs:
        raise KeyboardInterrupt
    if all(replication.run.tallies.length.size == 0 for replication in runs):
        message = (
            f"every run stopped with {design.max_jobs} jobs present before the warm-up of "
            f"{design.warmup:g} was over: the network is overloaded; give a shorter warm-up or "
            "more max_jobs"
        )
        raise ParameterError([Fault("simulate", "max_jobs", str(design.max_jobs), message)])
    return Simulation(network, design, outcome.interrupted, runs, compilation)


def run_until(
    simulation: Simulation,
    relative_half_width: float,
    measure: str,
    max_replications: int,
    executor: Executor | None,
) -> Simulation:
    """Return the simulation with as many more replications as a precision needs."""
    if not 0.0 < relative_half_width < 1.0:
        value = str(relative_half_width)
        fault = Fault("until", "relative_half_width", value, "must lie above 0 and below 1")
        raise ParameterError([fault])
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
        made = _with_runs(made.network, made.compilation, design, before, executor, None)
    return made
