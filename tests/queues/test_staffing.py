"""The formulas turned round: the answer meets the target, the next smaller does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet import queues
from flownet.queues.search import smallest_real, smallest_whole

OPTIONS = {
    "waiting_time": {},
    "wait_probability": {},
    "wait_tail": {"time": 0.3},
    "loss_probability": {"waiting_room": 4},
    "abandonment_probability": {"patience": 2.0},
}


def value(measure, load, servers, options):
    """The measure by its own formula."""
    if measure == "wait_tail":
        return queues.wait_tail(load, 1.0, servers, options["time"])
    if measure == "loss_probability":
        return queues.mmck(load, 1.0, servers, servers + 4).loss_probability
    if measure == "abandonment_probability":
        return queues.erlang_a(load, 1.0, servers, 2.0).abandonment_probability
    return getattr(queues.mmc(load, 1.0, servers), measure)


@given(st.floats(0.01, 400.0), st.floats(0.001, 0.7), st.sampled_from(sorted(OPTIONS)))
def test_fewest_is_fewest(load, target, measure):
    options = OPTIONS[measure]
    servers = float(queues.fewest_servers(load, 1.0, target, measure, **options))
    assert value(measure, load, servers, options) <= target
    if servers > 1:
        assert not value(measure, load, servers - 1, options) <= target


@given(st.integers(1, 200), st.floats(0.001, 0.7), st.sampled_from(sorted(OPTIONS)))
def test_largest_is_largest(servers, target, measure):
    options = OPTIONS[measure]
    rate = float(queues.largest_arrival_rate(1.0, servers, target, measure, **options))
    assert value(measure, rate * (1 - 1e-9), servers, options) <= target
    assert value(measure, rate * (1 + 1e-9), servers, options) > target * (1 - 1e-6)


def test_erlang_b_table():
    """Traffic tables: at 1 % loss ten trunks carry 4.46 erlang, a hundred 84.1."""
    carried = queues.largest_arrival_rate(1.0, [10, 100], 0.01, "loss_probability", waiting_room=0)
    assert carried == pytest.approx([4.461, 84.06], abs=0.01)


def test_general_laws_and_arrays():
    servers = queues.fewest_servers([10.0, 50.0], 1.0, 0.1, arrival_scv=2.0, service_scv=0.5)
    for load, count in zip((10.0, 50.0), servers, strict=True):
        assert queues.gigc(load, 1.0, count, 2.0, 0.5).waiting_time <= 0.1
        assert queues.gigc(load, 1.0, count - 1, 2.0, 0.5).waiting_time > 0.1
    mixed = queues.fewest_servers(10.0, 1.0, 0.1, service_scv=[1.0, 4.0], patience=[1.0, np.inf])
    assert mixed.shape == (2,)


def test_edges():
    assert queues.fewest_servers(0.0, 1.0, 0.1) == 1.0
    assert np.isinf(queues.largest_arrival_rate(1.0, 10, 100.0, waiting_room=3))
    assert queues.largest_arrival_rate(1.0, 1, 1.0) == pytest.approx(0.5, rel=1e-12)


def test_square_root_rule_is_a_seed():
    """Halfin and Whitt's limit: exact .167 for a = 5, beta = 1, where the rule says .117..."""
    # ... and .223 of .219 at a = 1000 (beta = 1: P = 1/(1 + Phi(1)/phi(1)) = .2234)
    servers = queues.square_root_servers([100.0, 10_000.0], 0.2234)
    assert servers == pytest.approx([110.0, 10_100.0], rel=1e-3)
    assert queues.erlang_c(servers, [100.0, 10_000.0]) == pytest.approx(0.2234, rel=0.08)


def test_searches():
    levels = np.array([0.3, 7.0, 1e6])
    assert smallest_real(lambda x: x >= levels, np.ones(3)) == pytest.approx(levels, rel=1e-15)
    assert smallest_whole(lambda n: n >= levels, np.array([100.0, 1.0, 1.0])).tolist() == [
        1,
        7,
        1e6,
    ]
    assert smallest_real(lambda x: x >= 0, np.ones(1)).tolist() == [0.0]
    assert np.isinf(smallest_real(lambda x: x < 0, np.ones(1), 30)).all()
