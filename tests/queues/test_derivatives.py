"""Derivatives of every formula: by the analytic ones, by known formulas, by balance."""

import inspect

import mpmath as mp
import numpy as np
import pytest

from flownet import queues
from flownet.errors import ParameterError
from flownet.queues import derivatives
from oracles.station_chains import erlang_b, erlang_c, slope

STATIONS = {
    queues.mmck: {"arrival_rate": 1.5, "service_time": 1.2, "servers": 2.3, "capacity": 5.0},
    queues.mgcc: {"arrival_rate": 1.5, "service_time": 1.2, "servers": 2.3},
    queues.mdc: {"arrival_rate": 1.5, "service_time": 1.2, "servers": 2.3},
    queues.finite_source: {
        "request_rate": 0.1,
        "service_time": 1.2,
        "servers": 2.5,
        "sources": 9,
    },
    queues.erlang_a: {
        "arrival_rate": 1.5,
        "service_time": 1.2,
        "servers": 2.3,
        "patience": 2.0,
        "capacity": 5.2,
    },
    queues.number_probability: {
        "arrival_rate": 1.5,
        "service_time": 1.2,
        "servers": 2,
        "number": 4,
        "patience": 2.0,
    },
    queues.square_root_servers: {"load": 9.0, "probability": 0.3},
    queues.mg1_wait_moments: {
        "arrival_rate": 0.5,
        "service_time": 1.2,
        "service_scv": 2.0,
        "service_third_moment": 30.0,
    },
    queues.gig1: {
        "arrival_rate": [0.5, 0.7],
        "service_time": 1.2,
        "arrival_scv": [0.6, 2.0],
        "service_scv": 1.7,
    },
}
GENERAL = {"arrival_rate": 1.5, "service_time": 1.2, "arrival_scv": 0.6, "service_scv": 1.7}
POISSON = {"arrival_rate": 1.5, "service_time": 1.2, "servers": 2.3}
CASES = [
    *STATIONS.items(),
    (queues.gigc, GENERAL | {"servers": 2.3}),
    (queues.gigc, GENERAL | {"servers": 2.3, "method": "formula"}),
    (queues.phphc, GENERAL | {"servers": 2}),
    (queues.phphck, GENERAL | {"servers": 2, "capacity": 5}),
    (queues.phphck, GENERAL | {"servers": 2, "capacity": 9, "patience": 2.0}),
    (queues.mgc, POISSON | {"service_scv": 1.7}),
    (queues.mgc, POISSON | {"service_scv": 0.1}),
    (queues.mgc, POISSON | {"service_scv": 0.7, "method": "kimura"}),
    (queues.mgc, POISSON | {"service_scv": 0.7, "method": "boxma"}),
    (queues.mgc, POISSON | {"service_scv": 1.7, "method": "cosmetatos"}),
    (queues.mmcg, POISSON | {"patience": 2.0, "patience_scv": 1.7}),
    (queues.mmcg, POISSON | {"patience": 2.0, "patience_scv": 0.7}),
    (queues.wait_tail, POISSON | {"time": 0.7}),
    (queues.wait_tail, POISSON | {"servers": 2, "time": 0.7, "patience": 2.0, "of": "served"}),
    (queues.wait_tail, POISSON | {"time": 0.7, "patience": 2.0, "patience_scv": 1.7}),
    (queues.wait_tail, GENERAL | {"servers": 2, "time": 0.7}),
    (queues.wait_tail, GENERAL | {"servers": 2.3, "time": 0.7}),
    (queues.wait_percentile, POISSON | {"probability": 0.9}),
    (queues.wait_percentile, GENERAL | {"servers": 2, "probability": 0.9}),
    (queues.largest_arrival_rate, {"service_time": 1.2, "servers": 2.3, "target": 0.7}),
    (
        queues.largest_arrival_rate,
        {"service_time": 1.2, "servers": 2.3, "target": 0.7, "arrival_scv": 2, "service_scv": 0.7},
    ),
    (
        queues.largest_arrival_rate,
        {
            "service_time": 1.2,
            "servers": 2,
            "target": 0.2,
            "measure": "wait_tail",
            "time": 0.5,
        },
    ),
]


def fields(result):
    parts = result if isinstance(result, tuple) else (result,)
    return np.array([np.asarray(part, float) for part in parts])


@pytest.mark.parametrize(("formula", "given"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_derivatives_are_the_limits_of_differences(formula, given):
    # differences of the eighth order: their own rounding takes 1e-13 to about 1e-10
    for name, slopes in queues.gradient(formula, **given).items():
        if name == "servers" and (formula, given["servers"]) in WHOLE:
            continue

        def at(x, name=name):
            return fields(formula(**{**given, name: x}))

        exact = slope(at, np.asarray(given[name], float))
        size = 1e-8 * np.abs(at(np.asarray(given[name], float))) / np.asarray(given[name], float)
        close = np.abs(fields(slopes) - exact) <= 1e-8 * np.abs(exact) + size + 1e-11
        assert (close | (np.isnan(fields(slopes)) & np.isnan(exact))).all(), name


# a bend, or another method, at whole numbers of servers
WHOLE = [(queues.wait_tail, 2), (queues.wait_percentile, 2)]


def test_the_wait_by_inversion():
    # the inversion of M/G/1 is good to 1e-10, its differences over a thousandth to 1e-7
    given = {"arrival_rate": 0.5, "service_time": 1.0, "servers": 1, "time": 0.7}
    given |= {"service_scv": 2.2}
    slopes = queues.gradient(queues.wait_tail, **given)
    for name in ("arrival_rate", "service_time", "time", "service_scv"):
        exact = slope(lambda x, n=name: queues.wait_tail(**{**given, n: x}), given[name])
        assert slopes[name] == pytest.approx(float(exact), rel=1e-6)


@mp.workdps(40)
def test_general_arrivals_by_their_root():
    # H2/M/1: sigma = A*(mu (1 - sigma)), W = sigma / (mu (1 - sigma)), with 40 digits
    def wait(rate, time, scv):
        p = (1 + mp.sqrt((scv - 1) / (scv + 1))) / 2
        fast, slow = 2 * p * rate, 2 * (1 - p) * rate

        def law(s):
            return p * fast / (fast + s) + (1 - p) * slow / (slow + s)

        root = mp.findroot(
            lambda x: x - law((1 - x) / time), (mp.mpf(rate) * time, 0.99), "anderson"
        )
        return root * time / (1 - root)

    given = (mp.mpf("0.7"), mp.mpf("1.1"), mp.mpf("2.5"))
    got = queues.gradient(queues.phphc, 0.7, 1.1, 1, arrival_scv=2.5)
    for k, name in enumerate(("arrival_rate", "service_time", "arrival_scv")):
        exact = mp.diff(wait, given, tuple(int(i == k) for i in range(3)))
        assert got[name].waiting_time == pytest.approx(float(exact), rel=1e-11)


@mp.workdps(40)
def test_many_servers_next_to_saturation():
    def wait(rate, time, servers):
        return (
            time
            * erlang_c(servers, rate * time, erlang_b(servers, rate * time))
            / (servers - rate * time)
        )

    given = (mp.mpf(49.99), mp.mpf(1), mp.mpf(50))
    got = queues.gradient(queues.mmc, 49.99, 1.0, 50.0)
    for k, name in enumerate(("arrival_rate", "service_time", "servers")):
        exact = mp.diff(wait, given, tuple(int(i == k) for i in range(3)), h=mp.mpf("1e-15"))
        assert got[name].waiting_time == pytest.approx(float(exact), rel=1e-11)


def test_scv_of_one_where_two_laws_meet():
    # M/G/1: dW/dcs2 = lambda E[S]^2 / (2 (1 - rho)); GI/M/1 to first order around M/M/1 the same
    slopes = queues.gradient(queues.phphc, 0.9, 1.0, 1, 1.0, 1.0)
    assert slopes["service_scv"].waiting_time == pytest.approx(4.5, rel=1e-12)
    assert slopes["arrival_scv"].waiting_time == pytest.approx(4.5, rel=1e-12)
    # patience: continued from just above, where the law has its ordinary derivative
    at_one = queues.gradient(queues.mmcg, 1.5, 1.0, 2, 2.0, 1.0)["patience_scv"]
    above = queues.gradient(queues.mmcg, 1.5, 1.0, 2, 2.0, 1.0 + 1e-6)["patience_scv"]
    assert fields(at_one) == pytest.approx(fields(above), rel=1e-4, abs=1e-12)


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
        if name == "fewest_servers":
            continue  # whole numbers
        needed = {
            key: values.get(key, 0.7)
            for key, parameter in inspect.signature(formula).parameters.items()
            if parameter.default is inspect.Parameter.empty
        }
        if name == "phphck":
            needed["capacity"] = 5  # finite where patience is not
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
    closed = queues.gradient(queues.mgcc, [0.0, 1.0], 1.0, 2)["arrival_rate"].loss_probability
    assert np.isnan(closed[0])  # no derivative at the edge of what a parameter may be
    assert closed[1] == pytest.approx(0.24)  # B = (a^2/2)/(1 + a + a^2/2)
    # constant service: no derivative by its scv, but by everything else
    smooth = queues.gradient(queues.mgc, 0.5, 1.0, 1, 0.0)
    assert np.isnan(smooth["service_scv"].waiting_time)
    assert smooth["arrival_rate"].waiting_time == pytest.approx(2.0)
    for nonsense in ("mmc", np.sum, None):
        with pytest.raises(ParameterError, match="must be a station formula"):
            queues.gradient(nonsense, 1.0)
    with pytest.raises(ParameterError, match="whole numbers"):
        queues.gradient(queues.fewest_servers, 1.0, 1.0, 0.5)
    with pytest.raises(ParameterError, match="arrival_rate"):
        queues.gradient(queues.mmcg, -1.0, 1.0, 2, 2.0)
    with pytest.raises(ParameterError, match="mmcg"):
        queues.gradient(queues.mmcg, 1.0, beds=2)
