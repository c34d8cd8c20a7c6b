"""Run the benchmarks and print a table: each beside its peer, measured in the same run."""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from benchmarks import growth
from benchmarks.registry import Measurement, NoAnswer, Spec, Task, remarks, skipped, specs

REPEATS = 5
ENOUGH_SECONDS = 2.0
WIDTH = 130  # of the table, where the output has no width of its own


def timed(task: Task) -> tuple[float, float | None]:
    """Return the seconds that one call takes, and the work it says it did."""
    start = perf_counter()
    work = task()
    return perf_counter() - start, work


def speed(seconds: float, work: float | None) -> float:
    """Return the work per second, where a task that reports none counts as one piece of work."""
    return (1.0 if work is None else work) / seconds


def measure(spec: Spec, size: int, *, smoke: bool) -> Measurement:
    """Time `spec` at `size`, taking turns with its peer; the best of a few repeats counts.

    The first call of each is timed apart: it may compile.
    """
    task = spec.run(size)
    rival = spec.peer(size) if spec.peer is not None else None
    first, _ = timed(task)
    if rival is not None:
        timed(rival)
    own: list[tuple[float, float | None]] = []
    others: list[tuple[float, float | None]] = []
    start = perf_counter()
    while not own or (not smoke and len(own) < REPEATS and perf_counter() - start < ENOUGH_SECONDS):
        own.append(timed(task))
        if rival is not None:
            others.append(timed(rival))
    seconds, work = max(own, key=lambda run: speed(*run))
    best = max(others, key=lambda run: speed(*run), default=None)
    return Measurement(
        name=spec.name,
        phase=spec.phase,
        size=size,
        first_seconds=first,
        seconds=seconds,
        rate=None if work is None else work / seconds,
        peer=spec.peer_name,
        peer_seconds=None if best is None else best[0],
        ratio=None if best is None else speed(seconds, work) / speed(*best),
        size_name=spec.size_name,
    )


def measure_all(chosen: list[Spec], *, smoke: bool) -> tuple[list[Measurement], list[str]]:
    """Measure each at all its sizes, or its smallest; return what had no answer apart."""
    measurements, without = [], []
    for spec in (spec for spec in chosen if spec.smoke or not smoke):
        for size in spec.sizes[:1] if smoke else spec.sizes:
            try:
                measurements.append(measure(spec, size, smoke=smoke))
            except NoAnswer as reason:
                without.append(f"Not measured: {spec.name}, {spec.size_name} {size}: {reason}.")
    return measurements, without


WORDS = ("spec", "phase", "peer")
HEADINGS = (
    "spec", "phase", "size", "first call [s]", "time [s]", "work/s", "peer [s]", "times as fast",
    "peer",
)  # fmt: skip


def cells(one: Measurement) -> tuple[str, ...]:
    """Return a line of the table, in the order of `HEADINGS`."""
    return (
        one.name,
        one.phase,
        str(one.size),
        f"{one.first_seconds:.3g}",
        f"{one.seconds:.3g}",
        "" if one.rate is None else f"{one.rate:.3g}",
        "" if one.peer_seconds is None else f"{one.peer_seconds:.3g}",
        "" if one.ratio is None else f"{one.ratio:.3g}",
        one.peer,
    )


def machine() -> str:
    """Return what the times were measured on."""
    return f"{platform.machine()}, Python {platform.python_version()}"


def as_table(measurements: list[Measurement]) -> Table:
    """Lay the measurements out for the terminal."""
    table = Table(title=machine())
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in WORDS else "right")
    for one in measurements:
        table.add_row(*cells(one))
    return table


def write_page(
    path: Path, names: list[str], measurements: list[Measurement], sentences: list[str]
) -> None:
    """Write a page of markdown with the table, and the picture beside it."""
    picture = path.with_suffix(".png")
    growth.draw(measurements, picture)
    command = " ".join(["python -m benchmarks", *(f'"{each}"' for each in names)])
    rules = ["---" if heading in WORDS else "---:" for heading in HEADINGS]
    rows = [HEADINGS, rules, *map(cells, measurements)]
    lines = [
        f"# Times ({machine()})",
        "",
        f"Written by `{command} --page {path.name}`. Seconds differ from machine to machine; the "
        "ratio to the peer, which took turns in the same run, hardly does.",
        "",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"![times against sizes]({picture.name})",
        *(line for sentence in sentences for line in ("", sentence)),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="only specs whose name contains one of these")
    parser.add_argument("--smoke", action="store_true", help="each at its smallest size, once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw times against sizes there")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write a page with picture there")
    options = parser.parse_args(arguments)
    chosen = [
        spec
        for spec in specs()
        if not options.names or any(part in spec.name for part in options.names)
    ]
    if not chosen:
        parser.error(f"no spec is called like {' or '.join(options.names) or 'anything'}")
    measurements, without = measure_all(chosen, smoke=options.smoke)
    if options.json is not None:
        rows = [asdict(measurement) for measurement in measurements]
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    console = Console()
    console.width = max(console.width, WIDTH)
    console.print(as_table(measurements))
    said = [*without, *remarks(), *growth.sentences(measurements)]
    for sentence in [*(f"Not measured: {reason}." for reason in skipped()), *said]:
        console.print(sentence)
    if options.plot is not None:
        growth.draw(measurements, options.plot)
    if options.page is not None:
        write_page(options.page, options.names, measurements, said)
    return 0
