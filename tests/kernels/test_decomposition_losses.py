"""Loss, overflow and abandonment in the decomposition: what is thinned, where it goes, loops."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.decomposition_cases import birth_death

import flownet as fn
from flownet.kernels.compiled import (
    LOST,
    OVERFLOW,
)
from flownet.kernels.decomposition import (
    solve_decomposition,
)
from oracles.compiled_networks import build


def test_loss_thins_what_flows_on_and_feeds_back() -> None:
    # two loss stations in a loop: the fixed point of Erlang's formula, by its two equations
    compiled = build(
        [1.0, 1.0],
        external=[3.0, 0.0],
        servers=2,
        capacity=2,
        when_full=LOST,
        routing=[[0, 0.8], [0.9, 0]],
    )
    measures = solve_decomposition(compiled)
    first, second = measures.arrival_rate[:, 0]
    blocked = [birth_death(rate, 1.0, 2, 2)[2] for rate in (first, second)]
    # Poisson is not what flows between, so the peakedness differs from 1 and the losses slightly
    np.testing.assert_allclose(measures.probability_full, blocked, rtol=0.1)
    passed = measures.throughput[:, 0]
    assert first == pytest.approx(3.0 + 0.9 * passed[1], rel=1e-11)
    assert second == pytest.approx(0.8 * passed[0], rel=1e-11)
    np.testing.assert_allclose(passed + measures.loss_rate[:, 0], [first, second], rtol=1e-12)


def test_heavy_losing_feedback_converges() -> None:
    # all completions come back: 99 % of the flow circulates, most of it lost
    compiled = build(
        [1.0, 1.0, 1.0],
        external=[50.0, 0.0, 0.0],
        servers=[5, 10, 3],
        capacity=[5, 14, 3],
        when_full=LOST,
        routing=[[0, 0.5, 0.5], [0.5, 0, 0.5], [0.99, 0, 0]],
    )
    measures = solve_decomposition(compiled)
    assert measures.status == 0
    assert measures.residual < 1e-9


def test_saturated_classes_that_change_in_a_loop_converge() -> None:
    """Newton's steps wander for some 90 rounds; checked by balance and capacity."""
    names, classes = ("a", "b", "c"), ("x", "y", "z")
    times = np.array([[0.98, 2.98, 0.2], [0.43, 2.68, 0.233], [1.43, 3.81, 1.087]])
    outside = np.array([[0.0, 0.0, 0.0], [0.648, 0.388, 0.739], [0.99, 0.96, 0.274]])
    servers = np.array([5.0, 5.0, 4.0])
    routes = [  # from, to, probability by class, the class they go on as
        (0, 0, {2: 0.95}, None),
        (0, 2, {1: 0.57}, None),
        (1, 1, {1: 0.95, 2: 0.657}, None),
        (1, 2, {0: 0.95, 2: 0.293}, 2),
        (2, 0, {1: 0.59}, None),
        (2, 1, {2: 0.946}, None),
        (2, 2, {1: 0.36, 2: 0.004}, 2),
    ]
    network = fn.Network.from_dict(
        {
            "network": {"time_unit": "hour"},
            "classes": {k: {} for k in classes},
            "services": [
                {
                    "name": name,
                    "discipline": "ps",
                    "servers": int(servers[i]),
                    "service_time": dict(zip(classes, times[i], strict=True)),
                    "external_arrival_rate": dict(zip(classes, outside[i], strict=True)),
                }
                for i, name in enumerate(names)
            ],
            "routes": [
                {
                    "from": names[i],
                    "to": names[j],
                    "routing_probability": {classes[k]: share for k, share in chances.items()},
                }
                | ({} if goes_as is None else {"to_class": classes[goes_as]})
                for i, j, chances, goes_as in routes
            ],
        }
    )
    solution = fn.solve(network)
    assert solution.converged
    passed = solution.measures.throughput
    arriving = outside.copy()
    for i, j, chances, goes_as in routes:
        for k, share in chances.items():
            arriving[j, k if goes_as is None else goes_as] += share * passed[i, k]
    assert solution.measures.arrival_rate == pytest.approx(arriving, rel=1e-9, abs=1e-12)
    busy = (passed * times).sum(axis=1)
    saturated = (solution.measures.growth_rate > 0.0).any(axis=1)
    assert saturated.any()
    assert busy[saturated] == pytest.approx(servers[saturated], rel=1e-9)
    assert (busy[~saturated] < servers[~saturated]).all()


def test_overflow_is_peaked_and_reaches_its_target() -> None:
    # Wilkinson's system: Poisson load 8 on 6 trunks, overflow to 4 more, both exponential: the
    # loss of the whole is Erlang B at 10 trunks. Poisson overflow would lose 30 % too little,
    # Hayward's correction 6 %
    full = birth_death(8.0, 1.0, 10, 10)[10]
    compiled = build(
        [1.0, 1.0],
        external=[8.0, 0.0],
        servers=[6, 4],
        capacity=[6, 4],
        external_when_full=OVERFLOW,
        when_full=LOST,
        overflow_to=[1, -1],
    )
    measures = solve_decomposition(compiled)
    overflow = 8.0 * birth_death(8.0, 1.0, 6, 6)[6]
    assert measures.overflow_rate[0, 0] == pytest.approx(overflow, rel=1e-12)
    assert measures.arrival_rate[1, 0] == pytest.approx(overflow, rel=1e-12)
    naive = overflow * birth_death(overflow, 1.0, 4, 4)[4]
    assert abs(measures.loss_rate[1, 0] - 8.0 * full) < 0.25 * abs(naive - 8.0 * full)
    assert measures.arrival_scv[1] > 1.3


def test_overflow_of_a_service_with_a_waiting_room() -> None:
    # M/M/1/2, both rates 1; T_n is the time from n present to n + 1, an overflow being T_2.
    # means 1, 2, 3; E T_n^2 = 1 + (E T_{n-1} + E T_n) + E T_{n-1}^2 + 2 E T_{n-1} E T_n
    # from E T_0^2 = 2: 1 + 3 + 2 + 4 = 10, then 1 + 5 + 10 + 12 = 28; scv 28/9 - 1
    compiled = build(
        [1.0, 0.1],
        external=[1.0, 0.0],
        capacity=[2, np.inf],
        external_when_full=OVERFLOW,
        overflow_to=[1, -1],
    )
    measures = solve_decomposition(compiled)
    assert measures.overflow_rate[0, 0] == pytest.approx(1.0 / 3.0, rel=1e-12)
    assert measures.arrival_scv[1] == pytest.approx(19.0 / 9.0, rel=1e-12)


def test_abandonment_thins_what_flows_on() -> None:
    law = birth_death(3.0, 1.0, 2, 80, leave=0.5)
    gone = 0.5 * (law * np.maximum(np.arange(81) - 2, 0)).sum()
    compiled = build(
        [1.0, 0.1],
        external=[3.0, 0.0],
        servers=[2, 1],
        patience=[2.0, np.inf],
        routing=[[0, 1], [0, 0]],
    )
    measures = solve_decomposition(compiled)
    assert measures.abandonment_rate[0, 0] == pytest.approx(gone, rel=1e-11)
    assert measures.arrival_rate[1, 0] == pytest.approx(3.0 - gone, rel=1e-11)
    assert measures.growth_rate.sum() == 0.0


def test_the_firm_saturate_and_the_impatient_all_leave() -> None:
    compiled = build([[1.0, 1.0]], external=[[1.5, 1.0]], patience=[[np.inf, 2.0]])
    measures = solve_decomposition(compiled)
    np.testing.assert_allclose(measures.throughput[0], [1.0, 0.0], rtol=1e-12)
    np.testing.assert_allclose(measures.growth_rate[0], [0.5, 0.0], rtol=1e-12)
    np.testing.assert_allclose(measures.abandonment_rate[0], [0.0, 1.0], rtol=1e-12)
    assert measures.number_waiting[0, 0] == np.inf
    assert measures.number_waiting[0, 1] == pytest.approx(2.0, rel=1e-12)


def test_saturation_shares_capacity_by_arrivals() -> None:
    # load 0.6 * 1 + 0.7 * 2 = 2 on one server: half of each class goes on
    compiled = build(
        [[1.0, 2.0], [0.1, 0.1]],
        external=[[0.6, 0.7], [0.0, 0.0]],
        routing=[[0, 1], [0, 0]],
        service_scv=0.5,
    )
    measures = solve_decomposition(compiled)
    np.testing.assert_allclose(measures.throughput[0], [0.3, 0.35], rtol=1e-12)
    np.testing.assert_allclose(measures.arrival_rate[1], [0.3, 0.35], rtol=1e-12)
    np.testing.assert_allclose(measures.growth_rate[0], [0.3, 0.35], rtol=1e-12)
    assert np.isinf(measures.waiting_time[0]).all()
    assert np.isfinite(measures.waiting_time[1]).all()
