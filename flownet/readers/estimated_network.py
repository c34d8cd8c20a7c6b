"""`EstimatedNetwork`: a network from an event log, with what the log can and cannot tell."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from flownet.display import html_of_text
from flownet.network.model import Network
from flownet.readers import estimate_words as words
from flownet.readers.estimate import Routing
from flownet.readers.log_quality import DataReport
from flownet.solvers.tables import records

if TYPE_CHECKING:
    import pandas as pd

    from flownet.network.uncertainty import Samples


@dataclasses.dataclass(frozen=True, eq=False)
class EstimatedNetwork:
    """A network estimated from an event log, and how far the log supports it.

    Attributes
    ----------
    network : Network
        What `flownet.solve` takes; every parameter carries its origin and standard error.
    report : DataReport
        What became of each row of the log.
    parameters : pandas.DataFrame
        One row a parameter and class: estimate, standard error, interval, n, whether it is thin.
    arrivals : pandas.DataFrame
        By service and class: rate, index of dispersion, its p-value and the verdict.
    profile : pandas.DataFrame
        Mean number of arrivals by hour of the week (0 is Monday at midnight); empty where the
        log has no true clock.
    stays : pandas.DataFrame
        By service and class: moments and the law of best likelihood.
    laws : pandas.DataFrame
        Every law that was fitted, with its AIC.
    servers : pandas.DataFrame
        By service: the most busy at once, and whether that looks like a limit.
    pools : pandas.DataFrame
        Resources that serve at several services, which may be one pool.
    handovers : pandas.DataFrame
        By pair of organisations: passages, overlaps and gaps, which tell clocks that disagree.
    returns : pandas.Series
        Come-backs: their number, those within the window, and their mean delay.
    observed : pandas.DataFrame
        What the log itself shows, by service, for `validate`.
    assumptions, warnings : tuple of str
        What was assumed, and what the data cannot tell.
    """

    network: Network
    report: DataReport
    parameters: pd.DataFrame = dataclasses.field(repr=False)
    arrivals: pd.DataFrame = dataclasses.field(repr=False)
    profile: pd.DataFrame = dataclasses.field(repr=False)
    stays: pd.DataFrame = dataclasses.field(repr=False)
    laws: pd.DataFrame = dataclasses.field(repr=False)
    servers: pd.DataFrame = dataclasses.field(repr=False)
    pools: pd.DataFrame = dataclasses.field(repr=False)
    handovers: pd.DataFrame = dataclasses.field(repr=False)
    returns: pd.Series[Any] = dataclasses.field(repr=False)
    observed: pd.DataFrame = dataclasses.field(repr=False)
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]
    routing: tuple[tuple[str, str, Routing], ...] = dataclasses.field(repr=False)

    def validate(self, method: str = "auto") -> pd.DataFrame:
        """Solve the network and lay what it says beside what the log shows.

        Parameters
        ----------
        method : str
            As for `flownet.solve`.

        Returns
        -------
        pandas.DataFrame
            One row a service; columns ``(measure, log)``, ``(measure, model)`` and
            ``(measure, ratio)`` of the two. A measure that the log does not tell is nan.

        Raises
        ------
        MethodError
            Where the method does not apply.
        UnconvergedError
            Where it does not converge.
        """
        import pandas as pd

        from flownet.solvers.solve import solve

        solved = solve(self.network, method).services
        columns = {}
        for measure in self.observed.columns:
            log, model = self.observed[measure], solved[measure].reindex(self.observed.index)
            columns[measure, "log"] = log
            columns[measure, "model"] = model
            columns[measure, "ratio"] = model / log.where(log != 0)
        return pd.DataFrame(columns)

    def sample(self, n: int, seed: int = 0) -> tuple[Network, ...]:
        """Draw networks that the log makes plausible, described; see `samples`.

        Raises
        ------
        ParameterError
            Where `n` or `seed` is out of range.
        NetworkError
            Where values drawn are no possible network together.
        """
        return tuple(self.samples(n, seed).networks())

    def samples(self, n: int, seed: int = 0) -> Samples:
        """Draw values of the parameters that the log estimates; `find_constraint` takes them.

        Rates, times and spreads are drawn lognormal with their standard errors, routing from its
        Dirichlet posterior; what the caller gave, and servers, stay as they are.

        Parameters
        ----------
        n : int
            How many, at least 1.
        seed : int
            At least 0; the same seed gives the same values.

        Raises
        ------
        ParameterError
            Where `n` or `seed` is out of range.
        """
        from flownet.network.uncertainty import check_draw, samples_of, uncertain_parameters

        check_draw(n, seed)
        uncertain = uncertain_parameters(self.network, self._shares())
        return samples_of(self.network, uncertain, n, seed)

    def _shares(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        """Return the laws of routing probabilities: how many of how many went each way."""
        names, laws = self.network.services, {}
        known = {(str(a), str(b)) for a, b in self.network.graph.edges}
        for service, job_class, routing in self.routing:
            total = float(routing.counts.sum())
            for to, count in zip(routing.to[:-1], routing.counts[:-1], strict=True):
                if count > 0 and (str(service), str(names[to])) in known:
                    key = ((service, names[to]), "routing_probability", job_class)
                    laws[key] = {"family": "dirichlet", "count": float(count), "total": total}
        return laws

    def explain(self) -> str:
        """Return in plain words what the network rests on and what the log cannot tell."""
        return words.explain(self)

    def __repr__(self) -> str:
        """Return three lines: what it is, what it rests on, its first warning."""
        return words.summary(self)

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        tables = ("parameters", "arrivals", "profile", "stays", "laws", "servers", "pools",
                  "handovers", "observed")  # fmt: skip
        return {
            "network": self.network.to_dict(),
            "report": self.report.to_dict(),
            **{name: records(getattr(self, name)) for name in tables},
            "returns": records(self.returns),
            "assumptions": list(self.assumptions),
            "warnings": list(self.warnings),
        }
