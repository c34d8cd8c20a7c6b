"""Where more comes than a service downstream can serve, what is too much stays outside."""

import numpy as np
import pytest

import flownet as fn


def front_door(places, external_when_full="wait_outside", mode="compressed"):
    """Ten, thirty and so many servers in a row; an eighth of the arrivals come to the last."""
    network = fn.Network.from_dict({
        "network": {"name": "front door", "time_unit": "day"},
        "services": [
            {"name": "emergency", "servers": 10, "waiting_room": 0, "service_time": 0.25,
             "external_arrival_rate": 20.0, "external_when_full": external_when_full},
            {"name": "ward", "servers": 30, "waiting_room": 0, "service_time": 4.0},
            {"name": "home", "servers": places, "waiting_room": 0, "service_time": 18.0},
        ],
        "routes": [
            {"from": "emergency", "to": "ward", "routing_probability": 0.25},
            {"from": "ward", "to": "home", "routing_probability": 0.5},
        ],
    })  # fmt: skip
    return fn.solve(network, method="blocking", mode=mode)


@pytest.mark.parametrize(("places", "working"), [(20, 1.0), (40, 0.999816), (44, 0.999330)])
def test_the_backlog_grows_by_what_the_last_cannot_serve(places, working):
    """Simulated with 300 arrivals a day that are lost, 200,000 days: the servers at home at work.

    They stand for a line that never ends; standard errors are 3e-6 and 4e-5.
    """
    solution = front_door(places)
    carried = places * working / 18.0 / 0.125  # jobs a day
    services = solution.services
    assert services.loc["home", "utilization"] == pytest.approx(working, abs=1e-4)
    assert services.loc["emergency", "growth_rate"] == pytest.approx(20 - carried, abs=2e-3)
    assert np.isinf(services.loc["emergency", "number_outside"])
    assert "overloaded" in solution.warnings[0]


def test_no_service_works_beyond_its_servers_where_jobs_are_lost():
    solution = front_door(20, "lost")
    assert (solution.services["utilization"] <= 1 + 1e-9).all()
    lost = solution.services.loc["emergency", "loss_rate"]
    assert lost == pytest.approx(20 - solution.services.loc["emergency", "throughput"])


def test_all_is_full_on_the_way_from_a_service_that_cannot_do_more_to_the_door():
    """Who comes as a Poisson stream is turned away as often as the door is full (Wolff 1982).

    Home does 20 / 18 a day; the ward is left by twice as many, the door by eight times. Simulated
    for 100,000 days, the ward is full 0.994 of the time.
    """
    solution = front_door(20, "lost")
    services, measures = solution.services, solution.measures
    can = 20.0 / 18.0
    assert services.loc["emergency", "throughput"] == pytest.approx(8 * can, rel=1e-6)
    turned_away = 1.0 - 8 * can / 20.0
    assert measures.probability_full == pytest.approx([turned_away, 0.994, 1.0], abs=4e-3)
    assert services.loc["ward", "number_blocked"] == pytest.approx(30 - 2 * can * 4, abs=0.02)


def test_doors_before_a_place_that_is_much_too_small():
    """A simulation of 4e6 visits: 0.445 and 0.499 full at the doors, 10.2 and 21.8 blocked there,
    11.7, 13.2 and 51.0 on the way to care at home.
    """
    network = fn.example("urgent_care").replace({"Home care": {"servers": 20}})
    solution = fn.solve(network, method="blocking")
    full = solution.measures.probability_full
    assert full == pytest.approx([0.445, 0.499, 0.991, 0.997, 1.0, 0.0, 1.0, 0.0, 0.0], abs=0.02)
    blocked = solution.measures.number_blocked.sum(axis=1)
    share = blocked / solution.services["servers"].to_numpy()
    assert share[:5] == pytest.approx(
        [10.2 / 12, 21.8 / 24, 11.7 / 16, 13.2 / 22, 51.0 / 79], abs=0.06
    )


def test_blockages_two_services_on_are_warned_of():
    solution = front_door(51)
    assert any("simulate" in line for line in solution.warnings)


def test_a_line_inside_without_limit_is_warned_of_too():
    """Simulated: 18 present at triage, where the compressed mode has 7."""
    network = fn.Network.from_dict({
        "network": {"time_unit": "day"},
        "services": [
            {"name": "triage", "servers": 3, "service_time": 0.1, "external_arrival_rate": 22},
            {"name": "scan", "servers": 2, "waiting_room": 3, "service_time": 0.08,
             "service_scv": 0.5},
            {"name": "theatre", "servers": 4, "waiting_room": 6, "service_time": 0.3},
        ],
        "routes": [
            {"from": "triage", "to": "scan", "routing_probability": 0.8},
            {"from": "scan", "to": "theatre", "routing_probability": 0.7},
        ],
    })  # fmt: skip
    warnings = fn.solve(network, method="blocking", mode="compressed").warnings
    assert any("'triage' can be held up by 'scan'" in line for line in warnings)


def test_a_line_that_blockages_two_services_on_hold_up_is_as_long_as_simulated():
    """Three runs of a million days: 3.96 +- 0.19 outside, 0.449 and 1.523 blocked (s.e. 0.01)."""
    services = front_door(51, mode="full").services
    assert services.loc["emergency", "number_outside"] == pytest.approx(3.96, rel=0.15)
    assert services.loc["emergency", "number_blocked"] == pytest.approx(0.449, abs=0.05)
    assert services.loc["ward", "number_blocked"] == pytest.approx(1.523, abs=0.05)


def test_servers_before_a_much_blocked_service_are_warned_of():
    """Simulated: 0.9 to 2.7 of the 12 at the door are blocked; the compressed mode has 0.1."""
    solution = fn.solve(fn.example("urgent_care"), method="blocking")
    told = [line for line in solution.warnings if "simulate" in line]
    assert any("'Ambulance handover'" in line and "blocked for long" in line for line in told)
