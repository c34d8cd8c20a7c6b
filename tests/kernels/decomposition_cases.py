"""What tests of the decomposition share: numbers present, and a chain to hold them against."""

from __future__ import annotations

import numpy as np

from flownet.kernels.compiled import (
    Measures,
)


def number_present(measures: Measures) -> np.ndarray:
    return measures.number_waiting + measures.number_in_service


def birth_death(
    arrival: float, service: float, servers: int, capacity: int, leave: float = 0.0
) -> np.ndarray:
    """Return the law of the number present of M/M/c/K+M by its balance equations."""
    weight = [1.0]
    for n in range(1, capacity + 1):
        rate = min(n, servers) / service + max(n - servers, 0) * leave
        weight.append(weight[-1] * arrival / rate)
    return np.array(weight) / np.sum(weight)
