"""How far demand can grow before a service saturates: a linear program, with its duals."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from flownet.kernels.compiled import Floats, Integers
from flownet.network.model import ServiceName
from flownet.programs import Program, Variable


class Transfers(Protocol):
    """What of one service's servers may be moved to another, one entry a direction."""

    @property
    def start(self) -> Integers:
        """(m,) the services that give."""

    @property
    def end(self) -> Integers:
        """(m,) the services that receive."""

    @property
    def rate(self) -> Floats:
        """(m,) servers gained for each one given up."""

    @property
    def limit(self) -> Floats:
        """(m,) the most that may be given up; ``inf`` where there is no limit."""


@dataclasses.dataclass(frozen=True, slots=True)
class ThroughputLimit:
    """The largest scaling of demand that all services together can carry.

    Attributes
    ----------
    scale : float
        The present demand can grow to this multiple; below 1 there is overload already; ``inf``
        where no service with finitely many servers is ever visited.
    binding : tuple
        The services that saturate at that scale.
    duals : dict
        By how much one more server there would raise `scale`; 0 where it would not.
    moved : tuple of float
        Servers given up on each transfer, where transfers are allowed.
    """

    scale: float
    binding: tuple[ServiceName, ...]
    duals: Mapping[ServiceName, float]
    moved: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as they go into JSON."""
        return {
            "scale": self.scale,
            "binding": list(self.binding),
            "duals": dict(self.duals),
            "moved": list(self.moved),
        }


def throughput_limit(
    loads: ArrayLike,
    servers: ArrayLike,
    names: Sequence[ServiceName],
    exchanges: Transfers | None = None,
) -> ThroughputLimit:
    r"""Return how far demand can grow before any service saturates.

    .. math:: \max\ \theta \quad\text{subject to}\quad
       \theta a_j \le c_j + \sum_k r_k x_k [e_k = j] - \sum_k x_k [s_k = j], \quad
       0 \le x_k \le u_k

    Parameters
    ----------
    loads : array, shape (n,)
        Offered load a of each service at the present demand [erlang], >= 0.
    servers : array, shape (n,)
        Servers c of each service, >= 0; ``inf`` where it never saturates.
    names : sequence
        The services' names.
    exchanges : Transfers, optional
        Servers that may be moved before the demand grows (the Exchanges of `flownet.allocate`
        are such): from ``start`` s to ``end`` e, at ``rate`` r and up to ``limit`` u.

    Returns
    -------
    ThroughputLimit

    Notes
    -----
    Exact for stability where nobody is blocked or lost and the mix of demand stays as it is. With
    blocking the demand that can be carried is less: this is an upper bound. Where demand is only
    limited by servers, the duals times the loads add up to 1.

    Examples
    --------
    >>> limit = throughput_limit([4.0, 12.0], [8.0, 15.0], ["assessment", "ward"])
    >>> limit.scale, limit.binding
    (1.25, ('ward',))
    >>> round(limit.duals["ward"], 4)
    0.0833
    """
    load, count = np.asarray(loads, dtype=np.float64), np.asarray(servers, dtype=np.float64)
    limited = np.flatnonzero(np.isfinite(count)).tolist()
    if not any(load[j] > 0 for j in limited):
        return ThroughputLimit(math.inf, (), dict.fromkeys(names, 0.0))
    program, scale, moves = _throughput_program(load, count, names, exchanges)
    solution = program.solve()
    duals = solution.duals
    by_name = {name: duals.get(_row(name), 0.0) for name in names}
    reached, moved = float(solution.array([scale])[0]), solution.array(moves)
    after = _after(count, exchanges, moved)
    binding = tuple(
        names[j] for j in limited if after[j] - reached * load[j] <= 1e-7 * max(1.0, after[j])
    )
    return ThroughputLimit(reached, binding, by_name, tuple(moved.tolist()))


def _row(name: ServiceName) -> str:
    return f"capacity[{name}]"


def _throughput_program(
    load: Floats, servers: Floats, names: Sequence[ServiceName], exchanges: Transfers | None
) -> tuple[Program, Variable, list[Variable]]:
    """Return the program, the variable of the scale, and those of the transfers."""
    program = Program("throughput limit")
    scale = program.variable("scale")
    pairs: list[list[tuple[Variable, float]]] = [[(scale, a)] for a in load.tolist()]
    moves: list[Variable] = []
    if exchanges is not None:
        numbered = [f"moved[{k}]" for k in range(len(exchanges.start))]
        moves = program.variables(numbered, 0.0, exchanges.limit)
        for k, move in enumerate(moves):
            pairs[exchanges.start[k]].append((move, 1.0))
            pairs[exchanges.end[k]].append((move, -float(exchanges.rate[k])))
    for j in np.flatnonzero(np.isfinite(servers)).tolist():
        if any(coefficient != 0 for _, coefficient in pairs[j]):
            program.constraint(_row(names[j]), pairs[j], "<=", float(servers[j]))
    program.maximize([(scale, 1.0)])
    return program, scale, moves


def _after(servers: Floats, exchanges: Transfers | None, moved: Floats) -> Floats:
    after = servers.copy()
    if exchanges is not None:
        np.subtract.at(after, exchanges.start, moved)
        np.add.at(after, exchanges.end, moved * exchanges.rate)
    return after
