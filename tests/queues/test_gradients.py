"""Every derivative against central differences of the eighth order of its own formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet import queues
from oracles.station_chains import slope


def check(formula, gradient, arguments, tolerance=1e-7):
    """Compare all fields; absolute errors are measured against the field over the parameter."""
    slopes = gradient(**arguments)
    for name, fields in slopes.items():

        def at(x, name=name):
            return np.array(formula(**{**arguments, name: x}))

        here, got = arguments[name], np.array(fields)
        exact, size = slope(at, here), np.abs(at(here)) / here
        assert np.isfinite(got).all()
        assert np.abs(got - exact).max() <= tolerance * (np.abs(exact) + size).max()
        assert (np.abs(got - exact) <= tolerance * (np.abs(exact) + size) + 1e-10).all()


@given(st.floats(0.5, 60.0), st.floats(0.2, 0.95), st.floats(0.2, 3.0))
def test_markov(servers, ratio, time):
    arguments = {"arrival_rate": ratio * servers / time, "service_time": time, "servers": servers}
    check(queues.mmc, queues.mmc_gradient, arguments)


@given(st.floats(0.1, 0.95), st.floats(0.2, 3.0), st.floats(0.1, 5.0))
def test_pollaczek_khinchine(ratio, time, scv):
    arguments = {"arrival_rate": ratio / time, "service_time": time, "service_scv": scv}
    check(queues.mg1, queues.mg1_gradient, arguments)


@pytest.mark.parametrize(
    ("servers", "ratio"), [(1, 0.3), (1, 0.9), (4, 0.85), (30, 0.7), (60, 0.97)]
)
def test_constant_service(servers, ratio):
    arguments = {"arrival_rate": ratio * servers / 1.4, "service_time": 1.4, "servers": servers}
    check(queues.mdc, queues.mdc_gradient, arguments, 1e-6)


@given(
    st.sampled_from([0.7, 1.4, 2.6, 9.3, 50.2]),
    st.floats(0.3, 0.95),
    st.floats(0.1, 5.0),
    st.floats(0.1, 5.0),
)
def test_general_formula(servers, ratio, arrival_scv, service_scv):
    kinks = (arrival_scv - 1, service_scv - 1, arrival_scv - service_scv)  # see the docstring
    if min(map(abs, (*kinks, arrival_scv + service_scv - 2))) < 0.15:
        return
    free = (1 - ratio) / ratio * (servers - 1) * (np.sqrt(4 + 5 * servers) - 2)
    if abs(free / (16 * servers) - 0.24) < 0.02:
        return
    arguments = {
        "arrival_rate": ratio * servers,
        "service_time": 1.0,
        "servers": servers,
        "arrival_scv": arrival_scv,
        "service_scv": service_scv,
    }
    slopes = queues.gigc_gradient(**arguments)
    wait = queues.gigc(**arguments, method="formula").waiting_time
    for name, got in slopes.items():

        def at(x, name=name):
            return queues.gigc(**{**arguments, name: x}, method="formula").waiting_time

        exact = slope(at, arguments[name])
        assert got == pytest.approx(float(exact), rel=1e-5, abs=1e-5 * wait)


@pytest.mark.parametrize("capacity", [50, 60, np.inf])
@pytest.mark.parametrize("ratio", [0.7, 1.0, 1.4])
@pytest.mark.parametrize("patience", [0.3, 8.0])
def test_patience(capacity, ratio, patience):
    arguments = {"arrival_rate": 50 * ratio, "service_time": 1.0, "servers": 50}
    arguments |= {"patience": patience, "capacity": capacity}
    check(queues.erlang_a, queues.erlang_a_gradient, arguments)


@pytest.mark.parametrize(("servers", "capacity"), [(1, 1), (1, 9), (7, 40), (30, 31)])
@pytest.mark.parametrize("ratio", [0.4, 1.0, 1.7])
def test_limited(servers, capacity, ratio):
    arguments = {"arrival_rate": ratio * servers, "service_time": 1.0}
    arguments |= {"servers": servers, "capacity": capacity}
    check(queues.mmck, queues.mmck_gradient, arguments)


@pytest.mark.parametrize(
    ("servers", "sources", "capacity"), [(5, 10, 5), (5, 10, 8), (5, 10, np.inf), (1, 1, 1)]
)
@pytest.mark.parametrize("load", [0.05, 1.0])
def test_finite_source(servers, sources, capacity, load):
    arguments = {"request_rate": load / 2, "service_time": 2.0, "servers": servers}
    arguments |= {"sources": sources, "capacity": capacity}
    check(queues.finite_source, queues.finite_source_gradient, arguments)


@pytest.mark.parametrize("servers", [1, 4])
@pytest.mark.parametrize("arrival_scv", [1.0, 0.6])
def test_priority(servers, arrival_scv):
    arguments = {
        "arrival_rate": np.array([0.2, 0.3, 0.25]) * servers,
        "service_time": np.array([0.7, 1.2, 1.0]),
        "service_scv": np.array([0.5, 2.0, 1.0]),
    }
    fixed = {"servers": servers, "priority": [2, 1, 2], "arrival_scv": arrival_scv}
    slopes = queues.priority_nonpreemptive_gradient(**arguments, **fixed)
    for name, got in slopes.items():
        for i in range(3):

            def at(x, name=name, i=i):
                changed = arguments[name].copy()
                changed[i] = x
                given = {**arguments, name: changed}
                return queues.priority_nonpreemptive(**given, **fixed).waiting_time

            assert got[:, i] == pytest.approx(slope(at, arguments[name][i]), rel=1e-7, abs=1e-9)


def test_overload_has_no_slope():
    over = queues.mmc_gradient(2.0, 1.0, 1)["arrival_rate"]
    assert np.isnan(over.waiting_time)
    assert np.isnan(queues.mg1_gradient(2.0, 1.0)["arrival_rate"].waiting_time)
    assert np.isnan(queues.mdc_gradient(2.0, 1.0, 1)["arrival_rate"].waiting_time)
    assert np.isnan(queues.gigc_gradient(2.0, 1.0, 1)["arrival_rate"])
    assert np.isnan(queues.priority_nonpreemptive_gradient([1.0, 1.0], 1.0)["arrival_rate"]).all()
