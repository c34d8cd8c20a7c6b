"""M/M/c, M/M/c/K, M/M/inf, M/M/c//N: 50-digit chains, published cases, laws."""

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flownet import queues
from oracles import station_chains as oracle


def case(shared, name, file="solvers.json"):
    cases = json.loads((shared / "cases" / file).read_text())["cases"]
    return next(c for c in cases if c["id"] == name)


def relative(got, exact):
    return abs(float((got - exact) / exact)) if exact else abs(float(got))


@pytest.mark.parametrize("servers", [1, 2, 5, 30])
@pytest.mark.parametrize("room", [0, 1, 7, 250])
@pytest.mark.parametrize("ratio", [1e-12, 1e-6, 0.02, 0.7, 1 - 1e-9, 1.0, 1 + 1e-7, 1.6, 30.0, 1e9])
def test_limited_against_fifty_digits(servers, room, ratio):
    time, places = 0.7, servers + room
    rate = ratio * servers / time
    exact = oracle.birth_death(rate, time, servers, places)
    got = queues.mmck(rate, time, servers, places)
    if exact.full > 1e-280:
        assert relative(got.probability_full, exact.full) < 1e-12
    assert relative(got.number_present, exact.present) < 1e-12
    if exact.waiting_time > 1e-280:  # below, doubles underflow
        assert relative(got.number_waiting, exact.waiting) < 1e-12
        assert relative(got.waiting_time, exact.waiting_time) < 1e-12
        assert relative(got.wait_probability, exact.busy / (1 - exact.full)) < 1e-12
    assert relative(got.throughput, rate * (1 - exact.full)) < 1e-12


@pytest.mark.parametrize("spare", [0.5, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("servers", [1, 10, 1000])
def test_close_to_saturation_the_product_is_compensated(servers, spare):
    """lambda and E[S] whose product rounds: the spare capacity is that of the exact product."""
    time = 1 / 3
    rate = servers * (1 - spare) / time
    with oracle.mp.workdps(oracle.DIGITS):
        load = oracle.mp.mpf(rate) * oracle.mp.mpf(time)
        chance = oracle.erlang_c(servers, load, oracle.erlang_b_recursive(servers, load))
        exact = chance * oracle.mp.mpf(time) / (servers - load)
    assert relative(queues.mmc(rate, time, servers).waiting_time, exact) < 1e-12


def test_published(shared):
    mm3 = case(shared, "pdq-mm3")["expected"]
    got = queues.mmc(2.0, 1.0, 3)
    assert got.number_present == pytest.approx(mm3["Q"]["C1"]["S1"], abs=1e-8)
    assert got.response_time == pytest.approx(mm3["R"]["C1"]["S1"], abs=1e-8)
    harris = case(shared, "gross_harris_mmc", "health.json")["expected"]
    one, three = queues.mmc(5, 1 / 6, 1), queues.mmc(6, 1 / 3, 3)
    assert one.number_waiting == pytest.approx(harris["c1"]["Lq"], rel=1e-12)
    assert queues.wait_tail(5, 1 / 6, 1, 1.0) == pytest.approx(
        harris["c1"]["P_wait_gt_1"], abs=1e-7
    )
    assert queues.number_probability(6, 1 / 3, 3, 0) == pytest.approx(harris["c3"]["p0"], rel=1e-12)
    assert three.waiting_time == pytest.approx(harris["c3"]["Wq"], rel=1e-12)
    assert three.wait_probability == pytest.approx(harris["c3"]["P_wait"], rel=1e-12)
    for name, arguments in (
        ("oct-mm1k-10", (1.0, 1 / 1.2, 1, 10)),
        ("oct-mm3-7", (40.0, 1 / 30, 3, 7)),
    ):
        entry = case(shared, name)
        got, station = queues.mmck(*arguments), entry["recomputed"]["station"]["S1"]
        assert got.loss_probability == pytest.approx(station["p_loss"], rel=1e-9)
        assert got.number_waiting == pytest.approx(station["Lq"], rel=1e-9)
        assert got.waiting_time == pytest.approx(station["Wq"], rel=1e-8)


def test_engset(shared):
    entry = case(shared, "oct-engset")
    for point, blocking in zip(
        entry["model"]["points"], entry["expected"]["blocking"], strict=True
    ):
        c = point["servers"]
        got = queues.finite_source(point["idle_source_load"], 1.0, c, point["sources"], c)
        assert got.loss_probability == pytest.approx(blocking, abs=1e-11)


@pytest.mark.parametrize(("servers", "sources"), [(1, 1), (1, 10), (3, 10), (7, 300), (40, 30)])
@pytest.mark.parametrize("load", [1e-4, 0.05, 1.0, 300.0])
@pytest.mark.parametrize("room", [0, 2, math.inf])
def test_finite_source_against_fifty_digits(servers, sources, load, room):
    places = servers + room
    exact = oracle.finite_source(load / 0.3, 0.3, servers, sources, places if room < 9 else sources)
    got = queues.finite_source(load / 0.3, 0.3, servers, sources, places)
    measures = (
        got.probability_full,
        got.loss_probability,
        got.throughput,
        got.wait_probability,
        got.waiting_time,
    )
    if places == sources:
        exact = (0, *exact[1:])
    for a, b in zip(measures, exact, strict=True):
        assert relative(a, b) < 1e-12


def test_number_present_is_a_law():
    numbers = np.arange(600)
    for arguments in (
        {"arrival_rate": 8.0, "service_time": 1.0, "servers": 10},
        {"arrival_rate": 8.0, "service_time": 1.0, "servers": np.inf},
        {"arrival_rate": 30.0, "service_time": 1.0, "servers": 10, "patience": 0.5},
        {"arrival_rate": 30.0, "service_time": 1.0, "servers": 10, "capacity": 25},
    ):
        p = queues.number_probability(number=numbers, **arguments)
        assert p.sum() == pytest.approx(1.0, abs=1e-12)
        mean = queues.erlang_a(
            arguments["arrival_rate"],
            1.0,
            arguments["servers"],
            arguments.get("patience", np.inf),
            arguments.get("capacity", np.inf),
        ).number_present
        assert (p * numbers).sum() == pytest.approx(mean, rel=1e-12)
    exact = oracle.birth_death(30.0, 1.0, 10, 25)
    got = queues.number_probability(30.0, 1.0, 10, np.arange(26), capacity=25)
    assert got == pytest.approx([float(x) for x in exact.probabilities], rel=1e-12)


@given(st.floats(0.01, 5.0), st.floats(0.05, 60.0), st.floats(0.01, 2.5), st.integers(0, 400))
def test_laws(time, servers, ratio, room):
    """Little's law, loss balance, and an endless waiting room as the limit."""
    rate = ratio * servers / time
    got = queues.mmck(rate, time, servers, servers + room)
    assert got.throughput == pytest.approx(rate * (1 - got.loss_probability), rel=1e-9)
    assert got.number_present == pytest.approx(got.throughput * got.response_time, rel=1e-9)
    assert got.number_present - got.number_waiting == pytest.approx(
        got.utilization * servers, rel=1e-9
    )
    if ratio < 1:
        assert got.number_waiting <= queues.mmc(rate, time, servers).number_waiting * (1 + 1e-12)
    if room == 0:
        assert got.loss_probability == pytest.approx(
            float(queues.erlang_b(servers, rate * time)), rel=1e-9
        )


@given(st.floats(0.3, 60.0), st.floats(0.1, 0.97))
def test_more_places_come_to_the_endless_room(servers, ratio):
    endless = queues.mmc(ratio * servers, 1.0, servers)
    limited = queues.mmck(ratio * servers, 1.0, servers, servers + 3000)
    assume(endless.number_waiting > 1e-280)
    assert limited.number_waiting == pytest.approx(endless.number_waiting, rel=1e-9)


def test_limits_and_overload():
    over = queues.mmc([3.0, 2.0], 1.0, [3, 1])
    assert over.overloaded.tolist() == [1.0, 1.0]
    assert np.isinf(over.waiting_time).all()
    assert np.isinf(over.number_present).all()
    idle = queues.mmc(0.0, 1.0, 2)
    assert idle.waiting_time == 0.0
    assert idle.response_time == 1.0
    assert queues.mminf(3.0, 2.0).number_present == 6.0
    shared_one = queues.processor_sharing(0.8, 1.0)
    assert shared_one.response_time == pytest.approx(5.0, rel=1e-12)
    assert queues.mgcc(1.0, 1.0, 2).loss_probability == pytest.approx(0.2, rel=1e-14)
    assert queues.mmck(1e12, 1.0, 2, 5).loss_probability == pytest.approx(1.0)
    assert queues.finite_source(0.0, 1.0, 2, 5).throughput == 0.0
