"""Several servers, general laws, by two moments: M/G/c and GI/G/c."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit
from flownet.queues.arguments import Numbers, columns, rows, shaped, unknown_choice
from flownet.queues.deterministic import mdc_measures, mdc_rows
from flownet.queues.general import gigc_wait_probability, gigc_waiting_time
from flownet.queues.general_slopes import gigc_waiting_time_slopes
from flownet.queues.laws import least_residual
from flownet.queues.markov import mmc_waiting_time
from flownet.queues.measures import Delay, delay
from flownet.queues.phases import MANY, block_order
from flownet.queues.refined import LEAST_SERVICE_SCV, gigc_refined_measures

Floats = NDArray[np.float64]

COSMETATOS, BOXMA = 0, 1
MIXTURES = {"cosmetatos": COSMETATOS, "boxma": BOXMA}
ORDER = 144  # the largest matrix that method "auto" solves; up to 0.1 s a station


@njit
def _formula_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        rate, time, servers = stations[i, 0], stations[i, 1], stations[i, 2]
        ca, cs = stations[i, 3], stations[i, 4]
        out[i, 0] = gigc_wait_probability(rate, time, servers, ca, cs)
        out[i, 1] = gigc_waiting_time(rate, time, servers, ca, cs)


def _refined(stations: Floats) -> tuple[Floats, Floats]:
    """Return P(wait) and the mean wait of each station, solved exactly or from smaller ones."""
    different, places = np.unique(stations, axis=0, return_inverse=True)
    results = [
        gigc_refined_measures(rate, time, servers, ca, cs, ORDER)
        for rate, time, servers, ca, cs in different.tolist()
    ]
    table = np.array(results).reshape(-1, 2)[places.ravel()]
    return table[:, 0].copy(), table[:, 1].copy()


def between_constant(servers: float, service_scv: float) -> bool:
    """Tell whether M/G/c is taken between M/D/c and scv 1/2: where service is very smooth."""
    if LEAST_SERVICE_SCV <= service_scv < 0.5:
        return bool(block_order(min(math.ceil(min(servers, MANY)), MANY), 1.0, service_scv) > ORDER)
    return service_scv < LEAST_SERVICE_SCV


def _refined_poisson(stations: Floats) -> tuple[Floats, Floats]:
    """Return the same for M/G/c; very smooth service between M/D/c and scv 1/2, both exact."""
    scv = stations[:, 3]
    line = np.array([between_constant(c, s) for c, s in stations[:, 2:4].tolist()], bool)
    solved = np.insert(stations, 3, 1.0, axis=1)
    solved[line, 4] = 0.5
    chance, wait = _refined(solved)
    if line.any():
        smooth = columns(mdc_rows, np.ascontiguousarray(stations[line, :3]), 2)
        part = 1.0 - 2.0 * scv[line]
        for values, ends in zip((chance, wait), smooth, strict=True):
            finite = np.isfinite(ends)
            mixed = part[finite] * ends[finite] + (1.0 - part[finite]) * values[line][finite]
            values[np.flatnonzero(line)[finite]] = mixed
    return chance, wait


@njit
def boxma_weight(servers: float, service_scv: float) -> float:
    """Return alpha of Boxma, Cohen and Huffels, with the fitted law's least residual life."""
    if servers <= 1.0:
        return 1.0
    least = least_residual(servers, service_scv)
    return ((1.0 + service_scv) / least - servers - 1.0) / (servers - 1.0)


@njit
def _mixture_rows(stations: Floats, out: Floats) -> None:
    """Mix the exact waits of M/D/c and M/M/c; column 4 is the code of the formula."""
    for i in range(stations.shape[0]):
        rate, time, servers = stations[i, 0], stations[i, 1], stations[i, 2]
        scv, code = stations[i, 3], stations[i, 4]
        markov = mmc_waiting_time(rate, time, servers)
        out[i, 0] = gigc_wait_probability(rate, time, servers, 1.0, scv)
        out[i, 1] = markov
        if markov == 0.0 or math.isinf(markov):
            continue
        constant = mdc_measures(rate, time, servers)[1]
        if code == COSMETATOS:
            out[i, 1] = scv * markov + (1.0 - scv) * constant
        else:
            alpha = boxma_weight(servers, scv)
            below = 2.0 * alpha * constant + (1.0 - alpha) * markov
            out[i, 1] = (1.0 + scv) * constant * markov / below


@njit
def _slope_rows(stations: Floats, out: Floats) -> None:
    for i in range(stations.shape[0]):
        slopes = gigc_waiting_time_slopes(
            stations[i, 0], stations[i, 1], stations[i, 2], stations[i, 3], stations[i, 4]
        )
        for k in range(5):
            out[i, k] = slopes[k]


def mgc(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    service_scv: Numbers = 1.0,
    method: str = "auto",
) -> Delay:
    r"""Return the measures of M/G/c: Poisson arrivals, service by two moments, c servers.

    .. math:: W_q = \frac{1 + c_s^2}{(1 - c_s^2)/W_D + 2 c_s^2/W_M} \ \text{(kimura)}, \quad
              c_s^2 W_M + (1 - c_s^2) W_D \ \text{(cosmetatos)}, \quad
              \frac{(1 + c_s^2) W_D W_M}{2 \alpha W_D + (1 - \alpha) W_M} \ \text{(boxma)}

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda >= 0.
    service_time : array_like
        Mean service time of one server E[S] >= 0, in T.
    servers : array_like
        Number of servers c > 0, also fractional.
    service_scv : array_like
        Squared coefficient of variation of the service time, >= 0.
    method : {'auto', 'kimura', 'cosmetatos', 'boxma'}
        `auto` solves the station exactly for a phase-type law with these moments (up to 0.1 s a
        station); the others are formulas.

    Returns
    -------
    Delay
        Arrays in the arguments' common shape; infinite delay where a >= c.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range or the method is unknown.

    Notes
    -----
    First come first served. All methods are exact for M/M/c and for one server (but for P(wait)),
    and `auto`, `cosmetatos` and `boxma` for M/D/c. Two moments do not determine the wait: laws with
    equal moments differ by a few percent at scv above 2. `kimura` (W_D by Cosmetatos' formula) is
    meant for any scv, `cosmetatos` for scv up to 1, `boxma` for scv up to about 2.

    References
    ----------
    Kimura (1986); Cosmetatos (1976); Boxma, Cohen and Huffels (1979), as in Tijms (1994), eq.
    4.3.27; Neuts (1981) for the phase-type station.

    Examples
    --------
    >>> round(float(mgc(1.0, 1.0, 2, 1.0).waiting_time), 12)
    0.333333333333
    """
    stations, shape = rows(
        arrival_rate=arrival_rate,
        service_time=service_time,
        servers=servers,
        service_scv=service_scv,
    )
    if method == "auto":
        results: tuple[Floats, ...] = _refined_poisson(stations)
    elif method == "kimura":
        results = columns(_formula_rows, np.insert(stations, 3, 1.0, axis=1), 2)
    elif method in MIXTURES:
        coded = np.insert(stations, 4, MIXTURES[method], axis=1)
        results = columns(_mixture_rows, coded, 2)
    else:
        raise unknown_choice("method", method, ("auto", "kimura", *MIXTURES))
    return delay(stations, results, shape)


def gigc(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    arrival_scv: Numbers = 1.0,
    service_scv: Numbers = 1.0,
    method: str = "auto",
) -> Delay:
    r"""Return the measures of GI/G/c by two moments of the arrivals and of the service.

    .. math:: W_q = \phi(\rho, c_a^2, c_s^2, c)\, \frac{c_a^2 + c_s^2}{2}\, W_{M/M/c}

    Parameters
    ----------
    arrival_rate : array_like
        Jobs per T, lambda >= 0.
    service_time : array_like
        Mean service time of one server E[S] >= 0, in T.
    servers : array_like
        Number of servers c > 0, also fractional.
    arrival_scv, service_scv : array_like
        Squared coefficients of variation of the times between arrivals and of service, >= 0.
    method : {'auto', 'formula'}
        `auto` solves Ph/Ph/c with laws fitted to the moments, by a quasi-birth-death process while
        its matrices are small (up to 0.1 s a station), and carries the ratio to M/M/c over from
        smaller stations at equal (1 - rho) sqrt(c) beyond. `formula` takes Whitt's, scaled to give
        Kimura's for Poisson arrivals, and that of Kraemer and Langenbach-Belz for one server.

    Returns
    -------
    Delay
        Arrays in the arguments' common shape; infinite delay where a >= c.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range or the method is unknown.

    Notes
    -----
    Renewal arrivals, first come first served. Two moments do not determine the wait; for scvs
    above 1 at low load other laws with the same moments can differ widely. Chances to wait below
    1e-12 are beyond `auto`: 0 for arrivals smoother than Poisson, else by the formula.

    References
    ----------
    Whitt (1993), eq. 2.24, and 3.1 to 3.10 for P(wait); Neuts (1981); Bini and Meini (1996) for
    cyclic reduction; Halfin and Whitt (1981) for the scaling.

    Examples
    --------
    >>> round(float(gigc(1.0, 1.0, 2, 1.0, 1.0).waiting_time), 12)
    0.333333333333
    """
    stations, shape = rows(
        arrival_rate=arrival_rate,
        service_time=service_time,
        servers=servers,
        arrival_scv=arrival_scv,
        service_scv=service_scv,
    )
    if method == "auto":
        results: tuple[Floats, ...] = _refined(stations)
    elif method == "formula":
        results = columns(_formula_rows, stations, 2)
    else:
        raise unknown_choice("method", method, ("auto", "formula"))
    return delay(stations, results, shape)


def gigc_gradient(
    arrival_rate: Numbers,
    service_time: Numbers,
    servers: Numbers,
    arrival_scv: Numbers = 1.0,
    service_scv: Numbers = 1.0,
) -> dict[str, Floats]:
    r"""Return the derivatives of the mean wait of `gigc` (formula) by its parameters.

    .. math:: dW_q = W_{M/M/c}\, dF + F\, dW_{M/M/c}, \quad F = \phi\, (c_a^2 + c_s^2)/2

    Parameters
    ----------
    arrival_rate, service_time, servers, arrival_scv, service_scv : array_like
        As in `gigc`.

    Returns
    -------
    dict
        Each parameter's name mapped to the derivative of the waiting time; nan where overloaded.

    Raises
    ------
    ParameterError
        Where a parameter is out of its range.

    Notes
    -----
    The formulas have kinks, where the derivative is that of one side: in the number of servers at
    1 and 2; for one server where the arrivals' scv is 1; for more where the scv of service is 1 or
    that of the arrivals, where the two add up to 2, and where Cosmetatos' correction reaches 0.24.

    References
    ----------
    By differentiation of the formulas under `gigc`.

    Examples
    --------
    >>> round(float(gigc_gradient(0.5, 1.0, 1, 1.0, 1.0)["service_scv"]), 12)
    0.5
    """
    stations, shape = rows(
        arrival_rate=arrival_rate,
        service_time=service_time,
        servers=servers,
        arrival_scv=arrival_scv,
        service_scv=service_scv,
    )
    names = ("arrival_rate", "service_time", "servers", "arrival_scv", "service_scv")
    slopes = columns(_slope_rows, stations, 5)
    return {name: shaped(slope, shape) for name, slope in zip(names, slopes, strict=True)}
