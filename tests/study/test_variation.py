"""Parameters and measures: arrays changed by copy are those that the description compiles to."""

import numpy as np
import pytest

import flownet as fn
from flownet.errors import InputError, UnknownNameError
from flownet.network.compile import compile_network
from flownet.solvers.measures import Reading, as_measures
from flownet.study.parameters import as_parameters
from flownet.study.variation import LongWay, Variation


def clinic():
    return fn.Network.from_dict({
        "network": {"name": "clinic", "time_unit": "hour", "cost_of_delay": 3.0},
        "classes": {"a": {}, "b": {}},
        "services": [
            {"name": "desk", "servers": 2, "service_time": 0.1, "patience": 5.0,
             "external_arrival_rate": {"a": 9.0, "b": 1.0}, "arrival_scv": 0.5,
             "cost_per_server": 7.0},
            {"name": "ward at night", "servers": 5, "capacity": 8, "service_scv": 0.4,
             "service_time": {"a": 0.3, "b": 0.4}, "external_arrival_rate": {"b": 2.0},
             "cost_of_delay": 2.0},
            {"name": "unit", "servers": 3, "waiting_room": 2, "external_arrival_rate": 0.5,
             "service_distribution": {"family": "lognormal", "mean": 2.0, "scv": 0.6}},
            {"name": "home", "servers": "inf", "service_time": 2.0},
        ],
        "routes": [
            {"from": "desk", "to": "ward at night", "routing_probability": {"a": 0.5, "b": 0.2},
             "transfer_delay": 0.1},
            {"from": "desk", "to": "unit", "routing_probability": 0.1},
            {"from": "ward at night", "to": "home", "routing_probability": 0.3},
        ],
    })  # fmt: skip


BY_ARRAYS = [
    ("servers at desk", 3), ("servers at ward at night", 7), ("servers at unit", 4),
    ("scale servers", 2.0), ("capacity at ward at night", 9), ("waiting_room at unit", 5),
    ("service_time at desk", 0.2), ("service_time at ward at night of b", 0.6),
    ("scale service_time at ward at night", 1.3), ("scale service_time at unit", 0.8),
    ("scale service_time", 1.1), ("service_scv at ward at night", 1.7), ("service_scv at desk", 1),
    ("service_scv at desk", 0.3), ("external_arrival_rate at desk of a", 5.0),
    ("scale external_arrival_rate", 1.2), ("scale external_arrival_rate of b", 1.2),
    ("arrival_scv at desk", 2.0), ("patience at desk of a", 2.0), ("scale patience at desk", 0.5),
    ("routing_probability on desk -> ward at night", 0.7),
    ("scale routing_probability on desk -> ward at night of a", 1.1),
    ("transfer_delay on desk -> ward at night", 0.7), ("cost_per_server at desk", 9.0),
    ("scale cost_of_delay at ward at night", 2.0),
]  # fmt: skip


def by_description(variation, values):
    return compile_network(variation.scenario(values).apply(variation.network))


@pytest.mark.parametrize(("text", "value"), BY_ARRAYS)
def test_changed_arrays_are_those_of_the_changed_description(text, value):
    variation = Variation(clinic(), as_parameters([text], clinic()))
    made, told = variation.by_arrays([value]), by_description(variation, [value])
    for name, ours in made.arrays._asdict().items():
        # a law that is stretched and one that is made anew differ by rounding
        np.testing.assert_allclose(ours, getattr(told.arrays, name), rtol=1e-13, err_msg=name)
    for price in ("cost_per_server", "cost_of_delay", "cost_of_loss"):
        np.testing.assert_array_equal(getattr(made, price), getattr(told, price))


def test_several_parameters_go_in_their_order():
    texts = ["servers at ward at night", "capacity at ward at night", "scale service_time"]
    variation = Variation(clinic(), as_parameters(texts, clinic()))
    made, told = variation.by_arrays([6, 12, 0.9]), by_description(variation, [6, 12, 0.9])
    assert made.arrays.capacity[1] == told.arrays.capacity[1] == 12
    assert made.arrays.service_time == pytest.approx(told.arrays.service_time, rel=1e-13)


@pytest.mark.parametrize(
    ("text", "value", "words"),
    [
        ("servers at desk", -1, "at least|above"),
        ("servers at desk", float("nan"), "must be a number"),
        ("capacity at ward at night", 2, "at least servers"),
        ("scale routing_probability on desk -> ward at night", 2.5, "at most 1"),
        ("scale external_arrival_rate", 0.0, "no jobs arrive"),
        ("scale external_arrival_rate", -1.0, "at least 0"),
        ("service_time at unit", 1.0, "give one of the two"),
    ],
)
def test_what_the_arrays_cannot_tell_is_checked_as_a_description(text, value, words):
    variation = Variation(clinic(), as_parameters([text], clinic()))
    with pytest.raises(LongWay):
        variation.by_arrays([value])
    with pytest.raises(InputError, match=words):
        variation.compilation([value])


def test_an_unlimited_value_goes_the_long_way_and_arrives():
    variation = Variation(clinic(), as_parameters(["servers at desk"], clinic()))
    assert variation.compilation([np.inf]).arrays.servers[0] == np.inf


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sevrers at desk", "did you mean 'servers'"),
        ("servers at dsek", "did you mean 'desk'"),
        ("servers at desk of a", "leave ' of a' out"),
        ("when_full at desk", "is no number"),
        ("routing_probability on desk -> home", "is no route"),
        ("service_time at desk of c", "is no class"),
    ],
)
def test_parameters_that_name_nothing_are_told(text, words):
    with pytest.raises(UnknownNameError, match=words):
        as_parameters([text], clinic())


def test_measures_are_the_cells_of_the_solution():
    solution = fn.solve(fn.example("urgent_care"))
    network, reading = solution.network, Reading(solution)
    ward = solution.services.loc["Frailty ward"]
    by_class = solution.service_classes.loc[("Medical ward", "other")]
    expected = {
        "delay": solution.system["delay"],
        "cost": solution.system["cost"],
        "occupancy at Frailty ward": ward["occupancy"],
        "waiting_time at Medical ward of other": by_class["waiting_time"],
        "system_response_time of frail": solution.classes.loc["frail", "system_response_time"],
        "within 300": solution.within(300.0).loc[("all", 300.0), "probability"],
        "within 300 of frail": solution.within(300.0).loc[("frail", 300.0), "probability"],
        "p90 of other": solution.quantiles([0.9]).loc["other", "p90"],
    }
    for measure in as_measures(expected, network):
        assert reading.value(measure) == pytest.approx(expected[measure.text], rel=1e-12)
    assert {m.text: m.unit for m in as_measures(["p90", "cost", "delay"], network)} == {
        "p90": "hour", "cost": "GBP/hour", "delay": "job",
    }  # fmt: skip


def test_the_wait_within_a_time_at_a_service_against_erlang():
    # M/M/c: P(wait <= t) = 1 - C exp(-(c mu - lambda) t) (Kleinrock 1975, sec. 3.5)
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [{"name": "desk", "servers": 2, "service_time": 1.0,
                      "external_arrival_rate": 1.2}],
    })  # fmt: skip
    reading = Reading(fn.solve(network))
    (measure, tail) = as_measures(["within 1.5 at desk", "p90 at desk"], network)
    c = fn.queues.erlang_c(2, 1.2)
    assert reading.value(measure) == pytest.approx(1 - c * np.exp(-0.8 * 1.5), abs=1e-7)
    assert reading.value(tail) == pytest.approx(np.log(c / 0.1) / 0.8, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dealy", "did you mean 'delay'"),
        ("occupancy", "add ' at SERVICE'"),
        ("occupancy at dsek", "did you mean 'desk'"),
        ("delay_time of c", "'c' is no class"),
        ("within -1", "is not known"),
        ("p95 at desk", "add ' of CLASS'"),
    ],
)
def test_measures_that_mean_nothing_are_told(text, words):
    with pytest.raises(UnknownNameError, match=words):
        as_measures([text], clinic())
