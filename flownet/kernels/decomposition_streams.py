"""The streams between services: immediate feedback taken out, classes put together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array

from flownet.kernels.compiled import CompiledNetwork, Floats, Indices
from flownet.kernels.decomposition_flows import Flows
from flownet.kernels.decomposition_stations import INFINITE, QUEUE, Stations
from flownet.kernels.traffic_solvers import route_sources

FULL = 1.0 - 1e-12  # load ratios beyond are those of saturated services, but for rounding
ROUNDING = 1e-12  # an scv so close to one is that of an exponential law


class Streams(NamedTuple):
    """Services and the streams between them, classes together, immediate feedback taken out."""

    rate: Floats
    """(n,) arrivals per T, without those that come straight back."""
    admitted: Floats
    """(n,) share of the arrivals that complete."""
    time: Floats
    """(n,) mean time that a server is held, all straight returns together."""
    scv: Floats
    """(n,) squared coefficient of variation of the same."""
    load_ratio: Floats
    """(n,) share of the servers held, at most 1; 0 where servers are endless."""
    servers: Floats
    """(n,) number of servers."""
    start: Indices
    """(n + 1,) where the streams that leave each service begin."""
    to: Indices
    """(m,) where each goes."""
    share: Floats
    """(m,) of the departures of the service that it leaves."""
    part: Floats
    """(m,) of the arrivals of the service that it reaches."""
    outside_part: Floats
    """(n, R) of the arrivals of each service that come from outside, by class."""
    overflow_start: Indices
    """(n + 1,) where the overflow streams of each service begin."""
    overflow_to: Indices
    """(o,) where each goes."""
    overflow_part: Floats
    """(o,) of the arrivals there."""


def make_streams(compiled: CompiledNetwork, stations: Stations, flows: Flows) -> Streams:
    """Put the flows of all classes together into one stream per pair of services.

    Jobs that come straight back, with probability q, are served at once until they leave: a
    geometric number of services, of mean s/(1 - q) and scv q + (1 - q) c2 (Whitt 1983, section 3).
    """
    n, classes = flows.arrival.shape
    source = route_sources(compiled.route_start)
    flow = compiled.route_probability * flows.passed.reshape(-1)[source]
    origin, goal = source // classes, compiled.route_to // classes
    plain = (stations.kind == QUEUE)[origin] & (compiled.transfer_delay == 0.0)
    straight = plain & (origin == goal)
    back = np.zeros(n)
    np.add.at(back, origin[straight], flow[straight])
    asked, completed = flows.arrival.sum(axis=1), flows.passed.sum(axis=1)
    again = _divide(back, completed)
    rate = asked - back
    first = _divide_any((flows.arrival * stations.hold).sum(axis=1), asked)
    second = _divide_any((flows.arrival * stations.second).sum(axis=1), asked)
    square = np.where(first > 0.0, first * first, 1.0)
    scv = np.where(first > 0.0, second / square - 1.0, 1.0)
    scv[np.abs(scv - 1.0) < ROUNDING] = 1.0
    busy = (flows.passed * stations.hold).sum(axis=1) / stations.servers
    leaving = completed - back
    safe = np.where(rate > 0.0, rate, 1.0)
    matrix = coo_array(
        (flow[~straight], (origin[~straight], goal[~straight])), shape=(n, n)
    ).tocsr()
    row = np.repeat(np.arange(n), np.diff(matrix.indptr))
    spilled = flows.overflow.sum(axis=1)
    spills = np.flatnonzero(spilled > 0.0)
    return Streams(
        rate=rate,
        admitted=np.where(asked > 0.0, _divide(completed, asked), 1.0),
        time=_divide_any(first, 1.0 - again),
        scv=again + (1.0 - again) * np.maximum(scv, 0.0),
        load_ratio=np.where(stations.kind == INFINITE, 0.0, np.where(busy < FULL, busy, 1.0)),
        servers=stations.servers,
        start=matrix.indptr.astype(np.uint32),
        to=matrix.indices.astype(np.uint32),
        share=_divide(matrix.data, leaving[row]),
        part=_divide(matrix.data, rate[matrix.indices]),
        outside_part=compiled.external_arrival_rate / safe[:, None],
        overflow_start=np.searchsorted(spills, np.arange(n + 1)).astype(np.uint32),
        overflow_to=compiled.overflow_to[spills].astype(np.uint32),
        overflow_part=spilled[spills] / safe[compiled.overflow_to[spills]],
    )


def _divide_any(flow: Floats, total: Floats) -> Floats:
    """Return quotients, 0 where nothing flows."""
    quotient: Floats = np.divide(flow, total, out=np.zeros(flow.shape), where=total > 0.0)
    return quotient


def _divide(flow: Floats, total: Floats) -> Floats:
    """Return shares in [0, 1], 0 where nothing flows."""
    return np.minimum(_divide_any(flow, total), 1.0)
