"""An estimated network in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flownet.display import figure

if TYPE_CHECKING:
    from flownet.readers.estimated_network import EstimatedNetwork


def summary(estimated: EstimatedNetwork) -> str:
    """Return three lines: what it is, what it rests on, its first warning."""
    network, report = estimated.network, estimated.report
    thin = int(estimated.parameters["thin"].sum())
    head = (
        f"EstimatedNetwork '{network.name}' ({network.time_unit}): {len(network.services)} "
        f"services, {network.graph.number_of_edges()} routes, {len(network.classes)} job classes"
    )
    rest = (
        f"  {report.read:,} rows read, {report.used:,} used, {report.refused:,} refused; "
        f"{len(estimated.parameters)} parameters, {thin} of them thin"
    )
    warnings = estimated.warnings
    return "\n".join([head, rest, f"  warning: {warnings[0]}" if warnings else "  no warnings"])


def explain(estimated: EstimatedNetwork) -> str:
    """Return what the network rests on, what was assumed, and what the data cannot tell."""
    unit = estimated.network.time_unit
    lines = [str(estimated.report), "", "Arrivals from outside:"]
    for (service, job_class), row in estimated.arrivals.iterrows():
        lines.append(
            f"  {service}, {job_class}: {figure(row['rate'])} per {unit} (n={int(row['n'])}); "
            f"{row['verdict']}"
        )
    lines.append("Stays:")
    for (service, job_class), row in estimated.stays.iterrows():
        law = f"; best law {row['family']}" if row["family"] else ""
        poor = "" if row["fits"] or not row["family"] else ", which fits poorly: try a mixture"
        lines.append(
            f"  {service}, {job_class}: mean {figure(row['mean'])} {unit}, scv "
            f"{figure(row['scv'])} (n={int(row['n'])}, open {int(row['open'])}){law}{poor}"
        )
    for title, sentences in (
        ("Assumed:", estimated.assumptions), ("To be wary of:", estimated.warnings)
    ):  # fmt: skip
        lines += [title, *(f"  {sentence}" for sentence in sentences or ("nothing",))]
    return "\n".join(lines)
