"""Who causes what is seen, as tables by service, class and organisation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd

from flownet.constraint.causes import (
    Causes,
    path_causes,
    scaled_causes,
    seen_by_state,
    shapley_causes,
)
from flownet.constraint.differences import in_compressed
from flownet.errors import Fault, ParameterError, UnconvergedError
from flownet.kernels.blocking_full import COMPRESSED
from flownet.kernels.compiled import Integers
from flownet.solvers.objective import Objective, objective_of
from flownet.solvers.solution import Solution

Seen = Literal["service", "class", "organisation"]
LARGEST = 2000
"""A matrix of so many services at most is made; of more, by organisation."""


def blame(
    solution: Solution,
    goal: str,
    seen: str = "service",
    caused: str = "service",
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Return what is seen of a goal, divided by who causes it; see `Finding.attribute`."""
    _check(seen, ("service", "class", "organisation"), "seen")
    _check(caused, ("service", "organisation"), "caused")
    objective = objective_of(solution, goal)
    rows, row_names = _grouped(solution, seen)
    members, names = _grouped(solution, caused)
    first = members[:, 0]
    if _alone(solution):
        causes = _each_its_own(solution, objective, rows, first)
    else:
        if caused == "service" and len(names) > LARGEST:
            message = f"more than {LARGEST} services: ask by organisation"
            raise ParameterError([Fault("attribution", "caused", repr(caused), message)])
        players = [np.flatnonzero(first == player) for player in range(len(names))]
        causes = _on_path(solution, objective, rows, players, progress)
    return _table(solution, objective, causes, (seen, row_names), (caused, names))


def _on_path(
    solution: Solution,
    objective: Objective,
    rows: Integers,
    players: list[Integers],
    progress: Callable[[int, int], None] | None,
) -> Causes:
    """Return the attribution; with the shares of the compressed mode where the full one ends."""
    try:
        return path_causes(solution, objective, rows, players, progress)
    except UnconvergedError:
        other = in_compressed(solution)
        if other is None:
            raise
    quick = path_causes(other, objective, rows, players, progress)
    return dataclasses.replace(scaled_causes(quick, solution, objective, rows), shares=COMPRESSED)


def shapley(solution: Solution, goal: str = "delay") -> pd.DataFrame:
    """Return Shapley's value beside which the path of relief can be judged; small networks."""
    objective = objective_of(solution, goal)
    rows, names = _grouped(solution, "service")
    causes = shapley_causes(solution, objective, rows)
    return _table(solution, objective, causes, ("service", names), ("service", names))


def both_sides(matrix: pd.DataFrame) -> pd.DataFrame:
    """Return by service what is seen there, what it causes, and the difference."""
    seen, caused = matrix.sum(axis=1), matrix.sum(axis=0)
    frame = pd.DataFrame({"seen": seen.to_numpy(), "caused": caused.to_numpy()}, index=matrix.index)
    frame.index.name = "service"
    frame["net"] = frame["caused"] - frame["seen"]
    frame.attrs["units"] = matrix.attrs.get("units", "")
    return frame.sort_values("caused", ascending=False, kind="stable")


def _check(value: str, known: tuple[str, ...], name: str) -> None:
    if value not in known:
        message = f"must be one of {', '.join(known)}"
        raise ParameterError([Fault("attribution", name, repr(value), message)])


def _grouped(solution: Solution, by: str) -> tuple[Integers, list[Any]]:
    """Return the number of the group of each service and class, and the groups' names."""
    compilation = solution.compilation
    shape = solution.measures.throughput.shape
    if by == "class":
        return np.broadcast_to(np.arange(shape[1]), shape).copy(), list(compilation.classes)
    if by == "service":
        numbers, names = np.arange(shape[0]), list(compilation.services)
    else:
        names = list(dict.fromkeys(compilation.organisations))
        place = {name: number for number, name in enumerate(names)}
        numbers = np.array([place[name] for name in compilation.organisations])
    return np.repeat(numbers, shape[1]).reshape(shape), names


def _alone(solution: Solution) -> bool:
    """Tell whether what is seen at a service depends on its own servers only."""
    return solution.method == "product_form" and not solution.measures.growth_rate.any()


def _each_its_own(
    solution: Solution, objective: Objective, rows: Integers, players: Integers
) -> Causes:
    """Return the attribution of product form: flows do not depend on servers."""
    states = seen_by_state(solution, objective)
    matrix = np.zeros((int(rows.max()) + 1, int(players.max()) + 1))
    owner = np.broadcast_to(players[:, None], rows.shape)
    np.add.at(matrix, (rows.ravel(), owner.ravel()), states.ravel())
    seen = matrix.sum(axis=1)
    return Causes(matrix, seen, np.zeros_like(seen), 0)


def _table(
    solution: Solution,
    objective: Objective,
    causes: Causes,
    seen: tuple[str, list[Any]],
    caused: tuple[str, list[Any]],
) -> pd.DataFrame:
    title = "seen at" if seen[0] == "service" else f"seen by {seen[0]}"
    frame = pd.DataFrame(
        causes.matrix + 0.0,  # no negative zeros
        index=pd.Index(seen[1], name=title),
        columns=pd.Index(caused[1], name="caused by"),
    )
    unit = solution.network.time_unit
    money = solution.network.currency or "money"
    growth = objective.growing or (objective.goal == "throughput" and solution.can_turn_away)
    frame.attrs["units"] = (
        f"job/{unit}" if growth else f"{money}/{unit}" if objective.goal == "cost" else "job"
    )
    frame.attrs["rest"] = dict(zip(seen[1], causes.rest.tolist(), strict=True))
    frame.attrs["pieces"] = causes.pieces
    frame.attrs["shares"] = causes.shares or solution.options.get("mode", "")
    return frame
