"""Stations whose means depend on the service law through its mean only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flownet.queues.arguments import Numbers, rows
from flownet.queues.markov import mmc, mmck
from flownet.queues.measures import Delay, Limited

Floats = NDArray[np.float64]


def mminf(arrival_rate: Numbers, service_time: Numbers) -> Delay:
    r"""Return the measures of M/G/inf: every job is served at once.

    .. math:: P(N = n) = e^{-a} a^n / n!, \quad a = \lambda E[S]

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda >= 0.
    service_time : array_like
        Mean service time E[S] >= 0, in T.

    Returns
    -------
    Delay
        Arrays in the arguments' common shape; nobody waits.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Poisson arrivals, any service law (insensitive); the number present is Poisson.

    References
    ----------
    Gross, Shortle, Thompson and Harris (2008), section 5.2.2.

    Examples
    --------
    >>> float(mminf(2.0, 3.0).number_present)
    6.0
    """
    return mmc(arrival_rate, service_time, np.inf)


def mgcc(arrival_rate: Numbers, service_time: Numbers, servers: Numbers) -> Limited:
    r"""Return the measures of M/G/c/c: jobs that find all servers busy are lost.

    .. math:: P_{loss} = B(c, a), \quad a = \lambda E[S]

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T offered, lambda >= 0.
    service_time : array_like
        Mean service time E[S] >= 0, in T.
    servers : array_like
        Number of servers c > 0, also fractional.

    Returns
    -------
    Limited
        Arrays in the arguments' common shape.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Exact for every service law with that mean (insensitive): beds without a waiting list.

    References
    ----------
    Erlang (1917); Sevastyanov (1957).

    Examples
    --------
    >>> round(float(mgcc(1.0, 1.0, 2).loss_probability), 12)
    0.2
    """
    return mmck(arrival_rate, service_time, servers, servers)


def processor_sharing(
    arrival_rate: Numbers, service_time: Numbers, servers: Numbers = 1.0
) -> Delay:
    r"""Return the measures of M/G/c with processor sharing: all present are served at once.

    .. math:: T = E[S] + \frac{C(c, a)\, E[S]}{c - a}; \quad c = 1: \ T = \frac{E[S]}{1 - \rho}

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda >= 0.
    service_time : array_like
        Mean service time at the speed of one server, E[S] >= 0, in T.
    servers : array_like
        Number of servers c > 0; n jobs present progress at speed min(n, c)/n each.

    Returns
    -------
    Delay
        Arrays in the arguments' common shape. `waiting_time` is the time lost by sharing,
        `wait_probability` the share of arrivals that find c or more present.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Exact for every service law with that mean (insensitive). A job of size x stays on average
    x times `response_time` over E[S].

    References
    ----------
    Kleinrock (1976), section 4.4; Cohen (1979).

    Examples
    --------
    >>> float(processor_sharing(0.5, 1.0).response_time)
    2.0
    """
    stations, shape = rows(arrival_rate=arrival_rate, service_time=service_time, servers=servers)
    rate, time, count = (column.reshape(shape) for column in stations.T)
    return mmc(rate, time, count)
