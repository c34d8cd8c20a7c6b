"""What is asked of a plan: the options that several commands share, and the files they name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from flownet.cli.shell import scenario_of

Budget = Annotated[
    float, typer.Option(help="New money per time unit, spent at each service's cost_per_server.")
]
Exchanges = Annotated[
    Path | None,
    typer.Option(
        help="CSV with columns from, to, and optionally rate, cost, limit, training: what may move."
    ),
]
Integer = Annotated[
    bool | None, typer.Option(help="Whole servers only, or parts of them too; default: by kind.")
]
PlanGoal = Annotated[
    str | None,
    typer.Option(
        help="delay, cost, throughput, weighted_delay, number_present, worst_breach, "
        "worst_organisation or worst_class; default: that of the terms, else delay."
    ),
]
Scenarios = Annotated[
    list[Path] | None,
    typer.Option("--scenario", help="A demand the plan is for, .toml; may be repeated."),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        help="What the plan must reach, as 'waiting_time at Ward <= 2', 'occupancy at Ward <= "
        "92 %', 'within 4 >= 95 %' or 'p95 of frail <= 12'; may be repeated."
    ),
]
Terms = Annotated[
    Path | None,
    typer.Option(
        help="TOML with what else a plan may do and must keep to: goal, decide, prices, release, "
        "bounds, budgets, groups, max_changed, fixed_costs, shift, protect, targets, risk, gap, "
        "time_limit, solver; as for flownet.reallocate in Python."
    ),
]
TEXT_LIMIT = 10_000_000
"""Bytes: a longer file of terms is none."""
OPTIONS = {
    "budget": "--budget",
    "exchanges": "--exchanges",
    "scenarios": "--scenario",
    "method": "--method",
}
"""Arguments of `flownet.reallocate` that no file of terms holds."""


def asked_of_plan(
    terms: Path | None,
    targets: list[str] | None,
    exchanges: Path | None,
    scenarios: list[Path] | None = None,
    *,
    without: tuple[str, ...] = (),
    **options: Any,
) -> dict[str, Any]:
    """Return arguments of `flownet.reallocate`: an option goes before the same one of the terms.

    Parameters
    ----------
    terms, targets, exchanges, scenarios
        As the options of the commands have them.
    without : tuple of str
        Terms that this command does not know.
    **options
        Of the command line; None where they are left out.

    Raises
    ------
    InputError
        Where a file cannot be read, or is not what it should be.
    """
    given = {} if terms is None else _terms(terms, without)
    given |= {name: value for name, value in options.items() if value is not None}
    if targets:
        given["targets"] = [each for each in (given.get("targets"), *targets) if each is not None]
    if exchanges is not None:
        given["exchanges"] = _exchanges(exchanges)
    if scenarios:
        given["scenarios"] = [scenario_of(each) for each in scenarios]
    return given


def _terms(path: Path, without: tuple[str, ...]) -> dict[str, Any]:
    """Return the terms of a file, all of them known."""
    from flownet.allocate.reallocate import reallocate
    from flownet.errors import Fault, ReadError
    from flownet.network.values import nearest, shown
    from flownet.readers.text import read_text, toml_of

    where = f"file '{path.name}'"
    given = toml_of(read_text(path, TEXT_LIMIT), where)
    beside = OPTIONS | {name: f"--{name}" for name in without}
    arguments = inspect.signature(reallocate).parameters
    known = [name for name in arguments if name not in {*beside, "network", "progress"}]
    faults = []
    for name, value in given.items():
        if name not in known:
            hint = f"; it is the option {beside[name]}" if name in beside else nearest(name, known)
            faults.append(Fault(where, name, shown(value), f"is no term of a plan{hint}"))
    if faults:
        raise ReadError(faults, path.name)
    return given


def _exchanges(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table of exchanges, numbers as such."""
    from flownet.readers.flat import number_of
    from flownet.readers.text import read_rows

    texts = {"from", "to"}
    return [
        {key: cell if key in texts else number_of(cell) for key, cell in row.items()}
        for row in read_rows(path)
    ]
