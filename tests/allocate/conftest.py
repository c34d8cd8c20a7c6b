"""Networks that several tests of plans share."""

import pytest

import flownet as fn


@pytest.fixture
def clinic():
    """Three services of two organisations, product form, with prices and targets."""
    services = [
        {"name": "triage", "service_time": 0.2, "servers": 2, "external_arrival_rate": 8.0,
         "cost_per_server": 40.0, "organisation": "Trust", "target": 0.25, "server_label": "nurse"},
        {"name": "doctor", "service_time": 0.5, "servers": 4, "cost_per_server": 90.0,
         "organisation": "Trust", "target": 0.5},
        {"name": "xray", "service_time": 0.3, "servers": 2, "cost_per_server": 120.0,
         "organisation": "Lab", "target": 0.5},
    ]  # fmt: skip
    routes = [
        {"from": "triage", "to": "doctor", "routing_probability": 0.9},
        {"from": "doctor", "to": "xray", "routing_probability": 0.5},
    ]
    network = {"time_unit": "hour", "currency": "GBP", "cost_of_delay": 30.0}
    return fn.Network.from_dict({"network": network, "services": services, "routes": routes})
