"""A description by columns: for each attribute one list or array, a cell for each service or route.

Large networks are read, checked and compiled so, without a Python object for each of their parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from types import NoneType
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from flownet.kernels.compiled import Floats, Integers
from flownet.network.attributes import ROUTE, SERVICE, Attribute
from flownet.network.resolve import declared_classes, per_class
from flownet.network.values import plain

ServiceName = str | int
"""A service's name: a text, or a whole number where the caller's graph has such nodes."""
Column = list[Any] | NDArray[Any]
"""Cells in the order of the services or routes; None in a list where the attribute is absent. An
array has no absent cells."""

SCALARS = {int, float, str, bool, NoneType}


@dataclass(frozen=True)
class Columns:
    """A description whose values went through `plain`, by columns.

    Attributes
    ----------
    network : mapping
        The attributes of the network, ``classes`` among them.
    names : tuple
        The services' names.
    start, end : numpy.ndarray
        (m,) positions of the services between which each route runs.
    services, routes : mapping
        A column for each attribute that any service or route carries.
    """

    network: Mapping[str, Any]
    names: tuple[ServiceName, ...]
    start: Integers
    end: Integers
    services: Mapping[str, Column]
    routes: Mapping[str, Column]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the job classes."""
        return declared_classes(self.network)

    def graph(self) -> nx.DiGraph:
        """Return the networkx graph that says the same."""
        graph = nx.DiGraph(**self.network)
        graph.add_nodes_from(zip(self.names, _rows(self.services, len(self.names)), strict=True))
        names = self.names
        ends = ((names[i], names[j]) for i, j in zip(self.start, self.end, strict=True))
        rows = _rows(self.routes, self.start.size)
        graph.add_edges_from((u, v, row) for (u, v), row in zip(ends, rows, strict=True))
        return graph

    def service(self, name: str) -> Column:
        """Return an attribute of the services, its default where absent."""
        return _filled(self.services.get(name), SERVICE[name], len(self.names))

    def service_table(self, name: str) -> Floats:
        """Return (n, R) a numeric attribute of the services by class."""
        return by_class(self.service(name), SERVICE[name], self.classes)

    def route_table(self, name: str) -> NDArray[Any]:
        """Return (m, R) an attribute of the routes by class, as it stands."""
        column = _filled(self.routes.get(name), ROUTE[name], self.start.size)
        return by_class(column, ROUTE[name], self.classes)


def by_class(column: Column, attribute: Attribute, classes: Sequence[str]) -> NDArray[Any]:
    """Return (cells, R) a column whose cells may be tables by class."""
    if isinstance(column, list) and dict in set(map(type, column)):
        rows = [per_class({attribute.name: cell}, attribute, classes) for cell in column]
        return np.array(rows)
    return np.repeat(np.asarray(column)[:, np.newaxis], len(classes), axis=1)


def columns_of(graph: nx.DiGraph) -> Columns:
    """Return the columns of a graph whose values went through `plain`."""
    nodes = dict(graph.nodes(data=True))
    neighbors = [onward for _, onward in graph.adjacency()]
    index = {name: number for number, name in enumerate(nodes)}
    ends = map(index.__getitem__, chain.from_iterable(neighbors))
    counts = np.fromiter(map(len, neighbors), dtype=np.int64, count=len(nodes))
    start = np.repeat(np.arange(len(nodes)), counts)
    return Columns(
        network=dict(graph.graph),
        names=tuple(nodes),
        start=start,
        end=np.fromiter(ends, dtype=np.int64, count=start.size),
        services=_gathered(list(nodes.values())),
        routes=_gathered(list(chain.from_iterable(each.values() for each in neighbors))),
    )


def _gathered(rows: list[Mapping[str, Any]]) -> dict[str, Column]:
    return {key: [row.get(key) for row in rows] for key in set(chain.from_iterable(rows))}


def made_plain(columns: Columns) -> Columns | None:
    """Return columns as `plain` makes their values, of a graph as a caller offers it.

    None where names, keys or cells are of kinds that only a look at every one can judge.
    """
    made = []
    offered: tuple[Mapping[Any, Column], ...] = (columns.services, columns.routes)
    for given in offered:
        plainer: dict[str, Column] = {}
        for key, column in given.items():
            kinds = kinds_of(column)
            if not isinstance(key, str) or not kinds <= SCALARS:
                return None
            plainer[key] = [plain(cell) for cell in column] if str in kinds else column
        made.append(plainer)
    if set(map(type, columns.names)) not in ({str}, {int}):
        return None
    network = {str(k): plain(v) for k, v in columns.network.items() if v is not None}
    return replace(columns, network=network, services=made[0], routes=made[1])


def _rows(columns: Mapping[str, Column], count: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, column in columns.items():
        cells = column if isinstance(column, list) else column.tolist()
        for row, cell in zip(rows, cells, strict=True):
            if cell is not None:
                row[name] = cell
    return rows


def _filled(column: Column | None, attribute: Attribute, count: int) -> Column:
    """Return a column with the attribute's default in its absent cells."""
    if column is None:
        return np.full(count, attribute.default)
    if isinstance(column, list) and None in column:
        return [attribute.default if cell is None else cell for cell in column]
    return column


def columns_of_tables(services: Any, routes: Any, network: Mapping[str, Any]) -> Columns | None:
    """Return the columns of two DataFrames; None where only a look at each row can judge."""
    if not (services.columns.is_unique and routes.columns.is_unique):
        return None
    if "name" in services.columns:
        services = services.set_index("name")
    names, onward = services.index, dict(routes.items())
    if not names.is_unique or not {"from", "to"} <= onward.keys():
        return None
    start, end = (_positions(names, onward.pop(side)) for side in ("from", "to"))
    pairs = np.sort(start * len(names) + end)
    if min(start.min(initial=0), end.min(initial=0)) < 0 or (np.diff(pairs) == 0).any():
        return None
    columns = Columns(
        network=network,
        names=tuple(names.tolist()),
        start=start,
        end=end,
        services={key: _cells(column) for key, column in services.items()},
        routes={key: _cells(column) for key, column in onward.items()},
    )
    return made_plain(columns)


def _positions(names: Any, ends: Any) -> Integers:
    """Return where each end stands among the names (a pandas index); -1 where it does not."""
    counted = getattr(names, "step", None) == 1 and names.start == 0
    if counted and isinstance(ends.dtype, np.dtype) and ends.dtype.kind == "i":
        numbers: Integers = np.asarray(ends, dtype=np.int64)
        return np.where((numbers >= 0) & (numbers < len(names)), numbers, -1)
    found: Integers = names.get_indexer(ends).astype(np.int64)
    return found


def _cells(column: Any) -> Column:
    """Return a DataFrame's column with None for its empty cells, which only a list can hold."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        values: NDArray[Any] = column.to_numpy().copy()
        if values.dtype.kind != "f" or not np.isnan(values).any():
            return values
    cells = column.astype(object).to_numpy().copy()
    cells[column.isna().to_numpy()] = None
    return list(cells)


def kinds_of(column: Column) -> set[type]:
    """Return the types of a column's cells."""
    if isinstance(column, list):
        return set(map(type, column))
    kinds = {"f": float, "i": int, "u": int, "b": bool}
    return {kinds.get(column.dtype.kind, object)}
