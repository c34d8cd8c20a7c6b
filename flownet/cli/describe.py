"""Commands that read a description or a log, and say what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flownet.cli.shell import (
    FAULT,
    FINE,
    AsCsv,
    AsJson,
    File,
    Routes,
    TimeUnit,
    emit_csv,
    emit_json,
    out,
    progress_bar,
    read,
)
from flownet.errors import UnknownNameError

if TYPE_CHECKING:
    from flownet.network.model import Network


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
        network = read(file, routes, time_unit)
        faults = network.warnings
    except UnknownNameError:
        raise
    except InputError as error:
        faults = error.faults
    if as_json:
        keys = ("severity", "where", "attribute", "value", "message")
        emit_json([{key: getattr(fault, key) for key in keys} for fault in faults])
    else:
        for fault in faults:
            out.print(f"{fault.severity}: {fault}", markup=False)
        if network is not None:
            out.print(repr(network).splitlines()[0] + ": no faults", markup=False)
            out.print(repr(network).splitlines()[1], markup=False)
    return FAULT if any(fault.severity == "error" for fault in faults) else FINE


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

    with progress_bar("estimating"):
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
        emit_json(estimated.to_dict())
    elif as_csv:
        emit_csv(estimated.parameters.set_index("owner"))
    else:
        out.print(repr(estimated), markup=False)
        out.print(estimated.explain() if explain else str(estimated.report), markup=False)
        for sentence in estimated.warnings:
            out.print(f"warning: {sentence}", markup=False)
    return FINE


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
            emit_json(example(name).to_dict())
        else:
            typer.echo(text, nl=False)
        return FINE
    if as_json:
        emit_json(list(known()))
        return FINE
    for each in known():
        lines = repr(example(each)).splitlines()
        out.print(f"{each}: {lines[0]},{lines[1][1:]}", markup=False)
    return FINE


def attributes(
    markdown: Annotated[bool, typer.Option(help="As the page of the documentation.")] = False,
    as_csv: AsCsv = False,
) -> int:
    """Print the table of attributes: what a document may say, with units and defaults."""
    from flownet.view.text import attribute_page, attribute_view, table_text

    if markdown:
        typer.echo(attribute_page(), nl=False)
    elif as_csv:
        emit_csv(attribute_view())
    else:
        out.print(table_text(attribute_view()))
    return FINE
