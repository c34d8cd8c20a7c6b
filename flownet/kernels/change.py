"""Changed copies of compiled arrays: servers, speed, laws, rates; the original stays."""

from __future__ import annotations

import math

import numpy as np

from flownet.kernels import compiled as code
from flownet.kernels.compiled import CompiledNetwork

_SCALES: dict[int, tuple[int, ...]] = {
    code.EXPONENTIAL: (1,),
    code.DETERMINISTIC: (1,),
    code.ERLANG: (0, 1),
    code.HYPEREXPONENTIAL: (0, 1, 1),
    code.MIXED_ERLANG: (0, 0, -1),
    code.GAMMA: (0, 1),
    code.WEIBULL: (0, 1),
    code.UNIFORM: (1, 1),
    code.TRIANGULAR: (1, 1, 1),
}
"""By family, the power of time in each parameter."""


def with_servers(compiled: CompiledNetwork, service: int, servers: float) -> CompiledNetwork:
    """Return a copy in which one service has `servers` servers and the waiting room it had."""
    changed, capacity = compiled.servers.copy(), compiled.capacity.copy()
    capacity[service] += servers - changed[service]
    changed[service] = servers
    return compiled._replace(servers=changed, capacity=capacity)


def with_service_rate(
    compiled: CompiledNetwork, service: int, factor: float, job_class: int | None = None
) -> CompiledNetwork:
    """Return a copy in which every server of one service works `factor` times as fast.

    With a class, on jobs of this class only.
    """
    times, parameters = compiled.service_time.copy(), compiled.service_parameters.copy()
    samples = compiled.samples.copy()
    chosen = range(times.shape[1]) if job_class is None else (job_class,)
    for k in chosen:
        times[service, k] /= factor
        family, values = compiled.service_family[service, k], parameters[service, k]
        if family == code.LOGNORMAL:
            values[0] -= math.log(factor)
        elif family in (code.EMPIRICAL, code.PHASE_TYPE):
            _scale_samples(samples, int(values[0]), int(values[1]), int(family), factor)
        else:
            powers = np.array(_SCALES[int(family)])
            values[: powers.size] *= factor ** -powers.astype(np.float64)
    return compiled._replace(service_time=times, service_parameters=parameters, samples=samples)


def with_law(
    compiled: CompiledNetwork,
    service: int,
    job_class: int,
    moments: tuple[float, float],
    law: tuple[int, tuple[float, ...]],
) -> CompiledNetwork:
    """Return a copy in which one class has another law of service at one service.

    Parameters
    ----------
    compiled : CompiledNetwork
    service, job_class : int
    moments : (float, float)
        Mean [T] and squared coefficient of variation.
    law : (int, tuple)
        Family and up to three parameters; none that needs samples.
    """
    family, parameters = law
    changed = {
        "service_time": moments[0],
        "service_scv": moments[1],
        "service_family": family,
        "service_parameters": [*parameters, 0.0, 0.0, 0.0][:3],
    }
    arrays = {}
    for name, value in changed.items():
        arrays[name] = getattr(compiled, name).copy()
        arrays[name][service, job_class] = value
    return compiled._replace(**arrays)


def _scale_samples(
    samples: code.Floats, offset: int, size: int, family: int, factor: float
) -> None:
    """Divide the values of an empirical law, or multiply the rates of a phase-type law."""
    if family == code.EMPIRICAL:
        samples[offset : offset + size] /= factor
    else:
        samples[offset + size : offset + size + size * size] *= factor
