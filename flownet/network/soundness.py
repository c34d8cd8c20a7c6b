"""Whether a description is surely right, by columns: quick where a large network is sound."""

from __future__ import annotations

from collections.abc import Iterable
from types import NoneType
from typing import Any

import numpy as np

from flownet.kernels.compiled import CompiledNetwork
from flownet.kernels.traffic import reachable_states
from flownet.kernels.traffic_solvers import exit_weights, strong_components
from flownet.network.attributes import ROUTE, SERVICE, Attribute
from flownet.network.check import check_network
from flownet.network.columns import Column, Columns, kinds_of
from flownet.network.compile import Compilation, compile_columns
from flownet.network.values import LARGEST

KINDS: dict[str, set[type]] = {
    "number": {int, float},
    "probability": {int, float},
    "whole": {int},
    "boolean": {bool},
    "text": {str},
}
"""Types of the cells by kind of attribute; a column of another kind is left to `check_graph`."""
LONGEST_TEXT = 10_000
ROWS = (*SERVICE.values(), *ROUTE.values())
NEEDED = {"service_time"} | {row.name for row in ROWS if row.required}
SURE_EXIT = 1e-9
ROUNDING = 1e-12
RELATED = {
    "capacity",
    "waiting_room",
    "min_servers",
    "max_servers",
    "overflow_to",
    "to_class",
}
"""Attributes that are checked against others, or that let services block each other."""


def compiled_where_right(columns: Columns) -> Compilation | None:
    """Return the arrays of a description that is surely right and gives no cause for a warning.

    None does not mean that it is wrong: then `check_graph` decides, which looks at each service
    and route, and says what is wrong.
    """
    if check_network(columns.network, columns.classes) or RELATED & _carried(columns):
        return None
    if not (
        _names_are_right(columns) and cells_are_right(columns) and _shares_are_possible(columns)
    ):
        return None
    compilation = compile_columns(columns)
    arrays = compilation.arrays
    arriving = (arrays.external_arrival_rate > 0.0).any()
    if not arriving or not reachable_states(arrays).any(axis=1).all() or not _all_can_leave(arrays):
        return None
    return compilation


def _carried(columns: Columns) -> set[str]:
    return {*columns.services, *columns.routes}


def _names_are_right(columns: Columns) -> bool:
    names = [name for name in columns.names if isinstance(name, str)]
    short = all(0 < len(name) <= 200 for name in map(str.strip, names))
    return short and "".join(names).isprintable()


def _all_can_leave(arrays: CompiledNetwork) -> bool:
    """Return whether jobs surely leave every set of services that they can go round in."""
    start, to = arrays.route_start, arrays.route_to
    every = np.ones(start.size - 1, dtype=np.int64)
    component = strong_components(start, to, every)
    leaving = exit_weights(start, to, arrays.route_probability, component)
    return float(np.bincount(component, weights=leaving).min()) > SURE_EXIT


def _shares_are_possible(columns: Columns) -> bool:
    """Return whether no class leaves a service with more than certainty."""
    shares = np.asarray(columns.route_table("routing_probability"), dtype=np.float64)[:, :1]
    totals = np.bincount(columns.start, weights=shares.ravel(), minlength=len(columns.names))
    return bool((totals <= 1.0 + ROUNDING).all())


def cells_are_right(columns: Columns) -> bool:
    """Return whether every cell is surely right by itself.

    False does not mean that one is wrong: only `check_graph`, which looks at each of them, can
    tell, and say what.
    """
    return all(
        name in table and _is_right(column, table[name])
        for given, table in ((columns.services, SERVICE), (columns.routes, ROUTE))
        for name, column in given.items()
    )


def _is_right(column: Column, attribute: Attribute) -> bool:
    kinds = kinds_of(column)
    if NoneType in kinds and attribute.name in NEEDED:
        return False
    if not kinds - {NoneType} <= KINDS.get(attribute.kind, set()):
        return False
    if attribute.kind == "boolean":
        return True
    if attribute.kind == "text":
        return max(map(len, _present(column)), default=0) < LONGEST_TEXT
    return _in_range(column, attribute)


def _present(column: Column) -> Iterable[Any]:
    return (cell for cell in column if cell is not None)


def _in_range(column: Column, attribute: Attribute) -> bool:
    whole = isinstance(column, np.ndarray) or None not in column
    values = np.asarray(column if whole else list(_present(column)), dtype=np.float64)
    above = values > attribute.low if attribute.low_open else values >= attribute.low
    below = values <= min(attribute.high, LARGEST)
    if attribute.infinite:
        below |= values == np.inf
    return bool((above & below).all())
