"""Which rows of a design are computed together, in which order, and where each begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flownet.kernels.compiled import Floats, Integers


def neighbourhoods(points: Floats, size: int) -> list[Integers]:
    """Return the rows of a design in groups of `size` (the last may be smaller) that lie close.

    The rows are split in two along the parameter that varies most, over and over. The same points
    give the same groups, whoever computes them.

    Parameters
    ----------
    points : (rows, parameters) array
    size : int
        At least 1.

    Examples
    --------
    >>> groups = neighbourhoods(np.array([[1.0, 0.0], [9.0, 1.0], [2.0, 1.0], [8.0, 0.0]]), 2)
    >>> [group.tolist() for group in groups]
    [[0, 2], [1, 3]]
    """
    waiting, groups = [np.arange(len(points))], []
    places = scaled(points)
    while waiting:
        rows = waiting.pop()
        if rows.size <= size:
            groups.append(np.sort(rows))
            continue
        widest = int(np.ptp(places[rows], axis=0).argmax())
        ordered = rows[np.argsort(places[rows, widest], kind="stable")]
        half = -(-(rows.size // 2) // size) * size
        waiting += [ordered[half:], ordered[:half]]
    return groups


def scaled(points: Floats) -> Floats:
    """Return points with every parameter between 0 and 1; what is not finite counts as 0."""
    finite = np.where(np.isfinite(points), points, 0.0)
    span = np.ptp(finite, axis=0)
    return np.asarray((finite - finite.min(axis=0)) / np.where(span > 0.0, span, 1.0))


def inside_out(places: Floats) -> list[int]:
    """Return rows in the order in which each is as near as can be to one before it.

    The first is the one in the middle.

    Parameters
    ----------
    places : (rows, parameters) array
        Of `scaled`.

    Examples
    --------
    >>> inside_out(np.array([[0.0], [1.0], [0.5], [0.3]]))
    [2, 3, 0, 1]
    """
    away = ((places - places.mean(axis=0)) ** 2).sum(axis=1)
    order: list[int] = []
    for _ in range(len(places)):
        row = int(away.argmin())
        order.append(row)
        gap = ((places - places[row]) ** 2).sum(axis=1)
        away = np.minimum(away, gap) if len(order) > 1 else gap
        away[order] = np.inf
    return order


def nearest_of(places: Floats, row: int, known: Sequence[int]) -> int:
    """Return which of the rows in `known` lies nearest to a row; the first of equals."""
    away = ((places[list(known)] - places[row]) ** 2).sum(axis=1)
    return known[int(away.argmin())]
