"""The decomposition against textbooks, other solvers, exact chains and a long simulation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from kernels.decomposition_cases import birth_death, number_present

import flownet as fn
from flownet import queues
from flownet.kernels.compiled import (
    DELAY,
    PRIORITY,
)
from flownet.kernels.decomposition import (
    decompose,
    decomposition_assumptions,
    decomposition_reasons,
    solve_decomposition,
)
from flownet.solvers.solution import Solution
from oracles.compiled_networks import build
from oracles.open_cases import load_cases, to_network

# ------------------------------------------------------------------------------ published cases


@pytest.mark.parametrize("kind", ["mmck", "abandonment"])
def test_single_stations_of_other_solvers(shared: Path, kind: str) -> None:
    cases = load_cases(shared, kind)
    assert cases
    for case in cases:
        compiled = to_network(case["model"])
        assert decomposition_reasons(compiled) == []
        measures, exact = solve_decomposition(compiled), case["recomputed"]
        assert number_present(measures)[0, 0] == pytest.approx(exact["Q"]["C1"]["S1"], rel=1e-9)
        assert measures.throughput[0, 0] == pytest.approx(exact["X"]["C1"]["S1"], rel=1e-9)
        station = exact["station"]["S1"]
        if "p_loss" in station:
            lost = measures.loss_rate[0, 0] / measures.arrival_rate[0, 0]
            assert lost == pytest.approx(station["p_loss"], rel=1e-9)
            assert measures.probability_full[0] == pytest.approx(station["p_loss"], rel=1e-9)
            assert measures.waiting_time[0, 0] == pytest.approx(station["Wq"], rel=1e-8)
        else:
            gone = measures.abandonment_rate[0, 0] / measures.arrival_rate[0, 0]
            assert gone == pytest.approx(station["P_abandon"], rel=1e-9)
            assert measures.wait_probability[0] == pytest.approx(station["P_wait"], rel=1e-9)


def test_general_service_and_arrivals_of_other_solvers(shared: Path) -> None:
    # exact where Poisson streams feed M/G/1; 3 % where a formula stands in (scv 0 to 0.2, load
    # 0.5); the tandem of hyperexponentials against the simulation in its notes, 15.86 and 20.86
    cases = {case["id"]: case for case in load_cases(shared, "ggc-qna")}
    bounds = {
        "line-m-m-e2-tandem": 1e-9,
        "line-m-cox-1-scv4": 1e-9,
        "jmt-d-m-1-simulation": 0.03,
        "line-e5-m-1": 0.03,
        "line-gamma-m-1": 0.03,
        "line-h2-tandem-qna": 0.10,
    }
    assert cases.keys() == bounds.keys()
    for name, bound in bounds.items():
        case = cases[name]
        present = number_present(solve_decomposition(to_network(case["model"])))[:, 0]
        expected = list(case["recomputed"]["Q"]["C1"].values())
        if name == "line-h2-tandem-qna":
            expected = [15.86, 20.86]
        np.testing.assert_allclose(present, expected, rtol=bound, err_msg=name)


@pytest.mark.parametrize(
    ("scv", "simulated", "error"),
    [
        # 8 x 2e7 customers, ../shared/METHODS.md section 2
        (8.0, 29.10, 0.25),
        # 4e7 customers by Lindley's recursion, Erlang interarrival times
        (0.5, 6.643, 0.030),
    ],
)
def test_suresh_and_whitt_heavy_traffic_bottleneck(
    scv: float, simulated: float, error: float
) -> None:
    # Suresh and Whitt 1990: eight queues at load 0.6, the ninth at 0.9; QNA gives 8.9 and 8.0
    compiled = build(
        [0.6] * 8 + [0.9],
        external=[1.0] + [0.0] * 8,
        arrival_scv=[scv] + [1.0] * 8,
        routing=np.diag(np.ones(8), 1),
    )
    solved = decompose(compiled)
    assert abs(solved.measures.waiting_time[8, 0] - simulated) <= 0.02 * simulated + error
    assert abs(np.log(solved.disagreement[8])) > np.log(1.15)
    assert solved.disagreement[0] == 1.0


def test_a_solution_says_where_its_two_methods_differ() -> None:
    # Suresh and Whitt's ninth queue again: QNA and robust queueing differ by a factor of 3 there
    services = [{"name": f"{i}", "service_time": 0.6} for i in range(8)]
    services[0] |= {"external_arrival_rate": 1.0, "arrival_scv": 8.0}
    solution = fn.solve(
        fn.Network.from_dict(
            {
                "network": {"time_unit": "hour"},
                "services": [*services, {"name": "last", "service_time": 0.9}],
                "routes": [
                    {"from": f"{i}", "to": f"{i + 1}" if i < 7 else "last"} for i in range(8)
                ],
            }
        )
    )
    assert solution.disagreement["ratio"].idxmax() == "last"
    said = [text for text in solution.warnings if "differ by more than 25%" in text]
    assert len(said) == 1
    assert "'last'" in said[0]
    again = Solution.from_dict(json.loads(json.dumps(solution.to_dict())))
    assert again.disagreement.equals(solution.disagreement)


@pytest.mark.parametrize(("servers", "arrival_scv", "service_scv"), [(1, 4.0, 0.5), (5, 3.0, 2.0)])
def test_one_service_with_bursts_is_the_phase_type_station(
    servers: int, arrival_scv: float, service_scv: float
) -> None:
    # a low load, where formulas of two moments err most; the station by matrix-geometric solution
    compiled = build(
        [2.0],
        external=[0.25 * servers],
        servers=[servers],
        arrival_scv=[arrival_scv],
        service_scv=[service_scv],
    )
    exact = queues.phphc(0.25 * servers, 2.0, servers, arrival_scv, service_scv)
    got = solve_decomposition(compiled).waiting_time[0, 0]
    assert got == pytest.approx(float(exact.waiting_time), rel=1e-9)


# ------------------------------------------------------------------------------- exact relations


def test_several_classes_lose_alike_and_insensitively() -> None:
    # M/G/c/c with two classes: product form over (n1, n2), n1 + n2 <= c, Poisson weights
    load = np.array([1.6, 0.9])
    servers = 4
    weights = {
        (a, b): load[0] ** a / np.prod(range(1, a + 1)) * load[1] ** b / np.prod(range(1, b + 1))
        for a in range(servers + 1)
        for b in range(servers + 1 - a)
    }
    total = sum(weights.values())
    full = sum(w for (a, b), w in weights.items() if a + b == servers) / total
    present = [sum(n[k] * w for n, w in weights.items()) / total for k in (0, 1)]
    compiled = build(
        [[2.0, 0.5]],
        external=[[0.8, 1.8]],
        servers=servers,
        capacity=servers,
        service_scv=[[3.0, 0.0]],
    )
    measures = solve_decomposition(compiled)
    assert measures.probability_full[0] == pytest.approx(full, rel=1e-12)
    np.testing.assert_allclose(measures.number_in_service[0], present, rtol=1e-12)
    np.testing.assert_allclose(measures.loss_rate[0], full * np.array([0.8, 1.8]), rtol=1e-12)
    endless = build(
        [[2.0, 0.5]], external=[[0.8, 1.8]], servers=np.inf, capacity=servers, discipline=DELAY
    )
    assert solve_decomposition(endless).probability_full[0] == pytest.approx(full, rel=1e-12)


def test_finite_room_and_patience_together() -> None:
    law = birth_death(2.5, 1.0, 2, 6, leave=0.4)
    n = np.arange(7)
    waiting = (law * np.maximum(n - 2, 0)).sum()
    compiled = build([1.0], external=[2.5], servers=2, capacity=6, patience=2.5)
    measures = solve_decomposition(compiled)
    assert measures.number_waiting[0, 0] == pytest.approx(waiting, rel=1e-12)
    assert measures.abandonment_rate[0, 0] == pytest.approx(0.4 * waiting, rel=1e-12)
    assert measures.loss_rate[0, 0] == pytest.approx(2.5 * law[6], rel=1e-12)
    assert measures.throughput[0, 0] == pytest.approx((law * np.minimum(n, 2)).sum(), rel=1e-12)


def test_two_patiences_against_their_chain() -> None:
    # one server, classes of patience 1 and 4, same service: a chain on the classes in the queue
    # (as a sequence, at most 9 present), solved densely; the shared wait is an approximation
    expected = _two_patience_chain(0.6, 0.5, 1.0, (1.0, 4.0), 9)
    compiled = build([[1.0, 1.0]], external=[[0.6, 0.5]], patience=[[1.0, 4.0]], capacity=9)
    measures = solve_decomposition(compiled)
    np.testing.assert_allclose(measures.abandonment_rate[0], expected, rtol=0.05)
    assert decomposition_assumptions(compiled) == [("several_patiences", 0)]


def _two_patience_chain(
    first: float, second: float, service: float, patience: tuple[float, float], places: int
) -> np.ndarray:
    queues = [()]
    layer: list[tuple[int, ...]] = [()]
    for _ in range(places - 1):
        layer = [(*queue, k) for queue in layer for k in (0, 1)]
        queues += layer
    index = {("idle",): 0} | {queue: i + 1 for i, queue in enumerate(queues)}
    generator = np.zeros((len(index), len(index)))
    generator[0, index[()]] = first + second
    for queue in queues:
        here = index[queue]
        for k, rate in enumerate((first, second)):
            if len(queue) < places - 1:
                generator[here, index[(*queue, k)]] += rate
        generator[here, index[queue[1:]] if queue else 0] += 1.0 / service
        for position, k in enumerate(queue):
            rest = queue[:position] + queue[position + 1 :]
            generator[here, index[rest]] += 1.0 / patience[k]
    np.fill_diagonal(generator, -generator.sum(axis=1))
    system = np.vstack([generator.T[:-1], np.ones(len(index))])
    law = np.linalg.solve(system, np.r_[np.zeros(len(index) - 1), 1.0])
    return np.array(
        [sum(law[index[queue]] * queue.count(k) for queue in queues) / patience[k] for k in (0, 1)]
    )


def test_cobham_by_hand() -> None:
    # M/G/1, W0 = (0.3 * 1.25 + 0.2 * 2 * 2) / 2 with E[S^2] = 1.25 and 4 (scv 0.25 and 0 at 1, 2)
    residual = (0.3 * 1.25 + 0.2 * 4.0) / 2.0
    compiled = build(
        [[1.0, 2.0]],
        external=[[0.3, 0.2]],
        discipline=PRIORITY,
        priority=[[1, 2]],
        service_scv=[[0.25, 0.0]],
    )
    waits = solve_decomposition(compiled).waiting_time[0]
    np.testing.assert_allclose(waits, [residual / 0.7, residual / (0.7 * 0.3)], rtol=1e-12)


def test_kella_and_yechiali_by_hand() -> None:
    # M/M/2, mean 1, rates 0.5 and 1: C = Erlang C at load 1.5 = 9/14, W0 = C/2
    start = 9.0 / 14.0 / 2.0
    compiled = build(
        [[1.0, 1.0]], external=[[0.5, 1.0]], servers=2, discipline=PRIORITY, priority=[[0, 5]]
    )
    waits = solve_decomposition(compiled).waiting_time[0]
    np.testing.assert_allclose(waits, [start / 0.75, start / (0.75 * 0.25)], rtol=1e-12)


def test_a_rank_above_a_saturated_one_still_waits_finitely() -> None:
    # all servers always busy: the first rank waits W0/(1 - sigma), W0 = 1/(c mu)
    compiled = build(
        [[1.0, 1.0]], external=[[0.5, 3.0]], servers=2, discipline=PRIORITY, priority=[[0, 1]]
    )
    measures = solve_decomposition(compiled)
    assert measures.waiting_time[0, 0] == pytest.approx(0.5 / 0.75, rel=1e-12)
    assert measures.waiting_time[0, 1] == np.inf
    np.testing.assert_allclose(measures.throughput[0], [0.5, 1.5], rtol=1e-12)
    np.testing.assert_allclose(measures.growth_rate[0], [0.0, 1.5], atol=1e-12)


def test_all_first_come_classes_wait_alike() -> None:
    compiled = build([[1.0, 3.0]], external=[[0.3, 0.1]], service_scv=[[0.5, 2.0]])
    measures = solve_decomposition(compiled)
    # Pollaczek and Khinchine: W = sum lambda E[S^2] / (2 (1 - rho))
    expected = (0.3 * 1.5 + 0.1 * 27.0) / 2.0 / 0.4
    np.testing.assert_allclose(measures.waiting_time[0], expected, rtol=1e-12)
    np.testing.assert_allclose(measures.number_in_service[0], [0.3, 0.3], rtol=1e-12)


def test_a_held_transfer_is_a_longer_service_in_two_phases() -> None:
    # M/G/1 with service of mean 0.5 and an exponential hold of mean 0.25 on three jobs in five
    mean = 0.5 + 0.6 * 0.25
    square = 2 * 0.25 + 2 * 0.5 * 0.15 + 0.6 * 2 * 0.0625
    compiled = build(
        [0.5, 0.1],
        external=[1.0, 0.0],
        routing=[[0, 0.6], [0, 0]],
        transfer_delay=[[0, 0.25], [0, 0]],
        holds_server=[[0, 1], [0, 0]],
    )
    measures = solve_decomposition(compiled)
    assert measures.waiting_time[0, 0] == pytest.approx(square / 2 / (1 - mean), rel=1e-12)
    assert measures.number_held_in_transfer[0, 0] == pytest.approx(0.15, rel=1e-12)
    assert measures.number_in_service[0, 0] == pytest.approx(0.5, rel=1e-12)


def test_straight_feedback_keeps_the_wait_of_one_long_service() -> None:
    # M/G/1 with immediate return to the head of the line is M/G/1 with compound service: the
    # number waiting is that of Pollaczek and Khinchine at mean s/(1-q), scv q + (1-q) c2
    q, mean, scv = 0.4, 0.5, 0.3
    compound = q + (1 - q) * scv
    load = mean / (1 - q)
    compiled = build([mean], external=[1.0], routing=[[q]], service_scv=scv)
    measures = solve_decomposition(compiled)
    expected = load**2 * (1 + compound) / 2 / (1 - load)
    assert measures.number_waiting[0, 0] == pytest.approx(expected, rel=1e-12)


def test_fractional_servers_lie_between_their_neighbors() -> None:
    waits = [
        solve_decomposition(build([1.0], external=[1.5], servers=c)).waiting_time[0, 0]
        for c in (2.0, 2.5, 3.0)
    ]
    assert waits[0] > waits[1] > waits[2] > 0.0
