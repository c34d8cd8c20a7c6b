"""The allocation as a program: one function per constraint, every constraint named.

docs/formulation.md lists for each function its equation, its name and what its dual means;
tests/lp_files holds the program that each of them writes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from flownet.allocate.cases import Case
from flownet.allocate.linearise import Curve, Cuts, whole_step_above
from flownet.allocate.problem import Given
from flownet.kernels.compiled import Floats, Integers
from flownet.programs import Program, Row, Variable

_ALMOST_ONE = 1.0 - 1e-6
"""What a move may leave over below one whole server."""


@dataclass(frozen=True)
class Family:
    """Curves of one kind in one case of demand, and the variables that lie above them.

    Attributes
    ----------
    name : str
        'delay' or 'loss'.
    curve : callable
        See `Curve`.
    weight : numpy.ndarray
        (n,) what one unit counts in the goal, at most.
    case : int
        Which case.
    value : dict
        The variable of each service.
    curves : numpy.ndarray
        (n,) the program's curve of each service that has lines, -1 of the others.
    """

    name: str
    curve: Curve
    weight: Floats
    case: int = 0
    value: dict[int, Variable] = field(default_factory=dict)
    curves: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __post_init__(self) -> None:
        """Begin without lines."""
        object.__setattr__(self, "curves", np.full(self.weight.size, -1))


@dataclass
class Model:
    """The program of an allocation, and its variables by service or by exchange."""

    given: Given
    program: Program
    servers: dict[int, Variable] = field(default_factory=dict)
    bought: dict[int, Variable] = field(default_factory=dict)
    released: dict[int, Variable] = field(default_factory=dict)
    moved: list[Variable] = field(default_factory=list)
    unused: dict[int, Variable] = field(default_factory=dict)
    whole: dict[int, Variable] = field(default_factory=dict)
    families: list[Family] = field(default_factory=list)
    flags: dict[str, dict[int, Variable]] = field(default_factory=dict)
    """Yes or no by kind ('changed', 'opened', 'closed', 'trained') and service or exchange."""
    worst: dict[tuple[int, int], Variable] = field(default_factory=dict)
    """The largest delay per size, by case and goal."""
    over: dict[str, Variable] = field(default_factory=dict)
    """What stands for all cases together: 'worst_case', 'tail', and 'excess' by case."""
    scale: Variable | None = None
    growth: dict[int, Variable] = field(default_factory=dict)
    served: dict[int, Variable] = field(default_factory=dict)

    def named(self, kind: str, i: int) -> str:
        """Return the name of the `kind` of row or variable of service `i`."""
        return f"{kind}[{self.given.names[i]}]"

    def in_case(self, kind: str, label: object, case: int) -> str:
        """Return a name in a case of demand; the case is named where there are several."""
        several = len(self.given.cases) > 1
        return f"{kind}[{label}, {self.given.cases[case].name}]" if several else f"{kind}[{label}]"

    @property
    def offset(self) -> Floats:
        """(n,) where the whole steps of each service begin: the fraction of its servers now."""
        servers = np.where(np.isfinite(self.given.servers), self.given.servers, 0.0)
        fraction: Floats = servers - np.floor(servers)
        return fraction

    @property
    def need(self) -> Floats:
        """(n,) servers at which each service is stable; a whole step where these are whole."""
        if not self.given.integer:
            return self.given.need
        return np.where(self.given.need > 0, whole_step_above(self.given.need, self.offset), 0.0)


# ------------------------------------------------------------------------------------- variables


def decision_variables(model: Model) -> None:
    """Add servers within their bounds, purchases where there is a price, and moves."""
    given, program = model.given, model.program
    limited = given.limited
    # whole by its balance row already; said here too, since HiGHS 1.15 has cut off optima
    # where its presolve had to find that out
    whole = given.integer & (model.offset[limited] == 0)
    names = [model.named("servers", i) for i in limited]
    found = program.variables(names, given.low[limited], given.high[limited], integer=whole)
    model.servers.update(zip(limited, found, strict=True))
    for kind, known, price in (
        ("bought", model.bought, given.price),
        ("released", model.released, given.refund),
    ):
        priced = [i for i in limited if not math.isnan(price[i])]
        names = [model.named(kind, i) for i in priced]
        found = program.variables(names, integer=given.integer)
        known.update(zip(priced, found, strict=True))
    labels, seen = [], dict[str, int]()
    table = given.exchanges
    for k in range(len(table)):
        label = f"moved[{table.label(k)}]"
        seen[label] = seen.get(label, 0) + 1
        labels.append(label if seen[label] == 1 else f"{label} {seen[label]}")
    model.moved += program.variables(labels, 0.0, table.limit, integer=given.integer)
    if given.integer:
        parts = table.rate != np.floor(table.rate)
        for i in sorted({int(end) for end in table.end[parts]}):
            model.unused[i] = program.variable(model.named("unused", i), 0.0, _ALMOST_ONE)
            model.whole[i] = program.variable(model.named("whole", i), integer=True)


def curve_variables(model: Model) -> None:
    """Add the variables that lie above the curves of delay and, where there are any, of loss."""
    model.families += families_of(model.given)
    for family in model.families:
        services = wanted(model.given, family)
        names = [model.in_case(family.name, model.given.names[i], family.case) for i in services]
        found = model.program.variables(names)
        family.value.update(zip(services, found, strict=True))


def families_of(given: Given) -> list[Family]:
    """Return the curves of delay and, where there are any, of loss, without variables yet."""
    families = []
    for k, case in enumerate(given.cases):
        if case.curve is not None:
            families.append(Family("delay", case.curve, importance(case), k))
        if case.loss_curve is not None:
            families.append(Family("loss", case.loss_curve, np.ones(len(given.names)), k))
    return families


def wanted(given: Given, family: Family) -> list[int]:
    """Return the services whose curve counts."""
    counts = (family.weight > 0) & (given.cases[family.case].load > 0)
    return [i for i in given.limited if counts[i]]


def importance(case: Case) -> Floats:
    """Return the most that one delayed job at each service counts in any goal of a case."""
    weight: Floats = np.max([each.weight for each in case.objectives], axis=0).astype(np.float64)
    for each in case.objectives:
        for part in each.worst:
            for i in part.members:
                weight[i] = max(weight[i], each.worst_weight / part.size)
    for part in case.protect:
        weight[list(part.members)] = np.maximum(weight[list(part.members)], 1e-3)
    return weight


def scale_variable(model: Model) -> Variable:
    """Add the scale to which demand grows, where it is not there yet."""
    if model.scale is None:
        model.scale = model.program.variable("scale")
    return model.scale


def flow_variables(model: Model) -> None:
    """Add jobs served per T, and the growth of backlogs where they can grow."""
    for i in range(len(model.given.names)):
        model.served[i] = model.program.variable(model.named("served", i))
        if i in model.servers and model.given.need[i] > 0:
            model.growth[i] = model.program.variable(model.named("growth", i))


# ----------------------------------------------------------------------------------- constraints


def balance(model: Model) -> None:
    r"""Count the servers: those at present, plus purchases and moves in, less what goes.

    .. math:: c_i + w_i - b_i + g_i - \sum_{k: e_k = i} r_k x_k + \sum_{k: s_k = i} x_k = c_i^0
    """
    table = model.given.exchanges
    pairs = {i: [(variable, 1.0)] for i, variable in model.servers.items()}
    for i, variable in model.bought.items():
        pairs[i].append((variable, -1.0))
    for i, variable in (*model.released.items(), *model.unused.items()):
        pairs[i].append((variable, 1.0))
    for k, variable in enumerate(model.moved):
        pairs[int(table.start[k])].append((variable, 1.0))
        pairs[int(table.end[k])].append((variable, -float(table.rate[k])))
    model.program.constraints(
        Row(model.named("balance", i), terms, "==", float(model.given.servers[i]))
        for i, terms in pairs.items()
    )


def whole_servers(model: Model) -> None:
    """Count whole servers only where moves bring fractions: c_i = o_i + z_i, z_i whole."""
    offset = model.offset
    for i, whole in model.whole.items():
        terms = [(model.servers[i], 1.0), (whole, -1.0)]
        model.program.constraint(model.named("whole_servers", i), terms, "==", float(offset[i]))


def budget(model: Model) -> None:
    r"""Pay purchases, moves and what is fixed from new money and what is given up.

    .. math::

        \sum_i p_i b_i - \sum_i \rho_i g_i + \sum_k m_k x_k
        + \sum_i F_i o_i + \sum_i G_i q_i + \sum_k t_k v_k \le B
    """
    given = model.given
    terms = [(variable, float(given.price[i])) for i, variable in model.bought.items()]
    terms += [(v, float(m)) for v, m in zip(model.moved, given.exchanges.cost, strict=True)]
    for kind, costs in _fixed(given).items():
        terms += [(flag, float(costs[i])) for i, flag in model.flags.get(kind, {}).items()]
    terms += [(variable, -float(given.refund[i])) for i, variable in model.released.items()]
    if any(price > 0 for _, price in terms):
        model.program.constraint("budget", terms, "<=", given.budget)


def _fixed(given: Given) -> dict[str, Floats]:
    """Return what opening, closing and training cost, by kind of yes or no."""
    return {
        "opened": given.terms.opening,
        "closed": given.terms.closing,
        "trained": given.exchanges.training,
    }


def stability(model: Model, services: list[int]) -> None:
    """Keep the load below the servers, by a margin: c_i >= a_i / (1 - epsilon)."""
    need = model.need
    for i in services:
        if need[i] > 0:
            terms = [(model.servers[i], 1.0)]
            model.program.constraint(model.named("stability", i), terms, ">=", float(need[i]))


def curve_cuts(model: Model, family: Family, cuts: Cuts) -> None:
    """Keep delay above lines that touch its curve: d_i - f'(k) c_i >= f(k) - f'(k) k."""
    known = family.curves
    for i in np.unique(cuts.service[known[cuts.service] < 0]).tolist():
        label = model.in_case(f"{family.name}_cut", model.given.names[i], family.case)
        known[i] = model.program.curve(label, family.value[i], model.servers[i])
    model.program.lines(known[cuts.service], cuts.slope, cuts.intercept)


def one_knot(model: Model, i: int, points: Floats) -> list[Variable]:
    """Take exactly one point of a curve that is not convex and so is tabled: sum y_k = 1."""
    names = [f"knot[{model.given.names[i]}, {point:g}]" for point in points.tolist()]
    knots = model.program.variables(names, 0.0, 1.0, integer=True)
    terms = [(knot, 1.0) for knot in knots]
    model.program.constraint(model.named("one_knot", i), terms, "==", 1.0)
    return knots


def knot_servers(model: Model, i: int, knots: list[Variable], points: Floats) -> None:
    """Let the point taken give the servers: c_i = sum k y_k."""
    terms = [(knot, -point) for knot, point in zip(knots, points.tolist(), strict=True)]
    terms.append((model.servers[i], 1.0))
    model.program.constraint(model.named("knot_servers", i), terms, "==", 0.0)


def knot_values(
    model: Model, family: Family, i: int, knots: list[Variable], values: Floats
) -> None:
    """Let the point taken give the delay (or the loss): d_i >= sum f(k) y_k."""
    terms = [(knot, -value) for knot, value in zip(knots, values.tolist(), strict=True)]
    terms.append((family.value[i], 1.0))
    name = model.in_case(f"knot_{family.name}", model.given.names[i], family.case)
    model.program.constraint(name, terms, ">=", 0.0)


def saturation(model: Model, scale: Variable) -> None:
    """Let demand grow until a service saturates: scale a_i <= c_i."""
    for i, servers in model.servers.items():
        load = float(model.given.load[i])
        if load > 0:
            terms = [(scale, load), (servers, -1.0)]
            model.program.constraint(model.named("saturation", i), terms, "<=", 0.0)


def flow(model: Model) -> None:
    """Serve what comes or add it to the backlog: g_i + x_i - sum share x_j = external rate."""
    flows = model.given.flows
    pairs = {i: [(variable, 1.0)] for i, variable in model.served.items()}
    for i, growth in model.growth.items():
        pairs[i].append((growth, 1.0))
    routes = zip(flows.start.tolist(), flows.end.tolist(), flows.share.tolist(), strict=True)
    for start, end, share in routes:
        pairs[end].append((model.served[start], -share))
    rates = flows.external_arrival_rate.tolist()
    model.program.constraints(
        Row(model.named("flow", i), terms, "==", rates[i]) for i, terms in pairs.items()
    )


def service_limit(model: Model) -> None:
    """Limit what is served by the servers: E[S_i] x_i <= (1 - margin) c_i."""
    given = model.given
    for i in model.growth:
        time, usable = float(given.flows.service_time[i]), 1.0 - given.margin
        terms = [(model.served[i], time), (model.servers[i], -usable)]
        model.program.constraint(model.named("service_limit", i), terms, "<=", 0.0)


def backlog(model: Model, most: float) -> None:
    """Let backlogs grow no faster in total than they must: sum g_i <= G."""
    terms = [(variable, 1.0) for variable in model.growth.values()]
    model.program.constraint("backlog", terms, "<=", most)


# ------------------------------------------------------------------------------------ objectives


def maximize_throughput(model: Model, scale: Variable) -> None:
    """Aim at the largest demand that can be carried: max scale."""
    model.program.maximize([(scale, 1.0)])


def minimize_growth(model: Model) -> None:
    """Aim at least growth of backlogs, where not all can be stable: min sum g_i."""
    model.program.minimize([(variable, 1.0) for variable in model.growth.values()])


def maximize_served(model: Model) -> None:
    """Find what the servers serve once they stand: max sum x_i."""
    model.program.maximize([(variable, 1.0) for variable in model.served.values()])


def minimize_effort(model: Model) -> None:
    """Take of plans that are equally good the cheapest, then that with the fewest changes."""
    given = model.given
    price = {i: float(given.price[i]) for i in model.bought}
    costs = [*price.values(), *given.exchanges.cost.tolist()]
    little = 1e-6 * min((cost for cost in costs if cost > 0), default=1.0)
    terms = [(variable, price[i] + little) for i, variable in model.bought.items()]
    terms += [(variable, little) for variable in model.released.values()]
    terms += [
        (variable, float(cost) + little)
        for variable, cost in zip(model.moved, given.exchanges.cost, strict=True)
    ]
    for kind, fixed in _fixed(given).items():
        terms += [(v, float(fixed[i]) + little) for i, v in model.flags.get(kind, {}).items()]
    model.program.minimize(terms)


CONSTRAINTS: Final = (
    balance,
    whole_servers,
    budget,
    stability,
    curve_cuts,
    one_knot,
    knot_servers,
    knot_values,
    saturation,
    flow,
    service_limit,
    backlog,
)
OBJECTIVES: Final = (
    maximize_throughput,
    minimize_growth,
    maximize_served,
    minimize_effort,
)
VARIABLES: Final = (decision_variables, curve_variables, scale_variable, flow_variables)
