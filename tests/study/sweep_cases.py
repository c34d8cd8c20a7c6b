"""What the tests of sweeps share: a small network, a design with poison in it."""

import flownet as fn


def clinic(**network):
    return fn.Network.from_dict({
        "network": {"time_unit": "hour", "cost_of_delay": 20.0} | network,
        "services": [
            {"name": "desk", "servers": 2, "service_time": 0.15, "external_arrival_rate": 10.0,
             "cost_per_server": 15.0},
            {"name": "ward", "servers": 4, "service_time": 0.5, "cost_per_server": 30.0,
             "waiting_room": 3},
        ],
        "routes": [{"from": "desk", "to": "ward", "routing_probability": 0.6}],
    })  # fmt: skip


GRID = {
    "servers at ward": [4, 5, -1, 6],  # one of them is poison
    "scale external_arrival_rate": [0.8, 0.9, 1.0],
    "service_time at ward": [0.4, 0.5],
}
MEASURES = ["delay", "occupancy at ward", "within 2"]
