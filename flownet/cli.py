"""The shell command: parse arguments, call one public function, print. No maths."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import flownet
from flownet.errors import FlownetError, MethodError, UnconvergedError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

    from flownet.network.model import Network
    from flownet.solvers.solution import Solution

FINE, FAULT, USAGE, UNSTABLE = 0, 1, 2, 3
"""Exit codes: 0 fine; 1 a fault in the input; 2 usage; 3 solved, but overloaded or unconverged."""

app = typer.Typer(
    name="flownet",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
WIDE = 180
"""Width of tables where the output is not a terminal: rich would squeeze them into 80 columns."""
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True)

File = Annotated[str, typer.Argument(metavar="FILE", help="File, folder or packaged system.")]
Routes = Annotated[
    Path | None, typer.Option(help="The routes (or PathSimR's calendar) beside a .csv FILE.")
]
TimeUnit = Annotated[str | None, typer.Option(help="Time unit, for tables that declare none.")]
Method = Annotated[str, typer.Option(help="auto, product_form, decomposition, blocking or exact.")]
Goal = Annotated[str, typer.Option(help="delay, cost or throughput.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print the main table as CSV.")]
Budget = Annotated[
    float, typer.Option(help="New money per time unit, spent at each service's cost_per_server.")
]
Exchanges = Annotated[
    Path | None,
    typer.Option(
        help="CSV with columns from, to, and optionally rate, cost, limit: what may move."
    ),
]
Integer = Annotated[bool, typer.Option(help="Whole servers only, or parts of them too.")]


def main() -> None:
    """Run the command."""
    app()


def _show_version(wanted: bool) -> None:  # typer calls it so
    if wanted:
        typer.echo(f"flownet {flownet.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Find the constraint in a network of services, and move capacity to relieve it.

    FILE is a .toml, .json, .graphml or .csv file, a folder with services.csv and routes.csv, or
    the name of a packaged system (see: flownet examples). Exit codes: 0 fine; 1 fault in the
    input; 2 usage; 3 solved, but overloaded or unconverged.
    """
    del version


def command(function: Callable[..., int]) -> Callable[..., None]:
    """Register a command that returns its exit code; our errors become a message and a code."""

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            code = function(*arguments, **options)
        except FlownetError as error:
            _say(str(error))
            code = _code_of(error)
        except OSError as error:
            _say(f"cannot read or write: {error}")
            code = FAULT
        raise typer.Exit(code)

    return app.command()(run)


def _say(text: str) -> None:
    err.print(text, markup=False)


def _code_of(error: FlownetError) -> int:
    if isinstance(error, UnconvergedError):
        return UNSTABLE
    return USAGE if isinstance(error, (MethodError, UnknownNameError)) else FAULT


def _read(file: str, routes: Path | None, time_unit: str | None) -> Network:
    from flownet.readers.documents import read
    from flownet.readers.examples import example, examples

    if file in examples() and not Path(file).exists():
        return example(file)
    return read(file, routes, time_unit=time_unit)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the error stream while a long computation runs; it vanishes afterwards."""
    if not err.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _emit_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False, default=str))


def _emit_csv(table: pd.DataFrame) -> None:
    typer.echo(table.to_csv(), nl=False)


def _standing(solution: Solution) -> int:
    return UNSTABLE if not solution.converged or solution.overloaded else FINE


@command
def check(
    file: File,
    routes: Routes = None,
    time_unit: TimeUnit = None,
    as_json: AsJson = False,
) -> int:
    """Say everything that is wrong with FILE, and what deserves a look."""
    from flownet.errors import InputError

    network: Network | None = None
    try:
        network = _read(file, routes, time_unit)
        faults = network.warnings
    except UnknownNameError:
        raise
    except InputError as error:
        faults = error.faults
    if as_json:
        keys = ("severity", "where", "attribute", "value", "message")
        _emit_json([{key: getattr(fault, key) for key in keys} for fault in faults])
    else:
        for fault in faults:
            out.print(f"{fault.severity}: {fault}", markup=False)
        if network is not None:
            out.print(repr(network).splitlines()[0] + ": no faults", markup=False)
            out.print(repr(network).splitlines()[1], markup=False)
    return FAULT if any(fault.severity == "error" for fault in faults) else FINE


@command
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
    explain: Annotated[bool, typer.Option(help="Say how, with what assumptions.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Solve FILE and print one row a service; with --within, how many leave in time."""
    from flownet.solvers.solve import solve as run
    from flownet.solvers.tables import records
    from flownet.view.text import service_view, table_text

    given = {} if max_states is None else {"max_states": max_states}
    with _progress("solving"):
        solution = run(_read(file, routes, time_unit), method, **given)
    shares = solution.within(within) if within and solution.converged else None
    if as_json:
        more = {} if shares is None else {"within": records(shares)}
        _emit_json(solution.to_dict() | {"standing": _standing(solution)} | more)
    elif not solution.converged:
        out.print(repr(solution), markup=False)
    elif as_csv:
        _emit_csv(solution.services if shares is None else shares)
    else:
        out.print(repr(solution), markup=False)
        out.print(table_text(service_view(solution)))
        if shares is not None:
            out.print(table_text(shares.reset_index()))
        if explain:
            out.print(solution.explain(), markup=False)
    return _standing(solution)


@command
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
    explain: Annotated[bool, typer.Option(help="Say how, with what assumptions.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Simulate FILE and print one row a service, with intervals."""
    from flownet.solvers.simulate import simulate as run
    from flownet.view.text import percentile_view, profile_view, simulation_view, table_text

    with _progress("simulating") as progress:
        simulation = run(
            _read(file, routes, time_unit), horizon=horizon, warmup=warmup,
            replications=replications, seed=seed, confidence=confidence, targets=target or (),
            cycle=cycle, step=step, progress=progress,
        )  # fmt: skip
    code = UNSTABLE if simulation.overloaded else FINE
    if as_json:
        _emit_json(simulation.figures() | {"standing": code})
    elif as_csv:
        _emit_csv(simulation.services if cycle is None else simulation.profile)
    else:
        out.print(repr(simulation), markup=False)
        out.print(table_text(simulation_view(simulation)))
        out.print(table_text(percentile_view(simulation)))
        if cycle is not None:
            out.print(table_text(profile_view(simulation)))
        if explain:
            out.print(simulation.explain(), markup=False)
    return code


@command
def estimate(
    logs: Annotated[list[Path], typer.Argument(help="Event logs: .csv, .parquet or .xes.")],
    output: Annotated[
        Path | None, typer.Option("--out", help="Write the network here (.toml, .json …).")
    ] = None,
    case: Annotated[str | None, typer.Option(help="Column of the case.")] = None,
    activity: Annotated[str | None, typer.Option(help="Column of the activity.")] = None,
    start: Annotated[str | None, typer.Option(help="Column of the beginning.")] = None,
    complete: Annotated[str | None, typer.Option(help="Column of the end.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="Column of an event's only time.")] = None,
    job_class: Annotated[str | None, typer.Option(help="Column of the job class.")] = None,
    time_unit: TimeUnit = None,
    time_zone: Annotated[str | None, typer.Option(help="Of times without one.")] = None,
    day_first: Annotated[
        bool | None, typer.Option(help="How dates such as 03/04/2024 begin.")
    ] = None,
    returns_within: Annotated[
        float, typer.Option(help="Come-backs within this time are returns.")
    ] = 0.0,
    leaves_after: Annotated[
        float | None, typer.Option(help="After a longer gap a case comes anew.")
    ] = None,
    leaving: Annotated[
        list[str] | None, typer.Option(help="Activity with which jobs leave; may be repeated.")
    ] = None,
    observed_from: Annotated[str | None, typer.Option(help="From when the log was kept.")] = None,
    censored_at: Annotated[
        str | None, typer.Option(help="When the log was drawn, or 'last' for its last time.")
    ] = None,
    calendars: Annotated[
        bool, typer.Option(help="Let arrivals follow the hours of the week.")
    ] = False,
    page: Annotated[
        Path | None, typer.Option("--report", help="Write a page with the quality of the data.")
    ] = None,
    explain: Annotated[bool, typer.Option(help="Say what was found and assumed.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Estimate a network from event logs, and say what became of their rows."""
    from flownet.readers.documents import write
    from flownet.readers.event_log import from_event_log

    with _progress("estimating"):
        estimated = from_event_log(
            list(logs) if len(logs) > 1 else logs[0], case=case, activity=activity, start=start,
            complete=complete, timestamp=timestamp, job_class=job_class, time_unit=time_unit,
            time_zone=time_zone, day_first=day_first, returns_within=returns_within,
            leaves_after=leaves_after, leaving=leaving or (), observed_from=observed_from,
            censored_at=censored_at, calendars=calendars,
        )  # fmt: skip
    if output is not None:
        write(estimated.network, output)
    if page is not None:
        from flownet.view.report import report

        report(estimated.network, path=page, data=estimated)
    if as_json:
        _emit_json(estimated.to_dict())
    elif as_csv:
        _emit_csv(estimated.parameters.set_index("owner"))
    else:
        out.print(repr(estimated), markup=False)
        out.print(estimated.explain() if explain else str(estimated.report), markup=False)
        for sentence in estimated.warnings:
            out.print(f"warning: {sentence}", markup=False)
    return FINE


@command
def find(
    file: File,
    goal: Goal = "delay",
    method: Method = "auto",
    routes: Routes = None,
    time_unit: TimeUnit = None,
    explain: Annotated[bool, typer.Option(help="Say how, with what assumptions.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Find the constraint in FILE and tell it from the symptoms."""
    from flownet.constraint.find import find_constraint
    from flownet.view.text import ranking_view, table_text

    with _progress("trying each service") as progress:
        finding = find_constraint(_read(file, routes, time_unit), goal, method, progress=progress)
    if as_json:
        _emit_json(finding.to_dict())
    elif as_csv:
        _emit_csv(finding.ranking)
    else:
        out.print(repr(finding), markup=False)
        out.print(table_text(ranking_view(finding)))
        if explain:
            out.print(finding.explain(), markup=False)
    return _standing(finding.solution)


@command
def reallocate(
    file: File,
    goal: Goal = "delay",
    budget: Budget = 0.0,
    exchanges: Exchanges = None,
    integer: Integer = True,
    method: Method = "auto",
    routes: Routes = None,
    time_unit: TimeUnit = None,
    output: Annotated[Path | None, typer.Option(help="Write the changed network here.")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> int:
    """Say where servers should be bought or moved, and what that gains."""
    from flownet.allocate.reallocate import reallocate as run
    from flownet.readers.documents import write
    from flownet.view.text import moves_view, table_text

    network = _read(file, routes, time_unit)
    with _progress("searching") as progress:
        plan = run(
            network, goal, budget, _exchanges(exchanges), integer, method=method, progress=progress
        )
    if output is not None:
        write(plan.apply(network), output)
    if as_json:
        _emit_json(plan.to_dict())
    elif as_csv:
        _emit_csv(plan.moves)
    else:
        out.print(repr(plan), markup=False)
        out.print(table_text(moves_view(plan)))
    return _standing(plan.after)


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


@command
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

    with _progress("solving both"):
        comparison = run(_read(before, None, time_unit), _read(after, None, time_unit), method)
    if as_json:
        _emit_json(comparison.to_dict())
    elif as_csv:
        _emit_csv(comparison.services)
    else:
        out.print(repr(comparison), markup=False)
        out.print(table_text(comparison_view(comparison)))
    return max(_standing(comparison.before), _standing(comparison.after))


Measure = Annotated[
    list[str] | None,
    typer.Option(help="A column, as 'occupancy at Ward' or 'within 4'; may be repeated."),
]


@command
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
    from flownet.study.scenario import Scenario
    from flownet.study.study import Study
    from flownet.view.text import table_text

    made = [Scenario.from_toml(path.read_text(encoding="utf-8")) for path in scenarios]
    with _progress("scenarios") as progress:
        result = (
            Study(_read(file, routes, time_unit))
            .add(*made)
            .run(measure or (), method, progress=progress)
        )
    if as_json:
        _emit_json(result.to_dict())
    elif as_csv:
        _emit_csv(result.table)
    else:
        out.print(repr(result), markup=False)
        shown = result.ranking(goal).drop(columns="rank").join(result.table[measure or []])
        out.print(table_text(shown.reset_index()))
    return FAULT if result.errors else FINE


@command
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
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
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

    design: dict[str, Any] = dict(axis_of(text) for text in vary)
    if samples is not None:
        design = {name: (values[0], values[-1]) for name, values in design.items()}
    network = _read(file, routes, time_unit)
    pool = ProcessPoolExecutor(workers) if workers > 1 else nullcontext()
    with pool as executor, _progress("scenarios") as progress:
        result = run(
            network, design, measure or (), samples=samples, sampling=sampling, seed=seed,
            method=method, executor=executor, path=output, progress=progress,
        )  # fmt: skip
    if as_json:
        _emit_json(result.to_dict())
    elif as_csv:
        _emit_csv(result.table)
    else:
        out.print(repr(result), markup=False)
        out.print(table_text(result.table.reset_index()))
    return FAULT if len(result.failed) else FINE


@command
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
    with _progress("seeking"):
        found = run(_read(file, routes, time_unit), along, target, between=between, method=method)
    if as_json:
        _emit_json(found.to_dict())
    elif as_csv:
        _emit_csv(found.trace.set_index("value"))
    else:
        out.print(repr(found), markup=False)
    return FINE if found.met else UNSTABLE


@command
def report(
    file: File,
    output: Annotated[Path, typer.Option(help="Where to write the page.")] = Path("report.html"),
    goal: Goal = "delay",
    budget: Budget = 0.0,
    exchanges: Exchanges = None,
    method: Method = "auto",
    routes: Routes = None,
    time_unit: TimeUnit = None,
) -> int:
    """Write one HTML page: the map, the constraint, the plan, the assumptions."""
    from flownet.allocate.reallocate import reallocate as plan_for
    from flownet.constraint.find import find_constraint
    from flownet.view.report import report as write_report

    network = _read(file, routes, time_unit)
    with _progress("trying each service") as progress:
        finding = find_constraint(network, goal, method, progress=progress)
    plan = None
    if budget > 0 or exchanges is not None:
        with _progress("searching for a plan") as progress:
            plan = plan_for(
                network, goal, budget, _exchanges(exchanges), method=method, progress=progress
            )
    path = write_report(network, finding=finding, plan=plan, path=output)
    out.print(repr(finding), markup=False)
    if plan is not None:
        out.print(repr(plan), markup=False)
    out.print(f"report written to {path}", markup=False)
    return _standing(finding.solution)


@command
def examples(
    name: Annotated[str | None, typer.Argument(help="A packaged system, to print it.")] = None,
    as_json: AsJson = False,
) -> int:
    """List the packaged systems, or print the document of one."""
    from flownet.readers.examples import example, example_path
    from flownet.readers.examples import examples as known

    if name is not None:
        text = example_path(name).read_text(encoding="utf-8")
        if as_json:
            _emit_json(example(name).to_dict())
        else:
            typer.echo(text, nl=False)
        return FINE
    if as_json:
        _emit_json(list(known()))
        return FINE
    for each in known():
        lines = repr(example(each)).splitlines()
        out.print(f"{each}: {lines[0]},{lines[1][1:]}", markup=False)
    return FINE


@command
def attributes(
    markdown: Annotated[bool, typer.Option(help="As the page of the documentation.")] = False,
    as_csv: AsCsv = False,
) -> int:
    """Print the table of attributes: what a document may say, with units and defaults."""
    from flownet.view.text import attribute_page, attribute_view, table_text

    if markdown:
        typer.echo(attribute_page(), nl=False)
    elif as_csv:
        _emit_csv(attribute_view())
    else:
        out.print(table_text(attribute_view()))
    return FINE


if __name__ == "__main__":
    main()
