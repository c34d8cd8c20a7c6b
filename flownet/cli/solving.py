"""Commands that solve a network as it is."""

from __future__ import annotations

from typing import Annotated

import typer

from flownet.cli.shell import (
    FINE,
    UNSTABLE,
    AsCsv,
    AsJson,
    Explain,
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


def solve(
    file: File,
    method: Method = "auto",
    routes: Routes = None,
    time_unit: TimeUnit = None,
    max_states: Annotated[
        int | None, typer.Option(help="The most states, for the method exact.")
    ] = None,
    within: Annotated[
        list[float] | None,
        typer.Option(help="P(time from admission to exit <= this), by class; may be repeated."),
    ] = None,
    explain: Explain = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Solve FILE and print one row a service; with --within, how many leave in time."""
    from flownet.solvers.solve import solve as run
    from flownet.solvers.tables import records
    from flownet.view.text import service_view, table_text

    given = {} if max_states is None else {"max_states": max_states}
    with progress_bar("solving"):
        solution = run(read(file, routes, time_unit), method, **given)
    shares = solution.within(within) if within and solution.converged else None
    if as_json:
        more = {} if shares is None else {"within": records(shares)}
        emit_json(solution.to_dict() | {"standing": standing(solution)} | more)
    elif not solution.converged:
        out.print(repr(solution), markup=False)
    elif as_csv:
        emit_csv(solution.services if shares is None else shares)
    else:
        out.print(repr(solution), markup=False)
        out.print(table_text(service_view(solution)))
        if shares is not None:
            out.print(table_text(shares.reset_index()))
        if explain:
            out.print(solution.explain(), markup=False)
    return standing(solution)


def simulate(
    file: File,
    horizon: Annotated[float, typer.Option(help="Time at which each replication ends.")],
    warmup: Annotated[
        float | None, typer.Option(help="Time before which nothing is counted; default: found.")
    ] = None,
    replications: Annotated[int, typer.Option(help="Number of independent runs.")] = 10,
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 0,
    confidence: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    target: Annotated[
        list[float] | None, typer.Option(help="Time in the system; may be given repeatedly.")
    ] = None,
    cycle: Annotated[
        float | None, typer.Option(help="Show numbers by time of this cycle; default: calendars'.")
    ] = None,
    step: Annotated[float | None, typer.Option(help="Length of the steps of the cycle.")] = None,
    routes: Routes = None,
    time_unit: TimeUnit = None,
    explain: Explain = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Simulate FILE and print one row a service, with intervals."""
    from flownet.solvers.simulate import simulate as run
    from flownet.view.text import percentile_view, profile_view, simulation_view, table_text

    with progress_bar("simulating") as progress:
        simulation = run(
            read(file, routes, time_unit), horizon=horizon, warmup=warmup,
            replications=replications, seed=seed, confidence=confidence, targets=target or (),
            cycle=cycle, step=step, progress=progress,
        )  # fmt: skip
    code = UNSTABLE if simulation.overloaded else FINE
    if as_json:
        emit_json(simulation.figures() | {"standing": code})
    elif as_csv:
        emit_csv(simulation.services if cycle is None else simulation.profile)
    else:
        out.print(repr(simulation), markup=False)
        out.print(table_text(simulation_view(simulation)))
        out.print(table_text(percentile_view(simulation)))
        if cycle is not None:
            out.print(table_text(profile_view(simulation)))
        if explain:
            out.print(simulation.explain(), markup=False)
    return code


def compare(
    before: File,
    after: Annotated[str, typer.Argument(metavar="FILE2", help="The changed network.")],
    method: Method = "auto",
    time_unit: TimeUnit = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Lay two networks side by side: FILE before, FILE2 after."""
    from flownet.study.compare import compare as run
    from flownet.view.text import comparison_view, table_text

    with progress_bar("solving both"):
        comparison = run(read(before, None, time_unit), read(after, None, time_unit), method)
    if as_json:
        emit_json(comparison.to_dict())
    elif as_csv:
        emit_csv(comparison.services)
    else:
        out.print(repr(comparison), markup=False)
        out.print(table_text(comparison_view(comparison)))
    return max(standing(comparison.before), standing(comparison.after))
