"""How many jobs are present, as a distribution: at one service of product form, or at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.signal import fftconvolve

from flownet.errors import Fault, MethodError, UnknownNameError
from flownet.kernels.compiled import Floats
from flownet.kernels.product_form import number_distribution
from flownet.network.values import nearest

if TYPE_CHECKING:
    from flownet.network.model import ServiceName
    from flownet.solvers.solution import Solution

TRIMMED = 1e-13
"""Probability that is cut off on either side of a sum."""


def number_present(solution: Solution, service: ServiceName | None = None) -> pd.Series[float]:
    r"""Return the probability of every number present, at one service or at all together.

    .. math:: P(N = n) = (P_1 * P_2 * \dots)(n)

    Parameters
    ----------
    solution : Solution
        By method ``product_form``.
    service : str, optional
        By default the sum over all services; jobs in transit are not counted.

    Returns
    -------
    pandas.Series
        Indexed by the number, from 0 to where less than 1e-12 is left; ``attrs`` hold ``mean``
        and ``variance``.

    Raises
    ------
    MethodError
        Where the network is not of product form, or a backlog grows: there is no such law.
    UnknownNameError
        Where the service does not exist.

    Notes
    -----
    Exact: services of product form are independent at any one moment.

    References
    ----------
    Baskett, Chandy, Muntz and Palacios (1975), J. ACM 22:248.
    """
    names = solution.compilation.services
    if service is not None and service not in names:
        near = nearest(str(service), [str(name) for name in names])
        fault = Fault("number_present", "service", repr(service), f"is not in the network{near}")
        raise UnknownNameError([fault])
    if solution.method != "product_form":
        reason = (
            f"the number present is known in distribution for product form only, and '"
            f"{solution.method}' gives its mean; simulate, or see .services"
        )
        raise MethodError("number_present", [reason])
    growing = [name for name in solution.overloaded if service in (None, name)]
    if growing:
        listed = ", ".join(f"'{name}'" for name in growing)
        reason = f"the backlog at {listed} grows without limit: its number has no steady state"
        raise MethodError("number_present", [reason])
    arrays, measures = solution.compilation.arrays, solution.measures
    chosen = range(len(names)) if service is None else [names.index(service)]
    parts = [(0, number_distribution(arrays, measures, i)) for i in chosen]
    first, law = _sum(parts)
    law = np.concatenate([np.zeros(first), law])
    series = pd.Series(law, index=pd.RangeIndex(law.size, name="number"), name="probability")
    means = [_moments(part) for _, part in parts]
    series.attrs = {"mean": sum(m for m, _ in means), "variance": sum(v for _, v in means)}
    return series


def _moments(law: Floats) -> tuple[float, float]:
    number = np.arange(law.size)
    mean = float(number @ law)
    return mean, float(((number - mean) ** 2) @ law)


def _sum(parts: list[tuple[int, Floats]]) -> tuple[int, Floats]:
    """Return the law of a sum of independent numbers, by pairs; each from a first number on."""
    while len(parts) > 1:
        pairs = [parts[k : k + 2] for k in range(0, len(parts), 2)]
        parts = [_added(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return parts[0]


def _added(one: tuple[int, Floats], other: tuple[int, Floats]) -> tuple[int, Floats]:
    law = np.maximum(fftconvolve(one[1], other[1]), 0.0)
    law /= law.sum()
    below = int(np.searchsorted(np.cumsum(law), TRIMMED))
    above = law.size - int(np.searchsorted(np.cumsum(law[::-1]), TRIMMED))
    return one[0] + other[0] + below, law[below:above]
