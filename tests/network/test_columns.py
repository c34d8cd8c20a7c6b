"""Large networks go by columns; whatever the way, the same network and the same arrays come out."""

import math

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flownet as fn
from flownet.network import model
from flownet.network.columns import columns_of, made_plain
from flownet.network.compile import compile_network
from flownet.network.soundness import compiled_where_right


def same(one, other):
    for field, a, b in zip(one.arrays._fields, one.arrays, other.arrays, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=field)
        assert a.dtype == b.dtype, field
    for field in ("services", "classes", "organisations"):
        assert getattr(one, field) == getattr(other, field)
    for field in ("cost_per_server", "cost_of_delay", "cost_of_loss"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


VALUES = {
    "servers": st.sampled_from([1, 2, 2.5, math.inf, 0, -1, "3", None, True]),
    "service_time": st.sampled_from([0.5, 1, 2.0, 0.0, math.nan, 1e13, None]),
    "service_scv": st.sampled_from([0, 0.3, 1, 4.0, None]),
    "external_arrival_rate": st.sampled_from([0.1, 0, None]),
    "patience": st.sampled_from([3.0, math.inf, "inf", None]),
    "cost_per_server": st.sampled_from([0, 5.0, None]),
    "label": st.sampled_from(["a label", "", 3, None]),
    "priority": st.sampled_from([1, 2, 1.5, None]),
    "capacity": st.sampled_from([9, None, None, None]),
    "unheard_of": st.sampled_from([None, None, None, 1]),
}
CHANCES = st.sampled_from([0.1, 0.3, 0.5, 0.5, 1.0, 1 - 1e-12, 1.1])


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 4))
    graph = nx.DiGraph(time_unit="hour")
    if draw(st.booleans()):
        graph.graph["classes"] = {"a": {}, "b": {"priority": 2}}
    chosen = draw(st.sets(st.sampled_from(sorted(VALUES)), max_size=3)) | {"service_time"}
    right = draw(st.booleans())
    for i in range(count):
        row = {} if right else {name: draw(VALUES[name]) for name in sorted(chosen)}
        standard = {"service_time": 0.5, "external_arrival_rate": 0.1, "servers": 1 + i}
        row = {**(standard if right or draw(st.booleans()) else {}), **row}
        graph.add_node(i, **row)
    for _ in range(draw(st.integers(0, 5))):
        ends = draw(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)))
        graph.add_edge(*ends, routing_probability=draw(CHANCES))
    return graph


@given(graphs())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_what_is_kept_by_columns_has_no_fault_and_the_same_arrays(graph):
    columns = made_plain(columns_of(graph))
    kept = columns is not None and compiled_where_right(columns) is not None
    faults = fn.check(graph)  # few services: by the look at every one
    if kept:
        assert faults == ()
        network = fn.Network.from_graph(graph)
        same(compiled_where_right(columns), compile_network(network))
        rebuilt = fn.Network.from_graph(columns.graph())
        assert rebuilt == network


def ring(size):
    names = [f"s{i}" for i in range(size)]
    services = pd.DataFrame(
        {"servers": 2, "service_time": np.linspace(0.5, 1.0, size), "external_arrival_rate": 0.1},
        index=names,
    )
    routes = pd.DataFrame({"from": names, "to": [*names[1:], names[0]], "routing_probability": 0.5})
    return services, routes


def test_the_ways_of_describing_a_network_agree(monkeypatch):
    services, routes = ring(20)
    plain = fn.Network.from_tables(services, routes, time_unit="day", name="ring")
    monkeypatch.setattr(model, "LARGE", 5)
    for large in (
        fn.Network.from_tables(services, routes, time_unit="day", name="ring"),
        fn.Network.from_graph(nx.DiGraph(plain.graph)),
        fn.Network.from_dict(plain.to_dict()),
    ):
        assert large.compilation is not None
        assert large == plain
        assert hash(large) == hash(plain)
        same(compile_network(large), compile_network(plain))
        assert large.given("servers") == [2] * 20
        assert large.given("target") == [None] * 20
        assert large.replace(services={"s3": {"servers": 4}}).given("servers")[3] == 4
        assert "20 services, 20 routes" in repr(large)


@pytest.mark.parametrize(
    ("attribute", "value", "told"),
    [("service_time", -1.0, "service_time"), ("servers", np.nan, None), ("bed", 1.0, "bed")],
)
def test_a_large_table_with_a_fault_is_told_it(monkeypatch, attribute, value, told):
    monkeypatch.setattr(model, "LARGE", 5)
    services, routes = ring(20)
    services[attribute] = services.get(attribute, 1.0)
    services[attribute] = services[attribute].astype(float)
    services.loc["s7", attribute] = value
    if told is None:  # an empty cell is an absent value
        network = fn.Network.from_tables(services, routes, time_unit="day")
        assert network.given("servers")[7] is None
        return
    with pytest.raises(fn.NetworkError, match="s7") as refused:
        fn.Network.from_tables(services, routes, time_unit="day")
    assert any(fault.attribute == told for fault in refused.value.faults)


def test_many_faults_are_counted_in_the_message():
    with pytest.raises(fn.NetworkError, match="and 50 more") as refused:
        fn.Network.from_dict(
            {
                "network": {"time_unit": "day"},
                "services": [
                    {"name": f"s{i}", "service_time": -1, "external_arrival_rate": 1}
                    for i in range(100)
                ],
            }
        )
    assert len(refused.value.faults) == 100
