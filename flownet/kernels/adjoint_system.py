"""A large sparse system of local relations, put together block by block, and its adjoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csc_array, eye_array, triu
from scipy.sparse.linalg import LinearOperator, gmres, splu

from flownet.kernels.compiled import Floats, Integers

DIRECT = 60_000
"""Up to so many unknowns the system is factorized."""
SOLVED = 1e-11


class Relations:
    """Unknowns y = phi(y, theta) in named blocks, and the derivatives of phi as they are found.

    Where these are many, `order` counts: the places of the unknowns in the order in which a sweep
    finds them, so that most of what one is made of comes before it.
    """

    order: Integers | None = None

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = dict(sizes)
        ends = np.cumsum(list(sizes.values()))
        self.first = dict(zip(sizes, (ends - list(sizes.values())).tolist(), strict=True))
        self.size = int(ends[-1])
        self.rows: list[Integers] = []
        self.columns: list[Integers] = []
        self.values: list[Floats] = []

    def add(
        self, to: str, rows: Integers, by: str, columns: Integers, values: Floats | float
    ) -> None:
        """Note that `to` at `rows` changes with `by` at `columns`; entries add up."""
        value = values if isinstance(values, np.ndarray) else np.full(rows.shape, values)
        kept = value != 0.0
        self.rows.append(rows[kept] + self.first[to])
        self.columns.append(columns[kept] + self.first[by])
        self.values.append(value[kept])

    def adjoint(self, worth: Mapping[str, Floats]) -> dict[str, Floats] | None:
        """Solve (I - phi')^T w = worth; None where that fails."""
        places = (np.concatenate(self.rows), np.concatenate(self.columns))
        shape = (self.size, self.size)
        slopes = coo_array((np.concatenate(self.values), places), shape=shape)
        system = csc_array(eye_array(self.size) - slopes.T)
        right = np.zeros(self.size)
        for name, values in worth.items():
            right[self.first[name] : self.first[name] + self.sizes[name]] += values.ravel()
        answer = _solved(system, right, self.order)
        if answer is None:
            return None
        return {
            name: answer[self.first[name] : self.first[name] + size]
            for name, size in self.sizes.items()
        }


def _solved(system: csc_array, right: Floats, order: Integers | None) -> Floats | None:
    """Solve directly where the system is small, else by GMRES, each step after a sweep backwards.

    What feeds back from one sweep to the next is left to GMRES; the rest of the transposed system
    is triangular in the order of the sweep, and takes no more room than it has entries.
    """
    if right.size <= DIRECT:
        direct = np.asarray(splu(system).solve(right))
        return direct if np.isfinite(direct).all() else None
    order = np.arange(right.size) if order is None else order
    ordered: Any = csc_array(system[order][:, order])
    ahead = csc_array(triu(ordered))
    try:
        swept: Any = splu(ahead, permc_spec="NATURAL", diag_pivot_thresh=0.0)
    except RuntimeError:  # an unknown that is nothing but itself: the sweep has no answer
        return None
    guess = LinearOperator(ahead.shape, matvec=swept.solve, dtype=np.float64)
    found, failed = gmres(
        ordered, right[order], M=guess, rtol=SOLVED, atol=0.0, restart=60, maxiter=30
    )
    if failed or not np.isfinite(found).all():
        return None
    answer = np.empty(right.size)
    answer[order] = found
    return answer
