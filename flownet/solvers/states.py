"""What the exact Markov chain of a network tells beyond a Solution: `exact_chain`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from flownet.errors import Fault, MethodError, ParameterError, UnknownNameError
from flownet.kernels.compiled import Floats, Integers
from flownet.kernels.exact import ExactResult, blocking_by_pair, solve_exact
from flownet.kernels.exact_followed import time_in_system
from flownet.network.compile import Compilation, compile_network
from flownet.network.model import Network, ServiceName
from flownet.network.values import nearest
from flownet.solvers.calendars import calendar_reasons

Initial = Mapping[Any, float | Mapping[str, float]]
"""``{service: jobs}`` or ``{service: {class: jobs}}``."""


@dataclass(frozen=True, repr=False)
class ExactChain:
    """The probabilities of a network's states, in the steady state or at given times.

    Attributes
    ----------
    network : Network
        What was solved.
    compilation : Compilation
        Its arrays and labels.
    result : ExactResult
        What the kernel gives: of the steady state, or of the last time.
    options : mapping
        ``max_states``, ``truncation_mass`` and ``fit`` as they were used.
    """

    network: Network
    compilation: Compilation
    result: ExactResult
    options: Mapping[str, Any]

    @property
    def states(self) -> int:
        """How many states the chain has."""
        return self.result.states

    @property
    def residual(self) -> float:
        """Sum of the absolute net flows into the states over the total flow; 0 at given times."""
        return self.result.residual

    @property
    def truncated_mass(self) -> float:
        """The probability, at most, of the states that unlimited queues were cut off at."""
        return self.result.truncated_mass

    @property
    def times(self) -> tuple[float, ...]:
        """The times that were asked for, in T; none for the steady state."""
        return tuple(one.time for one in self.result.transient)

    @cached_property
    def number_present(self) -> pd.DataFrame:
        """P(n present), one row a number and one column a service, at the last time."""
        return self._law(self.result.present)

    @cached_property
    def number_outside(self) -> pd.DataFrame:
        """P(n wait outside), one row a number and one column a service, at the last time."""
        return self._law(self.result.outside)

    @cached_property
    def found_full(self) -> pd.DataFrame:
        """Share of the jobs done at the row's service that find the column's full.

        nan where nobody goes that way with a server in hand.
        """
        names = list(self.compilation.services)
        shares = blocking_by_pair(self.compilation.arrays, self.result)
        return pd.DataFrame(
            shares, index=pd.Index(names, name="from"), columns=pd.Index(names, name="to")
        )

    @cached_property
    def over_time(self) -> pd.DataFrame:
        """One row a time and service: mean numbers, servers at work, P(full).

        Raises
        ------
        MethodError
            Where no times were asked for.
        """
        if not self.result.transient:
            reason = "this is the steady state; ask for times: exact_chain(network, at=[...])"
            raise MethodError("exact", [reason])
        frames = [self._at(one) for one in self.result.transient]
        return pd.concat(frames, keys=self.times, names=["time", "service"])

    def time_in_system(self, times: Iterable[float] = ()) -> pd.DataFrame:
        """Return how long jobs are in the network, by the service and class that they arrive as.

        A job is followed through the chain, from asking for its first place to its end.

        Parameters
        ----------
        times : iterable of float
            For each of them, in T, a column ``within t``: the probability to have left after
            service by then.

        Returns
        -------
        pandas.DataFrame
            One row for each service and class with arrivals from outside:
            ``probability_served``, ``probability_lost``, ``probability_abandoned``; ``mean`` and
            ``standard_deviation`` of the time of those who are served, in T, time outside
            included; and the columns ``within t``.

        Raises
        ------
        MethodError
            Where the network is overloaded or arrivals are not Poisson.
        ParameterError
            Where the chain with the followed job has more than ``max_states`` states.
        """
        c, wanted = self.compilation, [float(time) for time in times]
        rows: dict[tuple[ServiceName, str], dict[str, float]] = {}
        for i, k in np.argwhere(c.arrays.external_arrival_rate > 0.0).tolist():
            one = time_in_system(c.arrays, i, k, at=wanted, **self.options)
            rows[c.services[i], c.classes[k]] = {
                "probability_served": one.served,
                "probability_lost": one.lost,
                "probability_abandoned": one.gave_up,
                "mean": one.mean,
                "standard_deviation": max(one.variance, 0.0) ** 0.5,
                **{f"within {t:g}": p for t, p in zip(wanted, one.left.tolist(), strict=True)},
            }
        frame = pd.DataFrame.from_dict(rows, orient="index")
        frame.index = pd.MultiIndex.from_tuples(list(rows), names=["service", "class"])
        return frame

    def __repr__(self) -> str:
        """Return three lines: what it is, its size, how sure it is."""
        when = f"at {len(self.times)} times" if self.times else "in the steady state"
        return "\n".join(
            [
                f"Exact chain of '{self.network.name}' {when}",
                f"  {self.states:,} states, {self.result.transitions:,} transitions",
                f"  residual {self.residual:.1e}, cut off at most {self.truncated_mass:.1e}",
            ]
        )

    def _repr_html_(self) -> str:
        from flownet.display import html_of_text

        return html_of_text(repr(self))

    def _law(self, law: Floats) -> pd.DataFrame:
        used = np.flatnonzero(law.any(axis=0))
        last = int(used[-1]) + 1 if used.size else 1
        columns = pd.Index(list(self.compilation.services), name="service")
        return pd.DataFrame(
            law[:, :last].T, columns=columns, index=pd.RangeIndex(last, name="number")
        )

    def _at(self, one: ExactResult) -> pd.DataFrame:
        m = one.measures
        held = m.number_in_service + m.number_blocked + m.number_held_in_transfer
        return pd.DataFrame(
            {
                "number_present": (m.number_waiting + held).sum(axis=1),
                "number_waiting": m.number_waiting.sum(axis=1),
                "number_in_service": m.number_in_service.sum(axis=1),
                "number_blocked": m.number_blocked.sum(axis=1),
                "number_outside": m.number_outside.sum(axis=1),
                "throughput": m.throughput.sum(axis=1),
                "probability_full": m.probability_full,
            },
            index=pd.Index(list(self.compilation.services), name="service"),
        )


def exact_chain(
    network: Network,
    *,
    at: Iterable[float] | None = None,
    initial: Initial | None = None,
    max_states: int = 1_000_000,
    truncation_mass: float = 1e-12,
    fit: bool = False,
) -> ExactChain:
    """Return the probabilities of a network's states from its continuous-time Markov chain.

    ``pi Q = 0`` in the steady state; at a time t ``p(t) = p(0) exp(Q t)``, by uniformization.

    Parameters
    ----------
    network : Network
        What to solve; Poisson arrivals and times made of exponential phases, or `fit`.
    at : iterable of float, optional
        Times, in T, at least 0, instead of the steady state.
    initial : mapping, optional
        ``{service: jobs}`` or ``{service: {class: jobs}}`` present at time 0; none by default.
    max_states : int
        The most states that the chain may have.
    truncation_mass : float
        An unlimited queue is cut off where no more than this probability is lost.
    fit : bool
        Whether times and arrivals that are not made of exponential phases are replaced by such
        with the same mean and scv.

    Returns
    -------
    ExactChain
        ``.number_present``, ``.number_outside``, ``.found_full``, ``.over_time``,
        ``.time_in_system(times)``.

    Raises
    ------
    MethodError
        Where a chain cannot hold the network; the reasons say why.
    ParameterError
        Where there would be more states than `max_states` (with an estimate of how many), or a
        parameter is out of its range.
    UnknownNameError
        Where `initial` names a service or class that does not exist.

    References
    ----------
    W. J. Stewart (2009), Probability, Markov Chains, Queues, and Simulation, ch. 9 and 10.

    Examples
    --------
    An M/M/1/1 that starts empty is full at t with probability (1 - e^(-2 t)) / 2 where both rates
    are 1:

    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "services": [{"name": "bed", "service_time": 1.0, "external_arrival_rate": 1.0,
    ...                   "capacity": 1}],
    ... })
    >>> chain = fn.exact_chain(network, at=[0.5])
    >>> round(float(chain.over_time.loc[(0.5, "bed"), "probability_full"]), 6)
    0.31606
    """
    if not isinstance(network, Network):
        message = f"must be a flownet Network, not {type(network).__name__}"
        raise ParameterError([Fault("exact_chain", "network", "", message)])
    if initial is not None and at is None:
        message = "is the state at time 0: it needs times, at=[...]; the steady state forgets it"
        raise ParameterError([Fault("exact_chain", "initial", "", message)])
    compilation = compile_network(network)
    varying = calendar_reasons(compilation)
    if varying:
        raise MethodError("exact", varying)
    options = {"max_states": max_states, "truncation_mass": truncation_mass, "fit": fit}
    result = solve_exact(
        compilation.arrays,
        max_states=max_states,
        truncation_mass=truncation_mass,
        fit=fit,
        at=None if at is None else list(at),
        initial=None if initial is None else _start(compilation, initial),
        services=[str(name) for name in compilation.services],
        classes=compilation.classes,
    )
    return ExactChain(network, compilation, result, options)


def _start(compilation: Compilation, initial: Initial) -> Integers:
    """Return the jobs at time 0 by service and class."""
    start = np.zeros(compilation.arrays.service_time.shape)
    faults = []
    for service, jobs in initial.items():
        if service not in compilation.services:
            hint = nearest(service, compilation.services)
            faults.append(Fault("initial", str(service), "", f"is not a service{hint}"))
            continue
        by_class = jobs if isinstance(jobs, Mapping) else {compilation.classes[0]: jobs}
        if not isinstance(jobs, Mapping) and len(compilation.classes) > 1:
            message = f"must be a table by class ({', '.join(compilation.classes)})"
            faults.append(Fault("initial", str(service), repr(jobs), message))
            continue
        for job_class, number in by_class.items():
            if job_class not in compilation.classes:
                hint = nearest(job_class, compilation.classes)
                faults.append(Fault("initial", str(job_class), "", f"is not a class{hint}"))
            else:
                row = compilation.services.index(service)
                start[row, compilation.classes.index(job_class)] = number
    if faults:
        raise UnknownNameError(faults)
    return start  # type: ignore[return-value]  # the kernel checks that they are whole
