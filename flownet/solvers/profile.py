"""Numbers by time of a cycle, such as the hour of the week, from a simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from flownet.errors import Fault, ParameterError
from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import Floats
from flownet.kernels.simulation import SimulationRun
from flownet.kernels.simulation_profile_setup import Profile
from flownet.network.calendars import common_cycle
from flownet.network.compile import Compilation
from flownet.network.compile_calendars import means_between
from flownet.network.model import Network
from flownet.units import SECONDS

MOST_STEPS = 10_000
MOST_PASSED = 1_000_000
DEFAULT_STEPS = 24
HOURS = 24 * 31
"""Cycles of up to so many hours are shown by the hour."""
ROUNDING = 1e-9


def calendar_cycle(compilation: Compilation) -> float:
    """Return the shortest cycle common to all calendars, in T; nan where there is none."""
    calendars = compilation.calendars
    if calendars is None:
        return math.nan
    lasts = (
        calendars.server_ends[calendars.server_start[1:][np.diff(calendars.server_start) > 0] - 1],
        calendars.arrival_ends[
            calendars.arrival_start[1:][np.diff(calendars.arrival_start) > 0] - 1
        ],
    )
    return common_cycle(np.concatenate(lasts).tolist())


def whole_cycles(compilation: Compilation, warmup: float, horizon: float) -> float:
    """Return the warm-up, longer where whole cycles of the calendars then remain to be counted."""
    cycle = calendar_cycle(compilation)
    rounds = math.floor((horizon - warmup) / cycle + ROUNDING) if cycle > 0.0 else 0
    return warmup if rounds < 1 else max(horizon - rounds * cycle, 0.0)


def profile_of(
    network: Network,
    compilation: Compilation,
    horizon: float,
    cycle: float | None,
    step: float | None,
) -> Profile | None:
    """Return the cycle and its steps; by default that of the calendars, by the hour if it can be.

    Unasked, none is kept where the horizon has more than `MOST_PASSED` steps.

    Raises
    ------
    ParameterError
        Where the cycle is not made of whole steps, or of too many.
    """
    length = calendar_cycle(compilation) if cycle is None else float(cycle)
    if math.isnan(length) and cycle is None and step is None:
        return None
    if not 0.0 < length < math.inf:
        message = "must be a finite time above 0 (the network has no calendar to take it from)"
        raise ParameterError([Fault("simulate", "cycle", str(cycle), message)])
    width = step_of("simulate", network, length, step)
    if cycle is None and step is None and horizon / width > MOST_PASSED:
        return None
    return Profile(round(length / width), width)


def step_of(where: str, network: Network, cycle: float, step: float | None) -> float:
    """Return the length of a step that goes into a cycle; by default an hour if it can be.

    Raises
    ------
    ParameterError
        Where the cycle is not made of whole steps, or of too many.
    """
    width = _default_step(network, cycle) if step is None else float(step)
    steps = cycle / width if 0.0 < width <= cycle else math.nan
    if math.isnan(steps) or abs(steps - round(steps)) > ROUNDING * steps or steps > MOST_STEPS:
        message = (
            f"must be above 0 and go into the cycle of {cycle:g} a whole number of times, at most "
            f"{MOST_STEPS}"
        )
        raise ParameterError([Fault(where, "step", str(step), message)])
    return cycle / round(steps)


def _default_step(network: Network, cycle: float) -> float:
    """Return an hour where the cycle is of whole hours and not too long, else a part of it."""
    hours = cycle * SECONDS[network.time_unit] / SECONDS["hour"]
    whole = abs(hours - round(hours)) <= ROUNDING * hours and 1 < round(hours) <= HOURS
    return cycle / round(hours) if whole else cycle / DEFAULT_STEPS


def profile_table(
    network: Network, c: Compilation, run: SimulationRun, width: float
) -> pd.DataFrame:
    """Return one row a service and step of so much T, with the means of the numbers in it."""
    time = run.tallies.profile_time.sum(axis=0)
    sums = run.tallies.profile.sum(axis=0)
    means = np.full(sums.shape, np.nan)
    np.divide(sums, time[:, None, None], out=means, where=time[:, None, None] > 0.0)
    means = np.swapaxes(means, 0, 1).reshape(-1, at.CELLS)
    waiting, working, blocked, held, outside, arrivals = means.T
    starts = np.arange(time.size) * width
    servers = np.concatenate(
        [_servers_by_step(c, i, starts, width) for i in range(len(c.services))]
    )
    holding = working + blocked + held
    occupancy = np.full(servers.shape, np.nan)
    np.divide(holding, servers, out=occupancy, where=servers > 0.0)
    frame = pd.DataFrame(
        {
            "servers": servers,
            "occupancy": occupancy,
            "arrival_rate": arrivals,
            "number_present": waiting + holding,
            "number_waiting": waiting,
            "number_in_service": working,
            "number_blocked": blocked,
            "number_held_in_transfer": held,
            "number_outside": outside,
        },
        index=pd.MultiIndex.from_product([c.services, starts.tolist()], names=["service", "start"]),
    )
    units = dict.fromkeys(frame.columns, "job")
    units |= {"servers": "server", "occupancy": "-", "arrival_rate": f"job/{network.time_unit}"}
    frame.attrs["units"] = units
    return frame


def _servers_by_step(c: Compilation, service: int, starts: Floats, width: float) -> Floats:
    """Return the mean servers of a service in each step, all whole cycles of its calendar alike."""
    calendars = c.calendars
    if calendars is None or not calendars.steps_of(service):
        return np.full(starts.shape, c.arrays.servers[service])
    span = slice(*calendars.server_start[service : service + 2])
    edges = np.append(starts, starts[-1] + width)
    means = means_between(edges, calendars.server_ends[span], calendars.server_values[span])
    return np.asarray(np.round(means, 9))
