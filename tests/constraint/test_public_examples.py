"""Public systems of which the constraint is known: cases/health.json holds the sources."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import flownet as fn


def case(shared: Path, identifier: str) -> dict:
    document = json.loads((shared / "cases" / "health.json").read_text(encoding="utf-8"))
    return next(each for each in document["cases"] if each["id"] == identifier)


def test_the_toy_surgery_of_the_nhs_limits_the_line_to_12_a_week(shared: Path) -> None:
    known = case(shared, "nhs_toc_toy")
    names, capacity = known["model"]["serial"], known["model"]["capacity_per_week"]
    services = [
        {"name": name, "service_time": 1.0 / rate}
        for name, rate in zip(names, capacity, strict=True)
    ]
    services[0]["external_arrival_rate"] = 10.0
    routes = [{"from": a, "to": b} for a, b in itertools.pairwise(names)]
    network = fn.Network.from_dict(
        {"network": {"time_unit": "week"}, "services": services, "routes": routes}
    )
    for goal in ("delay", "throughput"):
        finding = fn.find_constraint(network, goal)
        assert finding.constraint == known["expected"]["bottleneck"]
    limit = fn.demand_limit(network)
    assert limit.throughput == pytest.approx(known["expected"]["throughput_per_week"])
    assert limit.binding == ("Surgery",)
    assert fn.bounds(network).index[0] == "Surgery"
    # beyond that the second narrowest, follow up at 50 a week
    faster = network.replace(services={"Surgery": {"service_time": 1.0 / 60}})
    assert fn.find_constraint(faster).constraint == "Follow up"


def test_the_nurses_of_the_111_call_centre(shared: Path) -> None:
    known = case(shared, "call_centre_111")
    services = [
        {"name": "operator", "servers": 13, "external_arrival_rate": 100 / 60,
         "service_distribution": {"family": "triangular", "low": 5.0, "mode": 7.0, "high": 10.0}},
        {"name": "nurse", "servers": 9,
         "service_distribution": {"family": "uniform", "low": 10.0, "high": 20.0}},
    ]  # fmt: skip
    routes = [{"from": "operator", "to": "nurse", "routing_probability": 0.4}]
    network = fn.Network.from_dict(
        {"network": {"time_unit": "minute"}, "services": services, "routes": routes}
    )
    finding = fn.find_constraint(network)
    assert finding.constraint == "nurse"
    growth = known["expected"]["exact"]["nurse_fluid_growth_per_min"]
    assert finding.value.growth == pytest.approx(growth, rel=1e-6)
    assert finding.causes.index[0] == "nurse"
    assert finding.attribution.to_numpy().sum() == pytest.approx(growth, rel=1e-6)


def test_the_antenatal_ward_of_the_obstetrics_pathway() -> None:
    finding = fn.find_constraint(fn.example("obstetrics"), "throughput")
    assert finding.constraint == "APM"


def test_stroke_the_queue_stands_two_services_before_its_cause(shared: Path) -> None:
    """PathSimR's stroke pathway: the queue at HASU, the constraint SA1."""
    nodes = case(shared, "pathsimr_stroke")["model"]["nodes"]
    assert set(nodes) == {"HASU", "ASU", "SA1", "SA2"}
    # stays, and the mean delay on leaving with the bed held, by share of those who leave
    held = {
        "HASU": 0.075 * 1.5 + 0.15 * 0.5 + 0.03 * 2, "ASU": 0.27 * 1.5 + 0.09 * 0.5 + 0.02 * 2,
        "SA1": 0.71 * 2 + 0.29 * 1.5, "SA2": 0.71 * 2 + 0.29 * 1.5,
    }  # fmt: skip
    stay = {"HASU": 3.3, "ASU": 7.7, "SA1": 24.0, "SA2": 24.0}
    services = [
        {"name": name, "servers": node["beds"], "waiting_room": 0,
         "service_time": stay[name] + held[name]}
        for name, node in nodes.items()
    ]  # fmt: skip
    services[0] |= {"external_arrival_rate": 5.14, "external_when_full": "wait_outside"}
    routes = [
        {"from": "HASU", "to": "ASU", "routing_probability": 0.42},
        {"from": "ASU", "to": "SA1", "routing_probability": 0.35},
        {"from": "ASU", "to": "SA2", "routing_probability": 0.225},
    ]
    network = fn.Network.from_dict(
        {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    )
    finding = fn.find_constraint(network)
    assert finding.constraint == "SA1"
    table = finding.solution.services
    blocked_or_out = table["number_outside"] + table["number_blocked"]
    assert blocked_or_out["SA1"] == 0.0
    assert "SA1" not in finding.symptoms
    assert finding.causes.index[0] == "SA1"
    assert finding.causes.loc["SA1", "caused"] > 0.5 * finding.causes["seen"].sum()
    assert finding.ranking["relief"].idxmax() == "SA1"


@pytest.mark.slow
def test_ten_thousand_services_by_organisation() -> None:
    rng = np.random.default_rng(3)
    size, owners = 10_000, 8
    servers = rng.integers(1, 6, size)
    services = [
        {"name": f"s{i}", "servers": int(servers[i]), "organisation": f"o{i % owners}",
         "service_time": float(servers[i] * rng.uniform(0.3, 0.9) / 2.0)}
        for i in range(size)
    ]  # fmt: skip
    for i in range(0, size, 10):
        services[i]["external_arrival_rate"] = 2.0
    routes = [{"from": f"s{i}", "to": f"s{i + 1}"} for i in range(size) if i % 10 != 9]
    network = fn.Network.from_dict(
        {"network": {"time_unit": "hour"}, "services": services, "routes": routes}
    )
    finding = fn.find_constraint(network)
    table = finding.attribute("organisation", "organisation")
    assert table.to_numpy().sum() == pytest.approx(finding.value.value, rel=1e-6)
    # every line has product form: what an organisation sees is its own
    assert np.count_nonzero(table.to_numpy() - np.diag(np.diag(table.to_numpy()))) == 0
