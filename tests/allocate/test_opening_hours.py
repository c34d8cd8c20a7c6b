"""Opening hours of a calendar: the mean of the servers follows, and the plan moves the closing."""

import pytest

import flownet as fn
from oracles.stations import number_waiting


def desk(opens=8.0, closes=16.0, servers=6, **others):
    rows = [
        {"start": 0.0, "end": opens, "value": 0},
        {"start": opens, "end": closes, "value": servers},
        {"start": closes, "end": 24.0, "value": 0},
    ]
    services = [
        {"name": "desk", "service_time": 1.0, "external_arrival_rate": 1.5,
         "server_calendar": rows, **others},
        {"name": "ward", "service_time": 2.0, "servers": 4, "cost_per_server": 50.0},
    ]  # fmt: skip
    routes = [{"from": "desk", "to": "ward"}]
    document = {"network": {"time_unit": "hour"}, "services": services, "routes": routes}
    return fn.Network.from_dict(document)


def test_hours_are_bought_and_the_calendar_closes_later():
    network = desk()
    plan = fn.reallocate(
        network, budget=20.0, decide={"desk": "opening_hours"}, prices={"desk": 10.0}, integer=True
    )
    assert plan.changes == {"desk": ("opening_hours", 8.0, 10)}
    rows = plan.apply(network).graph.nodes["desk"]["server_calendar"]
    assert [(row["start"], row["end"], row["value"]) for row in rows] == [
        (0.0, 8.0, 0), (8.0, 18.0, 6), (18.0, 24.0, 0)
    ]  # fmt: skip
    # by the mean of the calendar, as the formulas take it: 6 * 8 / 24 = 2, then 2.5 servers
    assert number_waiting(2, 1.5) == pytest.approx(
        fn.solve(network, "decomposition").services.loc["desk", "delay"], rel=1e-6
    )
    assert plan.gain_promised == pytest.approx(plan.gain_verified, rel=1e-6)
    assert plan.gain_verified > 0
    assert "hours of opening" in plan.headline


def test_no_more_hours_than_the_cycle_has():
    plan = fn.reallocate(
        desk(), budget=1e4, decide={"desk": "opening_hours"}, prices={"desk": 1.0, "ward": 1e6}
    )
    assert plan.changes["desk"][2] <= 16.0 + 1e-9


@pytest.mark.parametrize("name", ["ward", "desk"])
def test_hours_that_are_none_are_refused(name):
    network = desk()
    if name == "desk":
        rows = network.graph.nodes["desk"]["server_calendar"]
        uneven = [
            *rows[:1],
            {"start": 8.0, "end": 12.0, "value": 3},
            {"start": 12.0, "end": 16.0, "value": 6},
            *rows[2:],
        ]
        network = network.replace(services={"desk": {"server_calendar": uneven}})
    with pytest.raises(fn.errors.ParameterError, match="server_calendar"):
        fn.reallocate(network, budget=1.0, decide={name: "opening_hours"}, prices={name: 1.0})
