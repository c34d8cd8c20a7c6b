"""Flows through a cycle: who goes on comes later, by as long as the way there takes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import splu

from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.kernels.traffic_solvers import route_sources

NEGLIGIBLE = 1e-13
"""A harmonic below this part of the largest is left out."""
ROUNDING = 1e-12
"""A rate below this part of the largest is none."""


class Lagged(NamedTuple):
    """Rates step by step of a cycle; each (T, n, R), job/T."""

    arrivals: Floats
    """At which jobs come."""
    flows: Floats
    """At which they would have to come always for as many to be in service as are now."""


def lagged_flows(
    compiled: CompiledNetwork, external: Floats, step: float, passed: Floats
) -> Lagged:
    r"""Return how jobs come to services through a cycle, and how they are served there.

    .. math:: s_i\, \dot o_i = a_i - o_i,\qquad
              a_i = \gamma_i(t) + \sum_j p_{ji} q_j o_j(t - d_{ji})

    with a the arrivals, o the flows, s the service time and d the transfers, both exponential, and
    q the share that is served: in service at i are s_i o_i jobs.

    Parameters
    ----------
    compiled : CompiledNetwork
        Service times, routes and transfers.
    external : array (T, n, R), job/T
        Arrivals from outside in each step of the cycle.
    step : float, T
        Length of a step.
    passed : array (n, R)
        Share of those who come that is served in the end.

    Returns
    -------
    Lagged
        Not negative; the means of both over the cycle solve the traffic equations.

    Notes
    -----
    Nobody waits here. The equations are solved implicitly step by step and
    exactly around the cycle, one sparse system for each harmonic of the arrivals. Where service is
    short beside the step, o_i = a_i.

    References
    ----------
    Massey and Whitt (1993), Queueing Systems 13, 183 (networks of infinite-server queues);
    Jennings, Mandelbaum, Massey and Whitt (1996), Manage. Sci. 42, 1383 (the load it offers).
    """
    steps, size = external.shape[0], compiled.service_time.size
    source = route_sources(compiled.route_start)
    to = compiled.route_to.astype(np.int64)
    share = compiled.route_probability * passed.ravel()[source]
    lag = compiled.service_time.ravel() / step
    delay = compiled.transfer_delay / step
    spectrum = np.fft.rfft(external.reshape(steps, size), axis=0)
    strength = np.abs(spectrum).max(axis=1, initial=0.0)
    coming, answer = np.zeros_like(spectrum), np.zeros_like(spectrum)
    for k in np.flatnonzero(strength > NEGLIGIBLE * strength.max(initial=0.0)):
        late = 1.0 - np.exp(-2j * np.pi * k / steps)
        routes = csc_array((share / (1.0 + delay * late), (to, source)), shape=(size, size))
        system = csc_array(diags_array(1.0 + lag * late) - routes)
        answer[k] = splu(system).solve(spectrum[k])
        coming[k] = (1.0 + lag * late) * answer[k]
    return Lagged(*(_back(each, external.shape) for each in (coming, answer)))


def _back(spectrum: Any, shape: tuple[int, ...]) -> Floats:
    rates = np.fft.irfft(spectrum, n=shape[0], axis=0).reshape(shape)
    rates[rates < ROUNDING * rates.max(initial=0.0)] = 0.0
    return np.asarray(rates)


def at_moment(compiled: CompiledNetwork, flows: Floats, passed: Floats) -> CompiledNetwork:
    r"""Return a network whose steady state has these arrival rates.

    .. math:: p'_{ji} = p_{ji} \min\{1, o_i / \sum_j p_{ji} q_j o_j\},\qquad
              \gamma'_i = o_i - \sum_j p'_{ji} q_j o_j

    Parameters
    ----------
    compiled : CompiledNetwork
    flows : array (n, R), job/T
        At a moment of the cycle.
    passed : array (n, R)
        As for `lagged_flows`.

    Notes
    -----
    Where fewer come than leave for there at present, the others are on their way: they leave the
    network. Where more come than leave for there, they set out before: they come from outside.
    """
    source = route_sources(compiled.route_start)
    to = compiled.route_to.astype(np.int64)
    flow, going = flows.ravel(), (flows * passed).ravel()
    inside = np.bincount(to, compiled.route_probability * going[source], flow.size)
    share = np.where(inside > flow, flow / np.maximum(inside, 1e-300), 1.0)
    external = np.maximum(flow - share * inside, 0.0)
    external[external <= NEGLIGIBLE * flow.max(initial=0.0)] = 0.0
    return compiled._replace(
        external_arrival_rate=external.reshape(flows.shape),
        route_probability=compiled.route_probability * share[to],
    )
