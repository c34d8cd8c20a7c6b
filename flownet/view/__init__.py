"""Looking at results: plots, text tables and one self-contained page. Nothing is computed here.

Every plot is a function that takes a result and returns a plotly figure:
``flownet.view.network_map(finding)``. They are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flownet.view.bars import relief_bars
    from flownet.view.causes import delay_heatmap, delay_ribbon
    from flownet.view.distributions import (
        occupancy_distribution,
        time_distribution,
        wait_distribution,
    )
    from flownet.view.frontiers import frontier
    from flownet.view.limits import relief_curve, saturation_map
    from flownet.view.maps import network_map
    from flownet.view.pictures import save_picture
    from flownet.view.slopes import slope_chart
    from flownet.view.spc import xmr_chart
    from flownet.view.tornados import sensitivity_bars, tornado_chart
    from flownet.view.weeks import constraint_week, week

_PLACES = {
    "constraint_week": "flownet.view.weeks",
    "delay_heatmap": "flownet.view.causes",
    "delay_ribbon": "flownet.view.causes",
    "frontier": "flownet.view.frontiers",
    "network_map": "flownet.view.maps",
    "occupancy_distribution": "flownet.view.distributions",
    "relief_bars": "flownet.view.bars",
    "relief_curve": "flownet.view.limits",
    "saturation_map": "flownet.view.limits",
    "save_picture": "flownet.view.pictures",
    "sensitivity_bars": "flownet.view.tornados",
    "slope_chart": "flownet.view.slopes",
    "time_distribution": "flownet.view.distributions",
    "tornado_chart": "flownet.view.tornados",
    "wait_distribution": "flownet.view.distributions",
    "week": "flownet.view.weeks",
    "xmr_chart": "flownet.view.spc",
}
"""Where each plot lives."""

__all__ = [
    "constraint_week",
    "delay_heatmap",
    "delay_ribbon",
    "frontier",
    "network_map",
    "occupancy_distribution",
    "relief_bars",
    "relief_curve",
    "saturation_map",
    "save_picture",
    "sensitivity_bars",
    "slope_chart",
    "time_distribution",
    "tornado_chart",
    "wait_distribution",
    "week",
    "xmr_chart",
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
