"""`Parameter`: one number of a network that a study varies, named in plain words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from flownet.errors import Fault, UnknownNameError
from flownet.network.attributes import ROUTE, SERVICE, Attribute
from flownet.network.model import Network, ServiceName
from flownet.network.values import nearest
from flownet.solvers.measures import split
from flownet.study.changes import EVERY, Change

NUMBERS = ("number", "probability", "whole")


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One number of a network, set or multiplied.

    Attributes
    ----------
    text : str
        How it is named: ``servers at Ward``, ``scale service_time at Ward of frail``,
        ``routing_probability on Ward -> Home``, ``scale external_arrival_rate`` (everywhere).
    attribute : str
        From the table of attributes.
    target : tuple
        A service, the two ends of a route, or ``('*',)`` for every service.
    job_class : str
        The class that it concerns; empty for every class.
    scale : bool
        Whether its values are factors.
    """

    text: str
    attribute: str
    target: tuple[ServiceName, ...]
    job_class: str = ""
    scale: bool = False

    @property
    def row(self) -> Attribute:
        """The attribute's row of the table."""
        return (ROUTE if len(self.target) == 2 else SERVICE)[self.attribute]

    @property
    def unit(self) -> str:
        """The unit of its values; T is the network's time unit."""
        return "-" if self.scale else self.row.unit

    def change(self, value: float) -> Change:
        """Return the change of a scenario that gives it this value."""
        kind = "scale" if self.scale else "set"
        given: Any = int(value) if self.row.kind == "whole" and value == int(value) else value
        return Change(kind, self.target, {self.attribute: given}, self.job_class)


def as_parameters(given: Iterable[str | Parameter], network: Network) -> tuple[Parameter, ...]:
    """Return the parameters that texts name, each once.

    Raises
    ------
    UnknownNameError
        With every text that names nothing here, and what is near.

    Examples
    --------
    >>> import flownet as fn
    >>> (found,) = as_parameters(["scale service_time at Frailty ward"], fn.example("urgent_care"))
    >>> found.attribute, found.target, found.scale
    ('service_time', ('Frailty ward',), True)
    """
    found: list[Parameter] = []
    faults: list[Fault] = []
    for item in given:
        try:
            made = item if isinstance(item, Parameter) else _parsed(str(item), network)
        except UnknownNameError as error:
            faults += error.faults
            continue
        if made.text in {other.text for other in found}:
            faults.append(Fault("parameter", "", f"'{made.text}'", "is named twice"))
        found.append(made)
    if faults:
        raise UnknownNameError(faults)
    return tuple(found)


def _parsed(text: str, network: Network) -> Parameter:
    words = " ".join(text.split())
    scale = words.startswith("scale ")
    rest, service, job_class = split(words.removeprefix("scale "), network)
    attribute, on, ends = rest.partition(" on ")
    target: tuple[ServiceName, ...] = (EVERY,)
    if on:
        target = _route(text, ends, network)
    elif service >= 0:
        target = (network.services[service],)
    table = ROUTE if on else SERVICE
    if attribute not in table or table[attribute].kind not in NUMBERS:
        raise _unknown(text, _hint(attribute, table, network))
    whom = network.classes[job_class] if job_class >= 0 else ""
    if whom and not table[attribute].by_class:
        raise _unknown(text, f"{attribute} is the same for every class: leave ' of {whom}' out")
    return Parameter(text, attribute, target, whom, scale)


def _route(text: str, ends: str, network: Network) -> tuple[ServiceName, ...]:
    names = {str(name): name for name in network.services}
    pairs = [
        (names[start], names[end])
        for start, arrow, end in (ends.partition(" -> "),)
        if arrow and start in names and end in names
    ]
    if not pairs or not network.graph.has_edge(*pairs[0]):
        known = [f"{start} -> {end}" for start, end in network.graph.edges]
        raise _unknown(text, f"'{ends}' is no route of the network{nearest(ends, known)}")
    return pairs[0]


def _hint(attribute: str, table: dict[str, Attribute], network: Network) -> str:
    name, word, asked = attribute.partition(" at ")
    if word and name in table:
        service, _, whom = asked.rpartition(" of ")
        if service in map(str, network.services):
            return f"'{whom}' is no class of the network{nearest(whom, network.classes)}"
        return f"'{asked}' is no service of the network{nearest(asked, network.services)}"
    name, word, asked = attribute.partition(" of ")
    if word and name in table:
        return f"'{asked}' is no class of the network{nearest(asked, network.classes)}"
    known = [name for name, row in table.items() if row.kind in NUMBERS]
    return f"'{attribute}' is no number of it; known are {', '.join(known)}{nearest(name, known)}"


def _unknown(text: str, message: str) -> UnknownNameError:
    return UnknownNameError([Fault("parameter", "", f"'{text}'", message)])
