"""The panel of notebooks: a slider moves, map and table follow; beside describing it all anew."""

from __future__ import annotations

import itertools

import numpy as np

import flownet as fn
from benchmarks.registry import Spec, Task
from flownet.view.map import draw
from flownet.view.page import map_picture
from flownet.view.panels import WhatIf


def tree(size: int) -> fn.Network:
    """Return services without waiting rooms, each of which sends jobs on to two, some back."""
    onward = np.zeros((size, size))
    for i in range(1, size):
        onward[(i - 1) // 2, i] += 0.35
        if i % 7 == 0 and i > 14:
            onward[i, i - 14] += 0.05
    entering = np.zeros(size)
    entering[:3] = 2.0
    flow = np.linalg.solve(np.eye(size) - onward.T, entering)
    services = [
        {"name": f"service {i}", "servers": int(np.ceil(rate / 0.75)) + 1, "waiting_room": 0,
         "service_time": 1.0}
        for i, rate in enumerate(flow)
    ]  # fmt: skip
    for service in services[:3]:
        service |= {"external_arrival_rate": 2.0, "external_when_full": "wait_outside"}
    routes = [
        {"from": f"service {i}", "to": f"service {j}", "routing_probability": float(onward[i, j])}
        for i, j in zip(*np.nonzero(onward), strict=True)
    ]
    document = {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    return fn.Network.from_dict(document)


def panel(size: int) -> Task:
    """Move one slider up and down; what the browser does is not counted."""
    state = WhatIf(tree(size), "auto")
    name = state.today.network.services[0]
    now = state.values["servers", name]
    steps = itertools.cycle((now + 1, now))

    def moved() -> None:
        state.put("servers", name, next(steps))
        state.picture()

    return moved


def anew(size: int) -> Task:
    """Describe the changed network, solve and draw it."""
    network = tree(size)
    name = network.services[0]
    now = network.graph.nodes[name]["servers"]
    steps = itertools.cycle((now + 1, now))

    def described() -> None:
        changed = network.replace(services={name: {"servers": next(steps)}})
        solution = fn.solve(changed)
        map_picture(draw(solution, None, 900.0), changed.name)

    return described


SPECS = [
    Spec("panel, one slider moved", "solve and draw", panel, anew, "described anew", (10, 50)),
]
