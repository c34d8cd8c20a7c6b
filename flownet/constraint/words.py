"""A finding in words, built from its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flownet.display import figure

if TYPE_CHECKING:
    from flownet.constraint.find import Finding
    from flownet.network.model import ServiceName


def _name(finding: Finding, service: ServiceName) -> str:
    network = finding.network
    owner = network.organisation(service)
    return f"'{network.label(service)}'" + (f" ({owner})" if owner else "")


def _server(finding: Finding, service: ServiceName) -> str:
    return str(finding.network.graph.nodes[service].get("server_label", "server"))


def _unit(finding: Finding) -> str:
    """Return the unit of the goal's gain."""
    time = finding.network.time_unit
    if finding.goal == "throughput":
        return f"jobs per {time}"
    if finding.value.growth > 0:
        return f"jobs per {time} of backlog growth"
    if finding.goal == "cost":
        return f"{finding.network.currency or 'money'} per {time}"
    return "jobs delayed at any time"


def headline(finding: Finding) -> str:
    """Return the finding in a sentence or two."""
    if finding.constraint is None:
        return f"No service limits the goal '{finding.goal}': more capacity would improve nothing."
    leader = finding.constraint
    row = finding.ranking.loc[leader]
    verb = {"delay": "delay", "cost": "cost", "throughput": "throughput"}[finding.goal]
    if finding.value.growth > 0 and finding.goal != "throughput":
        verb = "the growth of the backlog"
    change = "raises" if finding.goal == "throughput" else "lowers"
    others = finding.constraint_set[1:]
    which = (
        f"The constraint is {_name(finding, leader)}"
        if not others
        else "The constraint is one of "
        + ", ".join(_name(finding, name) for name in finding.constraint_set)
        + ", which cannot be told apart"
    )
    lines = [
        f"{which}: 1 % more capacity there {change} {verb} by {row['elasticity']:.2g} %, and one "
        f"more {_server(finding, leader)} by {figure(float(row['relief']))} {_unit(finding)}."
    ]
    lines.append(_where_it_is_seen(finding))
    return " ".join(line for line in lines if line)


def _where_it_is_seen(finding: Finding) -> str:
    """Return where the delay is seen, and whether that is where it is caused."""
    seen = finding.ranking["delay_seen"].sort_values(ascending=False)
    total = float(seen.sum())
    if not total > 0:
        return ""
    what = "backlog growth" if finding.value.growth > 0 else "delay"

    def shares(names: list[ServiceName]) -> str:
        return ", ".join(
            f"{seen[name] / total:.0%} at {_name(finding, name)}" for name in names[:3]
        )

    own = [
        name
        for name in seen.index
        if name not in finding.constraint_set
        and name not in finding.symptoms
        and seen[name] > 0.05 * total
    ]
    sentences = []
    if finding.symptoms:
        most = finding.symptoms[0]
        label = _server(finding, most)
        sentences.append(
            f"Symptoms: {shares(list(finding.symptoms))} of the {what} is seen there but held up "
            f"elsewhere; one more {label} at {_name(finding, most)} would gain "
            f"{figure(float(finding.ranking.loc[most, 'relief']))}."
        )
    if own:
        sentences.append(f"Other services have {what} of their own: {shares(own)}.")
    return " ".join(sentences) or f"The {what} is seen where it is caused."


def summary(finding: Finding) -> str:
    """Return three lines: headline, standing, one warning."""
    solution = finding.solution
    kind = "exact" if solution.exact else "approximate"
    scale = finding.throughput_limit.scale
    limit = f"demand times {figure(scale)}" if scale < float("inf") else "any demand"
    standing = f"  method {solution.method} ({kind}); servers are enough for {limit}"
    warnings = solution.warnings
    last = f"  warning: {warnings[0]}" if warnings else "  no warnings"
    return "\n".join([headline(finding), standing, last])


def explain(finding: Finding) -> str:
    """Return how the finding was reached and what its figures mean."""
    binding = ", ".join(f"'{finding.network.label(s)}'" for s in finding.throughput_limit.binding)
    lines = [
        headline(finding),
        "How: the network was solved again with the service rate of each service a little higher "
        "and lower (elasticity: % of improvement of the goal per % of capacity), and with one more "
        "server there (relief). The constraint is the largest elasticity; where the delay is seen "
        "does not enter.",
        f"Limit: with nobody lost on the way and no blocking, the servers are enough for "
        f"{figure(finding.throughput_limit.scale)} times the present demand"
        + (f"; first to saturate: {binding}." if binding else ".")
        + " Blocking can lower this.",
        "Attribution: every place held at a service is followed to the work that holds it, there "
        "or further on; this explains who holds whose places, and does not rank relief.",
        finding.solution.explain(),
    ]
    return "\n".join(lines)


def plain_values(finding: Finding) -> dict[str, Any]:
    """Return the finding as plain values for JSON, tables as lists of rows."""
    from flownet.solvers.tables import records

    return {
        "goal": finding.goal,
        "value": records(finding.value.value),
        "growth": records(finding.value.growth),
        "constraint": finding.constraint,
        "constraint_set": list(finding.constraint_set),
        "symptoms": list(finding.symptoms),
        "headline": headline(finding),
        "ranking": records(finding.ranking),
        "attribution": records(finding.attribution),
        "throughput_limit": records(finding.throughput_limit.to_dict()),
        "solution": finding.solution.to_dict(),
    }
