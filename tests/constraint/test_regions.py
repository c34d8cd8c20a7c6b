"""Limits of demand, regions of class mix, classical bounds, and the path of constraints."""

import json
import math

import numpy as np
import pytest

import flownet as fn


def classes_at_two(first, second, **more):
    """Return two services with the given times by class, one after the other."""
    names = sorted(first)
    return fn.Network.from_dict(
        {
            "network": {"time_unit": "hour"},
            "classes": {name: {} for name in names},
            "services": [
                {"name": "a", "service_time": first,
                 "external_arrival_rate": dict.fromkeys(names, 0.1)},
                {"name": "b", "service_time": second, **more},
            ],
            "routes": [{"from": "a", "to": "b"}],
        }
    )  # fmt: skip


def random_demands(seed, classes):
    rng = np.random.default_rng(seed)
    names = [f"c{k}" for k in range(classes)]
    services = [
        {"name": f"s{i}", "service_time": dict(zip(names, rng.uniform(0.2, 2.0, classes).tolist(),
                                                   strict=True))}
        for i in range(6)
    ]  # fmt: skip
    services[0]["external_arrival_rate"] = dict.fromkeys(names, 0.1)
    routes = [{"from": f"s{i}", "to": f"s{i + 1}"} for i in range(5)]
    return fn.Network.from_dict({
        "network": {"time_unit": "hour"}, "classes": {name: {} for name in names},
        "services": services, "routes": routes,
    })  # fmt: skip


def test_balbo_and_serazzi_two_classes_two_stations():
    """Both saturate where D_a1 b1 + D_a2 b2 = D_b1 b1 + D_b2 b2 (Balbo and Serazzi 1997)."""
    network = classes_at_two({"x": 3.0, "y": 1.0}, {"x": 1.0, "y": 2.0})
    found = fn.saturation_regions(network)
    # 3 b + (1 - b) = b + 2 (1 - b): b = 1/3
    assert found.regions["a"][:, 0].min() == pytest.approx(1 / 3)
    assert found.regions["b"][:, 0].max() == pytest.approx(1 / 3)
    assert found.shared == (("a", "b"),)
    assert found.at({"x": 1.0, "y": 2.0}) == (("a", "b"), pytest.approx(1 / (5 / 3)))
    assert found.at({"x": 1.0})[0] == ("a",)
    assert found.table["share_of_mixes"].sum() == pytest.approx(1.0)


def test_a_dominated_service_never_saturates():
    """(1, 1) lies below the mean (1.5, 1.5) of the others: Casale and Serazzi 2004."""
    base = classes_at_two({"x": 2.0, "y": 1.0}, {"x": 1.0, "y": 2.0}).to_dict()
    base["services"].append({"name": "c", "service_time": {"x": 1.0, "y": 1.0}})
    base["routes"].append({"from": "b", "to": "c"})
    found = fn.saturation_regions(fn.Network.from_dict(base))
    assert set(found.regions) == {"a", "b"}
    assert "1 of 3 services never do" in repr(found)


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_regions_agree_with_the_largest_load_at_random_mixes(seed, classes):
    network = random_demands(seed, classes)
    found = fn.saturation_regions(network)
    demands = found.demands.to_numpy()
    rng = np.random.default_rng(seed + 100)
    mixes = rng.dirichlet(np.ones(classes), 20_000)
    leaders = np.argmax(mixes @ demands.T, axis=1)
    shares = np.bincount(leaders, minlength=6) / len(mixes)
    for i, name in enumerate(found.services):
        assert (name in found.regions) or shares[i] == 0.0
        if name in found.regions and classes <= 3:
            # binomial error of 20,000 mixes: 0.35 % at most, times four
            assert found.table.loc[name, "share_of_mixes"] == pytest.approx(shares[i], abs=0.015)
        if name in found.regions:
            loads = found.regions[name] @ demands.T
            assert loads[:, i] == pytest.approx(loads.max(axis=1), rel=1e-8)


def test_growth_along_one_class_keeps_the_other():
    network = classes_at_two({"x": 2.0, "y": 2.0}, {"x": 1.0, "y": 4.0})
    # a: 2 (0.2 + t) = 1 -> t = 0.3; b: 0.1 + 4 (0.1 + t) = 1 -> t = 0.125
    limit = fn.demand_limit(network, {"y": 1.0})
    assert limit.growth == pytest.approx(0.125)
    assert limit.binding == ("b",)
    # one more server at b: 0.1 + 4 (0.1 + t) = 2 -> 0.375, but the dual is local: 1 / 4
    assert limit.duals["b"] == pytest.approx(0.25)
    assert fn.demand_limit(network).growth == pytest.approx(2.0)
    assert fn.demand_limit(network, {("a", "y"): 1.0}).growth == pytest.approx(0.125)


def test_routes_that_may_be_chosen_share_the_load():
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "door", "servers": "inf", "service_time": 0.1, "external_arrival_rate": 1.0},
            {"name": "fast", "service_time": 0.5}, {"name": "slow", "service_time": 1.0},
        ],
        "routes": [
            {"from": "door", "to": "fast", "routing_probability": 0.4},
            {"from": "door", "to": "slow", "routing_probability": 0.4},
        ],
    })  # fmt: skip
    fixed, chosen = fn.demand_limit(network), fn.demand_limit(network, choices=["door"])
    assert fixed.growth == pytest.approx(1 / 0.4)
    # 0.8 t in all divides as 2 to 1: both full at t = 3 / 0.8
    assert chosen.growth == pytest.approx(3 / 0.8)
    assert set(chosen.binding) == {"fast", "slow"}
    # per job that enters: two thirds of the 0.8 that go on, and one third
    assert chosen.routing["best"].tolist() == pytest.approx([0.8 * 2 / 3, 0.8 / 3])
    assert json.loads(json.dumps(chosen.to_dict()))["growth"] == pytest.approx(3.75)


def test_the_limit_agrees_with_the_largest_load():
    network = fn.example("urgent_care")
    limit = fn.demand_limit(network)
    assert limit.growth == pytest.approx(
        fn.find_constraint(network).throughput_limit.scale, rel=1e-7
    )


def test_wrong_directions_and_mixes_are_told():
    network = classes_at_two({"x": 2.0, "y": 2.0}, {"x": 1.0, "y": 4.0})
    with pytest.raises(fn.FlownetError, match="not a service; did you mean"):
        fn.demand_limit(network, choices=["aa"])
    with pytest.raises(fn.FlownetError, match="not a class that enters"):
        fn.demand_limit(network, {"z": 1.0})
    with pytest.raises(fn.FlownetError, match="has no jobs"):
        fn.demand_limit(network, {"x": 0.0})
    with pytest.raises(fn.FlownetError, match="at least 0"):
        fn.demand_limit(network, {"x": -1.0})
    with pytest.raises(fn.FlownetError, match="not a class that enters"):
        fn.saturation_regions(network).at({"q": 1.0})


@pytest.mark.parametrize("think", [0.0, 5.0])
@pytest.mark.parametrize("population", [1, 3, 20])
def test_closed_bounds_hold_for_exact_mean_value_analysis(population, think):
    """Exact MVA of single servers (Reiser and Lavenberg 1980), written out."""
    demands = np.array([2.0, 1.0, 0.5, 1.5])
    queue = np.zeros(4)
    for n in range(1, population + 1):
        response = demands * (1 + queue)
        throughput = n / (think + response.sum())
        queue = throughput * response
    found = fn.closed_bounds(demands, population, think)
    assert found.throughput_low <= throughput * (1 + 1e-12)
    assert found.throughput_high >= throughput * (1 - 1e-12)
    assert found.response_low <= response.sum() * (1 + 1e-12)
    assert found.response_high >= response.sum() * (1 - 1e-12)
    if population == 1:  # nobody meets anybody
        assert found.throughput_low == pytest.approx(found.throughput_high)


def test_open_bounds_hold_for_jackson_networks():
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "a", "service_time": 0.5, "external_arrival_rate": 1.0},
            {"name": "b", "service_time": 0.8},
        ],
        "routes": [{"from": "a", "to": "b"}],
    })  # fmt: skip
    found = fn.bounds(network)
    assert found.index[0] == "b"
    assert found.loc["b", "saturation_throughput"] == pytest.approx(1.25)
    response = fn.solve(network).classes["system_response_time"].iloc[0]
    assert found.attrs["response_low"] == pytest.approx(1.3)
    assert found.attrs["balanced_low"] <= response <= found.attrs["balanced_high"]
    with pytest.raises(fn.FlownetError, match="population"):
        fn.closed_bounds([1.0], 0)


def test_the_path_relieves_one_constraint_after_the_other():
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "a", "servers": 2, "service_time": 1.8, "external_arrival_rate": 1.0},
            {"name": "b", "servers": 3, "service_time": 2.5},
            {"name": "c", "servers": 9, "service_time": 3.0},
        ],
        "routes": [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}],
    })  # fmt: skip
    path = fn.constraint_path(network, stages=3)
    assert path.stages["constraint"].tolist()[:2] == ["a", "b"]
    first = path.stages.iloc[0]
    assert first["next_constraint"] == "b"
    # every row is the solution with so many servers
    after = network.replace(services={"a": {"servers": int(first["servers_after"])}})
    assert first["goal_after"] == pytest.approx(fn.solve(after).system["delay"], rel=1e-12)
    assert path.curve["gain"].iloc[1:].sum() == pytest.approx(
        path.curve["goal"].iloc[0] - path.curve["goal"].iloc[-1]
    )
    assert len(repr(path).splitlines()) == 3
    json.dumps(path.to_dict(), allow_nan=False)
    with pytest.raises(fn.FlownetError, match="whole number"):
        fn.constraint_path(network, stages=0)


def test_overload_is_relieved_first():
    network = fn.Network.from_dict({
        "network": {"time_unit": "minute"},
        "services": [
            {"name": "operators", "servers": 13, "service_time": 7.33,
             "external_arrival_rate": 1.6667},
            {"name": "nurses", "servers": 9, "service_time": 15.0},
        ],
        "routes": [{"from": "operators", "to": "nurses", "routing_probability": 0.4}],
    })  # fmt: skip
    path = fn.constraint_path(network, stages=1)
    stage = path.stages.iloc[0]
    assert stage["constraint"] == "nurses"
    assert stage["growth_before"] == pytest.approx(1.6667 * 0.4 - 0.6, rel=1e-9)
    assert stage["growth_after"] == 0.0
    assert math.isfinite(stage["goal_after"])


def test_the_five_steps_have_their_figures():
    steps = fn.five_steps(fn.example("urgent_care"))
    shares = steps.exploit[["working", "blocked", "held_in_transfer", "idle"]]
    assert shares.sum() == pytest.approx(1.0)
    assert steps.finding.constraint not in steps.subordinate.index
    assert steps.exploit["gain_by_spread"] > 0
    assert [line[:2] for line in repr(steps).splitlines()] == ["1.", "2.", "3.", "4.", "5."]
    json.dumps(steps.to_dict(), allow_nan=False)
