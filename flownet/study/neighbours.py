"""Which rows of a design are computed together, in which order, and where each begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from flownet.kernels.compiled import Floats, Integers

FEWEST, MOST = 3, 12
"""Rows nearby through which a plane is laid."""
STIFF: Final = 1e-6
"""How little keeps the plane level where the rows do not say how it lies."""

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


def foreseen(places: Floats, row: int, known: Sequence[int], vectors: Sequence[Floats]) -> Floats:
    r"""Return what the vectors of rows nearby make of that of a row: a plane through them.

    .. math:: \min_{a, B} \sum_k \frac{|v_k - a - B (x_k - x)|^2}{|x_k - x|^2} + \epsilon |B|^2

    Parameters
    ----------
    places : (rows, parameters) array
        Of `scaled`.
    row : int
        For which a vector is wanted.
    known : sequence of int
        At least one row with a vector.
    vectors : sequence of arrays
        Theirs; those of another length than that of the nearest row are left out.

    Returns
    -------
    array
        The vector of the nearest row where fewer than `FEWEST` are known.

    Examples
    --------
    >>> places = np.array([[0.0], [0.1], [0.2], [0.4]])
    >>> vectors = [np.array([5.0]), np.array([6.0]), np.array([7.0])]
    >>> foreseen(places, 3, [0, 1, 2], vectors).round(3)
    array([9.])
    """
    gaps = places[list(known)] - places[row]
    away = (gaps**2).sum(axis=1)
    order = [int(k) for k in np.argsort(away, kind="stable")]
    nearest = vectors[order[0]]
    order = [k for k in order if vectors[k].size == nearest.size][:MOST]
    if len(order) < FEWEST or away[order[0]] == 0.0 or nearest.size == 0:
        return nearest
    far = float(away[order[-1]]) ** 0.5
    weights = far / np.sqrt(away[order])
    sides = np.column_stack([np.ones(len(order)), gaps[order] / far]) * weights[:, None]
    wanted = np.array([vectors[k] - nearest for k in order]) * weights[:, None]
    square = sides.T @ sides
    square[np.diag_indices_from(square)] += STIFF * np.r_[0.0, np.full(gaps.shape[1], 1.0)]
    return np.asarray(nearest + np.linalg.solve(square, sides.T @ wanted)[0])
