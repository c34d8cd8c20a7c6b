"""What the packaged systems teach: where money goes, and what it is worth there.

IPACS (Onen-Dumlu, Harper, Forte et al. 2022): £346 a day for an acute bed held in delay, £125 to
£164 for a place in community care; six of nine services are overloaded in the published data.
"""

import math

import pytest

import flownet as fn


@pytest.fixture(scope="module")
def discharge():
    return fn.example("discharge_to_assess")


@pytest.mark.parametrize("budget", [2000.0, 10000.0, 25000.0])
def test_growth_of_the_backlog_comes_first_where_no_plan_is_stable(discharge, budget):
    """A bed takes 1 / stay off the growth: the knapsack of beds by price, solved by its bound."""
    plan = fn.reallocate(discharge, budget=budget)
    assert plan.value_after.growth > 0
    assert "their growth was made as small as can be before anything else" in plan.headline
    assert plan.spent <= budget
    nodes = dict(discharge.graph.nodes(data=True))
    solved = fn.solve(discharge).services
    stay = solved["load_ratio"] * solved["servers"] / solved["arrival_rate"]
    left, most = budget, 0.0
    rows = sorted(
        (
            stay[name] * nodes[name]["cost_per_server"],
            float(solved.loc[name, "growth_rate"]),
        )
        for name in discharge.services
        if solved.loc[name, "growth_rate"] > 0
    )
    for money_per_growth, growth in rows:  # divisible beds: no whole ones can do better
        taken = min(growth, left / money_per_growth)
        most += taken
        left -= taken * money_per_growth
    assert plan.gain_verified <= most + 1e-9
    assert plan.gain_verified >= 0.97 * most  # whole beds leave less than one bed's price unspent


def test_removing_all_delay_is_not_optimal(discharge):
    """With money without end, cost is least with some delay left: the next place costs more."""
    plan = fn.reallocate(discharge, "cost", 1e6)
    assert plan.status == "optimal"
    assert plan.value_after.growth == 0
    assert 0 < plan.after.system["delay"] < math.inf
    assert plan.spent < 1e6
    counts = plan.apply(discharge).graph.nodes
    for name in discharge.services:
        price = counts[name]["cost_per_server"]
        one = fn.solve(
            plan.apply(discharge).replace(services={name: {"servers": counts[name]["servers"] + 1}})
        )
        saved = 346.0 * (plan.after.system["delay"] - one.system["delay"])
        assert saved < price


def test_relief_at_the_constraint_beats_the_same_money_at_the_symptom():
    """£60 an hour at home care against the frailty ward, where the delay is seen."""
    network = fn.example("urgent_care")
    constraint = fn.find_constraint(network).constraint
    symptom = fn.solve(network).services["delay"].idxmax()
    assert constraint != symptom
    gains = {}
    for only in (constraint, symptom):
        rest = {
            name: (data["servers"], data["servers"])
            for name, data in network.graph.nodes(data=True)
            if name != only and math.isfinite(data["servers"])
        }
        gains[only] = fn.reallocate(network, budget=60.0, bounds=rest).gain_verified
    # most of the delay goes with the places at home, hardly any with beds on the ward
    assert gains[constraint] > 0.25 * fn.solve(network).system["delay"]
    assert gains[symptom] < 0.1 * gains[constraint]
