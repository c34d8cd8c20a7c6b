"""`Network`: an immutable description of services, routes and job classes on a networkx graph."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import networkx as nx

from flownet.errors import Fault, NetworkError, UnknownNameError
from flownet.network.attributes import DEFAULT_CLASS, NETWORK
from flownet.network.check import check_graph, check_shape
from flownet.network.columns import (
    Columns,
    ServiceName,
    columns_of,
    columns_of_tables,
    made_plain,
)
from flownet.network.describe import graph_of_document, own_copy, row_of, rows_of
from flownet.network.values import nearest

if TYPE_CHECKING:
    from flownet.network.compile import Compilation

__all__ = ["Network", "ServiceName", "Table", "check"]

Table = Any
"""A pandas DataFrame, or an iterable of mappings, one a row."""
LARGE = 50
"""From so many services on, a network is checked and kept by columns."""


class Network:
    """A system of services through which jobs flow; it never changes once it is made.

    Construct it with `from_graph`, `from_dict`, `from_tables` or `flownet.read`. Construction
    checks everything and raises `NetworkError` with all faults together.

    Attributes
    ----------
    graph : networkx.DiGraph
        Services as nodes and routes as edges, with the attributes of the attribute table; frozen.
        ``graph.graph`` holds the attributes of the network and ``classes``.
    warnings : tuple of Fault
        What is legal but deserves a look, such as a cycle of blocking that can deadlock.

    Examples
    --------
    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"name": "clinic", "time_unit": "hour"},
    ...     "services": [{"name": "desk", "servers": 2, "service_time": 0.1,
    ...                   "external_arrival_rate": 15.0}],
    ... })
    >>> network.services
    ('desk',)
    """

    __slots__ = ("_columns", "_compilation", "_graph", "_warnings")

    def __init__(self, graph: nx.DiGraph | Columns) -> None:
        """Check `graph` and keep a frozen copy; `from_graph` is the same by another name."""
        self._graph: nx.DiGraph | None = None
        self._columns: Columns | None = None
        self._compilation: Compilation | None = None
        self._warnings: tuple[Fault, ...] = ()
        if isinstance(graph, Columns):
            columns: Columns | None = graph
        else:
            faults = check_shape(graph)
            if faults:
                raise NetworkError(faults)
            large = len(graph) >= LARGE
            columns = made_plain(columns_of(graph)) if large else None
        if columns is not None:
            from flownet.network.soundness import compiled_where_right  # starts numba

            self._compilation = compiled_where_right(columns)
            if self._compilation is not None:
                self._columns = columns
                return
        own = graph.graph() if isinstance(graph, Columns) else own_copy(graph)
        faults = check_graph(own)
        errors = [fault for fault in faults if fault.severity == "error"]
        if errors:
            raise NetworkError(errors, str(own.graph.get("name") or ""))
        self._graph = nx.freeze(own)
        self._warnings = tuple(fault for fault in faults if fault.severity == "warning")

    # construction

    @classmethod
    def from_graph(cls, graph: nx.DiGraph) -> Network:
        """Return the network that a directed networkx graph describes.

        Parameters
        ----------
        graph : networkx.DiGraph
            Nodes and edges carry the attributes of the attribute table; ``graph.graph`` carries
            those of the network (``time_unit`` is required) and ``classes``. It is not changed.

        Raises
        ------
        NetworkError
            With every fault of the description.
        """
        return cls(graph)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Network:
        """Return the network of a document with ``network``, ``classes``, ``services``, ``routes``.

        Raises
        ------
        NetworkError
            With every fault of the document.
        """
        graph, faults = graph_of_document(document)
        if faults:
            # what could be read is checked too, so that one look shows every fault
            read = bool(graph.graph) or len(graph) > 0
            rest = check_graph(own_copy(graph), complete=False) if read else []
            errors = [*faults, *(fault for fault in rest if fault.severity == "error")]
            raise NetworkError(errors)
        return cls(graph)

    @classmethod
    def from_tables(
        cls,
        services: Table,
        routes: Table = (),
        *,
        time_unit: str,
        classes: Mapping[str, Mapping[str, Any]] | None = None,
        **network: Any,
    ) -> Network:
        """Return the network of two tables, one row a service and one row a route.

        Parameters
        ----------
        services : pandas.DataFrame or iterable of mappings
            Columns as the attributes of a service; ``name`` may be the index. A column
            ``attribute.class`` gives the value of one class; an empty cell (None, nan) is absent.
        routes : pandas.DataFrame or iterable of mappings
            Columns ``from``, ``to`` and the attributes of a route.
        time_unit : str
            The unit of all times and rates.
        classes : mapping, optional
            Job classes and their attributes.
        **network
            Further attributes of the network, such as ``name`` and ``currency``.

        Raises
        ------
        NetworkError
            With every fault of the tables.
        """
        about = {"time_unit": time_unit, **network}
        if classes is None and _is_large(services) and hasattr(routes, "columns"):
            columns = columns_of_tables(services, routes, about)
            if columns is not None:
                return cls(columns)
        document: dict[str, Any] = {
            "network": about,
            "services": [row_of(row) for row in rows_of(services, "name")],
            "routes": [row_of(row) for row in rows_of(routes, None)],
        }
        if classes:
            document["classes"] = {name: dict(attributes) for name, attributes in classes.items()}
        return cls.from_dict(document)

    # what it holds

    @property
    def graph(self) -> nx.DiGraph:
        """The frozen networkx graph; any networkx algorithm takes it."""
        if self._graph is None and self._columns is not None:
            self._graph = nx.freeze(self._columns.graph())
        return self._graph

    @property
    def compilation(self) -> Compilation | None:
        """The arrays, where checking a large network has brought them along."""
        return self._compilation

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """What is legal but deserves a look."""
        return self._warnings

    @property
    def name(self) -> str:
        """The network's name."""
        return str(self._about.get("name", NETWORK["name"].default))

    @property
    def time_unit(self) -> str:
        """The unit of all times and rates."""
        return str(self._about["time_unit"])

    @property
    def currency(self) -> str:
        """The money of all costs; empty where none is declared."""
        return str(self._about.get("currency", ""))

    @property
    def services(self) -> tuple[ServiceName, ...]:
        """Names of the services, in the order of the description."""
        return self._columns.names if self._columns is not None else tuple(self.graph.nodes)

    @property
    def _about(self) -> Mapping[str, Any]:
        """The attributes of the network, and its classes."""
        return self._columns.network if self._columns is not None else self.graph.graph

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the job classes; ``('all',)`` where none is declared."""
        return tuple(self._about.get("classes", {})) or (DEFAULT_CLASS,)

    def given(self, attribute: str) -> list[Any]:
        """Return what the description gives for an attribute of each service; None where absent."""
        if self._columns is None:
            return [data.get(attribute) for _, data in self.graph.nodes(data=True)]
        column = self._columns.services.get(attribute, [None] * len(self.services))
        return column if isinstance(column, list) else column.tolist()

    def label(self, service: ServiceName) -> str:
        """Return what reports call `service`: its label, or its name."""
        return str(self.graph.nodes[service].get("label") or service)

    def organisation(self, service: ServiceName) -> str:
        """Return who owns `service`; empty where nobody is named."""
        return str(self.graph.nodes[service].get("organisation", ""))

    # what becomes of it

    def to_dict(self) -> dict[str, Any]:
        """Return the canonical document; ``from_dict`` of it gives an equal network."""
        attributes = {k: v for k, v in self.graph.graph.items() if k != "classes"}
        document: dict[str, Any] = {"network": _written(attributes)}
        if self.graph.graph.get("classes"):
            document["classes"] = _written(self.graph.graph["classes"])
        document["services"] = [
            {"name": str(name), **_written(data)} for name, data in self.graph.nodes(data=True)
        ]
        document["routes"] = [
            {"from": str(u), "to": str(v), **_written(data)}
            for u, v, data in self.graph.edges(data=True)
        ]
        return document

    def replace(
        self,
        services: Mapping[Any, Mapping[str, Any]] | None = None,
        routes: Mapping[tuple[Any, Any], Mapping[str, Any]] | None = None,
        network: Mapping[str, Any] | None = None,
    ) -> Network:
        """Return a copy with some attributes changed; None removes an attribute.

        Parameters
        ----------
        services : mapping, optional
            ``{service: {attribute: value}}``.
        routes : mapping, optional
            ``{(from, to): {attribute: value}}``; a pair that has no route gets one.
        network : mapping, optional
            Attributes of the network itself.

        Raises
        ------
        UnknownNameError
            Where a service does not exist.
        NetworkError
            Where the changed network is at fault.
        """
        graph = nx.DiGraph(self.graph)
        graph.graph = copy.deepcopy(self.graph.graph)
        for service, changes in (services or {}).items():
            _change(graph.nodes[self._known(service)], changes)
        for (start, end), changes in (routes or {}).items():
            pair = (self._known(start), self._known(end))
            if pair not in graph.edges:
                graph.add_edge(*pair)
            _change(graph.edges[pair], changes)
        _change(graph.graph, network or {})
        return Network(graph)

    def _known(self, service: ServiceName) -> ServiceName:
        if service in self.graph:
            return service
        hint = nearest(service, self.graph.nodes)
        fault = Fault(f"service '{service}'", "", "", f"is not in the network{hint}")
        raise UnknownNameError([fault])

    def __eq__(self, other: object) -> bool:
        """Return whether the two describe the same: services, routes, classes, every value."""
        if not isinstance(other, Network):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        """Hash by name and size, which equal networks share."""
        return hash((self.name, self.time_unit, len(self.graph), self.graph.number_of_edges()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the plain graph; the check runs again on arrival."""
        return Network, (nx.DiGraph(self.graph),)

    def __repr__(self) -> str:
        """Return three lines: what it is, its size, its first warning."""
        graph = self.graph
        lines = [
            f"Network '{self.name}' ({self.time_unit})",
            f"  {len(graph)} services, {graph.number_of_edges()} routes, "
            f"{len(self.classes)} job classes",
        ]
        if self._warnings:
            lines.append(f"  warning: {self._warnings[0]}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from flownet.display import html_of_text

        return html_of_text(repr(self))


def _written(value: Any) -> Any:
    """Return `value` as a document holds it: 'inf' as text, tables and lists copied."""
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_written(item) for item in value]
    if isinstance(value, float) and value == math.inf:
        return "inf"
    return value


def _change(attributes: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if value is None:
            attributes.pop(name, None)
        else:
            attributes[name] = value


def _is_large(table: Any) -> bool:
    return hasattr(table, "columns") and len(table) >= LARGE


def check(description: Mapping[str, Any] | nx.DiGraph | Network) -> tuple[Fault, ...]:
    """Return every fault and warning of a description, without raising.

    Parameters
    ----------
    description : mapping, networkx.DiGraph or Network
        A document (see `Network.to_dict`), a graph that carries the attributes, or a network.

    Returns
    -------
    tuple of Fault
        Errors first; empty where all is well.
    """
    try:
        if isinstance(description, Network):
            network = description
        elif isinstance(description, Mapping):
            network = Network.from_dict(description)
        else:
            network = Network.from_graph(description)
    except NetworkError as error:
        return error.faults
    return network.warnings
