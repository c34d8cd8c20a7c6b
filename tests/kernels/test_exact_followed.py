"""The time in the system of one job, followed through the chain, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import erlang, expon

from flownet.errors import MethodError, ParameterError
from flownet.kernels.compiled import PRIORITY, PROCESSOR_SHARING, WAIT_OUTSIDE
from flownet.kernels.exact import solve_exact
from flownet.kernels.exact_followed import time_in_system
from oracles.compiled_networks import build

TIMES = [3.0, 0.0, 0.5, 10.0]


def test_one_server_has_an_exponential_time_in_the_system():
    found = time_in_system(build([1.0], external=0.6), 0, 0, at=TIMES)
    law = expon(scale=1 / 0.4)
    assert found.left == pytest.approx(law.cdf(TIMES), abs=1e-10)
    assert found.mean == pytest.approx(law.mean(), rel=1e-9)
    assert found.variance == pytest.approx(law.var(), rel=1e-8)
    assert found.served == pytest.approx(1.0, rel=1e-12)


def test_waiting_outside_counts():
    network = build([1.0], capacity=2, external=0.6, external_when_full=WAIT_OUTSIDE)
    found = time_in_system(network, 0, 0, at=TIMES)
    assert found.left == pytest.approx(expon(scale=1 / 0.4).cdf(TIMES), abs=1e-10)


def test_two_servers_in_a_row_have_independent_times():
    # Reich 1957: the times at M/M/1 in tandem are independent; equal rates give an Erlang law
    network = build([1.0, 1.0], external=[0.4, 0], routing=[[0, 1.0], [0, 0]])
    found = time_in_system(network, 0, 0, at=TIMES, truncation_mass=1e-9)
    law = erlang(2, scale=1 / 0.6)
    assert found.left == pytest.approx(law.cdf(TIMES), abs=1e-7)
    assert found.variance == pytest.approx(law.var(), rel=1e-5)


def test_processor_sharing_has_the_variance_of_coffman_muntz_and_trotter():
    # 1970: Var T = (2 + r) / (2 - r) / (mu - lambda)^2
    found = time_in_system(build([1.0], external=0.5, discipline=PROCESSOR_SHARING), 0, 0)
    assert found.mean == pytest.approx(2.0, rel=1e-9)
    assert found.variance == pytest.approx(2.5 / 1.5 * 4.0, rel=1e-7)


def test_loss_and_patience_end_a_job():
    network = build([1.0], servers=2, capacity=4, external=2.5, patience=0.8)
    found, m = time_in_system(network, 0, 0, at=[1e3]), solve_exact(network).measures
    assert found.lost == pytest.approx(m.loss_rate[0, 0] / 2.5, rel=1e-10)
    assert found.gave_up == pytest.approx(m.abandonment_rate[0, 0] / 2.5, rel=1e-10)
    assert found.served == pytest.approx(m.throughput[0, 0] / 2.5, rel=1e-10)
    assert found.left == pytest.approx([found.served], rel=1e-10)
    assert found.mean == pytest.approx(1.0 + m.waiting_time[0, 0], rel=1e-9)


def test_classes_by_priority_wait_as_cobham_says():
    rates, times = np.array([0.25, 0.2]), np.array([1.0, 1.5])
    network = build([times], external=[rates], discipline=PRIORITY, priority=[[1, 2]])
    m = solve_exact(network, truncation_mass=1e-8).measures
    for k in (0, 1):
        found = time_in_system(network, 0, k, truncation_mass=1e-8)
        assert found.mean == pytest.approx(times[k] + m.waiting_time[0, k], rel=1e-6)


def test_blocking_feedback_phases_and_transfers_fulfil_littles_law():
    network = build(
        [[1.0, 0.6], [0.8, 1.1]],
        servers=[2, 1],
        capacity=[3, 2],
        external=[[0.4, 0.3], [0.0, 0.2]],
        routing=np.array([[[0, 0.8], [0.3, 0]], [[0.1, 0.5], [0.4, 0]]]),
        transfer_delay=np.array([[[0, 0.3], [0, 0]], [[0, 0.3], [0, 0]]]),
        holds_server=True,
        service_scv=[[1.0, 2.0], [0.5, 1.0]],
    )
    parameters = network.service_parameters.copy()
    parameters[0, 1] = [0.3, 1.1, (0.6 - 0.33) / 0.7]  # hyperexponential with mean 0.6
    parameters[1, 0] = [0.0, 2.0, 2 / 0.8]  # two phases with mean 0.8
    network = network._replace(service_parameters=parameters)
    result = solve_exact(network, truncation_mass=1e-9)
    m = result.measures
    inside = m.number_waiting + m.number_in_service + m.number_blocked + m.number_held_in_transfer
    spent = 0.0
    for i, k in ((0, 0), (0, 1), (1, 1)):
        found = time_in_system(network, i, k, at=[5.0], truncation_mass=1e-9)
        rate = float(network.external_arrival_rate[i, k])
        assert found.served + found.lost == pytest.approx(1.0, abs=1e-9)
        assert 0.0 < found.left[0] < found.served
        spent += rate * found.served * found.mean
    assert spent == pytest.approx(float(inside.sum() + result.in_transit.sum()), rel=1e-6)


def test_what_cannot_be_followed_is_refused():
    with pytest.raises(MethodError, match="overloaded"):
        time_in_system(build([1.0], external=1.5), 0, 0)
    with pytest.raises(MethodError, match="Poisson"):
        time_in_system(build([1.0], external=0.5, arrival_scv=2.0), 0, 0, fit=True)
    with pytest.raises(ParameterError, match="not among"):
        time_in_system(build([1.0], external=0.5), 1, 0)
