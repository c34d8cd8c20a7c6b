"""A task of reallocation read from what was asked for, with every fault told together."""

from __future__ import annotations

import dataclasses
import math
from types import TracebackType
from typing import Any, Self

import numpy as np

from flownet.allocate.aims import Aim, read_goal
from flownet.allocate.cases import Risk
from flownet.allocate.demands import Demand, read_demands, read_risk
from flownet.allocate.exchanges import check_exchanges
from flownet.allocate.judge import Judge
from flownet.allocate.levers import read_levers
from flownet.allocate.proposal import Progress, Search
from flownet.allocate.read_rules import read_rules
from flownet.allocate.read_terms import read_terms
from flownet.allocate.search import Rules
from flownet.allocate.task import Task, propose
from flownet.allocate.terms import no_terms
from flownet.constraint.differences import few_places
from flownet.errors import Fault, InputError, ParameterError, UnconvergedError
from flownet.kernels.blocking_full import COMPRESSED, FULL
from flownet.network.model import Network
from flownet.network.values import shown
from flownet.programs import choose_solver
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve, solve_alike


class Gathered:
    """Faults from several readers: each ``with`` block may fail, `refuse` tells all of them."""

    def __init__(self) -> None:
        self._errors: list[InputError] = []

    def __enter__(self) -> Self:
        """Begin with a reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        """Keep what is wrong with the input; let all else pass."""
        if isinstance(error, InputError):
            self._errors.append(error)
            return True
        return False

    def refuse(self) -> None:
        """Raise what was kept: one error as it is, several as one with all their faults."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            faults = [fault for error in self._errors for fault in error.faults]
            raise ParameterError(faults, "reallocate")


def task_of(
    network: Network,
    goal: Any = "delay",
    budget: float = 0.0,
    exchanges: Any = None,
    integer: bool | None = None,  # noqa: FBT001  # the promised signature
    *,
    decide: Any = "servers",
    prices: Any = None,
    release: Any = None,
    bounds: Any = None,
    scenarios: Any = None,
    risk: Any = "expected",
    method: str = "auto",
    gap: float = 1e-3,
    time_limit: float | None = None,
    solver: str = "auto",
    progress: Progress | None = None,
    **terms: Any,
) -> Task:
    """Return a task as it was asked for; see `flownet.reallocate`.

    Raises
    ------
    ParameterError, UnknownNameError
        For what is impossible or does not exist, with every fault of every argument.
    UnconvergedError
        Where a demand could not be solved.
    """
    names = network.services
    aims: tuple[Aim, ...] = ()
    levers, moves, asked = read_levers("servers", network), check_exchanges(None, names), None
    with (gathered := Gathered()):
        aims = read_goal(goal)
    with gathered:
        levers = read_levers(decide, network)
    with gathered:
        moves = check_exchanges(exchanges, names)
    with gathered:
        asked = read_terms(network, **terms)
    with gathered:
        manner = read_manner(integer, gap, time_limit, solver, progress)
    with gathered:
        way = read_risk(risk)
    with gathered:
        demands = read_demands(network, scenarios)
    with gathered:
        before = _solved(network, method)
        if levers.hours and before.method == "product_form":  # which needs whole servers
            before = _solved(network, "decomposition")
        rules = read_rules(
            before,
            moves,
            asked or no_terms(len(names)),
            levers,
            budget=budget,
            prices=prices,
            release=release,
            bounds=bounds,
            integer=integer,
        )
    gathered.refuse()
    search = dataclasses.replace(manner, integer=rules.integer)
    judge = _judge(before, demands, aims, rules, way, method)
    if judge.risk.kind == "regret":
        judge = _with_best(judge, rules, search)
    return Task(before, demands, judge, rules, search)


def _solved(network: Network, method: str) -> Solution:
    solution = solve(network, method)
    if solution.options.get("mode") == FULL and not few_places(solution):
        solution = solve_alike(network, solution, mode=COMPRESSED)
    if not solution.converged:
        message = f"the network could not be solved by '{solution.method}': no plan can be given"
        raise UnconvergedError(message)
    return solution


def read_manner(integer: Any, gap: Any, time_limit: Any, solver: Any, progress: Any) -> Search:
    """Return how far to look, where the figures mean something.

    Raises
    ------
    ParameterError
        For a gap below 0, a time limit that is not above 0, a solver that is no name, ...
    UnknownNameError
        For a solver that nobody knows.
    """
    faults = []

    def wrong(name: str, value: Any, message: str) -> None:
        faults.append(Fault("reallocate", name, shown(value), message))

    if isinstance(gap, bool) or not isinstance(gap, (int, float)) or not 0 <= gap < math.inf:
        wrong("gap", gap, "must be a relative gap, at least 0, for instance 0.001")
    numeric = isinstance(time_limit, (int, float)) and not isinstance(time_limit, bool)
    if time_limit is not None and not (numeric and time_limit > 0):
        wrong("time_limit", time_limit, "must be a number of seconds above 0")
    if integer is not None and not isinstance(integer, (bool, np.bool_)):
        wrong("integer", integer, "must be True, False or None, for what is counted to be whole")
    if progress is not None and not callable(progress):
        wrong("progress", progress, "must be a function of (done, total)")
    if not isinstance(solver, str):
        wrong("solver", solver, "must be a name: 'auto', 'highs', 'cbc' or one that PuLP finds")
    if faults:
        raise ParameterError(faults, "reallocate")
    choose_solver(solver)
    return Search(gap=float(gap), time_limit=time_limit, solver=solver, progress=progress)


def _judge(
    before: Solution,
    demands: tuple[Demand, ...],
    aims: tuple[Aim, ...],
    rules: Rules,
    risk: Risk,
    method: str,
) -> Judge:
    solutions = tuple(
        before if each.network is before.network else _solved(each.network, method)
        for each in demands
    )
    names = tuple(each.name for each in demands)
    shares = tuple(each.share for each in demands)
    for name, each in zip(names, solutions, strict=True):
        if not np.array_equal(rules.levers.present(each), rules.servers):
            message = "differs in what the plan decides on: scenarios differ in demand"
            raise ParameterError([Fault(f"scenario '{name}'", "", "", message)])
    return Judge(names, solutions, shares, risk, aims, rules.terms, rules.levers)


def _with_best(judge: Judge, rules: Rules, search: Search) -> Judge:
    """Return a judge that knows the best value of each demand alone."""
    if len(judge.aims) > 1:
        message = "takes one goal, which may be a sum"
        raise ParameterError([Fault("risk 'regret'", "goal", "", message)])
    best = []
    for name, solution in zip(judge.names, judge.solutions, strict=True):
        alone = dataclasses.replace(
            judge, names=(name,), solutions=(solution,), shares=(1.0,), risk=Risk(), _known={}
        )
        found = propose(alone, rules, search)
        best.append(alone.at(found.servers).goals[0])
    return dataclasses.replace(judge, risk=judge.risk._replace(best=tuple(best)), _known={})
