"""What a Solution of a network with blocking says of itself: PASTA (Wolff 1982), arrivals."""

import pytest

import flownet as fn


def line(last):
    """Return a door that turns away, before a place that may be too slow for it."""
    return fn.Network.from_dict({
        "network": {"time_unit": "day", "cost_of_loss": 1.0},
        "services": [
            {"name": "door", "servers": 20, "waiting_room": 0, "service_time": 1.0,
             "service_scv": 0.5, "external_arrival_rate": 10.0},
            {"name": "ward", "servers": 30, "waiting_room": 0, "service_time": 2.0,
             "service_scv": 0.5},
            {"name": "home", "servers": last, "waiting_room": 0, "service_time": 9.0},
        ],
        "routes": [
            {"from": "door", "to": "ward"},
            {"from": "ward", "to": "home", "routing_probability": 0.5},
        ],
    })  # fmt: skip


@pytest.mark.parametrize("last", [10, 60])
def test_a_door_is_as_full_as_it_turns_away(last):
    """Home does 10/9 a day of the 5 that would come, or all: Poisson arrivals see time averages."""
    door = fn.solve(line(last), "blocking", mode="compressed").services.loc["door"]
    assert door["loss_rate"] / 10.0 == pytest.approx(door["probability_full"], abs=1e-6)
    assert door["throughput"] <= 2 * last / 9.0  # flow balance: what home does, and as many besides


def test_arrivals_that_are_not_poisson_are_told():
    """The method has no place for their scv; a simulation of scv 4 has more waiting outside."""
    document = line(last=60).to_dict()
    document["services"][0] |= {"arrival_scv": 4.0, "external_when_full": "wait_outside"}
    solution = fn.solve(fn.Network.from_dict(document), "blocking", mode="compressed")
    assert any("'door' have an scv of 4 and are taken as Poisson" in w for w in solution.warnings)
    assert any("whatever their arrival_scv" in text for text in solution.assumptions)
    plain = fn.solve(line(last=60), "blocking", mode="compressed")
    assert not any("taken as Poisson" in text for text in plain.warnings + plain.assumptions)


@pytest.mark.parametrize(("slow", "told"), [(1.5, True), (0.3, False)])
def test_lines_before_servers_blocked_for_long_are_told_in_compressed(slow, told):
    """The slow server alone is an M/G/1: Pollaczek and Khinchine's mean line stands before it,
    more than the compressed mode has blocked and waiting; and the jobs that need no slow server
    wait behind these.
    """
    network = fn.Network.from_dict({
        "network": {"time_unit": "day"},
        "services": [
            {"name": "ward", "servers": 20, "service_time": 1.332, "service_scv": 2.0,
             "external_arrival_rate": 0.7},
            {"name": "place", "servers": 1, "waiting_room": 0, "service_time": slow,
             "service_scv": 2.0, "when_full": "blocked_after_service"},
        ],
        "routes": [{"from": "ward", "to": "place", "routing_probability": 0.9}],
    })  # fmt: skip
    solution = fn.solve(network, "blocking", mode="compressed")
    assert any("the line without limit before 'ward'" in w for w in solution.warnings) == told
    if told:
        load = 0.63 * slow
        line_ahead = load**2 * (1.0 + 2.0) / 2.0 / (1.0 - load)
        row = solution.services.loc["ward"]
        assert row["number_blocked"] + row["number_waiting"] < line_ahead


def growing_stays(services, share):
    """Return single servers in a row, of which each passes a share on and takes as much longer."""
    rows = [
        {"name": f"s{i}", "servers": 1, "waiting_room": 0, "service_time": 0.5 / share**i}
        for i in range(services)
    ]
    rows[0]["external_arrival_rate"] = 1.0
    routes = [
        {"from": f"s{i}", "to": f"s{i + 1}", "routing_probability": share}
        for i in range(services - 1)
    ]
    return fn.Network.from_dict(
        {"network": {"time_unit": "hour"}, "services": rows, "routes": routes}
    )


def test_fast_services_before_ever_slower_ones_are_warned_of_in_the_compressed_mode():
    """Its throughput is further from a simulation than that of the full mode, which is not."""
    network = growing_stays(11, 0.5)
    rough = fn.solve(network, "blocking", mode="compressed")
    fine = fn.solve(network, "blocking", mode="full")
    truth = fn.simulate(network, horizon=1e6, seed=3).system["throughput"]
    assert fine.system["throughput"] == pytest.approx(truth, rel=0.02)
    assert abs(rough.system["throughput"] / truth - 1.0) > 0.05
    assert any("stays differ up to" in line for line in rough.warnings)
    assert not any("stays differ up to" in line for line in fine.warnings)
    alike = fn.solve(growing_stays(11, 1.0), "blocking", mode="compressed")
    assert not any("stays differ up to" in line for line in alike.warnings)
