"""The same task without blocking: where to begin, and what no plan can beat."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from flownet.allocate.judge import Judge
from flownet.allocate.proposal import Proposal, Search
from flownet.allocate.propose_separable import propose_separable, reasons_not_to
from flownet.allocate.search import Rules
from flownet.errors import FlownetError
from flownet.kernels import compiled as code
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve

_BOUNDED = {"delay", "weighted_delay", "number_present", "cost", "throughput"}
"""Goals that blocking cannot improve."""


class Relaxation(NamedTuple):
    """The best plan without blocking, and the least value that any plan could have."""

    proposal: Proposal
    value: float
    """Of the first goal, less is better; nan where it bounds nothing."""


def relaxation(judge: Judge, rules: Rules, search: Search) -> Relaxation | None:
    """Return the best plan for the same network with unlimited waiting rooms, where there is one.

    Parameters
    ----------
    judge, rules, search
        The task.

    Notes
    -----
    Where nobody can be turned away, and services are served in order of arrival, blocking only
    holds jobs and servers up: what is best without it bounds the delay (and with it cost and
    number present) and the throughput of every plan with it. The bound is that of the curves of
    the network without blocking. Where jobs can be lost, or terms on delay cut plans off that
    would be allowed, the relaxed plan is a place to begin only.
    """
    if not judge.levers.plain or not all(_only_blocks(each) for each in judge.solutions):
        return None
    try:
        solutions = tuple(_without_blocking(each) for each in judge.solutions)
        free = dataclasses.replace(judge, solutions=solutions, missed=set(), _known={})
        if reasons_not_to(free):
            return None
        found = propose_separable(free, rules, search)
    except FlownetError:  # nothing is known of the relaxed task then, and nothing is claimed
        return None
    if found is None:
        return None
    bounded = len(judge.aims) == 1 and not judge.keeps and judge.aims[0].weights.keys() <= _BOUNDED
    free_of_terms = not (judge.terms.targets or judge.terms.within or judge.terms.protect)
    then = free.at(found.servers)
    if not (bounded and free_of_terms) or then.growth > 0 or math.isnan(found.gap):
        return Relaxation(found, math.nan)
    value = then.goals[0]
    return Relaxation(found, value - abs(value) * found.gap)


def _only_blocks(solution: Solution) -> bool:
    arrays = solution.compilation.arrays
    plain = np.isin(arrays.discipline, (code.FCFS, code.DELAY)).all()
    return bool(plain) and not solution.can_turn_away


def _without_blocking(solution: Solution) -> Solution:
    network = solution.network
    changes = {
        name: {key: None for key in ("capacity", "waiting_room") if key in data}
        for name, data in network.graph.nodes(data=True)
    }
    return solve(network.replace(services={k: v for k, v in changes.items() if v}))
