"""What the chains tell each other beyond means: smooth streams, and service that comes and goes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.blocking_compressed_flows import Flows, Layout, transit_by_class
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.compiled import WAIT_OUTSIDE, Booleans, CompiledNetwork, Floats

SATURATED = 1.0 - 1e-7
"""The number at a service whose tail falls so slowly says nothing of its neighbours."""


def falls(layout: Layout, flows: Flows, chains: Chain[Floats]) -> Floats:
    r"""Return, by pair, how much less comes for each job that is downstream already.

    With :math:`x_i, x_j` the numbers at the two services, B and D the rates of coming and leaving,

    .. math::
        \mathrm{Cov}(D_i, x_i) = E D_i + \mathrm{Cov}(B_i, x_i),\quad
        \mathrm{Cov}(x_i, x_j) \approx \frac{p_{ij}\,\mathrm{Cov}(B_i, x_i)}
            {E D_i / V_i + E D_j / V_j},\quad
        E(D_i | x_j) \approx E D_i + \frac{\mathrm{Cov}(D_i, x_i)}{V_i}
            \frac{\mathrm{Cov}(x_i, x_j)}{V_j} (x_j - E x_j)

    Parameters
    ----------
    layout, flows
        Of the network.
    chains : Chain of (n,) arrays

    Returns
    -------
    (p,) array
        At least 0, in parts of the stream that comes when nobody is downstream.

    Notes
    -----
    The first is exact for a birth-death chain (detailed balance), the second drops all but the two
    services. A service that turns nobody away has Cov(B, x) = 0: what leaves it is as if Poisson,
    and independent of its number (Burke). One that is full now and then lets out less than Poisson.

    References
    ----------
    Burke (1956), Oper. Res. 4, 699; Wilkinson (1956), Bell Syst. Tech. J. 35, 421 (smooth traffic).
    """
    up, down = layout.upper, layout.lower
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        chance = flows.chance / flows.passes[up]
        turnover = chains.coming / chains.variance
        slope = (chains.coming + chains.smoothing) / chains.variance
        together = chance * chains.smoothing[up] / (turnover[up] + turnover[down])
        less = np.maximum(-slope[up] * together / chains.variance[down] / chains.coming[up], 0.0)
        fall = less / (1.0 + less * chains.number[down])
    steady = (chains.ratio[up] < SATURATED) & (chains.ratio[down] < SATURATED)
    return np.where(steady & np.isfinite(fall), np.clip(fall, 0.0, 1.0), 0.0)


SLIGHT = 1e-3
"""Where so small a share of the servers comes and goes, its speed is rounding, and of no effect."""


class Spells(NamedTuple):
    """By pair: how blocking for the lower service makes the upper one's rate of work vary."""

    variance: Floats
    """(p,) of the number blocked over the mean servers held."""
    relaxation: Floats
    """(p,) rate at which such a spell passes."""


def spells(layout: Layout, flows: Flows, chains: Chain[Floats]) -> Spells:
    r"""Return how much, and how fast, the share of blocked servers varies.

    The number blocked for j varies as its chain says; each of them stands at i with the share that
    i has of those who come. The spells pass at the rate at which jobs come to be blocked for j over
    the variance of their number.
    """
    up, down = layout.upper, layout.lower
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.minimum(flows.pair / chains.inflow[down], 1.0)
        among = share * (1.0 - share) * chains.blocked[down]
        variance = (share**2 * chains.blocked_variance[down] + among) / chains.busy[up] ** 2
        relaxation = (chains.inflow * chains.found_full / chains.blocked_variance)[down]
    sound = np.isfinite(variance) & np.isfinite(relaxation) & (relaxation > 0)
    return Spells(np.where(sound, variance, 0.0), np.where(sound, relaxation, 1.0))


def standing_spells(
    compiled: CompiledNetwork, layout: Layout, flows: Flows, chains: Chain[Floats]
) -> tuple[Floats, Floats]:
    r"""Return, by service, how much its number of blocked servers varies, and how slowly.

    Slow is compared with the number at the service itself: with :math:`\kappa` the rate at which
    spells pass (those for several services by their variance), and :math:`E D / V` the rate at
    which the number at the service relaxes, slowness is
    :math:`(E D / V) / (\kappa + E D / V)`: what the covariance of two linear relaxations comes to,
    over that with a number of blocked servers that never changes.

    Returns
    -------
    deviation : (n,) array
        Standard deviation of the number blocked, over the servers.
    slowness : (n,) array
        In [0, 1].
    """
    up, n = layout.upper, layout.finite.size
    variance, relaxation = spells(layout, flows, chains)
    variance = variance * chains.busy[up] ** 2
    every = np.bincount(up, weights=variance, minlength=n)
    speed = np.bincount(up, weights=variance * relaxation, minlength=n)
    with np.errstate(divide="ignore", invalid="ignore"):
        turnover = chains.coming / chains.variance
        slowness = turnover / (turnover + speed / every)
        deviation = np.minimum(np.sqrt(every) / compiled.servers, 1.0)
        slowness = slowness * np.minimum(deviation / SLIGHT, 1.0) ** 2
    return (
        np.where(np.isfinite(deviation), deviation, 0.0),
        np.where(np.isfinite(slowness), slowness, 0.0),
    )


def line_factors(
    compiled: CompiledNetwork, layout: Layout, flows: Flows, held: Floats, chains: Chain[Floats]
) -> Floats:
    r"""Return, by service, the factor on a line without limit that blocked servers make longer.

    The spells in which servers are blocked add to the variance of what could be served in a long
    time; the line grows with it, as in heavy traffic (:math:`\sigma^2, \kappa` relative variance
    and relaxation as in `spells`):

    .. math:: 1 + \frac{c}{S} \sum_j \frac{\sigma_j^2}{\kappa_j}

    References
    ----------
    Iglehart and Whitt (1970), Adv. Appl. Probab. 2, 150 (heavy traffic: a queue by the variance of
    what arrives and of what could be served in a long time).
    """
    variance, relaxation = spells(layout, flows, chains)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = (compiled.servers / held)[layout.upper] * variance / relaxation
    more = np.where(np.isfinite(more), more, 0.0)
    factors = 1.0 + np.bincount(layout.upper, weights=more, minlength=layout.finite.size)
    return np.where(_has_line(compiled, layout, flows), factors, 1.0)


def _has_line(compiled: CompiledNetwork, layout: Layout, flows: Flows) -> Booleans:
    """Tell where jobs wait in a line without limit and never give up."""
    outside = (compiled.external_when_full == WAIT_OUTSIDE) & (flows.external.sum(axis=1) > 0)
    outside |= transit_by_class(layout, flows).sum(axis=1) > 0
    serves = np.isfinite(compiled.servers) & (flows.done.sum(axis=1) > 0)
    return np.asarray(serves & (layout.giving_up == 0) & (outside | ~layout.finite))
