"""`report`: one HTML page that works offline and on paper."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

import flownet
from flownet.allocate.words import gain_text, made_worse_text
from flownet.display import figure
from flownet.network.attributes import ROUTE, SERVICE
from flownet.readers.text import write_whole
from flownet.solvers.solve import solve
from flownet.study.compare import compare
from flownet.view.map import LEVELS, draw
from flownet.view.page import map_picture, rendered, stored
from flownet.view.text import comparison_view, moves_view, ranking_view, service_view

if TYPE_CHECKING:
    from flownet.allocate.plan import Plan
    from flownet.constraint.find import Finding
    from flownet.network.model import Network
    from flownet.solvers.solution import Solution

NOT_MODELLED = (
    "Time of day and day of week: rates, staff and opening hours are taken as constant means.",
    "Change over time: figures are long-run averages, not forecasts of a given week.",
    "Laws of stays beyond their mean and spread.",
    "People's reactions: staff who work faster under pressure, patients who choose elsewhere.",
)


def report(
    network: Network,
    finding: Finding | None = None,
    plan: Plan | None = None,
    path: str | os.PathLike[str] = "report.html",
) -> Path:
    """Write one self-contained HTML page about a network, and return where it is.

    Parameters
    ----------
    network : Network
        The system; it is solved where neither finding nor plan holds its solution.
    finding : Finding, optional
        Adds the constraint, the symptoms, the ranking and who holds whose places.
    plan : Plan, optional
        Adds the moves, promised and verified gain, and before and after.
    path : path
        The file to write; it is written whole or not at all.

    Returns
    -------
    pathlib.Path
        The file that was written.

    Raises
    ------
    OSError
        Where the place cannot be written.
    """
    target = Path(path)
    write_whole(target, _page(network, finding, plan))
    return target


def _page(network: Network, finding: Finding | None, plan: Plan | None) -> str:
    if finding is not None:
        solution = finding.solution
    else:
        solution = plan.before if plan is not None else solve(network)
    readable = solution.converged
    comparison = compare(plan.before, plan.after) if plan is not None else None
    return rendered(
        "report.html.j2",
        title=network.name or "network",
        version=flownet.__version__,
        solution=solution,
        finding=finding,
        plan=plan,
        css=stored("report.css"),
        map=map_picture(draw(solution, finding), network.name) if readable else None,
        levels=LEVELS,
        services=_table(service_view(solution), network) if readable else None,
        classes=_table(_classes(solution), None) if readable else None,
        ranking=None if finding is None else _table(ranking_view(finding), network),
        attribution=None if finding is None else _attribution(finding),
        moves=None if plan is None else _table(moves_view(plan), None),
        changes=None if comparison is None else _table(comparison_view(comparison), network),
        organisations=None if comparison is None else _table(_organisations(comparison), None),
        promised="" if plan is None else gain_text(plan, plan.gain_promised),
        verified="" if plan is None else gain_text(plan, plan.gain_verified),
        worse="" if plan is None else made_worse_text(plan),
        origins=_origins(network),
        not_modelled=NOT_MODELLED,
        notes=str(network.graph.graph.get("notes", "")),
    )


def _table(frame: pd.DataFrame, network: Network | None) -> dict[str, Any]:
    """Return heads and rows of texts; the first cells are labels."""
    units = frame.attrs.get("units", {})
    units = units if isinstance(units, dict) else {}
    heads = [
        {"name": str(column).replace("_", " "), "unit": units.get(column, "").strip("-"),
         "number": pd.api.types.is_numeric_dtype(frame[column])}
        for column in frame.columns
    ]  # fmt: skip
    rows = []
    for label, values in zip(frame.index, frame.itertuples(index=False), strict=True):
        shown = network.label(label) if network is not None else str(label)
        cells = [figure(float(v)) if isinstance(v, (int, float)) else str(v) for v in values]
        rows.append({"label": shown, "cells": cells})
    return {"index": str(frame.index.name or ""), "heads": heads, "rows": rows}


def _classes(solution: Solution) -> pd.DataFrame:
    table = solution.classes
    wanted = ["external_arrival_rate", "throughput", "system_response_time", "delay_time"]
    more = [c for c in ("loss_rate", "abandonment_rate", "growth_rate") if (table[c] != 0).any()]
    view = table[wanted + more].copy()
    view.attrs["units"] = table.attrs["units"]
    return view


def _attribution(finding: Finding) -> dict[str, Any]:
    """Return who holds whose places: rows with delay, columns that cause any."""
    frame = finding.attribution
    rows = frame.index[frame.sum(axis=1) > 1e-3 * max(frame.to_numpy().sum(), 1e-300)]
    columns = frame.columns[frame.sum(axis=0) > 1e-3 * max(frame.to_numpy().sum(), 1e-300)]
    view = frame.loc[rows, columns]
    view.columns = pd.Index([finding.network.label(name) for name in columns])
    table = _table(view, finding.network)
    table["unit"] = str(frame.attrs["units"])
    return table


def _organisations(comparison: Any) -> pd.DataFrame:
    table = comparison.organisations
    view = pd.DataFrame(index=[name or "(no organisation)" for name in table.index])
    view.index.name = "organisation"
    for measure in ("servers", "delay", "growth_rate"):
        if (table[measure] != 0).any().any():
            for side in ("before", "after"):
                view[f"{measure} {side}"] = table[measure, side].to_numpy()
    return view


def _origins(network: Network) -> list[dict[str, Any]]:
    """Return where each figure comes from, gathered by its text."""
    found: dict[str, list[str]] = {}
    graph = network.graph
    for name, data in graph.nodes(data=True):
        for attribute, text in data.get("origin", {}).items():
            found.setdefault(text, []).append(f"{network.label(name)}: {_word(attribute)}")
    for start, end, data in graph.edges(data=True):
        for attribute, text in data.get("origin", {}).items():
            place = f"{network.label(start)} to {network.label(end)}"
            found.setdefault(text, []).append(f"{place}: {_word(attribute)}")
    order = {"assumed": 0, "estimated": 1, "published": 2}
    return [
        {"text": text, "kind": text.split(":")[0].strip().lower(), "where": places}
        for text, places in sorted(
            found.items(), key=lambda item: (order.get(item[0].split(":")[0].lower(), 3), item[0])
        )
    ]


def _word(attribute: str) -> str:
    known = attribute in SERVICE or attribute in ROUTE
    return attribute.replace("_", " ") if known else attribute
