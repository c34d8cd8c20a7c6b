"""The throughput limit against published optima with their duals, and against arithmetic."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownet.allocate.exchanges import check_exchanges
from flownet.constraint.limits import throughput_limit


def case(shared: Path, identifier: str) -> dict:
    document = json.loads((shared / "cases" / "alloc_optima.json").read_text(encoding="utf-8"))
    return next(c for c in document["cases"] if c["id"] == identifier)


@pytest.mark.parametrize("identifier", ["lp-T1", "lp-T3"])
def test_limit_with_transfers(shared: Path, identifier: str) -> None:
    # recomputed optima with duals: cases/alloc_optima.json
    known = case(shared, identifier)
    data = known["data"]
    names = [f"service {j}" for j in range(len(data["servers"]))]
    rows = [
        {
            "from": names[arc["from_"]],
            "to": names[arc["to"]],
            "rate": arc["efficiency"],
            "limit": arc["limit"],
        }
        for arc in data["arcs"]
    ]
    loads = np.array(data["visits"]) / np.array(data["mu"])
    limit = throughput_limit(loads, data["servers"], names, check_exchanges(rows, names))
    assert limit.scale == pytest.approx(known["objective_value"], rel=1e-9)
    assert list(limit.duals.values()) == pytest.approx(known["duals"], abs=1e-9)
    assert limit.binding == tuple(n for n, y in zip(names, known["duals"], strict=True) if y > 0)
    alone = throughput_limit(loads, data["servers"], names)
    assert alone.scale == pytest.approx(known["also"]["theta_without_moves"], rel=1e-9)
    assert alone.binding == (names[known["also"]["constraint_without_moves"]],)


def test_moves_reach_the_published_optimum(shared: Path) -> None:
    known = case(shared, "lp-T1")
    data = known["data"]
    names = list("abcd")
    rows = [
        (names[a["from_"]], names[a["to"]], a["efficiency"], 0, a["limit"]) for a in data["arcs"]
    ]
    loads = np.array(data["visits"]) / np.array(data["mu"])
    limit = throughput_limit(loads, data["servers"], names, check_exchanges(rows, names))
    x = np.array(limit.moved)
    servers = np.array(data["servers"])
    for arc, moved in zip(data["arcs"], x, strict=True):
        servers[arc["from_"]] -= moved
        servers[arc["to"]] += arc["efficiency"] * moved
    assert (loads * known["optimum"]["theta"] <= servers + 1e-9).all()
    assert (x <= [a["limit"] + 1e-9 for a in data["arcs"]]).all()


@given(st.lists(st.tuples(st.floats(0.01, 1e3), st.floats(0.1, 1e4)), min_size=1, max_size=12))
def test_without_transfers_it_is_the_smallest_ratio(stations: list[tuple[float, float]]) -> None:
    load, servers = np.array(stations).T
    names = [f"s{j}" for j in range(len(load))]
    limit = throughput_limit(load, servers, names)
    assert limit.scale == pytest.approx((servers / load).min(), rel=1e-9)
    assert names[int(np.argmin(servers / load))] in limit.binding
    # duals times loads add up to 1 (only capacity limits)
    assert sum(limit.duals[n] * a for n, a in zip(names, load, strict=True)) == pytest.approx(1.0)
    assert all(y >= 0 for y in limit.duals.values())


def test_services_that_saturate_together_are_all_binding() -> None:
    limit = throughput_limit([1.0, 2.0, 1.0], [2.0, 4.0, 9.0], ["a", "b", "c"])
    assert limit.scale == pytest.approx(2.0)
    assert limit.binding == ("a", "b")
    assert limit.duals["c"] == 0.0


def test_what_has_no_limit_has_none() -> None:
    limit = throughput_limit([3.0, 0.0], [math.inf, 4.0], ["home", "idle"])
    assert limit.scale == math.inf
    assert limit.binding == ()
    assert limit.to_dict() == {
        "scale": math.inf,
        "binding": [],
        "duals": {"home": 0.0, "idle": 0.0},
        "moved": [],
    }


def test_a_service_without_servers_carries_nothing() -> None:
    limit = throughput_limit([1.0, 1.0], [0.0, 5.0], ["closed", "open"])
    assert limit.scale == pytest.approx(0.0)
    assert limit.binding == ("closed",)
