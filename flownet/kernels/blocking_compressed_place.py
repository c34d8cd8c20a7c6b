"""What the chain of one service in a network with blocking is made of, and what it gives."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from flownet.kernels.compiled import Floats

Number = TypeVar("Number", float, Floats)


class Place(NamedTuple):
    """What one service's chain is made of; rates in jobs per T."""

    places: int
    """-1 where unlimited."""
    servers: int
    held: float
    """Mean time that a server is held by a job."""
    patience_rate: float
    blocking: float
    """Wanted from services that keep their server until there is a place."""
    free: float
    """Arrives whatever the state and waits."""
    lost: float
    """Arrives and is turned away where there is no place."""
    sources: Floats
    """(a,) servers of each blocking service that do not wait for some other place."""
    share: Floats
    """(a,) its share of `blocking`."""
    load: Floats
    """(a,) its mean number of servers at work."""
    response: Floats
    """(a,) relative fall of its stream per T that the wait for a place here grows."""
    wait: float
    """The wait for a place here at which the streams are what they are."""
    longest: float
    """Bound of that wait."""
    factor: float
    """What the spread of service times makes of an exponential wait."""
    offered: Floats
    """(a,) load that keeps so many of these servers at work, were there no blocking for here."""
    room: Floats
    """(a,) places to wait in, of each blocking service."""
    base: float
    """Mean time that a server is held without any blocking."""
    meets: float
    """Chance that who completes here is blocked, while none is."""
    onward: float
    """Chance that who completes here goes where one that is blocked waits to go."""
    mine: float
    """Part of those who take the last places ahead that come from here."""
    others: float
    lean: float
    """Jobs of other services that wait there with those blocked, and how many more with each."""
    work: float
    """Mean number of its servers at work."""
    same: float
    """Chance that two of its servers that are blocked are blocked for the same service."""
    fast: float
    """Logarithm of the scale of `paces` from which it is sought."""
    start: float
    """Logarithm of the drive at which the search for it begins."""
    fall: Floats
    """(a,) part of its stream that each job here or waiting for a place here stands for not coming:
    what is here has left there."""


class Chain(NamedTuple, Generic[Number]):
    """Stationary figures of one service's chain, or arrays of those of all services."""

    busy: Number
    """Mean servers held."""
    waiting: Number
    """Mean number waiting inside."""
    blocked: Number
    """Mean number blocked elsewhere for a place here."""
    outside: Number
    """Mean number waiting outside or in transit."""
    vacant: Number
    """Probability of a free place."""
    inflow: Number
    """Rate at which jobs come from services that they block."""
    found_full: Number
    """Share of those that find no place."""
    waits: Number
    """Probability that an arrival finds every server held."""
    gives_up: Number
    """Rate of giving up."""
    ratio: Number
    """Ratio of the geometric tail (0 where there is none); saturated from 1 on."""
    wait: Number
    """Mean time that a job of a blocking service waits for a place here."""
    number: Number
    """Mean number here or waiting for a place here."""
    variance: Number
    """Of that number."""
    smoothing: Number
    """Covariance of that number and of the rate at which jobs come: what comes less when it is
    full, or because it has come already."""
    coming: Number
    """Rate at which jobs come."""
    drive: Number
    """Logarithm of the drive of the blocking services."""
    first: Number
    """Share of those from services that it blocks who find it full and nobody waiting."""
    queue: Number
    """Mean number blocked elsewhere for a place here, while it is full."""
    bunching: Number
    """Its variance then less its mean, over the square of its mean: 0 where as if Poisson, 1 where
    as if geometric."""
    fast: Number
    """Logarithm of the scale of `paces`; 0 where blocked servers are not counted."""
    stuck_variance: Number
    """Of the number of its own servers that are blocked."""
