"""Traffic equations against dense linear algebra, traps, reachability, and the solvers apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet.kernels.compiled import OVERFLOW
from flownet.kernels.traffic import find_traps, reachable_states, solve_flows, solve_traffic
from flownet.kernels.traffic_iterative import (
    bicgstab,
    gauss_seidel,
    half_bandwidth,
    narrow_order,
    solve_band,
    transpose_pattern,
)
from flownet.kernels.traffic_solvers import strong_components
from oracles.compiled_networks import build


def random_routing(
    rng: np.random.Generator, states: int, degree: float, exit_share: float
) -> np.ndarray:
    """Return random routing probabilities; every row leaves with `exit_share` on average."""
    matrix = rng.random((states, states)) * (rng.random((states, states)) < degree / states)
    total = matrix.sum(axis=1, keepdims=True)
    keep = 1.0 - exit_share * rng.uniform(0.5, 1.5, (states, 1))
    return np.divide(matrix * keep, total, out=np.zeros_like(matrix), where=total > 0.0)


def dense_solution(matrix: np.ndarray, external: np.ndarray) -> np.ndarray:
    return np.linalg.solve(np.eye(external.size) - matrix.T, external)


@given(
    seed=st.integers(0, 2**32 - 1),
    services=st.integers(1, 30),
    classes=st.integers(1, 3),
    degree=st.sampled_from([0.5, 1.0, 2.0, 5.0]),
    exit_share=st.sampled_from([1e-6, 1e-3, 0.1, 0.6]),
)
def test_agrees_with_dense_elimination(
    seed: int, services: int, classes: int, degree: float, exit_share: float
) -> None:
    rng = np.random.default_rng(seed)
    states = services * classes
    matrix = random_routing(rng, states, degree, exit_share)
    external = rng.random((services, classes)) * (rng.random((services, classes)) < 0.5)
    if classes == 1:
        compiled = build(np.ones(services), external=external, routing=matrix)
    else:
        compiled = build(np.ones((services, classes)), external=external, routing=matrix)
    traffic = solve_traffic(compiled)
    expected = dense_solution(matrix, external.reshape(-1)).reshape(services, classes)
    assert traffic.status == 0
    np.testing.assert_allclose(
        traffic.arrival_rate, expected, rtol=1e-8, atol=1e-9 * max(expected.max(), 1.0)
    )


@pytest.mark.parametrize(
    ("states", "degree", "exit_share"),
    [(400, 5.0, 0.1), (400, 5.0, 1e-4), (300, 1.5, 0.02), (1000, 3.0, 0.3)],
)
def test_large_components_agree_with_dense_elimination(
    states: int, degree: float, exit_share: float
) -> None:
    rng = np.random.default_rng(states)
    matrix = random_routing(rng, states, degree, exit_share)
    external = rng.random(states)
    traffic = solve_traffic(build(np.ones(states), external=external, routing=matrix))
    expected = dense_solution(matrix, external)
    assert traffic.status == 0
    np.testing.assert_allclose(traffic.arrival_rate[:, 0], expected, rtol=1e-9)


def test_a_long_ring_with_a_hard_exit_is_solved_to_precision() -> None:
    # every visit leaves with 1e-4, wherever it is: all rates are external / 1e-4 by symmetry
    n = 500
    matrix = np.roll(np.eye(n), 1, axis=1) * (1.0 - 1e-4)
    traffic = solve_traffic(build(np.ones(n), external=np.ones(n), routing=matrix))
    assert traffic.status == 0
    np.testing.assert_allclose(traffic.arrival_rate, 1e4, rtol=1e-9)


def test_chain_with_feedback_by_hand() -> None:
    # visits: 1/(1 - 0.25) at the first two, 0.75 of those leave through the third
    routing = [[0, 1, 0], [0.25, 0, 0.75], [0, 0, 0]]
    traffic = solve_traffic(build(np.ones(3), external=[3.0, 0, 0], routing=routing))
    np.testing.assert_allclose(traffic.arrival_rate[:, 0], [4.0, 4.0, 3.0], rtol=1e-15)


def test_keep_thins_what_flows_on() -> None:
    routing = [[0, 1, 0], [0.25, 0, 0.75], [0, 0, 0]]
    compiled = build(np.ones(3), external=[3.0, 0, 0], routing=routing)
    keep = np.array([[0.5], [1.0], [1.0]])
    traffic = solve_traffic(compiled, keep=keep)
    first = 3.0 / (1.0 - 0.125)
    np.testing.assert_allclose(traffic.arrival_rate[:, 0], [first, first / 2, 0.375 * first])
    double = solve_traffic(compiled, keep=keep, external=2.0 * compiled.external_arrival_rate)
    np.testing.assert_allclose(double.arrival_rate, 2.0 * traffic.arrival_rate)


def test_classes_change_on_routes() -> None:
    # class 0 at service 0 goes on to service 1 as class 1, and comes back as class 0 half the time
    matrix = np.zeros((4, 4))
    matrix[0, 3] = 1.0
    matrix[3, 0] = 0.5
    compiled = build(np.ones((2, 2)), external=[[1.0, 0.0], [0.0, 0.0]], routing=matrix)
    np.testing.assert_allclose(solve_traffic(compiled).arrival_rate, [[2.0, 0.0], [0.0, 2.0]])


def test_a_fed_trap_is_infinite_and_named() -> None:
    routing = [[0, 0.5, 0, 0.5], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    compiled = build(np.ones(4), external=[1.0, 0, 0, 0], routing=routing)
    traps = find_traps(compiled)
    assert [sorted(trap.tolist()) for trap in traps] == [[1, 2]]
    traffic = solve_traffic(compiled)
    assert traffic.status == 2
    np.testing.assert_array_equal(traffic.arrival_rate[:, 0], [1.0, np.inf, np.inf, 0.5])


def test_a_large_fed_trap_is_infinite() -> None:
    n = 200
    routing = np.roll(np.eye(n), 1, axis=1)
    compiled = build(np.ones(n), external=np.r_[1.0, np.zeros(n - 1)], routing=routing)
    assert solve_traffic(compiled).status == 2
    assert [trap.size for trap in find_traps(compiled)] == [n]


def test_a_trap_that_nothing_reaches_does_no_harm() -> None:
    routing = [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    compiled = build(np.ones(3), external=[1.0, 0, 0], routing=routing)
    assert len(find_traps(compiled)) == 1
    traffic = solve_traffic(compiled)
    assert traffic.status == 0
    np.testing.assert_array_equal(traffic.arrival_rate[:, 0], [1.0, 0.0, 0.0])
    assert not reachable_states(compiled)[1:].any()


def test_a_loop_to_itself_with_certainty_is_a_trap() -> None:
    compiled = build(np.ones(2), external=[1.0, 0.0], routing=[[0.5, 0.5], [0.0, 1.0]])
    assert [trap.tolist() for trap in find_traps(compiled)] == [[1]]


def test_no_routes_at_all() -> None:
    compiled = build(np.ones(2), external=[1.0, 2.0])
    np.testing.assert_array_equal(solve_traffic(compiled).arrival_rate[:, 0], [1.0, 2.0])
    assert find_traps(compiled) == []


def test_overflow_reaches_its_service() -> None:
    settings: dict[str, Any] = {"external": [1.0, 0.0, 0.0], "overflow_to": [1, -1, -1]}
    lost = build(np.ones(3), capacity=[1, np.inf, np.inf], **settings)
    spilled = build(
        np.ones(3), capacity=[1, np.inf, np.inf], external_when_full=OVERFLOW, **settings
    )
    assert reachable_states(lost)[:, 0].tolist() == [True, False, False]
    assert reachable_states(spilled)[:, 0].tolist() == [True, True, False]


def test_components_come_successors_first() -> None:
    rng = np.random.default_rng(3)
    compiled = build(np.ones(60), routing=random_routing(rng, 60, 1.2, 0.1))
    every = np.ones(60, dtype=np.int64)
    component = strong_components(compiled.route_start, compiled.route_to, every)
    counts = np.diff(compiled.route_start.astype(np.int64))
    source = np.repeat(np.arange(60), counts)
    assert (component[source] >= component[compiled.route_to]).all()


def test_iterative_solvers_agree_and_report_their_residual() -> None:
    rng = np.random.default_rng(8)
    matrix = random_routing(rng, 120, 4.0, 0.2)
    compiled = build(np.ones(120), routing=matrix)
    routes = (compiled.route_start, compiled.route_to, compiled.route_probability)
    external = rng.random(120)
    expected = dense_solution(matrix, external)
    krylov = external.copy()
    iterations, residual = bicgstab(*routes, external, krylov, 1e-13, 60)
    assert 0 < iterations <= 60
    assert residual <= 1e-12
    np.testing.assert_allclose(krylov, expected, rtol=1e-10)
    swept = np.zeros(120)
    sweeps, error = gauss_seidel(*routes, external, swept, 1e-13, 10_000)
    assert 0 < sweeps < 100
    assert error <= 1e-12
    np.testing.assert_allclose(swept, expected, rtol=1e-10)
    capped, coarse = bicgstab(*routes, external, external.copy(), 1e-13, 1)
    assert capped == 1
    assert coarse > 1e-3


def test_a_narrow_band_is_found_and_solved() -> None:
    # a ring on which jobs move up to three places, shuffled: breadth first it lies in a band
    rng = np.random.default_rng(5)
    n = 200
    matrix = sum(rng.random() * np.roll(np.eye(n), k, axis=1) for k in (-3, -1, 1, 2))
    matrix *= 0.999 / matrix.sum(axis=1, keepdims=True)
    shuffled = rng.permutation(n)
    matrix = matrix[np.ix_(shuffled, shuffled)]
    compiled = build(np.ones(n), routing=matrix)
    routes = (compiled.route_start, compiled.route_to)
    back = transpose_pattern(*routes)
    order = narrow_order(*routes, *back, 0, 50)
    assert sorted(order) == list(range(n))
    half = half_bandwidth(*routes, order)
    assert half <= 12
    external = rng.random(n)
    solution = solve_band(*routes, compiled.route_probability, external, order, half)
    np.testing.assert_allclose(solution, dense_solution(matrix, external), rtol=1e-9)
    assert narrow_order(*routes, *back, 0, 3).size == 0


def test_signed_right_sides_are_solved_too() -> None:
    rng = np.random.default_rng(9)
    matrix = random_routing(rng, 20, 3.0, 0.2)
    compiled = build(np.ones(20), routing=matrix)
    right = rng.normal(size=20)
    _, _, _, solution = solve_flows(
        compiled.route_start, compiled.route_to, compiled.route_probability, right
    )
    np.testing.assert_allclose(solution, dense_solution(matrix, right), atol=1e-12)
