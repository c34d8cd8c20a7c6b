"""`Scenario`: a named list of changes that refers to services, routes and classes by name."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from flownet.display import html_of_text
from flownet.errors import Fault, NetworkError, ParameterError, ReadError
from flownet.network.model import Network
from flownet.study.carry_out import CARRIED_OUT
from flownet.study.changes import Change

__all__ = ["Scenario"]

FIELDS = {field.name for field in dataclasses.fields(Change)}


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A named, immutable list of changes; every method returns a longer copy.

    A target is the name of a service, ``'*'`` for every service, or a pair ``(from, to)`` that
    names a route.

    Parameters
    ----------
    name : str
        What the scenario is called.
    changes : tuple of Change, optional
        What it changes, in order.

    Examples
    --------
    >>> import flownet as fn
    >>> winter = fn.Scenario("winter").scale("Ambulance handover", external_arrival_rate=1.1)
    >>> beds = fn.Scenario("beds").set("Frailty ward", servers=82)
    >>> (winter + beds).apply(fn.example("urgent_care")).name
    'urgent care'
    >>> print(beds)
    Scenario 'beds'
      1. set servers of 'Frailty ward' to 82
    """

    name: str
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        """Check the name and the changes."""
        if not str(self.name).strip() or str(self.name) != self.name:
            raise ParameterError([Fault("scenario", "name", repr(self.name), "must be a text")])
        changes = tuple(self.changes)
        if not all(isinstance(change, Change) for change in changes):
            raise ParameterError([Fault("scenario", "changes", "", "must be a list of changes")])
        object.__setattr__(self, "changes", changes)

    def _with(self, kind: str, target: Any, **rest: Any) -> Scenario:
        change = Change(kind, target, **rest)
        return Scenario(self.name, (*self.changes, change))

    def set(
        self, target: str | tuple[str, str], /, *, job_class: str = "", **attributes: Any
    ) -> Scenario:
        """Return a copy that also gives attributes of a service or a route another value.

        Parameters
        ----------
        target : str or (str, str)
            A service, ``'*'`` for every service, or a route as ``(from, to)``.
        job_class : str, optional
            Change the value of this class only; default every class.
        **attributes
            New values by attribute. Other servers keep the waiting room that was there.

        Raises
        ------
        ParameterError
            Where no attribute is given.
        """
        return self._with("set", target, attributes=attributes, job_class=job_class)

    def scale(
        self, target: str | tuple[str, str], /, *, job_class: str = "", **factors: float
    ) -> Scenario:
        """Return a copy that also multiplies attributes of a service or a route.

        Parameters
        ----------
        target : str or (str, str)
            A service, ``'*'`` for every service that has these, or a route as ``(from, to)``.
        job_class : str, optional
            Scale the value of this class only; default every class.
        **factors : float
            Factor, at least 0, by attribute. Results are not rounded. A factor on service_time
            stretches a service_distribution too.

        Raises
        ------
        ParameterError
            Where no factor is given, or one is not a number of at least 0.
        """
        return self._with("scale", target, attributes=factors, job_class=job_class)

    def add(self, target: str | tuple[str, str], /, **attributes: Any) -> Scenario:
        """Return a copy that also adds a service or a route with these attributes."""
        return self._with("add", target, attributes=attributes)

    def close(self, target: str | tuple[str, str], *, to: str = "") -> Scenario:
        """Return a copy that also closes a service or a route.

        Parameters
        ----------
        target : str or (str, str)
            A service, or a route as ``(from, to)``.
        to : str, optional
            Where those go who would have come; default they leave.
        """
        return self._with("close", target, to=to)

    def pool(self, *services: str, into: str) -> Scenario:
        """Return a copy that also makes one service of several.

        It has the servers and places of all, their arrivals and their routes. Where service times
        or routes differ, each class takes the mean over the services, weighted by its flows there.

        Parameters
        ----------
        *services : str
            Two or more, or one list of them.
        into : str
            What the pooled service is called; the name of one of them will do.

        Raises
        ------
        ParameterError
            Where fewer than two are named.

        Examples
        --------
        >>> import flownet as fn
        >>> wards = fn.Scenario("one ward").pool("Frailty ward", "Medical ward", into="Ward")
        >>> pooled = wards.apply(fn.example("urgent_care"))
        >>> pooled.graph.nodes["Ward"]["servers"]
        129.0
        """
        listed = len(services) == 1 and isinstance(services[0], (list, tuple))
        return self._with("pool", tuple(services[0]) if listed else services, to=into)

    def reroute(
        self, start: str, end: str, *, to: str, share: float = 1.0, job_class: str = ""
    ) -> Scenario:
        """Return a copy that also sends a share of the jobs of one route elsewhere.

        Parameters
        ----------
        start, end : str
            The route.
        to : str
            Where the share goes instead; a new route is as the old one in all else.
        share : float
            In (0, 1].
        job_class : str, optional
            Send only this class elsewhere; default every class.

        Raises
        ------
        ParameterError
            Where the share is out of its range.
        """
        return self._with("reroute", (start, end), to=to, amount=share, job_class=job_class)

    def move(self, servers: float, start: str, end: str) -> Scenario:
        """Return a copy that also moves servers from one service to another.

        Raises
        ------
        ParameterError
            Where `servers` is not a number above 0.
        """
        return self._with("move", (start, end), amount=servers)

    def __add__(self, other: Scenario) -> Scenario:
        """Return both, one after the other."""
        if not isinstance(other, Scenario):
            return NotImplemented
        return Scenario(f"{self.name} + {other.name}", self.changes + other.changes)

    def apply(self, network: Network) -> Network:
        """Return `network` with the changes carried out in order; `network` stays as it is.

        Raises
        ------
        ParameterError
            Where changes do not fit, all of them together: a name that is not there, an attribute
            without a value.
        NetworkError
            Where the changed network is at fault.
        """
        import networkx as nx

        graph = copy.deepcopy(nx.DiGraph(network.graph))
        faults: list[Fault] = []
        for number, change in enumerate(self.changes, 1):
            where = f"scenario '{self.name}', change {number} ({change.words()})"
            try:
                CARRIED_OUT[change.kind](graph, change, where)
            except ParameterError as error:
                faults += error.faults
        if faults:
            raise ParameterError(faults, f"scenario '{self.name}'")
        try:
            return Network(graph)
        except NetworkError as error:
            source = f"scenario '{self.name}'"
            told = [dataclasses.replace(f, where=f"{source}: {f.where}") for f in error.faults]
            raise NetworkError(told, source) from error

    def to_dict(self) -> dict[str, Any]:
        """Return the scenario as plain values, for TOML or JSON."""
        return {"name": self.name, "changes": [change.to_dict() for change in self.changes]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Scenario:
        """Return the scenario that `to_dict` wrote.

        Raises
        ------
        ParameterError
            Where the document is not a scenario.
        """
        rows = document.get("changes", [])
        sound = isinstance(rows, list) and all(isinstance(row, Mapping) for row in rows)
        if not isinstance(document.get("name"), str) or not sound:
            message = "must have a name (a text) and changes (a list of tables)"
            raise ParameterError([Fault("scenario", "", "", message)])
        for number, row in enumerate(rows, 1):
            unknown = ", ".join(sorted(map(str, set(row) - FIELDS)))
            missing = ", ".join(sorted({"kind", "target"} - set(row)))
            if unknown or missing:
                known = ", ".join(sorted(FIELDS))
                message = f"has unknown keys ({unknown}); known are {known}"
                message = message if unknown else f"lacks {missing}"
                raise ParameterError([Fault(f"change {number}", "", "", message)])
        return cls(document["name"], tuple(Change(**row) for row in rows))

    def to_toml(self) -> str:
        """Return the scenario as TOML."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_toml(cls, text: str) -> Scenario:
        """Return the scenario of a TOML text.

        Raises
        ------
        ParameterError
            Where the text is not TOML, or not a scenario.
        """
        from flownet.readers.text import toml_of

        try:
            document = toml_of(text, "scenario")
        except ReadError as error:
            raise ParameterError(error.faults) from error
        return cls.from_dict(document)

    def __str__(self) -> str:
        """Return the changes in plain words, one a line."""
        lines = [f"  {n}. {change.words()}" for n, change in enumerate(self.changes, 1)]
        return "\n".join([f"Scenario '{self.name}'", *(lines or ["  changes nothing"])])

    def _repr_html_(self) -> str:
        return html_of_text(str(self))
