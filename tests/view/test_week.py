"""Demand against capacity through the week: what the simulation's profile says, drawn in steps."""

import numpy as np
import pytest

import flownet as fn
from flownet.errors import ParameterError, UnknownNameError


def clinic(short=1):
    """Return a clinic that is short of servers on Wednesday from 10 to 12."""
    servers = [
        {"start": 0.0, "end": 58.0, "value": 4},
        {"start": 58.0, "end": 60.0, "value": short},
        {"start": 60.0, "end": 168.0, "value": 4},
    ]
    return fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [{"name": "clinic", "server_calendar": servers, "service_time": 0.5,
                      "external_arrival_rate": 5.0}],
    })  # fmt: skip


@pytest.fixture(scope="module")
def simulation():
    return fn.simulate(clinic(), horizon=168.0 * 21, warmup=168.0, replications=2, seed=1)


def test_the_week_is_the_profile_of_the_simulation(simulation):
    figure = fn.view.week(simulation, "clinic")
    rows = simulation.profile.loc["clinic"]
    drawn = {trace.name: np.asarray(trace.y) for trace in figure.data}
    assert np.array_equal(drawn["servers: capacity"][:-1], rows["servers"])
    demand = drawn["demand: held or waiting for one"][:-1]
    assert np.array_equal(demand, rows["number_present"])
    assert list(figure.layout.xaxis.ticktext) == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def test_the_title_says_when_demand_exceeds_capacity_most(simulation):
    # 5 jobs an hour of half an hour each need 2.5 servers; there is one, for two hours on Wednesday
    title = fn.view.week(simulation, "clinic").layout.meta["title"]
    assert "most from Wed 11:00" in title


def test_a_simulation_without_a_cycle_is_refused(simulation):
    with pytest.raises(UnknownNameError, match="clinics"):
        fn.view.week(simulation, "clinics")
    plain = fn.simulate(
        clinic().replace(services={"clinic": {"server_calendar": None, "servers": 4}}),
        horizon=50.0, warmup=1.0, replications=2, seed=1,
    )  # fmt: skip
    with pytest.raises(ParameterError, match="cycle"):
        fn.view.week(plain, "clinic")
