"""What a way of planning hands on: servers, purchases, moves, and what it says of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flownet.kernels.compiled import Floats

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Search:
    """How far to look for a plan.

    Attributes
    ----------
    integer : bool
        Whether purchases and moves are whole numbers.
    gap : float
        Relative gap that is good enough.
    time_limit : float, optional
        Seconds that programs may take.
    solver : str
        See `flownet.programs.Program.solve`.
    progress : callable, optional
        Called with (done, total).
    """

    integer: bool = True
    gap: float = 1e-3
    time_limit: float | None = None
    solver: str = "auto"
    progress: Progress | None = None


@dataclass(frozen=True, eq=False)
class Proposal:
    """Servers after a plan, and what its program says of them.

    Attributes
    ----------
    gain : float
        Promised, in the goal that gains first (`leading`), or in growth where a backlog grows.
    gap : float
        Relative distance to the bound; nan where there is none.
    duals, ranges : dict
        Of the limits that bind, and between which right-hand sides they stand.
    tried : dict
        Where a dual was found by solving again: for how many units more of the limit.
    priced : int
        Of which goal the duals are.
    minimizes : bool
        Whether the duals are those of something to be made small.
    values : tuple of float
        The goals by the program's own curves; empty where it has none.
    status : str
        'optimal', 'within_gap', 'stopped', 'every plan tried', 'local optimum' or 'nothing to do'.
    bound : float
        No plan gains more than this, by the program's curves; nan where there is no bound.
    """

    servers: Floats
    bought: Floats
    moved: Floats
    gain: float
    gap: float
    how: str
    duals: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    tried: Mapping[str, float] = field(default_factory=dict)
    priced: int = 0
    minimizes: bool = True
    leading: int = 0
    values: tuple[float, ...] = ()
    status: str = "local optimum"
    bound: float = math.nan
