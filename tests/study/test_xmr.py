"""XmR charts against published figures, the rules against hand-made series, tests of change."""

import json
import math

import numpy as np
import pandas as pd
import pytest

import flownet as fn
from flownet.errors import ParameterError

# NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2: batches of flow rate
FLOW_RATE = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
# NHSRplotthedots (NHS-R Community), test of ptd_spc_standard: its limits for R's
# set.seed(123); rnorm(20), shown there as mean 0.142, lpl -3.01, upl 3.29
PLOT_THE_DOTS = [
    -0.56047565, -0.23017749, 1.55870831, 0.07050839, 0.12928774, 1.71506499, 0.46091621,
    -1.26506123, -0.68685285, -0.44566197, 1.22408180, 0.35981383, 0.40077145, 0.11068272,
    -0.55584113, 1.78691314, 0.49785048, -1.96661716, 0.70135590, -0.47279141,
]  # fmt: skip
# Wheeler (1993), Understanding Variation, figure 6.7: monthly U.S. trade deficits, July to
# December 1988; the ranges 0.7, 2.0, 0.9, 0.3, 0.1 are to be found by the reader
TRADE = [10.5, 11.2, 9.2, 10.1, 10.4, 10.5]


def test_limits_of_the_nist_handbook():
    row = fn.xmr(FLOW_RATE).limits.iloc[0]
    assert row["mean"] == pytest.approx(50.81, abs=5e-5)
    assert row["mean_range"] == pytest.approx(1.8778, abs=5e-5)
    # the handbook takes 3 / 1.128 = 2.6596 where Wheeler and the NHS take 2.66
    assert row["upper"] == pytest.approx(55.8041, abs=0.0004 * 1.8778 + 5e-5)
    assert row["lower"] == pytest.approx(45.8159, abs=0.0004 * 1.8778 + 5e-5)
    assert fn.xmr(FLOW_RATE).stable


def test_limits_of_plot_the_dots():
    row = fn.xmr(PLOT_THE_DOTS).limits.iloc[0]
    assert row["mean"] == pytest.approx(0.142, abs=0.0005)
    assert row["lower"] == pytest.approx(-3.01, abs=0.005)
    assert row["upper"] == pytest.approx(3.29, abs=0.005)


def test_the_formulas_of_wheeler_on_his_exercise():
    chart = fn.xmr(TRADE)
    assert list(chart.table["moving_range"].iloc[1:]) == pytest.approx([0.7, 2.0, 0.9, 0.3, 0.1])
    row = chart.limits.iloc[0]
    mean, ranges = 61.9 / 6, 4.0 / 5
    assert row["mean"] == pytest.approx(mean)
    assert row["upper"] == pytest.approx(mean + 2.66 * ranges)
    assert row["lower"] == pytest.approx(mean - 2.66 * ranges)
    assert row["range_limit"] == pytest.approx(3.268 * ranges)
    assert "provisional" in repr(chart)


def flags(values, rule, **options):
    return np.flatnonzero(fn.xmr(values, **options).table[rule]).tolist()


CALM = [50.0, 52.0] * 6  # mean 51, ranges of 2: limits 51 +- 5.32, outer thirds from 3.55


def test_a_point_outside_the_limits():
    assert flags([*CALM, 56.3, 45.7], "outside", baseline=12) == []
    assert flags([*CALM, 56.4, 51.0, 45.6], "outside", baseline=12) == [12, 14]


def test_seven_in_a_row_on_one_side():
    six = [51.5, 51.4] * 3
    assert flags([*CALM, *six, 50.0], "run", baseline=12) == [*range(11, 18)]  # with the 52 before
    assert flags([*CALM, 50.0, *six, 50.0], "run", baseline=12) == []
    assert flags([*CALM, 50.0, *six[:3], 51.0, *six[3:], 51.4], "run", baseline=12) == []


def test_seven_in_a_row_rising_or_falling():
    # NHSRplotthedots: seven points are six steps; equal neighbours end a trend
    assert flags([2, 1, 2, 3, 4, 5, 6, 7, 3], "trend") == [*range(1, 8)]
    assert flags([7, 6, 5, 4, 3, 2, 1], "trend") == [*range(7)]
    assert flags([1, 2, 3, 4, 5, 6], "trend") == []
    assert flags([1, 2, 3, 3, 4, 5, 6, 7], "trend") == []


def test_two_of_three_near_the_same_limit():
    assert flags([*CALM, 55.0, 51.0, 55.0, 51.0], "near", baseline=12) == [12, 14]
    assert flags([*CALM, 55.0, 55.0, 51.0], "near", baseline=12) == [12, 13]
    assert flags([*CALM, 55.0, 51.0, 51.0, 55.0], "near", baseline=12) == []
    assert flags([*CALM, 55.0, 47.0, 51.0], "near", baseline=12) == []  # not the same limit
    assert flags([*CALM, 54.5, 54.5, 51.0], "near", baseline=12) == []  # not in the outer third


def test_limits_begin_anew_after_a_change():
    chart = fn.xmr([*CALM, *(value + 10 for value in CALM)], changes=[12])
    assert list(chart.limits["mean"]) == [51.0, 61.0]
    assert chart.stable
    assert not fn.xmr([*CALM, *(value + 10 for value in CALM)]).stable


def test_labels_stay_and_the_chart_goes_to_json():
    weeks = pd.date_range("2024-01-01", periods=12, freq="W")
    values = pd.Series([*CALM[:11], 70.0], index=weeks)
    chart = fn.xmr(values, baseline=11, measure="wait", unit="hour")
    assert list(chart.signals.index) == [weeks[11]]
    told = json.loads(json.dumps(chart.to_dict()))
    assert told["table"][0]["moving_range"] == "nan"


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        ([1.0], {}, "at least two"),
        ([1.0, float("nan"), 2.0], {}, "at 1 must be finite"),
        ([1.0, "many"], {}, "must be numbers"),
        ([1.0, None, 2.0], {}, "must be numbers"),
        ([1.0, 2.0, 3.0], {"changes": [2]}, "at least two"),
        ([1.0, 2.0, 3.0], {"baseline": 1}, "at least 2"),
    ],
)
def test_series_that_cannot_be_charted_are_refused(values, options, words):
    with pytest.raises(ParameterError, match=words):
        fn.xmr(values, **options)


BEFORE = [21, 19, 22, 20, 18, 21, 20, 23, 19, 20, 22, 21]
AFTER = [15, 14, 16, 13, 15, 16, 14, 15]


def test_a_verdict_for_each_case():
    def standing(low, high, observed=AFTER):
        return fn.TestOfChange(BEFORE, "beds", (low, high), observed)

    kept = standing(13, 17)
    assert kept.standing == "as predicted"
    assert kept.changed
    assert "process changed" in kept.verdict
    assert standing(17, 19).standing == "not as predicted"  # 14.75 +- 1.6 or so
    assert standing(15, 19).standing == "undecided"
    assert standing(13, 17, AFTER[:3]).standing == "too early"
    same = fn.TestOfChange(BEFORE, "beds", (19, 21), [20, 21, 19, 22, 20, 18])
    assert same.changed is False
    assert "no change" in same.verdict
    assert fn.TestOfChange((), "beds", (13, 17), AFTER).changed is None


def test_the_interval_of_the_mean_holds_the_mean_as_often_as_it_says():
    generator = np.random.default_rng(1)
    held = []
    for sample in generator.normal(10.0, 2.0, (2000, 12)):
        low, high = fn.TestOfChange((), "none", (0, 1), sample).interval
        held.append(low <= 10.0 <= high)
    # 95 %, and 3 standard errors of 2,000 draws (1.5 %)
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_a_record_goes_to_a_dict_and_back():
    beds = fn.Scenario("beds").set("Frailty ward", servers=82)
    prediction = fn.Prediction(13, 17, 14.5, "delay", "job", 0.9, "solve")
    network = fn.example("urgent_care")
    test = fn.TestOfChange(network, beds, prediction, AFTER, BEFORE, "t", "p", "a", 3)
    again = fn.TestOfChange.from_dict(json.loads(json.dumps(test.to_dict())))
    assert again.to_dict() == test.to_dict()
    assert again.change == beds
    assert again.prediction == prediction
    series = fn.TestOfChange(BEFORE, "beds", prediction, AFTER)
    assert fn.TestOfChange.from_dict(series.to_dict()).to_dict() == series.to_dict()


def test_a_simulation_predicts_with_its_interval():
    ward = {"name": "ward", "servers": 2, "service_time": 1.0, "external_arrival_rate": 1.5}
    network = fn.Network.from_dict({"network": {"time_unit": "hour"}, "services": [ward]})
    simulation = fn.simulate(network, horizon=400.0, warmup=50.0, replications=5, seed=3)
    for text, row, column in (
        ("delay", simulation.system, "delay"),
        ("occupancy at ward", simulation.services.loc["ward"], "occupancy"),
        ("system_response_time of all", simulation.classes.loc["all"], "system_response_time"),
    ):
        prediction = fn.Prediction.from_simulation(simulation, text)
        half = row[f"{column}_halfwidth"]
        assert prediction.value == row[column]
        assert (prediction.low, prediction.high) == (row[column] - half, row[column] + half)
    with pytest.raises(ParameterError, match="no finite interval"):
        fn.Prediction.from_simulation(simulation, "servers at ward")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((BEFORE, "beds", (17, 13), AFTER), "lower end first"),
        ((BEFORE, "beds", 5, AFTER), "pair"),
        ((BEFORE, "beds", (13, 17), [1.0, math.inf]), "at place 1 must be finite"),
        ((BEFORE, "beds", (13, 17), ["x"]), "list of numbers"),
        ((BEFORE, "", (13, 17), AFTER), "Scenario, or a text"),
        ((BEFORE, "beds", (13, 17), AFTER, BEFORE), "given twice"),
    ],
)
def test_records_that_cannot_be_are_refused(given, words):
    with pytest.raises(ParameterError, match=words):
        fn.TestOfChange(*given)
