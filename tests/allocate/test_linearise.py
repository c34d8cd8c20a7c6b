"""Lines below curves: they touch, they stay below, and bends are noticed."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flownet.allocate.linearise import (
    Cuts,
    bent_at_steps,
    bent_between,
    interpolated,
    likely_servers,
    not_convex,
    region_of_interest,
    starting_points,
    tangents,
    whole_step_above,
    whole_step_below,
)
from flownet.errors import ProgramError
from oracles.allocations import curve_of
from oracles.stations import erlang_b, number_waiting

RATES = np.array([1.0, 4.0, 0.3])


def mm1(services, servers):
    slack = servers - RATES[services]
    return RATES[services] / slack, -RATES[services] / slack**2


@given(st.integers(0, 2), st.floats(0.05, 20.0), st.floats(0.05, 20.0))
def test_a_tangent_touches_its_curve_and_stays_below(service: int, at: float, other: float) -> None:
    touch, elsewhere = RATES[service] + at, RATES[service] + other
    services = np.array([service])
    cuts, value = tangents(mm1, services, np.array([touch]))
    assert cuts.at(np.array([touch])) == pytest.approx(value, rel=1e-9, abs=1e-9)
    line, curve = cuts.at(np.array([elsewhere]))[0], mm1(services, np.array([elsewhere]))[0][0]
    assert line <= curve + 1e-9 * (1 + abs(line))


@given(st.floats(0.2, 12.0), st.integers(0, 20), st.integers(0, 40))
def test_a_secant_is_exact_at_its_two_steps_and_below_at_all_others(
    load: float, step: int, other: int
) -> None:
    first = math.floor(load) + 1
    assume(first - load > 1e-6)  # nearer, the values at two steps differ by more than all digits
    curve = interpolated(curve_of(lambda _, c: number_waiting(int(c), load)), np.zeros(1))
    knot, elsewhere = float(first + step), first + other
    cuts, value = tangents(curve, np.array([0]), np.array([knot]))
    assert value[0] == pytest.approx(number_waiting(int(knot), load), rel=1e-12)
    for exact in (knot, knot + 1):
        expected = number_waiting(int(exact), load)
        assert cuts.at(np.array([exact]))[0] == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert cuts.at(np.array([float(elsewhere)]))[0] <= number_waiting(elsewhere, load) * (1 + 1e-9)


def test_between_steps_the_curve_is_straight() -> None:
    curve = interpolated(lambda _, c: ((c - 9.5) ** 2, np.zeros_like(c)), np.array([0.5]))
    value, slope = curve(np.array([0, 0, 0]), np.array([3.5, 3.75, 4.5 - 1e-12]))
    assert value == pytest.approx([36.0, 36.0 - 0.25 * 11, 25.0])
    assert slope == pytest.approx([-11.0, -11.0, -9.0])  # the last one counts as at its step


def test_steps_around_a_number_of_servers() -> None:
    offset = np.array([0.0, 0.5, 0.5])
    assert whole_step_below(np.array([4.0, 4.0, 4.5]), offset).tolist() == [4.0, 3.5, 4.5]
    assert whole_step_above(np.array([4.0, 4.0, 4.5]), offset).tolist() == [4.0, 4.5, 4.5]


def test_where_the_curve_has_no_end_there_is_no_line() -> None:
    with pytest.raises(ProgramError, match="service number 1 has no finite value"):
        tangents(curve_of(lambda *_: math.inf), np.array([1]), np.array([3.0]))


def test_starting_points_keep_to_their_bounds_and_repeat_nothing() -> None:
    services, points = starting_points(
        np.array([0, 2]),
        servers=np.array([6.0, 9.0, 1.0]),
        load=np.array([4.0, 9.0, 1.0]),
        low=np.array([0.0, 0.0, 1.5]),
        high=np.array([7.0, 99.0, 99.0]),
        likely=np.array([6.0, 9.0, 3.0]),
        factors=(0.6, 1.0, 1.5),
    )
    # the third service has as many servers as load: its first point lies 0.3 of the way up
    assert services.tolist() == [0, 0, 0, 2, 2, 2, 2]
    assert points == pytest.approx([5.2, 6.0, 7.0, 1.6, 2.2, 3.0, 4.0])


def test_likely_servers_are_kleinrocks_where_all_is_bought() -> None:
    # Kleinrock (1964): c_i = a_i + sqrt(a_i d_i) / d_i * slack / sum sqrt(a_j d_j)
    load, price, money = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 0.5]), 20.0
    slack = money - load @ price
    best = load + np.sqrt(load * price) / price * slack / np.sqrt(load * price).sum()
    likely = likely_servers(np.zeros(3), load, np.ones(3), price, money)
    assert likely == pytest.approx(best, rel=1e-6)


def test_a_point_below_a_line_is_noticed() -> None:
    lines = Cuts(np.array([0, 1]), np.array([-1.0, -1.0]), np.array([10.0, 10.0]))
    points, values = np.array([[4.0, 4.0], [5.0, 5.0]]), np.array([[6.0, 6.0], [5.5, 4.9]])
    assert not_convex(lines, points, values).tolist() == [False, True]


@given(st.floats(0.2, 30.0))
def test_the_curves_of_theory_are_found_convex(load: float) -> None:
    # mean number waiting: Dyer and Proll (1977), Management Science 23
    first = float(math.floor(load) + 1)
    top = float(region_of_interest(np.array([load]), np.array([first]), np.array([math.inf]))[0])
    waiting = curve_of(lambda _, c: number_waiting(int(c), load))
    one, low, high = np.array([0]), np.array([first]), np.array([top])
    assert not bent_at_steps(waiting, one, low, high).size
    # Erlang's loss: convex in the servers (Messerli 1972, Bell System Technical Journal 51)
    assert not bent_at_steps(curve_of(lambda _, c: erlang_b(int(c), load)), one, low * 0, high).size
    assert not bent_between(mm1, one, np.array([1.0 + 1e-6]), np.array([40.0])).size


def test_only_the_bent_of_several_curves_are_named() -> None:
    def curve(services, servers):
        bump = np.where(services == 1, np.sin(2 * servers), 0.0)
        slope = np.where(services == 1, 2 * np.cos(2 * servers), 0.0)
        return 100 / servers + bump, -100 / servers**2 + slope

    all_three, low, high = np.arange(3), np.full(3, 20.0), np.array([40.0, 30.0, 21.0])
    assert bent_at_steps(curve, all_three, low, high).tolist() == [1]
    assert bent_between(curve, all_three, low, high).tolist() == [1]


def test_the_region_of_interest_ends_where_delay_does() -> None:
    load, low = np.array([4.0, 4.0, 0.0]), np.array([5.0, 5.0, 1.0])
    high = np.array([math.inf, 9.0, math.inf])
    assert region_of_interest(load, low, high).tolist() == [30.0, 9.0, 10.0]
    assert number_waiting(30, 4.0) < 1e-12
