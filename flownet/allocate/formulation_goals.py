"""Goals and cases of demand in the program: one function per constraint and objective."""

from __future__ import annotations

import math
from typing import Final

from flownet.allocate import formulation as form
from flownet.allocate.formulation import Model
from flownet.programs import Variable

Pairs = list[tuple[Variable, float]]


def goal_variables(model: Model) -> None:
    """Add what the goals up to the present one need: the scale, the worst, the tail."""
    given, wanted = model.given, len(model.given.keeps) + 1
    for k, case in enumerate(given.cases):
        for g, objective in enumerate(case.objectives[:wanted]):
            if objective.worst_weight > 0:
                name = model.in_case("worst", f"goal {g + 1}", k)
                model.worst[k, g] = model.program.variable(name)
            if objective.throughput > 0:
                form.scale_variable(model)
    for g in range(wanted):
        if given.risk.kind in {"minimax", "regret"}:
            model.over[f"worst case {g}"] = model.program.variable(
                f"worst_case[goal {g + 1}]", -math.inf
            )
        elif given.risk.kind == "cvar":
            model.over[f"tail {g}"] = model.program.variable(f"tail[goal {g + 1}]", -math.inf)
            for k in range(len(given.cases)):
                name = model.in_case("excess", f"goal {g + 1}", k)
                model.over[f"excess {g} {k}"] = model.program.variable(name)


def case_value(model: Model, k: int, g: int) -> Pairs:
    """Return the pairs of the value of goal `g` in case `k`."""
    objective = model.given.cases[k].objectives[g]
    pairs: Pairs = []
    for family in model.families:
        if family.case == k:
            weight = objective.weight if family.name == "delay" else None
            pairs += [
                (variable, 1.0 if weight is None else float(weight[i]))
                for i, variable in family.value.items()
            ]
    pairs += [(v, float(objective.capacity[i])) for i, v in model.servers.items()]
    if (k, g) in model.worst:
        pairs.append((model.worst[k, g], objective.worst_weight))
    if objective.throughput > 0 and model.scale is not None:
        pairs.append((model.scale, -objective.throughput))
    return pairs


def goal_pairs(model: Model, g: int) -> Pairs:
    """Return the pairs of the value of goal `g` over all cases."""
    given = model.given
    if given.risk.kind in {"minimax", "regret"}:
        return [(model.over[f"worst case {g}"], 1.0)]
    if given.risk.kind == "cvar":
        share = 1.0 / (1.0 - given.risk.level)
        tail = [
            (model.over[f"excess {g} {k}"], case.share * share)
            for k, case in enumerate(given.cases)
        ]
        return [(model.over[f"tail {g}"], 1.0), *tail]
    return [
        (variable, case.share * value)
        for k, case in enumerate(given.cases)
        for variable, value in case_value(model, k, g)
    ]


# ----------------------------------------------------------------------------------- constraints


def worst_part(model: Model) -> None:
    """Let the worst be as large as each part: sum of d_i over the part <= size t."""
    for (k, g), worst in model.worst.items():
        delay = next(f for f in model.families if f.case == k and f.name == "delay")
        for part in model.given.cases[k].objectives[g].worst:
            pairs = [(delay.value[i], 1.0 / part.size) for i in part.members if i in delay.value]
            if pairs:
                name = model.in_case("worst_part", f"{part.name}, goal {g + 1}", k)
                model.program.constraint(name, [*pairs, (worst, -1.0)], "<=", 0.0)


def worst_case(model: Model) -> None:
    """Let the worst case be as large as each: J_s - J_s* <= t, with J_s* = 0 for minimax."""
    given = model.given
    for g in range(len(given.keeps) + 1):
        if f"worst case {g}" in model.over:
            for k in range(len(given.cases)):
                best = given.risk.best[k] if given.risk.kind == "regret" else 0.0
                pairs = [*case_value(model, k, g), (model.over[f"worst case {g}"], -1.0)]
                name = model.in_case("worst_case", f"goal {g + 1}", k)
                model.program.constraint(name, pairs, "<=", best)


def tail_excess(model: Model) -> None:
    """Count by how much each case exceeds the tail's start: J_s - eta - u_s <= 0."""
    for g in range(len(model.given.keeps) + 1):
        if f"tail {g}" in model.over:
            for k in range(len(model.given.cases)):
                pairs = case_value(model, k, g)
                pairs += [(model.over[f"tail {g}"], -1.0), (model.over[f"excess {g} {k}"], -1.0)]
                name = model.in_case("tail_excess", f"goal {g + 1}", k)
                model.program.constraint(name, pairs, "<=", 0.0)


def keep_goals(model: Model) -> None:
    """Keep what the goals before this one have reached: J_g <= V_g."""
    for g, most in enumerate(model.given.keeps):
        model.program.constraint(f"keep_goal[{g + 1}]", goal_pairs(model, g), "<=", most)


def protect_organisations(model: Model) -> None:
    """Let no organisation see more delay than it may: sum of d_i over its services <= D."""
    for family in model.families:
        if family.name == "delay":
            for part in model.given.cases[family.case].protect:
                terms = [(family.value[i], 1.0) for i in part.members if i in family.value]
                if terms:
                    name = model.in_case("protect", part.name, family.case)
                    model.program.constraint(name, terms, "<=", part.size)


# ------------------------------------------------------------------------------------ objectives


def minimize_goal(model: Model) -> None:
    """Aim at the least value of the present goal: delay, cost, sums of them, the worst part."""
    model.program.minimize(goal_pairs(model, len(model.given.keeps)))


CONSTRAINTS: Final = (worst_part, worst_case, tail_excess, keep_goals, protect_organisations)
OBJECTIVES: Final = (minimize_goal,)
VARIABLES: Final = (goal_variables,)
