"""What is impossible is refused in plain words: which parameter, which value, what is right."""

import numpy as np
import pytest

from flownet import queues
from flownet.errors import ParameterError

CASES = [
    (queues.mmc, (-1.0, 1.0, 1), "arrival_rate = -1"),
    (queues.mmc, (1.0, -0.5, 1), "service_time = -0.5"),
    (queues.mmc, (1.0, 1.0, 0), "servers = 0"),
    (queues.mmc, (np.nan, 1.0, 1), "arrival_rate = nan"),
    (queues.mmc, (np.inf, 1.0, 1), "arrival_rate = inf"),
    (queues.mmc, ("fast", 1.0, 1), "arrival_rate = 'fast'"),
    (queues.mmc, (True, 1.0, 1), "arrival_rate = True"),
    (queues.mmc, (1 + 2j, 1.0, 1), "arrival_rate"),
    (queues.mmc, ([1.0, 2.0], 1.0, [1, 2, 3]), "shapes"),
    (queues.mmc, ([[1.0], [2.0, 3.0]], 1.0, 1), "arrival_rate"),
    (queues.mmck, (1.0, 1.0, 3, 2), "capacity = 2"),
    (queues.mgcc, (1.0, 1.0, -2), "servers = -2"),
    (queues.erlang_b, (1, -3.0), "load = -3"),
    (queues.erlang_a, (1.0, 1.0, 1, 0.0), "patience = 0"),
    (queues.erlang_a, (1.0, 1.0, 4, 1.0, 3), "capacity = 3"),
    (queues.mmcg, (1.0, 1.0, 1, 1.0, -0.1), "patience_scv = -0.1"),
    (queues.finite_source, (1.0, 1.0, 1, 2.5), "sources = 2.5"),
    (queues.finite_source, (1.0, 1.0, 3, 9, 2), "capacity = 2"),
    (queues.finite_source_gradient, (0.0, 1.0, 3, 9), "request_rate = 0"),
    (queues.mg1, (0.5, 1.0, -1.0), "service_scv = -1"),
    (queues.mg1_wait_moments, (0.5, 1.0, 1.0, 3.0), "service_third_moment = 3"),
    (queues.gigc, (0.5, 1.0, 1, 1.0, 1.0, "guess"), "method = 'guess'"),
    (queues.mgc, (0.5, 1.0, 1, 1.0, "guess"), "method = 'guess'"),
    (queues.phphc, (1.0, 1.0, 2.5), "servers = 2.5"),
    (queues.phphc, (0.0, 1.0, 2), "arrival_rate = 0"),
    (queues.phphc, (1.0, 1.0, 50, 0.25, 0.25), "servers = 50"),
    (queues.mdc_gradient, (1.0, 1.0, 2.5), "servers = 2.5"),
    (queues.mmck_gradient, (0.0, 1.0, 2, 4), "arrival_rate = 0"),
    (queues.mmck_gradient, (1.0, 1.0, np.inf, np.inf), "servers = inf"),
    (queues.erlang_a_gradient, (1.0, 1.0, 2, np.inf), "patience = inf"),
    (queues.wait_percentile, (0.5, 1.0, 1, 1.0), "probability = 1"),
    (queues.wait_tail, (0.5, 1.0, 1, -1.0), "time = -1"),
    (queues.fewest_servers, (1.0, 1.0, 0.1, "speed"), "measure = 'speed'"),
    (queues.fewest_servers, (1.0, 1.0, 0.1, "wait_tail"), "time = None"),
    (queues.fewest_servers, (1.0, 1.0, -0.1), "target = -0.1"),
    (queues.largest_arrival_rate, (0.0, 1, 0.1), "service_time = 0"),
    (queues.largest_arrival_rate, (1.0, np.inf, 0.1), "servers = inf"),
    (queues.number_probability, (0.5, 1.0, 1, 1.5), "number = 1.5"),
    (queues.priority_nonpreemptive, ([0.1, 0.2], [1.0, 1.0, 1.0]), "shapes"),
    (queues.priority_preemptive, ([0.1, -0.2], 1.0), "arrival_rate = -0.2"),
]
OPTIONS = [
    ({"capacity": 5, "service_scv": 2.0}, "arrival_scv, service_scv"),
    ({"capacity": 5, "patience": 1.0, "patience_scv": 2.0}, "patience_scv"),
    ({"capacity": 3.5}, "capacity = 3.5"),
    ({"of": "everyone"}, "of = 'everyone'"),
    ({"law": "cauchy"}, "law = 'cauchy'"),
]


@pytest.mark.parametrize(("formula", "arguments", "words"), CASES)
def test_refused(formula, arguments, words):
    with pytest.raises(ParameterError) as caught:
        formula(*arguments)
    assert words in str(caught.value)
    assert "must" in str(caught.value)


@pytest.mark.parametrize(("options", "words"), OPTIONS)
def test_refused_options(options, words):
    with pytest.raises(ParameterError, match="must") as caught:
        queues.wait_tail(1.0, 1.0, 2, 1.0, **options)
    assert words in str(caught.value)


def test_patience_with_general_laws_is_refused():
    with pytest.raises(ParameterError, match="must be 1 with patience"):
        queues.fewest_servers(1.0, 1.0, 0.1, service_scv=2.0, patience=1.0)


def test_inputs_are_left_alone():
    rates = np.array([0.5, 0.7])
    rates.setflags(write=False)
    queues.gigc(rates, 1.0, 1, 2.0, 0.3)
    queues.priority_nonpreemptive(rates, 0.5)
    queues.finite_source(rates, 1.0, 2, 5)
    assert rates.tolist() == [0.5, 0.7]
