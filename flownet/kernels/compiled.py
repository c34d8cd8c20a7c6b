"""`CompiledNetwork`: the arrays that every kernel reads, and the codes that stand in them.

n services, R classes. A *state* is a pair (service i, class k), numbered ``s = i * R + k``; the
routes are a sparse matrix over states in compressed rows, so that a job can change its class on a
route. What a row of probabilities lacks to one leaves the network.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Indices = NDArray[np.uint32]
Booleans = NDArray[np.bool_]

# discipline
FCFS, PRIORITY, PROCESSOR_SHARING, DELAY, PREEMPTIVE = 0, 1, 2, 3, 4
# when_full and external_when_full
BLOCKED_AFTER_SERVICE, LOST, OVERFLOW, WAIT_OUTSIDE = 0, 1, 2, 3
# service_family; parameters in the order of service_parameters
EXPONENTIAL = 0  # mean
DETERMINISTIC = 1  # value
ERLANG = 2  # phases, mean
HYPEREXPONENTIAL = 3  # probability of the first phase, mean of the first, mean of the second
MIXED_ERLANG = 4  # p, k, rate: k-1 phases with probability p, k phases with 1-p, each at `rate`
GAMMA = 5  # shape, scale
LOGNORMAL = 6  # mu, sigma of the logarithm
WEIBULL = 7  # shape, scale
UNIFORM = 8  # low, high
TRIANGULAR = 9  # low, mode, high
EMPIRICAL = 10  # offset into samples, number of values
PHASE_TYPE = 11  # offset into samples, order m: alpha (m), then T (m x m, row by row)


class CompiledNetwork(NamedTuple):
    """A network as frozen, C-contiguous arrays; the only thing that a kernel sees.

    Times are in the network's time unit T, rates in jobs per T. ``inf`` is a number here.
    """

    servers: Floats
    """(n,) number of servers, > 0; ``inf`` where every job is served at once."""
    capacity: Floats
    """(n,) places: waiting, in service and blocked there; ``inf`` where unlimited."""
    discipline: Integers
    """(n,) FCFS, PRIORITY, PREEMPTIVE (by priority, interrupting), PROCESSOR_SHARING or DELAY."""
    when_full: Integers
    """(n,) what meets a job from another service at a full service."""
    external_when_full: Integers
    """(n,) what meets a job from outside at a full service: LOST, OVERFLOW or WAIT_OUTSIDE."""
    overflow_to: Integers
    """(n,) index of the service that takes the overflow, -1 where there is none."""
    priority: Integers
    """(n, R) rank, the smallest is served first."""
    service_time: Floats
    """(n, R) mean service time of one server; 0 for classes that never come."""
    service_scv: Floats
    """(n, R) squared coefficient of variation of the service time."""
    external_arrival_rate: Floats
    """(n, R) jobs per T from outside."""
    arrival_scv: Floats
    """(n, R) squared coefficient of variation of the times between arrivals from outside."""
    patience: Floats
    """(n, R) mean time that a job waits before it gives up; ``inf`` where it never does."""
    route_start: Indices
    """(n R + 1,) where the routes of each state begin."""
    route_to: Indices
    """(m,) the state that each route leads to."""
    route_probability: Floats
    """(m,) in (0, 1]."""
    transfer_delay: Floats
    """(m,) mean time between leaving the one and asking for a place at the other."""
    holds_server: Booleans
    """(m,) whether the server is held during the transfer delay."""
    entry_priority: Integers
    """(m,) rank among those who wait for a place at the end of the route, the smallest first."""
    places_left_free: Integers
    """(m,) jobs of the route find its end full where no more places than these are free."""
    external_entry_priority: Integers
    """(n, R) the same rank of jobs from outside."""
    external_places_left_free: Integers
    """(n, R) the same places of jobs from outside."""
    service_family: Integers
    """(n, R) the law of the service time, one of the codes above."""
    service_parameters: Floats
    """(n, R, 3) the law's parameters, 0 where there are fewer."""
    samples: Floats
    """(any,) values of empirical laws and matrices of phase-type laws, one behind the other."""


class Calendars(NamedTuple):
    """What varies with time on cycles that begin at time 0; the simulation alone reads it.

    In `CompiledNetwork` the time means stand in its place.
    """

    server_start: Integers
    """(n + 1,) where the steps of each service's servers begin; none where they are constant."""
    server_ends: Floats
    """T, ends of the steps; the last of a service is the length of its cycle."""
    server_values: Floats
    """Servers during each step, >= 0."""
    places_follow: Booleans
    """(n,) whether the places rise and fall with the servers, by a constant waiting room."""
    arrival_start: Integers
    """(n R + 1,) where the steps of each state's arrivals from outside begin."""
    arrival_ends: Floats
    arrival_values: Floats
    """Jobs per T from outside during each step, >= 0."""

    def steps_of(self, service: int) -> list[float]:
        """Return the servers of a service by step; empty where they are constant."""
        values: list[float] = self.server_values[
            self.server_start[service] : self.server_start[service + 1]
        ].tolist()
        return values


NOTHING: Floats = np.zeros(0)
NOTHING.setflags(write=False)


class Measures(NamedTuple):
    """What a network kernel returns: time averages and rates, per service i and class k.

    A saturated service has ``growth_rate`` > 0 and ``inf`` in its waiting numbers and times.
    """

    status: int
    """0 converged; 1 stopped at the limit of iterations; 2 broke down."""
    iterations: int
    residual: float
    """Largest relative violation of the equations that the kernel solves."""
    arrival_rate: Floats
    """(n, R) jobs per T offered to the service: all that ask for a place."""
    throughput: Floats
    """(n, R) service completions per T."""
    loss_rate: Floats
    """(n, R) jobs per T turned away from a full service and lost."""
    overflow_rate: Floats
    """(n, R) jobs per T turned away and sent to the overflow service."""
    abandonment_rate: Floats
    """(n, R) jobs per T that give up while they wait."""
    number_waiting: Floats
    """(n, R) waiting inside the service."""
    number_in_service: Floats
    """(n, R) servers working."""
    number_blocked: Floats
    """(n, R) servers held by jobs that wait to move on."""
    number_held_in_transfer: Floats
    """(n, R) servers held during a transfer delay."""
    number_outside: Floats
    """(n, R) jobs that wait outside the network for a place here."""
    waiting_time: Floats
    """(n, R) mean time from admission to start of service, of jobs that are served."""
    wait_probability: Floats
    """(n,) share of admitted jobs that do not start service at once."""
    probability_full: Floats
    """(n,) share of time with `capacity` jobs present; 0 where unlimited."""
    blocking_probability: Floats
    """(n,) share of completions that find their destination full."""
    arrival_scv: Floats
    """(n,) squared coefficient of variation of the total arrivals; nan where not modelled."""
    departure_scv: Floats
    """(n,) the same of the departures; nan where not modelled."""
    growth_rate: Floats
    """(n, R) jobs per T by which the backlog (waiting or outside) grows; 0 where stable."""
    blocked_by_from: Integers
    """(p,) pairs (i, j): jobs at i ..."""
    blocked_by_to: Integers
    """(p,) ... wait for a place at j ..."""
    blocked_by_number: Floats
    """(p,) ... this many on average."""
    waiting_by_qna: Floats = NOTHING
    """(n,) number waiting, all classes, by the one of two methods that are blended; else empty."""
    waiting_by_robust: Floats = NOTHING
    """(n,) the same by the other."""
    rest: Floats = NOTHING
    """(any,) where a fixed point came to rest, from which a like one may start; else empty."""
    probability_all_blocked: Floats = NOTHING
    """(n,) share of time in which every server is held by a job that waits to move on; empty where
    no job is ever blocked."""
    deadlock_rate: Floats = NOTHING
    """(n,) deadlocks per T that a completion here closes, resolved by an exchange of places; empty
    where no job is ever blocked."""
    variant: int = 0
    """Which variant of its method gave this, where there are several; 0 the first."""
