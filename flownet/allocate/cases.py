"""Cases of demand and goals, in the form in which a program takes them."""

from __future__ import annotations

from typing import Final, NamedTuple

from flownet.allocate.linearise import Curve
from flownet.kernels.compiled import Floats


class Part(NamedTuple):
    """Services whose delay together is compared with a scale, or limited."""

    name: str
    members: tuple[int, ...]
    size: float
    """What their delay is divided by, or may be at most."""


class Objective(NamedTuple):
    """What one case of demand counts in a goal; less is better."""

    weight: Floats
    """(n,) of one delayed job."""
    capacity: Floats
    """(n,) of one server."""
    worst: tuple[Part, ...] = ()
    """Of these, the largest delay per size counts ..."""
    worst_weight: float = 0.0
    """... by this weight."""
    throughput: float = 0.0
    """Weight of the scale to which demand could grow, counted negatively."""


class Case(NamedTuple):
    """One demand that the plan must serve."""

    name: str
    share: float
    """Its probability."""
    load: Floats
    """(n,) offered load [erlang]."""
    curve: Curve | None
    loss_curve: Curve | None
    objectives: tuple[Objective, ...]
    """One for each goal, the most important first."""
    protect: tuple[Part, ...] = ()
    """Organisations, and the most delay that each may see."""


class Risk(NamedTuple):
    """How the values of several cases become one."""

    kind: str = "expected"
    """'expected', 'minimax', 'regret' or 'cvar'."""
    level: float = 0.0
    """Of cvar: the mean of the worst 1 - level counts."""
    best: tuple[float, ...] = ()
    """Of regret: the best value of each case alone."""


EXPECTED: Final = Risk()
"""The mean over the cases."""


class Least(NamedTuple):
    """Servers that a service needs to meet a target."""

    name: str
    service: int
    servers: float
