"""Allocations: the whole call beside HiGHS fed with arrays, and what solving again takes."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from unittest import mock

import highspy
import numpy as np

from benchmarks.registry import Prepare, Spec, Task
from flownet.allocate.exchanges import check_exchanges
from flownet.allocate.live_allocation import LiveAllocation
from flownet.allocate.problem import AllocationProblem
from flownet.allocate.reallocate import reallocate
from flownet.allocate.separable import solve_separable
from flownet.errors import ProgramError
from flownet.kernels.compiled import Floats, Integers
from flownet.network.model import Network
from flownet.programs.live import LiveModel

SEGMENTS = 10


def check(good: bool) -> None:
    """Refuse to time what is no answer."""
    if not good:
        raise ProgramError("what was timed is no answer to the task")


def problem(size: int) -> AllocationProblem:
    """Return services at load 0.6 to 0.95 with prices, a budget, and a ring of exchanges."""
    random = np.random.default_rng(size)
    load = random.uniform(1.0, 20.0, size)
    servers = load / random.uniform(0.6, 0.95, size)
    names = tuple(f"s{i}" for i in range(size))
    ring = [(names[i], names[(i + 1) % size], 0.9, 0.1) for i in range(size)]

    def curve(services: Integers, count: Floats) -> tuple[Floats, Floats]:
        slack = count - load[services]
        return load[services] / slack, -load[services] / slack**2

    return AllocationProblem(
        names=names,
        servers=servers,
        load=load,
        curve=curve,
        budget=float(size),
        price=random.uniform(1.0, 5.0, size),
        exchanges=check_exchanges(ring, names),
        integer=False,
    )


def arrays_of(size: int) -> tuple[highspy.Highs, int]:
    """Return the same with ten lines a service, built from arrays: c, b, d, x a service."""
    task = problem(size)
    price, table = np.asarray(task.price), task.exchanges
    if table is None or task.curve is None:
        raise ProgramError("the problem has no exchanges, or no curve")
    n, inf = size, highspy.kHighsInf
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    cost = np.concatenate([np.zeros(2 * n), np.ones(n), np.zeros(n)])
    low = np.concatenate([task.load * (1 + 1e-6), np.zeros(3 * n)])
    none = np.empty(0, dtype=np.int32)
    model.addCols(4 * n, cost, low, np.full(4 * n, inf), 0, none, none, np.empty(0))
    at = np.arange(n, dtype=np.int32)
    before = np.roll(at, 1)
    index = np.stack([at, n + at, 3 * n + at, 3 * n + before], axis=1).ravel()
    value = np.tile([1.0, -1.0, 1.0, -0.9], n)
    starts = np.arange(0, 4 * n, 4, dtype=np.int32)
    model.addRows(n, task.servers, task.servers, 4 * n, starts, index.astype(np.int32), value)
    columns = np.concatenate([n + at, 3 * n + at]).astype(np.int32)
    paid = np.concatenate([price, table.cost])
    model.addRow(-inf, task.budget, 2 * n, columns, paid)
    for beta in np.geomspace(0.05, 8.0, SEGMENTS):
        points = task.load + beta * np.sqrt(task.load)
        height, slope = task.curve(np.arange(n), points)
        pairs = np.stack([2 * n + at, at], axis=1).ravel().astype(np.int32)
        rates = np.stack([np.ones(n), -slope], axis=1).ravel()
        begin = np.arange(0, 2 * n, 2, dtype=np.int32)
        model.addRows(n, height - slope * points, np.full(n, inf), 2 * n, begin, pairs, rates)
    return model, n


def by_flownet(size: int) -> Task:
    """Return the whole call: build, solve, refine to a gap of 0.1 %."""
    task = problem(size)

    def run() -> None:
        check(solve_separable(task, ranges=False).gap <= 1e-3)

    return run


class BuiltError(Exception):
    """The program stands in HiGHS and is about to be solved for the first time."""


def built(size: int) -> Task:
    """Return all that comes before the first call of the solver: checks, rows, handing over."""
    task = problem(size)

    def stop(*_: object, **__: object) -> None:
        raise BuiltError

    def run() -> None:
        with contextlib.suppress(BuiltError), mock.patch.object(LiveModel, "run", stop):
            solve_separable(task, ranges=False)

    return run


def by_highs(solver: str) -> Prepare:
    """Return building from arrays and solving by one of HiGHS' methods."""

    def prepare(size: int) -> Task:
        def run() -> None:
            model, _ = arrays_of(size)
            model.setOptionValue("solver", solver)
            model.run()
            check(model.getModelStatus() == highspy.HighsModelStatus.kOptimal)

        return run

    return prepare


def again(size: int) -> Task:
    """Return solving for a budget 1 % larger or smaller in turn, on the live program."""
    task = problem(size)
    live = LiveAllocation(task)
    budgets = [task.budget * 1.01, task.budget]

    def run() -> None:
        budgets.reverse()
        live.solve(budgets[0])

    return run


def anew(size: int) -> Task:
    """Return building and solving the same from nothing."""
    task = problem(size)

    def run() -> None:
        LiveAllocation(task).solve(task.budget)

    return run


def whole_numbers(size: int) -> Task:
    """Return whole servers with an exchange graph of three ways a service, to 0.1 %."""
    random = np.random.default_rng(size)
    task = problem(size)
    names = task.names
    ways = [
        (names[i], names[int(j)], float(random.choice([1.0, 0.8, 0.5])), 0.5, 2.0)
        for i in range(size)
        for j in random.choice(size, 3, replace=False)
        if i < j
    ]
    whole = dataclasses.replace(
        task,
        servers=np.ceil(task.servers),
        exchanges=check_exchanges(ways, names),
        budget=float(size // 4),
        integer=True,
    )

    def run() -> None:
        check(solve_separable(whole, polish=0).gap <= 1e-3)

    return run


def blocking(size: int) -> Task:
    """Return a plan, verified by the full model, for services in five layers that block."""
    random = np.random.default_rng(size)
    layers = np.array_split(np.arange(size), 5)
    rate, outside = np.zeros(size), np.zeros(size)
    outside[layers[0]] = random.uniform(2, 6, layers[0].size)
    rate += outside
    routes = []
    for here, there in itertools.pairwise(layers):
        for k, i in enumerate(here):
            for j, share in ((there[k % there.size], 0.6), (there[(k + 1) % there.size], 0.3)):
                if share == 0.6 or there.size > 1:
                    row = {"from": f"s{i}", "to": f"s{j}", "routing_probability": share}
                    routes.append(row)
                    rate[j] += share * rate[i]
    services = []
    for i in range(size):
        time = float(random.uniform(0.5, 3))
        servers = math.ceil(rate[i] * time / random.uniform(0.55, 0.8))
        row = {"name": f"s{i}", "service_time": time, "servers": servers,
               "external_arrival_rate": float(outside[i]),
               "cost_per_server": float(random.choice([1, 2, 3]))}  # fmt: skip
        if outside[i] == 0:
            row["waiting_room"] = int(random.integers(0, 3))
        services.append(row)
    document = {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    network = Network.from_dict(document)

    def run() -> None:
        check(reallocate(network, budget=20.0).gain_verified > 0)

    return run


_SIZES = (100, 1000, 5000)
SPECS = [
    Spec("allocation", "build and solve", by_flownet, by_highs("simplex"), "HiGHS simplex", _SIZES),
    Spec("allocation", "build and solve", by_flownet, by_highs("ipm"), "HiGHS interior", _SIZES),
    Spec("allocation", "build alone", built, by_flownet, "build and solve", _SIZES),
    Spec("allocation, budget 1 % off", "solve again", again, anew, "from nothing", _SIZES),
    Spec("allocation, budget 1 % off", "solve again", again, by_highs("ipm"), "HiGHS anew", _SIZES),
    Spec("allocation in whole numbers", "reallocate", whole_numbers, sizes=(20, 200)),
    Spec("allocation under blocking", "reallocate", blocking, sizes=(10, 50)),
]
