"""Commands that weigh plans against each other: one goal against another, money against gain."""

from __future__ import annotations

from typing import Annotated

import typer

from flownet.cli.asked import (
    Budget,
    Exchanges,
    Integer,
    PlanGoal,
    Scenarios,
    Targets,
    Terms,
    asked_of_plan,
)
from flownet.cli.shell import (
    FINE,
    UNSTABLE,
    AsCsv,
    AsJson,
    File,
    Method,
    Routes,
    TimeUnit,
    emit_csv,
    emit_json,
    out,
    progress_bar,
    read,
    standing,
)


def pareto(
    file: File,
    goal: Annotated[
        list[str], typer.Option(help="One of the two goals, as for reallocate; given twice.")
    ],
    budget: Budget = 0.0,
    points: Annotated[
        int, typer.Option(help="Limits on the second goal between its ends, at least 2.")
    ] = 9,
    target: Targets = None,
    exchanges: Exchanges = None,
    integer: Integer = None,
    terms: Terms = None,
    scenario: Scenarios = None,
    method: Method = "auto",
    routes: Routes = None,
    time_unit: TimeUnit = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Show plans for two goals, of which none is better in both than another."""
    from flownet.allocate.pareto import pareto as run
    from flownet.view.text import table_text

    network = read(file, routes, time_unit)
    asked = asked_of_plan(terms, target, exchanges, scenario, without=("goal",), integer=integer)
    with progress_bar("searching for plans") as progress:
        front = run(
            network, goal, points=points, budget=budget, method=method, progress=progress, **asked
        )
    if as_json:
        emit_json(front.to_dict())
    elif as_csv:
        emit_csv(front.table)
    else:
        out.print(repr(front), markup=False)
        out.print(table_text(front.table.reset_index()))
        for number, plan in enumerate(front.plans, 1):
            out.print(f"{number}. {plan.headline}", markup=False)
    return max(standing(plan.after) for plan in front.plans)


def budget_curve(
    file: File,
    budgets: Annotated[list[float], typer.Argument(help="Amounts of new money per time unit.")],
    goal: PlanGoal = None,
    target: Targets = None,
    exchanges: Exchanges = None,
    integer: Integer = None,
    terms: Terms = None,
    scenario: Scenarios = None,
    method: Method = "auto",
    routes: Routes = None,
    time_unit: TimeUnit = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Show what each further amount of money buys: the goal after the best plan for it."""
    from flownet.allocate.budgets import budget_curve as run
    from flownet.solvers.tables import records
    from flownet.view.text import table_text

    network = read(file, routes, time_unit)
    asked = asked_of_plan(terms, target, exchanges, scenario, goal=goal, integer=integer)
    with progress_bar("searching for plans"):
        curve = run(network, budgets, method=method, **asked)
    if as_json:
        emit_json(records(curve))
    elif as_csv:
        emit_csv(curve)
    else:
        goal, unit = curve.attrs["goal"], curve.attrs["units"]["spent"]
        out.print(f"{goal} after the best plan, by money in {unit}", markup=False)
        out.print(table_text(curve.reset_index()))
    return UNSTABLE if (curve["growth"] > 0).any() else FINE
