"""Demands that one plan is for, and how their values become one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from flownet.allocate.cases import Risk
from flownet.errors import Fault, ParameterError
from flownet.network.model import Network
from flownet.network.values import nearest, shown

RISKS: Final = {
    "expected": "the mean over the demands",
    "minimax": "the worst demand",
    "regret": "the largest loss against the best plan for each demand alone",
    "cvar": "the mean over the worst share of the demands",
}
"""How the values of several demands become one."""
_LEVEL = 0.9


class Demand(NamedTuple):
    """One demand that the plan is for."""

    name: str
    network: Network
    share: float
    """Its probability."""


def read_demands(network: Network, scenarios: Any) -> tuple[Demand, ...]:
    """Return the demands that a plan is for; the network's own where nothing is given.

    Parameters
    ----------
    network : Network
        The system as it is.
    scenarios : None, mapping or sequence
        Networks, or anything with ``apply(network)`` such as a `Scenario`; each alone or as
        (scenario, weight). Names come from the mapping or from the scenarios.

    Raises
    ------
    ParameterError
        For something else, weights that are not above 0, or other services or servers.
    """
    if scenarios is None:
        return (Demand(network.name, network, 1.0),)
    if isinstance(scenarios, Mapping):
        rows = [(str(name), row) for name, row in scenarios.items()]
    elif isinstance(scenarios, Sequence) and not isinstance(scenarios, str):
        rows = [("", row) for row in scenarios]
    else:
        _refuse("scenarios", scenarios, "must be a list or a table of networks or scenarios")
    if not rows:
        _refuse("scenarios", scenarios, "is empty: give at least one demand")
    found: list[Demand] = []
    for number, (name, row) in enumerate(rows, 1):
        thing, weight = row if isinstance(row, (tuple, list)) and len(row) == 2 else (row, 1.0)
        label = name or str(getattr(thing, "name", "")) or f"scenario {number}"
        if label in {each.name for each in found}:
            label = f"{label} {number}"
        found.append(Demand(label, _applied(network, thing, label), _weight(label, weight)))
    total = sum(each.share for each in found)
    return tuple(each._replace(share=each.share / total) for each in found)


def _refuse(where: str, value: Any, message: str) -> Any:
    raise ParameterError([Fault(where, "", shown(value), message)])


def _weight(label: str, weight: Any) -> float:
    numeric = isinstance(weight, (int, float)) and not isinstance(weight, bool)
    if not numeric or not 0 < weight < math.inf:
        _refuse(f"scenario '{label}'", weight, "has a weight that is not a finite number above 0")
    return float(weight)


def _applied(network: Network, thing: Any, label: str) -> Network:
    if isinstance(thing, Network):
        changed = thing
    elif hasattr(thing, "apply"):
        changed = thing.apply(network)
    else:
        _refuse(f"scenario '{label}'", thing, "must be a Network or a Scenario")
    if changed.services != network.services:
        _refuse(f"scenario '{label}'", "", "must have the services of the network, in their order")
    nodes = [each.graph.nodes for each in (network, changed)]
    for service in network.services:
        now, then = (each[service].get("servers", 1) for each in nodes)
        if now != then:
            message = (
                f"has {then} servers at '{service}' where the network has {now}: scenarios differ "
                "in demand, the servers are the plan's"
            )
            _refuse(f"scenario '{label}'", "", message)
    return changed


def read_risk(risk: Any) -> Risk:
    """Return how the values of several demands become one.

    Raises
    ------
    ParameterError
        For an unknown way, or a level of cvar outside [0, 1).

    Examples
    --------
    >>> read_risk(("cvar", 0.8)).level
    0.8
    """
    kind, level = risk if isinstance(risk, (tuple, list)) and len(risk) == 2 else (risk, _LEVEL)
    if not isinstance(kind, str) or kind not in RISKS:
        known = ", ".join(RISKS)
        _refuse("risk", kind, f"is not known; known are {known}{nearest(kind, RISKS)}")
    numeric = isinstance(level, (int, float)) and not isinstance(level, bool)
    if kind == "cvar" and not (numeric and 0 <= level < 1):
        _refuse("risk 'cvar'", level, "needs a level of at least 0 and below 1")
    return Risk(kind, float(level) if kind == "cvar" else 0.0)
