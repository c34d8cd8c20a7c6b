"""The exact law of the wait in Ph/Ph/c against M/G/1 by inversion, GI/M/c by its root, means."""

import math

import numpy as np
import pytest
from scipy import integrate, optimize

from flownet import queues
from flownet.queues.ages import WaitLaw


@pytest.mark.parametrize("scv", [0.3, 1 / 3, 0.8, 4.0])
@pytest.mark.parametrize("load", [0.2, 0.98, 0.9999])
def test_one_server_is_pollaczek_and_khinchine(load: float, scv: float) -> None:
    law = WaitLaw(load, 1, 1.0, scv)
    for time in (0.0, 0.1, 1.0, 7.5, 40.0):
        inverted = float(queues.wait_tail(load, 1.0, 1, time, service_scv=scv))
        assert load * law.later(time) == pytest.approx(inverted, abs=1e-9)  # that of the inversion


@pytest.mark.parametrize(("servers", "ratio"), [(1, 0.5), (3, 0.8), (20, 0.95)])
@pytest.mark.parametrize("phases", [2, 5])
def test_exponential_service_is_exponential_at_the_root(
    servers: int, ratio: float, phases: int
) -> None:
    # GI/M/c: P(W > t | W > 0) = exp(-c mu (1 - sigma) t), sigma = A(c mu (1 - sigma))
    load = servers * ratio

    def gap(sigma: float) -> float:
        return float((phases * load / (phases * load + servers * (1.0 - sigma))) ** phases - sigma)

    sigma = optimize.brentq(gap, 1e-12, 1.0 - 1e-6, xtol=1e-15)
    law = WaitLaw(load, servers, 1.0 / phases, 1.0)
    for time in (0.0, 0.01, 1.0, 30.0):
        exact = math.exp(-servers * (1.0 - sigma) * time)
        assert law.later(time) == pytest.approx(exact, rel=1e-10, abs=1e-280)


@pytest.mark.parametrize("station", [(1.2, 2, 4.0, 4.0), (4.0, 5, 0.5, 2.0), (2.4, 3, 3.0, 0.4)])
def test_its_mean_is_that_of_the_levels(station: tuple[float, int, float, float]) -> None:
    load, servers, arrival_scv, service_scv = station
    law = WaitLaw(*station)
    mean = integrate.quad(law.later, 0.0, 400.0, limit=400, epsabs=1e-11, epsrel=1e-11)[0]
    got = queues.phphc(load, 1.0, servers, arrival_scv, service_scv)
    assert mean == pytest.approx(float(got.waiting_time / got.wait_probability), rel=1e-8)


def test_the_tail_of_a_station_of_several_servers_is_exact_and_in_its_units() -> None:
    law = WaitLaw(2.4, 3, 3.0, 0.4)
    chance = float(queues.phphc(2.4, 1.0, 3, 3.0, 0.4).wait_probability)
    times = np.array([0.0, 5.0, 60.0])
    got = queues.wait_tail(0.24, 10.0, 3, times, arrival_scv=3.0, service_scv=0.4)
    assert got == pytest.approx([chance * law.later(t / 10.0) for t in times], rel=1e-9)
    late = queues.wait_percentile(0.24, 10.0, 3, 0.95, arrival_scv=3.0, service_scv=0.4)
    tail = queues.wait_tail(0.24, 10.0, 3, late, arrival_scv=3.0, service_scv=0.4)
    assert tail == pytest.approx(0.05, rel=1e-9)
