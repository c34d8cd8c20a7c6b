"""The constraint by time of the cycle: right where queues settle fast, and honest where not."""

import json
import math

import numpy as np
import pytest

import flownet as fn
from flownet.constraint.moments import pieces_of
from flownet.errors import ParameterError
from oracles.calendar_chain import Piece, periodic_means


def calendar(*values, width=1.0):
    """Return rows of so many T each."""
    return [
        {"start": k * width, "end": (k + 1) * width, "value": value}
        for k, value in enumerate(values)
    ]


def network(services, routes=(), unit="hour"):
    """Return a network of these services."""
    return fn.Network.from_dict(
        {"network": {"time_unit": unit}, "services": services, "routes": list(routes)}
    )


FIRST = ((40.0, 2), (76.0, 2), (100.0, 3), (60.0, 2))
SECOND = ((30.0, 1), (25.0, 1), (74.0, 2), (30.0, 1))
TIME = 0.02
"""Hours of 50 service times: queues settle within the hour or two."""


def two():
    """Return two desks whose arrivals and servers change by the hour."""
    return network([
        {"name": name, "service_time": TIME,
         "server_calendar": calendar(*(servers for _, servers in rows), width=4.0),
         "external_arrival_calendar": calendar(*(rate for rate, _ in rows), width=4.0)}
        for name, rows in (("first", FIRST), ("second", SECOND))
    ])  # fmt: skip


def chain(rows, faster=1.0, parts=4):
    """Return by hour the mean number present by the periodic chain, state by state."""
    pieces = [Piece(4.0 / parts, rate, servers) for rate, servers in rows for _ in range(parts)]
    return periodic_means(pieces, TIME / faster, 30)[:, 0]


@pytest.mark.slow
def test_by_hour_it_is_the_constraint_of_the_time_dependent_chain():
    week = fn.constraint_week(two())
    step = 0.01
    gains = np.array([
        chain(rows, 1 - step) - chain(rows, 1 + step)  # both classes of gain in jobs
        for rows in (FIRST, SECOND)
    ])  # fmt: skip
    # what faster service saves of waiting: of those present, the served are rate x time
    load = np.array([np.repeat([rate * TIME for rate, _ in rows], 4) for rows in (FIRST, SECOND)])
    gains -= load * (1 / (1 - step) - 1 / (1 + step))
    truth = np.array(["first", "second"])[gains.argmax(axis=0)]
    settled = np.arange(16) % 4 > 0  # in the first hour of four the queue is still on its way
    assert (week.table["constraint"].to_numpy() == truth)[settled].all()
    assert set(truth[settled]) == {"first", "second"}
    jobs = week.profile["number_present"]
    for name, rows in (("first", FIRST), ("second", SECOND)):
        # in the last hour of a level nothing is left of the one before but half a percent
        assert jobs[name].to_numpy()[3::4] == pytest.approx(chain(rows)[3::4], rel=0.01)


def test_slow_services_fill_slowly_as_endless_servers_do():
    """M_t/M/inf with a sine of arrivals: Eick, Massey and Whitt (1993), eq. 15."""
    hours, mean, swing, stay = np.arange(24) + 0.5, 10.0, 6.0, 8.0
    turn = 2 * math.pi / 24
    rates = mean + swing * np.sin(turn * hours)
    ward = network([{"name": "ward", "servers": 200, "service_time": stay,
                     "external_arrival_calendar": calendar(*rates.tolist())}])  # fmt: skip
    pieces = pieces_of(fn.solve(ward), None)
    present = stay * pieces.flows[:, 0, 0]
    swing_of_present = swing * stay / (1 + (turn * stay) ** 2)
    phase = np.sin(turn * hours) - turn * stay * np.cos(turn * hours)
    # arrivals by the hour and four steps an hour: within 2 % of the swing
    assert present == pytest.approx(mean * stay + swing_of_present * phase, abs=0.02 * swing * stay)
    assert pieces.arrivals[:, 0, 0] == pytest.approx(rates)


def test_over_the_cycle_flows_solve_the_traffic_equations():
    line = network(
        [{"name": "a", "servers": 9, "service_time": 3.0,
          "external_arrival_calendar": calendar(0.0, 4.0, 1.0, width=8.0)},
         {"name": "b", "servers": 9, "service_time": 2.0}],
        [{"from": "a", "to": "b", "routing_probability": 0.8, "transfer_delay": 5.0},
         {"from": "b", "to": "a", "routing_probability": 0.3}],
    )  # fmt: skip
    pieces = pieces_of(fn.solve(line), None)
    expected = fn.solve(line).services["arrival_rate"].to_numpy()
    for rates in (pieces.arrivals, pieces.flows):
        assert rates.mean(axis=0)[:, 0] == pytest.approx(expected)
    week = fn.constraint_week(line)
    # every hour is solved with the flows of that hour, whatever else is on its way
    assert week.profile["arrival_rate"]["b"].to_numpy() == pytest.approx(pieces.arrivals[:, 1, 0])


def test_a_calendar_that_never_changes_is_no_calendar():
    flat = network([
        {"name": "a", "servers": 2, "service_time": 0.5,
         "external_arrival_calendar": calendar(3.0, 3.0)},
        {"name": "b", "service_time": 0.5, "external_arrival_rate": 1.2},
    ])  # fmt: skip
    finding = fn.find_constraint(flat)
    assert finding.week.shares.to_dict() == pytest.approx({finding.constraint: 1.0})
    row = finding.week.elasticity.iloc[0]
    assert row.to_dict() == pytest.approx(finding.ranking["elasticity"].to_dict())
    assert finding.week.table["goal"].to_numpy() == pytest.approx(finding.value.value)


def test_hours_of_overload_name_the_growth_and_what_is_left_after_them():
    """3 an hour for 8 hours where 2 can be served; the next 8 hours work off what is left.

    As a fluid, x' = 3 - 2 min(x, 1) from x = 0.5: the server is full at (ln 2) / 2 = 0.35 hours, so
    that 7.65 are left after 8 hours, and 3.65 after 12.
    """
    busy = network([
        {"name": "clinic", "service_time": 0.5,
         "external_arrival_calendar": calendar(3.0, 1.0, 1.0, width=8.0)},
        {"name": "other", "service_time": 0.5, "external_arrival_rate": 1.6},
    ])  # fmt: skip
    week = fn.constraint_week(busy)
    growing = week.table["how"] == "growing"
    # the flow takes half an hour to come to its new rate, and to go
    assert growing.sum() == 8
    assert week.at(4.5)["growth"] == pytest.approx(1.0, rel=1e-2)  # the flow has nearly come to 3
    assert week.at(4.5)["growing"] == ("clinic",)
    left = week.profile["backlog"]["clinic"]
    # the flow of endless servers takes half an hour longer to come and to go
    assert left[8.0] == pytest.approx(7.65, abs=0.7)
    assert left[12.0] == pytest.approx(3.65, abs=0.7)
    assert left[20.0] == 0.0
    assert week.at(10.0)["how"] == "backlog"
    assert week.at(20.0)["constraint"] == "other"
    assert "a backlog grows in 33% of the cycle" in repr(week)
    assert "backlog (" in week.explain()


def test_a_closed_service_is_told_and_its_jobs_pile_up():
    shop = network([
        {"name": "desk", "service_time": 0.1, "server_calendar": calendar(0, 2, width=12.0),
         "external_arrival_calendar": calendar(0.5, 6.0, width=12.0)},
        {"name": "phone", "service_time": 0.1, "external_arrival_rate": 5.0},
    ])  # fmt: skip
    week = fn.constraint_week(shop)
    night = week.at(0.0)
    assert night["closed"] == ("desk",)
    assert night["growth"] == pytest.approx(0.5)
    assert night["constraint"] == "phone"  # of those who are served at all
    assert week.at(9.0)["how"] == "backlog"
    assert week.at(9.0)["constraint"] == "desk"
    assert week.profile["backlog"]["desk"][12.0] == pytest.approx(6.0, abs=0.1)
    json.dumps(week.to_dict(), allow_nan=False)


@pytest.mark.parametrize("goal", ["cost", "throughput"])
def test_every_goal_has_its_week(goal):
    clinic = network([
        {"name": "a", "servers": 2, "waiting_room": 1, "service_time": 0.5, "cost_per_server": 3.0,
         "cost_of_loss": 5.0, "external_arrival_calendar": calendar(2.0, 5.0, width=6.0)},
        {"name": "b", "waiting_room": 2, "service_time": 0.3, "when_full": "lost",
         "cost_of_loss": 5.0},
    ], [{"from": "a", "to": "b"}])  # fmt: skip
    week = fn.constraint_week(clinic, goal)
    assert (week.table["how"] == "steady").all()
    assert np.isfinite(week.table["goal"].astype(float)).all()
    assert "worst steady hour" in repr(week)


def test_what_has_no_week_is_refused():
    plain = network([{"name": "a", "service_time": 0.5, "external_arrival_rate": 1.0}])
    with pytest.raises(ParameterError, match="has no calendar"):
        fn.constraint_week(plain)
    with pytest.raises(ParameterError, match="step"):
        fn.constraint_week(two(), step=0.7)
    odd = network([
        {"name": "a", "servers": 3, "service_time": 0.5,
         "external_arrival_calendar": calendar(1.0, 2.0, width=math.pi)},
        {"name": "b", "servers": 3, "service_time": 0.5,
         "external_arrival_calendar": calendar(1.0, 2.0, width=math.e)},
    ])  # fmt: skip
    with pytest.raises(ParameterError, match="in common"):
        fn.constraint_week(odd)
