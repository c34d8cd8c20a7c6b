"""Why a network is none for the decomposition, and which assumptions it strains."""

from __future__ import annotations

import numpy as np
import pytest

import flownet as fn
from flownet.kernels.compiled import (
    LOST,
    OVERFLOW,
    PRIORITY,
    PROCESSOR_SHARING,
    WAIT_OUTSIDE,
    CompiledNetwork,
)
from flownet.kernels.decomposition import (
    decomposition_assumptions,
    decomposition_reasons,
)
from flownet.network.compile import compile_network
from oracles.compiled_networks import build


def two_services(**changes: object) -> CompiledNetwork:
    settings: dict[str, object] = {"external": [1.0, 0.2], "routing": [[0, 0.5], [0, 0]]}
    return build([0.5, 0.5], **(settings | changes))


@pytest.mark.parametrize(
    ("reasons", "changes"),
    [
        ([], {"capacity": [3, np.inf]}),  # reached from outside only: M/M/c/K
        ([("blocking", 1)], {"capacity": [np.inf, 3]}),
        ([], {"capacity": [np.inf, 3], "when_full": LOST}),
        ([("wait_outside", 0)], {"capacity": [3, np.inf], "external_when_full": WAIT_OUTSIDE}),
        ([], {"external_when_full": WAIT_OUTSIDE}),  # without a capacity it has no effect
        (
            [],  # what overflows from outside is met by the rule for outside
            {
                "routing": None,
                "capacity": [3, 3],
                "external_when_full": [OVERFLOW, LOST],
                "overflow_to": [1, -1],
            },
        ),
        (
            [("wait_outside", 1)],
            {
                "routing": None,
                "external": [1.0, 0.0],
                "capacity": [3, 3],
                "external_when_full": [OVERFLOW, WAIT_OUTSIDE],
                "overflow_to": [1, -1],
            },
        ),
        (
            [("blocking", 0)],
            {
                "external": [0.0, 1.0],
                "routing": [[0, 0], [0.5, 0]],
                "capacity": [3, 3],
                "when_full": [0, LOST],
            },
        ),
        (
            [("patience_at_ps", 0)],
            {"patience": [1.0, np.inf], "discipline": [PROCESSOR_SHARING, 0]},
        ),
        ([("trap", 1)], {"routing": [[0, 0.5], [0, 1]]}),
        (
            [("overflow_loop", 0), ("overflow_loop", 1)],
            {
                "capacity": 3,
                "external_when_full": OVERFLOW,
                "when_full": OVERFLOW,
                "overflow_to": [1, 0],
            },
        ),
        ([], {"external": [0.0, 1.0], "capacity": [np.inf, 3]}),  # nothing comes along the route
    ],
)
def test_reasons(reasons: list[tuple[str, int]], changes: dict[str, object]) -> None:
    assert decomposition_reasons(two_services(**changes)) == reasons


@pytest.mark.parametrize(
    ("assumptions", "changes"),
    [
        ([], {}),
        ([("two_moments", 0)], {"service_scv": [0.5, 1.0]}),
        ([("two_moments", 1)], {"arrival_scv": [1.0, 0.5]}),
        ([("phases_in_room", 0)], {"service_scv": [0.5, 1.0], "capacity": [4, np.inf]}),
        ([], {"service_scv": [0.5, 1.0], "capacity": [1, np.inf]}),  # insensitive
    ],
)
def test_assumptions(assumptions: list[tuple[str, int]], changes: dict[str, object]) -> None:
    assert decomposition_assumptions(two_services(**changes)) == assumptions


def test_assumptions_on_classes() -> None:
    compiled = build(
        [[1.0, 2.0]], external=0.1, servers=2, discipline=PRIORITY, priority=[[0, 1]], capacity=8
    )
    assert decomposition_assumptions(compiled) == [("unequal_means", 0), ("ranks_in_room", 0)]


@pytest.mark.parametrize(("count", "said"), [(300, False), (301, True)])
def test_large_networks_say_that_streams_are_taken_as_independent(count: int, said: bool) -> None:
    """A circle of queues entered at the first, where what comes back meets what is new."""
    services = [{"name": f"q{i}", "service_time": 0.5, "service_scv": 0.5} for i in range(count)]
    services[0] |= {"external_arrival_rate": 0.5}
    circle = fn.Network.from_dict(
        {
            "network": {"time_unit": "hour"},
            "services": services,
            "routes": [
                {"from": f"q{i}", "to": f"q{(i + 1) % count}", "routing_probability": 0.9}
                for i in range(count)
            ],
        }
    )
    codes = dict(decomposition_assumptions(compile_network(circle).arrays))
    assert ("independent_streams" in codes) == said
    assert codes.get("independent_streams", 0) == 0
