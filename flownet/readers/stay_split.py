"""Stays that hold more than service: where waiting ends, told from who else was there."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats
from flownet.readers.stays import Stays


def split_waiting(
    stays: Stays,
    services: Collection[str],
    given: Mapping[str, Mapping[str, Any]],
    drawn: float,
) -> tuple[Stays, list[str]]:
    """Return the stays with waiting taken out at some services, and what was assumed there.

    Parameters
    ----------
    stays : Stays
        Of which those at `services` begin with arrival.
    services : collection of str
        Where stays hold waiting too.
    given : mapping
        Service to attributes, ``servers`` among them.
    drawn : float
        When the log was drawn; inf where nobody says. Stays without an end hold a server until
        then, and none where nobody says.

    Raises
    ------
    ParameterError
        Where the number of servers is not known.
    """
    faults, said = [], []
    started, arrived = stays.started.copy(), stays.arrived.copy()
    for name in services:
        servers = given.get(name, {}).get("servers", math.inf)
        if not math.isfinite(float(servers)) or float(servers) != math.floor(float(servers)):
            message = "must be known as a whole number, for waiting to be told from service"
            faults.append(Fault("from_event_log", "servers", repr(name), message))
            continue
        k = stays.services.index(name)
        known = ~np.isnan(stays.started)
        if not math.isfinite(drawn):
            known &= ~np.isnan(stays.left)
        at = np.flatnonzero((stays.service == k) & known)
        came = stays.started[at]
        begun = service_begins(came, stays.left[at], int(servers))
        odd = begun > stays.left[at]
        arrived[at] = came
        started[at] = np.where(odd, stays.left[at], np.where(np.isfinite(begun), begun, np.nan))
        said.append(
            f"Stays at {name} begin with arrival: service was taken to begin when one of "
            f"{int(servers)} servers was free, first come, first served; {int(odd.sum()):,} of "
            f"{at.size:,} stays contradict that, and count as served in no time."
        )
    if faults:
        raise ParameterError(faults, "from_event_log")
    return stays._replace(started=started, arrived=arrived), said


def service_begins(arrived: Floats, left: Floats, servers: int) -> Floats:
    r"""Return when service begins at c servers, first come, first served, from who left when.

    .. math:: b_{(n)} = \max(a_{(n)}, d_{(n-c)})

    with :math:`a_{(n)}` the n-th arrival and :math:`d_{(n)}` the n-th departure.

    Parameters
    ----------
    arrived, left : (jobs,) float array
        Times; nan in `left` where a job is there still.
    servers : int
        c.

    Examples
    --------
    >>> service_begins(np.array([0.0, 1.0, 2.0]), np.array([4.0, 3.0, 6.0]), 2)
    array([0., 1., 3.])
    """
    order = np.argsort(arrived, kind="stable")
    gone = np.sort(np.where(np.isnan(left), np.inf, left))
    begun = arrived[order].copy()
    begun[servers:] = np.maximum(begun[servers:], gone[: max(0, arrived.size - servers)])
    back = np.empty_like(begun)
    back[order] = begun
    return back
