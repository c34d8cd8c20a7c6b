"""`constraint_path`: relieve the constraint until another binds, name that one, and so on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from flownet.constraint.differences import in_compressed
from flownet.constraint.relief import elasticities
from flownet.display import figure, html_of_text
from flownet.errors import Fault, ParameterError, UnconvergedError
from flownet.kernels.change import with_servers
from flownet.network.model import Network, ServiceName
from flownet.solvers.goals import GoalValue, check_goal, goal_value
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve
from flownet.solvers.tables import records

ENOUGH = 1e-3
"""The path ends where one more server at the constraint gains less than this part of what the goal
was at the beginning."""


@dataclasses.dataclass(frozen=True, eq=False)
class ConstraintPath:
    """One constraint after the other, each relieved until it is no longer the constraint.

    Attributes
    ----------
    goal : str
    stages : pandas.DataFrame
        One row a stage: constraint, servers_before, servers_after, added, growth and goal before
        and after, gain, gain_per_server, next_constraint (None where none is left).
    curve : pandas.DataFrame
        One row a server: total_added, service, growth, goal, gain of that server.
    ended : str
        Why the path ends.
    """

    goal: str
    stages: pd.DataFrame = dataclasses.field(repr=False)
    curve: pd.DataFrame = dataclasses.field(repr=False)
    ended: str

    def __repr__(self) -> str:
        """Return three lines: the order of constraints, what is gained, why it ends."""
        order = [f"'{row['constraint']}' (+{row['added']:g})" for _, row in self.stages.iterrows()]
        first, last = self.curve.iloc[0], self.curve.iloc[-1]
        return "\n".join([
            f"ConstraintPath: {', then '.join(order) or 'no constraint'}",
            f"  {self.goal} {figure(float(first['goal']))} -> {figure(float(last['goal']))} with "
            f"{last['total_added']:g} servers more",
            f"  it ends because {self.ended}",
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as plain values for JSON."""
        return {
            "goal": self.goal,
            "stages": records(self.stages),
            "curve": records(self.curve),
            "ended": self.ended,
        }


def constraint_path(
    network: Network,
    goal: str = "delay",
    method: str = "auto",
    *,
    stages: int = 5,
    most: int = 200,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> ConstraintPath:
    """Return the constraints in the order in which relief meets them.

    Parameters
    ----------
    network : Network
        The system as it is.
    goal : {'delay', 'cost', 'throughput'}
    method : str
        As for `solve`; the same one solves every change.
    stages : int
        Constraints at most, at least 1.
    most : int
        Servers added at most, at least 1.
    progress : callable, optional
        Called with (added, most).
    **options
        As for `solve`.

    Returns
    -------
    ConstraintPath

    Raises
    ------
    UnknownNameError, MethodError, ParameterError
        As `find_constraint`.
    UnconvergedError
        Where a network on the way cannot be solved.

    Notes
    -----
    At each step the service with the largest elasticity gets one more server, the waiting room as
    it is; a stage ends when another service leads. It follows the focusing steps, and need not be
    the cheapest way to a goal: `reallocate` seeks that.

    Examples
    --------
    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "services": [
    ...         {"name": "a", "servers": 2, "service_time": 1.8, "external_arrival_rate": 1.0},
    ...         {"name": "b", "servers": 3, "service_time": 2.5},
    ...     ],
    ...     "routes": [{"from": "a", "to": "b"}],
    ... })
    >>> fn.constraint_path(network, stages=2).stages["constraint"].tolist()
    ['a', 'b']
    """
    check_goal(goal)
    asked: list[tuple[str, Any]] = [("stages", stages), ("most", most)]
    faults = [
        Fault("constraint_path", name, repr(value), "must be a whole number, at least 1")
        for name, value in asked
        if isinstance(value, bool) or not isinstance(value, int) or value < 1
    ]
    if faults:
        raise ParameterError(faults)
    solution = _sound(solve(network, method, **options))
    try:
        return _walked(solution, goal, stages, most, progress)
    except UnconvergedError:
        other = in_compressed(solution)
        if other is None or "mode" in options:
            raise
        # more servers than the full mode holds: the whole path is walked in the other one
        return _walked(_sound(other), goal, stages, most, progress)


def _walked(
    solution: Solution,
    goal: str,
    stages: int,
    most: int,
    progress: Callable[[int, int], None] | None,
) -> ConstraintPath:
    """Walk the path from a solution to its end."""
    walk = _Walk(solution, goal)
    while True:
        if progress is not None:
            progress(walk.added, most)
        ended = walk.ended(stages, most)
        if ended:
            return walk.result(ended)
        walk.step()


def _sound(solution: Solution) -> Solution:
    if not solution.converged:
        message = (
            f"method '{solution.method}' did not converge (residual {solution.residual:.2g}) on "
            "the path of constraints"
        )
        raise UnconvergedError(message)
    return solution


class _Walk:
    """Where the path stands, and what it has passed."""

    def __init__(self, solution: Solution, goal: str) -> None:
        self.solution, self.goal = solution, goal
        self.value = goal_value(solution, goal)
        self.start = self.value
        self.leader = self._leader()
        self.added = 0
        self.steps: list[dict[str, Any]] = [self._row("", math.nan)]
        self.passed: list[ServiceName] = []

    @property
    def size(self) -> float:
        """The goal at the beginning, or where it became finite."""
        values = [abs(step["goal"]) for step in self.steps]
        return next((value for value in values if math.isfinite(value)), math.inf)

    def _leader(self) -> int | None:
        worth = elasticities(self.solution, self.goal, self.value)
        best = int(np.argmax(worth))
        return best if worth[best] > 0 else None

    def _name(self, service: int | None) -> ServiceName | None:
        return None if service is None else self.solution.compilation.services[service]

    def _row(self, service: ServiceName, gain: float) -> dict[str, Any]:
        return {
            "total_added": self.added,
            "service": service,
            "growth": self.value.growth,
            "goal": self.value.value,
            "gain": gain,
        }

    def ended(self, stages: int, most: int) -> str:
        """Return why the path ends here; empty where it goes on."""
        if self.leader is None:
            return "no service limits the goal any more"
        begun = len(self.passed) + (not self.passed or self._name(self.leader) != self.passed[-1])
        if begun > stages:
            return f"{stages} constraints were relieved"
        if self.added >= most:
            return f"{most} servers were added"
        gain = self.steps[-1]["gain"]
        size = self.start.growth if self.value.growth > 0 else self.size
        if math.isfinite(gain) and math.isfinite(size) and 0 <= gain < ENOUGH * size:
            return "one more server gains less than a thousandth of what the goal was"
        return ""

    def step(self) -> None:
        """Give the constraint one more server."""
        leader = int(self.leader) if self.leader is not None else 0
        name = self.solution.compilation.services[leader]
        if not self.passed or self.passed[-1] != name:
            self.passed.append(name)
        arrays = self.solution.compilation.arrays
        more = with_servers(arrays, leader, float(arrays.servers[leader]) + 1.0)
        before: GoalValue = self.value
        self.solution = _sound(self.solution.again(more))
        self.value = goal_value(self.solution, self.goal)
        self.added += 1
        self.steps.append({**self._row("", self.value.gain_over(before)), "service": name})
        self.leader = self._leader()

    def result(self, ended: str) -> ConstraintPath:
        """Return the path as tables."""
        curve = pd.DataFrame(self.steps)
        rows, place = [], 0
        servers = dict(
            zip(self.solution.compilation.services, self.solution.compilation.arrays.servers,
                strict=True)
        )  # fmt: skip
        added = dict.fromkeys(servers, 0)
        total = {name: int((curve["service"] == name).sum()) for name in servers}
        for k, name in enumerate(self.passed):
            first = place
            while place + 1 < len(curve) and curve["service"].iloc[place + 1] == name:
                place += 1
            count = place - first
            before = float(servers[name]) - total[name] + added[name]
            added[name] += count
            rows.append(self._stage(curve, name, (first, place), before, k))
        return ConstraintPath(self.goal, pd.DataFrame(rows, columns=_COLUMNS), curve, ended)

    def _stage(
        self, curve: pd.DataFrame, name: ServiceName, ends: tuple[int, int], before: float, k: int
    ) -> dict[str, Any]:
        first, last = curve.iloc[ends[0]], curve.iloc[ends[1]]
        count = ends[1] - ends[0]
        gains = curve["gain"].iloc[ends[0] + 1 : ends[1] + 1]
        following = self.passed[k + 1] if k + 1 < len(self.passed) else self._name(self.leader)
        return dict(zip(_COLUMNS, (
            k + 1, name, before, before + count, count, first["growth"], last["growth"],
            first["goal"], last["goal"], float(gains.sum()), float(gains.mean()), following,
        ), strict=True))  # fmt: skip


_COLUMNS = [
    "stage", "constraint", "servers_before", "servers_after", "added", "growth_before",
    "growth_after", "goal_before", "goal_after", "gain", "gain_per_server", "next_constraint",
]  # fmt: skip
