"""Studies: rows against networks solved one by one, fronts by enumeration, failures as rows."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import flownet as fn
from flownet.errors import ParameterError, UnknownNameError
from flownet.study.ranking import efficient


def clinic(**network):
    return fn.Network.from_dict({
        "network": {"time_unit": "hour", "cost_of_delay": 20.0} | network,
        "services": [
            {"name": "desk", "servers": 2, "service_time": 0.15, "external_arrival_rate": 10.0,
             "cost_per_server": 15.0},
            {"name": "ward", "servers": 4, "service_time": 0.5, "cost_per_server": 30.0},
        ],
        "routes": [{"from": "desk", "to": "ward", "routing_probability": 0.7}],
    })  # fmt: skip


SCENARIOS = [
    fn.Scenario("desk 3").set("desk", servers=3),
    fn.Scenario("ward 5").set("ward", servers=5),
    fn.Scenario("ward 6").set("ward", servers=6),
    fn.Scenario("both").set("desk", servers=3).set("ward", servers=5),
    fn.Scenario("slow").scale("ward", service_time=1.4),
]
POISON = fn.Scenario("poison").set("wrad", servers=3)


@pytest.fixture(scope="module")
def result():
    study = fn.Study(clinic()).add(*SCENARIOS, POISON)
    return study.run(["occupancy at ward", "within 2"])


def test_each_row_is_the_network_solved_by_itself(result):
    for scenario in SCENARIOS:
        alone = fn.solve(scenario.apply(clinic()))
        row = result.table.loc[scenario.name]
        assert row["delay"] == alone.system["delay"]
        assert row["occupancy at ward"] == alone.services.loc["ward", "occupancy"]
        assert row["error"] == ""
    assert result.table.attrs["units"]["cost"] == "money/hour"
    assert result.services.loc[("ward 6", "ward"), "servers"] == 6


def test_a_scenario_that_fails_is_a_row_with_its_error(result):
    row = result.table.loc["poison"]
    assert "did you mean 'ward'" in row["error"]
    assert np.isnan(row["delay"])
    assert "poison" not in result.solutions
    assert "failed: poison" in repr(result)


def test_best_is_what_enumeration_finds_and_endless_delay_is_the_worst(result):
    delays = {s.name: fn.solve(s.apply(clinic())).system["delay"] for s in SCENARIOS}
    assert result.best("delay").name == min(delays, key=delays.get)
    ranked = result.ranking("delay")
    assert list(ranked.index[-2:]) == ["slow", "poison"]  # endless, then unknown
    assert result.best("throughput").name == "both"
    with pytest.raises(ParameterError, match="neither good nor bad"):
        result.best("occupancy at ward")
    # the desk lets no fewer through, so that the ward is least used with six servers
    assert result.best("occupancy at ward", minimize=True).name == "ward 6"
    with pytest.raises(UnknownNameError, match="did you mean 'within 2'"):
        result.best("within 3")


def test_the_front_is_what_enumeration_finds(result):
    front = result.pareto("delay", "cost")
    table = front.table[["goal delay", "goal cost"]].to_numpy()
    for row, on in zip(table, front.table["on_front"], strict=True):
        beaten = ((table <= row).all(axis=1) & (table < row).any(axis=1)).any()
        assert on == (not beaten)
    assert "poison" not in front.table.index
    assert json.dumps(front.to_dict())


def test_fronts_of_many_points_by_enumeration():
    generator = np.random.default_rng(3)
    first, second = generator.integers(-1, 30, (2, 200))
    on = efficient(first, second)
    known = (first >= 0) & (second >= 0)
    for k in range(200):
        beaten = known & (first <= first[k]) & (second <= second[k])
        beaten &= (first < first[k]) | (second < second[k])
        assert on[k] == (known[k] and not beaten.any())


def test_the_tornado_shows_both_ends_and_the_widest_first():
    ends = [fn.Scenario(name).scale("desk", external_arrival_rate=f)
            for name, f in (("low", 0.9), ("high", 1.1))]  # fmt: skip
    study = fn.Study(clinic()).add(SCENARIOS[0], POISON).vary("demand", *ends)
    found = study.run().tornado("delay")
    assert list(found.table.index) == ["demand", "desk 3", "poison"]
    low, high = (fn.solve(end.apply(clinic())).system["delay"] for end in ends)
    assert found.table.loc["demand", "low"] == low
    assert found.table.loc["demand", "swing"] == pytest.approx(high - low)
    assert found.baseline == fn.solve(clinic()).system["delay"]


def test_comparisons_are_with_the_baseline(result):
    beside = result.compare("ward 5").system.loc["delay"]
    assert beside["before"] == fn.solve(clinic()).system["delay"]
    assert set(result.compare()) == {s.name for s in SCENARIOS}
    with pytest.raises(ParameterError, match="did you mean 'ward'"):
        result.compare("poison")
    with pytest.raises(UnknownNameError, match="did you mean 'ward 5'"):
        result.compare("ward5")


def test_crossed_factors_make_a_grid():
    faster = fn.Scenario("faster").scale("ward", service_time=0.9)
    study = fn.Study(clinic()).cross(beds=SCENARIOS[1:3], stay=[None, faster])
    grid = study.run().to_xarray()
    assert dict(grid.sizes) == {"beds": 2, "stay": 2}
    alone = fn.solve((SCENARIOS[2] + faster).apply(clinic()))
    assert float(grid["delay"].sel(beds="ward 6", stay="faster")) == alone.system["delay"]
    assert grid["delay"].attrs["units"] == "job"


def test_threads_and_processes_give_the_same_table(result):
    study = fn.Study(clinic()).add(*SCENARIOS, POISON)
    spawned = multiprocessing.get_context("spawn")  # forking beside threads can hang
    for pool in (ThreadPoolExecutor(2), ProcessPoolExecutor(1, spawned)):
        with pool:
            again = study.run(["occupancy at ward", "within 2"], executor=pool)
        pd.testing.assert_frame_equal(again.table, result.table, check_exact=True)


def test_a_goal_without_a_price_for_what_is_lost_is_refused():
    limited = {"capacity": 4, "external_when_full": "lost"}
    lossy = clinic().replace(services={"desk": limited})
    result = fn.Study(lossy).add(SCENARIOS[1]).run()
    with pytest.raises(ParameterError, match="cost_of_loss"):
        result.best("delay")
    assert "best" not in repr(result) or "best cost" in repr(result)


def test_a_study_refuses_what_cannot_be_told_apart():
    with pytest.raises(ParameterError, match="stands twice"):
        fn.Study(clinic()).add(SCENARIOS[0], SCENARIOS[0])
    with pytest.raises(ParameterError, match="baseline"):
        fn.Study(clinic()).add(fn.Scenario("baseline"))
    with pytest.raises(UnknownNameError, match="dealy"):
        fn.Study(clinic()).run(["dealy"])


def test_the_result_goes_to_json(result):
    told = json.loads(json.dumps(result.to_dict()))
    assert told["table"][0]["scenario"] == "baseline"
    assert fn.Scenario.from_dict(told["scenarios"][0]) == SCENARIOS[0]
