"""Every open case of alloc_optima.json through `reallocate`: enumerated, closed form, or by LP.

The optima were found by enumeration with exact values, by closed forms, or by a convex or linear
program, as the file says case by case. Closed networks (closed-servers-C2) have no description
here. Under blocking the exact chain is what is solved, so that its optimum is the known one.
"""

import json

import pytest

import flownet as fn
from oracles.lines import every_way, least_stable, network_of, present, saturated_line


@pytest.fixture(scope="module")
def known(shared):
    cases = json.loads((shared / "cases" / "alloc_optima.json").read_text())["cases"]
    return {case["id"]: case for case in cases}


@pytest.mark.parametrize("name", ["kleinrock-K1", "kleinrock-K3"])
def test_service_rates_follow_kleinrocks_square_root(known, name):
    """Kleinrock (1964): mu_i = lambda_i + sqrt(lambda_i d_i) / d_i * slack / sum sqrt(lambda d)."""
    case = known[name]
    rates, cost = case["data"]["arrival_rates"], case["data"]["unit_cost"]
    begin = [rate + 0.5 for rate in rates]
    rows = [
        {"service_time": 1 / mu, "external_arrival_rate": rate}
        for mu, rate in zip(begin, rates, strict=True)
    ]
    network = network_of(rows, [[0] * len(rows)] * len(rows))
    spent = sum(c * mu for c, mu in zip(cost, begin, strict=True))
    plan = fn.reallocate(
        network,
        "number_present",
        case["data"]["budget"] - spent,
        decide="service_rate",
        prices=dict(zip(network.services, cost, strict=True)),
        release=True,
        gap=1e-9,
    )
    assert plan.status == "optimal"
    assert plan.value_after.value == pytest.approx(case["objective_value"], rel=1e-8)
    found = [1 / time for time in present(plan.apply(network), "service_time")]
    assert found == pytest.approx(case["optimum"], rel=1e-4)  # the optimum is flat: 1e-9 in value


@pytest.mark.parametrize("name", ["jackson-servers-J1", "jackson-servers-J3"])
def test_servers_of_weighted_jackson_networks(known, name):
    case = known[name]
    data = case["data"]
    start = least_stable(data["offered_loads"], data["total_servers"])
    rows = [
        {"service_time": 1 / mu, "servers": c, "external_arrival_rate": rate, "cost_of_delay": w}
        for mu, c, rate, w in zip(data["mu"], start, data["external"], data["weights"], strict=True)
    ]
    network = network_of(rows, data["routing"])
    plan = fn.reallocate(network, "weighted_delay", exchanges=every_way(network.services))
    assert present(plan.apply(network)) in case["all_optima"]
    assert plan.status == "optimal"


def test_beds_of_wards_that_turn_away(known):
    case = known["loss-beds-L2"]
    data = case["data"]
    start = [data["total_beds"] - 40, 20, 10, 10]
    rows = [
        {"service_time": a / rate, "servers": c, "capacity": c, "external_arrival_rate": rate,
         "cost_of_loss": w}
        for a, rate, c, w in zip(
            data["offered_loads"], data["arrival_rates"], start, data["weights"], strict=True
        )
    ]  # fmt: skip
    network = network_of(rows, [[0] * 4] * 4)
    plan = fn.reallocate(network, "cost", exchanges=every_way(network.services))
    assert present(plan.apply(network)) in case["all_optima"]
    assert plan.value_after.value == pytest.approx(case["objective_value"], rel=1e-9)


@pytest.mark.parametrize(
    "name",
    ["buffer-3st-N3", "buffer-4st-N2", "buffer-4st-N5", "buffer-5st-N5", "buffer-4st-neck2-N5",
     "buffer-3st-ms-N4"],
)  # fmt: skip
def test_waiting_places_of_lines(known, name):
    case = known[name]
    data = case["data"]
    count = len(data["mu"])
    rooms = [0, data["total_buffer"], *[0] * (count - 2)]
    network = saturated_line([1 / mu for mu in data["mu"]], data["servers"], rooms)
    between = network.services[1:]
    plan = fn.reallocate(
        network,
        "throughput",
        decide=dict.fromkeys(between, "waiting_room"),
        exchanges=every_way(between),
        method="exact",
    )
    assert present(plan.apply(network), "waiting_room")[1:] in case["all_optima"]
    # the first service is idle for 1e-7 T a job, not never
    assert plan.value_after.value == pytest.approx(case["objective_value"], rel=1e-6)


@pytest.mark.parametrize("name", ["line-servers-S2", "line-servers-S4", "line-servers-S6"])
def test_servers_of_lines_and_the_trap_of_equal_capacity(known, name):
    """The split with the largest minimum capacity is not the best where services block."""
    case = known[name]
    data = case["data"]
    times = [1 / mu for mu in data["mu"]]
    begin = case["also"]["max_min_capacity_split"]
    network = saturated_line(times, begin, data["buffers"])
    plan = fn.reallocate(
        network, "throughput", exchanges=every_way(network.services), method="exact"
    )
    assert present(plan.apply(network)) in case["all_optima"]
    trapped = case["also"]["its_throughput"]
    assert plan.value_before.value == pytest.approx(trapped, rel=1e-6)
    gained = case["objective_value"] - trapped
    assert plan.gain_verified == pytest.approx(gained, abs=1e-5)


@pytest.mark.parametrize("name", ["bowl-3-b1", "bowl-5-b0"])
def test_work_is_split_as_a_bowl(known, name):
    """Hillier and Boling (1966): the stations in the middle get less work."""
    case = known[name]
    data = case["data"]
    count = data["stations"]
    rooms = [0, *[data["buffer_each"]] * (count - 1)]
    network = saturated_line([1.0] * count, [1] * count, rooms)
    plan = fn.reallocate(
        network,
        "throughput",
        decide="service_time",
        exchanges=every_way(network.services),
        method="exact",
    )
    times = present(plan.apply(network), "service_time")
    assert sum(times) == pytest.approx(count, rel=1e-9)
    assert plan.value_after.value == pytest.approx(case["objective_value"], rel=1e-6)
    assert times == pytest.approx(case["optimum"], abs=2e-3)  # flat: 1e-6 in throughput


@pytest.mark.parametrize("name", ["patient-flow-P1", "patient-flow-P3"])
def test_a_bed_leaves_the_ward_that_is_blocked(known, name):
    """P1: one bed from a ward to community care, which shows no blocking: 0.375 to 0.240 lost."""
    case = known[name]
    data = case["data"]
    beds = [data["ed_servers"], *data["base"]]
    rooms = [data["ed_buffer"], *[0] * len(data["base"])]
    rows = [
        {"service_time": 1 / mu, "servers": c, "waiting_room": room, "external_arrival_rate": rate,
         "cost_of_loss": float(i == 0), "min_servers": least}
        for i, (mu, c, room, rate, least) in enumerate(zip(
            data["mu"], beds, rooms, data["external"], [1, *data["minimum"]], strict=True
        ))
    ]  # fmt: skip
    network = network_of(rows, data["routing"])
    plan = fn.reallocate(network, "cost", exchanges=every_way(network.services[1:]), method="exact")
    assert present(plan.apply(network))[1:] in case["all_optima"]
    assert plan.status == "every plan tried"
    assert plan.value_before.value == pytest.approx(case["also"]["base_loss_rate"], rel=1e-6)
    assert plan.value_after.value == pytest.approx(case["objective_value"], rel=1e-6)


@pytest.mark.parametrize("name", ["lp-T1", "lp-T3"])
def test_transfers_for_throughput(known, name):
    case = known[name]
    data = case["data"]
    rows = [
        {"service_time": 1 / mu, "servers": c, "external_arrival_rate": v}
        for mu, c, v in zip(data["mu"], data["servers"], data["visits"], strict=True)
    ]
    network = network_of(rows, [[0] * len(rows)] * len(rows))
    arcs = [
        (f"s{arc['from_']}", f"s{arc['to']}", arc["efficiency"], 0.0, arc["limit"])
        for arc in data["arcs"]
    ]
    plan = fn.reallocate(network, "throughput", exchanges=arcs, integer=False)
    scale = sum(data["visits"])
    assert plan.value_after.value / scale == pytest.approx(case["objective_value"], rel=1e-6)
    duals = plan.shadow_prices["shadow_price"] / scale
    found = [duals.get(f"balance[s{i}]", 0.0) for i in range(len(rows))]
    assert found == pytest.approx(case["duals"], abs=1e-6)


def test_one_plan_for_the_worst_of_several_demands(known):
    case = known["scenario-minimax"]
    loads, total = case["data"]["offered_loads"], case["data"]["total_servers"]
    start = [total - 12, 6, 6]
    demands = [
        network_of(
            [
                {"service_time": 1.0, "servers": c, "external_arrival_rate": a}
                for a, c in zip(row, start, strict=True)
            ],
            [[0] * 3] * 3,
        )
        for row in loads
    ]
    plan = fn.reallocate(
        demands[0],
        scenarios=demands,
        risk="minimax",
        exchanges=every_way(demands[0].services),
    )
    assert present(plan.apply(demands[0])) in case["all_optima"]
    assert plan.value_after.value == pytest.approx(case["objective_value"], rel=1e-9)
    assert plan.scenarios["after"].max() == pytest.approx(case["objective_value"], rel=1e-9)
