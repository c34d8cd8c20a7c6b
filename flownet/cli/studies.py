"""Commands that try many changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flownet.cli.shell import (
    FAULT,
    FINE,
    UNSTABLE,
    AsCsv,
    AsJson,
    File,
    Goal,
    Measure,
    Method,
    Routes,
    TimeUnit,
    emit_csv,
    emit_json,
    out,
    progress_bar,
    read,
    scenario_of,
)


def study(
    file: File,
    scenarios: Annotated[list[Path], typer.Argument(help="Scenarios, a .toml file each.")],
    goal: Goal = "delay",
    measure: Measure = None,
    method: Method = "auto",
    routes: Routes = None,
    time_unit: TimeUnit = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Try scenarios on FILE, one row each, the best first."""
    from flownet.study.study import Study
    from flownet.view.text import table_text

    made = [scenario_of(path) for path in scenarios]
    with progress_bar("scenarios") as progress:
        result = (
            Study(read(file, routes, time_unit))
            .add(*made)
            .run(measure or (), method, progress=progress)
        )
    if as_json:
        emit_json(result.to_dict())
    elif as_csv:
        emit_csv(result.table)
    else:
        out.print(repr(result), markup=False)
        shown = result.ranking(goal).drop(columns="rank").join(result.table[measure or []])
        out.print(table_text(shown.reset_index()))
    return FAULT if result.errors else FINE


def sweep(
    file: File,
    vary: Annotated[
        list[str],
        typer.Option(help="'servers at Ward=4,5,6', '=4:8', or '=0.8:1.2:5'; may be repeated."),
    ],
    measure: Measure = None,
    samples: Annotated[
        int | None, typer.Option(help="Sample so many rows between the ends; default: all.")
    ] = None,
    sampling: Annotated[str, typer.Option(help="sobol or latin_hypercube.")] = "sobol",
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    output: Annotated[
        Path | None, typer.Option("--out", help="A folder for the rows; resumed where it stopped.")
    ] = None,
    method: Method = "auto",
    routes: Routes = None,
    time_unit: TimeUnit = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Solve FILE for many values of its numbers, and print one row a scenario."""
    from concurrent.futures import ProcessPoolExecutor
    from contextlib import nullcontext

    from flownet.study.design import axis_of
    from flownet.study.sweep import sweep as run
    from flownet.view.text import table_text

    design: dict[str, Any] = {}
    for name, values in map(axis_of, vary):
        if name in design:
            message = f"'{name}' is varied twice"
            raise typer.BadParameter(message)
        design[name] = values
    if samples is not None:
        design = {name: (values[0], values[-1]) for name, values in design.items()}
    network = read(file, routes, time_unit)
    pool = ProcessPoolExecutor(workers) if workers > 1 else nullcontext()
    with pool as executor, progress_bar("scenarios") as progress:
        result = run(
            network, design, measure or (), samples=samples, sampling=sampling, seed=seed,
            method=method, executor=executor, path=output, progress=progress,
        )  # fmt: skip
    if as_json:
        emit_json(result.to_dict())
    elif as_csv:
        emit_csv(result.table)
    else:
        out.print(repr(result), markup=False)
        out.print(table_text(result.table.reset_index()))
    return FAULT if len(result.failed) else FINE


def goal_seek(
    file: File,
    along: Annotated[str, typer.Argument(help="What varies, as 'servers at Ward'.")],
    target: Annotated[str, typer.Argument(help="As 'wait_probability at Ward <= 1 in 20'.")],
    low: Annotated[float | None, typer.Option(help="The lowest value; default: found.")] = None,
    high: Annotated[float | None, typer.Option(help="The highest value; default: found.")] = None,
    method: Method = "auto",
    routes: Routes = None,
    time_unit: TimeUnit = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Find the value of a number of FILE at which a target begins to be met."""
    from flownet.study.goal_seek import goal_seek as run

    if (low is None) != (high is None):
        raise typer.BadParameter("give --low and --high, or neither")
    between = None if low is None or high is None else (low, high)
    with progress_bar("seeking"):
        found = run(read(file, routes, time_unit), along, target, between=between, method=method)
    if as_json:
        emit_json(found.to_dict())
    elif as_csv:
        emit_csv(found.trace.set_index("value"))
    else:
        out.print(repr(found), markup=False)
    return FINE if found.met else UNSTABLE
