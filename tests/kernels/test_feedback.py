"""Flows that come back or meet again: limits in heavy traffic, which are known exactly."""

import numpy as np
import pytest

from flownet.kernels.decomposition import decompose
from oracles.compiled_networks import build


@pytest.mark.parametrize(("arrival_scv", "service_scv"), [(5.0, 0.3), (0.3, 4.0), (1.0, 3.0)])
@pytest.mark.parametrize("back", [0.3, 0.7])
def test_jobs_that_come_back_by_a_quick_service_are_no_new_arrivals(
    arrival_scv: float, service_scv: float, back: float
) -> None:
    # Reiman 1984: in heavy traffic the number waiting is that of GI/G/1 with a geometric number of
    # services a job, rho^2 (ca2 + q + (1 - q) cs2)/(2 (1 - rho)), exact for Poisson arrivals. 4 %:
    # rho is 0.98, not 1, which leaves errors of that order, and the other service takes some time
    load = 0.98
    compiled = build(
        [load * (1.0 - back), 0.01],
        external=[1.0, 0.0],
        arrival_scv=[arrival_scv, 1.0],
        service_scv=[service_scv, 1.0],
        routing=[[0.0, back], [1.0, 0.0]],
    )
    waiting = decompose(compiled).measures.number_waiting[0, 0]
    spread = arrival_scv + back + (1.0 - back) * service_scv
    assert waiting == pytest.approx(0.5 * load**2 * spread / (1.0 - load), rel=0.04)


def test_streams_that_part_and_meet_again_are_one() -> None:
    # a bursty stream split over two quick services and joined: at the next all of it comes, so
    # that in heavy traffic rho^2 (ca2 + cs2)/(2 (1 - rho)) wait. 4 % as above
    load = 0.98
    compiled = build(
        [0.01, 0.02, 0.02, load],
        external=[1.0, 0.0, 0.0, 0.0],
        arrival_scv=[6.0, 1.0, 1.0, 1.0],
        routing=[[0, 0.5, 0.5, 0], [0, 0, 0, 1.0], [0, 0, 0, 1.0], [0, 0, 0, 0]],
    )
    waiting = decompose(compiled).measures.number_waiting[3, 0]
    assert waiting == pytest.approx(0.5 * load**2 * (6.0 + 1.0) / (1.0 - load), rel=0.04)


def test_long_delays_forget_what_came_before() -> None:
    # what comes back after endless servers with long times is as if Poisson, and adds nothing
    def waiting(away: float) -> float:
        compiled = build(
            [0.45, away],
            external=[1.0, 0.0],
            arrival_scv=[6.0, 1.0],
            service_scv=[0.5, 1.0],
            routing=[[0.0, 0.5], [1.0, 0.0]],
            servers=[1.0, np.inf],
        )
        return float(decompose(compiled).measures.number_waiting[0, 0])

    fresh = build(
        [0.45, 1.0],
        external=[1.0, 1.0],
        arrival_scv=[6.0, 1.0],
        service_scv=[0.5, 1.0],
        routing=[[0.0, 0.0], [1.0, 0.0]],
        servers=[1.0, np.inf],
    )
    expected = float(decompose(fresh).measures.number_waiting[0, 0])
    assert waiting(1e6) == pytest.approx(expected, rel=0.01)  # the times' ratio is 1e5
    assert waiting(1e-3) > 1.15 * expected
