"""Derivatives of every formula: by the analytic ones, by known formulas, by balance."""

import inspect

import numpy as np
import pytest

from flownet import queues
from flownet.errors import ParameterError
from flownet.queues import derivatives

STATIONS = {
    queues.mmc: ([0.01, 3.0 - 3e-5, 2.9], 1.0, 3.0),
    queues.mg1: ([0.5, 0.99], 1.0, 2.0),
    queues.mdc: (1.5, 1.0, 2.0),
    queues.mmck: ([1.5, 4.0], 1.0, 2.0, 5.0),
    queues.erlang_a: (3.0, 1.0, 2.0, 2.0),
    queues.erlang_b: (5.0, [4.0, 9.0]),
    queues.erlang_c: (5.0, 4.0),
    queues.finite_source: (0.1, 1.0, 2.0, 10.0),
}


@pytest.mark.parametrize("formula", STATIONS, ids=lambda formula: formula.__name__)
def test_differences_are_the_analytic_derivatives(formula, monkeypatch):
    arguments = STATIONS[formula]
    exact = queues.gradient(formula, *arguments)
    monkeypatch.setattr(derivatives, "ANALYTIC", {})
    numerical = queues.gradient(formula, *arguments)
    for name, slopes in exact.items():
        for a, b in zip(np.atleast_1d(slopes), np.atleast_1d(numerical[name]), strict=True):
            # 1e-6: a spare capacity of 1e-5 takes five digits to a difference
            np.testing.assert_allclose(b, a, rtol=1e-6, atol=1e-9)


def test_priorities_by_every_class():
    rate, time = np.array([0.2, 0.3, 0.1]), np.array([1.0, 0.7, 2.0])
    got = queues.gradient(queues.priority_nonpreemptive, rate, time, service_scv=[1.0, 0.5, 2.0])
    exact = queues.priority_nonpreemptive_gradient(rate, time, service_scv=[1.0, 0.5, 2.0])
    for name, slopes in exact.items():
        np.testing.assert_allclose(got[name].waiting_time, slopes, rtol=1e-8, atol=1e-10)
    # preemptive M/M/1: T_1 = 1/(mu - lambda_1); the first class does not see the second
    urgent = queues.gradient(queues.priority_preemptive, [0.2, 0.3], 1.0)["arrival_rate"]
    np.testing.assert_allclose(urgent.response_time[0], [1 / 0.8**2, 0.0], atol=1e-9)


def test_tails_patience_and_units():
    # M/M/1: P(W > t) = rho e^{-(mu - lambda) t}
    slopes = queues.gradient(queues.wait_tail, 0.5, 1.0, 1, 2.0)
    assert slopes["arrival_rate"] == pytest.approx(np.exp(-1.0) * (1 + 0.5 * 2.0), rel=1e-8)
    assert slopes["time"] == pytest.approx(-0.5 * 0.5 * np.exp(-1.0), rel=1e-8)
    # waits scale with the unit of time: sum over parameters p of dim(p) p dW/dp = W (Euler)
    given = {"arrival_rate": 3.0, "service_time": 1.0, "servers": 2.5, "patience": 2.0}
    slopes = queues.gradient(queues.mmcg, **given, patience_scv=0.5)
    wait = queues.mmcg(**given, patience_scv=0.5).waiting_time
    powers = {"arrival_rate": -1, "service_time": 1, "patience": 1}
    total = sum(power * given[k] * slopes[k].waiting_time for k, power in powers.items())
    assert total == pytest.approx(wait, rel=1e-7)


def test_every_formula_has_its_derivatives():
    values = {"number": 2, "probability": 0.9, "time": 0.5, "target": 0.5, "priority": None}
    values |= {"sources": 9, "capacity": 6, "servers": 2, "load": 1.5, "patience": 2.0}
    for name in queues.__all__:
        formula = getattr(queues, name)
        if name.endswith("gradient") or inspect.isclass(formula):
            continue
        if name in ("fewest_servers", "largest_arrival_rate", "square_root_servers"):
            continue  # inverses
        needed = {
            key: values.get(key, 0.7)
            for key, parameter in inspect.signature(formula).parameters.items()
            if parameter.default is inspect.Parameter.empty
        }
        slopes = queues.gradient(formula, **needed)
        continuous = set(needed) & set(derivatives.CONTINUOUS) - {"servers"}
        assert set(slopes) >= continuous, name
        if name in ("mmc", "mmck", "mgc", "gigc", "mgcc", "mmcg", "erlang_c", "wait_tail"):
            assert "servers" in slopes, name
        for each in slopes.values():
            assert all(np.isfinite(part).all() for part in np.atleast_1d(each)), name


def test_overload_and_nonsense():
    over = queues.gradient(queues.gigc, 2.0, 1.0, 1, 2.0, 2.0)
    assert np.isnan(over["arrival_rate"].waiting_time)
    with pytest.raises(ParameterError, match="greater than 0 for derivatives"):
        queues.gradient(queues.mgcc, 0.0, 1.0, 2)
    with pytest.raises(ParameterError, match="arrival_rate"):
        queues.gradient(queues.mmcg, -1.0, 1.0, 2, 2.0)
    with pytest.raises(ParameterError, match="mmcg"):
        queues.gradient(queues.mmcg, 1.0, beds=2)
