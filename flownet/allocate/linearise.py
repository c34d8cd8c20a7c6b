"""Delay curves as straight lines: tangents where servers are divisible, secants where not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from flownet.errors import ProgramError
from flownet.kernels.compiled import Booleans, Floats, Integers

Curve = Callable[[Integers, Floats], tuple[Floats, Floats]]
"""From services and their numbers of servers, both (k,), to values and slopes, both (k,).

Values are those of a delay (or a loss) that falls as servers are added, convex in each service's
servers, ``inf`` where they are not enough.
"""

FEW_STARTS = (0.6, 1.0, 1.5)
STARTS = (0.4, 0.6, 0.8, 1.0, 1.25, 1.7, 2.5)
"""Starting points lie so many times as far above the load as where money is well spent."""
_FAR = 1e6
_HALVINGS = 40
_SEEN = 24
_ROUNDING = 1e-9
_FLAT = 8.0
"""So many times the root of the load above the load, hardly any delay is left."""


class Cuts(NamedTuple):
    """Straight lines below convex curves: value >= intercept + slope * servers."""

    service: Integers
    slope: Floats
    intercept: Floats

    def at(self, servers: Floats) -> Floats:
        """Return the lines' values at these numbers of servers, one for each line."""
        return self.intercept + self.slope * servers


def tangents(curve: Curve, services: Integers, servers: Floats) -> tuple[Cuts, Floats]:
    r"""Return the curves' supporting lines at given points, and the curves' values there.

    .. math:: f_i(c) \ge f_i(c_k) + f_i'(c_k)\,(c - c_k)

    Parameters
    ----------
    curve : callable
        See `Curve`; of `interpolated` curves the lines are secants.
    services : array of int, shape (k,)
        The services.
    servers : array, shape (k,)
        Where to touch.

    Returns
    -------
    Cuts
        (k,) lines.
    array, shape (k,)
        The values of the curves.

    Raises
    ------
    ProgramError
        Where a value or a slope is not finite: such a point must not be asked for.

    References
    ----------
    Kelley (1960), Journal of the SIAM 8, 703-712: the cutting-plane method.

    Examples
    --------
    >>> def waiting(services, servers):  # one M/M/1 queue at arrival rate 1, servers as its rate
    ...     return 1 / (servers - 1), -1 / (servers - 1) ** 2
    >>> cuts, values = tangents(waiting, np.array([0]), np.array([2.0]))
    >>> float(values[0]), float(cuts.slope[0]), float(cuts.intercept[0])
    (1.0, -1.0, 3.0)
    """
    value, slope = curve(services, servers)
    _refuse_infinite(services, servers, value, slope)
    return Cuts(services, slope, value - slope * servers), value


def _refuse_infinite(services: Integers, servers: Floats, value: Floats, slope: Floats) -> None:
    wrong = ~(np.isfinite(value) & np.isfinite(slope))
    if wrong.any():
        k = int(np.flatnonzero(wrong)[0])
        raise ProgramError(
            f"the curve of service number {services[k]} has no finite value and slope at "
            f"{servers[k]:g} servers: value {value[k]:g}, slope {slope[k]:g}"
        )


def interpolated(curve: Curve, offset: Floats) -> Curve:
    r"""Return the curves drawn straight between whole steps: exact there, above between.

    .. math:: \bar f_i(c) = f_i(k) + (c - k)\,\bigl(f_i(k + 1) - f_i(k)\bigr),
              \qquad k = \lfloor c - o_i \rfloor + o_i

    Parameters
    ----------
    curve : callable
        See `Curve`; its slopes are not used.
    offset : array, shape (n,)
        o: the whole steps of each service are at o, o + 1, o + 2, ...

    Returns
    -------
    callable
        A `Curve` whose slope at a whole step is that of the piece to the right.

    Examples
    --------
    >>> def squares(services, servers):
    ...     return (10 - servers) ** 2, -2 * (10 - servers)
    >>> steps = interpolated(squares, np.array([0.0]))
    >>> [float(x[0]) for x in steps(np.array([0]), np.array([4.5]))]
    [30.5, -11.0]
    """

    def steps(services: Integers, servers: Floats) -> tuple[Floats, Floats]:
        knot = whole_step_below(servers, offset[services])
        left, _ = curve(services, knot)
        right, _ = curve(services, knot + 1.0)
        slope = right - left
        return left + slope * (servers - knot), slope

    return steps


def whole_step_below(servers: Floats, offset: Floats) -> Floats:
    """Return the last of offset, offset + 1, ... at or below `servers`."""
    below: Floats = np.floor(servers - offset + _ROUNDING) + offset
    return below


def whole_step_above(servers: Floats, offset: Floats) -> Floats:
    """Return the first of offset, offset + 1, ... at or above `servers`."""
    above: Floats = np.ceil(servers - offset - _ROUNDING) + offset
    return above


def likely_servers(
    servers: Floats,
    load: Floats,
    weight: Floats,
    price: Floats,
    money: float,
    *,
    moved: bool = False,
) -> Floats:
    r"""Return servers near which money is well spent, by Kleinrock's square root.

    .. math:: c_i = \max\bigl(c_i^0,\; a_i + K\sqrt{a_i w_i / p_i}\bigr),
              \qquad \sum_i p_i (c_i - c_i^0) = B

    Parameters
    ----------
    servers, load, weight : array, shape (n,)
        At present; offered; what a delayed job counts.
    price : array, shape (n,)
        Of one more; where there is none (nan) it counts as the mean of the others.
    money : float
        B.
    moved : bool
        Whether servers can be moved too: they are then taken as money, all at one price.

    References
    ----------
    Kleinrock (1964), Communication Nets.

    Examples
    --------
    >>> one = np.ones(2)
    >>> likely_servers(one * 2, np.array([1.0, 1.9]), one, one, 1.0).round(2).tolist()
    [2.0, 3.0]
    """
    known = np.isfinite(price) & (price > 0)
    usual = float(price[known].mean()) if known.any() else 1.0
    paid = np.where(known, price, usual)
    size = np.sqrt(np.maximum(load * weight, 0.0) / paid)
    now = np.where(np.isfinite(servers), servers, 0.0)
    if moved:
        money, paid = float(now.sum()) + money / usual, np.ones_like(paid)
        now, size = np.zeros_like(now), size * np.sqrt(np.where(known, price, usual))

    def spent(factor: float) -> float:
        return float((paid * np.maximum(load + factor * size - now, 0.0)).sum())

    least, most = 0.0, 1.0
    while spent(most) < money and most < _FAR:
        most *= 2.0
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        least, most = (middle, most) if spent(middle) < money else (least, middle)
    likely: Floats = np.maximum(now, load + most * size)
    return likely


def starting_points(
    services: Integers,
    servers: Floats,
    load: Floats,
    low: Floats,
    high: Floats,
    likely: Floats,
    factors: Sequence[float] = STARTS,
) -> tuple[Integers, Floats]:
    r"""Return the first points to touch: the present, and around where money is well spent.

    .. math:: c = a + \beta\,(c^* - a)

    Parameters
    ----------
    services : array of int, shape (k,)
        The services whose curves are wanted.
    servers, load, low, high : array, shape (n,)
        Present servers, offered load, and the bounds within which the points are kept.
    likely : array, shape (n,)
        c*, see `likely_servers`.
    factors : sequence of float
        beta.

    Returns
    -------
    tuple of arrays
        Services and points, without repetitions.
    """
    load, low, high = load[services], low[services], high[services]
    spare = np.maximum(likely[services] - load, 0.1 * np.sqrt(load))
    # not nearer to the load, where lines are so steep that they say nothing of the rest
    now = np.maximum(servers[services], load + min(factors) / 2 * spare)
    points = [now, *(load + beta * spare for beta in factors)]
    owner = np.tile(services, len(points))
    where = np.clip(np.concatenate(points), np.tile(low, len(points)), np.tile(high, len(points)))
    order = np.lexsort((where, owner))
    owner, where = owner[order], where[order]
    fresh = (np.diff(owner, prepend=-1) != 0) | (np.diff(where, prepend=-1.0) != 0)
    return owner[fresh], where[fresh]


def region_of_interest(load: Floats, low: Floats, high: Floats) -> Floats:
    """Return up to where delay changes: `high`, or the load plus eight times its root and ten."""
    return np.maximum(low, np.minimum(high, np.ceil(load + _FLAT * np.sqrt(load) + 10.0)))


def not_convex(cuts: Cuts, points: Floats, values: Floats) -> Booleans:
    """Return for each line whether a known point of its curve lies below it.

    Parameters
    ----------
    cuts : Cuts
        (k,) lines.
    points, values : array, shape (r, k)
        Known points of the same curves; nan where there is none.
    """
    tolerance = _tolerance(values, cuts.slope * points)
    return np.asarray((cuts.at(points) > values + tolerance).any(axis=0))


def _tolerance(values: Floats, rises: Floats) -> Floats:
    """Return by how much rounding may put a line above a point of its own curve."""
    allowed: Floats = 1e-6 * (1.0 + np.abs(values)) + 1e-9 * np.abs(rises)
    return allowed


def bent_at_steps(curve: Curve, services: Integers, low: Floats, high: Floats) -> Integers:
    """Return the services whose curve is not convex at low, low + 1, ... up to `high`.

    Parameters
    ----------
    curve : callable
        See `Curve`.
    services : array of int, shape (k,)
        Which ones.
    low, high : array, shape (k,)
        First and last number of servers of each.

    Examples
    --------
    >>> def waves(services, servers):
    ...     return 9 - servers + np.sin(2 * servers), np.zeros_like(servers)
    >>> bent_at_steps(waves, np.array([0]), np.array([1.0]), np.array([6.0])).tolist()
    [0]
    """
    counts = np.maximum(np.floor(high - low + _ROUNDING).astype(np.int64) + 1, 0)
    owner = np.repeat(np.arange(services.size), counts)
    step = np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
    points = low[owner] + step
    values, _ = curve(services[owner], points)
    _refuse_infinite(services[owner], points, values, np.zeros_like(values))
    size = np.abs(values[:-2]) + 2 * np.abs(values[1:-1]) + np.abs(values[2:])
    bent = np.diff(values, 2) < -1e-9 * size - 1e-12
    bent &= owner[:-2] == owner[2:]
    return np.unique(services[owner[:-2][bent]])


def bent_between(curve: Curve, services: Integers, low: Floats, high: Floats) -> Integers:
    """Return the services whose curve, seen ever closer to `low`, lies below its tangents.

    Parameters
    ----------
    curve, services, low, high
        As for `bent_at_steps`.

    Examples
    --------
    >>> def waves(services, servers):
    ...     return 9 - servers + np.sin(2 * servers), -1 + 2 * np.cos(2 * servers)
    >>> bent_between(waves, np.array([0]), np.array([1.0]), np.array([6.0])).tolist()
    [0]
    """
    share = np.geomspace(1e-3, 1.0, _SEEN)
    points = low[:, None] + (high - low)[:, None] * share
    owner = np.repeat(services, _SEEN)
    lines, values = tangents(curve, owner, points.ravel())
    value, slope = values.reshape(points.shape), lines.slope.reshape(points.shape)
    intercept = lines.intercept.reshape(points.shape)
    # each tangent below its neighbors' points makes the slopes rise, and so all tangents lie below
    bent = np.zeros(services.size, dtype=bool)
    for here, there in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
        line = intercept[:, here] + slope[:, here] * points[:, there]
        known = value[:, there]
        above = line > known + _tolerance(known, slope[:, here] * points[:, there])
        bent |= above.any(axis=1)
    return services[bent]
