"""One server, general laws: M/G/1 exactly (Pollaczek and Khinchine), GI/G/1 by two moments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import Numbers, checked, columns, refusal, rows, shaped
from flownet.queues.general import gigc_wait_probability, gigc_waiting_time
from flownet.queues.measures import Delay, delay, delay_slopes

Floats = NDArray[np.float64]


class WaitMoments(NamedTuple):
    """The first two moments of a waiting time."""

    mean: Floats
    """E[W] (T)."""
    second_moment: Floats
    """E[W^2] (T^2)."""
    variance: Floats
    """E[W^2] - E[W]^2 (T^2)."""


@njit
def _two_moment_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        rate, time, ca, cs = stations[i, 0], stations[i, 1], stations[i, 2], stations[i, 3]
        out[i, 0] = gigc_wait_probability(rate, time, 1.0, ca, cs)
        out[i, 1] = gigc_waiting_time(rate, time, 1.0, ca, cs)


def mg1(arrival_rate: Numbers, service_time: Numbers, service_scv: Numbers = 1.0) -> Delay:
    r"""Return the measures of M/G/1: Poisson arrivals, any service law, one server.

    .. math:: W_q = \frac{\lambda E[S^2]}{2 (1 - \rho)}, \quad E[S^2] = (1 + c_s^2) E[S]^2

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda >= 0.
    service_time : array_like
        Mean service time E[S] >= 0, in T.
    service_scv : array_like
        Squared coefficient of variation of the service time, >= 0.

    Returns
    -------
    Delay
        Arrays in the arguments' common shape; infinite delay where rho >= 1.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Exact. First come first served, or any order that does not look at service times.

    References
    ----------
    Pollaczek (1930); Khinchine (1932); Gross, Shortle, Thompson and Harris (2008), eq. 5.2.

    Examples
    --------
    >>> round(float(mg1(0.5, 1.0, 0.0).waiting_time), 12)
    0.5
    """
    return gig1(arrival_rate, service_time, 1.0, service_scv)


def mg1_gradient(
    arrival_rate: Numbers, service_time: Numbers, service_scv: Numbers = 1.0
) -> dict[str, Delay]:
    r"""Return the derivatives of `mg1` by its parameters.

    .. math:: \frac{\partial W_q}{\partial \lambda} = \frac{W_q}{\lambda (1 - \rho)}, \quad
              \frac{\partial W_q}{\partial E[S]} = \frac{W_q (2 - \rho)}{E[S] (1 - \rho)}

    Parameters
    ----------
    arrival_rate, service_time, service_scv : array_like
        As in `mg1`.

    Returns
    -------
    dict
        Each parameter's name mapped to a `Delay` of derivatives; nan where overloaded.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Exact.

    References
    ----------
    By differentiation of the Pollaczek-Khinchine formula.

    Examples
    --------
    >>> round(float(mg1_gradient(0.5, 1.0)["arrival_rate"].waiting_time), 12)
    4.0
    """
    stations, shape = rows(
        arrival_rate=arrival_rate, service_time=service_time, service_scv=service_scv
    )
    rate, time, scv = stations.T
    rho = rate * time
    free = np.where(rho < 1.0, 1.0 - rho, np.nan)
    half = 0.5 * (1.0 + scv)
    pairs = {
        "arrival_rate": (time + 0.0 * free, half * time**2 / free**2),
        "service_time": (rate + 0.0 * free, half * rho * (2.0 - rho) / free**2),
        "service_scv": (0.0 * free, 0.5 * rho * time / free),
    }
    alone = np.insert(stations, 2, 1.0, axis=1)
    return delay_slopes(alone, half * rho * time / free, pairs, shape)


def wait_moments(
    rate: Floats, time: Floats, scv: Floats, third: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return mean, second moment and variance of the wait in M/G/1; of complex numbers too."""
    rho = rate * time
    with np.errstate(divide="ignore", invalid="ignore"):
        free = np.where(rho < 1.0, 1.0 - rho, 0.0)
        mean = np.where(free > 0.0, 0.5 * (1.0 + scv) * rho * time / free, np.inf)
        second = np.where(free > 0.0, 2.0 * mean**2 + rate * third / (3.0 * free), np.inf)
        return mean, second, second - mean**2


def mg1_wait_moments(
    arrival_rate: Numbers,
    service_time: Numbers,
    service_scv: Numbers = 1.0,
    service_third_moment: Numbers | None = None,
) -> WaitMoments:
    r"""Return the first two moments of the wait in M/G/1, first come first served.

    .. math:: E[W^2] = 2 E[W]^2 + \frac{\lambda E[S^3]}{3 (1 - \rho)}

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda >= 0.
    service_time : array_like
        Mean service time E[S] >= 0, in T.
    service_scv : array_like
        Squared coefficient of variation of the service time, >= 0.
    service_third_moment : array_like, optional
        E[S^3] in T^3; by default that of a gamma law.

    Returns
    -------
    WaitMoments
        Mean, second moment and variance; inf (variance nan) where rho >= 1.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range, or no law has such a third moment.

    Notes
    -----
    Exact in the three moments.

    References
    ----------
    Gross, Shortle, Thompson and Harris (2008), section 5.1.5; Takacs (1962).

    Examples
    --------
    >>> round(float(mg1_wait_moments(0.5, 1.0).variance), 12)
    3.0
    """
    stations, shape = rows(
        arrival_rate=arrival_rate, service_time=service_time, service_scv=service_scv
    )
    rate, time, scv = stations.T
    third = time**3 * (1.0 + scv) * (1.0 + 2.0 * scv)
    if service_third_moment is not None:
        given = np.broadcast_to(checked("service_third_moment", service_third_moment), shape)
        third = given.ravel()
        wrong = third < (1.0 - 1e-12) * time**3 * (1.0 + scv) ** 2
        if wrong.any():
            least = (time**3 * (1.0 + scv) ** 2)[wrong][0]
            raise refusal(
                "service_third_moment",
                f"{third[wrong][0]:g}",
                f"must be at least E[S^2]^2/E[S] = {least:g}, as for every law of times",
            )
    return WaitMoments(*(shaped(part, shape) for part in wait_moments(rate, time, scv, third)))


def gig1(
    arrival_rate: Numbers,
    service_time: Numbers,
    arrival_scv: Numbers = 1.0,
    service_scv: Numbers = 1.0,
) -> Delay:
    r"""Return the measures of GI/G/1 by the formula of Kraemer and Langenbach-Belz.

    .. math:: W_q = \phi\, \frac{c_a^2 + c_s^2}{2}\, \frac{\rho E[S]}{1 - \rho}, \quad
              \ln\phi = -\frac{2 (1-\rho) (1-c_a^2)^2}{3 \rho (c_a^2 + c_s^2)}\ (c_a^2 < 1), \
              -\frac{(1-\rho)(c_a^2-1)}{c_a^2 + 4 c_s^2}\ (c_a^2 \ge 1)

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda >= 0.
    service_time : array_like
        Mean service time E[S] >= 0, in T.
    arrival_scv, service_scv : array_like
        Squared coefficients of variation of the times between arrivals and of service, >= 0.

    Returns
    -------
    Delay
        Arrays in the arguments' common shape; infinite delay where rho >= 1.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    Renewal arrivals, first come first served. Exact for Poisson arrivals; otherwise an
    approximation, about 2 % from phase-type laws with these moments at load 0.5 to 0.95 and scvs
    0.25 to 4 (9 % at worst). `gigc` with one server solves the phase-type station instead.

    References
    ----------
    Kraemer and Langenbach-Belz (1976), also for P(wait).

    Examples
    --------
    >>> round(float(gig1(0.5, 1.0, 1.0, 3.0).waiting_time), 12)
    2.0
    """
    stations, shape = rows(
        arrival_rate=arrival_rate,
        service_time=service_time,
        arrival_scv=arrival_scv,
        service_scv=service_scv,
    )
    results = columns(_two_moment_rows, stations, 2)
    return delay(np.insert(stations, 2, 1.0, axis=1), results, shape)
