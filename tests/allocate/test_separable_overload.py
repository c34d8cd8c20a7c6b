"""What cannot be, or is overloaded: conflicts, backlogs, bent curves, limits of time."""

import math

import numpy as np
import pytest
from allocate.separable_cases import mm1, random_problem, waiting_problem

from flownet.allocate.exchanges import check_exchanges
from flownet.allocate.problem import AllocationProblem, Flows
from flownet.allocate.separable import solve_separable
from flownet.errors import ParameterError, ProgramError, UnknownNameError
from oracles.allocations import allocations, curve_of, goal
from oracles.stations import number_waiting


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
