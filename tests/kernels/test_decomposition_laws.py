"""Laws that every solved network obeys: balance, Little, relabeling, time unit, monotonicity."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, example, given
from hypothesis import strategies as st

from flownet.kernels.compiled import (
    DELAY,
    FCFS,
    LOST,
    OVERFLOW,
    PRIORITY,
    PROCESSOR_SHARING,
    CompiledNetwork,
    Measures,
)
from flownet.kernels.decomposition import decomposition_reasons, solve_decomposition
from flownet.kernels.traffic import solve_flows
from oracles.compiled_networks import build

SEEDS = st.integers(0, 2**32 - 1)


def random_network(seed: int, services: int, classes: int) -> dict[str, np.ndarray]:
    """Return the arguments of a network with everything in it: by state, over (n, R, n, R)."""
    rng = np.random.default_rng(seed)
    shape = (services, classes)
    states = services * classes
    matrix = rng.random((states, states)) * (rng.random((states, states)) < 2.5 / states)
    total = matrix.sum(axis=1, keepdims=True)
    stay = rng.uniform(0.3, 0.95, (states, 1))
    matrix = np.divide(matrix * stay, total, out=np.zeros_like(matrix), where=total > 0)
    servers = rng.integers(1, 8, services) + rng.choice([0.0, 0.5], services, p=[0.8, 0.2])
    discipline = rng.choice([FCFS, FCFS, PRIORITY, PROCESSOR_SHARING, DELAY], services)
    servers[discipline == DELAY] = np.inf
    limited = rng.random(services) < 0.4
    room = np.where(np.isinf(servers), 3.0, servers) + rng.integers(0, 4, services)
    spills = limited & (rng.random(services) < 0.4)
    spills[-1] = False  # overflow leads down the list, so that it cannot run in a circle
    patient = rng.random(shape) < 0.7
    patient[discipline == PROCESSOR_SHARING] = True
    return {
        "service_time": rng.uniform(0.1, 2.0, shape),
        "external": rng.random(shape) * (rng.random(shape) < 0.6) * rng.choice([0.5, 2.0, 6.0]),
        "routing": matrix.reshape(*shape, *shape),
        "servers": servers,
        "capacity": np.where(limited, room, np.inf),
        "discipline": discipline,
        "when_full": np.where(spills, OVERFLOW, LOST),
        "external_when_full": np.where(spills, OVERFLOW, LOST),
        "overflow_to": np.where(spills, np.arange(services) + 1, -1),
        "priority": rng.integers(0, 3, shape),
        "service_scv": rng.choice([0.0, 0.5, 1.0, 4.0], shape),
        "arrival_scv": rng.choice([0.25, 1.0, 1.0, 3.0], shape),
        "patience": np.where(patient, np.inf, rng.uniform(0.2, 5.0, shape)),
        "transfer_delay": rng.random((*shape, *shape)),
        "holds_server": rng.random((*shape, *shape)) < 0.3,
    }


def compile_it(given_arguments: dict[str, np.ndarray]) -> CompiledNetwork:
    arguments = dict(given_arguments)
    states = arguments["service_time"].size
    for name in ("routing", "transfer_delay", "holds_server"):
        flat = arguments[name].reshape(states, states)
        arguments[name] = flat if arguments["service_time"].shape[1] > 1 else flat[None]
    return build(**arguments)


def solve_it(arguments: dict[str, np.ndarray]) -> tuple[CompiledNetwork, Measures]:
    compiled = compile_it(arguments)
    assert decomposition_reasons(compiled) == []
    measures = solve_decomposition(compiled)
    assume(measures.status == 0)
    return compiled, measures


@given(seed=SEEDS, services=st.integers(1, 5), classes=st.integers(1, 3))
def test_it_converges(seed: int, services: int, classes: int) -> None:
    measures = solve_decomposition(compile_it(random_network(seed, services, classes)))
    assert measures.status == 0
    assert measures.residual <= 1e-9


@given(seed=SEEDS, services=st.integers(1, 5), classes=st.integers(1, 3))
@example(seed=3175, services=5, classes=3)  # those who never give up all but saturate one
def test_flows_balance(seed: int, services: int, classes: int) -> None:
    compiled, measures = solve_it(random_network(seed, services, classes))
    balance = compiled.external_arrival_rate.reshape(-1).copy()
    passed = measures.throughput.reshape(-1)
    for state in range(balance.size):
        for route in range(compiled.route_start[state], compiled.route_start[state + 1]):
            balance[compiled.route_to[route]] += compiled.route_probability[route] * passed[state]
    balance = balance.reshape(services, classes)
    for i in np.flatnonzero(compiled.overflow_to >= 0):
        balance[compiled.overflow_to[i]] += measures.overflow_rate[i]
    scale = max(measures.arrival_rate.max(), 1e-300)
    np.testing.assert_allclose(measures.arrival_rate, balance, atol=1e-9 * scale)
    leaving = measures.throughput + measures.loss_rate + measures.overflow_rate
    leaving = leaving + measures.abandonment_rate + measures.growth_rate
    np.testing.assert_allclose(measures.arrival_rate, leaving, atol=1e-9 * scale)
    for rates in (measures.throughput, measures.loss_rate, measures.overflow_rate):
        assert (rates >= -1e-12 * scale).all()


@given(seed=SEEDS, services=st.integers(1, 5), classes=st.integers(1, 3))
@example(seed=17962, services=5, classes=1)  # even service, offered more than it can do
@example(seed=1775026075, services=5, classes=1)  # the same, and who waits gives up
def test_little_holds_at_every_service_and_class(seed: int, services: int, classes: int) -> None:
    compiled, measures = solve_it(random_network(seed, services, classes))
    used = measures.number_in_service + measures.number_held_in_transfer
    assert (used.sum(axis=1) <= compiled.servers * (1 + 1e-9)).all()
    present = used + measures.number_waiting
    assert (present.sum(axis=1) <= compiled.capacity * (1 + 1e-9)).all()
    np.testing.assert_allclose(
        measures.number_in_service, measures.throughput * compiled.service_time, rtol=1e-12
    )
    firm = np.isinf(compiled.patience).all(axis=1)
    admitted = measures.throughput + measures.growth_rate
    for i in np.flatnonzero(firm):
        for k in range(classes):
            if np.isfinite(measures.number_waiting[i, k]):
                expected = admitted[i, k] * measures.waiting_time[i, k]
                np.testing.assert_allclose(
                    measures.number_waiting[i, k], expected, rtol=1e-9, atol=1e-12
                )
    patient = np.isfinite(compiled.patience) & np.isfinite(measures.number_waiting)
    leaves = patient & (np.isfinite(compiled.servers) | np.isfinite(compiled.capacity))[:, None]
    np.testing.assert_allclose(
        measures.abandonment_rate[leaves],
        measures.number_waiting[leaves] / compiled.patience[leaves],
        rtol=1e-12,
    )


@given(seed=SEEDS, services=st.integers(2, 5), classes=st.integers(1, 3))
def test_names_do_not_matter(seed: int, services: int, classes: int) -> None:
    arguments = random_network(seed, services, classes)
    _, measures = solve_it(arguments)
    rng = np.random.default_rng(seed + 1)
    i, k = rng.permutation(services), rng.permutation(classes)
    place = np.argsort(i)
    moved = {}
    for name, value in arguments.items():
        if value.ndim == 1:
            moved[name] = value[i]
        elif value.ndim == 2:
            moved[name] = value[np.ix_(i, k)]
        else:
            moved[name] = value[np.ix_(i, k, i, k)]
    to = moved["overflow_to"]
    moved["overflow_to"] = np.where(to >= 0, place[to], -1)
    again = solve_decomposition(compile_it(moved))
    for name, value in measures._asdict().items():
        if isinstance(value, np.ndarray) and value.shape[:1] == (services,):
            other = getattr(again, name)
            expected = value[np.ix_(i, k)] if value.ndim == 2 else value[i]
            np.testing.assert_allclose(other, expected, rtol=1e-6, atol=1e-8, err_msg=name)


@given(seed=SEEDS, services=st.integers(1, 5), classes=st.integers(1, 3))
def test_the_time_unit_does_not_matter(seed: int, services: int, classes: int) -> None:
    arguments = random_network(seed, services, classes)
    _, measures = solve_it(arguments)
    factor = 60.0
    scaled = dict(arguments)
    for name in ("service_time", "patience", "transfer_delay"):
        scaled[name] = arguments[name] * factor
    scaled["external"] = arguments["external"] / factor
    again = solve_decomposition(compile_it(scaled))
    for name, value in measures._asdict().items():
        if isinstance(value, np.ndarray) and value.shape[:1] == (services,):
            power = -1.0 if "rate" in name or name == "throughput" else 0.0
            power = 1.0 if name == "waiting_time" else power
            np.testing.assert_allclose(
                getattr(again, name), value * factor**power, rtol=1e-6, atol=1e-8, err_msg=name
            )


@given(
    seed=SEEDS,
    scv=st.sampled_from([0.0, 0.3, 1.0, 3.0]),
    arrivals=st.sampled_from([0.3, 1.0, 3.0]),
    discipline=st.sampled_from([FCFS, PRIORITY, PROCESSOR_SHARING]),
    capacity=st.sampled_from([np.inf, 40.0]),
)
def test_a_single_station_gains_from_every_server(
    seed: int, scv: float, arrivals: float, discipline: int, capacity: float
) -> None:
    rng = np.random.default_rng(seed)
    rate = rng.uniform(0.5, 12.0)
    previous = np.inf
    for servers in range(1, 20):
        measures = solve_decomposition(
            build(
                [1.0],
                external=[rate],
                servers=servers,
                capacity=capacity,
                discipline=discipline,
                service_scv=scv,
                arrival_scv=arrivals,
            )
        )
        waiting = measures.number_waiting[0, 0]
        assert waiting <= previous * (1 + 1e-9) + 1e-12
        previous = waiting


@given(seed=SEEDS, services=st.integers(1, 6))
def test_saturated_flows_are_the_largest_solution(seed: int, services: int) -> None:
    # x = min(gamma + P' x, capacity) has one solution where every job leaves: iterate from above
    rng = np.random.default_rng(seed)
    matrix = rng.random((services, services)) ** 2
    matrix /= matrix.sum(axis=1, keepdims=True) * rng.uniform(1.02, 2.0, (services, 1))
    external = rng.random(services)
    capacity = rng.uniform(0.2, 3.0, services)
    compiled = build(1.0 / capacity, external=external, routing=matrix)
    measures = solve_decomposition(compiled)
    x = capacity.copy()
    for _ in range(20_000):
        x = np.minimum(external + matrix.T @ x, capacity)
    np.testing.assert_allclose(measures.throughput[:, 0], x, rtol=1e-9)
    status, _, _, free = solve_flows(
        compiled.route_start, compiled.route_to, compiled.route_probability, external
    )
    assert status == 0
    assert (measures.arrival_rate[:, 0] <= free * (1 + 1e-9)).all()
