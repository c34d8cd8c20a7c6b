"""A finding in words, built from its numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from flownet.constraint.differences import ADJOINT
from flownet.constraint.second_look import leaders
from flownet.display import figure

if TYPE_CHECKING:
    from flownet.constraint.find import Finding
    from flownet.network.model import ServiceName

SHOWN: Final = 0.05
"""A cause is named from this share of what is seen on."""
MOST_NAMED: Final = 4
WIDEST: Final = 500
"""A matrix of more services does not go into the plain values."""


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
    lost = ", losses at their price" if finding.solution.can_turn_away else ""
    return f"jobs delayed at any time{lost}"


def headline(finding: Finding) -> str:
    """Return the finding in a sentence or two."""
    if finding.constraint is None:
        return _constraint(finding)
    return " ".join(line for line in (_constraint(finding), _where_it_is_seen(finding)) if line)


def _constraint(finding: Finding) -> str:
    """Return where the constraint is, and what capacity there is worth."""
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
    if others and _together(finding):
        all_of_them = float(finding.ranking.loc[list(finding.constraint_set), "elasticity"].sum())
        names = ", ".join(_name(finding, name) for name in finding.constraint_set)
        return (
            f"The constraint is {names} together: 1 % more capacity at all of them raises "
            f"{verb} by {all_of_them:.2g} %, at one of them alone by nothing."
        )
    there = f"at {_name(finding, leader)}" if others else "there"
    return (
        f"{which}: 1 % more capacity {there} {change} {verb} by {row['elasticity']:.2g} %, and one "
        f"more {_server(finding, leader)} by {figure(float(row['relief']))} {_unit(finding)}."
    )


def _together(finding: Finding) -> bool:
    """Tell whether the services of the set bind at once, so that one alone changes nothing."""
    limit = finding.goal == "throughput" and not finding.solution.can_turn_away
    return limit and not (finding.ranking.loc[list(finding.constraint_set), "relief"] > 0).any()


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
        label, gain = _server(finding, most), float(finding.ranking.loc[most, "relief"])
        does = f"make it worse by {figure(-gain)}" if gain < 0 else f"gain {figure(gain)}"
        sentences.append(
            f"Symptoms: {shares(list(finding.symptoms))} of the {what} is seen there but held up "
            f"elsewhere; one more {label} at {_name(finding, most)} would {does}."
        )
    if own:
        sentences.append(f"Seen elsewhere too: {_with_worth(finding, own[:3], total)}.")
    if sentences:
        return " ".join(sentences)
    here = float(seen.reindex(list(finding.constraint_set)).sum())
    if here >= 0.5 * total:
        return f"The {what} is seen where it is caused."
    spread = int((seen > 0).sum())
    return f"The {what} is spread over {spread} services, the most {shares([seen.index[0]])}."


def _with_worth(finding: Finding, names: list[ServiceName], total: float) -> str:
    """Return how much is seen at services, and what more capacity there is worth."""
    rows = finding.ranking.loc[names]
    return ", ".join(
        f"{row['delay_seen'] / total:.0%} at {_name(finding, name)} (1 % more capacity there gains "
        f"{figure(float(row['elasticity']), 2)} %)"
        for name, row in zip(names, rows.to_dict("records"), strict=True)
    )


def summary(finding: Finding) -> str:
    """Return five lines: the constraint, where it is seen, what helps most, standing, a warning."""
    solution = finding.solution
    kind = "exact" if solution.exact else "approximate"
    scale = finding.throughput_limit.scale
    limit = f"demand times {figure(scale)}" if scale < float("inf") else "any demand"
    if solution.measures.number_blocked.any():
        limit += " if nobody blocked"
    standing = f"  method {solution.method} ({kind}); servers are enough for {limit}"
    warnings = solution.warnings
    last = f"  warning: {warnings[0]}" if warnings else "  no warnings"
    standing += _looked(finding)
    if finding.confidence is not None:
        standing += f"; {_sure(finding)}"
    seen = _where_it_is_seen(finding) if finding.constraint is not None else ""
    return "\n".join(
        [
            _constraint(finding),
            f"  {seen or 'No delay is seen anywhere.'}",
            f"  {_best_relief(finding)}",
            standing,
            last,
        ]
    )


def _looked(finding: Finding) -> str:
    """Return what the exact chain said where the method could not tell."""
    look = finding.second_look
    if look is None:
        return ""
    if look.table is None:
        return "; not sure: .simulated() tries the leading services, .other_methods the methods"
    now = leaders(look.table["elasticity"], exact=True)
    if len(now) > 1:
        return "; the exact chain cannot tell them apart either"
    if now and now[0] not in look.before:
        first = _name(finding, look.before[0])
        return f"; told by the exact chain (this method would name {first})"
    return "; told by the exact chain"


def _sure(finding: Finding) -> str:
    """Return how probable the constraint is, and what to measure where that is not enough."""
    sure = finding.confidence
    if sure is None:
        return ""
    names = ", ".join(
        f"{_name(finding, name)} {sure.table.loc[name, 'probability']:.0%}"
        for name in sure.constraint_set
    )
    text = f"probability {names} of {sure.samples} samples"
    if sure.to_measure:
        text += f"; to decide, measure {sure.to_measure[0]}"
    return text


def _best_relief(finding: Finding) -> str:
    """Return where one more server helps most, and one more unit of money."""
    tried = finding.ranking[finding.ranking["relief"].notna()]
    if tried.empty or not tried["relief"].max() > 0:
        return "One more server alone would improve nothing anywhere."
    best = tried["relief"].idxmax()
    text = (
        f"One more {_server(finding, best)} helps most at {_name(finding, best)}: "
        f"{figure(float(tried.loc[best, 'relief']))} {_unit(finding)}"
    )
    priced = tried["relief_per_money"].dropna()
    if not priced.empty and priced.max() > 0:
        text += f"; per {finding.network.currency or 'unit of money'} at "
        text += _name(finding, priced.idxmax())
    return text + "."


def chain(finding: Finding) -> str:
    """Return in words where most is seen, who causes how much of it, and the way there."""
    matrix = finding.attribution
    rest = matrix.attrs["rest"]
    seen = matrix.sum(axis=1) + [rest[name] for name in matrix.index]
    if not float(seen.max()) > 0:
        return "Nothing is held up anywhere."
    worst = seen.idxmax()
    parts = matrix.loc[worst].sort_values(ascending=False)
    each, said = _per_job(finding, worst, float(seen[worst]))
    named = [
        f"{figure(each * float(part))} for lack of {_server(finding, name)}s at "
        + ("the same place" if name == worst else _name(finding, name))
        for name, part in parts.items()
        if part >= SHOWN * float(seen[worst])
    ]
    text = f"At {_name(finding, worst)} {said}"
    text += ": " + ", ".join(named[:MOST_NAMED]) + "." if named else "."
    way = _way(finding, worst)
    if len(way) > 1:
        steps = ", ".join(f"{_name(finding, a)} for {_name(finding, b)}" for a, b in pairwise(way))
        text += f" Who waits for whom: {steps}."
    worse = parts[parts <= -SHOWN * float(seen[worst])]
    if len(worse):
        other = worse.index[-1]
        text += (
            f" More {_server(finding, other)}s at {_name(finding, other)} alone would add to it."
        )
    return text


def _per_job(finding: Finding, service: ServiceName, seen: float) -> tuple[float, str]:
    """Return what a unit of what is seen means to each job, and all of it in words."""
    arrivals = float(finding.solution.services.loc[service, "arrival_rate"])
    time = finding.network.time_unit
    if finding.value.growth > 0 and finding.goal != "throughput":
        return 1.0, f"{figure(seen)} jobs per {time} pile up"
    if finding.goal == "cost":
        money = finding.network.currency or "money"
        return 1.0, f"delay and loss cost {figure(seen)} {money} per {time}"
    if finding.solution.can_turn_away:
        lost = finding.goal == "throughput"
        what = f"jobs per {time} are lost" if lost else "jobs are delayed, with the price of losses"
        return 1.0, f"{figure(seen)} {what}"
    each = 1.0 / arrivals if arrivals > 0 else 0.0
    return each, f"each job is held up {figure(each * seen)} {time}s"


def _way(finding: Finding, service: ServiceName) -> list[ServiceName]:
    """Return whom a service mostly waits for, whom that one waits for, and so on."""
    blocked, way = finding.solution.blocked_by, [service]
    while True:
        ahead = blocked.loc[way[-1]].drop(way)
        if ahead.empty or not float(ahead.max()) > 0:
            return way
        way.append(ahead.idxmax())


def explain(finding: Finding) -> str:
    """Return how the finding was reached and what its figures mean."""
    binding = ", ".join(f"'{finding.network.label(s)}'" for s in finding.throughput_limit.binding)
    lines = [
        headline(finding),
        "How: elasticity is the % of improvement of the goal per % of service rate, "
        f"{_way_of(finding)}; relief is the exact difference with one more server. The constraint "
        "is the largest elasticity; where the delay is seen does not enter.",
        f"Limit: with nobody lost on the way and no blocking, the servers are enough for "
        f"{figure(finding.throughput_limit.scale)} times the present demand"
        + (f"; first to saturate: {binding}." if binding else ".")
        + " Blocking can lower this.",
        "Attribution (.attribution): what is seen at each service, divided among those whose "
        "lack of capacity causes it, while all capacities grow together until nobody waits; "
        "negative where more capacity upstream only moves the queue. Beside it, .flow follows "
        "every held place to the work that holds it: this explains who holds whose places, and "
        "does not find the constraint.",
        *_second(finding),
        finding.solution.explain(),
    ]
    return "\n".join(lines)


def _way_of(finding: Finding) -> str:
    """Return how the elasticities were found."""
    if finding.how == ADJOINT:
        return "for all services from one adjoint solve of the equations"
    return "for each service from two solutions with its rate a little higher and lower"


def _second(finding: Finding) -> list[str]:
    """Return the second look in a sentence, where there was one."""
    look = finding.second_look
    if look is None:
        return []
    text = f"Second look: by method '{finding.solution.method}', {look.why}"
    if look.table is None:
        return [f"{text}; the exact chain cannot be asked ({look.why_not})."]
    return [f"{text}; the constraint, elasticities and relief are those of the exact chain, the "
            "rest is the method's."]  # fmt: skip


def plain_values(finding: Finding) -> dict[str, Any]:
    """Return the finding as plain values for JSON, tables as lists of rows."""
    from flownet.solvers.tables import records

    look = {} if finding.second_look is None else {"second_look": finding.second_look.to_dict()}
    sure = {} if finding.confidence is None else {"confidence": finding.confidence.to_dict()}
    asked = {"attribution": records(finding.attribution)} if finding.attributed else {}
    return {
        "goal": finding.goal,
        "value": records(finding.value.value),
        "growth": records(finding.value.growth),
        "constraint": finding.constraint,
        "constraint_set": list(finding.constraint_set),
        "symptoms": list(finding.symptoms),
        "headline": headline(finding),
        "how": finding.how,
        "ranking": records(finding.ranking),
        **({"flow": records(finding.flow)} if len(finding.ranking) <= WIDEST else {}),
        "throughput_limit": records(finding.throughput_limit.to_dict()),
        "solution": finding.solution.to_dict(),
        **look,
        **sure,
        **asked,
    }
