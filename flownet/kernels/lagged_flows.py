"""Flows through a cycle: arrivals later at services further on, by as long as the way there takes."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import splu

from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.kernels.traffic_solvers import route_sources

NEGLIGIBLE = 1e-13
"""A harmonic below this part of the largest is left out."""


def lagged_flows(compiled: CompiledNetwork, external: Floats, step: float) -> Floats:
    r"""Return the rates at which jobs come out of endless services, step by step of a cycle.

    .. math:: s_i\, \dot o_i = a_i - o_i,\qquad a_i = \gamma_i(t) + \sum_j p_{ji}\, o_j(t - d_{ji})

    with s the service time and d the transfers, both exponential: in service at i are s_i o_i jobs,
    so that o_i is the arrival rate at which a steady state would have the same load.

    Parameters
    ----------
    compiled : CompiledNetwork
        Service times, routes and transfers.
    external : array (T, n, R), job/T
        Arrivals from outside in each step of the cycle.
    step : float, T
        Length of a step.

    Returns
    -------
    array (T, n, R), job/T
        Positive; over the cycle its means solve the traffic equations.

    Notes
    -----
    Nobody waits here and nobody is lost. The equations are solved implicitly step by step and
    exactly around the cycle, one sparse system for each harmonic of the arrivals. Where service is
    short beside the step, o_i is the arrival rate of the moment.

    References
    ----------
    Massey and Whitt (1993), Queueing Systems 13, 183 (networks of infinite-server queues);
    Jennings, Mandelbaum, Massey and Whitt (1996), Manage. Sci. 42, 1383 (the load it offers).
    """
    steps, size = external.shape[0], compiled.service_time.size
    source = route_sources(compiled.route_start)
    to = compiled.route_to.astype(np.int64)
    lag = compiled.service_time.ravel() / step
    delay = compiled.transfer_delay / step
    spectrum = np.fft.rfft(external.reshape(steps, size), axis=0)
    strength = np.abs(spectrum).max(axis=1, initial=0.0)
    answer = np.zeros_like(spectrum)
    for k in np.flatnonzero(strength > NEGLIGIBLE * strength.max(initial=0.0)):
        late = 1.0 - np.exp(-2j * np.pi * k / steps)
        passed = compiled.route_probability / (1.0 + delay * late)
        routes = csc_array((passed, (to, source)), shape=(size, size))
        system = csc_array(diags_array(1.0 + lag * late) - routes)
        answer[k] = splu(system).solve(spectrum[k])
    flows = np.fft.irfft(answer, n=steps, axis=0).reshape(external.shape)
    return np.asarray(np.maximum(flows, 0.0))


def at_moment(compiled: CompiledNetwork, flows: Floats) -> CompiledNetwork:
    r"""Return a network whose steady state has these arrival rates.

    .. math:: p'_{ji} = p_{ji} \min\{1, o_i / \sum_j p_{ji} o_j\},\qquad
              \gamma'_i = o_i - \sum_j p'_{ji} o_j

    Parameters
    ----------
    compiled : CompiledNetwork
    flows : array (n, R), job/T
        At a moment of the cycle.

    Notes
    -----
    Where fewer come than leave for there at present, the others are on their way: they leave the
    network. Where more come than leave for there, they set out before: they come from outside.
    """
    source = route_sources(compiled.route_start)
    to = compiled.route_to.astype(np.int64)
    flow = flows.ravel()
    inside = np.bincount(to, compiled.route_probability * flow[source], flow.size)
    share = np.where(inside > flow, flow / np.maximum(inside, 1e-300), 1.0)
    external = np.maximum(flow - share * inside, 0.0)
    external[external <= NEGLIGIBLE * flow.max(initial=0.0)] = 0.0
    return compiled._replace(
        external_arrival_rate=external.reshape(flows.shape),
        route_probability=compiled.route_probability * share[to],
    )
