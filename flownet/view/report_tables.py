"""Tables and lists of the page, from results to texts."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import flownet
from flownet.display import figure
from flownet.errors import ParameterError, UnconvergedError
from flownet.network.attributes import ROUTE, SERVICE
from flownet.view.causes import largest_parts, parts_of

if TYPE_CHECKING:
    from flownet.allocate.plan import Plan
    from flownet.constraint.find import Finding
    from flownet.network.model import Network
    from flownet.readers.estimated_network import EstimatedNetwork
    from flownet.solvers.simulation import Simulation
    from flownet.solvers.solution import Solution

ROWS = 300
"""Rows of a table that are shown."""
FEW = 60
"""Services up to which delay is divided among each of them."""
PLACES = 8
"""Places that are named where a figure of one origin is used."""
NOISE = 1e-9
"""A rate below this share of the arrivals is rounding."""
LONG = 24
"""Characters from which on a column of texts is kept wide enough to read."""
PACKAGES = ("numpy", "scipy", "numba", "pandas", "networkx", "highspy", "plotly")


def cells(frame: pd.DataFrame, network: Network | None) -> dict[str, Any]:
    """Return heads and rows of texts; the first cells are labels.

    Columns of texts that are figures stand in ``frame.attrs["figures"]``.
    """
    figures = frame.attrs.get("figures", [])
    shown = frame.iloc[:ROWS]
    units = frame.attrs.get("units", {})
    units = units if isinstance(units, dict) else {}
    heads = [
        {"name": str(column).replace("_", " "), "unit": units.get(column, "").strip("-"),
         "number": column in figures or pd.api.types.is_numeric_dtype(frame[column]),
         "long": bool(shown[column].astype(str).str.len().max() > LONG)}
        for column in frame.columns
    ]  # fmt: skip
    rows = []
    for label, values in zip(shown.index, shown.itertuples(index=False), strict=True):
        name = network.label(label) if network is not None else str(label)
        rows.append({"label": name, "cells": [_cell(value) for value in values]})
    left = len(frame) - len(shown)
    named = not pd.api.types.is_numeric_dtype(frame.index)
    index = str(frame.index.name or "")
    return {"index": index, "heads": heads, "rows": rows, "left": left, "named": named}


def _cell(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return figure(float(value)) if isinstance(value, (int, float, np.number)) else str(value)


def classes_of(solution: Solution) -> pd.DataFrame:
    """Return the columns of the classes that say something."""
    table = solution.classes
    wanted = ["external_arrival_rate", "throughput", "system_response_time", "delay_time"]
    least = NOISE * table["external_arrival_rate"].sum()
    more = [c for c in ("loss_rate", "abandonment_rate", "growth_rate") if (table[c] > least).any()]
    view = table[wanted + more].copy()
    view.attrs["units"] = table.attrs["units"]
    return view


def blame_of(finding: Finding) -> tuple[str, dict[str, Any] | None, str]:
    """Return how the delay is divided for the page, as a table, and its caption.

    By service where these are few, else by organisation; where there is no attribution, by who
    holds whose places; no table where there is no delay.
    """
    network = finding.network
    owners = {network.organisation(name) for name in network.services}
    few = len(network.services) <= FEW
    wanted = ["service"] if few else ["organisation"] if len(owners) > 1 else []
    for by in (*wanted, "flow"):
        try:
            parts = parts_of(finding, by)
            view = largest_parts(finding, parts, 14)
        except (ParameterError, UnconvergedError):
            continue  # the next way to divide it; without any, the page has no such table
        seen, cause = parts.index.name or "seen at", parts.columns.name or "caused by"
        view.index.name = seen
        table = cells(view, None)
        for head in table["heads"]:
            head["number"] = True
        return by, table, f"Delay {seen} (rows), {cause} (columns), {parts.attrs['units']}"
    return "flow", None, ""


def organisations_of(plan: Plan) -> pd.DataFrame:
    """Return servers, delay and money of each organisation, and in words who gains and loses."""
    table = plan.organisations
    network = plan.before.network
    unit, money = network.time_unit, network.currency or "money"
    view = pd.DataFrame(index=[name or "(no organisation)" for name in table.index])
    view.index.name = "organisation"
    units = {"servers": "server", "delay": "job", "growth_rate": f"job/{unit}"}
    for measure in ("servers", "delay", "growth_rate"):
        if (table[measure] != 0).any().any():
            for side in ("before", "after"):
                view[f"{measure} {side}"] = table[measure, side].to_numpy()
    words = []
    for row in table.to_dict("records"):
        said = []
        for measure, thing in (("delay", "jobs delayed"), ("growth_rate", "jobs of backlog")):
            before, change = row[measure, "before"], row[measure, "change"]
            per = f" per {unit}" if measure == "growth_rate" else ""
            if abs(change) > 1e-3 * max(abs(before), 1e-3):
                word, less = ("gains", "fewer") if change < 0 else ("loses", "more")
                said.append(f"{word}: {figure(abs(change))} {thing}{per} {less}")
        paid = row["cost_capacity", "change"]
        if abs(paid) > 1e-9:
            word = "more" if paid > 0 else "less"
            said.append(f"its capacity costs {figure(abs(paid))} {money} per {unit} {word}")
        words.append("; ".join(said) or "no change")
    view["what it means"] = words
    view.attrs["units"] = {
        f"{measure} {side}": text for measure, text in units.items() for side in ("before", "after")
    }
    return view


def data_quality(data: EstimatedNetwork) -> dict[str, Any]:
    """Return what became of a log's rows, what rests on little, and what cannot be told."""
    report = data.report
    rows = report.rows[report.rows["rows"] > 0]
    thin = data.parameters
    if "thin" in thin:
        wanted = [
            c for c in ("owner", "attribute", "class", "value", "low", "high", "n") if c in thin
        ]
        thin = thin.loc[thin["thin"].astype(bool), wanted]
        thin = thin.set_index("owner") if "owner" in thin else thin
    return {
        "said": f"{report.read:,} rows of the log were read, {report.used:,} used and "
        f"{report.refused:,} refused.",
        "rows": cells(rows, None),
        "thin": cells(thin, None),
        "notes": [*report.notes, *data.warnings],
    }


def origins_of(network: Network) -> list[dict[str, str]]:
    """Return where each figure comes from, gathered by its text; what is assumed first."""
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
    rows = []
    for text, places in sorted(
        found.items(), key=lambda item: (order.get(item[0].split(":")[0].lower(), 3), item[0])
    ):
        more = f"; and {len(places) - PLACES} more" if len(places) > PLACES else ""
        kind, _, rest = text.partition(":")
        known = kind.strip().lower() in order
        rows.append({
            "kind": kind.strip().lower() if known else "said",
            "text": rest if known and rest else text,
            "where": "; ".join(places[:PLACES]) + more,
        })  # fmt: skip
    return rows[:ROWS]


def _word(attribute: str) -> str:
    known = attribute in SERVICE or attribute in ROUTE
    return attribute.replace("_", " ") if known else attribute


def not_modelled(solution: Solution, simulation: Simulation | None) -> list[str]:
    """Return what these figures leave out."""
    time = "Time of day and day of week: rates, staff and opening hours are taken as constant means"
    if solution.compilation.calendars is not None:
        time = "Time of day and day of week: the calendars enter as their means"
        if simulation is not None:
            time += "; only the simulation follows them"
    return [
        time + ".",
        "Change over time: figures are long-run averages, not forecasts of a given week.",
        *([] if solution.exact else ["Laws of stays beyond their mean and spread."]),
        "People's reactions: staff who work faster under pressure, patients who choose elsewhere.",
    ]


def versions_of(
    solution: Solution, finding: Finding | None, simulation: Simulation | None
) -> list[str]:
    """Return what else has to be the same for the same figures."""
    lines = [
        f"flownet {flownet.__version__}, Python {platform.python_version()}",
        ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        f"Method {solution.method}: {solution.choice}" if solution.choice else
        f"Method {solution.method}",
    ]  # fmt: skip
    if solution.options:
        given = ", ".join(f"{name} = {value!r}" for name, value in solution.options.items())
        lines.append(f"Options: {given}")
    sampled = None if finding is None else finding.confidence
    if sampled is not None:
        lines.append(
            f"How sure the constraint is: {sampled.samples} sampled networks; the seed is the one "
            "given to find_constraint, 0 by default"
        )
    if simulation is None and sampled is None:
        lines.append("No random numbers: the same description gives the same figures.")
    if simulation is not None:
        design = simulation.design
        lines.append(
            f"Simulation: seed {design.seed}, {design.replications} replications of "
            f"{design.horizon:g} {solution.network.time_unit}s, of which {design.warmup:g} to warm "
            f"up ({design.warmup_rule})"
        )
    return lines
