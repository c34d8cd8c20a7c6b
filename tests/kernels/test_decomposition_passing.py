"""The weight of the arrivals in the variance of the departures, against its formula."""

from __future__ import annotations

import mpmath as mp
import numpy as np

from flownet.kernels.decomposition_passing import canonical_weight, departure_weights


def formula(t: float) -> float:
    """Return w*(t) at 50 digits (Whitt and You 2018, on departures of GI/GI/1 in heavy traffic)."""
    with mp.workdps(50):
        time = mp.mpf(t)
        root = mp.sqrt(time)
        weight = (time**2 + 2 * time - 1) * (2 * mp.ncdf(root) - 1)
        weight += 2 * root * mp.npdf(root) * (1 + time) - time**2
        return float(weight / (2 * time))


def test_weight_of_arrivals_is_that_of_reflected_brownian_motion() -> None:
    # M/M/1 at load 1/2 and rate 2: canonical time runs at (1 - 1/2)^2 2/(1/2)/2 = 1/2 of its own
    times = np.geomspace(1e-9, 1e5, 300)
    weights = np.empty(times.size)
    departure_weights(2.0, 0.5, times, np.zeros(times.size), 0.0, 0.0, weights)
    exact = np.array([formula(0.5 * time) for time in times])
    np.testing.assert_allclose(weights, exact, rtol=1e-9, atol=1e-13)
    direct = [canonical_weight(0.5 * time) for time in times[times < 1e3]]
    np.testing.assert_allclose(direct, exact[times < 1e3], rtol=1e-10, atol=1e-13)


def test_saturated_service_passes_nothing_on() -> None:
    weights = np.ones(3)
    departure_weights(2.0, 1.0, np.ones(3), np.zeros(3), 0.0, 0.0, weights)
    assert (weights == 0.0).all()
