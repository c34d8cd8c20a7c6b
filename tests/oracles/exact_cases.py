"""The cases of the published file of exact blocking networks, as compiled networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from flownet.kernels.compiled import CompiledNetwork
from oracles.compiled_networks import build

SATURATED = 1e11
"""Arrival rate that stands for an endless supply: figures are off by about 1 / this rate.

A service with an endless supply has all its servers taken all the time; arrivals at the rate r,
lost when it is full, leave a server free for a mean time of 1 / r.
"""


def load(shared: Path) -> dict[str, dict[str, Any]]:
    """Return all cases by their name."""
    text = (shared / "cases" / "blocking_exact.json").read_text(encoding="utf-8")
    return {case["id"]: case for case in json.loads(text)["cases"]}


def network_of(case: dict[str, Any]) -> CompiledNetwork:
    """Return a case's network."""
    stations = case["stations"]

    def capacity(station: dict[str, Any]) -> float:
        return np.inf if station["capacity"] in (None, "unlimited") else station["capacity"]

    def external(station: dict[str, Any]) -> float:
        return SATURATED if station["saturated_source"] else station["external_poisson_rate"]

    return build(
        [1.0 / station["service_rate_per_server"] for station in stations],
        servers=[station["servers"] for station in stations],
        capacity=[capacity(station) for station in stations],
        external=[external(station) for station in stations],
        routing=np.array(case["routing"], dtype=float),
    )
