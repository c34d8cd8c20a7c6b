"""End-to-end figures by the class in which a job enters: time, delay, chance to be served."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.sparse import csc_array, eye_array
from scipy.sparse.linalg import SuperLU, splu

from flownet.kernels.compiled import Booleans, CompiledNetwork, Floats, Integers, Measures


class Leaving(NamedTuple):
    """What leaves the network, and what is between its services."""

    leaving_rate: Floats
    """(R,) jobs per T that leave served, by the class in which they leave."""
    in_transit: Floats
    """(R,) mean number of jobs between services, by the class in which they left."""


class Journeys(NamedTuple):
    """End-to-end figures, each (R,) over the classes in which jobs enter; nan where none do."""

    system_response_time: Floats
    """Mean time until leaving, time outside included, of the jobs that get in."""
    delay_time: Floats
    """Of which waiting, blocked, outside or held in transfer."""
    served_probability: Floats
    """Share of the arrivals from outside that leave served."""


def share(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def _routing(compiled: CompiledNetwork) -> csc_array:
    """Return the routing probabilities as a matrix over states."""
    size = compiled.route_start.size - 1
    columns = compiled.route_to.astype(np.int64)
    places = (_origins(compiled), columns)
    return csc_array((compiled.route_probability, places), shape=(size, size))


def _origins(compiled: CompiledNetwork) -> Integers:
    """Return the state that each route leaves."""
    counts = np.diff(compiled.route_start.astype(np.int64)).astype(np.int64)
    return np.repeat(np.arange(counts.size), counts)


def _exit_probability(compiled: CompiledNetwork) -> Floats:
    """Return by state what its routes lack to one."""
    going = np.add.reduceat(
        np.append(compiled.route_probability, 0.0), compiled.route_start[:-1].astype(np.int64)
    )
    going[np.diff(compiled.route_start.astype(np.int64)) == 0] = 0.0
    leaving = 1.0 - going
    return np.where(leaving < 1e-12, 0.0, leaving)


def _transit_delays(compiled: CompiledNetwork) -> Floats:
    """Return the mean transfer delay after a completion that does not hold the server, by state."""
    free = np.where(compiled.holds_server, 0.0, compiled.transfer_delay)
    mean = compiled.route_probability * free
    size = compiled.route_start.size - 1
    return np.bincount(_origins(compiled), weights=mean, minlength=size).astype(np.float64)


def leaving(compiled: CompiledNetwork, measures: Measures) -> Leaving:
    """Return the jobs that leave served, and those in transit, by class."""
    shape = measures.throughput.shape
    going = _exit_probability(compiled).reshape(shape)
    delays = _transit_delays(compiled).reshape(shape)
    return Leaving(
        (measures.throughput * going).sum(axis=0), (measures.throughput * delays).sum(axis=0)
    )


def solve_journeys(compiled: CompiledNetwork, measures: Measures) -> Journeys:
    r"""Return what a job that enters as a class meets until it leaves.

    .. math:: e_s = a_s \big(t_s + g_s (d_s + \sum_r p_{sr} e_r)\big) + o_s e_{o(s)}

    with e the expected total of a job that asks for a place at s, a the share of those who get
    it, o the share that overflows (what is lost ends there), t the time of a visit, g the share
    of the admitted that complete (the rest gives up), d the mean transfer delay that follows
    where it does not hold the server.

    Notes
    -----
    Mean times in the steady state. Where a service is overloaded, the times of every class that
    can come there are unlimited.
    """
    shape, size = measures.arrival_rate.shape, measures.arrival_rate.size
    arrivals = measures.arrival_rate.ravel()
    turned_away = (measures.loss_rate + measures.overflow_rate).ravel()
    accept = np.where(arrivals > 0, 1.0 - share(turned_away, arrivals), 1.0)
    growing = measures.growth_rate.ravel() > 0
    done = measures.throughput.ravel()
    carried = np.where(growing, done, arrivals - turned_away)
    complete = np.where(carried > 0, share(done, carried), 1.0)
    waiting = measures.number_waiting + measures.number_blocked + measures.number_held_in_transfer
    delay = share(waiting.ravel(), carried)
    visit = share((waiting + measures.number_in_service).ravel(), carried)
    infinite = np.isinf(visit) | np.isinf(measures.number_outside.ravel())
    visit, delay = np.where(infinite, 0.0, visit), np.where(infinite, 0.0, delay)

    overflow = _overflow_matrix(compiled, share(measures.overflow_rate.ravel(), arrivals), shape)
    onward = csc_array(_routing(compiled).multiply((accept * complete)[:, None]))
    system = splu(csc_array(eye_array(size) - onward - overflow))
    admission = splu(csc_array(eye_array(size) - overflow))
    external = compiled.external_arrival_rate
    entering = (external * admission.solve(accept).reshape(shape)).sum(axis=0)
    outside = measures.number_outside.sum(axis=0)

    def total(values: Floats) -> Floats:
        return (external * system.solve(values).reshape(shape)).sum(axis=0)  # type: ignore[no-any-return]  # SuperLU is untyped

    unlimited = _meets(system, infinite, external)
    time = total(accept * (visit + complete * _transit_delays(compiled))) + outside
    delayed = total(accept * delay) + outside
    served = total(accept * complete * _exit_probability(compiled))
    return Journeys(
        _over(np.where(unlimited, math.inf, time), entering),
        _over(np.where(unlimited, math.inf, delayed), entering),
        _over(served, external.sum(axis=0)),
    )


def _overflow_matrix(compiled: CompiledNetwork, going: Floats, shape: tuple[int, ...]) -> csc_array:
    """Return the matrix that sends the overflowing share of each state to the overflow service."""
    services, classes = np.indices(shape)
    target = compiled.overflow_to[services.ravel()]
    rows = np.flatnonzero((target >= 0) & (going > 0))
    columns = target[rows] * shape[1] + classes.ravel()[rows]
    return csc_array((going[rows], (rows, columns)), shape=(going.size, going.size))


def _meets(system: SuperLU, infinite: Booleans, external: Floats) -> Booleans:
    """Return which classes reach a state without finite times."""
    if not infinite.any():
        return np.zeros(external.shape[1], dtype=np.bool_)
    reaching = system.solve(infinite.astype(np.float64)).reshape(external.shape) > 1e-14
    return np.asarray((reaching & (external > 0)).any(axis=0))


def _over(total: Floats, weight: Floats) -> Floats:
    shares: Floats = np.divide(total, weight, out=np.full(weight.shape, math.nan), where=weight > 0)
    return shares
