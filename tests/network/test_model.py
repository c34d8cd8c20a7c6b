"""A network is made in several ways, never changes, and goes round without loss."""

import copy
import math
import pickle

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import flownet as fn
from flownet.network.compile import compile_network

GRAPH = nx.DiGraph(name="clinic", time_unit="day", classes={"frail": {"priority": 1}, "other": {}})
GRAPH.add_node("desk", servers=np.int64(2), service_time={"frail": 0.2, "other": np.float64(0.1)},
               external_arrival_rate={"other": 5.0, "frail": 1.0},
               organisation="Trust")  # fmt: skip
GRAPH.add_node(
    "scan", servers=1, service_time=0.2, waiting_room=3, origin={"servers": "assumed: x"}
)
GRAPH.add_edge("desk", "scan", routing_probability={"frail": 0.9})


def test_the_callers_graph_is_neither_changed_nor_kept():
    before = copy.deepcopy(dict(GRAPH.nodes(data=True)))
    network = fn.Network.from_graph(GRAPH)
    assert dict(GRAPH.nodes(data=True)) == before
    assert network.graph is not GRAPH
    with pytest.raises(nx.NetworkXError):
        network.graph.add_node("another")


def test_networkx_algorithms_take_the_graph():
    network = fn.Network.from_graph(GRAPH)
    assert list(nx.topological_sort(network.graph)) == ["desk", "scan"]


def test_dict_pickle_and_deep_copy_go_round():
    network = fn.Network.from_graph(GRAPH)
    assert fn.Network.from_dict(network.to_dict()) == network
    assert pickle.loads(pickle.dumps(network)) == network  # noqa: S301  # our own bytes
    assert copy.deepcopy(network) == network


def test_infinity_is_a_text_in_the_document():
    graph = nx.DiGraph(time_unit="day")
    graph.add_node("home", servers=math.inf, service_time=1.0, external_arrival_rate=1.0)
    assert fn.Network.from_graph(graph).to_dict()["services"][0]["servers"] == "inf"


def test_whole_number_nodes_keep_their_names():
    graph = nx.gn_graph(5, seed=1).reverse()
    graph.graph["time_unit"] = "hour"
    for node in graph:
        graph.nodes[node].update(service_time=0.01, servers=2)
    graph.nodes[0]["external_arrival_rate"] = 1.0
    nx.set_edge_attributes(graph, 0.2, "routing_probability")
    assert list(fn.solve(fn.Network.from_graph(graph)).services.index) == [0, 1, 2, 3, 4]


def test_tables_give_the_same_network_as_the_document():
    services = pd.DataFrame(
        {
            "servers": [2, 1],
            "service_time.frail": [0.2, 0.2],
            "service_time.other": [0.1, 0.2],
            "external_arrival_rate.frail": [1.0, None],
            "external_arrival_rate.other": [5.0, math.nan],
        },
        index=["desk", "scan"],
    )
    routes = [{"from": "desk", "to": "scan", "routing_probability": {"frail": 0.9}}]
    network = fn.Network.from_tables(
        services, routes, time_unit="day", classes={"frail": {}, "other": {}}
    )
    assert network.graph.nodes["scan"].get("external_arrival_rate") is None
    assert network.graph.nodes["desk"]["external_arrival_rate"] == {"frail": 1.0, "other": 5.0}


def test_replace_returns_a_changed_copy():
    network = fn.Network.from_graph(GRAPH)
    other = network.replace(
        services={"desk": {"servers": 5}, "scan": {"waiting_room": None}},
        routes={("scan", "desk"): {"routing_probability": 0.1}},
    )
    assert network.graph.nodes["desk"]["servers"] == 2
    assert other.graph.nodes["desk"]["servers"] == 5
    assert "waiting_room" not in other.graph.nodes["scan"]
    assert other.graph.has_edge("scan", "desk")
    with pytest.raises(fn.FlownetError, match="did you mean 'desk'"):
        network.replace(services={"deks": {"servers": 1}})


def test_a_class_left_out_of_a_table_takes_the_default_but_not_the_route():
    arrays = compile_network(fn.Network.from_graph(GRAPH)).arrays
    assert arrays.route_probability.tolist() == [0.9]
    assert arrays.route_to.tolist() == [2]  # state 2 is (scan, frail): other does not go there
    assert arrays.capacity.tolist() == [math.inf, 4.0]
    assert arrays.priority.tolist() == [[1, 1], [1, 1]]
    assert not arrays.servers.flags.writeable


@pytest.mark.parametrize(
    ("law", "mean", "scv"),
    [
        # moments by the textbook formulas of each law
        ({"family": "exponential", "mean": 2.0}, 2.0, 1.0),
        ({"family": "deterministic", "value": 2.0}, 2.0, 0.0),
        ({"family": "erlang", "phases": 4, "mean": 2.0}, 2.0, 0.25),
        ({"family": "gamma", "shape": 2.0, "scale": 3.0}, 6.0, 0.5),
        ({"family": "lognormal", "mu": 0.0, "sigma": 1.0}, math.exp(0.5), math.e - 1),
        ({"family": "lognormal", "mean": 5.0, "scv": 2.0}, 5.0, 2.0),
        ({"family": "weibull", "shape": 1.0, "scale": 3.0}, 3.0, 1.0),
        ({"family": "uniform", "low": 0.0, "high": 2.0}, 1.0, 1 / 3),
        ({"family": "erlang", "mean": 3.0, "scv": 1 / 3}, 3.0, 1 / 3),
        ({"family": "weibull", "mean": 3.0, "scv": 1.0}, 3.0, 1.0),
        ({"family": "weibull", "mean": 3.0, "scv": 5.0}, 3.0, 5.0),
        ({"family": "uniform", "mean": 3.0, "scv": 1 / 3}, 3.0, 1 / 3),
        ({"family": "uniform", "mean": 3.0, "scv": 0.1}, 3.0, 0.1),
        ({"family": "triangular", "mean": 3.0, "scv": 1 / 6}, 3.0, 1 / 6),
        ({"family": "phase_type", "mean": 3.0, "scv": 0.7}, 3.0, 0.7),
        ({"family": "phase_type", "mean": 3.0, "scv": 4.0}, 3.0, 4.0),
        ({"family": "triangular", "low": 0.0, "mode": 0.0, "high": 3.0}, 1.0, 0.5),
        ({"family": "empirical", "values": [1.0, 3.0]}, 2.0, 0.25),
        ({"family": "hyperexponential", "probability": 0.5, "mean1": 1.0, "mean2": 3.0}, 2.0, 1.5),
        ({"family": "phase_type", "alpha": [1, 0], "T": [[-2, 2], [0, -2]]}, 1.0, 0.5),
    ],
)
def test_laws_have_the_moments_of_their_formulas(law, mean, scv):
    network = fn.Network.from_dict(
        {
            "network": {"time_unit": "hour"},
            "services": [{"name": "a", "servers": "inf", "service_distribution": law,
                          "external_arrival_rate": 1.0}],
        }
    )  # fmt: skip
    arrays = compile_network(network).arrays
    assert arrays.service_time[0, 0] == pytest.approx(mean, rel=1e-12)
    assert arrays.service_scv[0, 0] == pytest.approx(scv, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("scv", [0.1, 0.3, 0.5, 0.8, 1.5, 4.0])
def test_two_moment_laws_have_the_moments_asked_for(scv):
    from flownet.kernels import compiled as code
    from flownet.network.distributions import two_moment_law

    law = two_moment_law(3.0, scv)
    if law.family == code.MIXED_ERLANG:
        p, k, rate = law.parameters
        mean = (p * (k - 1) + (1 - p) * k) / rate
        second = (p * (k - 1) * k + (1 - p) * k * (k + 1)) / rate**2
    else:
        p, first, other = law.parameters
        mean = p * first + (1 - p) * other
        second = 2 * (p * first**2 + (1 - p) * other**2)
    assert mean == pytest.approx(3.0, rel=1e-12)
    assert second / mean**2 - 1 == pytest.approx(scv, rel=1e-9)
