"""What one job of each class that enters asks of every service, per server."""

from __future__ import annotations

import numpy as np

from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import CompiledNetwork, Floats
from flownet.kernels.traffic import solve_traffic
from flownet.kernels.traffic_solvers import route_sources


def holding_times(arrays: CompiledNetwork) -> Floats:
    """Return (n, R) the mean time that a visit holds a server: service and held transfers."""
    source = route_sources(arrays.route_start)
    held = arrays.route_probability * np.where(arrays.holds_server, arrays.transfer_delay, 0.0)
    transfers = np.bincount(source, held, arrays.service_time.size)
    return np.asarray(arrays.service_time + transfers.reshape(arrays.service_time.shape))


def class_demands(arrays: CompiledNetwork) -> Floats:
    r"""Return the server time that one job of each entering class asks of each service.

    .. math:: D_{ir} = \frac{1}{\gamma_r} \sum_k \lambda_{ik}^{(r)} h_{ik}

    Returns
    -------
    (n, R) array, T
        Per job of class r that enters, wherever it does; 0 for classes that do not.

    Raises
    ------
    ParameterError
        Where jobs of a class never leave.
    """
    external = arrays.external_arrival_rate
    hold = holding_times(arrays)
    demands = np.zeros(external.shape)
    for r in np.flatnonzero(external.sum(axis=0) > 0):
        alone = np.zeros(external.shape)
        alone[:, r] = external[:, r] / external[:, r].sum()
        traffic = solve_traffic(arrays, external=alone)
        if traffic.status != 0:
            message = "its jobs come to where they never leave: there is no limit of demand"
            raise ParameterError([Fault(f"class {r}", "routes", "", message)])
        demands[:, r] = (traffic.arrival_rate * hold).sum(axis=1)
    return demands
