"""Laws that every solution obeys, whatever the method and the network."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flownet as fn
from flownet.units import factor
from oracles.random_networks import blocking_networks, open_networks

any_network = open_networks() | open_networks(exponential=True) | blocking_networks()


def served(network):
    solution = fn.solve(network)
    assert solution.converged
    return solution


@given(any_network)
@settings(max_examples=60)
def test_flow_in_is_flow_out_at_every_service_and_class(network):
    solution = served(network)
    arrays, table = solution.compilation.arrays, solution.service_classes
    throughput = table["throughput"].to_numpy()
    counts = np.diff(arrays.route_start.astype(np.int64))
    origin = np.repeat(np.arange(counts.size), counts)
    internal = np.bincount(
        arrays.route_to,
        weights=throughput[origin] * arrays.route_probability,
        minlength=counts.size,
    )
    offered = internal + arrays.external_arrival_rate.ravel()
    turned_away = table["loss_rate"] + table["overflow_rate"] + table["abandonment_rate"]
    # 1e-9 is the tolerance to which the fixed points are solved
    assert table["arrival_rate"].to_numpy() == pytest.approx(offered, rel=1e-7, abs=1e-9)
    assert throughput == pytest.approx(
        (table["arrival_rate"] - turned_away).to_numpy(), rel=1e-7, abs=1e-9
    )
    leaving = solution.classes["throughput"].sum()
    lost = solution.system["loss_rate"]
    assert leaving + lost == pytest.approx(solution.system["external_arrival_rate"], rel=1e-7)


@given(any_network)
@settings(max_examples=60)
def test_littles_law_at_every_service_and_class(network):
    table = served(network).service_classes
    little = table["throughput"] * table["response_time"]
    assert little.to_numpy() == pytest.approx(
        table["number_present"].to_numpy(), rel=1e-7, abs=1e-9
    )
    outside = table["number_outside"].to_numpy()
    assert (outside >= 0).all()


@given(any_network)
@settings(max_examples=30)
def test_servers_work_are_blocked_or_idle_and_never_more_than_there_are(network):
    table = served(network).services
    assert (table["utilization"] <= 1 + 1e-9).all()
    assert (table["occupancy"] >= table["utilization"] - 1e-9).all()
    assert (table["occupancy"] <= 1 + 1e-9).all()


@given(any_network, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_order_of_the_services_does_not_matter(network, random):
    document = network.to_dict()
    shuffled = {
        **document,
        "services": random.sample(document["services"], len(document["services"])),
    }
    first = served(network).services
    second = served(fn.Network.from_dict(shuffled)).services.loc[first.index]
    for column in ("throughput", "number_present", "waiting_time", "number_blocked"):
        assert second[column].to_numpy() == pytest.approx(
            first[column].to_numpy(), rel=1e-6, abs=1e-8
        )


@given(any_network, st.sampled_from(["minute", "day", "week"]))
@settings(max_examples=30)
def test_the_unit_of_time_does_not_matter(network, unit):
    scale = factor("hour", unit)
    document = network.to_dict()
    document["network"]["time_unit"] = unit

    def scaled(value, by):
        if isinstance(value, dict):
            return {key: item * by for key, item in value.items()}
        return value * by

    for row in document["services"]:
        row["service_time"] = scaled(row["service_time"], scale)
        row["external_arrival_rate"] = scaled(row["external_arrival_rate"], 1 / scale)
    first = served(network).services
    second = served(fn.Network.from_dict(document)).services
    for column, by in (("throughput", 1 / scale), ("waiting_time", scale), ("number_present", 1.0)):
        assert second[column].to_numpy() == pytest.approx(
            (first[column] * by).to_numpy(), rel=1e-6, abs=1e-8
        )


@given(
    st.integers(1, 12),
    st.floats(0.1, 0.95),
    st.floats(0.0, 4.0),
    st.floats(0.1, 4.0),
)
@settings(max_examples=60)
def test_a_single_station_waits_less_with_one_more_server(servers, load, service_scv, arrival_scv):
    def wait(c):
        description = {
            "network": {"time_unit": "hour"},
            "services": [{"name": "a", "servers": c, "service_time": 1.0,
                          "service_scv": service_scv,
                          "external_arrival_rate": load * servers, "arrival_scv": arrival_scv}],
        }  # fmt: skip
        return fn.solve(fn.Network.from_dict(description)).services.loc["a", "waiting_time"]

    assert wait(servers + 1) <= wait(servers) * (1 + 1e-9)


@given(open_networks(exponential=True))
@settings(max_examples=30)
def test_decomposition_with_exponential_times_is_the_product_form(network):
    exact = fn.solve(network, method="product_form").services
    approximate = fn.solve(network, method="decomposition").services
    for column in ("throughput", "waiting_time", "number_present"):
        assert approximate[column].to_numpy() == pytest.approx(
            exact[column].to_numpy(), rel=1e-8, abs=1e-12
        )
