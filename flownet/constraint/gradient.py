"""The gradient of a goal by one adjoint solve."""

from __future__ import annotations

from flownet.kernels.adjoint import Gradient
from flownet.solvers.objective import Objective
from flownet.solvers.solution import Solution


def gradient_of(solution: Solution, objective: Objective) -> Gradient | None:
    """Return the gradient of an objective by an adjoint solve; None where there is none."""
    linear = objective.linear(solution)
    if linear is None:
        return None
    gradient = solution.gradient(linear.weights)
    if gradient is None:
        return None
    return gradient._replace(
        servers=gradient.servers + linear.by_servers,
        external_arrival_rate=gradient.external_arrival_rate + linear.by_arrivals,
    )
