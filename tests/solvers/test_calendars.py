"""The simulation of calendars against Kolmogorov's equations and closed forms.

Tolerance: the 99.99 % interval of the simulation itself, by Student's t over 10 replications; the
seeds are fixed.
"""

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.linalg import expm

import flownet as fn
from oracles.calendar_chain import Piece, periodic_means

SURE = 0.9999


def row(start, end, value):
    return {"start": start, "end": end, "value": value}


def network(**service):
    return fn.Network.from_dict(
        {
            "network": {"time_unit": "hour"},
            "services": [{"name": "desk", "service_time": 1.0, **service}],
        }
    )


def simulated(made, cycles=1500, cycle=24.0, **options):
    return fn.simulate(
        made, horizon=cycle * (cycles + 5), warmup=cycle * 5, confidence=SURE, **options
    )


def agrees(table, column, truth, widest=0.1):
    value, width = table.loc["desk", column], table.loc["desk", column + "_halfwidth"]
    assert abs(value - truth) <= width, (column, value, truth, width)
    assert width <= widest * truth  # the comparison says something


def weighted(pieces, values):
    return float(np.average(values, weights=[piece.length for piece in pieces]))


def test_arrivals_that_vary():
    made = network(external_arrival_calendar=[row(0, 12, 0.2), row(12, 24, 0.9)])
    pieces = [Piece(12, 0.2, 1), Piece(12, 0.9, 1)]
    exact = periodic_means(pieces, 1.0, 50)
    table = simulated(made, cycles=600).services
    agrees(table, "number_present", weighted(pieces, exact[:, 0]))
    agrees(table, "arrival_rate", 0.55)


def test_servers_that_come_and_go():
    """Busy servers finish their job; 0 servers at night."""
    made = network(
        server_calendar=[row(0, 8, 0), row(8, 16, 3), row(16, 24, 1)], external_arrival_rate=1.0,
        capacity=14,
    )  # fmt: skip
    pieces = [Piece(8, 1.0, 0), Piece(8, 1.0, 3), Piece(8, 1.0, 1)]
    exact = periodic_means(pieces, 1.0, 14)
    table = simulated(made, cycles=600).services
    agrees(table, "number_present", weighted(pieces, exact[:, 0]))
    agrees(table, "number_in_service", weighted(pieces, exact[:, 1]))
    agrees(table, "probability_full", weighted(pieces, exact[:, 2]), widest=0.2)
    assert table.loc["desk", "servers"] == pytest.approx(4 / 3)


def test_places_that_follow_the_servers():
    """A waiting room of one place: places fall with the servers, nobody is sent away."""
    made = network(
        server_calendar=[row(0, 6, 1), row(6, 24, 4)], external_arrival_rate=3.0, waiting_room=1
    )
    pieces = [Piece(6, 3.0, 1), Piece(18, 3.0, 4)]
    exact = periodic_means(pieces, 1.0, 5, room=1)
    table = simulated(made, cycles=400).services
    agrees(table, "number_present", weighted(pieces, exact[:, 0]))
    agrees(table, "probability_full", weighted(pieces, exact[:, 2]), widest=0.2)
    agrees(
        table, "loss_probability", weighted(pieces, exact[:, 2]), widest=0.2
    )  # arrivals see time averages


def test_shared_servers_change_at_once():
    """M/M/1-PS has as many jobs as a birth-death chain that loses its overhang at once."""
    made = network(
        server_calendar=[row(0, 12, 1), row(12, 24, 3)], external_arrival_rate=0.9, discipline="ps"
    )
    n = np.arange(81)
    means, law = [], np.eye(81)[0]
    for _ in range(40):
        means = []
        for servers in (1, 3):
            rates = np.diag(np.full(80, 0.9), 1) + np.diag(np.minimum(n[1:], servers), -1)
            np.fill_diagonal(rates, -rates.sum(axis=1))
            step = expm(rates * 0.1)
            path = [law]
            for _ in range(120):
                path.append(path[-1] @ step)
            law = path[-1]
            means.append(trapezoid(np.array(path) @ n, dx=0.1) / 12)
    agrees(simulated(made, cycles=400).services, "number_present", float(np.mean(means)))


def test_regular_arrivals_on_the_clock_of_the_rate():
    """With arrival_scv 0 the n-th arrival comes when the rate has added up to n."""
    made = network(
        external_arrival_calendar=[row(0, 1, 3.0), row(1, 2, 0.0), row(2, 4, 1.0)], arrival_scv=0.0,
        servers="inf",
    )  # fmt: skip
    trace = fn.simulate(
        made, horizon=8.0001, warmup=0.0, replications=1, trace_rows=100, seed=2
    ).trace
    arrived = np.sort(trace["arrived"].to_numpy())
    # what is due at the very end of a piece may come as the next piece with a rate begins
    due = np.array([1 / 3, 2 / 3, 1.0, 2.0, 3.0, 4.0, 13 / 3, 14 / 3, 5.0, 6.0, 7.0, 8.0])
    assert len(arrived) >= 4
    assert np.abs(arrived[:, None] - due).min(axis=1).max() < 1e-9
    assert np.diff(arrived).min() > 0.3


def test_a_rare_arrival_skips_whole_cycles():
    made = network(external_arrival_calendar=[row(0, 0.5, 2e-6), row(0.5, 1, 0.0)])
    table = fn.simulate(made, horizon=5e9, warmup=0, replications=4, confidence=SURE).services
    agrees(table, "arrival_rate", 1e-6, widest=0.6)


def test_priority_that_interrupts_also_after_hours():
    """A better rank may take the server of a job that is finished after hours."""
    made = fn.Network.from_dict(
        {
            "network": {"time_unit": "hour"},
            "classes": {"urgent": {"priority": 1}, "other": {"priority": 2}},
            "services": [{
                "name": "desk", "service_time": {"urgent": 0.1, "other": 100.0},
                "discipline": "preemptive",
                "server_calendar": [row(0, 12, 1), row(12, 24, 0)],
                "external_arrival_rate": {"urgent": 0.5, "other": 0.2},
            }],
        }
    )  # fmt: skip
    made = fn.simulate(made, horizon=24 * 50, warmup=0, replications=2)
    waits = made.service_classes["waiting_time"]
    # without interruptions it would wait for stays of 100 hours
    assert waits["desk", "urgent"] < 6


def test_who_waits_for_places_comes_in_when_they_come():
    """Blocked upstream and outside: all take the places that a change of servers brings."""
    made = fn.Network.from_dict(
        {
            "network": {"time_unit": "hour"},
            "services": [
                {"name": "ED", "servers": 2, "service_time": 0.5, "capacity": 2,
                 "external_arrival_rate": 1.5, "external_when_full": "wait_outside"},
                {"name": "ward", "service_time": 1.0, "waiting_room": 0,
                 "server_calendar": [row(0, 8, 1), row(8, 24, 4)]},
            ],
            "routes": [{"from": "ED", "to": "ward"}],
        }
    )  # fmt: skip
    table = fn.simulate(made, horizon=24 * 500, warmup=240, replications=4).services
    assert table.loc["ED", "number_blocked"] > 0
    assert table.loc["ward", "throughput"] == pytest.approx(1.5, rel=0.03)  # nobody is lost
    flow = table.loc["ward", "arrival_rate"] - table.loc["ED", "throughput"]
    assert abs(flow) < 0.03


def test_broken_servers_are_named():
    made = network(server_calendar=[row(0, 8, 1.5), row(8, 24, 2)], external_arrival_rate=1.0)
    with pytest.raises(fn.FlownetError, match=r"'desk', server_calendar = 1\.5: .*whole number"):
        fn.simulate(made, horizon=100)


# ---- by time of the cycle


def test_the_profile_by_hour():
    made = network(
        server_calendar=[row(0, 8, 0), row(8, 16, 3), row(16, 24, 1)], external_arrival_rate=1.0,
        capacity=6,
    )  # fmt: skip
    pieces = [Piece(1, 1.0, servers) for servers in 8 * [0] + 8 * [3] + 8 * [1]]
    exact = periodic_means(pieces, 1.0, 6)
    profile = simulated(made, cycles=400).profile.loc["desk"]
    assert profile.index.tolist() == list(range(24))
    for column, truth in (("number_present", exact[:, 0]), ("number_in_service", exact[:, 1])):
        away = np.abs(profile[column].to_numpy() - truth)
        assert (away <= profile[column + "_halfwidth"] + 1e-9).all()
        assert profile[column + "_halfwidth"].mean() < 0.1 * truth.mean()
    assert profile["servers"].tolist() == 8 * [0] + 8 * [3] + 8 * [1]
    assert profile["occupancy"].isna().tolist() == 8 * [True] + 16 * [False]


def test_a_cycle_may_be_asked_for_without_calendars():
    made = network(external_arrival_rate=0.5, discipline="ps")
    found = fn.simulate(made, horizon=1680, warmup=168, replications=3, cycle=168, step=12)
    assert found.profile.shape[0] == 14
    whole = found.services.loc["desk"]
    for column in ("number_present", "number_in_service", "arrival_rate"):
        # nine whole weeks are counted, so that the steps add up to the mean
        assert found.profile[column].mean() == pytest.approx(whole[column], rel=1e-9)
    assert fn.simulate(made, horizon=100, warmup=1).profile.empty


def test_the_common_cycle_of_calendars_is_shown():
    made = network(
        external_arrival_calendar=[row(0, 24 * 5, 1.0), row(24 * 5, 168, 0.5)],
        server_calendar=[row(0, 8, 1), row(8, 24, 2)],
    )
    found = fn.simulate(made, horizon=168 * 30)
    assert len(found.profile) == 168
    assert found.design.cycle == 168
    # the warm-up that is found leaves whole weeks
    assert (found.design.horizon - found.design.warmup) % 168 == 0
    assert not any("cycles" in text for text in found.warnings)
    again = fn.Simulation.from_dict(found.to_dict())
    assert again.profile.equals(found.profile)


def test_broken_cycles_are_warned_of():
    made = network(external_arrival_calendar=[row(0, 12, 0.2), row(12, 24, 0.7)])
    assert "2.5 cycles" in " ".join(fn.simulate(made, horizon=60, warmup=0).warnings)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"cycle": -1.0}, "cycle = -1"),
        ({"cycle": 24.0, "step": 5.0}, "a whole number of times"),
        ({"cycle": 24.0, "step": 0.0}, "must be a time above 0"),
        ({"cycle": 24.0, "step": 1e-4}, "at most 10000"),
        ({"step": 1.0}, "no calendar to take it from"),
    ],
)
def test_bad_cycles(options, says):
    with pytest.raises(fn.FlownetError, match=says):
        fn.simulate(network(external_arrival_rate=0.5), horizon=100, **options)
