"""What the commands share: the console, the options that stand twice, errors as exit codes."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import flownet
from flownet.errors import (
    FlownetError,
    InputError,
    MethodError,
    ReadError,
    UnconvergedError,
    UnknownNameError,
)

if TYPE_CHECKING:
    import pandas as pd

    from flownet.network.model import Network
    from flownet.solvers.solution import Solution
    from flownet.study.scenario import Scenario

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
Explain = Annotated[bool, typer.Option(help="Say how, with what assumptions.")]
Measure = Annotated[
    list[str] | None,
    typer.Option(help="A column, as 'occupancy at Ward' or 'within 4'; may be repeated."),
]


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


def register(function: Callable[..., int]) -> None:
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

    app.command()(run)


def _say(text: str) -> None:
    err.print(text, markup=False)


def _code_of(error: FlownetError) -> int:
    if isinstance(error, UnconvergedError):
        return UNSTABLE
    return USAGE if isinstance(error, (MethodError, UnknownNameError)) else FAULT


def read(file: str, routes: Path | None, time_unit: str | None) -> Network:
    """Return the network of a file, a folder or a packaged system."""
    from flownet.readers import documents
    from flownet.readers.examples import example, examples

    if file in examples() and not Path(file).exists():
        return example(file)
    return documents.read(file, routes, time_unit=time_unit)


def scenario_of(path: Path) -> Scenario:
    """Return the scenario of a TOML file; what is wrong with it is told with the file's name."""
    from flownet.readers.text import read_text
    from flownet.study.scenario import Scenario

    text = read_text(path, 10_000_000)
    try:
        return Scenario.from_toml(text)
    except InputError as error:
        faults = [replace(each, where=f"file '{path.name}', {each.where}") for each in error.faults]
        raise ReadError(faults, path.name) from error


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the error stream while a long computation runs; it vanishes afterwards."""
    if not err.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def emit_json(value: Any) -> None:
    """Print plain values as JSON."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False, default=str))


def emit_csv(table: pd.DataFrame) -> None:
    """Print a table as CSV."""
    typer.echo(table.to_csv(), nl=False)


def standing(solution: Solution) -> int:
    """Return the exit code that a solution stands for."""
    return UNSTABLE if not solution.converged or solution.overloaded else FINE
