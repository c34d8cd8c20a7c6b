"""Derivatives: closed forms, and central differences of solutions of the whole network."""

import json
import math

import numpy as np
import pytest

import flownet as fn
from flownet.kernels import adjoint_system
from flownet.kernels.adjoint import Weights, weights_of
from flownet.network.parameters import parameters_of
from flownet.solvers.objective import objective_of

TOLERANCE = 1e-6
"""Differences with steps of 1e-4 and half of it, extrapolated, of fixed points solved to 1e-12:
good to about 1e-7. The adjoint differentiates each station with a step of 1e-5: 1e-8."""


def network(**changes):
    """Return three services, two classes, with feedback and a loop to the same service."""
    services = {
        "a": {
            "servers": 3,
            "service_time": 1.1,
            "external_arrival_rate": {"x": 1.0, "y": 0.6},
            "cost_per_server": 2.0,
        },
        "b": {"servers": 2, "service_time": 0.8, "external_arrival_rate": {"x": 0.2}},
        "c": {"servers": 4, "service_time": 2.0},
    }
    for name, more in changes.items():
        services[name] |= more
    routes = [
        {"from": "a", "to": "b", "routing_probability": 0.5},
        {"from": "a", "to": "c", "routing_probability": {"x": 0.4, "y": 0.3}},
        {"from": "b", "to": "c", "routing_probability": 0.5},
        {"from": "c", "to": "a", "routing_probability": 0.2},
        {"from": "c", "to": "c", "routing_probability": 0.1},
    ]
    return fn.Network.from_dict(
        {
            "network": {"time_unit": "hour", "cost_of_loss": 3.0, "cost_of_delay": 2.0},
            "classes": {"x": {}, "y": {}},
            "services": [{"name": name, **data} for name, data in services.items()],
            "routes": routes,
        }
    )


LOSSY = {"b": {"waiting_room": 2, "when_full": "lost"}, "c": {"patience": {"x": 3.0}}}
RANKED = {"c": {"discipline": "priority", "priority": {"x": 1, "y": 2}}, "a": {"discipline": "ps"}}
BLOCKING = {
    "a": {"servers": 1, "waiting_room": 1, "service_time": 0.4},
    "b": {"servers": 1, "waiting_room": 0},
    "c": {"servers": 1, "waiting_room": 2, "service_time": {"x": 0.5, "y": 0.7}},
}


def difference(solution, objective, parameter, size):
    up, down = (
        objective.value(
            solution.again(
                parameter.changed(solution.compilation.arrays, parameter.value + sign * size),
                sharp=1e-12,
            )
        )
        for sign in (1.0, -1.0)
    )
    return (up - down) / (2 * size)


def differences(found, goal):
    """Return the central differences for every row found by the adjoint, in its order."""
    solution = found.solution
    objective = objective_of(solution, goal)
    places = {
        (each.where, each.job_class, each.name): each
        for each in parameters_of(
            solution.compilation, tuple(found.table.index.get_level_values("parameter").unique())
        )
    }
    result = []
    for key, row in found.table.iterrows():
        if row["how"] != "adjoint":
            result.append(math.nan)
            continue
        parameter = places[key]
        # solutions are good to 1e-12: over steps of 1e-4 of a share of 0.05, 1e-6 of a slope
        step = 3e-4 * (parameter.value or 1.0)
        wide, narrow = (
            difference(solution, objective, parameter, size) for size in (step, step / 2)
        )
        result.append((4 * narrow - wide) / 3)
    return np.array(result)


@pytest.mark.parametrize(
    ("changes", "method", "goal"),
    [
        ({}, "product_form", "delay"),
        ({}, "decomposition", "cost"),
        (LOSSY, "decomposition", "delay"),
        (LOSSY, "decomposition", "throughput"),
        (LOSSY, "decomposition", {"number_waiting": 1.0, ("b", "loss_rate"): 5.0}),
        (RANKED, "decomposition", {"delay": 1.0, ("c", "number_in_service"): 0.5}),
        (BLOCKING, "exact", "delay"),
        (BLOCKING, "exact", "blocked_time"),
        (BLOCKING, "exact", "throughput"),
    ],
)
def test_the_adjoint_agrees_with_central_differences(changes, method, goal):
    found = fn.sensitivities(network(**changes), goal, method)
    expected = differences(found, goal)
    adjoint = np.isfinite(expected)
    assert adjoint.sum() >= 14
    scale = np.abs(expected[adjoint]).max()
    assert found.table["derivative"].to_numpy()[adjoint] == pytest.approx(
        expected[adjoint], rel=TOLERANCE, abs=TOLERANCE * 0.1 * scale
    )
    assert found.table["derivative"].notna().all()


def test_a_transfer_that_holds_the_server_and_phases_of_service():
    base = network(**BLOCKING).to_dict()
    base["routes"][0] |= {"transfer_delay": 0.2, "holds_server": True}
    base["routes"][2] |= {"transfer_delay": 0.3, "holds_server": True}
    base["services"][0] |= {"service_scv": 2.0}
    found = fn.sensitivities(fn.Network.from_dict(base), "throughput", "exact")
    expected = differences(found, "throughput")
    adjoint = np.isfinite(expected)
    assert (found.table.index.get_level_values("parameter") == "transfer_delay").sum() == 4
    assert found.table["derivative"].to_numpy()[adjoint] == pytest.approx(
        expected[adjoint], rel=TOLERANCE, abs=1e-8
    )


def held_transfers():
    """Return blocking with transfers, an unlimited line, impatience and a spread of times."""
    base = network(
        a={"servers": 2, "service_time": 0.4, "service_scv": 2.0},
        b={"servers": 2, "waiting_room": 0},
        c={
            "servers": 3,
            "waiting_room": 2,
            "service_time": {"x": 0.5, "y": 0.7},
            "patience": {"x": 3.0, "y": 4.0},
        },
    ).to_dict()
    base["routes"][0] |= {"transfer_delay": 0.2, "holds_server": True}
    base["routes"][2] |= {"transfer_delay": 0.1}
    return fn.Network.from_dict(base)


def waiting_outside():
    """Return blocking with jobs outside, and one service that turns away who finds it full."""
    return network(
        a={"waiting_room": 1, "service_time": 0.4, "external_when_full": "wait_outside"},
        b={"waiting_room": 0, "when_full": "lost"},
        c={"waiting_room": 0, "service_time": {"x": 0.5, "y": 0.7}},
    )


@pytest.mark.parametrize(
    ("system", "goal"),
    [
        (network(**BLOCKING), "throughput"),
        (network(**BLOCKING), {"number_waiting": 1.0, ("a", "number_in_service"): 2.0}),
        (held_transfers(), "delay"),
        (waiting_outside(), "delay"),
        (waiting_outside(), "cost"),
    ],
)
@pytest.mark.parametrize("factorized", [True, False])
def test_blocking_is_differentiated_at_its_fixed_point(monkeypatch, system, goal, factorized):
    """Also where the equations are too many to be factorized, and are solved by GMRES."""
    if not factorized:
        monkeypatch.setattr(adjoint_system, "DIRECT", 0)
    found = fn.sensitivities(system, goal, "blocking", mode="compressed")
    expected = differences(found, goal)
    adjoint = np.isfinite(expected)
    assert adjoint.sum() >= 19
    scale = np.abs(expected[adjoint]).max()
    assert found.table["derivative"].to_numpy()[adjoint] == pytest.approx(
        expected[adjoint], rel=TOLERANCE, abs=TOLERANCE * 0.1 * scale
    )


@pytest.mark.parametrize("load", [0.3, 0.9])
def test_mm1_in_closed_form(load):
    """Lq = r^2 / (1 - r): dLq/dr = r (2 - r) / (1 - r)^2, with r = arrival rate x service time."""
    queue = fn.Network.from_dict(
        {
            "network": {"time_unit": "day"},
            "services": [{"name": "desk", "service_time": 0.5, "external_arrival_rate": 2 * load}],
        }
    )
    found = fn.sensitivities(queue)
    slope = load * (2 - load) / (1 - load) ** 2
    # 1e-8: the station's map is differentiated with a step of 1e-5
    assert found.derivative("desk", "service_time") == pytest.approx(slope * 2 * load, rel=1e-8)
    assert found.derivative("desk", "external_arrival_rate") == pytest.approx(slope / 2, rel=1e-8)
    # Pollaczek and Khinchine: Lq is proportional to 1 + scv
    assert found.derivative("desk", "service_scv") == pytest.approx(
        load**2 / (1 - load) / 2, rel=1e-6
    )


def test_overload_is_differentiated_by_its_growth():
    """What piles up at one server is what comes less what it serves: 1.5 - 1 / 0.8."""
    queue = fn.Network.from_dict(
        {
            "network": {"time_unit": "day"},
            "services": [{"name": "desk", "service_time": 0.8, "external_arrival_rate": 1.5}],
        }
    )
    found = fn.sensitivities(queue)
    assert found.value == pytest.approx(0.25)
    assert found.derivative("desk", "service_time") == pytest.approx(1 / 0.64, rel=1e-8)
    assert found.derivative("desk", "servers") == pytest.approx(-1 / 0.8, rel=1e-8)
    assert found.derivative("desk", "external_arrival_rate") == pytest.approx(1.0, rel=1e-8)


def test_prices_and_whole_steps():
    found = fn.sensitivities(network(), parameters=["servers"], steps=True)
    row = found.table.loc[("a", "", "servers")]
    assert row["gain_per_money"] == pytest.approx(-row["derivative"] / 2.0)
    before = fn.solve(network()).system["delay"]
    after = fn.solve(network(a={"servers": 4})).system["delay"]
    assert row["one_more"] == pytest.approx(after - before, rel=1e-9)
    assert math.isinf(row["one_less"])  # two servers for 2.1 erlang


def test_limits_and_quantiles_by_differences():
    """The largest demand is 1 / the largest load; P(T <= t) of M/M/1 is 1 - exp(-(m - l) t)."""
    queue = fn.Network.from_dict(
        {
            "network": {"time_unit": "day"},
            "services": [{"name": "desk", "service_time": 0.5, "external_arrival_rate": 1.0}],
        }
    )
    found = fn.sensitivities(queue, "throughput", parameters=["service_time"])
    assert found.derivative("desk", "service_time") == pytest.approx(-4.0, rel=1e-6)
    within = fn.sensitivities(queue, "within 2", parameters=["external_arrival_rate"])
    # the transform is inverted to about 1e-8, which the step of 1e-4 makes 1e-4
    assert within.derivative("desk", "external_arrival_rate") == pytest.approx(
        -2 * math.exp(-2), rel=1e-3
    )
    assert set(within.table["how"]) == {"difference"}


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ("dely", "did you mean 'delay'"),
        ("within soon", "a finite time above 0"),
        ({"number_wating": 1.0}, "did you mean 'number_waiting'"),
        ({("d", "delay"): 1.0}, "not a service"),
        ({"delay": math.nan}, "finite"),
        ({"delay": "much"}, "a number"),
        ({}, "one measure at least"),
    ],
)
def test_a_wrong_goal_is_told(goal, message):
    with pytest.raises(fn.FlownetError, match=message):
        fn.sensitivities(network(), goal)


def test_a_wrong_parameter_or_row_is_told():
    with pytest.raises(fn.FlownetError, match="did you mean 'servers'"):
        fn.sensitivities(network(), parameters=["server"])
    found = fn.sensitivities(network(), parameters=["servers", "service_time"])
    with pytest.raises(fn.FlownetError, match="2 rows"):
        found.derivative("a", "service_time")
    with pytest.raises(fn.FlownetError, match="0 rows"):
        found.derivative("a", "patience")


def test_the_table_goes_to_json_and_says_what_it_is():
    found = fn.sensitivities(network(), parameters=["servers"])
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["goal"] == "delay"
    assert len(repr(found).splitlines()) == 3
    assert "servers at 'c'" in repr(found)


def test_weights_give_the_goal_back():
    solution = fn.solve(network(**LOSSY))
    linear = objective_of(solution, "throughput").linear(solution)
    total = (
        linear.weights.value(solution.measures)
        + (solution.compilation.arrays.external_arrival_rate * linear.by_arrivals).sum()
    )
    assert total == pytest.approx(solution.system["throughput"], rel=1e-9)
    shape = solution.measures.throughput.shape
    assert weights_of(shape, {}).value(solution.measures) == 0.0
    assert set(Weights._fields) >= {"number_waiting", "loss_rate"}
