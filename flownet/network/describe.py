"""From what a caller offers (a document, a graph, rows of tables) to a graph of plain values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, cast

import networkx as nx

from flownet.errors import Fault, InputError
from flownet.network.columns import ServiceName
from flownet.network.values import is_absent, nearest, plain


def graph_of_document(document: Mapping[str, Any]) -> tuple[nx.DiGraph, list[Fault]]:
    """Return the graph of a document, and the faults of its outer form."""
    faults: list[Fault] = []
    graph = nx.DiGraph()
    if not isinstance(document, Mapping):
        return graph, [Fault("document", "", "", "must be a table with [network] and [[services]]")]
    known = ("network", "classes", "services", "routes")
    for key in document:
        if key not in known:
            message = f"is not known; known are {', '.join(known)}{nearest(key, known)}"
            faults.append(Fault("document", str(key), "", message))
    network = document.get("network")
    if isinstance(network, Mapping):
        graph.graph.update({str(key): value for key, value in network.items() if value is not None})
    else:
        faults.append(
            Fault("document", "network", "", "a table [network] with time_unit is needed")
        )
    classes = document.get("classes")
    if isinstance(classes, Mapping):
        graph.graph["classes"] = {str(key): value for key, value in classes.items()}
    elif classes is not None:
        faults.append(Fault("document", "classes", "", "must be a table with one table a class"))
    _add_services(graph, document.get("services"), faults)
    _add_routes(graph, document.get("routes"), faults)
    return graph, faults


def _add_services(graph: nx.DiGraph, rows: Any, faults: list[Fault]) -> None:
    if not isinstance(rows, (list, tuple)) or not rows:
        faults.append(
            Fault("document", "services", "", "a list with at least one service is needed")
        )
        return
    for number, row in enumerate(rows, start=1):
        where = f"service no. {number}"
        if not isinstance(row, Mapping):
            faults.append(Fault(where, "", "", "must be a table"))
            continue
        name = row.get("name")
        if not isinstance(name, (str, int)) or isinstance(name, bool) or name == "":
            faults.append(Fault(where, "name", repr(name)[:60], "a name is needed (a text)"))
            continue
        if name in graph:
            faults.append(Fault(f"service '{name}'", "name", "", "stands twice; names are unique"))
            continue
        attributes = {k: v for k, v in row.items() if k != "name" and v is not None}
        graph.add_node(name, **{str(k): v for k, v in attributes.items()})


def _add_routes(graph: nx.DiGraph, rows: Any, faults: list[Fault]) -> None:
    if rows is None:
        return
    if not isinstance(rows, (list, tuple)):
        faults.append(Fault("document", "routes", "", "must be a list of tables"))
        return
    for number, row in enumerate(rows, start=1):
        where = f"route no. {number}"
        if not isinstance(row, Mapping):
            faults.append(Fault(where, "", "", "must be a table with from and to"))
            continue
        ends = (row.get("from"), row.get("to"))
        bad = False
        for key, end in zip(("from", "to"), ends, strict=True):
            if not isinstance(end, (str, int)) or end not in graph:
                hint = nearest(end, graph.nodes) if end is not None else ""
                message = f"must name a service of this network{hint}"
                faults.append(Fault(where, key, repr(end)[:60], message))
                bad = True
        if bad:
            continue
        if graph.has_edge(*ends):
            message = "stands twice; give one route a pair, with tables by class where they differ"
            faults.append(Fault(f"route '{ends[0]}' -> '{ends[1]}'", "", "", message))
            continue
        attributes = {k: v for k, v in row.items() if k not in {"from", "to"} and v is not None}
        graph.add_edge(*ends, **{str(k): v for k, v in attributes.items()})


def own_copy(graph: nx.DiGraph) -> nx.DiGraph:
    """Return a deep copy with plain values; names that are no text or whole number as text."""
    own = nx.DiGraph()
    own.graph.update(
        {k: plain(v) for k, v in graph.graph.items() if v is not None and not _is_incidental(k)}
    )
    for node, data in graph.nodes(data=True):
        own.add_node(_key(node), **{str(k): plain(v) for k, v in data.items() if v is not None})
    for start, end, data in graph.edges(data=True):
        attributes = {str(k): plain(v) for k, v in data.items() if v is not None}
        own.add_edge(_key(start), _key(end), **attributes)
    return own


def _is_incidental(key: object) -> bool:
    """Return whether a graph attribute was put there by networkx's own readers."""
    return key in {"node_default", "edge_default"}


def _key(node: Hashable) -> ServiceName:
    if isinstance(node, str) or (isinstance(node, int) and not isinstance(node, bool)):
        return node
    return str(node)


def rows_of(table: Any, index: str | None) -> list[Mapping[str, Any]]:
    """Return the rows of a DataFrame or of an iterable of mappings."""
    if hasattr(table, "to_dict") and hasattr(table, "columns"):
        frame = table
        if index is not None and index not in frame.columns:
            frame = frame.rename_axis(index).reset_index()
        return cast("list[Mapping[str, Any]]", frame.to_dict(orient="records"))
    try:
        rows = list(table)
    except TypeError as error:
        message = "must be a DataFrame or a list of mappings"
        raise InputError([Fault("table", "", type(table).__name__, message)]) from error
    return rows


def row_of(row: Any) -> Any:
    """Return a row without its empty cells, columns ``attribute.class`` gathered into tables."""
    if not isinstance(row, Mapping):
        return row
    gathered: dict[str, Any] = {}
    for key, raw in row.items():
        value = plain(raw)
        if is_absent(value):
            continue
        attribute, dot, job_class = str(key).partition(".")
        if dot and isinstance(gathered.setdefault(attribute, {}), dict):
            gathered[attribute][job_class] = value
        else:
            gathered[str(key)] = value
    return gathered
