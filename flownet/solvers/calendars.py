"""What formulas make of calendars: the time means, and the words that say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flownet.display import figure
from flownet.network.compile import Compilation

HIDDEN = "the time mean is taken, which hides the queues of the worst hours; simulate shows them"


def calendar_strains(compilation: Compilation) -> list[str]:
    """Return which arrivals and servers vary by a calendar where only their means are taken."""
    calendars = compilation.calendars
    if calendars is None:
        return []
    width = len(compilation.classes)
    arriving = np.flatnonzero(np.diff(calendars.arrival_start))
    lines = [
        f"arrivals from outside at {name} vary by a calendar: {HIDDEN}"
        for name in _some([compilation.services[s // width] for s in arriving])
    ]
    changed = []
    for i in np.flatnonzero(np.diff(calendars.server_start)):
        values = calendars.server_values[slice(*calendars.server_start[i : i + 2])]
        taken = figure(float(compilation.arrays.servers[i]))
        changed.append(
            f"{compilation.services[i]} ({figure(values.min())} to {figure(values.max())}, "
            f"taken as {taken})"
        )
    lines += [f"servers at {name} vary by a calendar: {HIDDEN}" for name in _some(changed)]
    return lines


def calendar_reasons(compilation: Compilation) -> list[str]:
    """Return why a method that counts states does not apply."""
    return [
        f"{line.partition(':')[0]}: there is no steady state"
        for line in calendar_strains(compilation)
    ]


def _some(names: Sequence[object]) -> list[str]:
    """Return a list of one text with up to four names, each once; empty without names."""
    each = list(dict.fromkeys(map(str, names)))
    more = f" and {len(each) - 4} more" if len(each) > 4 else ""
    return [", ".join(each[:4]) + more] if each else []
