"""Estimates against theory, published tables, another survival library and real logs."""

import math

import numpy as np
import pandas as pd
import pytest

import flownet as fn
from flownet.errors import ParameterError
from flownet.readers.estimate_cells import (
    concurrency,
    dispersion,
    drawn_together,
    moments_of,
    rate_of,
    shares_of,
)
from flownet.readers.stay_laws import Spans, fit_laws, grouped


def test_limits_of_a_poisson_count_are_garwoods():
    # Garwood (1936), Biometrika 28: 95% limits of a count of 10 are 4.795 and 18.39
    rate = rate_of(10, 1.0, 1.0, 0.95)
    assert (rate.low, rate.high) == (pytest.approx(4.795, abs=5e-4), pytest.approx(18.39, abs=5e-3))


def test_shares_have_the_limits_of_jeffreys():
    # Brown, Cai, DasGupta (2001), Statistical Science 16: Jeffreys' limits are quantiles of
    # Beta(x + 1/2, n - x + 1/2); for 50 of 100 they are 0.4033 and 0.5967
    share = shares_of(np.array([50, 50]), None, 0.95)[0]
    assert (share.low, share.high) == pytest.approx((0.4033, 0.5967), abs=2e-4)


def test_moments_have_the_errors_that_repetition_shows():
    generator = np.random.default_rng(1)
    found = np.array([moments_of(generator.exponential(2.0, 400)) for _ in range(600)])
    assert found[:, 0].std() == pytest.approx(found[:, 1].mean(), rel=0.1)
    assert found[:, 2].std() == pytest.approx(found[:, 3].mean(), rel=0.15)


def test_the_test_of_dispersion_keeps_its_level_and_sees_clusters():
    generator = np.random.default_rng(2)
    wrong = sum(
        dispersion(np.sort(generator.uniform(0, 100, 500)), 100.0).p_value < 0.05
        for _ in range(400)
    )
    assert 5 <= wrong <= 38  # 20 expected; 99.9% binomial limits
    clusters = np.repeat(generator.uniform(0, 100, 100), 5)
    found = dispersion(np.sort(clusters), 100.0)
    assert found.verdict.startswith("more variable")
    # each arrival comes with four others: the variance is five times the mean
    assert found.ratio == pytest.approx(5.0, rel=0.35)


def test_thin_cells_are_drawn_to_the_others_only_as_far_as_they_agree():
    errors, counts = np.array([0.01, 0.01, 1.0]), np.array([1000, 1000, 5])
    alike, _ = drawn_together(np.array([2.0, 2.0, 3.0]), errors, counts)
    # all the way would be to 2: no more than half its error of 1 (limited translation)
    assert alike.tolist() == pytest.approx([2.0, 2.0, 2.5], abs=1e-3)
    apart, _ = drawn_together(np.array([1.0, 9.0, 3.0]), errors, counts)
    assert apart[2] == pytest.approx(3.0, abs=0.3)


def test_servers_are_told_from_a_limit_that_is_met():
    # three servers, six jobs at once: the later three wait
    arrived = np.repeat(np.arange(20) * 10.0, 6)
    start = arrived + np.tile([0, 0, 0, 4, 4, 4], 20)
    found = concurrency(start, start + 4, start > arrived)
    assert (found.most, found.saturated) == (3, True)
    generator = np.random.default_rng(3)
    start = generator.uniform(0, 1000, 3000)
    free = concurrency(start, start + generator.exponential(2, 3000), np.zeros(3000, dtype=bool))
    assert not free.saturated


def censored(seed, n=3000):
    """Gamma stays of shape 2 and mean 6; about a third open, some seen late."""
    generator = np.random.default_rng(seed)
    length, limit = generator.gamma(2.0, 3.0, n), generator.exponential(15.0, n)
    entry = np.where(generator.random(n) < 0.3, generator.exponential(2.0, n), 0.0)
    seen = np.minimum(length, limit)
    kept = seen > entry
    return Spans(seen[kept], (length <= limit)[kept], entry[kept])


def test_laws_of_open_and_late_stays_agree_with_another_library():
    pytest.importorskip("surpyval")
    lifelines = pytest.importorskip("lifelines")
    spans = censored(4)
    fits = {fit.family: fit for fit in fit_laws(grouped(spans), ("weibull", "lognormal"))}
    weibull = lifelines.WeibullFitter().fit(spans.length, spans.ended, entry=spans.entry)
    assert fits["weibull"].table["shape"] == pytest.approx(weibull.rho_, rel=1e-3)
    assert fits["weibull"].table["scale"] == pytest.approx(weibull.lambda_, rel=1e-3)
    normal = lifelines.LogNormalFitter().fit(spans.length, spans.ended, entry=spans.entry)
    assert fits["lognormal"].table["mu"] == pytest.approx(normal.mu_, rel=1e-3)
    # AIC of grouped stays: the same up to what all families share
    difference = fits["weibull"].aic - fits["lognormal"].aic
    assert difference == pytest.approx(weibull.AIC_ - normal.AIC_, rel=0.01)


def test_the_true_family_wins_and_its_mean_is_covered():
    pytest.importorskip("surpyval")
    best = fit_laws(grouped(censored(5)))[0]
    assert best.family in {"erlang", "gamma"}
    assert abs(best.mean - 6.0) < 3 * best.mean_error
    assert abs(best.scv - 0.5) < 3 * best.scv_error
    assert best.fits


def test_a_mixture_of_two_exponentials_is_found():
    pytest.importorskip("surpyval")
    generator = np.random.default_rng(6)
    short, long = generator.exponential(1, 4000), generator.exponential(12, 4000)
    length = np.where(generator.random(4000) < 0.7, short, long)
    whole = Spans(length, np.ones(4000, dtype=bool), np.zeros(4000))
    best = fit_laws(grouped(whole))[0]
    assert best.family == "hyperexponential"
    assert abs(best.mean - (0.7 + 0.3 * 12)) < 3 * best.mean_error


@pytest.fixture(scope="module")
def ward_and_door():
    return fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "classes": {"a": {}, "b": {}},
        "services": [
            {"name": "ED", "servers": 6, "service_time": {"a": 1.0, "b": 2.0},
             "external_arrival_rate": {"a": 2.0, "b": 1.0}},
            {"name": "Ward", "servers": 20, "service_time": 10.0, "service_scv": 1.0},
        ],
        "routes": [
            {"from": "ED", "to": "Ward", "routing_probability": {"a": 0.3, "b": 0.6}},
            {"from": "Ward", "to": "ED", "routing_probability": 0.1},
        ],
    })  # fmt: skip


def test_a_simulated_log_gives_its_network_again(ward_and_door):
    pytest.importorskip("surpyval")
    run = fn.simulate(ward_and_door, horizon=1200, warmup=0, replications=1, seed=3,
                      trace_rows=20_000)  # fmt: skip
    found = fn.from_event_log(
        run.trace, case="case", activity="service", arrived="arrived", start="started",
        complete="finished", left="left", job_class="class", time_unit="hour", observed_from=50.0,
        censored_at=1000.0, families=("exponential", "gamma"), confidence=0.999,
    )  # fmt: skip
    true = {("ED", "service_time", "a"): 1.0, ("ED", "service_time", "b"): 2.0,
            ("Ward", "service_time", "a"): 10.0, ("Ward", "service_time", "b"): 10.0,
            ("ED", "external_arrival_rate", "a"): 2.0, ("ED", "external_arrival_rate", "b"): 1.0,
            ("ED -> Ward", "routing_probability", "a"): 0.3,
            ("ED -> Ward", "routing_probability", "b"): 0.6,
            ("Ward -> ED", "routing_probability", "a"): 0.1,
            ("Ward -> ED", "routing_probability", "b"): 0.1}  # fmt: skip
    table = found.parameters.set_index(["owner", "attribute", "class"])
    for key, value in true.items():
        assert table.loc[key, "low"] <= value <= table.loc[key, "high"], key
    assert table.loc[("ED", "servers", ""), "estimate"] == 6
    drawn = found.sample(30, seed=1)
    rates = [net.graph.nodes["ED"]["external_arrival_rate"]["a"] for net in drawn]
    error = table.loc[("ED", "external_arrival_rate", "a"), "standard_error"]
    assert 0.5 * error < np.std(rates) < 2 * error


def test_open_stays_do_not_shorten_the_mean():
    pytest.importorskip("surpyval")
    generator = np.random.default_rng(7)
    start = generator.uniform(0, 5, 2000)
    end = start + generator.gamma(2.0, 0.5, 2000)
    assert 0.15 < (end > 5).mean() < 0.25
    log = pd.DataFrame({"case": np.arange(2000), "activity": "ward", "start": start,
                        "complete": np.where(end > 5, np.nan, end)})  # fmt: skip
    found = fn.from_event_log(log, time_unit="day", observed_from=0.0, censored_at=5.0)
    time = found.parameters.set_index("attribute").loc["service_time"]
    assert time["low"] <= 1.0 <= time["high"]
    warned = fn.from_event_log(log, time_unit="day", families=())
    assert any("censored_at" in warning for warning in warned.warnings)
    assert warned.network.graph.nodes["ward"]["service_time"] < time["low"]


SEPSIS = {"ER Registration": "ED", "Return ER": "ED", "Admission NC": "Ward", "Admission IC": "IC"}


def test_stays_of_the_sepsis_log_are_those_of_its_description(shared):
    found = fn.from_event_log(
        shared / "data" / "sepsis_stays_derived.csv", activity="node", true_clock=False,
        given={"ED": {"external_arrival_rate": 1.0}}, families=(),
    )  # fmt: skip
    times = found.stays.droplevel("class")
    # the description of the data: 809, 1,154 and 114 timed stays; means of 115 h and 78 h
    assert times.loc[["ED", "NC ward", "IC"], "n"].tolist() == [809, 1154, 114]
    assert times.loc["NC ward", "mean"] == pytest.approx(115, abs=0.5)
    assert times.loc["IC", "mean"] == pytest.approx(78, abs=0.5)
    assert times.loc["home_before_return", "n"] == 294
    assert found.report.read == 2640


def test_returns_of_the_raw_sepsis_log_are_those_of_its_description(shared):
    found = fn.from_event_log(
        shared / "data" / "sepsis_cases.csv", services=SEPSIS, time_unit="day", returns_within=28,
        leaving=[f"Release {letter}" for letter in "ABCDE"], true_clock=False,
        given={"ED": {"external_arrival_rate": 1.0}}, families=(),
    )  # fmt: skip
    # 294 returns, 111 of them within 28 days; and one patient released from the emergency
    # department is admitted to the ward thereafter
    assert found.returns["come_backs"] == 294 + 1
    assert found.returns["returns"] == 111 + 1
    assert math.isclose(found.network.graph.edges["Ward", "ED"]["routing_probability"], 111 / 1154)
    assert found.report.read == 15_214


def test_shifted_dates_tell_no_rates():
    log = {"case": [1, 2], "activity": ["ward"] * 2, "start": [0.0, 5], "complete": [2.0, 8]}
    with pytest.raises(fn.NetworkError, match="external_arrival_rate"):
        fn.from_event_log(log, time_unit="day", families=(), true_clock=False)


def test_a_service_without_timed_stays_asks_for_its_time():
    log = pd.DataFrame({"case": [1, 2, 3], "activity": "ward", "start": [0.0, 5, 9],
                        "complete": [np.nan] * 3})  # fmt: skip
    with pytest.raises(ParameterError, match="no stay has both a beginning and an end"):
        fn.from_event_log(log, time_unit="day", families=())
