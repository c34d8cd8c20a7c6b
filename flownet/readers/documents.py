"""`read` and `write`: one door for every file format of a network."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import networkx as nx

from flownet.errors import Fault, ReadError
from flownet.network.attributes import NETWORK, ROUTE, SERVICE
from flownet.network.model import Network
from flownet.readers.flat import flatten, number_of, unflatten, value_of
from flownet.readers.pathsimr import is_pathsimr, read_pathsimr
from flownet.readers.text import json_of, read_rows, read_text, toml_of, write_whole

LARGEST_DOCUMENT: Final = 200_000_000
FORMATS: Final = (".toml", ".json", ".graphml", ".csv", "a folder with services.csv and routes.csv")


def read(
    path: str | os.PathLike[str],
    routes: str | os.PathLike[str] | None = None,
    *,
    time_unit: str | None = None,
) -> Network:
    """Return the network that a file describes.

    Parameters
    ----------
    path : path
        ``.toml`` or ``.json`` (the canonical document, or networkx's node-link form), ``.graphml``,
        a ``.csv`` table of services, a folder that holds ``services.csv`` and ``routes.csv``, or
        PathSimR's network template (``.csv``).
    routes : path, optional
        The table of routes beside a table of services (``routes.csv`` beside it by default), or
        the calendar template beside PathSimR's network template.
    time_unit : str, optional
        For tables that do not declare one (PathSimR's never do).

    Raises
    ------
    ReadError
        Where the file is missing, unreadable, or not of a known format.
    NetworkError
        With every fault of the description.

    Examples
    --------
    >>> import flownet as fn
    >>> fn.example("stroke").time_unit
    'day'
    """
    return Network.from_dict(read_document(path, routes, time_unit=time_unit))


def read_document(
    path: str | os.PathLike[str],
    routes: str | os.PathLike[str] | None = None,
    *,
    time_unit: str | None = None,
) -> dict[str, Any]:
    """Return a file's canonical document, unchecked; see `read` for the parameters.

    Raises
    ------
    ReadError
        Where the file is missing, unreadable, or not of a known format.
    """
    source = Path(path)
    if source.is_dir():
        beside = source / "routes.csv" if routes is None else Path(routes)
        tables = _read_tables(source / "services.csv", beside, asked=routes is not None)
        return _with_unit(tables, time_unit)
    suffix = source.suffix.lower()
    if suffix == ".csv":
        if is_pathsimr(source):
            return read_pathsimr(source, None if routes is None else Path(routes), time_unit)
        beside = source.with_name("routes.csv") if routes is None else Path(routes)
        return _with_unit(_read_tables(source, beside, asked=routes is not None), time_unit)
    reader = _READERS.get(suffix)
    if reader is None:
        message = f"has no known format; known are {', '.join(FORMATS)}"
        raise ReadError([Fault(f"file '{source.name}'", "", "", message)], source.name)
    if routes is not None:
        message = f"holds its routes itself: '{Path(routes).name}' can only stand beside a .csv"
        raise ReadError([Fault(f"file '{source.name}'", "", "", message)], source.name)
    return _with_unit(reader(source), time_unit)


def write(network: Network, path: str | os.PathLike[str], *, node_link: bool = False) -> None:
    """Write `network` in the format that the path's ending names.

    Parameters
    ----------
    network : Network
        What to write.
    path : path
        ``.toml``, ``.json``, ``.graphml``, or a folder for ``services.csv`` and ``routes.csv``.
    node_link : bool
        Whether a ``.json`` file takes networkx's node-link form instead of the document's.

    Raises
    ------
    ReadError
        Where the ending is not known.
    OSError
        Where the place cannot be written; what stood there before is then still whole.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix == ".toml":
        import tomli_w

        write_whole(target, tomli_w.dumps(network.to_dict()))
    elif suffix == ".json":
        content = _node_link(network) if node_link else network.to_dict()
        write_whole(
            target, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        )
    elif suffix == ".graphml":
        write_whole(target, "\n".join(nx.generate_graphml(_flat_graph(network))) + "\n")
    elif suffix == "":
        _write_tables(network, target)
    else:
        message = f"cannot be written; known are {', '.join(FORMATS)}"
        raise ReadError([Fault(f"file '{target.name}'", "", "", message)], target.name)


def _with_unit(document: dict[str, Any], time_unit: str | None) -> dict[str, Any]:
    """Return the document with a time unit where it declares none."""
    network = document.get("network")
    if time_unit is not None and isinstance(network, dict) and not network.get("time_unit"):
        return {**document, "network": {**network, "time_unit": time_unit}}
    return document


def _read_toml(path: Path) -> dict[str, Any]:
    return toml_of(read_text(path, LARGEST_DOCUMENT), f"file '{path.name}'")


def _read_json(path: Path) -> dict[str, Any]:
    content = json_of(read_text(path, LARGEST_DOCUMENT), f"file '{path.name}'")
    if isinstance(content, dict) and "nodes" in content:
        return _from_node_link(content, path)
    if not isinstance(content, dict):
        message = "must hold an object with network, services and routes"
        raise ReadError([Fault(f"file '{path.name}'", "", "", message)], path.name)
    return content


def _node_link(network: Network) -> dict[str, Any]:
    """Return networkx's node-link form, with 'inf' as text."""
    document = network.to_dict()
    whole = dict(document["network"])
    if "classes" in document:
        whole["classes"] = document["classes"]
    return {
        "directed": True,
        "multigraph": False,
        "graph": whole,
        "nodes": [_renamed(row, {"name": "id"}) for row in document["services"]],
        "edges": [_renamed(row, {"from": "source", "to": "target"}) for row in document["routes"]],
    }


def _from_node_link(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the document of networkx's node-link form ('edges', or 'links' in older files)."""
    edges = content.get("edges", content.get("links", []))
    nodes, graph = content["nodes"], content.get("graph", {})
    shapes = isinstance(nodes, list) and isinstance(edges, list) and isinstance(graph, dict)
    if not shapes or not all(isinstance(row, dict) for row in [*nodes, *edges]):
        message = "is not networkx's node-link form: nodes and edges must be lists of objects"
        raise ReadError([Fault(f"file '{path.name}'", "", "", message)], path.name)
    network = {key: value for key, value in graph.items() if key != "classes"}
    document: dict[str, Any] = {"network": network}
    if graph.get("classes") is not None:
        document["classes"] = graph["classes"]
    document["services"] = [_renamed(row, {"id": "name"}) for row in nodes]
    document["routes"] = [
        _renamed(row, {"source": "from", "target": "to"}, drop=("key",)) for row in edges
    ]
    return document


def _renamed(
    row: dict[str, Any], names: dict[str, str], drop: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in row.items() if key not in drop}


def _flat_graph(network: Network) -> nx.DiGraph:
    """Return a graph that GraphML can hold: single values only, tables flattened by class."""
    document = network.to_dict()
    graph = nx.DiGraph()
    graph.graph.update(flatten({**document["network"], "classes": document.get("classes", {})}))
    for row in document["services"]:
        flat = flatten({key: value for key, value in row.items() if key != "name"})
        graph.add_node(row["name"], **flat)
    for row in document["routes"]:
        flat = flatten({key: value for key, value in row.items() if key not in {"from", "to"}})
        graph.add_edge(row["from"], row["to"], **flat)
    return graph


def _read_graphml(path: Path) -> dict[str, Any]:
    text = read_text(path, LARGEST_DOCUMENT)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        message = "declares a document type or entities, which no GraphML file needs: refused"
        raise ReadError([Fault(f"file '{path.name}'", "", "", message)], path.name)
    try:
        graph = nx.parse_graphml(text)
    except Exception as error:  # networkx and the XML parser raise errors of many families
        detail = str(error) or type(error).__name__
        where = f"file '{path.name}'"
        raise ReadError([Fault(where, "", "", f"is not GraphML: {detail}")], path.name) from error
    if not graph.is_directed() or graph.is_multigraph():
        message = "must hold a directed graph with at most one route a pair"
        raise ReadError([Fault(f"file '{path.name}'", "", "", message)], path.name)
    incidental = {"node_default", "edge_default"}
    whole = unflatten({k: v for k, v in graph.graph.items() if k not in incidental})
    classes = whole.pop("classes", {})
    document: dict[str, Any] = {"network": whole}
    if classes:
        document["classes"] = classes
    document["services"] = [
        {"name": node, **unflatten(_parsed(data, SERVICE))} for node, data in graph.nodes(data=True)
    ]
    document["routes"] = [
        {"from": start, "to": end, **unflatten(_parsed(data, ROUTE))}
        for start, end, data in graph.edges(data=True)
        for data in [{key: value for key, value in data.items() if key != "id"}]
    ]
    return document


def _parsed(data: dict[str, Any], attributes: Any) -> dict[str, Any]:
    """Return a row with its texts as the values of their attributes' kinds."""
    return {
        key: value_of(value, key, attributes) if isinstance(value, str) else value
        for key, value in data.items()
    }


def _read_tables(services: Path, routes: Path, *, asked: bool = False) -> dict[str, Any]:
    """Return the document of two tables; ``network.x`` and ``classes.x.y`` are of the whole.

    A table of routes that was not `asked` for by name may be missing.
    """
    rows = read_rows(services)
    whole: dict[str, Any] = {"network": {}, "classes": {}}
    listed = []
    for row in rows:
        of_whole = {k: v for k, v in row.items() if k.startswith(("network.", "classes."))}
        rest = {key: value for key, value in row.items() if key not in of_whole}
        for key, text in of_whole.items():
            value = value_of(text, key.partition(".")[2], NETWORK) if key[0] == "n" else text
            of_whole[key] = _class_value(value) if key[0] == "c" else value
        _merge(whole, unflatten(of_whole))
        listed.append(unflatten(_parsed(rest, SERVICE)))
    document = {"network": whole["network"], "services": listed}
    if whole["classes"]:
        document["classes"] = whole["classes"]
    given = read_rows(routes) if asked or routes.exists() else []
    document["routes"] = [unflatten(_parsed(row, ROUTE)) for row in given]
    return document


def _class_value(value: Any) -> Any:
    return number_of(value) if value != "{}" else value


def _merge(into: dict[str, Any], table: dict[str, Any]) -> None:
    for key, value in table.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _write_tables(network: Network, folder: Path) -> None:
    """Write services.csv and routes.csv; what belongs to the whole stands in the first row."""
    import pandas as pd

    document = network.to_dict()
    whole = {"network": document["network"]}
    if "classes" in document:
        whole["classes"] = document["classes"]
    services = [flatten(row) for row in document["services"]]
    services[0] = {**services[0], **flatten(whole)}
    routes = [flatten(row) for row in document["routes"]]
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows, columns in (
        ("services.csv", services, ["name"]),
        ("routes.csv", routes, ["from", "to"]),
    ):
        frame = pd.DataFrame(rows, dtype=object) if rows else pd.DataFrame(columns=columns)
        write_whole(folder / name, frame.to_csv(index=False))


_READERS: Final[dict[str, Callable[[Path], dict[str, Any]]]] = {
    ".toml": _read_toml,
    ".json": _read_json,
    ".graphml": _read_graphml,
}
