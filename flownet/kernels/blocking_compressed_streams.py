"""What the chains tell each other beyond means: streams that are smooth."""

from __future__ import annotations

import numpy as np

from flownet.kernels.blocking_compressed_flows import Flows, Layout
from flownet.kernels.blocking_compressed_place import Chain
from flownet.kernels.compiled import Floats

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
