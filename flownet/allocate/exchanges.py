"""Exchanges: which servers may be moved where, how many they become there, and at what cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats, Integers
from flownet.network.model import ServiceName
from flownet.network.values import is_absent, nearest, shown

COLUMNS: Final = ("from", "to", "rate", "cost", "limit", "training")
_DEFAULTS: Final = {"rate": 1.0, "cost": 0.0, "limit": math.inf, "training": 0.0}
_MINTS: Final = 1e-9
"""A loop that multiplies by more than 1 and this creates capacity; less is rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Exchanges:
    """Permitted moves of servers, one entry a direction; the arrays are read-only.

    Attributes
    ----------
    services : tuple
        The services' names, to which `start` and `end` point.
    start, end : numpy.ndarray
        (m,) the service that gives, and the one that receives.
    rate : numpy.ndarray
        (m,) servers gained at `end` for each one given up at `start`.
    cost : numpy.ndarray
        (m,) money per T for each server given up.
    limit : numpy.ndarray
        (m,) the most servers of `start` that may move; ``inf`` where there is no limit.
    training : numpy.ndarray
        (m,) money per T once anything is moved, however much.
    """

    services: tuple[ServiceName, ...]
    start: Integers
    end: Integers
    rate: Floats
    cost: Floats
    limit: Floats
    training: Floats

    def __len__(self) -> int:
        """Return how many moves are permitted."""
        return int(self.start.size)

    def label(self, k: int) -> str:
        """Return a permitted move as 'from -> to'."""
        return f"{self.services[self.start[k]]} -> {self.services[self.end[k]]}"


def check_exchanges(rows: Any, services: Sequence[ServiceName]) -> Exchanges:
    """Return a table of permitted moves as arrays, or refuse it with all its faults.

    Parameters
    ----------
    rows : None, list of dict, list of tuple, or pandas.DataFrame
        Each row: ``from`` and ``to`` (services), ``rate`` (servers of `to` gained per server of
        `from` given up, >= 0, default 1), ``cost`` (money per T and server given up, >= 0,
        default 0), ``limit`` (most servers of `from` that may move, >= 0, default no limit),
        ``training`` (money per T once anything is moved, >= 0, default 0); tuples in that order.
    services : sequence
        The network's services.

    Returns
    -------
    Exchanges
        Empty where `rows` is None.

    Raises
    ------
    ParameterError
        For a service or column that does not exist, a move from a service to itself, a negative
        or non-finite figure, or a loop of moves that multiplies servers.

    Examples
    --------
    >>> table = check_exchanges([{"from": "ward", "to": "home care", "rate": 2.3}],
    ...                         ["ward", "home care"])
    >>> len(table), table.label(0), float(table.rate[0])
    (1, 'ward -> home care', 2.3)
    >>> check_exchanges([("ward", "home", 2.0), ("home", "ward", 0.6)], ["ward", "home"])
    Traceback (most recent call last):
        ...
    flownet.errors.ParameterError: exchanges: the loop ward -> home -> ward makes 1.2 servers ...
    """
    faults: list[Fault] = []
    index: dict[Any, int] = {str(name): k for k, name in enumerate(services)}
    index.update({name: k for k, name in enumerate(services)})
    read = [_read_row(k, row, index, faults) for k, row in enumerate(_rows(rows), start=1)]
    if faults:
        raise ParameterError(faults, "exchanges")
    columns = list(zip(*read, strict=True)) or [()] * len(COLUMNS)
    start, end = (_frozen(np.array(column, dtype=np.int64)) for column in columns[:2])
    figures = [_frozen(np.array(c, dtype=np.float64)) for c in columns[2:]]
    exchanges = Exchanges(tuple(services), start, end, *figures)
    loop = _loop_that_mints(exchanges)
    if loop:
        raise ParameterError(_loop_message(exchanges, loop), "exchanges")
    return exchanges


def check_money(exchanges: Exchanges, price: Floats, refund: Floats) -> None:
    """Refuse prices and refunds that make money out of nothing, moves on the way included.

    Parameters
    ----------
    exchanges : Exchanges
        The permitted moves.
    price : numpy.ndarray
        (n,) of one more server; nan where none can be bought.
    refund : numpy.ndarray
        (n,) for one server given up; nan where none may be.

    Raises
    ------
    ParameterError
        With the loop: bought, moved, given up for more than was paid.

    Examples
    --------
    >>> none = check_exchanges(None, ["ward"])
    >>> check_money(none, np.array([100.0]), np.array([120.0]))
    Traceback (most recent call last):
        ...
    flownet.errors.ParameterError: reallocate: the loop money -> ward -> money makes 1.2 of one ...
    """
    money = len(exchanges.services)
    back = np.flatnonzero(np.nan_to_num(refund) > 0)
    buy = np.flatnonzero(np.nan_to_num(price) > 0)
    nothing = np.zeros(back.size + buy.size)
    table = Exchanges(
        (*exchanges.services, "money"),
        np.concatenate([exchanges.start, back, np.full(buy.size, money)]).astype(np.int64),
        np.concatenate([exchanges.end, np.full(back.size, money), buy]).astype(np.int64),
        np.concatenate([exchanges.rate, refund[back], 1.0 / price[buy]]),
        np.concatenate([exchanges.cost, nothing]),
        np.concatenate([exchanges.limit, nothing + math.inf]),
        np.concatenate([exchanges.training, nothing]),
    )
    loop = _loop_that_mints(table) if back.size else []
    if loop:
        first = [int(table.start[k]) for k in loop].index(money)
        ordered = loop[first:] + loop[:first]
        names = [str(table.services[table.start[k]]) for k in ordered]
        gain = float(np.prod(table.rate[ordered]))
        message = (
            f"the loop {' -> '.join([*names, 'money'])} makes {gain:.6g} of one unit of money, "
            "again and again: what is given up may not save more than what it was bought for"
        )
        raise ParameterError(message, "reallocate")


def _frozen(array: Any) -> Any:
    array.setflags(write=False)
    return array


def _rows(rows: Any) -> Sequence[Any]:
    """Return the rows of a table as dicts or tuples."""
    if rows is None:
        return []
    if hasattr(rows, "columns") and hasattr(rows, "to_dict"):  # a DataFrame, without its import
        return list(rows.to_dict("records"))
    if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Sequence):
        message = (
            "must be a list of rows or a DataFrame, with the columns from, to, rate, cost, limit, "
            "training"
        )
        raise ParameterError([Fault("exchanges", "", shown(rows), message)])
    return rows


def _read_row(
    number: int, row: Any, index: Mapping[Any, int], faults: list[Fault]
) -> tuple[int, int, float, float, float, float]:
    """Return the row's figures; what is wrong with it goes into `faults`."""
    where = f"exchange {number}"
    cells = _cells(where, row, faults)
    ends = [_service(where, cells, column, index, faults) for column in ("from", "to")]
    if ends[0] == ends[1] >= 0:
        message = "leads back to where it starts: a move needs two services"
        faults.append(Fault(where, "to", shown(cells["to"]), message))
    rate, cost, limit, training = (_figure(where, cells, c, faults) for c in COLUMNS[2:])
    return ends[0], ends[1], rate, cost, limit, training


def _cells(where: str, row: Any, faults: list[Fault]) -> dict[str, Any]:
    """Return the row's cells by column, absent ones left out."""
    if isinstance(row, Mapping):
        for column in row:
            if column not in COLUMNS:
                message = f"is not a column{nearest(column, COLUMNS)}; {', '.join(COLUMNS)} are"
                faults.append(Fault(where, str(column), "", message))
        return {c: row[c] for c in COLUMNS if c in row and not is_absent(row[c])}
    if isinstance(row, Sequence) and not isinstance(row, str) and 2 <= len(row) <= len(COLUMNS):
        return {c: v for c, v in zip(COLUMNS, row, strict=False) if not is_absent(v)}
    message = "must be a table or a tuple of from, to and, if need be, rate, cost, limit, training"
    faults.append(Fault(where, "", shown(row), message))
    return {}


def _service(
    where: str, cells: Mapping[str, Any], column: str, index: Mapping[Any, int], faults: list[Fault]
) -> int:
    if column not in cells:
        faults.append(Fault(where, column, "", "is missing: it names a service"))
        return -1
    name = cells[column]
    try:
        return index[name]
    except (KeyError, TypeError):
        message = f"is not a service of the network{nearest(name, index)}"
        faults.append(Fault(where, column, shown(name), message))
        return -1


def _figure(where: str, cells: Mapping[str, Any], column: str, faults: list[Fault]) -> float:
    value = cells.get(column, _DEFAULTS[column])
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if number >= 0 and (column == "limit" or math.isfinite(number)):
        return number
    kind = "a number that is not negative" + (", or 'inf'" if column == "limit" else "")
    faults.append(Fault(where, column, shown(value), f"must be {kind}"))
    return _DEFAULTS[column]


def _loop_that_mints(exchanges: Exchanges) -> list[int]:
    r"""Return the entries of a loop with a product of rates above 1; empty where there is none.

    Bellman and Ford's search for a negative loop at the lengths -ln(rate).
    """
    open_entries = np.flatnonzero((exchanges.rate > 0) & (exchanges.limit > 0))
    if open_entries.size == 0:
        return []
    start, end = exchanges.start[open_entries], exchanges.end[open_entries]
    length = -np.log(exchanges.rate[open_entries])
    count = len(exchanges.services)
    distance = np.zeros(count)
    came_by = np.full(count, -1, dtype=np.int64)
    for _ in range(count + 1):
        reached = distance[start] + length
        better = np.flatnonzero(reached < distance[end] - _MINTS)
        if better.size == 0:
            return []
        order = better[np.argsort(-reached[better], kind="stable")]  # the shortest is written last
        distance[end[order]] = reached[order]
        came_by[end[order]] = order
        loop = _loop_of(came_by, start)
        if loop and length[loop].sum() < -_MINTS:
            return [int(k) for k in open_entries[loop]]
    return []


def _loop_of(came_by: Integers, start: Integers) -> list[int]:
    """Return the entries of a loop among the ways by which services were reached."""
    seen = np.zeros(came_by.size, dtype=np.int64)
    for first in np.flatnonzero(came_by >= 0).tolist():
        node = first
        while came_by[node] >= 0 and seen[node] == 0:
            seen[node] = first + 1
            node = int(start[came_by[node]])
        if came_by[node] >= 0 and seen[node] == first + 1:
            loop, turn = [int(came_by[node])], int(start[came_by[node]])
            while turn != node:
                loop.append(int(came_by[turn]))
                turn = int(start[came_by[turn]])
            return loop[::-1]
    return []


def _loop_message(exchanges: Exchanges, loop: Sequence[int]) -> str:
    names = [str(exchanges.services[exchanges.start[k]]) for k in loop]
    gain = float(np.prod(exchanges.rate[list(loop)]))
    return (
        f"the loop {' -> '.join([*names, names[0]])} makes {gain:.6g} servers out of one, again "
        "and again: rates around a loop may not multiply to more than 1"
    )
