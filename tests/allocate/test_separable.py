"""Allocations against known optima, against enumeration, and against what theory says."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from allocate.separable_cases import letters, mm1, random_problem, waiting_problem
from hypothesis import given
from hypothesis import strategies as st

from flownet.allocate.exchanges import check_exchanges
from flownet.allocate.problem import AllocationProblem
from flownet.allocate.separable import solve_separable
from flownet.errors import ProgramError
from flownet.programs.solvers import choose_solver
from oracles.allocations import allocations, curve_of, goal
from oracles.stations import erlang_b, number_waiting


def case(shared: Path, identifier: str) -> dict:
    document = json.loads((shared / "cases" / "alloc_optima.json").read_text(encoding="utf-8"))
    return next(c for c in document["cases"] if c["id"] == identifier)


# -------------------------------------------------------------------------------- known optima


@pytest.mark.parametrize("identifier", ["kleinrock-K1", "kleinrock-K3"])
def test_kleinrock_square_root_assignment(shared: Path, identifier: str) -> None:
    # Kleinrock (1964), Communication Nets: min sum L = (sum sqrt(lambda d))^2 / slack
    known = case(shared, identifier)
    rates, cost = np.array(known["data"]["arrival_rates"]), np.array(known["data"]["unit_cost"])
    problem = AllocationProblem(
        names=letters(len(rates)),
        servers=np.zeros(len(rates)),
        load=rates,
        curve=mm1(rates),
        cost_per_server=cost,
        budget=known["data"]["budget"],
        integer=False,
    )
    coarse = solve_separable(problem)
    assert coarse.objective_bound <= known["objective_value"] * (1 + 1e-9)
    assert known["objective_value"] * (1 - 1e-9) <= coarse.objective_value
    assert coarse.objective_value <= known["objective_value"] * 1.001
    fine = solve_separable(problem, gap=1e-9)
    assert fine.status == "optimal"
    assert fine.objective_value == pytest.approx(known["objective_value"], rel=1e-9)
    assert fine.servers == pytest.approx(known["optimum"], rel=1e-4)
    slack = problem.budget - rates @ cost
    price = -((np.sqrt(rates * cost).sum() / slack) ** 2)  # derivative of the closed form
    assert fine.duals["budget"] == pytest.approx(price, rel=1e-4)
    assert fine.spent == pytest.approx(problem.budget)


@pytest.mark.parametrize("identifier", ["jackson-servers-J1", "jackson-servers-J3"])
def test_servers_of_a_jackson_network(shared: Path, identifier: str) -> None:
    known = case(shared, identifier)
    loads = known["data"]["offered_loads"]
    problem = waiting_problem(
        loads,
        curve=curve_of(lambda i, c: number_waiting(int(c), loads[i]) + loads[i]),
        budget=float(known["data"]["total_servers"]),
        weight=np.array(known["data"]["weights"]),
    )
    found = solve_separable(problem)
    assert found.status == "optimal"
    assert found.servers.tolist() in known["all_optima"]
    assert found.objective_value == pytest.approx(known["objective_value"], rel=1e-9)
    assert found.objective_bound == pytest.approx(known["objective_value"], rel=1e-9)


def greedy(problem: AllocationProblem, station) -> list[int]:
    """Add the server with the largest gain per money until none is affordable."""
    servers = [math.floor(a) + 1 for a in problem.load]
    while True:
        money = problem.budget - sum(
            c * p for c, p in zip(servers, problem.cost_per_server, strict=True)
        )
        gains = [
            ((station(i, c) - station(i, c + 1)) / p, i)
            for i, (c, p) in enumerate(zip(servers, problem.cost_per_server, strict=True))
            if p <= money
        ]
        if not gains:
            return servers
        servers[max(gains)[1]] += 1


@pytest.mark.parametrize(
    "identifier", ["budget-servers-B1", "budget-servers-B3", "budget-servers-B5"]
)
def test_unequal_costs_and_the_greedy_trap(shared: Path, identifier: str) -> None:
    known = case(shared, identifier)
    loads = known["data"]["offered_loads"]
    problem = waiting_problem(
        loads, cost_per_server=np.array(known["data"]["cost"]), budget=known["data"]["budget"]
    )
    found = solve_separable(problem)
    assert found.servers.tolist() in known["all_optima"]
    assert found.objective_value == pytest.approx(known["objective_value"], rel=1e-9)
    assert found.spent <= problem.budget
    trapped = greedy(problem, lambda i, c: number_waiting(c, loads[i]))
    assert trapped == known["also"]["greedy_per_cost"]
    assert (trapped in known["all_optima"]) == known["also"]["greedy_is_optimal"]


def test_beds_of_wards_that_turn_away(shared: Path) -> None:
    known = case(shared, "loss-beds-L2")
    data = known["data"]
    loads, rates = data["offered_loads"], data["arrival_rates"]
    problem = waiting_problem(
        loads,
        curve=curve_of(lambda i, c: rates[i] * erlang_b(int(c), loads[i])),
        weight=np.array(data["weights"]),
        budget=float(data["total_beds"]),
        min_servers=np.array(data["minimum"], dtype=float),
        needs_stability=np.zeros(4, dtype=bool),
    )
    found = solve_separable(problem)
    assert found.servers.tolist() in known["all_optima"]
    assert found.objective_value == pytest.approx(known["objective_value"], rel=1e-9)
    # the same as money for losses instead of delay
    weights = data["weights"]
    priced = waiting_problem(
        loads,
        curve=curve_of(lambda *_: 0.0),
        loss_curve=curve_of(lambda i, c: weights[i] * rates[i] * erlang_b(int(c), loads[i])),
        budget=float(data["total_beds"]),
        needs_stability=np.zeros(4, dtype=bool),
        max_servers=np.full(4, 40.0),
    )
    assert solve_separable(priced).servers.tolist() in known["all_optima"]


@pytest.mark.parametrize("identifier", ["lp-T1", "lp-T3"])
def test_throughput_with_transfers(shared: Path, identifier: str) -> None:
    known = case(shared, identifier)
    data = known["data"]
    names = letters(len(data["servers"]))
    rows = [
        (names[arc["from_"]], names[arc["to"]], arc["efficiency"], 0.0, arc["limit"])
        for arc in data["arcs"]
    ]
    problem = AllocationProblem(
        names=names,
        servers=np.array(data["servers"]),
        load=np.array(data["visits"]) / np.array(data["mu"]),
        goal="throughput",
        exchanges=check_exchanges(rows, names),
        integer=False,
    )
    found = solve_separable(problem)
    assert found.objective_value == pytest.approx(known["objective_value"], rel=1e-9)
    assert found.objective_bound == pytest.approx(known["objective_value"], rel=1e-9)
    # a server given to a service raises its balance row's right-hand side
    duals = [found.duals[f"balance[{name}]"] for name in names]
    assert duals == pytest.approx(known["duals"], abs=1e-9)


# --------------------------------------------------------------------------------- enumeration


def check_against_enumeration(seed: int, goal_name: str) -> None:
    problem, station = random_problem(seed, goal_name)
    best = min(goal(problem, station, servers) for *_, servers in allocations(problem, 8))
    found = solve_separable(problem)
    assert found.objective_value == pytest.approx(best, rel=1e-9)
    assert found.status == "optimal"
    again = goal(problem, station, found.servers.tolist())
    assert again == pytest.approx(best, rel=1e-9)
    plans = {(b, m) for b, m, _ in allocations(problem, 8)}
    bought, moved = found.bought.astype(int).tolist(), found.moved.astype(int).tolist()
    assert (tuple(bought), tuple(moved)) in plans


@pytest.mark.parametrize("goal_name", ["delay", "cost"])
def test_the_best_of_all_allocations(goal_name: str) -> None:
    for seed in range(40):
        check_against_enumeration(seed, goal_name)


@pytest.mark.slow
@pytest.mark.parametrize("goal_name", ["delay", "cost"])
def test_the_best_of_all_allocations_many_times(goal_name: str) -> None:
    for seed in range(40, 200):
        check_against_enumeration(seed, goal_name)


@given(
    st.lists(
        st.floats(0.3, 8.0).filter(lambda a: abs(a - round(a)) > 1e-3), min_size=1, max_size=5
    ),
    st.integers(0, 12),
)
def test_unit_costs_give_what_greedy_gives(loads: list[float], spare: int) -> None:
    # Fox (1966), Management Science 13, 210-216: one budget, unit costs, convex curves
    start = [math.floor(a) + 1 for a in loads]
    problem = waiting_problem(loads, budget=float(sum(start) + spare))
    station = lambda i, c: number_waiting(int(c), loads[i])  # noqa: E731
    found = solve_separable(problem)
    by_greed = greedy(problem, station)
    assert found.objective_value == pytest.approx(goal(problem, station, by_greed), rel=1e-8)


def test_another_solver_finds_the_same() -> None:
    try:
        choose_solver("cbc")
    except ProgramError:
        pytest.skip("no CBC found")
    problem, _ = random_problem(3, "delay")
    ours, other = solve_separable(problem), solve_separable(problem, solver="cbc")
    assert other.objective_value == pytest.approx(ours.objective_value, rel=1e-7)


# ---------------------------------------------------------------------- what the program promises


def test_bound_holds_and_the_shadow_price_predicts_a_small_budget() -> None:
    rates = np.array([1.0, 3.0, 2.5])
    problem = AllocationProblem(
        names=letters(3),
        servers=np.array([2.0, 4.0, 3.0]),
        load=rates,
        curve=mm1(rates),
        cost_per_server=np.array([2.0, 1.0, 4.0]),
        budget=3.0,
        integer=False,
        exchanges=check_exchanges([("a", "b", 0.7)], letters(3)),
    )
    here = solve_separable(problem, gap=1e-10)
    more = AllocationProblem(**(vars(problem) | {"budget": 3.001}))
    there = solve_separable(more, gap=1e-10)
    assert there.objective_value - here.objective_value == pytest.approx(
        0.001 * here.duals["budget"], rel=1e-2
    )


def test_nothing_is_moved_in_a_circle_nor_bought_in_vain() -> None:
    loads = [3.5, 3.5]
    names = letters(2)
    table = check_exchanges([("a", "b", 1.0, 0.0, 3.0), ("b", "a", 1.0, 0.0, 3.0)], names)
    problem = waiting_problem(loads, servers=np.array([7.0, 5.0]), exchanges=table, budget=0.0)
    found = solve_separable(problem)
    assert found.servers.tolist() == [6.0, 6.0]
    assert found.moved.tolist() == [1.0, 0.0]
    idle = waiting_problem([2.0, 0.0], servers=np.array([3.0, 1.0]), budget=2.0)
    assert solve_separable(idle).bought.tolist() == [2.0, 0.0]


def test_a_move_leaves_fractions_unused() -> None:
    # one acute bed closed pays for 2.3 home-care places: two of them count
    table = check_exchanges([("acute", "home", 2.3, 0.0, 1.0)], ["acute", "home"])
    loads = [3.0, 2.5]
    problem = waiting_problem(
        loads, names=("acute", "home"), servers=np.array([7.0, 3.0]), exchanges=table
    )
    found = solve_separable(problem)
    assert found.servers.tolist() == [6.0, 5.0]
    assert found.unused == pytest.approx([0.0, 0.3])


def test_whole_steps_start_from_a_fraction() -> None:
    rates = np.array([2.0, 2.0])
    problem = AllocationProblem(
        names=letters(2),
        servers=np.array([2.5, 4.0]),
        load=rates,
        curve=mm1(rates),
        cost_per_server=np.ones(2),
        budget=2.0,
    )
    assert solve_separable(problem).servers.tolist() == [4.5, 4.0]


def test_unlimited_services_take_no_part() -> None:
    problem = waiting_problem(
        [2.0, 5.0], servers=np.array([2.0, math.inf]), budget=2.0, cost_per_server=np.ones(2)
    )
    found = solve_separable(problem)
    assert found.servers.tolist() == [4.0, math.inf]
    assert found.delay.tolist() == [pytest.approx(number_waiting(4, 2.0)), 0.0]


def test_cost_weighs_capacity_against_delay() -> None:
    # removing all delay is not optimal: servers cost 3, a waiting job 10
    loads = [4.0]
    problem = waiting_problem(
        loads,
        goal="cost",
        cost_per_server=np.array([3.0]),
        weight=np.array([10.0]),
        budget=300.0,
    )
    best = min(range(5, 60), key=lambda c: 3 * c + 10 * number_waiting(c, 4.0))
    found = solve_separable(problem)
    assert found.servers.tolist() == [best]
    assert found.spent < problem.budget


def test_throughput_in_whole_numbers() -> None:
    loads, names = [4.0, 3.0, 2.0], letters(3)
    table = check_exchanges([("c", "a", 1.0)], names)
    problem = AllocationProblem(
        names=names,
        servers=np.array([4.0, 5.0, 6.0]),
        load=np.array(loads),
        goal="throughput",
        exchanges=table,
        cost_per_server=np.array([2.0, 0.0, 0.0]),
        budget=5.0,
    )
    best = max(
        min(c / a for c, a in zip(s, loads, strict=True)) for *_, s in allocations(problem, 6)
    )
    found = solve_separable(problem)
    assert found.objective_value == pytest.approx(best)  # 5/3: service b cannot grow
    # reached with the least money, then the fewest moves
    assert found.spent == 2.0
    assert found.moved.tolist() == [2.0]
