"""Derivatives of every formula by every continuous parameter, exact: none is a difference."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flownet.errors import ParameterError
from flownet.queues.abandonment import erlang_a, erlang_a_finite_measures, mmcg
from flownet.queues.arguments import refusal
from flownet.queues.deterministic import mdc, mdc_gradient, mdc_measures
from flownet.queues.erlang import erlang_b, erlang_b_gradient, erlang_c, erlang_c_gradient
from flownet.queues.finite_source import (
    finite_source,
    finite_source_gradient,
    finite_source_measures,
)
from flownet.queues.forward_kernels import Kernel, along
from flownet.queues.insensitive import mgcc, mminf, processor_sharing
from flownet.queues.limited_slopes import erlang_a_gradient, mmck_gradient
from flownet.queues.many_servers import gigc, mgc
from flownet.queues.markov import mmc, mmc_gradient, mmck
from flownet.queues.measures import abandoning, delay, limited
from flownet.queues.priority import priority_nonpreemptive, priority_preemptive
from flownet.queues.quasi import phphc
from flownet.queues.quasi_limited import phphck
from flownet.queues.single_server import gig1, mg1, mg1_gradient, mg1_wait_moments
from flownet.queues.special_slopes import by_class, moment_slopes, rate_slope, square_root_slope
from flownet.queues.staffing import fewest_servers, largest_arrival_rate, square_root_servers
from flownet.queues.states import number_probability
from flownet.queues.station_measures import (
    boxma_measures,
    cosmetatos_measures,
    exact_measures,
    formula_measures,
    kimura_measures,
    number_measures,
    one_formula_measures,
    patient_measures,
    places_measures,
    refined_measures,
    refined_poisson_measures,
    room_measures,
)
from flownet.queues.tail_slopes import percentile_slope, tail_slope
from flownet.queues.waits import wait_percentile, wait_tail

Floats = NDArray[np.float64]
Formula = Callable[..., Any]

ANALYTIC: Mapping[Formula, Formula] = {
    mmc: mmc_gradient,
    mminf: lambda arrival_rate, service_time: mmc_gradient(arrival_rate, service_time, np.inf),
    processor_sharing: lambda arrival_rate, service_time, servers=1.0: mmc_gradient(
        arrival_rate, service_time, servers
    ),
    mg1: mg1_gradient,
    mdc: mdc_gradient,
    mmck: mmck_gradient,
    erlang_a: erlang_a_gradient,
    erlang_b: erlang_b_gradient,
    erlang_c: erlang_c_gradient,
    finite_source: finite_source_gradient,
}
CONTINUOUS = (
    "arrival_rate",
    "request_rate",
    "service_time",
    "load",
    "servers",
    "arrival_scv",
    "service_scv",
    "service_third_moment",
    "patience",
    "patience_scv",
    "time",
    "probability",
    "target",
)


def _alone(_: Any, results: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    return results[0].reshape(shape)[()]


def _one_server(stations: Any, results: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    return delay(np.insert(stations, 2, 1.0, axis=1), results, shape)


def _of_sources(stations: Any, results: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    asking = stations.copy()
    asking[:, 0] *= stations[:, 3]  # all sources idle, as `finite_source` has it
    return limited(asking, results, shape)


SOURCES = ("request_rate", "service_time", "servers", "sources", "capacity")
STATION = ("arrival_rate", "service_time", "servers")
POISSON = (*STATION, "service_scv")
GENERAL = (*STATION, "arrival_scv", "service_scv")
PATIENT = (*STATION, "patience")
PLACES = (*STATION, "capacity", "arrival_scv", "service_scv", "patience")
ONE = ("arrival_rate", "service_time", "arrival_scv", "service_scv")
KERNELS: dict[tuple[Formula, str | None], Kernel] = {
    (mmck, None): Kernel(room_measures, (*STATION, "capacity"), limited),
    (mgcc, None): Kernel(room_measures, (*STATION, "servers"), limited),
    (mdc, None): Kernel(mdc_measures, STATION, delay),
    (gig1, None): Kernel(one_formula_measures, ONE, _one_server),
    (gigc, "auto"): Kernel(refined_measures, GENERAL, delay),
    (gigc, "formula"): Kernel(formula_measures, GENERAL, delay),
    (mgc, "auto"): Kernel(refined_poisson_measures, POISSON, delay),
    (mgc, "kimura"): Kernel(kimura_measures, POISSON, delay),
    (mgc, "cosmetatos"): Kernel(cosmetatos_measures, POISSON, delay),
    (mgc, "boxma"): Kernel(boxma_measures, POISSON, delay),
    (phphc, None): Kernel(exact_measures, GENERAL, delay),
    (phphck, None): Kernel(places_measures, PLACES, abandoning),
    (erlang_a, None): Kernel(erlang_a_finite_measures, (*PATIENT, "capacity"), abandoning),
    (mmcg, None): Kernel(patient_measures, (*PATIENT, "patience_scv"), abandoning),
    (finite_source, None): Kernel(finite_source_measures, SOURCES, _of_sources),
    (number_probability, None): Kernel(number_measures, (*PATIENT, "capacity", "number"), _alone),
}
SPECIAL: Mapping[Formula, Callable[[dict[str, Any], str], Floats]] = {
    wait_tail: lambda given, name: tail_slope(given, {name: 1.0}),
    wait_percentile: percentile_slope,
    largest_arrival_rate: rate_slope,
    square_root_servers: square_root_slope,
}
BY_CLASS = (priority_nonpreemptive, priority_preemptive)
FORMULAS = (*ANALYTIC, *(f for f, _ in KERNELS), *SPECIAL, *BY_CLASS, mg1_wait_moments)


def gradient(formula: Formula, *arguments: Any, **named: Any) -> dict[str, Any]:
    r"""Return the derivatives of a formula's results by each of its continuous parameters.

    .. math:: f(x + \varepsilon) = f(x) + f'(x)\, \varepsilon, \quad \varepsilon^2 = 0

    Parameters
    ----------
    formula : callable
        A formula of this library, for instance ``queues.mmcg``.
    *arguments, **named
        What the formula is given.

    Returns
    -------
    dict
        Each continuous parameter that was given mapped to what the formula returns, of
        derivatives. Formulas by class: by the parameter of each class along a further last axis.
        nan where the station is overloaded, and where the parameter is 0 or infinite.

    Raises
    ------
    ParameterError
        Where the formula refuses its arguments, or has no derivative: `fewest_servers`.

    Notes
    -----
    Exact but for rounding: no derivative is a difference. `mmc` and its kin, `mg1`, `mdc`,
    `mmck`, `erlang_a`, `erlang_b`, `erlang_c` and `finite_source` by their own gradients, compiled;
    otherwise by dual numbers through the text of the compiled kernels, which takes milliseconds a
    station and, for `mmcg`, `gigc` and the laws of waits with large matrices, up to a
    minute. The
    first-passage matrix of Ph/Ph/c is differentiated implicitly, and so are `wait_percentile`,
    `largest_arrival_rate` and `square_root_servers`. Of fitted laws at a scv of 1, where the fits
    of both sides meet, by their common expansion.

    Where a formula has a bend (a largest or least of two, an scv at which another law is fitted, a
    whole number of servers between which is interpolated) it is the derivative from above; in
    `gigc_gradient`, and by servers of one server or less, as the formula's own branch has it. The
    number of servers counts as continuous where the formula takes fractions; by servers `wait_tail`
    of general laws is taken by two moments of the wait, which it is between whole numbers.

    References
    ----------
    Griewank and Walther (2008), chapter 3; Squire and Trapp (1998), SIAM Review 40:110.

    Examples
    --------
    >>> from flownet import queues
    >>> slopes = gradient(queues.processor_sharing, 0.5, 1.0)
    >>> round(float(slopes["arrival_rate"].response_time), 12)
    4.0
    """
    if formula is fewest_servers:
        raise refusal("formula", formula.__name__, "has whole numbers for results: no derivative")
    if formula not in FORMULAS:
        shown = getattr(formula, "__name__", repr(formula))
        raise refusal("formula", shown, "must be a station formula, such as queues.mmc")
    signature = inspect.signature(formula)
    try:
        bound = signature.bind(*arguments, **named)
    except TypeError as error:
        message = f"{error}: {formula.__name__}{signature}"
        raise refusal("arguments", formula.__name__, message) from None
    given = dict(bound.arguments)
    formula(**given)  # refuses what is wrong
    slopes = _analytic(formula, given)
    bound.apply_defaults()
    for name in CONTINUOUS:
        value = given.get(name)
        if name in slopes or value is None or (name == "servers" and not _divides(formula, given)):
            continue
        slopes[name] = _by(formula, dict(bound.arguments), name)
    return slopes


def _analytic(formula: Formula, given: dict[str, Any]) -> dict[str, Any]:
    """Return what the formula's own gradient says; nothing where it leaves these stations out."""
    known = ANALYTIC.get(formula)
    if known is None or not set(given) <= set(inspect.signature(known).parameters):
        return {}
    try:
        slopes = known(**given)
    except ParameterError:
        return {}
    return {name: slope for name, slope in slopes.items() if given.get(name) is not None}


def _divides(formula: Formula, given: dict[str, Any]) -> bool:
    """Tell whether the formula takes fractions of servers here."""
    more = 1.05 * np.asarray(given["servers"], np.float64)
    try:
        formula(**{**given, "servers": np.minimum(more, given.get("capacity", math.inf))})
    except ParameterError:
        return False
    return True


def _by(formula: Formula, given: dict[str, Any], name: str) -> Any:
    """Return the derivatives by one parameter, in the form of the formula's results."""
    if formula in BY_CLASS:
        return by_class(formula is priority_preemptive, given, name)
    if formula is mg1_wait_moments:
        return moment_slopes(given, name)
    special = SPECIAL.get(formula)
    if special is None:
        return along(KERNELS[formula, given.get("method")], given, {name: 1.0})
    slope = special(given, name)
    numbers = (np.shape(v) for v in given.values() if v is not None and not isinstance(v, str))
    slope = np.broadcast_to(slope, np.broadcast_shapes(slope.shape, *numbers))
    base = np.asarray(given[name], np.float64)
    return np.where((base > 0.0) & np.isfinite(base), slope, np.nan)[()]
