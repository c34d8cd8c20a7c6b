"""`Solution`: what a method found out about a network, frozen and labelled."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from flownet.display import html_of_text
from flownet.errors import InputError, MethodError, UnconvergedError
from flownet.kernels import compiled as code
from flownet.kernels.adjoint import Gradient, Weights
from flownet.kernels.compiled import CompiledNetwork, Measures
from flownet.kernels.traffic import UNCONVERGED
from flownet.network.compile import Compilation, compile_network
from flownet.network.model import Network, ServiceName
from flownet.solvers import explain, tables
from flownet.solvers.journeys import Journeys, solve_journeys
from flownet.solvers.solution_record import measures_from, plain_measures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from flownet.solvers.times import TimeInSystem


@dataclasses.dataclass(frozen=True, eq=False)
class Solution:
    """The steady state of a network as one method sees it.

    Its tables are computed when they are asked for. Reading one from a solution that did not
    converge raises `UnconvergedError`: a number that is not the method's answer is never shown.

    Attributes
    ----------
    network : Network
        What was solved.
    method : str
        The method that was used, and `choice` why.
    converged : bool
        Whether the method's equations are solved.
    residual : float
        Their largest relative violation.
    assumptions : tuple of str
        Assumptions of the method that this network strains; empty where it is exact here.
    options : dict
        What the method was given by keyword.
    """

    network: Network
    method: str
    choice: str
    exact: bool
    assumptions: tuple[str, ...]
    measures: Measures = dataclasses.field(repr=False)
    compilation: Compilation = dataclasses.field(repr=False)
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def converged(self) -> bool:
        """Whether the method's equations are solved."""
        return self.measures.status == 0

    @property
    def residual(self) -> float:
        """Largest relative violation of the method's equations."""
        return float(self.measures.residual)

    def _checked(self) -> tuple[Compilation, Measures]:
        if not self.converged:
            message = (
                f"method '{self.method}' stopped after {self.measures.iterations} iterations with "
                f"a residual of {self.residual:.2g}: its numbers are not an answer. Solve with "
                "another method, or see .measures for the unfinished figures"
            )
            raise UnconvergedError(message)
        return self.compilation, self.measures

    @cached_property
    def services(self) -> pd.DataFrame:
        """One row a service, summed over classes (times are means over jobs)."""
        compilation, measures = self._checked()
        targets = self.network.given("target")
        return tables.service_table(
            compilation, measures, targets, self.network.time_unit, self.network.currency
        )

    @cached_property
    def service_classes(self) -> pd.DataFrame:
        """One row a service and class."""
        compilation, measures = self._checked()
        return tables.class_state_table(
            compilation, measures, self.network.time_unit, self.network.currency
        )

    @cached_property
    def _journeys(self) -> Journeys:
        compilation, measures = self._checked()
        return solve_journeys(compilation.arrays, measures)

    @cached_property
    def classes(self) -> pd.DataFrame:
        """One row a job class, end to end, by the class in which jobs enter."""
        compilation, measures = self._checked()
        return tables.class_table(
            compilation, measures, self._journeys, self.network.time_unit, self.network.currency
        )

    @cached_property
    def totals(self) -> dict[str, float]:
        """Totals of the whole network, and its costs per time unit, by name."""
        compilation, measures = self._checked()
        return tables.system_totals(compilation, measures)

    @cached_property
    def system(self) -> pd.Series[float]:
        """The same as a Series."""
        return tables.system_series(self.totals)

    @cached_property
    def blocked_by(self) -> pd.DataFrame:
        """Who waits for whom: mean number of jobs at a row's service blocked for a column's."""
        compilation, measures = self._checked()
        return tables.blocked_by_table(compilation, measures)

    # times as distributions

    def time_in_system(
        self, start: ServiceName | None = None, *, outside: bool = False
    ) -> TimeInSystem:
        """Return the distribution of the time that jobs are in the network, by class.

        Parameters
        ----------
        start : str, optional
            A service: the time from admission there to exit, whatever came before. By default
            from admission to the network.
        outside : bool
            Whether time outside, before admission to the network, counts.

        Returns
        -------
        TimeInSystem
            ``.within(times)``, ``.quantiles(probabilities)``, ``.percentiles``, ``.moments``.

        Raises
        ------
        UnknownNameError
            Where the service does not exist.

        Notes
        -----
        Transforms of waits and services along the routes, inverted numerically; exact for one
        visit to a service of product form and for single servers in a row, else approximate. See
        docs/methods.md and docs/accuracy.md.

        Examples
        --------
        M/M/1 at load 0.5: P(T <= t) = 1 - e^(-(mu - lambda) t).

        >>> import flownet as fn
        >>> network = fn.Network.from_dict({
        ...     "network": {"time_unit": "hour"},
        ...     "services": [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 0.5}],
        ... })
        >>> round(fn.solve(network).time_in_system().probability_within(4.0), 6)
        0.864665
        """
        from flownet.solvers.times import time_in_system

        compilation, measures = self._checked()
        unit = self.network.time_unit
        return time_in_system(compilation, measures, unit, start, outside=outside)

    @cached_property
    def _times(self) -> TimeInSystem:
        return self.time_in_system()

    @cached_property
    def percentiles(self) -> pd.DataFrame:
        """Mean, sd and percentiles of the time from admission to exit, one row a class."""
        return self._times.percentiles

    def quantiles(self, probabilities: Sequence[float]) -> pd.DataFrame:
        """Return quantiles of the time from admission to exit; see `TimeInSystem.quantiles`."""
        return self._times.quantiles(probabilities)

    def within(self, times: float | Iterable[float]) -> pd.DataFrame:
        """Return P(time from admission to exit <= t) by class; see `TimeInSystem.within`."""
        return self._times.within(times)

    def waits(
        self, within: Sequence[float] = (), probabilities: Sequence[float] = (0.5, 0.9, 0.95)
    ) -> pd.DataFrame:
        """Return P(wait <= t) and percentiles of the wait, one row a service and class.

        Parameters
        ----------
        within : sequence of float
            Times above 0: columns ``within 4``.
        probabilities : sequence of float
            In (0, 1): columns ``p95``.

        Returns
        -------
        pandas.DataFrame
            Of the wait at a visit of those served there; nan where servers are shared (ps), where
            nobody comes, or where the backlog grows.
        """
        from flownet.solvers.times import waits_table

        return waits_table(self._times, within, probabilities)

    def number_present(self, service: ServiceName | None = None) -> pd.Series[float]:
        """Return P(n present) at a service, or at all together; see `present.number_present`.

        Examples
        --------
        M/M/1 at load 0.5: P(n) = 0.5^(n + 1).

        >>> import flownet as fn
        >>> network = fn.Network.from_dict({
        ...     "network": {"time_unit": "hour"},
        ...     "services": [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 0.5}],
        ... })
        >>> round(float(fn.solve(network).number_present("desk")[2]), 9)
        0.125
        """
        from flownet.solvers.present import number_present

        self._checked()
        return number_present(self, service)

    @cached_property
    def overloaded(self) -> tuple[ServiceName, ...]:
        """Services whose backlog grows without limit."""
        compilation, measures = self._checked()
        growing = measures.growth_rate.sum(axis=1) > 0
        return tuple(
            name for name, grows in zip(compilation.services, growing, strict=True) if grows
        )

    @cached_property
    def disagreement(self) -> pd.DataFrame:
        """Number waiting at each service by QNA and by robust queueing, and their ratio.

        The decomposition blends the two; where they differ widely neither is sure. Empty after a
        method that is not a blend; nan where the backlog grows.
        """
        compilation, measures = self._checked()
        return tables.disagreement_table(compilation, measures)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the numbers has to know: overload, near-critical load, losses."""
        if not self.converged:
            return (f"method '{self.method}' did not converge: its numbers cannot be read",)
        return explain.warnings_of(self)

    def again(
        self, arrays: CompiledNetwork, *, sharp: float | None = None, any_mode: bool = False
    ) -> Solution:
        """Return the solution of changed arrays by the same method, for what-if questions.

        The labels, prices and the ``network`` stay those of this solution. Where the method
        iterates, it starts from this solution, and `sharp` is the residual at which it stops. Where
        the changed network has become too large for the mode in which this one was solved, the
        method chooses anew. Figures of another variant of the method say nothing of the change:
        such a solution has not converged, but where `any_mode` asks for it on its own account.
        """
        from flownet.kernels.blocking_full import MODES
        from flownet.solvers.register import METHODS

        compilation = dataclasses.replace(self.compilation, arrays=arrays)
        method = METHODS[self.method]
        finer: dict[str, Any] = {"start": self.measures.rest} if method.iterates else {}
        finer |= {"tolerance": sharp} if sharp is not None and method.iterates else {}
        options = dict(self.options)
        try:
            measures = method.solve(arrays, **options, **finer)
        except MethodError:
            if options.pop("mode", None) is None:
                raise
            measures = method.solve(arrays, **options, **finer)
        if "mode" in options and measures.variant != self.measures.variant:
            if any_mode:
                options["mode"] = MODES[measures.variant]
            else:
                measures = measures._replace(status=UNCONVERGED)
        return dataclasses.replace(
            self, compilation=compilation, measures=measures, options=options
        )

    def ready(self) -> Measures:
        """Return the measures with what makes solving many like networks from them faster."""
        from flownet.solvers.register import METHODS

        compilation, measures = self._checked()
        prepare = METHODS[self.method].ready
        return measures if prepare is None else prepare(compilation.arrays, measures)

    def gradient(self, weights: Weights) -> Gradient | None:
        """Return the derivatives of a weighting of the measures by one adjoint solve.

        None where the method has none, or its adjoint cannot tell them in this network.
        """
        from flownet.solvers.register import METHODS

        slopes = METHODS[self.method].gradient
        if slopes is None:
            return None
        compilation, measures = self._checked()
        return slopes(compilation.arrays, measures, weights, **self.options)

    # what goals ask

    @property
    def can_turn_away(self) -> bool:
        """Whether any job can be lost, overflow or give up by the network's own description."""
        arrays = self.compilation.arrays
        away = (arrays.when_full == code.LOST) | (arrays.when_full == code.OVERFLOW)
        outside = arrays.external_when_full
        door = (outside == code.LOST) | (outside == code.OVERFLOW)
        door &= arrays.external_arrival_rate.sum(axis=1) > 0
        full = np.isfinite(arrays.capacity) & (away | door)
        return bool(full.any() or np.isfinite(arrays.patience).any())

    @property
    def prices_every_loss(self) -> bool:
        """Whether every rate of jobs turned away has a price."""
        m = self.measures
        turned_away = m.loss_rate + m.overflow_rate + m.abandonment_rate
        return not bool(np.isnan(self.compilation.cost_of_loss[turned_away > 0]).any())

    @property
    def has_prices(self) -> bool:
        """Whether the network names any price at all."""
        c = self.compilation
        prices = (c.cost_per_server, c.cost_of_delay, np.nan_to_num(c.cost_of_loss))
        return any(bool(np.any(price > 0)) for price in prices)

    # how it is told

    def explain(self) -> str:
        """Return in plain words what was computed, by which formulas, and what to be wary of."""
        return explain.explain(self)

    def __repr__(self) -> str:
        """Return three lines: the headline, the standing, one warning."""
        return explain.summary(self)

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that go to JSON and back without loss."""
        return {
            "network": self.network.to_dict(),
            "method": self.method,
            "choice": self.choice,
            "exact": self.exact,
            "assumptions": list(self.assumptions),
            "options": dict(self.options),
            "measures": plain_measures(self.measures),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Solution:
        """Return the solution that `to_dict` wrote.

        Raises
        ------
        InputError
            Where a part is missing or is something else.
        """
        missing = [key for key in ("network", "method", "measures") if key not in data]
        if missing:
            message = f"not a solution: {', '.join(missing)} missing"
            raise InputError(message)
        network = Network.from_dict(data["network"])
        return cls(
            network=network,
            method=str(data["method"]),
            choice=str(data.get("choice", "")),
            exact=bool(data.get("exact", False)),
            assumptions=tuple(data.get("assumptions", ())),
            measures=measures_from(data["measures"]),
            compilation=compile_network(network),
            options=dict(data.get("options", {})),
        )
