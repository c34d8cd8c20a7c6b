"""Curves as pieces in the live model against the same program with every line as a row."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet.errors import ParameterError
from flownet.programs import Program
from flownet.programs.lines import LineArrays, envelope

SIGNS = {"minimize": 1.0, "maximize": -1.0}


def random_program(seed, sense="minimize"):
    """Return (program with curves, the same with rows), its curves' numbers and its names.

    Three services share money; delay falls convexly with the servers of each.
    """
    rng = np.random.default_rng(seed)
    programs = [Program(), Program()]
    slopes, heights = -np.sort(rng.uniform(0.05, 4, (3, 4))), rng.uniform(3, 9, (3, 4))
    lines = [
        list(zip(a.tolist(), b.tolist(), strict=True)) for a, b in zip(slopes, heights, strict=True)
    ]
    price, weight = rng.uniform(0.5, 3, 3), rng.uniform(0.2, 2, 3)
    least = rng.uniform(0, 1, 3)
    for p in programs:
        servers = p.variables(["c0", "c1", "c2"], least, 6.0)
        delay = p.variables(["d0", "d1", "d2"])
        money = [(c, float(a)) for c, a in zip(servers, price, strict=True)]
        p.constraint("money", money, "<=", 9.0)
        p.constraint("together", [(servers[0], 1.0), (servers[1], 1.0)], ">=", 1.5)
        goal = [(d, SIGNS[sense] * float(w)) for d, w in zip(delay, weight, strict=True)]
        getattr(p, sense)([*goal, (servers[2], 0.01 * SIGNS[sense])])
    return programs, lines


def with_lines(program, lines, *, rows, number=0):
    """Add a line for each pair (slope, intercept) of each curve, in one form or the other."""
    servers, delay = [0, 1, 2], [3, 4, 5]
    for k, pairs in enumerate(lines):
        if rows:
            for n, (slope, height) in enumerate(pairs):
                terms = [(delay[k], 1.0), (servers[k], -slope)]
                program.constraint(f"line {k} {n + number}", terms, ">=", height)
        else:
            curve = k if number else program.curve(f"delay[{k}]", delay[k], servers[k])
            program.lines(np.full(len(pairs), curve), *np.array(pairs).T)


def the_same(ours, theirs):
    assert ours.status == theirs.status == "optimal"
    assert ours.objective == pytest.approx(theirs.objective, rel=1e-9, abs=1e-9)
    assert ours.duals["money"] == pytest.approx(theirs.duals["money"], abs=1e-7)
    assert ours.duals["together"] == pytest.approx(theirs.duals["together"], abs=1e-7)
    assert dict(ours.values) == pytest.approx(dict(theirs.values), abs=1e-7)
    for name in ("c0", "c1", "c2"):
        assert ours.reduced_costs[name] == pytest.approx(theirs.reduced_costs[name], abs=1e-7)


@pytest.mark.parametrize("sense", SIGNS)
@pytest.mark.parametrize("seed", range(12))
def test_pieces_and_rows_are_the_same_program(seed, sense):
    (ours, theirs), lines = random_program(seed, sense)
    with_lines(ours, lines, rows=False)
    with_lines(theirs, lines, rows=True)
    the_same(ours.solve(), theirs.solve())
    assert ours._live.in_pieces
    ours_range, their_range = (p.right_hand_side_range("money") for p in (ours, theirs))
    assert ours_range == pytest.approx(their_range, abs=1e-6)
    live = ours._live
    more = [[(-0.7, 4.0), (-2.0, 8.5)], [(-9.0, 12.0)], [(-0.01, 0.9)]]
    with_lines(ours, more, rows=False, number=4)
    with_lines(theirs, more, rows=True, number=4)
    the_same(ours.resolve(), theirs.resolve())
    the_same(ours.resolve({"money": 7.0}), theirs.resolve({"money": 7.0}))
    for p in (ours, theirs):
        p.set_bounds(0, 1.2, 3.0)
    the_same(ours.resolve(), theirs.resolve())
    assert ours._live is live
    if sense == "minimize":  # down again below where the pieces begin
        for p in (ours, theirs):
            p.set_bounds(0, -2.0, 3.0)
        the_same(ours.resolve(), theirs.resolve())
        assert ours._live is not live


def test_curves_that_other_rows_speak_of_stand_as_rows():
    (ours, theirs), lines = random_program(3)
    with_lines(ours, lines, rows=False)
    with_lines(theirs, lines, rows=True)
    free = ours.solve().array([3, 4]).sum()
    for p in (ours, theirs):
        p.constraint("at most", [(3, 1.0), (4, 1.0)], "<=", float(free) - 0.01)
    the_same(ours.resolve(), theirs.resolve())
    assert not ours._live.in_pieces


def test_whole_numbers_and_other_objectives_take_them_out_of_pieces_and_back():
    program = Program()
    servers = program.variable("servers", 0.0, 9.0, integer=True)
    delay = program.variable("delay")
    curve = program.curve("delay[a]", delay, servers)
    program.lines(np.array([curve, curve]), np.array([-2.0, -0.5]), np.array([8.0, 4.0]))
    program.constraint("money", [(servers, 2.0)], "<=", 5.0)
    program.minimize([(delay, 1.0)])
    assert program.solve(relaxed=True).objective == pytest.approx(3.0)  # 2.5 servers
    assert program._live.in_pieces
    assert program.resolve().objective == pytest.approx(4.0)  # 2 servers
    assert not program._live.in_pieces
    program.maximize([(delay, 1.0)])
    assert program.resolve(relaxed=True).status == "unbounded"


def test_what_is_in_conflict_is_named_beside_curves():
    (program, _), lines = random_program(5)
    with_lines(program, lines, rows=False)
    program.solve()
    found = program.resolve({"together": 13.0})
    assert found.status == "infeasible"
    assert "together" in found.conflict
    assert not any("delay" in name for name in found.conflict)


def test_lines_too_steep_for_costs_stand_as_rows():
    (ours, theirs), lines = random_program(7)
    lines[0].append((-1e12, 1e12))
    with_lines(ours, lines, rows=False)
    with_lines(theirs, lines, rows=True)
    assert ours.solve().objective == pytest.approx(theirs.solve().objective, rel=1e-7)
    assert not ours._live.in_pieces


def test_files_show_lines_by_name(tmp_path):
    (program, _), lines = random_program(1)
    with_lines(program, lines, rows=False)
    program.write_lp(tmp_path / "curves.lp")
    text = (tmp_path / "curves.lp").read_text(encoding="ascii")
    assert "delay_0_1:" in text
    assert "delay_2_4:" in text


def test_a_line_must_be_finite():
    program = Program()
    curve = program.curve("delay[a]", program.variable("d"), program.variable("c"))
    with pytest.raises(ParameterError, match=r"delay\[a\].*finite"):
        program.lines(np.array([curve]), np.array([-math.inf]), np.array([1.0]))


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=8),
       st.floats(-5, 5))  # fmt: skip
def test_the_envelope_is_the_highest_line_everywhere(pairs, origin):
    slope, intercept = np.array(pairs).T
    lines = LineArrays(np.zeros(slope.size, dtype=np.int64), slope, intercept)
    top, begin, length = envelope(lines, np.array([origin]))
    assert begin[0] == origin
    assert math.isinf(length[-1])
    for point in origin + np.geomspace(1e-3, 50, 40):
        k = int(np.searchsorted(begin, point, side="right")) - 1
        value = (intercept + slope * point).max()
        assert intercept[top[k]] + slope[top[k]] * point == pytest.approx(value, abs=1e-6)
