"""What a Solution says of the time in the system: its tables, its refusals, its consistency."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

import flownet as fn
from flownet.errors import ParameterError, UnconvergedError, UnknownNameError
from flownet.queues import wait_percentile, wait_tail
from flownet.solvers.solution import Solution
from oracles.random_networks import open_networks


def network(*services, routes=(), classes=None):
    document = {"network": {"time_unit": "hour"}, "services": list(services)}
    document["routes"] = list(routes)
    return fn.Network.from_dict(document | ({"classes": classes} if classes else {}))


def desk(**more):
    return {"name": "desk", "service_time": 1.0, "external_arrival_rate": 0.5, **more}


def test_an_exponential_time_has_its_percentiles():
    """M/M/1 at load 1/2: exponential with mean 2 (Gross et al. 2008, section 2.2)."""
    solution = fn.solve(network(desk()))
    table = solution.percentiles
    assert table.loc["all", "mean"] == pytest.approx(2.0, rel=1e-12)
    assert table.loc["all", "sd"] == pytest.approx(2.0, rel=1e-12)
    assert table.loc["all", "p95"] == pytest.approx(2 * math.log(20), rel=1e-5)
    assert solution.within([1.0, 4.0]).loc[("all", 4.0), "probability"] == pytest.approx(
        1 - math.exp(-2), abs=1e-7
    )
    assert solution.within(np.int64(4)).equals(solution.within((4.0,)))
    assert solution.quantiles([0.5]).loc["all", "p50"] == pytest.approx(2 * math.log(2), rel=1e-5)
    assert table.attrs["units"]["p95"] == "hour"


def test_the_door_is_that_of_a_simulation():
    """Same names, same columns and rows, and figures within three half-widths."""
    net = network(
        desk(),
        {"name": "ward", "servers": 3, "service_time": 3.0},
        routes=[{"from": "desk", "to": "ward", "routing_probability": 0.5, "transfer_delay": 1.0}],
    )
    run = fn.simulate(net, horizon=40_000, warmup=500, replications=4, targets=(2.0, 6.0))
    solution = fn.solve(net)
    shares = solution.within((2.0, 6.0))
    assert list(shares.index) == list(run.targets.index)
    for row in shares.index:
        seen = run.targets.loc[row]
        gap = shares.loc[row, "probability"] - seen["probability"]
        assert abs(gap) < 3 * seen["probability_halfwidth"]
    p95, seen = solution.percentiles.loc["all", "p95"], run.percentiles.loc["all"]
    assert abs(p95 - seen["p95"]) < 3 * seen["p95_halfwidth"]


def test_all_classes_together_are_the_mixture_by_their_flows():
    net = network(
        desk(service_time={"a": 1.0, "b": 0.5}, external_arrival_rate={"a": 0.3, "b": 0.6}),
        classes={"a": {}, "b": {}},
    )
    shares = fn.solve(net).within(1.5)["probability"]
    assert shares["all", 1.5] == pytest.approx((shares["a", 1.5] + 2 * shares["b", 1.5]) / 3)
    times = fn.solve(net).time_in_system()
    assert times.probability_within(1.5) == pytest.approx(shares["all", 1.5])
    assert times.probability_within(1.5, "b") == pytest.approx(shares["b", 1.5])


def test_times_from_a_service_on_leave_out_what_came_before():
    net = network(desk(), {"name": "next", "service_time": 0.5},
                  routes=[{"from": "desk", "to": "next"}])  # fmt: skip
    later = fn.solve(net).time_in_system("next")
    assert later.moments.loc["all", "mean"] == pytest.approx(1 / (2 - 0.5), rel=1e-9)
    assert later.probability_within(1.0) == pytest.approx(1 - math.exp(-1.5), abs=1e-7)


def test_waits_are_those_of_the_station_library():
    table = fn.solve(network(desk(servers=3, service_time=5.0))).waits([2.0], [0.5, 0.95])
    assert table.loc[("desk", "all"), "within 2"] == pytest.approx(
        1 - float(wait_tail(0.5, 5.0, 3, 2.0)), abs=1e-7
    )
    for share in (0.5, 0.95):
        exact = float(wait_percentile(0.5, 5.0, 3, share))
        assert table.loc[("desk", "all"), f"p{100 * share:g}"] == pytest.approx(exact, rel=1e-4)
    general = fn.solve(network(desk(service_scv=4.0))).waits([2.0], [0.95])
    exact = float(wait_percentile(0.5, 1.0, 1, 0.95, service_scv=4.0))
    assert general.loc[("desk", "all"), "p95"] == pytest.approx(exact, rel=1e-4)


def test_overload_has_no_percentile_and_says_why():
    net = network(
        desk(external_arrival_rate={"a": 1.5, "b": 0.0}),
        {"name": "calm", "service_time": 1.0, "external_arrival_rate": {"a": 0.0, "b": 0.5}},
        classes={"a": {}, "b": {}},
    )
    times = fn.solve(net).time_in_system()
    table = times.percentiles
    assert math.isinf(table.loc["a", "mean"])
    assert table.loc["a"].drop("mean").isna().all()
    assert np.isnan(times.within(4.0).loc[("a", 4.0), "probability"])
    assert math.isnan(times.probability_within(4.0))
    assert table.loc["b", "p50"] == pytest.approx(2 * math.log(2), rel=1e-5)
    assert "'a'" in times.reasons[0]
    assert "warning" in repr(times)


def test_time_outside_counts_where_it_is_asked_for():
    """A saturated source: times inside exist, those with the time outside do not."""
    net = network(
        desk(external_arrival_rate=5.0, capacity=1, external_when_full="wait_outside"),
    )
    solution = fn.solve(net)
    assert solution.time_in_system().probability_within(1.0) == pytest.approx(
        1 - math.exp(-1), abs=1e-6
    )
    outside = solution.time_in_system(outside=True)
    assert math.isnan(outside.probability_within(1.0))
    assert "before" in outside.reasons[0]


def test_impossible_questions_are_refused():
    solution = fn.solve(network(desk()))
    for wrong in ([0.0], [-1.0], [math.inf], [math.nan], [], "four", ["four"]):
        with pytest.raises(ParameterError, match="above 0"):
            solution.within(wrong)
    for share in (1.0, math.nan, "half"):
        with pytest.raises(ParameterError, match="above 0 and below 1"):
            solution.quantiles([share])
    with pytest.raises(UnknownNameError, match="desk"):
        solution.time_in_system("dask")
    with pytest.raises(UnknownNameError, match="not in the network"):
        solution.time_in_system().probability_within(1.0, "old")
    document = solution.to_dict()
    document["measures"]["status"] = 1
    broken = Solution.from_dict(document)
    for ask in (broken.time_in_system, broken.waits, lambda: broken.within(1.0)):
        with pytest.raises(UnconvergedError):
            ask()


def test_jobs_that_come_straight_back_are_warned_of():
    loop = {"from": "desk", "to": "desk", "routing_probability": 0.5}
    times = fn.solve(network(desk(service_time=0.5), routes=[loop])).time_in_system()
    assert "'desk'" in times.cautions[0]
    assert "straight back" in repr(times)
    later = fn.solve(network(desk(service_time=0.5), routes=[loop | {"transfer_delay": 9.0}]))
    assert later.time_in_system().cautions == ()


def test_a_class_that_never_enters_has_no_time():
    net = network(
        desk(service_time={"a": 1.0}, external_arrival_rate={"a": 0.5}),
        classes={"a": {}, "b": {}},
    )
    table = fn.solve(net).percentiles
    assert table.loc["b"].isna().all()
    assert table.loc["all", "p50"] == pytest.approx(table.loc["a", "p50"])


@settings(max_examples=15)
@given(open_networks())
def test_means_agree_with_the_tables_and_percentiles_with_shares(net):
    """The mean is that of Little's law; P(T <= p-quantile) = p; P grows with t."""
    solution = fn.solve(net)
    table = solution.quantiles([0.3, 0.9])
    for name in net.classes:
        mean = solution.classes.loc[name, "system_response_time"]
        assert table.loc[name, "mean"] == pytest.approx(mean, rel=1e-7)
        low, high = table.loc[name, "p30"], table.loc[name, "p90"]
        assert low <= high
        if (solution.compilation.arrays.service_scv > 1e-3).all():
            shares = solution.within([low, high]).loc[name, "probability"]
            assert shares.tolist() == pytest.approx([0.3, 0.9], abs=1e-4)


def test_several_classes_may_give_up_at_one_service():
    """Each class has its own mean wait on the law of the one line; against simulation.

    0.02 is four standard errors of a share of 30,000 served jobs and what two moments leave out.
    """
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour", "cost_of_loss": 1.0},
        "classes": {"calm": {}, "hasty": {}},
        "services": [
            {"name": "desk", "servers": 2, "service_time": {"calm": 0.8, "hasty": 1.1},
             "external_arrival_rate": {"calm": 1.0, "hasty": 0.8},
             "patience": {"calm": 4.0, "hasty": 1.0}},
            {"name": "clinic", "servers": 3, "service_time": 1.2, "patience": 2.0},
        ],
        "routes": [{"from": "desk", "to": "clinic", "routing_probability": 0.7}],
    })  # fmt: skip
    found = fn.solve(network, "decomposition").within([1.0, 2.0, 4.0])["probability"]
    run = fn.simulate(network, horizon=5_000, replications=4, seed=3, targets=(1.0, 2.0, 4.0))
    for place in (("calm", 1.0), ("calm", 4.0), ("hasty", 1.0), ("hasty", 4.0)):
        assert found[place] == pytest.approx(run.targets["probability"][place], abs=0.02)
