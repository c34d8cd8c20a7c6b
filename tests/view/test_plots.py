"""Plots draw the numbers of their results, under names that stay texts and do not overlap."""

import itertools
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import flownet as fn
from flownet.errors import MethodError, MissingExtraError, ParameterError, UnknownNameError
from flownet.view.ink import escaped, shown, wrapped
from flownet.view.pictures import KINDS
from flownet.view.slopes import NEAR, spread

BAD = ["<script>alert(1)</script>", "costs $5 & $6", "Übergangspflege «Süd» 日本", "x" * 190]


@pytest.fixture(scope="module")
def finding():
    return fn.find_constraint(fn.example("urgent_care"))


@pytest.fixture(scope="module")
def hostile():
    services = [
        {"name": name, "servers": 6, "waiting_room": 0, "service_time": 4.8, "cost_per_server": 9.0}
        for name in BAD
    ]
    services[0] |= {"external_arrival_rate": 0.9, "external_when_full": "wait_outside"}
    routes = [{"from": a, "to": b, "routing_probability": 0.99} for a, b in itertools.pairwise(BAD)]
    return fn.Network.from_dict(
        {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    )


@pytest.fixture(scope="module")
def clinic():
    return fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "triage", "servers": 2, "service_time": 0.3, "external_arrival_rate": 5.0,
             "target": 0.25},
            {"name": "doctor", "servers": 4, "service_time": 0.9, "target": 1.0},
        ],
        "routes": [{"from": "triage", "to": "doctor", "routing_probability": 0.8}],
    })  # fmt: skip


def title(figure):
    text = re.sub("<[^>]*>", " ", figure.layout.title.text.split("<span")[0])
    return " ".join(text.split())


def units(figure):
    return [axis.title.text or "" for axis in (figure.layout.xaxis, figure.layout.yaxis)]


def test_the_heat_map_holds_the_attribution(finding):
    heat = fn.view.delay_heatmap(finding).data[0]
    whole = finding.attribution.to_numpy().sum()
    assert np.nansum(heat.z) == pytest.approx(whole, rel=1e-2)  # cells below 0.1 % are left empty
    assert np.nanmax(heat.z) == finding.attribution.to_numpy().max()


def test_what_the_heat_map_does_not_name_is_added_up(finding):
    figure = fn.view.delay_heatmap(finding, most=2)
    assert np.nansum(figure.data[0].z) == pytest.approx(
        finding.attribution.to_numpy().sum(), rel=1e-2
    )
    assert "others" in figure.layout.yaxis.ticktext[-1]


def test_causes_are_drawn_by_organisation_and_by_who_holds_whose_places(finding):
    owners = finding.attribute("organisation", "organisation")
    heat = fn.view.delay_heatmap(finding, "organisation").data[0]
    assert np.nanmax(heat.z) == owners.to_numpy().max()
    figure = fn.view.delay_heatmap(finding, "flow")
    assert np.nansum(figure.data[0].z) == pytest.approx(finding.flow.to_numpy().sum(), rel=1e-2)
    assert "held up by" in title(figure)
    with pytest.raises(ParameterError, match="organisation"):
        fn.view.delay_ribbon(finding, "organization")


def test_parts_below_nothing_are_told_by_color_and_not_drawn_as_widths(finding):
    import dataclasses

    table = finding.flow.copy()
    first, second = table.index[4], table.columns[6]
    table.loc[first, first] = -3.0
    mixed = dataclasses.replace(finding)
    mixed.__dict__["attribution"] = table
    heat = fn.view.delay_heatmap(mixed).data[0]
    assert np.nanmin(heat.z) == -3.0
    assert heat.zmin == -heat.zmax
    ribbon = fn.view.delay_ribbon(mixed)
    assert min(ribbon.data[0].link.value) > 0
    assert "Not drawn: 3" in ribbon.layout.title.text
    assert table.loc[first, second] in ribbon.data[0].link.value


def test_the_ribbon_holds_the_attribution(finding):
    link = fn.view.delay_ribbon(finding).data[0].link
    assert sum(link.value) == pytest.approx(
        finding.attribution.to_numpy().clip(min=0).sum(), rel=1e-2
    )


def test_no_delay_is_said_and_not_drawn():
    ample = fn.find_constraint(fn.Network.from_dict({
        "network": {"time_unit": "day"},
        "services": [{"name": "a", "servers": "inf", "service_time": 1.0,
                      "external_arrival_rate": 1.0}],
    }))  # fmt: skip
    for plot in (fn.view.delay_heatmap, fn.view.delay_ribbon):
        with pytest.raises(ParameterError, match="no delay"):
            plot(ample)
    with pytest.raises(ParameterError, match="known for no service"):
        fn.view.relief_bars(ample)


def test_the_bars_are_the_ranking_best_first(finding):
    figure = fn.view.relief_bars(finding)
    drawn = sorted(
        (place, value) for bar in figure.data for place, value in zip(bar.y, bar.x, strict=True)
    )
    expected = finding.ranking["relief"].sort_values(ascending=False)
    assert [value for _, value in drawn] == expected.tolist()
    assert [bar.name for bar in figure.data] == ["constraint", "symptom", "other"]
    assert "job per server" in units(figure)[0]


def test_bars_have_the_intervals_of_the_confidence(finding):
    import dataclasses

    from flownet.constraint.confidence import Confidence

    first, second = finding.ranking.sort_values("relief", ascending=False).index[:2]
    table = pd.DataFrame(
        {"probability": [0.9, 0.1], "relief 5%": [2.0, np.nan], "relief 95%": [3.5, np.nan]},
        index=[first, second],
    )
    sure = Confidence(table, (first,), pd.DataFrame(), 0.0, 100, 0)
    figure = fn.view.relief_bars(dataclasses.replace(finding, confidence=sure))
    whiskers = figure.data[-1]
    assert list(whiskers.x) == [2.0, 3.5, None]  # of the second nothing was sampled
    assert round(whiskers.y[0]) == 0
    assert figure.layout.xaxis.range[1] > 3.5
    assert len(fn.view.relief_bars(finding).data) == len(figure.data) - 1


def test_a_measure_that_does_not_exist_is_refused(finding):
    with pytest.raises(ParameterError, match="relief_per_money"):
        fn.view.relief_bars(finding, "releif")


def test_times_are_those_of_the_exponential_law():
    # M/M/1 at load 0.5: P(T <= t) = 1 - e^(-t / 2)
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 0.5}],
    })  # fmt: skip
    figure = fn.view.time_distribution(fn.solve(network), [4.0])
    curve = figure.data[0]
    assert np.allclose(curve.y, 1 - np.exp(-np.asarray(curve.x) / 2), atol=1e-6)
    assert title(figure) == "86.5% of all jobs leave within 4 hours"  # 1 - e^-2
    assert any(shape.x0 == 4.0 for shape in figure.layout.shapes)
    assert "[hour]" in units(figure)[0]


def test_times_of_a_simulation_have_their_interval_in_the_title(clinic):
    simulated = fn.simulate(
        clinic, horizon=300.0, warmup=20.0, replications=4, seed=3, targets=[4.0]
    )
    figure = fn.view.time_distribution(simulated)
    share = simulated.targets["probability"].iloc[0]
    assert f"{share:.1%} ±" in title(figure)
    assert list(figure.data[0].y) == sorted(figure.data[0].y)


def test_waits_carry_the_target_of_their_service(clinic):
    solution = fn.solve(clinic)
    figure = fn.view.wait_distribution(solution)
    lines = {shape.x0 for shape in figure.layout.shapes}
    assert lines == {0.25, 1.0}
    worst = solution.waits(probabilities=[0.95])["p95"].idxmax()[0]
    assert f"at {worst}" in title(figure)


def test_where_nobody_waits_inside_it_is_said(finding):
    with pytest.raises(ParameterError, match="wait outside"):
        fn.view.wait_distribution(finding.solution)


def test_numbers_present_are_a_distribution_and_mark_the_servers(clinic):
    solution = fn.solve(clinic)
    figure = fn.view.occupancy_distribution(solution, "doctor")
    free, taken = figure.data
    assert max(free.x) == 3
    assert min(taken.x) == 4
    assert 0.999 < sum(free.y) + sum(taken.y) <= 1.0 + 1e-9
    busy = solution.services.loc["doctor", "wait_probability"]  # arrivals see time averages
    assert f"{busy:.0%} of the time" in title(figure)


def test_numbers_present_of_the_exact_chain():
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [{"name": "beds", "servers": 2, "capacity": 2, "service_time": 1.0,
                      "external_arrival_rate": 1.0}],
    })  # fmt: skip
    figure = fn.view.occupancy_distribution(fn.exact_chain(network), "beds")
    assert "taken 20% of the time" in title(figure)  # Erlang B of 2 servers and 1 erlang: 1/5
    with pytest.raises(UnknownNameError, match="'bed'"):
        fn.view.occupancy_distribution(fn.exact_chain(network), "bed")


def test_numbers_present_without_a_law_are_refused(finding):
    with pytest.raises(MethodError):
        fn.view.occupancy_distribution(finding.solution, "Frailty ward")


def test_the_constraint_of_a_week_is_drawn_when_it_is_one():
    def rates(night, day):
        return [{"start": 0, "end": 12, "value": night}, {"start": 12, "end": 24, "value": day}]

    desk = {"service_time": 0.1}
    services = [
        desk | {"name": "by <b>day</b>", "external_arrival_calendar": rates(2, 8)},
        desk | {"name": "by night", "external_arrival_calendar": rates(6, 4)},
    ]
    network = fn.Network.from_dict({"network": {"time_unit": "hour"}, "services": services})
    figure = fn.view.constraint_week(fn.constraint_week(network))
    # each M/M/1 by itself: its wait is longer where its load is larger, 0.8 by day and 0.6 by night
    (bars,) = figure.data
    spans = {}
    for row, start, length in zip(bars.y, bars.base, bars.x, strict=True):
        spans.setdefault(figure.layout.yaxis.ticktext[row], []).append((start, start + length))
    assert {name: (min(rows)[0], max(rows)[1], len(rows)) for name, rows in spans.items()} == {
        "by &lt;b&gt;day&lt;/b&gt;": (12.0, 24.0, 12), "by night": (0.0, 12.0, 12),
    }  # fmt: skip
    assert title(figure).count("for 50%") == 2


def test_a_week_in_which_nothing_waits_is_not_drawn():
    calendar = [{"start": 0, "end": 12, "value": 1.0}, {"start": 12, "end": 24, "value": 2.0}]
    service = {"name": "home", "servers": "inf", "service_time": 0.1}
    service["external_arrival_calendar"] = calendar
    network = fn.Network.from_dict({"network": {"time_unit": "hour"}, "services": [service]})
    with pytest.raises(ParameterError, match="nothing waits"):
        fn.view.constraint_week(fn.constraint_week(network))


def test_slopes_go_from_before_to_after(clinic):
    better = clinic.replace(services={"doctor": {"servers": 5}})
    comparison = fn.compare(clinic, better)
    figure = fn.view.slope_chart(comparison, "waiting_time")
    table = comparison.services["waiting_time"]
    drawn = {tuple(trace.y) for trace in figure.data}
    assert drawn == set(table[["before", "after"]].itertuples(index=False, name=None))
    assert "[hour]" in units(figure)[1]
    with pytest.raises(ParameterError, match="delay"):
        fn.view.slope_chart(comparison, "delays")
    with pytest.raises(ParameterError, match="services"):
        fn.view.slope_chart(comparison, by="service")


def test_a_paired_change_that_cannot_be_told_is_gray(clinic):
    options = {"horizon": 300.0, "warmup": 20.0, "replications": 4, "seed": 3}
    same = fn.paired(clinic, clinic, **options)
    figure = fn.view.slope_chart(same, "waiting_time")
    assert {trace.line.color for trace in figure.data} == {"#51647d"}
    assert all("±" in label.text for label in figure.layout.annotations if label.x == 1)


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_moved_apart_and_as_little_as_can_be(seed):
    places = np.sort(np.random.default_rng(seed).uniform(0, 150, 12))
    moved = spread(places, NEAR, 400.0)
    assert np.diff(moved).min() >= NEAR - 1e-9
    # optimal: the moves of every group of touching labels add up to nothing
    assert np.sum(moved - places) == pytest.approx(0.0, abs=1e-9) or moved[-1] >= 400.0 - 1e-9


def test_names_are_texts_to_plotly():
    assert shown("<b>a</b> $x$") == "&lt;b&gt;a&lt;/b&gt; &#36;x&#36;"
    assert escaped("R&D") == "R&amp;D"
    assert wrapped("<script>" * 40).count("<br>") <= 3


def test_hostile_names_reach_no_plot_as_markup(hostile):
    finding = fn.find_constraint(hostile)
    more = hostile.replace(services={BAD[-1]: {"servers": 9}})
    plots = [
        fn.view.network_map(finding),
        fn.view.delay_heatmap(finding),
        fn.view.delay_ribbon(finding),
        fn.view.relief_bars(finding),
        fn.view.slope_chart(fn.compare(hostile, more)),
        fn.view.time_distribution(finding.solution),
    ]
    for plot in plots:
        plot.update_layout(meta=None)  # the plain title, for the page; plotly does not draw it
        texts = re.findall(r'"(?:[^"\\]|\\.)*"', plot.to_json())
        joined = " ".join(texts).replace("\\u003c", "<")
        assert "<script" not in joined
        assert not re.search(r"\$\d", joined)


def test_every_public_plot_is_there_and_says_its_finding(finding, clinic):
    solution = fn.solve(clinic)
    comparison = fn.compare(clinic, clinic.replace(services={"doctor": {"servers": 5}}))
    for figure in (
        fn.view.network_map(finding), fn.view.delay_heatmap(finding),
        fn.view.delay_ribbon(finding), fn.view.relief_bars(finding),
        fn.view.time_distribution(solution), fn.view.wait_distribution(solution),
        fn.view.occupancy_distribution(solution, "doctor"), fn.view.slope_chart(comparison),
    ):  # fmt: skip
        assert len(title(figure).split()) >= 4
        assert figure.layout.height <= 1000
    assert {name for name in fn.view.__all__ if not hasattr(fn.view, name)} == set()
    with pytest.raises(AttributeError, match="no attribute 'plot'"):
        _ = fn.view.plot


def test_a_picture_that_cannot_be_is_refused(tmp_path, finding):
    figure = fn.view.relief_bars(finding)
    with pytest.raises(ParameterError, match="png"):
        fn.view.save_picture(figure, tmp_path / "a.bmp")
    with pytest.raises(ParameterError, match=r"(?s)width.*scale"):
        fn.view.save_picture(figure, tmp_path / "a.png", width=1, scale=0.0)
    assert list(tmp_path.iterdir()) == []
    assert "svg" in KINDS


@pytest.mark.slow
def test_a_picture_is_written_where_a_chrome_is_found(tmp_path, finding):
    pytest.importorskip("kaleido")
    figure = fn.view.relief_bars(finding)
    try:
        path = fn.view.save_picture(figure, tmp_path / "bars.png", width=800, scale=1.0)
    except MissingExtraError:
        pytest.skip("no Chrome or Chromium is installed to draw with")
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") == 800  # the width in a PNG's first chunk
    svg = fn.view.save_picture(figure, tmp_path / "bars.svg").read_text(encoding="utf-8")
    assert "<svg" in svg


@pytest.mark.slow
def test_without_a_chrome_the_error_says_what_to_install(tmp_path):
    pytest.importorskip("kaleido")
    program = (
        "import flownet as fn\n"
        "from flownet.errors import MissingExtraError\n"
        "figure = fn.view.network_map(fn.solve(fn.example('stroke')))\n"
        "try:\n"
        f"    fn.view.save_picture(figure, {str(tmp_path / 'a.png')!r})\n"
        "except MissingExtraError as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120,
        env={"PATH": str(tmp_path), "BROWSER_PATH": str(tmp_path / "none"), "HOME": str(tmp_path),
             "PYTHONPATH": ":".join(path for path in sys.path if path)},
    )  # fmt: skip
    assert "needs a Chrome or Chromium" in result.stdout
    assert list(tmp_path.glob("*.png")) == []


def test_the_table_of_a_result_is_not_changed_by_drawing(finding):
    before = finding.attribution.copy(), finding.ranking.copy()
    fn.view.delay_heatmap(finding)
    fn.view.relief_bars(finding)
    pd.testing.assert_frame_equal(before[0], finding.attribution)
    pd.testing.assert_frame_equal(before[1], finding.ranking)
