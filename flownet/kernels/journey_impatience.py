"""The wait of those who are served in an impatient line, M/M/c/K+M, as a Laplace transform."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.kernels.compiled import CompiledNetwork, Floats, Measures
from flownet.queues.abandonment import MANY_STATES
from flownet.queues.erlang import inverse_excess
from flownet.queues.states import waiting_probabilities

Complexes = NDArray[np.complex128]


class Line(NamedTuple):
    """An impatient line as those see it who wait in it and are served."""

    weights: Floats
    """(m,) probability to find so many waiting, of those who wait; empty for a crowd, all of
    whom wait about equally long."""
    service: float
    """Completions per T with all servers busy."""
    leave: float
    """Rate at which one waiting job gives up."""
    mean: float
    """Mean wait, in T."""


def impatient_line(compiled: CompiledNetwork, measures: Measures, i: int) -> Line:
    """Return the line of service `i`, all classes together, at the rates found."""
    done = float(measures.throughput[i].sum())
    held = float(
        (measures.number_in_service[i] + measures.number_blocked[i]).sum()
        + measures.number_held_in_transfer[i].sum()
    )
    servers, room = float(compiled.servers[i]), float(compiled.capacity[i] - compiled.servers[i])
    service = servers * done / held
    waiting = float(measures.number_waiting[i].sum())
    leave = float(measures.abandonment_rate[i].sum()) / waiting
    rate = float(measures.arrival_rate[i].sum())
    excess = float(inverse_excess(servers, rate / service * servers))
    if leave <= 0.0 or rate / leave > MANY_STATES or not np.isfinite(excess):
        return Line(np.zeros(0), service, leave, 1.0)
    probabilities, _ = waiting_probabilities(rate, service, leave, room, excess)
    top = probabilities.size if probabilities.size - 1.0 < room else probabilities.size - 1
    finding = probabilities[:top]
    line = Line(finding / finding.sum(), service, leave, 1.0)
    h = 1e-4 * service / top
    mean = -float(line_transform(line, np.array([1j * h]))[0].imag) / h
    return line._replace(mean=mean)


def line_transform(line: Line, points: Complexes) -> Complexes:
    r"""Return E[e^{-zW}] of a positive wait of those who are served.

    .. math:: \sum_j w_j \prod_{i=0}^{j} \frac{c\mu + i\theta}{c\mu + (i+1)\theta + z}

    over its value at z = 0; a crowd waits for the mean time.
    """
    if line.weights.size == 0:
        return np.asarray(np.exp(-points * line.mean))
    z = np.append(np.asarray(points, dtype=np.complex128), 0.0)
    out = np.zeros(z.size, dtype=np.complex128)
    _fill(line.weights, line.service, line.leave, z, out)
    return np.asarray(out[:-1] / out[-1].real)


@njit
def _fill(weights: Floats, service: float, leave: float, z: Complexes, out: Complexes) -> None:
    """Fill in the sum of the products for every point."""
    for k in range(z.size):
        product = 1.0 + 0.0j
        total = 0.0j
        for j in range(weights.size):
            product *= (service + j * leave) / (service + (j + 1.0) * leave + z[k])
            total += weights[j] * product
        out[k] = total
