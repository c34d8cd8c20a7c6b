"""Goal seek against closed forms and enumeration, and what it says where there is no answer."""

import json
import math

import numpy as np
import pytest

import flownet as fn
from flownet.errors import ParameterError, UnknownNameError


def queue(**service):
    ward = {"name": "ward", "servers": 12, "service_time": 1.0, "external_arrival_rate": 10.0}
    return fn.Network.from_dict({"network": {"time_unit": "hour"}, "services": [ward | service]})


def two_desks():
    return fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "left", "servers": 10, "service_time": 1.0, "external_arrival_rate": 7.0},
            {"name": "right", "servers": 10, "service_time": 1.0, "external_arrival_rate": 7.0},
        ],
    })  # fmt: skip


@pytest.mark.parametrize("start", [2, 11, 40])
@pytest.mark.parametrize("bound", [0.5, 0.05, 0.001])
def test_the_fewest_servers_by_enumeration(start, bound):
    found = fn.goal_seek(
        queue(servers=start), "servers at ward", f"wait_probability at ward <= {bound}"
    )
    fewest = next(c for c in range(11, 100) if fn.queues.erlang_c(c, 10.0) <= bound)
    assert found.value == fewest
    assert found.side == "smallest"
    assert found.monotone
    assert found.reached == pytest.approx(float(fn.queues.erlang_c(fewest, 10.0)), rel=1e-9)
    assert found.scenario.apply(queue()).graph.nodes["ward"]["servers"] == fewest


def test_one_in_twenty_and_percent_are_numbers():
    texts = ["wait_probability at ward <= 1 in 20", "wait_probability at ward <= 5 %",
             "wait_probability at ward ≤ 0.05"]  # fmt: skip
    assert len({fn.goal_seek(queue(), "servers at ward", text).value for text in texts}) == 1


def test_the_largest_demand_that_keeps_a_time_by_closed_form():
    # M/M/1: P(T <= t) = 1 - exp(-(mu - lambda) t), so that lambda = mu + ln(1 - p) / t
    desk = queue(servers=1, external_arrival_rate=0.2)
    found = fn.goal_seek(desk, "external_arrival_rate at ward", "within 4 >= 0.95")
    assert found.value == pytest.approx(1 + math.log(0.05) / 4, abs=2e-6)
    assert found.side == "largest"
    assert found.target.met(found.reached)
    scaled = fn.goal_seek(desk, "scale external_arrival_rate", "within 4 >= 95 %")
    assert scaled.value == pytest.approx(found.value / 0.2, rel=1e-5)


def test_the_longest_and_the_shortest_stay_by_closed_form():
    # occupancy = lambda s / c
    longest = fn.goal_seek(queue(), "service_time at ward", "occupancy at ward <= 90 %")
    assert longest.value == pytest.approx(0.9 * 12 / 10, rel=2e-6)
    shortest = fn.goal_seek(queue(), "service_time at ward", "occupancy at ward >= 80 %")
    assert shortest.value == pytest.approx(0.8 * 12 / 10, rel=2e-6)
    assert (longest.side, shortest.side) == ("largest", "smallest")


def test_along_a_direction_by_enumeration():
    found = fn.goal_seek(
        two_desks(),
        {"servers at left": -1, "servers at right": 1},
        "wait_probability at right <= 1 in 20",
    )
    fewest = next(c for c in range(10, 40) if fn.queues.erlang_c(c, 7.0) <= 0.05)
    assert found.value == fewest - 10
    services = found.scenario.apply(two_desks()).graph.nodes
    assert (services["left"]["servers"], services["right"]["servers"]) == (20 - fewest, fewest)


def test_a_measure_that_goes_up_and_down_is_told():
    # servers moved from one of two equal desks to the other: delay is least in the middle
    direction = {"servers at left": -1, "servers at right": 1}
    found = fn.goal_seek(two_desks(), direction, "delay <= 2.2", between=(-2, 2))
    assert not found.monotone
    assert "goes up and down" in found.reason
    assert "every whole number was tried" in found.reason

    def delay(moved):
        return sum(
            7.0 * float(fn.queues.erlang_c(c, 7.0)) / (c - 7.0) for c in (10 - moved, 10 + moved)
        )

    meeting = [moved for moved in range(-2, 3) if delay(moved) <= 2.2]
    assert 0 in meeting
    assert len(meeting) < 5
    assert found.value == min(meeting)
    largest = fn.goal_seek(two_desks(), direction, "delay <= 2.2", between=(-2, 2), find="largest")
    assert largest.value == max(meeting)


def test_no_value_and_every_value():
    # nobody is faster than the service itself: P(T <= 0.1) < 1 - exp(-0.1)
    none = fn.goal_seek(queue(), "servers at ward", "within 0.1 >= 50 %")
    assert not none.met
    assert math.isnan(none.value)
    assert "missed at every value tried" in none.reason
    assert none.scenario is None
    assert "no value" in repr(none)
    every = fn.goal_seek(queue(), "servers at ward", "occupancy at ward <= 99 %", between=(11, 30))
    assert every.value == 11
    assert "met at every value" in every.reason
    most = fn.goal_seek(
        queue(), "servers at ward", "occupancy at ward <= 99 %", between=(11, 30), find="largest"
    )
    assert most.value == 30


def test_beds_of_a_system_with_blocking_are_exact():
    network = fn.example("urgent_care")
    target = "occupancy at Home care <= 0.9"
    found = fn.goal_seek(network, "servers at Home care", target, between=(36, 66))
    for servers in (found.value - 1, found.value):
        beds = fn.Scenario("beds").set("Home care", servers=servers).apply(network)
        occupancy = fn.solve(beds).services.loc["Home care", "occupancy"]
        assert (occupancy <= 0.9) == (servers == found.value)


@pytest.mark.parametrize(
    ("along", "target", "options", "error", "words"),
    [
        ("servers at ward", "within 4", {}, ParameterError, "a measure, <= or >=, and a number"),
        ("servers at ward", "within 4 >= most", {}, ParameterError, "and a number"),
        ("servers at wrad", "within 4 >= 1", {}, UnknownNameError, "did you mean 'ward'"),
        ("servers at ward", "witin 4 >= 1", {}, UnknownNameError, "is not known"),
        ("servers at ward", "within 4 >= 0.9", {"between": (9, 2)}, ParameterError, "lower first"),
        ("servers at ward", "within 4 >= 0.9", {"find": "best"}, ParameterError, "'smallest' or"),
        ("capacity at ward", "within 4 >= 0.9", {}, ParameterError, "give between"),
        ({"servers at ward": 0}, "within 4 >= 0.9", {}, ParameterError, "not all of them 0"),
        ("servers at ward", "delay <= 1", {"between": (2.1, 2.9)}, ParameterError, "no whole"),
        ("servers at ward", "occupancy at ward <= -5 %", {}, ParameterError, "0 and 100 %"),
        ("servers at ward", "within 4 >= 950 %", {}, ParameterError, "0 and 100 %"),
        ("servers at ward", "delay <= -2", {}, ParameterError, "finite number of at least 0"),
        ("servers at ward", "delay <= inf", {}, ParameterError, "finite number of at least 0"),
    ],
)
def test_what_cannot_be_sought_is_told(along, target, options, error, words):
    with pytest.raises(error, match=words):
        fn.goal_seek(queue(), along, target, **options)


def test_the_result_goes_to_json():
    found = fn.goal_seek(queue(), "servers at ward", "occupancy at ward <= 0.8")
    told = json.loads(json.dumps(found.to_dict()))
    assert told["value"] == 13.0
    assert np.all(np.diff([row["value"] for row in told["trace"]]) > 0)
