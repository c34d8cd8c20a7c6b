"""Commands that find the constraint and say what to do about it."""

from __future__ import annotations

from pathlib import Path
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
    AsCsv,
    AsJson,
    Explain,
    File,
    Goal,
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


def find(
    file: File,
    goal: Goal = "delay",
    method: Method = "auto",
    samples: Annotated[
        int | None, typer.Option(help="Say how sure, by so many samples of the standard errors.")
    ] = None,
    causes: Annotated[
        bool, typer.Option(help="Say what is seen where, and whose lack of capacity causes it.")
    ] = False,
    stages: Annotated[
        int | None, typer.Option(help="Relieve the constraint, name the next, so many times.")
    ] = None,
    routes: Routes = None,
    time_unit: TimeUnit = None,
    explain: Explain = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Find the constraint in FILE and tell it from the symptoms."""
    from flownet.constraint.find import find_constraint
    from flownet.constraint.stages import constraint_path
    from flownet.view.text import ranking_view, table_text

    network = read(file, routes, time_unit)
    with progress_bar("trying each service") as progress:
        finding = find_constraint(network, goal, method, uncertainty=samples, progress=progress)
    attribution = finding.attribution if causes else None
    path = None
    if stages is not None:
        with progress_bar("relieving") as progress:
            path = constraint_path(network, goal, method, stages=stages, progress=progress)
    if as_json:
        emit_json(finding.to_dict() | ({} if path is None else {"path": path.to_dict()}))
    elif as_csv:
        emit_csv(finding.ranking)
    else:
        out.print(repr(finding), markup=False)
        out.print(table_text(ranking_view(finding)))
        if attribution is not None:
            out.print(finding.chain, markup=False)
            out.print(table_text(attribution))
        if path is not None:
            out.print(repr(path), markup=False)
            out.print(table_text(path.stages))
        if explain:
            out.print(finding.explain(), markup=False)
    return standing(finding.solution)


def reallocate(
    file: File,
    goal: PlanGoal = None,
    budget: Budget = 0.0,
    target: Targets = None,
    exchanges: Exchanges = None,
    integer: Integer = None,
    terms: Terms = None,
    scenario: Scenarios = None,
    method: Method = "auto",
    simulate: Annotated[
        float | None, typer.Option(help="Simulate before and after up to this time, paired.")
    ] = None,
    routes: Routes = None,
    time_unit: TimeUnit = None,
    output: Annotated[Path | None, typer.Option(help="Write the changed network here.")] = None,
    explain: Explain = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Say where servers should be bought or moved, and what that gains."""
    from flownet.allocate.reallocate import reallocate as run
    from flownet.readers.documents import write
    from flownet.view.text import moves_view, table_text

    network = read(file, routes, time_unit)
    asked = asked_of_plan(terms, target, exchanges, scenario, goal=goal, integer=integer)
    with progress_bar("searching for a plan") as progress:
        plan = run(network, budget=budget, method=method, progress=progress, **asked)
    verified = None
    if simulate is not None:
        with progress_bar("simulating before and after") as progress:
            verified = plan.verify(simulate=True, horizon=simulate, progress=progress)
    if output is not None:
        write(plan.apply(network), output)
    if as_json:
        emit_json(plan.to_dict() | ({} if verified is None else {"simulated": verified.to_dict()}))
    elif as_csv:
        emit_csv(plan.moves)
    else:
        out.print(repr(plan), markup=False)
        out.print(table_text(moves_view(plan)))
        if verified is not None:
            out.print(repr(verified), markup=False)
        if explain:
            out.print(plan.explain(), markup=False)
    return standing(plan.after)


def report(
    file: File,
    output: Annotated[Path, typer.Option(help="Where to write the page.")] = Path("report.html"),
    goal: PlanGoal = None,
    budget: Budget = 0.0,
    target: Targets = None,
    exchanges: Exchanges = None,
    terms: Terms = None,
    method: Method = "auto",
    routes: Routes = None,
    time_unit: TimeUnit = None,
) -> int:
    """Write one HTML page: the map, the constraint, the plan, the assumptions."""
    from flownet.allocate.reallocate import reallocate as run
    from flownet.constraint.find import find_constraint
    from flownet.solvers.goals import GOALS
    from flownet.view.report import report as write_report

    network = read(file, routes, time_unit)
    asked = asked_of_plan(terms, target, exchanges, goal=goal)
    of_plan = asked.get("goal", "delay")
    found_by = goal or (of_plan if of_plan in tuple(GOALS) else "delay")
    with progress_bar("trying each service") as progress:
        finding = find_constraint(network, found_by, method, progress=progress)
    plan = None
    if budget != 0 or target or exchanges is not None or terms is not None:
        with progress_bar("searching for a plan") as progress:
            plan = run(network, budget=budget, method=method, progress=progress, **asked)
    path = write_report(network, finding=finding, plan=plan, path=output)
    out.print(repr(finding), markup=False)
    if plan is not None:
        out.print(repr(plan), markup=False)
    out.print(f"report written to {path}", markup=False)
    return standing(finding.solution)
