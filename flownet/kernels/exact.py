"""The exact continuous-time Markov chain of a network: the one public door, `solve_exact`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flownet.kernels import exact_tables as col
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers, Measures
from flownet.kernels.exact_laws import reasons_against
from flownet.kernels.exact_measures import IN_LINE, IN_TRANSIT, event_rates, measures_of
from flownet.kernels.exact_patience import served_waits
from flownet.kernels.exact_reach import active_pairs
from flownet.kernels.exact_solution import Solved, at_times, check, solve_at_times, solve_steady


class ExactResult(NamedTuple):
    """What the chain of a network gives, in the steady state or at one time."""

    measures: Measures
    time: float
    """``inf`` in the steady state."""
    states: int
    transitions: int
    residual: float
    """Sum of the absolute net flows into the states, over the total flow; 0 at a finite time."""
    truncated_mass: float
    """Sum, over the unlimited numbers, of the probability that each stands at or, by the
    geometric tail seen before it, beyond the limit at which it is cut off."""
    present: Floats
    """(n, any) probability of each number present at each service (of an overloaded service: of
    those who do not stand in the growing queue)."""
    outside: Floats
    """(n, any) probability of each number that waits outside for each service."""
    in_transit: Floats
    """(R,) mean number between services without a server, by the class as which they arrive."""
    exit_rate: Floats
    """(n, R) jobs per T that leave the network after service."""
    exchange_rate: Floats
    """(n, R) deadlocks per T, resolved by an exchange, that a completion here closes."""
    found_full_rate: Floats
    """(n, n) completions per T at the row that find the column full."""
    transient: tuple[ExactResult, ...] = ()
    """One result for each time that was asked for."""


def solve_exact(
    compiled: CompiledNetwork,
    *,
    max_states: int = 1_000_000,
    truncation_mass: float = 1e-12,
    fit: bool = False,
    at: Sequence[float] | None = None,
    initial: Integers | None = None,
    services: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> ExactResult:
    """Solve the continuous-time Markov chain of a network, in the steady state or at given times.

    ``pi Q = 0, sum(pi) = 1`` over all states that can be reached from the empty network (or from
    `initial`); at a finite time ``p(t) = p(0) exp(Q t)``.

    Parameters
    ----------
    compiled : CompiledNetwork
    max_states : int
        The most states that are generated, at least 1.
    truncation_mass : float
        A number without limit (queue, jobs outside or in transit) is cut off where no more than
        this probability is lost, in (0, 0.1].
    fit : bool
        Whether service times and arrivals that are not made of exponential phases are replaced by
        phase types with the same mean and scv.
    at : sequence of float, optional
        Times in T, at least 0: the distribution at these times instead of the steady state.
    initial : (n, R) array of int, optional
        Jobs present at the start, none by default; where more than one class waits, the classes
        stand in line in their order. For a network without arrivals from outside, the population.
    services, classes : sequence of str, optional
        Names for error messages.

    Returns
    -------
    ExactResult
        With `at`, the result at the last time, and all of them in `transient`.

    Raises
    ------
    MethodError
        Where a chain cannot hold the network; the reasons say why.
    ParameterError
        Where there would be more than `max_states` states (the message gives an estimate), or a
        parameter is out of its range.

    Notes
    -----
    Arrivals are Poisson, transfer delays and patience exponential; patience counts while a job
    waits inside (nobody waits where all are served at once). `priority` does not interrupt a
    service. The convention of blocking is that of `flownet.kernels.exact_moves`. A queue that
    grows for ever (an overloaded service) is held as never empty: its waiting numbers and times
    are ``inf``, its growth is reported, and all that it feeds is exact. The residual bounds how far
    the balance is violated; the error of the measures is that times the time that the network
    takes to forget its state. At a finite time `waiting_time` is nan, since it would concern jobs
    of different times; in the steady state it is nan only where jobs lose patience and the chain
    is too large to follow them.

    References
    ----------
    W. J. Stewart (2009), Probability, Markov Chains, Queues, and Simulation, ch. 9 and 10.

    Examples
    --------
    See `tests/kernels/test_exact.py`.
    """
    start = check(
        compiled,
        max_states=max_states,
        mass=truncation_mass,
        fit=fit,
        initial=initial,
        services=services,
        classes=classes,
    )
    if at is None:
        solved = solve_steady(compiled, max_states, truncation_mass, start)
        return _result(compiled, solved, math.inf, start)
    times = at_times(at)
    found = solve_at_times(compiled, times, max_states, truncation_mass, start)
    results = [_result(compiled, *one, start) for one in zip(found, times, strict=True)]
    return results[-1]._replace(transient=tuple(results))


def applicability(
    compiled: CompiledNetwork,
    *,
    fit: bool = False,
    services: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Return why no chain holds the network exactly; empty where one does.

    Parameters
    ----------
    compiled : CompiledNetwork
    fit : bool
        As for `solve_exact`.
    services, classes : sequence of str, optional
        Names for the reasons.

    Returns
    -------
    tuple of str
        Whether the chain is small enough is told by `exact_size.estimate_states`.
    """
    active = active_pairs(compiled)
    return reasons_against(compiled, active, fit=fit, services=services, classes=classes)


def blocking_by_pair(compiled: CompiledNetwork, result: ExactResult) -> Floats:
    """Return the share of jobs, with a server in hand, that find their destination full.

    Parameters
    ----------
    compiled : CompiledNetwork
    result : ExactResult
        Of `solve_exact`.

    Returns
    -------
    (n, n) array
        From the row to the column, in [0, 1]; nan where nobody goes that way with a server.
    """
    n, classes = compiled.service_time.shape
    first = compiled.route_start.astype(np.int64)
    source = np.repeat(np.arange(n * classes), first[1:] - first[:-1])
    flow = result.measures.throughput.ravel()[source] * compiled.route_probability
    carried = np.where((compiled.transfer_delay > 0.0) & ~compiled.holds_server, 0.0, flow)
    asked = np.zeros((n, n))
    np.add.at(asked, (source // classes, compiled.route_to.astype(np.int64) // classes), carried)
    unknown = np.full((n, n), np.nan)
    shares: Floats = np.divide(result.found_full_rate, asked, out=unknown, where=asked > 0.0)
    return shares


def _result(
    compiled: CompiledNetwork, solved: Solved, time: float, initial: Integers | None
) -> ExactResult:
    """Put the result together."""
    chain, numbers = solved.chain, solved.numbers
    rates = event_rates(chain, solved.probability)
    shape = compiled.service_time.shape
    if math.isfinite(time):
        waits = np.full(compiled.service_time.size, np.nan)
    else:
        started = rates[col.COMPLETED]
        waits = served_waits(chain, solved.probability, rates, initial)
        plain = np.divide(
            numbers.by_pair[IN_LINE], started, out=np.zeros_like(started), where=started > 0.0
        )
        table = chain.layout.tables
        impatient = (table.pair_rate[:, col.GIVING_UP] > 0.0) & (table.pair[:, col.LINE] >= 0)
        waits = np.where(impatient, waits, plain)
    found_full = rates[col.FOUND_FULL :].reshape(shape[0], *shape).sum(axis=2).T
    return ExactResult(
        measures=measures_of(compiled, chain.layout, numbers, rates, waits, solved.standing),
        time=time,
        states=chain.size,
        transitions=int(chain.rates.nnz),
        residual=solved.standing.residual,
        truncated_mass=sum(cut.mass for cut in solved.found),
        present=numbers.present,
        outside=numbers.outside,
        in_transit=numbers.by_pair[IN_TRANSIT].reshape(shape).sum(axis=0),
        exit_rate=rates[col.LEFT].reshape(shape),
        exchange_rate=rates[col.EXCHANGED].reshape(shape),
        found_full_rate=np.ascontiguousarray(found_full),
    )
