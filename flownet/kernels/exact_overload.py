"""Overloaded services in the chain: queues that grow for ever are held as never empty.

A queue without limit that grows has no stationary distribution, but what it feeds has one: its
servers (or places) are always taken by somebody from the queue. Where several classes wait in such
a queue, who comes next is drawn by their shares of the arrivals, which is exact for Poisson
arrivals from outside.
"""

from __future__ import annotations

import math

import numpy as np

from flownet.errors import MethodError
from flownet.kernels import exact_tables as col
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers
from flownet.kernels.exact_layout import Endless, Layout
from flownet.kernels.exact_measures import growth_of
from flownet.kernels.exact_reach import lines_of
from flownet.kernels.exact_truncation import Cut, plain_flows


def can_grow(compiled: CompiledNetwork, layout: Layout, cut: Cut) -> bool:
    """Tell whether an unlimited number may grow for ever: a line without patience, or a door."""
    if cut.field == "outside":
        return True
    if cut.field == "transit" or not math.isfinite(compiled.servers[cut.place]):
        return False
    i, classes = cut.place, compiled.service_time.shape[1]
    active = np.flatnonzero(layout.tables.pair[:, col.ACTIVE] == 1)
    present = [int(pair) for pair in active if pair // classes == i]
    lines = lines_of(compiled, i, present)
    if not lines:
        return True
    patience = compiled.patience.ravel()
    return bool(np.isinf(patience[lines[-1]]).any())


def with_endless(compiled: CompiledNetwork, layout: Layout, endless: Endless, cut: Cut) -> Endless:
    """Return `endless` with one more line, or door, that never runs empty.

    Raises
    ------
    MethodError
        Where the mix of who waits there is not known.
    """
    i, t = cut.place, layout.tables
    if cut.field == "outside":
        kinds = t.kind[np.isin(t.kind[:, col.TARGET] // compiled.service_time.shape[1], [i])]
        if (kinds[:, col.SOURCE] != col.OUTSIDE).any():
            reason = f"service {i} is overloaded, and jobs from inside stand in the growing queue"
            raise MethodError("exact", [reason])
        if np.ptp(kinds[:, col.TURN]) > 0:
            reason = f"service {i} is overloaded, and streams before it differ in who enters first"
            raise MethodError("exact", [reason])
        pairs = kinds[:, col.TARGET]
    else:
        first, end = t.service[i, col.FIRST_LINE], t.service[i, col.END_LINE]
        number = int(end) - 1 - endless.lines.get(i, 0)
        if number < first:
            raise MethodError("exact", [f"service {i} is overloaded, and shared among all"])
        pairs = np.flatnonzero(t.pair[:, col.LINE] == number)
    _check_mix(compiled, t.route[:, col.TO], i, pairs)
    if cut.field == "outside":
        return Endless(endless.lines, endless.doors | {i})
    return Endless({**endless.lines, i: endless.lines.get(i, 0) + 1}, endless.doors)


def _check_mix(compiled: CompiledNetwork, routed: Integers, i: int, pairs: Integers) -> None:
    """Refuse a growing queue of several classes unless all come from outside by Poisson laws."""
    if len(pairs) <= 1:
        return
    inside = np.isin(pairs, routed).any()
    external = compiled.external_arrival_rate.ravel()[pairs] > 0.0
    poisson = compiled.arrival_scv.ravel()[pairs] == 1.0
    overflown = bool((compiled.overflow_to == i).any())
    if inside or overflown or not (external & poisson).all():
        reason = (
            f"service {i} is overloaded by several classes, and in which order they stand in the "
            "growing queue is not known"
        )
        raise MethodError("exact", [reason])


def first_endless(compiled: CompiledNetwork, layout: Layout) -> Endless:
    """Return the lines and doors that would grow if nobody were lost or blocked.

    It is a first guess that spares long queues; `falsely_endless` takes back what was wrong.
    """
    classes = compiled.service_time.shape[1]
    work = (plain_flows(compiled).reshape(-1, classes) * compiled.service_time).ravel()
    endless = Endless({}, frozenset())
    for field, places in (("present", layout.unlimited), ("outside", layout.outside)):
        for i in places:
            cut = Cut(field, i, 1.0, 1.0)
            load = float(work[i * classes : (i + 1) * classes].sum())
            while load >= compiled.servers[i] and can_grow(compiled, layout, cut):
                try:
                    endless = with_endless(compiled, layout, endless, cut)
                except MethodError:  # the mix is not known: left to the chain, which may not grow
                    break
                if field == "outside":
                    break
                number = layout.tables.service[i, col.END_LINE] - endless.lines[i]
                load -= float(work[layout.tables.pair[:, col.LINE] == number].sum())
                if number == layout.tables.service[i, col.FIRST_LINE]:
                    break
    return endless


def falsely_endless(layout: Layout, endless: Endless, rates: Floats) -> Endless:
    """Return the lines and doors held as never empty that do not grow after all."""
    t = layout.tables
    inside, outside = growth_of(layout, rates)
    classes = t.pair.shape[0] // t.service.shape[0]
    lines = {
        i: 1
        for i in endless.lines
        if inside[t.pair[:, col.LINE] == t.service[i, col.END_LINE] - endless.lines[i]].sum() <= 0.0
    }
    doors = {i for i in endless.doors if outside[i * classes : (i + 1) * classes].sum() <= 0.0}
    return Endless(lines, frozenset(doors))
