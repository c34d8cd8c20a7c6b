"""The front of two goals against every plan, and the plans that reallocate gives by itself."""

import itertools
import json

import pytest

import flownet as fn
from oracles.stations import number_waiting


def every_value(clinic, budget):
    """Return delay and cost of every affordable plan, by the Erlang C formula."""
    nodes = [data for _, data in clinic.graph.nodes(data=True)]
    loads = [8.0 * 0.2, 7.2 * 0.5, 3.6 * 0.3]
    prices = [data["cost_per_server"] for data in nodes]
    for bought in itertools.product(range(20), repeat=3):
        money = sum(b * p for b, p in zip(bought, prices, strict=True))
        if money <= budget:
            servers = [data["servers"] + b for data, b in zip(nodes, bought, strict=True)]
            delay = sum(number_waiting(c, a) for c, a in zip(servers, loads, strict=True))
            yield delay, 30.0 * delay + sum(c * p for c, p in zip(servers, prices, strict=True))


def test_every_plan_of_the_front_is_beaten_by_none(clinic):
    front = fn.pareto(clinic, ["delay", "cost"], budget=300.0, points=7)
    values = list(every_value(clinic, 300.0))
    assert front.exact
    assert len(front.plans) >= 4
    for _, row in front.table.iterrows():
        better = [v for v in values if v[0] < row["delay"] - 1e-6 and v[1] < row["cost"] - 1e-4]
        assert not better
        assert any(v[0] == pytest.approx(row["delay"], rel=1e-7) for v in values)
    assert front.table["delay"].is_monotonic_increasing
    assert front.table["cost"].is_monotonic_decreasing


def test_its_ends_are_the_best_for_each_goal(clinic):
    front = fn.pareto(clinic, ["throughput", "cost"], budget=300.0, points=4)
    for end, goal in ((0, "throughput"), (-1, "cost")):
        alone = fn.reallocate(clinic, goal, 300.0)
        assert front.plans[end].goals.loc[goal, "after"] == pytest.approx(alone.value_after.value)
    assert "plans between 'throughput' and 'cost'" in repr(front)
    json.dumps(front.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("goals", "options", "says"),
    [
        ("delay", {}, "two goals"),
        (["delay"], {}, "two goals"),
        (["delay", "delay"], {}, "differ"),
        (["delay", "joy"], {}, "not known"),
        (["delay", "cost"], {"points": 1}, "at least 2"),
    ],
)
def test_what_is_no_pair_of_goals_is_refused(clinic, goals, options, says):
    with pytest.raises(fn.FlownetError, match=says):
        fn.pareto(clinic, goals, budget=10.0, **options)
