"""Strategies that draw small random networks for laws."""

from hypothesis import strategies as st

import flownet as fn


@st.composite
def open_networks(draw, *, exponential=False, load=0.9, classes=2):
    """Draw an open network of queues without limits, stable by construction.

    External rates and routes are drawn first; servers follow from the flows that they cause, so
    that every load ratio is at most `load`.
    """
    count = draw(st.integers(1, 4))
    names = [f"s{i}" for i in range(count)]
    kinds = [f"c{k}" for k in range(draw(st.integers(1, classes)))]
    numbers = st.floats(0.1, 2.0)
    routes = []
    for start in names:
        ends = draw(st.lists(st.sampled_from(names), unique=True, max_size=count))
        for end in ends:
            share = {k: draw(st.floats(0.0, 0.8)) / len(ends) for k in kinds}
            routes.append({"from": start, "to": end, "routing_probability": share})
    services = []
    for name in names:
        same = draw(numbers)
        times = {k: same if exponential else draw(numbers) for k in kinds}
        services.append({
            "name": name,
            "service_time": times,
            "service_scv": 1.0 if exponential else {k: draw(st.floats(0.0, 3.0)) for k in kinds},
            "external_arrival_rate": {k: draw(numbers) for k in kinds},
            "servers": 1,
        })  # fmt: skip
    document = {
        "network": {"time_unit": "hour"},
        "classes": {k: {} for k in kinds},
        "services": services,
        "routes": routes,
    }
    flows = fn.solve(fn.Network.from_dict(_with_servers(document, "inf")))
    for service in services:
        offered = float(flows.services.loc[service["name"], "number_in_service"])
        spare = draw(st.floats(load * 0.5, load))
        service["servers"] = max(1, int(-(-offered // spare)))
    return fn.Network.from_dict(document)


def _with_servers(document, servers):
    rows = [{**row, "servers": servers} for row in document["services"]]
    return {**document, "services": rows}


@st.composite
def blocking_networks(draw):
    """Draw a small network with finite places in which services can block each other."""
    count = draw(st.integers(2, 4))
    names = [f"s{i}" for i in range(count)]
    services, routes = [], []
    for i, name in enumerate(names):
        servers = draw(st.integers(1, 3))
        services.append({
            "name": name,
            "servers": servers,
            "service_time": draw(st.floats(0.3, 2.0)),
            "waiting_room": draw(st.integers(0, 2)),
            "external_arrival_rate": draw(st.floats(0.2, 2.0)) if i == 0 else 0.0,
        })  # fmt: skip
        if i + 1 < count:
            routes.append(
                {"from": name, "to": names[i + 1], "routing_probability": draw(st.floats(0.5, 1.0))}
            )
    if draw(st.booleans()):
        routes.append({"from": names[-1], "to": names[0], "routing_probability": 0.2})
    network = {"network": {"time_unit": "hour"}, "services": services, "routes": routes}
    return fn.Network.from_dict(network)
