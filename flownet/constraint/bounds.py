"""Classical bounds: asymptotic and balanced-job bounds of throughput and response time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from flownet.constraint.demands import class_demands
from flownet.errors import Fault, ParameterError
from flownet.network.compile import compile_network
from flownet.network.model import Network


class ClosedBounds(NamedTuple):
    """Bounds of a closed network with one class."""

    throughput_low: float
    throughput_high: float
    """The smaller of the asymptotic and the balanced-job bounds [job/T]."""
    response_low: float
    response_high: float
    """Of the time of one round, thinking left out [T]."""
    knee: float
    """Jobs from which on somebody must wait."""


def closed_bounds(demands: ArrayLike, population: float, think_time: float = 0.0) -> ClosedBounds:
    r"""Return bounds of a closed network of single servers.

    .. math:: \frac{N}{D + Z + (N-1) D_{max} / (1 + Z/(N D))} \le X \le
              \min\Big(\frac{1}{D_{max}}, \frac{N}{D + Z + (N-1) \bar D / (1 + Z/D)}\Big)

    Parameters
    ----------
    demands : array (m,)
        Mean service demand of each service, visits times service time [T], > 0.
    population : float
        Jobs N, at least 1.
    think_time : float
        Mean time Z that a job spends outside all queues [T], at least 0.

    Returns
    -------
    ClosedBounds

    Raises
    ------
    ParameterError
        Where a number is out of its range.

    Notes
    -----
    D is the sum, D_max the largest and D-bar the mean of the demands. Balanced-job bounds hold for
    networks of product form; 1 / D_max holds for any.

    References
    ----------
    Muntz and Wong (1974); Zahorjan, Sevcik, Eager and Galler (1982), Commun. ACM 25, 134; Lazowska
    et al. (1984), Quantitative System Performance, ch. 5, table 5.3.

    Examples
    --------
    >>> bounds = closed_bounds([2.0, 1.0, 1.0], population=4)
    >>> round(bounds.throughput_low, 4), round(bounds.throughput_high, 4)
    (0.4, 0.5)
    """
    each = np.atleast_1d(np.asarray(demands, dtype=np.float64))
    faults = [
        Fault("closed_bounds", name, repr(value), said)
        for name, value, good, said in (
            ("demands", demands, each.size and (each > 0).all() and np.isfinite(each).all(),
             "must be finite and above 0"),
            ("population", population, 1 <= population < math.inf, "must be at least 1"),
            ("think_time", think_time, 0 <= think_time < math.inf, "must be at least 0"),
        )
        if not good
    ]  # fmt: skip
    if faults:
        raise ParameterError(faults)
    total, most, mean = float(each.sum()), float(each.max()), float(each.mean())
    n, z = float(population), float(think_time)
    high = min(1.0 / most, n / (total + z + (n - 1.0) * mean / (1.0 + z / total)))
    low = n / (total + z + (n - 1.0) * most / (1.0 + z / (n * total)))
    return ClosedBounds(low, high, n / high - z, n / low - z, (total + z) / most)


def bounds(network: Network) -> pd.DataFrame:
    r"""Return the classical bounds of an open network, by service and as a whole.

    .. math:: \lambda \le \frac{c_i}{D_i},\qquad
              \frac{D}{1 - \lambda \bar D} \le R \le \frac{D}{1 - \lambda D_{max}}

    Parameters
    ----------
    network : Network

    Returns
    -------
    pandas.DataFrame
        One row a service with finitely many servers: service_demand (server time per entering job,
        all classes as they come) [T], load_ratio, saturation_throughput (jobs per T that may enter
        at the present mix before it saturates). ``.attrs`` hold the whole: ``throughput_high``,
        ``response_low`` (the sum of all demands), and, where all servers are single ones,
        ``balanced_low`` and ``balanced_high`` of the response time (nan beyond saturation).

    Notes
    -----
    Asymptotic bounds hold for any open network without loss; the balanced-job bounds for single
    servers of product form.

    References
    ----------
    Lazowska et al. (1984), Quantitative System Performance, table 5.1 and 5.3.
    """
    compilation = compile_network(network)
    arrays = compilation.arrays
    entering = arrays.external_arrival_rate.sum(axis=0)
    rate = float(entering.sum())
    if not rate > 0:
        raise ParameterError([Fault("network", "external_arrival_rate", "", "nobody enters")])
    demand = (class_demands(arrays) * entering / rate).sum(axis=1)
    limited = np.isfinite(arrays.servers) & (demand > 0)
    servers = arrays.servers[limited]
    frame = pd.DataFrame(
        {
            "service_demand": demand[limited],
            "load_ratio": rate * demand[limited] / servers,
            "saturation_throughput": servers / demand[limited],
        },
        index=pd.Index(
            [name for name, some in zip(compilation.services, limited, strict=True) if some],
            name="service",
        ),
    ).sort_values("saturation_throughput", kind="stable")
    whole = {"throughput_high": float(frame["saturation_throughput"].min()) if len(frame)
             else math.inf, "response_low": float(demand.sum())}  # fmt: skip
    each = demand[limited]
    single = len(each) > 0 and bool((servers == 1).all()) and rate * float(each.max()) < 1
    fixed = float(demand[~limited].sum())
    total = float(each.sum())
    whole["balanced_low"] = fixed + total / (1 - rate * each.mean()) if single else math.nan
    whole["balanced_high"] = fixed + total / (1 - rate * each.max()) if single else math.nan
    frame.attrs.update(whole)
    frame.attrs["time_unit"] = network.time_unit
    return frame
