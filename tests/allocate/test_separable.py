"""Allocations against known optima, against enumeration, and against what theory says."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet.allocate.exchanges import check_exchanges
from flownet.allocate.problem import AllocationProblem, Flows
from flownet.allocate.separable import solve_separable
from flownet.errors import ParameterError, ProgramError, UnknownNameError
from flownet.programs.solvers import choose_solver
from oracles.allocations import allocations, curve_of, goal
from oracles.stations import erlang_b, number_waiting


def case(shared: Path, identifier: str) -> dict:
    document = json.loads((shared / "cases" / "alloc_optima.json").read_text(encoding="utf-8"))
    return next(c for c in document["cases"] if c["id"] == identifier)


def letters(count: int) -> tuple[str, ...]:
    return tuple("abcdefghijklmnopqrstuvwxyz"[:count])


def waiting_problem(loads, **others) -> AllocationProblem:
    """M/M/c stations at these loads, starting from no servers at all."""
    fields = {
        "names": letters(len(loads)),
        "servers": np.zeros(len(loads)),
        "load": np.array(loads),
        "curve": curve_of(lambda i, c: number_waiting(int(c), loads[i])),
        "cost_per_server": np.ones(len(loads)),
    }
    return AllocationProblem(**(fields | others))


def mm1(rates: np.ndarray):
    """Mean number at M/M/1 queues whose servers are their service rates."""

    def curve(services, servers):
        slack = servers - rates[services]
        return rates[services] / slack, -rates[services] / slack**2

    return curve


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


def random_problem(seed: int, goal_name: str) -> tuple[AllocationProblem, object]:
    """Two or three M/M/c stations with prices, bounds, and exchanges at awkward rates."""
    rng = np.random.default_rng([seed, goal_name == "cost"])
    n = int(rng.integers(2, 4))
    loads = rng.uniform(0.5, 6.0, n).round(2).tolist()
    servers = np.ceil(np.array(loads) + rng.uniform(0.01, 2.0, n))
    prices = rng.choice([1.0, 2.0, 3.0, 5.0, 0.0], n)
    pairs = list(itertools.permutations(range(n), 2))
    chosen = rng.choice(len(pairs), int(rng.integers(0, 3)), replace=False)
    rows = []
    for k in chosen.tolist():
        start, end = pairs[k]
        if (end, start) not in [(s, e) for s, e, *_ in rows]:
            rate = float(rng.choice([1.0, 0.5, 0.8, 2.3]))
            cost = float(rng.choice([0.0, 0.5]))
            rows.append((start, end, rate, cost, float(rng.integers(1, 5))))
    names = letters(n)
    table = check_exchanges([(names[s], names[e], *rest) for s, e, *rest in rows], names)
    station = lambda i, c: number_waiting(int(c), loads[i])  # noqa: E731
    problem = AllocationProblem(
        names=names,
        servers=servers,
        load=np.array(loads),
        curve=curve_of(station),
        goal=goal_name,
        budget=float(rng.integers(0, 9)),
        exchanges=table,
        cost_per_server=prices,
        weight=rng.choice([1.0, 2.0, 7.0], n),
        max_servers=np.where(rng.random(n) < 0.3, servers + 2, math.inf),
        min_servers=np.where(rng.random(n) < 0.3, servers - 1, 0.0),
    )
    return problem, station


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


# --------------------------------------------------------------- what cannot be, or is overloaded


def test_backlogs_grow_as_little_as_they_can() -> None:
    # a is stable, b and c are overloaded; money suffices for four more servers
    loads = [2.0, 5.6, 9.3]
    problem = waiting_problem(
        loads, servers=np.array([3.0, 4.0, 5.0]), budget=4.0, cost_per_server=np.ones(3)
    )
    least = min(
        sum(max(0.0, a - c) for a, c in zip(loads, servers, strict=True))
        for *_, servers in allocations(problem, 4)
    )
    found = solve_separable(problem)
    assert found.growth.sum() == pytest.approx(least, rel=1e-5)
    assert found.growth_bound == pytest.approx(least, rel=1e-5)
    assert found.bought[0] == 0.0  # a server for a would let the backlogs grow faster
    assert found.delay[0] == found.objective_value == pytest.approx(number_waiting(3, 2.0))
    assert set(found.overloaded) == {1, 2}
    assert math.isinf(found.delay[1])


def test_a_free_server_is_taken_up_to_its_limit() -> None:
    problem = waiting_problem(
        [2.0, 2.0],
        servers=np.array([3.0, 3.0]),
        price=np.array([0.0, math.nan]),
        max_servers=np.array([6.0, 9.0]),
    )
    assert solve_separable(problem).servers.tolist() == [6.0, 3.0]


def test_with_the_same_growth_the_stable_ones_get_the_least_delay() -> None:
    # c is beyond help (it cannot be bought); the money goes to the delay of a and b
    loads = [2.0, 4.0, 9.0]
    problem = waiting_problem(
        loads,
        servers=np.array([3.0, 5.0, 5.0]),
        budget=3.0,
        cost_per_server=np.array([1.0, 1.0, 0.0]),
    )
    found = solve_separable(problem)
    assert found.overloaded == (2,)
    assert found.growth == pytest.approx([0.0, 0.0, 4.0], rel=1e-4)
    best = min(
        number_waiting(int(s[0]), 2.0) + number_waiting(int(s[1]), 4.0)
        for *_, s in allocations(problem, 3)
    )
    assert found.objective_value == pytest.approx(best)
    assert found.status == "optimal"


@pytest.mark.parametrize("integer", [True, False])
def test_growth_follows_the_flow_downstream(integer: bool) -> None:
    # 10 a day into a (1 day each, 6 beds), all of it on to b (1 day, 8 beds), for sale at b only:
    # a passes on 6, so that b has enough and no money can help
    flows = Flows(np.array([10.0, 0.0]), np.ones(2), np.array([0]), np.array([1]), np.array([1.0]))
    problem = waiting_problem(
        [10.0, 10.0],
        servers=np.array([6.0, 8.0]),
        budget=3.0,
        cost_per_server=np.array([0.0, 1.0]),
        flows=flows,
        integer=integer,
        curve=mm1(np.array([10.0, 10.0])),
    )
    found = solve_separable(problem)
    assert found.growth == pytest.approx([4.0, 0.0], abs=1e-4)
    assert found.growth_bound == pytest.approx(4.0, abs=1e-4)
    assert found.bought.tolist() == [0.0, 0.0]


def test_bounds_that_no_plan_keeps_are_named() -> None:
    problem = waiting_problem([2.0, 2.0], min_servers=np.array([6.0, 6.0]), budget=8.0)
    with pytest.raises(ProgramError, match=r"no allocation .*budget") as caught:
        solve_separable(problem)
    assert "lower bound of servers[a]" in str(caught.value)
    assert "balance[a]" in str(caught.value)


def test_throughput_without_limit_is_told() -> None:
    problem = waiting_problem([0.0, 3.0], servers=np.array([1.0, math.inf]), goal="throughput")
    with pytest.raises(ProgramError, match="nothing limits throughput"):
        solve_separable(problem)


def test_a_curve_that_is_not_convex_is_tabled() -> None:
    # a step: nothing helps below eight servers; the tangent at the start would rule that out
    heights = {5: 10.0, 6: 9.9, 7: 9.8, 8: 2.0, 9: 1.9}
    stations = [lambda c: heights.get(int(c), 1.0), lambda c: 12.0 / (c - 2.0)]
    station = lambda i, c: stations[i](c)  # noqa: E731
    problem = waiting_problem(
        [4.5, 2.0],
        curve=curve_of(station),
        servers=np.array([5.0, 5.0]),
        budget=3.0,
        max_servers=np.array([9.0, 9.0]),
    )
    best = min(goal(problem, station, s) for *_, s in allocations(problem, 3))
    for convex in (None, np.array([False, True])):
        found = solve_separable(AllocationProblem(**(vars(problem) | {"convex": convex})))
        assert found.objective_value == pytest.approx(best)
        assert found.servers.tolist() == [8.0, 5.0]
    assert found.not_convex == (0,)
    divisible = AllocationProblem(
        **(vars(problem) | {"integer": False, "convex": np.array([False, True])})
    )
    with pytest.raises(ProgramError, match="'a' is not convex"):
        solve_separable(divisible)


def test_a_curve_that_is_not_convex_is_noticed_where_servers_are_divisible() -> None:
    def wave(_, servers):
        return 5.0 - 0.2 * servers + np.sin(2 * servers), -0.2 + 2 * np.cos(2 * servers)

    problem = AllocationProblem(
        names=("wavy",),
        servers=np.array([3.0]),
        load=np.array([2.0]),
        curve=wave,
        cost_per_server=np.ones(1),
        budget=4.0,
        integer=False,
    )
    with pytest.raises(ProgramError, match="'wavy' is not convex"):
        solve_separable(problem)


def test_points_without_a_value_are_not_taken() -> None:
    heights = {2: math.inf, 3: 7.0, 4: math.inf, 5: 2.0}
    problem = waiting_problem(
        [1.0],
        curve=curve_of(lambda _, c: heights[int(c)]),
        servers=np.array([2.0]),
        budget=3.0,
        max_servers=np.array([5.0]),
        convex=np.array([False]),
    )
    assert solve_separable(problem).servers.tolist() == [5.0]
    few = AllocationProblem(**(vars(problem) | {"budget": 2.0}))
    assert solve_separable(few).servers.tolist() == [3.0]


def test_a_time_limit_still_gives_a_plan_with_its_gap() -> None:
    problem, _ = random_problem(5, "delay")
    found = solve_separable(problem, time_limit=0.01, polish=0.0)
    assert found.status in {"optimal", "within_gap", "stopped"}
    assert found.objective_bound <= found.objective_value + 1e-9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": -1.0}, "budget"),
        ({"budget": math.inf}, "budget"),
        ({"margin": 1.0}, "margin"),
        ({"load": np.array([1.0, -2.0])}, "service 'b', load = -2"),
        ({"load": np.array([1.0, math.nan])}, "service 'b', load = nan"),
        ({"weight": np.array([math.inf, 1.0])}, "service 'a', weight"),
        ({"min_servers": np.array([5.0, 0.0]), "max_servers": np.array([4.0, 9.0])}, "cross"),
        ({"price": np.array([0.0, 1.0])}, "nothing would limit"),
        ({"curve": None}, "curve"),
        (
            {
                "servers": np.array([math.inf, 2.0]),
                "exchanges": check_exchanges([("a", "b")], "ab"),
            },
            "unlimited",
        ),
    ],
)
def test_faults_of_a_problem_are_told(change: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        solve_separable(waiting_problem([1.0, 2.0], **change))


def test_an_unknown_goal_is_told() -> None:
    with pytest.raises(UnknownNameError, match="'speed'"):
        solve_separable(waiting_problem([1.0], goal="speed"))
