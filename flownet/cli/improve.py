"""Commands that find the constraint and say what to do about it."""

from __future__ import annotations

import inspect
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    scenario_of,
    standing,
)

if TYPE_CHECKING:
    from flownet.allocate.plan import Plan
    from flownet.network.model import Network

Budget = Annotated[
    float, typer.Option(help="New money per time unit, spent at each service's cost_per_server.")
]
Exchanges = Annotated[
    Path | None,
    typer.Option(
        help="CSV with columns from, to, and optionally rate, cost, limit: what may move."
    ),
]
Integer = Annotated[
    bool | None, typer.Option(help="Whole servers only, or parts of them too; default: by kind.")
]
Terms = Annotated[
    Path | None,
    typer.Option(
        help="TOML with what else a plan may do and must keep to: goal, decide, prices, release, "
        "bounds, budgets, groups, max_changed, fixed_costs, shift, protect, targets, risk, gap, "
        "time_limit, solver; as for flownet.reallocate in Python."
    ),
]
Scenarios = Annotated[
    list[Path] | None,
    typer.Option("--scenario", help="A demand the plan is for, .toml; may be repeated."),
]
TEXT_LIMIT = 10_000_000
"""Bytes: a longer file of terms is none."""


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
    goal: Goal = "delay",
    budget: Budget = 0.0,
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
    from flownet.readers.documents import write
    from flownet.view.text import moves_view, table_text

    network = read(file, routes, time_unit)
    given = {"goal": goal, "integer": integer, "method": method, **_terms(terms, scenario)}
    plan = _plan(network, budget, exchanges, given)
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
    goal: Goal = "delay",
    budget: Budget = 0.0,
    exchanges: Exchanges = None,
    terms: Terms = None,
    method: Method = "auto",
    routes: Routes = None,
    time_unit: TimeUnit = None,
) -> int:
    """Write one HTML page: the map, the constraint, the plan, the assumptions."""
    from flownet.constraint.find import find_constraint
    from flownet.view.report import report as write_report

    network = read(file, routes, time_unit)
    given = {"goal": goal, "method": method, **_terms(terms, None)}
    with progress_bar("trying each service") as progress:
        finding = find_constraint(network, goal, method, progress=progress)
    plan = None
    if budget > 0 or exchanges is not None or terms is not None:
        plan = _plan(network, budget, exchanges, given)
    path = write_report(network, finding=finding, plan=plan, path=output)
    out.print(repr(finding), markup=False)
    if plan is not None:
        out.print(repr(plan), markup=False)
    out.print(f"report written to {path}", markup=False)
    return standing(finding.solution)


def _plan(network: Network, budget: float, exchanges: Path | None, given: dict[str, Any]) -> Plan:
    from flownet.allocate.reallocate import reallocate as run

    rows = _exchanges(exchanges)
    with progress_bar("searching for a plan") as progress:
        return run(network, budget=budget, exchanges=rows, progress=progress, **given)


def _terms(path: Path | None, scenarios: list[Path] | None) -> dict[str, Any]:
    """Return the arguments of `flownet.reallocate` that stand in files."""
    from flownet.allocate.reallocate import reallocate as run
    from flownet.errors import Fault, ReadError
    from flownet.network.values import nearest, shown
    from flownet.readers.text import read_text

    given: dict[str, Any] = {}
    if path is not None:
        where = f"file '{path.name}'"
        try:
            given = tomllib.loads(read_text(path, TEXT_LIMIT))
        except tomllib.TOMLDecodeError as error:
            raise ReadError([Fault(where, "", "", f"is not TOML: {error}")], path.name) from error
        here = {"network", "budget", "exchanges", "scenarios", "method", "progress"}
        known = [name for name in inspect.signature(run).parameters if name not in here]
        faults = [
            Fault(where, name, shown(given[name]), f"is no term of a plan{nearest(name, known)}")
            for name in given
            if name not in known
        ]
        if faults:
            raise ReadError(faults, path.name)
    if scenarios:
        given["scenarios"] = [scenario_of(each) for each in scenarios]
    return given


def _exchanges(path: Path | None) -> list[dict[str, Any]] | None:
    if path is None:
        return None
    from flownet.readers.flat import number_of
    from flownet.readers.text import read_rows

    texts = {"from", "to"}
    return [
        {key: cell if key in texts else number_of(cell) for key, cell in row.items()}
        for row in read_rows(path)
    ]
