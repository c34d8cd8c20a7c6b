"""The description of a network that samples of its parameters make plausible."""

from __future__ import annotations

import copy
from typing import Any

from flownet.kernels.compiled import Floats
from flownet.network.compile import compile_network
from flownet.network.model import Network
from flownet.network.parameters import Parameter
from flownet.network.uncertainty import SHARES, Uncertain, with_values


def described(network: Network, uncertain: tuple[Uncertain, ...], row: Floats) -> Network:
    """Return the network whose description has one value for each uncertain parameter."""
    document = copy.deepcopy(network.to_dict())
    arrays = with_values(compile_network(network).arrays, uncertain, row)
    classes = list(compile_network(network).classes)
    owners = {str(each["name"]): each for each in document["services"]}
    owners |= {f"{each['from']} -> {each['to']}": each for each in document["routes"]}
    for each, value in zip(uncertain, row.tolist(), strict=True):
        parameter, owner = each.parameter, owners[each.parameter.where]
        if parameter.name in SHARES:  # scaled where they came to more than all
            _give(owner, parameter, float(arrays.route_probability[parameter.place]), classes)
        elif parameter.name == "external_arrival_rate" and "external_arrival_calendar" in owner:
            _scale(owner["external_arrival_calendar"], parameter, value)
        else:
            _give(owner, parameter, value, classes)
    return Network.from_dict(document)


def _give(owner: dict[str, Any], parameter: Parameter, value: float, classes: list[str]) -> None:
    """Write a value into a row, for its class where there are several."""
    if parameter.job_class in {"", "all"} or len(classes) < 2:
        owner[parameter.name] = value
        return
    given = owner.get(parameter.name, parameter.value)
    table = given if isinstance(given, dict) else dict.fromkeys(classes, given)
    owner[parameter.name] = table | {parameter.job_class: value}


def _scale(calendar: Any, parameter: Parameter, mean: float) -> None:
    """Scale a calendar of arrivals as a whole to another mean."""
    rows = calendar if isinstance(calendar, list) else calendar[parameter.job_class]
    for each in rows:
        each["value"] *= mean / parameter.value
