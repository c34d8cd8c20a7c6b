"""Looking at results: plots, text tables and one self-contained page. Nothing is computed here.

Every plot is a function that takes a result and returns a plotly figure:
``flownet.view.network_map(finding)``. They are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flownet.view.maps import network_map

_PLACES = {
    "network_map": "flownet.view.maps",
}
"""Where each plot lives."""

__all__ = [
    "network_map",
]


def __getattr__(name: str) -> Any:
    """Load a plot when it is first used."""
    if name in _PLACES:
        value = getattr(importlib.import_module(_PLACES[name]), name)
        globals()[name] = value
        return value
    message = f"module 'flownet.view' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    """Return the names of the plots."""
    return sorted({*globals(), *_PLACES})
