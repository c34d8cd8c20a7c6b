"""How compiled code reaches the simulator's memory: by its address, in two views.

An array that is handed from one compiled function to the next costs seven words and, mostly, two
atomic counts at each call, which made the simulation eight times slower. The simulator's functions
hand on the address of their memory instead, and look at it through views that own nothing. These
say that they have length 0, since numba then spares the test for indices that count from the end
(a third of the time); only with ``NUMBA_BOUNDSCHECK=1`` is the true length told, and then every
access is checked. Not compiled (``NUMBA_DISABLE_JIT=1``), the arrays themselves are handed on.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numba
import numpy as np
from numba.extending import intrinsic

from flownet.jit import njit
from flownet.kernels import simulation_memory as at
from flownet.kernels.compiled import Floats, Integers

Address: TypeAlias = Any
"""What `handle` returns: an integer; not compiled, the two views."""

_numba: Any = numba  # untyped
_CHECKED: Final = bool(_numba.config.BOUNDSCHECK)
_COMPILED: Final = not _numba.config.DISABLE_JIT
_ENOUGH: Final = at.LENGTH + 1


def _build_pointer(_: Any, address: Any) -> Any:
    """Turn an address into a pointer, for the compiler."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return _numba.types.voidptr(address), build


_pointer: Any = intrinsic(_build_pointer)


@njit
def _length(m: Address) -> int:
    """Return the length that the views shall have."""
    if _CHECKED:
        return int(_numba.carray(_pointer(m), (_ENOUGH,), np.int64)[at.LENGTH])
    return 0


@njit
def _integers(m: Address) -> Integers:
    view: Integers = _numba.carray(_pointer(m), (_length(m),), np.int64)
    return view


@njit
def _floats(m: Address) -> Floats:
    view: Floats = _numba.carray(_pointer(m), (_length(m),), np.float64)
    return view


@njit
def _words(m: Address) -> tuple[Integers, Floats]:
    return _integers(m), _floats(m)


def _first(m: Address) -> Integers:
    view: Integers = m[0]
    return view


def _second(m: Address) -> Floats:
    view: Floats = m[1]
    return view


def _both(m: Address) -> tuple[Integers, Floats]:
    return m[0], m[1]


integers = _integers if _COMPILED else _first
"""Return the memory, known by its address, as integers."""
floats = _floats if _COMPILED else _second
"""Return the memory as floats."""
words = _words if _COMPILED else _both
"""Return the memory as integers and as floats."""


def handle(q: Integers) -> Address:
    """Return what the simulator's functions take for their memory.

    Parameters
    ----------
    q : ndarray of int64
        Must be kept alive by the caller while a compiled function works on it.

    Returns
    -------
    int or tuple
        The address; not compiled, the memory as integers and as floats.
    """
    return q.ctypes.data if _COMPILED else (q, q.view(np.float64))
