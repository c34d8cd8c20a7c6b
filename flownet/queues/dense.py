"""Small dense matrices inside compiled code: products and solutions without outside libraries.

The matrices here are minus a subgenerator or its Schur complements (M-matrices), for which
elimination without pivoting is stable.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flownet.jit import njit

Floats = NDArray[np.float64]


@njit
def multiply(a: Floats, b: Floats) -> Floats:
    """Return the matrix product a b, skipping zeros of a."""
    n, m = a.shape
    p = b.shape[1]
    out = np.zeros((n, p))
    for i in range(n):
        for k in range(m):
            factor = a[i, k]
            if factor != 0.0:
                for j in range(p):
                    out[i, j] += factor * b[k, j]
    return out


@njit
def factorize(a: Floats) -> None:
    """Overwrite a by its factors L U (unit lower triangle), without pivoting."""
    n = a.shape[0]
    for k in range(n):
        pivot = 1.0 / a[k, k]
        for i in range(k + 1, n):
            if a[i, k] != 0.0:
                factor = a[i, k] * pivot
                a[i, k] = factor
                for j in range(k + 1, n):
                    a[i, j] -= factor * a[k, j]


@njit
def factorize_rates(a: Floats, leak: Floats) -> None:
    """Overwrite a, minus a (sub)generator, by its factors, and leak by what elimination adds to it.

    `leak` (n,) is the rate at which each state leaves for states that are not in a, the sums of the
    rows of a; the diagonal of a is not read. Nothing is subtracted, so that every entry keeps its
    digits however small the probabilities are (Grassmann, Taksar and Heyman 1985).
    """
    n = a.shape[0]
    for k in range(n):
        pivot = leak[k]
        for j in range(k + 1, n):
            pivot -= a[k, j]
        a[k, k] = pivot
        for i in range(k + 1, n):
            if a[i, k] != 0.0:
                factor = a[i, k] / pivot
                a[i, k] = factor
                leak[i] -= factor * leak[k]
                for j in range(k + 1, n):
                    a[i, j] -= factor * a[k, j]


@njit
def row_sums(a: Floats) -> Floats:
    """Return the sum of each row."""
    out = np.zeros(a.shape[0])
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[i] += a[i, j]
    return out


@njit
def solve_left(factors: Floats, b: Floats) -> None:
    """Overwrite b by x with a x = b, from the factors of a."""
    n = factors.shape[0]
    p = b.shape[1]
    for i in range(n):
        for k in range(i):
            factor = factors[i, k]
            if factor != 0.0:
                for j in range(p):
                    b[i, j] -= factor * b[k, j]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            factor = factors[i, k]
            if factor != 0.0:
                for j in range(p):
                    b[i, j] -= factor * b[k, j]
        pivot = 1.0 / factors[i, i]
        for j in range(p):
            b[i, j] *= pivot


@njit
def solve_right(factors: Floats, b: Floats) -> None:
    """Overwrite the rows of b by x with x a = b, from the factors of a."""
    n = factors.shape[0]
    for row in range(b.shape[0]):
        for k in range(n):
            value = b[row, k] / factors[k, k]
            b[row, k] = value
            if value != 0.0:
                for j in range(k + 1, n):
                    b[row, j] -= value * factors[k, j]
        for k in range(n - 1, 0, -1):
            value = b[row, k]
            if value != 0.0:
                for j in range(k):
                    b[row, j] -= value * factors[k, j]


@njit
def subtract(a: Floats, b: Floats) -> None:
    """Overwrite a by a - b."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] -= b[i, j]


@njit
def negative(a: Floats) -> Floats:
    """Return -a."""
    out = np.empty(a.shape)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[i, j] = -a[i, j]
    return out


@njit
def null_vector(factors: Floats) -> Floats:
    """Return the row x (1, n) with x a = 0 and a last entry of 1, from the factors of a."""
    n = factors.shape[0]
    x = np.zeros((1, n))
    x[0, n - 1] = 1.0
    for i in range(n - 1, 0, -1):
        value = x[0, i]
        if value != 0.0:
            for k in range(i):
                x[0, k] -= value * factors[i, k]
    return x
