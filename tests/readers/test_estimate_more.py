"""Estimates of rhythm, delays, servers and mixtures, and stays that hold more than service."""

import numpy as np
import pandas as pd
import pytest

import flownet as fn
from flownet.errors import ParameterError, ReadError
from flownet.readers.estimate_cells import concurrency
from flownet.readers.stay_laws import Grouped, Spans, fit_laws, grouped
from flownet.readers.stay_moments import moments_of_stays
from flownet.readers.stay_split import service_begins

HOUR = 3600.0


def estimate(log, **options):
    return fn.from_event_log(log, **{"families": (), **options})


def rhythmic(seed=1, weeks=40):
    """Poisson arrivals, six an hour from 8 to 20 on working days and one at other times."""
    generator = np.random.default_rng(seed)
    hours = np.arange(weeks * 168)
    busy = (hours % 24 >= 8) & (hours % 24 < 20) & (hours % 168 < 120)
    counts = generator.poisson(np.where(busy, 6.0, 1.0))
    at = np.repeat(hours, counts) + generator.uniform(0.0, 1.0, counts.sum())
    # 2024-01-01 is a Monday
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(at * HOUR, unit="s")
    log = pd.DataFrame({"case": range(at.size), "activity": "door", "start": start})
    return log.assign(complete=start + pd.Timedelta(minutes=10))


def test_arrivals_with_a_rhythm_are_poisson_about_it():
    options = {"observed_from": "2024-01-01", "censored_at": "2024-10-07", "time_unit": "hour"}
    found = estimate(rhythmic(), **options)
    row = found.arrivals.iloc[0]
    assert row["dispersion"] > 1.5
    assert row["verdict"].startswith("Poisson")
    assert "rhythm" in row["verdict"]
    mean = (60 * 6.0 + 108 * 1.0) / 168
    assert row["low"] <= mean <= row["high"]
    # a Poisson count of so many arrivals, not one that the rhythm makes look uncertain
    assert (row["high"] - row["low"]) / row["rate"] == pytest.approx(
        2 * 1.96 / np.sqrt(row["n"]), rel=0.02
    )
    profile = found.profile["door, all"]
    assert profile.iloc[8:20].mean() == pytest.approx(6.0, rel=0.05)
    assert profile.iloc[120:].mean() == pytest.approx(1.0, rel=0.1)
    assert any("calendars = True" in warning for warning in found.warnings)


def test_the_rhythm_goes_into_the_network_as_a_calendar_and_into_its_draws():
    options = {"observed_from": "2024-01-01", "censored_at": "2024-10-07", "time_unit": "hour"}
    found = estimate(rhythmic(), calendars=True, **options)
    calendar = found.network.graph.nodes["door"]["external_arrival_calendar"]
    assert len(calendar) == 168
    assert calendar[10]["value"] == pytest.approx(6.0, rel=0.15)
    assert calendar[-1]["value"] == pytest.approx(1.0, rel=0.4)
    means = [
        np.mean([row["value"] for row in each.graph.nodes["door"]["external_arrival_calendar"]])
        for each in found.sample(40, seed=1)
    ]
    error = found.parameters.set_index("attribute").loc["external_arrival_rate", "standard_error"]
    assert 0.6 * error < np.std(means) < 1.6 * error


def test_a_part_of_a_week_is_no_rhythm():
    # ten days: some hours are seen twice, others once, and that is not the arrivals' doing
    generator = np.random.default_rng(2)
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(
        np.sort(generator.uniform(0, 240, 3000)) * HOUR, unit="s"
    )
    log = pd.DataFrame({"case": range(3000), "activity": "door", "start": start, "complete": start})
    found = estimate(log, time_unit="hour")
    assert found.arrivals["rhythm_p_value"].iloc[0] > 0.001
    assert not any("rhythm" in text for text in found.arrivals["verdict"])


def test_delays_on_the_way_are_told_where_arrivals_are():
    start = np.arange(100) * 10.0
    first = pd.DataFrame({"case": range(100), "activity": "ward", "arrived": start,
                          "start": start, "complete": start + 4})  # fmt: skip
    there = start + 4 + np.tile([1.0, 3.0], 50)
    second = pd.DataFrame({"case": range(100), "activity": "home", "arrived": there,
                           "start": there, "complete": there + 2})  # fmt: skip
    found = estimate(pd.concat([first, second]), time_unit="hour")
    route = found.network.graph.edges["ward", "home"]
    assert route["transfer_delay"] == pytest.approx(2.0)
    assert route["standard_error"]["transfer_delay"] == pytest.approx(np.sqrt(100 / 99) / 10)


def test_a_window_alone_tells_returns_from_new_arrivals():
    rows = [("a", "ward", 0.0, 1.0), ("a", "ward", 5.0, 6.0), ("b", "ward", 2.0, 3.0),
            ("b", "ward", 90.0, 91.0)]  # fmt: skip
    log = pd.DataFrame(rows, columns=["case", "activity", "start", "complete"])
    found = estimate(log, time_unit="day", returns_within=28)
    assert found.arrivals["n"].sum() == 3
    assert found.network.graph.edges["ward", "ward"]["routing_probability"] == pytest.approx(1 / 4)


def test_one_server_that_never_had_two_at_once_is_seen_as_the_limit():
    generator = np.random.default_rng(3)
    arrived = np.cumsum(generator.exponential(2.0, 500))
    length = generator.exponential(1.0, 500)
    start, free = np.empty(500), 0.0
    for k in range(500):
        start[k] = max(arrived[k], free)
        free = start[k] + length[k]
    found = concurrency(start, start + length, np.zeros(500, dtype=bool))
    assert (found.most, found.saturated) == (1, True)
    # half busy, about one start in two time units: some 250 were to be expected meanwhile
    assert found.expected_starts == pytest.approx(250, rel=0.3)


def test_service_within_stays_begins_as_the_simulator_says():
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [{"name": "ED", "servers": 3, "service_time": 1.0,
                      "external_arrival_rate": 2.6}],
    })  # fmt: skip
    run = fn.simulate(network, horizon=2000, warmup=0, replications=1, seed=4, trace_rows=9000)
    trace = run.trace.sort_values("arrived")
    begun = service_begins(trace["arrived"].to_numpy(), trace["left"].to_numpy(), 3)
    # jobs that had not left at the end of the run are in no trace: its last hours tell nothing
    known = trace["arrived"].to_numpy() < 1950
    assert np.abs(begun - trace["started"].to_numpy())[known].max() < 1e-9
    log = trace[known].rename(columns={"arrived": "start", "left": "complete"})
    log = log[["case", "service", "start", "complete"]]
    found = estimate(log, includes_waiting=["ED"], servers={"ED": 3}, time_unit="hour")
    assert found.network.graph.nodes["ED"]["service_time"] == pytest.approx(1.0, rel=0.05)
    wait = (trace["started"] - trace["arrived"])[known].mean()
    assert found.observed.loc["ED", "waiting_time"] == pytest.approx(wait)
    assert any("first come, first served" in text for text in found.assumptions)
    with pytest.raises(ParameterError, match="must be known"):
        estimate(log, includes_waiting=["ED"], time_unit="hour")


def test_a_mixture_is_suggested_where_no_single_law_fits():
    pytest.importorskip("surpyval")
    generator = np.random.default_rng(5)
    short, long = generator.lognormal(0.0, 0.2, 600), generator.lognormal(3.0, 0.2, 400)
    log = pd.DataFrame({"case": range(1000), "activity": "ward", "start": np.arange(1000.0)})
    log["complete"] = log["start"] + np.r_[short, long]
    found = fn.from_event_log(log, time_unit="day", families=("gamma", "lognormal"))
    text = next(warning for warning in found.warnings if "mixture" in warning)
    # shares 0.6 and 0.4; means exp(0.02) = 1.02 and exp(3.02) = 20.5
    assert "60%" in text
    assert "40%" in text
    assert "1.0" in text
    assert "20" in text


def test_resources_at_several_services_suggest_a_pool():
    start = np.arange(60.0)
    log = pd.DataFrame({"case": range(60), "activity": ["clinic", "ward"] * 30, "start": start})
    log = log.assign(complete=start + 0.5, resource=["Ann", "Bob", "Bob"] * 20)
    found = estimate(log, time_unit="hour")
    assert found.pools["services"].unique().tolist() == ["clinic, ward"]
    assert any("may be one pool" in warning for warning in found.warnings)


def test_moments_of_whole_stays_are_those_of_the_sample():
    length = np.random.default_rng(6).gamma(2.0, 3.0, 500)
    whole = Spans(length, np.ones(500, dtype=bool), np.zeros(500))
    found = moments_of_stays(grouped(whole), (), 0.95)
    assert found.mean == pytest.approx(length.mean(), rel=1e-9)
    assert found.mean_error == pytest.approx(length.std(ddof=1) / np.sqrt(500), rel=1e-5)
    # grouping on a grid of 0.4 % moves the spread a little
    assert found.scv == pytest.approx(length.var(ddof=1) / length.mean() ** 2, rel=1e-3)


def test_the_mean_up_to_the_last_end_agrees_with_another_library():
    lifelines = pytest.importorskip("lifelines")
    generator = np.random.default_rng(8)
    length, limit = generator.gamma(2.0, 1.0, 400), generator.uniform(0.0, 8.0, 400)
    seen, ended = np.minimum(length, limit), length <= limit
    order = np.argsort(seen)
    stays = Grouped(seen[order], ended[order], np.zeros(400), np.ones(400))
    laws = fit_laws(stays, ("gamma",))
    found = moments_of_stays(stays, laws, 0.95)
    kaplan = lifelines.KaplanMeierFitter().fit(seen, ended)
    at_risk = kaplan.event_table["at_risk"]
    events = at_risk.index[(kaplan.event_table["observed"] > 0) & (at_risk >= 10)]
    last = float(events.max())
    part = lifelines.utils.restricted_mean_survival_time(kaplan, t=last)
    left = float(kaplan.predict(last))
    # beyond it a gamma law of the fitted shape lasts longer by E(X - last | X > last)
    from scipy import stats

    law = stats.gamma(laws[0].table["shape"], scale=laws[0].table["scale"])
    beyond = law.expect(lambda x: x - last, lb=last) / law.sf(last)
    assert found.mean == pytest.approx(part + left * beyond, rel=1e-6)
    assert abs(found.mean - 2.0) < 3 * found.mean_error


def test_rates_from_counts_know_how_long_months_are():
    rows = [
        {"period": month, "org": org, "n": days * rate}
        for org, rate in (("A", 10), ("B", 3))
        for month, days in (("2023-01-01", 31), ("2023-02-01", 28), ("2024-02-01", 29))
    ]
    rows += [{"period": "soon", "org": "A", "n": 1}, {"period": "2023-03-01", "org": None, "n": 1},
             {"period": "2023-03-01", "org": "A", "n": None}]  # fmt: skip
    found = fn.arrival_rates(rows, count="n", by=["org"], time_unit="day")
    assert found.rates["rate"].tolist() == pytest.approx([10.0, 3.0])
    assert found.rows == {"used": 6, "unreadable period": 1, "no count": 1, "no group": 1}
    assert found.period == "month"
    assert len(repr(found).splitlines()) == 3


def test_attendances_in_england_are_an_arrival_profile(shared):
    path = shared / "data" / "nhs_england_ae_attendances_2016_2019.csv"
    found = fn.arrival_rates(path, count="attendances", by=["org_code", "type"], time_unit="day")
    assert sum(found.rows.values()) == 12_765
    table = pd.read_csv(path)
    own = table[(table["org_code"] == "RF4") & (table["type"] == "1")]
    days = pd.to_datetime(own["period"]).dt.days_in_month.sum()
    row = found.rates.loc[("RF4", "1")]
    assert row["rate"] == pytest.approx(own["attendances"].sum() / days)
    assert row["verdict"].startswith("more variable")
    assert row["low"] < row["rate"] < row["high"]
    assert found.profile[("RF4", "1")].between(0.8, 1.2).all()


@pytest.mark.parametrize(
    ("rows", "options", "error", "words"),
    [
        ([{"period": "2024-01-01", "count": 1}], {}, ReadError, "two periods"),
        ([{"period": "soon", "count": 1}], {}, ReadError, "no row can be used"),
        ([{"when": "2024-01-01", "count": 1}], {}, ParameterError, "is no column"),
        ([{"period": "2024-01-01", "count": 1}], {"time_unit": "moon"}, ParameterError, "one of"),
        ([{"period": f"2024-01-{d:02d}", "count": 1} for d in (1, 4, 7)], {}, ReadError, "apart"),
    ],
)  # fmt: skip
def test_counts_that_are_wrong_are_refused(rows, options, error, words):
    with pytest.raises(error, match=words):
        fn.arrival_rates(rows, **{"time_unit": "day", **options})


def test_being_blocked_is_told_from_service_by_when_the_next_place_was_free():
    pytest.importorskip("surpyval", reason="open stays are fitted by surpyval, an extra")
    network = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "ward", "servers": 6, "external_arrival_rate": 1.0,
             "service_distribution": {"family": "gamma", "mean": 3.0, "scv": 0.5}},
            {"name": "home care", "servers": 4, "service_time": 3.2, "waiting_room": 0},
        ],
        "routes": [{"from": "ward", "to": "home care", "routing_probability": 0.9}],
    })  # fmt: skip
    run = fn.simulate(network, horizon=3000, warmup=0, replications=1, seed=5, trace_rows=9000)
    log = run.trace[["case", "service", "started", "left"]]
    log = log.rename(columns={"started": "start", "left": "complete"})
    options = {"time_unit": "hour", "families": ("gamma", "lognormal")}
    naive = fn.from_event_log(log, **options).parameters.set_index(["owner", "attribute"])
    assert naive.loc[("ward", "service_time"), "low"] > 3.4
    found = fn.from_event_log(
        log, includes_blocking=["ward"], servers={"home care": 4, "ward": 6}, **options
    )
    time = found.parameters.set_index(["owner", "attribute"]).loc[("ward", "service_time")]
    assert abs(time["estimate"] - 3.0) < 3 * time["standard_error"]
    assert time["high"] < 3.4
    assert any("may end only when a place is free" in text for text in found.assumptions)
    with pytest.raises(ParameterError, match="next service must be known"):
        fn.from_event_log(log, includes_blocking=["ward"], **options)
