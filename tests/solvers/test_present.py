"""The number present as a distribution, against closed forms."""

import math

import numpy as np
import pytest

import flownet as fn
from flownet.errors import MethodError, UnknownNameError
from flownet.queues import number_probability


def network(*services, routes=()):
    document = {"network": {"time_unit": "hour"}, "services": list(services)}
    return fn.Network.from_dict(document | {"routes": list(routes)})


def service(name, time, rate=1.0, **more):
    return {"name": name, "service_time": time, "external_arrival_rate": rate, **more}


@pytest.mark.parametrize(("servers", "time"), [(1, 0.9), (4, 3.0), (300, 290.0), ("inf", 50.0)])
def test_one_service_has_the_law_of_its_station(servers, time):
    law = fn.solve(network(service("a", time, servers=servers))).number_present("a")
    exact = number_probability(1.0, time, math.inf if servers == "inf" else servers, law.index)
    assert law.to_numpy() == pytest.approx(exact, abs=1e-12)
    assert law.sum() == pytest.approx(1.0, abs=1e-12)


def test_two_equal_single_servers_add_up_to_a_negative_binomial_number():
    """P(N = n) = (n + 1) (1 - rho)^2 rho^n; variances add up."""
    solution = fn.solve(
        network(
            service("a", 0.6),
            {"name": "b", "service_time": 0.6},
            routes=[{"from": "a", "to": "b"}],
        )
    )
    law = solution.number_present()
    n = np.arange(40)
    assert law.to_numpy()[:40] == pytest.approx((n + 1) * 0.16 * 0.6**n, abs=1e-12)
    assert law.attrs["mean"] == pytest.approx(solution.system["number_present"], rel=1e-10)
    assert law.attrs["variance"] == pytest.approx(2 * 0.6 / 0.16, rel=1e-9)


def test_many_endless_services_are_poisson_together():
    services = [service(f"s{i}", 1.0 + i, servers="inf") for i in range(40)]
    law = fn.solve(network(*services)).number_present()
    exact = number_probability(1.0, 820.0, math.inf, law.index)
    assert law.to_numpy() == pytest.approx(exact, abs=1e-11)


def test_where_there_is_no_law_it_is_refused():
    general = fn.solve(network(service("a", 0.5, service_scv=3.0)))
    with pytest.raises(MethodError, match="product form only"):
        general.number_present("a")
    over = fn.solve(network(service("a", 1.5), service("b", 0.5)))
    with pytest.raises(MethodError, match="'a' grows"):
        over.number_present()
    assert over.number_present("b")[0] == pytest.approx(0.5)
    with pytest.raises(UnknownNameError, match="not in the network"):
        over.number_present("c")
