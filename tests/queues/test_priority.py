"""Waits by class: chains of the numbers by class, textbook formulas, conservation, limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet import queues
from oracles import station_chains as oracle


@pytest.mark.parametrize("servers", [1, 2, 5])
@pytest.mark.parametrize("preemptive", [False, True])
def test_one_mean_against_the_chain(servers, preemptive):
    rates = np.array([0.25, 0.35]) * servers
    exact = oracle.two_classes(rates, (1.0, 1.0), servers, preemptive=preemptive, most=45)
    door = queues.priority_preemptive if preemptive else queues.priority_nonpreemptive
    assert door(rates, 1.0, servers).waiting_time == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("times", [(1.0, 2.0), (2.0, 0.5)])
@pytest.mark.parametrize("preemptive", [False, True])
def test_one_server_two_means_against_the_chain(times, preemptive):
    rates = np.array([0.3, 0.25]) / times
    exact = oracle.two_classes(rates, times, 1, preemptive=preemptive, most=70)
    door = queues.priority_preemptive if preemptive else queues.priority_nonpreemptive
    assert door(rates, times).waiting_time == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("times", [(1.0, 3.0), (3.0, 1.0)])
def test_several_servers_two_means_is_an_approximation(times):
    """Marked so: within 25 % here; the class that goes ahead is exact where it interrupts."""
    rates = np.array([0.9, 0.9]) / times
    exact = oracle.two_classes(rates, times, 3, preemptive=False, most=45)
    got = queues.priority_nonpreemptive(rates, times, 3).waiting_time
    assert got == pytest.approx(exact, rel=0.25)
    exact = oracle.two_classes(rates, times, 3, preemptive=True, most=45)
    got = queues.priority_preemptive(rates, times, 3).waiting_time
    assert got[0] == pytest.approx(exact[0], rel=1e-8)
    assert got[1] == pytest.approx(exact[1], rel=0.15)


def test_cobham_by_hand():
    """Three classes, general laws: W_0 = sum of lambda E[S^2]/2 (Gross and Harris, section 3.4)."""
    rates, times, scvs = np.array([0.2, 0.1, 0.3]), np.array([1.0, 2.0, 0.5]), np.array([0, 1, 4])
    start = (rates * times**2 * (1 + scvs)).sum() / 2
    sigma = np.cumsum(rates * times)
    exact = start / ((1 - np.append(0, sigma[:-1])) * (1 - sigma))
    got = queues.priority_nonpreemptive(rates, times, 1, scvs)
    assert got.waiting_time == pytest.approx(exact, rel=1e-13)
    shuffled = queues.priority_nonpreemptive(
        rates[[2, 0, 1]], times[[2, 0, 1]], 1, scvs[[2, 0, 1]], priority=[7, 1, 3]
    )
    assert shuffled.waiting_time[[1, 2, 0]] == pytest.approx(exact, rel=1e-13)


@given(
    st.lists(st.tuples(st.floats(0.05, 1.0), st.floats(0.1, 3.0)), min_size=1, max_size=6),
    st.floats(0.1, 0.97),
    st.integers(1, 9),
)
def test_conservation(classes, ratio, servers):
    """sum of rho_k W_k does not depend on the order (Kleinrock); equal ranks share one queue."""
    weights, times = np.array(classes).T
    loads = ratio * servers * weights / weights.sum()
    waits = queues.priority_nonpreemptive(loads / times, times, servers)
    one = queues.priority_nonpreemptive(
        loads / times, times, servers, priority=np.zeros(len(times))
    )
    assert one.waiting_time == pytest.approx(np.full(len(times), one.waiting_time[0]), rel=1e-12)
    assert (loads * waits.waiting_time).sum() == pytest.approx(
        (loads * one.waiting_time).sum(), rel=1e-9
    )
    assert (np.diff(waits.waiting_time) >= -1e-12).all()


@given(st.floats(0.1, 0.95), st.integers(1, 30))
def test_preemptive_totals_are_one_queue(ratio, servers):
    """With one mean the total number is that of M/M/c whatever the order."""
    rates = ratio * servers * np.array([0.5, 0.3, 0.2])
    got = queues.priority_preemptive(rates, 1.0, servers)
    exact = queues.mmc(ratio * servers, 1.0, servers)
    assert got.number_present.sum() == pytest.approx(exact.number_present, rel=1e-9)


def test_overload_spares_the_urgent():
    for door in (queues.priority_nonpreemptive, queues.priority_preemptive):
        got = door([0.5, 0.7], 1.0)
        assert np.isfinite(got.waiting_time[0])
        assert np.isinf(got.waiting_time[1])
        assert got.overloaded.tolist() == [0.0, 1.0]
    # the urgent find a server that is always busy: half a service time's second moment is left
    assert queues.priority_nonpreemptive([0.5, 0.7], 1.0).waiting_time[0] == pytest.approx(2.0)
    assert queues.priority_preemptive([0.5, 0.7], 1.0).waiting_time[0] == pytest.approx(1.0)


def test_shapes_and_servers_without_end():
    got = queues.priority_nonpreemptive([[0.5, 0.2], [0.1, 0.1]], 1.0, [1, 3])
    assert got.waiting_time.shape == (2, 2)
    assert (queues.priority_nonpreemptive([5.0, 2.0], 1.0, np.inf).waiting_time == 0.0).all()
    assert (queues.priority_preemptive([5.0, 2.0], 1.0, np.inf).waiting_time == 0.0).all()
    assert (queues.priority_nonpreemptive([0.0, 0.0], 1.0).waiting_time == 0.0).all()
