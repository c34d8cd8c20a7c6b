"""Blocking in full where those who wait for a place enter by rank, against the exact chain."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from kernels.test_entry_priority import ambulances_by_rank

import flownet as fn
from flownet.errors import MethodError
from flownet.kernels.blocking_full import solve_blocking
from flownet.kernels.compiled import LOST, WAIT_OUTSIDE
from flownet.kernels.exact import solve_exact
from oracles.compiled_networks import build

SHARED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "health.json"


@pytest.mark.parametrize("outside", [1, 3])
def test_two_services_are_exact(outside):
    """The line outside is cut off beyond 1e-5 of the time (docs/methods.md)."""
    network = build(
        [1.0, 0.9],
        servers=[2, 2],
        capacity=[2, 3],
        external=[0.9, 0.35],
        routing=[[0, 1.0], [0, 0]],
        external_when_full=[LOST, WAIT_OUTSIDE],
        entry_priority=[[2, 2], [2, 2]],
        external_entry_priority=[1, outside],
    )
    found, truth = solve_blocking(network, mode="full"), solve_exact(network).measures
    assert found.number_blocked == pytest.approx(truth.number_blocked, rel=1e-4)
    assert found.number_outside == pytest.approx(truth.number_outside, rel=1e-4)
    assert found.throughput == pytest.approx(truth.throughput, rel=1e-5)


def merging(ranks):
    """Two services before a third; who comes from the first has one rank, the others another."""
    one, other = ranks
    return build(
        [1.0, 0.8, 0.8],
        servers=[2, 2, 2],
        capacity=[2, 2, 2],
        external=[1.2, 1.4, 0.3],
        routing=[[0, 0, 1.0], [0, 0, 0.9], [0, 0, 0]],
        external_when_full=[LOST, LOST, LOST],
        entry_priority=[[1, 1, one], [1, 1, other], [1, 1, 1]],
    )


def test_streams_that_merge_share_the_wait_by_rank():
    """Within 0.01 blocked servers each, a tenth of what the ranks change."""
    found, truth = [], []
    for ranks in ((1, 2), (2, 1), (1, 1)):
        network = merging(ranks)
        found.append(solve_blocking(network, mode="full").number_blocked[:2, 0])
        truth.append(solve_exact(network).measures.number_blocked[:2, 0])
    assert np.abs(truth[0] - truth[1]).min() > 0.1
    assert np.abs(np.array(found) - truth).max() < 0.01


@pytest.mark.skipif(not SHARED.is_file(), reason="the published cases are not there")
def test_published_blocking_time_of_ambulances():
    """MichalisPanayides/AmbulanceDecisionGame, tests/test_markov_blocking.py; within 5 %."""
    cases = json.loads(SHARED.read_text(encoding="utf-8"))["cases"]
    case = next(each for each in cases if each["id"] == "amb_ex1")
    m = solve_blocking(ambulances_by_rank(case["model"]), mode="full")
    published = case["expected"]["published"]["mean_blocking_time_ambulance"]
    assert m.number_blocked[0, 0] / m.throughput[0, 0] == pytest.approx(published, rel=0.05)


def described(**changes):
    ed = {"name": "ED", "service_time": 1.0, "capacity": 1, "external_arrival_rate": 0.4}
    ward = {
        "name": "ward", "service_time": 1.0, "capacity": 1, "external_arrival_rate": 0.2,
        "external_when_full": "wait_outside", "external_entry_priority": 2,
    }  # fmt: skip
    return fn.Network.from_dict(
        {
            "network": {"time_unit": "hour"},
            "classes": {"urgent": {}, "other": {}},
            "services": [ed, ward | changes],
            "routes": [{"from": "ED", "to": "ward"}],
        }
    )


def test_the_mode_that_follows_ranks_is_taken():
    solution = fn.solve(described())
    assert (solution.method, solution.options["mode"]) == ("blocking", "full")


@pytest.mark.parametrize(
    ("changes", "options", "says"),
    [
        ({}, {"mode": "compressed"}, "'ward'.*only 'full' follows"),
        ({"service_scv": 0.5}, {}, "'ward'.*only 'full' follows.*not exponential"),
        ({"external_entry_priority": {"other": 2}}, {}, "'ward'.*not all of one rank"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_what_can(changes, options, says):
    with pytest.raises(MethodError, match=says) as refused:
        fn.solve(described(**changes), method="blocking", **options)
    assert "flownet.simulate" in str(refused.value)
    assert "method='exact'" in str(refused.value)


def test_ranks_without_an_answer_in_full_are_refused():
    with pytest.raises(MethodError, match=r"enter by rank.*flownet\.simulate"):
        fn.solve(described(external_arrival_rate=0.9), method="blocking")
