"""Plots of studies: the front, the tornado, sensitivities; labels that do not meet."""

import itertools

import numpy as np
import pandas as pd
import pytest

import flownet as fn
from flownet.errors import ParameterError
from flownet.study.ranking import Objective, front, tornado
from flownet.view.frontiers import LETTER, _meet, room_for

COST, DELAY = Objective("cost", "GBP/day", "smaller"), Objective("delay", "job", "smaller")


def outcomes():
    table = pd.DataFrame(
        {"cost": [1.0, 2.0, 3.0, 2.5, 4.0], "delay": [9.0, 5.0, 1.0, 6.0, np.inf]},
        index=["now", "a <b>bed</b>", "two", "beaten", "endless"],
    )
    return front(table, COST, DELAY)


def test_the_front_is_drawn_apart_from_what_is_beaten():
    figure = fn.view.frontier(outcomes())
    beaten, best = figure.data
    assert list(beaten.x) == [2.5]
    assert list(zip(best.x, best.y, strict=True)) == [(1.0, 9.0), (2.0, 5.0), (3.0, 1.0)]
    said = figure.layout.title.text
    assert "3 of 4 are worth considering" in said
    assert "1 without a finite value" in said
    assert "GBP/day" in figure.layout.xaxis.title.text
    assert "&lt;b&gt;bed" in figure.data[1].text[1]


def test_a_front_without_a_finite_point_is_refused():
    table = pd.DataFrame({"cost": [np.inf], "delay": [1.0]}, index=["now"])
    with pytest.raises(ParameterError, match="finite"):
        fn.view.frontier(front(table, COST, DELAY))


@pytest.mark.parametrize("seed", range(6))
def test_names_on_the_front_meet_neither_each_other_nor_a_point(seed):
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(0, [620, 380], (25, 2))
    names = ["x" * int(n) for n in rng.integers(3, 26, 25)]
    areas = []
    for name, (px, py), side in zip(names, pixels, room_for(names, pixels), strict=True):
        if side is None:
            continue
        wide = LETTER * len(name)
        low = px + 8 * side[0] - (wide if side[0] < 0 else 0)
        areas.append((low, py + 11 * side[1] - 8, low + wide, py + 11 * side[1] + 8))
    assert not any(_meet(a, b) for a, b in itertools.combinations(areas, 2))


def test_the_tornado_runs_from_low_to_high_around_the_baseline():
    rows = {
        "stay": {"low": 4.0, "high": 9.0, "low_setting": "shorter", "high_setting": "longer"},
        "demand": {"low": 3.0, "high": np.inf, "low_setting": "less", "high_setting": "more"},
        "one end": {"low": np.nan, "high": 5.5, "low_setting": "", "high_setting": "one end"},
    }
    figure = fn.view.tornado_chart(tornado(DELAY, 5.0, rows, "one factor at a time"))
    low, high = figure.data
    names = list(figure.layout.yaxis.ticktext)
    assert names[0] == "demand"  # without limit is strongest
    ends = dict(zip(names, np.asarray(low.x) + 5.0, strict=True))
    assert ends["stay"] == 4.0
    assert ends["one end"] == 5.0  # no bar on that side
    assert dict(zip(names, np.asarray(high.x) + 5.0, strict=True))["stay"] == 9.0
    assert [note.text for note in figure.layout.annotations] == ["no limit"]
    assert figure.layout.xaxis.range[1] > 9.0


def test_a_tornado_around_nothing_is_refused():
    rows = {"stay": {"low": 4.0, "high": 9.0, "low_setting": "", "high_setting": ""}}
    with pytest.raises(ParameterError, match="baseline"):
        fn.view.tornado_chart(tornado(DELAY, np.inf, rows, "one at a time"))


def test_sensitivities_are_drawn_by_their_elasticity():
    network = fn.example("urgent_care")
    found = fn.sensitivities(network)
    figure = fn.view.sensitivity_bars(found, most=8)
    drawn = sorted(
        (place, value) for bar in figure.data for place, value in zip(bar.y, bar.x, strict=True)
    )
    assert [value for _, value in drawn] == found.table["elasticity"].iloc[:8].tolist()
    assert "%" in figure.layout.xaxis.title.text
    assert any("→" in name for name in figure.layout.yaxis.ticktext)


def test_the_chart_of_values_has_its_limits_and_signals():
    chart = fn.xmr([50, 52, 49, 51, 50, 48, 51, 50, 60], measure="beds", unit="bed")
    figure = fn.view.xmr_chart(chart)
    drawn = {trace.name: trace for trace in figure.data}
    assert list(drawn["beds"].y) == [50, 52, 49, 51, 50, 48, 51, 50, 60]
    assert list(drawn["mean"].y) == chart.table["mean"].tolist()
    limits = [list(trace.y) for trace in figure.data if trace.name == "natural limits"]
    assert limits == [chart.table["upper"].tolist(), chart.table["lower"].tolist()]
    assert list(drawn["a point outside the limits"].x) == [9]
    assert "signal" in figure.layout.title.text
    assert "bed" in figure.layout.yaxis.title.text
    # each rule has its own shape, so that color is not needed to tell them apart
    shapes = [trace.marker.symbol for trace in figure.data if trace.mode == "markers"]
    assert len(shapes) == len(set(shapes))


def test_a_test_of_change_shows_prediction_and_verdict():
    test = fn.TestOfChange(
        [21, 19, 22, 20, 18, 21, 20, 23, 19, 20, 22, 21], "two more <b>beds</b>",
        fn.Prediction(13, 17, measure="patients waiting"), [15, 14, 16, 13, 15, 16, 14, 15],
    )  # fmt: skip
    figure = fn.view.xmr_chart(test)
    band = next(shape for shape in figure.layout.shapes if shape.type == "rect")
    assert (band.y0, band.y1, band.x0) == (13, 17, 12.5)
    assert figure.layout.meta["title"] == test.verdict


def test_a_test_of_change_without_observations_is_refused():
    with pytest.raises(ParameterError):
        fn.view.xmr_chart(fn.TestOfChange([], "nothing", fn.Prediction(1, 2), []))


def test_the_front_is_named_as_asked():
    figure = fn.view.frontier(outcomes(), {"now": "as it is"})
    assert "as it is" in figure.data[1].text[0]


def test_the_front_of_plans_names_them_by_their_price():
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour", "currency": "GBP", "cost_of_delay": 1.0},
        "services": [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 1.8,
                      "servers": 2, "cost_per_server": 1.0}],
    })  # fmt: skip
    found = fn.pareto(network, ["delay", "cost"], budget=3.0)
    figure = fn.view.frontier(found)
    assert len(figure.data) == 1
    points = list(zip(figure.data[0].x, figure.data[0].y, strict=True))
    assert points == list(found.table[["delay", "cost"]].itertuples(index=False, name=None))
    assert "plan 1 (3 GBP per hour)" in figure.data[0].text[0]
    assert "GBP/hour" in figure.layout.yaxis.title.text


def in_a_row(demands):
    """Return services of one server in a row, with the service times of each class."""
    names = ["a", "b", "c"][: len(demands[0])]
    services = [
        {"name": f"s{k}", "discipline": "ps", "service_time": dict(zip(names, row, strict=True))}
        for k, row in enumerate(demands)
    ]
    services[0]["external_arrival_rate"] = dict.fromkeys(names, 0.05)
    routes = [
        {"from": f"s{k}", "to": f"s{k + 1}", "routing_probability": 1.0}
        for k in range(len(demands) - 1)
    ]
    return fn.Network.from_dict({
        "network": {"time_unit": "day"}, "classes": {name: {} for name in names},
        "services": services, "routes": routes,
    })  # fmt: skip


def test_the_regions_of_two_classes_are_stretches_of_a_line():
    # share x of class a: loads 1 x + 2 (1 - x) and 2 x + 1 (1 - x) meet at x = 1/2
    figure = fn.view.saturation_map(fn.saturation_regions(in_a_row([[1, 2], [2, 1]])))
    ends = {bar.name: (bar.base[0], bar.base[0] + bar.x[0]) for bar in figure.data}
    assert ends["s0"] == pytest.approx((0.0, 0.5))
    assert ends["s1"] == pytest.approx((0.5, 1.0))


def test_the_regions_of_three_classes_are_parts_of_a_triangle():
    regions = fn.saturation_regions(in_a_row([[3, 1, 1], [1, 3, 1], [1, 1, 3]]))
    figure = fn.view.saturation_map(regions)
    assert len(figure.data) == 3
    assert all(np.allclose(np.add(np.add(t.a, t.b), t.c), 1.0) for t in figure.data)


def test_regions_that_no_plane_holds_are_refused():
    one = fn.Network.from_dict({
        "network": {"time_unit": "day"},
        "services": [{"name": "s", "service_time": 1.0, "external_arrival_rate": 0.5}],
    })  # fmt: skip
    with pytest.raises(ParameterError, match="two or three"):
        fn.view.saturation_map(fn.saturation_regions(one))


def test_the_curve_of_relief_is_the_path():
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "desk", "servers": 2, "service_time": 1.0, "external_arrival_rate": 1.8},
            {"name": "ward", "servers": 3, "service_time": 1.4},
        ],
        "routes": [{"from": "desk", "to": "ward", "routing_probability": 1.0}],
    })  # fmt: skip
    path = fn.constraint_path(network, stages=2, most=4)
    figure = fn.view.relief_curve(path)
    drawn = [(trace.x[1], trace.y[1]) for trace in figure.data]
    expected = path.curve.iloc[1:][["total_added", "goal"]]
    assert drawn == list(expected.itertuples(index=False, name=None))
    assert "[job]" in figure.layout.yaxis.title.text
