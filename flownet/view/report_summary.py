"""The first page of the report: the case in a few sentences and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flownet.display import figure

if TYPE_CHECKING:
    from flownet.allocate.plan import Plan
    from flownet.constraint.find import Finding
    from flownet.solvers.simulation import Simulation
    from flownet.solvers.solution import Solution


class Tile(NamedTuple):
    """A figure on the first page."""

    name: str
    figure: str
    words: str


def headlines(
    solution: Solution, finding: Finding | None, plan: Plan | None
) -> list[dict[str, Any]]:
    """Return the sentences that the page begins with."""
    lines = [finding.headline] if finding is not None else str(solution).splitlines()
    return [{"text": line.strip(), "plan": False} for line in lines] + (
        [{"text": plan.headline, "plan": True}] if plan is not None else []
    )


def tiles(
    solution: Solution, finding: Finding | None, plan: Plan | None, simulation: Simulation | None
) -> list[Tile]:
    """Return the figures of the first page: how it stands, the cause, the plan, how sure it is."""
    found = [_now(solution)]
    if finding is not None and finding.constraint is not None:
        found.append(_cause(finding))
    if plan is not None and not plan.moves.empty:
        found += _planned(plan)
    kind = "exact" if solution.exact else "approximate"
    found.append(Tile("How computed", kind, f"by method {solution.method.replace('_', ' ')}"))
    if finding is not None and finding.confidence is not None and finding.constraint is not None:
        chance = float(
            finding.confidence.table.loc[list(finding.constraint_set), "probability"].sum()
        )
        words = f"that this is the constraint, over {finding.confidence.samples} sampled networks"
        found.append(Tile("How sure", f"{chance:.0%}", words))
    if simulation is not None:
        delay, width = (float(simulation.system[key]) for key in ("delay", "delay_halfwidth"))
        words = f"± {figure(width, 2)} jobs delayed, at {simulation.design.confidence:.0%}"
        apart = abs(delay - float(solution.system["delay"]))
        if not apart <= width:
            words += "; the figure of today lies outside: a longer run, or a finer method, can tell"
        found.append(Tile("By simulation", figure(delay), words))
    return found


def _now(solution: Solution) -> Tile:
    """Return how the system stands."""
    total, network = solution.system, solution.network
    if solution.overloaded:
        rate = figure(float(total["growth_rate"]))
        return Tile("Today", rate, f"jobs a {network.time_unit} more in the backlog, without end")
    words = "jobs delayed at any time"
    cost = float(total["cost_delay"] + total["cost_loss"])
    if cost > 0 and np.isfinite(cost):
        money = network.currency or "money"
        words += f", which costs {figure(cost)} {money} per {network.time_unit}"
    return Tile("Today", figure(float(total["delay"])), words)


def _cause(finding: Finding) -> Tile:
    """Return the constraint, and how much of the delay is seen at its symptoms."""
    network = finding.network
    names = [network.label(name) for name in finding.constraint_set[:2]]
    more = len(finding.constraint_set) - len(names)
    text = " or ".join(names) + (f" or {more} more" if more else "")
    owners = dict.fromkeys(network.organisation(name) for name in finding.constraint_set)
    owned = ", ".join(owner for owner in owners if owner)
    return Tile("The constraint", text, f"of {owned}" if owned else "limits the whole")


def _planned(plan: Plan) -> list[Tile]:
    """Return what the plan gains and costs, and for how many organisations it is better."""
    network = plan.before.network
    unit, money = network.time_unit, network.currency or "money"
    found = []
    table = plan.organisations
    measure = "growth_rate" if (table["growth_rate"] > 0).any().any() else "delay"
    before, after = (float(table[measure, side].sum()) for side in ("before", "after"))
    what = f"jobs per {unit} of growth" if measure == "growth_rate" else "jobs delayed"
    standing = "with the plan" if plan.borne_out else "with the plan, which is not borne out"
    found.append(Tile("Tomorrow", figure(after), f"{what} {standing}, from {figure(before)}"))
    if plan.spent > 0:
        found.append(Tile("New money", figure(plan.spent), f"{money} per {unit}"))
    change = table[measure, "change"]
    scale = 1e-3 * max(abs(before), 1e-9)
    better, worse = int((change < -scale).sum()), int((change > scale).sum())
    if len(table) > 1:
        words = f"of {len(table)} organisations gain, {worse or 'none'} lose"
        found.append(Tile("Who gains", str(better), words))
    return found
