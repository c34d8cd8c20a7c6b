"""PathSimR's two files, written here by hand in its form, and what each becomes."""

import pytest

import flownet as fn

NETWORK = """,A,B,Home,serv_dist,serv_dist_param,ext_queue,int_queue,A,B,Home,A,B,Home
A,0,0.5,0.5,exp,0.5,Inf,0,,unif,,,0.5;1.5,
B,0.1,0,0.9,gamma,4;2,0,3,,,exp,,,4
Home,,,,,,,,,,,,,
"""
CALENDAR = """metric,node,start,end,value
cap,A,0,12,4
cap,A,12,24,6
cap,B,0,,2
ext_arr,A,0,,0.8
ext_arr,B,0,,0
"""


@pytest.fixture
def model(tmp_path):
    (tmp_path / "My_Network_Template.csv").write_text(NETWORK)
    (tmp_path / "My_Calendar_Template.csv").write_text(CALENDAR)
    return tmp_path / "My_Network_Template.csv"


def test_a_model_becomes_a_network(model):
    network = fn.read(model, time_unit="day")
    a, b = network.graph.nodes["A"], network.graph.nodes["B"]
    assert a["server_calendar"] == [
        {"start": 0, "end": 12, "value": 4}, {"start": 12, "end": 24, "value": 6},
    ]  # fmt: skip
    assert (a["waiting_room"], a["external_when_full"]) == (0, "wait_outside")
    assert a["service_distribution"] == {"family": "exponential", "mean": 2.0}
    # R's gamma(shape, rate): mean 4 / 2, so scale 1 / 2
    assert b["service_distribution"] == {"family": "gamma", "shape": 4.0, "scale": 0.5}
    assert (b["servers"], b["capacity"]) == (2, 5)
    # uniform on 0.5 to 1.5 has mean 1; the bed is held meanwhile
    assert network.graph.edges["A", "B"] == {
        "routing_probability": 0.5, "transfer_delay": 1.0, "holds_server": True,
    }  # fmt: skip
    # the end that is reached with a delay of mean 1 / 4 is a service where nobody stays
    assert network.graph.edges["B", "Home"]["transfer_delay"] == 0.25
    assert "stay until they move on" in network.graph.graph["notes"]
    # formulas take the mean of 4 and 6 beds
    assert fn.solve(network).services.loc["A", "servers"] == 5


def test_arrivals_keep_their_calendar(model):
    path = model.with_name("My_Calendar_Template.csv")
    path.write_text(
        path.read_text().replace("ext_arr,A,0,,0.8", "ext_arr,A,0,8,0\next_arr,A,8,24,3")
    )
    a = fn.read(model, time_unit="hour").graph.nodes["A"]
    assert [row["value"] for row in a["external_arrival_calendar"]] == [0, 3]


def test_a_calendar_that_never_varies_is_a_number(model):
    path = model.with_name("My_Calendar_Template.csv")
    path.write_text(path.read_text().replace("cap,A,12,24,6", "cap,A,12,24,4"))
    a = fn.read(model, time_unit="day").graph.nodes["A"]
    assert (a["servers"], a["capacity"]) == (4, 4)


def test_the_calendar_is_needed(model, tmp_path):
    (tmp_path / "My_Calendar_Template.csv").unlink()
    with pytest.raises(fn.FlownetError, match="calendar"):
        fn.read(model, time_unit="day")


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("Network", "exp,0.5,", "exp,x,", "must be a number"),
        ("Network", "gamma,4;2", "gamma,4", "takes 2 parameters"),
        ("Network", "gamma,4;2", "cauchy,4;2", "not a law of PathSimR"),
        ("Network", "0.9,gamma", "-0.9,gamma", "routing_probability|never|at least 0"),
        ("Calendar", "cap,A,12,24,6", "cap,A,13,24,6", "gap or overlap"),
        ("Calendar", "cap,A,0,12,4", "cap,A,1,12,4", "begin at 1, not at 0"),
        ("Calendar", "cap,A,12,24,6", "cap,A,12,,6", "never end"),
        ("Calendar", "cap,B,0,,2", "cap,X,0,,2", "a node of the template"),
        ("Calendar", "cap,B,0,,2", "cap,B,0,,0", "capacity above 0"),
        ("Calendar", "ext_arr,A,0,,0.8", "ext_arr,A,0,,lots", "must be numbers"),
    ],
)
def test_damaged_models_are_named(model, file, old, new, says):
    path = model if file == "Network" else model.with_name("My_Calendar_Template.csv")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(fn.FlownetError, match=says):
        fn.read(model, time_unit="day")
