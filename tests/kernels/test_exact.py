"""The exact chain against published exact networks and closed forms."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from flownet.kernels.compiled import (
    DELAY,
    LOST,
    OVERFLOW,
    PRIORITY,
    PROCESSOR_SHARING,
    WAIT_OUTSIDE,
)
from flownet.kernels.exact import solve_exact
from oracles.compiled_networks import build
from oracles.exact_cases import load, network_of


def erlang_c(servers: int, load: float) -> float:
    """Erlang's delay formula, by the recursion for the loss formula."""
    loss = 1.0
    for k in range(1, servers + 1):
        loss = load * loss / (k + load * loss)
    return loss / (1.0 - load / servers * (1.0 - loss))


def test_every_published_blocking_network(shared):
    for name, case in load(shared).items():
        result = solve_exact(network_of(case))
        m, expected = result.measures, case["results"]
        for i, station in enumerate(expected["stations"]):
            found = {
                "completion_rate": m.throughput[i, 0],
                "mean_in_service": m.number_in_service[i, 0],
                "mean_blocked_servers": m.number_blocked[i, 0],
                "mean_waiting": m.number_waiting[i, 0],
                "p_block_at_completion": m.blocking_probability[i],
                "mean_wait_in_queue": m.waiting_time[i, 0],
                "p_full": m.probability_full[i],
            }
            for key, value in found.items():
                assert value == pytest.approx(station[key], abs=1e-8), (name, i, key)
            spread = result.present[i]
            numbers = np.arange(len(spread))
            mean = float(spread @ numbers)
            assert mean == pytest.approx(station["mean_number"], abs=1e-8), (name, i)
            variance = float(spread @ (numbers - mean) ** 2)
            assert variance == pytest.approx(station["var_number"], abs=1e-7), (name, i)
        blocked = np.zeros((len(m.throughput),) * 2)
        blocked[m.blocked_by_from, m.blocked_by_to] = m.blocked_by_number
        assert blocked == pytest.approx(np.array(expected["blocked_by"]), abs=1e-8), name
        exits = np.array(expected["exit_rate_by_station"])
        assert result.exit_rate[:, 0] == pytest.approx(exits, abs=1e-8), name
        assert result.exchange_rate.sum() == pytest.approx(expected["swap_rate"], abs=1e-8), name
        assert result.residual < 1e-13, name
        assert result.truncated_mass <= 1e-12, name


@pytest.mark.parametrize("buffer", [0, 1, 5, 20])
def test_saturated_pair_has_hilliers_closed_form(buffer):
    # Hillier and Boling 1967: X = (b + 2) / (b + 3) for two stations of rate 1
    network = build(
        [1.0, 1.0], capacity=[1, 1 + buffer], external=[1e11, 0.0], routing=[[0, 1], [0, 0]]
    )
    result = solve_exact(network)
    assert result.measures.throughput[1, 0] == pytest.approx((buffer + 2) / (buffer + 3), rel=1e-10)


def test_saturated_line_of_three_without_buffers():
    network = build([1.0] * 3, capacity=1, external=[1e11, 0, 0], routing=np.eye(3, k=1))
    assert solve_exact(network).measures.throughput[2, 0] == pytest.approx(22 / 39, rel=1e-10)


def test_tandem_with_finite_room(shared):
    # unpeudemath 2014: two servers and two places, half of the jobs go on to two servers
    text = (shared / "cases" / "health.json").read_text(encoding="utf-8")
    cases = {case["id"]: case for case in json.loads(text)["cases"]}
    for name, rate in (("tandem_bas_L5", 5.0), ("tandem_bas_L1.0", 1.0)):
        network = build(
            [1.0, 5.0], servers=2, capacity=[4, 2], external=[rate, 0], routing=[[0, 0.5], [0, 0]]
        )
        result = solve_exact(network)
        m, expected = result.measures, cases[name]["expected"]["our_exact"]
        held = m.number_in_service[0, 0] + m.number_blocked[0, 0]
        assert result.states == 22
        assert m.waiting_time[0, 0] == pytest.approx(expected["wait"], abs=1e-8)
        assert m.loss_rate[0, 0] / rate == pytest.approx(expected["p_lost"], abs=1e-8)
        assert held == pytest.approx(expected["occ1"], abs=1e-8)
        assert m.number_blocked[0, 0] == pytest.approx(expected["blocked"], abs=1e-8)
        assert m.number_in_service[1, 0] == pytest.approx(expected["occ2"], abs=1e-8)
        assert m.number_waiting[0, 0] == pytest.approx(expected["queue"], abs=1e-8)


@pytest.mark.parametrize(("servers", "places", "rate"), [(1, 1, 0.5), (2, 7, 3.0), (5, 5, 9.0)])
def test_one_service_with_places_is_m_m_c_k(servers, places, rate):
    weights = [1.0]
    for n in range(1, places + 1):
        weights.append(weights[-1] * rate / min(n, servers))
    spread = np.array(weights) / sum(weights)
    result = solve_exact(build([1.0], servers=servers, capacity=places, external=rate))
    m = result.measures
    assert result.present[0] == pytest.approx(spread, rel=1e-13)
    assert m.loss_rate[0, 0] == pytest.approx(rate * spread[-1], rel=1e-13)
    waiting = sum(p * max(n - servers, 0) for n, p in enumerate(spread))
    assert m.number_waiting[0, 0] == pytest.approx(waiting, rel=1e-13, abs=1e-15)
    delayed = spread[servers:-1].sum() / (1.0 - spread[-1])
    assert m.wait_probability[0] == pytest.approx(delayed, rel=1e-13, abs=1e-15)


def test_one_service_without_limit_is_m_m_c():
    result = solve_exact(build([2.0], servers=3, external=1.2))
    probability = erlang_c(3, 2.4)
    m = result.measures
    assert m.wait_probability[0] == pytest.approx(probability, rel=1e-10)
    assert m.waiting_time[0, 0] == pytest.approx(probability / (3 / 2 - 1.2), rel=1e-9)
    assert 0.0 < result.truncated_mass <= 1e-12


def test_waiting_outside_is_an_unlimited_queue_seen_from_outside():
    m = solve_exact(
        build([1.0], servers=2, capacity=3, external=1.2, external_when_full=WAIT_OUTSIDE)
    ).measures
    load = 0.6
    # M/M/2: L = 2 r / (1 - r^2); P(N = n) = p0 2 r^n
    total = m.number_waiting + m.number_in_service + m.number_outside
    assert total[0, 0] == pytest.approx(2 * load / (1 - load**2), rel=1e-10)
    p0 = (1 - load) / (1 + load)
    outside = sum((n - 3) * p0 * 2 * load**n for n in range(4, 200))
    assert m.number_outside[0, 0] == pytest.approx(outside, rel=1e-9)


def test_engset_by_overflow_back_to_the_sources():
    # call congestion of 10 sources at 5 servers, load 0.2 of an idle source (octave's engset);
    # a job that finds all servers taken overflows to the sources, that is, to where it stands
    network = build(
        [5.0, 1.0],
        servers=[np.inf, 5],
        capacity=[np.inf, 5],
        discipline=[DELAY, 0],
        routing=[[0, 1], [1, 0]],
        when_full=[0, OVERFLOW],
        overflow_to=[-1, 0],
    )
    m = solve_exact(network, initial=np.array([[10], [0]])).measures
    congestion = m.overflow_rate[1, 0] / m.arrival_rate[1, 0]
    assert congestion == pytest.approx(0.0078231714889, abs=1e-12)
    assert m.blocking_probability[0] == pytest.approx(0.0078231714889, abs=1e-12)


def test_closed_network_from_an_initial_population():
    # machine repair, M/M/2//5 with mean time to failure 4 and repair 1
    weights = [1.0]
    for n in range(1, 6):
        weights.append(weights[-1] * (6 - n) / 4 / min(n, 2))
    expected = sum(w * min(n, 2) for n, w in enumerate(weights)) / sum(weights)
    network = build(
        [4.0, 1.0], servers=[np.inf, 2], discipline=[DELAY, 0], routing=[[0, 1], [1, 0]]
    )
    result = solve_exact(network, initial=np.array([[5], [0]]))
    assert result.states == 6
    assert result.measures.throughput[1, 0] == pytest.approx(expected, rel=1e-13)


def test_jackson_network_with_feedback():
    routing = np.array([[0.0, 0.6], [0.3, 0.0]])
    flow = np.linalg.solve(np.eye(2) - routing.T, [0.5, 0.2])
    load = flow * [0.5, 0.5]
    m = solve_exact(
        build([1.0, 0.5], servers=[2, 1], external=[0.5, 0.2], routing=routing)
    ).measures
    number = (m.number_waiting + m.number_in_service)[:, 0]
    expected = [2 * load[0] / (1 - load[0] ** 2), load[1] / (1 - load[1])]
    assert m.throughput[:, 0] == pytest.approx(flow, rel=1e-10)
    assert number == pytest.approx(expected, rel=1e-9)


def test_shared_and_infinite_services_have_the_product_form_of_bcmp():
    rates, times = np.array([[0.3, 0.2]]), np.array([[1.0, 2.0]])
    shared = solve_exact(build(times, external=rates, discipline=PROCESSOR_SHARING)).measures
    load = rates * times
    number = (shared.number_waiting + shared.number_in_service)[0]
    assert number == pytest.approx(load[0] / (1 - load.sum()), rel=1e-9)
    assert shared.number_in_service[0] == pytest.approx(load[0], rel=1e-10)
    infinite = solve_exact(build(times, external=rates, discipline=DELAY))
    assert infinite.measures.number_in_service[0] == pytest.approx(load[0], rel=1e-11)
    poisson = [math.exp(-0.7) * 0.7**n / math.factorial(n) for n in range(6)]
    assert infinite.present[0, :6] == pytest.approx(poisson, rel=1e-10)


def test_cobhams_waits_of_classes_with_unequal_times():
    rates, times = np.array([0.2, 0.15]), np.array([1.0, 1.5])
    m = solve_exact(
        build([times], external=[rates], discipline=PRIORITY, priority=[[1, 2]])
    ).measures
    load = rates * times
    residual = (rates * times**2).sum()
    expected = [residual / (1 - load[0]), residual / (1 - load[0]) / (1 - load.sum())]
    assert m.waiting_time[0] == pytest.approx(expected, rel=1e-9)


def test_kella_and_yechialis_waits_at_several_servers():
    rates, servers = np.array([0.5, 0.6]), 2
    m = solve_exact(
        build(
            [[1.0, 1.0]], servers=servers, external=[rates], discipline=PRIORITY, priority=[[2, 1]]
        )
    ).measures
    first = erlang_c(servers, float(rates.sum())) / servers
    share = rates[::-1].cumsum() / servers
    expected = [first / (1 - share[0]) / (1 - share[1]), first / (1 - share[0])]
    assert m.waiting_time[0] == pytest.approx(expected, rel=1e-9)


def test_first_come_first_served_over_classes_waits_alike():
    # M/G/1 (Pollaczek-Khinchine): both classes wait lambda E[S^2] / 2 / (1 - load)
    rates, times = np.array([0.1, 0.08]), np.array([1.0, 1.5])
    result = solve_exact(build([times], external=[rates]), truncation_mass=1e-6)
    wait = (rates * times**2).sum() / (1 - (rates * times).sum())
    assert result.measures.waiting_time[0] == pytest.approx([wait, wait], rel=1e-4)


def test_erlang_a_with_the_wait_of_those_who_are_served():
    servers, rate, give_up = 3, 4.0, 0.5
    m = solve_exact(build([1.0], servers=servers, external=rate, patience=1 / give_up)).measures
    weights = [1.0]
    for n in range(1, 150):
        weights.append(weights[-1] * rate / (min(n, servers) + max(n - servers, 0) * give_up))
    spread = np.array(weights) / sum(weights)
    waiting = sum(p * max(n - servers, 0) for n, p in enumerate(spread))
    # a job at position q starts after q steps, each at the rate c + j theta, j = q ... 1, in
    # which it gives up itself at the rate theta
    time = 0.0
    for n in range(servers, 149):
        steps = [servers + j * give_up for j in range(n - servers + 1, 0, -1)]
        chance = math.prod((step - give_up) / step for step in steps)
        time += spread[n] * chance * sum(1 / step for step in steps)
    served = 1.0 - give_up * waiting / rate
    assert m.number_waiting[0, 0] == pytest.approx(waiting, rel=1e-10)
    assert m.abandonment_rate[0, 0] == pytest.approx(give_up * waiting, rel=1e-10)
    assert m.waiting_time[0, 0] == pytest.approx(time / served, rel=1e-10)


def test_erlang_a_of_line(shared):
    cases = json.loads((shared / "cases" / "solvers.json").read_text(encoding="utf-8"))["cases"]
    expected = next(case for case in cases if case["id"] == "line-erlang-a-50")["expected"]
    m = solve_exact(build([1.0], servers=50, external=48.0, patience=2.0)).measures
    queue = expected["station"]["S1"]["Lq"]
    assert m.number_waiting[0, 0] == pytest.approx(queue, abs=1e-6)
    assert m.throughput[0, 0] == pytest.approx(expected["X"]["C1"]["S1"], abs=1e-6)


def test_loss_and_overflow_of_a_primary_group():
    # the overflow of M/M/2/2 is offered to a group of one: exact from the two-dimensional chain
    # of the two groups (Brockmeyer); checked by the loss of the total, M/M/3/3 with equal rates
    network = build(
        [1.0, 1.0],
        servers=[2, 1],
        capacity=[2, 1],
        external=[2.5, 0.0],
        external_when_full=[OVERFLOW, LOST],
        overflow_to=[1, -1],
    )
    m = solve_exact(network).measures
    weights = [2.5**n / math.factorial(n) for n in range(4)]
    assert m.loss_rate[1, 0] == pytest.approx(2.5 * weights[3] / sum(weights), rel=1e-12)
    assert m.overflow_rate[0, 0] == pytest.approx(2.5 * weights[2] / sum(weights[:3]), rel=1e-12)
