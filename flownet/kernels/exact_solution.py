"""Finding the distribution of a network's chain: checked, built, and cut off widely enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flownet.errors import MethodError, ParameterError
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers
from flownet.kernels.exact_laws import reasons_against
from flownet.kernels.exact_layout import Endless, Limits, lay_out
from flownet.kernels.exact_measures import Numbers, Standing, event_rates, mean_numbers
from flownet.kernels.exact_overload import can_grow, falsely_endless, first_endless, with_endless
from flownet.kernels.exact_reach import active_pairs
from flownet.kernels.exact_size import bound_states
from flownet.kernels.exact_space import Chain, build_chain
from flownet.kernels.exact_steady import stationary
from flownet.kernels.exact_tables import WIDEST
from flownet.kernels.exact_transient import distributions
from flownet.kernels.exact_truncation import Cut, cuts, first_limits, wider

ACCEPTED = 1e-10
"""Largest residual of a converged solution."""
MOST_SERVICES = 60
"""Jobs from outside can fill any of the services that they reach and leave the others empty: with
more of them the chain has over 2**60 states, and not even its tables are made."""


NOTHING_ENDLESS = Endless({}, frozenset())


class Solved(NamedTuple):
    """A distribution over the states of a network's chain."""

    chain: Chain
    limits: Limits
    probability: Floats
    numbers: Numbers
    found: list[Cut]
    """What is cut off."""
    standing: Standing


def check(
    compiled: CompiledNetwork,
    *,
    max_states: int,
    mass: float,
    fit: bool,
    initial: Integers | None = None,
    services: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> Integers | None:
    """Check parameters and network; return the start as whole numbers.

    Raises
    ------
    MethodError, ParameterError
    """
    start = _checked(compiled, max_states, mass, initial)
    active = active_pairs(compiled, start)
    reasons = reasons_against(compiled, active, fit=fit, services=services, classes=classes)
    if reasons:
        raise MethodError("exact", reasons)
    filled = {pair // compiled.service_time.shape[1] for pair in active_pairs(compiled)}
    if len(filled) > MOST_SERVICES:
        message = (
            f"max_states = {max_states}, but the chain of {len(filled)} services has more states "
            "than any machine holds: use an approximation"
        )
        raise ParameterError(message, "max_states")
    return start


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.number))


def _checked(
    compiled: CompiledNetwork, max_states: int, mass: float, initial: Integers | None
) -> Integers | None:
    if not _is_number(max_states) or max_states < 1:
        raise ParameterError(f"max_states = {max_states}, but at least 1 is needed", "max_states")
    if not 0.0 < mass <= 0.1:
        raise ParameterError(
            f"truncation_mass = {mass:g}, but it lies above 0 and up to 0.1", "truncation_mass"
        )
    if initial is None:
        return None
    start = np.asarray(initial)
    if start.shape != compiled.service_time.shape:
        raise ParameterError(
            f"initial has shape {start.shape}, but {compiled.service_time.shape} (services, "
            "classes) is needed",
            "initial",
        )
    if (start < 0).any() or (start % 1 != 0).any():
        raise ParameterError("initial holds whole numbers of jobs, at least 0", "initial")
    if start.sum() > WIDEST:
        raise ParameterError(f"initial holds more than {WIDEST} jobs", "initial")
    if (start.sum(axis=1) > compiled.capacity).any():
        raise ParameterError("initial holds more jobs than a service has places", "initial")
    return start.astype(np.int64)


def at_times(at: Sequence[float]) -> list[float]:
    """Return the times, checked."""
    if not all(map(_is_number, at)):
        raise ParameterError("at holds one or more finite times, at least 0", "at")
    times = [float(time) for time in at]
    if not times or min(times) < 0.0 or not all(map(math.isfinite, times)):
        raise ParameterError("at holds one or more finite times, at least 0", "at")
    return times


def _build(
    compiled: CompiledNetwork,
    limits: Limits,
    endless: Endless,
    max_states: int,
    initial: Integers | None,
) -> Chain:
    """Build the chain; where it is too large, say how large."""
    layout = lay_out(compiled, limits, initial, endless)
    try:
        return build_chain(layout, max_states=max_states, initial=initial)
    except ParameterError as error:
        message = (
            f"max_states = {max_states}, but the chain has more states, by a rough estimate from "
            f"above {bound_states(layout):.3g}: raise max_states, or use an approximation"
        )
        raise ParameterError(message, "max_states") from error


def solve_steady(
    compiled: CompiledNetwork, max_states: int, mass: float, initial: Integers | None
) -> Solved:
    """Solve for the steady state, with limits as wide as the tails ask."""
    limits = first_limits(compiled, mass, initial)
    endless, stable = NOTHING_ENDLESS, set[tuple[str, int]]()
    if (compiled.external_arrival_rate > 0.0).any():
        endless = first_endless(compiled, lay_out(compiled, limits, initial))
    while True:
        chain = _build(compiled, limits, endless, max_states, initial)
        solved = stationary(chain)
        numbers = mean_numbers(chain, solved.probability)
        if endless.lines or endless.doors:
            rates = event_rates(chain, solved.probability)
            false = falsely_endless(chain.layout, endless, rates)
            if false.lines or false.doors:
                endless, stable = _less(endless, false, stable)
                continue
        found = cuts(chain, limits, solved.probability, numbers)
        growing = [
            cut
            for cut in found
            if cut.mass > mass
            and cut.ratio >= 1.0
            and (cut.field, cut.place) not in stable
            and can_grow(compiled, chain.layout, cut)
        ]
        if growing:
            worst = max(growing, key=_mass)
            endless = with_endless(compiled, chain.layout, endless, worst)
        elif any(cut.mass > mass for cut in found):
            limits = wider(limits, found, mass)
        else:
            standing = Standing(solved.residual, solved.cycles, solved.residual <= ACCEPTED)
            return Solved(chain, limits, solved.probability, numbers, found, standing)


def _mass(cut: Cut) -> float:
    return cut.mass


def _less(
    endless: Endless, false: Endless, stable: set[tuple[str, int]]
) -> tuple[Endless, set[tuple[str, int]]]:
    """Take back what was held as never empty but does not grow, and remember that."""
    lines = {i: count - false.lines.get(i, 0) for i, count in endless.lines.items()}
    marks = {("present", i) for i in false.lines} | {("outside", i) for i in false.doors}
    kept = Endless({i: count for i, count in lines.items() if count}, endless.doors - false.doors)
    return kept, stable | marks


def solve_at_times(
    compiled: CompiledNetwork,
    times: list[float],
    max_states: int,
    mass: float,
    initial: Integers | None,
) -> list[Solved]:
    """Solve for given times, in their order, with limits as wide as the widest tail asks."""
    limits = first_limits(compiled, mass, initial)
    order = sorted(range(len(times)), key=times.__getitem__)
    while True:
        chain = _build(compiled, limits, NOTHING_ENDLESS, max_states, initial)
        spread = distributions(chain, [times[k] for k in order])
        solved = [_solved_at(chain, limits, probability) for probability in spread]
        every = [cut for one in solved for cut in one.found]
        if all(cut.mass <= mass for cut in every):
            break
        limits = wider(limits, [max(every, key=_mass)], mass)
    return [solved[order.index(k)] for k in range(len(times))]


def _solved_at(chain: Chain, limits: Limits, probability: Floats) -> Solved:
    numbers = mean_numbers(chain, probability)
    found = cuts(chain, limits, probability, numbers)
    return Solved(chain, limits, probability, numbers, found, Standing(0.0, 0, converged=True))
