"""The value by the budget: from one live program, and task by task."""

import pytest

import flownet as fn

BUDGETS = [50.0, 400.0, 100.0, 200.0]


@pytest.mark.parametrize("integer", [True, False])
def test_each_budget_gives_what_a_plan_of_its_own_gives(clinic, integer):
    table = fn.budget_curve(clinic, BUDGETS, integer=integer, gap=1e-6)
    for budget, row in table.iterrows():
        plan = fn.reallocate(clinic, budget=budget, integer=integer, gap=1e-6)
        assert row["value"] == pytest.approx(plan.value_after.value, rel=3e-6)
        assert row["spent"] <= budget * (1 + 1e-9)
    ordered = table.sort_index()["value"]
    assert ordered.is_monotonic_decreasing


def test_the_price_of_money_is_the_slope_of_the_curve(clinic):
    table = fn.budget_curve(clinic, [200.0, 200.5], integer=False, gap=1e-9)
    slope = -(table["value"].iloc[1] - table["value"].iloc[0]) / 0.5
    assert table["gain_per_money"].mean() == pytest.approx(slope, rel=1e-2)  # it bends


@pytest.mark.parametrize("budgets", [[], "much", [-1.0], [float("nan")]])
def test_what_is_no_budget_is_refused(clinic, budgets):
    with pytest.raises(fn.FlownetError):
        fn.budget_curve(clinic, budgets)
