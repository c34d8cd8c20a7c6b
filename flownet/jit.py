"""The one numba decorator: cached where a cache can be written, uncached where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit as _njit

F = TypeVar("F", bound=Callable[..., Any])


def njit(function: F) -> F:
    """Compile `function` with flownet's options: cached, numpy's error model, without the GIL.

    numba raises when it decorates with ``cache=True`` and neither the package's folder nor the
    user's cache folder is writable (a read-only installation); the function is then compiled
    afresh in each process instead.
    """
    try:
        compiled = _njit(cache=True, error_model="numpy", nogil=True)(function)
    except RuntimeError:
        compiled = _njit(cache=False, error_model="numpy", nogil=True)(function)
    return cast("F", compiled)  # a Dispatcher, called like the function
