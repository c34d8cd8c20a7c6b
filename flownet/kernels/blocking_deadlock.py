"""How often all servers of a service are blocked, and services block each other in a circle."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.special import gammaln

from flownet.kernels.compiled import Booleans, Floats, Integers

MOST_SERVICES = 1000
"""In circles together; the rate of deadlocks of more is not estimated."""
LEAST = 1e-300


def all_blocked(mean: Floats, variance: Floats, servers: Floats) -> Floats:
    r"""Return the probability that all servers are blocked, from moments of the number blocked.

    With :math:`p = m / c` and :math:`\rho = (v / (c p (1 - p)) - 1) / (c - 1)`, the beta-binomial
    law of that mean and variance gives

    .. math:: P(c) = \prod_{k < c} \frac{p (1 - \rho) + k \rho}{1 - \rho + k \rho}

    Parameters
    ----------
    mean, variance : (n,) arrays
        Of the number of servers blocked; a variance below that of the binomial law counts as it.
    servers : (n,) array
        c; 0 where they are unlimited.

    Notes
    -----
    Exact for one server, which is blocked or not.

    References
    ----------
    Griffiths (1973), Biometrics 29, 637 (the law, of households in which cases come together).
    """
    finite = np.isfinite(servers) & (mean > 0.0)
    c = np.where(finite, np.minimum(servers, 1e15), 1.0)
    p = np.clip(np.where(finite, mean / c, 0.0), 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = (variance / (c * p * (1.0 - p)) - 1.0) / (c - 1.0)
    rho = np.clip(np.where(np.isfinite(rho), rho, 0.0), 1e-9, 1.0 - 1e-9)
    a, b = p * (1.0 - rho) / rho, (1.0 - rho) / rho
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = gammaln(a + c) - gammaln(a) - gammaln(b + c) + gammaln(b)
    several = np.where(p >= 1.0, 1.0, np.minimum(np.exp(logs), p))
    return np.where(finite, np.where(c == 1.0, p, several), 0.0)


def deadlock_rate(
    upper: Integers,
    lower: Integers,
    cyclic: Booleans,
    meeting: Floats,
    blocked: Floats,
    servers: Floats,
    full: Floats,
) -> Floats:
    r"""Return an estimate of how often a completion at each service closes a circle of blockages.

    .. math:: r_i = \sum_j f_{ij} \max_{j \to \dots \to i} \prod_{(k, l)}
              \min\Big(1, \frac{q_{kl}}{\sqrt{\pi_k}}\Big),\qquad
              q_{kl} = \frac{b_{kl}}{1 + b_{kl} (1 - 1 / c_k)}

    with f the rate at which jobs of i find j full, the largest product over the ways from j back to
    i, and q the chance that some server of k is blocked for l, from the mean number b that is.
    Every service on such a way is full, which it is for the share :math:`\pi` of time. Were blocked
    servers to say nothing of that, each factor would be q; were they to make it so, q over that
    share: here it is between the two.

    Parameters
    ----------
    upper, lower : (p,) arrays
        Pairs of services of which the first can be blocked for the second.
    cyclic : (p,) array of bool
        Whether the pair lies on a circle.
    meeting : (p,) array
        f, jobs per T.
    blocked : (p,) array
        b.
    servers : (n,) array
    full : (n,) array
        Share of time in which the service is full.

    Returns
    -------
    (n,) array
        nan in circles of more than `MOST_SERVICES` services together.

    Notes
    -----
    q is that of one server, or of a geometric number. An estimate, of the right size only: on 18
    random networks with feedback it was between a quarter and twice the exact rate.
    """
    rate: Floats = np.zeros(servers.size)
    if not cyclic.any():
        return rate
    members, place = np.unique(np.concatenate([upper[cyclic], lower[cyclic]]), return_inverse=True)
    start, end = np.split(place.astype(np.int32), 2)  # the shortest ways of scipy 1.13 ask for that
    if members.size > MOST_SERVICES:
        rate[members] = np.nan
        return rate
    number = blocked[cyclic]
    chance = number / (1.0 + number * (1.0 - 1.0 / servers[upper[cyclic]]))
    chance = chance / np.sqrt(np.maximum(full[upper[cyclic]], LEAST))
    length = -np.log(np.clip(chance, LEAST, 1.0 - 1e-12))
    size = members.size
    way = dijkstra(csr_array((length, (start, end)), shape=(size, size)))
    closing = meeting[cyclic] * np.exp(-way[end, start])
    rate[members] = np.bincount(start, weights=closing, minlength=size)
    return rate
