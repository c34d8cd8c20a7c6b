"""Calendars in the description: what is right, what is wrong, and the means that formulas take."""

import pytest

import flownet as fn
from flownet.network.calendars import calendar_from_rows, common_cycle, rows_of_calendar
from flownet.network.compile import compile_network


def row(start, end, value):
    return {"start": start, "end": end, "value": value}


DAY = [row(0, 8, 1), row(8, 20, 4), row(20, 24, 2)]


def network(classes=None, network=None, **service):
    document = {
        "network": {"time_unit": "hour"} | (network or {}),
        "services": [{"name": "ED", "service_time": 0.5, **service}],
    }
    if classes:
        document["classes"] = {name: {} for name in classes}
    return fn.Network.from_dict(document)


def test_the_mean_is_weighted_by_time():
    calendar = calendar_from_rows(list(reversed(DAY)))
    assert calendar.mean == pytest.approx((8 * 1 + 12 * 4 + 4 * 2) / 24)
    assert calendar.cycle == 24
    assert rows_of_calendar(calendar) == DAY


def test_formulas_take_the_means():
    made = network(external_arrival_calendar=DAY, server_calendar=[row(0, 12, 2), row(12, 24, 5)])
    arrays = compile_network(made).arrays
    assert arrays.external_arrival_rate[0, 0] == pytest.approx(64 / 24)
    assert arrays.servers[0] == 3.5
    solution = fn.solve(made)
    assert not solution.exact
    assert any("vary by a calendar" in text for text in solution.warnings)
    assert any("ED (2 to 5, taken as 3.5)" in text for text in solution.assumptions)
    assert "calendar" in solution.explain()


def test_with_limited_places_the_mean_of_servers_is_whole():
    made = network(
        external_arrival_rate=1.0, waiting_room=3, server_calendar=[row(0, 12, 2), row(12, 36, 5)]
    )
    arrays = compile_network(made).arrays
    assert (arrays.servers[0], arrays.capacity[0]) == (4.0, 7.0)


@pytest.mark.parametrize("method", [fn.exact_chain, lambda made: fn.solve(made, "exact")])
def test_the_exact_chain_refuses(method):
    with pytest.raises(fn.FlownetError, match="vary by a calendar: there is no steady state"):
        method(network(external_arrival_calendar=DAY))


def test_a_calendar_by_class_beside_a_rate_by_class():
    made = network(
        ["walk in", "booked"],
        external_arrival_calendar={"walk in": DAY},
        external_arrival_rate={"booked": 1.5},
    )
    rates = compile_network(made).arrays.external_arrival_rate
    assert rates[0].tolist() == pytest.approx([64 / 24, 1.5])


def test_documents_keep_it(tmp_path):
    made = network(external_arrival_calendar=DAY, server_calendar=[row(0, 24, 2), row(24, 168, 3)])
    assert fn.Network.from_dict(made.to_dict()) == made
    for name in ("n.toml", "n.json"):
        fn.write(made, tmp_path / name)
        assert fn.read(tmp_path / name) == made


@pytest.mark.parametrize(
    ("service", "says"),
    [
        ({"external_arrival_calendar": [row(0, 8, 1), row(9, 24, 2)]}, "a gap between 8 and 9"),
        (
            {"external_arrival_calendar": [row(0, 8, 1), row(7, 24, 2)]},
            "an overlap between 7 and 8",
        ),
        ({"external_arrival_calendar": [row(0, 24, 1), row(0, 24, 2)]}, "an overlap"),
        ({"external_arrival_calendar": [row(1, 24, 2)]}, "the first row must start at 0"),
        ({"external_arrival_calendar": [row(0, 24, -2)]}, "value = -2 must be at least 0"),
        ({"external_arrival_calendar": [row(0, 24, float("nan"))]}, "must be a finite number"),
        ({"external_arrival_calendar": [row(5, 5, 1)]}, "before end"),
        ({"external_arrival_calendar": [{"start": 0, "end": 24}]}, "start, end and value"),
        ({"external_arrival_calendar": []}, "at least one"),
        ({"external_arrival_calendar": "office hours"}, "list of rows"),
        ({"external_arrival_calendar": [row(0, 24, 0)]}, "no jobs arrive"),
        ({"external_arrival_calendar": DAY, "external_arrival_rate": 1}, "give one of the two"),
        (
            {"external_arrival_rate": 1, "server_calendar": [row(0, 24, 0)]},
            "no servers at any time",
        ),
        ({"external_arrival_rate": 1, "server_calendar": DAY, "servers": 3}, "give one of the two"),
        ({"external_arrival_rate": 1, "server_calendar": DAY, "capacity": 3}, "the most servers"),
        (
            {"external_arrival_rate": 1, "server_calendar": DAY, "discipline": "delay"},
            "leave the calendar out",
        ),
    ],
)
def test_faults(service, says):
    with pytest.raises(fn.NetworkError, match=says):
        network(**service)


def test_all_faults_at_once():
    with pytest.raises(fn.NetworkError) as caught:
        network(
            external_arrival_calendar=[row(0, 8, -1), row(8, 6, 1)],
            server_calendar=[row(0, 8, 1), row(9, 24, 2)],
        )
    text = str(caught.value)
    assert "row 1: value = -1" in text
    assert "row 2: start = 8" in text
    assert "a gap between 8 and 9" in text


def test_common_cycles():
    assert common_cycle([24.0, 168.0, 56.0]) == 168.0
    assert common_cycle([0.5, 0.75]) == 1.5
    assert common_cycle([]) != common_cycle([])
    assert common_cycle([1.0, 0.999999]) != common_cycle([1.0, 0.999999])
