"""Terms of an allocation in the program: one function per constraint, every constraint named."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from flownet.allocate.formulation import Model
from flownet.allocate.terms import Sum
from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import Floats
from flownet.programs import Sense, Variable

# ------------------------------------------------------------------------------------- variables


def term_variables(model: Model) -> None:
    """Add yes or no for what is changed, opened, closed or trained for, and whole shifts."""
    given, program = model.given, model.program
    terms = given.terms
    touched = [i for i in given.limited if _touchable(model, i)]
    wanted = {
        "changed": touched if terms.max_changed is not None else [],
        "opened": [i for i in touched if terms.opening[i] > 0],
        "closed": [i for i in touched if terms.closing[i] > 0],
    }
    for kind, services in wanted.items():
        if services:
            names = [model.named(kind, i) for i in services]
            flags = program.variables(names, 0.0, 1.0, integer=True)
            model.flags[kind] = dict(zip(services, flags, strict=True))
    trained = np.flatnonzero(given.exchanges.training > 0).tolist()
    if trained:
        names = [f"trained[{given.exchanges.label(k)}, {k + 1}]" for k in trained]
        flags = program.variables(names, 0.0, 1.0, integer=True)
        model.flags["trained"] = dict(zip(trained, flags, strict=True))
    shifted = [i for i in touched if terms.shift[i] != 1]
    if shifted:
        steps = {
            i: program.variable(model.named("shifts", i), -math.inf, integer=True) for i in shifted
        }
        model.flags["shifts"] = steps


def _touchable(model: Model, i: int) -> bool:
    table = model.given.exchanges
    return (
        i in model.bought
        or i in model.released
        or bool((table.start == i).any() or (table.end == i).any())
    )


# ----------------------------------------------------------------------------------- constraints


def resource_limits(model: Model) -> None:
    """Keep to each budget of staff, space or anything else: sum u_i c_i <= L."""
    for each in model.given.terms.resources:
        _limit(model, f"resource[{each.name}]", each, "<=", each.high)


def group_minimum(model: Model) -> None:
    """Keep enough servers in a group of services: sum c_i >= L."""
    for each in model.given.terms.groups:
        if each.low > 0:
            _limit(model, f"group_min[{each.name}]", each, ">=", each.low)


def group_maximum(model: Model) -> None:
    """Keep a group of services small enough: sum c_i <= L."""
    for each in model.given.terms.groups:
        if math.isfinite(each.high):
            _limit(model, f"group_max[{each.name}]", each, "<=", each.high)


def _limit(model: Model, name: str, each: Sum, sense: Sense, side: float) -> None:
    pairs = [(v, float(each.use[i])) for i, v in model.servers.items() if each.use[i] > 0]
    if not pairs and math.isfinite(side):
        message = "uses no service with finitely many servers"
        raise ParameterError([Fault(name, "", "", message)])
    if math.isfinite(side):
        model.program.constraint(name, pairs, sense, side)


def changed_up(model: Model, most: Floats) -> None:
    """Tell where servers are added: c_i - M_i y_i <= c_i^0."""
    _flag_up(model, "changed", "changed_up", most)


def changed_down(model: Model) -> None:
    """Tell where servers are taken away: c_i + (c_i^0 - low_i) y_i >= c_i^0."""
    _flag_down(model, "changed", "changed_down")


def most_changed(model: Model) -> None:
    """Change few services only: sum y_i <= k."""
    flags = model.flags.get("changed", {})
    most = model.given.terms.max_changed
    if flags and most is not None:
        pairs = [(flag, 1.0) for flag in flags.values()]
        model.program.constraint("most_changed", pairs, "<=", float(most))


def opening(model: Model, most: Floats) -> None:
    """Pay for opening where servers are added: c_i - M_i o_i <= c_i^0."""
    _flag_up(model, "opened", "opening", most)


def closing(model: Model) -> None:
    """Pay for closing where servers are taken away: c_i + (c_i^0 - low_i) q_i >= c_i^0."""
    _flag_down(model, "closed", "closing")


def _flag_up(model: Model, kind: str, name: str, most: Floats) -> None:
    for i, flag in model.flags.get(kind, {}).items():
        now = float(model.given.servers[i])
        top = min(float(most[i]), float(model.given.high[i]))
        pairs = [(model.servers[i], 1.0), (flag, -max(top - now, 0.0))]
        model.program.constraint(model.named(name, i), pairs, "<=", now)


def _flag_down(model: Model, kind: str, name: str) -> None:
    for i, flag in model.flags.get(kind, {}).items():
        now, low = float(model.given.servers[i]), float(model.given.low[i])
        pairs = [(model.servers[i], 1.0), (flag, max(now - low, 0.0))]
        model.program.constraint(model.named(name, i), pairs, ">=", now)


def training(model: Model, most: Floats) -> None:
    """Pay for training where an exchange is used: x_k <= U_k v_k."""
    table = model.given.exchanges
    for k, flag in model.flags.get("trained", {}).items():
        limit = min(float(table.limit[k]), float(most[table.start[k]]))
        name = f"training[{table.label(k)}, {k + 1}]"
        model.program.constraint(name, [(model.moved[k], 1.0), (flag, -limit)], "<=", 0.0)


def whole_shifts(model: Model) -> None:
    """Change servers by whole shifts: c_i - s_i z_i = c_i^0, z_i whole."""
    for i, steps in model.flags.get("shifts", {}).items():
        pairs = [(model.servers[i], 1.0), (steps, -float(model.given.terms.shift[i]))]
        side = float(model.given.servers[i])
        model.program.constraint(model.named("whole_shifts", i), pairs, "==", side)


def targets(model: Model) -> None:
    """Have the servers that a target asks for: c_i >= L."""
    for name, i, servers in model.given.least:
        pairs: list[tuple[Variable, float]] = [(model.servers[i], 1.0)]
        model.program.constraint(f"target[{name}]", pairs, ">=", servers)


CONSTRAINTS: Final = (
    resource_limits,
    group_minimum,
    group_maximum,
    changed_up,
    changed_down,
    most_changed,
    opening,
    closing,
    training,
    whole_shifts,
    targets,
)
VARIABLES: Final = (term_variables,)
