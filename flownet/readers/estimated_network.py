"""`EstimatedNetwork`: a network from an event log, with what the log can and cannot tell."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from flownet.display import html_of_text
from flownet.errors import Fault, NetworkError, ParameterError
from flownet.network.calendars import calendar_from_rows
from flownet.network.model import Network
from flownet.readers import estimate_words as words
from flownet.readers.estimate import Routing
from flownet.readers.log_quality import DataReport
from flownet.solvers.tables import records

if TYPE_CHECKING:
    import pandas as pd

POSITIVE = ("external_arrival_rate", "service_time", "service_scv", "arrival_scv")
TRIES = 20


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
        """Draw networks that the log makes plausible.

        Rates, times and spreads are drawn lognormal with their standard errors, routing from its
        Dirichlet posterior; what the caller gave, and servers, stay as they are.

        Parameters
        ----------
        n : int
            How many, at least 1.
        seed : int
            At least 0; the same seed gives the same networks.

        Raises
        ------
        ParameterError
            Where `n` or `seed` is out of range.
        NetworkError
            Where 20 draws in a row give no possible network.
        """
        for name, value, least in (("n", n, 1), ("seed", seed, 0)):
            whole: object = value  # a caller without types may hand in anything
            if not isinstance(whole, int) or isinstance(whole, bool) or whole < least:
                message = f"must be a whole number from {least} on"
                raise ParameterError([Fault("sample", name, repr(value), message)])
        generator = np.random.default_rng(seed)
        return tuple(self._drawn(generator) for _ in range(n))

    def _drawn(self, generator: np.random.Generator) -> Network:
        fault: NetworkError | None = None
        for _ in range(TRIES):
            document = copy.deepcopy(self.network.to_dict())
            for row in document["services"]:
                _draw_positive(row, POSITIVE, generator)
                _draw_calendar(row, generator)
            for row in document["routes"]:
                _draw_positive(row, ("transfer_delay",), generator)
            self._draw_routing(document, generator)
            try:
                return Network.from_dict(document)
            except NetworkError as error:
                fault = error
        raise NetworkError(fault.faults if fault else ())

    def _draw_routing(self, document: dict[str, Any], generator: np.random.Generator) -> None:
        rows = {(row["from"], row["to"]): row for row in document["routes"]}
        names = self.network.services
        for service, job_class, routing in self.routing:
            drawn = np.zeros(routing.counts.size)
            seen = routing.counts > 0
            drawn[seen] = generator.dirichlet(routing.counts[seen])
            for to, share in zip(routing.to[:-1], drawn[:-1], strict=True):
                row = rows[service, names[to]]
                if isinstance(row["routing_probability"], dict):
                    row["routing_probability"][job_class] = float(share)
                else:
                    row["routing_probability"] = float(share)

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


def _draw_positive(
    row: dict[str, Any], attributes: tuple[str, ...], generator: np.random.Generator
) -> None:
    """Draw attributes of one row anew where they have a standard error."""
    errors = row.get("standard_error", {})
    for attribute in attributes:
        if attribute not in row or attribute not in errors:
            continue
        value, error = row[attribute], errors[attribute]
        if isinstance(value, dict):
            row[attribute] = {
                name: _lognormal(each, error.get(name, 0.0), generator)
                for name, each in value.items()
            }
        else:
            row[attribute] = _lognormal(value, error, generator)


def _draw_calendar(row: dict[str, Any], generator: np.random.Generator) -> None:
    """Scale a calendar of arrivals as a whole, by how far its mean is known."""
    calendar = row.get("external_arrival_calendar")
    errors = row.get("standard_error", {}).get("external_arrival_calendar")
    if calendar is None or errors is None:
        return
    single = isinstance(calendar, list)
    tables = {"": calendar} if single else calendar
    for name, rows in tables.items():
        mean = calendar_from_rows(rows).mean
        factor = _lognormal(mean, errors if single else errors.get(name, 0.0), generator) / mean
        for each in rows:
            each["value"] *= factor


def _lognormal(mean: float, error: float, generator: np.random.Generator) -> float:
    if mean <= 0 or error <= 0:
        return mean
    spread = math.sqrt(math.log1p((error / mean) ** 2))
    return float(mean * math.exp(generator.normal(-spread * spread / 2.0, spread)))
