"""Overflow from group to group without blocking, against the exact chain and Wilkinson's theory."""

import numpy as np
import pytest

from flownet.kernels.compiled import LOST, OVERFLOW
from flownet.kernels.decomposition import decomposition_reasons, solve_decomposition
from flownet.kernels.decomposition_peaks import (
    equivalent_random,
    overflow_peak,
    overflow_transform,
    peaked_loss,
)
from flownet.kernels.exact import solve_exact
from flownet.queues import erlang_b
from oracles.compiled_networks import build


def groups(servers, external, times):
    """A chain of groups without waiting rooms, each overflowing to the next, the last losing."""
    n = len(servers)
    return build(
        times, external=external, servers=servers, capacity=servers,
        external_when_full=[OVERFLOW] * (n - 1) + [LOST],
        overflow_to=[*range(1, n), -1],
    )  # fmt: skip


def loss(network, solve):
    measures = solve(network)
    return float(measures.loss_rate[-1, 0] / measures.arrival_rate[-1, 0])


@pytest.mark.parametrize(
    ("servers", "external", "times", "tolerance"),
    [
        ([2, 2], [2.0, 0.0], [1.0, 1.0], 0.03),
        ([10, 4], [10.0, 0.0], [1.0, 1.0], 0.01),
        ([20, 6], [20.0, 0.0], [1.0, 1.0], 0.01),
        ([10, 6], [10.0, 3.0], [1.0, 1.0], 0.04),
        ([4, 2], [4.0, 0.0], [1.0, 0.3], 0.08),
        ([4, 4], [4.0, 0.0], [1.0, 3.0], 0.01),
        ([4, 3, 3], [5.0, 0.0, 0.0], [1.0, 1.0, 1.0], 0.04),
    ],
)
def test_loss_after_overflow_is_near_the_exact_chain(servers, external, times, tolerance):
    """Taken as Poisson, the overflow would be lost 13 to 73 % too rarely here."""
    network = groups(servers, external, times)
    exact = loss(network, lambda net: solve_exact(net).measures)
    assert loss(network, solve_decomposition) == pytest.approx(exact, rel=tolerance)


def test_the_equivalent_group_gives_back_mean_and_peakedness():
    """Wilkinson (1956): A = N = 10; Rapp's formulas keep the peakedness, the mean within 2 %."""
    mean = 10.0 * float(erlang_b(10, 10.0))
    peak = overflow_peak(10.0, 10.0, mean, 1.0)
    assert peak == pytest.approx(1 - mean + 10 / (11 + mean - 10), rel=1e-12)
    primary, group = equivalent_random(mean, peak)
    again = primary * float(erlang_b(group, primary))
    assert again == pytest.approx(mean, rel=0.02)
    assert overflow_peak(primary, group, mean, 1.0) == pytest.approx(peak, rel=1e-9)


def test_peakedness_of_a_renewal_stream_agrees_with_kosten():
    """z = 1/(1 - f(mu)) - rate/mu equals 1 - m + a/(c + 1 + m - a) on the group's own scale."""
    mean = 6.0 * float(erlang_b(4, 6.0))
    transform = overflow_transform(6.0, 1.0, 4.0, 4.0, 1.0)
    assert 1 / (1 - transform) - mean == pytest.approx(overflow_peak(6.0, 4.0, mean, 1.0))


def test_poisson_arrivals_are_lost_by_erlangs_formula():
    for servers, load in ((1.0, 0.5), (10.0, 12.0)):
        assert peaked_loss(servers, load, 1.0) == pytest.approx(float(erlang_b(servers, load)))
        assert peaked_loss(servers, load, 1.0 + 1e-6) == pytest.approx(
            float(erlang_b(servers, load)), rel=1e-4
        )


def test_more_peaked_arrivals_lose_more():
    losses = [peaked_loss(8.0, 6.0, peak) for peak in (0.6, 0.9, 1.0, 1.2, 2.0, 4.0)]
    assert np.all(np.diff(losses) > 0)


def test_what_overflows_from_outside_stays_from_outside():
    """At the next service the rule for outside meets it (lost), not blocking after service."""
    network = groups([2, 2], [2.0, 0.0], [1.0, 1.0])
    assert decomposition_reasons(network) == []
    inner = network._replace(when_full=np.array([OVERFLOW, 0]))
    assert decomposition_reasons(inner) == []
