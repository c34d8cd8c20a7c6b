"""The layer over PuLP against programs whose optimum, duals and ranges are printed in books."""

import itertools
import math
import time

import highspy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet.errors import ParameterError, ProgramError, UnknownNameError
from flownet.programs import Program, Row
from flownet.programs.solvers import choose_solver


def _cbc_is_here() -> bool:
    try:
        choose_solver("cbc")
    except ProgramError:
        return False
    return True


SOLVERS = [
    "highs",
    pytest.param("cbc", marks=pytest.mark.skipif(not _cbc_is_here(), reason="no CBC found")),
]


def wyndor() -> Program:
    """Wyndor Glass: Hillier and Lieberman, Introduction to Operations Research, ch. 3 and 6."""
    program = Program("Wyndor Glass")
    doors, windows = program.variables(["doors", "windows"])
    program.constraint("plant 1", [(doors, 1.0)], "<=", 4.0)
    program.constraint("plant 2", [(windows, 2.0)], "<=", 12.0)
    program.constraint("plant 3", [(doors, 3.0), (windows, 2.0)], "<=", 18.0)
    program.maximize([(doors, 3.0), (windows, 5.0)])
    return program


@pytest.mark.parametrize("solver", SOLVERS)
def test_optimum_and_shadow_prices_of_the_textbook(solver: str) -> None:
    solution = wyndor().solve(solver)
    assert solution.status == "optimal"
    assert solution.solver == solver
    assert solution.objective == pytest.approx(36.0)
    assert solution.values == pytest.approx({"doors": 2.0, "windows": 6.0})
    assert solution.duals == pytest.approx({"plant 1": 0.0, "plant 2": 1.5, "plant 3": 1.0})
    assert solution.bound == pytest.approx(36.0)
    assert solution.gap == pytest.approx(0.0)


def test_ranges_of_the_right_hand_sides_of_the_textbook() -> None:
    # Hillier and Lieberman, chapter 6: 2 <= b1; 6 <= b2 <= 18; 12 <= b3 <= 24
    program = wyndor()
    program.solve()
    assert program.right_hand_side_range("plant 1") == pytest.approx((2.0, math.inf))
    assert program.right_hand_side_range("plant 2") == pytest.approx((6.0, 18.0))
    assert program.right_hand_side_range("plant 3") == pytest.approx((12.0, 24.0))


@pytest.mark.parametrize("solver", SOLVERS)
def test_duals_of_a_least_cost_diet(solver: str) -> None:
    # min 2x + 3y, x + y >= 4, x + 3y >= 6, by its dual max 4u + 6v, u + v <= 2, u + 3v <= 3:
    # u = 1.5, v = 0.5, both 9
    program = Program()
    x, y = program.variables(["x", "y"])
    program.constraints(
        [
            Row("weight", [(x, 1.0), (y, 1.0)], ">=", 4.0),
            Row("protein", [(x, 1.0), (y, 3.0)], ">=", 6.0),
        ]
    )
    program.minimize([(x, 2.0), (y, 3.0)])
    solution = program.solve(solver)
    assert solution.objective == pytest.approx(9.0)
    assert solution.duals == pytest.approx({"weight": 1.5, "protein": 0.5})


@pytest.mark.parametrize("solver", SOLVERS)
def test_reduced_cost_is_the_price_of_a_bound(solver: str) -> None:
    program = Program()
    x, y = program.variables(["x", "y"], high=[2.0, 10.0])
    program.constraint("both", [(x, 1.0), (y, 1.0)], "<=", 5.0)
    program.maximize([(x, 4.0), (y, 1.0)])
    solution = program.solve(solver)  # x at its bound 2, y = 3: one more x displaces one y
    assert solution.objective == pytest.approx(11.0)
    assert solution.reduced_costs == pytest.approx({"x": 3.0, "y": 0.0})


@pytest.mark.parametrize("solver", SOLVERS)
def test_knapsack_against_enumeration(solver: str) -> None:
    value, weight = [10.0, 13.0, 18.0, 31.0, 7.0, 15.0], [2.0, 3.0, 4.0, 7.0, 1.0, 5.0]
    best = max(
        np.dot(value, take)
        for take in itertools.product((0, 1, 2), repeat=6)
        if np.dot(weight, take) <= 13
    )
    program = Program()
    items = program.variables([f"item {k}" for k in range(6)], 0.0, 2.0, integer=True)
    program.constraint("weight", zip(items, weight, strict=True), "<=", 13.0)
    program.maximize(zip(items, value, strict=True))
    solution = program.solve(solver)
    assert solution.objective == pytest.approx(best)
    assert solution.bound == pytest.approx(best)
    with pytest.raises(ProgramError, match="whole-number variables has no duals"):
        _ = solution.duals
    relaxed = program.solve(solver, relaxed=True)
    assert relaxed.objective > best
    assert relaxed.duals["weight"] > 0


def test_an_equality_and_a_free_variable() -> None:
    program = Program()
    x = program.variable("x", -math.inf, math.inf)
    y = program.variable("y", -5.0, 5.0)
    program.constraint("sum", [(x, 1.0), (y, 1.0)], "==", 1.0)
    program.minimize([(x, 1.0)])
    solution = program.solve()
    assert solution.values == pytest.approx({"x": -4.0, "y": 5.0})
    assert solution.duals["sum"] == pytest.approx(1.0)
    assert solution.array([y, x]).tolist() == pytest.approx([5.0, -4.0])


def test_a_repeated_variable_adds_up_and_an_unused_one_keeps_to_its_bounds() -> None:
    program = Program()
    x, _ = program.variables(["x", "unused"], [0.0, 2.0], [math.inf, 3.0])
    program.constraint("twice", [(x, 1.0), (x, 1.0)], "<=", 6.0)
    program.maximize([(x, 0.5), (x, 0.5)])
    solution = program.solve()
    assert solution.values == pytest.approx({"x": 3.0, "unused": 2.0})


def test_a_program_without_objective_finds_a_feasible_point() -> None:
    program = Program()
    x = program.variable("x")
    program.constraint("enough", [(x, 2.0)], ">=", 4.0)
    assert program.solve().values["x"] >= 2.0


# ------------------------------------------------------------------------------- solving again


def test_solving_again_uses_the_live_model() -> None:
    program = wyndor()
    program.solve()
    live = program._live
    again = program.resolve({"plant 2": 14.0})
    assert program._live is live
    assert again.objective == pytest.approx(36.0 + 2 * 1.5)
    assert program.solve().objective == pytest.approx(39.0)  # the program itself changed too


def test_solving_again_with_a_new_row_a_new_bound_and_a_new_objective() -> None:
    program = wyndor()
    program.solve()
    live = program._live
    doors, windows = 0, 1
    program.constraint("glass", [(doors, 1.0), (windows, 1.0)], "<=", 7.0)
    assert program.resolve().objective == pytest.approx(33.0)  # doors 1, windows 6
    program.set_bounds(windows, 0.0, 5.0)
    assert program.resolve().objective == pytest.approx(31.0)  # doors 2, windows 5
    program.minimize([(doors, -1.0)])
    again = program.resolve()
    assert program._live is live
    assert again.objective == pytest.approx(-4.0)
    assert again.duals["plant 1"] == pytest.approx(-1.0)
    assert set(again.duals) == {"plant 1", "plant 2", "plant 3", "glass"}
    assert program.solve().objective == pytest.approx(-4.0)


def test_solving_again_with_a_new_variable_starts_afresh() -> None:
    program = wyndor()
    program.solve()
    shutters = program.variable("shutters", 0.0, 2.0)
    program.constraint("plant 4", [(shutters, 1.0)], "<=", 1.0)
    program.maximize([(0, 3.0), (1, 5.0), (shutters, 7.0)])
    assert program.resolve().objective == pytest.approx(43.0)


def test_solving_again_after_another_solver_or_none_is_solving() -> None:
    assert wyndor().resolve({"plant 2": 14.0}).objective == pytest.approx(39.0)


def test_whole_numbers_can_be_relaxed_and_put_back_on_the_live_model() -> None:
    program = Program()
    x, y = program.variables(["x", "y"], integer=True)
    program.constraint("area", [(x, 2.0), (y, 3.0)], "<=", 8.5)
    program.maximize([(x, 2.0), (y, 3.2)])
    assert program.solve(relaxed=True).objective == pytest.approx(8.5 / 3 * 3.2)
    whole = program.resolve()
    assert whole.objective == pytest.approx(8.4)  # x = 1, y = 2
    assert program.resolve({"area": 9.5}, start=whole).objective == pytest.approx(9.6)  # y = 3
    assert program.resolve({"area": 2.5}, start=whole).objective == pytest.approx(2.0)  # not one
    assert program.resolve(relaxed=True).duals["area"] == pytest.approx(3.2 / 3)


# ------------------------------------------------------------------------- statuses, bad input


@pytest.mark.parametrize("solver", SOLVERS)
def test_infeasible_figures_cannot_be_read(solver: str) -> None:
    program = wyndor()
    program.constraint("orders", [(0, 1.0), (1, 1.0)], ">=", 9.0)
    program.constraint("idle", [(0, 1.0)], ">=", 0.5)
    solution = program.solve(solver)
    assert solution.status == "infeasible"
    for read in ("objective", "values", "duals", "reduced_costs", "bound", "gap"):
        with pytest.raises(ProgramError, match="infeasible"):
            getattr(solution, read)


def test_infeasible_names_a_smallest_conflict() -> None:
    program = wyndor()
    program.constraint("orders", [(0, 1.0), (1, 1.0)], ">=", 9.0)
    program.constraint("idle", [(0, 1.0)], ">=", 0.5)
    solution = program.solve()
    # by hand: doors + windows >= 9 with windows <= 6 wants doors >= 3, and then 3 doors + 2 windows
    # >= doors + 18 > 18; "plant 1" and "idle" have no part in it
    assert set(solution.conflict) == {"plant 2", "plant 3", "orders"}
    with pytest.raises(ProgramError, match=r"cannot hold together: .*orders"):
        _ = solution.values


def test_infeasible_names_bounds() -> None:
    program = Program()
    x = program.variable("beds", 0.0, 3.0)
    y = program.variable("nurses", 0.0, 9.0)
    program.constraint("need", [(x, 1.0)], ">=", 4.0)
    program.constraint("other", [(y, 1.0), (x, 1.0)], ">=", 1.0)
    program.minimize([(x, 1.0)])
    assert program.solve().conflict == ("upper bound of beds", "need")


def test_infeasible_for_whole_numbers_only() -> None:
    program = Program()
    x = program.variable("x", 0.0, 10.0, integer=True)
    program.constraint("odd", [(x, 2.0)], "==", 3.0)
    program.maximize([(x, 1.0)])
    solution = program.solve()
    assert solution.status == "infeasible"
    with pytest.raises(ProgramError, match="whole numbers"):
        _ = solution.objective


@pytest.mark.parametrize("solver", SOLVERS)
def test_unbounded_figures_cannot_be_read(solver: str) -> None:
    program = Program()
    x, y = program.variables(["x", "y"])
    program.constraint("difference", [(x, 1.0), (y, -1.0)], "<=", 1.0)
    program.maximize([(x, 1.0), (y, 1.0)])
    solution = program.solve(solver)
    assert solution.status == "unbounded"
    assert repr(solution) == f"ProgramSolution(unbounded, by {solver})"
    with pytest.raises(ProgramError, match="without end"):
        _ = solution.values


def market_split(rows: int, seed: int) -> Program:
    """Cornuejols and Dawande (1998): small, feasible in the relaxation, hopeless to branch on."""
    rng = np.random.default_rng(seed)
    count = 10 * (rows - 1)
    program = Program("market split")
    take = program.variables([f"take {j}" for j in range(count)], 0.0, 1.0, integer=True)
    slack = program.variables([f"slack {i}" for i in range(2 * rows)])
    for i in range(rows):
        weight = rng.integers(0, 100, count).astype(float)
        pairs = [*zip(take, weight, strict=True), (slack[2 * i], 1.0), (slack[2 * i + 1], -1.0)]
        program.constraint(f"split {i}", pairs, "==", float(weight.sum() // 2))
    program.minimize([(s, 1.0) for s in slack])
    return program


def test_a_time_limit_gives_the_best_found_with_its_gap() -> None:
    program = market_split(5, seed=1)
    solution = program.solve(time_limit=0.5)
    assert solution.status in {"stopped", "no_solution"}
    if solution.status == "stopped":
        assert solution.gap > 0.5  # the relaxation's optimum is 0
        assert solution.bound <= solution.objective
    # the second limit counts from its own start, not from the first
    start = time.perf_counter()
    again = program.resolve({"split 0": 1200.0}, time_limit=0.5)
    assert again.status in {"stopped", "no_solution"}
    assert 0.4 < time.perf_counter() - start < 10.0


def test_a_limit_without_any_solution_cannot_be_read() -> None:
    solution = market_split(6, seed=2).solve(time_limit=1e-4)
    if not solution.readable:
        assert solution.status == "no_solution"
        with pytest.raises(ProgramError, match="limit"):
            _ = solution.values


@pytest.mark.parametrize(
    ("limits", "attribute"),
    [
        ({"time_limit": 0.0}, "time_limit"),
        ({"time_limit": math.nan}, "time_limit"),
        ({"gap": -0.1}, "gap"),
        ({"gap": math.inf}, "gap"),
    ],
)
def test_limits_that_mean_nothing_are_refused(limits: dict[str, float], attribute: str) -> None:
    with pytest.raises(ParameterError, match=attribute):
        wyndor().solve(**limits)


def test_a_solver_that_does_not_exist_or_is_not_installed_is_told() -> None:
    with pytest.raises(UnknownNameError, match="'solvo'"):
        wyndor().solve("solvo")
    with pytest.raises(ProgramError, match="not installed"):
        wyndor().solve("CPLEX_CMD")


def test_bad_rows_and_variables_are_refused_by_name() -> None:
    program = wyndor()
    with pytest.raises(ParameterError, match="'doors'"):
        program.variable("doors")
    with pytest.raises(ParameterError, match="'plant 1'"):
        program.constraint("plant 1", [(0, 1.0)], "<=", 1.0)
    with pytest.raises(ParameterError, match=r"'x'.*exceed"):
        program.variable("x", 2.0, 1.0)
    with pytest.raises(ParameterError, match=r"'odd'.*nan"):
        program.constraint("odd", [(0, math.nan)], "<=", 1.0)
    with pytest.raises(ParameterError, match=r"'odd'.*inf"):
        program.constraint("odd", [(0, 1.0)], "<=", math.inf)
    with pytest.raises(ParameterError, match=r"'odd'.*at least one"):
        program.constraint("odd", [(0, 0.0)], "<=", 1.0)
    with pytest.raises(UnknownNameError, match="'plant 9'"):
        program.resolve({"plant 9": 1.0})
    with pytest.raises(ParameterError, match="nan"):
        program.resolve({"plant 1": math.nan})
    with pytest.raises(ProgramError, match="optimality"):
        program.right_hand_side_range("plant 1")
    assert program.solve().objective == pytest.approx(36.0)  # none of it left a trace


# --------------------------------------------------------------------------------------- names


@given(st.lists(st.text(max_size=80), min_size=1, max_size=8, unique=True))
def test_any_names_come_back_as_they_were_given(names: list[str]) -> None:
    program = Program("<script>")
    variables = program.variables(names, high=np.arange(1.0, len(names) + 1))
    for name, variable in zip(names, variables, strict=True):
        program.constraint(f"row of {name}", [(variable, 1.0)], "<=", 100.0)
    program.maximize([(variable, 1.0) for variable in variables])
    solution = program.solve()
    assert solution.values == pytest.approx({name: k + 1.0 for k, name in enumerate(names)})
    assert list(solution.duals) == [f"row of {name}" for name in names]


AWKWARD = [
    "Ward 1",
    "Ward-1",
    "ward_1",
    "<script>",
    "救急",
    "Médecine",
    "e5",
    "free",
    "2nd",
    "[x]",
    "",
]


def test_the_written_file_is_read_by_another_program(tmp_path) -> None:
    program = Program("names")
    variables = program.variables(AWKWARD, high=3.0, integer=True)
    for name, variable in zip(AWKWARD, variables, strict=True):
        program.constraint(name, [(variable, 2.0)], "<=", 5.0)
    program.maximize([(variable, k + 1.0) for k, variable in enumerate(variables)])
    best = program.solve().objective
    file = tmp_path / "names.lp"
    program.write_lp(file)
    assert file.read_text(encoding="ascii").startswith("\\* names *\\\nMaximize\n")
    other = highspy.Highs()
    other.setOptionValue("output_flag", False)
    other.readModel(str(file))
    other.run()
    assert other.getInfo().objective_function_value == pytest.approx(best)
    assert other.getNumRow() == len(AWKWARD)


def test_sizes_are_shown() -> None:
    program = wyndor()
    program.variable("whole", integer=True)
    assert "3 variables, 1 of them whole, 3 constraints" in repr(program)
    assert "36" in repr(program.solve())
