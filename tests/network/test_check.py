"""Every fault is found at once, said with the service, the attribute, and what is right."""

import math

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flownet as fn
from flownet.network.attributes import ATTRIBUTES, SERVICE


def document(**changes):
    base = {
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "ED", "servers": 3, "service_time": 1.0, "external_arrival_rate": 2.0},
            {"name": "Ward", "servers": 10, "service_time": 3.0},
        ],
        "routes": [{"from": "ED", "to": "Ward", "routing_probability": 0.5}],
    }
    return {**base, **changes}


def with_ed(**attributes):
    ed = {"name": "ED", "service_time": 1.0, "external_arrival_rate": 2.0, **attributes}
    return document(services=[ed, {"name": "Ward", "service_time": 3.0}])


def faults(description):
    return [fault for fault in fn.check(description) if fault.severity == "error"]


def the_fault(description):
    found = faults(description)
    assert len(found) == 1, [str(fault) for fault in found]
    return found[0]


def test_a_right_document_has_no_faults():
    assert fn.check(document()) == ()


@pytest.mark.parametrize(
    ("attributes", "attribute", "says"),
    [
        ({"server": 3}, "server", "did you mean 'servers'?"),
        ({"servers": 0}, "servers", "above 0"),
        ({"servers": -1}, "servers", "above 0"),
        ({"servers": True}, "servers", "number"),
        ({"servers": "three"}, "servers", "number"),
        ({"service_time": math.nan}, "service_time", "finite"),
        ({"service_time": math.inf}, "service_time", "finite"),
        ({"service_time": 10**400}, "service_time", "number"),
        ({"service_scv": -0.1}, "service_scv", "at least 0"),
        ({"external_arrival_rate": -1}, "external_arrival_rate", "at least 0"),
        ({"when_full": "loss"}, "when_full", "did you mean 'lost'?"),
        ({"capacity": 0.5}, "capacity", "at least servers"),
        ({"external_entry_priority": 1.5}, "external_entry_priority", "whole number"),
        (
            {"capacity": 3, "external_places_left_free": 3},
            "external_places_left_free",
            "below the capacity of 'ED' (3)",
        ),
        ({"capacity": 3, "waiting_room": 1}, "waiting_room", "one of the two"),
        ({"overflow_to": "Wrad"}, "overflow_to", "did you mean 'Ward'?"),
        ({"overflow_to": "ED"}, "overflow_to", "another service"),
        ({"when_full": "overflow"}, "when_full", "needs overflow_to"),
        ({"min_servers": 3, "max_servers": 2}, "min_servers", "above max_servers"),
        ({"discipline": "delay", "servers": 4}, "servers", "nobody waits"),
        ({"origin": {"servers": "from a friend"}}, "origin.servers", "published, estimated"),
        ({"origin": {"beds": "assumed: x"}}, "origin", "not an attribute"),
        ({"standard_error": {"servers": -1}}, "standard_error.servers", "at least 0"),
        ({"external_arrival_rate": {"frail": 1.0}}, "external_arrival_rate", "not declared"),
        ({"external_arrival_rate": {}}, "external_arrival_rate", "at least one class"),
    ],
)
def test_one_wrong_value_is_named(attributes, attribute, says):
    fault = the_fault(with_ed(**attributes))
    assert fault.where == "service 'ED'"
    assert fault.attribute == attribute
    assert says in fault.message


@pytest.mark.parametrize(
    ("law", "says"),
    [
        ({"family": "gauss", "mean": 1}, "not known"),
        ({"family": "lognormal", "mu": 1}, "takes (mu, sigma) or (mean, scv)"),
        ({"family": "exponential", "mean": -1}, "above 0"),
        ({"family": "erlang", "phases": 1.5, "mean": 1}, "whole number"),
        ({"family": "uniform", "low": 3, "high": 2}, "low < high"),
        ({"family": "uniform", "mean": 3, "scv": 0.5}, "at most 1/3"),
        ({"family": "triangular", "mean": 3, "scv": 0.5}, "at most 1/6"),
        ({"family": "erlang", "mean": 3, "scv": 0.4}, "one over the number of phases"),
        ({"family": "weibull", "mean": 3, "scv": 1e9}, "must lie between"),
        ({"family": "phase_type", "mean": 3, "scv": 0.0}, "at least 0.001"),
        ({"family": "empirical", "values": []}, "at least one"),
        ({"family": "empirical", "values": [1, -1]}, "not be negative"),
        ({"family": "phase_type", "alpha": [1.0], "T": [[1.0]]}, "negative diagonal"),
        ({"family": "hyperexponential", "mean": 1, "scv": 0.5}, "at least 1"),
    ],
)
def test_an_impossible_law_is_named(law, says):
    description = document(
        services=[{"name": "ED", "service_distribution": law, "external_arrival_rate": 1.0}],
        routes=[],
    )
    assert says in the_fault(description).message


def test_missing_service_time_and_time_unit_are_both_told():
    description = document(
        network={}, services=[{"name": "ED", "external_arrival_rate": 1}], routes=[]
    )
    assert {fault.attribute for fault in faults(description)} == {"time_unit", "service_time"}


def test_faults_of_every_kind_are_told_together():
    description = {
        "network": {"name": "x"},
        "servces": [],
        "services": [
            {"name": "ED", "service_time": -1.0, "external_arrival_rate": 1.0},
            {"name": "ED", "service_time": 1.0},
            {"service_time": 1.0},
        ],
        "routes": [
            {"from": "ED", "to": "Wad"},
            {"from": "ED", "to": "ED", "routing_probability": 1.2},
        ],
    }
    said = "\n".join(map(str, faults(description)))
    for part in ("servces", "stands twice", "a name is needed", "to = 'Wad'", "time_unit",
                 "service_time = -1.0", "routing_probability = 1.2"):  # fmt: skip
        assert part in said


def test_probabilities_over_one_are_added_up_by_service():
    routes = [
        {"from": "ED", "to": "Ward", "routing_probability": 0.7},
        {"from": "ED", "to": "ED", "routing_probability": 0.5},
    ]
    fault = the_fault(document(routes=routes))
    assert fault.where == "service 'ED'"
    assert "1.2" in fault.message


def test_a_class_that_never_leaves_is_told_with_the_trap():
    routes = [{"from": "ED", "to": "Ward"}, {"from": "Ward", "to": "ED"}]
    fault = the_fault(document(routes=routes))
    assert fault.where == "class 'all'"
    assert "never leaves" in fault.message
    assert "'ED', 'Ward'" in fault.message


def test_a_service_that_nothing_reaches_is_told():
    fault = the_fault(document(routes=[]))
    assert fault.where == "service 'Ward'"
    assert "nothing reaches it" in fault.message


def test_nobody_arrives_is_told():
    services = [{"name": "ED", "service_time": 1.0}]
    assert "no jobs arrive" in the_fault(document(services=services, routes=[])).message


def test_a_class_without_a_service_time_where_it_comes_is_told():
    description = document(
        classes={"frail": {}, "other": {}},
        services=[{"name": "ED", "service_time": {"frail": 2.0}, "external_arrival_rate": 1.0}],
        routes=[],
    )
    assert "class 'other' comes here" in the_fault(description).message


def test_a_cycle_of_full_services_is_a_warning():
    services = [
        {"name": "A", "service_time": 1.0, "external_arrival_rate": 0.1, "capacity": 1},
        {"name": "B", "service_time": 1.0, "capacity": 1},
    ]
    routes = [{"from": "A", "to": "B"}, {"from": "B", "to": "A", "routing_probability": 0.5}]
    found = fn.check(document(services=services, routes=routes))
    assert [fault.severity for fault in found] == ["warning"]
    assert "deadlock" in found[0].message


def test_graphs_of_the_wrong_kind_are_refused():
    for graph in (nx.Graph(), nx.MultiDiGraph(), "a graph"):
        assert faults(graph)


def test_a_changed_graph_is_checked_again_before_solving():
    network = fn.Network.from_dict(document())
    network.graph.nodes["ED"]["servers"] = -3
    with pytest.raises(fn.NetworkError, match="servers = -3"):
        fn.solve(network)


def test_the_table_of_attributes_is_whole():
    for attribute in ATTRIBUTES:
        assert attribute.meaning.endswith(".") or attribute.meaning[-1].isalnum(), attribute.name
        assert attribute.allowed
    assert SERVICE["service_time"].by_class


rubbish = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(["ED", "Ward", "", "x"]) | rubbish
service_like = st.dictionaries(
    st.sampled_from(sorted(SERVICE)) | st.text(max_size=5), rubbish, max_size=6
)
route_like = st.fixed_dictionaries(
    {}, optional={"from": names, "to": names, "routing_probability": rubbish, "to_class": rubbish}
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "network": rubbish | st.fixed_dictionaries({"time_unit": st.just("hour")}),
            "classes": rubbish | st.dictionaries(st.text(max_size=3), st.just({}), max_size=2),
            "services": rubbish
            | st.lists(
                service_like.flatmap(lambda s: names.map(lambda n: {**s, "name": n})), max_size=3
            ),
            "routes": rubbish | st.lists(route_like, max_size=3),
        },
    )
    | rubbish
)
def test_rubbish_is_refused_by_our_own_errors_or_solved(description):
    try:
        network = fn.Network.from_dict(description)
    except fn.FlownetError:
        return
    # what passes the check makes sense: it compiles and goes round
    assert fn.Network.from_dict(network.to_dict()) == network


@given(st.dictionaries(st.sampled_from(sorted(SERVICE)), rubbish, max_size=3))
def test_rubbish_in_a_graph_is_refused_or_accepted_without_a_traceback(attributes):
    graph = nx.DiGraph(time_unit="hour")
    graph.add_node("a", **{"service_time": 1.0, "external_arrival_rate": 0.5, **attributes})
    try:
        fn.Network.from_graph(graph)
    except fn.FlownetError as error:
        said = str(error)
    else:
        said = "'a' is fine"
    assert "'a'" in said or "class" in said or "jobs arrive" in said


def test_a_document_that_contains_itself_is_refused():
    loop: dict = {"network": {"time_unit": "hour"}}
    loop["services"] = [{"name": "a", "service_time": 1.0, "origin": loop}]
    assert faults(loop)


def test_a_document_without_services_still_tells_what_is_wrong_with_the_network():
    with pytest.raises(fn.NetworkError) as caught:
        fn.Network.from_dict({"network": {"time_unit": "fortnight"}, "services": []})
    assert [fault.attribute for fault in caught.value.faults] == ["services", "time_unit"]
