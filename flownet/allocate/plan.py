"""`reallocate`: where servers should be bought or moved, promised and then verified in full."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd

from flownet.allocate import words
from flownet.allocate.curves import is_separable
from flownet.allocate.exchanges import Exchanges, check_exchanges
from flownet.allocate.propose import Progress, Proposal, propose_on_model, propose_separable
from flownet.allocate.search import Rules
from flownet.display import html_of_text
from flownet.errors import Fault, ParameterError, UnconvergedError
from flownet.kernels.compiled import Floats
from flownet.network.model import Network, ServiceName
from flownet.solvers.goals import GoalValue, check_goal, goal_value
from flownet.solvers.solution import Solution
from flownet.solvers.solve import solve

WORSE = 1e-3
"""A service counts as made worse from this relative rise of its delay on."""


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What to buy and to move, what the program promises, and what the full model says.

    Attributes
    ----------
    before, after : Solution
        The network as it is, and with the plan carried out.
    goal : str
        What was to be improved.
    value_before, value_after : GoalValue
        The goal by the full model.
    moves : pandas.DataFrame
        One row a purchase or move: action, from, to, units given up, units gained, cost per T.
    gain_promised : float
        Gain by the program's own curves; in the goal's unit, or in jobs per T of backlog growth
        where a backlog grows at present.
    gain_verified : float
        Gain by the full model, solved again; the one to believe.
    gap : float
        Relative distance between the plan's value by the curves and the best that any plan could
        have by them; nan where there is no bound (blocking).
    shadow_prices : pandas.DataFrame
        Gain per unit of each limit that binds (budget, bounds, limits of exchanges), locally.
    made_worse : pandas.DataFrame
        Services that see more delay than before.
    spent : float
        New money per T.
    servers : dict
        Servers after the plan, by service, where they change.
    """

    before: Solution = dataclasses.field(repr=False)
    after: Solution = dataclasses.field(repr=False)
    goal: str
    budget: float
    value_before: GoalValue
    value_after: GoalValue
    moves: pd.DataFrame = dataclasses.field(repr=False)
    gain_promised: float
    gap: float
    shadow_prices: pd.DataFrame = dataclasses.field(repr=False)
    made_worse: pd.DataFrame = dataclasses.field(repr=False)
    spent: float
    servers: dict[ServiceName, float]
    how: str

    @property
    def gain_verified(self) -> float:
        """Gain by the full model, solved again."""
        return self.value_after.gain_over(self.value_before)

    @property
    def borne_out(self) -> bool:
        """Whether the full model shows a gain, and at least half of what was promised."""
        return self.gain_verified > 0 and self.gain_verified >= 0.5 * self.gain_promised

    @property
    def headline(self) -> str:
        """The plan in a sentence or two."""
        return words.headline(self)

    def apply(self, network: Network) -> Network:
        """Return `network` with the plan carried out; places grow and shrink with the servers.

        Raises
        ------
        UnknownNameError
            Where a service of the plan is not in the network.
        NetworkError
            Where the changed network is at fault.
        """
        return carried_out(network, self.servers)

    def explain(self) -> str:
        """Return how the plan was found and what its figures mean."""
        return words.explain(self)

    def __repr__(self) -> str:
        """Return three lines: headline, standing, one warning."""
        return words.summary(self)

    def _repr_html_(self) -> str:
        return html_of_text(repr(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values for JSON."""
        return words.plain_values(self)


def reallocate(
    network: Network,
    goal: str = "delay",
    budget: float = 0.0,
    exchanges: Any = None,
    integer: bool = True,  # noqa: FBT001, FBT002  # the promised signature
    *,
    method: str = "auto",
    progress: Progress | None = None,
) -> Plan:
    """Return where servers should be bought or moved.

    Parameters
    ----------
    network : Network
        The system as it is; it is not changed.
    goal : {'delay', 'cost', 'throughput'}
        What is to be improved, see `flownet.solvers.goals.goal_value`. Where a backlog grows, its
        growth comes first.
    budget : float
        New money per T, at least 0; spent on servers at each service's ``cost_per_server`` (where
        none is given, none can be bought) and on the cost of moves.
    exchanges : table, optional
        What may move: rows with ``from``, ``to``, ``rate`` (servers gained per server given up,
        default 1), ``cost`` (money per T and server given up, default 0), ``limit`` (most that may
        be given up). Nothing is moved or released that they do not permit.
    integer : bool
        Whole servers, or parts of them too (not where services block each other).
    method : str
        As for `solve`; the same method verifies.
    progress : callable, optional
        Called with (done, total) while the full model is searched.

    Returns
    -------
    Plan
        With promised and verified gain side by side.

    Raises
    ------
    ParameterError
        For an impossible budget or exchange, or a goal without the prices it needs.
    ProgramError
        Where no allocation keeps to the bounds; the constraints in conflict are named.
    UnconvergedError
        Where the network, before or after, could not be solved.

    Notes
    -----
    Where delay at a service depends on its own servers only (no blocking, loss or giving up), the
    program is exact for the curves, whose flows and variability are those of the present network.
    Elsewhere the curves are taken from the full model around a plan, the program proposes the next
    one, and steps of one server on the full model end the search: a local optimum, without bound.
    """
    check_goal(goal)
    before = _solved(network, method)
    value = goal_value(before, goal)
    rules = _rules(before, budget, check_exchanges(exchanges, network.services))
    proposal = _propose(before, goal, value, rules, integer=integer, progress=progress)
    servers = _changes(before, proposal.servers)
    changed = carried_out(network, servers) if servers else network
    # a product form needs whole servers; its waits and the decomposition's are the same
    whole = all(float(count).is_integer() for count in servers.values())
    method = before.method if whole or before.method != "product_form" else "decomposition"
    after = _solved(changed, method) if servers else before
    return Plan(
        before=before,
        after=after,
        goal=goal,
        budget=float(budget),
        value_before=value,
        value_after=goal_value(after, goal),
        moves=_moves(before, rules, proposal),
        gain_promised=proposal.gain,
        gap=proposal.gap,
        shadow_prices=_shadow_prices(proposal),
        made_worse=_made_worse(before, after),
        spent=rules.spent(proposal.bought, proposal.moved),
        servers=servers,
        how=proposal.how,
    )


def _solved(network: Network, method: str) -> Solution:
    solution = solve(network, method)
    if not solution.converged:
        message = f"the network could not be solved by '{solution.method}': no plan can be given"
        raise UnconvergedError(message)
    return solution


def _rules(solution: Solution, budget: float, exchanges: Exchanges) -> Rules:
    """Return what the allocation may do, after a look at the budget."""
    amount: Any = budget
    numeric = isinstance(amount, (int, float)) and not isinstance(amount, bool)
    if not numeric or not 0 <= amount < math.inf:
        message = "must be a finite amount of money per time unit, at least 0"
        raise ParameterError([Fault("reallocate", "budget", repr(budget), message)])
    nodes = [data for _, data in solution.network.graph.nodes(data=True)]
    servers = solution.compilation.arrays.servers
    low = np.array([float(data.get("min_servers", 0.0)) for data in nodes])
    high = np.array([float(data.get("max_servers", math.inf)) for data in nodes])
    price = solution.compilation.cost_per_server
    buyable = (price > 0) & np.isfinite(servers)
    return Rules(
        servers=servers,
        low=np.minimum(low, servers),
        high=np.maximum(high, servers),
        price=np.where(buyable, price, np.nan),
        exchanges=exchanges,
        budget=float(budget),
    )


def _propose(
    solution: Solution,
    goal: str,
    value: GoalValue,
    rules: Rules,
    *,
    integer: bool,
    progress: Progress | None,
) -> Proposal:
    cheapest = np.nanmin(np.append(rules.price, math.inf))
    affordable = rules.budget > 0 and (not integer or cheapest <= rules.budget * (1 + 1e-9))
    if not affordable and not len(rules.exchanges):
        zeros = np.zeros(rules.servers.size)
        how = "nothing may be bought with this budget, and nothing may be moved"
        return Proposal(rules.servers, zeros, np.zeros(0), 0.0, 0.0, {}, how)
    if is_separable(solution):
        return propose_separable(solution, goal, value, rules, integer=integer)
    if not integer:
        message = (
            "must be true here: where places are limited, patience is, or service is shared or "
            "ranked, the model has whole servers only"
        )
        raise ParameterError([Fault("reallocate", "integer", "False", message)])
    return propose_on_model(solution, goal, value, rules, progress)


def _changes(solution: Solution, servers: Floats) -> dict[ServiceName, float]:
    """Return the servers that differ, by service, whole ones as whole numbers."""
    now = solution.compilation.arrays.servers
    changed = {}
    for name, old, new in zip(solution.compilation.services, now, servers, strict=True):
        if math.isfinite(old) and abs(new - old) > 1e-7 * max(1.0, abs(old)):
            near = round(float(new))
            changed[name] = near if abs(new - near) < 1e-9 else float(new)
    return changed


def carried_out(network: Network, servers: dict[ServiceName, float]) -> Network:
    """Return a network with other servers; a capacity that is given keeps its waiting room."""
    changes: dict[ServiceName, dict[str, Any]] = {}
    for name, count in servers.items():
        data = network.graph.nodes[name] if name in network.graph else {}
        changes[name] = {"servers": count}
        if "capacity" in data and math.isfinite(data["capacity"]):
            changes[name]["capacity"] = data["capacity"] + count - data.get("servers", 1.0)
    return network.replace(services=changes)


def _moves(solution: Solution, rules: Rules, proposal: Proposal) -> pd.DataFrame:
    """Return one row a purchase or move."""
    names, table = solution.compilation.services, rules.exchanges
    rows: list[dict[str, Any]] = [
        {"action": "buy", "from": "", "to": str(names[i]), "units": 0.0, "gained": float(n),
         "cost": float(n * rules.price[i])}
        for i, n in enumerate(proposal.bought)
        if n > 1e-9
    ]  # fmt: skip
    rows += [
        {"action": "move", "from": str(names[table.start[k]]), "to": str(names[table.end[k]]),
         "units": float(n), "gained": float(n * table.rate[k]), "cost": float(n * table.cost[k])}
        for k, n in enumerate(proposal.moved)
        if n > 1e-9
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["action", "from", "to", "units", "gained", "cost"])
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="step")
    money = solution.network.currency or "money"
    unit = f"{money}/{solution.network.time_unit}"
    frame.attrs["units"] = {"units": "server", "gained": "server", "cost": unit}
    return frame


def _shadow_prices(proposal: Proposal) -> pd.DataFrame:
    """Return the gain per unit of each limit that binds."""
    wanted = ("budget", "min_servers", "max_servers", "exchange_limit")
    rows = {
        name: -dual if proposal.minimizes else dual
        for name, dual in proposal.duals.items()
        if name.split("[")[0] in wanted and abs(dual) > 1e-9
    }
    frame = pd.DataFrame({"shadow_price": pd.Series(rows, dtype=float)})
    frame.index.name = "limit"
    return frame


def _made_worse(before: Solution, after: Solution) -> pd.DataFrame:
    """Return the services that see more delay (or backlog growth) than before."""
    first, second = before.services, after.services
    rows = []
    for name in first.index:
        for measure in ("delay", "growth_rate"):
            old, new = float(first.loc[name, measure]), float(second.loc[name, measure])
            if new > old * (1 + WORSE) + 1e-6:
                rows.append({"service": name, "organisation": first.loc[name, "organisation"],
                             "measure": measure, "before": old, "after": new})  # fmt: skip
    columns = ["service", "organisation", "measure", "before", "after"]
    return pd.DataFrame(rows, columns=columns).set_index("service")
