"""How sure the finding is: probabilities, intervals, what to measure, other methods."""

import json
import math

import numpy as np
import pytest
from scipy import stats

import flownet as fn
from flownet.constraint.confidence import sobol_importance


def two(first=0.8, second=0.75, error=0.04, **more):
    """Return two single servers side by side with uncertain service times."""
    services = [
        {"name": name, "service_time": time, "external_arrival_rate": 1.0,
         "standard_error": {"service_time": error}}
        for name, time in (("a", first), ("b", second))
    ]  # fmt: skip
    services[0] |= more
    return fn.Network.from_dict({"network": {"time_unit": "day"}, "services": services})


def test_the_probability_is_that_the_first_is_slower():
    """Alike but for their loads, the one with the larger load is the constraint."""
    found = fn.find_constraint(two(), uncertainty=2000, seed=1).confidence
    spread = [math.sqrt(math.log1p((0.04 / m) ** 2)) for m in (0.8, 0.75)]
    middle = [math.log(m) - s * s / 2 for m, s in zip((0.8, 0.75), spread, strict=True)]
    chance = stats.norm.cdf((middle[0] - middle[1]) / math.hypot(*spread))
    # 2,000 samples: a standard error of 0.9 points at most
    assert found.table.loc["a", "probability"] == pytest.approx(chance, abs=0.03)
    assert found.table["probability"].sum() == pytest.approx(1.0)
    assert found.constraint_set in {("a",), ("a", "b")}


def test_what_cannot_be_told_is_named_as_a_set_with_what_to_measure():
    finding = fn.find_constraint(two(0.8, 0.79), uncertainty=400, seed=2)
    assert set(finding.constraint_set) == {"a", "b"}
    assert set(finding.confidence.to_measure) == {"service_time at a", "service_time at b"}
    assert "to decide, measure service_time at" in repr(finding)
    json.dumps(finding.to_dict(), allow_nan=False)
    sure = fn.find_constraint(two(0.8, 0.4), uncertainty=100, seed=2)
    assert sure.constraint_set == ("a",)
    assert sure.confidence.probability == 1.0
    assert sure.confidence.to_measure == ()


def test_the_interval_of_relief_is_that_of_the_law():
    """M/M/1 with a lognormal service time: quantiles pass through a monotone relief."""
    network = two(0.7, 0.3, error=0.02)
    table = fn.find_constraint(network, uncertainty=2000, seed=3).confidence.table
    spread = math.sqrt(math.log1p((0.02 / 0.7) ** 2))
    for level in (0.05, 0.95):
        load = 0.7 * math.exp(spread * stats.norm.ppf(level) - spread**2 / 2)
        one = load**2 / (1 - load)
        erlang_c = load**2 / (2 + load)  # of two servers at the same load
        expected = one - erlang_c * load / (2 - load)
        # a quantile of 2,000 Latin hypercube samples
        assert table.loc["a", f"relief {level:.0%}"] == pytest.approx(expected, rel=0.02)


def test_the_important_parameter_is_the_uncertain_one():
    network = two().replace(services={"b": {"standard_error": {"service_time": 0.001}}})
    finding = fn.find_constraint(network, uncertainty=200, seed=4)
    assert finding.confidence.importance["to_goal"].idxmax() == "service_time at a"
    samples = fn.draw_samples(network, 8)
    indices = sobol_importance(finding.solution, "delay", samples, n=256)
    assert indices.loc["service_time at a", "total"] == pytest.approx(1.0, abs=0.1)
    assert indices.loc["service_time at b", "total"] == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("design", ["latin_hypercube", "sobol", "random"])
def test_samples_have_the_moments_that_were_given(design):
    samples = fn.draw_samples(two(), 1024, seed=5, design=design)
    mean, deviation = samples.values.mean(axis=0), samples.values.std(axis=0)
    # 1,024 draws: 3 % of a standard deviation in the mean, 2 % in the deviation, times four
    assert mean == pytest.approx([0.8, 0.75], abs=0.04 * 0.13)
    assert deviation == pytest.approx([0.04, 0.04], rel=0.1)
    again = fn.draw_samples(two(), 1024, seed=5, design=design)
    assert np.array_equal(samples.values, again.values)


def test_any_law_may_be_given_and_routes_stay_possible():
    base = two().to_dict()
    base["routes"] = [
        {"from": "a", "to": "b", "routing_probability": 0.9,
         "standard_error": {"routing_probability": 0.09}},
    ]  # fmt: skip
    base["services"][1]["external_arrival_rate"] = 0.1
    network = fn.Network.from_dict(base)
    samples = fn.draw_samples(
        network,
        200,
        distributions={
            ("a", "service_time"): {"family": "triangular", "low": 0.5, "mode": 0.6, "high": 1.2},
            ("b", "external_arrival_rate"): {"family": "uniform", "low": 0.05, "high": 0.15},
        },
    )
    names = [each.name for each in samples.uncertain]
    assert names == ["service_time at a", "service_time at b", "external_arrival_rate at b",
                     "routing_probability at a -> b"]  # fmt: skip
    low, high = samples.values.min(axis=0), samples.values.max(axis=0)
    assert low[0] >= 0.5
    assert high[0] <= 1.2
    assert (high[3] <= 1.0) & (low[3] > 0.0)
    finding = fn.find_constraint(network, uncertainty=samples)
    assert finding.confidence.samples == 200
    assert 0 < finding.confidence.overload < 1


def test_networks_may_be_the_samples():
    networks = [two(0.8 + x, 0.75) for x in (-0.1, 0.0, 0.02)]
    found = fn.find_constraint(two(), uncertainty=networks).confidence
    assert found.table.loc["a", "probability"] == pytest.approx(2 / 3)
    assert found.importance.empty


def test_bad_samples_are_told():
    with pytest.raises(fn.FlownetError, match="nothing is uncertain"):
        fn.draw_samples(fn.example("urgent_care").replace(), 10)
    with pytest.raises(fn.FlownetError, match="did you mean 'sobol'"):
        fn.draw_samples(two(), 10, design="sobel")
    with pytest.raises(fn.FlownetError, match="names no parameter"):
        fn.draw_samples(two(), 10, distributions={("c", "service_time"): {"family": "gamma"}})
    with pytest.raises(fn.FlownetError, match="finite numbers mean, sd"):
        fn.draw_samples(two(), 10, distributions={("a", "service_time"): {"family": "gamma"}})
    with pytest.raises(fn.FlownetError, match="number of samples"):
        fn.find_constraint(two(), uncertainty="many")
    with pytest.raises(fn.FlownetError, match="other services"):
        fn.find_constraint(two(), uncertainty=[fn.example("urgent_care")])


def test_every_method_is_asked_and_simulation_on_request():
    finding = fn.find_constraint(two(0.8, 0.5))
    table = finding.other_methods
    assert table.loc[["product_form", "decomposition", "exact"], "agrees"].all()
    assert "no" in table.loc["blocking", "why_not"] or table.loc["blocking", "why_not"]
    simulated = finding.simulated(horizon=2000, replications=4, seed=1)
    assert simulated["gain"].idxmax() == "a"
    assert simulated.loc["a", "may_be_the_constraint"]


def test_shares_that_are_drawn_together_are_dirichlet():
    """Of 100 who left, 20 and 30 went two ways: means, variances and covariance of Dirichlet."""
    base = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [{"name": "a", "servers": 3, "service_time": 0.5, "external_arrival_rate": 2.0},
                     {"name": "b", "service_time": 0.5}, {"name": "c", "service_time": 0.5}],
        "routes": [{"from": "a", "to": "b", "routing_probability": 0.2},
                   {"from": "a", "to": "c", "routing_probability": 0.3}],
    })  # fmt: skip
    laws = {
        ("a -> b", "routing_probability"): {"family": "dirichlet", "count": 20, "total": 100},
        ("a -> c", "routing_probability"): {"family": "dirichlet", "count": 30, "total": 100},
    }
    samples = fn.draw_samples(base, 4000, distributions=laws)
    found = np.cov(samples.values.T)
    share = np.array([0.2, 0.3])
    expected = (np.diag(share) - np.outer(share, share)) / 101
    # 4,000 draws: the standard error of a covariance is 2 % of a variance
    assert found == pytest.approx(expected, abs=0.08 * expected.max())
    assert samples.values.mean(axis=0) == pytest.approx(share, abs=0.002)
    described = list(fn.draw_samples(base, 5, distributions=laws).networks())
    again = fn.draw_samples(base, 5, distributions=laws)
    for network, row, arrays in zip(described, again.values, again.arrays(), strict=True):
        given = [network.graph.edges["a", to]["routing_probability"] for to in ("b", "c")]
        assert given == pytest.approx(row.tolist())
        assert arrays.route_probability == pytest.approx(row)
    wrong = {("a", "service_time"): {"family": "dirichlet", "count": 20, "total": 100}}
    with pytest.raises(fn.FlownetError, match="must be a share"):
        fn.draw_samples(base, 5, distributions=wrong)


def test_samples_are_networks_that_solve_to_the_same_as_their_arrays():
    rows = [{"start": 0, "end": 12, "value": 0.5}, {"start": 12, "end": 24, "value": 1.1}]
    base = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "classes": {"x": {}, "y": {}},
        "services": [
            {"name": "a", "servers": 4, "service_time": {"x": 0.5, "y": 0.9},
             "external_arrival_calendar": {"x": rows}, "external_arrival_rate": {"y": 1.0},
             "standard_error": {"service_time": {"x": 0.05, "y": 0.1},
                                "external_arrival_calendar": {"x": 0.1},
                                "external_arrival_rate": {"y": 0.1}}},
            {"name": "b", "servers": 3, "service_time": 0.8, "service_scv": 2.0,
             "standard_error": {"service_time": 0.05, "service_scv": 0.2}},
        ],
        "routes": [{"from": "a", "to": "b", "routing_probability": 0.6,
                    "standard_error": {"routing_probability": 0.05}}],
    })  # fmt: skip
    samples = fn.draw_samples(base, 4, seed=3)
    assert len({each.parameter.name for each in samples.uncertain}) == 4
    for network, arrays in zip(samples.networks(), samples.arrays(), strict=True):
        before, after = fn.solve(network), fn.solve(base).again(arrays)
        assert before.totals["delay"] == pytest.approx(after.totals["delay"], rel=1e-9)
