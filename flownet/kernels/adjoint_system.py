"""A large sparse system of local relations, put together block by block, and its adjoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csc_array, eye_array
from scipy.sparse.linalg import LinearOperator, gmres, spilu, splu

from flownet.kernels.compiled import Floats, Integers

DIRECT = 60_000
"""Up to so many unknowns the system is factorized."""
SOLVED = 1e-11


class Relations:
    """Unknowns y = phi(y, theta) in named blocks, and the derivatives of phi as they are found."""

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
        answer = _solved(system, right)
        if answer is None:
            return None
        return {
            name: answer[self.first[name] : self.first[name] + size]
            for name, size in self.sizes.items()
        }


def _solved(system: csc_array, right: Floats) -> Floats | None:
    if right.size <= DIRECT:
        direct = np.asarray(splu(system).solve(right))
        return direct if np.isfinite(direct).all() else None
    rough: Any = spilu(system, drop_tol=1e-5, fill_factor=12)
    guess = LinearOperator(system.shape, matvec=rough.solve, dtype=np.float64)
    answer, failed = gmres(system, right, M=guess, rtol=SOLVED, atol=0.0, restart=60, maxiter=30)
    return None if failed else np.asarray(answer)
