"""Tables for the terminal: the columns that matter first, figures as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from flownet.display import figure
from flownet.network.attributes import ATTRIBUTES

if TYPE_CHECKING:
    from flownet.allocate.plan import Plan
    from flownet.constraint.find import Finding
    from flownet.solvers.simulation import Simulation
    from flownet.solvers.solution import Solution
    from flownet.study.compare import Comparison

SERVICE_COLUMNS = (
    "servers", "arrival_rate", "load_ratio", "utilization", "occupancy", "number_waiting",
    "number_blocked", "number_outside", "waiting_time", "blocked_time", "loss_rate", "growth_rate",
)  # fmt: skip
ALWAYS = {"servers", "arrival_rate", "load_ratio", "occupancy", "waiting_time"}


def table_text(frame: pd.DataFrame) -> Table:
    """Return a rich table of a DataFrame; units stand under the names of the columns.

    Rows that are merely numbered are shown without their numbers.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    units = frame.attrs.get("units", {})
    numbered = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    for name in () if numbered else frame.index.names:
        table.add_column(Text(str(name or "")), no_wrap=True)
    for column in frame.columns:
        unit = units.get(column, "") if isinstance(units, dict) else ""
        numeric = pd.api.types.is_numeric_dtype(frame[column])
        words = str(column).replace("_", "\n" if numeric else " ")
        head = words + (f"\n{unit}" if unit not in {"", "-"} else "")
        table.add_column(
            Text(head),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=bool(numeric),
        )
    for label, row in zip(frame.index, frame.itertuples(index=False), strict=True):
        labels = () if numbered else label if isinstance(label, tuple) else (label,)
        table.add_row(*(Text(str(part)) for part in labels), *(Text(_cell(value)) for value in row))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return figure(float(value)) if isinstance(value, (int, float)) else str(value)


def service_view(solution: Solution) -> pd.DataFrame:
    """Return the columns of the service table that say something in this solution."""
    table = solution.services
    columns = [c for c in SERVICE_COLUMNS if c in ALWAYS or (table[c] != 0).any()]
    view = table[columns].copy()
    if (table["organisation"] != "").any():
        view.insert(0, "organisation", table["organisation"])
    view.attrs["units"] = table.attrs["units"]
    return view


def simulation_view(simulation: Simulation) -> pd.DataFrame:
    """Return the columns of the service table that say something, each with its half-width."""
    table = simulation.services
    columns = [c for c in SERVICE_COLUMNS if c in ALWAYS or (table[c].fillna(0.0) != 0).any()]
    view = pd.DataFrame(index=table.index)
    for column in columns:
        view[column] = table[column]
        if f"{column}_halfwidth" in table:
            pairs = zip(table[column], table[f"{column}_halfwidth"], strict=True)
            view[column] = [f"{figure(mean)} ±{figure(width, 2)}" for mean, width in pairs]
    view.attrs["units"] = table.attrs["units"]
    return view


def profile_view(simulation: Simulation) -> pd.DataFrame:
    """Return what is found by time of the cycle, without the half-widths."""
    table = simulation.profile
    shown = [c for c in table.columns if not c.endswith("_halfwidth")]
    view = table[[c for c in shown if (table[c].fillna(0.0) != 0).any()]].copy()
    view.attrs["units"] = table.attrs["units"]
    return view


def percentile_view(simulation: Simulation) -> pd.DataFrame:
    """Return the times in the system by class, and the chances to keep the targets."""
    table = simulation.percentiles
    view = table[[c for c in table.columns if not c.endswith("_halfwidth")]].copy()
    for target in simulation.design.targets:
        chances = simulation.targets.xs(target, level="target")["probability"]
        view[f"within {target:g}"] = chances.reindex(view.index)
    view.attrs["units"] = table.attrs["units"]
    return view


def ranking_view(finding: Finding) -> pd.DataFrame:
    """Return the ranking with what marks the constraint and the symptoms."""
    table = finding.ranking.drop(columns=["utilization"])
    if table["relief_per_money"].isna().all():
        table = table.drop(columns=["relief_per_money"])
    if (table["organisation"] == "").all():
        table = table.drop(columns=["organisation"])
    marks = [
        "constraint" if name in finding.constraint_set else
        "symptom" if name in finding.symptoms else ""
        for name in table.index
    ]  # fmt: skip
    table.insert(0, "is", marks)
    return table


def moves_view(plan: Plan) -> pd.DataFrame:
    """Return the moves and purchases of a plan, services by their labels."""
    network, moves = plan.before.network, plan.moves.copy()
    labels = {str(name): network.label(name) for name in network.services}
    for end in ("from", "to"):
        moves[end] = [labels.get(str(name), name) for name in moves[end]]
    return moves


CHANGING = ("servers", "occupancy", "delay", "number_outside", "loss_rate", "growth_rate")


def comparison_view(comparison: Comparison) -> pd.DataFrame:
    """Return what changed of the measures that matter most, service by service."""
    table = comparison.services
    measures = [m for m in CHANGING if (table[m, "change"].fillna(1.0).abs() > 1e-9).any()]
    view = pd.DataFrame(index=table.index)
    for measure in measures or ["delay"]:
        for side in ("before", "after"):
            view[f"{measure} {side}"] = table[measure, side]
    return view


def attribute_view() -> pd.DataFrame:
    """Return the table of attributes, as documents may give them."""
    rows = [
        {
            "of": attribute.owner,
            "attribute": attribute.name,
            "unit": attribute.unit,
            "default": "" if attribute.default is None else str(attribute.default),
            "by class": attribute.by_class,
            "allowed": attribute.allowed,
            "meaning": attribute.meaning,
        }
        for attribute in ATTRIBUTES
    ]
    return pd.DataFrame(rows).set_index(["of", "attribute"])


def attribute_page() -> str:
    """Return the table of attributes as a page of the documentation."""
    lines = [
        "# Attributes",
        "",
        "What a document, a graph or a table may say. This page is printed by",
        "`flownet attributes --markdown`; the table itself is `flownet/network/attributes.py`.",
        "T is the network's time unit. Where *by class* is yes, a table by class may stand in the",
        "place of the value; a class that it leaves out takes the default (on routes: does not go",
        "there).",
    ]
    for owner in ("network", "class", "service", "route"):
        lines += ["", f"## Of a {owner}", ""]
        lines += ["| attribute | unit | default | by class | allowed | meaning |"]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
        lines += [
            f"| `{a.name}` | {a.unit} | {'' if a.default is None else a.default} | "
            f"{'yes' if a.by_class else ''} | {a.allowed} | {a.meaning} |"
            for a in ATTRIBUTES
            if a.owner == owner
        ]
    return "\n".join(lines) + "\n"
