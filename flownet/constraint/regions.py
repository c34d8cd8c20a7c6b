"""Which services saturate for which mix of classes: the regions of class mix, exactly."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from flownet.constraint.demands import class_demands
from flownet.display import html_of_text
from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats
from flownet.network.compile import compile_network
from flownet.network.model import Network, ServiceName
from flownet.solvers.tables import records

SAME = 1e-9
"""Loads that differ by so little, relatively, are the largest together."""


@dataclasses.dataclass(frozen=True, eq=False)
class SaturationRegions:
    """For every mix of classes, the service that saturates first as demand grows.

    Attributes
    ----------
    services : tuple
        All services with finitely many servers that somebody visits.
    classes : tuple of str
        The classes that enter.
    demands : pandas.DataFrame
        Server time per server that one entering job asks (rows services, columns classes) [T].
    regions : dict
        By service that can saturate: the corners of its region, an array (m, R) of shares of the
        classes, in order around it for two and three classes; with four and more classes one mix
        inside it.
    table : pandas.DataFrame
        One row a service that can saturate: share of all mixes (nan for four classes and more), and
        the largest throughput at the mix in the middle of its region.
    shared : tuple
        Pairs of services whose regions share more than a corner: along it both saturate.
    time_unit : str
    """

    services: tuple[ServiceName, ...]
    classes: tuple[str, ...]
    demands: pd.DataFrame = dataclasses.field(repr=False)
    regions: Mapping[ServiceName, Floats] = dataclasses.field(repr=False)
    table: pd.DataFrame = dataclasses.field(repr=False)
    shared: tuple[tuple[ServiceName, ServiceName], ...]
    time_unit: str

    def at(self, mix: Mapping[str, float]) -> tuple[tuple[ServiceName, ...], float]:
        """Return the services that saturate first at a mix, and the throughput at which they do.

        Parameters
        ----------
        mix : mapping
            Jobs of each class, in any unit; what is left out is 0.

        Raises
        ------
        ParameterError
            Where the mix names other classes, or has no job.
        """
        shares = mix_of(mix, self.classes)
        loads = self.demands.to_numpy() @ shares
        most = float(loads.max(initial=0.0))
        if most <= 0:
            return (), math.inf
        first = [name for name, load in zip(self.services, loads, strict=True)
                 if load >= most * (1 - SAME)]  # fmt: skip
        return tuple(first), 1.0 / most

    def __repr__(self) -> str:
        """Return three lines: who can saturate, over which share of mixes, together with whom."""
        names = ", ".join(
            f"'{name}'" + ("" if math.isnan(share) else f" ({share:.0%} of the mixes)")
            for name, share in self.table["share_of_mixes"].items()
        )
        never = len(self.services) - len(self.table)
        together = ", ".join(f"'{a}' and '{b}'" for a, b in self.shared) or "none"
        return "\n".join([
            f"SaturationRegions: {names or 'no service'} can saturate first",
            f"  {never} of {len(self.services)} services never do, whatever the mix of classes",
            f"  together along a border: {together}",
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "classes": list(self.classes),
            "demands": records(self.demands),
            "regions": {str(name): corners.tolist() for name, corners in self.regions.items()},
            "table": records(self.table),
            "shared": [list(pair) for pair in self.shared],
        }


def mix_of(mix: Mapping[str, Any], classes: Sequence[str]) -> Floats:
    """Return the shares of the classes in a mix, checked."""
    faults = [
        Fault("mix", str(name), repr(value), "is not a class that enters; known are "
              + ", ".join(classes))
        if name not in classes
        else Fault("mix", str(name), repr(value), "must be a number, at least 0 and finite")
        for name, value in mix.items()
        if name not in classes
        or isinstance(value, bool)
        or not isinstance(value, (int, float, np.number))
        or not 0 <= value < math.inf
    ]  # fmt: skip
    if faults:
        raise ParameterError(faults)
    shares = np.array([float(mix.get(name, 0.0)) for name in classes])
    if not shares.sum() > 0:
        raise ParameterError([Fault("mix", "", repr(dict(mix)), "must have some jobs")])
    return np.asarray(shares / shares.sum())


def saturation_regions(network: Network) -> SaturationRegions:
    r"""Return which services saturate first for which mix of classes.

    .. math:: \text{service } i \text{ where}\quad
       \frac{D_i \cdot \beta}{c_i} \ge \frac{D_j \cdot \beta}{c_j}\ \text{for all } j,
       \qquad \beta \ge 0,\ \sum_r \beta_r = 1

    Parameters
    ----------
    network : Network
        Of any number of classes.

    Returns
    -------
    SaturationRegions

    Raises
    ------
    ParameterError
        Where nobody enters, or no service has finitely many servers.

    Notes
    -----
    Exact for the limit of stability of open networks without blocking and loss, and for the
    bottlenecks of closed networks of product form with many jobs, beta being the shares of the
    utilizations there. A service whose demands are dominated by a mixture of the others' never
    saturates first. With blocking the limit comes earlier.

    References
    ----------
    Casale and Serazzi (2004), Bottlenecks identification in multiclass queueing networks using
    convex polytopes, MASCOTS 2004, 223; Balbo and Serazzi (1997), Perform. Eval. 30, 115.

    Examples
    --------
    Two classes that ask most of different services saturate each its own:

    >>> import flownet as fn
    >>> network = fn.Network.from_dict({
    ...     "network": {"time_unit": "hour"},
    ...     "classes": {"x": {}, "y": {}},
    ...     "services": [
    ...         {"name": "a", "service_time": {"x": 2.0, "y": 1.0}, "external_arrival_rate": 0.1},
    ...         {"name": "b", "service_time": {"x": 1.0, "y": 2.0}},
    ...     ],
    ...     "routes": [{"from": "a", "to": "b"}],
    ... })
    >>> fn.saturation_regions(network).regions["a"].tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    compilation = compile_network(network)
    arrays = compilation.arrays
    entering = np.flatnonzero(arrays.external_arrival_rate.sum(axis=0) > 0)
    if not entering.size:
        raise ParameterError([Fault("network", "external_arrival_rate", "", "nobody enters")])
    demands = (class_demands(arrays) / arrays.servers[:, None])[:, entering]
    kept = np.flatnonzero(np.isfinite(arrays.servers) & (demands > 0).any(axis=1))
    if not kept.size:
        message = "no service that somebody comes to has finitely many servers: nothing saturates"
        raise ParameterError([Fault("network", "servers", "", message)])
    names = tuple(compilation.services[i] for i in kept)
    classes = tuple(compilation.classes[r] for r in entering)
    points = demands[kept]
    corners = [_region(points, i) for i in range(len(names))]
    found = {name: each for name, each in zip(names, corners, strict=True) if len(each)}
    return SaturationRegions(
        services=names,
        classes=classes,
        demands=pd.DataFrame(points, index=pd.Index(names, name="service"), columns=classes),
        regions=found,
        table=_table(points, found),
        shared=_shared(points, names, found),
        time_unit=network.time_unit,
    )


def _region(points: Floats, i: int) -> Floats:
    """Return the corners of the region of mixes in which point i weighs most."""
    classes = points.shape[1]
    others = np.delete(points, i, axis=0)
    limits = points[i] - others
    if classes <= 3:
        corners = np.eye(classes)
        for limit in limits:
            corners = _cut(corners, limit, float(np.abs(points).max()))
        return corners
    # room to spare inside the region, found by a linear program
    cost = np.append(np.zeros(classes), -1.0)
    rows = np.hstack([-limits, np.ones((len(limits), 1))])
    sides = np.hstack([-np.eye(classes), np.ones((classes, 1)) * 1e-3])
    found = linprog(
        cost,
        A_ub=np.vstack([rows, sides]),
        b_ub=np.zeros(len(rows) + classes),
        A_eq=[np.append(np.ones(classes), 0.0)],
        b_eq=[1.0],
        bounds=[(0.0, None)] * classes + [(None, float(np.abs(points).max()))],
    )
    best = np.zeros(0) if found.x is None else np.asarray(found.x)
    inside = found.status == 0 and best[-1] >= -SAME * float(np.abs(points).max())
    return best[None, :-1] if inside else np.zeros((0, classes))


def _cut(corners: Floats, limit: Floats, scale: float) -> Floats:
    """Return what of a convex region is on the good side, limit . mix >= 0, in its order."""
    if not len(corners):
        return corners
    values = corners @ limit
    values = np.where(np.abs(values) <= SAME * scale, 0.0, values)
    if len(corners) == 1:
        return corners if values[0] >= 0 else corners[:0]
    kept: list[Floats] = []
    pairs = range(len(corners)) if corners.shape[1] == 3 and len(corners) > 2 else [0]
    if len(corners) == 2:
        kept += [corners[0]] if values[0] >= 0 else []
        if values[0] * values[1] < 0:
            kept.append(_between(corners[0], corners[1], values[0], values[1]))
        kept += [corners[1]] if values[1] >= 0 else []
        return np.array(kept).reshape(-1, corners.shape[1])
    for a in pairs:
        b = (a + 1) % len(corners)
        if values[a] >= 0:
            kept.append(corners[a])
        if values[a] * values[b] < 0:
            kept.append(_between(corners[a], corners[b], values[a], values[b]))
    return np.array(kept).reshape(-1, corners.shape[1])


def _between(first: Floats, second: Floats, at_first: float, at_second: float) -> Floats:
    share = at_first / (at_first - at_second)
    return np.asarray(first + share * (second - first))


def _size(corners: Floats) -> float:
    """Return the share of all mixes in a region; nan for more than three classes."""
    classes = corners.shape[1]
    if classes == 1:
        return 1.0
    if classes == 2:
        return float(np.ptp(corners[:, 0]))
    if classes > 3:
        return math.nan
    x, y = corners[:, 0], corners[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def _table(points: Floats, found: Mapping[ServiceName, Floats]) -> pd.DataFrame:
    rows = {
        name: (_size(corners), 1.0 / float((points @ corners.mean(axis=0)).max()))
        for name, corners in found.items()
    }
    frame = pd.DataFrame.from_dict(
        rows, orient="index", columns=["share_of_mixes", "throughput_in_the_middle"]
    )
    frame.index.name = "service"
    return frame.sort_values("share_of_mixes", ascending=False, kind="stable")


def _shared(
    points: Floats, names: Sequence[ServiceName], found: Mapping[ServiceName, Floats]
) -> tuple[tuple[ServiceName, ServiceName], ...]:
    """Return pairs that saturate together along a whole border (a point, for two classes)."""
    classes = points.shape[1]
    scale = float(np.abs(points).max())
    place = {name: i for i, name in enumerate(names)}
    pairs = []
    known = list(found)
    for k, a in enumerate(known):
        for b in known[k + 1 :]:
            both = found[a][
                np.abs(found[a] @ (points[place[a]] - points[place[b]])) <= 1e-7 * scale
            ]
            distinct = np.unique(np.round(both, 9), axis=0)
            if len(distinct) >= max(min(classes, 3) - 1, 1) and classes <= 3:
                pairs.append((a, b))
    return tuple(pairs)
