"""Lines of services that block each other, as the known optima describe them."""

import itertools
import math

import flownet as fn

NEVER_IDLE = 1e7
"""Arrivals per T at a first service that is to be never idle."""


def saturated_line(times, servers, rooms):
    """Return a line whose first service is never idle; rooms are waiting places before each."""
    services = [
        {"name": f"s{i}", "service_time": times[i], "servers": servers[i],
         "waiting_room": rooms[i]}
        for i in range(len(times))
    ]  # fmt: skip
    services[0]["external_arrival_rate"] = NEVER_IDLE
    routes = [{"from": f"s{i}", "to": f"s{i + 1}"} for i in range(len(times) - 1)]
    document = {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    return fn.Network.from_dict(document)


def network_of(rows, routing, **network):
    """Return a network of rows (attributes by service) and a matrix of routing probabilities."""
    services = [{"name": f"s{i}", **row} for i, row in enumerate(rows)]
    routes = [
        {"from": f"s{i}", "to": f"s{j}", "routing_probability": routing[i][j]}
        for i, j in itertools.product(range(len(rows)), repeat=2)
        if routing[i][j] > 0
    ]
    about = {"time_unit": "day", **network}
    return fn.Network.from_dict({"network": about, "services": services, "routes": routes})


def every_way(names):
    """Return exchanges one for one between all pairs."""
    return list(itertools.permutations(names, 2))


def present(network, attribute="servers"):
    """Return an attribute of every service."""
    return [network.graph.nodes[name].get(attribute) for name in network.services]


def least_stable(loads, total):
    """Return the fewest servers that are stable, with the rest at the first service."""
    start = [math.floor(load) + 1 for load in loads]
    start[0] += total - sum(start)
    return start
