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
from benchmarks.registry import Measurement, Spec, Task, skipped, specs

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
    )


def as_table(measurements: list[Measurement]) -> Table:
    """Lay the measurements out for the terminal."""
    table = Table(title=f"{platform.machine()}, Python {platform.python_version()}")
    for heading in ("spec", "phase"):
        table.add_column(heading)
    for heading in ("size", "first call [s]", "time [s]", "work/s", "peer [s]", "times as fast"):
        table.add_column(heading, justify="right")
    table.add_column("peer")
    for one in measurements:
        table.add_row(
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
    return table


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="only specs whose name contains one of these")
    parser.add_argument("--smoke", action="store_true", help="each at its smallest size, once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw times against sizes there")
    options = parser.parse_args(arguments)
    chosen = [
        spec
        for spec in specs()
        if not options.names or any(part in spec.name for part in options.names)
    ]
    if not chosen:
        parser.error(f"no spec is called like {' or '.join(options.names) or 'anything'}")
    measurements = [
        measure(spec, size, smoke=options.smoke)
        for spec in chosen
        for size in (spec.sizes[:1] if options.smoke else spec.sizes)
    ]
    if options.json is not None:
        rows = [asdict(measurement) for measurement in measurements]
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    console = Console()
    console.width = max(console.width, WIDTH)
    console.print(as_table(measurements))
    for reason in skipped():
        console.print(f"Not measured: {reason}.")
    for sentence in growth.sentences(measurements):
        console.print(sentence)
    if options.plot is not None:
        growth.draw(measurements, options.plot)
    return 0
